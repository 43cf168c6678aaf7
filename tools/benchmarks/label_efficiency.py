"""Fine-tuning with 1, 5, 10 and 100 % of the labels on the generated classes: pre-trained against from scratch.

    python tools/benchmarks/label_efficiency.py --checkpoint work_dirs/pretrain/best.pth
    python tools/benchmarks/label_efficiency.py --checkpoint pretrain.pth --smoke       everything, too short to learn

The training part holds 100 shapes of each class, so that 1 % is one shape of each. Shares are drawn by seed, the same
part of every class, and a larger one holds all of a smaller one. Both sides of a seed see the same shapes in the same
order through the same recipe, that of --config stretched to --updates, whatever the share; only the weights that the
encoder begins with differ: those of the checkpoint, or of the same encoder untrained. The recipe is Point-MAE's for
fine-tuning and was tuned for neither side; a learning rate of its own, or more updates where there are many labels,
might serve an encoder from scratch better. The test part is scored once, behind the last update; nothing is chosen by
it. Run again after an interruption, it goes on where it stopped. Written to --out: label_efficiency.json,
label_efficiency.md and label_efficiency.png.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

from _label_efficiency_page import SIDES, draw_curves, markdown  # noqa: E402
from _scoring import config_digest, last_checkpoint  # noqa: E402
from _trainings import Job, State, command_of, cores, schedule_options, short, training_job, work_off  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.evaluation import paired_bootstrap, spread, untrained_encoder  # noqa: E402
from mmpt.registry import DATASETS, ENCODERS  # noqa: E402
from mmpt.utils.collect_env import collect_env  # noqa: E402
from mmpt.utils.config import load_config  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.progress import duration  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

#: Labelled training shapes before a share is taken: 100 of each of the 27 classes.
TRAIN_SHAPES, TEST_SHAPES = 2700, 540
FRACTIONS, SEEDS = (0.01, 0.05, 0.1, 1.0), (0, 1, 2)


class Run(NamedTuple):
    """One training.

    Attributes:
        side (str): one of ``SIDES``.
        fraction (float): share of the labels.
        seed (int): of the share, of the training, and of an encoder from scratch.
    """

    side: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        """Where it is kept, below the folder of the tool."""
        return f'{self.side}_{100 * self.fraction:g}/seed{self.seed}'


class Bench:
    """What the trainings share."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.folder = args, args.out / 'label_efficiency'
        if args.fresh and self.folder.exists():
            shutil.rmtree(self.folder)
        self.cfg = load_config(args.config)
        self.sizes = [
            f'train_dataloader.dataset.size={args.train_shapes}',
            f'val_dataloader.dataset.size={args.test_shapes}',
        ]
        checkpoint = hashlib.sha256(args.checkpoint.read_bytes()).hexdigest()
        settings = (checkpoint, args.updates, args.train_shapes, args.test_shapes, args.device)
        self.state = State(self.folder, f'{config_digest(self.cfg)} {settings}')
        self.encoder_cfg: dict[str, Any] = copy.deepcopy(load_encoder(args.checkpoint).cfg)

    def start_of(self, one: Run) -> Path:
        """The checkpoint whose encoder a training begins with."""
        if one.side == 'pretrained':
            return self.args.checkpoint
        path = self.folder / f'untrained_{one.seed}.pth'
        if not path.is_file():
            encoder = untrained_encoder(lambda: ENCODERS.build(copy.deepcopy(self.encoder_cfg)), one.seed)
            state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
            buffer = io.BytesIO()
            torch.save({'meta': {'encoder_cfg': self.encoder_cfg}, 'state_dict': state}, buffer)
            atomic_write(buffer.getvalue(), path)
        return path

    def command(self, one: Run) -> list[str]:
        """The training of one run; its val loop comes behind the last update and leaves its answers in a file."""
        chosen = [f'train_dataloader.dataset.indices.{key}={value}' for key, value in _share(one).items()]
        options = [
            f'model.checkpoint={short(self.start_of(one))}',
            *self.sizes,
            *chosen,
            *schedule_options(self.cfg, self.args.updates),
            f'val_evaluator.0.save_predictions={short(self._answers(one))}',
        ]
        return command_of(self.args.config, self.folder / one.name, options, self.args, one.seed)

    def job(self, one: Run) -> Job:
        """The training as a job that keeps its score."""
        command, folder = self.command(one), self.folder / one.name

        def record(seconds: float) -> None:
            with np.load(self._answers(one), allow_pickle=False) as file:
                order = np.argsort(file['ids'])
                correct = (file['logits'].argmax(axis=1) == file['labels'])[order]
            known = self.state.values.get(one.name, {})
            found = {'accuracy': float(correct.mean()), 'correct': ''.join(map(str, correct.astype(int)))}
            minutes = known.get('minutes', 0.0) + seconds / 60
            self.state.put(**{one.name: {**found, 'minutes': minutes, 'command': shlex.join(command)}})
            print(f'== {one.name}: accuracy {correct.mean():.3f} ({duration(seconds)})', flush=True)

        def done(seconds: float) -> list[Job] | None:
            if self._answers(one).is_file():
                return record(seconds)
            # Stopped between the last update and its score: resumed, there is nothing left to train and no val loop.
            cut = command.index('--cfg-options')
            device = ['--device', 'cpu'] if self.args.device == 'cpu' else []
            score = ['python', 'tools/test.py', command[2], last_checkpoint(folder), '--work-dir', short(folder)]
            again = lambda more: record(seconds + more)  # noqa: E731
            return [Job([*score, *device, *command[cut:]], folder.parent / f'{folder.name}.log', one.name, done=again)]

        return training_job(command, folder, self.args.updates, one.name, done=done)

    def _answers(self, one: Run) -> Path:
        return self.folder / one.name / 'answers.npz'

    def shapes_of(self, fraction: float) -> int:
        """How many labelled shapes a share holds."""
        part = {**self.cfg.train_dataloader.dataset.to_dict(), 'size': self.args.train_shapes}
        return len(DATASETS.build({**part, 'indices': _share(Run('', fraction, 0))}))


def _share(one: Run) -> dict[str, float]:
    return {'share': one.fraction, 'seed': one.seed}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained yet; all figures, JSON-able."""
    bench = Bench(args)
    # A seed is complete before the next begins, so that what an interruption leaves is of use.
    runs = [Run(side, fraction, seed) for seed in args.seeds for fraction in FRACTIONS for side in SIDES]
    known = bench.state.values
    waiting = [bench.job(one) for one in runs if one.name not in known]
    if len(waiting) < len(runs):
        print(f'{len(runs) - len(waiting)} of {len(runs)} trainings are done already.', flush=True)

    def report(running: list[tuple[Job, float]], waits: list[Job]) -> str:
        # What a training takes is known when the first has ended; until then from its own updates.
        ended = [known[one.name]['minutes'] * 60 for one in runs if one.name in known]
        left = [job.seconds_left(spent) for job, spent in running]
        whole = max(ended) if ended else max((gone + rest for (_, gone), rest in zip(running, left)), default=0.0)
        seconds = max([(sum(left) + whole * len(waits)) / args.jobs, *left])
        count = len(runs) - len(waits) - len(running)
        return f'{count} of {len(runs)} trainings done, {len(running)} under way, about {duration(seconds)} left'

    failed = work_off(waiting, args.jobs, args.threads, report)
    if failed:
        raise ConfigError(' '.join(failed))
    return {
        'command': args.command,
        'config': short(args.config),
        'checkpoint': str(args.checkpoint),
        'smoke': args.smoke,
        'threads': args.threads,
        'jobs': args.jobs,
        'environment': collect_env(),
        'shapes': {'train': args.train_shapes, 'test': args.test_shapes},
        'updates': args.updates,
        'seeds': list(args.seeds),
        'protocol': (
            f'{args.updates} updates of {bench.cfg.train_dataloader.batch_size} shapes for every share and side, the '
            'last one scored once on the test part, single pass; shares stratified, nested and drawn by seed; means '
            'over seeds; 95 % interval of the difference by a paired bootstrap over test shapes'
        ),
        'rows': [row_of(bench, fraction) for fraction in FRACTIONS],
    }


def row_of(bench: Bench, fraction: float) -> dict[str, Any]:
    """Both sides of one share of the labels, as label_efficiency.json has them."""
    shapes = bench.shapes_of(fraction)
    passes = bench.args.updates * bench.cfg.train_dataloader.batch_size / shapes
    row: dict[str, Any] = {'fraction': fraction, 'shapes': shapes, 'passes': passes}
    correct = []
    for side in SIDES:
        entries = [(seed, bench.state.values[Run(side, fraction, seed).name]) for seed in bench.args.seeds]
        over = spread(entry['accuracy'] for _, entry in entries)
        row[side] = {
            'mean': over.mean,
            'min': over.min,
            'max': over.max,
            'runs': [
                {
                    'seed': seed,
                    'accuracy': entry['accuracy'],
                    'minutes': entry['minutes'],
                    'folder': f'label_efficiency/{Run(side, fraction, seed).name}',
                    'command': entry['command'],
                }
                for seed, entry in entries
            ],
        }
        correct.append(np.array([[item == '1' for item in entry['correct']] for _, entry in entries]))
    (interval,) = paired_bootstrap([(correct[0], correct[1])])
    row['difference'] = interval._asdict()
    return row


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', type=Path, required=True, help='of the pre-training')
    parser.add_argument(
        '--config',
        type=Path,
        default=ROOT / 'configs' / 'classification' / 'finetune_synthetic.py',
        help='of the fine-tuning, on generated classes; default %(default)s',
    )
    parser.add_argument('--updates', type=int, default=400, help='of every training; default %(default)s')
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs' / 'evidence', help='folder; default %(default)s')
    parser.add_argument('--jobs', type=int, default=cores(), help='trainings side by side; one for each core')
    parser.add_argument('--threads', type=int, default=1, help='OMP_NUM_THREADS of each; default %(default)s')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--smoke', action='store_true', help='2 updates a training, few shapes, one seed')
    parser.add_argument('--fresh', action='store_true', help='forget the trainings that --out holds')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    words = sys.argv[1:] if argv is None else argv
    args.command = shlex.join(['python', 'tools/benchmarks/label_efficiency.py', *words])
    args.out, args.config, args.checkpoint = args.out.resolve(), args.config.resolve(), args.checkpoint.resolve()
    args.train_shapes, args.test_shapes = (270, 54) if args.smoke else (TRAIN_SHAPES, TEST_SHAPES)
    args.updates = 2 if args.smoke else args.updates
    args.seeds = SEEDS[:1] if args.smoke else SEEDS
    for name in ('checkpoint', 'config'):
        if not getattr(args, name).is_file():
            parser.error(f'--{name} {getattr(args, name)} is not there.')
    if min(args.updates, args.jobs, args.threads) < 1:
        parser.error('--updates, --jobs and --threads are at least 1.')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print, write."""
    args = parse_args(argv)
    register_all_modules()
    result = measure(args)
    draw_curves(args.out / 'label_efficiency.png', result)
    text = markdown(result)
    atomic_write(json.dumps(result, indent=1).encode(), args.out / 'label_efficiency.json')
    atomic_write(text.encode(), args.out / 'label_efficiency.md')
    print(text)


if __name__ == '__main__':
    sys.exit(run(main))
