"""The plain form of mmpt/models/encoders/pointnet.py: one point after another, statistics by hand."""

from __future__ import annotations

import torch


def normed(rows, norm):
    """A list of vectors, each normalised over the list; then ReLU."""
    every = torch.stack(rows)
    mean, var = every.mean(0), ((every - every.mean(0)) ** 2).mean(0)
    return [torch.relu(norm.weight * (row - mean) / (var + norm.eps).sqrt() + norm.bias) for row in rows]


def layered(rows, layers):
    """A list of vectors through linear, norm and ReLU, layer by layer."""
    for linear, norm, _ in layers:
        rows = normed([linear.weight @ row for row in rows], norm)
    return rows


def matrices(clouds, transform):
    """One matrix for each cloud, a list of vectors each."""
    rows = layered([row for cloud in clouds for row in cloud], transform.of_point)
    size = len(clouds[0])
    largest = [torch.stack(rows[i : i + size]).amax(0) for i in range(0, len(rows), size)]
    flat = [transform.matrix.weight @ row + transform.matrix.bias for row in layered(largest, transform.of_cloud)]
    return [row.view(transform.size, transform.size) for row in flat]


def slow_pointnet(encoder, points):
    """(B, N, 3 + F) -> (B, N, C), in training mode."""
    clouds = [list(cloud) for cloud in points]
    size = len(clouds[0])
    if encoder.input_transform is not None:
        turns = matrices([[row[:3] for row in cloud] for cloud in clouds], encoder.input_transform)
        clouds = [[torch.cat([row[:3] @ m, row[3:]]) for row in cloud] for cloud, m in zip(clouds, turns)]
    rows = layered([row for cloud in clouds for row in cloud], encoder.layers[:2])
    if encoder.feature_transform is not None:
        turns = matrices([rows[i : i + size] for i in range(0, len(rows), size)], encoder.feature_transform)
        rows = [row @ turns[place // size] for place, row in enumerate(rows)]
    return torch.stack(layered(rows, encoder.layers[2:])).view(len(clouds), size, -1)
