"""What an encoder is worth: every task that the data at hand allow, beside the same encoder before any training.

    python tools/benchmark.py work_dirs/quickstart/pretrain/iter_450.pth --config configs/mmpt/quickstart_pretrain.py
    python tools/benchmark.py CHECKPOINT --data both --npz shapes.npz --suite full
    python tools/benchmark.py CHECKPOINT --data real                     every data set that lies below data/
    python tools/benchmark.py CHECKPOINT --tasks probe-generated few_shot-generated --seeds 0
    torchrun --nproc-per-node 4 tools/benchmark.py CHECKPOINT --launcher pytorch      four processes share the jobs

Every task is run for each seed with the checkpoint's encoder and with an untrained one. A result is kept as soon as it
is there: run again after an interruption, it goes on where it stopped. report.html, report.md and report.json in the
work dir hold scores, spreads, protocols, times and memory; figures of others stand apart, with source and protocol.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='of a pre-training; another origin is converted first')
    parser.add_argument('--config', help='of the pre-training: its joint space of shapes and pictures is measured too')
    parser.add_argument('--suite', choices=('quick', 'full'), default='quick', help='full adds what takes hours')
    parser.add_argument('--data', choices=('generated', 'real', 'both'), default='generated', help='which data')
    parser.add_argument(
        '--npz', nargs='+', type=Path, default=[], help='labelled shapes (docs/data.md) for --data real'
    )
    parser.add_argument('--up-axis', choices=('z', 'y'), default='z', help='vertical axis of --npz')
    parser.add_argument('--tasks', nargs='+', default=[], metavar='NAME', help='only these; an unknown one lists all')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, help='default work_dirs/benchmark/<name of the checkpoint>')
    parser.add_argument('--launcher', default='none', choices=['none', 'pytorch', 'slurm'], help='several processes')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--smoke', action='store_true', help='few shapes and updates: too short to say anything')
    parser.add_argument('--fresh', action='store_true', help='forget what --work-dir holds')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/benchmark.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> None:
    """Run, and write the report; the exit code is 1 where a job failed."""
    args = parse_args(argv)
    if args.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    import torch
    from _suite import Bench, Store, collect, jobs_of, markdown, notes_on, run_jobs, tasks_of, text_table, write_page
    from mmengine.dist import is_main_process
    from mmengine.registry import DefaultScope

    from mmpt.engine.distributed import process_group
    from mmpt.utils.collect_env import collect_env
    from mmpt.utils.errors import CheckpointError
    from mmpt.utils.io import atomic_write
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    if not args.checkpoint.is_file():
        raise CheckpointError(f'Checkpoint {args.checkpoint} does not exist.')
    args.checkpoint = args.checkpoint.resolve()
    folder = (args.work_dir or ROOT / 'work_dirs' / 'benchmark' / args.checkpoint.stem).resolve()
    settings = [args.smoke, args.up_axis, [[path.name, path.stat().st_size] for path in args.npz if path.is_file()]]
    digest = hashlib.sha256(args.checkpoint.read_bytes() + json.dumps(settings).encode()).hexdigest()
    start = time.perf_counter()
    # A process may wait for a long training of another one.
    scope = DefaultScope.overwrite_default_scope('mmpt')
    with process_group(args.launcher, timeout_minutes=24 * 60), scope:
        bench = Bench(args.checkpoint, folder, 'cuda' if torch.cuda.is_available() else 'cpu', args.smoke)
        tasks, skipped = tasks_of(bench, args)
        notes, jobs = notes_on(bench, tasks), jobs_of(tasks, args.seeds)
        store = Store(folder, digest, args.fresh)
        by_name = {task.name: task for task in tasks}
        costs = {task.name: task.cost for task in tasks}
        configs = {task.name: task.digest() for task in tasks}
        failed = run_jobs(jobs, store, lambda job: by_name[job.task].run(bench, job), costs, configs)
        if not is_main_process():
            return
    rows = collect(tasks, jobs, store)
    smoke = ' (a smoke run: too short to say anything)' if args.smoke else ''
    result = {
        'title': f'What {args.checkpoint.name} is worth{smoke}',
        'command': args.command,
        'rows': rows,
        'failed': [f'{job}: {reason}' for job, reason in failed],
        'notes': notes,
        'skipped': skipped,
        'environment': collect_env(),
    }
    atomic_write(json.dumps(result, indent=1).encode(), folder / 'report.json')
    atomic_write(markdown(result).encode(), folder / 'report.md')
    write_page(result, folder / 'report.html')
    print(f'\n{text_table(rows)}')
    for line in notes:
        print(f'beware: {line}')
    for line in skipped:
        print(f'left out: {line}')
    print(f'{folder / "report.html"} ({(time.perf_counter() - start) / 60:.1f} minutes)')
    if failed:
        sys.exit(1)


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    from mmpt.utils.errors import run

    sys.exit(run(main))
