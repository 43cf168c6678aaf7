"""tools/benchmarks/dgcnn_speed.py runs both forms and says how they compare."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'benchmarks' / 'dgcnn_speed.py'


def test_it_prints_rounds_ratio_and_memory():
    small = ('--batch', '2', '--points', '64', '--k', '5', '--rounds', '2', '--threads', '1', '--clock', 'cpu')
    done = subprocess.run([sys.executable, SCRIPT, *small], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *rounds, summary, memory = done.stdout.splitlines()
    ratios = []
    for line in rounds:
        ours, plain, ratio = map(float, re.fullmatch(r'samples/s: ours (.*), plain (.*); ratio (.*)', line).groups())
        assert abs(ours / plain - ratio) < 0.02 * ratio
        ratios.append(ratio)
    assert len(ratios) == 2 and summary.startswith('2 x 64 points, k 5, cpu: ')
    assert min(ratios) <= float(summary.split()[-4]) <= max(ratios)
    assert re.fullmatch(r'memory, GiB: ours \d+\.\d\d, plain \d+\.\d\d', memory)
