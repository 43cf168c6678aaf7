"""Point-BERT's discrete VAE, array by array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import torch
from peers import ABSOLUTE, Case, Fixture

from mmpt.apis.origins.base import rename
from mmpt.apis.origins.point_bert_dvae import _TABLE
from mmpt.ops import chamfer_distance

TEMPERATURES = {'gumbel_t1': 1.0, 'nonoise_t1': 1.0, 'nonoise_t0p25': 0.25}


def cases(folder: Path) -> Iterator[Case]:
    """Every array of the file."""
    fixture = Fixture(folder / 'pointbert_dvae_a.npz', 'point_bert_dvae', num_groups=16)
    model, missing = fixture.build()
    assert set(missing) == {'templates', 'best_template'} and not fixture.converted.unused, missing
    vae, patches = model.tokenizer, fixture.patches()
    yield fixture.case('patch_features', vae.patch_features(patches))
    logits = vae.logits(patches)
    yield fixture.case('logits', logits)
    yield fixture.case('token_id', vae.ids(patches))
    # Gumbel noise is -log(Exp(1)); our codes take uniform draws u and make -log(-log u) of them.
    uniform = (-(-fixture['gumbel_noise']).exp()).exp()
    target = patches.points.flatten(0, 1)
    losses = {}
    for run, temperature in TEMPERATURES.items():
        codes = vae.soft_codes(logits, temperature, uniform if run.startswith('gumbel') else None)
        decoded = vae.decode(codes, patches.centers)
        coarse = chamfer_distance(decoded.coarse.flatten(0, 1), target, 'l1')
        fine = chamfer_distance(decoded.fine.flatten(0, 1), target, 'l1')
        losses[run] = coarse + fine, model.usage(logits)
        yield fixture.case(f'{run}/sampled', codes)
        yield fixture.case(f'{run}/feature', vae.decoder_graph(codes, patches.centers))
        yield fixture.case(f'{run}/coarse', decoded.coarse)
        yield fixture.case(f'{run}/fine', decoded.fine)
        for name, points in (('coarse', decoded.coarse), ('fine', decoded.fine)):
            yield fixture.case(f'{run}/whole_{name}', (points + patches.centers.unsqueeze(2)).flatten(1, 2))
        yield fixture.case(f'{run}/loss_coarse_cdl1', coarse)
        yield fixture.case(f'{run}/loss_fine_cdl1', fine)
        yield fixture.case(f'{run}/loss_recon', losses[run][0])
        yield fixture.case(f'{run}/loss_klv', losses[run][1])

    def key(name: str) -> str:
        (found,) = rename({name: torch.zeros(1)}, _TABLE)[0]
        return found

    yield from _training_loss(fixture, model, uniform)
    recon, usage = losses['nonoise_t1']
    yield from fixture.gradients(model, recon + 0.1 * usage, key)


def _training_loss(fixture: Fixture, model, uniform: torch.Tensor) -> Iterator[Case]:
    """What a training step is told, with the file's patches and noise in place of its own."""
    model.temperature, model.usage_weight = 1.0, 0.1
    patches = fixture.patches()
    with (
        mock.patch('mmpt.models.pretrainers.tokenizer.group_points', lambda *_: patches),
        mock.patch.object(model.draws, 'rand', lambda *_: uniform),
    ):
        total, _ = model.parse_losses(model({'points': patches.centers}, mode='loss'))
    theirs = fixture['gumbel_t1/loss_recon'] + 0.1 * fixture['gumbel_t1/loss_klv']
    yield Case(fixture.name, 'loss of a training step', float((total.detach() - theirs).abs()), ABSOLUTE)
