"""From the tokens of three blocks to an answer for every point, by graphs of ever more centres."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, NodeEdgeConv, PointPropagation
from mmpt.ops import farthest_point_sample, gather, knn
from mmpt.registry import HEADS
from mmpt.structures import Tokens

__all__ = ['GraphSegmentationHead']


class _Upsampling(nn.Module):
    """Features of coarse centres into those of fine ones: an edge convolution between both sets, one among the fine."""

    def __init__(self, dim: int, graph_dim: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.between = NodeEdgeConv(dim, graph_dim)
        self.among = NodeEdgeConv(graph_dim, dim)

    def forward(self, coarse: Tensor, coarse_centers: Tensor, fine: Tensor, fine_centers: Tensor) -> Tensor:
        near = knn(fine_centers, coarse_centers, min(self.k, coarse_centers.shape[1]))
        x = self.between(fine, near, source=coarse)
        return self.among(x, knn(fine_centers, fine_centers, min(self.k, fine_centers.shape[1])))


@HEADS.register_module()
class GraphSegmentationHead(nn.Module):
    """Point-BERT's head for parts (arXiv 2111.14819; METHODS 5.5).

    Tokens of the second of three blocks are carried to 256 farthest points, those of the first to 512. From the tokens
    of the last block on, edge convolutions go up through the 256 to the 512, and from there every point is reached.

    Args:
        in_dim (int): channels of the tokens of the three blocks, all together.
        num_classes (int): K answers.
        categories (int): classes of shapes, of which every shape's is given; 0 for none.
        centers (tuple[int, int]): places on the way; a cloud of fewer points has all of them.
        inner_dim (int): the wide layer wherever tokens are carried to places.
        graph_dim (int): channels between the two edge convolutions of a step up.
        last_dim (int): channels of a point before the answer.
        k (int): neighbours in a graph.
        dropout (float): before the answer.

    Raises:
        ValueError: ``in_dim`` is not that of three blocks.
    """

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        categories: int = 0,
        centers: tuple[int, int] = (256, 512),
        inner_dim: int = 1536,
        graph_dim: int = 512,
        last_dim: int = 128,
        k: int = 4,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if in_dim % 3:
            raise ValueError(f'GraphSegmentationHead reads tokens of three blocks, whose channels {in_dim} cannot be.')
        dim = in_dim // 3
        self.categories, self.num_centers = categories, tuple(centers)
        self.to_middle = PointPropagation(dim, 3, (inner_dim, dim))
        self.to_fine = PointPropagation(dim, 3, (inner_dim, dim))
        self.up_middle = _Upsampling(dim, graph_dim, k)
        self.up_fine = _Upsampling(dim, graph_dim, k)
        self.to_points = PointPropagation(dim, 3 + categories, (inner_dim, dim))
        self.classify = nn.Sequential(
            nn.Linear(dim, last_dim, bias=False),
            BatchNorm(last_dim),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(last_dim, num_classes),
        )

    def forward(self, tokens: Tokens, points: Tensor, category: Tensor | None = None) -> Tensor:
        """Answer for every point.

        Args:
            tokens (Tokens): of B clouds, with ``levels`` of three blocks at the same centres.
            points (Tensor): (B, N, 3) where answers are wanted, in the frame of the tokens' centres.
            category (Tensor | None): (B,) int64, the class of every shape; needed where there are ``categories``.

        Returns:
            Tensor: (B, N, K) logits.

        Raises:
            ValueError: tokens of an encoder that does not give three blocks.
        """
        if len(tokens.levels) != 3 or tokens.level_centers:
            raise ValueError(
                f'GraphSegmentationHead reads tokens of three blocks at the same centres, got {len(tokens.levels)} '
                'levels; use a PointTransformer with model.levels=3, or SegmentationHead, which goes with any encoder.'
            )
        early, middle, late = tokens.levels
        fewer, more = (min(count, points.shape[1]) for count in self.num_centers)
        # Farthest points come one by one, so the first ones are the farthest of a smaller number.
        fine_centers = gather(points, farthest_point_sample(points, more))
        middle_centers = fine_centers[:, :fewer]
        fine = self.to_fine([(early, tokens.centers)], fine_centers, fine_centers)
        mid = self.to_middle([(middle, tokens.centers)], middle_centers, middle_centers)
        mid = self.up_middle(late, tokens.centers, mid, middle_centers)
        fine = self.up_fine(mid, middle_centers, fine, fine_centers)
        own = points
        if self.categories:
            one_hot = F.one_hot(category, self.categories).to(points.dtype)
            own = torch.cat([one_hot.unsqueeze(1).expand(-1, points.shape[1], -1), points], dim=-1)
        x = self.to_points([(fine, fine_centers)], points, own)
        return self.classify(x.flatten(0, 1)).unflatten(0, x.shape[:2])
