"""tools/benchmarks/ops.py: all forms of an operation say the same, and figures follow from the times it lists."""

import json
import statistics
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))
import _timing  # noqa: E402
import ops  # noqa: E402

COMPARED = {name: case for name, case in ops.cases(smoke=True).items() if case.agrees}
DENSE, LARGE = 'cdist, differentiated through', 'chamfer 8 x 2048 x 2048, fwd+bwd'


@pytest.mark.parametrize('name', COMPARED)
def test_all_forms_of_an_operation_agree(name):
    case = COMPARED[name]
    forms = case.forms()
    assert next(iter(forms)) == 'ours' and len(forms) > 1
    found = ops.agreement(forms, case.agrees)
    assert found.keys() == forms.keys()
    if case.agrees == 'value':
        assert max(found.values()) < 1e-5
    else:
        # Neighbours of a matrix product that differ by its rounding may change places.
        assert all(share == 1 or ('product' in form and share > 0.99) for form, share in found.items())


def test_what_does_not_agree_is_seen():
    right = torch.arange(24).reshape(1, 2, 12)
    wrong = right.clone()
    wrong[0, 0, :2] = torch.tensor([1, 0])
    forms = {'ours': lambda: wrong, 'exact': lambda: right}
    assert ops.agreement(forms, 'index') == {'ours': 22 / 24, 'exact': 1}
    assert ops.agreement(forms, 'set') == {'ours': 1, 'exact': 1}
    forms = {'ours': lambda: (right * 1.0, right * 1.5), 'exact': lambda: (right * 1.0, right * 1.0)}
    assert ops.agreement(forms, 'value') == {'ours': 0.5, 'exact': 0}


def test_smoke_writes_figures_that_follow_from_the_times(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_timing, '_TRIES', 1)
    out = tmp_path / 'ops.json'
    ops.main(['--smoke', '--only', 'chamfer 8', '--threads', '1', '--clock', 'cpu', '--json', str(out)])
    said, record = capsys.readouterr().out, json.loads(out.read_text())
    (row,) = record['cases']
    assert row['case'] == LARGE and row['case'] in said and 'k-d trees, gather' in row['seconds']
    assert row['ratio'].keys() == row['agrees'].keys() == row['seconds'].keys() == row['peak_mib'].keys()
    for form, seconds in row['seconds'].items():
        pairs = [a / b for a, b in zip(seconds, row['seconds']['ours'], strict=True)]
        assert row['ratio'][form] == pytest.approx([statistics.median(pairs), min(pairs), max(pairs)])
        assert row['peak_mib'][form] >= 0 and form in said


def test_memory_is_that_of_one_run():
    """All distances of 8 clouds of 2048 points are 128 MiB; ours never holds them."""
    args = ops.parse_args(['--threads', '1'])
    whole = _timing.in_own_process(lambda: ops.memory_of(LARGE, DENSE, args))
    ours = _timing.in_own_process(lambda: ops.memory_of(LARGE, 'ours', args))
    assert 128 < whole < 1024 and ours < 32


def test_a_case_that_is_not_there_is_named():
    with pytest.raises(ops.ConfigError, match='--only nothing: no case has that in its name; there are fps 32 x'):
        ops.main(['--only', 'nothing'])
