import sys
from pathlib import Path

import pytest

# `_small` of this folder, `_shapenet_part` of that of the data sets, `_joint_model` of that of the tools.
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'test_datasets'), str(HERE.parent / 'test_tools')]


@pytest.fixture(scope='session')
def workplace(tmp_path_factory):
    """A folder with `data/` as the shipped configs expect it; the generated arrays are shared by all of them."""
    from _classification_trees import write_modelnet40, write_modelnet_fewshot, write_scanobjectnn
    from _pcn import write_pcn
    from _s3dis import write_s3dis
    from _scannet import convert_here, write_release
    from _shapenet_part import write_h5_release, write_text_release
    from _small import write_own_shapes, write_shapenet

    folder = tmp_path_factory.mktemp('configs')
    write_shapenet(folder / 'data')
    write_own_shapes(folder / 'data')
    write_text_release(folder / 'data')
    write_h5_release(folder / 'data')
    write_modelnet40(folder / 'data')
    write_modelnet_fewshot(folder / 'data')
    write_scanobjectnn(folder / 'data')
    write_pcn(folder / 'data')
    write_s3dis(folder / 'data')
    write_release(folder / 'scannet_release')
    convert_here(folder / 'scannet_release', folder / 'data' / 'scannet')
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


@pytest.fixture(scope='module')
def tool():
    """tools/benchmark.py as a module."""
    from _benchmark import load_tool

    return load_tool()


@pytest.fixture
def place(tool, tmp_path, monkeypatch):
    """A folder to be in, with a tiny checkpoint for tools/benchmark.py, whose trainings run in this process."""
    from _benchmark import train_here, write_checkpoint

    write_checkpoint(tmp_path)
    train_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path
