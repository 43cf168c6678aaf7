"""Print a config with all its bases and options put together: what runs.

python tools/misc/print_config.py configs/mmpt/pretrain_synthetic.py --cfg-options train_cfg.max_iters=10
"""

import argparse
import sys
from pathlib import Path

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()

    from mmpt.utils.config import load_config, parse_options

    print(load_config(args.config, parse_options(args.cfg_options)).pretty_text)


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
