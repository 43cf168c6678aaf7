"""Few-shot on features: against scikit-learn fold by fold, and what a fold may hold."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mmpt.evaluation.protocols import FEW_SHOT_PRESETS, FewShotProtocol, draw_folds, few_shot, score_folds


def parts(classes=8, train=14, test=9, width=20, seed=0):
    draws = np.random.default_rng(seed)
    centres = draws.normal(size=(classes, width))
    y = np.repeat(np.arange(classes), train), np.repeat(np.arange(classes), test)
    x = [centres[labels] + 1.5 * draws.normal(size=(len(labels), width)) for labels in y]
    return x[0], y[0], x[1], y[1]


@pytest.mark.parametrize('part', ['train', 'test'])
def test_accuracies_are_those_of_scikit_learn_fold_by_fold(part):
    train_x, train_y, test_x, test_y = parts()
    protocol = FewShotProtocol(queries=6, query_part=part, folds=4)
    folds = draw_folds(train_y, test_y, 5, 7, protocol)
    other_x, other_y = (train_x, train_y) if part == 'train' else (test_x, test_y)
    expected = {'svm': [], 'knn': []}
    for fold in folds:
        for name, model in {
            'svm': LinearSVC(C=1.0, dual=False, tol=1e-8, max_iter=100_000),
            'knn': KNeighborsClassifier(1),
        }.items():
            model = make_pipeline(StandardScaler(), model).fit(train_x[fold.support], train_y[fold.support])
            expected[name].append(model.score(other_x[fold.query], other_y[fold.query]))
    found = score_folds(train_x, train_y, test_x, test_y, folds, protocol)
    for name, values in expected.items():
        assert found[name].mean == pytest.approx(np.mean(values), abs=1e-9), name
        assert found[name].std == pytest.approx(np.std(values, ddof=1), abs=1e-9)
        assert found[name].n == 4 and 0.2 < found[name].mean < 1
    whole = few_shot(train_x, train_y, test_x, test_y, protocol, ways=(5,), shots=(7,))
    assert whole == {'5-way 7-shot': found}


@pytest.mark.parametrize('part', ['train', 'test'])
def test_a_fold_holds_what_its_name_says(part):
    _, train_y, _, test_y = parts()
    protocol = FewShotProtocol(queries=5, query_part=part, folds=30)
    other = train_y if part == 'train' else test_y
    for fold in draw_folds(train_y, test_y, 3, 8, protocol):
        assert len(set(fold.classes)) == 3
        for labels, rows, count in ((train_y, fold.support, 8), (other, fold.query, 5)):
            assert len(set(rows)) == len(rows)
            assert sorted(labels[rows]) == sorted(np.repeat(fold.classes, count))
        if part == 'train':
            assert not set(fold.support) & set(fold.query)


def test_draws_are_those_of_the_seed():
    _, train_y, _, test_y = parts()

    def drawn(seed, way=4, shot=3):
        folds = draw_folds(train_y, test_y, way, shot, FewShotProtocol(queries=5, folds=3, seed=seed))
        return [tuple(np.concatenate(fold)) for fold in folds]

    assert drawn(1) == drawn(1) and drawn(1) != drawn(2)
    # Folds and settings of one seed are other draws too.
    assert len(set(drawn(1))) == 3 and drawn(1)[0][:4] != drawn(1, shot=5)[0][:4]
    every = np.concatenate(
        [fold.classes for fold in draw_folds(train_y, test_y, 4, 3, FewShotProtocol(folds=20, queries=5))]
    )
    assert set(every) == set(range(8))


def test_too_few_shapes_or_classes_are_one_sentence():
    _, train_y, _, test_y = parts()
    with pytest.raises(ValueError, match=r'9-way few-shot needs 2 to all of the 8 classes'):
        draw_folds(train_y, test_y, 9, 3, FewShotProtocol())
    with pytest.raises(ValueError, match=r'5-way 10-shot needs 20 shapes of every class in the test part'):
        draw_folds(train_y, test_y, 5, 10, FewShotProtocol())
    with pytest.raises(ValueError, match=r'needs 15 shapes of every class in the training part, class 0 has 14'):
        draw_folds(train_y, test_y, 5, 10, FewShotProtocol(queries=5, query_part='train'))
    with pytest.raises(ValueError, match=r"query_part 'train' or 'test'"):
        FewShotProtocol(query_part='val')


def test_presets_are_frozen():
    """A changed default changes published numbers."""
    assert FEW_SHOT_PRESETS['test_queries'] == FewShotProtocol(
        'test_queries', ('max', 'mean'), 20, 'test', 10, 1.0, True, 1, 0
    )
    assert FEW_SHOT_PRESETS['crosspoint'].query_part == 'train'
    line = FEW_SHOT_PRESETS['crosspoint'].describe()
    assert '10 folds, seed 0, 20 queries a class from the train part' in line and '; SVC C=1;' in line
