"""A data set from end to end: read, checked, told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader

from ..base import PointCloudDataset
from ..shards import verify
from .checks import (
    check_axis,
    check_counts,
    check_features,
    check_files,
    check_labels,
    check_pictures,
    check_scale,
    summary,
)
from .facts import FactsReader, reading_steps
from .findings import Finding
from .parts import Part
from .table import NO_LABEL, FactsTable
from .up_axis import Standing

__all__ = ['PartReport', 'verify_part']

# Samples that a worker reads before it hands them over.
_BATCH = 16
# How many samples are taken through the pipeline of the config.
_PIPELINE_SAMPLES = 8


class PartReport(NamedTuple):
    """What is known of a data set.

    Attributes:
        part (Part): the data set.
        shapes (int): how many it has.
        table (FactsTable): what was read.
        labels (ndarray): (shapes,) int64 label of each, ``NO_LABEL`` for none.
        standing (Standing): which axis is up.
        findings (list[Finding]): what was found.
    """

    part: Part
    shapes: int
    table: FactsTable
    labels: np.ndarray
    standing: Standing
    findings: list[Finding]

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        dataset = self.part.dataset
        assert dataset is not None
        info = dataset.metainfo
        classes = info['classes'] or ()
        return {
            'places': list(self.part.places),
            **{key: info.get(key) for key in ('name', 'variant', 'split', 'up_axis', 'normalize')},
            'shapes': self.shapes,
            'expected': getattr(dataset, 'EXPECTED_COUNTS', {}).get((info.get('variant'), info.get('split'))),
            'read': self.table.read,
            'missing': sum(kind == 'missing' for _, kind, _ in self.table.errors),
            'damaged': sum(kind == 'damaged' for _, kind, _ in self.table.errors),
            'stands_along': self.standing.axis,
            'classes': {name: int((self.labels == label).sum()) for label, name in enumerate(classes)},
            'class_points': dict(zip(classes, self.table.semantic.tolist())),
            **summary(self.table),
            'findings': [finding._asdict() for finding in self.findings],
        }


def verify_part(
    part: Part, most: int | None = None, workers: int = 0, progress: Callable[[int, int], None] | None = None
) -> PartReport:
    """Read a data set once and check what can be checked of it alone.

    Args:
        part (Part): the data set; it has to be open.
        most (int | None): read only so many samples, evenly spread; counts and labels are of all nevertheless.
        workers (int): processes that read; 0 for none beside this one.
        progress (Callable | None): called with the samples read so far and those to read.

    Returns:
        PartReport: what was found.
    """
    dataset = part.dataset
    assert dataset is not None
    indices = list(range(dataset.num_shapes()) if dataset.indices is None else dataset.indices)
    chosen = indices
    if most is not None and most < len(indices):
        chosen = [indices[k] for k in np.linspace(0, len(indices) - 1, most).astype(int)]
    findings, problems = [], []
    if part.packed is not None:
        problems = verify(part.packed, full=most is None)
    table = _read(dataset, reading_steps(part.pipeline), chosen, workers, progress)
    # A record that could not be read either is named once, by the sentence that says what to do.
    failed = {index for index, _, _ in table.errors}
    findings += [Finding('damaged', 'problem', str(found)) for found in problems if found.record not in failed]
    labels = _labels(dataset, indices, table)
    standing, about_axis = check_axis(dataset, table)
    findings += [
        *check_counts(dataset),
        *check_files(dataset, table),
        *check_pictures(table),
        *check_labels(dataset, labels, indices),
        *check_features(dataset, table),
        *check_scale(dataset, table),
        *about_axis,
        *_check_pipeline(part, table, indices),
    ]
    return PartReport(part, len(indices), table, labels, standing, findings)


def _read(
    dataset: PointCloudDataset,
    steps: Sequence[Callable],
    indices: Sequence[int],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> FactsTable:
    table = FactsTable(len(indices))
    loader = DataLoader(
        FactsReader(dataset, steps),
        batch_size=_BATCH,
        sampler=indices,
        num_workers=min(workers, -(-len(indices) // _BATCH)),
        collate_fn=_as_it_is,
    )
    for batch in loader:
        for facts in batch:
            table.add(facts)
        if progress is not None:
            progress(table.read, len(indices))
    return table


def _as_it_is(batch: list) -> list:
    return batch


def _labels(dataset: PointCloudDataset, indices: Sequence[int], table: FactsTable) -> np.ndarray:
    """Of all shapes where that needs no file, else of those that were read."""
    if getattr(dataset.label, '__func__', None) is PointCloudDataset.label:
        return table['label']
    labels = (dataset.label(index) for index in indices)
    return np.array([NO_LABEL if label is None else label for label in labels], np.int64)


def _check_pipeline(part: Part, table: FactsTable, indices: Sequence[int]) -> list[Finding]:
    """Whether some samples come through the transforms of the config."""
    dataset = part.dataset
    assert dataset is not None
    position = {index: k for k, index in enumerate(indices)}
    rows = np.unique(np.linspace(0, len(table) - 1, _PIPELINE_SAMPLES).astype(int)) if len(table) else []
    dataset.pipeline = list(part.pipeline)
    findings = []
    try:
        for row in rows:
            dataset.sample(position[int(table['index'][row])])
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        text = f'the pipeline of {part.places[0]} does not take a sample: {" ".join(str(reason).split())}'
        findings.append(Finding('pipeline', 'problem', text))
    finally:
        dataset.pipeline = []
    return findings
