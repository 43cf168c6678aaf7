"""The plain form of the training of Point-BERT's tokenizer (arXiv 2111.14819): every edge and every fold built."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from plain import PatchNet, chamfer, cut_patches, take_weights
from torch import nn


class EdgeConv(nn.Module):
    """(B, A, G), neighbours (B, G, k) -> (B, C, G)."""

    def __init__(self, into, out):
        super().__init__()
        self.linear, self.norm = nn.Conv2d(2 * into, out, 1, bias=False), nn.GroupNorm(4, out)

    def forward(self, x, near):
        neighbour = torch.stack([sample[:, index] for sample, index in zip(x, near)])
        own = x.unsqueeze(3).expand_as(neighbour)
        edges = self.linear(torch.cat([neighbour - own, own], dim=1))
        return F.leaky_relu(self.norm(edges), 0.2).max(3).values


class CentreGraph(nn.Module):
    """(B, G, A) features at (B, G, 3) centres -> (B, G, C)."""

    def __init__(self, into, out, widths, k=4):
        super().__init__()
        self.k = k
        self.inlet = nn.Conv1d(into, widths[0], 1)
        self.convs = nn.ModuleList(EdgeConv(a, b) for a, b in zip(widths[:-1], widths[1:]))
        self.outlet, self.outlet_norm = nn.Conv1d(sum(widths[1:]), out, 1, bias=False), nn.GroupNorm(4, out)

    def forward(self, x, centres):
        near = torch.cdist(centres, centres).topk(min(self.k, centres.shape[1]), largest=False).indices
        x, outputs = self.inlet(x.mT), []
        for conv in self.convs:
            x = conv(x, near)
            outputs.append(x)
        return F.leaky_relu(self.outlet_norm(self.outlet(torch.cat(outputs, dim=1))), 0.2).mT


class Fold(nn.Module):
    """(R, C) -> coarse (R, S / 4, 3) and fine (R, S, 3): a square of four points at each coarse one."""

    def __init__(self, dim, size, hidden, fold):
        super().__init__()
        self.count = size // 4
        self.coarse = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 3 * self.count)
        )
        self.fold1, self.norm1 = nn.Conv1d(dim + 5, fold, 1), nn.BatchNorm1d(fold)
        self.fold2, self.norm2 = nn.Conv1d(fold, fold, 1), nn.BatchNorm1d(fold)
        self.fold3 = nn.Conv1d(fold, 3, 1)

    def forward(self, features):
        coarse = self.coarse(features).view(len(features), self.count, 3)
        corners = torch.tensor([[-0.05, -0.05], [0.05, -0.05], [-0.05, 0.05], [0.05, 0.05]], dtype=features.dtype)
        squares = corners.repeat(self.count, 1).expand(len(features), -1, -1)
        middles = coarse.repeat_interleave(4, dim=1)
        everywhere = features.unsqueeze(1).expand(-1, 4 * self.count, -1)
        x = torch.cat([everywhere, squares, middles], dim=2).mT
        x = F.relu(self.norm2(self.fold2(F.relu(self.norm1(self.fold1(x))))))
        return coarse, self.fold3(x).mT + middles


class PlainDiscreteVAE(nn.Module):
    """Loss of a batch of clouds.

    Args:
        cfg: ``model`` of a config of Point-BERT's tokenizer, ``posterior='graph'``.
    """

    def __init__(self, cfg):
        super().__init__()
        own = cfg['tokenizer']
        patch, code, decoder = (own.get(f'{name}_dim', 256) for name in ('embed', 'code', 'decoder'))
        graph = own.get('graph_widths', (128, 256, 512, 512, 1024))
        self.groups, self.size = cfg['num_groups'], cfg['group_size']
        vae = self.tokenizer = nn.Module()
        vae.patch_embed = PatchNet(patch, own.get('patch_widths', (128, 256, 512)))
        vae.encoder_graph = CentreGraph(patch, own['num_ids'], graph)
        vae.codebook = nn.Parameter(torch.zeros(own['num_ids'], code))
        vae.decoder_graph = CentreGraph(code, decoder, graph)
        vae.decoder = Fold(decoder, self.size, *own.get('fold_widths', (1024, 512)))

    def take(self, ours):
        """The weights of ours, its temperature and the weight of its term of usage."""
        self.temperature, self.usage_weight = ours.temperature, ours.usage_weight
        return take_weights(self, ours)

    def forward(self, inputs, noise=None):
        """``points`` (B, N, 3) of contract 2, and (B, G, K) Gumbel noise or a draw -> scalar."""
        patches, centres = cut_patches(inputs['points'], self.groups, self.size)
        vae = self.tokenizer
        logits = vae.encoder_graph(vae.patch_embed(patches), centres)
        noise = -torch.empty_like(logits).exponential_().log() if noise is None else noise
        codes = ((logits + noise) / self.temperature).softmax(-1) @ vae.codebook
        coarse, fine = vae.decoder(vae.decoder_graph(codes, centres).flatten(0, 1))
        target = patches.flatten(0, 1)
        share = logits.softmax(-1).mean(1)
        usage = -(share.log() + math.log(share.shape[1])).mean()
        return chamfer(coarse, target, root=True) + chamfer(fine, target, root=True) + self.usage_weight * usage
