"""``python -m mmpt.engine.processes``: torchrun, without its own traceback below the sentence of the run."""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

__all__ = ['main']

if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        # A negative one is the number of the signal that ended the process.
        sys.exit(code if code > 0 else 128 - code)
    except SignalException as error:
        sys.exit(128 + error.sigval)
