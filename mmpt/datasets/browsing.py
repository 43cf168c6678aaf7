"""Samples as small pictures, to see what a data set holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .axes import z_up_to_y_up
from .base import PointCloudDataset
from .transforms import PackInputs, SampleSurface, render_views, resize_image

__all__ = ['TILE', 'browsing_steps', 'choose_shapes', 'draw_sample', 'sample_title']

#: Edge of a picture, in pixels.
TILE = 144
# Cameras, azimuth and elevation in degrees; 0 looks at the front (+z). Scenes are seen from above and at a slant.
_OBJECT_VIEWS = ((35.0, 25.0), (0.0, 10.0), (90.0, 10.0), (215.0, 25.0))
_SCENE_VIEWS = ((0.0, 89.0), (35.0, 50.0), (125.0, 50.0), (215.0, 50.0))
# More points than that are thinned out before they are drawn.
_MAX_POINTS = 60000
_MAX_IMAGES = 2
# Of a scene: what lies above this share of its height is taken off, so that one looks in; and what lies further out
# than so many times the radius that holds three quarters of the points, since far points of a LiDAR shrink the rest.
_ROOF, _REACH = 0.8, 2.0
# Colours of parts, classes and objects, as light as the grey of points without one.
_LABEL_COLORS = np.array(
    [
        *[[0.45, 0.65, 0.9], [0.95, 0.65, 0.35], [0.5, 0.8, 0.5], [0.9, 0.5, 0.55], [0.75, 0.6, 0.9], [0.85, 0.8, 0.4]],
        *[[0.45, 0.8, 0.8], [0.95, 0.6, 0.8], [0.7, 0.6, 0.5], [0.6, 0.75, 0.35], [0.5, 0.55, 0.8], [0.9, 0.75, 0.6]],
    ]
)
_UNLABELLED, _PARTIAL, _COMPLETE = np.array([0.75, 0.75, 0.75]), np.array([0.95, 0.5, 0.2]), np.array([0.7, 0.75, 0.85])


def browsing_steps(pipeline: Sequence[Callable], raw: bool) -> list[Callable]:
    """A pipeline that ends in arrays.

    Args:
        pipeline (Sequence[Callable]): the steps of a data set.
        raw (bool): what the data set holds: only those that read files, or make points of a mesh.

    Returns:
        list[Callable]: without ``PackInputs``; ``SampleSurface`` is added where a mesh may be left as it is.
    """
    keep = [step for step in pipeline if not isinstance(step, PackInputs)]
    if raw:
        keep = [step for step in keep if hasattr(step, 'pack') or isinstance(step, SampleSurface)]
    return keep


def choose_shapes(
    parts: Sequence[PointCloudDataset], count: int
) -> tuple[list[tuple[PointCloudDataset, int]], dict[str, int]]:
    """Choose what to draw: one shape of each class, then a second; evenly spread where there are no classes.

    Args:
        parts (Sequence[PointCloudDataset]): data sets with the same classes.
        count (int): how many at most.

    Returns:
        tuple: part and position of each, and the number of shapes of each class by name (empty without classes).
    """
    places = [(part, position) for part in parts for position in range(len(part))]
    classes = parts[0].metainfo['classes']
    by_class: dict[int | None, list[tuple[PointCloudDataset, int]]] = {}
    if classes is not None:
        for part, position in places:
            index = position if part.indices is None else part.indices[position]
            by_class.setdefault(part.label(index), []).append((part, position))
    if set(by_class) <= {None}:
        return [places[k] for k in np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)], {}
    order = sorted(by_class, key=lambda label: np.inf if label is None else label)
    sizes = {_class_name(label, classes): len(by_class[label]) for label in order}
    if count < len(order):
        order = [order[k] for k in np.linspace(0, len(order) - 1, count).astype(int)]
    rounds = range(max(map(len, by_class.values())))
    return [by_class[label][k] for k in rounds for label in order if k < len(by_class[label])][:count], sizes


def _class_name(label: int | None, classes: Sequence[str]) -> str:
    if label is None:
        return 'no class'
    return classes[label] if 0 <= label < len(classes) else f'unknown class {label}'


def sample_title(results: dict[str, Any]) -> str:
    """Class, identity and, where there is one, the caption of a sample."""
    title = str(results['sample_id'])
    if 'class_name' in results:
        title = f'{results["class_name"]}  ({title})'
    return f'{title}: {results["caption"]}' if 'caption' in results else title


def draw_sample(results: dict[str, Any], up_axis: str) -> list[np.ndarray]:
    """Draw a sample from four sides, with its other views, its pictures and what is to be completed beside.

    Points are shown in their colours; labels take over two of the four sides where there are both. A partial cloud is
    drawn in orange on the complete one.

    Args:
        results (dict): arrays, after a pipeline of :func:`browsing_steps`.
        up_axis (str): 'y', or 'z' for a scene, whose ceiling and far points are left out.

    Returns:
        list[ndarray]: (TILE, W, 3) uint8 RGB each.
    """
    if 'points' not in results and 'partials' in results:
        results = {**results, 'points': results['partials'][0]}
    if 'points' not in results and 'vertices' in results:
        results = SampleSurface(8192, normals=True)({**results, 'rng': np.random.default_rng(0)})
    scene = up_axis == 'z'
    views = _SCENE_VIEWS if scene else _OBJECT_VIEWS
    cloud = _drawable(results, scene)
    paints = _paints(cloud, scene)
    tiles = []
    for number, view in enumerate(views):
        paint = paints[number * len(paints) // len(views)]
        tiles += _render(cloud['points'], cloud.get('normals'), paint, [view])
    if 'complete' in results:
        whole = _drawable({'points': results['complete']}, scene)['points']
        # In this order: of points in the same place, the first is drawn.
        both = np.concatenate([cloud['points'], whole])
        paint = np.repeat([_PARTIAL, _COMPLETE], [len(cloud['points']), len(whole)], axis=0)
        tiles = tiles[:2] + _render(both, None, paint, views[:1]) + _render(whole, None, None, views[:1])
    number = 2
    while f'points_view{number}' in results:
        suffix = f'_view{number}'
        view = {key.removesuffix(suffix): rows for key, rows in results.items() if key.endswith(suffix)}
        other = _drawable(view, scene)
        tiles += _render(other['points'], other.get('normals'), None, views[:1])
        number += 1
    return tiles + _images(results)


def _drawable(results: dict[str, Any], scene: bool) -> dict[str, np.ndarray]:
    """At most so many points, y up; of a scene what one would look at."""
    keys = ('points', 'normals', 'colors', 'intensity', 'parts', 'semantic', 'instance')
    cloud = {key: results[key] for key in keys if key in results}
    if scene:
        points = cloud['points']
        middle = np.median(points, axis=0)
        away = np.linalg.norm(points - middle, axis=1)
        low, high = np.percentile(points[:, 2], (1, 99))
        keep = (away <= _REACH * np.percentile(away, 75)) & (points[:, 2] <= low + _ROOF * (high - low))
        # All of a scene that is flat, or has only a few points, is drawn.
        cloud = {key: value[keep] for key, value in cloud.items()} if keep.sum() > len(keep) / 4 else cloud
        cloud.update({key: z_up_to_y_up(cloud[key]) for key in ('points', 'normals') if key in cloud})
    if len(cloud['points']) > _MAX_POINTS:
        rows = np.random.default_rng(0).choice(len(cloud['points']), _MAX_POINTS, replace=False)
        cloud = {key: value[rows] for key, value in cloud.items()}
    return cloud


def _paints(cloud: dict[str, np.ndarray], scene: bool) -> list[np.ndarray | None]:
    """One or two colourings: as measured, and by label."""
    paints: list[np.ndarray | None] = []
    if 'colors' in cloud:
        paints.append(cloud['colors'] / 255)
    elif scene:
        height = cloud['points'][:, 1]
        share = (height - height.min()) / max(float(np.ptp(height)), 1e-9)
        paints.append(np.stack([0.25 + 0.7 * share, 0.45 + 0.3 * share, 0.85 - 0.6 * share], axis=1))
    for key in ('parts', 'semantic', 'instance'):
        if key in cloud:
            labels = cloud[key][:, None]
            paints.append(np.where(labels < 0, _UNLABELLED, _LABEL_COLORS[labels[:, 0] % len(_LABEL_COLORS)]))
            break
    else:
        if 'intensity' in cloud:
            top = max(float(np.percentile(cloud['intensity'], 98)), 1e-9)
            paints.append(np.repeat(0.15 + 0.8 * np.clip(cloud['intensity'] / top, 0, 1)[:, None], 3, axis=1))
    return paints or [None]


def _render(
    points: np.ndarray, normals: np.ndarray | None, paint: np.ndarray | None, views: Sequence[tuple[float, float]]
) -> list[np.ndarray]:
    cameras = np.deg2rad(np.asarray(views).T).astype(np.float32)
    # Twice the size, then averaged: smooth edges.
    large = render_views(points, normals, cameras, 2 * TILE, paint)
    return [resize_image(tile, TILE) for tile in large]


def _images(results: dict[str, Any]) -> list[np.ndarray]:
    """The pictures of the sample, with the points on them that were paired with their pixels."""
    tiles = []
    for view in np.flatnonzero(results['has_image'])[:_MAX_IMAGES] if 'images' in results else ():
        image = results['images'][view]
        height = TILE - 4
        width = min(max(round(image.shape[1] * height / image.shape[0]), height // 2), 3 * TILE)
        small = resize_image(image, (height, width)).copy()
        if 'pairs' in results:
            point, _, row, column = results['pairs'][results['pairs'][:, 1] == view].T
            distance = np.linalg.norm(results['points'][point], axis=1)
            near = 1 - np.clip(distance / np.percentile(distance, 95), 0, 1) if len(distance) else distance
            color = np.stack([255 * near, 80 + 120 * near, 255 * (1 - near)], axis=1).astype(np.uint8)
            small[row * height // image.shape[0], column * width // image.shape[1]] = color
        tile = np.full((TILE, width + 4, 3), 120, np.uint8)
        tile[2:-2, 2:-2] = small
        tiles.append(tile)
    return tiles
