"""A model, a data set and a metric small enough to train in a second, with all that the engine cares about."""

import os
import time

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

from mmpt.models.layers.draws import StepDraws
from mmpt.registry import DATASETS, METRICS, MODELS
from mmpt.structures import PointDataSample


@DATASETS.register_module()
class ToyData:
    """A sample is a function of (epoch, index); the target of the pair ``bad`` is not a number."""

    def __init__(self, size=37, bad=None, error=None, slow=0.0, shape=8):
        self.size, self.bad, self.error, self.slow, self.shape = size, bad, error, slow, shape

    metainfo = {'up_axis': 'y', 'normalize': 'unit_sphere', 'variant': 'toy'}

    def __len__(self):
        return self.size

    def __getitem__(self, key):
        epoch, index = key if isinstance(key, tuple) else (0, key)
        time.sleep(self.slow)
        if index == self.error:
            raise ValueError(f'Sample {index} has NaN coordinates.')
        points = torch.randn(self.shape, generator=torch.Generator().manual_seed(1000 * epoch + index))
        target = points.clone()
        if self.bad is not None and (epoch, index) == tuple(self.bad):
            target[0] = float('nan')
        sample = PointDataSample(metainfo={'sample_id': f'toy-{index}', 'epoch': epoch, 'index': index})
        return {'inputs': {'points': points, 'target': target}, 'data_samples': sample}


@MODELS.register_module()
class ToyModel(BaseModel):
    """Two tasks on one encoder, with batch norm, dropout, a mask from ``draws`` and a scheduled temperature."""

    scheduled = {'temperature'}

    def __init__(self, width=16, batch_norm=True, dropout=0.1, shape=8):
        super().__init__()
        norm = [nn.BatchNorm1d(width)] if batch_norm else []
        self.encoder = nn.Sequential(nn.Linear(shape, width), *norm, nn.GELU(), nn.Dropout(dropout))
        self.mask_token = nn.Parameter(torch.zeros(1, shape))
        self.heads = nn.ModuleDict({'plr': nn.Linear(width, shape), 'mcl': nn.Linear(width, 4)})
        self.encoder_cfg = {'type': 'ToyEncoder', 'width': width}
        self.draws = StepDraws()
        self.temperature = 1.0

    def init_weights(self):
        generator = torch.Generator().manual_seed(3)
        for parameter in self.encoder.parameters():
            nn.init.normal_(parameter, std=0.1, generator=generator)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        points = torch.stack(inputs['points'])
        if mode != 'loss':
            feature = self.encoder(points)
            if mode == 'tensor':
                return feature
            for sample, row in zip(data_samples, feature):
                sample.set_field(row, 'feature')
            return data_samples
        mask = self.draws.rand('mask', points.shape, points.device) < 0.5
        token = self.encoder(torch.where(mask, self.mask_token, points))
        mcl = self.heads['mcl'](token) / self.temperature
        plr = (self.heads['plr'](token) - torch.stack(inputs['target'])).square().mean()
        return {'plr': plr, 'mcl': (mcl.logsumexp(1) - mcl[:, 0]).mean()}

    def parse_losses(self, losses):
        loss = losses['plr'] + 0.5 * losses['mcl']
        return loss, {'loss': loss, **{f'task/{name}': value for name, value in losses.items()}}


@METRICS.register_module()
class ToyScore(BaseMetric):
    """The norm of the features."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results += [float(sample['feature'].norm()) for sample in data_samples]

    def compute_metrics(self, results):
        if os.environ.get('TOY_SCORE'):
            return {'score': float(os.environ['TOY_SCORE'])}
        return {'score': sum(results) / len(results)}
