import numpy as np
import pytest
import torch
from torch import nn

from mmpt.evaluation import (
    Protocol,
    calibrate_batchnorm,
    control_spread,
    correct_items,
    extract_features,
    probe_encoder,
    random_controls,
)
from mmpt.evaluation import score_encoder as score
from mmpt.models.encoders import DGCNN
from mmpt.structures import Tokens


class ToyEncoder(nn.Module):
    """Every point is a patch; batch norms, and a dropout that would show if it were on."""

    def __init__(self, width=16):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width, momentum=0.3)
        self.drop = nn.Dropout(0.5)
        self.second = nn.Linear(width, width)

    def forward(self, points):
        rows = self.first(points).flatten(0, 1)
        rows = self.drop(torch.relu(self.norm(rows)))
        patch = self.second(rows).unflatten(0, points.shape[:2])
        return Tokens(patch, points, {'cls': patch[:, 0]})


def _clouds(n, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    stretch = 1 + np.eye(3)[labels % 3]
    return (rng.normal(size=(n, 20, 3)) * stretch[:, None]).astype(np.float32), labels


def test_features_are_those_of_eval_mode_and_batches_do_not_show():
    torch.manual_seed(0)
    encoder = ToyEncoder()
    encoder.drop.eval()
    before = {name: part.training for name, part in encoder.named_modules()}
    points, _ = _clouds(11)
    features = extract_features(encoder, points, batch_size=4, pooling=('cls', 'max', 'mean'))
    assert {name: part.training for name, part in encoder.named_modules()} == before
    encoder.eval()
    patch = encoder(torch.from_numpy(points)).patch.detach().numpy()
    expected = np.concatenate([patch[:, 0], patch.max(1), patch.mean(1)], axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-6)
    assert features.dtype == np.float32
    np.testing.assert_allclose(extract_features(encoder, points, 100, pooling=('max',)), patch.max(1), atol=1e-6)


def test_features_refuse_what_is_no_set_of_clouds():
    with pytest.raises(ValueError, match=r'\(N, P, 3\)'):
        extract_features(ToyEncoder(), np.zeros((4, 3), np.float32))


@pytest.mark.parametrize('batch_size', [1, 4, 7, 100])
def test_calibration_gives_the_exact_mean_and_variance(batch_size):
    torch.manual_seed(0)
    encoder = ToyEncoder().train()
    points = _clouds(15)[0] + np.linspace(0, 5, 15, dtype=np.float32)[:, None, None]
    assert calibrate_batchnorm(encoder, points, batch_size) == 1
    rows = encoder.first(torch.from_numpy(points)).flatten(0, 1).detach().double()
    torch.testing.assert_close(encoder.norm.running_mean.double(), rows.mean(0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(encoder.norm.running_var.double(), rows.var(0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('batch_size', [15, 4])
def test_calibration_counts_the_edges_that_a_norm_never_sees(batch_size):
    """An edge convolution normalises by moments of edges that are not built (EdgeConv)."""
    torch.manual_seed(0)
    encoder = DGCNN(dim=8, k=3, edge_widths=(6,))
    points = _clouds(15)[0] + np.linspace(0, 5, 15, dtype=np.float32)[:, None, None]
    assert calibrate_batchnorm(encoder, points, batch_size) == 2
    clouds = torch.from_numpy(points)
    near = encoder.neighbours(clouds)
    own = clouds.unsqueeze(2).expand(-1, -1, 3, -1)
    other = torch.stack([cloud[index] for cloud, index in zip(clouds, near)])
    conv = encoder.convs[0]
    edges = conv.linear(torch.cat([other - own, own], dim=-1)).flatten(0, 2).detach().double()
    torch.testing.assert_close(conv.norm.running_mean.double(), edges.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(conv.norm.running_var.double(), edges.var(0), rtol=1e-4, atol=1e-4)
    assert conv.norm.momentum == 0.1 and not conv.norm._forward_hooks


def test_calibration_changes_nothing_else():
    encoder = ToyEncoder()
    encoder.eval()
    encoder.second.train()
    seen = []
    encoder.drop.register_forward_hook(lambda part, *_: seen.append(part.training))
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    state = torch.get_rng_state()
    calibrate_batchnorm(encoder, _clouds(8)[0], 4)
    assert seen == [False, False], 'only norm layers may be in train mode'
    assert torch.equal(torch.get_rng_state(), state)
    assert [p.training for p in encoder.children()] == [False, False, False, True]
    assert encoder.norm.momentum == 0.3 and not encoder.norm._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in encoder.named_parameters())
    assert calibrate_batchnorm(nn.Linear(3, 3), _clouds(4)[0]) == 0


def test_subsets_are_scored_on_their_rows_alone():
    torch.manual_seed(0)
    train, test = _clouds(60), _clouds(30, seed=1)
    protocol = Protocol(C=0.1)
    kept = np.arange(30) < 12
    scores = score(ToyEncoder(), train, test, protocol, subsets={'kept': kept})
    torch.manual_seed(0)
    encoder = ToyEncoder()
    part = score(encoder, train, (test[0][kept], test[1][kept]), protocol)
    alone = score(encoder, train, test, protocol)
    assert scores['knn/kept'] == pytest.approx(part['knn'])
    assert scores['svm/kept'] == pytest.approx(part['svm'])
    assert (scores['knn'], scores['svm']) == (alone['knn'], alone['svm'])


def test_controls_keep_the_better_of_raw_and_calibrated_and_repeat():
    train, test = _clouds(60), _clouds(45, seed=1)
    # Far from the origin an untrained norm layer does badly, which the calibration repairs.
    train, test = [(points * 0.3 + 2, labels) for points, labels in (train, test)]
    state = torch.get_rng_state()
    rows = random_controls(ToyEncoder, train, test, Protocol(C=0.1), seeds=(0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert rows == random_controls(ToyEncoder, train, test, Protocol(C=0.1), seeds=(0, 1))
    for row in rows:
        assert row['raw'] != row['calibrated']
        assert row['best'] == {name: max(row['raw'][name], row['calibrated'][name]) for name in ('knn', 'svm')}
    torch.manual_seed(1)
    assert rows[1]['raw'] == score(ToyEncoder(), train, test, Protocol(C=0.1))
    best = [row['best']['svm'] for row in rows]
    assert control_spread(rows)['svm'][:3] == (pytest.approx(np.mean(best)), min(best), max(best))


def test_the_items_behind_the_scores_have_their_means():
    train, test = _clouds(60), _clouds(45, seed=1)
    train, test = [(points * 0.3 + 2, labels) for points, labels in (train, test)]
    protocol, subsets = Protocol(C=0.1), {'odd': np.arange(45) % 2 == 1}
    rows = random_controls(ToyEncoder, train, test, protocol, range(4), subsets=subsets, keep_items=True)
    chosen = set()
    for row in rows:
        torch.manual_seed(row['seed'])
        encoder = ToyEncoder()
        both = {}
        for state in ('raw', 'calibrated'):
            scores = probe_encoder(encoder, train, test, protocol)
            both[state] = correct_items(scores, test[1], subsets)
            np.testing.assert_array_equal(both[state]['svm'], scores.svm.predicted == test[1])
            np.testing.assert_array_equal(both[state]['knn/odd'], (scores.knn_predicted == test[1])[1::2])
            calibrate_batchnorm(encoder, train[0])
        assert set(row['correct']) == set(row['best']) == {'knn', 'svm', 'knn/odd', 'svm/odd'}
        # Those of the better of raw and calibrated, for each accuracy on its own.
        for name, right in row['correct'].items():
            better = 'calibrated' if row['calibrated'][name] > row['raw'][name] else 'raw'
            chosen.add(better)
            np.testing.assert_array_equal(right, both[better][name])
            assert right.mean() == row['best'][name]
    assert chosen == {'raw', 'calibrated'}
