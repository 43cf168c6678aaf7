"""Semantic segmentation by the shipped configs: rooms in S3DIS's layout through training, whole rooms scored."""

from pathlib import Path

import numpy as np
import pytest
from _small import CONFIGS, ROOT

from mmpt.datasets.s3dis import S3DIS_CLASSES
from mmpt.datasets.synthetic.rooms import ROOM_CLASSES
from mmpt.engine.launch import test as score
from mmpt.utils.checkpoint import load_checkpoint
from mmpt.utils.config import load_config

ROOMS = [config for config in CONFIGS if '/semantic_segmentation/' in config]
WHOLE, BLOCKS = (f'configs/semantic_segmentation/{name}.py' for name in ('s3dis', 's3dis_blocks'))


@pytest.mark.parametrize('config', ROOMS)
def test_the_protocol_is_that_of_the_page(config):
    """METHODS 5.6, traps 2, 8 and 9."""
    cfg = load_config(ROOT / config)
    names = {'S3DIS': S3DIS_CLASSES, 'SyntheticRooms': ROOM_CLASSES}[cfg.train_dataloader.dataset.type]
    assert cfg.model.num_classes == cfg.val_evaluator[0].num_classes == len(names)
    assert cfg.optim_wrapper.get('accumulative_counts', 1) == 1 and 'save_best' not in cfg.default_hooks.checkpoint
    crop = cfg.train_dataloader.dataset.pipeline[0]
    whole = cfg.model.whole_room
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert crop.type == 'CropBlock' and (train.split == val.split) == ('overfit' in config)
    if config == BLOCKS:
        assert whole is None and cfg.val_dataloader.dataset.pipeline[0] == crop
    else:
        assert whole['num_points'] == crop['num_points']
        # What is learnt by heart is whole rooms around any of their points.
        assert whole['size'] == crop['size'] or 'overfit' in config
        assert [step.type for step in cfg.val_dataloader.dataset.pipeline] == ['PackInputs']


def test_what_is_learnt_by_heart_is_what_is_scored():
    cfg = load_config(ROOT / 'configs/semantic_segmentation/overfit_synthetic.py')
    train, val = (dict(loader.dataset) for loader in (cfg.train_dataloader, cfg.val_dataloader))
    # Trained on blocks, scored on whole rooms.
    assert train.pop('pipeline') != val.pop('pipeline') and train == val and train['size'] == 16


def test_every_point_of_the_rooms_of_area_5_is_scored(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained(WHOLE)
    scalars = runner.message_hub.log_scalars
    labels = [np.load(path)[:, 6].astype(int) for path in sorted((workplace / 'data' / 's3dis').glob('Area_5*'))]
    there = {S3DIS_CLASSES[label] for label in np.concatenate(labels)}
    scores = {key.removeprefix('val/semantic/') for key in scalars if key.startswith('val/semantic/')}
    # A class that only the prediction has counts as well.
    assert {'miou', 'accuracy', 'class_accuracy'} | there <= scores
    small = Path(runner.work_dir) / 'small.py'
    runner.cfg.dump(small)
    again = score(str(small), str(Path(runner.work_dir) / 'iter_2.pth'), work_dir=str(Path(runner.work_dir) / 'again'))
    for name, value in again.items():
        if name.startswith('semantic/'):
            assert scalars[f'val/{name}'].data[0][0] == pytest.approx(value)
    pictures = [Path(folder) / 'pictures' for folder in (runner.work_dir, Path(runner.work_dir) / 'again')]
    assert all(next(folder.glob('semantic_*.png')).stat().st_size > 10000 for folder in pictures)
    log = next((Path(runner.work_dir) / 'again').rglob('*.log')).read_text()
    count = sum(map(len, labels))
    assert f'{count} points of 2 samples, {count} of them with a class' in log


def test_classes_are_weighed_by_the_points_of_every_training_room_once(trained, workplace):
    runner = trained(WHOLE)
    rooms = [path for path in (workplace / 'data' / 's3dis').glob('*.npy') if 'Area_5' not in path.name]
    counts = sum(np.bincount(np.load(path)[:, 6].astype(int), minlength=13) for path in rooms)
    # Rooms come twice an epoch (3,200 points, 2,048 of which make a block).
    assert len(runner.train_dataloader.dataset) == 2 * len(rooms)
    checkpoint = load_checkpoint(Path(runner.work_dir) / 'iter_2.pth')
    assert checkpoint['state_dict']['class_counts'].tolist() == counts.tolist()


def test_sampled_blocks_are_drawn_by_the_size_of_the_rooms(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    data = trained(BLOCKS).val_dataloader.dataset
    assert [data[index]['data_samples'].sample_id for index in range(len(data))] == [
        f'Area_5_{room}/{draw}' for room in ('hallway_2', 'office_1') for draw in range(2)
    ]
    one, other, again = (data[index]['inputs']['points'] for index in (0, 1, 0))
    assert one.shape == (128, 3) and (one == again).all() and not (one == other).all()
