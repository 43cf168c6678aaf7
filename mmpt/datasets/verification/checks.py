"""What the facts of a data set mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import PointCloudDataset
from .findings import Finding, join_names, sample_name
from .table import NO_LABEL, FactsTable
from .up_axis import Standing, objects_stand, scenes_stand

__all__ = [
    'check_axis',
    'check_counts',
    'check_features',
    'check_files',
    'check_labels',
    'check_pictures',
    'check_scale',
]

# Of a cloud that is said to be in the unit sphere: how far centre and radius may be off, and for how many clouds.
_SPHERE_SLACK, _SPHERE_SHARE = 0.05, 0.95
# A radius so many times the median, or so small a part of it, is worth a look.
_OUTLIER = 20.0
# Where at most so many clouds have fewer points than all the rest, these are odd.
_FEWER_SHARE = 0.05
# Metres: the extents within which rooms and sweeps of a LiDAR lie.
_HEIGHTS, _WIDTHS = (0.5, 120.0), (0.5, 1000.0)


def check_counts(dataset: PointCloudDataset) -> list[Finding]:
    """Compare with the published number of shapes, where the class states it.

    A class states it as ``EXPECTED_COUNTS``, a dict from (variant, split) to a number.
    """
    info = dataset.metainfo
    expected = getattr(dataset, 'EXPECTED_COUNTS', {}).get((info.get('variant'), info.get('split')))
    have = dataset.num_shapes()
    if expected is None or have == expected:
        return []
    return [
        Finding(
            'counts',
            'problem',
            f'{info["name"]}, variant {info["variant"]!r}, split {info["split"]!r} has {have:,} shapes, published are '
            f'{expected:,}; the lists or the download are incomplete, or of another release.',
        )
    ]


def check_files(dataset: PointCloudDataset, table: FactsTable) -> list[Finding]:
    """What could not be read, and clouds that a file cut off between two lines would give."""
    findings = [Finding(kind, 'problem', sentence) for _, kind, sentence in table.errors]
    sizes, times = np.unique(table['count'], return_counts=True)
    usual = sizes[times.argmax()] if len(sizes) else 0
    fewer = np.flatnonzero(table['count'] < usual)
    if 0 < len(fewer) <= _FEWER_SHARE * len(table) and times.max() >= (1 - _FEWER_SHARE) * len(table):
        names = join_names(f'{sample_name(dataset, table["index"][row])} of {table["count"][row]:,}' for row in fewer)
        text = (
            f'{len(fewer):,} of {len(table):,} clouds have fewer points than the rest, {usual:,}: {names}; their files '
            'may be cut off.'
        )
        findings.append(Finding('damaged', 'warning', text))
    return findings


def check_pictures(table: FactsTable) -> list[Finding]:
    """Pictures that do not decode, and shapes without any."""
    findings = [Finding('pictures', 'problem', sentence) for sentence in table.bad_pictures]
    without = int((table['pictures'] == 0).sum())
    if 0 < without < len(table):
        text = f'{without:,} of {len(table):,} shapes have no picture; they take part in what needs none.'
        findings.append(Finding('pictures', 'note', text))
    return findings


def check_labels(dataset: PointCloudDataset, labels: np.ndarray, indices: Sequence[int]) -> list[Finding]:
    """Labels out of range, and classes without a shape.

    Args:
        dataset (PointCloudDataset): the data set.
        labels (ndarray): (n,) int64, ``NO_LABEL`` for none.
        indices (Sequence[int]): numbers of the samples.
    """
    classes = dataset.metainfo.get('classes')
    labelled = labels != NO_LABEL
    if classes is None or not labelled.any():
        return []
    findings = []
    wrong = np.flatnonzero(labelled & ((labels < 0) | (labels >= len(classes))))
    if len(wrong):
        first = f'{sample_name(dataset, indices[wrong[0]])} has label {labels[wrong[0]]}'
        text = f'{len(wrong):,} labels are outside of 0 to {len(classes) - 1}, the numbers of the classes: {first}.'
        findings.append(Finding('labels', 'problem', text))
    unlabelled = np.flatnonzero(~labelled)
    if len(unlabelled):
        first = sample_name(dataset, indices[unlabelled[0]])
        text = f'{len(unlabelled):,} of {len(labels):,} samples have no label, the first is {first}.'
        findings.append(Finding('labels', 'note', text))
    empty = [name for label, name in enumerate(classes) if not (labels == label).any()]
    if empty:
        text = f'{len(empty)} of {len(classes)} classes have no shape in this split: {join_names(empty, 10)}.'
        findings.append(Finding('labels', 'warning', text))
    return findings


def check_features(dataset: PointCloudDataset, table: FactsTable) -> list[Finding]:
    """Features that differ from sample to sample, and values that are not what they should be."""
    findings = []
    if len(table.keys) > 1:
        (usual, _), *others = sorted(table.keys.items(), key=lambda item: -item[1][0])
        count, (other, (_, first)) = sum(found[0] for _, found in others), others[0]
        text = (
            f'{count:,} of {len(table):,} samples carry other features than the rest ({", ".join(usual) or "none"}): '
            f'{sample_name(dataset, first)} has {", ".join(other) or "none"}; a batch needs the same in all of them.'
        )
        findings.append(Finding('features', 'problem', text))
    bent = np.flatnonzero(table['bent_normals'] > 0.01)
    if len(bent):
        worst = bent[table['bent_normals'][bent].argmax()]
        text = (
            f'normals of {len(bent):,} of {len(table):,} samples are not of length 1, most in '
            f'{sample_name(dataset, table["index"][worst])} ({table["bent_normals"][worst]:.0%} of its points).'
        )
        findings.append(Finding('features', 'warning', text))
    findings += _check_colors(table)
    if len(table.semantic) and table.semantic[-1]:
        text = (
            f'{table.semantic[-1]:,} points in {table.scenes[-1]:,} scenes have a class outside of 0 to '
            f'{len(table.semantic) - 2} (-1 is none).'
        )
        findings.append(Finding('labels', 'problem', text))
    empty = [name for name, count in zip(dataset.metainfo.get('classes') or (), table.semantic[:-1]) if not count]
    if empty:
        text = f'{len(empty)} classes have no point in what was read of this split: {join_names(empty, 10)}.'
        findings.append(Finding('labels', 'warning', text))
    return findings


def _check_colors(table: FactsTable) -> list[Finding]:
    if not table.color_types:
        return []
    others = {kind: count for kind, count in table.color_types.items() if kind != 'uint8'}
    if others:
        kinds = ', '.join(f'{count:,} of type {kind}' for kind, count in others.items())
        text = f'colours should be 8-bit numbers from 0 to 255, got {kinds}; the data set has to convert them.'
        return [Finding('features', 'problem', text)]
    brightest = np.nanmax(table['brightest'])
    if brightest <= 1:
        text = f'no colour is brighter than {brightest:.0f} of 255: colours from 0 to 1 were cut to whole numbers.'
        return [Finding('features', 'problem', text)]
    return []


def check_scale(dataset: PointCloudDataset, table: FactsTable) -> list[Finding]:
    """Clouds without extent, of another size than the rest, or of another than the data set says."""
    if not len(table):
        return []
    findings = []
    radius, info = table['radius'], dataset.metainfo
    for row in np.flatnonzero(radius == 0):
        text = f'{sample_name(dataset, table["index"][row])} has all its points in one place.'
        findings.append(Finding('scale', 'problem', text))
    if info['normalize'] == 'unit_sphere':
        away = np.maximum(np.abs(radius - 1), np.linalg.norm(table['mean'], axis=1))
        off = np.flatnonzero(away > _SPHERE_SLACK)
        if len(off) > (1 - _SPHERE_SHARE) * len(table):
            text = (
                f"the data set says normalize='unit_sphere', but {len(off):,} of {len(table):,} clouds are not centred "
                f'with radius 1: {sample_name(dataset, table["index"][off[0]])} has its mean '
                f'{np.linalg.norm(table["mean"][off[0]]):.3g} from the origin and radius {radius[off[0]]:.3g}.'
            )
            findings.append(Finding('scale', 'problem', text))
    median = np.median(radius[radius > 0]) if (radius > 0).any() else 0.0
    odd = np.flatnonzero((radius > 0) & ((radius > _OUTLIER * median) | (radius * _OUTLIER < median)))
    if len(odd):
        names = join_names(f'{sample_name(dataset, table["index"][row])} of {radius[row]:.3g}' for row in odd)
        text = f'{len(odd):,} of {len(table):,} clouds have a radius far from the median, {median:.3g}: {names}.'
        findings.append(Finding('scale', 'warning', text))
    return findings + (_check_unit(table) if info['up_axis'] == 'z' else [])


def _check_unit(table: FactsTable) -> list[Finding]:
    """Scenes are in metres."""
    width, depth, height = extent = np.median(table['high'] - table['low'], axis=0)
    sizes = [(height, _HEIGHTS), (max(width, depth), _WIDTHS)]
    if all(low <= size <= high for size, (low, high) in sizes):
        return []
    fits = [
        name
        for name, factor in (('millimetres', 1e-3), ('centimetres', 1e-2), ('kilometres', 1e3))
        if all(low <= size * factor <= high for size, (low, high) in sizes)
    ]
    guess = f', which would be {" or ".join(fits)}' if fits else ''
    spans = ' x '.join(f'{size:.4g}' for size in extent)
    text = f'scenes should be in metres, but their median extent is {spans} (x, y, z){guess}.'
    return [Finding('scale', 'warning', text)]


def check_axis(dataset: PointCloudDataset, table: FactsTable) -> tuple[Standing, list[Finding]]:
    """Compare the axis along which the shapes stand with the one that the data set states."""
    info = dataset.metainfo
    said = info['up_axis']
    extents = table['high'] - table['low']
    if said == 'z':
        standing = scenes_stand(extents, table['shares'])
    else:
        standing = objects_stand(info['classes'] or (), table['label'], extents, table['shares'], table['places'])
    if standing.axis is None or (standing.axis == said and not standing.upside_down):
        return standing, []
    found = 'is upside down' if standing.axis == said else f'has {standing.axis} up'
    text = (
        f"the data set says up_axis='{said}', but it {found}, as far as its shapes show: {standing.evidence}; a model "
        'trained on shapes that stand otherwise will fail on it.'
    )
    return standing, [Finding('axis', 'warning', text)]


def summary(table: FactsTable) -> dict[str, Any]:
    """Figures of the shapes that were read: points, extents, radius, centre; smallest, median and largest."""
    if not len(table):
        return {}
    extents, offset = table['high'] - table['low'], np.linalg.norm(table['mean'], axis=1)

    def three(values: np.ndarray) -> list[float]:
        return [float(f'{value:.6g}') for value in (values.min(), np.median(values), values.max())]

    return {
        'points': [int(value) for value in three(table['count'])],
        'radius': three(table['radius']),
        'centre': three(offset),
        'extent': {axis: three(column) for axis, column in zip('xyz', extents.T)},
        'low': [float(f'{value:.6g}') for value in table['low'].min(axis=0)],
        'high': [float(f'{value:.6g}') for value in table['high'].max(axis=0)],
        'features': {', '.join(keys) or 'none': count for keys, (count, _) in table.keys.items()},
        'pictures': int(table['pictures'].sum()),
    }
