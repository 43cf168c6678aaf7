"""Graph convolution on patch centres."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.ops import gather, knn

__all__ = ['CentreGraphNet', 'NodeEdgeConv']


class _ChannelGroupNorm(nn.GroupNorm):
    """Group norm of (B, L, C): statistics over L and a quarter of the channels of one sample."""

    def forward(self, x: Tensor) -> Tensor:
        batch, length, channels = x.shape
        with torch.autocast(x.device.type, enabled=False):  # statistics in float32, as torch's own norms take them
            grouped = x.float().view(batch, length, self.num_groups, -1)
            var, mean = torch.var_mean(grouped, dim=(1, 3), keepdim=True, correction=0)
            normed = ((grouped - mean) * torch.rsqrt(var + self.eps)).view(batch, length, channels)
            return torch.addcmul(self.bias, normed, self.weight)


class NodeEdgeConv(nn.Module):
    """Linear on [neighbour - self ; self], group norm, leaky ReLU, maximum over neighbours (DGCNN, 1801.07829).

    ``W [n - s ; s] = W1 n + (W2 - W1) s``: both products run over the nodes, not over their edges.

    Args:
        in_dim (int): channels coming in.
        out_dim (int): channels going out.
        offsets (bool): edges also read where the neighbour lies.
    """

    def __init__(self, in_dim: int, out_dim: int, offsets: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * in_dim, out_dim, bias=False)
        self.offset = nn.Linear(3, out_dim, bias=False) if offsets else None
        self.norm = _ChannelGroupNorm(4, out_dim)

    def forward(
        self, x: Tensor, neighbours: Tensor, offsets: Tensor | None = None, source: Tensor | None = None
    ) -> Tensor:
        """Convolve.

        Args:
            x (Tensor): (B, G, in_dim) features of the nodes.
            neighbours (Tensor): (B, G, k) int64 into the source.
            offsets (Tensor | None): (B, G, k, 3), with ``offsets``.
            source (Tensor | None): (B, M, in_dim) features of the neighbours; the nodes themselves by default.

        Returns:
            Tensor: (B, G, out_dim).
        """
        batch, groups, k = neighbours.shape
        to_neighbour, to_self = self.linear.weight.chunk(2, dim=1)
        of_neighbour = F.linear(x if source is None else source, to_neighbour)
        edges = gather(of_neighbour, neighbours) + F.linear(x, to_self - to_neighbour).unsqueeze(2)
        if self.offset is not None:
            edges = edges + self.offset(offsets)
        edges = F.leaky_relu(self.norm(edges.flatten(1, 2)), 0.2)
        return edges.view(batch, groups, k, -1).amax(2)


class CentreGraphNet(nn.Module):
    """Four edge convolutions on the k-nearest-neighbour graph of centres, all concatenated (Point-BERT's DGCNN).

    The graph is that of the coordinates and the same in every layer; the centre is among its own neighbours.

    Args:
        in_dim (int): channels coming in.
        out_dim (int): channels going out.
        widths (tuple[int, int, int, int, int]): of the input layer and of the four convolutions.
        k (int): neighbours.
        offsets (bool): edges also read where the neighbour lies, in units of the cloud's mean edge; the ancestors' do
            not. Centres lie on the surface, so offsets say how it runs through the patch.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        widths: tuple[int, int, int, int, int] = (128, 256, 512, 512, 1024),
        k: int = 4,
        offsets: bool = False,
    ) -> None:
        super().__init__()
        self.k, self.offsets = k, offsets
        self.inlet = nn.Linear(in_dim, widths[0])
        self.convs = nn.ModuleList(NodeEdgeConv(a, b, offsets) for a, b in zip(widths[:-1], widths[1:]))
        self.outlet = nn.Linear(sum(widths[1:]), out_dim, bias=False)
        self.outlet_norm = _ChannelGroupNorm(4, out_dim)

    def forward(self, x: Tensor, centers: Tensor) -> Tensor:
        """(B, G, in_dim) features at (B, G, 3) centres -> (B, G, out_dim)."""
        with torch.no_grad():
            neighbours = knn(centers, centers, min(self.k, centers.shape[1]))
            offsets = None
            if self.offsets:
                offsets = gather(centers, neighbours) - centers.unsqueeze(2)
                offsets = offsets / offsets.norm(dim=-1).mean((1, 2), keepdim=True).unsqueeze(-1).clamp(min=1e-6)
        x = self.inlet(x)
        outputs = []
        for conv in self.convs:
            x = conv(x, neighbours, offsets)
            outputs.append(x)
        return F.leaky_relu(self.outlet_norm(self.outlet(torch.cat(outputs, dim=-1))), 0.2)
