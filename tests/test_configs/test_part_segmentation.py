"""Part segmentation by the shipped configs: real layouts through training, scoring and pictures."""

from pathlib import Path

import pytest
import torch
from _small import CONFIGS, ROOT, small_config
from mmengine.runner import Runner

from mmpt.datasets.shapenet_part import PART_CLASSES
from mmpt.datasets.synthetic.categories import CATEGORIES
from mmpt.engine.launch import test as score
from mmpt.utils.checkpoint import load_checkpoint
from mmpt.utils.config import load_config

PARTS = [config for config in CONFIGS if '/part_segmentation/' in config]


@pytest.mark.parametrize('config', PARTS)
def test_the_numbers_of_parts_are_those_of_the_data(config):
    cfg = load_config(ROOT / config)
    kind = cfg.train_dataloader.dataset.type
    real = tuple(count for _, _, count in PART_CLASSES)
    expected = {'ShapeNetPart': real, 'SyntheticShapes': tuple(len(category.part_names) for category in CATEGORIES)}
    assert tuple(cfg.model.parts) == tuple(cfg.val_evaluator[0].parts) == expected[kind]


def test_one_update_a_batch_and_no_selection():
    """METHODS 5.5 and traps 2 and 8."""
    for config in PARTS:
        cfg = load_config(ROOT / config)
        assert cfg.optim_wrapper.get('accumulative_counts', 1) == 1 and 'save_best' not in cfg.default_hooks.checkpoint
    cfg = load_config(ROOT / PARTS[PARTS.index('configs/part_segmentation/shapenet_part.py')])
    assert cfg.train_cfg.max_iters == 300 * (14007 // 16) and cfg.train_dataloader.dataset.split == 'trainval'
    assert cfg.val_dataloader.dataset.split == 'test'


@pytest.mark.parametrize('name', ['shapenet_part', 'shapenet_part_h5'])
def test_the_real_layouts_are_scored_and_drawn(name, trained):
    runner = trained(f'configs/part_segmentation/{name}.py')
    scalars = runner.message_hub.log_scalars
    scores = {key.removeprefix('val/part/') for key in scalars if key.startswith('val/part/')}
    labels = {runner.val_dataloader.dataset.label(i) for i in range(len(runner.val_dataloader.dataset))}
    assert scores == {'instance_miou', 'class_miou', *(PART_CLASSES[label][1] for label in labels)}
    assert (Path(runner.work_dir) / 'pictures' / 'parts_000002.png').stat().st_size > 10000


def test_a_checkpoint_scores_as_its_run_did(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained('configs/part_segmentation/shapenet_part.py')
    small, own = Path(runner.work_dir) / 'small.py', Path(runner.work_dir) / 'again'
    runner.cfg.dump(small)
    scores = score(str(small), str(Path(runner.work_dir) / 'iter_2.pth'), work_dir=str(own))
    logged = runner.message_hub.log_scalars
    assert all(
        logged[f'val/{name}'].data[0][0] == pytest.approx(value) for name, value in scores.items() if 'part' in name
    )
    assert len([name for name in scores if name.startswith('part/')]) == 4
    assert (own / 'pictures' / 'parts_000000.png').is_file()


def test_a_frozen_encoder_is_that_of_the_checkpoint(trained, workplace):
    """The benchmark's config on a checkpoint of ours: what was pre-trained is there, and is there after training."""
    pretrained = Path(trained('configs/point_mae/laptop_synthetic.py').work_dir) / 'iter_2.pth'
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        cfg = small_config('configs/part_segmentation/synthetic_frozen.py', workplace, trained)
        cfg.model.checkpoint, cfg.work_dir = str(pretrained), str(workplace / 'work_dirs' / 'frozen_of_point_mae')
        cfg.experiment_name = 'test_frozen_of_point_mae'
        runner = Runner.from_cfg(cfg)
        runner.train()
    averages = load_checkpoint(pretrained)['ema_state_dict']
    state = runner.model.encoder.state_dict()
    assert all(torch.equal(state[key], averages[f'encoder.{key}']) for key in state)
