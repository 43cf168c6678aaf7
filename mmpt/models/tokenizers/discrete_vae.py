"""The discrete variational auto-encoder that names patches."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import CentreGraphNet, PatchEmbed
from mmpt.registry import TOKENIZERS
from mmpt.structures import Patches

from .folding import FoldingDecoder

__all__ = ['DecodedPatches', 'DiscreteVAE']


class DecodedPatches(NamedTuple):
    """Patches read back from codes, relative to their centres.

    Attributes:
        coarse (Tensor): (B, G, S / 4, 3).
        fine (Tensor): (B, G, S, 3).
    """

    coarse: Tensor
    fine: Tensor


@TOKENIZERS.register_module()
class DiscreteVAE(nn.Module):
    """Patches to ids of a vocabulary and back (Point-BERT arXiv 2111.14819, section 3.2; METHODS 2.1).

    A mini-PointNet and a graph network over the centres give logits; a code of the codebook stands for the patch; a
    second graph network and a folding decoder read the codes back.

    Args:
        num_ids (int): K, size of the vocabulary.
        group_size (int): S, points of a patch.
        embed_dim (int): channels of a patch's feature.
        code_dim (int): channels of a code.
        decoder_dim (int): channels in front of the folding decoder.
        patch_widths (tuple[int, int, int]): of the mini-PointNet.
        graph_widths (tuple[int, ...]): of both graph networks.
        fold_widths (tuple[int, int]): of the folding decoder.
    """

    def __init__(
        self,
        num_ids: int = 8192,
        group_size: int = 32,
        embed_dim: int = 256,
        code_dim: int = 256,
        decoder_dim: int = 256,
        patch_widths: tuple[int, int, int] = (128, 256, 512),
        graph_widths: tuple[int, ...] = (128, 256, 512, 512, 1024),
        fold_widths: tuple[int, int] = (1024, 512),
    ) -> None:
        super().__init__()
        self.num_ids = num_ids
        self.feature_dim = code_dim
        self.patch_embed = PatchEmbed(3, embed_dim, tuple(patch_widths))
        self.encoder_graph = CentreGraphNet(embed_dim, num_ids, tuple(graph_widths))
        self.codebook = nn.Parameter(torch.randn(num_ids, code_dim))
        self.decoder_graph = CentreGraphNet(code_dim, decoder_dim, tuple(graph_widths))
        self.decoder = FoldingDecoder(decoder_dim, group_size, *fold_widths)

    def logits(self, patches: Patches) -> Tensor:
        """(B, G, K) logits of every patch over the vocabulary."""
        return self.encoder_graph(self.patch_embed(patches.points), patches.centers)

    @torch.no_grad()
    def ids(self, patches: Patches) -> Tensor:
        """(B, G) int64 id of every patch: the largest logit, without noise."""
        return self.logits(patches).argmax(-1)

    @torch.no_grad()
    def features(self, patches: Patches) -> Tensor:
        """(B, G, code_dim) code of every patch's id, for regression targets."""
        return self.codebook[self.ids(patches)]

    def soft_codes(self, logits: Tensor, temperature: float, uniform: Tensor | None = None) -> Tensor:
        """Gumbel-softmax mixture of codes.

        Args:
            logits (Tensor): (B, G, K).
            temperature (float): of the softmax.
            uniform (Tensor | None): (B, G, K) draws in [0, 1) that become Gumbel noise; no noise when None.

        Returns:
            Tensor: (B, G, code_dim).
        """
        if uniform is not None:
            tiny = torch.finfo(torch.float32).tiny
            exponential = (-uniform.clamp(min=tiny).log()).clamp(min=tiny)
            logits = logits - exponential.log()
        return F.softmax(logits / temperature, dim=-1) @ self.codebook

    def decode(self, codes: Tensor, centers: Tensor) -> DecodedPatches:
        """(B, G, code_dim) codes at (B, G, 3) centres back to patches."""
        batch, groups = codes.shape[:2]
        features = self.decoder_graph(codes, centers)
        coarse, fine = self.decoder(features.flatten(0, 1))
        return DecodedPatches(coarse.view(batch, groups, -1, 3), fine.view(batch, groups, -1, 3))
