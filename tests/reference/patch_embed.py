"""The plain form of what mmpt/models/layers/patch_embed.py computes: the concatenation built, torch's own maximum."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def plain_patch_embed(embed, points):
    """(B, G, S, 3 + F) -> (B, G, C) by the weights of ours, in training mode; running statistics stay as they are."""
    batch, groups, size, _ = points.shape
    x = F.relu(_norm(embed.norm1, embed.linear1(points.flatten(0, 2))))
    x = embed.linear2(x).view(batch * groups, size, -1)
    x = torch.cat([x.max(1, keepdim=True)[0].expand_as(x), x], dim=-1)
    x = F.relu(_norm(embed.norm2, embed.linear3(x).flatten(0, 1)))
    return embed.linear4(x).view(batch, groups, size, -1).max(2)[0]


def _norm(norm, x):
    return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
