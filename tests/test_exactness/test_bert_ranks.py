"""Point-BERT and Cross-BERT on two processes: mixtures of clouds of both, one queue, pictures on one rank only."""

import pickle
from pathlib import Path

import pytest
import torch
import two_ranks
from _helpers import assert_same, load, logged, run_train
from _small import small_config, train
from mmengine.config import Config

from mmpt.models.layers import norm

STEPS = 5
HERE = Path(__file__).parent


@pytest.fixture
def small(tmp_path, monkeypatch):
    """``small(config)``: at small width, its tokenizer trained for two iterations, its data in one place."""
    monkeypatch.chdir(tmp_path)

    def make(config):
        cfg = small_config(config, tmp_path, lambda tokenizer: train(tokenizer, tmp_path, None))
        cfg.train_dataloader.dataset.cache_dir = str(tmp_path / 'data' / 'synthetic')
        # Which patches a pass drops is a rank's own.
        cfg.model.encoder.update(drop_path=0.0, depth=2, init='default')
        for neck in cfg.model.get('necks', {}).values():
            neck.drop_path = 0.0
        return cfg

    return make


@pytest.mark.slow
@pytest.mark.parametrize('method', ['point_bert', 'cross_bert'])
def test_steps_on_two_processes_are_those_of_one(method, small, tmp_path):
    """In float64, for the reason that test_shipped_ranks.py gives."""
    plain = small(f'configs/{method}/pretrain_synthetic.py').to_dict()
    del plain['work_dir'], plain['experiment_name']
    plain.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    plain['custom_imports'] = {'imports': ['double_parts'], 'allow_failed_imports': False}
    plain['train_cfg'].update(max_iters=STEPS, val_interval=1000)
    plain['default_hooks']['checkpoint'] = {'type': 'AtomicCheckpointHook', 'interval': STEPS - 1, 'max_keep_ckpts': 9}
    plain['train_dataloader']['batch_size'] = 8
    # The learning rate of the config after a warm-up that ends within the run.
    plain['param_scheduler'][0]['end'] = plain['param_scheduler'][1]['begin'] = 2
    plain['model']['balancer']['interval'] = 4
    plain['visualizer']['vis_backends'] = [{'type': 'LocalVisBackend'}]
    if method == 'point_bert':
        # Both contrasts; a queue that comes round within the run.
        plain['model']['heads']['moco'].update(query='masked', queue_size=24)
    Config(plain).dump(tmp_path / 'config.py')
    env = {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(HERE)}
    run_train('config.py', '--work-dir', 'one', env=env, cwd=tmp_path)
    half = ('--cfg-options', 'train_dataloader.batch_size=4')
    run_train('config.py', '--work-dir', 'two', *half, nproc=2, env=env, cwd=tmp_path)
    one, two = load(tmp_path / f'one/iter_{STEPS}.pth'), load(tmp_path / f'two/iter_{STEPS}.pth')
    before = load(tmp_path / f'one/iter_{STEPS - 1}.pth')['state_dict']
    assert_same(one['state_dict'], two['state_dict'], 'state_dict', tolerance=1e-6)
    # Every step changes far more than that, in every part.
    parts = {
        'point_bert': ('encoder.', 'momentum_encoder.', 'heads.tlr.', 'heads.moco.projector.', 'heads.moco.queue'),
        'cross_bert': ('encoder.', 'image_encoder.', 'necks.fusion.', 'heads.mcm.', 'heads.pia.projectors.'),
    }
    for part in parts[method]:
        keys = [key for key in before if key.startswith(part) and before[key].is_floating_point()]
        moved = [float((one['state_dict'][key] - before[key]).abs().max()) for key in keys]
        assert max(moved) > 1e-4, part
    norms = [key for key in logged(one) if 'grad_norm/' in key]
    assert norms and all(logged(one)[key] == pytest.approx(logged(two)[key], rel=1e-5) for key in norms)


@pytest.mark.slow
def test_pictures_may_be_on_one_rank_or_nowhere(small, tmp_path, monkeypatch):
    """A vision transformer, which takes no empty batch by itself; gradients, losses and statistics of two steps."""
    monkeypatch.setattr(norm, '_torch_can', lambda module, x: not module.training)
    cfg = small('configs/cross_bert/pretrain_synthetic.py')
    vit = {'model_name': 'vit_tiny_patch16_224', 'img_size': 32, 'patch_size': 16, 'embed_dim': 96, 'depth': 1}
    cfg.model.image_encoder = {'type': 'TimmImageEncoder', 'num_heads': 2, **vit}
    torch.multiprocessing.spawn(two_ranks.worker, (cfg, 2, str(tmp_path)), 2)
    ranks = [pickle.loads((tmp_path / f'rank_{rank}.pkl').read_bytes()) for rank in (0, 1)]
    for case in two_ranks.IMAGES:
        gradients, logs, state = two_ranks.run(cfg, case, 2)
        shared, other = (rank[case] for rank in ranks)
        assert_same(shared[0], other[0], f'{case}: gradients of both ranks')
        assert_same(shared[2], other[2], f'{case}: state of both ranks')
        for step, (own, theirs) in enumerate(zip(gradients, shared[0], strict=True)):
            assert own.keys() == theirs.keys()
            largest = max(float(value.abs().max()) for value in own.values())
            for key, value in own.items():
                size = largest if key in two_ranks.CANCELLED else max(float(value.abs().max()), 1e-2 * largest)
                difference = float((theirs[key] - value).abs().max())
                assert difference <= size * (1e-4, 1e-3)[step], (case, key, step, difference, size)
            seen = [bool(own[key].any()) for key in own if key.startswith('image_encoder.')]
            # A lone pair has no negatives, but its picture helps to name patches.
            assert any(seen) == (case != 'nowhere')
        assert_same(state, shared[2], f'{case}: state', tolerance=1e-5)
        for log, first, second in zip(logs, shared[1], other[1], strict=True):
            for key in ('loss', 'task/mcm', 'task/pia', 'pia/points_fused'):
                assert (first[key] + second[key]) / 2 == pytest.approx(log[key], rel=1e-4), (case, key)
