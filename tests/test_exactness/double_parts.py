"""Imported through ``custom_imports``: the model in float64, so that rounding is out of a comparison."""

from contextlib import contextmanager

import torch

from mmpt.models.pretrainers import MultiTaskPretrainer


@contextmanager
def widest():
    """``x.float()`` is what the code says where it wants full precision, so it stands for float64 here."""
    single = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.float = single


def build(self, *args, **kwargs):
    _build(self, *args, **kwargs)
    self.double()


def wide(method):
    def call(self, inputs, *args, **kwargs):
        inputs = {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()}
        with widest():
            return method(self, inputs, *args, **kwargs)

    return call


_build, MultiTaskPretrainer.__init__ = MultiTaskPretrainer.__init__, build
MultiTaskPretrainer.forward = wide(MultiTaskPretrainer.forward)
MultiTaskPretrainer.reconstruct = wide(MultiTaskPretrainer.reconstruct)
