"""Every method with the same minutes of training on the same cores, scored beside untrained encoders: one table.

    python tools/benchmarks/family.py --data ../shared/data/modelnet10_vox.npz --out docs/family.md
    python tools/benchmarks/family.py --methods point_mae "mmpt_ablation/*" my/own_config.py --minutes 5
    python tools/benchmarks/family.py --smoke              everything, too short to learn anything

A method is its laptop config (configs/<method>/laptop_synthetic.py, configs/mmpt/quickstart_pretrain.py), a pattern
over configs, or a file. Its seconds per update are measured in a short run of its own (the median), its updates set to
what fits the budget, and warm-up and decay of the learning rate stretched to them. Tokenizers that methods read are
trained first; their time is listed apart and counts for no method. Run again after an interruption, it goes on where
it stopped.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import shlex
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

import real_shapes  # noqa: E402
from _family_table import markdown, text_table  # noqa: E402
from _scoring import SMOKE_DATA, add_data_options, check_data, config_digest, last_checkpoint, score_on, val_shapes  # noqa: E402
from _trainings import (  # noqa: E402
    NO_VAL,
    State,
    command_of,
    cores,
    make_tokenizer,
    name_of,
    schedule_options,
    seconds_per_update,
    train,
)
from mmengine.registry import DefaultScope  # noqa: E402

from mmpt.apis import list_models  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.utils.collect_env import collect_env  # noqa: E402
from mmpt.utils.config import load_config, parse_options  # noqa: E402
from mmpt.utils.errors import ConfigError, TrainingInterrupted, explain, run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

_FIRST = 'mmpt/quickstart_pretrain'


def find_methods(patterns: list[str]) -> list[Path]:
    """Config files: of every method where nothing is asked for, MMPT first.

    Args:
        patterns (list[str]): methods, patterns over the names of configs, or files.
    """
    names = [name for name in list_models() if 'tokenizer' not in name]
    laptop = [_FIRST, *(name for name in names if name.endswith('/laptop_synthetic'))]
    found: list[Path] = []
    for pattern in patterns or ['*']:
        if pattern.endswith('.py'):
            found.append(Path(pattern).resolve())
            continue
        chosen = [name for name in laptop if fnmatch.fnmatch(name.partition('/')[0], pattern)]
        if '/' in pattern:
            chosen = [name for name in names if fnmatch.fnmatch(name, pattern)]
        if not chosen:
            raise ConfigError(f'--methods {pattern} is no method, no pattern of configs and no file; see configs/.')
        found += [ROOT / 'configs' / f'{name}.py' for name in chosen]
    return list(dict.fromkeys(found))


def folder_of(config: Path, args: argparse.Namespace) -> Path:
    """Where a method's runs go; files of one name elsewhere have folders of their own."""
    if config.is_relative_to(ROOT / 'configs'):
        return args.work_dir / name_of(config).replace('/', '-')
    return args.work_dir / f'{config.stem}-{hashlib.sha256(str(config).encode()).hexdigest()[:8]}'


def run_method(config: Path, tokenizers: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Measure the speed, train, score; whatever is done already is taken from the state file."""
    cfg = load_config(config)
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(cfg.model)
    options = list(SMOKE_DATA[:1]) if args.smoke else []
    if getattr(model, 'tokenizer', None) is not None:
        made_by = (ROOT / cfg.model.tokenizer.made_by).resolve()
        if str(made_by) not in tokenizers:
            tokenizers[str(made_by)] = make_tokenizer(made_by, args)
        options.append(f'model.tokenizer.checkpoint={tokenizers[str(made_by)]["checkpoint"]}')
    state = State(
        folder_of(config, args),
        f'{config_digest(cfg)} {args.minutes} {args.threads} {args.smoke} {args.device}',
    )
    known, folder = state.values, state.folder / 'run'
    if 'seconds_per_update' not in known:
        state.put(seconds_per_update=seconds_per_update(config, state.folder / 'timing', options, args))
    iterations = 12 if args.smoke else max(1, int(args.minutes * 60 / known['seconds_per_update']))
    command = command_of(config, folder, [*options, *NO_VAL, *schedule_options(cfg, iterations)], args)
    if not known.get('trained'):
        minutes = iterations * known['seconds_per_update'] / 60
        print(f'   {iterations} updates of {known["seconds_per_update"]:.3f} s, {minutes:.1f} minutes', flush=True)
        train(command, folder, iterations, args)
        state.put(trained=True)
    device = 'cuda' if args.device == 'auto' and torch.cuda.is_available() else 'cpu'
    checkpoint = last_checkpoint(folder)
    with DefaultScope.overwrite_default_scope('mmpt'):
        if 'generated' not in known:
            smoke = parse_options(SMOKE_DATA[1:]) if args.smoke else None
            state.put(generated=score_on(val_shapes(config, smoke), checkpoint, device))
        for path in args.data:
            key = f'{path.name} {path.stat().st_size} {args.up_axis}'
            if key not in known:
                state.put(**{key: real_shapes.measure(_real(args, path, checkpoint, device))})
    samples = iterations * cfg.train_dataloader.batch_size
    return {
        'method': config.parent.name if config.stem.startswith(('laptop', 'quickstart')) else name_of(config),
        'config': name_of(config),
        'iterations': iterations,
        'samples': samples,
        'samples_per_second': cfg.train_dataloader.batch_size / known['seconds_per_update'],
        # By the clock of the short run: the training itself may have been interrupted, or shared the cores.
        'minutes': iterations * known['seconds_per_update'] / 60,
        'parameters': sum(p.numel() for p in model.parameters() if p.requires_grad),
        'command': shlex.join(command),
        'scores': {
            'generated classes': known['generated'],
            **{path.stem: known[f'{path.name} {path.stat().st_size} {args.up_axis}'] for path in args.data},
        },
    }


def _real(args: argparse.Namespace, path: Path, checkpoint: str, device: str) -> argparse.Namespace:
    return argparse.Namespace(
        data=str(path),
        checkpoint=checkpoint,
        config=None,
        up_axis=args.up_axis,
        protocol='cv',
        num_points=args.num_points,
        without_duplicates=False,
        batch_size=64,
        device=device,
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--methods', nargs='+', default=[], help='methods, patterns or config files; all of them')
    parser.add_argument('--minutes', type=float, default=15.0, help='training of each method')
    add_data_options(parser)
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'family')
    parser.add_argument('--threads', type=int, default=cores(), help='OMP_NUM_THREADS of each training; all cores')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--smoke', action='store_true', help='12 updates a method, on few shapes')
    parser.add_argument('--fresh', action='store_true', help='forget what --work-dir holds of these methods')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write all numbers there')
    parser.add_argument('--out', type=Path, metavar='OUT', help='write the page there, as Markdown')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/benchmarks/family.py', *(sys.argv[1:] if argv is None else argv)])
    args.work_dir, args.data = args.work_dir.resolve(), check_data(parser, args.data)
    return args


def main(argv: list[str] | None = None) -> None:
    """All methods, one after another; one that fails is a row that says so, and the exit code is 1 then."""
    args = parse_args(argv)
    register_all_modules()
    torch.set_num_threads(args.threads)
    methods, tokenizers, rows = find_methods(args.methods), {}, []
    start = time.perf_counter()
    for place, config in enumerate(methods):
        left = (time.perf_counter() - start) / place * (len(methods) - place) if place else args.minutes * 60
        about = (
            f', about {left / 60:.0f} minutes left' if place else f', at least {left * len(methods) / 60:.0f} minutes'
        )
        print(f'== {place + 1} of {len(methods)}: {name_of(config)}{"" if args.smoke else about}', flush=True)
        folder = folder_of(config, args)
        if args.fresh and (folder / 'state.json').is_file():
            shutil.rmtree(folder)
        try:
            rows.append(run_method(config, tokenizers, args))
        except TrainingInterrupted:
            raise
        except Exception as error:
            if args.traceback:
                traceback.print_exc()
            said = explain(error) or f'{type(error).__name__}: {error}'
            rows.append({'method': config.parent.name, 'config': name_of(config), 'error': ' '.join(said.split())})
            print(f'   failed: {said}', file=sys.stderr, flush=True)
    result = {
        'command': args.command,
        'minutes': args.minutes,
        'threads': args.threads,
        'device': 'GPU' if args.device == 'auto' and torch.cuda.is_available() else 'CPU',
        'smoke': args.smoke,
        'environment': collect_env(),
        'tokenizers': list(tokenizers.values()),
        'rows': rows,
    }
    print(text_table(result))
    if args.json:
        atomic_write(json.dumps(result, indent=1).encode(), args.json)
    if args.out:
        atomic_write(markdown(result).encode(), args.out)
    if any('error' in row for row in rows):
        sys.exit(1)


if __name__ == '__main__':
    sys.exit(run(main))
