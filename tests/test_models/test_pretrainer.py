"""The wiring: what flows where, and what the total is made of (METHODS 1.3, 1.5, 1.8)."""

import math
from collections import Counter

import pytest
import torch

from mmpt.models.pretrainers.images import image_features
from mmpt.models.pretrainers.rebuild import rebuild_cloud
from mmpt.structures import Reconstruction

from .conftest import IDS, losses_of


def _exact(x, y):
    return torch.cdist(x, y, compute_mode='donot_use_mm_for_euclid_dist')


def test_heads_are_sorted_by_need(model_cfg, build):
    order = build(model_cfg).order
    assert order.index('plr') < order.index('mcl') and set(order) == {'tlr', 'plr', 'mcl'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['heads'].pop('plr'), r"mcl needs a reconstruction: add a head that provides it.*view='augmented'"),
        (lambda c: c.pop('tokenizer'), "tlr needs 'ids': set a tokenizer"),
        (lambda c: c.pop('decoder'), "needs 'hidden': set masking, and a decoder or an encoder with mask_token=True"),
        (lambda c: c.pop('image_encoder'), "mcl needs 'images': set an image_encoder"),
        (lambda c: c.pop('masking'), 'views.masked hides patches, but the config sets no masking'),
        (lambda c: c['heads']['mcl'].update(views=('full', 'other')), "mcl needs 'other': configure a view.*masked"),
        (lambda c: c['views'].update(x={'source': 'cloud'}), "views.x.source = 'cloud': one of"),
        (lambda c: c['views'].update(x={'sauce': 'points'}), 'views.x.sauce.*no such key'),
        (lambda c: c['views'].update(x={'encoder': 'momentum'}), 'set momentum_encoder'),
        (lambda c: c['encoder'].update(in_channels=6), 'coordinates only.*in_channels=3'),
        (
            lambda c: c.update(balancer={'type': 'FixedBalancer', 'weights': {'nlr': 1}}),
            "no head is called \\['nlr'\\]",
        ),
        (lambda c: c.update(balancer={'type': 'FixedBalancer', 'weights': 'fair'}), "no preset 'fair'"),
        (lambda c: c['heads']['mcl'].update(views=('full',), cross=0), 'leave nothing to contrast'),
        (lambda c: c['masking'].update(type='BlockMasking', ratio=(0.2, 0.5), per_sample=True), 'per_sample=False'),
        (lambda c: c['views'].update(x={'mask': 'complement'}) or c['masking'].update(ratio=0.0), 'hides nothing'),
        (lambda c: c['heads'].update(plr={'type': 'PointReconstructionHeed'}), 'PointReconstructionHead'),
    ],
)
def test_wrong_wiring_is_one_sentence(model_cfg, build, change, message):
    change(model_cfg)
    with pytest.raises((ValueError, KeyError), match=message):
        build(model_cfg)


@pytest.mark.parametrize(
    ('tasks', 'parts'),
    [
        (('tlr',), {'decoder', 'tokenizer'}),
        (('plr',), {'decoder'}),
        (('mcl',), {'image_encoder'}),
        (('plr', 'mcl'), {'decoder', 'image_encoder'}),
        (('tlr', 'plr'), {'decoder', 'tokenizer'}),
    ],
)
def test_ablations_leave_out_what_nobody_reads(model_cfg, build, batch, tasks, parts):
    """METHODS 1.7: the grid of tasks runs by switching heads off, and every parameter left takes part."""
    for name in model_cfg['heads']:
        if name not in tasks:
            model_cfg['heads'][name] = None
    if 'plr' not in tasks and 'mcl' in tasks:
        model_cfg['heads']['mcl']['views'] = ('full',)
    model = build(model_cfg).train()
    assert {p for p in ('decoder', 'tokenizer', 'image_encoder') if getattr(model, p) is not None} == parts
    total, log, _ = losses_of(model, batch)
    total.backward()
    assert {key for key in log if key.startswith('task/')} == {f'task/{name}' for name in tasks}
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_circle_is_named(model_cfg, build):
    from mmpt.models.heads import Head
    from mmpt.models.pretrainers.wiring import sort_heads

    class A(Head):
        needs, provides = ('b',), ('a',)

    class B(Head):
        needs, provides = ('a',), ('b',)

    with pytest.raises(ValueError, match='circle'):
        sort_heads({'x': A(), 'y': B()}, set(), {})


def test_total_is_the_weighted_sum_of_tasks_and_nothing_else(model_cfg, build, batch):
    model_cfg['balancer'] = {'type': 'FixedBalancer', 'weights': {'tlr': 2.0, 'plr': 3.0, 'mcl': 0.5}}
    model = build(model_cfg).train()
    data = model.data_preprocessor(batch, True)
    raw = model(**data, mode='loss')
    # A monitor that is called a loss must not count.
    raw['tasks']['plr']['extra_loss'] = torch.tensor(1000.0)
    total, log = model.parse_losses(raw)
    expected = sum(w * raw['tasks'][t]['loss'] for t, w in {'tlr': 2.0, 'plr': 3.0, 'mcl': 0.5}.items())
    torch.testing.assert_close(total, expected)
    assert log['task/plr'] == raw['tasks']['plr']['loss'] and log['plr/extra_loss'] == 1000
    assert log['weight/mcl'] == 0.5 and {'grad_norm/tlr', 'grad_norm/plr', 'grad_norm/mcl'} <= set(log)


def test_presets(model_cfg, build, batch):
    weights = {}
    for name in ('sibling', 'equal'):
        model_cfg['balancer'] = name
        _, log, _ = losses_of(build(model_cfg).train(), batch)
        weights[name] = [float(log[f'weight/{task}']) for task in ('tlr', 'plr', 'mcl')]
    assert weights == {'sibling': [1, 1, pytest.approx(0.1)], 'equal': [1, 1, 1]}


def test_balanced_equalises_gradient_norms_at_the_tokens(model_cfg, build, batch):
    model_cfg['balancer'] = 'balanced'
    model = build(model_cfg).train()
    data = model.data_preprocessor(batch, True)
    raw = model(**data, mode='loss')
    _, log = model.parse_losses(raw)
    weighted = []
    for task in ('tlr', 'plr', 'mcl'):
        grads = torch.autograd.grad(raw['tasks'][task]['loss'], raw['anchors'], retain_graph=True, allow_unused=True)
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads if g is not None))
        assert norm == pytest.approx(float(log[f'grad_norm/{task}']), rel=1e-4)
        weighted.append(norm * float(log[f'weight/{task}']))
    assert max(weighted) == pytest.approx(min(weighted), rel=1e-3) and min(weighted) > 0


def test_staged_start(model_cfg, build, batch):
    model_cfg['balancer'] = {'type': 'FixedBalancer', 'weights': 'equal', 'start': {'mcl': 5}}
    model = build(model_cfg).train()
    assert losses_of(model, batch, step=4)[1]['weight/mcl'] == 0
    assert losses_of(model, batch, step=5)[1]['weight/mcl'] == 1


@pytest.mark.parametrize('has_image', [[True] * 4, [True, False, False, True], [False] * 4])
def test_every_trainable_parameter_takes_part(model_cfg, build, batch, has_image):
    batch['inputs']['has_image'] = [torch.tensor([value]) for value in has_image]
    model = build(model_cfg).train()
    total, log, _ = losses_of(model, batch)
    total.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == [] and torch.isfinite(total)
    assert (float(log['mcl/cross']) == 0) == (not any(has_image))
    image_grad = sum(float(p.grad.abs().sum()) for p in model.image_encoder.parameters())
    # One lone pair has no negative but itself: two or more images give gradient, none gives exactly 0.
    assert (image_grad > 0) == any(has_image)
    assert all(p.grad is None for p in model.tokenizer.parameters())


def test_missing_images_change_nothing_but_the_image_term(model_cfg, build, batch):
    """What stands in for a missing image must not be read: batch norm would count it."""
    batch['inputs']['has_image'] = [torch.tensor([value]) for value in (True, False, True, False)]
    first = losses_of(build(model_cfg).train(), batch)[0]
    batch['inputs']['images'][1] = torch.full_like(batch['inputs']['images'][1], 255)
    assert torch.equal(first, losses_of(build(model_cfg).train(), batch)[0])


def test_mean_over_several_views(model_cfg, build, batch):
    """Two equal views are one view (unknown U10)."""
    model = build(model_cfg).eval()
    one = image_features(model.image_encoder, model.data_preprocessor(batch)['inputs'])
    batch['inputs']['images'] = [image.repeat(2, 1, 1, 1) for image in batch['inputs']['images']]
    batch['inputs']['has_image'] = [torch.tensor([True, k % 2 == 0]) for k in range(4)]
    twice = image_features(model.image_encoder, model.data_preprocessor(batch)['inputs'])
    torch.testing.assert_close(twice, one, atol=1e-5, rtol=1e-4)


def test_token_labels_do_not_depend_on_the_mask(model_cfg, build, batch):
    model = build(model_cfg).train()
    data = model.data_preprocessor(batch, True)
    seen = []
    for step in range(3):
        model.draws.set(seed=0, step=step, rank=0, world_size=1)
        values, _ = model.step(data['inputs'])
        seen.append((values['mask'].hidden, values['ids']))
    assert not torch.equal(seen[0][0], seen[1][0])
    assert torch.equal(seen[0][1], seen[1][1]) and torch.equal(seen[0][1], seen[2][1])
    assert not model.tokenizer.training


def test_nothing_hidden_gives_no_loss_and_no_crash(model_cfg, build, batch):
    model_cfg['masking']['ratio'] = 0.0
    model = build(model_cfg).train()
    total, log, _ = losses_of(model, batch)
    total.backward()
    assert log['task/tlr'] == 0 and log['task/plr'] == 0 and log['task/mcl'] > 0
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize('stop', [True, False])
def test_stop_gradient_of_the_contrast_into_the_point_head(model_cfg, build, batch, stop):
    model_cfg['reconstruction'] = {'stop_gradient': stop}
    model = build(model_cfg).train()
    raw = losses_of(model, batch)[2]
    predictor = model.heads['plr'].predictor.weight
    (grad,) = torch.autograd.grad(raw['tasks']['mcl']['loss'], predictor, allow_unused=True)
    if stop:
        assert grad is None or (grad == 0).all()
    else:
        assert grad is not None and grad.any()


def test_perfect_reconstruction_rebuilds_the_groups(model_cfg, build, batch):
    """METHODS 1.5: with a perfect decoder the reconstructed cloud is made of input points."""
    model = build(model_cfg)
    step, _ = model.step(model.data_preprocessor(batch)['inputs'])
    patches, mask = step['patches'], step['mask']
    count = mask.masked.shape[1]
    perfect = Reconstruction(
        patches.points[mask.hidden].view(4, count, -1, 3), patches.centers[mask.hidden].view(4, count, 3)
    )
    points = torch.stack(batch['inputs']['points'])
    for copies, total in ((True, 64), (False, count * 8)):
        cloud = rebuild_cloud(patches, mask, perfect, 64, model.draws, copies=copies)
        assert cloud.shape == (4, total if total < 64 else 64, 3)
        assert _exact(cloud, points).min(2).values.max() < 1e-5
    fps = rebuild_cloud(patches, mask, perfect, 16, model.draws, sampling='fps')
    assert _exact(fps, fps).add(torch.eye(16) * 9).min() > 1e-4
    drawn = rebuild_cloud(patches, mask, perfect, 32, model.draws)
    # Half of the union, without replacement: every point as often as it is there, at the most.
    whole = rebuild_cloud(patches, mask, perfect, 64, model.draws)
    assert drawn.shape == (4, 32, 3) and not torch.equal(drawn, whole[:, :32])
    for some, union in zip(drawn.tolist(), whole.tolist()):
        assert not Counter(map(tuple, some)) - Counter(map(tuple, union))


def test_accuracy_between_views_is_measured_without_copies(model_cfg, build, batch):
    model = build(model_cfg).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert 'mcl/intra_accuracy' not in losses_of(model, batch, step=1)[1]
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    model = build(model_cfg).train()
    log = losses_of(model, batch, step=0)[1]
    assert 0 <= float(log['mcl/intra_accuracy']) <= 1
    # The measurement runs two more passes; the statistics it leaves are those of a step without it.
    also = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    tracked = model.encoder.patch_embed.norm1.num_batches_tracked
    assert changed == also and tracked == 2
    predicted = []
    model.views._rebuilt = lambda step, copies, original=model.views._rebuilt: (
        predicted.append(copies) or original(step, copies)
    )
    losses_of(model, batch, step=2)
    assert predicted == [True, False]


def test_mask_tokens_inside_the_encoder(model_cfg, build, batch):
    """Unknown U2: no decoder, hidden patches stand in the encoder's sequence; block masks of their own size."""
    model_cfg['encoder']['mask_token'] = True
    model_cfg['decoder'] = None
    model_cfg['masking'] = {'type': 'BlockMasking', 'ratio': (0.25, 0.9), 'per_sample': True}
    model_cfg['heads'] = {'tlr': model_cfg['heads']['tlr']}
    model_cfg['views'] = {}
    model_cfg['image_encoder'] = None
    total, log, _ = losses_of(build(model_cfg).train(), batch)
    total.backward()
    assert torch.isfinite(total) and set(log) >= {'task/tlr', 'tlr/accuracy'}


def test_regression_to_features(model_cfg, build, batch):
    """Unknown U1."""
    model_cfg['heads']['tlr'] = {'type': 'TokenRegressionHead', 'dim': 32, 'target_dim': 16}
    assert torch.isfinite(losses_of(build(model_cfg).train(), batch)[0])


def test_momentum_contrast(model_cfg, build, batch):
    """Unknown U8: keys come from the moving average, the queue fills, no gradient reaches the key side."""
    model_cfg['views']['momentum'] = {'encoder': 'momentum'}
    model_cfg['momentum_encoder'] = {'momentum': 0.5}
    model_cfg['heads']['mcl'] = {
        'type': 'MomentumContrastHead',
        'dim': 32,
        'hidden_dim': 16,
        'out_dim': 8,
        'queue_size': 8,
        'momentum': 0.5,
    }
    model_cfg['image_encoder'] = None
    model = build(model_cfg).train()
    old = model.momentum_encoder.norm.weight.clone()
    with torch.no_grad():
        model.encoder.norm.weight.fill_(3.0)
    queue = model.heads['mcl'].queue.clone()
    total, _, _ = losses_of(model, batch)
    total.backward()
    torch.testing.assert_close(model.momentum_encoder.norm.weight, 0.5 * old + 1.5)
    assert all(p.grad is None for p in model.momentum_encoder.parameters())
    after = model.heads['mcl'].queue
    assert not torch.equal(after[:4], queue[:4]) and torch.equal(after[4:], queue[4:])
    assert model.heads['mcl'].position == 4


def test_two_augmented_views(model_cfg, build, batch):
    """CrossPoint's wiring: no mask, no decoder, two clouds."""
    batch['inputs']['points_view2'] = [points + 0.01 for points in batch['inputs']['points']]
    for key in ('tokenizer', 'masking', 'decoder'):
        model_cfg[key] = None
    model_cfg['views'] = {'full': {}, 'augmented': {'source': 'points_view2'}}
    model_cfg['heads'] = {'mcl': {**model_cfg['heads']['mcl'], 'views': ('full', 'augmented')}}
    total, log, _ = losses_of(build(model_cfg).train(), batch)
    assert torch.isfinite(total) and 'mcl/intra_accuracy' in log


def test_halves_of_the_patches_as_views(model_cfg, build, batch):
    model_cfg['masking']['ratio'] = 0.5
    model_cfg['views'] = {'masked': {'mask': 'hidden'}, 'other': {'mask': 'complement'}}
    model_cfg['heads']['mcl']['views'] = ('masked', 'other')
    model = build(model_cfg).train()
    step, _ = model.step(model.data_preprocessor(batch)['inputs'])
    centers = torch.cat([step['masked'].centers, step['other'].centers], 1)
    assert torch.equal(centers.sort(1).values, step['patches'].centers.sort(1).values)
    assert step['masked'] is step['masked_tokens']


def test_values_at_initialisation_lie_in_their_bands(model_cfg, build):
    """METHODS 1.5 on the model itself: CE near ln K, NT-Xent near ln(2B - 1)."""
    model_cfg['image_encoder'] = model_cfg['heads']['mcl']['image_dim'] = None
    model = build(model_cfg).train()
    points = torch.randn(32, 64, 3)
    points = points / points.norm(dim=-1, keepdim=True)
    raw = model({'points': points}, mode='loss')
    assert raw['tasks']['tlr']['loss'].item() == pytest.approx(math.log(IDS), abs=0.5)
    # The reconstruction is noise at first, so clouds resemble each other more than their own one: above ln 63.
    assert raw['tasks']['mcl']['intra'].item() == pytest.approx(math.log(63), abs=2.5)


def test_predict_offers_every_pool(model_cfg, build, batch):
    model = build(model_cfg).eval()
    data = model.data_preprocessor(batch)
    samples = model(data['inputs'], mode='predict')
    tokens = model.encoder(data['inputs']['points'])
    assert set(samples[0].pooled) == {'max', 'mean', 'cls'} and len(samples) == 4
    torch.testing.assert_close(samples[2].pooled['max'], tokens.patch[2].amax(0))
    torch.testing.assert_close(samples[2].pooled['cls'], tokens.globals['cls'][2])
    with pytest.raises(ValueError, match='mode must be'):
        model(data['inputs'], mode='train')


def test_reconstruct_shows_input_visible_and_prediction(model_cfg, build, batch):
    model = build(model_cfg).eval()
    shown = model.reconstruct(model.data_preprocessor(batch)['inputs'])
    assert shown['visible'].shape == (4, 4, 8, 3) and shown['reconstructed'].shape == (4, 4, 8, 3)
    gap = _exact(shown['visible'].flatten(1, 2), shown['input']).min(2).values
    assert gap.max() < 1e-5


def test_encoder_state_and_config(model_cfg, build):
    model = build(model_cfg)
    assert model.encoder_cfg == model_cfg['encoder']
    assert any(key.startswith('encoder.') for key in model.state_dict())


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda i: i['points'].__setitem__(1, torch.randn(60, 3)), 'number 1.*has .60, 3.*one shape'),
        (lambda i: i['points'][2].__setitem__((5, 1), float('nan')), 'number 2.*NaN or infinite'),
        (lambda i: i.update(points=[p[:, :2] for p in i['points']]), r'expected \(B, N, 3 or more\), got \(4, 64, 2\)'),
    ],
)
def test_bad_batches_are_named(model_cfg, build, batch, spoil, message):
    spoil(batch['inputs'])
    with pytest.raises(ValueError, match=message):
        build(model_cfg).data_preprocessor(batch)


def test_missing_tokenizer_names_the_command(model_cfg, build, tmp_path):
    model_cfg['tokenizer'].update(checkpoint=str(tmp_path / 'none.pth'), made_by='configs/mmpt/tokenizer_synthetic.py')
    model = build(model_cfg)
    with pytest.raises(FileNotFoundError, match='none.pth.*python tools/train.py configs/mmpt/tokenizer_synthetic.py'):
        model.init_weights()
    model.is_init = True  # a resumed run: all weights come from its checkpoint
    model.init_weights()


def test_tokenizer_of_another_architecture_is_named(model_cfg, build, tmp_path):
    path = tmp_path / 'tokenizer.pth'
    state = {f'tokenizer.{key}': value for key, value in build(model_cfg).tokenizer.state_dict().items()}
    torch.save({'state_dict': state}, path)
    model_cfg['tokenizer'].update(checkpoint=str(path), made_by='x.py')
    fresh = build(model_cfg, seed=1)
    fresh.init_weights()
    for key, value in fresh.tokenizer.state_dict().items():
        assert torch.equal(value, state[f'tokenizer.{key}'])
    model_cfg['tokenizer']['embed_dim'] = 24
    with pytest.raises(ValueError, match='another architecture'):
        build(model_cfg).init_weights()
