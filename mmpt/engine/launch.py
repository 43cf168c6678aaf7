"""What ``tools/train.py`` and ``tools/test.py`` do."""

from __future__ import annotations

import atexit
import gc
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmpt.utils.checkpoint import (
    TRANSFERRED,
    latest_checkpoint,
    load_checkpoint,
    model_state,
    require_match,
    trust_checkpoints,
    warn_about_geometry,
)
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError

from .distributed import process_group, unwrap
from .hooks import InterruptHook
from .hooks.class_counts_hook import absent_classes

__all__ = ['test', 'train']

# Runs of this process.
_RUNS = itertools.count(1)


def train(
    config: str,
    *,
    work_dir: str | None = None,
    resume: str | None = None,
    amp: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
    auto_scale_lr: bool = False,
    launcher: str = 'none',
    trust_checkpoint: bool = False,
    seed: int | None = None,
) -> Runner:
    """Train by a config.

    Args:
        config (str): its file.
        work_dir (str, optional): where everything is written; default ``work_dirs/<method>/<name of the config>``.
        resume (str, optional): a checkpoint, or ``auto`` for the last one of the work dir, if there is one.
        amp (bool): bf16 autocast.
        cfg_options (Mapping[str, Any], optional): dotted key -> value, over what the config says.
        auto_scale_lr (bool): scale the learning rate with the batch of one update.
        launcher (str): ``none``, ``pytorch`` or ``slurm``.
        trust_checkpoint (bool): let the checkpoints that are read run code.
        seed (int, optional): over that of the config.

    Returns:
        Runner: after training.
    """
    trust_checkpoints(trust_checkpoint)
    with process_group(launcher):
        cfg = _prepare(config, work_dir, cfg_options, launcher)
        if cfg.get('train_dataloader') is None:
            raise ConfigError(f'{config} has no train_dataloader, so there is nothing to train on.')
        if resume:
            cfg.resume = True
            cfg.load_from = latest_checkpoint(cfg.work_dir) if resume == 'auto' else resume
            if cfg.load_from is None:
                cfg.resume = False
                print_log(f'Nothing to resume in {cfg.work_dir}: training starts from the beginning.', logger='current')
        if amp:
            if cfg.optim_wrapper.get('type', 'GuardedOptimWrapper') != 'GuardedOptimWrapper':
                raise ConfigError(f'--amp needs optim_wrapper.type GuardedOptimWrapper, not {cfg.optim_wrapper.type}.')
            cfg.optim_wrapper.amp = True
        if seed is not None:
            cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
        if auto_scale_lr:
            _scale_with_batch(cfg)
        runner = Runner.from_cfg(cfg)
        _log_batch(runner, cfg)
        # A model may look for the files it needs before the data loaders prepare theirs, which can take long. A resumed
        # run needs none of them: all weights are in its checkpoint.
        model = unwrap(runner.model)
        if hasattr(model, 'check_files'):
            if cfg.get('resume'):
                model.is_init = True
            else:
                model.check_files()
        if hasattr(model, 'pretrained_meta'):
            _warn_about_data(model, runner.train_dataloader.dataset)
        try:
            runner.train()
        finally:
            for hook in runner.hooks:
                if isinstance(hook, InterruptHook):
                    hook.release()
    return runner


def test(
    config: str,
    checkpoint: str,
    *,
    work_dir: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    launcher: str = 'none',
    trust_checkpoint: bool = False,
    loop: str = 'val',
) -> dict[str, float]:
    """Score a checkpoint by the val protocol of a config, or by that of its test loop (voting, for example).

    Args:
        config (str): its file.
        checkpoint (str): a file or an http(s) address. Its averaged weights count where it has some.
        work_dir (str, optional): where the log is written; default ``work_dirs/<method>/<name of the config>``.
        cfg_options (Mapping[str, Any], optional): dotted key -> value, over what the config says.
        launcher (str): ``none``, ``pytorch`` or ``slurm``.
        trust_checkpoint (bool): let the checkpoint run code.
        loop (str): ``val`` or ``test``.

    Returns:
        dict[str, float]: the scores.
    """
    trust_checkpoints(trust_checkpoint)
    with process_group(launcher):
        cfg = _prepare(config, work_dir, cfg_options, launcher)
        if cfg.get(f'{loop}_dataloader') is None:
            raise ConfigError(f'{config} has no {loop}_dataloader, so there is no protocol to score a checkpoint by.')
        loaded = load_checkpoint(checkpoint)
        # Nothing of the training is needed, and the averages are put in place here rather than by their hook.
        cfg.update(dict.fromkeys(('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'load_from')))
        cfg.resume = False
        cfg.default_hooks = {**cfg.get('default_hooks', {}), 'checkpoint': None}
        cfg.custom_hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook['type'] != 'EncoderEMAHook']
        runner = Runner.from_cfg(cfg)
        state, averaged = model_state(loaded)
        model = unwrap(runner.model)
        require_match(model, state, checkpoint)
        model.load_state_dict(state)
        which = 'moving averages of the encoder' if averaged else 'plain weights, since it holds no averages'
        runner.logger.info(f'Scoring the {which} in {checkpoint}.')
        data, score = (runner.test_dataloader, runner.test) if loop == 'test' else (runner.val_dataloader, runner.val)
        warn_about_geometry(loaded, getattr(data.dataset, 'metainfo', {}))
        scores = score()
        if is_main_process():
            for name, value in scores.items():
                print(f'{name}: {value:.4f}' if isinstance(value, float) else f'{name}: {value}')
    return scores


def _warn_about_data(model: Any, dataset: Any) -> None:
    """Say where the data of a labelled task are not what its encoder was pre-trained on or reads, or lack a class."""
    info = getattr(dataset, 'metainfo', {})
    warn_about_geometry({'meta': model.pretrained_meta}, info, TRANSFERRED)
    channels, features = getattr(model.encoder, 'in_channels', None), info.get('feature_keys')
    if channels == 3 and features:
        print_log(
            f'The data give {", ".join(features)} beside x y z, but the encoder reads 3 channels a point, so it learns '
            'nothing from them; set encoder.in_channels, or leave them out of feature_keys of PackInputs.',
            logger='current',
            level=logging.WARNING,
        )
    lacking = dataset.missing_classes() if hasattr(dataset, 'missing_classes') else ()
    if lacking:
        print_log(absent_classes(lacking, info['classes']), logger='current', level=logging.WARNING)


def _prepare(config: str, work_dir: str | None, options: Mapping[str, Any] | None, launcher: str) -> Config:
    cfg = load_config(config, options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(_default_work_dir(config))
    cfg.launcher = launcher
    # mmengine keeps loggers under this name and the second of the start. Two runs that one process starts within a
    # second would write into one log; so would those between which the clock is set back.
    cfg.experiment_name = f'{cfg.get("experiment_name") or Path(config).stem}_run{next(_RUNS)}'
    if launcher != 'none':
        # The Runner and the distributed wrapper refer to each other, and the wrapper holds gloo's threads. If they live
        # on until the interpreter is torn down, such a thread now and then aborts the process when all is done
        # ("terminate called without an active exception").
        atexit.register(gc.collect)
    return cfg


def _default_work_dir(config: str) -> Path:
    """A place of its own for every config: methods have configs of one name.

    What lies below a folder ``configs`` counts, for a config elsewhere its name alone.
    """
    parts = Path(config).resolve().with_suffix('').parts
    below = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else parts[-1:]
    return Path('work_dirs', *below)


def _scale_with_batch(cfg: Config) -> None:
    """Let mmengine scale the learning rate; it does not know about accumulation."""
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if not base:
        raise ConfigError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config.')
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    cfg.auto_scale_lr = {'enable': True, 'base_batch_size': base / accumulated}


def _log_batch(runner: Runner, cfg: Config) -> None:
    """Say what one update is made of, since a config cannot know how many processes run it."""
    one, processes = cfg.train_dataloader.batch_size, get_world_size()
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    print_log(
        f'One update: {one} samples x {processes} processes x {accumulated} accumulated = '
        f'{one * processes * accumulated}.',
        logger=runner.logger,
        level=logging.INFO,
    )
