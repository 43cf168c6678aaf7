"""CrossPoint with DGCNN: graphs, features, both contrasts and their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from peers import Case, Fixture
from torch import nn

from mmpt.apis.origins.base import rename
from mmpt.apis.origins.crosspoint import _TABLE
from mmpt.models.layers import pool_tokens


def cases(folder: Path) -> Iterator[Case]:
    """Every array of the file, with our own graphs throughout; the features once more with the file's."""
    fixture = Fixture(folder / 'crosspoint_dgcnn_a.npz', 'crosspoint', k=8)
    model = _model(fixture)
    images, everyone = fixture['image_feat'], torch.arange(len(fixture['image_feat']))
    inputs = {
        'points': fixture['points_view1'],
        'points_view2': fixture['points_view2'],
        'images': images.unsqueeze(1),
        'has_image': torch.ones(len(images), 1, dtype=torch.bool),
        'image_views': everyone,
        'image_rows': everyone,
    }
    graphs, own = [], model.encoder.neighbours
    model.encoder.neighbours = lambda features: graphs.append(own(features)) or graphs[-1]
    losses = model(inputs, mode='loss')
    assert len(graphs) == 4, 'both views are one pass'
    for number, graph in enumerate(graphs, start=1):
        name = f'knn_layer{number}'
        # As sets: the order of neighbours has no meaning.
        differ = graph.sort(2).values != fixture[name].sort(2).values
        yield Case(fixture.name, name, float(differ.sum()), 0.0)
    mcl = losses['tasks']['mcl']
    yield fixture.case('loss_imid', mcl['intra'])
    yield fixture.case('loss_cmid', mcl['cross'])
    total, _ = model.parse_losses(losses)
    yield fixture.case('loss_total', total)
    yield from fixture.gradients(model, total, _key)
    step, _ = model.step(inputs)
    yield from _features(fixture, model, (step['full'], step['augmented']), '')
    given = iter([fixture[f'knn_layer{number}'] for number in range(1, 5)])
    model.encoder.neighbours = lambda features: next(given)
    step, _ = model.step(inputs)
    yield from _features(fixture, model, (step['full'], step['augmented']), ' (given graphs)')


def _model(fixture: Fixture) -> nn.Module:
    """The converted model with the image branch of the pre-training, which here hands the file's features on."""
    cfg = {**fixture.converted.model_cfg, 'image_encoder': {'type': 'TimmImageEncoder', 'model_name': 'test_resnet'}}
    cfg['heads'] = {'mcl': {**cfg['heads']['mcl'], 'image_dim': 96}}
    fixture.converted = fixture.converted._replace(model_cfg=cfg)
    model, missing = fixture.build()
    assert not fixture.converted.unused
    assert all(key.startswith(('image_encoder.', 'heads.mcl.image_projector.')) for key in missing), missing
    model.image_encoder = model.heads['mcl'].image_projector = nn.Identity()
    return model


def _features(fixture: Fixture, model: nn.Module, views: tuple, how: str) -> Iterator[Case]:
    head = model.heads['mcl']
    feature = torch.cat([pool_tokens(view, head.pooling) for view in views])
    for name, ours in (('feature', feature), ('inv_feat', head.projector(feature))):
        case = fixture.case(name, ours)
        yield case._replace(name=f'{name}{how}')


def _key(key: str) -> str:
    (found,) = rename({key: torch.zeros(1)}, _TABLE)[0]
    return found
