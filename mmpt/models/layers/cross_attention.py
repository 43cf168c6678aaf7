"""Attention of one sequence to another."""

from __future__ import annotations

import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from timm.models.vision_transformer import Attention
from torch import Tensor, nn

__all__ = ['CrossAttention', 'CrossBlock']


class CrossAttention(nn.Module):
    """Multi-head attention whose keys and values are another sequence's; no bias but that of the last layer.

    Args:
        dim (int): C of both sequences.
        num_heads (int): attention heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f'CrossAttention: dim {dim} is not a multiple of num_heads {num_heads}.')
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, asking: Tensor, asked: Tensor, valid: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            asking (Tensor): (B, T, C) queries.
            asked (Tensor): (B, V, C) keys and values.
            valid (Tensor | None): (B, V) bool, which of them are there, at least one a sample; None for all.

        Returns:
            Tensor: (B, T, C).
        """
        key, value = self.kv(asked).chunk(2, dim=-1)
        heads = (self._split(part) for part in (self.q(asking), key, value))
        mask = None if valid is None else valid[:, None, None]
        return self.proj(F.scaled_dot_product_attention(*heads, attn_mask=mask).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class CrossBlock(nn.Module):
    """Pre-norm block of a sequence that attends to itself, then to another one, then a perceptron.

    Args:
        dim (int): C of both sequences.
        num_heads (int): attention heads.
        drop_path (float): stochastic depth.
    """

    def __init__(self, dim: int, num_heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads, qkv_bias=False)
        self.cross_attn = CrossAttention(dim, num_heads)
        self.mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, asked: Tensor, valid: Tensor | None = None) -> Tensor:
        """(B, L, C) tokens and (B, V, C) of the other sequence, of which (B, V) are there -> (B, L, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        x = x + self.drop_path(self.cross_attn(self.norm2(x), asked, valid))
        return x + self.drop_path(self.mlp(self.norm3(x)))
