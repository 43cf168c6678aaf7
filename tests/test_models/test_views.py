"""Views: what is mixed, masked on its own, run as one batch; and necks."""

import pytest
import torch
from torch import nn

from mmpt.models.layers import BatchNorm
from mmpt.models.pretrainers.views import mix_groups
from mmpt.registry import ENCODERS, MODELS
from mmpt.structures import Tokens


@ENCODERS.register_module()
class PerPointEncoder(nn.Module):
    """No patches; its batch norm tells how many rows it saw at once."""

    supports_masking = False

    def __init__(self, dim=32):
        super().__init__()
        self.layer, self.norm, self.rows = nn.Linear(3, dim), BatchNorm(dim), []

    def forward(self, points):
        self.rows.append(len(points))
        rows = self.norm(self.layer(points).flatten(0, 1)).unflatten(0, points.shape[:2])
        return Tokens(rows, points, {'cls': rows.mean(1)})


@MODELS.register_module()
class DoublingNeck(nn.Module):
    """Provides twice what a view's cls token is."""

    needs, provides = ('full',), ('doubled',)

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, step):
        self.calls += 1
        return {'doubled': step['full']._replace(globals={'cls': 2 * step['full'].globals['cls']})}


def step_of(model, batch, number=0):
    model.draws.set(seed=0, step=number, rank=0, world_size=1)
    return model.step(model.data_preprocessor(batch, True)['inputs'])[0]


@pytest.fixture
def point_bert(model_cfg):
    """Mask tokens inside the encoder; the plain, the mixed and the key view, each with a mask of its own."""
    model_cfg['encoder']['mask_token'] = True
    model_cfg['masking'] = {'type': 'BlockMasking', 'ratio': (0.25, 0.9), 'per_sample': True}
    model_cfg['decoder'] = model_cfg['image_encoder'] = None
    model_cfg['momentum_encoder'] = {'momentum': 0.9}
    model_cfg['views'] = {
        'masked': {'mask': 'hidden'},
        'mixed': {'source': 'mixed', 'mask': 'own'},
        'key': {'mask': 'own', 'encoder': 'momentum'},
    }
    model_cfg['heads'] = {'tlr': model_cfg['heads']['tlr']}
    return model_cfg


def test_groups_come_from_the_sample_or_from_its_partner():
    values = torch.arange(4.0)[:, None, None] * 10 + torch.arange(3.0)[None, :, None]
    own = torch.tensor([[True, False, True]] * 4)
    mixed = mix_groups(values, own)[..., 0]
    assert mixed.tolist() == [[0, 31, 2], [10, 21, 12], [20, 11, 22], [30, 1, 32]]


def test_patches_centres_and_ids_are_mixed_alike(point_bert, build, batch):
    model = build(point_bert).train()
    step = step_of(model, batch)
    plain, mixed = step['patches'], step['mixed/patches']
    own = (mixed.centers == plain.centers).all(-1)
    partner = (mixed.centers == plain.centers.flip(0)).all(-1)
    assert (own ^ partner).all() and own.any() and partner.any()
    torch.testing.assert_close(mixed.points, torch.where(own[..., None, None], plain.points, plain.points.flip(0)))
    assert torch.equal(step['mixed/ids'], torch.where(own, step['ids'], step['ids'].flip(0)))
    assert step['mixed'].patch.shape == step['masked'].patch.shape


def test_the_share_is_the_chance_of_an_own_group(point_bert, build, batch):
    model = build(point_bert).train()
    shares, kept = [], []
    for number in range(200):
        step = step_of(model, batch, number)
        shares.append(step['mixed/share'])
        kept.append((step['mixed/patches'].centers == step['patches'].centers).all(-1).float().mean(1))
    shares, kept = torch.cat(shares), torch.cat(kept)
    assert shares.mean() == pytest.approx(0.5, abs=0.05) and shares.min() < 0.05 and shares.max() > 0.95
    # Of 8 groups, each kept with that chance.
    assert (kept - shares).mean().abs() < 0.02 and torch.corrcoef(torch.stack([kept, shares]))[0, 1] > 0.8


def test_every_view_has_its_own_mask(point_bert, build, batch):
    step = step_of(build(point_bert).train(), batch)
    masks = [step[f'{name}/mask'].hidden for name in ('masked', 'mixed', 'key')]
    assert torch.equal(masks[0], step['mask'].hidden)
    assert not torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])
    # The block of the mixed view is a block of the mixed centres.
    centers, hidden = step['mixed/patches'].centers[0], masks[1][0]
    distances = torch.cdist(centers, centers)
    count = int(hidden.sum())
    blocks = [set(row.argsort()[:count].tolist()) for row in distances]
    assert set(hidden.nonzero().flatten().tolist()) in blocks


def test_the_key_view_has_no_gradient(point_bert, build, batch):
    step = step_of(build(point_bert).train(), batch)
    assert not step['key'].patch.requires_grad and step['masked'].patch.requires_grad


@pytest.fixture
def cross_point(model_cfg, batch):
    """Two augmented clouds, no patches."""
    batch['inputs']['points_view2'] = [points * 1.5 for points in batch['inputs']['points']]
    for key in ('tokenizer', 'masking', 'decoder'):
        model_cfg[key] = None
    model_cfg['encoder'] = {'type': 'PerPointEncoder', 'dim': 32}
    model_cfg['views'] = {'full': {}, 'augmented': {'source': 'points_view2'}}
    model_cfg['heads'] = {'mcl': {**model_cfg['heads']['mcl'], 'views': ('full', 'augmented')}}
    return model_cfg


def test_joint_views_are_one_pass_and_one_batch_norm(cross_point, build, batch):
    apart, joint = build(cross_point).train(), build({**cross_point, 'joint_views': [('full', 'augmented')]}).train()
    for model in (apart, joint):
        step = step_of(model, batch)
        model.views_ = step['full'], step['augmented']
    assert apart.encoder.rows == [4, 4] and joint.encoder.rows == [8]
    clouds = torch.stack([*batch['inputs']['points'], *batch['inputs']['points_view2']])
    expected = joint.encoder(clouds)
    for place, tokens in enumerate(joint.views_):
        torch.testing.assert_close(tokens.patch, expected.patch[4 * place : 4 * place + 4])
        torch.testing.assert_close(tokens.globals['cls'], expected.globals['cls'][4 * place : 4 * place + 4])
    assert not torch.allclose(apart.views_[0].patch, joint.views_[0].patch, atol=1e-3)


def test_a_joint_view_of_a_transformer_is_that_view(model_cfg, build, batch):
    """In evaluation mode a batch of two views is the two views."""
    batch['inputs']['points_view2'] = [points.flip(0) * 0.5 for points in batch['inputs']['points']]
    model_cfg['views'] = {'full': {}, 'augmented': {'source': 'points_view2'}}
    model_cfg['heads'] = {'mcl': {**model_cfg['heads']['mcl'], 'views': ('full', 'augmented')}}
    apart, joint = build(model_cfg).eval(), build({**model_cfg, 'joint_views': [('full', 'augmented')]}).eval()
    for name in ('full', 'augmented'):
        one, other = step_of(apart, batch)[name], step_of(joint, batch)[name]
        torch.testing.assert_close(one.patch, other.patch)
        torch.testing.assert_close(one.centers, other.centers)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'joint_views': [('full', 'nothing')]}, "joint_views names 'nothing'"),
        ({'joint_views': [('full', 'full')]}, "joint_views names 'full'.*each in one group"),
        ({'views': {'full': {'source': 'points_view1'}}}, "views.full.source = 'points_view1'"),
        ({'views': {'full': {'source': 'mixed'}}}, 'A mixed view mixes patches, and PerPointEncoder cuts none'),
        ({'joint_views': [('full', 'key')], 'momentum_encoder': {'momentum': 0.9}}, 'views of one encoder'),
    ],
)
def test_views_that_cannot_be_are_refused(cross_point, build, change, said):
    cross_point['views']['key'] = {'encoder': 'momentum'}
    cross_point['heads']['mcl']['views'] = ('full', 'augmented')
    cross_point.update({'momentum_encoder': {'momentum': 0.9}, **change})
    with pytest.raises(ValueError, match=said):
        build(cross_point)


def test_a_view_that_the_data_lack_is_one_sentence(cross_point, build, batch):
    del batch['inputs']['points_view2']
    with pytest.raises(ValueError, match=r"'points_view2', which the data do not have: make it with MultiView"):
        step_of(build(cross_point).train(), batch)['augmented']


def test_a_neck_stands_between_views_and_heads(cross_point, build, batch):
    cross_point['necks'] = {'doubling': {'type': 'DoublingNeck'}}
    cross_point['heads']['mcl'].update(views=('full', 'doubled'), pooling=('cls',))
    model = build(cross_point).train()
    step = step_of(model, batch)
    torch.testing.assert_close(step['doubled'].globals['cls'], 2 * step['full'].globals['cls'])
    assert step['doubled'] is step['doubled'] and model.necks['doubling'].calls == 1
    cross_point['heads']['mcl'].update(views=('full', 'augmented'))
    assert not build(cross_point).necks, 'a neck that no head reads is left out'


def test_a_neck_that_lacks_its_need_is_one_sentence(cross_point, build):
    cross_point['necks'] = {'doubling': {'type': 'DoublingNeck'}}
    cross_point['views'] = {'other': {}, 'augmented': {'source': 'points_view2'}}
    cross_point['heads']['mcl'].update(views=('other', 'doubled'))
    with pytest.raises(ValueError, match="doubling needs 'full': configure a view"):
        build(cross_point)


def test_a_neck_that_only_a_neck_reads_is_kept(cross_point, build):
    class Behind(nn.Module):
        needs, provides = ('doubled',), ('behind',)

    MODELS.register_module(module=Behind, name='BehindNeck', force=True)
    cross_point['necks'] = {'behind': {'type': 'BehindNeck'}, 'doubling': {'type': 'DoublingNeck'}}
    cross_point['heads']['mcl'].update(views=('full', 'behind'), pooling=('cls',))
    assert set(build(cross_point).necks) == {'behind', 'doubling'}
