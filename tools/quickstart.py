"""The quick start: tokenizer, MMPT, evaluation against untrained controls, report. `tools/quickstart.sh` calls it.

    python tools/quickstart.py                 about nine minutes on two CPU cores
    python tools/quickstart.py --smoke         everything, too short to learn anything
    python tools/quickstart.py --data X.npz    scores the encoder on your own labelled shapes as well

Run again after an interruption, it goes on where it stopped; --fresh starts over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools'))

from _scoring import SMOKE_DATA, last_checkpoint, score_on, val_shapes  # noqa: E402

# What --smoke changes: enough of everything to run each step, and nothing more.
SMOKE = {
    'tokenizer': ['train_cfg.max_iters=12', 'train_cfg.val_interval=12', 'model.codebook_start=6'],
    'pretrain': ['train_cfg.max_iters=12', 'train_cfg.val_interval=12', 'custom_hooks.1.interval=12'],
    'both': [
        *SMOKE_DATA,
        'default_hooks.checkpoint.interval=6',
        'default_hooks.logger.interval=3',
    ],
}


def train(name: str, folder: Path, options: list[str]) -> str:
    """Run tools/train.py in a process of its own, and count its time; returns its command."""
    config = f'configs/mmpt/quickstart_{name}.py'
    command = ['python', 'tools/train.py', config, '--work-dir', str(folder / name), '--resume']
    if options:
        command += ['--cfg-options', *options]
    say(' '.join(command))
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command[1:]], cwd=ROOT)
    # Ctrl-C reaches both processes: the training saves and says how to go on, so this one has to wait for it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = process.wait()
    signal.signal(signal.SIGINT, before)
    add_seconds(folder, name, time.perf_counter() - start)
    if code == 130:
        print('Run the quick start again to go on from there.')
    if code:
        sys.exit(code if code > 0 else 128 - code)
    return ' '.join(command)


def forget(folder: Path) -> None:
    """Remove what an earlier quick start wrote, and nothing else that may lie there."""
    for name in ('tokenizer', 'pretrain', 'pictures'):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ('report.html', 'scores.json', 'real_shapes.json', 'run.json'):
        (folder / name).unlink(missing_ok=True)


def check_same_run(folder: Path, smoke: bool) -> None:
    """Stop where the work dir holds a run of other configs: its checkpoints would be taken for this one's."""
    files = sorted(ROOT.glob('configs/**/*.py'))
    digest = hashlib.sha256(b''.join(path.read_bytes() for path in files)).hexdigest()[:16]
    path = folder / 'run.json'
    known = json.loads(path.read_text()) if path.is_file() else None
    if known and (known['configs'], known['smoke']) != (digest, smoke):
        sys.exit(f'mmpt: {folder} holds a quick start of other configs; add --fresh to start over, or give --work-dir.')
    if not known:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({'configs': digest, 'smoke': smoke, 'seconds': {}}))


def add_seconds(folder: Path, name: str, seconds: float) -> dict[str, float]:
    """Count the time of a step, over interruptions; returns that of all steps."""
    run = json.loads((folder / 'run.json').read_text())
    run['seconds'][name] = run['seconds'].get(name, 0.0) + seconds
    (folder / 'run.json').write_text(json.dumps(run))
    return run['seconds']


def say(text: str) -> None:
    """A line that stands out of a training log."""
    print(f'\n== {text}', flush=True)


def evaluate(folder: Path, tokenizer: str, pretrained: str, options: list[str], data: str | None) -> dict[str, Any]:
    """All figures: tokenizer, encoder against controls on generated classes, and on ``data``."""
    from mmengine.registry import DefaultScope

    from mmpt.utils.config import parse_options

    parsed = parse_options(options)
    with DefaultScope.overwrite_default_scope('mmpt'):
        quality = runpy.run_path(str(ROOT / 'tools/benchmarks/tokenizer_quality.py'))
        result = {'tokenizer': quality['measure']('configs/mmpt/quickstart_tokenizer.py', tokenizer, parsed)}
        print(quality['table'](result['tokenizer']), flush=True)
        result['generated'] = score_on(val_shapes('configs/mmpt/quickstart_pretrain.py', parsed), pretrained)
    if data:
        command = ['tools/benchmarks/real_shapes.py', '--data', data, '--checkpoint', pretrained]
        subprocess.run([sys.executable, *command, '--json', str(folder / 'real_shapes.json')], cwd=ROOT, check=True)
        result['real'] = json.loads((folder / 'real_shapes.json').read_text())
    (folder / 'scores.json').write_text(json.dumps(result, indent=1))
    return result


def rows_of(result: dict[str, Any]) -> list[list[Any]]:
    """A comparison as rows: title, kNN, SVM."""
    spreads, scores = result['control_spread'], result['scores']
    names = ('knn', 'svm')
    rows = [['MMPT, pre-trained here', *(scores[name] for name in names)]]
    for row in result['controls']:
        rows.append(
            [f'random initialisation {row["seed"]}, better of raw and calibrated', *(row['best'][n] for n in names)]
        )
    rows.append(['mean of the controls', *(spreads[name]['mean'] for name in names)])
    rows.append(['spread of the controls (max - min)', *(spreads[n]['max'] - spreads[n]['min'] for n in names)])
    rows.append(['gain over the mean control', *(scores[name] - spreads[name]['mean'] for name in names)])
    return rows


def report(folder: Path, result: dict[str, Any], commands: list[str], seconds: dict[str, float], smoke: bool) -> Path:
    """Write the pictures and report.html."""
    from mmpt.evaluation import Spread
    from mmpt.utils.collect_env import collect_env
    from mmpt.visualization import Code, Curves, Picture, Section, Table, Text, read_scalars, save_scores, write_report

    generated = result['generated']
    scores = {name: generated['scores'][name] for name in ('knn', 'svm')}
    spreads = {name: Spread(**generated['control_spread'][name]) for name in scores}
    save_scores(folder / 'pictures' / 'scores.png', scores, spreads)
    curves = {name: read_scalars(folder / name) for name in ('tokenizer', 'pretrain')}

    def chosen(run: str, *prefixes: str) -> dict[str, Any]:
        return {name: curve for name, curve in curves[run].items() if name.startswith(prefixes)}

    pictures = sorted((folder / 'pretrain' / 'pictures').glob('*.png'), key=lambda path: path.stat().st_mtime)
    tokenizer_rows = [
        [name, row['perplexity'], row['used'], row['chamfer'], row['chamfer_baseline'], row['chamfer_best_baseline']]
        for name, row in result['tokenizer'].items()
    ]
    header = ['encoder', '1-NN', 'linear SVM']
    sections = [
        Section(
            'Scores on generated classes',
            [
                Table(header, rows_of(generated), 'Accuracy on the test part', strong=(0,)),
                Text(generated['protocol_line'], note=True),
                Picture(folder / 'pictures' / 'scores.png', 'bars of both accuracies beside the controls'),
            ],
        )
    ]
    if 'real' in result:
        real = result['real']
        blocks = [Table(header, rows_of(real), real['data'], strong=(0,)), Text(real['protocol_line'], note=True)]
        sections.append(Section('Scores on your shapes', blocks))
    sections += [
        Section(
            'Reconstructions',
            [Picture(path, f'input, visible and reconstructed, {path.stem}', path.stem) for path in pictures[-1:]],
        ),
        Section(
            'Curves',
            [
                Curves(
                    {
                        'tasks': chosen('pretrain', 'task/'),
                        'gradient norms at the tokens': chosen('pretrain', 'grad_norm/'),
                        'monitors': chosen('pretrain', 'mcl/intra_accuracy', 'mcl/cross_accuracy', 'tlr/accuracy'),
                        'tokenizer': chosen('tokenizer', 'task/coarse', 'task/fine'),
                    }
                )
            ],
        ),
        Section(
            'Tokenizer on held-out shapes',
            [
                Table(
                    ['tokenizer', 'perplexity', 'ids used', 'Chamfer l1', 'one patch for all', 'best patch for all'],
                    tokenizer_rows,
                ),
                Text('Hard ids. "One patch" is the mean over 64 training patches, "best" the best of 256.', note=True),
            ],
        ),
        Section('Commands', [Code('\n'.join(commands))]),
    ]
    spent = ', '.join(f'{name} {value:.0f} s' for name, value in seconds.items())
    summary = (
        f'1-NN {scores["knn"]:.3f} against {spreads["knn"].mean:.3f}, linear SVM {scores["svm"]:.3f} against '
        f'{spreads["svm"].mean:.3f} for the same encoder untrained (mean of {spreads["svm"].n} controls).'
    )
    if smoke:
        summary = f'A smoke run: too short to learn anything. {summary}'
    facts = {'time': spent, **collect_env()}
    write_report(folder / 'report.html', 'mmpt quick start', sections, summary=summary, facts=facts)
    print(f'\n{summary}')
    return folder / 'report.html'


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--smoke', action='store_true', help='all steps in two minutes')
    parser.add_argument('--fresh', action='store_true', help='forget an earlier run')
    parser.add_argument('--work-dir', type=Path, help='default work_dirs/quickstart, or work_dirs/smoke')
    parser.add_argument('--data', help='npz of labelled shapes, see tools/benchmarks/real_shapes.py')
    args = parser.parse_args()
    called_from = os.environ.get('MMPT_CALLED_FROM', '.')
    folder = ROOT / 'work_dirs' / ('smoke' if args.smoke else 'quickstart')
    if args.work_dir:
        folder = Path(called_from, args.work_dir).resolve()
    data = str(Path(called_from, args.data).resolve()) if args.data else None
    if data and not Path(data).is_file():
        sys.exit(f'mmpt: --data {data} is not there; it is an npz of labelled shapes (docs/data.md).')
    if args.fresh or args.smoke:
        forget(folder)
    check_same_run(folder, args.smoke)
    os.chdir(ROOT)
    both = SMOKE['both'] if args.smoke else []
    tokenizer_options = both + (SMOKE['tokenizer'] if args.smoke else [])
    start = time.perf_counter()
    commands = [train('tokenizer', folder, tokenizer_options)]

    # Imported late: mmpt would only take memory beside the training.
    from mmpt.evaluation import comparison_table
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    tokenizer = last_checkpoint(folder / 'tokenizer')
    pretrain_options = both + (SMOKE['pretrain'] if args.smoke else []) + [f'model.tokenizer.checkpoint={tokenizer}']
    commands.append(train('pretrain', folder, pretrain_options))
    say('evaluation against three untrained controls')
    before = time.perf_counter()
    # Only what concerns the val shapes is understood by both configs.
    val_options = [option for option in both if option.startswith('val_dataloader')]
    result = evaluate(folder, tokenizer, last_checkpoint(folder / 'pretrain'), val_options, data)
    seconds = add_seconds(folder, 'evaluation', time.perf_counter() - before)
    print(comparison_table('generated classes', result['generated']))
    page = report(folder, result, commands, seconds, args.smoke)
    print(f'{page} ({(time.perf_counter() - start) / 60:.1f} minutes)')


if __name__ == '__main__':
    main()
