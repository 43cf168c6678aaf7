"""Downstream configs at their real size for a few updates: does a batch fit, what does an update cost, is it finite?

    python tools/benchmarks/real_size.py                                            all labelled tasks, one by one
    python tools/benchmarks/real_size.py configs/detection/scannet.py --iterations 5
    python tools/benchmarks/real_size.py --out docs/tasks/real_size.md

Nothing has to be downloaded: for each config a tree of random numbers in the layout and at the size of the real files
is written to a temporary folder, and the shipped config is trained on it in a process of its own. Only the number of
updates and the place of the data differ from the config, and nothing is scored. Run again, it keeps rows of at least as
many updates.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

from _scoring import config_digest  # noqa: E402
from _suite.bench import train_in_process  # noqa: E402
from _trees import BY_DATA_SET  # noqa: E402

from mmpt.utils.collect_env import collect_env  # noqa: E402
from mmpt.utils.config import load_config  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.visualization import read_scalars  # noqa: E402

CONFIGS = [
    f'configs/{name}.py'
    for name in (
        'part_segmentation/shapenet_part',
        'part_segmentation/shapenet_part_graph',
        'detection/scannet',
        'semantic_segmentation/s3dis',
        'classification/finetune_modelnet40_1k',
        'classification/finetune_scanobjectnn_pb_t50_rs',
        'completion/pcn',
        'completion/shapenet55',
    )
]
#: Updates that are not in the median: the loader's workers start in them.
WARM_UP = 1
#: Memory that a training leaves to everything else.
SPARE_GB = 2.0
# Scoring is as long as the test part, and a checkpoint of random numbers is for nobody.
_FIXED = ['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None', 'default_hooks.checkpoint.save_last=False']
_HEAD = """# Labelled tasks at real size

Each config as shipped, for a few updates on random numbers in the layout and at the size of the real files: batch,
points, model and optimiser are those of the config, so a batch that fits here fits with the real data. *s an update*
is the median by the clock, the loading of the batch included; *processor* is the processor time of the whole run, its
start and its data workers included, divided by the updates. Memory is {memory}. The loss is
that of the first and of the last update, in the warm-up of the learning rate: it says nothing about the task.

```bash
{command}
```
{note}
| config | batch | points | updates | s an update | processor, s | peak memory, GB | loss |
|---|---|---|---|---|---|---|---|
"""


def main(argv: list[str] | None = None) -> None:
    """All configs, one after another; one that fails is a row that says why, and the exit code is 1 then."""
    args = parse_args(argv)
    rows = []
    for place, config in enumerate(args.configs):
        print(f'== {place + 1} of {len(args.configs)}: {name_of(config)}', flush=True)
        cfg = load_config(config)
        digest = f'{config_digest(cfg)} {args.device}'
        path = args.work_dir / f'{config.parent.name}-{config.stem}.json'
        row = json.loads(path.read_text()) if path.is_file() else {}
        if row.get('digest') != digest or row['updates'] < args.iterations or 'error' in row:
            row = {'digest': digest, **measure(config, cfg, args)}
            atomic_write(json.dumps(row, indent=1).encode(), path)
        print(f'   {row["error"] if "error" in row else _line(row)}', flush=True)
        rows.append(row)
    if args.out:
        atomic_write(markdown(rows, args).encode(), args.out)
    if any('error' in row for row in rows):
        sys.exit(1)


def measure(config: Path, cfg: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Train a config on random numbers.

    Args:
        config (Path): its file.
        cfg (Config): what is in it.
        args (Namespace): ``iterations``, ``device``, ``work_dir``.

    Returns:
        dict: ``config``, ``batch``, ``points`` of a sample, ``updates``; ``seconds`` of an update, ``cpu_seconds`` of
        the process for each of them, ``peak_mb`` of the process or of the GPU, ``loss`` of the first and of the last
        update; or ``error``, why there are none.
    """
    loader = cfg.train_dataloader
    if loader.dataset.type not in BY_DATA_SET:
        known = ', '.join(sorted(BY_DATA_SET))
        raise ConfigError(f'{config} trains on {loader.dataset.type}; trees can be written for {known}.')
    row = {'config': name_of(config), 'batch': loader.batch_size, 'updates': args.iterations}
    row['points'] = points_of(loader.dataset)
    folder = args.work_dir / f'{config.parent.name}-{config.stem}'
    shutil.rmtree(folder, ignore_errors=True)
    options = [
        f'train_cfg.max_iters={args.iterations}',
        'log_processor.window_size=1',
        'default_hooks.logger.interval=1',
    ]
    with tempfile.TemporaryDirectory() as place:
        where = BY_DATA_SET[loader.dataset.type](Path(place) / 'data', loader.batch_size)
        options.append(f'train_dataloader.dataset.data_root={where["data_root"]}')
        before = processor_seconds()
        try:
            with memory_limited() as limit:
                found = train_in_process(folder, str(config), {}, [*options, *_FIXED], seed=0, device=args.device)
        except RuntimeError as error:
            return {**row, 'error': f'failed with {limit:.1f} GB to take: {error}'}
        spent = processor_seconds() - before
    curves = read_scalars(folder / 'run')
    steps, losses = curves['loss']
    if len(steps) < args.iterations:
        return {**row, 'error': f'the loss of {args.iterations - len(steps)} updates is not finite'}
    row['seconds'] = statistics.median(curves['time'].values[WARM_UP:] or curves['time'].values)
    row['cpu_seconds'] = spent / args.iterations
    row['peak_mb'] = max(curves['memory'].values) if 'memory' in curves else found['peak_mb']
    return {**row, 'loss': [losses[0], losses[-1]]}


def points_of(dataset: Any) -> int:
    """How many points a sample has, by the last step of the pipeline that says so."""
    return [step['num_points'] for step in dataset.pipeline if 'num_points' in step][-1]


def processor_seconds() -> float:
    """Of all child processes that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def memory_limited() -> Iterator[float]:
    """Let processes that begin here fail by an error that says how much they asked for, before the machine runs out.

    Yields:
        float: what one of them may take, in GB.
    """
    lines = Path('/proc/meminfo').read_text().splitlines()
    (free,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith('MemAvailable:'))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = free - int(SPARE_GB * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield limit / 2**30
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _line(row: Mapping[str, Any]) -> str:
    first, last = row['loss']
    text = f'{row["seconds"]:.2f} s an update ({row["cpu_seconds"]:.2f} s of processor), {row["peak_mb"] / 1024:.1f} GB'
    return f'{text}, loss {first:.3f} to {last:.3f}'


def markdown(rows: list[dict[str, Any]], args: argparse.Namespace) -> str:
    """The page.

    Args:
        rows (list[dict]): see :func:`measure`.
        args (Namespace): of the command line.
    """
    memory = 'that of the training process' if args.device == 'cpu' else 'what torch took on the GPU'
    note = f'\n{args.note}\n' if args.note else ''
    text = _HEAD.format(memory=memory, command=args.command, note=note)
    for row in rows:
        text += f'| `{row["config"]}` | {row["batch"]} | {row["points"]:,} | {row["updates"]} '
        if 'error' in row:
            text += f'| | | | {row["error"]} |\n'
            continue
        first, last = row['loss']
        text += f'| {row["seconds"]:.2f} | {row["cpu_seconds"]:.2f} | {row["peak_mb"] / 1024:.1f} '
        text += f'| {first:.3f} to {last:.3f} |\n'
    machine = collect_env()
    # Where mmpt lies on that machine is nobody's business.
    machine['mmpt'] = machine['mmpt'].partition(' ')[0]
    return '\n'.join([text, '## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), ''])


def name_of(config: Path) -> str:
    """Relative to the configs of this checkout, or the path of a file elsewhere."""
    return config.relative_to(ROOT / 'configs').as_posix() if config.is_relative_to(ROOT / 'configs') else str(config)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', type=Path, help='config files; by default those of the labelled tasks')
    parser.add_argument('--iterations', type=int, default=20, help='updates of each config')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'real_size', help='rows and logs')
    parser.add_argument('--out', type=Path, metavar='OUT', help='write the page there, as Markdown')
    parser.add_argument('--note', help='a sentence for the page, such as what else ran on the machine')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/benchmarks/real_size.py', *(sys.argv[1:] if argv is None else argv)])
    args.configs = [path.resolve() for path in args.configs or [ROOT / config for config in CONFIGS]]
    args.work_dir = args.work_dir.resolve()
    if args.device == 'auto' and not torch.cuda.is_available():
        args.device = 'cpu'
    return args


if __name__ == '__main__':
    sys.exit(run(main))
