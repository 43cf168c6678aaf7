"""Named in configs by `custom_imports`: parts that break, or kill, a run at a place of one's choice."""

import os
import signal

import torch
from mmengine.hooks import Hook

from mmpt.models.data_preprocessors import PointDataPreprocessor
from mmpt.models.heads import PointReconstructionHead
from mmpt.registry import HEADS, HOOKS, MODELS


@MODELS.register_module()
class SpoilingPreprocessor(PointDataPreprocessor):
    """One coordinate of one sample becomes NaN behind the checks, from an epoch on."""

    def __init__(self, sample_id, epoch, **kwargs):
        super().__init__(**kwargs)
        self.sample_id, self.epoch = sample_id, epoch

    def forward(self, data, training=False):
        batch = super().forward(data, training)
        for index, sample in enumerate(batch['data_samples']):
            if training and sample.sample_id == self.sample_id and sample.epoch >= self.epoch:
                batch['inputs']['points'][index, 3, 1] = float('nan')
        return batch


@HEADS.register_module()
class SpoilingPointHead(PointReconstructionHead):
    """The loss of one rank is NaN in one step."""

    def __init__(self, at, **kwargs):
        super().__init__(**kwargs)
        self.at = tuple(at)

    def loss(self, step):
        losses, provided = super().loss(step)
        if (step['draws'].rank, step['draws'].step) == self.at:
            losses['loss'] = losses['loss'] * torch.tensor(float('nan'))
        return losses, provided


@HOOKS.register_module()
class KillHook(Hook):
    """SIGKILL to the process and its workers in the middle of a step."""

    def __init__(self, step):
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.step:
            step = runner.optim_wrapper.optimizer.step

            def killed(*args, **kwargs):
                step(*args, **kwargs)
                os.killpg(0, signal.SIGKILL)

            runner.optim_wrapper.optimizer.step = killed
