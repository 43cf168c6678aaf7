"""Detection by the shipped configs: scenes in ScanNet's layout through training and scoring."""

from pathlib import Path

import pytest
from _small import CONFIGS, ROOT

from mmpt.datasets.scannet_tables import SCANNET18
from mmpt.datasets.synthetic.rooms import FURNITURE
from mmpt.utils.config import load_config


@pytest.mark.parametrize('config', [config for config in CONFIGS if '/detection/' in config])
def test_the_protocol_is_that_of_the_page(config):
    cfg = load_config(ROOT / config)
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    names = {'ScanNet': SCANNET18, 'SyntheticRooms': FURNITURE}[train.type]
    assert cfg.model.num_classes == cfg.val_evaluator[0].num_classes == len(names)
    assert 'save_best' not in cfg.default_hooks.checkpoint
    assert (train.split == val.split) == ('overfit' in config)
    # Boxes of ScanNet stand along the axes of the room.
    assert (cfg.model.yaw_bins == 0) == (train.type == 'ScanNet')
    for pipeline in (train.pipeline, val.pipeline):
        steps = [step.type for step in pipeline]
        assert 'CentreFloor' in steps and {'ResamplePoints', 'FirstPoints'} & set(steps)


def test_boxes_of_the_val_scene_are_scored_and_classes_without_one_are_named(trained):
    runner = trained('configs/detection/scannet.py')
    scores = {key.removeprefix('val/detection/') for key in runner.message_hub.log_scalars if '/detection/' in key}
    there = {'chair', 'table', 'otherfurniture'}
    assert {f'ap{threshold}/{name}' for threshold in (25, 50) for name in there} <= scores
    assert not {name for name in scores if name.endswith('/bathtub')}
    others = [name for name in SCANNET18 if name not in there]
    (log,) = Path(runner.work_dir).rglob('*.log')
    assert f'detection: 4 boxes in 1 samples; without one, so left out: {", ".join(others)}.' in log.read_text()
    assert (Path(runner.work_dir) / 'pictures' / 'detection_000002.png').stat().st_size > 10000
