"""Random draws that do not depend on how the batch is spread over processes, nor on when a run was resumed."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

__all__ = ['StepDraws']


class StepDraws:
    """Draws for the global batch of one step, seeded by (seed, step, stream) and sliced by rank.

    A model owns one as ``model.draws``; the engine sets the step before every training iteration. Two processes with
    half the batch each see exactly the draws that one process with the whole batch sees, and a resumed run sees those
    of the uninterrupted one. Different uses take different streams (``'mask'``, ``'gumbel'``), so that adding a draw
    somewhere never moves the draws elsewhere. Every rank must hold equally many samples.
    """

    def __init__(self, seed: int = 0) -> None:
        self.set(seed=seed, step=0, rank=0, world_size=1)

    def set(self, *, seed: int, step: int, rank: int, world_size: int) -> None:
        """Move to a step; called by the engine."""
        self.seed, self.step, self.rank, self.world_size = seed, step, rank, world_size

    def generator(self, stream: str, device: torch.device | str) -> torch.Generator:
        """A generator on ``device`` that depends on (seed, step, stream) alone."""
        digest = hashlib.blake2b(f'{self.seed}/{self.step}/{stream}'.encode(), digest_size=8).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest, 'little') >> 1)

    def rand(self, stream: str, shape: tuple[int, ...], device: torch.device | str) -> Tensor:
        """Uniform draws in [0, 1).

        Args:
            stream (str): what the draw is for.
            shape (tuple[int, ...]): (B, ...) of this rank; B * world_size rows are drawn.
            device (torch.device | str): where to draw.

        Returns:
            Tensor: ``shape``, float32, this rank's rows of the global draw.
        """
        rows = shape[0]
        whole = torch.rand(
            (rows * self.world_size, *shape[1:]), generator=self.generator(stream, device), device=device
        )
        return whole[self.rank * rows : (self.rank + 1) * rows]
