"""The plain form of CrossPoint's pre-training (arXiv 2203.00680): every edge of DGCNN built, NT-Xent by its formula."""

from __future__ import annotations

import timm
import torch
import torch.nn.functional as F
from dgcnn import EveryEdge
from torch import nn


def nt_xent(one, two, temperature=0.1):
    """(B, D), (B, D) -> scalar: each row names its other view among all rows but itself."""
    rows = F.normalize(torch.cat([one, two]), dim=1)
    scores = (rows @ rows.T / temperature).fill_diagonal_(-torch.inf)
    count = len(one)
    return F.cross_entropy(scores, torch.cat([torch.arange(count) + count, torch.arange(count)]))


class PlainCrossPoint(nn.Module):
    """Loss of a batch of two clouds and a picture each.

    Args:
        cfg: ``model`` of a config of CrossPoint's form.
    """

    def __init__(self, cfg):
        super().__init__()
        own, head, pictures = cfg['encoder'], cfg['heads']['mcl'], cfg['image_encoder']
        self.encoder = EveryEdge(dim=own['dim'], k=own['k'], edge_widths=own['edge_widths'])
        self.image_encoder = timm.create_model(pictures['model_name'], num_classes=0)
        hidden, out = head['hidden_dim'], head['out_dim']
        self.projector = nn.Sequential(
            nn.Linear(2 * own['dim'], hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out)
        )
        hidden = head['image_hidden_dim']
        self.image_projector = nn.Sequential(
            nn.Linear(head['image_dim'], hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, out, bias=False),
        )

    def take(self, ours):
        """The weights of ours."""
        self.encoder.take(ours.encoder)
        self.image_encoder.load_state_dict(ours.image_encoder.model.state_dict())
        for name in ('projector', 'image_projector'):
            getattr(self, name).load_state_dict(getattr(ours.heads['mcl'], name).state_dict())
        return self

    def forward(self, inputs, graphs=None):
        """``points``, ``points_view2`` (B, N, 3) and ``images`` (B, 1, 3, H, W) of contract 2 -> scalar."""
        tokens = self.encoder(torch.cat([inputs['points'], inputs['points_view2']]).mT, graphs)
        one, two = self.projector(torch.cat([tokens.max(2).values, tokens.mean(2)], dim=1)).chunk(2)
        pictures = self.image_projector(self.image_encoder(inputs['images'].squeeze(1)))
        return nt_xent(one, two) + nt_xent(0.5 * (one + two), pictures)
