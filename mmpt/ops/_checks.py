"""The checks that several operations share; each failure is one sentence."""

from __future__ import annotations

from torch import Tensor

__all__ = ['check_batched', 'check_pair']


def check_batched(function: str, name: str, tensor: Tensor, channels: int | None = None) -> None:
    """``tensor`` must be (B, N, C), with C = ``channels`` where that is given."""
    if tensor.dim() != 3 or (channels is not None and tensor.shape[2] != channels):
        wanted = 'C' if channels is None else channels
        raise ValueError(
            f'{function}: expected {name} of shape (B, N, {wanted}), got {tuple(tensor.shape)}; '
            'add a batch dimension or slice the coordinates.'
        )


def check_pair(function: str, names: tuple[str, str], first: Tensor, second: Tensor) -> None:
    """Two batched sets must agree in batch size, in the last dimension and in device."""
    if first.shape[0] != second.shape[0] or first.shape[2] != second.shape[2]:
        raise ValueError(
            f'{function}: expected {names[0]} and {names[1]} with the same batch size and last dimension, got '
            f'{tuple(first.shape)} and {tuple(second.shape)}; pass the same clouds in the same order.'
        )
    if first.device != second.device:
        raise ValueError(
            f'{function}: expected {names[0]} and {names[1]} on one device, got {first.device} and '
            f'{second.device}; move one of them.'
        )
