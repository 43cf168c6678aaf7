"""The same shape twice, in one data set or in two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from .findings import Finding, join_names, sample_name
from .fingerprint import Group, group_clouds
from .parts import Part
from .resampled import find_resampled
from .table import FactsTable

__all__ = ['check_duplicates']


def check_duplicates(parts: Sequence[Part], tables: Sequence[FactsTable]) -> tuple[list[Finding], dict[str, list]]:
    """Look for clouds that occur more than once, whatever the order of their points, their place and their scale.

    Between data sets of different splits also for shapes that may be one with other points drawn on it, where clouds
    have 2,048 points or more.

    Args:
        parts (Sequence[Part]): the data sets, all of them open.
        tables (Sequence[FactsTable]): what was read of each.

    Returns:
        tuple: what was found, a problem where the two are of different splits and a warning else, or where only the
        surface may be the same; and every pair for a report, as the names of the first and the second shape:
        ``{'a / b': [[name, name], ...], 'a / b, other points': ...}``.
    """
    if not tables:
        return [], {}
    found = _Pairs(parts, tables)
    for group in group_clouds(found.prints, np.concatenate([table['moments'] for table in tables])):
        found.add(group)
    findings, report = found.findings()
    for first, second in combinations(range(len(parts)), 2):
        if _split(parts[first]) != _split(parts[second]):
            found.add_resampled(first, second, findings, report)
    return findings, report


class _Pairs:
    """The pairs of equal shapes, by the two data sets that they are of."""

    def __init__(self, parts: Sequence[Part], tables: Sequence[FactsTable]) -> None:
        self.parts, self.tables = parts, tables
        self.prints = np.concatenate([table['fingerprint'] for table in tables])
        self.ends = np.cumsum([len(table) for table in tables])
        # Keys are positions of parts; values the places of a shape and of the one before it, and whether exactly equal.
        self.pairs: dict[tuple[int, int], list[tuple[int, int, bool]]] = {}

    def add(self, group: Group) -> None:
        owners = np.searchsorted(self.ends, group.members, side='right')
        prints = self.prints[group.members]
        for k in range(1, len(group.members)):
            # With an exact copy if there is one, in every data set up to this one once.
            for owner in np.unique(owners[:k]):
                earlier = [j for j in range(k) if owners[j] == owner]
                best = min(earlier, key=lambda j: prints[j] != prints[k])
                pair = (int(group.members[best]), int(group.members[k]), bool(prints[best] == prints[k]))
                self.pairs.setdefault((int(owner), int(owners[k])), []).append(pair)

    def name(self, place: int, owner: int) -> str:
        start = self.ends[owner] - len(self.tables[owner])
        dataset = self.parts[owner].dataset
        assert dataset is not None
        return sample_name(dataset, self.tables[owner]['index'][place - start])

    def findings(self) -> tuple[list[Finding], dict[str, list[list[str]]]]:
        findings, report = [], {}
        for (first, second), pairs in self.pairs.items():
            one, other = self.parts[first], self.parts[second]
            named = [(self.name(a, first), self.name(b, second), exact) for a, b, exact in pairs]
            report[one.name if first == second else f'{one.name} / {other.name}'] = [[a, b] for a, b, _ in named]
            apart = _split(one) != _split(other)
            same = [a for a, b, _ in named if a == b and first != second]
            if same:
                text = f'{len(same):,} samples of {other.name} are samples of {one.name} as well: {join_names(same)}.'
                findings.append(Finding('duplicates', 'warning' if apart else 'note', text))
            equal = [pair for pair in named if pair[0] != pair[1] or first == second]
            if equal:
                findings.append(Finding('duplicates', 'problem' if apart else 'warning', _text(one, other, equal)))
        return findings, report

    def add_resampled(
        self, first: int, second: int, findings: list[Finding], report: dict[str, list[list[str]]]
    ) -> None:
        one, other = self.parts[first], self.parts[second]
        known = {place for _, place, _ in self.pairs.get((first, second), ())}
        starts = self.ends - [len(table) for table in self.tables]
        pairs = [
            (self.name(starts[first] + a, first), self.name(starts[second] + b, second))
            for b, a in find_resampled(self.tables[first], self.tables[second])
            if starts[second] + b not in known
        ]
        if pairs:
            report[f'{one.name} / {other.name}, other points'] = [list(pair) for pair in pairs]
            text = (
                f'{len(pairs):,} shapes of {other.name} may be shapes of {one.name} with other points, or nearly so: '
                f'{join_names(f"{b} like {a}" for a, b in pairs)}.'
            )
            findings.append(Finding('duplicates', 'warning', text))


def _split(part: Part) -> str | None:
    return part.dataset.metainfo.get('split') if part.dataset is not None else None


def _text(one: Part, other: Part, pairs: list[tuple[str, str, bool]]) -> str:
    exact = sum(pair[2] for pair in pairs)
    how = f'{exact:,} of them number for number' if exact else 'after another shift, scale or rounding'
    examples = join_names(f'{b} is {a}' for a, b, _ in pairs)
    if one is other:
        return f'{len(pairs):,} shapes of {one.name} occur in it before, {how}: {examples}.'
    return f'{len(pairs):,} shapes of {other.name} are also in {one.name}, {how}: {examples}.'
