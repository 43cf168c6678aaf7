"""Point-BERT: the contrast of mixtures, tokens of several views under one classifier, a start from the tokenizer."""

import math

import pytest
import torch

from mmpt.models.heads import MomentumContrastHead
from mmpt.models.layers import select_hidden
from mmpt.models.losses import CutMixInfoNCELoss, QueueInfoNCELoss
from mmpt.structures import Tokens

from .conftest import DIM, IDS, losses_of

VIEWS = ('masked', 'mixed')


@pytest.fixture
def point_bert(model_cfg):
    model_cfg['encoder'].update(mask_token=True, patch_dim=16, patch_widths=(16, 16, 32), drop_path=0.0)
    model_cfg['masking'] = {'type': 'BlockMasking', 'ratio': (0.25, 0.9), 'per_sample': True}
    model_cfg['decoder'] = model_cfg['image_encoder'] = None
    model_cfg['momentum_encoder'] = {'momentum': 0.9}
    model_cfg['views'] = {
        'masked': {'mask': 'hidden'},
        'mixed': {'source': 'mixed', 'mask': 'own'},
        'key': {'mask': 'own', 'encoder': 'momentum'},
    }
    model_cfg['heads'] = {
        'tlr': {'type': 'TokenReconstructionHead', 'dim': DIM, 'num_ids': IDS, 'views': VIEWS},
        'moco': {
            'type': 'MomentumContrastHead',
            'dim': DIM,
            'query': None,
            'key': 'key',
            'mixed': 'mixed',
            'hidden_dim': 12,
            'out_dim': 10,
            'queue_size': 8,
            'momentum': 0.9,
            'norm': False,
            'activation': 'gelu',
        },
    }
    model_cfg['balancer'] = 'equal'
    return model_cfg


def step_of(model, batch, number=0):
    model.draws.set(seed=0, step=number, rank=0, world_size=1)
    return model.step(model.data_preprocessor(batch, True)['inputs'])[0]


# ------------------------------------------------------------------------ loss


def _unit(rows):
    return torch.nn.functional.normalize(rows, dim=1)


def test_the_contrast_of_mixtures_equals_a_slow_loop():
    query, keys, queue = torch.randn(3, 5), torch.randn(6, 5), _unit(torch.randn(7, 5))
    share, own, partner = torch.tensor([0.2, 0.7, 1.0]), torch.tensor([2, 3, 4]), torch.tensor([3, 2, 1])
    got = CutMixInfoNCELoss(0.2)(query, keys, queue, share, own, partner)
    for row in range(3):
        scores = [float(_unit(query)[row] @ other / 0.2) for other in [*_unit(keys), *queue]]
        below = math.log(sum(map(math.exp, scores)))
        expected = share[row] * (below - scores[own[row]]) + (1 - share[row]) * (below - scores[partner[row]])
        assert got[row].item() == pytest.approx(float(expected), abs=1e-5)


def test_of_a_whole_cloud_it_is_the_plain_contrast_with_the_batch_in_the_queue():
    """A share of 1: the other keys of the batch are further negatives, and nothing else."""
    query, keys, queue = torch.randn(4, 5), torch.randn(4, 5), _unit(torch.randn(7, 5))
    rows = torch.arange(4)
    got = CutMixInfoNCELoss()(query, keys, queue, torch.ones(4), rows, rows.flip(0))
    for row in range(4):
        others = torch.cat([_unit(keys)[rows != row], queue])
        expected = QueueInfoNCELoss()(query[row : row + 1], keys[row : row + 1], others)
        torch.testing.assert_close(got[row : row + 1], expected)


def test_nothing_but_the_query_learns_from_it():
    query, keys, queue = torch.randn(3, 5, requires_grad=True), torch.randn(3, 5), _unit(torch.randn(4, 5))
    rows = torch.arange(3)
    CutMixInfoNCELoss()(query, keys, queue, torch.rand(3), rows, rows.flip(0)).sum().backward()
    assert query.grad.any()
    # A query that is its own key and far from all others has nothing left to learn but its partner.
    sure = CutMixInfoNCELoss()(
        torch.eye(4)[:2], torch.eye(4)[:2], torch.eye(4)[2:], torch.ones(2), rows[:2], 1 - rows[:2]
    )
    assert sure.max() < 1e-4


# ------------------------------------------------------------------------ head


def test_the_head_gives_both_clouds_of_a_mixture(build, point_bert, batch):
    model = build(point_bert).train()
    step, head = step_of(model, batch), model.heads['moco']
    before = [p.clone() for p in head.key_projector.parameters()]
    with torch.no_grad():
        for p in head.projector.parameters():
            p.add_(0.1)
    queue = head.queue.clone()
    result, _ = head.loss(step)
    moved = [0.9 * old + 0.1 * new for old, new in zip(before, head.projector.parameters())]
    for own, expected in zip(head.key_projector.parameters(), moved):
        torch.testing.assert_close(own, expected)
    keys = _unit(head.key_projector(step['key'].globals['cls']))
    query = head.projector(step['mixed'].globals['cls'])
    rows = torch.arange(4)
    expected = CutMixInfoNCELoss()(query, keys, queue, step['mixed/share'], rows, 3 - rows).mean()
    torch.testing.assert_close(result['loss'], expected)
    torch.testing.assert_close(result['mixed'], expected.detach())
    torch.testing.assert_close(head.queue, torch.cat([keys, queue[4:]]))
    assert 'plain' not in result and not head.queue.requires_grad
    result['loss'].backward()
    assert all(p.grad is None for p in [*head.key_projector.parameters(), *model.momentum_encoder.parameters()])
    assert all(p.grad is not None for p in head.projector.parameters())


def test_both_contrasts_share_projection_and_queue(build, point_bert, batch):
    point_bert['heads']['moco']['query'] = 'masked'
    both = build(point_bert).train()
    point_bert['heads']['moco'].update(mixed=None)
    plain = build(point_bert).train()
    log, alone = losses_of(both, batch)[1], losses_of(plain, batch)[1]
    torch.testing.assert_close(log['moco/plain'], alone['task/moco'])
    torch.testing.assert_close(log['task/moco'], log['moco/plain'] + log['moco/mixed'])
    assert torch.equal(both.heads['moco'].queue, plain.heads['moco'].queue)


def test_a_queue_of_another_multiple_is_one_sentence(build, point_bert, batch):
    point_bert['heads']['moco']['queue_size'] = 6
    with pytest.raises(ValueError, match='queue_size 6 is not a multiple of the global batch 4'):
        losses_of(build(point_bert).train(), batch)


def test_heads_without_work_are_refused():
    with pytest.raises(ValueError, match='nothing to contrast'):
        MomentumContrastHead(DIM, query=None)
    with pytest.raises(ValueError, match="activation must be 'relu' or 'gelu', got 'tanh'"):
        MomentumContrastHead(DIM, activation='tanh')


# ----------------------------------------------------------------------- tokens


def test_one_classifier_names_the_hidden_patches_of_both_views(build, point_bert, batch):
    model = build(point_bert).train()
    step, head = step_of(model, batch), model.heads['tlr']
    result, _ = head.loss(step)
    parts = []
    for view in VIEWS:
        mask, tokens = step[f'{view}/mask'], step[view].patch
        rows = [
            -head.classifier(tokens[sample, group]).log_softmax(0)[step[f'{view}/ids'][sample, group]]
            for sample in range(4)
            for group in range(8)
            if mask.hidden[sample, group]
        ]
        parts.append(torch.stack(rows).mean())
        torch.testing.assert_close(result[view], parts[-1].detach())
        right = head.classifier(select_hidden(tokens, mask)).argmax(1) == select_hidden(step[f'{view}/ids'], mask)
        assert result[f'{view}_accuracy'] == right.float().mean()
    torch.testing.assert_close(result['loss'], sum(parts))
    assert torch.equal(step['masked/ids'], step['ids']) and not torch.equal(step['mixed/ids'], step['ids'])


def test_what_a_hidden_patch_holds_is_seen_by_its_id_alone(build, point_bert, batch):
    """Points of hidden patches do not reach the logits: the other patches and all positions do."""
    point_bert['encoder']['init'] = 'default'
    model = build(point_bert).eval()
    step = step_of(model, batch)
    patches, mask = step['patches'], step['masked/mask']
    assert len(set(mask.hidden.sum(1).tolist())) > 1, 'samples hide unequally many'
    tokens = model.encoder(patches, mask)
    torch.testing.assert_close(tokens.patch, step['masked'].patch)
    hidden = mask.hidden[..., None, None]
    other = model.encoder(patches._replace(points=torch.where(hidden, -3 * patches.points, patches.points)), mask)
    assert torch.equal(tokens.patch, other.patch)
    seen = model.encoder(patches._replace(points=torch.where(hidden, patches.points, -3 * patches.points)), mask)
    assert not torch.allclose(select_hidden(tokens.patch, mask), select_hidden(seen.patch, mask), atol=1e-3)


def test_views_that_leave_patches_out_are_one_sentence(build, point_bert, batch):
    point_bert['encoder']['mask_token'] = False
    point_bert['masking'] = {'type': 'RandomMasking', 'ratio': 0.5}
    del point_bert['heads']['moco']
    with pytest.raises(ValueError, match="reads 'masked' at its hidden places.*mask_token=True"):
        losses_of(build(point_bert).train(), batch)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda c: c.update(tokenizer=None), "tlr needs 'masked/ids': set a tokenizer"),
        (lambda c: c['views'].update(mixed={'source': 'mixed'}), "tlr needs 'mixed/mask': let the view hide patches"),
        (lambda c: c['views'].update(mixed={'mask': 'own'}), "moco needs 'mixed/share': let the view be a mixture"),
        (lambda c: c['heads']['moco'].update(key='keys'), "moco needs 'keys': configure a view of that name"),
        (
            lambda c: c['encoder'].update(patch_dim=24),
            r'init_from_tokenizer=True: linear4.weight.*\(24, 32\).*\(16, 32\)',
        ),
        (lambda c: c['encoder'].update(patch_widths=(16, 8, 32)), 'init_from_tokenizer=True: linear2.weight'),
        (lambda c: c['heads'].pop('tlr'), 'no head reads a tokenizer'),
    ],
)
def test_wrong_wiring_is_one_sentence(build, point_bert, change, said):
    point_bert['init_from_tokenizer'] = True
    change(point_bert)
    if point_bert['tokenizer'] is None:
        point_bert['init_from_tokenizer'] = False
    with pytest.raises(ValueError, match=said):
        build(point_bert)


def test_every_trainable_parameter_takes_part(build, point_bert, batch):
    model = build(point_bert).train()
    total, log, _ = losses_of(model, batch)
    total.backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    torch.testing.assert_close(total.detach(), log['task/tlr'] + log['task/moco'])


# ------------------------------------------------------------------------ start


@pytest.fixture
def trained_tokenizer(build, point_bert, tmp_path):
    """A checkpoint of a tokenizer whose statistics have moved."""
    tokenizer = build(point_bert, seed=7).tokenizer.train()
    tokenizer.patch_embed(torch.randn(2, 8, 8, 3))
    path = tmp_path / 'tokenizer.pth'
    torch.save({'state_dict': {f'tokenizer.{key}': value for key, value in tokenizer.state_dict().items()}}, path)
    point_bert['tokenizer'].update(checkpoint=str(path), made_by='x.py')
    return tokenizer.patch_embed.state_dict()


@pytest.mark.parametrize('start', [True, False])
def test_the_patch_embedding_starts_as_the_tokenizers(build, point_bert, trained_tokenizer, start):
    point_bert['init_from_tokenizer'] = start
    model = build(point_bert)
    model.init_weights()
    for encoder in (model.encoder, model.momentum_encoder):
        same = [torch.equal(encoder.patch_embed.state_dict()[key], value) for key, value in trained_tokenizer.items()]
        assert all(same) if start else not all(same)
    # Copies, not the same tensors: the encoder learns, the tokenizer is frozen.
    assert model.encoder.patch_embed.linear1.weight.requires_grad
    assert model.encoder.patch_embed.linear1.weight is not model.tokenizer.patch_embed.linear1.weight


def test_the_linear_layer_behind_the_patch_embedding(build, point_bert):
    encoder = build(point_bert).encoder.eval()
    points = torch.randn(2, 64, 3)
    patches = encoder.group(points)
    torch.testing.assert_close(encoder.embed(patches), encoder.reduce(encoder.patch_embed(patches.points)))
    del point_bert['encoder']['patch_dim']
    keys = build(point_bert).encoder.state_dict().keys()
    assert not any('reduce' in key for key in keys) and encoder.state_dict().keys() - keys == {
        'reduce.weight',
        'reduce.bias',
    }


def test_heads_start_small_where_asked(build, point_bert):
    for head in point_bert['heads'].values():
        head['init'] = 'trunc_normal'
    heads = build(point_bert).heads
    for layer in (heads['tlr'].classifier, heads['moco'].projector[0], heads['moco'].projector[2]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3) and not layer.bias.any()
    assert torch.equal(heads['moco'].projector[0].weight, heads['moco'].key_projector[0].weight)


def test_a_lone_view_logs_as_before(build, point_bert, batch):
    point_bert['heads'] = {'tlr': {**point_bert['heads']['tlr'], 'views': ('masked',)}}
    point_bert['momentum_encoder'] = None
    del point_bert['views']['key']
    views = losses_of(build(point_bert).train(), batch)[1]
    del point_bert['heads']['tlr']['views']
    hidden = losses_of(build(point_bert).train(), batch)[1]
    torch.testing.assert_close(views['loss'], hidden['loss'])
    torch.testing.assert_close(views['tlr/masked_accuracy'], hidden['tlr/accuracy'])


def test_a_neck_may_stand_for_a_view(build, point_bert, batch):
    """Tokens by one name, mask and ids by another's."""
    head = build(point_bert).heads['tlr'].__class__(DIM, IDS, views=('fused',), mask_of='masked')
    assert head.needs == ('fused', 'masked/mask', 'masked/ids')
    step = step_of(build(point_bert).train(), batch)
    zero = Tokens(torch.zeros_like(step['masked'].patch), step['masked'].centers, {})
    loss, _ = head.loss({**step, 'fused': zero})
    logits = head.classifier(torch.zeros(DIM))
    expected = torch.nn.functional.cross_entropy(
        logits.expand(int(step['mask'].hidden.sum()), -1), select_hidden(step['ids'], step['mask'])
    )
    torch.testing.assert_close(loss['loss'], expected)


def test_bf16_gives_nearly_the_same_losses(build, point_bert, batch):
    plain = losses_of(build(point_bert).train(), batch)[1]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total, log, _ = losses_of(build(point_bert).train(), batch)
    total.backward()
    for key in (key for key in plain if key.startswith('task/')):
        assert log[key].dtype == torch.float32
        torch.testing.assert_close(log[key], plain[key], atol=0.1, rtol=0.05)
