"""ReCon's pre-training, array by array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from peers import Case, Fixture, inject
from torch import nn

from mmpt.apis.origins.base import rename
from mmpt.apis.origins.recon import _PRETRAIN
from mmpt.models.layers import select_hidden
from mmpt.models.losses import LabelContrastLoss
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

CHOICES = {'num_groups': 16, 'num_heads': 3}


@MODELS.register_module(force=True)
class GivenTeachers(nn.Module):
    """The file's own features in place of teachers: they travel with the inputs."""

    needs = ('inputs',)
    provides = ('teacher/image', 'teacher/image/valid', 'teacher/text', 'teacher/text/valid')

    def forward(self, step):
        valid = torch.ones(len(step['inputs']['points']), dtype=torch.bool)
        return {
            'teacher/image': step['inputs']['teacher_img'],
            'teacher/image/valid': valid,
            'teacher/text': step['inputs']['teacher_text'],
            'teacher/text/valid': valid,
        }


def _key(key: str) -> str:
    (found,) = rename({key: torch.zeros(1)}, _PRETRAIN)[0]
    return found


def cases(folder: Path) -> Iterator[Case]:
    """Every array of the file."""
    fixture = Fixture(folder / 'recon_pretrain_a.npz', 'recon', **CHOICES)
    fixture.converted.model_cfg['necks'] = {'given': {'type': 'GivenTeachers'}}
    model, missing = fixture.build()
    assert not missing and not fixture.converted.unused, (missing, fixture.converted.unused)
    inputs = {name: fixture[name] for name in ('points', 'teacher_img', 'teacher_text')}
    samples = [PointDataSample(metainfo={'caption': f'class {number}'}) for number in fixture['class_id'].tolist()]
    own = model.encoder.group(inputs['points'])
    yield fixture.case('center', own.centers)
    # Theirs come unsorted: compared as sets, in the order of the distance to the centre.
    ours, theirs = (_sorted(points) for points in (own.points, fixture['neighborhood']))
    yield Case(fixture.name, 'neighborhood (as sets)', float((ours - theirs).abs().max()), 1e-4)
    inject(model, fixture)
    patches, mask = fixture.patches(), fixture.mask()
    step, _ = model.step(inputs, samples)
    blocks: dict[str, torch.Tensor] = {}

    def keep(block, arguments, result):
        blocks['block0_in'], blocks['block0_out'] = torch.cat(arguments[:2], dim=1), torch.cat(result, dim=1)

    handle = model.encoder.blocks[0].register_forward_hook(keep)
    yield fixture.case('patch_tokens', step['embedded'])
    tokens = step['masked']
    handle.remove()
    for name, value in blocks.items():
        yield fixture.case(name, value)
    for name in ('cls', 'img', 'text'):
        yield fixture.case(f'{name}_token_out', tokens.globals[name])
    yield fixture.case('encoder_visible', tokens.patch)
    yield fixture.case('decoder_tokens', step['hidden'].view(4, 9, -1))
    losses = {name: model.heads[name].loss(step) for name in model.order}
    yield fixture.case('rebuild_points', losses['plr'][1]['reconstruction'].points.flatten(0, 1))
    yield fixture.case('gt_points', select_hidden(patches.points, mask))
    for name, token in (('img_proj', 'img'), ('text_proj', 'text'), ('cls_proj', 'cls')):
        head = model.heads['smc' if token == 'cls' else token]
        yield fixture.case(name, head.projector(tokens.globals[token]))
    for name, head in (('mdm_cdl2', 'plr'), ('csc_img', 'img'), ('csc_text', 'text'), ('smc', 'smc')):
        yield fixture.case(f'loss_{name}', losses[head][0]['loss'])
    loss = LabelContrastLoss(fixture.meta['smc_temperature'])(fixture['cls_proj'], fixture['class_id'])
    yield Case(fixture.name, 'loss_smc of their cls_proj', float((loss.mean() - fixture['loss_smc']).abs()), 1e-4)
    total, _ = model.parse_losses(model(inputs, samples, mode='loss'))
    yield fixture.case('loss_total', total)
    yield from fixture.gradients(model, total, _key)


def _sorted(points: torch.Tensor) -> torch.Tensor:
    order = points.square().sum(-1).argsort(dim=2)
    return points.gather(2, order.unsqueeze(-1).expand_as(points))
