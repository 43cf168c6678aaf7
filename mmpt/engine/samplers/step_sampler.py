"""An endless order of samples that does not depend on workers, processes or restarts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch import Tensor
from torch.utils.data import Sampler

from mmpt.registry import DATA_SAMPLERS
from mmpt.utils.errors import ConfigError

__all__ = ['StepSampler']


@DATA_SAMPLERS.register_module()
class StepSampler(Sampler):
    """Yields ``(epoch, index)`` for ever; the global order is a function of (seed, epoch) alone.

    The stream is one permutation of the data set after the other. With batches of b samples in each of w processes,
    global batch k is positions ``[k b w, (k + 1) b w)`` of it, and process r takes the contiguous slice r of that: two
    processes with half the batch draw the same batches, in the same order inside, as one with the whole.

    Args:
        dataset (Sized): what is drawn from; it is asked for ``dataset[(epoch, index)]``.
        shuffle (bool): draw a new permutation for every epoch.
        seed (int, optional): of the permutations; the Runner passes its own.
        batch_size (int, optional): samples of one process in one batch. Only several processes need it, and there
            ``StepDrawsHook`` fills it in from the data loader.
    """

    def __init__(
        self, dataset: Sized, shuffle: bool = True, seed: int | None = None, batch_size: int | None = None
    ) -> None:
        self.size = len(dataset)
        if self.size == 0:
            raise ConfigError(f'{type(dataset).__name__} is empty: there is nothing to train on.')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.batch_size = batch_size
        self.rank, self.world_size = get_dist_info()
        self._start = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if self.world_size > 1 and self.batch_size is None:
            raise ConfigError('StepSampler needs batch_size in a run of several processes: add StepDrawsHook.')
        drawn, order, epoch = self._start, None, -1
        while True:
            position = self._position(drawn)
            if position // self.size != epoch:
                epoch = position // self.size
                order = self.permutation(epoch).numpy()
            yield epoch, int(order[position % self.size])
            drawn += 1

    def _position(self, drawn: int) -> int:
        """Where in the global stream the n-th draw of this process is."""
        if self.world_size == 1:
            return drawn
        batch, inside = divmod(drawn, self.batch_size)
        return (batch * self.world_size + self.rank) * self.batch_size + inside

    def permutation(self, epoch: int) -> Tensor:
        """The order of one epoch.

        Args:
            epoch (int): 0-based.

        Returns:
            Tensor: (N,) int64.
        """
        if not self.shuffle:
            return torch.arange(self.size)
        digest = hashlib.blake2b(f'{self.seed}/{epoch}/order'.encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, 'little') >> 1)
        return torch.randperm(self.size, generator=generator)

    def skip(self, num_samples: int) -> None:
        """Begin after that many draws of this process, as mmengine's loop asks on resuming.

        Args:
            num_samples (int): counted from the start of the stream.
        """
        self._start = num_samples

    def __len__(self) -> int:
        """Draws of this process in one epoch, from which schedules in epochs count their iterations."""
        return -(-self.size // self.world_size)
