"""DGCNN: a graph of nearest neighbours, drawn anew from every layer's features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, EdgeConv
from mmpt.ops import knn
from mmpt.registry import ENCODERS
from mmpt.structures import Tokens

__all__ = ['DGCNN']


@ENCODERS.register_module()
class DGCNN(nn.Module):
    """Four edge convolutions, all concatenated, and one linear layer for every point (arXiv 1801.07829; CrossPoint).

    The graph of the first convolution is that of the coordinates, each later one is that of the features that come in;
    a point is among its own neighbours. Points are the tokens: there are no patches and nothing can be masked. With
    ``pooling=('max', 'mean')`` a cloud's feature is that of the origin.

    Memory: the edges are never built, the distances of one block of points to all others are.

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        dim (int): channels of a token; 1024 in the origin.
        k (int): neighbours, the point itself included; 20 in DGCNN, 15 in CrossPoint's launch script.
        edge_widths (tuple[int, ...]): channels of the edge convolutions.
    """

    supports_masking = False

    def __init__(
        self,
        in_channels: int = 3,
        dim: int = 1024,
        k: int = 20,
        edge_widths: tuple[int, ...] = (64, 64, 128, 256),
    ) -> None:
        super().__init__()
        if in_channels < 3:
            raise ValueError(f'DGCNN: in_channels counts the 3 coordinates, got {in_channels}.')
        self.in_channels, self.dim, self.k = in_channels, dim, k
        widths = (in_channels, *edge_widths)
        self.convs = nn.ModuleList(EdgeConv(a, b) for a, b in zip(widths[:-1], widths[1:]))
        self.outlet = nn.Linear(sum(edge_widths), dim, bias=False)
        self.outlet_norm = BatchNorm(dim)

    def forward(self, points: Tensor) -> Tokens:
        """Encode clouds.

        Args:
            points (Tensor): (B, N, 3 + F); only the channels it was built for are read.

        Returns:
            Tokens: (B, N, C) one for every point, in the order of the points, which are the centres.

        Raises:
            ValueError: fewer channels than ``in_channels``, or fewer points than neighbours.
        """
        if points.shape[-1] < self.in_channels:
            raise ValueError(
                f'DGCNN: the encoder reads {self.in_channels} channels a point, the cloud has {points.shape[-1]}; set '
                'encoder.in_channels, or feature_keys of PackInputs.'
            )
        x, centers = points[..., : self.in_channels], points[..., :3]
        outputs: list[Tensor] = []
        for conv in self.convs:
            near = outputs[-1] if outputs else centers
            x = conv(x, self.neighbours(near))
            outputs.append(x)
        x = self.outlet(torch.cat(outputs, dim=-1))
        x = F.leaky_relu(self.outlet_norm(x.flatten(0, 1)), 0.2).unflatten(0, x.shape[:2])
        return Tokens(x, centers, {})

    def layer_prefixes(self) -> list[tuple[str, ...]]:
        """Beginnings of the names of each layer's parameters, from the input on, for layer-wise rates."""
        return [*((f'convs.{i}.',) for i in range(len(self.convs))), ('outlet.', 'outlet_norm.')]

    def neighbours(self, features: Tensor) -> Tensor:
        """(B, N, C) features -> (B, N, k) int64, the nearest points of each, itself included."""
        features = features.detach()
        return knn(features, features, self.k)
