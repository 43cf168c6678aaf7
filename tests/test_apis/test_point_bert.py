"""Point-BERT's transformer: origin checkpoints give, in the classes that train, what a plain forward pass gives.

There is no output of the origin to compare with; tests/reference/point_bert.py is written from METHODS.
"""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
import point_bert as plain  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.apis.origins import convert, convert_file  # noqa: E402
from mmpt.apis.origins.base import rename  # noqa: E402
from mmpt.apis.origins.point_bert import _PRETRAIN  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.structures import Mask, PointDataSample  # noqa: E402
from mmpt.utils.errors import CheckpointError  # noqa: E402

BATCH, GROUPS, HEADS = 2, 8, 3
CLOSE = {'atol': 1e-4, 'rtol': 1e-4}


@pytest.fixture
def origin():
    torch.manual_seed(0)
    return plain.random_weights()


@pytest.fixture
def checkpoint(origin):
    """As the origin's runner saves it."""
    return {'base_model': {f'module.{key}': value.clone() for key, value in origin.items()}, 'epoch': 300}


def build(converted, training=False):
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(dict(converted.model_cfg))
    match = model.load_state_dict(converted.state, strict=False)
    assert not match.unexpected_keys and all(key.split('.')[-1] in ('templates', 'best_template') for key in match[0])
    return model.train(training)


@pytest.fixture
def model(checkpoint):
    return build(convert(checkpoint, num_groups=GROUPS, num_heads=HEADS))


@pytest.fixture
def points():
    return torch.randn(BATCH, 64, 3, generator=torch.Generator().manual_seed(1))


def masks():
    generator = torch.Generator().manual_seed(2)
    return {name: torch.rand(BATCH, GROUPS, generator=generator) < 0.4 for name in ('plain', 'mixed', 'key')}


def test_sizes_come_from_the_shapes(checkpoint):
    converted = convert(checkpoint, num_groups=GROUPS, num_heads=HEADS)
    cfg = converted.model_cfg
    encoder, moco = cfg['encoder'], cfg['heads']['moco']
    assert converted.family == 'point_bert'
    assert (encoder['dim'], encoder['patch_dim'], encoder['depth'], encoder['group_size']) == (48, 12, 2, 8)
    assert encoder['patch_widths'] == [8, 10, 14] and encoder['mask_token'] and encoder['cls_token']
    assert (moco['hidden_dim'], moco['out_dim'], moco['queue_size'], cfg['heads']['tlr']['num_ids']) == (20, 20, 8, 24)
    assert set(converted.unused) == {'transformer_k.lm_head.weight', 'transformer_k.lm_head.bias'}
    assert convert(checkpoint, 'point_bert', num_heads=HEADS).model_cfg['encoder']['num_groups'] == 64
    with pytest.raises(CheckpointError, match='48 channels wide.*num_heads'):
        convert(checkpoint)


def test_tokens_logits_and_features(model, origin, points):
    patches = model.encoder.group(points)
    for prefix, encoder in (('transformer_q.', model.encoder), ('transformer_k.', model.momentum_encoder)):
        theirs = plain.Transformer(origin, prefix, HEADS, training=False)
        for hidden in (None, masks()['plain']):
            expected = theirs.tokens(patches.points, patches.centers, hidden)
            got = encoder(patches, None if hidden is None else Mask(hidden, None, None))
            torch.testing.assert_close(got.patch, expected[:, 1:], **CLOSE)
            torch.testing.assert_close(got.globals['cls'], expected[:, 0], **CLOSE)
        projector = model.heads['moco'].projector if '_q' in prefix else model.heads['moco'].key_projector
        feature = torch.nn.functional.normalize(projector(got.globals['cls']), dim=1)
        torch.testing.assert_close(feature, theirs.feature(expected), **CLOSE)
    online = plain.Transformer(origin, 'transformer_q.', HEADS, training=False)
    tokens = online.tokens(patches.points, patches.centers)
    logits = model.heads['tlr'].classifier(model.encoder(patches).patch)
    torch.testing.assert_close(logits, online.linear('lm_head', tokens[:, 1:]), **CLOSE)


def test_the_tokenizer_inside_is_the_tokenizer_alone(model, origin, points):
    alone = {key.removeprefix('dvae.'): value for key, value in origin.items() if key.startswith('dvae.')}
    tokenizer = build(convert({'base_model': alone}, 'point_bert_dvae', num_groups=GROUPS)).tokenizer
    patches = model.encoder.group(points)
    assert (
        torch.equal(tokenizer.ids(patches), model.tokenizer.ids(patches))
        and tokenizer.ids(patches).unique().numel() > 3
    )


@pytest.mark.parametrize('moco', [False, True])
def test_losses_gradients_and_queue_of_a_training_step(checkpoint, origin, points, moco):
    """Batch norms count the batch; the plain contrast is the origin's switch that its released config leaves off."""
    converted = convert(checkpoint, num_groups=GROUPS, num_heads=HEADS)
    if moco:
        converted.model_cfg['heads']['moco']['query'] = 'masked'
    model, hidden = build(converted, training=True), masks()
    streams = {'mask': 'plain', 'mask/mixed': 'mixed', 'mask/key': 'key'}
    model.masking = model.views.masking = lambda patches, draws, stream='mask': Mask(
        hidden[streams[stream]], None, None
    )
    step, _ = model.step({'points': points})
    own = (step['mixed/patches'].centers == step['patches'].centers).all(-1)
    assert own.any() and not own.all()
    for key, value in origin.items():
        if key.startswith('transformer_q.') and value.is_floating_point() and 'running' not in key:
            value.requires_grad_()
    patches = step['patches']
    expected = plain.losses(
        origin, HEADS, patches.points, patches.centers, step['ids'], hidden, own, step['mixed/share']
    )
    raw = model({'points': points}, mode='loss')
    tlr, contrast = raw['tasks']['tlr'], raw['tasks']['moco']
    torch.testing.assert_close(tlr['masked'], expected['plain'].detach(), **CLOSE)
    torch.testing.assert_close(tlr['mixed'], expected['mixed'].detach(), **CLOSE)
    torch.testing.assert_close(contrast['mixed'], expected['cutmix'].detach(), **CLOSE)
    torch.testing.assert_close(model.heads['moco'].queue, expected['queue'], **CLOSE)
    assert model.heads['moco'].position == 0
    whole = expected['plain'] + expected['mixed'] + expected['cutmix']
    if moco:
        torch.testing.assert_close(contrast['plain'], expected['moco'].detach(), **CLOSE)
        whole = whole + expected['moco']
    total, _ = model.parse_losses(raw)
    torch.testing.assert_close(total, whole, **CLOSE)
    total.backward()
    whole.backward()
    own_grads, compared = {name: p.grad for name, p in model.named_parameters()}, 0
    for key, value in origin.items():
        if value.requires_grad:
            ((name, _),) = rename({key: value}, _PRETRAIN)[0].items()
            grad = own_grads[name]
            difference = (grad - value.grad.view_as(grad)).abs().max()
            assert difference <= 1e-4 + 1e-3 * grad.abs().max(), name
            compared += 1
    assert compared == sum(p.requires_grad for p in model.parameters())


def test_the_written_file_gives_the_encoder(checkpoint, points, tmp_path):
    torch.save(checkpoint, tmp_path / 'origin.pth')
    report = convert_file(
        tmp_path / 'origin.pth', tmp_path / 'ours.pth', 'point_bert', num_groups=GROUPS, num_heads=HEADS
    )
    assert '0 stay as initialised' in report and '2 are not used' in report and 'assumed: num_heads = 3' in report
    ours = load_encoder(tmp_path / 'ours.pth')
    direct = load_encoder(tmp_path / 'origin.pth', num_groups=GROUPS, num_heads=HEADS)
    torch.testing.assert_close(ours(points).patch, direct(points).patch)


def test_a_fine_tuned_classifier(points, tmp_path):
    torch.manual_seed(3)
    origin = plain.transformer_weights('')
    origin.update(plain._linear('cls_head_finetune.0', 16, 96))
    origin.update(plain._linear('cls_head_finetune.3', 5, 16))
    checkpoint = {'base_model': {f'module.{key}': value for key, value in origin.items()}}
    converted = convert(checkpoint, num_groups=GROUPS, group_size=8, num_heads=HEADS)
    assert converted.family == 'point_bert' and not converted.unused
    model = build(converted)
    patches = model.encoder.group(points)
    theirs = plain.Transformer(origin, '', HEADS, training=False)
    tokens = theirs.tokens(patches.points, patches.centers)
    feature = torch.cat([tokens[:, 0], tokens[:, 1:].amax(1)], dim=1)
    expected = theirs.linear('cls_head_finetune.3', theirs.linear('cls_head_finetune.0', feature).relu())
    torch.testing.assert_close(model({'points': points}), expected, **CLOSE)
    samples = [PointDataSample() for _ in range(BATCH)]
    for label, sample in enumerate(samples):
        sample.set_field(label, 'label')
    loss = model({'points': points}, samples, mode='loss')['loss']
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(expected, torch.arange(BATCH)), **CLOSE)


def test_a_file_without_its_tokenizer_says_so(checkpoint):
    del checkpoint['base_model']['module.dvae.codebook']
    with pytest.raises(CheckpointError, match="looks like point_bert but lacks 'dvae.codebook'"):
        convert(checkpoint, num_groups=GROUPS, num_heads=HEADS)
