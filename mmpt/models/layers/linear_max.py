"""A linear layer and the maximum over the points of each patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ['linear_max']


def linear_max(rows: Tensor, size: int, linear: nn.Linear) -> Tensor:
    """``linear(rows).view(R, size, C).amax(1)``, cheaper on the way back.

    One point of a patch wins a channel, so only one entry in ``size`` of the gradient is not zero. A CPU spends on the
    dense way back twice what the forward costs; here it reads only the rows that won, and keeps no (R * size, C)
    tensor. Between equal points the first one takes the gradient, as with ``torch.max``. Under autocast and on a GPU,
    where dense products are the faster ones, it is the plain form.

    Args:
        rows (Tensor): (R * size, K), the points of one patch behind each other.
        size (int): points of a patch.
        linear (nn.Linear): K to C channels.

    Returns:
        Tensor: (R, C).
    """
    sparse = rows.device.type == 'cpu' and torch.is_grad_enabled() and not torch.is_autocast_enabled('cpu')
    if sparse and linear.bias is not None and linear.weight.requires_grad:
        return _LinearMax.apply(rows, size, linear.weight, linear.bias)
    return linear(rows).view(-1, size, linear.out_features).amax(1)


class _LinearMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, size: int, weight: Tensor, bias: Tensor) -> Tensor:
        largest, winner = F.linear(rows, weight, bias).view(-1, size, len(weight)).max(1)
        ctx.save_for_backward(rows, winner, weight)
        ctx.size = size
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor]:
        rows, winner, weight = ctx.saved_tensors
        first = torch.arange(0, len(rows), ctx.size).unsqueeze(1)
        # Channel c of the weight: the rows that won it, each times its gradient.
        of_weight = F.embedding_bag(
            (winner + first).T.contiguous(), rows, per_sample_weights=grad.T.contiguous(), mode='sum'
        )
        of_rows = None
        if ctx.needs_input_grad[0]:
            # A row: the channels of the weight that it won, each times its gradient; nothing where it won none.
            place, channel = winner.sort(dim=1)
            won = torch.bincount((place + first).flatten(), minlength=len(rows))
            of_rows = F.embedding_bag(
                channel.flatten(),
                weight,
                won.cumsum(0) - won,
                per_sample_weights=grad.gather(1, channel).flatten(),
                mode='sum',
            )
        return of_rows, None, of_weight, grad.sum(0)
