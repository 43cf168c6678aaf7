"""The measurement of what kept teacher features save, on a small config."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'test_configs'))
TOOL = [sys.executable, str(ROOT / 'tools/benchmarks/teacher_cache.py')]


def test_four_ways_are_timed(tmp_path, monkeypatch):
    from _small import small_config

    monkeypatch.chdir(tmp_path)
    cfg = small_config('configs/recon/laptop_synthetic.py', tmp_path, None)
    cfg.dump(tmp_path / 'small.py')
    command = [*TOOL, 'small.py', '--batches', '2', '--device', 'cpu']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r'^(\w.*?) +([0-9.]+) samples/s +([0-9.]+) per CPU second$', done.stdout, re.M)
    names = ['teacher in every step', 'while the cache is filled', 'from the full cache', 'without the image task']
    assert [row[0] for row in rows] == names and all(float(row[1]) > 0 and float(row[2]) > 0 for row in rows)
    # Nothing is left where the config keeps its features.
    assert not (tmp_path / 'data' / 'teacher_features').exists()


def test_a_config_without_a_teacher_is_refused(tmp_path):
    config = ROOT / 'configs/point_mae/laptop_synthetic.py'
    done = subprocess.run([*TOOL, str(config), '--device', 'cpu'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "has no neck 'image_teacher'" in done.stderr and 'Traceback' not in done.stderr
