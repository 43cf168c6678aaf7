"""Textbook pieces of networks on patches: tensors built in full, convolutions of width 1, attention by hand.

Speed is compared with what they make up, and results. Modules and parameters have ours' names, so that
:func:`take_weights` needs no table.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def take_weights(plain, ours):
    """Fill a plain model with the weights of ours; a convolution of width 1 holds a linear layer's matrix."""
    theirs = ours.state_dict()
    plain.load_state_dict({name: theirs[name].view_as(value) for name, value in plain.state_dict().items()})
    return plain


def farthest_points(points, count):
    """(B, N, 3) -> (B, count) index, from point 0 on, each the farthest from those before."""
    rows, last = torch.arange(len(points)), torch.zeros(len(points), dtype=torch.long)
    nearest, chosen = torch.full(points.shape[:2], torch.inf, dtype=points.dtype), []
    for _ in range(count):
        chosen.append(last)
        nearest = torch.minimum(nearest, (points - points[rows, last].unsqueeze(1)).square().sum(2))
        last = nearest.argmax(1)
    return torch.stack(chosen, dim=1)


@torch.no_grad()
def cut_patches(points, groups, size):
    """(B, N, 3) -> (B, G, S, 3) relative to the centres, and (B, G, 3) the centres."""
    rows = torch.arange(len(points)).view(-1, 1)
    centres = points[rows, farthest_points(points, groups)]
    index = torch.cdist(centres, points).topk(size, largest=False).indices
    return points[rows.unsqueeze(2), index] - centres.unsqueeze(2), centres


def chamfer(x, y, root=False):
    """(R, S, 3), (R, T, 3) -> scalar: sum of both means of squared distances; or half that of distances."""
    square = (x.unsqueeze(2) - y.unsqueeze(1)).square().sum(3)
    one, two = square.min(2).values, square.min(1).values
    if root:
        one, two = (one + 1e-12).sqrt() / 2, (two + 1e-12).sqrt() / 2
    return one.mean() + two.mean()


class PatchNet(nn.Module):
    """(B, G, S, 3) -> (B, G, C): the mini-PointNet with its concatenation built."""

    def __init__(self, dim, widths=(128, 256, 512)):
        super().__init__()
        hidden, patch, joint = widths
        self.linear1, self.norm1 = nn.Conv1d(3, hidden, 1), nn.BatchNorm1d(hidden)
        self.linear2 = nn.Conv1d(hidden, patch, 1)
        self.linear3, self.norm2 = nn.Conv1d(2 * patch, joint, 1), nn.BatchNorm1d(joint)
        self.linear4 = nn.Conv1d(joint, dim, 1)

    def forward(self, patches):
        x = self.linear2(F.relu(self.norm1(self.linear1(patches.flatten(0, 1).mT))))
        x = torch.cat([x.max(2, keepdim=True).values.expand_as(x), x], dim=1)
        x = self.linear4(F.relu(self.norm2(self.linear3(x))))
        return x.max(2).values.view(*patches.shape[:2], -1)


class Attention(nn.Module):
    """(B, L, C) -> (B, L, C)."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)

    def forward(self, x):
        batch, length, dim = x.shape
        query, key, value = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weight = (query @ key.mT * (dim // self.heads) ** -0.5).softmax(-1)
        return self.proj((weight @ value).transpose(1, 2).reshape(batch, length, dim))


class Mlp(nn.Module):
    """(B, L, C) -> (B, L, C)."""

    def __init__(self, dim):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention, then the perceptron, each behind a norm, beside a path around it, and left out now and then."""

    def __init__(self, dim, heads, drop):
        super().__init__()
        self.drop = drop
        self.norm1, self.attn = nn.LayerNorm(dim), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim), Mlp(dim)

    def forward(self, x):
        x = x + self.kept(self.attn(self.norm1(x)))
        return x + self.kept(self.mlp(self.norm2(x)))

    def kept(self, x):
        if not self.training or self.drop == 0:
            return x
        return x * torch.empty(len(x), 1, 1).bernoulli_(1 - self.drop) / (1 - self.drop)


class Trunk(nn.Module):
    """(B, L, C) tokens at (B, L, 3) centres -> (B, L, C): the position is added before every block."""

    def __init__(self, dim, depth, heads, drop_path):
        super().__init__()
        self.position = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, dim))
        self.blocks = nn.ModuleList(Block(dim, heads, rate) for rate in torch.linspace(0, drop_path, depth).tolist())
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, centres):
        place = self.position(centres)
        for block in self.blocks:
            x = block(x + place)
        return self.norm(x)
