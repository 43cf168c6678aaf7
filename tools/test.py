"""Score a checkpoint by the val protocol of a config, or by that of its test loop.

python tools/test.py configs/mmpt/pretrain_synthetic.py work_dirs/first/iter_2000.pth
python tools/test.py configs/classification/finetune_synthetic.py <checkpoint> --loop test   # voting
python tools/test.py configs/mmpt/pretrain_synthetic.py <checkpoint> --protocol recon        # docs/tasks/probing.md
"""

import argparse
from typing import Any

from _cli import add_run_options, start


def main(protocol: str | None = None, **args: Any) -> None:
    """Score; a named protocol stands in place of what the config scores by."""
    from mmpt.engine.launch import test

    if protocol is not None:
        args['cfg_options'][f'{args["loop"]}_evaluator'] = [{'type': 'FeatureProbe', 'preset': protocol}]
    test(**args)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('checkpoint', help='a checkpoint file, or an http(s) address')
    parser.add_argument('--loop', default='val', choices=['val', 'test'], help='which protocol of the config')
    parser.add_argument('--protocol', help='of kNN and linear SVM, by name, in place of that of the config')
    parser.add_argument('--work-dir', help='where the log is written; default work_dirs/<method>/<name of the config>')
    add_run_options(parser)
    start(parser, main)
