"""Attention of one sequence to another."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['CrossAttention']


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
