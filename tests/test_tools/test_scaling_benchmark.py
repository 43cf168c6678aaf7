"""tools/benchmarks/scaling.py: exponents that are those of known costs, and figures that follow from the times."""

import json
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))
import _timing  # noqa: E402
import scaling  # noqa: E402


def test_the_exponent_of_a_known_cost():
    sizes = (100, 200, 400, 800)
    assert scaling.exponent(sizes, [3e-9 * size**2 for size in sizes]) == pytest.approx(2)
    assert scaling.exponent(sizes, [0.5] * 4) == pytest.approx(0)
    # Two turns, one of them with a cost that grows faster; what one size has more of counts nowhere.
    seconds = [[size**1.0, size**2.0, 7.0][: 2 + (size == 100)] for size in sizes]
    assert scaling.exponents(sizes, seconds) == pytest.approx([1.5, 1, 2])


def test_smoke_writes_figures_that_follow_from_the_times(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_timing, '_TRIES', 1)
    out = tmp_path / 'scaling.json'
    chosen = ['points', 'chamfer']
    scaling.main(['--smoke', '--series', *chosen, '--threads', '1', '--clock', 'cpu', '--json', str(out)])
    said, record = capsys.readouterr().out, json.loads(out.read_text())
    assert [found['series'] for found in record['series']] == chosen
    for found in record['series']:
        assert found['title'] in said and found['sizes'] == list(scaling.SERIES[found['series']].sizes[:2])
        for row in found['rows']:
            pairs = [a / b for a, b in zip(row['seconds']['plain'], row['seconds']['ours'], strict=True)]
            assert row['ratio'] == pytest.approx([statistics.median(pairs), min(pairs), max(pairs)])
            assert row['peak_mib'].keys() == {'ours', 'plain'} and min(row['peak_mib'].values()) > 0
        for side, fitted in found['exponents'].items():
            seconds = [row['seconds'][side] for row in found['rows']]
            assert fitted == pytest.approx(scaling.exponents(found['sizes'], seconds))


def test_memory_of_chamfer_grows_with_the_points_and_not_with_their_square():
    def gained(points, side):
        return _timing.in_own_process(lambda: scaling.memory_of('chamfer', points, side, 1))

    assert gained(4096, 'plain') > 256 > 4 * gained(4096, 'ours')


@pytest.mark.slow  # trainings in processes of their own
def test_ranks_train_what_they_share(capsys):
    args = scaling.parse_args(['--smoke'])
    one, two = scaling.ranks([1, 2], args)
    assert one['gain'] == 1 and two['gain'] == pytest.approx(one['seconds'] / two['seconds'])
    assert two['samples_per_second'] == pytest.approx(64 / two['seconds'])
    assert '2 processes' in capsys.readouterr().out
    with pytest.raises(scaling.ConfigError, match='--ranks 3: 64 clouds are not shared evenly'):
        scaling.ranks([3], args)
