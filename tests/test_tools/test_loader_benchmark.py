"""tools/benchmarks/loader.py: what it measures is there, and comes from both forms of the same samples."""

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'benchmarks' / 'loader.py'


@pytest.fixture
def benchmark(tmp_path, monkeypatch, capsys):
    """Run it; returns its figures and what it printed."""

    def call(*args):
        out = tmp_path / 'figures.json'
        monkeypatch.setattr(sys, 'argv', ['loader.py', *args, '--folder', str(tmp_path), '--json', str(out)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        runpy.run_path(str(SCRIPT))['main']()
        assert [path.name for path in tmp_path.iterdir()] == ['figures.json']  # it cleans up behind itself
        return json.loads(out.read_text()), capsys.readouterr().out

    return call


def test_both_forms_of_every_tree_are_measured(benchmark):
    results, printed = benchmark('--shapes', '4', '--epochs', '1', '--workers', '1', '--batch-size', '2')
    assert [result['name'] for result in results] == ['shapenet', 'modelnet40', 'kitti']
    for result in results:
        figures = result['1 workers']
        assert result['shapes'] == 4 and figures['raw']['rate'] > 0 and figures['packed']['rate'] > 0
        assert figures['wall_ratio'][0] == pytest.approx(figures['packed']['rate'] / figures['raw']['rate'])
        assert 0 < result['crc_ms'] < result['load_ms'] + 5 and figures['raw']['peak_mb'] > 10
    # Two shapes of four have 24 pictures: clouds alone would be 0.4 MB.
    assert results[0]['packed_mb'] > 1 and 4 * 0.22 < results[1]['packed_mb'] < 4 * 0.24
    assert printed.count('packed is ') == 3 and 'page cache warm' in printed


def test_an_index_is_opened_and_read_in_processes_of_their_own(benchmark):
    results, printed = benchmark('--index', '200000')
    assert [result['shapes'] for result in results] == [2000, 20000, 200000]
    assert all(0 < result['open_ms'] < 1000 for result in results)
    assert results[-1]['shards'] > 1 and len(printed.splitlines()) == 9
    # What opening and reading adds does not follow the number of shapes: the largest index is 8 MB.
    assert results[-1]['own_kb'] < 4000
    small, large = results[0]['worker_kb'], results[-1]['worker_kb']
    assert small > 10_000 and abs(large - small) < 2000 and 'worker_kb' not in results[1]
    assert f'{large / 1024:.1f} MB' in printed.splitlines()[-1]
