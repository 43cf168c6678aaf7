"""Data sets for the tests of verification."""

import numpy as np

from mmpt.datasets import PointCloudDataset
from mmpt.datasets.verification import Part, verify_part


class Shapes(PointCloudDataset):
    """Samples out of a list."""

    EXPECTED_COUNTS = {('two', 'train'): 2}

    def __init__(self, samples, pipeline=(), **metainfo):
        self.samples = samples
        super().__init__(pipeline, metainfo={'variant': 'mine', 'split': 'train', **metainfo})

    def num_shapes(self):
        return len(self.samples)

    def label(self, index):
        return self.samples[index].get('label')

    def load_info(self, index):
        return {'sample_id': f's{index}', 'split': 'train', **self.samples[index]}


def cloud(seed=0, num=200, scale=1.0):
    return (np.random.default_rng(seed).normal(size=(num, 3)) * scale).astype(np.float32)


def report_of(samples, pipeline=(), **metainfo):
    dataset = Shapes(samples, **metainfo)
    return verify_part(Part(('train_dataloader.dataset',), dataset, pipeline))


def told(report, kind):
    """Level and text of the findings of a kind."""
    return [(finding.level, finding.text) for finding in report.findings if finding.kind == kind]


def shuffled(points, seed=9):
    return points[np.random.default_rng(seed).permutation(len(points))]


def room(seed, num=2000):
    """A room with furniture, z up, metres."""
    rng = np.random.default_rng(seed)
    size = rng.uniform((4, 3.5, 2.4), (9, 6, 3))
    points = rng.random((num, 3)) * size
    points[: num // 3, 2] = 0
    points[num // 3 : num // 2, 0] = 0
    return points.astype(np.float32)
