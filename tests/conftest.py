"""The order of the test run, and what no test needs."""

import pytest

# Files of few tests that take minutes: trainings in processes of their own.
LONG = ('test_exactness', 'test_projects', 'test_overfit.py', 'test_family.py')


def pytest_collection_modifyitems(items):
    """Long files first, so that at the end of the run no worker waits for one that has just begun its longest."""
    items.sort(key=lambda item: not any(part in LONG for part in item.path.parts))


@pytest.fixture(autouse=True, scope='session')
def no_canvas():
    """mmengine opens two matplotlib figures for every run, on which nothing of ours draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.visualization.Visualizer._initialize_fig', lambda self, options: None)
        yield
