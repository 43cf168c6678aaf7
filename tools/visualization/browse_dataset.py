"""Draw a contact sheet of any data set in a config: clouds from four sides, and the pictures that go with them.

Example: python tools/visualization/browse_dataset.py configs/mmpt/pretrain_synthetic.py --split val --out sheet.png
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from mmpt.datasets import ConcatDataset, PointCloudDataset
from mmpt.datasets.transforms import LoadImages, LoadPoints, PackInputs, render_views, resize_image
from mmpt.registry import DATASETS

# Cameras of the four sides: azimuth and elevation in degrees; 0 degrees looks at the front (+z).
_AZIMUTH, _ELEVATION = (35.0, 0.0, 90.0, 215.0), (25.0, 10.0, 10.0, 25.0)
_TILE, _TITLE, _GAP = 144, 22, 12
_MAX_IMAGES = 2
# Colours of parts, as light as the grey of points without one.
_PART_COLORS = np.array(
    [[0.45, 0.65, 0.9], [0.95, 0.65, 0.35], [0.5, 0.8, 0.5], [0.9, 0.5, 0.55], [0.75, 0.6, 0.9], [0.85, 0.8, 0.4]]
)


class Shown(NamedTuple):
    """One shape of the sheet: its title and its tiles, each (_TILE, _TILE, 3) uint8."""

    title: str
    tiles: list[np.ndarray]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='which dataloader')
    parser.add_argument('--dataset-key', help='place of another data set in the config, such as a.b.dataset')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/browse_dataset.png'), help='the PNG to write')
    parser.add_argument('--num', type=int, default=64, help='clouds drawn: four sides of each shape')
    parser.add_argument('--raw', action='store_true', help='what the data set holds, without its other transforms')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='key=value, as in training')
    args = parser.parse_args()
    if args.num < 4:
        parser.error(f'--num {args.num}: expected at least 4, the four sides of one shape.')
    args.dataset_key = args.dataset_key or f'{args.split}_dataloader.dataset'
    return args


def build(args: argparse.Namespace) -> list[PointCloudDataset]:
    """The data set as a list of parts, with pipelines that end in arrays instead of packed tensors."""
    cfg: Any = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpt'))
    for key in args.dataset_key.split('.'):
        if not hasattr(cfg, 'get') or cfg.get(key) is None:
            raise SystemExit(f'{args.config} has no {args.dataset_key}; choose another --split or --dataset-key.')
        cfg = cfg.get(key)
    dataset = DATASETS.build(cfg)
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    for part in parts:
        print(
            ', '.join(f'{key}: {value}' for key, value in part.metainfo.items() if key not in ('classes', 'part_names'))
        )
        keep = [step for step in part.pipeline if not isinstance(step, PackInputs)]
        part.pipeline = [step for step in keep if not args.raw or isinstance(step, (LoadPoints, LoadImages))]
    return parts


def choose(parts: list[PointCloudDataset], count: int) -> list[tuple[PointCloudDataset, int]]:
    """Part and position of the shapes to draw: one of each class, then a second; evenly spread without classes."""
    places = [(part, position) for part in parts for position in range(len(part))]
    classes = parts[0].metainfo['classes']
    if classes is None:
        return [places[k] for k in np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)]
    by_class: dict[int | None, list[tuple[PointCloudDataset, int]]] = {}
    for part, position in places:
        index = position if part.indices is None else part.indices[position]
        by_class.setdefault(part.label(index), []).append((part, position))
    order = sorted(by_class, key=lambda label: len(classes) if label is None else label)
    names = [f'{"no class" if label is None else classes[label]} {len(by_class[label])}' for label in order]
    print('shapes per class: ' + ', '.join(names))
    if count < len(order):
        order = [order[k] for k in np.linspace(0, len(order) - 1, count).astype(int)]
    rounds = range(max(map(len, by_class.values())))
    return [by_class[label][k] for k in rounds for label in order if k < len(by_class[label])][:count]


def draw(results: dict[str, Any], up_axis: str) -> Shown:
    """Render a sample from four sides and put its pictures beside."""
    cloud = {key: results[key] for key in ('points', 'normals') if key in results}
    if up_axis == 'z':
        cloud = {key: np.stack([value[:, 0], value[:, 2], -value[:, 1]], axis=1) for key, value in cloud.items()}
    colors = _PART_COLORS[results['parts'] % len(_PART_COLORS)] if 'parts' in results else None
    cameras = np.deg2rad([_AZIMUTH, _ELEVATION]).astype(np.float32)
    # Twice the size, then averaged: smooth edges.
    large = render_views(cloud['points'], cloud.get('normals'), cameras, 2 * _TILE, colors)
    tiles = [resize_image(tile, _TILE) for tile in large]
    title = results['sample_id']
    if 'class_name' in results:
        title = f'{results["class_name"]}  ({title})'
    for image in results['images'][results['has_image']][:_MAX_IMAGES] if 'images' in results else ():
        tiles.append(_framed(image))
    return Shown(title, tiles)


def _framed(image: np.ndarray) -> np.ndarray:
    import cv2

    tile = np.full((_TILE, _TILE, 3), (120, 120, 120), np.uint8)
    tile[2:-2, 2:-2] = cv2.resize(image, (_TILE - 4, _TILE - 4), interpolation=cv2.INTER_NEAREST)
    return tile


def save_sheet(shown: list[Shown], path: Path) -> None:
    """Lay the shapes out, two in a row, and write the PNG."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    width = max(len(shape.tiles) for shape in shown) * _TILE + _GAP
    height = _TILE + _TITLE
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    canvas = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for k, shape in enumerate(shown):
        top, left = k // columns * height + _TITLE, k % columns * width
        strip = np.concatenate(shape.tiles, axis=1)
        canvas[top : top + _TILE, left : left + strip.shape[1]] = strip
    figure = plt.figure(figsize=(canvas.shape[1] / 100, canvas.shape[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, interpolation='none')
    axes.axis('off')
    for k, shape in enumerate(shown):
        axes.text(
            k % columns * width + 6, k // columns * height + _TITLE - 6, shape.title, fontsize=8, family='monospace'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Draw the sheet and print what is in the data set."""
    args = parse_args()
    parts = build(args)
    print(f'{sum(map(len, parts))} shapes')
    places = choose(parts, args.num // 4)
    samples = [part[position] for part, position in places]
    shown = [draw(results, part.metainfo['up_axis']) for results, (part, _) in zip(samples, places)]
    coordinates = np.concatenate([results['points'] for results in samples])
    for axis, low, high in zip('xyz', coordinates.min(axis=0), coordinates.max(axis=0)):
        print(f'{axis} from {low:.3f} to {high:.3f}')
    radius = np.linalg.norm(coordinates, axis=1).max()
    counts = Counter(len(results['points']) for results in samples)
    print(f'largest radius {radius:.3f}; points per shape: {", ".join(map(str, sorted(counts)))}')
    if 'images' in samples[0]:
        pictured = sum(bool(results['has_image'].any()) for results in samples)
        print(f'with pictures: {pictured} of the {len(samples)} shapes drawn')
    save_sheet(shown, args.out)
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
