import json
import math
import warnings

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mmpt.evaluation.protocols import (
    C_RULES,
    PRESETS,
    Protocol,
    codebook_use,
    compose_features,
    knn_accuracy,
    linear_svm,
    probe,
    spread,
)


def test_defaults_are_frozen():
    """Changing one of these moves every benchmark: rename the protocol instead."""
    assert Protocol().to_dict() == {
        'name': 'cv',
        'pooling': ('max', 'mean'),
        'num_points': None,
        'standardize': True,
        'knn_k': 1,
        'knn_metric': 'euclidean',
        'classifier': 'LinearSVC',
        'C': 'cv',
        'grid': (0.001, 0.01, 0.1, 1.0),
        'folds': 5,
        'seed': 0,
    }
    assert Protocol().describe() == (
        'protocol cv: all points of the data; feature concat(max, mean) standardised on the training part; '
        'kNN k=1 euclidean, one vote each; LinearSVC C of {0.001, 0.01, 0.1, 1} by stratified 5-fold cross-validation '
        'on the training part, seed 0'
    )


def test_presets_are_the_published_rules():
    published = {
        'point_bert': ('LinearSVC', 1.0),
        'crosspoint': ('SVC', 0.1),
        'point_m2ae': ('SVC', 0.012),
        'i2p_mae': ('SVC', 0.0093),
        'recon': ('LinearSVC', 0.075),
    }
    assert published == C_RULES
    assert {name: (p.classifier, p.C) for name, p in PRESETS.items() if name != 'cv'} == published
    assert all(name == preset.name for name, preset in PRESETS.items())
    assert 'SVC C=0.0093' in PRESETS['i2p_mae'].describe() and 'not standardised' in PRESETS['i2p_mae'].describe()


def test_a_protocol_survives_json_and_refuses_what_it_cannot_mean():
    protocol = Protocol(pooling=['cls', 'max+mean'], num_points=512, C=0.5, knn_k=None)
    assert Protocol(**json.loads(json.dumps(protocol.to_dict()))) == protocol
    assert 'kNN' not in protocol.describe() and '512 points' in protocol.describe()
    with pytest.raises(ValueError, match='PRESETS'):
        Protocol(C='recon')


def test_probe_does_what_the_protocol_says():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.normal(size=(3, 5))[y] + rng.normal(size=(120, 5))
    parts = x[:80], y[:80], x[80:], y[80:]
    protocol = Protocol(standardize=False, knn_k=3, knn_metric='cosine', grid=(0.01, 1.0), folds=3, seed=4)
    scores = probe(*parts, protocol)
    assert scores.knn == knn_accuracy(*parts, 3, 'cosine', standardize=False)
    assert scores.knn == (scores.knn_predicted == parts[3]).mean()
    again = linear_svm(*parts, grid=(0.01, 1.0), folds=3, seed=4, standardize=False)
    assert scores.svm.accuracy == again.accuracy and scores.svm.cv_scores == again.cv_scores
    assert probe(*parts, Protocol(classifier=None)).svm is None
    assert probe(*parts, Protocol(knn_k=None, C=1.0)).knn is None


#: pools of each preset as METHODS 5.3 has them, and the classifier as its authors built it.
THEIRS = {
    'point_bert': (lambda pools: [pools['cls']], lambda: LinearSVC(C=1.0, dual=False, tol=1e-6)),
    'crosspoint': (lambda pools: [pools['max'], pools['mean']], lambda: SVC(C=0.1, kernel='linear')),
    'point_m2ae': (lambda pools: [pools['max'] + pools['mean']], lambda: SVC(C=0.012, kernel='linear')),
    'i2p_mae': (lambda pools: [pools['max']], lambda: SVC(C=0.0093, kernel='linear')),
    'recon': (
        lambda pools: [pools['cls'], pools['max'] + pools['mean']],
        lambda: LinearSVC(C=0.075, dual=False, tol=1e-6),
    ),
}


@pytest.mark.parametrize('name', [name for name in PRESETS if name != 'cv'])
def test_a_preset_scores_as_scikit_learn_does(name):
    """From pooled features to the accuracy, features as they are: in columns of other scales each."""
    pools_of, build = THEIRS[name]
    changed = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = np.arange(240) % 4
        x, test = np.split(np.arange(240), [140])
        pools = {}
        for pool in ('max', 'mean', 'cls'):
            features = 0.6 * rng.normal(size=(4, 12))[y] + rng.normal(size=(240, 12))
            pools[pool] = (features * 10 ** rng.uniform(-1, 1, 12)).astype(np.float32)
        ours = compose_features(pools, PRESETS[name].pooling)
        scores = probe(ours[x], y[x], ours[test], y[test], PRESETS[name])
        theirs = np.concatenate(pools_of(pools), axis=1).astype(np.float64)
        expected = build().fit(theirs[x], y[x]).score(theirs[test], y[test])
        # A shape on the border may fall to either side.
        assert scores.svm.accuracy == pytest.approx(expected, abs=1.5 / len(test)) and 0.3 < expected < 1
        assert scores.knn == KNeighborsClassifier(1).fit(theirs[x], y[x]).score(theirs[test], y[test])
        scaler = StandardScaler().fit(theirs[x])
        scaled = build().fit(scaler.transform(theirs[x]), y[x]).score(scaler.transform(theirs[test]), y[test])
        changed += abs(scaled - expected) > 1.5 / len(test)
    # Standardised features would have been noticed.
    assert changed


def test_pools_are_concatenated_and_summed_as_named():
    pooled = {'max': [[1.0, 2.0]], 'mean': [[10.0, 20.0]], 'cls': [[7.0]]}
    assert compose_features(pooled, ('mean', 'max')).tolist() == [[10, 20, 1, 2]]
    assert compose_features(pooled, ('cls', 'max+mean')).tolist() == [[7, 11, 22]]
    with pytest.raises(KeyError, match="'glob'.*cls, max, mean"):
        compose_features(pooled, ('max', 'glob'))
    with pytest.raises(ValueError, match='pooling'):
        compose_features(pooled, 'max')


def test_spread():
    line = spread([0.8, 0.9, 0.7])
    assert line[:3] == (pytest.approx(0.8), 0.7, 0.9) and line.std == pytest.approx(0.1) and line.n == 3
    assert spread([0.5]).std == 0
    # Three equal accuracies of 540 shapes, whose mean rounds to another number for one in six.
    equal = [k / 540 for k in range(541)]
    assert any(np.mean([value] * 3) != value for value in equal)
    assert all(line.min == line.mean == line.max for line in (spread([value] * 3) for value in equal))
    assert str(line) == '0.800 +- 0.100 (0.700 to 0.900, n=3)'
    for bad in ([], [math.nan]):
        with pytest.raises(ValueError, match='spread'):
            spread(bad)


def test_perplexity_of_known_histograms():
    assert codebook_use(np.arange(64).repeat(3).reshape(8, 24)) == (pytest.approx(64), 64)
    assert codebook_use(np.full(10, 5)) == (pytest.approx(1), 1)
    share = np.array([0.5, 0.25, 0.25])
    assert codebook_use([3, 3, 9, 500]).perplexity == pytest.approx(math.exp(-(share * np.log(share)).sum()))
    with pytest.raises(ValueError, match='integer ids'):
        codebook_use([0.5])


def test_classes_of_one_part_alone_are_named():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 4)), np.arange(40) % 4
    with pytest.warns(UserWarning) as said:
        scores = probe(x[y != 2], y[y != 2], x[y != 3], y[y != 3], Protocol(C=1.0))
    texts = [str(warning.message) for warning in said]
    assert '1 classes have no shape in the training part (labels 2, 33.3% of the test shapes).' in texts
    assert '1 classes have no shape in the test part (labels 3).' in texts
    assert not (scores.knn_predicted == 2).any()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        probe(x, y, x, y, Protocol(C=1.0))
