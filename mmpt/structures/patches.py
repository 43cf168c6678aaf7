"""The small tuples that travel inside a model: patches of points, masks over patches, tokens, reconstructions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ['Mask', 'Patches', 'Reconstruction', 'Tokens']


class Patches(NamedTuple):
    """A cloud cut into G overlapping patches of S points.

    Attributes:
        points (Tensor): (B, G, S, 3) float32, coordinates **relative to the patch centre**, in the cloud's own unit.
        centers (Tensor): (B, G, 3) float32, in the cloud's frame.
        features (Tensor | None): (B, G, S, F) per-point features (normals, colours), or None.
        index (Tensor): (B, G, S) int64, which points of the cloud the patch holds; which patches of ``finer`` where
            there are such.
        finer (Patches | None): of an encoder of several scales, the patches whose centres these patches are made of.
    """

    points: Tensor
    centers: Tensor
    features: Tensor | None
    # Takes the place of tuple.index, which nobody asks patches for.
    index: Tensor  # type: ignore[assignment]
    finer: Patches | None = None


class Mask(NamedTuple):
    """Which patches are hidden from the encoder.

    Attributes:
        hidden (Tensor): (B, G) bool, True = hidden.
        visible (Tensor | None): (B, V) int64, ascending index of the visible patches; None where samples hide
            unequally many.
        masked (Tensor | None): (B, M) int64, ascending index of the hidden patches; None likewise.
    """

    hidden: Tensor
    visible: Tensor | None
    masked: Tensor | None


class Tokens(NamedTuple):
    """What an encoder returns.

    Attributes:
        patch (Tensor): (B, V, C) one token per visible patch, after the final norm.
        centers (Tensor): (B, V, 3) the centres of those patches.
        globals (dict[str, Tensor]): named global tokens, each (B, C), for example ``cls``.
        levels (tuple[Tensor, ...]): tokens of earlier layers or finer scales, each (B, V_l, C_l), after a norm.
        level_centers (tuple[Tensor, ...]): (B, V_l, 3) each, of levels that are finer scales; empty where all levels
            are of the patches of ``centers``.
    """

    patch: Tensor
    centers: Tensor
    globals: dict[str, Tensor]
    levels: tuple[Tensor, ...] = ()
    level_centers: tuple[Tensor, ...] = ()

    def pools(self) -> dict[str, Tensor]:
        """Every vector of a whole cloud: ``max`` and ``mean`` over patch tokens, and the global tokens by name.

        Returns:
            dict[str, Tensor]: each (B, C).
        """
        return {'max': self.patch.amax(1), 'mean': self.patch.mean(1), **self.globals}

    def places(self) -> list[tuple[Tensor, Tensor]]:
        """What a task that answers for every point reads: features and where they are, once for every set of centres.

        Returns:
            list[tuple[Tensor, Tensor]]: (B, V, C) and (B, V, 3). Levels of the same patches are concatenated; of an
            encoder without levels, the tokens themselves; of finer scales, one pair each, and the tokens behind them.
        """
        if self.level_centers:
            return [*zip(self.levels, self.level_centers), (self.patch, self.centers)]
        return [(torch.cat(self.levels, dim=-1) if self.levels else self.patch, self.centers)]


class Reconstruction(NamedTuple):
    """The hidden patches as a head predicts them.

    Attributes:
        points (Tensor): (B, M, S, 3) float32, predicted coordinates relative to the patch centre.
        centers (Tensor): (B, M, 3) float32, centres of the hidden patches.
    """

    points: Tensor
    centers: Tensor
