"""Which task helps: every combination of MMPT's tasks with equal minutes, several seeds, beside untrained encoders.

    python tools/benchmarks/evidence.py --data ../shared/data/modelnet10_vox.npz
    python tools/benchmarks/evidence.py --config my/pretrain.py --minutes 30 --data a.npz b.npz
    python tools/benchmarks/evidence.py --cfg-options optim_wrapper.amp=True --data a.npz          bf16, for all rows
    python tools/benchmarks/evidence.py --smoke            everything, too short to learn anything

Rows are changes of one config: TLR, PLR, MCL-intra, MCL-cross, the pairs, all three. The seconds per update of each are
measured in a short run (the median), with all jobs busy as in the trainings; its updates are what fits --minutes, the
same for all its seeds. Trainings run side by side, one thread each; on a GPU one after another. Scores are kNN and
linear SVM on frozen features under the protocol `cv`, on the val loop's generated classes and on every --data; the
intervals are paired bootstraps over the test items. The tokenizer is trained first and counts for no row.

The hour on two cores: 24 runs of 3 minutes, two at a time, take 36 minutes and their starts 1.5; the quick start's
tokenizer 3.5 and timing 2.5; scores 7 (of ModelNet10's 4,887 shapes and the generated ones, 28 seconds of a core each).
That leaves some minutes for generated shapes that are not there yet, and for a longer tokenizer.

All files lie in --work-dir: evidence.json, evidence.md, evidence_*.png, items.npz (who is right on what), runs/. Run
again after an interruption, it goes on where it stopped; rows, seeds and data may be added later.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

from _evidence_result import collect  # noqa: E402
from _evidence_rows import ROWS, build, write_config  # noqa: E402
from _evidence_score import add_score_options, missing, sets  # noqa: E402
from _evidence_table import markdown, save_plots, text_table  # noqa: E402
from _scoring import SMOKE_DATA, check_data, config_digest, last_checkpoint  # noqa: E402
from _trainings import (  # noqa: E402
    NO_VAL,
    Job,
    State,
    command_of,
    cores,
    make_tokenizer,
    schedule_options,
    short,
    timing_job,
    training_job,
    work_off,
)
from mmengine.registry import DefaultScope  # noqa: E402

from mmpt.utils.config import load_config, parse_options  # noqa: E402
from mmpt.utils.errors import ConfigError, MMPTError, run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

#: Seconds that a training takes beside its updates, and a scoring before any was seen; for the time that is left.
STARTING, SCORING = 12.0, 40.0


class Evidence:
    """All runs of a work dir: what is done, what is to do, in which order."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        cfg = load_config(args.config, parse_options(args.cfg_options))
        self.base = args.config.resolve()
        if args.cfg_options:
            # A config of its own, so that trainings, controls and scores all read the same one.
            self.base = args.work_dir / 'configs' / 'base.py'
            atomic_write(cfg.pretty_text.encode(), self.base)
        args.digest = config_digest(cfg)
        budget = [args.minutes, args.jobs, args.threads, args.device, args.smoke]
        self.state = State(args.work_dir, f'{args.digest} {budget}')
        self.tokenizer: dict[str, Any] | None = None
        self.configs = {name: write_config(name, self.base, args.work_dir / 'configs') for name in args.rows}
        # All are built before the first is trained: a row that the config does not allow is known now.
        with DefaultScope.overwrite_default_scope('mmpt'):
            models = {name: build(config) for name, config in self.configs.items()}
        self.with_tokens = {name for name, model in models.items() if model.tokenizer is not None}
        self.cfg = cfg
        self.scored: list[float] = []

    # ------------------------------------------------------------------ what a run is

    def folder(self, row: str, seed: int) -> Path:
        """The mmengine work dir of a run; ``control`` is a row without trainings."""
        return self.args.work_dir / 'runs' / row / f'seed{seed}'

    def options(self, row: str) -> list[str]:
        """What all runs of a row have in common beside their config."""
        options = list(SMOKE_DATA[:1]) if self.args.smoke else []
        if row in self.with_tokens and self.tokenizer is not None:
            options.append(f'model.tokenizer.checkpoint={self.tokenizer["checkpoint"]}')
        return options

    def seconds_per_update(self, row: str) -> float:
        """Measured once."""
        return self.state.values[f'timing/{row}']

    def iterations(self, row: str) -> int:
        """What fits the budget, the same for all seeds."""
        return 12 if self.args.smoke else max(1, int(self.args.minutes * 60 / self.seconds_per_update(row)))

    def command(self, row: str, seed: int) -> list[str]:
        """The training as a command line."""
        cfg, iterations = load_config(self.configs[row]), self.iterations(row)
        options = [*self.options(row), *NO_VAL, *schedule_options(cfg, iterations)]
        # However few updates fit, there are curves to look at.
        options.append(f'default_hooks.logger.interval={max(1, iterations // 50)}')
        return command_of(self.configs[row], self.folder(row, seed), options, self.args, seed)

    def trained(self, row: str, seed: int) -> bool:
        """Whether it has done all its updates."""
        return self.state.values.get(f'trained/{row}/{seed}', False)

    # ------------------------------------------------------------------ jobs

    def make_tokenizer(self) -> None:
        """All threads of all jobs for it alone."""
        if self.with_tokens:
            made_by = (ROOT / self.cfg.model.tokenizer.made_by).resolve()
            wide = argparse.Namespace(**{**vars(self.args), 'threads': self.args.threads * self.args.jobs})
            self.tokenizer = make_tokenizer(made_by, wide)

    def timing_jobs(self) -> list[Job]:
        """Short runs of the rows that have none, and as many more as keep the last one company."""
        new = [row for row in self.args.rows if f'timing/{row}' not in self.state.values]

        def job(row: str, name: str, **more: Any) -> Job:
            def found(seconds: float) -> None:
                if not more:
                    self.state.put(**{f'timing/{row}': seconds})

            folder, title = self.args.work_dir / 'timing' / name, f'the timing of {row}'
            return timing_job(self.configs[row], folder, self.options(row), self.args, found, title=title, **more)

        fillers = self.args.jobs - 1 if new else 0
        company = [job(self.args.rows[i % len(self.args.rows)], f'company{i}', filler=True) for i in range(fillers)]
        return [*(job(row, row) for row in new), *company]

    def run_jobs(self) -> list[Job]:
        """Controls and trainings, one seed of every row before the next; a training is scored behind it."""
        controls = [job for seed in self.args.seeds for job in self.score_jobs('control', seed)]
        trainings: list[Job] = []
        for seed in self.args.seeds:
            for row in self.args.rows:
                trainings += self.score_jobs(row, seed) if self.trained(row, seed) else [self.training(row, seed)]
        return [*controls, *trainings]

    def training(self, row: str, seed: int) -> Job:
        """One run."""

        def done(_: float) -> Sequence[Job]:
            self.state.put(**{f'trained/{row}/{seed}': True})
            return self.score_jobs(row, seed)

        seconds = self.iterations(row) * self.seconds_per_update(row) + STARTING
        return training_job(
            self.command(row, seed),
            self.folder(row, seed),
            self.iterations(row),
            title=f'{row}, seed {seed}',
            seconds=seconds,
            done=done,
        )

    def score_jobs(self, row: str, seed: int) -> list[Job]:
        """One job, or none where all sets of shapes are scored."""
        args, folder = self.args, self.folder(row, seed)
        if not missing(folder / 'scores', args):
            return []
        what = ['--control', str(seed)] if row == 'control' else ['--checkpoint', str(last_checkpoint(folder))]
        command = ['python', 'tools/benchmarks/_evidence_score.py', *what, '--config', str(self.base)]
        command += ['--digest', args.digest, '--out', str(folder / 'scores'), '--device', score_device(args)]
        command += ['--up-axis', args.up_axis, '--num-points', str(args.num_points)]
        command += ['--smoke'] if args.smoke else []
        command += ['--data', *map(str, args.data)] if args.data else []
        title = f'the scores of {row}, seed {seed}'
        return [Job(command, folder.parent / f'scores{seed}.log', title, seconds=SCORING, done=self.scored.append)]

    def report(self, running: list[tuple[Job, float]], waiting: list[Job]) -> str:
        """One line."""
        score = statistics.mean(self.scored) if self.scored else SCORING

        def seconds(job: Job, spent: float | None = None) -> float:
            if not job.iterations:
                return score - min(spent or 0.0, score)
            return (job.seconds if spent is None else job.seconds_left(spent)) + score

        left = sum(seconds(*one) for one in running) + sum(seconds(job) for job in waiting)
        trainings = sum(bool(job.iterations) for job in [*waiting, *(job for job, _ in running)])
        now = '; '.join(f'{job.title}{f": {job.progress(spent)}" if job.iterations else ""}' for job, spent in running)
        now = now or 'waiting for what a killed command has left running'
        return f'{trainings} trainings left, all in about {left / self.args.jobs / 60:.0f} minutes; now {now}'


def score_device(args: argparse.Namespace) -> str:
    """Where encoders are scored."""
    return 'cuda' if args.device == 'auto' and torch.cuda.is_available() else 'cpu'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=ROOT / 'configs' / 'mmpt' / 'laptop_pretrain.py')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--minutes', type=float, default=3.0, help='training of each run; 3: an hour on 2 cores')
    parser.add_argument('--rows', nargs='+', choices=list(ROWS), default=list(ROWS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='of initialisation and data order')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'evidence')
    parser.add_argument('--jobs', type=int, help='trainings side by side; all cores, one on a GPU')
    parser.add_argument('--threads', type=int, help='OMP_NUM_THREADS of each; the cores over the jobs')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--fresh', action='store_true', help='forget what --work-dir holds')
    add_score_options(parser)
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/benchmarks/evidence.py', *(sys.argv[1:] if argv is None else argv)])
    args.work_dir, args.data = args.work_dir.resolve(), check_data(parser, args.data)
    args.rows, args.seeds = [row for row in ROWS if row in args.rows], sorted(set(args.seeds))
    args.jobs = args.jobs or (1 if score_device(args) == 'cuda' else cores())
    args.threads = args.threads or max(1, cores() // args.jobs)
    return args


def forget(folder: Path) -> None:
    """Remove what this command has written; other files of the folder stay."""
    if not (folder / 'state.json').is_file():
        return
    for name in ('runs', 'configs', 'timing', 'tokenizers'):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in (*folder.glob('evidence*.*'), folder / 'items.npz', folder / 'state.json'):
        path.unlink(missing_ok=True)


def write(evidence: Evidence) -> None:
    """All outputs, of the rows whose seeds are all done."""
    folder = evidence.args.work_dir
    result, items = collect(evidence)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **items)
    atomic_write(buffer.getvalue(), folder / 'items.npz')
    atomic_write(json.dumps(result, indent=1).encode(), folder / 'evidence.json')
    pictures = save_plots(result, folder)
    atomic_write(markdown(result, pictures).encode(), folder / 'evidence.md')
    print(text_table(result))
    print(f'\n{short(folder)}: evidence.json, evidence.md, items.npz, {", ".join(pictures.values())}')


def main(argv: list[str] | None = None) -> None:
    """Tokenizer, timing, controls, trainings with their scores, tables."""
    args = parse_args(argv)
    register_all_modules()
    if args.fresh:
        forget(args.work_dir)
    evidence, start = Evidence(args), time.perf_counter()
    runs = len(args.rows) * len(args.seeds)
    print(
        f'== {len(args.rows)} rows, {len(args.seeds)} seeds, {len(sets(args))} sets of shapes; {args.jobs} at a time '
        f'with {args.threads} threads, {runs * args.minutes / args.jobs:.0f} minutes of training',
        flush=True,
    )
    evidence.make_tokenizer()
    timing = evidence.timing_jobs()
    if timing:
        print('== seconds per update of each row', flush=True)
    failed = work_off(timing, args.jobs, args.threads, evidence.report)
    if failed:
        raise ConfigError('; '.join(failed))
    shutil.rmtree(args.work_dir / 'timing', ignore_errors=True)
    for row in args.rows:
        print(f'   {row}: {evidence.seconds_per_update(row):.3f} s, {evidence.iterations(row)} updates', flush=True)
    evidence.state.put(tokenizer=evidence.tokenizer)
    print('== controls, trainings and scores', flush=True)
    failed = work_off(evidence.run_jobs(), args.jobs, args.threads, evidence.report)
    evidence.state.put(seconds=evidence.state.values.get('seconds', 0.0) + time.perf_counter() - start)
    if any(evidence.score_jobs('control', seed) for seed in args.seeds):
        raise MMPTError(f'{"; ".join(failed)}; without all controls there is nothing to compare with.')
    write(evidence)
    if failed:
        raise MMPTError(f'{"; ".join(failed)}. The rows that are complete are written; run again, or leave them out.')


if __name__ == '__main__':
    sys.exit(run(main))
