"""Read the tables of nuScenes once and write the index that NuScenes opens in their place.

    python tools/dataset_converters/nuscenes.py data/nuscenes --version v1.0-trainval

The tables of v1.0-trainval have millions of rows, most of them not of key frames; the index has the key frames alone:
file names, projections with the vehicle's motion in them, boxes, where the point labels are.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path


def main() -> None:
    """Read, write, and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='the folder with samples/ and the tables in v1.0-*/')
    parser.add_argument('--version', default='v1.0-trainval', help='which tables; default v1.0-trainval')
    parser.add_argument('--out', type=Path, help='the file to write; default <root>/mmpt_<version>.npz')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    out = args.out or args.root / f'mmpt_{args.version}.npz'

    from mmpt.datasets.nuscenes_tables import make_index, write_index

    start = time.monotonic()
    index = make_index(args.root / args.version, say=lambda table: print(f'  {table}', file=sys.stderr, flush=True))
    write_index(index, out)
    labelled = sum(bool(name) for name in index['lidarseg'])
    print(
        f'written: {out}, {out.stat().st_size / 2**20:.0f} MiB in {time.monotonic() - start:.0f} s; '
        f'{len(index["scenes"])} scenes, {len(index["sample"])} key frames, {len(index["boxes"])} boxes, '
        f'{labelled} frames with point labels'
    )


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
