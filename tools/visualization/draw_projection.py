"""Draw the points of a LiDAR data set over its pictures, coloured by distance: do the edges line up?

    python tools/visualization/draw_projection.py configs/_base_/datasets/kitti.py --num 3 --out projection.png

Shows the pictures with every point of the sweep and the boxes; --pipeline shows instead what the pipeline makes of
them, pixel by pixel of its pairs, as the model gets it. Red is near, blue far.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Nearer than _NEAR is all red, farther than _FAR all blue; metres, on a scale of ratios.
_NEAR, _FAR = 3.0, 60.0
# Metres in front of the camera from which on something is drawn; tiles in a line.
_IN_FRONT, _ACROSS = 0.5, 3
_EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='which dataloader')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/projection.png'), help='the PNG to write')
    parser.add_argument('--num', type=int, default=1, help='samples drawn, evenly spread')
    parser.add_argument('--width', type=int, default=1600, help='of the PNG, pixels; 0 for pictures as stored')
    parser.add_argument('--pipeline', action='store_true', help='what the pipeline gives, in place of the files')
    parser.add_argument('--no-boxes', action='store_true', help='points alone')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    if args.num < 1 or args.width < 0:
        parser.error(f'--num {args.num} --width {args.width}: expected a positive number of samples and of pixels.')
    return args


def open_dataset(args: argparse.Namespace) -> Any:
    """The data set of the config, its pipeline cut off where arrays become tensors."""
    from mmengine.registry import init_default_scope

    from mmpt.datasets import PointCloudDataset
    from mmpt.datasets.transforms import PackInputs
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError
    from mmpt.utils.config import load_config, parse_options

    cfg = load_config(args.config, parse_options(args.cfg_options))
    init_default_scope(cfg.get('default_scope', 'mmpt'))
    loader = cfg.get(f'{args.split}_dataloader')
    dataset = None if loader is None else DATASETS.build(loader['dataset'])
    if not isinstance(dataset, PointCloudDataset):
        raise ConfigError(f'{args.config} has no {args.split}_dataloader with one data set; choose another --split.')
    dataset.pipeline = [step for step in dataset.pipeline if not isinstance(step, PackInputs)]
    return dataset


def draw_files(info: dict[str, Any], boxes: bool, width: int) -> list[np.ndarray]:
    """Every picture of a sample, with all points that fall into it and, where asked for, the boxes."""
    from mmpt.datasets.lidar import box_corners
    from mmpt.datasets.reading import read_image
    from mmpt.datasets.transforms import project, resize_image

    tiles = []
    files = info.get('image_bytes', info.get('image_paths', ()))
    for file, projection in zip(files, info['projections']):
        image = read_image(file).copy()
        scale = width / min(len(files), _ACROSS) / image.shape[1] if width else 1.0
        image = resize_image(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)))
        place, distance = project(info['points'], projection)
        seen = distance > _IN_FRONT
        draw_points(image, (place[seen] + 0.5) * scale - 0.5, distance[seen])
        for corners in box_corners(info['boxes']) if boxes and 'boxes' in info else ():
            place, distance = project(corners, projection)
            if (distance > _IN_FRONT).all():
                draw_box(image, (place + 0.5) * scale - 0.5)
        tiles.append(image)
    return tiles


def draw_pairs(results: dict[str, Any], distances: np.ndarray) -> list[np.ndarray]:
    """Every picture that the pipeline gives, with the pixels of its pairs."""
    tiles = []
    for view, image in enumerate(results['images']):
        own = results['pairs'][results['pairs'][:, 1] == view]
        image = image.copy()
        draw_points(image, own[:, [3, 2]].astype(np.float64), distances[own[:, 0]])
        tiles.append(image)
    return tiles


def draw_points(image: np.ndarray, place: np.ndarray, distance: np.ndarray) -> None:
    """Set dots, the near ones over the far ones."""
    import cv2

    height, width = image.shape[:2]
    inside = ((place >= -0.5) & (place < (width - 0.5, height - 0.5))).all(axis=1)
    place, distance = place[inside], distance[inside]
    share = np.log(np.clip(distance, _NEAR, _FAR) / _NEAR) / np.log(_FAR / _NEAR)
    # Hue from 0 (red) to 120 (blue), in OpenCV's half degrees.
    hue = np.stack([120 * share, np.full_like(share, 255), np.full_like(share, 255)], axis=1).astype(np.uint8)
    colors = cv2.cvtColor(hue[None], cv2.COLOR_HSV2RGB)[0] if len(hue) else hue
    for k in np.argsort(-distance):
        column, row = np.floor(place[k] + 0.5).astype(int).tolist()
        cv2.circle(image, (column, row), 1, colors[k].tolist(), -1)


def draw_box(image: np.ndarray, place: np.ndarray) -> None:
    """The edges of a box, by its corners."""
    import cv2

    # OpenCV counts in 1/16 pixel here, in 32 bits.
    ends = np.clip(np.rint(place * 16), -(2**24), 2**24).astype(int).tolist()
    for first, second in _EDGES:
        cv2.line(image, ends[first], ends[second], (255, 255, 255), 1, cv2.LINE_AA, 4)


def lay_out(samples: list[list[np.ndarray]]) -> np.ndarray:
    """One picture: a sample after the other, a few tiles a line."""
    lines = [tiles[k : k + _ACROSS] for tiles in samples for k in range(0, len(tiles), _ACROSS)]
    width = max(sum(tile.shape[1] for tile in line) for line in lines)
    strips = []
    for line in lines:
        strip = np.full((max(tile.shape[0] for tile in line) + 4, width, 3), 255, np.uint8)
        left = 0
        for tile in line:
            strip[: tile.shape[0], left : left + tile.shape[1]] = tile
            left += tile.shape[1]
        strips.append(strip)
    return np.concatenate(strips)


def main() -> None:
    """Draw the samples and say how many points each picture shows."""
    args = parse_args()
    dataset = open_dataset(args)

    import cv2

    from mmpt.utils import ConfigError

    rows = []
    for position in np.linspace(0, len(dataset) - 1, min(args.num, len(dataset))).astype(int).tolist():
        index = position if dataset.indices is None else int(dataset.indices[position])
        info = dataset[position] if args.pipeline else dataset.load_info(index)
        for key in ('projections', *(('pairs', 'images') if args.pipeline else ())):
            if key not in info:
                raise ConfigError(
                    f'{args.config}: sample {info["sample_id"]!r} has no {key!r}, so there is nothing to draw; '
                    'expected points and calibrated pictures, with LoadImages and ProjectPoints for --pipeline.'
                )
        if args.pipeline:
            tiles = draw_pairs(info, np.linalg.norm(info['points'], axis=1))
            print(f'{info["sample_id"]}: {len(info["points"])} points, {len(info["pairs"])} pairs')
        else:
            tiles = draw_files(info, not args.no_boxes, args.width)
            print(f'{info["sample_id"]}: {len(info["points"])} points, {len(info.get("boxes", ()))} boxes')
        rows.append(tiles)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    picture = lay_out(rows)
    if not cv2.imwrite(str(args.out), picture[..., ::-1]):
        raise ConfigError(f'{args.out} cannot be written as a picture; give a name that ends in .png.')
    print(f'written: {args.out}, {picture.shape[1]} x {picture.shape[0]} pixels')


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
