"""The plain form of Point-MAE's pre-training (arXiv 2203.06604): every patch embedded, masks as booleans."""

from __future__ import annotations

import torch
from plain import PatchNet, Trunk, chamfer, cut_patches, take_weights
from torch import nn


class PlainPointMAE(nn.Module):
    """Loss of a batch of clouds.

    Args:
        cfg: ``model`` of a config of Point-MAE's form.
    """

    def __init__(self, cfg):
        super().__init__()
        own, decoder = cfg['encoder'], cfg['decoder']
        dim = own['dim']
        self.groups, self.size = own['num_groups'], own['group_size']
        self.hides = int(cfg['masking']['ratio'] * self.groups)
        self.encoder = Trunk(dim, own['depth'], own['num_heads'], own['drop_path'])
        self.encoder.patch_embed = PatchNet(dim, own.get('patch_widths', (128, 256, 512)))
        self.decoder = Trunk(dim, decoder['depth'], decoder['num_heads'], decoder['drop_path'])
        self.decoder.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.heads = nn.ModuleDict({'plr': nn.ModuleDict({'predictor': nn.Linear(dim, 3 * self.size)})})

    def take(self, ours):
        """The weights of ours."""
        return take_weights(self, ours)

    def draw(self, batch):
        """(B, G) bool, True = hidden."""
        hidden = torch.zeros(batch, self.groups, dtype=torch.bool)
        for row in hidden:
            row[torch.randperm(self.groups)[: self.hides]] = True
        return hidden

    def forward(self, inputs, hidden=None):
        """``points`` (B, N, 3) of contract 2, and (B, G) bool or a draw -> scalar."""
        points = inputs['points']
        patches, centres = cut_patches(points, self.groups, self.size)
        hidden = self.draw(len(points)) if hidden is None else hidden
        tokens = self.encoder.patch_embed(patches)
        batch, _, dim = tokens.shape
        seen, places = tokens[~hidden].view(batch, -1, dim), centres[~hidden].view(batch, -1, 3)
        blank = self.decoder.mask_token.expand(batch, self.hides, -1)
        everywhere = torch.cat([places, centres[hidden].view(batch, -1, 3)], dim=1)
        tokens = self.decoder(torch.cat([self.encoder(seen, places), blank], dim=1), everywhere)
        predicted = self.heads['plr']['predictor'](tokens[:, -self.hides :]).view(-1, self.size, 3)
        return chamfer(predicted, patches[hidden])
