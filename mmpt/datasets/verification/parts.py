"""The data sets that a config names, each once, as what is to be verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmpt.registry import DATASETS

from ..base import PointCloudDataset
from ..concat import ConcatDataset
from ..several_draws import SeveralDraws
from ..shards import ShardReader

__all__ = ['Part', 'find_parts', 'open_part']

# What decides how samples are used, and not which there are.
_USE = ('pipeline', 'seed', 'stage', 'on_bad_sample')
# Arguments by which an epoch has a sample several times.
_REPEATS = ('points_per_sample',)


class Part(NamedTuple):
    """A data set of a config.

    Attributes:
        places (tuple[str, ...]): where it stands in the config, such as 'val_dataloader.dataset.datasets.1'.
        dataset (PointCloudDataset | None): the data set, with its pipeline taken off; None where it cannot be opened.
        pipeline (list[Callable]): the pipeline.
        error (Exception | None): why not.
        packed (Path | None): the folder of its shards, where it is packed.
    """

    places: tuple[str, ...]
    dataset: PointCloudDataset | None
    pipeline: Sequence[Callable] = ()
    error: Exception | None = None
    packed: Path | None = None

    @property
    def name(self) -> str:
        """A short name: its first place without what all of them share."""
        short = self.places[0].replace('_dataloader.dataset', '').replace('.datasets.', ' ')
        split = self.dataset.metainfo.get('split') if self.dataset is not None else None
        return f'{short} ({split})' if split and split != short else short


def find_parts(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, list[str]]:
    """Find the data sets below some keys of a config.

    Args:
        config (Mapping): the config.
        keys (Sequence[str]): dotted places of data sets; one that does not exist is left out.

    Returns:
        dict[str, list[str]]: the place of each data set; beside the first place of each the others that hold the same
        data set, used in another way. The parts of a ``ConcatDataset`` are data sets of their own.

    Raises:
        ValueError: what stands there is no data set.
    """
    same: dict[str, list[str]] = {}
    for key in keys:
        cfg = lookup(config, key)
        for place, part in _flatten(cfg, key) if cfg is not None else ():
            about = {name: value for name, value in part.items() if name not in (*_USE, *_REPEATS)}
            same.setdefault(json.dumps(about, sort_keys=True, default=str), []).append(place)
    return {places[0]: places for places in same.values()}


def lookup(config: Any, key: str) -> Any:
    """What stands at a dotted place of a config, whose numbers count the entries of lists; None for nothing."""
    for name in key.split('.'):
        if isinstance(config, (list, tuple)):
            config = config[int(name)] if name.isdigit() and int(name) < len(config) else None
        else:
            config = config.get(name) if hasattr(config, 'get') else None
    return config


def _flatten(cfg: Any, place: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(cfg, 'get') or 'type' not in cfg:
        raise ValueError(f'{place} is no data set: expected a dict with a `type`, got {type(cfg).__name__}.')
    if DATASETS.get(cfg['type']) is SeveralDraws:
        yield from _flatten(cfg['dataset'], f'{place}.dataset')
        return
    if DATASETS.get(cfg['type']) is not ConcatDataset:
        yield place, cfg
        return
    for number, part in enumerate(cfg['datasets']):
        yield from _flatten(part, f'{place}.datasets.{number}')


def open_part(config: Mapping[str, Any], places: Sequence[str]) -> Part:
    """Build a data set, or remember why that is impossible.

    Args:
        config (Mapping): the config.
        places (Sequence[str]): of :func:`find_parts`.

    Returns:
        Part: the data set; ``error`` where its files are missing or damaged.

    Raises:
        TypeError: what is built is no :class:`PointCloudDataset`.
    """
    cfg = {name: value for name, value in lookup(config, places[0]).items() if name not in _REPEATS}
    try:
        dataset = DATASETS.build(cfg)
    except (ValueError, OSError) as error:
        return Part(tuple(places), None, error=error)
    if not isinstance(dataset, PointCloudDataset):
        raise TypeError(f'{places[0]} builds a {type(dataset).__name__}, expected a PointCloudDataset to verify.')
    pipeline, dataset.pipeline = dataset.pipeline, []
    dataset.on_bad_sample = 'raise'
    reader = getattr(dataset.load_info, '__self__', None)
    return Part(tuple(places), dataset, pipeline, packed=reader.folder if isinstance(reader, ShardReader) else None)
