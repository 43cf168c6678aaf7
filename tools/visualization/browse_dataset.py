"""Draw a contact sheet of any data set in a config: clouds from four sides, and what goes with them.

    python tools/visualization/browse_dataset.py configs/mmpt/pretrain_synthetic.py --split val --out sheet.png

Shown are colours and labels of points, pictures with the points that were paired with them, captions, a partial cloud
(orange) on the complete one, and the views that MultiView makes; scenes from above, without ceiling and far points.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='which dataloader')
    parser.add_argument('--dataset-key', help='place of another data set in the config, such as a.b.dataset')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/browse_dataset.png'), help='the PNG to write')
    parser.add_argument('--num', type=int, default=64, help='clouds drawn: four sides of each shape')
    parser.add_argument('--raw', action='store_true', help='what the data set holds, without its other transforms')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    if args.num < 4:
        parser.error(f'--num {args.num}: expected at least 4, the four sides of one shape.')
    args.dataset_key = args.dataset_key or f'{args.split}_dataloader.dataset'
    return args


def build(args: argparse.Namespace) -> list[Any]:
    """The data set as a list of parts, with pipelines that end in arrays instead of packed tensors."""
    from mmengine.registry import init_default_scope

    from mmpt.datasets import ConcatDataset
    from mmpt.datasets.browsing import browsing_steps
    from mmpt.datasets.verification import lookup
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError
    from mmpt.utils.config import load_config, parse_options

    config = load_config(args.config, parse_options(args.cfg_options))
    init_default_scope(config.get('default_scope', 'mmpt'))
    cfg = lookup(config, args.dataset_key)
    if cfg is None:
        raise ConfigError(f'{args.config} has no {args.dataset_key}; choose another --split or --dataset-key.')
    dataset = DATASETS.build(cfg)
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    for part in parts:
        print(
            ', '.join(f'{key}: {value}' for key, value in part.metainfo.items() if key not in ('classes', 'part_names'))
        )
        part.pipeline = browsing_steps(part.pipeline, args.raw)
    return parts


def main() -> None:
    """Draw the sheet and print what is in the data set."""
    args = parse_args()
    from mmpt.datasets.browsing import choose_shapes, draw_sample, sample_title
    from mmpt.visualization import SheetItem, save_sheet

    parts = build(args)
    print(f'{sum(map(len, parts))} shapes')
    places, sizes = choose_shapes(parts, args.num // 4)
    if sizes:
        print('shapes per class: ' + ', '.join(f'{name} {count}' for name, count in sizes.items()))
    items, clouds, pictured = [], [], []
    for part, position in places:
        results = part[position]
        items.append(SheetItem(sample_title(results), draw_sample(results, part.metainfo['up_axis'])))
        clouds.append(next(results[key] for key in ('points', 'vertices', 'complete') if key in results))
        if 'images' in results:
            pictured.append(bool(results['has_image'].any()))
    low, high = (
        np.min([rows.min(axis=0) for rows in clouds], axis=0),
        np.max([rows.max(axis=0) for rows in clouds], axis=0),
    )
    for axis, lowest, highest in zip('xyz', low, high):
        print(f'{axis} from {lowest:.3f} to {highest:.3f}')
    radius = max(float(np.linalg.norm(rows, axis=1).max()) for rows in clouds)
    counts = Counter(map(len, clouds))
    print(f'largest radius {radius:.3f}; points per shape: {", ".join(map(str, sorted(counts)))}')
    if pictured:
        print(f'with pictures: {sum(pictured)} of the {len(places)} shapes drawn')
    save_sheet(items, args.out)
    print(f'written: {args.out}')


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
