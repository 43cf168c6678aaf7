"""The values of one training step, each computed when it is first read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

__all__ = ['Step']


class Step(Mapping[str, Any]):
    """Names and how to compute them; a value is computed at most once.

    A thunk may read other names of the step, so the order of computation follows from who reads what.
    """

    def __init__(self) -> None:
        self._thunks: dict[str, Callable[[], Any]] = {}
        self._values: dict[str, Any] = {}

    def offer(self, name: str, thunk: Callable[[], Any]) -> None:
        """Say how a value is computed."""
        self._thunks[name] = thunk

    def put(self, name: str, value: Any) -> None:
        """Leave a value behind."""
        self._values[name] = value

    def watch(self, around: Callable[[str, Callable[[], Any]], Any]) -> None:
        """Let ``around(name, thunk)`` compute every value that is offered so far, to measure what it costs."""
        self._thunks = {name: partial(around, name, thunk) for name, thunk in self._thunks.items()}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._thunks[name]()
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._thunks

    def __iter__(self) -> Iterator[str]:
        return iter({**self._thunks, **self._values})

    def __len__(self) -> int:
        return len({**self._thunks, **self._values})
