"""Classes of ScanNet: the 20 of its segmentation benchmark, the 18 that detection papers use, and their NYU40 ids."""

from __future__ import annotations

import numpy as np

__all__ = ['SCANNET18', 'SCANNET20', 'nyu40_to_class']

#: Name -> NYU40 id, in the order of the labels: the 20 classes of the benchmark (BenchmarkScripts of ScanNet's code).
SCANNET20 = {
    'wall': 1,
    'floor': 2,
    'cabinet': 3,
    'bed': 4,
    'chair': 5,
    'sofa': 6,
    'table': 7,
    'door': 8,
    'window': 9,
    'bookshelf': 10,
    'picture': 11,
    'counter': 12,
    'desk': 14,
    'curtain': 16,
    'refrigerator': 24,
    'shower curtain': 28,
    'toilet': 33,
    'sink': 34,
    'bathtub': 36,
    'otherfurniture': 39,
}
#: Those without wall and floor: what VoteNet (arXiv 1904.09664) and its successors detect. They call the last one
#: "garbagebin", but count every object of NYU40 id 39 as one, so it keeps its NYU40 name here.
SCANNET18 = {name: nyu40 for name, nyu40 in SCANNET20.items() if name not in ('wall', 'floor')}


def nyu40_to_class(classes: dict[str, int]) -> np.ndarray:
    """The label of each NYU40 id (0 is not annotated, 1 to 40): (41,) int64, -1 for what is not among the classes."""
    table = np.full(41, -1, np.int64)
    table[list(classes.values())] = np.arange(len(classes))
    return table
