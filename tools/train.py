"""Train by a config.

python tools/train.py configs/mmpt/pretrain_synthetic.py --work-dir work_dirs/first
python tools/train.py configs/mmpt/pretrain_synthetic.py --work-dir work_dirs/first --resume
"""

import argparse
import os
import sys
from pathlib import Path

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> dict:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--work-dir', help='where everything is written; default work_dirs/<name of the config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from a checkpoint, or from the last one of the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='bf16 autocast, on CPU and GPU')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch')
    parser.add_argument('--launcher', default='none', choices=['none', 'pytorch', 'slurm'])
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--seed', type=int, help='over that of the config')
    parser.add_argument('--trust-checkpoint', action='store_true', help='let checkpoints run code')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    return vars(parser.parse_args())


def main(args: dict) -> None:
    """Train."""
    from mmpt.engine.launch import train
    from mmpt.utils.config import parse_options

    train(**{**args, 'cfg_options': parse_options(args['cfg_options'])})


if __name__ == '__main__':
    args = parse_args()
    if args.pop('device') == 'cpu':
        # Before torch is imported, since mmengine asks it for a GPU at import.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    args.pop('traceback')
    from mmpt.utils.errors import run

    sys.exit(run(lambda: main(args)))
