"""Tokens of a cloud that have looked at its picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import CrossBlock, PositionEmbed
from mmpt.registry import MODELS
from mmpt.structures import Tokens

__all__ = ['CrossModalFusion']


@MODELS.register_module()
class CrossModalFusion(nn.Module):
    """A small transformer behind both encoders: a view's tokens attend to each other and to those of the picture.

    The fusion module of Cross-BERT (arXiv 2312.04891) as METHODS 9.5 designs it. Position is added to the input of
    every block, as in the encoder. Beside the tokens of its picture every sample sees one learned token, which is all
    that a sample without a picture sees.

    Args:
        dim (int): C of the view's tokens.
        image_dim (int): channels of the picture's tokens.
        depth (int): blocks of self-attention, cross-attention and perceptron.
        num_heads (int): attention heads.
        drop_path (float): stochastic depth of the last block.
        view (str): of an encoder with ``cls_token=True``.
        name (str): what the fused tokens are called.
    """

    def __init__(
        self,
        dim: int,
        image_dim: int,
        depth: int = 3,
        num_heads: int = 6,
        drop_path: float = 0.0,
        view: str = 'masked',
        name: str = 'fused',
    ) -> None:
        super().__init__()
        self.view, self.name = view, name
        self.needs, self.provides = (view, 'image_tokens', 'image_rows'), (name,)
        self.image_norm, self.image_embed = nn.LayerNorm(image_dim), nn.Linear(image_dim, dim)
        # The names end in `_token` and `_pos` because the parameter groups go by them.
        self.picture_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
        self.cls_pos = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
        self.position = PositionEmbed(dim)
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(CrossBlock(dim, num_heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(dim)

    def forward(self, step: Mapping[str, Any]) -> dict[str, Tokens]:
        """The view's :class:`Tokens`, fused, by the name that is provided.

        Raises:
            ValueError: the view has no class token.
        """
        tokens: Tokens = step[self.view]
        if 'cls' not in tokens.globals:
            raise ValueError(
                f'CrossModalFusion carries the class token of view {self.view!r} along, which it does not have: build '
                'the encoder with cls_token=True.'
            )
        # The stream that the blocks add to stays float32 under autocast.
        x = torch.cat([tokens.globals['cls'].unsqueeze(1), tokens.patch], dim=1).float()
        place = self.position(tokens.centers).float()
        position = torch.cat([self.cls_pos.expand(len(x), -1, -1), place], dim=1)
        images, valid = self._pictures(step, len(x))
        for block in self.blocks:
            x = block(x + position, images, valid)
        x = self.norm(x)
        return {self.name: Tokens(x[:, 1:], tokens.centers, {'cls': x[:, 0]})}

    def _pictures(self, step: Mapping[str, Any], batch: int) -> tuple[Tensor, Tensor]:
        """(B, 1 + T, C) what there is to look at, and (B, 1 + T) bool."""
        own: Tensor = self.image_embed(self.image_norm(step['image_tokens']))
        rows: Tensor = step['image_rows']
        images = own.new_zeros(batch, *own.shape[1:]).index_copy(0, rows, own)
        valid = torch.zeros(batch, own.shape[1], dtype=torch.bool, device=own.device).index_fill(0, rows, True)
        learned = self.picture_token.to(own.dtype).expand(batch, -1, -1)
        return torch.cat([learned, images], dim=1), torch.cat([valid.new_ones(batch, 1), valid], dim=1)
