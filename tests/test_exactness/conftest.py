import itertools
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

# `_helpers` of the folder above, `_small` of test_configs, and `spoiled_parts`, which configs import by name.
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / 'test_configs'), str(HERE)]

COUNT = itertools.count()
SHIPPED = 'configs/mmpt/pretrain_synthetic.py'


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """Threads of so small a model wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope='session')
def plain_configs():
    """A config that a test puts together is wrapped by yapf when it is written, which takes longer than these runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **kwargs: (text, False))
        yield


@pytest.fixture(scope='session')
def small(tmp_path_factory):
    """The shipped config at small width, as a file: its tokenizer trained for two iterations, its data in one place."""
    from _small import small_config, train

    folder = tmp_path_factory.mktemp('exactness')

    def train_tokenizer(config):
        return train(config, folder, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cfg = small_config(SHIPPED, folder, train_tokenizer)
    cfg.train_dataloader.dataset.cache_dir = str(folder / 'data' / 'synthetic')
    for part in cfg.val_dataloader.dataset.datasets:
        part.cache_dir = str(folder / 'data' / 'synthetic')
    # Two blocks: the first of a stack never drops its path.
    cfg.model.encoder.update(depth=2, drop_path=0.5)
    cfg.model.decoder.update(depth=2, drop_path=0.5)
    # Measured more than once in so short a run.
    cfg.model.balancer.interval = 5
    cfg.model.heads.mcl.monitor_interval = 5
    # The learning rate of the config after a warm-up that ends within the run.
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 5
    cfg.train_cfg.update(max_iters=14, val_interval=8)
    cfg.default_hooks.checkpoint.update(interval=3, max_keep_ckpts=9)
    for hook in cfg.custom_hooks:
        if 'interval' in hook:
            hook.interval = 1000
    cfg.visualizer.vis_backends = [{'type': 'LocalVisBackend'}]
    assert cfg.custom_hooks[0].type == 'EncoderEMAHook' and cfg.model.image_encoder.model_name == 'test_resnet'
    plain = cfg.to_dict()
    # Every run has its own.
    del plain['experiment_name'], plain['work_dir']
    path = folder / 'small_pretrain.py'
    Config(plain).dump(path)
    return path


@pytest.fixture(scope='session')
def build(small):
    """Build a Runner of the small config: ``build(folder, 'train_cfg.max_iters=3')``."""
    import spoiled_parts  # noqa: F401
    from mmengine.runner import Runner

    from mmpt.utils.config import load_config, parse_options

    def make(folder, *options, config=small, val=True, **changes):
        cfg = load_config(config, parse_options(list(options)))
        cfg.work_dir, cfg.experiment_name = str(folder), f'exactness_{next(COUNT)}'
        cfg.merge_from_dict(changes)
        if not val:
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = cfg.default_hooks.checkpoint.save_best = None
        return Runner.from_cfg(cfg)

    return make
