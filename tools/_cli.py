"""What the command lines of the tools share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# So that `mmpt` and `projects/` of this checkout are found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

__all__ = ['add_run_options', 'start']


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that builds a Runner from a config."""
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--launcher', default='none', choices=['none', 'pytorch', 'slurm'])
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--trust-checkpoint', action='store_true', help='let checkpoints run code')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')


def start(parser: argparse.ArgumentParser, command: Callable[..., Any]) -> None:
    """Read the command line, run, and exit; an error that the user can act on comes out as one sentence.

    Args:
        parser (ArgumentParser): with :func:`add_run_options`.
        command (Callable): gets the other arguments by name, ``cfg_options`` as a dictionary. It imports mmpt itself:
            mmengine asks torch for a GPU when it is imported, and by then ``--device`` must have spoken.
    """
    args = vars(parser.parse_args())
    if args.pop('device') == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    args.pop('traceback')
    from mmpt.utils.config import parse_options
    from mmpt.utils.errors import run

    def main() -> None:
        command(**{**args, 'cfg_options': parse_options(args['cfg_options'])})

    sys.exit(run(main))
