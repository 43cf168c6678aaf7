"""Time the embedding of patches against its plain form, forward and backward.

    python tools/benchmarks/patch_embed_speed.py --threads 1 --clock cpu

The plain form (tests/reference/patch_embed.py) builds the concatenation of a patch's maximum with its points and uses
torch's maximum. Both have the same weights and run in turn in one process, in training mode, so that other load on the
machine falls on both. ``--clock cpu`` counts the time of the process over all its threads.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests' / 'reference'))
from patch_embed import plain_patch_embed  # noqa: E402

from mmpt.models.layers import PatchEmbed  # noqa: E402

#: (clouds, patches), channels of a token, widths: Point-MAE's, and the quick start's of MMPT and of its tokenizer.
SIZES = {
    'Point-MAE': ((16, 64), 384, (128, 256, 512)),
    'quick start': ((64, 32), 128, (32, 64, 128)),
    'quick start, tokenizer': ((16, 32), 64, (32, 64, 128)),
}


def main() -> None:
    """Print the median ratio of each size and its spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=32, help='points of a patch')
    parser.add_argument('--share', type=float, default=1.0, help='of the clouds')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--clock', choices=('wall', 'cpu'), default='wall')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.clock == 'cpu' else time.perf_counter
    for name, ((clouds, groups), dim, widths) in SIZES.items():
        torch.manual_seed(0)
        embed = PatchEmbed(3, dim, widths).train()
        points = 0.1 * torch.randn(max(1, round(args.share * clouds)), groups, args.size, 3)
        grad = torch.randn(*points.shape[:2], dim)
        ratios = []
        for turn in range(args.rounds + 1):
            seconds = []
            for form in (embed, lambda x, embed=embed: plain_patch_embed(embed, x)):
                embed.zero_grad(set_to_none=True)
                begin = clock()
                form(points).backward(grad)
                seconds.append(clock() - begin)
            if turn:  # the first one warms up
                ratios.append(seconds[1] / seconds[0])
        print(
            f'{name}: {len(points)} x {groups} patches of {args.size} points: {statistics.median(ratios):.2f} times as '
            f'fast ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds)',
            flush=True,
        )


if __name__ == '__main__':
    main()
