"""A folder as tools/benchmarks/evidence.py, label_efficiency.py and robustness.py leave it, with made-up figures."""

import json
import math
import random

ROWS = (
    ('tlr', 'TLR', ('tlr',), 0.03),
    ('plr', 'PLR', ('plr',), 0.02),
    ('mcl_intra', 'MCL-intra', ('mcl',), 0.045),
    ('mcl_cross', 'MCL-cross', ('mcl',), 0.04),
    ('tlr_plr', 'TLR + PLR', ('tlr', 'plr'), 0.04),
    ('tlr_mcl', 'TLR + MCL', ('tlr', 'mcl'), 0.055),
    ('plr_mcl', 'PLR + MCL', ('plr', 'mcl'), 0.05),
    ('all', 'all three', ('tlr', 'plr', 'mcl'), 0.065),
)
ENVIRONMENT = {'mmpt': '0.1.0-abc (made up)', 'python': '3.11', 'cpu': 'a CPU, 2 cores', 'torch': '2.15', 'gpu': 'none'}
UNTRAINED = {'generated classes': (0.78, 0.70), 'shapes_vox': (0.815, 0.765)}
UNTRAINED['shapes_vox, without duplicates'] = (0.81, 0.76)


def write_folder(folder, checkpoint='model.pth', seeds=(0, 1, 2), config='configs/mmpt/quickstart_pretrain.py'):
    """All three files and the logs of the runs; returns what evidence.json holds."""
    draw = random.Random(0)
    evidence = make_evidence(draw, checkpoint, seeds, config)
    for row in evidence['rows']:
        for run in row['runs']:
            _log(folder / run['folder'] / '20260101_000000' / 'vis_data' / 'scalars.json', row, draw)
    put(folder, 'evidence', evidence)
    put(folder, 'label_efficiency', make_labels(draw, checkpoint, seeds))
    put(folder, 'robustness', make_robustness(draw, checkpoint))
    return evidence


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.json').write_text(json.dumps(content))


def _spread(values):
    return {'mean': sum(values) / len(values), 'min': min(values), 'max': max(values), 'n': len(values)}


def _interval(mean, half=0.012):
    return {'mean': mean, 'low': mean - half, 'high': mean + half}


def make_evidence(draw, checkpoint, seeds, config):
    control = {}
    for data, (svm, knn) in UNTRAINED.items():
        runs = [{'knn': knn + draw.gauss(0, 0.006), 'svm': svm + draw.gauss(0, 0.006)} for _ in range(3)]
        rows = [
            {'seed': i, 'raw': {**run, 'svm_C': 0.01}, 'calibrated': None, 'best': run} for i, run in enumerate(runs)
        ]
        control[data] = {'runs': rows, 'summary': {k: _spread([run[k] for run in runs]) for k in ('knn', 'svm')}}
    rows = [_row(draw, *row, control, checkpoint, seeds) for row in ROWS]
    for row in rows:
        for data, summary in row['summary'].items():
            for key, score in summary.items():
                score['minus_control'] = _interval(score['mean'] - control[data]['summary'][key]['mean'])
                score['minus_all'] = _interval(score['mean'] - rows[-1]['summary'][data][key]['mean'])
    return {
        'command': 'python tools/benchmarks/evidence.py --minutes 2.5',
        'config': config,
        'named': config,
        'minutes': 2.5,
        'seeds': list(seeds),
        'threads': 1,
        'jobs': 2,
        'device': 'CPU',
        'smoke': False,
        'environment': ENVIRONMENT,
        'tokenizer': {'config': 'mmpt/t', 'iterations': 9, 'minutes': 1, 'command': 'python t', 'checkpoint': 't.pth'},
        'protocols': {data: f'protocol cv of {data}: 1024 points' for data in UNTRAINED},
        'shapes': {data: {'train': 864, 'test': 540} for data in UNTRAINED},
        'rows': rows,
        'control': control,
    }


def _row(draw, name, title, tasks, gain, control, checkpoint, seeds):
    runs = []
    for seed in seeds:
        scores = {
            data: {
                'knn': found['summary']['knn']['mean'] + 1.6 * gain + draw.gauss(0, 0.006),
                'svm': found['summary']['svm']['mean'] + gain + draw.gauss(0, 0.006),
                'svm_C': 0.01,
            }
            for data, found in control.items()
        }
        folder = f'runs/{name}/seed{seed}'
        command = f'python tools/train.py configs/mmpt/x.py --work-dir {folder} --cfg-options seed={seed}'
        runs.append({'seed': seed, 'folder': folder, 'command': command, 'checkpoint': checkpoint, 'scores': scores})
    summary = {
        data: {key: _spread([run['scores'][data][key] for run in runs]) for key in ('knn', 'svm')} for data in control
    }
    about = {
        'iterations': 500,
        'samples': 32000,
        'samples_per_second': 150.0,
        'seconds_per_update': 0.4,
        'minutes': 2.5,
    }
    return {'row': name, 'title': title, 'tasks': list(tasks), **about, 'runs': runs, 'summary': summary}


def _log(path, row, draw):
    path.parent.mkdir(parents=True)
    tasks = row['tasks']
    start = {'tlr': 6.2, 'plr': 0.02, 'mcl': 4.0}
    lines = []
    for step in range(25, 501, 25):
        line = {'step': step, 'loss': 1.0, 'lr': 1e-3}
        for task in tasks:
            line[f'task/{task}'] = start[task] * (0.3 + 0.7 * math.exp(-step / 150)) * (1 + draw.gauss(0, 0.02))
            line[f'grad_norm/{task}'] = start[task] / 50
            line[f'weight/{task}'] = 1.0
        if 'tlr' in tasks:
            line['tlr/accuracy'] = 0.3 * (1 - math.exp(-step / 200))
        for part, slow in (('intra', 90), ('cross', 300)):
            if 'mcl' in tasks and row['row'] in ('all', f'mcl_{part}'):
                line[f'mcl/{part}_accuracy'] = 1 - math.exp(-step / slow)
                line[f'mcl/{part}'] = 4 * math.exp(-step / slow) * (1 + draw.gauss(0, 0.02))
        lines.append(json.dumps(line))
    path.write_text('\n'.join(lines))


def _tuned(side, fraction, seed, accuracy):
    folder = f'label_efficiency/{side}_{100 * fraction:g}/seed{seed}'
    command = f'python tools/train.py x.py --work-dir {folder}'
    return {'seed': seed, 'accuracy': accuracy, 'minutes': 0.5, 'folder': folder, 'command': command}


def make_labels(draw, checkpoint, seeds):
    rows = []
    for fraction, shapes, ours, theirs in (
        (0.01, 27, 0.41, 0.3),
        (0.05, 54, 0.6, 0.52),
        (0.1, 86, 0.7, 0.66),
        (1, 864, 0.93, 0.92),
    ):
        sides = [[mean + draw.gauss(0, 0.01) for _ in seeds] for mean in (ours, theirs)]
        found = [
            {**_spread(values), 'runs': [_tuned(side, fraction, *one) for one in zip(seeds, values)]}
            for side, values in zip(('pretrained', 'scratch'), sides)
        ]
        rows.append({'fraction': fraction, 'shapes': shapes, 'pretrained': found[0], 'scratch': found[1]})
        rows[-1]['difference'] = _interval(found[0]['mean'] - found[1]['mean'], 0.03)
    return {
        'command': 'python tools/benchmarks/label_efficiency.py',
        'config': 'mmpt/laptop_finetune',
        'checkpoint': checkpoint,
        'environment': ENVIRONMENT,
        'shapes': {'train': 864, 'test': 540},
        'updates': 400,
        'seeds': list(seeds),
        'rows': rows,
        'protocol': 'last checkpoint, one view, made up',
    }


def make_robustness(draw, checkpoint):
    kinds = {
        'fewer points': ('share of the points left', (0.75, 0.5, 0.35, 0.25, 0.125)),
        'noise': ('standard deviation in radii', (0.01, 0.02, 0.04, 0.08, 0.16)),
        'rotation': ('degrees about a random axis', (10, 20, 30, 45, 90)),
        'occlusion': ('share of the points beyond a plane', (0.1, 0.25, 0.4, 0.55, 0.7)),
        'outliers': ('share of the points replaced', (0.003, 0.01, 0.02, 0.04, 0.1)),
    }
    data = {}
    for name, (svm, knn) in list(UNTRAINED.items())[:2]:
        sides = {}
        for side, gain in (('encoder', 0.06), ('control', 0.0)):
            rows = {'clean': {'svm': svm + gain, 'knn': knn + gain}}
            for kind, (unit, values) in kinds.items():
                fall = draw.uniform(0.2, 0.6)
                rows[kind] = [
                    {
                        'severity': i + 1,
                        'value': v,
                        'unit': unit,
                        'svm': svm + gain - fall * (i + 1) / 5,
                        'knn': knn + gain - fall * (i + 1) / 5,
                    }
                    for i, v in enumerate(values)
                ]
            sides[side] = rows
        for row in (sides['control']['clean'], *(r for kind in kinds for r in sides['control'][kind])):
            for key in ('knn', 'svm'):
                row.update({f'{key}_min': row[key] - 0.012, f'{key}_max': row[key] + 0.012})
        data[name] = sides
    return {
        'command': 'python tools/benchmarks/robustness.py',
        'checkpoint': checkpoint,
        'environment': ENVIRONMENT,
        'severities': [1, 2, 3, 4, 5],
        'protocols': {name: f'protocol cv of {name}' for name in data},
        'data': data,
    }
