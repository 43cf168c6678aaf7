"""Curves of what training logged: of one work dir by kind, of several beside each other.

    python tools/analysis_tools/log_curves.py work_dirs/quickstart/pretrain
    python tools/analysis_tools/log_curves.py work_dirs/a work_dirs/b --keys probe/svm task/plr

The table gives the last, the lowest and the highest value of each curve, and where these two are.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmpt.utils.errors import ConfigError, run
from mmpt.visualization import read_scalars, save_curves, save_run_curves
from mmpt.visualization.figures import CURVE_PANELS


def name_runs(folders: list[str]) -> dict[str, str]:
    """Short name -> folder: the last parts of the paths, as many as tell them apart."""
    parts = [os.path.normpath(folder).split(os.sep) for folder in folders]
    depths = range(1, max(map(len, parts)) + 1)
    depth = next((depth for depth in depths if len({tuple(part[-depth:]) for part in parts}) == len(parts)), 0)
    if not depth:
        raise ConfigError('A work dir is named twice; give each once.')
    return {'/'.join(part[-depth:]): folder for part, folder in zip(parts, folders)}


def main() -> None:
    """Read, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR')
    parser.add_argument('--keys', nargs='+', help='logged values; without it losses, weights, gradients and scores')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/curves.png'))
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    runs = {name: read_scalars(folder) for name, folder in name_runs(args.work_dirs).items()}
    logged = list(dict.fromkeys(key for curves in runs.values() for key in curves))
    unknown = [key for key in args.keys or () if key not in logged]
    if unknown:
        raise ConfigError(f'No run logged {unknown[0]!r}; there are {", ".join(logged)}.')
    keys = args.keys or [key for key in logged if key.partition('/')[0] in dict(CURVE_PANELS)]
    width = max(map(len, [*runs, *keys])) + 2
    print(f'{"":{width}}{"run":{width}}{"last":>12}{"lowest":>12}{"at":>10}{"highest":>12}{"at":>10}')
    for key in keys:
        for name, curves in runs.items():
            if key in curves:
                steps, values = curves[key]
                low, high = (choose(range(len(values)), key=values.__getitem__) for choose in (min, max))
                ends = ''.join(f'{values[place]:12.4g}{steps[place]:10d}' for place in (low, high))
                print(f'{key:{width}}{name:{width}}{values[-1]:12.4g}{ends}')
    if len(runs) == 1 and not args.keys:
        save_curves(args.out, *runs.values())
    else:
        save_run_curves(args.out, runs, keys)
    print(f'written: {args.out}')


if __name__ == '__main__':
    sys.exit(run(main))
