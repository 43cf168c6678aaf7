"""PointNet: one perceptron for every point, and matrices that turn the cloud before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm
from mmpt.registry import ENCODERS
from mmpt.structures import Tokens

__all__ = ['PointNet']


@ENCODERS.register_module()
class PointNet(nn.Module):
    """The same perceptron at every point, each layer with batch norm and ReLU (Qi et al., arXiv 1612.00593).

    A learned 3 x 3 matrix turns the coordinates before the first layer and a square matrix turns the features after
    the second, both predicted from the whole cloud. Without the two this is the PointNet that CrossPoint names for its
    figures (its issue 3 points to the one of the DGCNN repository): layers 64, 64, 64, 128, 1024 without bias.

    Points are the tokens: there are no patches and nothing can be masked. The origin's feature of a cloud is the
    maximum over points, ``pooling=('max',)``. The term by which the origin keeps the feature matrix near an orthogonal
    one is left out; that matrix starts as the identity here as there.

    Args:
        in_channels (int): 3 coordinates and F features of a point; only coordinates are turned.
        dim (int): channels of a token.
        point_widths (tuple[int, ...]): layers before the last, at least two.
        input_transform (bool): turn the coordinates.
        feature_transform (bool): turn the features.
        transform_widths (tuple[int, int, int, int, int]): of the networks that predict the matrices: three layers at
            every point, and two after the maximum over points.
    """

    supports_masking = False

    def __init__(
        self,
        in_channels: int = 3,
        dim: int = 1024,
        point_widths: tuple[int, ...] = (64, 64, 64, 128),
        input_transform: bool = True,
        feature_transform: bool = True,
        transform_widths: tuple[int, int, int, int, int] = (64, 128, 1024, 512, 256),
    ) -> None:
        super().__init__()
        if in_channels < 3 or len(point_widths) < 2:
            raise ValueError(
                'PointNet: in_channels counts the 3 coordinates and point_widths at least two layers, got '
                f'{in_channels} and {tuple(point_widths)}.'
            )
        self.in_channels, self.dim = in_channels, dim
        widths = (in_channels, *point_widths, dim)
        self.layers = nn.ModuleList(_layer(a, b) for a, b in zip(widths[:-1], widths[1:]))
        self.input_transform = _Transform(3, 3, transform_widths) if input_transform else None
        size = point_widths[1]
        self.feature_transform = _Transform(size, size, transform_widths) if feature_transform else None

    def forward(self, points: Tensor) -> Tokens:
        """Encode clouds.

        Args:
            points (Tensor): (B, N, 3 + F); only the channels it was built for are read.

        Returns:
            Tokens: (B, N, C) one for every point, in the order of the points, which are the centres.

        Raises:
            ValueError: fewer channels than ``in_channels``.
        """
        if points.shape[-1] < self.in_channels:
            raise ValueError(
                f'PointNet: the encoder reads {self.in_channels} channels a point, the cloud has {points.shape[-1]}; '
                'set encoder.in_channels, or feature_keys of PackInputs.'
            )
        batch, num, _ = points.shape
        centers = points[..., :3]
        with torch.autocast(points.device.type, enabled=False):  # bfloat16 keeps 8 bits of a coordinate
            x = points[..., : self.in_channels].to(self.layers[0][0].weight.dtype)
            if self.input_transform is not None:
                turned = x[..., :3] @ self.input_transform(x[..., :3])
                x = torch.cat([turned, x[..., 3:]], dim=-1)
            x = self.layers[0](x.flatten(0, 1))
        x = self.layers[1](x)
        if self.feature_transform is not None:
            x = x.view(batch, num, -1)
            x = (x @ self.feature_transform(x)).flatten(0, 1)
        for layer in self.layers[2:]:
            x = layer(x)
        return Tokens(x.view(batch, num, -1), centers, {})


class _Transform(nn.Module):
    """A square matrix from a whole cloud; the identity at first."""

    def __init__(self, in_dim: int, size: int, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        ins = (in_dim, *widths)
        layers = [_layer(a, b) for a, b in zip(ins[:-1], ins[1:])]
        self.of_point, self.of_cloud = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:])
        self.matrix = nn.Linear(widths[-1], size * size)
        nn.init.zeros_(self.matrix.weight)
        self.matrix.bias.data.copy_(torch.eye(size).flatten())
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, size, size)."""
        rows = self.of_point(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.matrix(self.of_cloud(rows.amax(1))).view(-1, self.size, self.size)


def _layer(in_dim: int, out_dim: int) -> nn.Sequential:
    """For (R, C) rows; the norm would take a bias away again."""
    return nn.Sequential(nn.Linear(in_dim, out_dim, bias=False), BatchNorm(out_dim), nn.ReLU(inplace=True))
