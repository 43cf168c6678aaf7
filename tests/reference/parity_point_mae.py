"""Point-MAE: the pre-training and the classifier, array by array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from peers import RELATIVE, Case, Fixture, inject, train_steps

from mmpt.apis.origins.base import rename
from mmpt.apis.origins.point_mae import _CLASSIFIER, _PRETRAIN
from mmpt.models.layers import StepDraws, select_hidden
from mmpt.models.losses import ChamferLoss
from mmpt.models.masking import BlockMasking
from mmpt.structures import PointDataSample

CHOICES = {'num_groups': 16, 'num_heads': 3}


class _Around(StepDraws):
    """Draws that choose the given patches, of 16, as the middles of the blocks."""

    def __init__(self, chosen: torch.Tensor) -> None:
        super().__init__()
        self.chosen = chosen

    def rand(self, stream: str, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        return ((self.chosen + 0.5) / 16).view(shape)


def cases(folder: Path) -> Iterator[Case]:
    """Every array of both files."""
    yield from _pretraining(folder)
    yield from _classifier(folder)


def _key(table):
    def ours(key: str) -> str:
        (found,) = rename({key: torch.zeros(1)}, table)[0]
        return found

    return ours


def _pretraining(folder: Path) -> Iterator[Case]:
    fixture = Fixture(folder / 'pointmae_pretrain_a.npz', 'point_mae', **CHOICES)
    model, missing = fixture.build()
    assert not missing and not fixture.converted.unused, (missing, fixture.converted.unused)
    inputs = {'points': fixture['points']}
    # Our own grouping first, then theirs for everything behind it.
    own = model.encoder.group(inputs['points'])
    yield fixture.case('center', own.centers)
    yield fixture.case('neighborhood', own.points)
    yield fixture.case('neighbor_idx', own.index)
    inject(model, fixture)
    patches, mask = fixture.patches(), fixture.mask()
    step, _ = model.step(inputs)
    yield fixture.case('patch_tokens', step['embedded'])
    yield fixture.case('pos_visible', model.encoder.position(patches.centers[~mask.hidden].view(2, 7, 3)))
    yield fixture.case('encoder_visible', step['masked_tokens'].patch)
    yield fixture.case('encoder_all', model.encoder(patches).patch)
    yield fixture.case('decoder_tokens', step['hidden'].view(2, 9, -1))
    result, provided = model.heads['plr'].loss(step)
    rebuilt = provided['reconstruction'].points.flatten(0, 1)
    target = select_hidden(patches.points, mask)
    yield fixture.case('rebuild_points', rebuilt)
    yield fixture.case('gt_points', target)
    yield fixture.case('loss_cdl2', result['loss'])
    yield fixture.case('loss_cdl1', ChamferLoss('l1')(rebuilt, target))
    total, _ = model.parse_losses(model(inputs, mode='loss'))
    yield from fixture.gradients(model, total, _key(_PRETRAIN))
    model.zero_grad()
    yield fixture.case('train_losses', torch.tensor(train_steps(model, inputs, 5)), RELATIVE)
    model.eval()
    total, _ = model.parse_losses(model(inputs, mode='loss'))
    yield fixture.case('loss_after_train_eval', total, 3e-3)
    yield fixture.case('block_mask', BlockMasking(0.6)(patches, _Around(fixture['block_mask_index'])).hidden)


def _classifier(folder: Path) -> Iterator[Case]:
    fixture = Fixture(folder / 'pointmae_cls_a.npz', 'point_mae', group_size=8, **CHOICES)
    model, missing = fixture.build()
    assert not missing and not fixture.converted.unused, (missing, fixture.converted.unused)
    own = model.encoder.group(fixture['points'])
    yield fixture.case('center', own.centers)
    yield fixture.case('neighborhood', own.points)
    patches = fixture.patches()
    model.encoder.group = lambda points: patches
    tokens = model.encoder(fixture['points'])
    yield fixture.case('patch_tokens', model.encoder.embed(patches))
    yield fixture.case('tokens_out', torch.cat([tokens.globals['cls'].unsqueeze(1), tokens.patch], dim=1))
    pools = tokens.pools()
    yield fixture.case('feature', torch.cat([pools['cls'], pools['max']], dim=1))
    inputs, samples = {'points': fixture['points']}, [PointDataSample() for _ in range(2)]
    for sample, label in zip(samples, fixture['label']):
        sample.set_field(int(label), 'label')
    yield fixture.case('logits', model(inputs))
    losses = model(inputs, samples, mode='loss')
    yield fixture.case('loss_ce', losses['loss'])
    yield fixture.case('acc_percent', 100 * losses['accuracy'])
    yield from fixture.gradients(model, losses['loss'], _key(_CLASSIFIER))
    # The classifier with the encoder of the pre-training, as fine-tuning starts.
    pretrained = Fixture(folder / 'pointmae_pretrain_a.npz', 'point_mae', **CHOICES)
    encoder = {key: value for key, value in pretrained.converted.state.items() if key.startswith('encoder.')}
    match = model.load_state_dict(encoder, strict=False)
    said = set(fixture.meta['from_pretrain']['missing'])
    assert {_key(_CLASSIFIER)(key) for key in said} == {k for k in match.missing_keys if 'num_batches' not in k}
    yield fixture.case('logits_from_pretrain', model(inputs))
