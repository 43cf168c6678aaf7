"""What transformers on patches share: cutting, embedding, leaving hidden patches out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mmpt.models.layers import PatchEmbed, PositionEmbed, group_points
from mmpt.ops import gather
from mmpt.structures import Mask, Patches

__all__ = ['PatchEncoder']


class PatchEncoder(nn.Module):
    """Patches of a cloud and one token for each; a subclass adds the attention.

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        num_groups (int): G patches.
        group_size (int): S points of a patch.
        dim (int): C.
        depth (int): transformer blocks.
        levels (tuple[int, ...]): blocks whose patch tokens are returned as ``Tokens.levels``, after the final norm.
        patch_widths (tuple[int, int, int]): widths of the mini-PointNet.
        init (str): ``'trunc_normal'`` or ``'default'``; checked here, applied by the subclass.
        patch_dim (int | None): channels that the mini-PointNet gives, brought to C by one more linear layer
            (Point-BERT); None for a mini-PointNet of C channels without that layer (Point-MAE).

    Raises:
        ValueError: an unknown ``init``, fewer channels than coordinates, or a level that is no block.
    """

    supports_masking = True

    def __init__(
        self,
        in_channels: int,
        num_groups: int,
        group_size: int,
        dim: int,
        depth: int,
        levels: tuple[int, ...],
        patch_widths: tuple[int, int, int],
        init: Literal['trunc_normal', 'default'],
        patch_dim: int | None = None,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        if init not in ('trunc_normal', 'default'):
            raise ValueError(f"{who}: init must be 'trunc_normal' or 'default', got {init!r}.")
        if in_channels < 3:
            raise ValueError(f'{who}: in_channels counts the 3 coordinates, got {in_channels}.')
        if any(not 0 <= level < depth for level in levels):
            raise ValueError(f'{who}: levels {tuple(levels)} must be block indices below depth {depth}.')
        self.in_channels = in_channels
        self.num_groups = num_groups
        self.group_size = group_size
        self.dim = dim
        self.depth = depth
        self.levels = tuple(levels)
        self.patch_embed = PatchEmbed(in_channels, patch_dim or dim, tuple(patch_widths))
        self.reduce = nn.Linear(patch_dim, dim) if patch_dim else None
        self.position = PositionEmbed(dim)

    @property
    def places_dim(self) -> int:
        """Channels of :meth:`Tokens.places <mmpt.structures.Tokens.places>`, all together."""
        return self.dim * max(1, len(self.levels))

    def spread_levels(self, count: int) -> None:
        """Return the tokens of so many blocks as ``levels``: evenly spaced, the last one included, all at the most."""
        count = min(count, self.depth)
        self.levels = tuple((number + 1) * self.depth // count - 1 for number in range(count))

    def group(self, points: Tensor) -> Patches:
        """Cut (B, N, 3 + F) points into this encoder's patches; only the channels it was built for are read.

        Raises:
            ValueError: fewer channels than ``in_channels``, or fewer points than patches or patch members.
        """
        if points.shape[-1] < self.in_channels:
            raise ValueError(
                f'{type(self).__name__}: the encoder reads {self.in_channels} channels a point, the cloud has '
                f'{points.shape[-1]}; set encoder.in_channels, or feature_keys of PackInputs.'
            )
        return group_points(points[..., : self.in_channels], self.num_groups, self.group_size)

    def embed(self, patches: Patches) -> Tensor:
        """(B, G, C) tokens of all patches, before any attention; views of one cloud share them."""
        points = patches.points
        if patches.features is not None:
            points = torch.cat([points, patches.features], dim=-1)
        tokens = self.patch_embed(points)
        return tokens if self.reduce is None else self.reduce(tokens)

    def layer_prefixes(self) -> list[tuple[str, ...]]:
        """Beginnings of the names of each layer's parameters, from the input on, for layer-wise rates.

        The embedding of patches, positions and tokens is one layer, each block another; the final norm is the head's.
        """
        tokens = [name for name, _ in self.named_parameters(recurse=False)]
        return [('patch_embed.', 'reduce.', 'position.', *tokens), *((f'blocks.{i}.',) for i in range(self.depth))]

    def leave_out(self, tokens: Tensor, centers: Tensor, mask: Mask, remedy: str = '') -> tuple[Tensor, Tensor]:
        """Tokens and centres of the visible patches.

        Args:
            tokens (Tensor): (B, G, C).
            centers (Tensor): (B, G, 3).
            mask (Mask): of G patches.
            remedy (str): what else a user could do where samples hide unequally many.

        Returns:
            tuple[Tensor, Tensor]: (B, V, C) and (B, V, 3).

        Raises:
            ValueError: samples hide unequally many patches.
        """
        if mask.visible is None:
            raise ValueError(
                f'{type(self).__name__}: samples hide unequally many patches, so the hidden ones cannot be left out; '
                f'use a masking with one ratio for the batch{remedy}.'
            )
        return gather(tokens, mask.visible), gather(centers, mask.visible)
