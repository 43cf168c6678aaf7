"""Few-shot classification over all folds: mean and deviation for n classes with m examples each.

    python tools/few_shot.py configs/few_shot/synthetic.py --checkpoint pretrain.pth           fine-tuned (Point-BERT)
    python tools/few_shot.py configs/few_shot/synthetic.py                                     from scratch, the control
    python tools/few_shot.py configs/few_shot/synthetic.py --checkpoint pretrain.pth --frozen  linear SVM and 1-NN
    python tools/few_shot.py configs/few_shot/modelnet40.py --checkpoint pretrain.pth --ways 5 --shots 10 20

Every fold is trained by the config for its number of epochs, and what counts is the accuracy behind the last update. A
result is kept as soon as it is there: run again after an interruption, it goes on where it stopped. few_shot.json and
few_shot.md in the work dir hold mean and deviation, the protocol and each fold; of a fold's training its log is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

#: score of a fold -> its column.
_TITLES = {'accuracy': 'fine-tuned', 'svm': 'linear SVM', 'knn': '1-NN'}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='of one fold, see configs/few_shot')
    parser.add_argument('--checkpoint', type=Path, help='of a pre-training; without one: from scratch')
    parser.add_argument('--ways', nargs='+', type=int, default=[5, 10], help='numbers of classes')
    parser.add_argument('--shots', nargs='+', type=int, default=[10, 20], help='numbers of examples of each class')
    parser.add_argument('--folds', type=int, default=10)
    parser.add_argument('--frozen', action='store_true', help='nothing is trained but a linear SVM')
    parser.add_argument('--seed', type=int, default=0, help='of the trainings: fold k is trained with this + k')
    parser.add_argument('--work-dir', type=Path, help='default work_dirs/few_shot/<config>/<checkpoint>[-frozen]')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--fresh', action='store_true', help='forget what --work-dir holds')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/few_shot.py', *(sys.argv[1:] if argv is None else argv)])
    return args


class FewShot:
    """The folds of a config, and how one of them is scored.

    Args:
        args (Namespace): the command line.
        device (str): where encoders run.
        encoder (Module, optional): with ``--frozen``, scored in place of that of the checkpoint.
    """

    def __init__(self, args: argparse.Namespace, device: str, encoder: Any = None) -> None:
        from mmpt.utils.config import load_config, parse_options
        from mmpt.utils.errors import CheckpointError, ConfigError

        if args.checkpoint and not args.checkpoint.is_file():
            raise CheckpointError(f'Checkpoint {args.checkpoint} does not exist.')
        if args.frozen and not args.checkpoint:
            raise ConfigError(
                '--frozen needs --checkpoint; an untrained frozen encoder is scored beside it by tools/benchmark.py.'
            )
        self.args, self.device = args, device
        self.cfg = load_config(args.config, parse_options(args.cfg_options))
        self.data = (self.cfg.get('val_dataloader') or {}).get('dataset') or {}
        if not {'way', 'shot', 'fold'} <= set(self.data) or 'epochs' not in self.cfg:
            raise ConfigError(
                f'{args.config} has no folds: expected `epochs`, and way, shot and fold in the data sets '
                '(ModelNetFewShot, DrawnFewShot), as in configs/few_shot.'
            )
        self.source = 'checkpoint' if args.checkpoint else 'random'
        name = args.checkpoint.stem if args.checkpoint else 'scratch'
        default = Path('work_dirs', 'few_shot', args.config.stem, f'{name}-frozen' if args.frozen else name)
        self.folder = (args.work_dir or default).resolve()
        self.known: dict[str, Any] = {}
        self.encoder = encoder

    def digest(self) -> str:
        """Of everything that decides the result of a fold."""
        from _scoring import config_digest

        weights = self.args.checkpoint.read_bytes() if self.args.checkpoint else b''
        settings = [config_digest(self.cfg), self.args.frozen, self.args.seed]
        return hashlib.sha256(weights + json.dumps(settings).encode()).hexdigest()

    def part(self, way: int, shot: int, fold: int, split: str) -> Any:
        """Examples (``train``) or queries (``test``) of a fold, both as they are tested."""
        from mmpt.registry import DATASETS

        return DATASETS.build({**self.data.to_dict(), 'way': way, 'shot': shot, 'fold': fold, 'split': split})

    def score(self, way: int, shot: int, fold: int) -> dict[str, Any]:
        """Scores of a fold, with the protocol."""
        if self.args.frozen:
            return self._frozen(way, shot, fold)
        return self._fine_tuned(way, shot, fold)

    def updates(self, way: int, shot: int) -> int:
        """Of the training of one fold."""
        return max(1, round(self.cfg.epochs * way * shot / self.cfg.train_dataloader.batch_size))

    def protocol(self) -> Any:
        """Of frozen features; drawn folds have a seed, published ones are given."""
        from mmpt.evaluation.protocols import FewShotProtocol

        drawn = 'parts' in self.data
        return FewShotProtocol(
            folds=self.args.folds,
            seed=self.data.get('seed', 0) if drawn else None,
            queries=self.data.get('queries', 20),
        )

    def _fine_tuned(self, way: int, shot: int, fold: int) -> dict[str, Any]:
        from _scoring import config_digest
        from _suite.bench import train_in_process
        from family import schedule_options

        updates, batch = self.updates(way, shot), self.cfg.train_dataloader.batch_size
        options = [*self.args.cfg_options, *schedule_options(self.cfg, updates), f'model.num_classes={way}']
        for loader in ('train_dataloader', 'val_dataloader'):
            options += [
                f'{loader}.dataset.{key}={value}' for key, value in zip(('way', 'shot', 'fold'), (way, shot, fold))
            ]
        if self.args.checkpoint:
            options.append(f'model.checkpoint={self.args.checkpoint.resolve()}')
        folder = self.folder / 'runs' / f'{way}way_{shot}shot-{fold}'
        result = train_in_process(
            folder,
            str(self.args.config.resolve()),
            {'accuracy': 'test/accuracy'},
            options,
            seed=self.args.seed + fold,
            device=self.device,
        )
        # Forty trainings leave forty times the weights and moments of an encoder.
        for path in (folder / 'run').glob('*.pth'):
            path.unlink()
        line = (
            f'fine-tuned by {self.args.config}: {self.cfg.epochs} epochs in batches of {batch}, accuracy on the '
            f'queries behind the last update; {self.args.folds} folds of {self.data.type}, the seed of a run is '
            f'{self.args.seed} + the number of its fold'
        )
        record = {'config_sha256': config_digest(self.cfg), 'epochs': self.cfg.epochs, 'batch': batch}
        return {**result, 'protocol': line, 'record': {**record, 'updates': updates, 'way': way, 'shot': shot}}

    def _frozen(self, way: int, shot: int, fold: int) -> dict[str, Any]:
        import numpy as np

        from mmpt.evaluation.protocols import FewShotFold, score_folds

        parts = [self.part(way, shot, fold, split) for split in ('train', 'test')]
        protocol = replace(self.protocol(), num_points=parts[0].metainfo.get('num_points'))
        (x, y), (other_x, other_y) = (self._features(part, protocol.pooling) for part in parts)
        whole = FewShotFold(np.unique(y), np.arange(len(y)), np.arange(len(other_y)))
        found = score_folds(x, y, other_x, other_y, [whole], protocol)
        return {
            'scores': {name: value.mean for name, value in found.items()},
            'protocol': f'{protocol.describe()}; folds of {self.data.type}',
            'record': protocol.to_dict(),
        }

    def _features(self, part: Any, pooling: tuple[str, ...]) -> tuple[Any, Any]:
        """Features (N, C) and labels (N,); a shape that an earlier fold had is not encoded again."""
        import numpy as np

        from mmpt.apis import load_encoder
        from mmpt.evaluation import extract_features

        if self.encoder is None:
            self.encoder = load_encoder(self.args.checkpoint, device=self.device)
        samples = [part[index] for index in range(len(part))]
        names = [sample['data_samples'].sample_id for sample in samples]
        new = [place for place, name in enumerate(names) if name not in self.known]
        if new:
            points = np.stack([samples[place]['inputs']['points'].numpy() for place in new])
            features = extract_features(self.encoder, points, device=self.device, pooling=pooling)
            self.known.update(zip([names[place] for place in new], features, strict=True))
        labels = np.array([int(sample['data_samples'].label) for sample in samples])
        return np.stack([self.known[name] for name in names]), labels


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Setting -> score -> mean, deviation and extremes over its folds."""
    from mmpt.evaluation import spread

    return {
        setting: {name: spread(fold['scores'][name] for fold in folds) for name in folds[0]['scores']}
        for setting, folds in results.items()
        if folds
    }


def markdown(args: argparse.Namespace, found: dict[str, dict[str, Any]], protocol: str) -> str:
    """The table that people will quote, its protocol above it."""
    names = list(next(iter(found.values()), {}))
    lines = [f'# Few-shot, {args.config.stem}', '', f'`{args.command}`', '']
    lines += [f'Encoder: {args.checkpoint or "from scratch"}. {protocol[:1].upper()}{protocol[1:]}.', '']
    lines += [
        f'| setting | {" | ".join(f"{_TITLES[name]}, %" for name in names)} | folds |',
        '|---' * (len(names) + 2) + '|',
    ]
    for setting, scores in found.items():
        cells = [f'{100 * scores[name].mean:.1f} ± {100 * scores[name].std:.1f}' for name in names]
        lines.append(f'| {setting} | {" | ".join(cells)} | {scores[names[0]].n} of {args.folds} |')
    return '\n'.join([*lines, '', 'Mean ± standard deviation over the folds (n - 1).', ''])


def main(argv: list[str] | None = None) -> None:
    """Score the folds, print and write; the exit code is 1 where one failed."""
    args = parse_args(argv)
    if args.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    import torch
    from _suite import Job, Store, run_jobs
    from mmengine.registry import DefaultScope

    from mmpt.utils.io import atomic_write
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    with DefaultScope.overwrite_default_scope('mmpt'):
        bench = FewShot(args, 'cuda' if torch.cuda.is_available() else 'cpu')
        settings = [(way, shot) for way in args.ways for shot in args.shots]
        for setting in settings:
            # What is missing is said once, before anything is trained.
            bench.part(*setting, args.folds - 1, 'train')
        digest = bench.digest()
        store = Store(bench.folder, digest, args.fresh)
        of = {f'{way}way_{shot}shot': (way, shot) for way, shot in settings}
        # The seed of a job is the number of its fold.
        jobs = [Job(name, bench.source, fold) for name in of for fold in range(args.folds)]
        costs = {name: 1.0 if args.frozen else 5 + 0.5 * bench.updates(*setting) for name, setting in of.items()}
        configs = dict.fromkeys(of, digest)
        failed = run_jobs(jobs, store, lambda job: bench.score(*of[job.task], job.seed), costs, configs)
    results = {
        f'{way}-way {shot}-shot': [kept for job in jobs if job.task == name and (kept := store.load(job))]
        for name, (way, shot) in of.items()
    }
    found = summary(results)
    protocol = next((fold['protocol'] for folds in results.values() for fold in folds), 'nothing was scored')
    text = markdown(args, found, protocol)
    content = {
        'command': args.command,
        'protocol': protocol,
        'settings': {name: {key: value._asdict() for key, value in row.items()} for name, row in found.items()},
        'folds': results,
        'failed': [f'{job}: {reason}' for job, reason in failed],
    }
    atomic_write(json.dumps(content, indent=1).encode(), bench.folder / 'few_shot.json')
    atomic_write(text.encode(), bench.folder / 'few_shot.md')
    print(f'\n{text}\n{bench.folder / "few_shot.md"}')
    if failed:
        sys.exit(1)


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
