"""Features of any encoder that maps points to tokens, and batch statistics for one that was never trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .protocols import compose_features

__all__ = ['calibrate_batchnorm', 'calibrated_batchnorm', 'extract_features', 'training_flags_restored']


def extract_features(
    encoder: nn.Module,
    points: NDArray[Any],
    batch_size: int = 64,
    device: torch.device | str = 'cpu',
    pooling: Sequence[str] = ('max', 'mean'),
) -> NDArray[np.float32]:
    """Pooled features of clouds, with the encoder in eval mode and without gradients.

    Args:
        encoder (nn.Module): maps (B, P, 3) points to ``Tokens``, or to anything with its ``pools``; moved to
            ``device``, its training flags are restored.
        points (ndarray): (N, P, 3) clouds in the frame the encoder was trained in.
        batch_size (int): clouds per forward pass.
        device (torch.device | str): where to run.
        pooling (Sequence[str]): see ``compose_features``.

    Returns:
        ndarray: (N, sum of widths) float32.
    """
    encoder = encoder.to(device)
    pieces = []
    with training_flags_restored(encoder), torch.no_grad():
        encoder.eval()
        for batch in _batches(points, batch_size, device):
            pools = {name: value.float().cpu().numpy() for name, value in encoder(batch).pools().items()}
            pieces.append(compose_features(pools, pooling))
    return np.concatenate(pieces)


def calibrate_batchnorm(
    encoder: nn.Module, points: NDArray[Any], batch_size: int = 64, device: torch.device | str = 'cpu'
) -> int:
    """Set the running statistics of all batch norms to those of ``points``.

    An encoder that was never trained normalises by mean 0 and variance 1, which it never saw; this makes it as strong
    a control as it can be without training. Only the norm layers are in train mode during the forward passes, so
    drop-path and dropout stay off. The statistics of the batches are merged exactly: a layer whose input does not
    depend on other batch norms ends with the mean and (unbiased) variance over all clouds, however they are batched.

    Args:
        encoder (nn.Module): moved to ``device``; its training flags are restored.
        points (ndarray): (N, P, 3) clouds, of the training part only.
        batch_size (int): clouds per forward pass; the last passes may hold up to twice as many, so that none is tiny.
        device (torch.device | str): where to run.

    Returns:
        int: how many layers were calibrated.
    """
    encoder = encoder.to(device)
    with calibrated_batchnorm(encoder) as layers, torch.no_grad():
        if layers:
            for batch in _batches(points, batch_size, device):
                encoder(batch)
    return layers


@contextmanager
def calibrated_batchnorm(module: nn.Module) -> Iterator[int]:
    """Set the running statistics of all batch norms to those of what passes the module inside the block.

    Only the norm layers are in train mode there; a norm that nothing passes keeps its statistics. Processes do not wait
    for each other: each calibrates a module of its own, if it has one to calibrate.

    Args:
        module (nn.Module): its training flags are restored.

    Yields:
        int: how many batch norms it has.
    """
    norms = [part for part in module.modules() if _has_running_statistics(part)]
    merged: dict[nn.Module, _Merged] = {norm: _Merged() for norm in norms}
    momenta = [norm.momentum for norm in norms]
    handles = [norm.register_forward_hook(merged[norm].after_forward) for norm in norms]
    try:
        with training_flags_restored(module):
            module.eval()
            for norm in norms:
                # With momentum 1 the layer itself leaves each batch's statistics in its buffers.
                norm.train()
                norm.momentum = 1.0  # type: ignore[assignment]
                norm.over_ranks = False  # type: ignore[assignment]
            yield len(norms)
    finally:
        for norm, momentum, handle in zip(norms, momenta, handles):
            norm.momentum = momentum
            vars(norm).pop('over_ranks', None)
            handle.remove()
    for norm, state in merged.items():
        state.write(norm)


class _Merged:
    """Mean and squared deviations over batches, merged by the formula of Chan et al."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None

    def after_forward(self, norm: Any, inputs: tuple[Any, ...], output: Any) -> None:
        # A norm of rows that are never built (BatchNorm.scale_and_shift) is told how many they are.
        rows = inputs[0]
        count = rows.numel() // norm.running_mean.numel() if isinstance(rows, Tensor) else rows.count
        mean = norm.running_mean.double()
        squares = norm.running_var.double() * (count - 1)
        if self.mean is None or self.squares is None:
            self.count, self.mean, self.squares = count, mean, squares
            return
        total = self.count + count
        shift = mean - self.mean
        self.mean = self.mean + shift * (count / total)
        self.squares = self.squares + squares + shift.square() * (self.count * count / total)
        self.count = total

    def write(self, norm: Any) -> None:
        if self.mean is None or self.squares is None:
            return
        norm.running_mean.copy_(self.mean)
        norm.running_var.copy_(self.squares / max(self.count - 1, 1))


def _has_running_statistics(module: nn.Module) -> bool:
    """Batch norms by what they hold, so that a user's own counts too."""
    return isinstance(getattr(module, 'running_mean', None), Tensor) and hasattr(module, 'momentum')


def _batches(points: NDArray[Any], batch_size: int, device: torch.device | str) -> Iterator[Tensor]:
    points = np.asarray(points)
    if points.ndim != 3 or len(points) == 0 or points.shape[2] < 3:
        raise ValueError(f'Features need clouds as a non-empty (N, P, 3) array, not one of shape {points.shape}.')
    for chunk in np.array_split(points, max(1, len(points) // batch_size)):
        yield torch.from_numpy(np.ascontiguousarray(chunk, dtype=np.float32)).to(device)


@contextmanager
def training_flags_restored(module: nn.Module) -> Iterator[None]:
    """Give every submodule back the training flag it had before the block."""
    flags = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in flags:
            part.training = training
