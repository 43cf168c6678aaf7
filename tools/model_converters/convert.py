"""Translate an origin's checkpoint into one of mmpt's, and say what matched.

python tools/model_converters/convert.py --from point_mae pretrain.pth work_dirs/point_mae.pth
python tools/model_converters/convert.py pretrain.pth out.pth          # the family that the keys look like
python tools/model_converters/convert.py --from point_mae tiny.pth out.pth --set num_groups=16 num_heads=3
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='the checkpoint of the origin')
    parser.add_argument('target', type=Path, help='what to write, *.pth')
    parser.add_argument('--from', dest='family', help='point_mae, point_bert, ...; default: what the keys look like')
    parser.add_argument(
        '--set',
        nargs='+',
        default=[],
        metavar='NAME=NUMBER',
        help='what no weight tells: num_groups, group_size, num_heads (of several scales: 512,256,64); the report '
        'names what was assumed',
    )
    parser.add_argument('--trust-checkpoint', action='store_true', help='let the file run code')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Convert, check by building, write, report."""
    from mmpt.apis.origins import convert_file

    choices = {}
    for word in args.set:
        name, _, number = word.partition('=')
        parts = number.split(',')
        if not all(part.isdigit() for part in parts):
            raise SystemExit(f'--set {word}: expected NAME=NUMBER, such as num_heads=6, or NAME=NUMBER,NUMBER,...')
        numbers = tuple(int(part) for part in parts)
        choices[name] = numbers if len(numbers) > 1 else numbers[0]
    print(convert_file(args.source, args.target, args.family, trust=args.trust_checkpoint, **choices))


if __name__ == '__main__':
    args = parse_args()
    from mmpt.utils.errors import run

    sys.exit(run(lambda: main(args)))
