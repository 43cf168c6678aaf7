"""Point-M2AE: origin checkpoints give, in the classes that train, what a plain forward pass gives.

There is no output of the origin to compare with; tests/reference/point_m2ae.py is written from the published sizes and
rules.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
import point_m2ae as plain  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.apis.origins import convert, convert_file, detect  # noqa: E402
from mmpt.apis.origins.base import rename  # noqa: E402
from mmpt.apis.origins.point_m2ae import _decoder_table, _encoder_table  # noqa: E402
from mmpt.models.layers import back_project, select_hidden  # noqa: E402
from mmpt.models.masking import mask_from_scores  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.structures import Mask  # noqa: E402
from mmpt.utils.errors import CheckpointError  # noqa: E402

HEADS = 3
SIZES = {'num_groups': [g for g, _, _ in plain.SCALES], 'group_size': [s for _, s, _ in plain.SCALES]}
CHOICES = {**SIZES, 'num_heads': HEADS}
CLOSE = {'atol': 1e-4, 'rtol': 1e-4}


@pytest.fixture
def origin():
    torch.manual_seed(0)
    return plain.random_weights()


@pytest.fixture
def checkpoint(origin):
    """As the origin's runner saves it."""
    return {'base_model': {f'module.{key}': value.clone() for key, value in origin.items()}, 'epoch': 300}


@pytest.fixture
def points():
    return torch.randn(3, 96, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask():
    """One sample shows two coarse patches side by side, another two far apart: unequally many finer ones."""
    return mask_from_scores(torch.rand(3, 6, generator=torch.Generator().manual_seed(2)), 4)


def build(converted, training=False):
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(dict(converted.model_cfg))
    match = model.load_state_dict(converted.state, strict=False)
    assert not match.unexpected_keys and not match.missing_keys
    return model.train(training)


def cuts_of(patches):
    cuts = []
    while patches is not None:
        cuts.insert(0, plain.Cut(patches.centers, patches.points, patches.index))
        patches = patches.finer
    return cuts


def test_sizes_come_from_the_shapes(checkpoint):
    converted = convert(checkpoint, **CHOICES)
    cfg = converted.model_cfg
    assert converted.family == 'point_m2ae' and detect(key[7:] for key in checkpoint['base_model'])[0][1] == 1
    assert [scale['dim'] for scale in cfg['encoder']['scales']] == [12, 24, 36]
    assert [scale['depth'] for scale in cfg['encoder']['scales']] == [2, 2, 2]
    assert cfg['encoder']['patch_widths'] == [8, 10, 14] and cfg['encoder']['levels'] == [1]
    assert cfg['decoder']['scales'] == [{'dim': 36, 'depth': 1}, {'dim': 24, 'depth': 1}]
    assert cfg['heads']['plr'] == {'type': 'PointReconstructionHead', 'dim': 24, 'group_size': 6, 'scale': 1}
    assert set(converted.unused) == {f'h_encoder.encoder_norms.0.{what}' for what in ('weight', 'bias')}
    for wrong, count in (((8, 4), 2), (8, 1)):
        with pytest.raises(CheckpointError, match=f'has 3 scales, num_groups has {count} values'):
            convert(checkpoint, num_groups=wrong)


@pytest.mark.parametrize('hides', ['two thirds', 'nothing', 'nothing, strays with the rest'])
def test_tokens_of_all_scales(checkpoint, origin, points, mask, hides):
    converted = convert(checkpoint, **CHOICES, levels=(0, 1))
    converted.model_cfg['encoder']['strays'] = 'strays' in hides
    assert not converted.unused
    model = build(converted)
    patches = model.encoder.group(points)
    hidden = mask.hidden if hides == 'two thirds' else torch.zeros_like(mask.hidden)
    tokens = model.encoder(patches, mask if hides == 'two thirds' else None)
    cuts, theirs = cuts_of(patches), plain.PointM2AE(origin, HEADS)
    found = theirs.encode(cuts, None if 'strays' in hides else hidden)
    sets = plain.visible_sets(cuts, hidden)
    counts = {len(groups) for groups in sets[1]}
    assert len(counts) > 1, 'samples show unequally many'
    for number, ours in enumerate((*tokens.levels, tokens.patch)):
        for sample, groups in enumerate(sets[number]):
            expected = theirs.layer_norm(f'h_encoder.encoder_norms.{number}', found[number][sample])
            own = ours[sample]
            if number < 2 and 'strays' not in hides:
                shown = torch.zeros(len(own), dtype=torch.bool)
                shown[groups] = True
                assert not own[~shown].any()
                own = own[shown]
            torch.testing.assert_close(own, expected, **CLOSE)


def test_the_centres_are_those_of_the_visible_patches(checkpoint, points, mask):
    model = build(convert(checkpoint, **CHOICES))
    patches = model.encoder.group(points)
    tokens = model.encoder(patches, mask)
    for sample in range(len(points)):
        assert torch.equal(tokens.centers[sample], patches.centers[sample][~mask.hidden[sample]])


@pytest.mark.parametrize('training', [False, True])
def test_decoder_loss_and_gradients(checkpoint, origin, points, mask, training):
    model = build(convert(checkpoint, **CHOICES), training)
    model.masking = lambda patches, draws: mask
    for key, value in origin.items():
        if value.is_floating_point() and 'running' not in key and 'encoder_norms.0' not in key:
            value.requires_grad_()
    theirs = plain.PointM2AE(origin, HEADS, training)
    step, _ = model.step({'points': points})
    cuts = cuts_of(step['patches'])
    rows = theirs.decode(cuts, mask.hidden, theirs.encode(cuts, mask.hidden))
    predicted, expected = theirs.loss(cuts, mask.hidden, rows)
    torch.testing.assert_close(step['hidden'], rows.detach(), check_layout=False, **CLOSE)
    result, provided = model.heads['plr'].loss(step)
    torch.testing.assert_close(result['loss'], expected.detach(), **CLOSE)
    below = back_project(mask, step['patches'])
    assert len(rows) == int(below.hidden.sum()) == len(select_hidden(step['patches'].finer.points, below))
    picture = provided['reconstruction']
    first = int(below.hidden[0].sum())
    torch.testing.assert_close(picture.points[0, :first], predicted[:first].detach(), **CLOSE)
    assert (picture.points[0, first:] == picture.points[0, first - 1]).all()
    expected.backward()
    result['loss'].backward()
    own, compared = dict(model.named_parameters()), 0
    table = [*_encoder_table(3, (1,)), *_decoder_table(2)]
    for key, value in origin.items():
        if value.requires_grad:
            ((name, _),) = rename({key: value}, table)[0].items()
            difference = abs(float(own[name].grad.norm() - value.grad.norm()))
            assert difference <= 1e-4 + 1e-3 * float(value.grad.norm()), (name, difference)
            compared += 1
    assert compared == len(own)


@pytest.mark.parametrize('radius', [None, (1.0, 1.5, 2.0)])
def test_a_fine_tuned_classifier_of_modelnet(points, radius):
    torch.manual_seed(3)
    origin = plain.classifier_weights(classes=5, width=36)
    converted = convert({'base_model': {f'module.{k}': v for k, v in origin.items()}}, **CHOICES, local_radius=radius)
    assert converted.family == 'point_m2ae' and not converted.unused
    model = build(converted)
    cuts = cuts_of(model.encoder.group(points))
    expected = plain.PointM2AE(origin, HEADS).classify(cuts, radius)
    torch.testing.assert_close(model({'points': points}), expected, **CLOSE)
    other = plain.PointM2AE(origin, HEADS).classify(cuts, (1.0, 1.5, 2.0) if radius is None else None)
    assert (other - expected).abs().max() > 1e-2


def test_a_fine_tuned_classifier_of_scanobjectnn(points):
    """Mean and maximum side by side; that the origin's maximum leaves the first token out is said, not repeated."""
    torch.manual_seed(3)
    origin = plain.classifier_weights(classes=5, width=72)
    converted = convert({'base_model': origin}, **CHOICES, local_radius=None)
    assert 'first token' in converted.assumed['pooling']
    model = build(converted)
    expected = plain.PointM2AE(origin, HEADS).classify(cuts_of(model.encoder.group(points)), None)
    torch.testing.assert_close(model({'points': points}), expected, **CLOSE)


def test_the_written_file_gives_the_encoder(checkpoint, points, tmp_path):
    torch.save(checkpoint, tmp_path / 'origin.pth')
    report = convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth', **CHOICES)
    assert '0 stay as initialised' in report and '2 are not used' in report and 'assumed: num_heads = 3' in report
    encoder, direct = load_encoder(tmp_path / 'ours.pth'), build(convert(checkpoint, **CHOICES)).encoder
    torch.testing.assert_close(encoder(points).patch, direct(points).patch)
    assert encoder.cfg['type'] == 'HierarchicalPointTransformer'


def test_the_command_takes_a_number_for_every_scale(checkpoint, points, tmp_path):
    torch.save(checkpoint, tmp_path / 'origin.pth')
    words = [f'{name}={",".join(map(str, value))}' for name, value in SIZES.items()]
    tool = [sys.executable, Path(__file__).parents[2] / 'tools/model_converters/convert.py', tmp_path / 'origin.pth']
    done = subprocess.run(
        [*tool, tmp_path / 'ours.pth', '--set', *words, 'num_heads=3'], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert load_encoder(tmp_path / 'ours.pth')(points).patch.shape == (3, 6, 36)
    done = subprocess.run([*tool, tmp_path / 'x.pth', '--set', 'num_groups=24,x'], capture_output=True, text=True)
    assert done.returncode and 'expected NAME=NUMBER' in done.stderr


def test_a_mask_of_unequal_counts_is_refused(checkpoint, points):
    model = build(convert(checkpoint, **CHOICES))
    hidden = torch.zeros(3, 6, dtype=torch.bool)
    hidden[0, 0] = True
    with pytest.raises(ValueError, match='unequally many patches of the coarsest scale'):
        model.encoder(points, Mask(hidden, None, None))
