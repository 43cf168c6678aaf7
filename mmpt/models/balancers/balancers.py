"""Weights of the tasks in the total loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmpt.models.layers import all_reduce_sum, rank_and_world
from mmpt.registry import MODELS

__all__ = ['FixedBalancer', 'GradientNormBalancer', 'build_balancer']

#: Loss weights by name (METHODS 1.6, unknown U9): `sibling` are those of DR-Point (arXiv 2404.13619).
PRESETS: dict[str, dict[str, float]] = {
    'sibling': {'tlr': 1.0, 'plr': 1.0, 'mcl': 0.1},
    'equal': {},
}


def build_balancer(balancer: str | dict) -> FixedBalancer:
    """Build a balancer from its config, or from a preset's name: ``sibling``, ``equal`` or ``balanced``."""
    if isinstance(balancer, str):
        if balancer == 'balanced':
            balancer = {'type': 'GradientNormBalancer'}
        else:
            balancer = {'type': 'FixedBalancer', 'weights': balancer}
    return MODELS.build(balancer)


@MODELS.register_module()
class FixedBalancer(nn.Module):
    """Constant weights, and the gradient norm of every task measured now and then.

    The norm is that of the task's gradient at the encoder's output tokens, all views of the step together.

    Args:
        weights (str | dict[str, float]): ``'sibling'`` (1, 1, 0.1), ``'equal'``, or a weight for each task; a task
            without one counts 1.
        start (dict[str, int] | None): steps before which a task counts 0 (staged training, unknown U11).
        interval (int): steps between measurements of the norms; 0 never measures.
    """

    def __init__(
        self, weights: str | dict[str, float] = 'sibling', start: dict[str, int] | None = None, interval: int = 50
    ) -> None:
        super().__init__()
        if isinstance(weights, str) and weights not in PRESETS:
            raise ValueError(
                f'FixedBalancer: no preset {weights!r}; there are {sorted(PRESETS)} and a dictionary of weights '
                "(model.balancer='balanced' equalises gradient norms)."
            )
        self.weights = dict(PRESETS[weights]) if isinstance(weights, str) else dict(weights)
        self.start = dict(start or {})
        self.interval = interval

    def set_tasks(self, tasks: Sequence[str]) -> None:
        """Learn the names of the tasks; called once when the pretrainer is built.

        Raises:
            ValueError: a weight or a start for a task that does not exist (presets may name absent tasks).
        """
        unknown = sorted((set(self.weights) - {'tlr', 'plr', 'mcl'} | set(self.start)) - set(tasks))
        if unknown:
            raise ValueError(f'{type(self).__name__}: no head is called {unknown}; the heads are {list(tasks)}.')

    def forward(
        self, losses: Mapping[str, Tensor], anchors: Sequence[Tensor], step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weigh the tasks of one step.

        Args:
            losses (Mapping[str, Tensor]): a scalar for each task.
            anchors (Sequence[Tensor]): the encoder's output tokens, where gradients are measured.
            step (int): the training iteration.

        Returns:
            tuple[dict[str, Tensor], dict[str, Tensor]]: a weight for each task, and the norms measured in this step.
        """
        norms = self.measure(losses, anchors) if self.interval and step % self.interval == 0 else {}
        return {task: self.fixed(task, loss, step) for task, loss in losses.items()}, norms

    def fixed(self, task: str, like: Tensor, step: int) -> Tensor:
        """The constant weight of a task, 0 before its start."""
        weight = self.weights.get(task, 1.0) if step >= self.start.get(task, 0) else 0.0
        return torch.full_like(like.detach(), weight)

    def measure(self, losses: Mapping[str, Tensor], anchors: Sequence[Tensor]) -> dict[str, Tensor]:
        """Gradient norm of every task at the anchors, over all ranks; 0 for a task that does not reach them."""
        anchors = [anchor for anchor in anchors if anchor.requires_grad]
        if not anchors:
            return {}
        squares = []
        for loss in losses.values():
            grads = [None]
            if loss.requires_grad:
                grads = torch.autograd.grad(loss, anchors, retain_graph=True, allow_unused=True)
            parts = [grad.float().square().sum() for grad in grads if grad is not None]
            squares.append(torch.stack(parts).sum() if parts else loss.detach().new_zeros(()))
        # A rank's loss is a mean over its own part of the batch, so a token's gradient here is that of the global mean
        # times the number of ranks.
        norms = all_reduce_sum(torch.stack(squares)).sqrt() / rank_and_world()[1]
        return dict(zip(losses, norms))


@MODELS.register_module()
class GradientNormBalancer(FixedBalancer):
    """Weights that give every task the same gradient norm at the encoder's tokens (METHODS 1.6 and 9.7: `balanced`).

    ``w_t = mean_s |g_s| / |g_t|`` with smoothed norms, clipped; on top of it the constant weights apply. The smoothed
    norms are buffers, so that a resumed run continues with them.

    Args:
        weights (str | dict[str, float]): wanted ratio of the norms, 1 for each task by default.
        start (dict[str, int] | None): as in :class:`FixedBalancer`.
        interval (int): steps between measurements.
        momentum (float): of the smoothing.
        bounds (tuple[float, float]): of a weight before the constant one.
    """

    def __init__(
        self,
        weights: str | dict[str, float] = 'equal',
        start: dict[str, int] | None = None,
        interval: int = 10,
        momentum: float = 0.9,
        bounds: tuple[float, float] = (1e-3, 1e3),
    ) -> None:
        super().__init__(weights, start, interval)
        if interval < 1:
            raise ValueError(
                f'GradientNormBalancer: the weights follow the norms, so interval must be >= 1, got {interval}.'
            )
        self.momentum, self.bounds = momentum, tuple(bounds)

    def set_tasks(self, tasks: Sequence[str]) -> None:
        """One smoothed norm a task; negative until measured."""
        super().set_tasks(tasks)
        self.tasks = list(tasks)
        self.measured = False
        self.register_buffer('smoothed', torch.full((len(self.tasks),), -1.0))

    def forward(
        self, losses: Mapping[str, Tensor], anchors: Sequence[Tensor], step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """As :meth:`FixedBalancer.forward`."""
        if not self.measured:
            # Asked once a process and not every step: the answer comes from the device.
            self.measured = bool((self.smoothed >= 0).all())
        norms = self.measure(losses, anchors) if step % self.interval == 0 or not self.measured else {}
        if norms:
            self.measured = True
            new = torch.stack([norms[task] for task in self.tasks])
            self.smoothed.copy_(torch.where(self.smoothed < 0, new, torch.lerp(new, self.smoothed, self.momentum)))
        reached = self.smoothed > 0
        mean = torch.where(reached, self.smoothed, 0).sum() / reached.sum().clamp(min=1)
        balance = torch.where(reached, mean / self.smoothed.clamp(min=1e-12), 1.0).clamp(*self.bounds)
        return {task: balance[i] * self.fixed(task, losses[task], step) for i, task in enumerate(self.tasks)}, norms
