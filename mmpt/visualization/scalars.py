"""Reading what mmengine logged."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ['Curve', 'read_scalars', 'select']


class Curve(NamedTuple):
    """One logged value over time.

    Attributes:
        steps (list[int]): iterations, ascending.
        values (list[float]): finite values.
    """

    steps: list[int]
    values: list[float]


def read_scalars(path: str | os.PathLike[str]) -> dict[str, Curve]:
    """Curves of a run.

    Args:
        path (str): a work dir (all its runs in order of time; what a resumed run logged anew replaces the older), or
            one ``scalars.json`` or ``<timestamp>.json`` of mmengine: a JSON object per line.

    Returns:
        dict[str, Curve]: by name of the value, for example ``task/plr``, ``probe/svm``; values that are not finite
        are left out.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'{path} holds no mmengine log: expected <timestamp>/vis_data/scalars.json in it.')
    curves: dict[str, Curve] = {}
    for file in files:
        for name, curve in _read_file(file).items():
            older = curves.get(name, Curve([], []))
            kept = sum(step < curve.steps[0] for step in older.steps)
            curves[name] = Curve(older.steps[:kept] + curve.steps, older.values[:kept] + curve.values)
    return curves


def _read_file(file: Path) -> dict[str, Curve]:
    latest: dict[str, dict[int, float]] = {}
    for line in file.read_text(encoding='utf-8').splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            # A killed run leaves half a line at the end.
            continue
        step = entry.pop('step', entry.get('iter'))
        for name, value in entry.items():
            if step is not None and isinstance(value, (int, float)) and math.isfinite(value):
                latest.setdefault(name, {})[int(step)] = float(value)
    return {
        name: Curve(sorted(by_step), [by_step[step] for step in sorted(by_step)]) for name, by_step in latest.items()
    }


def select(curves: dict[str, Curve], prefix: str, skip: Iterable[str] = ()) -> dict[str, Curve]:
    """Curves named ``<prefix>/<rest>``, by ``<rest>``."""
    rest = {name[len(prefix) + 1 :]: curve for name, curve in curves.items() if name.startswith(f'{prefix}/')}
    return {name: curve for name, curve in rest.items() if name not in set(skip)}
