"""Classification by the shipped configs: what they set, the real layouts, voting, a pre-trained encoder."""

import logging
from functools import cache
from pathlib import Path

import pytest
import torch
from _small import CONFIGS, ROOT, small_config

from mmpt.engine import launch
from mmpt.registry import DATASETS
from mmpt.utils import checkpoint as loader
from mmpt.utils.config import load_config

ALL = [Path(config).stem for config in CONFIGS if '/classification/' in config]
HELD_OUT = [name for name in ALL if name.endswith('held_out')]


@cache
def full(name, **options):
    return load_config(ROOT / 'configs' / 'classification' / f'{name}.py', options)


def sizes(pipeline):
    return [step.num_points for step in pipeline if 'num_points' in step]


@pytest.mark.parametrize(
    ('data', 'train', 'test', 'groups', 'epochs_of'),
    [
        ('modelnet40_1k', [1200, 1024], [1024], 64, 9843),
        ('modelnet40_4k', [4800, 4096], [4096], 256, 9843),
        ('modelnet40_8k', [8192], [8192], 512, 9843),
        ('scanobjectnn_obj_bg', [2048], [2048], 128, 2309),
        ('scanobjectnn_obj_only', [2048], [2048], 128, 2309),
        ('scanobjectnn_pb_t50_rs', [2048], [2048], 128, 11416),
        ('synthetic', [1024], [1024], 32, 864),
    ],
)
def test_every_setting_is_that_of_the_table(data, train, test, groups, epochs_of):
    """METHODS 5.1 and 5.2."""
    for setting, (frozen, hidden) in {'finetune': (False, 2), 'mlp3': (True, 2), 'linear': (True, 0)}.items():
        cfg = full(f'{setting}_{data}')
        task = cfg.model.task_encoder or {}
        assert task.get('num_groups', cfg.model.encoder.num_groups) == groups
        assert (cfg.model.get('frozen', False), cfg.model.hidden_layers) == (frozen, hidden)
        # A class token that nobody trained says nothing, so frozen encoders get none beside what they have.
        assert ('cls_token' in task, 'cls' in cfg.model.pooling) == (not frozen, not frozen)
        assert sizes(cfg.train_dataloader.dataset.pipeline) == train
        assert sizes(cfg.val_dataloader.dataset.pipeline) == test
        # A vote draws as the training does.
        assert cfg.test_dataloader.dataset.dataset.pipeline == cfg.train_dataloader.dataset.pipeline
        assert [cfg[f'{loop}_dataloader'].dataset.get('split') for loop in ('train', 'val')] == ['train', 'test']
        assert cfg.test_dataloader.dataset.dataset.split == 'test'
        assert cfg.test_dataloader.dataset.draws % cfg.test_evaluator[0].votes == 0
        epochs = 30 if data == 'synthetic' else 300
        assert cfg.train_cfg.max_iters == round(epochs * epochs_of / cfg.train_dataloader.batch_size)
        if 'scanobjectnn' in data:
            three = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset.dataset
            assert {part.variant for part in three} == {data.removeprefix('scanobjectnn_')}
            assert cfg.model.num_classes == 15


def test_nothing_is_chosen_by_the_test_part():
    assert len(HELD_OUT) == 2
    for name in ALL:
        chosen_by = full(name).default_hooks.checkpoint.get('save_best')
        assert chosen_by == ('held_out/accuracy' if name in HELD_OUT else None)


def test_rotation_is_one_option():
    place = 'train_dataloader.dataset.pipeline.1.type'
    pipeline = full('finetune_scanobjectnn_obj_bg', **{place: 'RotateUp'}).train_dataloader.dataset.pipeline
    assert [step.type for step in pipeline] == ['RandomSample', 'RotateUp', 'PackInputs']


def test_what_is_held_out_is_not_trained_on(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained('configs/classification/finetune_modelnet40_1k_held_out.py')
    train, held = runner.train_dataloader.dataset, runner.val_dataloader.dataset
    assert (len(train), len(held)) == (10, 2) and not set(train.indices) & set(held.indices)
    assert list(Path(runner.work_dir).glob('best_held_out_accuracy_iter_2.pth'))


def dump(config, workplace, trained, name, **options):
    """A small config as a file, for what starts from one."""
    cfg = small_config(config, workplace, trained)
    cfg.merge_from_dict(options)
    cfg.work_dir, cfg.experiment_name = str(workplace / 'work_dirs' / name), f'test_{name}'
    path = workplace / f'{name}.py'
    cfg.dump(path)
    return str(path)


def test_votes_repeat_and_the_val_loop_scores_as_the_run_did(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    shipped = 'configs/classification/finetune_modelnet40_1k.py'
    runner = trained(shipped)
    config = dump(shipped, workplace, trained, 'voting')
    saved = str(Path(runner.work_dir) / 'iter_2.pth')
    first, second = (launch.test(config, saved, loop='test') for _ in range(2))
    names = [f'test/voted_{what}' for what in ('accuracy', 'mean_class_accuracy')]
    names += [f'{name}_std' for name in names]
    assert {key for key in first if 'time' not in key} == set(names)
    assert all(first[key] == second[key] for key in names)
    single = launch.test(config, saved)
    assert single['test/accuracy'] == runner.message_hub.get_scalar('val/test/accuracy').current()
    draws = DATASETS.build(runner.cfg.test_dataloader.dataset)
    clouds = [draws[index]['inputs']['points'] for index in (0, len(draws.dataset))]
    assert not torch.equal(*clouds)


def test_a_pretrained_encoder_and_what_its_data_were(trained, workplace, monkeypatch):
    """Of the unit sphere on clouds as stored; most classes have no shape in the small tree."""
    monkeypatch.chdir(workplace)
    said = []
    for module in (launch, loader):
        monkeypatch.setattr(
            module, 'print_log', lambda text, level=0, **_: said.append(text) if level >= logging.WARNING else None
        )
    pretrained = Path(trained('configs/point_mae/laptop_synthetic.py').work_dir) / 'iter_2.pth'
    options = {'model.checkpoint': str(pretrained)}
    config = 'configs/classification/mlp3_scanobjectnn_obj_only.py'
    runner = launch.train(dump(config, workplace, trained, 'transferred', **options))
    normalize = "normalize='unit_sphere', this data set has normalize='none'"
    assert [text for text in said if normalize in text] and [text for text in said if '12 of 15 classes' in text]
    # Both loops read 128 points here, and the axis is the same: no word about them. Nor about the name of the data.
    assert len(said) == 2
    averages = loader.load_checkpoint(pretrained)['ema_state_dict']
    state = runner.model.encoder.state_dict()
    assert all(torch.equal(state[key], averages[f'encoder.{key}']) for key in state)
    meta = loader.load_checkpoint(Path(runner.work_dir) / 'iter_2.pth')['meta']
    assert meta['dataset_meta']['num_points'] == 128 and meta['encoder_cfg']['num_groups'] == 16
