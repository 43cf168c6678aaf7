"""One page of all the evidence in a folder: figures, curves, 3D views, neighbours, a map, retrieval. No network.

    python tools/benchmarks/evidence_report.py work_dirs/evidence --data ../shared/data/modelnet10_vox.npz
    python tools/benchmarks/evidence_report.py work_dirs/evidence --checkpoint some.pth --config mmpt/laptop_pretrain
    python tools/benchmarks/evidence_report.py work_dirs/evidence --smoke          few shapes, one control

It reads evidence.json (tools/benchmarks/evidence.py), label_efficiency.json and robustness.json of the folder, each
where it is there, and shows what the checkpoint of the row with all tasks does; --data are the npz files that it is
shown on beside the generated classes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

import _report_figures as figures  # noqa: E402
import _report_model as shown  # noqa: E402
from _scoring import add_data_options, check_data  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

from mmpt.utils.collect_env import collect_env  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402
from mmpt.visualization import Code, Part, Section, Text, write_report  # noqa: E402

_PAIRS = str(ROOT / 'configs' / '_base_' / 'datasets' / 'pairs_synthetic.py')
_TITLE = 'What pre-training taught the encoder'
# What a reader wants to know of the machine at once; all versions are at the end.
_VERSIONS = ('mmpt', 'torch', 'python')


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """A JSON of the folder; None where there is none."""
    path = folder / f'{name}.json'
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ConfigError(f'{path} is no JSON ({error}): make it anew.') from error


def which_model(args: argparse.Namespace, evidence: dict[str, Any] | None) -> tuple[str, Path] | None:
    """Config and checkpoint that are shown; None where nothing names them."""
    config = args.config
    if config is None and evidence is not None:
        # Written as the trainings were started: from the checkout.
        config = str(ROOT / evidence['config'])
    checkpoint = args.checkpoint
    if checkpoint is None and evidence is not None:
        checkpoint = args.folder / figures.all_row(evidence)['runs'][0]['checkpoint']
    if checkpoint is None:
        return None
    if config is None:
        raise ConfigError('--checkpoint alone does not say what the model is: add --config, that of its pre-training.')
    if not checkpoint.is_file():
        raise ConfigError(f'There is no checkpoint {checkpoint}: give --checkpoint.')
    return config, checkpoint


def look_at(args: argparse.Namespace, config: str, checkpoint: Path) -> shown.Look:
    """The checkpoint with all shapes."""
    path = config if config.endswith('.py') else str(ROOT / 'configs' / f'{config}.py')
    sources = {figures.GENERATED: shown.generated_shapes(path, args.smoke)}
    for file in args.data:
        sources[file.stem] = shown.shapes_of_file(file, args.up_axis, args.num_points, 20 if args.smoke else 1)
    return shown.Look(config, checkpoint, sources, device=args.device)


def machine(found: dict[str, Any]) -> dict[str, str]:
    """Machine and versions; where mmpt lies on it is nobody's business."""
    environment = found['environment']
    return {**environment, 'mmpt': environment['mmpt'].partition(' ')[0]}


def facts(evidence: dict[str, Any] | None) -> dict[str, str]:
    """What ran on what, in a few lines."""
    if evidence is None:
        return {'machine of this page': collect_env()['cpu']}
    seeds = ', '.join(map(str, evidence['seeds']))
    told = {
        'config': evidence['config'],
        'budget': f'{evidence["minutes"]:g} minutes a run, seeds {seeds}, {len(evidence["rows"])} rows',
        'device': f'{evidence["device"]}, threads of a run: {evidence["threads"]}, runs at a time: {evidence["jobs"]}',
    }
    environment = machine(evidence)
    gpus = [value for name, value in environment.items() if name.startswith('gpu') and value != 'none']
    told['machine'] = '; '.join([environment['cpu'], *gpus])
    told['versions'] = ', '.join(f'{name} {environment[name]}' for name in _VERSIONS)
    return told


def commands(files: dict[str, dict[str, Any] | None], own: str) -> Section:
    """Everything that was typed, and all versions."""
    lines = [f'# {name}\n{found["command"]}' for name, found in files.items() if found is not None]
    blocks: list[Any] = [Code('\n\n'.join([*lines, f'# this page\n{own}']))]
    evidence = files['evidence']
    if evidence is not None:
        typed = []
        if evidence['tokenizer']:
            typed.append(f'# tokenizer\n{evidence["tokenizer"]["command"]}')
        for row in evidence['rows']:
            typed += [f'# {row["title"]}, seed {entry["seed"]}\n{entry["command"]}' for entry in row['runs']]
        blocks.append(Code('\n\n'.join(typed), f'The {len(typed)} trainings'))
    labels = files['label_efficiency']
    if labels is not None:
        entries = [entry for row in labels['rows'] for side in ('pretrained', 'scratch') for entry in row[side]['runs']]
        typed = [f'# {entry["folder"]}\n{entry["command"]}' for entry in entries]
        blocks.append(Code('\n\n'.join(typed), f'The {len(typed)} trainings with fewer labels'))
    for name, found in files.items():
        if found is not None:
            versions = '\n'.join(f'{what:18} {value}' for what, value in machine(found).items())
            blocks.append(Code(versions, f'Machine and versions of {name}.json'))
    return Section('Commands and versions', blocks)


def build(args: argparse.Namespace) -> None:
    """Read, look, write."""
    files = {name: read(args.folder, name) for name in figures.MISSING}
    evidence = files['evidence']
    chosen = which_model(args, evidence)
    if evidence is None and chosen is None and not any(files.values()):
        raise ConfigError(
            f'{args.folder} holds none of {", ".join(f"{name}.json" for name in files)}, and there is no --checkpoint: '
            f'nothing to report. Begin with {figures.MISSING["evidence"].format(folder=args.folder)}'
        )
    parts: list[Section] = []
    checkpoint = chosen[1] if chosen else None
    absent = [figures.missing(name, args.folder, checkpoint) for name, found in files.items() if found is None]
    if evidence is not None:
        parts.append(figures.tasks_section(evidence))
    if chosen is None:
        absent.append(
            Text('No checkpoint is shown: there is no evidence.json that names one; give --checkpoint.', True)
        )
    else:
        print(f'showing {chosen[1]} of {chosen[0]}', flush=True)
        look = look_at(args, *chosen)
        parts += shown.sections(look, args.pairs, args.smoke)
    if files['label_efficiency'] is not None:
        parts.append(figures.labels_section(files['label_efficiency']))
    if files['robustness'] is not None:
        parts.append(figures.robustness_section(files['robustness']))
    curves = figures.curves_section(evidence, args.folder) if evidence is not None else None
    if curves is not None:
        parts.append(curves)
    elif evidence is not None:
        absent.append(Text(f'No curves: the runs of {args.folder} have left no log.', note=True))
    limits: list[Any] = figures.limits(evidence)
    if absent:
        limits.append(Part('What is not on this page', absent))
    parts += [Section('What the figures do not show', limits), commands(files, args.command)]
    lead = (
        figures.summary(evidence) if evidence is not None else 'There are no figures of the tasks in this folder yet.'
    )
    write_report(args.out, _TITLE, parts, summary=lead, facts=facts(evidence))
    print(f'{lead}\nwritten: {args.out} ({args.out.stat().st_size / 2**20:.1f} MiB)')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, nargs='?', default=ROOT / 'work_dirs' / 'evidence')
    add_data_options(parser)
    parser.add_argument('--checkpoint', type=Path, help='that is shown; default: seed 0 of the row with all tasks')
    parser.add_argument('--config', help='of its pre-training; default: what evidence.json says')
    parser.add_argument('--pairs', default=_PAIRS, help='config whose val loop has pictures, for retrieval')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--out', type=Path, metavar='HTML', help='default: report.html in the folder')
    parser.add_argument('--smoke', action='store_true', help='few shapes, few views, one untrained control')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else argv
    args.command = shlex.join(['python', 'tools/benchmarks/evidence_report.py', *given])
    args.out = args.out or args.folder / 'report.html'
    args.data = check_data(parser, args.data)
    return args


def main(argv: list[str] | None = None) -> None:
    """Write the page."""
    args = parse_args(argv)
    register_all_modules()
    start = time.perf_counter()
    with DefaultScope.overwrite_default_scope('mmpt'):
        build(args)
    print(f'{time.perf_counter() - start:.0f} s')


if __name__ == '__main__':
    sys.exit(run(main))
