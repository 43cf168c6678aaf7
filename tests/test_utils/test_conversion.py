"""Converting many files: what stops everything, what stops one of them, and what is said."""

from __future__ import annotations

import time

import pytest

from mmpt.utils import TrainingInterrupted
from mmpt.utils.conversion import ConversionError, convert_all


def work(task):
    if isinstance(task, BaseException):
        raise task
    return [f'took {task}'] if task else []


def test_all_are_done_and_notes_are_said(capsys):
    convert_all({'a': 0, 'b': 1}, work, 'rooms')
    assert capsys.readouterr().err.splitlines() == ['  b: took 1', '  2 of 2 rooms in 0 s']


@pytest.mark.parametrize('workers', [1, 2])
def test_what_fails_is_named_and_the_rest_is_done(capsys, workers):
    tasks = {'a': ValueError('no\nroom.'), 'b': 1, 'c': FileNotFoundError('gone.')}
    with pytest.raises(ConversionError, match=r'^2 of 3 rooms could not be converted \(.*same command') as error:
        convert_all(tasks, work, 'rooms', workers)
    assert error.value.exit_code == 2 and {'a', 'c'} == set(str(error.value).split('(')[1].split(';')[0].split(', '))
    said = capsys.readouterr().err
    assert '  a failed: no room.\n' in said and '  c failed: gone.\n' in said and '  b: took 1\n' in said


def test_a_full_disk_stops_everything(capsys):
    with pytest.raises(OSError, match='No space'):
        convert_all({'a': OSError(28, 'No space left on device'), 'b': 1}, work, 'rooms')
    assert 'took' not in capsys.readouterr().err


def test_a_stop_says_how_to_go_on():
    with pytest.raises(TrainingInterrupted, match=r'^Stopped after 1 of 3 rooms; the same command goes on') as error:
        convert_all({'a': 1, 'b': KeyboardInterrupt(), 'c': 1}, work, 'rooms')
    assert error.value.exit_code == 130


def test_progress_says_the_time_that_is_left(capsys, monkeypatch):
    clock = iter(range(0, 10**6, 15))
    monkeypatch.setattr(time, 'monotonic', lambda: float(next(clock)))
    convert_all({str(k): 0 for k in range(4)}, work, 'scenes')
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        '  1 of 4 scenes, 45 s left',
        '  2 of 4 scenes, 30 s left',
        '  3 of 4 scenes, 15 s left',
        '  4 of 4 scenes, 0 s left',
        '  4 of 4 scenes in 75 s',
    ]
