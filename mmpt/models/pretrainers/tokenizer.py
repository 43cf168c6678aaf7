"""Training of a discrete VAE tokenizer."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmpt.models.layers import StepDraws, gather_rows, group_points, same_on_all_ranks
from mmpt.ops import chamfer_distance
from mmpt.registry import LOSSES, MODELS, TOKENIZERS
from mmpt.structures import PointDataSample

__all__ = ['TokenizerPretrainer']

_TEMPLATES = 64
_ROWS_PER_ID = 8


@MODELS.register_module()
class TokenizerPretrainer(BaseModel):
    """Reconstruct patches through soft codes; the temperature falls and the usage term rises (METHODS 2.1).

    ``temperature`` and ``usage_weight`` are set every step by ``ValueScheduleHook``.

    Args:
        tokenizer (dict): from TOKENIZERS; ``tokenizer.*`` in the checkpoint.
        num_groups (int): G patches a cloud.
        group_size (int): S points a patch.
        usage (dict | None): from LOSSES, how even use of the ids is asked for.
        codebook_start (int): updates before which the decoder reads the patches' features themselves; then the codes
            are put among them by k-means (only with ``posterior='distance'``). 0 leaves that out.
        data_preprocessor (dict | None): from MODELS.
    """

    scheduled = ('temperature', 'usage_weight')

    def __init__(
        self,
        tokenizer: dict,
        num_groups: int = 64,
        group_size: int = 32,
        usage: dict | None = None,
        codebook_start: int = 0,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or {'type': 'PointDataPreprocessor'}))
        self.tokenizer = TOKENIZERS.build({**tokenizer, 'group_size': group_size})
        self.num_groups, self.group_size = num_groups, group_size
        self.usage = LOSSES.build(usage or {'type': 'UniformUsageLoss'})
        self.draws = StepDraws()
        self.temperature, self.usage_weight = 1.0, 0.0
        # Baselines: patches of the first batch, each of which could stand for all; and the best one of them.
        self.register_buffer('templates', torch.zeros(_TEMPLATES, group_size, 3))
        self.register_buffer('best_template', torch.zeros(group_size, 3))
        self.codebook_start = codebook_start
        if codebook_start:
            if self.tokenizer.encoder_graph is not None:
                raise ValueError("TokenizerPretrainer: codebook_start needs a tokenizer with posterior='distance'.")
            # A buffer, not an attribute: a run that is resumed between has to find it.
            rows = _ROWS_PER_ID * self.tokenizer.num_ids
            self.register_buffer('recent_features', torch.zeros(rows, self.tokenizer.feature_dim))

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
            self._choose_templates(gather_rows(patches.points.flatten(0, 1)))
        features = self.tokenizer.patch_features(patches)
        if self.codebook_start:
            self._follow_features(features.detach().flatten(0, 1))
        logits = self.tokenizer.logits(patches, features)
        codes = features
        if self.draws.step >= self.codebook_start:
            with torch.autocast(logits.device.type, enabled=False):
                noise = self.draws.rand('gumbel', tuple(logits.shape), logits.device)
                codes = self.tokenizer.soft_codes(logits.float(), self.temperature, noise)
        decoded = self.tokenizer.decode(codes, patches.centers)
        target = patches.points.flatten(0, 1)
        return {
            'coarse': chamfer_distance(decoded.coarse.flatten(0, 1), target, 'l1'),
            'fine': chamfer_distance(decoded.fine.flatten(0, 1), target, 'l1'),
            # How evenly ids are used is a matter of the whole batch, whoever holds it.
            'usage': self.usage(gather_rows(logits)),
        }

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Coarse + fine + usage_weight * usage."""
        total = losses['coarse'] + losses['fine'] + self.usage_weight * losses['usage']
        log = {'loss': total.detach(), **{f'task/{name}': value.detach() for name, value in losses.items()}}
        log['temperature'] = total.new_full((), self.temperature)
        log['weight/usage'] = total.new_full((), self.usage_weight)
        return total, log

    def _predict(self, patches: Any, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        """Hard ids, and the Chamfer distance (l1) of what they decode to.

        Beside it that of one patch which stands for all: on average over :attr:`templates`, and the best one.
        """
        ids = self.tokenizer.ids(patches)
        decoded = self.tokenizer.decode(self.tokenizer.codebook[ids], patches.centers)
        batch, groups = ids.shape
        target = patches.points.flatten(0, 1)
        hard = chamfer_distance(decoded.fine.flatten(0, 1), target, 'l1', 'none').view(batch, groups)
        any_one = torch.stack([_to_one(template, target) for template in self.templates]).mean(0).view(batch, groups)
        best_one = _to_one(self.best_template, target).view(batch, groups)
        samples = samples or [PointDataSample() for _ in range(batch)]
        for index, sample in enumerate(samples):
            sample.token_id = ids[index]
            sample.chamfer = hard[index].mean()
            sample.baseline_chamfer = any_one[index].mean()
            sample.best_baseline_chamfer = best_one[index].mean()
        return samples

    @torch.no_grad()
    def _choose_templates(self, points: Tensor, candidates: int = 256, probes: int = 256) -> None:
        """Evenly spaced patches of the first batch, and of more of them the one nearest to all on average."""
        self.templates.copy_(points[torch.linspace(0, len(points) - 1, _TEMPLATES).long()])
        chosen = points[:: max(len(points) // candidates, 1)][:candidates]
        against = points[:: max(len(points) // probes, 1)][:probes]
        cost = torch.stack([_to_one(patch, against).mean() for patch in chosen])
        self.best_template.copy_(chosen[cost.argmin()])

    @torch.no_grad()
    def _follow_features(self, features: Tensor) -> None:
        """Keep the latest features until the codebook starts among them."""
        if self.draws.step < self.codebook_start:
            self.recent_features.copy_(
                torch.cat([gather_rows(features.float()), self.recent_features])[: len(self.recent_features)]
            )
        elif self.draws.step == self.codebook_start:
            filled = self.recent_features.abs().sum(1) > 0
            self.tokenizer.start_codebook(self.recent_features[filled])
            same_on_all_ranks(self.tokenizer.codebook.data)


def _to_one(patch: Tensor, patches: Tensor) -> Tensor:
    """(R,) Chamfer distance (l1) of (R, S, 3) patches to one (S, 3)."""
    return chamfer_distance(patch.expand(len(patches), -1, -1), patches, 'l1', 'none')
