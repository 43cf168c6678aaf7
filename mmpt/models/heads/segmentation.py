"""From the tokens of a cloud to an answer for every point."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, PointPropagation
from mmpt.registry import HEADS
from mmpt.structures import Tokens

__all__ = ['SegmentationHead']


@HEADS.register_module()
class SegmentationHead(nn.Module):
    """Point-MAE's head for segmentation (arXiv 2203.06604; METHODS 5.5).

    A point reads the tokens of its three nearest patches (weights 1 / squared distance) and its own coordinates through
    two layers; beside that stand maximum and mean over all tokens and, where the class of the shape is known, an
    embedding of it; a perceptron of three layers answers.

    What the perceptron's first layer makes of the whole cloud is made once a cloud, which changes no result.

    Args:
        in_dim (int): channels of ``Tokens.places()``, all together: ``places_dim`` of the encoder, or its ``dim``.
        num_classes (int): K answers.
        categories (int): classes of shapes, of which every shape's is given; 0 for none.
        category_dim (int): channels of their embedding.
        point_dims (tuple[int, int]): the two layers of a point.
        dims (tuple[int, int]): hidden layers of the perceptron.
        dropout (float): behind the first of these.
    """

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        categories: int = 0,
        category_dim: int = 64,
        point_dims: tuple[int, int] = (1536, 1024),
        dims: tuple[int, int] = (512, 256),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        cloud_dim = 2 * in_dim
        self.category = None
        if categories:
            # The norm would take a bias away again.
            embedding = nn.Linear(categories, category_dim, bias=False)
            self.category = nn.Sequential(embedding, BatchNorm(category_dim), nn.LeakyReLU(0.2, inplace=True))
            cloud_dim += category_dim
        self.points = PointPropagation(in_dim, 3, point_dims)
        first, second = dims
        self.join = nn.Linear(point_dims[1] + cloud_dim, first)
        self.classify = nn.Sequential(
            BatchNorm(first),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(first, second),
            BatchNorm(second),
            nn.ReLU(inplace=True),
            nn.Linear(second, num_classes),
        )

    def forward(self, tokens: Tokens, points: Tensor, category: Tensor | None = None) -> Tensor:
        """Answer for every point.

        Args:
            tokens (Tokens): of B clouds.
            points (Tensor): (B, N, 3) where answers are wanted, in the frame of the tokens' centres.
            category (Tensor | None): (B,) int64, the class of every shape; needed where there are ``categories``.

        Returns:
            Tensor: (B, N, K) logits.
        """
        batch, num = points.shape[:2]
        places = tokens.places()
        rows = self.points(places, points, points).flatten(0, 1)
        whole = self._of_cloud(places, category)
        own, shared = self.join.weight.split([rows.shape[1], whole.shape[1]], dim=1)
        joined = F.linear(rows, own).view(batch, num, -1) + F.linear(whole, shared, self.join.bias).unsqueeze(1)
        return self.classify(joined.flatten(0, 1)).view(batch, num, -1)

    def _of_cloud(self, places: list[tuple[Tensor, Tensor]], category: Tensor | None) -> Tensor:
        """(B, D): maximum and mean over the tokens of every place, and the class."""
        parts = [features.amax(1) for features, _ in places] + [features.mean(1) for features, _ in places]
        if self.category is not None:
            one_hot = F.one_hot(category, self.category[0].in_features)
            parts.append(self.category(one_hot.to(self.category[0].weight.dtype)))
        return torch.cat([part.to(self.join.weight.dtype) for part in parts], dim=1)
