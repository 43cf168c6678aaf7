"""What the tasks of tools/benchmark.py share: the encoder, its controls, shapes, features, and trainings of a head."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from _scoring import last_checkpoint

from mmpt.apis import load_encoder
from mmpt.evaluation import calibrate_batchnorm, extract_features
from mmpt.evaluation.protocols import Spread
from mmpt.registry import ENCODERS
from mmpt.visualization import read_scalars

from .jobs import Job

__all__ = ['GENERATED', 'ROOT', 'Bench', 'Parts', 'better', 'train_in_process']

ROOT = Path(__file__).resolve().parents[2]
#: name of the generated classes among the shapes.
GENERATED = 'generated'
#: a figure, or a summary of several that begins with their mean.
_Value = TypeVar('_Value', float, Spread)
#: 'train' and 'test' -> points (N, P, 3) and labels (N,).
Parts = Mapping[str, tuple[np.ndarray, np.ndarray]]


class Bench:
    """One checkpoint under test.

    Args:
        checkpoint (Path): of a pre-training, or written by tools/model_converters/convert.py.
        folder (Path): where trainings of heads are kept.
        device (str): where encoders run.
        smoke (bool): everything is too short to say anything.
    """

    def __init__(self, checkpoint: Path, folder: Path, device: str = 'cpu', smoke: bool = False) -> None:
        self.checkpoint, self.folder, self.device, self.smoke = checkpoint, folder, device, smoke
        self.pretrained = load_encoder(checkpoint, device=device)
        self.encoder_cfg: dict[str, Any] = copy.deepcopy(self.pretrained.cfg)
        self.variants = cache(self._variants)
        self.features = cache(self._features)
        self.shapes = cache(self._read)
        self._readers: dict[str, Callable[[], Parts]] = {}

    def add_shapes(self, name: str, read: Callable[[], Parts]) -> None:
        """Labelled shapes under a name that jobs refer to, read when a job first asks."""
        self._readers[name] = read

    def _read(self, name: str) -> Parts:
        return self._readers[name]()

    def _variants(self, source: str, seed: int, name: str) -> tuple[torch.nn.Module, ...]:
        """The encoder of a source; an untrained one also with batch statistics of the training part."""
        if source == 'checkpoint':
            return (self.pretrained,)
        encoders = []
        for calibrated in (False, True):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                encoder = ENCODERS.build(copy.deepcopy(self.encoder_cfg)).to(self.device).eval()
            if calibrated and not calibrate_batchnorm(encoder, self.shapes(name)['train'][0], device=self.device):
                break
            encoders.append(encoder)
        return tuple(encoders)

    def _features(self, source: str, seed: int, name: str, pooling: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {
                part: (extract_features(encoder, points, device=self.device, pooling=pooling), labels)
                for part, (points, labels) in self.shapes(name).items()
            }
            for encoder in self.variants(source, seed, name)
        ]

    def _control(self, seed: int) -> Path:
        """An untrained encoder as a checkpoint, with batch statistics of generated training shapes."""
        path = self.folder / 'controls' / f'{seed}.pth'
        if not path.is_file():
            encoder = self.variants('random', seed, GENERATED)[-1]
            state = {f'encoder.{key}': value.cpu() for key, value in encoder.state_dict().items()}
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes may need the same one.
            partial = path.with_suffix(f'.{os.getpid()}')
            torch.save({'meta': {'encoder_cfg': self.encoder_cfg}, 'state_dict': state}, partial)
            partial.replace(path)
        return path

    def features_of(self, job: Job, name: str, pooling: Sequence[str]) -> list[dict[str, Any]]:
        """Features of both parts by every variant of a job's encoder.

        Args:
            job (Job): whose encoder.
            name (str): of the shapes.
            pooling (Sequence[str]): see ``compose_features``.

        Returns:
            list[dict]: one for each variant, ``train`` and ``test`` -> features (N, C) and labels (N,).
        """
        # One checkpoint has one set of features, whatever the seed of the task's draws.
        return self.features(job.source, job.seed if job.source == 'random' else 0, name, tuple(pooling))

    def encoder_file(self, job: Job) -> Path:
        """The checkpoint that a job's encoder is read from."""
        return self.checkpoint if job.source == 'checkpoint' else self._control(job.seed)

    def folder_of(self, job: Job) -> Path:
        """Where trainings of a job are kept."""
        return self.folder / 'runs' / f'{job.task}-{job.source}-{job.seed}'

    def train(
        self,
        job: Job,
        config: str,
        keys: Mapping[str, str],
        options: Sequence[str] = (),
        test_keys: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Train a model for a labelled task around the encoder in a process of its own.

        Args:
            job (Job): which encoder, which seed.
            config (str): its file.
            keys (Mapping[str, str]): name of a score -> what the val loop logs it as.
            options (Sequence[str]): ``key=value`` over what the config says.
            test_keys (Mapping[str, str]): likewise of the test loop; without one it is not run.

        Returns:
            dict: ``scores`` behind the last update by name, ``command``, ``peak_mb`` of the process.

        Raises:
            RuntimeError: the training failed; the message is the end of its log.
        """
        options = [f'model.checkpoint={self.encoder_file(job)}', *options]
        return train_in_process(
            self.folder_of(job), config, keys, options, seed=job.seed, device=self.device, test_keys=test_keys
        )


def train_in_process(
    folder: Path,
    config: str,
    keys: Mapping[str, str],
    options: Sequence[str],
    *,
    seed: int,
    device: str = 'cpu',
    test_keys: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Train by a config in a process of its own, or go on where such a training stopped.

    Args:
        folder (Path): gets ``run`` and ``test``, the work dirs, and ``train.log``.
        config (str): its file.
        keys (Mapping[str, str]): name of a score -> what the val loop logs it as.
        options (Sequence[str]): ``key=value`` over what the config says.
        seed (int): of the run.
        device (str): ``cpu`` leaves a GPU alone.
        test_keys (Mapping[str, str]): as ``keys``, of the test loop, which then runs behind the training.

    Returns:
        dict: ``scores`` of the last val loop and of the test loop by name, ``command``, ``peak_mb`` of the process.

    Raises:
        RuntimeError: the training failed; the message is the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    common = [*(['--device', 'cpu'] if device == 'cpu' else []), '--cfg-options', *options]
    run, test = folder / 'run', folder / 'test'
    command = ['tools/train.py', config, '--work-dir', str(run), '--seed', str(seed), '--resume', *common]
    peak = _process(command, folder / 'train.log')
    result = {'scores': _last_scores(run, keys), 'command': ' '.join(['python', *command]), 'peak_mb': peak}
    if test_keys:
        command = ['tools/test.py', config, last_checkpoint(run), '--loop', 'test', '--work-dir', str(test), *common]
        peak = _process(command, folder / 'train.log')
        found = json.loads(max(test.glob('*/*.json')).read_text())
        result['scores'].update({name: float(found[key]) for name, key in test_keys.items()})
        result.update(test_command=' '.join(['python', *command]), peak_mb=max(result['peak_mb'], peak))
    return result


def _process(command: Sequence[str], log: Path) -> float:
    """Run a tool of this checkout, its output behind what the log holds; the peak memory of the process in MB."""
    with log.open('ab') as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / command[0]), *command[1:]],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(os.environ),
        )
        status, peak = _wait(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == 130:
        raise KeyboardInterrupt
    if process.returncode:
        lines = [line for line in log.read_text(errors='replace').splitlines() if line.strip()]
        raise RuntimeError(f'{lines[-1]} (see {log})')
    return peak


def _wait(pid: int) -> tuple[int, float]:
    """Wait status of a process and its peak memory in MB.

    What the system says at the end counts the moment before the child was another program than its parent, so the
    running one is asked where there is /proc.
    """
    peak, place = 0.0, Path(f'/proc/{pid}/status')
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, peak or usage.ru_maxrss / 1024
        with suppress(OSError):
            lines = [line for line in place.read_text().splitlines() if line.startswith('VmHWM:')]
            peak = int(lines[0].split()[1]) / 1024 if lines else peak
        time.sleep(0.2)


def _last_scores(folder: Path, keys: Mapping[str, str]) -> dict[str, float]:
    """Scores of the last val loop, from the log that TensorBoard reads too."""
    curves = read_scalars(folder)
    missing = [key for key in keys.values() if key not in curves]
    if missing:
        raise RuntimeError(f'{folder} logged no {missing[0]}; it has {", ".join(sorted(curves))}.')
    return {name: float(curves[key].values[-1]) for name, key in keys.items()}


def better(rows: Sequence[Mapping[str, _Value]]) -> dict[str, _Value]:
    """The best of each score: an untrained encoder counts with the batch statistics that suit it more."""
    return {name: max(row[name] for row in rows) for name in rows[0]}
