"""Edge convolution on a graph of neighbours, with batch norm over all edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .neighbour_max import neighbour_max
from .norm import BatchNorm, Moments

__all__ = ['EdgeConv']


class EdgeConv(nn.Module):
    """Linear on [neighbour - self ; self], batch norm, leaky ReLU, maximum over neighbours (DGCNN, arXiv 1801.07829).

    No edge is built. ``W [n - s ; s] = W1 n + (W2 - W1) s`` needs two products for every point instead of one for each
    of its k edges. The batch norm is that of all B * N * k edges: sums and squares of ``a_j + b_i`` follow from what
    the points have and from the sum over the neighbours of each. As norm and leaky ReLU rise with ``a_j``, or fall
    with it where the weight of the norm is negative, the maximum may be taken before them. Same function and gradients
    as the plain form (tests/reference/dgcnn.py), in a fraction of its memory.

    Runs in float32 under autocast: neighbours differ by little, which bfloat16 would lose in the difference.

    Args:
        in_dim (int): channels coming in.
        out_dim (int): channels going out.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * in_dim, out_dim, bias=False)
        self.norm = BatchNorm(out_dim)

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Convolve.

        Args:
            x (Tensor): (B, N, in_dim).
            neighbours (Tensor): (B, N, k) int64 into the N points of the same sample.

        Returns:
            Tensor: (B, N, out_dim).
        """
        batch, num, k = neighbours.shape
        with torch.autocast(x.device.type, enabled=False):
            rows = x.to(self.linear.weight.dtype).flatten(0, 1)
            to_neighbour, to_self = self.linear.weight.chunk(2, dim=1)
            of_neighbour, of_self = F.linear(rows, to_neighbour), F.linear(rows, to_self - to_neighbour)
            first = torch.arange(0, batch * num, num, device=x.device)
            index = (neighbours + first.view(-1, 1, 1)).view(-1, k)
            scale, shift = self.norm.scale_and_shift(
                _moments(of_neighbour, of_self, index) if self.norm.training else None
            )
            sign = torch.where(scale.detach() < 0, -1.0, 1.0).to(scale.dtype)
            largest = sign * neighbour_max(sign * of_neighbour, index)
            return F.leaky_relu((largest + of_self) * scale + shift, 0.2).view(batch, num, -1)


def _moments(of_neighbour: Tensor, of_self: Tensor, index: Tensor) -> Moments:
    """Of the edges ``of_neighbour[index] + of_self``: rows (R, C) each and (R, k) neighbours of every row."""
    rows, k = index.shape
    around = F.embedding_bag(index, of_neighbour, mode='sum')
    times = torch.bincount(index.flatten(), minlength=rows).to(of_self.dtype).unsqueeze(1)
    total = around.sum(0, dtype=torch.float64) + k * of_self.sum(0, dtype=torch.float64)
    squares = (times * of_neighbour.square()).sum(0, dtype=torch.float64)
    squares = squares + (of_self * (k * of_self + 2 * around)).sum(0, dtype=torch.float64)
    return Moments(rows * k, total, squares)
