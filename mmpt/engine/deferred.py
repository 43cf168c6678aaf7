"""Scalars that stay on their device until somebody looks at them."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import Tensor

__all__ = ['DeferredBuffer', 'defer_scalar']

# Bounds the memory where nobody ever looks.
_LONGEST = 1000


class DeferredBuffer(HistoryBuffer):
    """A log history that accepts tensors without asking for their values.

    ``MessageHub.update_scalar`` calls ``item()``, which makes the CPU wait for the GPU in every step and for every
    value. Here the values are fetched together when a statistic, a copy or a checkpoint needs them, so every reader
    sees the numbers it would have seen before.
    """

    def __init__(self, history: HistoryBuffer | None = None) -> None:
        self._pending: list[Tensor] = []
        if history is None:
            super().__init__()
        else:
            super().__init__(*history.data, max_length=history.max_length)

    def defer(self, value: Tensor) -> None:
        """Append one value.

        Args:
            value (Tensor): one element, any device.
        """
        if len(self._pending) >= _LONGEST or (self._pending and self._pending[0].dtype != value.dtype):
            self._settle()
        # A copy, since what the optimiser returns may be written again in the next step.
        self._pending.append(value.detach().reshape(()).clone())

    def _settle(self) -> None:
        if not self._pending:
            return
        values = torch.stack(self._pending).tolist()
        self._pending = []
        self._log_history = np.append(self._log, values)[-self.max_length :]
        self._count_history = np.append(self._count, np.ones(len(values)))[-self.max_length :]

    @property
    def _log_history(self) -> np.ndarray:
        self._settle()
        return self._log

    @_log_history.setter
    def _log_history(self, value: np.ndarray) -> None:
        self._log = value

    @property
    def _count_history(self) -> np.ndarray:
        self._settle()
        return self._count

    @_count_history.setter
    def _count_history(self, value: np.ndarray) -> None:
        self._count = value

    def __reduce__(self) -> tuple:
        """A copy, and what a checkpoint holds, is mmengine's own class: readable without mmpt."""
        return HistoryBuffer, (*self.data, self.max_length)


def defer_scalar(hub: MessageHub, key: str, value: Tensor) -> None:
    """Append to a log scalar of the message hub without waiting for its value.

    Args:
        hub (MessageHub): of the Runner.
        key (str): for example ``train/loss``.
        value (Tensor): one element.
    """
    buffer = hub.log_scalars.get(key)
    if not isinstance(buffer, DeferredBuffer):
        if buffer is None:
            # Lets the hub note that the key belongs into checkpoints.
            hub.update_scalar(key, value)
            hub.log_scalars[key] = DeferredBuffer(hub.log_scalars[key])
            return
        buffer = hub.log_scalars[key] = DeferredBuffer(buffer)
    buffer.defer(value)
