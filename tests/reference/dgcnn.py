"""The plain form of what mmpt/models/encoders/dgcnn.py computes: every edge built.

Two forms of DGCNN: :class:`EveryEdge`, whole tensors of edges, which is what one usually finds and what the speed is
compared with; and :func:`slow_edge_conv`, loops over points and neighbours.
"""

from __future__ import annotations

import torch
from torch import nn


class EveryEdge(nn.Module):
    """DGCNN (arXiv 1801.07829) on (B, 3 + F, N): graph, edges, convolution of width 1, norm, activation, maximum."""

    def __init__(self, in_channels=3, dim=1024, k=20, edge_widths=(64, 64, 128, 256)):
        super().__init__()
        self.k = k
        widths = (in_channels, *edge_widths)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * a, b, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))
            for a, b in zip(widths[:-1], widths[1:])
        )
        self.last = nn.Sequential(nn.Conv1d(sum(edge_widths), dim, 1, bias=False), nn.BatchNorm1d(dim))

    def take(self, encoder):
        """The weights of ours."""
        for layer, conv in zip(self.layers, encoder.convs):
            layer[0].weight.data.copy_(conv.linear.weight[..., None, None])
            layer[1].load_state_dict(conv.norm.state_dict())
        self.last[0].weight.data.copy_(encoder.outlet.weight[..., None])
        self.last[1].load_state_dict(encoder.outlet_norm.state_dict())
        return self

    def graph(self, x):
        """(B, C, N) -> (B, N, k)."""
        squares = x.square().sum(1)
        nearness = 2 * x.mT @ x - squares.unsqueeze(1) - squares.unsqueeze(2)
        return nearness.topk(self.k, dim=2).indices

    def forward(self, points, graphs=None):
        """(B, 3 + F, N) -> (B, dim, N); ``graphs`` are (B, N, k) each, found here where they are not given."""
        outputs, x = [], points
        for number, layer in enumerate(self.layers):
            near = self.graph(outputs[-1] if outputs else points[:, :3]) if graphs is None else graphs[number]
            neighbour = torch.stack([sample[:, index] for sample, index in zip(x, near)])
            own = x.unsqueeze(3).expand_as(neighbour)
            x = layer(torch.cat([neighbour - own, own], dim=1)).max(dim=3).values
            outputs.append(x)
        return nn.functional.leaky_relu(self.last(torch.cat(outputs, dim=1)), 0.2)


def slow_edge_conv(x, near, weight, gamma, beta, eps=1e-5):
    """(N, C) points of one cloud and (N, k) neighbours -> (N, D), edge by edge, normalised over this cloud's edges."""
    edges = [[torch.cat([x[j] - x[i], x[i]]) @ weight.T for j in near[i].tolist()] for i in range(len(x))]
    every = torch.stack([edge for row in edges for edge in row])
    mean, std = every.mean(0), (every.var(0, correction=0) + eps).sqrt()

    def activated(edge):
        value = gamma * (edge - mean) / std + beta
        return torch.where(value > 0, value, 0.2 * value)

    return torch.stack([torch.stack([activated(edge) for edge in row]).amax(0) for row in edges])
