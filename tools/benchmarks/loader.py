"""Speed of the data loader: raw files against shards, with 1 and 2 workers; and what opening a large index costs.

    python tools/benchmarks/loader.py                                        trees in real layouts, written to /tmp
    python tools/benchmarks/loader.py --config configs/_base_/datasets/shapenet.py    your data, through your pipeline
    python tools/benchmarks/loader.py --index 1000000                        an index of so many simulated shapes

Raw and packed epochs take turns in one process, so that other load on the machine falls on both; the ratio is taken
epoch by epoch and printed as median, smallest and largest. Beside the wall clock stands the CPU time of the workers,
which says more on a machine that is shared. The first epoch of each is discarded: it fills the page cache, so the
figures are for a warm one. With ``--cold`` each epoch finds the files dropped from the cache and starts its workers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

# Before numpy is imported: a worker of a loader is one thread.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from _timing import in_own_process, status  # noqa: E402
from _trees import TREES  # noqa: E402

_TICK = os.sysconf('SC_CLK_TCK')
# Random reads of an index: by one reader, and by the two workers of a loader.
_READS, _WORKER_READS = 3000, 1024


class Epoch(NamedTuple):
    """What one epoch took: samples per second of wall clock, CPU milliseconds per sample, peak MB of a worker."""

    rate: float
    cpu_ms: float
    peak_mb: float


# ---- raw against packed


def compare(name: str, cfg: dict[str, Any], folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Pack a data set into ``folder`` and measure both forms in turn."""
    from mmpt.registry import DATASETS

    seconds = time.perf_counter()
    pack_into(cfg, folder, args)
    seconds = time.perf_counter() - seconds
    packed = DATASETS.build({**cfg, 'data_root': str(folder), 'packed': True})
    count = len(packed)
    forms = {'raw': DATASETS.build({**cfg, 'indices': count}), 'packed': packed}
    result = {
        'name': name,
        'shapes': count,
        'pack_seconds': seconds,
        'cold': args.cold,
        **checksum(folder / packed.metainfo['split']),
    }
    result['packed_mb'] = sum(shard['bytes'] for shard in packed.load_info.__self__.pack['shards']) / 2**20
    for workers in args.workers:
        epochs: dict[str, list[Epoch]] = {'raw': [], 'packed': []}
        loaders: dict[str, Any] = {}
        for epoch in range(args.epochs + 1):
            for form, data in forms.items():
                if args.cold:
                    loaders.pop(form, None)
                    drop_from_cache([folder, Path(cfg['data_root']), Path(cfg.get('images_root') or folder)])
                if form not in loaders:
                    loaders[form] = build_loader(data, Order(len(data)), workers, args.batch_size)
                measured = run_epoch(loaders[form], epoch)
                if epoch or args.cold:
                    epochs[form].append(measured)
        result[f'{workers} workers'] = summary(epochs)
    return result


def pack_into(cfg: dict[str, Any], folder: Path, args: argparse.Namespace) -> None:
    """What tools/dataset_converters/pack.py does."""
    from mmengine.config import Config

    tool = load_tool('dataset_converters/pack.py')
    given = argparse.Namespace(limit=args.shapes, skip_bad=False, workers=2, shard_size=256)
    for part in tool.find_parts(Config({'train_dataloader': {'dataset': cfg}}), [], 'the config'):
        tool.pack(part, folder / part.dataset.metainfo['split'], given, ['python', 'tools/benchmarks/loader.py'])


def load_tool(path: str) -> ModuleType:
    """A tool as a module, known by its name where workers look for it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / 'tools' / path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Order:
    """Keys (epoch, index) of one epoch in random order, as in training."""

    def __init__(self, size: int) -> None:
        self.size, self.epoch = size, 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in np.random.default_rng(self.epoch).permutation(self.size):
            yield self.epoch, int(index)

    def __len__(self) -> int:
        return self.size


def build_loader(data: Any, sampler: Any, workers: int, batch_size: int) -> Any:
    """The loader of a training."""
    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader

    return DataLoader(
        data,
        batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=pseudo_collate,
        persistent_workers=True,
    )


def run_epoch(loader: Any, epoch: int) -> Epoch:
    """Take all samples and do nothing with them."""
    loader.sampler.epoch = epoch
    start, before = time.perf_counter(), cpu_seconds(loader)
    for _ in loader:
        pass
    seconds, pids = time.perf_counter() - start, worker_ids(loader)
    peak = max(status(pid, 'VmHWM') for pid in pids) / 1024
    return Epoch(len(loader.sampler) / seconds, 1000 * (cpu_seconds(loader) - before) / len(loader.sampler), peak)


def worker_ids(loader: Any) -> list[int]:
    """Process ids of a loader's workers; none before its first epoch."""
    return [worker.pid for worker in loader._iterator._workers] if loader._iterator is not None else []


def cpu_seconds(loader: Any) -> float:
    """CPU time of the workers so far, all threads."""
    total = 0
    for pid in worker_ids(loader):
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def drop_from_cache(roots: list[Path]) -> None:
    """Ask the kernel to forget the files' pages."""
    os.sync()
    for path in (path for root in roots for path in root.rglob('*') if path.is_file()):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def checksum(folder: Path) -> dict[str, float]:
    """Milliseconds that the checksum of a record takes, and reading the record with it, without its pictures."""
    from mmpt.datasets.shards import ShardReader
    from mmpt.datasets.shards.format import head_crc32

    # A reader of its own, since the kernel drops no page from its cache that a process has mapped.
    reader = ShardReader(folder)
    count = min(reader.num_shapes(), 200)
    records = []
    for index in range(count):
        row = reader.row(index)
        with open(reader.folder / reader.pack['shards'][row.shard]['name'], 'rb') as file:
            file.seek(row.offset)
            records.append(file.read(row.length))
    start = time.process_time()
    for record in records:
        head_crc32(record)
    crc = time.process_time() - start
    start = time.process_time()
    for index in range(count):
        reader.load_info(index)
    return {'crc_ms': 1000 * crc / count, 'load_ms': 1000 * (time.process_time() - start) / count}


def summary(epochs: dict[str, list[Epoch]]) -> dict[str, Any]:
    """Medians of both forms, and the ratio of neighbouring epochs."""
    result: dict[str, Any] = {}
    for form, measured in epochs.items():
        result[form] = {name: statistics.median(getattr(epoch, name) for epoch in measured) for name in Epoch._fields}
    for name, field in (('wall', 'rate'), ('cpu', 'cpu_ms')):
        pairs = [(getattr(raw, field), getattr(packed, field)) for raw, packed in zip(epochs['raw'], epochs['packed'])]
        ratios = [packed / raw if field == 'rate' else raw / max(packed, 1e-9) for raw, packed in pairs]
        result[f'{name}_ratio'] = [statistics.median(ratios), min(ratios), max(ratios)]
    return result


def show(result: dict[str, Any]) -> None:
    """One block for one data set."""
    cache = 'cold' if result['cold'] else 'warm'
    print(f'\n{result["name"]}: {result["shapes"]} shapes, {result["packed_mb"]:.0f} MB packed in ', end='')
    print(f'{result["pack_seconds"]:.1f} s; page cache {cache}')
    print('workers   form     samples/s   CPU ms/sample   peak MB of a worker')
    for key, figures in result.items():
        if not key.endswith('workers'):
            continue
        for form in ('raw', 'packed'):
            row = figures[form]
            print(f'{key.split()[0]:7s}   {form:7s} {row["rate"]:10.0f} {row["cpu_ms"]:15.2f} {row["peak_mb"]:21.0f}')
        wall, cpu = figures['wall_ratio'], figures['cpu_ratio']
        print(f'          packed is {wall[0]:.2f} times as fast ({wall[1]:.2f} to {wall[2]:.2f}), ', end='')
        print(f'raw takes {cpu[0]:.2f} times the CPU ({cpu[1]:.2f} to {cpu[2]:.2f})')
        # A short run may be over before the system's clock of CPU time ticks.
        share = 100 * result['crc_ms'] / max(figures['packed']['cpu_ms'], result['load_ms'])
    print(f'reading a record {result["load_ms"]:.3f} ms, its checksum {result["crc_ms"]:.3f} ms of CPU: ', end='')
    print(f'{share:.1f} % of a packed sample')


# ---- a large index


def write_index(shapes: int, folder: Path) -> None:
    """A pack of one shard, whose index is then repeated over many, as ``ShapeNet(packed=True)`` reads it.

    The rows point at 64 records of real size (a cloud (8192, 3)) in as many shard files as the shapes would need, all
    of them the same file under different names.
    """
    from mmpt.datasets.shards import ShardWriter, encode_record
    from mmpt.datasets.shards.format import index_dtype

    rng, facts = np.random.default_rng(0), {'name': 'ShapeNet', 'variant': 'ShapeNet-55', 'split': 'train'}
    with ShardWriter(folder, metainfo=facts, total=64, command=['loader.py'], made_from={}) as writer:
        for index in range(64):
            info = {'sample_id': f'{index:06d}', 'split': 'train', 'label': index % 55}
            info['points'] = rng.standard_normal((8192, 3)).astype(np.float32)
            writer.append(index, encode_record(info), index % 55)
        writer.finish()
    pack = json.loads((folder / 'pack.json').read_text())
    first = np.fromfile(folder / 'index.bin', index_dtype())
    files = max(1, shapes * int(first['length'][0]) // (256 << 20))
    rows = np.resize(first, shapes)
    rows['source'], rows['shard'] = np.arange(shapes), np.arange(shapes) * files // shapes
    with open(folder / 'index.bin', 'wb') as file:
        for row in rows:
            body = row.tobytes()[:-4]
            file.write(body + zlib.crc32(body).to_bytes(4, 'little'))
    names = [f'shard-{number:05d}.bin' for number in range(files)]
    for name in names[1:]:
        os.link(folder / names[0], folder / name)
    pack['shards'] = [{**pack['shards'][0], 'name': name} for name in names]
    pack['num_shapes'], pack['index']['bytes'] = shapes, rows.nbytes
    (folder / 'pack.json').write_text(json.dumps(pack))


def read_index(shapes: int, folder: Path) -> dict[str, Any]:
    """Time and memory of opening, and memory after random reads."""
    from mmpt.datasets.shards import ShardReader

    before = {name: status('self', name) for name in ('RssAnon', 'VmRSS')}
    start = time.perf_counter()
    reader = ShardReader(folder)
    seconds = time.perf_counter() - start
    result: dict[str, Any] = {'shapes': shapes, 'shards': len(reader.pack['shards']), 'open_ms': 1000 * seconds}
    result['open_kb'] = status('self', 'VmRSS') - before['VmRSS']
    peak = 0
    for index in np.random.default_rng(0).integers(0, shapes, _READS):
        reader.load_info(int(index))
        peak = max(peak, status('self', 'VmRSS')) if index % 8 == 0 else peak
    return {**result, 'own_kb': status('self', 'RssAnon') - before['RssAnon'], 'peak_kb': peak - before['VmRSS']}


def read_by_workers(shapes: int, folder: Path) -> dict[str, Any]:
    """Private memory (RssAnon) of the larger of two workers of a loader, and by how much its start was below it.

    A worker is a fork, so it starts with what the process had before it opened anything.
    """
    from mmpt.datasets import ShapeNet

    before = status('self', 'RssAnon')
    pipeline = [{'type': 'RandomSample', 'num_points': 1024}, {'type': 'PackInputs'}]
    data = ShapeNet(str(folder.parent), packed=True, pipeline=pipeline)
    keys = [(0, index) for index in np.random.default_rng(0).integers(0, shapes, _WORKER_READS).tolist()]
    loader = build_loader(data, keys, 2, 16)
    for _ in loader:
        pass
    private = max(status(pid, 'RssAnon') for pid in worker_ids(loader))
    return {'worker_kb': private, 'worker_added_kb': private - before}


def index_table(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A hundredth, a tenth and all of the shapes; and the first and the last through the workers of a loader."""
    # What is imported, and what the first use of it leaves behind, is there before the first measurement.
    write_index(64, folder / 'warm' / 'train')
    read_by_workers(64, folder / 'warm' / 'train')

    print(
        f'    shapes   shards   opening   after opening   after {_READS} random reads: own memory   with mapped files'
    )
    results = []
    for shapes in (args.index // 100, args.index // 10, args.index):
        write_index(shapes, folder / str(shapes) / 'train')
        result = in_own_process(partial(read_index, shapes, folder / str(shapes) / 'train'))
        results.append(result)
        print(f'{shapes:10d} {result["shards"]:8d} {result["open_ms"]:6.1f} ms {result["open_kb"]:+12d} kB', end='')
        print(f' {result["own_kb"]:+38d} kB {result["peak_kb"]:+14d} kB', flush=True)
    print(f'\nDataLoader(num_workers=2) over ShapeNet(packed=True), {_WORKER_READS} random samples')
    print('    shapes   private memory of a worker   of it since the pack was opened')
    for result in (results[0], results[-1]):
        shapes = result['shapes']
        result.update(in_own_process(partial(read_by_workers, shapes, folder / str(shapes) / 'train')))
        print(f'{shapes:10d} {result["worker_kb"] / 1024:25.1f} MB {result["worker_added_kb"]:+29d} kB', flush=True)
    return results


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--trees', nargs='+', choices=list(TREES), default=list(TREES), help='layouts to write')
    parser.add_argument('--config', help='a config, in place of the layouts')
    parser.add_argument('--dataset-key', default='train_dataloader.dataset', help='the data set in the config')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--index', type=int, metavar='SHAPES', help='measure an index of so many shapes, and no loader')
    parser.add_argument('--shapes', type=int, help='shapes of each data set; default: as many as take a second or two')
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--epochs', type=int, default=7, help='measured epochs of each form')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--cold', action='store_true', help='drop the files from the page cache before each epoch')
    parser.add_argument('--folder', type=Path, help='where to write, default the temporary folder')
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    args = parser.parse_args()

    from mmpt.utils.config import load_config, parse_options
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    results = []
    folder = Path(tempfile.mkdtemp(prefix='mmpt-loader-', dir=args.folder))
    try:
        if args.index:
            results = index_table(args, folder)
        elif args.config:
            cfg = load_config(args.config, parse_options(args.cfg_options))
            for key in args.dataset_key.split('.'):
                cfg = cfg[key]
            results.append(compare(args.config, cfg.to_dict(), folder / 'packed', args))
            show(results[-1])
        for name in args.trees if not (args.index or args.config) else ():
            config, write, shapes = TREES[name]
            where = write(folder / name / 'raw', args.shapes or shapes)
            cfg = {**load_config(ROOT / config).train_dataloader.dataset.to_dict(), **where}
            results.append(compare(name, cfg, folder / name / 'packed', args))
            show(results[-1])
            shutil.rmtree(folder / name)
    finally:
        shutil.rmtree(folder)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
