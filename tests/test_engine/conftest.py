import sys
from pathlib import Path

import pytest
import torch

# `_helpers` of this folder's parent, and `toy_parts` under the name that its config imports it by.
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]


CONFIG = Path(__file__).parent / 'toy_config.py'


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """Threads of so small a model wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='session')
def build_toy():
    """Build a Runner of the toy config: ``build_toy(folder, 'train_cfg.max_iters=3')``."""
    from mmengine.runner import Runner

    from mmpt.utils.config import load_config, parse_options

    def build(folder, *options, **changes):
        cfg = load_config(CONFIG, parse_options(list(options)))
        cfg.work_dir = str(folder)
        cfg.visualizer.vis_backends = [{'type': 'LocalVisBackend'}]
        # Runners of one second would share the instances that mmengine keeps by this name.
        cfg.experiment_name = str(folder).replace('/', '_')
        cfg.merge_from_dict(changes)
        return Runner.from_cfg(cfg)

    return build


@pytest.fixture
def toy(build_toy, tmp_path):
    """The same in folders of one test: ``toy('train_cfg.max_iters=3', name='a')``."""
    return lambda *options, name='run', **changes: build_toy(tmp_path / name, *options, **changes)
