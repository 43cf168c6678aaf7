"""The order of the test run."""

# Files of few tests that take minutes: trainings in processes of their own.
LONG = ('test_exactness', 'test_projects', 'test_overfit.py', 'test_family.py')


def pytest_collection_modifyitems(items):
    """Long files first, so that at the end of the run no worker waits for one that has just begun its longest."""
    items.sort(key=lambda item: not any(part in LONG for part in item.path.parts))
