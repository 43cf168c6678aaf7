"""Several clouds of one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import POINT_KEYS, Transform, build_pipeline, run_pipeline

__all__ = ['MultiView']


@TRANSFORMS.register_module()
class MultiView(Transform):
    """Make several clouds of the same shape, each by a pipeline and a generator of its own.

    Every sub-pipeline starts from the sample as it is here. Its generator depends on the sample's and on the number of
    the view alone, so that a change in one sub-pipeline, or one more of them, never moves the draws of another, nor
    those of what follows.

    Required keys: points, rng. Modified keys: whatever the first sub-pipeline changes. Added keys: points_view2,
    points_view3, ... (N', 3) float32, one for each further sub-pipeline, and beside each the other keys with one row
    per point under the same suffix (normals_view2, colors_view2, parts_view2, ...).

    Args:
        pipelines (Sequence[Sequence[dict | Callable]]): the transforms of each view; the same list may stand in it
            twice. What follows this transform works on the first view, so that it belongs last, before ``PackInputs``.

    Raises:
        ValueError: there is no pipeline.
    """

    required = ('points', 'rng')

    def __init__(self, pipelines: Sequence[Sequence[dict | Callable]]) -> None:
        if not pipelines:
            raise ValueError('MultiView(pipelines=[]): expected one list of transforms for each view.')
        self.pipelines = [build_pipeline(pipeline) for pipeline in pipelines]
        self.metainfo = {}
        for step in self.pipelines[0]:
            self.metainfo.update(getattr(step, 'metainfo', {}))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Run every sub-pipeline and put the views together."""
        seed = results['rng'].integers(0, 2**32, size=4).tolist()
        views = [
            run_pipeline(pipeline, {**results, 'rng': np.random.default_rng([*seed, number])})
            for number, pipeline in enumerate(self.pipelines)
        ]
        joined = {**views[0], 'rng': results['rng']}
        for number, view in enumerate(views[1:], start=2):
            joined.update({f'{key}_view{number}': view[key] for key in POINT_KEYS if key in view})
        return joined
