"""Training of a discrete VAE tokenizer."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmpt.models.layers import StepDraws, group_points
from mmpt.ops import chamfer_distance
from mmpt.registry import LOSSES, MODELS, TOKENIZERS
from mmpt.structures import PointDataSample

__all__ = ['TokenizerPretrainer']


@MODELS.register_module()
class TokenizerPretrainer(BaseModel):
    """Reconstruct patches through soft codes; the temperature falls and the usage term rises (METHODS 2.1).

    ``temperature`` and ``usage_weight`` are set every step by ``ValueScheduleHook``.

    Args:
        tokenizer (dict): from TOKENIZERS; ``tokenizer.*`` in the checkpoint.
        num_groups (int): G patches a cloud.
        group_size (int): S points a patch.
        usage (dict | None): from LOSSES, how even use of the ids is asked for.
        data_preprocessor (dict | None): from MODELS.
    """

    scheduled = ('temperature', 'usage_weight')

    def __init__(
        self,
        tokenizer: dict,
        num_groups: int = 64,
        group_size: int = 32,
        usage: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor or {'type': 'PointDataPreprocessor'})
        self.tokenizer = TOKENIZERS.build({**tokenizer, 'group_size': group_size})
        self.num_groups, self.group_size = num_groups, group_size
        self.usage = LOSSES.build(usage or {'type': 'UniformUsageLoss'})
        self.draws = StepDraws()
        self.temperature, self.usage_weight = 1.0, 0.0
        # One patch that stands for all: what a tokenizer with a single id could do at best.
        self.register_buffer('template', torch.zeros(group_size, 3))

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """``'loss'``: terms by name; ``'predict'``: samples with ``token_id`` and ``chamfer``; ``'tensor'``: ids."""
        patches = group_points(inputs['points'][..., :3], self.num_groups, self.group_size)
        if mode == 'tensor':
            return self.tokenizer.ids(patches)
        if mode == 'predict':
            return self._predict(patches, data_samples)
        if mode != 'loss':
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        if self.draws.step == 0:
            self._choose_template(patches.points.flatten(0, 1))
        logits = self.tokenizer.logits(patches)
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.float()
            noise = self.draws.rand('gumbel', tuple(logits.shape), logits.device)
            codes = self.tokenizer.soft_codes(logits, self.temperature, noise)
        decoded = self.tokenizer.decode(codes, patches.centers)
        target = patches.points.flatten(0, 1)
        return {
            'coarse': chamfer_distance(decoded.coarse.flatten(0, 1), target, 'l1'),
            'fine': chamfer_distance(decoded.fine.flatten(0, 1), target, 'l1'),
            'usage': self.usage(logits),
        }

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Coarse + fine + usage_weight * usage."""
        total = losses['coarse'] + losses['fine'] + self.usage_weight * losses['usage']
        log = {'loss': total.detach(), **{f'task/{name}': value.detach() for name, value in losses.items()}}
        log['temperature'] = total.new_tensor(self.temperature)
        log['weight/usage'] = total.new_tensor(self.usage_weight)
        return total, log

    def _predict(self, patches: Any, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        """Hard ids, and the Chamfer distance (l1) of what they decode to, beside that of the one template patch."""
        ids = self.tokenizer.ids(patches)
        decoded = self.tokenizer.decode(self.tokenizer.codebook[ids], patches.centers)
        batch, groups = ids.shape
        target = patches.points.flatten(0, 1)
        hard = chamfer_distance(decoded.fine.flatten(0, 1), target, 'l1', 'none').view(batch, groups)
        template = self.template.expand(batch * groups, -1, -1)
        single = chamfer_distance(template, target, 'l1', 'none').view(batch, groups)
        samples = samples or [PointDataSample() for _ in range(batch)]
        for index, sample in enumerate(samples):
            sample.token_id = ids[index]
            sample.chamfer = hard[index].mean()
            sample.baseline_chamfer = single[index].mean()
        return samples

    @torch.no_grad()
    def _choose_template(self, points: Tensor, candidates: int = 128, probes: int = 256) -> None:
        """The patch of the first batch that is nearest to the others on average."""
        stride = max(len(points) // candidates, 1)
        chosen = points[::stride][:candidates]
        against = points[:: max(len(points) // probes, 1)][:probes]
        pairs = chosen.repeat_interleave(len(against), 0), against.repeat(len(chosen), 1, 1)
        cost = chamfer_distance(*pairs, 'l1', 'none').view(len(chosen), len(against)).mean(1)
        self.template.copy_(chosen[cost.argmin()])
