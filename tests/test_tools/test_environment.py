"""tools/_env.sh in a checkout of its own, with a Python whose pip only notes what it is asked for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = """#!/bin/bash
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p .venv/bin
    cp "{folder}/inner" .venv/bin/python
    echo "#!$PWD/.venv/bin/python" >.venv/bin/pip
    echo venv >>"{folder}/calls"
    exit
fi
exec "{python}" "$@"
"""
INNER = """#!/bin/bash
if [ "$1 $2" = "-m pip" ]; then
    shift 4
    echo "pip $*" >>"{folder}/calls"
    if [ -f "{folder}/no_network" ]; then echo "Failed to establish a new connection"; exit 1; fi
    exit
fi
exec "{python}" "$@"
"""


@pytest.fixture
def checkout(tmp_path):
    for script in ('_env.sh', '_cpu_env.sh', 'quickstart.sh'):
        (tmp_path / 'tools').mkdir(exist_ok=True)
        shutil.copy(ROOT / 'tools' / script, tmp_path / 'tools')
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'requirements' / 'runtime.txt').write_text('torch\n')
    (tmp_path / 'setup.py').write_text('')
    (tmp_path / 'mmpt').mkdir()
    (tmp_path / 'mmpt' / 'registry.py').write_text('')
    for name, text in (('base', BASE), ('inner', INNER)):
        (tmp_path / name).write_text(text.format(folder=tmp_path, python=sys.executable))
        (tmp_path / name).chmod(0o755)
    return tmp_path


def start(checkout, *args, cwd='/', **env):
    calls = checkout / 'calls'
    calls.unlink(missing_ok=True)
    done = subprocess.run(
        ['bash', checkout / 'tools' / 'quickstart.sh', *(args or ['--setup-only'])],
        cwd=cwd,
        env={**os.environ, 'MMPT_PYTHON': str(checkout / 'base'), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_it_is_made_once_and_reused_from_any_folder(checkout):
    done, calls = start(checkout, VIRTUAL_ENV='/elsewhere', PYTHONPATH='/elsewhere')
    assert done.returncode == 0, done.stderr
    assert calls[0] == 'venv' and calls[-1].endswith('--no-deps --no-build-isolation -e .')
    assert any('-c requirements/constraints.txt -r requirements/runtime.txt' in call for call in calls)
    assert (checkout / '.venv' / 'mmpt-ready').is_file()
    done, calls = start(checkout, cwd=checkout / 'tools')
    assert done.returncode == 0 and calls == [] and 'reusing' in done.stdout


@pytest.mark.parametrize('name', ['runtime', 'tests', 'constraints'])
def test_changed_requirements_update_it(checkout, name):
    start(checkout)
    (checkout / 'requirements' / f'{name}.txt').write_text('torch\ntimm\n')
    done, calls = start(checkout)
    assert 'updating' in done.stdout and 'venv' not in calls and len(calls) == 3
    assert start(checkout)[1] == []


def test_a_moved_checkout_makes_it_anew(checkout, tmp_path_factory):
    start(checkout)
    moved = tmp_path_factory.mktemp('moved') / 'checkout'
    shutil.copytree(checkout, moved)
    done, _ = start(moved, MMPT_PYTHON=str(checkout / 'base'))
    assert done.returncode == 0 and 'making .venv' in done.stdout


def test_an_interrupted_installation_is_made_anew(checkout):
    (checkout / 'no_network').touch()
    done, _ = start(checkout)
    assert done.returncode == 1 and 'cannot be reached' in done.stderr
    assert not (checkout / '.venv' / 'mmpt-ready').exists()
    (checkout / 'no_network').unlink()
    done, calls = start(checkout)
    assert done.returncode == 0 and calls[0] == 'venv'


def test_an_environment_of_the_users_own_loses_nothing(checkout):
    start(checkout)
    (checkout / '.venv' / 'mmpt-ready').unlink()
    (checkout / '.venv' / 'precious').touch()
    done, calls = start(checkout)
    assert done.returncode == 0 and 'not made by this script' in done.stdout
    assert (checkout / '.venv' / 'precious').exists() and not any('constraints' in call for call in calls)


def test_what_cannot_work_is_one_sentence(checkout):
    (checkout / 'old').write_text('#!/bin/bash\nexit 1\n')
    (checkout / 'old').chmod(0o755)
    done, calls = start(checkout, MMPT_PYTHON=str(checkout / 'old'))
    assert done.returncode == 1 and 'not a Python of version 3.10' in done.stderr and calls == []
    (checkout / 'bare').write_text(f'#!/bin/bash\n[[ "$*" == *ensurepip* ]] && exit 1\nexec {sys.executable} "$@"\n')
    (checkout / 'bare').chmod(0o755)
    done, _ = start(checkout, MMPT_PYTHON=str(checkout / 'bare'))
    assert done.returncode == 1 and 'apt install python3-venv' in done.stderr


def test_help_needs_no_environment(checkout):
    done, calls = start(checkout, '--help')
    assert done.returncode == 0 and '--smoke' in done.stdout and calls == []
    assert not (checkout / '.venv').exists()


@pytest.mark.parametrize('script', sorted((ROOT / 'tools').glob('*.sh')), ids=lambda path: path.name)
def test_scripts_are_readable_by_bash(script):
    assert subprocess.run(['bash', '-n', script], capture_output=True, timeout=20).returncode == 0
