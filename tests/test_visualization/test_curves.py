import json

import pytest
from matplotlib.image import imread

from mmpt.evaluation import spread
from mmpt.visualization import Curve, read_scalars, save_curves, save_scores
from mmpt.visualization.scalars import select


def _write(path, entries, tail=''):
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(entry) for entry in entries) + '\n' + tail)


def test_reads_a_resumed_run_and_a_torn_line(tmp_path):
    first = [{'task/plr': float(step), 'lr': 0.1, 'iter': step, 'step': step} for step in (10, 20, 30)]
    first += [{'probe/svm': 0.5, 'step': 30}]
    _write(tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json', first, tail='{"task/plr": 4')
    second = [{'task/plr': 100.0 + step, 'step': step} for step in (30, 40)]
    _write(tmp_path / '20260102_000000' / 'vis_data' / 'scalars.json', second)
    curves = read_scalars(tmp_path)
    # What the resumed run logged anew replaces the older values; what it did not log stays.
    assert curves['task/plr'] == Curve([10, 20, 30, 40], [10, 20, 130, 140])
    assert curves['probe/svm'] == Curve([30], [0.5])
    one = read_scalars(tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json')
    assert one['task/plr'].values == [10, 20, 30]


def test_leaves_out_what_is_not_finite_and_says_when_there_is_no_log(tmp_path):
    _write(tmp_path / 'a' / 'log.json', [{'loss': float('nan'), 'step': 1}, {'loss': 2.0, 'step': 2, 'note': 'x'}])
    assert read_scalars(tmp_path / 'a' / 'log.json') == {'loss': Curve([2], [2.0])}
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        read_scalars(tmp_path)


def test_select_by_prefix():
    curve = Curve([1], [1.0])
    assert select({'task/a': curve, 'tasks': curve, 'probe/svm_C': curve}, 'task') == {'a': curve}
    assert select({'probe/svm': curve, 'probe/svm_C': curve}, 'probe', skip=('svm_C',)) == {'svm': curve}


def test_figures_are_pictures_with_ink_in_them(tmp_path):
    steps = list(range(100))
    curves = {'task/plr': Curve(steps, [1 / (s + 1) for s in steps]), 'probe/knn': Curve([0, 99], [0.4, 0.6])}
    save_curves(tmp_path / 'curves.png', curves)
    save_scores(tmp_path / 'scores.png', {'kNN': 0.8, 'svm_C': 1.0}, {'kNN': spread([0.6, 0.7])})
    for name in ('curves.png', 'scores.png'):
        assert (imread(tmp_path / name)[..., 3] > 0).mean() > 0.01
    with pytest.raises(ValueError, match='task/'):
        save_curves(tmp_path / 'none.png', {'lr': Curve([1], [1.0])})
    with pytest.raises(ValueError, match='control'):
        save_scores(tmp_path / 'none.png', {'kNN': 0.8}, {})
