"""From the tokens of a scene to the objects in it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmpt.models.layers import CrossBlock, PositionEmbed
from mmpt.models.losses import BoxPredictions
from mmpt.ops import three_interpolate
from mmpt.structures import Tokens

__all__ = ['DetectionHead']

# Before anything is learnt, edges have this length, in the unit of the encoder.
_FIRST_SIZE = 0.25


class DetectionHead(nn.Module):
    """Places of a scene that ask its tokens which object they belong to, after 3DETR (Misra et al., arXiv 2109.08141).

    A query begins as the mean of the tokens nearest to its place, where 3DETR's knows its position alone: so it learns
    much sooner what is there. Queries attend to each other and to the tokens, position added to the input of every
    block, as in the encoder. Behind every block the same layers answer: a class, the way from the place to the centre
    of the box, the logarithm of its size, its yaw.

    Args:
        in_dim (int): channels of a token.
        num_classes (int): K.
        yaw_bins (int): T bins of half a turn; 0 where boxes stand along the axes.
        dim (int): C of the queries.
        depth (int): D blocks.
        num_heads (int): attention heads.
    """

    def __init__(
        self, in_dim: int, num_classes: int, yaw_bins: int = 0, dim: int = 256, depth: int = 8, num_heads: int = 4
    ) -> None:
        super().__init__()
        self.memory = nn.Linear(in_dim, dim)
        self.position = PositionEmbed(dim)
        self.blocks = nn.ModuleList(CrossBlock(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.classes = nn.Linear(dim, num_classes + 1)
        self.box = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 6 + 2 * yaw_bins))
        nn.init.constant_(self.box[-1].bias[3:6], math.log(_FIRST_SIZE))

    def forward(self, tokens: Tokens, places: Tensor) -> list[BoxPredictions]:
        """Answer behind every block.

        Args:
            tokens (Tokens): (B, V, in_dim) of the scenes, with their centres.
            places (Tensor): (B, Q, 3) in the frame of the centres.

        Returns:
            list[BoxPredictions]: D of (B, Q) predictions, float32, in that frame; the last one counts.
        """
        memory = self.memory(tokens.patch) + self.position(tokens.centers)
        position = self.position(places)
        x = three_interpolate(memory, tokens.centers, places, min(3, memory.shape[1]))
        answers = []
        for block in self.blocks:
            x = block(x + position, memory)
            answers.append(self._answer(self.norm(x), places))
        return answers

    def _answer(self, x: Tensor, places: Tensor) -> BoxPredictions:
        hidden = self.box[:-1](x)
        with torch.autocast(x.device.type, enabled=False):  # coordinates are float32
            values = self.box[-1](hidden.to(self.box[-1].weight.dtype))
        boxes = torch.cat([places + values[..., :3], values[..., 3:6].exp()], dim=-1)
        yaw_logits, yaw_rests = values[..., 6:].chunk(2, dim=-1)
        return BoxPredictions(self.classes(x).float(), boxes, yaw_logits, yaw_rests)
