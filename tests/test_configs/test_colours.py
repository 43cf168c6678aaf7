"""Labelled tasks on generated rooms with colours: the encoder reads them as they are, or a sentence says why not."""

import logging
from pathlib import Path

import pytest
import torch
from _small import small_config

from mmpt.engine import launch
from mmpt.utils.checkpoint import load_checkpoint
from mmpt.utils.errors import explain

SEMANTIC, DETECTION = (f'configs/{task}/synthetic.py' for task in ('semantic_segmentation', 'detection'))


@pytest.fixture
def train(workplace, trained, tmp_path, monkeypatch):
    """Two updates of a small config; ``keys`` follow x y z in the data, ``channels`` are read."""
    monkeypatch.chdir(workplace)

    def run(config, keys, channels):
        cfg = small_config(config, workplace, trained)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            assert loader.dataset.pipeline[-1].type == 'PackInputs'
            loader.dataset.pipeline[-1].feature_keys = keys
        cfg.model.encoder.in_channels = channels
        cfg.dump(tmp_path / 'small.py')
        return launch.train(str(tmp_path / 'small.py'), work_dir=str(tmp_path / 'run'))

    return run


@pytest.fixture
def warned(monkeypatch):
    said = []
    monkeypatch.setattr(
        launch, 'print_log', lambda text, level=0, **_: said.append(text) if level >= logging.WARNING else None
    )
    return said


@pytest.mark.parametrize('config', [SEMANTIC, DETECTION])
def test_colours_are_learnt_from_and_predicted_with(config, train, warned):
    runner = train(config, ('colors',), 6)
    assert runner.iter == 2 and not [text for text in warned if 'colors' in text]
    meta = load_checkpoint(Path(runner.work_dir) / 'iter_2.pth')['meta']
    assert tuple(meta['dataset_meta']['feature_keys']) == ('colors',) and meta['encoder_cfg']['in_channels'] == 6
    # Scale and shift, blocks and turns are of coordinates alone.
    sample = runner.train_dataloader.dataset[(0, 0)]
    points, colors = sample['inputs']['points'], sample['data_samples'].colors
    assert points.shape == (128, 6) and torch.equal((255 * points[:, 3:]).round().byte(), colors)
    # The gradient has reached what reads them.
    weight = runner.model.encoder.patch_embed.linear1.weight
    moment = runner.optim_wrapper.optimizer.state[weight]['exp_avg']
    assert moment.shape[1] == 6 and (moment[:, 3:].abs().amax(0) > 0).all()
    # So does a prediction depend on them; after two updates all points of a room may be of one class yet.
    model = runner.model.eval()
    xyz, rgb = points.split(3, 1)
    seen, other = (answers(model, torch.cat([xyz, seen], 1)) for seen in (rgb, 1 - rgb))
    assert seen.shape == other.shape and not torch.allclose(seen, other)


def answers(model, points):
    """For one room (N, 6): logits of its points, or boxes."""
    if hasattr(model, 'room_logits'):
        return model.room_logits(points)
    with torch.no_grad():
        return model({'points': points[None]}, mode='predict')[0].predicted_boxes


def test_data_without_what_the_encoder_reads_are_one_sentence(train):
    with pytest.raises(ValueError) as error:
        train(SEMANTIC, (), 6)
    assert explain(error.value) == (
        'PointTransformer: the encoder reads 6 channels a point, the cloud has 3; set encoder.in_channels, or '
        'feature_keys of PackInputs.'
    )
    with pytest.raises(KeyError) as error:
        train(SEMANTIC, ('normals',), 6)
    assert "needs 'normals', which" in explain(error.value) and '\n' not in explain(error.value)


def test_colours_that_the_encoder_does_not_read_are_named(train, warned):
    train(SEMANTIC, ('colors',), 3)
    (text,) = [text for text in warned if 'colors' in text]
    assert text == (
        'The data give colors beside x y z, but the encoder reads 3 channels a point, so it learns nothing from them; '
        'set encoder.in_channels, or leave them out of feature_keys of PackInputs.'
    )
