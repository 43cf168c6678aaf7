"""Files stay small enough to be read in one go."""

import subprocess

from _tree import ROOT


def _tracked(*patterns):
    listed = subprocess.run(['git', 'ls-files', *patterns], cwd=ROOT, capture_output=True, text=True)
    found = [ROOT / name for name in listed.stdout.splitlines()]
    # A copy without git is checked as it lies there.
    return [path for path in found if path.is_file()] or [
        path for pattern in patterns for path in ROOT.rglob(pattern) if '.venv' not in path.parts
    ]


def test_no_source_file_has_more_than_400_lines():
    files = _tracked('*.py', '*.sh')
    assert len(files) > 100
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_child_configs_hold_only_what_differs():
    configs = [path for path in _tracked('configs/*.py', 'projects/*.py') if '_base_ =' in path.read_text()]
    configs = [path for path in configs if '_base_' not in path.parts]
    assert len(configs) >= 5
    for path in configs:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith('#')]
        assert len(lines) < 40, path


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in (ROOT / 'mmpt').rglob('*.py')}
    assert all((folder / '__init__.py').is_file() for folder in folders)
