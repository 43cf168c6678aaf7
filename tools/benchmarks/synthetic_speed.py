"""Speed of the synthetic generators: samples a second on one core, for composites and for every category.

Wall clock beside the process's own CPU time: on a shared machine only the latter says what a core can do.

    python tools/benchmarks/synthetic_speed.py --samples 300
"""

from __future__ import annotations

import argparse
import os
import time

# Before numpy is imported: several BLAS threads would make "a core" mean nothing.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmpt.datasets.synthetic.categories import CATEGORIES, category_shape  # noqa: E402
from mmpt.datasets.synthetic.composites import free_composite  # noqa: E402


def rates(make, samples: int) -> tuple[float, float]:
    """Samples per second of wall clock and of CPU time of ``make(index)``."""
    make(0)
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(samples):
        make(index)
    return samples / (time.perf_counter() - wall), samples / (time.process_time() - cpu)


def main() -> None:
    """Print one line for composites, one for each category, and the mean over categories."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--samples', type=int, default=200, help='samples of each kind')
    parser.add_argument('--points', type=int, default=1024, help='points of a sample')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()

    print(f'{args.points} points, one thread     samples/s wall    samples/s CPU')
    wall, cpu = rates(lambda index: free_composite(args.seed, index, args.points), args.samples)
    print(f'{"free composites":24s} {wall:17.0f} {cpu:16.0f}')
    seconds = 0.0
    for number, category in enumerate(CATEGORIES):
        wall, cpu = rates(lambda index, c=number: category_shape(args.seed, index, c, args.points), args.samples)
        seconds += 1.0 / cpu
        print(f'{category.name:24s} {wall:17.0f} {cpu:16.0f}')
    print(f'{"all categories":24s} {"":17s} {len(CATEGORIES) / seconds:16.0f}')


if __name__ == '__main__':
    main()
