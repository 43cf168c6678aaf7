"""The line that says how far a long command is."""

from types import SimpleNamespace

import pytest

from mmpt.utils.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr('mmpt.utils.progress.time', SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_rate_and_time_left_every_ten_seconds_in_a_file(clock, capsys):
    progress = Progress('train', 5000)
    for done in (500, 1000, 1500, 2000):
        clock.now += 6
        progress.show(done)
    clock.now += 36
    progress.close()
    assert capsys.readouterr().err.splitlines() == [
        'train: 1,000 of 5,000 shapes, 83 a second, 48 s left',
        'train: 2,000 of 5,000 shapes, 83 a second, 36 s left',
        'train: 5,000 shapes in 1 min 0 s',
    ]


def test_what_an_earlier_run_has_done_is_no_part_of_the_rate(clock, capsys):
    progress = Progress('train', 5000, before=4000)
    clock.now += 10
    progress.show(4100, ', 7 MB')
    clock.now += 90
    progress.close(', 70 MB,')
    assert capsys.readouterr().err.splitlines() == [
        'train: 4,100 of 5,000 shapes, 7 MB, 10 a second, 1 min 30 s left',
        'train: 1,000 more shapes, 70 MB, in 1 min 40 s',
    ]


def test_nothing_done_promises_nothing(clock, capsys):
    progress = Progress('val', 10, unit='scenes')
    clock.now += 20
    progress.show(0)
    assert capsys.readouterr().err == 'val: 0 of 10 scenes, 0 a second, unknown time left\n'


def test_a_terminal_has_one_line_that_is_rewritten(clock, capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    progress = Progress('train', 4)
    for done in (1, 2):
        clock.now += 1
        progress.show(done)
    progress.line('left out: x.npy is cut short.')
    progress.close()
    written = capsys.readouterr().err
    assert written.count('\n') == 2 and written.count('\r') == 4
    assert all(len(text.rstrip('\n')) == 78 for text in written.split('\r')[1:]), 'a shorter text hides a longer one'


def test_duration():
    said = {0.4: '0 s', 59.6: '1 min 0 s', 3599: '59 min 59 s', 7260: '2 h 1 min'}
    assert {seconds: duration(seconds) for seconds in said} == said
