import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def scope():
    """Names of configs are mmpt's, whatever a Runner of another test in this process has left behind."""
    with DefaultScope.overwrite_default_scope('mmpt'):
        yield
