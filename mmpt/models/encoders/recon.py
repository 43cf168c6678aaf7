"""The point transformer with global tokens that look at the patches without disturbing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from timm.layers import DropPath, Mlp
from timm.models.vision_transformer import Attention
from torch import Tensor, nn

from mmpt.models.layers import CrossAttention, init_trunc_normal
from mmpt.registry import ENCODERS
from mmpt.structures import Mask, Patches, Tokens

from .patch_encoder import PatchEncoder

__all__ = ['ReConTransformer']


class _Block(nn.Module):
    """Patch tokens attend to each other, global tokens to the patch tokens; neither shares a weight with the other.

    Unlike a pre-norm block, what a residual is added to is the *normalised* stream (METHODS 2.4).
    """

    def __init__(self, dim: int, num_heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads, qkv_bias=False)
        self.mlp = Mlp(dim, 4 * dim)
        self.global_norm1, self.global_norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.global_attn = CrossAttention(dim, num_heads)
        self.global_mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, patches: Tensor, detach: bool) -> tuple[Tensor, Tensor]:
        """(B, T, C) global tokens and (B, V, C) patch tokens -> the same."""
        tokens, patches = self.global_norm1(tokens), self.norm1(patches)
        tokens = tokens + self.drop_path(self.global_attn(tokens, patches.detach() if detach else patches))
        patches = patches + self.drop_path(self.attn(patches))
        tokens, patches = self.global_norm2(tokens), self.norm2(patches)
        return tokens + self.drop_path(self.global_mlp(tokens)), patches + self.drop_path(self.mlp(patches))


@ENCODERS.register_module()
class ReConTransformer(PatchEncoder):
    """Patch tokens as in Point-MAE, and global tokens that read them (ReCon, arXiv 2302.02318; METHODS 2.4).

    In every block each global token attends to the patch tokens through weights of its own, never to the other global
    tokens, and the patch tokens see none of them. While pre-training the global tokens read the patch tokens without
    gradient, so that what they have to predict (features of an image or a text teacher) does not shape the tokens that
    reconstruct; fine-tuning lets it through (``detach_local=False``). Hidden patches are left out.

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        num_groups (int): G patches.
        group_size (int): S points of a patch.
        dim (int): C.
        depth (int): blocks.
        num_heads (int): attention heads, of patch and of global tokens.
        drop_path (float): stochastic depth of the last block.
        global_tokens (Sequence[str]): names of the global tokens, each with a position of its own
            (``<name>_token``, ``<name>_pos``); the keys of ``Tokens.globals``.
        detach_local (bool): global tokens read the patch tokens without gradient.
        levels (tuple[int, ...]): blocks whose patch tokens are returned as ``Tokens.levels``, after the final norm.
        patch_widths (tuple[int, int, int]): widths of the mini-PointNet.
        init (str): as in :class:`PointTransformer`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_groups: int = 64,
        group_size: int = 32,
        dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        drop_path: float = 0.1,
        global_tokens: Sequence[str] = ('cls', 'img', 'text'),
        detach_local: bool = True,
        levels: tuple[int, ...] = (),
        patch_widths: tuple[int, int, int] = (128, 256, 512),
        init: Literal['trunc_normal', 'default'] = 'trunc_normal',
    ) -> None:
        super().__init__(in_channels, num_groups, group_size, dim, depth, levels, patch_widths, init)
        if not global_tokens or len(set(global_tokens)) < len(global_tokens):
            raise ValueError(
                f'ReConTransformer: global_tokens must be one or more different names, got {tuple(global_tokens)}; '
                'PointTransformer is the encoder without them.'
            )
        if dim % num_heads:
            raise ValueError(f'ReConTransformer: dim {dim} is not a multiple of num_heads {num_heads}.')
        self.global_tokens = tuple(global_tokens)
        self.detach_local = detach_local
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(_Block(dim, num_heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(dim)
        if init == 'trunc_normal':
            self.apply(init_trunc_normal)
        # The names end in `_token` and `_pos` because the parameter groups go by them: tokens are not decayed.
        for kind in ('token', 'pos'):
            for name in self.global_tokens:
                value = nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02)
                self.register_parameter(f'{name}_{kind}', nn.Parameter(value))

    def forward(self, inputs: Tensor | Patches, mask: Mask | None = None, embedded: Tensor | None = None) -> Tokens:
        """Encode clouds.

        Args:
            inputs (Tensor | Patches): (B, N, 3 + F) points, or patches already cut.
            mask (Mask | None): which patches are hidden; None hides nothing.
            embedded (Tensor | None): (B, G, C) result of :meth:`embed` on the same patches, where it exists already.

        Returns:
            Tokens: (B, V, C) visible patch tokens and (B, C) global tokens after the final norm, which they share.

        Raises:
            ValueError: samples hide unequally many patches.
        """
        patches = inputs if isinstance(inputs, Patches) else self.group(inputs)
        local = self.embed(patches) if embedded is None else embedded
        centers = patches.centers
        if mask is not None:
            local, centers = self.leave_out(local, centers, mask)
        # The stream that the blocks add to stays float32 under autocast.
        local, position = local.float(), self.position(centers).float()
        tokens = self._globals('token').expand(local.shape[0], -1, -1)
        token_position, levels = self._globals('pos'), []
        for index, block in enumerate(self.blocks):
            tokens, local = block(tokens + token_position, local + position, self.detach_local)
            if index in self.levels:
                levels.append(self.norm(local))
        tokens = self.norm(tokens)
        named = dict(zip(self.global_tokens, tokens.unbind(1)))
        return Tokens(self.norm(local), centers, named, tuple(levels))

    def _globals(self, kind: str) -> Tensor:
        """(1, T, C) tokens or positions in order."""
        return torch.cat([getattr(self, f'{name}_{kind}') for name in self.global_tokens], dim=1)
