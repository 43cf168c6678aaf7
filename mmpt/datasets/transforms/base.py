"""What every transform shares: the check of its keys, the pipeline, and how an error names the sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

__all__ = ['IMAGE_KEYS', 'POINT_KEYS', 'Transform', 'build_pipeline', 'check_points', 'name_sample', 'run_pipeline']

# Keys with one row per point: whatever picks points picks rows of all of them.
POINT_KEYS = ('points', 'normals', 'colors', 'intensity', 'parts', 'semantic', 'instance')
# Keys with one row per picture, likewise.
IMAGE_KEYS = ('images', 'has_image', 'image_index', 'image_scale', 'image_flip')


class Transform:
    """A step of a pipeline: takes the dictionary of one sample, changes it, returns it.

    A subclass implements :meth:`transform` and names in ``required`` the keys it cannot do without. It draws from
    ``results['rng']`` and from nothing else, and replaces arrays instead of writing into them, because they may belong
    to the data set. ``metainfo`` is what the step changes about the data set as a whole (see
    :class:`~mmpt.datasets.PointCloudDataset`). A plain callable ``results -> results`` serves as well.

    A step that reads files has a method ``pack`` beside it, which tools/dataset_converters/pack.py calls in its place.
    It reads as well, but draws nothing and leaves out nothing that a later draw may ask for; given packed data, the
    step finds everything read.
    """

    required: tuple[str, ...] = ()
    metainfo: dict[str, Any] = {}

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Check the required keys, then apply the transform."""
        missing = [key for key in self.required if key not in results]
        if missing:
            remedy = 'move it behind the transform that adds the key'
            if 'points' in missing and 'vertices' in results:
                remedy = 'it is a mesh, so put SampleSurface before'
            elif 'points' in missing and 'points_path' in results:
                remedy = 'put LoadPoints before'
            raise KeyError(
                f'{type(self).__name__} needs {" and ".join(map(repr, missing))}, which {name_sample(results)} does '
                f'not have at this place of the pipeline; {remedy}.'
            )
        return self.transform(results)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``results`` and return it."""
        raise NotImplementedError


def build_pipeline(pipeline: Sequence[dict | Callable]) -> list[Callable]:
    """Build the transforms of a list in a config; callables pass through."""
    return [step if callable(step) else TRANSFORMS.build(step) for step in pipeline]


def run_pipeline(pipeline: Sequence[Callable], results: dict[str, Any]) -> dict[str, Any]:
    """Apply transforms in order.

    Raises:
        TypeError: a transform returned None: a sample is never dropped silently, because the number of samples an
            epoch has would then depend on the draws.
    """
    for step in pipeline:
        name = name_sample(results)
        results = step(results)
        if results is None:
            raise TypeError(
                f'{type(step).__name__} returned None for {name}; a transform returns the results or raises.'
            )
    return results


def name_sample(results: dict[str, Any]) -> str:
    """How an error calls the sample: its id, and the file where there is one."""
    path = results.get('points_path')
    return f'sample {results.get("sample_id", "?")!r}' + (f' ({path})' if path else '')


def check_points(results: dict[str, Any]) -> None:
    """Check ``results['points']``, and the rows of what goes with it, where data enter the pipeline.

    Raises:
        ValueError: not (N, 3) floats, no point at all, a coordinate that is not finite, or normals or parts whose
            number of rows differs.
    """
    points, name = results['points'], name_sample(results)
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(
            f"expected 'points' of shape (N, 3) in {name}, got {getattr(points, 'shape', type(points).__name__)}; "
            'further channels go into keys of their own, such as normals.'
        )
    if len(points) == 0:
        raise ValueError(f'expected at least one point in {name}, got an empty cloud; remove it from the list.')
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise ValueError(
            f'expected finite coordinates in {name}, got NaN or infinity in {bad} of {len(points)} points; '
            'repair the file or remove it from the list.'
        )
    for key in POINT_KEYS[1:]:
        if key in results and len(results[key]) != len(points):
            raise ValueError(
                f'expected one row of {key!r} for each of the {len(points)} points of {name}, got '
                f'{len(results[key])}; the transform that changed the points left {key!r} behind.'
            )
