"""Whether mmcv's compiled CUDA point operations can serve a tensor.

Plain ``pip install onedl-mmcv`` has no compiled part, and mmcv has no CPU kernel for any point operation, so most
installations never get here. Nothing was measured on a GPU yet: that these kernels are faster than the torch
reference there is an expectation, not a figure. Their results differ from the reference only among exact ties.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

import torch
from torch import Tensor

__all__ = ['cuda_guard', 'fast_ops']


@functools.cache
def _compiled_ops() -> ModuleType | None:
    """``mmcv.ops`` if it is installed and compiled with CUDA, else None; imported on the first question only."""
    try:
        ops = importlib.import_module('mmcv.ops')
    except ImportError:
        return None
    # A build of the extension without nvcc has the symbols and raises when they are called.
    return ops if ops.get_compiling_cuda_version() != 'not available' else None


def fast_ops(tensor: Tensor) -> ModuleType | None:
    """``mmcv.ops`` when ``tensor`` is on a CUDA device and may be float32, else None.

    float64 is left to the torch reference, because the kernels compute in float32.
    """
    if tensor.device.type != 'cuda' or tensor.dtype == torch.float64:
        return None
    return _compiled_ops()


def cuda_guard(tensor: Tensor) -> torch.cuda.device_of:
    """Makes the device of ``tensor`` current: mmcv allocates and launches on the current one."""
    return torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
