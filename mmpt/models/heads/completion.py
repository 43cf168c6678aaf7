"""From the tokens of a partial cloud to the points that are missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpt.models.layers import CrossBlock, Folding, PositionEmbed
from mmpt.structures import Tokens

__all__ = ['CompletionHead']


class CompletionHead(nn.Module):
    """Coarse points, each of which asks the tokens of the cloud and becomes a piece of surface (METHODS 5.8).

    A perceptron of the tokens, its maximum taken, says what the whole is like, and another one where its coarse points
    are. A point becomes a query: queries attend to each other and to the tokens, position added to the input of every
    block, as in the encoder. At each point a square is folded as its query says. The way is that of PoinTr (arXiv
    2108.08839), with plain attention in place of its layers on neighbours.

    Args:
        in_dim (int): channels of a token.
        num_queries (int): Q coarse points.
        global_dim (int): channels of what is said of the whole.
        dim (int): C of the queries.
        depth (int): blocks.
        num_heads (int): attention heads.
        fold_side (int): S; every square has S x S points.
        fold_dim (int): width of the folding.
    """

    def __init__(
        self,
        in_dim: int,
        num_queries: int,
        global_dim: int = 1024,
        dim: int = 384,
        depth: int = 8,
        num_heads: int = 6,
        fold_side: int = 8,
        fold_dim: int = 512,
    ) -> None:
        super().__init__()
        self.whole = nn.Sequential(nn.Linear(in_dim, global_dim), nn.GELU(), nn.Linear(global_dim, global_dim))
        self.coarse = nn.Sequential(
            nn.Linear(global_dim, global_dim), nn.GELU(), nn.Linear(global_dim, 3 * num_queries)
        )
        self.query = nn.Sequential(nn.Linear(global_dim + dim, global_dim), nn.GELU(), nn.Linear(global_dim, dim))
        self.memory = nn.Linear(in_dim, dim)
        self.position = PositionEmbed(dim)
        self.blocks = nn.ModuleList(CrossBlock(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.fold = Folding(dim, fold_side, fold_dim)

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Complete clouds.

        Args:
            tokens (Tokens): (B, V, in_dim) of the partial clouds, with their centres.

        Returns:
            tuple[Tensor, Tensor]: (B, Q, 3) coarse and (B, Q * S * S, 3) fine points, float32, in the frame of the
            centres; what belongs to a coarse point stands together, in its order.
        """
        whole = self.whole(tokens.patch).amax(dim=1)
        hidden = self.coarse[:-1](whole)
        with torch.autocast(whole.device.type, enabled=False):  # coordinates are float32
            coarse = self.coarse[-1](hidden.to(self.coarse[-1].weight.dtype)).unflatten(1, (-1, 3))
        places = self.position(coarse)
        x = self.query(torch.cat([whole.unsqueeze(1).expand(-1, coarse.shape[1], -1), places], dim=-1))
        memory = self.memory(tokens.patch) + self.position(tokens.centers)
        for block in self.blocks:
            x = block(x + places, memory)
        pieces = self.fold(self.norm(x).flatten(0, 1)).unflatten(0, coarse.shape[:2])
        return coarse, (pieces + coarse.unsqueeze(2)).flatten(1, 2)
