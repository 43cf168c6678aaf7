"""tools/benchmarks/patch_embed_speed.py runs both forms and says how they compare."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'benchmarks' / 'patch_embed_speed.py'


def test_it_prints_a_ratio_within_its_spread_for_each_size():
    small = ('--share', '0.05', '--size', '8', '--rounds', '3', '--threads', '1', '--clock', 'cpu')
    done = subprocess.run([sys.executable, SCRIPT, *small], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [
        re.search(r'([\d.]+) times as fast \(([\d.]+) to ([\d.]+) in 3 rounds\)', x) for x in done.stdout.splitlines()
    ]
    assert len(found) == 3
    assert all(0 < float(low) <= float(ratio) <= float(high) for ratio, low, high in (x.groups() for x in found))
