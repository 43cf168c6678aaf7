"""The point transformer on patches of patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from mmpt.models.layers import (
    PatchEmbed,
    PositionedBlocks,
    PositionEmbed,
    back_project,
    group_points,
    init_trunc_normal,
    padded_index,
)
from mmpt.ops import gather
from mmpt.registry import ENCODERS
from mmpt.structures import Mask, Patches, Tokens

__all__ = ['HierarchicalPointTransformer', 'Scale']


class Scale(NamedTuple):
    """One scale of the encoder.

    Attributes:
        num_groups (int): patches.
        group_size (int): what a patch holds: points on the finest scale, patches of the finer scale on the others.
        dim (int): channels of a token.
        depth (int): transformer blocks.
    """

    num_groups: int
    group_size: int
    dim: int
    depth: int


#: Point-M2AE's.
_SCALES = (
    {'num_groups': 512, 'group_size': 16, 'dim': 96, 'depth': 5},
    {'num_groups': 256, 'group_size': 8, 'dim': 192, 'depth': 5},
    {'num_groups': 64, 'group_size': 8, 'dim': 384, 'depth': 5},
)


@ENCODERS.register_module()
class HierarchicalPointTransformer(nn.Module):
    """Patches of points, patches of those patches, and so on; attention on every scale (Point-M2AE, arXiv 2205.14401).

    The finest patches hold points. A patch of a coarser scale holds the nearest patches of the finer one, by centres;
    its token is a mini-PointNet of their tokens. A :class:`Mask` hides patches of the coarsest scale and is carried to
    the finer ones by :func:`back_project <mmpt.models.layers.back_project>`: whatever a visible patch holds is
    visible. Samples then show unequally many finer patches; each is filled up to the longest with rows that nobody
    attends to and that nothing is read from. As in Point-MAE, batch norms count all patches, the hidden ones too.

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        scales (Sequence[Mapping]): ``num_groups``, ``group_size``, ``dim`` and ``depth`` of every scale, the finest
            first.
        num_heads (int): attention heads on every scale.
        drop_path (float): stochastic depth of the last block of the coarsest scale; those before it, over all scales,
            rise linearly from 0.
        local_radius (Sequence[float] | None): a token attends to tokens whose centres are nearer than this, one radius
            for every scale in the unit of the cloud; None for all tokens (Point-M2AE's pre-training).
        levels (Sequence[int]): finer scales, 0 for the finest, whose tokens are returned as ``Tokens.levels``.
        strays (bool): where nothing is hidden, finer patches that no coarser patch holds take part (Point-M2AE's
            fine-tuning); False leaves them out (its pre-training and its linear SVM). Under a mask they are hidden.
        patch_widths (tuple[int, int, int]): widths of the finest scale's mini-PointNet.
        init (str): ``'trunc_normal'`` (0.02 for all linear layers, Point-M2AE) or ``'default'`` (torch's).

    Raises:
        ValueError: arguments that do not fit each other.
    """

    supports_masking = True

    def __init__(
        self,
        in_channels: int = 3,
        scales: Sequence[Mapping[str, Any]] = _SCALES,
        num_heads: int = 6,
        drop_path: float = 0.1,
        local_radius: Sequence[float] | None = None,
        levels: Sequence[int] = (),
        strays: bool = True,
        patch_widths: tuple[int, int, int] = (128, 256, 512),
        init: Literal['trunc_normal', 'default'] = 'trunc_normal',
    ) -> None:
        super().__init__()
        self.scales = _check_scales(scales)
        last = len(self.scales) - 1
        if init not in ('trunc_normal', 'default'):
            raise ValueError(f"HierarchicalPointTransformer: init must be 'trunc_normal' or 'default', got {init!r}.")
        if in_channels < 3:
            raise ValueError(f'HierarchicalPointTransformer: in_channels counts the 3 coordinates, got {in_channels}.')
        if any(not 0 <= level < last for level in levels):
            raise ValueError(
                f'HierarchicalPointTransformer: levels {tuple(levels)} must be scales finer than the coarsest, 0 to '
                f'{last - 1}.'
            )
        if local_radius is not None and len(local_radius) != len(self.scales):
            raise ValueError(
                f'HierarchicalPointTransformer: local_radius has {len(local_radius)} values for {len(self.scales)} '
                'scales.'
            )
        self.in_channels, self.strays = in_channels, strays
        self.dim = self.scales[-1].dim
        self.levels = tuple(levels)
        self.local_radius = None if local_radius is None else tuple(local_radius)
        self.patch_embed = PatchEmbed(in_channels, self.scales[0].dim, tuple(patch_widths))
        self.merges = nn.ModuleList(
            PatchEmbed(fine.dim, coarse.dim, (fine.dim, fine.dim, coarse.dim))
            for fine, coarse in zip(self.scales, self.scales[1:])
        )
        self.positions = nn.ModuleList(PositionEmbed(scale.dim, scale.dim) for scale in self.scales)
        rates = iter(torch.linspace(0, drop_path, sum(scale.depth for scale in self.scales)).tolist())
        self.stages = nn.ModuleList(
            PositionedBlocks(scale.dim, scale.depth, num_heads, drop_path=[next(rates) for _ in range(scale.depth)])
            for scale in self.scales
        )
        self.norm = nn.LayerNorm(self.dim)
        # Only those that something reads: every parameter takes part in every step.
        self.level_norms = nn.ModuleDict({str(level): nn.LayerNorm(self.scales[level].dim) for level in self.levels})
        if init == 'trunc_normal':
            self.apply(init_trunc_normal)

    @property
    def places_dim(self) -> int:
        """Channels of :meth:`Tokens.places <mmpt.structures.Tokens.places>`, all together."""
        return self.dim + sum(self.scales[level].dim for level in self.levels)

    def group(self, points: Tensor) -> Patches:
        """Cut (B, N, 3 + F) points into the patches of all scales.

        Returns:
            Patches: of the coarsest scale, with the finer ones below it.

        Raises:
            ValueError: fewer channels than ``in_channels``, or fewer points than patches or patch members.
        """
        if points.shape[-1] < self.in_channels:
            raise ValueError(
                f'HierarchicalPointTransformer: the encoder reads {self.in_channels} channels a point, the cloud has '
                f'{points.shape[-1]}; set encoder.in_channels, or feature_keys of PackInputs.'
            )
        finest, *coarser = self.scales
        patches = group_points(points[..., : self.in_channels], finest.num_groups, finest.group_size)
        for scale in coarser:
            patches = group_points(patches.centers, scale.num_groups, scale.group_size)._replace(finer=patches)
        return patches

    def layer_prefixes(self) -> list[tuple[str, ...]]:
        """Beginnings of the names of each layer's parameters, from the input on, for layer-wise rates.

        The embedding of points is one layer, each block of each scale another. A merge and its position belong to the
        first block behind them; the norms are the head's.
        """
        layers: list[tuple[str, ...]] = [('patch_embed.', 'positions.0.')]
        for number, scale in enumerate(self.scales):
            layers += [(f'stages.{number}.{block}.',) for block in range(scale.depth)]
            if number:
                layers[-scale.depth] += (f'merges.{number - 1}.', f'positions.{number}.')
        return layers

    def embed(self, patches: Patches) -> Tensor:
        """(B, G, C) tokens of all patches of the finest scale, before any attention; views of one cloud share them."""
        finest = self._by_scale(patches)[0]
        points = finest.points
        if finest.features is not None:
            points = torch.cat([points, finest.features], dim=-1)
        return self.patch_embed(points)

    def forward(self, inputs: Tensor | Patches, mask: Mask | None = None, embedded: Tensor | None = None) -> Tokens:
        """Encode clouds.

        Args:
            inputs (Tensor | Patches): (B, N, 3 + F) points, or patches already cut.
            mask (Mask | None): which patches of the coarsest scale are hidden, equally many in every sample; None
                hides nothing.
            embedded (Tensor | None): result of :meth:`embed` on the same patches, where it exists already.

        Returns:
            Tokens: (B, V, C) tokens of the visible patches of the coarsest scale after the norm, with their centres.
            ``levels`` holds, for every scale asked for, (B, G, C) tokens of **all** its patches after a norm, zeros
            where a patch is hidden; ``level_centers`` their centres.

        Raises:
            ValueError: samples hide unequally many patches, or the patches are of other scales.
        """
        patches = inputs if isinstance(inputs, Patches) else self.group(inputs)
        scales = self._by_scale(patches)
        if mask is None and not self.strays:
            mask = _nothing_hidden(patches)
        shown = [None] * len(scales) if mask is None else _shown_by_scale(patches, mask)
        tokens = self.embed(patches) if embedded is None else embedded
        levels = []
        for number, (scale, visible) in enumerate(zip(scales, shown)):
            if number:
                tokens = self.merges[number - 1](gather(tokens, scale.index))
            # The stream that the blocks add to stays float32 under autocast.
            tokens, centers = tokens.float(), scale.centers
            if visible is None:
                tokens = self._attend(number, tokens, centers)
                rows = tokens
            else:
                index, real = visible
                kept, centers = gather(tokens, index), gather(centers, index)
                rows = self._attend(number, kept, centers, real)
                place = index.unsqueeze(-1).expand_as(rows)
                tokens = tokens.scatter(1, place, torch.where(real.unsqueeze(-1), rows, kept))
            if number in self.levels:
                normed = self.level_norms[str(number)](rows)
                if visible is not None:
                    normed = torch.where(real.unsqueeze(-1), normed, torch.zeros_like(normed))
                    normed = torch.zeros_like(tokens).scatter(1, place, normed)
                levels.append((number, normed))
        asked = dict(levels)
        places = tuple(scales[level].centers for level in self.levels)
        return Tokens(self.norm(rows), centers, {}, tuple(asked[level] for level in self.levels), places)

    def _attend(self, number: int, tokens: Tensor, centers: Tensor, real: Tensor | None = None) -> Tensor:
        """The blocks of one scale on (B, L, C); ``real`` (B, L) says which rows others may attend to."""
        allowed = None if real is None else real[:, None, None]
        if self.local_radius is not None:
            near = _nearer_than(centers, self.local_radius[number])
            itself = torch.eye(near.shape[1], dtype=torch.bool, device=near.device)
            allowed = near.unsqueeze(1) if real is None else (near.unsqueeze(1) & allowed) | itself
        position = self.positions[number](centers).float()
        return self.stages[number](tokens, position, allowed=allowed)[0]

    def _by_scale(self, patches: Patches) -> list[Patches]:
        """The finest first."""
        found = [patches]
        while found[-1].finer is not None:
            found.append(found[-1].finer)
        if len(found) != len(self.scales):
            raise ValueError(
                f'HierarchicalPointTransformer: expected patches of {len(self.scales)} scales, got {len(found)}; cut '
                'them with the group() of this encoder (a mixed view cannot be of several scales).'
            )
        return found[::-1]


def _check_scales(scales: Sequence[Mapping[str, Any]]) -> tuple[Scale, ...]:
    for scale in scales:
        if set(scale) != set(Scale._fields):
            raise ValueError(
                f'HierarchicalPointTransformer: every scale has {", ".join(Scale._fields)}; got {dict(scale)}.'
            )
    found = tuple(Scale(**scale) for scale in scales)
    if len(found) < 2:
        raise ValueError(
            f'HierarchicalPointTransformer: expected two scales or more, got {len(found)}; PointTransformer has one.'
        )
    for fine, coarse in zip(found, found[1:]):
        if coarse.num_groups > fine.num_groups or coarse.group_size > fine.num_groups:
            raise ValueError(
                f'HierarchicalPointTransformer: {coarse.num_groups} patches of {coarse.group_size} cannot be made of '
                f'{fine.num_groups} finer ones; give the scales from fine to coarse.'
            )
    return found


def _shown_by_scale(patches: Patches, mask: Mask) -> list[tuple[Tensor, Tensor]]:
    """For every scale, the finest first: index of visible patches, padded, and which entries are real."""
    if mask.visible is None:
        raise ValueError(
            'HierarchicalPointTransformer: samples hide unequally many patches of the coarsest scale; use a masking '
            'with one ratio for the batch.'
        )
    shown = [(mask.visible, torch.ones_like(mask.visible, dtype=torch.bool))]
    while patches.finer is not None:
        mask, patches = back_project(mask, patches), patches.finer
        shown.append(padded_index(~mask.hidden))
    return shown[::-1]


def _nothing_hidden(patches: Patches) -> Mask:
    hidden = torch.zeros_like(patches.index[..., 0], dtype=torch.bool)
    everything = torch.arange(hidden.shape[1], device=hidden.device).expand_as(hidden)
    return Mask(hidden, everything, everything[:, :0])


@torch.no_grad()
def _nearer_than(centers: Tensor, radius: float) -> Tensor:
    """(B, L, 3) -> (B, L, L) bool, which pairs of centres are nearer than a radius."""
    with torch.autocast(centers.device.type, enabled=False):
        centers = centers.float()
        return torch.cdist(centers, centers, compute_mode='donot_use_mm_for_euclid_dist') < radius
