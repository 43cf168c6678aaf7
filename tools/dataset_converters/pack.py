"""Pack the data sets of a config into memory-mapped shards: a few large files in place of many small ones.

    python tools/dataset_converters/pack.py configs/_base_/datasets/shapenet.py data/packed/shapenet

Then `packed=True, data_root='data/packed/shapenet'` in the config reads them, sample for sample the same. A pack that
was stopped goes on where it was when the same command is run again. docs/datasets/packing.md says more.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import operator
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

_LOADERS = ('train_dataloader.dataset', 'val_dataloader.dataset', 'test_dataloader.dataset')
# What changes which shapes are taken or what becomes of them later, but not what is packed.
_NOT_PACKED = ('pipeline', 'indices', 'stage', 'on_bad_sample')
# Shapes that are compared before one data set is packed for two.
_COMPARED = 16
# Records after which, and again after each of which, the disk's free space is compared with what is to come.
_CHECK_SPACE = 16


class Part(NamedTuple):
    """One data set of the config, ready to be packed.

    Attributes:
        where (str): its place in the config.
        dataset (PointCloudDataset): without its pipeline.
        steps (list[Callable]): the packing form of the transforms it begins with.
        made_from (dict): what the packed data depend on.
    """

    where: str
    dataset: Any
    steps: list[Callable]
    made_from: dict[str, Any]


class Bad(NamedTuple):
    """A shape that could not be read, and the sentence that says why."""

    reason: str


def end_with_the_parent(_worker: int) -> None:
    """Where the system can, end a worker when its parent is killed.

    Its siblings keep the pipe open that nobody reads any more, so that it would wait for ever.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Records:
    """The data set as records: what a worker makes of a shape's number."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __getitem__(self, index: int) -> tuple[int, bytes | Bad, int | None]:
        """Read a shape, or say why that is impossible."""
        from mmpt.datasets.shards import encode_record
        from mmpt.utils.errors import ConfigError, explain

        try:
            info = read_shape(self.part, index)
            label = info.get('label')
            return index, encode_record(info), None if label is None else operator.index(label)
        except ConfigError:
            raise  # Concerns every shape.
        except (ValueError, OSError) as error:
            reason = explain(error)
            if reason is None:
                raise
            return index, Bad(reason), None


def read_shape(part: Part, index: int) -> dict[str, Any]:
    """What of a shape is stored: the raw class's dictionary after its loading steps, without paths."""
    from mmpt.datasets.transforms import check_points, name_sample
    from mmpt.utils import ConfigError

    info = part.dataset.load_info(index)
    for step in part.steps:
        info = step(info)
    if 'points' in info:
        check_points(info)
    elif 'vertices' not in info and 'partials' not in info:
        raise ConfigError(
            f'{name_sample(info)} has neither points nor a mesh when its files are read; let the pipeline of '
            f'{part.where} begin with LoadPoints.'
        )
    return {key: value for key, value in info.items() if not key.endswith(('_path', '_paths'))}


def find_parts(config: Any, keys: list[str], file: str) -> list[Part]:
    """The data sets below some keys of a config, opened; parts that give the same pack come once."""
    from mmpt.datasets import SyntheticShapes
    from mmpt.datasets.verification import lookup
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError

    found: list[tuple[str, Any]] = []
    for key in keys or _LOADERS:
        value = lookup(config, key)
        if value is not None:
            found += flatten(value, key)
        elif keys:
            raise ConfigError(f'{file} has no {key}; give another --dataset-key.')
    if not found:
        raise ConfigError(f'{file} has none of {", ".join(_LOADERS)}; name its data set with --dataset-key.')
    generated = [(where, cfg) for where, cfg in found if DATASETS.get(cfg['type']) is SyntheticShapes]
    if generated and len(generated) < len(found) and not keys:
        names = ', '.join(where for where, _ in generated)
        say(f'left out, because it is generated and not read from files (--dataset-key packs it): {names}')
        found = [entry for entry in found if entry not in generated]
    parts: dict[str, Part] = {}
    for where, cfg in found:
        part = open_part(where, cfg)
        split = part.dataset.metainfo.get('split') or 'data'
        first = parts.setdefault(split, part)
        if first.made_from == part.made_from or covers(first, part):
            continue
        if covers(part, first):
            parts[split] = part
        else:
            raise ConfigError(
                f'{first.where} and {where} are different data of the same split {split!r}, and would be packed into '
                f'one folder; pack one of them at a time, each into a folder of its own, with --dataset-key {where}.'
            )
    return list(parts.values())


def covers(one: Part, other: Part) -> bool:
    """Whether a data set gives all that another one gives, and more: the same with pictures, for example.

    It must say all that the other one says in the config, and some of its shapes are read and compared.
    """
    from mmpt.datasets.shards import encode_record

    more, less = dict(one.made_from), dict(other.made_from)
    steps, needed = more.pop('loading'), less.pop('loading')
    if any(step not in steps for step in needed) or any(more.get(key, less) != less[key] for key in less):
        return False
    shapes = one.dataset.num_shapes()
    if shapes != other.dataset.num_shapes() or one.dataset.metainfo != other.dataset.metainfo:
        return False
    for index in {shapes * k // _COMPARED for k in range(_COMPARED)}:
        try:
            large, small = read_shape(one, index), read_shape(other, index)
        except (ValueError, OSError):
            continue  # Said when it is packed.
        if encode_record({key: large.get(key) for key in small}) != encode_record(small):
            return False
    return True


def flatten(cfg: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The parts of a data set that is several in a row, or one several times."""
    from mmpt.datasets import ConcatDataset, SeveralDraws
    from mmpt.registry import DATASETS

    if DATASETS.get(cfg['type']) is SeveralDraws:
        yield from flatten(cfg['dataset'], f'{where}.dataset')
        return
    if DATASETS.get(cfg['type']) is not ConcatDataset:
        yield where, cfg
        return
    for number, part in enumerate(cfg['datasets']):
        yield from flatten(part, f'{where}.datasets.{number}')


def open_part(where: str, cfg: Any) -> Part:
    """Open a data set and take the loading steps off its pipeline."""
    from mmpt.datasets import PointCloudDataset
    from mmpt.datasets.shards import ShardReader
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError

    dataset = DATASETS.build(cfg)
    if not isinstance(dataset, PointCloudDataset):
        raise ConfigError(f'{where} builds a {type(dataset).__name__}, expected a PointCloudDataset to pack.')
    if isinstance(getattr(dataset.load_info, '__self__', None), ShardReader):
        raise ConfigError(f'{where} reads packed data already; set packed=False to pack it from its files.')
    steps, names = [], []
    for step, step_cfg in zip(dataset.pipeline, cfg.get('pipeline', ())):
        if not hasattr(step, 'pack'):
            break
        steps.append(step.pack)
        names.append(step_cfg)
    dataset.pipeline = []
    made_from = {key: value for key, value in cfg.items() if key not in _NOT_PACKED}
    made_from['loading'] = names
    return Part(where, dataset, steps, json.loads(json.dumps(made_from, default=str, sort_keys=True)))


def pack(part: Part, folder: Path, args: argparse.Namespace, command: list[str]) -> None:
    """Pack one data set into one folder, from where an earlier run stopped."""
    from torch.utils.data import DataLoader

    from mmpt.datasets.shards import ShardWriter
    from mmpt.utils.progress import Progress

    dataset = part.dataset
    shapes = dataset.num_shapes()
    total = min(args.limit or shapes, shapes)
    skip = args.skip_bad or dataset.on_bad_sample == 'skip'
    writer = ShardWriter(
        folder,
        metainfo=dataset.metainfo,
        total=total,
        command=command,
        made_from=part.made_from,
        shard_bytes=args.shard_size << 20,
    )
    with writer:
        if writer.finished:
            say(f'{folder}: packed already, {writer.num_records} shapes')
            return
        before = writer.next_source
        where = f' from shape {before} on' if before else ''
        say(f'{folder}: packing {type(dataset).__name__}, {total} shapes{where}')
        loader = DataLoader(
            Records(part),
            batch_size=None,
            sampler=range(before, total),
            num_workers=min(args.workers, total - before),
            collate_fn=as_it_is,
            prefetch_factor=4 if min(args.workers, total - before) else None,
            worker_init_fn=end_with_the_parent,
        )
        progress = Progress(folder.name, total, before=before)
        for index, record, label in loader:
            if not isinstance(record, Bad):
                writer.append(index, record, label)
            elif skip:
                writer.skip(index, record.reason)
                progress.line(f'  left out: {record.reason}')
            else:
                writer.commit()
                stop(
                    f'{record.reason} Packing stopped at shape {index}; repair it, or add --skip-bad to leave out '
                    'every shape that cannot be read, and run the command again: it goes on from there.'
                )
            if writer.num_records % _CHECK_SPACE == 0 or index == total - 1:
                need_space(writer, folder, total)
            progress.show(writer.next_source, f', {writer.num_bytes >> 20} MB')
        writer.finish()
        progress.close(f', {writer.num_bytes >> 20} MB,')
        if writer.skipped:
            say(f'  {len(writer.skipped)} shapes are left out; {folder / "pack.json"} lists them')


def as_it_is(item: Any) -> Any:
    """No conversion into tensors."""
    return item


def stop(text: str) -> None:
    """End with a sentence."""
    from mmpt.utils import MMPTError

    raise MMPTError(text)


def need_space(writer: Any, folder: Path, total: int) -> None:
    """Stop before the disk is full, and not when it is."""
    if not writer.num_records:
        return
    needed = writer.num_bytes // writer.num_records * (total - writer.next_source)
    free = shutil.disk_usage(folder).free
    if needed > free:
        writer.commit()
        stop(
            f'{folder} needs about {needed >> 20} MB more for {total - writer.next_source} shapes, and its disk has '
            f'{free >> 20} MB; make room and run the same command again, which goes on from there.'
        )


def say(text: str) -> None:
    """A line for people, beside what a script may read."""
    print(text, file=sys.stderr, flush=True)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('out', type=Path, help='folder to write; each split becomes a folder in it')
    parser.add_argument(
        '--dataset-key',
        nargs='+',
        default=[],
        metavar='KEY',
        help=f'places of the data sets in the config, default {", ".join(_LOADERS)}, where they exist',
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes that read; 0 for none')
    parser.add_argument('--shard-size', type=int, default=256, metavar='MB', help='size of a shard, default 256 MB')
    parser.add_argument('--limit', type=int, help='pack the first so many shapes of each data set only')
    parser.add_argument('--skip-bad', action='store_true', help='leave out, and list, shapes that cannot be read')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    for name in ('workers', 'shard_size', 'limit'):
        value = getattr(args, name)
        if value is not None and value < (0 if name == 'workers' else 1):
            parser.error(f'--{name.replace("_", "-")} {value}: expected a number that is not negative or zero.')
    return args


def main() -> None:
    """Pack every data set of the config."""
    args = parse_args()

    from mmengine.registry import init_default_scope

    from mmpt.utils import TrainingInterrupted
    from mmpt.utils.config import load_config, parse_options

    config = load_config(args.config, parse_options(args.cfg_options))
    init_default_scope(config.get('default_scope', 'mmpt'))
    command = ['python', 'tools/dataset_converters/pack.py', *sys.argv[1:]]
    try:
        parts = find_parts(config, args.dataset_key, args.config)
        for part in parts:
            pack(part, args.out / (part.dataset.metainfo.get('split') or 'data'), args, command)
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(
            f'Stopped; what is packed stays. Run `{shlex.join(command)}` again to go on from there.'
        ) from error
    names = ', '.join(sorted({type(part.dataset).__name__ for part in parts}))
    print(f"written: {args.out}; read it with packed=True, data_root='{args.out}' ({names})")


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
