"""The optimiser's wrapper: accumulation, clipping, bf16, and no update from a NaN."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from mmpt.engine.deferred import defer_scalar
from mmpt.registry import OPTIM_WRAPPERS
from mmpt.utils.errors import ConfigError

__all__ = ['GuardedOptimWrapper']

_NORM_KEYS = {'max_norm', 'norm_type'}


@OPTIM_WRAPPERS.register_module()
class GuardedOptimWrapper(OptimWrapper):
    """Updates the parameters unless the loss or the gradient of any process is not finite.

    A bad step changes no trained parameter, no state of the optimiser and no buffer of the model (running statistics of
    batch norm): they are what they were before its forward pass. What a forward pass itself moves towards parameters
    that are finite (a momentum encoder) stays moved. On the CPU this is decided here. On a GPU it
    is decided there, through ``found_inf`` of the fused optimisers and ``torch.where`` on the buffers, so that the CPU
    never waits; an optimiser without a fused version costs one wait per update. ``bad`` holds the verdict.

    Args:
        optimizer (Optimizer): what updates.
        accumulative_counts (int): iterations whose gradients are summed for one update. Contrastive negatives and
            batch statistics do not accumulate.
        clip_grad (dict, optional): ``max_norm`` and, if not 2, ``norm_type``. None switches clipping off, but the norm
            is still logged.
        amp (bool): run the forward pass under bf16 autocast, on CPU and GPU alike; parameters stay float32, and
            bf16 has the range of float32, so that no loss scaling is needed.
        defer (bool, optional): decide on the device. Default: on a GPU, where the optimiser can.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        accumulative_counts: int = 1,
        clip_grad: dict[str, Any] | None = {'max_norm': 10.0},  # noqa: B006
        amp: bool = False,
        defer: bool | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts=accumulative_counts)
        clip_grad = dict(clip_grad or {})
        if clip_grad and not {'max_norm'} <= set(clip_grad) <= _NORM_KEYS:
            raise ConfigError(f'optim_wrapper.clip_grad takes max_norm and norm_type, not {sorted(clip_grad)}.')
        self.clip_grad_kwargs = {'max_norm': math.inf, **clip_grad}
        self.amp = amp
        self.bad = torch.zeros(())
        first = optimizer.param_groups[0]['params'][0]
        self._device_type = first.device.type
        fused = all(group.get('fused') for group in optimizer.param_groups)
        self._defer = fused and (self._device_type == 'cuda' if defer is None else defer)
        self._fresh = True
        self._buffers: list[Tensor] = []
        self._saved: list[Tensor] = []

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward pass: remember the buffers, cast, and sum gradients without talking to the others."""
        self._remember(model)
        autocast = torch.autocast(self._device_type, dtype=torch.bfloat16, enabled=self.amp)
        with super().optim_context(model), autocast:
            yield

    @torch.no_grad()
    def _remember(self, model: nn.Module) -> None:
        self._buffers = list(model.buffers())
        if [b.shape for b in self._saved] != [b.shape for b in self._buffers]:
            self._saved = [torch.empty_like(buffer) for buffer in self._buffers]
        for saved, buffer in zip(self._saved, self._buffers):
            saved.copy_(buffer)

    def update_params(
        self, loss: Tensor, step_kwargs: dict[str, Any] | None = None, zero_kwargs: dict[str, Any] | None = None
    ) -> None:
        """Backward pass, and an update where it is due and nothing is wrong.

        Args:
            loss (Tensor): scalar.
            step_kwargs (dict, optional): arguments of ``Optimizer.step``.
            zero_kwargs (dict, optional): arguments of ``Optimizer.zero_grad``.
        """
        bad = (~torch.isfinite(loss.detach())).float().reshape(())
        # Travels while the backward pass runs.
        work = dist.all_reduce(bad, op=dist.ReduceOp.MAX, async_op=True) if dist.is_initialized() else None
        self.backward(self.scale_loss(loss))
        if work is not None:
            work.wait()
        # A bad part of an accumulated batch spoils the sum.
        self.bad = bad if self._fresh else torch.maximum(bad, self.bad)
        self._fresh = self.should_update()
        if self._fresh:
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))
        self._restore()

    def step(self, **kwargs: Any) -> None:
        """Clip, and update unless something is wrong.

        Args:
            **kwargs (Any): arguments of ``Optimizer.step``.
        """
        params = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        # After the reduction of DDP every process holds the same gradients, so this needs no agreement.
        norm = nn.utils.clip_grad_norm_(params, **self.clip_grad_kwargs)
        defer_scalar(self.message_hub, 'train/grad_norm', norm)
        self.bad = torch.maximum(self.bad, (~torch.isfinite(norm)).float())
        # The first update makes the optimiser's state, and must not make it from a bad gradient.
        if self._defer and self.optimizer.state:
            self.optimizer.found_inf = self.bad
            self.optimizer.step(**kwargs)
        elif not bool(self.bad):
            self.optimizer.step(**kwargs)

    @torch.no_grad()
    def _restore(self) -> None:
        if not self._defer and not bool(self.bad):
            return
        for saved, buffer in zip(self._saved, self._buffers):
            buffer.copy_(torch.where(self.bad > 0, saved, buffer))
