"""Cross-BERT: tokens of pictures, the fusion that looks at them, alignment pair by pair."""

import math

import pytest
import torch

from mmpt.models.encoders import TimmImageEncoder
from mmpt.models.heads import AlignHead
from mmpt.models.layers import CrossAttention, select_hidden
from mmpt.models.losses import InfoNCELoss, info_nce

from .conftest import DIM, IDS, losses_of

WIDTH = 24
VIT = {'model_name': 'vit_tiny_patch16_224', 'img_size': 32, 'patch_size': 8, 'embed_dim': WIDTH, 'depth': 1}
SWIN = {
    'model_name': 'swin_tiny_patch4_window7_224',
    'img_size': 32,
    'window_size': 4,
    'embed_dim': 12,
    'depths': (1, 1),
    'num_heads': (1, 2),
}


@pytest.fixture
def cross_bert(model_cfg):
    model_cfg['encoder'].update(mask_token=True, drop_path=0.0, init='default')
    model_cfg['masking'] = {'type': 'BlockMasking', 'ratio': (0.25, 0.9), 'per_sample': True}
    model_cfg['decoder'] = None
    model_cfg['image_encoder'] = {'type': 'TimmImageEncoder', **VIT, 'num_heads': 2}
    model_cfg['views'] = {'masked': {'mask': 'hidden'}}
    model_cfg['necks'] = {
        'fusion': {'type': 'CrossModalFusion', 'dim': DIM, 'image_dim': WIDTH, 'depth': 2, 'num_heads': 4}
    }
    model_cfg['heads'] = {
        'mcm': {
            'type': 'TokenReconstructionHead',
            'dim': DIM,
            'num_ids': IDS,
            'views': ('fused',),
            'mask_of': 'masked',
        },
        'pia': {'type': 'AlignHead', 'dim': DIM, 'image_dim': WIDTH, 'hidden_dim': 12, 'out_dim': 10},
    }
    model_cfg['balancer'] = 'equal'
    return model_cfg


def step_of(model, batch, rows=None):
    model.draws.set(seed=0, step=0, rank=0, world_size=1)
    inputs = {key: value if rows is None else [value[i] for i in rows] for key, value in batch['inputs'].items()}
    return model.step(model.data_preprocessor({'inputs': inputs}, True)['inputs'])[0]


def leave_out_pictures(batch, has_image):
    batch['inputs']['has_image'] = [torch.tensor([value]) for value in has_image]
    return batch


# ------------------------------------------------------------------------- loss


def _slow(a, b, valid, tau):
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    out, rows = torch.zeros(len(a)), [i for i in range(len(a)) if valid[i]]
    for i in rows:
        for x, y in ((a, b), (b, a)):
            below = sum(math.exp(x[i] @ y[k] / tau) for k in rows)
            out[i] += -0.5 * math.log(math.exp(x[i] @ y[i] / tau) / below)
    return out


@pytest.mark.parametrize('valid', [[True] * 6, [True, False, True, True, False, False], [True] + [False] * 5])
def test_the_contrast_of_modalities_equals_a_slow_loop(valid):
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    got = info_nce(a, b, temperature=0.3, all_valid=torch.tensor(valid))
    torch.testing.assert_close(got, _slow(a, b, valid, 0.3), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got, info_nce(b, a, temperature=0.3, all_valid=torch.tensor(valid)))


def test_by_ranks_it_is_the_whole():
    a, b, valid = torch.randn(6, 5), torch.randn(6, 5), torch.tensor([True, True, False, True, True, False])
    parts = [
        InfoNCELoss()(a[r : r + 3], b[r : r + 3], all_first=a, all_second=b, all_valid=valid, offset=r) for r in (0, 3)
    ]
    torch.testing.assert_close(torch.cat(parts), info_nce(a, b, all_valid=valid))


def test_invalid_pairs_get_no_gradient_and_no_nan():
    a, b = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    info_nce(a, b, all_valid=torch.tensor([True, False, True, False])).sum().backward()
    assert torch.isfinite(a.grad).all() and (a.grad[1] == 0).all() and (b.grad[3] == 0).all() and a.grad[0].any()
    a.grad = None
    info_nce(a, b, all_valid=torch.zeros(4, dtype=torch.bool)).sum().backward()
    assert (a.grad == 0).all()


# ------------------------------------------------------------- tokens of pictures


@pytest.mark.parametrize('cfg', [{'model_name': 'test_resnet'}, {**VIT, 'num_heads': 2}, SWIN])
def test_pooled_features_and_their_tokens(cfg):
    torch.manual_seed(0)
    encoder, images = TimmImageEncoder(**cfg).eval(), torch.randn(3, 3, 32, 32)
    if cfg['model_name'] == 'test_resnet':
        images = torch.randn(3, 3, 64, 96)
    pooled, tokens = encoder.tokens(images)
    torch.testing.assert_close(pooled, encoder(images))
    if 'vit' in cfg['model_name']:
        assert tokens.shape == (3, 1 + 16, WIDTH)
        torch.testing.assert_close(pooled, tokens[:, 0])
    else:
        # Both pool by the mean, over places and not over channels.
        assert tokens.shape == (3, 6 if 'resnet' in cfg['model_name'] else 16, encoder.dim)
        torch.testing.assert_close(pooled, tokens.mean(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('cfg', [{'model_name': 'test_resnet'}, {**VIT, 'num_heads': 2}, SWIN])
def test_no_picture_at_all_keeps_every_parameter_in_the_step(cfg):
    encoder = TimmImageEncoder(**cfg).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items() if 'running' in key}
    pooled, tokens = encoder.tokens(torch.zeros(0, 3, 32, 32))
    assert pooled.shape == (0, encoder.dim) and len(tokens) == 0 and tokens.dim() == 3
    assert encoder(torch.zeros(0, 3, 32, 32)).shape == (0, encoder.dim)
    (pooled.sum() + tokens.sum()).backward()
    assert all(p.grad is not None and not p.grad.any() for p in encoder.parameters())
    assert all(torch.equal(value, encoder.state_dict()[key]) for key, value in before.items())


def test_features_and_tokens_are_one_pass(cross_bert, build, batch):
    model, passes = build(cross_bert).train(), []
    model.image_encoder.model.patch_embed.register_forward_hook(lambda module, args, out: passes.append(len(args[0])))
    step = step_of(model, leave_out_pictures(batch, [True, False, True, True]))
    assert step['image_tokens'].shape == (3, 17, WIDTH) and step['images'].shape == (3, WIDTH)
    assert step['image_rows'].tolist() == [0, 2, 3] and passes == [3]
    pictures = model.data_preprocessor(batch)['inputs']['images'][:, 0]
    torch.testing.assert_close(step['images'], model.image_encoder(pictures[[0, 2, 3]]))


def test_several_pictures_a_sample_are_one_sentence(cross_bert, build, batch):
    batch['inputs']['images'] = [image.repeat(2, 1, 1, 1) for image in batch['inputs']['images']]
    batch['inputs']['has_image'] = [torch.tensor([True, True])] * 4
    with pytest.raises(ValueError, match='one image a sample, the data have 2: set num_views=1'):
        losses_of(build(cross_bert).train(), batch)


# ----------------------------------------------------------------------- fusion


def test_cross_attention_equals_a_slow_loop():
    torch.manual_seed(0)
    layer, asking, asked = CrossAttention(6, 2), torch.randn(2, 3, 6), torch.randn(2, 4, 6)
    valid = torch.tensor([[True, True, False, True], [True, False, False, False]])
    got = layer(asking, asked, valid)
    for sample in range(2):
        kept = asked[sample][valid[sample]]
        key, value = (kept @ layer.kv.weight.T).chunk(2, dim=1)
        for row in range(3):
            query, parts = layer.q.weight @ asking[sample, row], []
            for head in (slice(0, 3), slice(3, 6)):
                scores = torch.stack([query[head] @ other[head] / math.sqrt(3) for other in key])
                parts.append((scores.softmax(0).unsqueeze(1) * value[:, head]).sum(0))
            torch.testing.assert_close(got[sample, row], layer.proj(torch.cat(parts)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer(asking, asked), layer(asking, asked, torch.ones_like(valid)))
    with pytest.raises(ValueError, match='multiple of num_heads'):
        CrossAttention(6, 4)


def test_the_fusion_sees_the_picture(cross_bert, build, batch):
    """Other pictures give other fused tokens and another loss; the encoder of clouds does not know of it."""
    model = build(cross_bert).eval()
    first = step_of(model, batch)
    batch['inputs']['images'] = batch['inputs']['images'][::-1]
    second = step_of(model, batch)
    assert torch.equal(first['masked'].patch, second['masked'].patch)
    assert (first['fused'].patch - second['fused'].patch).abs().amax((1, 2)).min() > 1e-3
    losses = [model.heads['mcm'].loss(step)[0]['loss'].item() for step in (first, second)]
    assert abs(losses[0] - losses[1]) > 1e-5


def test_a_sample_without_a_picture_sees_none(cross_bert, build, batch):
    """Neither what stands in its place, nor the picture of another sample; the same as where nobody has one."""
    model = build(cross_bert).eval()
    some = step_of(model, leave_out_pictures(batch, [True, False, True, False]))['fused']
    batch['inputs']['images'][1] = torch.full_like(batch['inputs']['images'][1], 255)
    assert torch.equal(some.patch, step_of(model, batch)['fused'].patch)
    none = step_of(model, leave_out_pictures(batch, [False] * 4))['fused']
    torch.testing.assert_close(some.patch[[1, 3]], none.patch[[1, 3]])
    torch.testing.assert_close(some.globals['cls'][[1, 3]], none.globals['cls'][[1, 3]])
    assert not torch.allclose(some.patch[[0, 2]], none.patch[[0, 2]], atol=1e-3)
    # The learned token alone: places where a picture would be do not count, however many there are.
    fewer = {'image_tokens': torch.zeros(0, 1, WIDTH), 'image_rows': torch.zeros(0, dtype=torch.long)}
    alone = model.necks['fusion']({'masked': step_of(model, batch)['masked'], **fewer})['fused']
    torch.testing.assert_close(none.patch, alone.patch)


def test_hidden_patches_are_named_from_what_is_fused(cross_bert, build, batch):
    model = build(cross_bert).train()
    step, head = step_of(model, batch), model.heads['mcm']
    hidden = select_hidden(step['fused'].patch, step['mask'])
    expected = torch.nn.functional.cross_entropy(head.classifier(hidden), select_hidden(step['ids'], step['mask']))
    result, _ = head.loss(step)
    torch.testing.assert_close(result['loss'], expected)
    result['loss'].backward()
    for part in (model.encoder.blocks, model.image_encoder, model.necks['fusion']):
        assert any(p.grad.abs().sum() > 0 for p in part.parameters()), 'gradient reaches both encoders'


def test_points_of_hidden_patches_do_not_reach_the_fusion(cross_bert, build, batch):
    model = build(cross_bert).eval()
    step = step_of(model, batch)
    patches, mask = step['patches'], step['mask']
    assert mask.hidden.any(1).all()
    other = patches._replace(points=torch.where(mask.hidden[..., None, None], -3 * patches.points, patches.points))
    again = step_of(model, batch)
    again.put('patches', other)
    assert torch.equal(step['fused'].patch, again['fused'].patch)
    moved = step_of(model, batch)
    moved.put('patches', patches._replace(points=-3 * patches.points))
    assert not torch.allclose(step['fused'].patch, moved['fused'].patch, atol=1e-3)


# -------------------------------------------------------------------- alignment


@pytest.mark.parametrize('has_image', [[True] * 4, [True, False, True, True]])
def test_alignment_is_the_mean_over_pairs_of_samples_with_a_picture(cross_bert, build, batch, has_image):
    model = build(cross_bert).eval()
    step, head = step_of(model, leave_out_pictures(batch, has_image)), model.heads['pia']
    rows = [i for i, value in enumerate(has_image) if value]
    features = {
        'points': head.projectors['points'](step['masked'].globals['cls'][rows]),
        'image': head.projectors['image'](step['images']),
        'fused': head.projectors['fused'](step['fused'].globals['cls'][rows]),
    }
    expected = [
        _slow(features[a].detach(), features[b].detach(), [True] * len(rows), 0.07).mean()
        for a, b in (('points', 'image'), ('points', 'fused'), ('image', 'fused'))
    ]
    result, _ = head.loss(step)
    torch.testing.assert_close(result['loss'].detach(), sum(expected) / 3, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(result['points_image'], expected[0], atol=1e-5, rtol=1e-5)
    assert 0 <= float(result['image_fused_accuracy']) <= 1


def test_samples_without_a_picture_do_not_change_the_alignment(cross_bert, build, batch):
    """Not as negatives, and not through the norms of the projections, which train."""
    model = build(cross_bert).eval()
    model.heads['pia'].train()
    leave_out_pictures(batch, [True, False, False, True])
    # The same patches of the same masks, with and without the two in between.
    whole = step_of(model, batch)
    part = step_of(model, batch, rows=[0, 3])
    part.put('mask', whole['mask']._replace(hidden=whole['mask'].hidden[[0, 3]]))
    one, other = (model.heads['pia'].loss(step)[0]['loss'] for step in (whole, part))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize('has_image', [[True] * 4, [True, False, False, True], [False] * 4])
def test_every_trainable_parameter_takes_part(cross_bert, build, batch, has_image):
    model = build(cross_bert).train()
    total, log, _ = losses_of(model, leave_out_pictures(batch, has_image))
    total.backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    assert torch.isfinite(total) and log['task/mcm'] > 0
    assert (float(log['task/pia']) == 0) == (not any(has_image))
    image_grad = sum(float(p.grad.abs().sum()) for p in model.image_encoder.parameters())
    assert (image_grad > 0) == any(has_image)


def test_pairs_choose_the_projections(cross_bert, build, batch):
    cross_bert['heads']['pia']['pairs'] = [('points', 'image')]
    model = build(cross_bert).train()
    assert set(model.heads['pia'].projectors) == {'points', 'image'} and 'fused' not in model.heads['pia'].needs
    log = losses_of(model, batch)[1]
    assert 'pia/points_image' in log and 'pia/image_fused' not in log
    for pairs in ([], [('points', 'points')], [('points', 'text')]):
        with pytest.raises(ValueError, match='pairs must be two different ones'):
            AlignHead(DIM, WIDTH, pairs=pairs)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda c: c.update(image_encoder=None), "fusion needs 'image_tokens': set an image_encoder"),
        (lambda c: c['heads']['mcm'].update(mask_of='fused'), "mcm needs 'fused/mask': configure a view"),
        (lambda c: c.update(necks=None), "needs 'fused': configure a view"),
    ],
)
def test_wrong_wiring_is_one_sentence(cross_bert, build, change, said):
    change(cross_bert)
    with pytest.raises(ValueError, match=said):
        build(cross_bert)


def test_a_view_without_a_class_token_is_one_sentence(cross_bert, build, batch):
    cross_bert['encoder']['cls_token'] = False
    with pytest.raises(ValueError, match="class token of view 'masked'.*cls_token=True"):
        losses_of(build(cross_bert).train(), batch)


def test_bf16_gives_nearly_the_same_losses(build, cross_bert, batch):
    plain = losses_of(build(cross_bert).train(), batch)[1]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total, log, _ = losses_of(build(cross_bert).train(), batch)
    total.backward()
    for key in (key for key in plain if key.startswith('task/')):
        assert log[key].dtype == torch.float32
        torch.testing.assert_close(log[key], plain[key], atol=0.1, rtol=0.05)
