"""Work on one sample keeps to one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

__all__ = ['one_thread']


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch and the BLAS library of numpy on this thread.

    The arrays of one shape are so small that waking other threads costs more than they save (4 times the CPU time for
    a composite, 20 times for its pictures, on 2 busy cores), and loader workers run beside each other anyway.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _controller().limit(limits=1, user_api='blas'):
            yield
    finally:
        torch.set_num_threads(threads)
