"""Weights of published peers, through the converter, give the peers' own numbers in the classes that train."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
from peers import fixtures_folder  # noqa: E402

FOLDER = fixtures_folder()
FAMILIES = sorted(path.stem.removeprefix('parity_') for path in Path(sys.path[0]).glob('parity_*.py'))


@pytest.mark.skipif(FOLDER is None, reason='needs the numeric fixtures: set MMPT_FIXTURES to their folder')
@pytest.mark.parametrize('family', FAMILIES)
def test_every_array_agrees(family):
    cases = list(importlib.import_module(f'parity_{family}').cases(FOLDER))
    assert len(cases) > 10
    wrong = [case for case in cases if not case.difference <= case.allowed]
    assert not wrong, wrong
