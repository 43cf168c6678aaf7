"""The discrete variational auto-encoder that names patches."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

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
        posterior (str): ``'graph'``, logits by a graph network over the centres (Point-BERT), or ``'distance'``, minus
            the squared distance between the patch's feature and each code, times a learned scale: an id then depends on
            the patch alone, and codes can start where features are (:meth:`start_codebook`), which is what makes a
            training of minutes possible.
        distance_scale (float): initial scale of ``'distance'``, divided by ``code_dim``.
        decoder_k (int): neighbours in the decoder's graph.
        decoder_offsets (bool): the decoder's graph also reads where neighbouring centres lie.
        decoder_skip (bool): a linear path beside the decoder's graph, which trains much faster.
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
        posterior: Literal['graph', 'distance'] = 'graph',
        distance_scale: float = 60.0,
        decoder_k: int = 4,
        decoder_offsets: bool = False,
        decoder_skip: bool = False,
    ) -> None:
        super().__init__()
        self.num_ids = num_ids
        self.feature_dim = code_dim
        if posterior not in ('graph', 'distance'):
            raise ValueError(f"DiscreteVAE: posterior must be 'graph' or 'distance', got {posterior!r}.")
        distance = posterior == 'distance'
        self.patch_embed = PatchEmbed(3, code_dim if distance else embed_dim, tuple(patch_widths))
        self.encoder_graph = None if distance else CentreGraphNet(embed_dim, num_ids, tuple(graph_widths))
        self.log_scale = nn.Parameter(torch.tensor(math.log(distance_scale / code_dim))) if distance else None
        self.codebook = nn.Parameter(torch.randn(num_ids, code_dim))
        self.decoder_graph = CentreGraphNet(
            code_dim, decoder_dim, tuple(graph_widths), k=decoder_k, offsets=decoder_offsets
        )
        self.decoder_skip = nn.Linear(code_dim, decoder_dim) if decoder_skip else None
        self.decoder = FoldingDecoder(decoder_dim, group_size, *fold_widths)

    def patch_features(self, patches: Patches) -> Tensor:
        """(B, G, code_dim or embed_dim) feature of every patch, before anything is discrete."""
        return self.patch_embed(patches.points)

    def logits(self, patches: Patches, features: Tensor | None = None) -> Tensor:
        """(B, G, K) logits of every patch over the vocabulary; ``features`` where they are known already."""
        features = self.patch_features(patches) if features is None else features
        if self.encoder_graph is not None:
            return self.encoder_graph(features, patches.centers)
        with torch.autocast(features.device.type, enabled=False):
            rows = features.float().flatten(0, 1)
            # |f - e|^2 without |f|^2, which is the same for all ids.
            distance = torch.addmm(self.codebook.square().sum(1), rows, self.codebook.T, alpha=-2)
            return (-distance * self.log_scale.exp()).view(*features.shape[:2], -1)

    @torch.no_grad()
    def start_codebook(self, features: Tensor, rounds: int = 10) -> None:
        """Put the codes where features are: k-means from evenly spaced rows, the same for the same input.

        Args:
            features (Tensor): (R, code_dim); with fewer rows than ids, ids share a row until training parts them.
            rounds (int): of Lloyd's algorithm; a code that loses all rows stays where it is.
        """
        codes = features[torch.linspace(0, len(features) - 1, self.num_ids, device=features.device).long()].clone()
        for _ in range(rounds):
            nearest = torch.cdist(features, codes).argmin(1)
            count = torch.bincount(nearest, minlength=self.num_ids).unsqueeze(1)
            total = torch.zeros_like(codes).index_add_(0, nearest, features)
            codes = torch.where(count > 0, total / count.clamp(min=1), codes)
        self.codebook.copy_(codes)

    @torch.no_grad()
    def ids(self, patches: Patches) -> Tensor:
        """(B, G) int64 id of every patch: the largest logit, without noise; the same under autocast as without."""
        with torch.autocast(patches.points.device.type, enabled=False):
            return self.logits(patches).argmax(-1)

    @torch.no_grad()
    def features(self, patches: Patches) -> Tensor:
        """(B, G, code_dim) mean code of every patch under its posterior, the continuous target of a regression."""
        with torch.autocast(patches.points.device.type, enabled=False):
            return F.softmax(self.logits(patches), dim=-1) @ self.codebook

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
        if self.decoder_skip is not None:
            features = features + self.decoder_skip(codes)
        coarse, fine = self.decoder(features.flatten(0, 1))
        return DecodedPatches(coarse.view(batch, groups, -1, 3), fine.view(batch, groups, -1, 3))
