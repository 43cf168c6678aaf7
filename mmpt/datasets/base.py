"""What all data sets share: keys, the sample's own random generator, the pipeline, metainfo."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from mmpt.utils.folds import draw_share

from .shards import ShardReader
from .transforms import build_pipeline, check_points, name_sample, run_pipeline

__all__ = ['PointCloudDataset', 'split_key']

# A file that cannot be used shows itself as one of these; anything else is a mistake in the config or the code.
_BAD_SAMPLE = (ValueError, OSError)
# So many in a row are no matter of single samples.
_MAX_SUBSTITUTES = 16


def _arguments(kind: type) -> list[str]:
    """What a config may say about a data set of this class."""
    names = dict.fromkeys(
        name
        for parent in kind.__mro__
        if issubclass(parent, PointCloudDataset)
        for name, parameter in inspect.signature(parent.__init__).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    )
    return [name for name in names if name not in ('self', 'metainfo', 'packed_root')]


def split_key(key: int | tuple[int, int], length: int) -> tuple[int, int]:
    """Read a key of a sampler: ``(epoch, index)``, or ``index`` alone for epoch 0.

    Raises:
        IndexError: the index is not in [0, length).
    """
    epoch, index = key if isinstance(key, (tuple, list)) else (0, key)
    if not 0 <= index < length:
        raise IndexError(f'sample {index} of a data set that has {length}')
    return int(epoch), int(index)


class PointCloudDataset(Dataset):
    """A list of shapes, each taken through the pipeline with a random generator of its own.

    A subclass implements :meth:`num_shapes` and :meth:`load_info`, and passes what it knows about itself as
    ``metainfo``. A sample depends on (seed, epoch, index, stage) alone: not on the worker, the rank or what was read
    before.

    Args:
        pipeline (Sequence[dict | Callable]): transforms; the last one is normally ``PackInputs``.
        seed (int): of the transforms' draws, from 0.
        stage (int): a second seed, for runs in several stages over the same data.
        indices (Sequence[int] | int | dict | None): use these shapes only; a number means the first so many,
            ``dict(keep=0, of=10)`` every tenth from the first, ``dict(drop=0, of=10)`` all others, so that a part can
            be held out; ``dict(share=0.1, seed=0)`` draws a tenth of every class, at least one shape, and a larger
            share of the same seed holds all of a smaller one. A shape keeps its own index, hence its own draws.
        on_bad_sample (str): what happens where a sample cannot be read. 'raise' stops with a sentence that names the
            file. 'skip' takes another shape in its place, drawn by (seed, epoch, index, stage), so that batches keep
            their size and runs stay repeatable; ``skipped`` of the data sample says why. A run lists them at the end
            of an epoch, and scores leave the substitutes out.
        packed_root (str | None): the folder that tools/dataset_converters/pack.py wrote; its part ``<split>`` then
            answers in place of the subclass's own files.
        metainfo (dict | None): the subclass's part of :attr:`metainfo`.

    Raises:
        IndexError: ``indices`` ask for a shape that does not exist.
        TypeError: an argument that the class does not have.
        ValueError: ``on_bad_sample`` is neither; the packed data are damaged, or of another data set.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable] = (),
        *,
        seed: int = 0,
        stage: int = 0,
        indices: Sequence[int] | int | Mapping[str, float] | None = None,
        on_bad_sample: str = 'raise',
        packed_root: str | None = None,
        metainfo: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(
                f'{type(self).__name__} has no argument {", ".join(map(repr, unknown))}, expected some of '
                f'{", ".join(_arguments(type(self)))}; correct the name.'
            )
        if on_bad_sample not in ('raise', 'skip'):
            raise ValueError(f'{type(self).__name__}(on_bad_sample={on_bad_sample!r}): expected raise or skip.')
        self.pipeline = build_pipeline(pipeline)
        self.on_bad_sample = on_bad_sample
        self.seed, self.stage = seed, stage
        # Set by the engine to the seed of the run, so that runs differ in how the same shapes are cropped and turned.
        self.draw_seed = 0
        self._metainfo = metainfo or {}
        if packed_root is not None:
            self._read_packed(Path(packed_root) / self._metainfo['split'])
        self.indices = self._chosen(indices) if isinstance(indices, Mapping) else indices
        if isinstance(indices, int):
            self.indices = range(indices)
        outside = [index for index in self.indices or () if not 0 <= index < self.num_shapes()]
        if outside:
            raise IndexError(
                f'`indices` of {type(self).__name__} ask for shape {outside[0]}, but it has {self.num_shapes()} shapes.'
            )

    def _chosen(self, rule: Mapping[str, Any]) -> Sequence[int]:
        """A share of every class; every so-manieth shape, or all others."""
        if set(rule) == {'share', 'seed'}:
            labels = [self.label(index) for index in range(self.num_shapes())]
            if None in labels:
                raise ValueError(
                    f'{type(self).__name__}(indices={dict(rule)}): its shapes have no labels, so no class can be drawn '
                    'from; use dict(keep=k, of=n).'
                )
            return draw_share(labels, rule['share'], rule['seed']).tolist()
        of, keep, drop = (rule.get(key) for key in ('of', 'keep', 'drop'))
        which = drop if keep is None else keep
        if len(rule) != 2 or not (isinstance(of, int) and isinstance(which, int) and 0 <= which < of):
            raise ValueError(
                f'{type(self).__name__}(indices={dict(rule)}): expected dict(keep=k, of=n) or dict(drop=k, of=n) with '
                '0 <= k < n, or dict(share=s, seed=n).'
            )
        return [index for index in range(self.num_shapes()) if (index % of == which) == (drop is None)]

    def _read_packed(self, folder: Path) -> None:
        """Let the shards answer what the subclass would ask its files."""
        asked = {'dataset': type(self).__name__, 'variant': self._metainfo.get('variant')}
        reader = ShardReader(folder, expect=asked)
        self._metainfo = {**self._metainfo, **reader.metainfo}
        self.num_shapes, self.load_info, self.label = reader.num_shapes, reader.load_info, reader.label

    def num_shapes(self) -> int:
        """How many shapes there are, whatever ``indices`` choose."""
        raise NotImplementedError

    def load_info(self, index: int) -> dict[str, Any]:
        """What is known of shape ``index`` (counted over all shapes) before the pipeline.

        Returns:
            dict: ``sample_id`` (str, unique) and ``split`` (str); either ``points`` (N, 3) float32 or ``points_path``,
            which ``LoadPoints`` reads. Where the data have them:

            * one row for each point: ``normals`` (N, 3) float32, ``colors`` (N, 3) uint8 RGB, ``intensity`` (N,)
              float32, ``parts``, ``semantic``, ``instance`` (N,) int64 (-1 for none);
            * a mesh in place of points: ``vertices`` (V, 3) float32, ``faces`` (F, 3) int64;
            * ``label`` (int), ``caption`` (str), ``up_axis`` of the file, which ``LoadPoints`` turns to y;
            * pictures: ``image_paths`` (list of str) or ``image_bytes``, which ``LoadImages`` reads, or ``images``
              (K, H, W, 3) uint8 RGB with ``has_image`` (K,) bool; ``projections`` (V, 3, 4) float64, from the frame of
              the points to pixels of the files;
            * ``boxes`` (K, 7) float32 with ``box_labels`` (K,) int64, ``complete`` (M, 3) and ``partials`` (a list).

            Arrays must not be shared with later calls. Nothing is drawn here: which picture, which part, which points
            is for a transform, so that packed data give the same samples.
        """
        raise NotImplementedError

    def label(self, index: int) -> int | None:
        """The class of shape ``index`` (counted over all shapes); override where that needs no :meth:`load_info`."""
        return self.load_info(index).get('label')

    def classes_of(self, index: int) -> Iterable[int]:
        """Classes that occur in shape ``index``; none where that is not known without reading its points.

        Override where a sample has several, as the boxes of a scene.
        """
        label = self.label(index)
        return () if label is None else (label,)

    def distinct(self) -> Sequence[int]:
        """Indices (counted over all shapes) of those in use; override where one scene stands at several of them."""
        return range(self.num_shapes()) if self.indices is None else self.indices

    def class_counts(self) -> np.ndarray:
        """How many points of the scenes in use each class has, every scene counted once: (classes,) int64.

        Reads every scene, and leaves out what cannot be read where ``on_bad_sample`` is 'skip'.

        Raises:
            ValueError: a scene has no classes of points, or one that is none of ``classes``.
        """
        classes = len(self._metainfo.get('classes') or ())
        counts = np.zeros(classes, np.int64)
        for index in self.distinct():
            try:
                info = self.load_info(int(index))
            except _BAD_SAMPLE:
                if self.on_bad_sample == 'raise':
                    raise
                continue
            if 'semantic' not in info:
                raise ValueError(
                    f'{type(self).__name__} has no class for every point of {info["sample_id"]}, so classes cannot be '
                    'counted; use data with `semantic` (S3DIS, ScanNet, SyntheticRooms).'
                )
            semantic = info['semantic'][info['semantic'] >= 0]
            if len(semantic) and semantic.max() >= classes:
                raise ValueError(
                    f'{info["sample_id"]} has class {semantic.max()}, expected one of the {classes} of '
                    f'{type(self).__name__}, or -1 for none; correct the labels.'
                )
            counts += np.bincount(semantic, minlength=classes)
        return counts

    def missing_classes(self) -> tuple[str, ...]:
        """Names of the classes that occur in nothing in use; none where there are no classes or labels.

        What cannot be read is left to the training, which names the file.
        """
        classes, there = self._metainfo.get('classes') or (), set()
        for index in self.distinct() if classes else ():
            with suppress(*_BAD_SAMPLE):
                there.update(self.classes_of(int(index)))
        return tuple(name for label, name in enumerate(classes) if label not in there) if there - {-1} else ()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Facts about the samples as the pipeline gives them.

        ``name``, ``variant`` (which release or version), ``up_axis`` ('y' or 'z'), ``normalize`` ('unit_sphere' or
        'none'), ``feature_keys`` (what follows x y z), ``classes`` (tuple of names, or None), ``split``, and more.
        """
        info = {'name': type(self).__name__, 'up_axis': 'y', 'normalize': 'none', 'feature_keys': (), 'classes': None}
        info.update(self._metainfo)
        for step in self.pipeline:
            info.update(getattr(step, 'metainfo', {}))
        return info

    def __len__(self) -> int:
        return self.num_shapes() if self.indices is None else len(self.indices)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """The sample of an index (epoch 0) or of ``(epoch, index)``, after the pipeline."""
        epoch, position = split_key(key, len(self))
        return self.sample(position, epoch)

    def sample(self, position: int, epoch: int = 0, offset: int = 0) -> dict[str, Any]:
        """The sample at a position; ``offset`` is added to the index that it reports (see ``ConcatDataset``)."""
        index = position if self.indices is None else int(self.indices[position])
        if self.on_bad_sample == 'raise':
            return self._take(index, index, epoch, offset, ())
        rng = np.random.default_rng([*self._draw_key(epoch, index), 1])
        skipped: list[str] = []
        instead = index
        while len(skipped) <= _MAX_SUBSTITUTES:
            try:
                return self._take(instead, index, epoch, offset, tuple(skipped))
            except _BAD_SAMPLE as error:
                skipped.append(' '.join(str(error).split()))
            position = int(rng.integers(len(self)))
            instead = position if self.indices is None else int(self.indices[position])
        raise ValueError(
            f'{type(self).__name__}: {len(skipped)} samples in a row could not be read, so this is no matter of single '
            f'files; the first one: {skipped[0]}'
        )

    def _draw_key(self, epoch: int, index: int) -> list[int]:
        return [self.seed, self.draw_seed, epoch, index, self.stage]

    def _take(self, index: int, place: int, epoch: int, offset: int, skipped: tuple[str, ...]) -> dict[str, Any]:
        """Shape ``index`` through the pipeline, in the place of shape ``place``."""
        results = self.load_info(index)
        results.update(rng=np.random.default_rng(self._draw_key(epoch, index)), index=place + offset, epoch=epoch)
        if skipped:
            results['skipped'] = skipped
        classes = self._metainfo.get('classes')
        if classes is not None and 'label' in results:
            if not 0 <= results['label'] < len(classes):
                raise ValueError(
                    f'{name_sample(results)} has label {results["label"]}, expected one of the {len(classes)} classes '
                    f'of {type(self).__name__}, 0 to {len(classes) - 1}; correct the label.'
                )
            results['class_name'] = classes[results['label']]
        if 'points' in results:
            check_points(results)
        return run_pipeline(self.pipeline, results)
