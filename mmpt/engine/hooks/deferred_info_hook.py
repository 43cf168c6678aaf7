"""Log variables without a device synchronisation in every step."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from mmpt.engine.deferred import defer_scalar
from mmpt.registry import HOOKS

__all__ = ['DeferredInfoHook']


@HOOKS.register_module()
class DeferredInfoHook(RuntimeInfoHook):
    """``RuntimeInfoHook`` whose losses stay on their device until the log, a checkpoint or a hook reads them."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Hand the log variables of this step to the message hub."""
        for key, value in (outputs or {}).items():
            if isinstance(value, Tensor):
                defer_scalar(runner.message_hub, f'train/{key}', value)
            else:
                runner.message_hub.update_scalar(f'train/{key}', value)
