"""Train by a config.

python tools/train.py configs/mmpt/pretrain_synthetic.py --work-dir work_dirs/first
python tools/train.py configs/mmpt/pretrain_synthetic.py --work-dir work_dirs/first --resume
"""

import argparse

from _cli import add_run_options, start


def main(**args: object) -> None:
    """Train."""
    from mmpt.engine.launch import train

    train(**args)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--work-dir', help='where to write; default work_dirs/<method>/<name of the config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from a checkpoint, or from the last one of the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='bf16 autocast, on CPU and GPU')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch')
    parser.add_argument('--seed', type=int, help='over that of the config')
    add_run_options(parser)
    start(parser, main)
