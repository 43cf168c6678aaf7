import sys
from pathlib import Path

import pytest

# `_small` of this folder.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def workplace(tmp_path_factory):
    """A folder with `data/` as the shipped configs expect it; the generated arrays are shared by all of them."""
    from _small import write_own_shapes, write_shapenet

    folder = tmp_path_factory.mktemp('configs')
    write_shapenet(folder / 'data')
    write_own_shapes(folder / 'data')
    return folder


@pytest.fixture(scope='session')
def trained(workplace):
    """``trained(config)``: the Runner after two iterations of a shipped config at small width, run once a session."""
    from _small import train

    runners = {}

    def get(config):
        if config not in runners:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(workplace)
                runners[config] = train(config, workplace, get)
        return runners[config]

    return get
