"""CrossPoint on two processes: graphs, norms over all edges, two augmentations in one pass and the contrast of both.

In float64, for the reason that test_shipped_ranks.py gives: where two points are equally near in a feature space,
rounding decides which of them is a neighbour.
"""

from pathlib import Path

import pytest
from _helpers import assert_same, load, logged, run_train
from _small import small_config
from mmengine.config import Config

STEPS = 5


@pytest.mark.slow
@pytest.mark.parametrize('name', ['pretrain_synthetic', 'pretrain_synthetic_pointnet'])
def test_steps_on_two_processes_are_those_of_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = small_config(f'configs/crosspoint/{name}.py', tmp_path, None)
    plain = cfg.to_dict()
    del plain['work_dir'], plain['experiment_name']
    plain.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    plain['custom_imports'] = {'imports': ['double_parts'], 'allow_failed_imports': False}
    plain['train_cfg'].update(max_iters=STEPS, val_interval=1000)
    plain['default_hooks']['checkpoint'] = {'type': 'AtomicCheckpointHook', 'interval': STEPS - 1, 'max_keep_ckpts': 9}
    plain['train_dataloader']['batch_size'] = 8
    plain['model']['balancer']['interval'] = 4
    plain['visualizer']['vis_backends'] = [{'type': 'LocalVisBackend'}]
    if name == 'pretrain_synthetic_pointnet':
        # Their norms see one row a cloud.
        plain['model']['encoder'].update(input_transform=True, feature_transform=True)
        plain['model']['encoder']['transform_widths'] = (8, 8, 16, 8, 8)
    Config(plain).dump(tmp_path / 'config.py')
    env = {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(Path(__file__).parent)}
    run_train('config.py', '--work-dir', 'one', env=env, cwd=tmp_path)
    half = ('--cfg-options', 'train_dataloader.batch_size=4')
    run_train('config.py', '--work-dir', 'two', *half, nproc=2, env=env, cwd=tmp_path)
    one, two = load(tmp_path / f'one/iter_{STEPS}.pth'), load(tmp_path / f'two/iter_{STEPS}.pth')
    before = load(tmp_path / f'one/iter_{STEPS - 1}.pth')['state_dict']
    assert_same(one['state_dict'], two['state_dict'], 'state_dict', tolerance=1e-6)
    # Every step changes far more than that, in every part.
    for part in ('encoder.', 'image_encoder.', 'heads.mcl.projector.', 'heads.mcl.image_projector.'):
        keys = [key for key in before if key.startswith(part) and key.endswith('weight')]
        moved = [float((one['state_dict'][key] - before[key]).abs().max()) for key in keys]
        assert moved and min(moved) > 1e-4, part
    norms = [key for key in logged(one) if 'grad_norm/mcl' in key]
    assert norms and all(logged(one)[key] == pytest.approx(logged(two)[key], rel=1e-5) for key in norms)
