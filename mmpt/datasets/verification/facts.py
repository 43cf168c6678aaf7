"""What verification takes from a sample: read once, remembered in a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from ..base import PointCloudDataset
from ..reading import read_image
from ..threads import one_thread
from ..transforms import POINT_KEYS, LoadPoints, check_points, name_sample
from ..transforms.meshes import sample_surface
from .fingerprint import fingerprint, moments
from .up_axis import layers

__all__ = ['Facts', 'FactsReader', 'read_facts', 'reading_steps']

# Points drawn on a mesh to measure it; the draws are the same every time.
_MESH_POINTS = 4096


class Facts(NamedTuple):
    """A sample in a few numbers.

    Attributes:
        index (int): its number in the data set.
        error (tuple[str, str] | None): 'missing' or 'damaged', and the sentence; then nothing else is set but what is
            known without its files.
        label (int | None): its class.
        split (str): its part of the data.
        keys (tuple[str, ...]): what it carries beside coordinates, sorted.
        count (int): points, or vertices of a mesh.
        low, high, mean (ndarray): (3,) float64, of the points.
        radius (float): the largest distance from ``mean``.
        shares, places (ndarray): (3,) each, of :func:`~.up_axis.layers`.
        fingerprint (int): of :func:`~.fingerprint.fingerprint`.
        moments (ndarray): (30,) float64, of :func:`~.fingerprint.moments`.
        spread (ndarray): (465,) float32, likewise.
        bent_normals (float): share of the normals whose length is not 1; NaN without normals.
        brightest (float): largest colour value; NaN without colours.
        color_type (str): type of the colours; '' without.
        semantic (ndarray): (K + 1,) int64, points of each class of a scene, and of classes out of range; (0,) without.
        pictures (int): how many pictures belong to it.
        bad_pictures (tuple[str, ...]): a sentence for each that cannot be decoded.
    """

    index: int
    error: tuple[str, str] | None = None
    label: int | None = None
    split: str = ''
    keys: tuple[str, ...] = ()
    count: int = 0
    low: Any = None
    high: Any = None
    mean: Any = None
    radius: float = 0.0
    shares: Any = None
    places: Any = None
    fingerprint: int = 0
    moments: Any = None
    spread: Any = None
    bent_normals: float = float('nan')
    brightest: float = float('nan')
    color_type: str = ''
    semantic: Any = None
    pictures: int = 0
    bad_pictures: tuple[str, ...] = ()


class FactsReader(Dataset):
    """The facts of the samples of a data set, for a data loader to read in parallel.

    Args:
        dataset (PointCloudDataset): the data set; its pipeline is not run.
        steps (Sequence[Callable]): of :func:`reading_steps`.
    """

    def __init__(self, dataset: PointCloudDataset, steps: Sequence[Callable]) -> None:
        self.dataset, self.steps = dataset, list(steps)

    def __len__(self) -> int:
        return self.dataset.num_shapes()

    def __getitem__(self, index: int) -> Facts:
        """The facts of a sample; one that cannot be read is a fact as well."""
        return read_facts(self.dataset, self.steps, index)


def reading_steps(pipeline: Sequence[Callable]) -> list[Callable]:
    """The steps of a pipeline that read files, in the form that draws nothing and leaves nothing out."""
    return [step.pack for step in pipeline if hasattr(step, 'pack')]


def read_facts(dataset: PointCloudDataset, steps: Sequence[Callable], index: int) -> Facts:
    """Read everything of a sample.

    Args:
        dataset (PointCloudDataset): the data set.
        steps (Sequence[Callable]): of :func:`reading_steps`.
        index (int): number of the sample, over all of the data set.

    Returns:
        Facts: with ``error`` set where a file is missing or damaged.
    """
    facts = Facts(index)
    try:
        results = dataset.load_info(index)
        facts = facts._replace(label=results.get('label'), split=results.get('split', ''))
        paths = list(results.get('image_paths', ()))
        for step in steps:
            results = step(results)
        if 'points_path' in results and not {'points', 'vertices', 'complete'} & set(results):
            results = LoadPoints()(results)
        with one_thread():
            facts = _measure(facts, results, dataset.metainfo.get('classes'))
    except FileNotFoundError as error:
        return facts._replace(error=('missing', _sentence(error)))
    except (ValueError, OSError) as error:
        return facts._replace(error=('damaged', _sentence(error)))
    return _look(facts, results, paths)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {error.strerror}.'
    return ' '.join(str(error).split())


def _measure(facts: Facts, results: dict[str, Any], classes: Sequence[str] | None) -> Facts:
    if 'points' in results:
        check_points(results)
    for number, partial in enumerate(results.get('partials', ())):
        name = f'{results.get("sample_id", "?")}, partial cloud {number}'
        check_points({'points': partial, 'sample_id': name})
    points = counted = results.get('points', results.get('complete'))
    if points is None and 'vertices' in results:
        counted, name = results['vertices'], name_sample(results)
        face, weights, _ = sample_surface(counted, results['faces'], _MESH_POINTS, np.random.default_rng(0), name)
        points = np.einsum('nk,nkc->nc', weights, counted[results['faces'][face]])
    if points is None:
        raise ValueError(
            f'{name_sample(results)} has neither points nor a mesh when its files are read; begin the pipeline with '
            'LoadPoints.'
        )
    rows = points.astype(np.float64)
    mean = rows.mean(axis=0)
    shares, places = layers(points)
    described, spread = moments(counted)
    beside = set(results) & {*POINT_KEYS[1:], 'vertices', 'partials', 'complete', 'caption', 'boxes', 'projections'}
    return facts._replace(
        keys=tuple(sorted(beside)),
        count=len(counted),
        low=rows.min(axis=0),
        high=rows.max(axis=0),
        mean=mean,
        radius=float(np.sqrt(((rows - mean) ** 2).sum(axis=1).max())),
        shares=shares,
        places=places,
        fingerprint=fingerprint(counted),
        moments=described,
        # Vertices of a mesh are no draws from its surface.
        spread=spread if points is counted else np.full_like(spread, np.nan),
        semantic=_count_classes(results.get('semantic'), len(classes or ())),
        **_features(results),
    )


def _features(results: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if 'normals' in results:
        length = np.linalg.norm(results['normals'].astype(np.float64), axis=1)
        found['bent_normals'] = float((~(np.abs(length - 1) < 0.01)).mean())
    if 'colors' in results:
        found['brightest'], found['color_type'] = float(results['colors'].max()), str(results['colors'].dtype)
    return found


def _count_classes(semantic: np.ndarray | None, classes: int) -> np.ndarray:
    """Points of each class, and last of those that are no class (-1 is one without a label)."""
    if semantic is None:
        return np.zeros(0, np.int64)
    known = semantic[(semantic >= 0) & (semantic < classes)]
    other = int(((semantic < -1) | (semantic >= classes)).sum())
    return np.append(np.bincount(known, minlength=classes), other)


def _look(facts: Facts, results: dict[str, Any], paths: list[str]) -> Facts:
    """Decode every picture that belongs to the sample."""
    if 'images' in results:
        return facts._replace(pictures=int(results['has_image'].sum()))
    files = results.get('image_bytes', results.get('image_paths', ()))
    bad = []
    for number, file in enumerate(files):
        try:
            read_image(file)
        except (ValueError, OSError) as error:
            where = f'{paths[number]}: ' if isinstance(file, bytes) and number < len(paths) else ''
            bad.append(f'{where}{_sentence(error)} It belongs to {name_sample(results)}.')
    return facts._replace(pictures=len(files), bad_pictures=tuple(bad))
