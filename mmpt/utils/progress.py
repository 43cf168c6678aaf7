"""How far a long task is, and how long the rest takes."""

from __future__ import annotations

import sys
import time

__all__ = ['Progress', 'duration']


class Progress:
    """A line that is rewritten on a terminal, or one every ten seconds in a file; on stderr, beside a command's output.

    Args:
        what (str): begins the line.
        total (int): how many there are.
        unit (str): of what.
        before (int): how many were done in an earlier run.
    """

    def __init__(self, what: str, total: int, unit: str = 'shapes', before: int = 0) -> None:
        self.what, self.total, self.unit, self.before = what, total, unit, before
        self.start = self.last = time.monotonic()
        self.interactive = sys.stderr.isatty()

    def show(self, done: int, note: str = '') -> None:
        """Say how far it is, unless that was said a moment ago; ``note`` stands behind the count."""
        now = time.monotonic()
        if now - self.last < (0.5 if self.interactive else 10):
            return
        self.last = now
        rate = (done - self.before) / (now - self.start)
        left = duration((self.total - done) / rate) if rate else 'unknown time'
        text = f'{self.what}: {done:,} of {self.total:,} {self.unit}{note}, {rate:,.0f} a second, {left} left'
        print(f'\r{text:<78}' if self.interactive else text, end='' if self.interactive else '\n', file=sys.stderr)
        sys.stderr.flush()

    def line(self, text: str) -> None:
        """Say something else in between."""
        print(f'\r{text:<78}' if self.interactive else text, file=sys.stderr, flush=True)

    def close(self, note: str = '') -> None:
        """Say how long it took, for those that were not done before."""
        done = f'{self.total - self.before:,} {"more " if self.before else ""}{self.unit}{note}'
        self.line(f'{self.what}: {done} in {duration(time.monotonic() - self.start)}')


def duration(seconds: float) -> str:
    """Seconds as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {rest} s' if minutes else f'{rest} s'
