"""The discrete tokenizer and its training."""

import pytest
import torch

from mmpt.models.layers import CentreGraphNet, group_points
from mmpt.models.tokenizers.folding import FoldingDecoder
from mmpt.ops import chamfer_distance, knn

from .conftest import IDS


@pytest.fixture
def trainer(tokenizer_cfg, build):
    return build({'type': 'TokenizerPretrainer', 'tokenizer': tokenizer_cfg, 'num_groups': 8, 'group_size': 8})


def test_graph_network_equals_a_slow_loop():
    torch.manual_seed(0)
    net = CentreGraphNet(6, 8, (8, 8, 8, 8, 8), k=3)
    x, centers = torch.randn(2, 5, 6), torch.randn(2, 5, 3)
    neighbours = knn(centers, centers, 3)
    h, outputs = net.inlet(x), []
    for conv in net.convs:
        edges = torch.stack(
            [
                torch.stack([torch.cat([h[b, neighbours[b, g]] - h[b, g], h[b, g].expand(3, -1)], 1) for g in range(5)])
                for b in range(2)
            ]
        )
        y = conv.linear(edges).permute(0, 3, 1, 2)
        y = torch.nn.functional.group_norm(y, 4, conv.norm.weight, conv.norm.bias)
        h = torch.nn.functional.leaky_relu(y, 0.2).amax(3).transpose(1, 2)
        outputs.append(h)
    y = net.outlet(torch.cat(outputs, -1)).transpose(1, 2)
    y = torch.nn.functional.group_norm(y, 4, net.outlet_norm.weight, net.outlet_norm.bias)
    slow = torch.nn.functional.leaky_relu(y, 0.2).transpose(1, 2)
    torch.testing.assert_close(net(x, centers), slow, atol=1e-5, rtol=1e-5)


def test_folding_equals_the_concatenated_form():
    torch.manual_seed(0)
    decoder, features = FoldingDecoder(6, 8, 16, 12).eval(), torch.randn(3, 6)
    coarse, fine = decoder(features)
    for row in range(3):
        for c in range(2):
            for g in range(4):
                x = torch.cat([features[row], decoder.grid[g], coarse[row, c]])
                x = decoder.norm1(decoder.fold1(x)[None]).relu()
                x = decoder.norm2(decoder.fold2(x)).relu()
                torch.testing.assert_close(
                    decoder.fold3(x)[0] + coarse[row, c], fine[row, 4 * c + g], atol=1e-5, rtol=1e-5
                )
    with pytest.raises(ValueError, match='multiple of 4'):
        FoldingDecoder(6, 10)


def test_soft_codes_become_hard_as_the_temperature_falls(tokenizer_cfg, trainer):
    tokenizer, logits = trainer.tokenizer, torch.randn(2, 8, IDS)
    hard = tokenizer.codebook[logits.argmax(-1)]
    torch.testing.assert_close(tokenizer.soft_codes(logits, 1e-4), hard)
    assert not torch.allclose(tokenizer.soft_codes(logits, 1.0), hard, atol=1e-2)


def test_gumbel_noise_draws_ids_by_their_probability(trainer):
    """At temperature 0 a Gumbel-softmax is a draw from softmax(logits)."""
    logits = torch.randn(IDS, generator=torch.Generator().manual_seed(0))
    uniform = torch.rand(1, 20000, IDS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        trainer.tokenizer.codebook.copy_(torch.eye(IDS))
        drawn = trainer.tokenizer.soft_codes(logits.expand(1, 20000, IDS), 1e-3, uniform).mean((0, 1))
    torch.testing.assert_close(drawn, logits.softmax(0), atol=0.015, rtol=0)
    edge = torch.zeros(1, 1, IDS)
    assert torch.isfinite(trainer.tokenizer.soft_codes(logits[None, None], 0.5, edge)).all()


def test_training_terms_and_monitors(trainer, batch):
    trainer.train()
    trainer.temperature, trainer.usage_weight = 0.5, 2.0
    data = trainer.data_preprocessor(batch, True)
    losses = trainer(**data, mode='loss')
    total, log = trainer.parse_losses(losses)
    torch.testing.assert_close(total, losses['coarse'] + losses['fine'] + 2 * losses['usage'])
    assert log['temperature'] == 0.5 and log['weight/usage'] == 2
    total.backward()
    assert all(p.grad is not None for p in trainer.parameters())


def test_baselines_are_training_patches_and_the_most_central_one(trainer, batch):
    points = torch.randn(20, 8, 3)
    points[7] = 0.01 * points[7]
    trainer._choose_templates(points)
    cost = [float(chamfer_distance(p.expand(20, -1, -1), points, 'l1')) for p in points]
    assert torch.equal(trainer.best_template, points[min(range(20), key=cost.__getitem__)])
    assert all(any(torch.equal(patch, p) for p in points) for patch in trainer.templates)
    trainer.eval()
    inputs = trainer.data_preprocessor(batch)['inputs']
    sample = trainer(inputs, mode='predict')[1]
    patches = group_points(inputs['points'], 8, 8).points[1]
    each = [float(chamfer_distance(t.expand(8, -1, -1), patches, 'l1')) for t in trainer.templates]
    assert float(sample.baseline_chamfer) == pytest.approx(sum(each) / len(each), rel=1e-4)
    best = float(chamfer_distance(trainer.best_template.expand(8, -1, -1), patches, 'l1'))
    assert float(sample.best_baseline_chamfer) == pytest.approx(best, rel=1e-4)


def test_edges_may_read_offsets():
    torch.manual_seed(0)
    net = CentreGraphNet(6, 8, (8, 8, 8, 8, 8), k=3, offsets=True)
    x, centers = torch.randn(2, 5, 6), torch.randn(2, 5, 3)
    out = net(x, centers)
    # Scaling and shifting change neither the graph nor offsets in units of the mean edge; a turn changes the latter.
    torch.testing.assert_close(net(x, 3 * centers + 1), out, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(net(x, centers[..., [1, 0, 2]] * torch.tensor([1.0, -1.0, 1.0])), out, atol=1e-3)
    plain = CentreGraphNet(6, 8, (8, 8, 8, 8, 8), k=3)
    turned = plain(x, centers[..., [1, 0, 2]] * torch.tensor([1.0, -1.0, 1.0]))
    torch.testing.assert_close(turned, plain(x, centers), atol=1e-4, rtol=1e-4)


@pytest.fixture
def near(tokenizer_cfg, build):
    """A trainer whose ids are those of the nearest code, and whose codebook starts after 3 updates."""
    tokenizer_cfg.update(posterior='distance', decoder_k=6, decoder_offsets=True, decoder_skip=True)
    cfg = {'type': 'TokenizerPretrainer', 'tokenizer': tokenizer_cfg, 'num_groups': 8, 'group_size': 8}
    return build({**cfg, 'codebook_start': 3})


def test_nearest_code_is_the_id(near, batch):
    patches = group_points(torch.stack(batch['inputs']['points']), 8, 8)
    tokenizer = near.tokenizer.eval()
    features = tokenizer.patch_features(patches)
    expected = torch.cdist(features.flatten(0, 1), tokenizer.codebook).argmin(1).view(4, 8)
    assert torch.equal(tokenizer.ids(patches), expected)
    gaps = tokenizer.logits(patches)[0, 0].diff()
    distance = torch.cdist(features[0, :1], tokenizer.codebook)[0].square() * tokenizer.log_scale.exp()
    torch.testing.assert_close(gaps, -distance.diff(), atol=1e-3, rtol=1e-3)


def test_codebook_starts_where_features_are(near, batch):
    near.train()
    before = near.tokenizer.codebook.clone()
    data = near.data_preprocessor(batch, True)
    for step in range(4):
        near.draws.set(seed=0, step=step, rank=0, world_size=1)
        near.temperature = 1e-3
        losses = near(**data, mode='loss')
        if step == 0:
            # Nothing discrete yet: the loss does not reach the codebook.
            (grad,) = torch.autograd.grad(losses['fine'], near.tokenizer.codebook, allow_unused=True)
            assert grad is None
        assert torch.equal(near.tokenizer.codebook, before) == (step < 3)
    codes, rows = near.tokenizer.codebook.detach(), near.recent_features
    # 4 clouds of 8 patches, 3 times: 96 rows kept of the 128 there is room for.
    assert (rows[:96].norm(dim=1) > 0).all() and (rows[96:] == 0).all()
    assert torch.cdist(rows[:96], codes).min(1).values.mean() < torch.cdist(rows[:96], before).min(1).values.mean()


def test_k_means_lowers_the_distance_and_keeps_every_code(near):
    rows = torch.randn(400, 16, generator=torch.Generator().manual_seed(0))
    errors = []
    for rounds in (0, 1, 10):
        near.tokenizer.start_codebook(rows, rounds)
        distance = torch.cdist(rows, near.tokenizer.codebook.detach())
        errors.append(float(distance.min(1).values.square().mean()))
        assert len(distance.argmin(1).unique()) == IDS
    assert errors[0] > errors[1] > errors[2]


def test_codebook_start_needs_distances(tokenizer_cfg, build):
    with pytest.raises(ValueError, match="posterior='distance'"):
        build({'type': 'TokenizerPretrainer', 'tokenizer': tokenizer_cfg, 'codebook_start': 3})
    with pytest.raises(ValueError, match='posterior must be'):
        build({'type': 'TokenizerPretrainer', 'tokenizer': {**tokenizer_cfg, 'posterior': 'near'}})


def test_predict_scores_hard_ids(trainer, batch):
    trainer.eval()
    data = trainer.data_preprocessor(batch)
    with torch.no_grad():
        samples = trainer(data['inputs'], mode='predict')
        patches = group_points(data['inputs']['points'], 8, 8)
        ids = trainer.tokenizer.ids(patches)
        codes = trainer.tokenizer.codebook[ids]
        fine = trainer.tokenizer.decode(codes, patches.centers).fine
    assert torch.equal(samples[1].token_id, ids[1]) and ids.dtype == torch.int64
    d = torch.cdist(fine[1], patches.points[1])
    expected = (d.min(2).values.mean() + d.min(1).values.mean()) / 2
    torch.testing.assert_close(samples[1].chamfer, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(trainer(data['inputs'], mode='tensor'), ids)


def test_noise_depends_on_the_step_alone(trainer, batch):
    trainer.train()
    data, values = trainer.data_preprocessor(batch, True), []
    for step in (1, 2, 1):
        trainer.draws.set(seed=0, step=step, rank=0, world_size=1)
        values.append(trainer(**data, mode='loss')['fine'].item())
    assert values[0] == values[2] != values[1]


def test_ids_are_the_same_under_bf16(trainer, near, batch):
    for model in (trainer.eval(), near.eval()):
        patches = group_points(torch.stack(batch['inputs']['points']), 8, 8)
        plain = model.tokenizer.ids(patches), model.tokenizer.features(patches)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            cast = model.tokenizer.ids(patches), model.tokenizer.features(patches)
            decoded = model.tokenizer.decode(model.tokenizer.codebook[cast[0]], patches.centers)
        assert torch.equal(plain[0], cast[0]) and torch.equal(plain[1], cast[1])
        assert decoded.fine.dtype == decoded.coarse.dtype == torch.float32


def test_features_are_the_mean_code_of_the_posterior(trainer, batch):
    patches = group_points(torch.stack(batch['inputs']['points']), 8, 8)
    tokenizer = trainer.tokenizer.eval()
    share = tokenizer.logits(patches).softmax(-1)
    expected = sum(share[..., k, None] * tokenizer.codebook[k] for k in range(IDS))
    torch.testing.assert_close(tokenizer.features(patches), expected, atol=1e-5, rtol=1e-4)
