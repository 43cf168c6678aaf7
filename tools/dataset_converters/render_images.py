"""Render pictures of every shape of a folder, or of the data set of a config, for pre-training with images.

    python tools/dataset_converters/render_images.py data/own_shapes --out data/own_images --workers 2
    python tools/dataset_converters/render_images.py configs/_base_/datasets/folder.py --out data/own_images

writes <out>/<stem>/00.png, 01.png, ..., which `images_root` of PointCloudFolder reads; the stem of a shape is its path
below the folder without the suffix, its sample id in a config. Meshes are sampled by area, clouds thinned out. What a
picture shows depends on --seed and the stem alone. Started again, it renders what is not there yet.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# What decides how the pictures look; kept beside them, so that two kinds are never mixed in one folder.
_SETTINGS = ('views', 'size', 'azimuth', 'elevation', 'num_points', 'depth', 'seed')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='a folder of clouds and meshes, or a config')
    parser.add_argument('--out', type=Path, required=True, help='where the pictures go')
    parser.add_argument('--views', type=int, default=12, help='pictures of a shape')
    parser.add_argument('--size', type=int, default=224, help='height and width in pixels')
    parser.add_argument('--azimuth', type=float, nargs=2, default=(0.0, 360.0), metavar=('FROM', 'TO'), help='degrees')
    parser.add_argument('--elevation', type=float, nargs=2, default=(0.0, 35.0), metavar=('FROM', 'TO'), help='degrees')
    parser.add_argument('--num-points', type=int, default=16384, help='points of a shape that are drawn, at most')
    parser.add_argument('--depth', action='store_true', help='depth maps in place of shaded pictures')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument(
        '--on-bad-sample', choices=('raise', 'skip'), default='raise', help='a shape that is unreadable'
    )
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    group = parser.add_argument_group('a folder')
    group.add_argument('--up-axis', choices=('y', 'z'), default='y', help='what is up in the files')
    group.add_argument('--suffixes', nargs='+', help='render these kinds of files only, such as ply off')
    group.add_argument('--columns', nargs='+', help='of text files and arrays, such as x y z nx ny nz')
    group.add_argument('--feature-keys', nargs='+', default=(), choices=('normals', 'colors'), help='for the shading')
    group = parser.add_argument_group('a config')
    group.add_argument('--dataset-key', default='train_dataloader.dataset', help='place of the data set in it')
    group.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    args = parser.parse_args()
    if min(args.views, args.size, args.num_points, args.workers) < 1:
        parser.error('--views, --size, --num-points and --workers: expected at least 1.')
    return args


def build(args: argparse.Namespace) -> list[Any]:
    """The data set as a list of parts."""
    from mmengine.registry import init_default_scope

    from mmpt.datasets import ConcatDataset, PointCloudFolder
    from mmpt.datasets.transforms import LoadPoints
    from mmpt.datasets.verification import lookup
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError
    from mmpt.utils.config import load_config, parse_options

    if not args.source.endswith('.py'):
        loading = LoadPoints(args.columns, args.feature_keys)
        options = {'classes': None, 'suffixes': args.suffixes, 'up_axis': args.up_axis}
        return [PointCloudFolder(args.source, pipeline=[loading], **options)]
    cfg: Any = load_config(args.source, parse_options(args.cfg_options))
    init_default_scope(cfg.get('default_scope', 'mmpt'))
    cfg = lookup(cfg, args.dataset_key)
    if cfg is None:
        raise ConfigError(f'{args.source} has no {args.dataset_key}; give another --dataset-key.')
    for part in (cfg, *cfg.get('datasets', ())):
        # The pictures are only about to be made.
        if part.get('images_root') is not None:
            part.images_root = None
    dataset = DATASETS.build(cfg)
    return dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]


class Renderer:
    """Renders single shapes; every process has one of its own."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.parts = args, build(args)
        # Positions of all shapes; the same number means the same shape in every process.
        self.places = [(part, position) for part in self.parts for position in range(len(part))]

    def folder(self, info: dict[str, Any]) -> Path:
        """Where the pictures of a shape go."""
        from mmpt.datasets.paths import inside

        return inside(self.args.out, info['sample_id'], f'the id of a sample of {self.args.source}')

    def info(self, number: int) -> tuple[Any, dict[str, Any]]:
        """What is known of a shape before it is read."""
        part, position = self.places[number]
        return part, part.load_info(position if part.indices is None else int(part.indices[position]))

    def missing(self) -> list[int]:
        """Shapes that lack a picture."""
        return [number for number in range(len(self.places)) if not self._finished(self.folder(self.info(number)[1]))]

    def _finished(self, folder: Path) -> bool:
        try:
            there = set(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return all(name in there for name in self._names())

    def _names(self) -> list[str]:
        digits = max(2, len(str(self.args.views - 1)))
        return [f'{view:0{digits}d}.png' for view in range(self.args.views)]

    def render(self, number: int) -> None:
        """Render a shape and write its pictures, each of them whole or not at all."""
        import cv2

        from mmpt.datasets.axes import z_up_to_y_up
        from mmpt.datasets.transforms import (
            LoadPoints,
            RandomSample,
            SampleSurface,
            draw_cameras,
            render_views,
            run_pipeline,
        )
        from mmpt.utils.io import atomic_write, remove_leftovers

        args = self.args
        part, info = self.info(number)
        folder = self.folder(info)
        digest = hashlib.blake2b(info['sample_id'].encode(), digest_size=8).digest()
        info['rng'] = rng = np.random.default_rng([args.seed, int.from_bytes(digest, 'little')])
        # Drawn before the points, whose number differs from shape to shape.
        cameras = draw_cameras(rng, args.views, args.azimuth, args.elevation)
        loading = [step for step in part.pipeline if isinstance(step, LoadPoints)]
        results = run_pipeline([*loading, SampleSurface(args.num_points, normals=True)], info)
        if len(results['points']) > args.num_points:
            results = RandomSample(args.num_points)(results)
        points, normals, colors = results['points'], results.get('normals'), results.get('colors')
        if part.metainfo['up_axis'] == 'z':
            points, normals = z_up_to_y_up(points), None if normals is None else z_up_to_y_up(normals)
        if colors is not None:
            colors = colors.astype(np.float32) / 255
        pictures = render_views(points, normals, cameras, args.size, colors, args.depth)
        if folder.is_dir():
            remove_leftovers(folder)
        for name, picture in zip(self._names(), pictures):
            atomic_write(cv2.imencode('.png', picture[:, :, ::-1])[1].tobytes(), folder / name)


_renderer: Renderer


def _start_worker(args: argparse.Namespace) -> None:
    global _renderer
    _renderer = Renderer(args)


def _attempt(renderer: Renderer, number: int) -> str | None:
    """Render; a sentence if the shape cannot be read, since a traceback is lost between processes."""
    from mmpt.utils.errors import explain

    try:
        renderer.render(number)
    except (ValueError, OSError, KeyError) as error:
        sentence = explain(error)
        if sentence is None:
            raise
        return sentence
    return None


def _attempt_here(number: int) -> str | None:
    return _attempt(_renderer, number)


def outcomes(renderer: Renderer, todo: Sequence[int]) -> Iterator[str | None]:
    """Render shapes, in this process or in several; a sentence for each that could not be read."""
    workers = min(renderer.args.workers, len(todo))
    if workers <= 1:
        yield from map(partial(_attempt, renderer), todo)
        return
    import torch

    # Forking starts at once, but not where a parent has threads that hold locks of a driver.
    safe_to_fork = sys.platform == 'linux' and not torch.cuda.is_initialized()
    context = multiprocessing.get_context('fork' if safe_to_fork else 'spawn')
    with ProcessPoolExecutor(workers, context, _start_worker, (renderer.args,)) as pool:
        try:
            for future in as_completed([pool.submit(_attempt_here, number) for number in todo]):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def check_settings(args: argparse.Namespace) -> None:
    """Refuse to mix pictures of two kinds."""
    from mmpt.utils import ConfigError
    from mmpt.utils.io import atomic_write

    path = args.out / 'render.json'
    mine = {key: getattr(args, key) for key in _SETTINGS}
    mine.update(azimuth=list(args.azimuth), elevation=list(args.elevation))
    if path.is_file():
        theirs = json.loads(path.read_text())
        other = [f'{key} {theirs.get(key)}' for key in mine if theirs.get(key) != mine[key]]
        if other:
            raise ConfigError(
                f'{args.out} holds pictures rendered with {", ".join(other)}; use the same options to go on with them, '
                'or another --out.'
            )
    else:
        atomic_write(json.dumps(mine, indent=1).encode(), path)


def main() -> None:
    """Render what is missing."""
    args = parse_args()

    from mmengine.utils import ProgressBar

    from mmpt.utils import MMPTError, TrainingInterrupted

    renderer = Renderer(args)
    check_settings(args)
    todo = renderer.missing()
    total = len(renderer.places)
    print(f'{total} shapes, {total - len(todo)} of them rendered before, {args.views} pictures each', flush=True)
    bad = []
    bar = ProgressBar(len(todo), bar_width=30, file=sys.stderr) if todo else None
    try:
        for sentence in outcomes(renderer, todo):
            if sentence is not None:
                bad.append(sentence)
                if args.on_bad_sample == 'raise':
                    raise MMPTError(f'{sentence} --on-bad-sample skip goes on without it.')
            bar.update()
    except KeyboardInterrupt:
        raise TrainingInterrupted('Stopped; what is rendered stays: start it again to go on from there.') from None
    print(f'\n{args.out}: pictures of {total - len(bad)} shapes')
    for sentence in bad:
        print(f'left out: {sentence}')


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
