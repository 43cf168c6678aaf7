"""Completion by the shipped configs: real layouts through training, scoring and pictures; schedules of PoinTr."""

import math
from pathlib import Path

import pytest
from _small import CONFIGS, ROOT
from mmengine.dataset import pseudo_collate

from mmpt.datasets.pcn import PCN_SYNSETS
from mmpt.datasets.shapenet import SYNSETS
from mmpt.engine.hooks.value_schedule_hook import scheduled_value
from mmpt.engine.launch import test as score
from mmpt.evaluation import CompletionScore
from mmpt.utils.config import load_config

COMPLETION = [config for config in CONFIGS if '/completion/' in config]
FIGURES = ('chamfer_l1', 'chamfer_l2', 'f_score')


def scored(runner):
    scalars = runner.message_hub.log_scalars
    names = [key.removeprefix('val/completion/') for key in scalars if key.startswith('val/completion/')]
    return {name: scalars[f'val/completion/{name}'].data[0][0] for name in names}


@pytest.mark.parametrize(
    ('name', 'epochs', 'size', 'batch', 'decay', 'points'),
    [('pcn', 300, 28974, 48, 0.9, 16384), ('shapenet55', 200, 41952, 96, 0.76, 8192)],
)
def test_the_schedule_is_that_of_the_ancestor(name, epochs, size, batch, decay, points):
    """METHODS 5.8."""
    cfg = load_config(ROOT / f'configs/completion/{name}.py')
    assert cfg.train_dataloader.batch_size == batch and cfg.train_cfg.max_iters == epochs * size // batch
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 5e-4, 5e-4)
    assert cfg.optim_wrapper.clip_grad == {'max_norm': 10.0}
    (rate,) = cfg.param_scheduler
    epoch = size / batch
    for e in (1, 21, 100, epochs):
        at_epoch = rate.gamma ** (e * epoch)
        assert at_epoch == pytest.approx(max(decay ** (e / 21), 0.02), rel=1e-6)  # the floor is not reached
    (momentum,) = [hook.schedules.norm_momentum for hook in cfg.custom_hooks if 'schedules' in hook]
    for e in (0, 1, 21, 100, 136, 137, epochs):
        expected = max(0.9 * 0.5 ** (e / 21), 0.01)
        assert scheduled_value(round(e * epoch), **momentum) == pytest.approx(expected, rel=2e-3)
    assert cfg.model.num_queries * cfg.model.head.fold_side**2 + 2048 == points
    assert 'save_best' not in cfg.default_hooks.checkpoint


def test_pcn_is_scored_by_class_and_drawn(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained('configs/completion/pcn.py')
    scores, dataset = scored(runner), runner.val_dataloader.dataset
    assert dataset.split == 'val' and runner.test_dataloader.dataset.split == 'test'
    classes = {SYNSETS[PCN_SYNSETS[dataset.label(i)]] for i in range(len(dataset))}
    groups = ('', 'copy/', 'class_mean/', *(f'{name}/' for name in classes))
    assert set(scores) == {group + figure for group in groups for figure in FIGURES}
    assert all(math.isfinite(value) for value in scores.values())
    assert (Path(runner.work_dir) / 'pictures' / 'completion_000002.png').stat().st_size > 10000
    # tools/test.py --loop test is what figures come from.
    small = Path(runner.work_dir) / 'small.py'
    runner.cfg.dump(small)
    own, last = Path(runner.work_dir) / 'again', Path(runner.work_dir) / 'iter_2.pth'
    assert 'completion/chair/f_score' in score(str(small), str(last), work_dir=str(own), loop='test')


def test_shapenet55_is_scored_by_viewpoint_and_difficulty(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained('configs/completion/shapenet55.py')
    groups = {name.split('/')[0] for name in scored(runner) if name.count('/') == 1}
    viewpoints = {f'viewpoint_{number}' for number in range(8)}
    assert groups == {'copy', 'class_mean', 'median', 'airplane', 'chair', 'table'} | viewpoints
    # The test loop holds every cut of every shape once; here of the first one, which is the only airplane.
    cuts, metric = runner.test_dataloader.dataset, CompletionScore()
    assert len(cuts) == 3 * 8 * 3
    for index in range(0, len(cuts), 3):
        metric.process(None, runner.model.test_step(pseudo_collate([cuts[index]])))
    scores = metric.evaluate(24)
    l1 = {name: scores[f'completion/{name}chamfer_l1'] for name in ('', 'easy/', 'median/', 'hard/')}
    assert l1[''] == pytest.approx(sum(l1[name] for name in ('easy/', 'median/', 'hard/')) / 3)
    assert l1[''] == pytest.approx(sum(scores[f'completion/{name}/chamfer_l1'] for name in viewpoints) / 8)
    # Half is cut away on the way, too.
    assert l1['median/'] == pytest.approx(scored(runner)['airplane/chamfer_l1'], rel=1e-4)


def test_generated_objects_are_seen_from_eight_sides(trained):
    runner = trained('configs/completion/synthetic.py')
    scores = scored(runner)
    assert {f'viewpoint_{number}/f_score' for number in range(8)} <= set(scores) and 'median/f_score' not in scores
    partial = [runner.val_dataloader.dataset[15 * number]['inputs']['points'] for number in range(8)]
    whole = runner.val_dataloader.dataset[0]['data_samples'].complete
    assert whole.shape == (128, 3) and all(len(set(map(tuple, cloud.tolist()))) < 128 for cloud in partial)
    assert len({tuple(cloud.mean(0).tolist()) for cloud in partial}) == 8


def test_what_is_learnt_by_heart_is_what_is_scored():
    cfg = load_config(ROOT / 'configs/completion/overfit_synthetic.py')
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert train == val and train.size == 16
