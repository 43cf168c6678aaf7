"""What the whole surface is that a partial cloud shows a part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmpt.models.heads import CompletionHead
from mmpt.models.losses import ChamferLoss
from mmpt.ops import farthest_point_sample, gather
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

from .base import DownstreamModel

__all__ = ['CompletionModel']


@MODELS.register_module()
class CompletionModel(DownstreamModel):
    """The encoder of the pre-training and a head that adds what is missing (METHODS 5.8; after PoinTr 2108.08839).

    What was seen is kept: farthest points of the input stand beside the coarse points, as many as these are, and the
    input itself beside the fine ones. Both are held against the whole surface by the l1 form of the Chamfer distance.

    Args:
        num_queries (int): Q coarse points: 224 for PCN, 96 for ShapeNet-55. Of N input points Q * 64 + N are made.
        encoder (dict | None): from ENCODERS, or ``checkpoint`` says what it is; see :class:`DownstreamModel`.
        head (dict | None): sizes of :class:`CompletionHead <mmpt.models.heads.CompletionHead>`: ``global_dim``,
            ``dim``, ``depth``, ``num_heads``, ``fold_side``, ``fold_dim``.
        **kwargs (Any): ``checkpoint``, ``task_encoder``, ``frozen``, ``data_preprocessor`` of the base class.
    """

    def __init__(
        self,
        num_queries: int,
        encoder: Mapping[str, Any] | None = None,
        head: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.num_queries = num_queries
        self.head = CompletionHead(self.encoder.dim, num_queries, **(head or {}))
        self.loss = ChamferLoss('l1')

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F), partial clouds.
            data_samples (list[PointDataSample] | None): with ``complete`` for the loss; ``predict`` writes to them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | tuple[Tensor, Tensor]: ``loss`` and the two terms that it is the sum of,
            ``coarse`` and ``fine``; samples with ``partial`` (N, 3) and ``predicted_complete`` (Q * 64 + N, 3); or
            these for the batch, coarse (B, 2 Q, 3) and fine (B, Q * 64 + N, 3), the input's points last in both.

        Raises:
            ValueError: an unknown mode; clouds of fewer than Q points; for the loss, a sample without its whole
                surface, or with one of another number of points than the others.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        partial = inputs['points'][..., :3]
        target = self._targets(data_samples).to(partial.device) if mode == 'loss' else None
        tokens = self.encode(inputs['points'])
        coarse, fine = self.head(tokens)
        seen = gather(partial, farthest_point_sample(partial, self.num_queries))
        coarse, fine = torch.cat([coarse, seen], dim=1), torch.cat([fine, partial], dim=1)
        if mode == 'tensor':
            return coarse, fine
        if mode == 'predict':
            samples = data_samples or [PointDataSample() for _ in range(len(fine))]
            for sample, given, made in zip(samples, partial, fine):
                sample.partial, sample.predicted_complete = given, made
            return samples
        terms = {'coarse': self.loss(coarse, target), 'fine': self.loss(fine, target)}
        # Global tokens are not read, but every parameter takes part in every step.
        unread = 0 * sum(value.sum() for value in tokens.globals.values())
        return {'loss': terms['coarse'] + terms['fine'] + unread, **{name: x.detach() for name, x in terms.items()}}

    def _targets(self, samples: list[PointDataSample] | None) -> Tensor:
        """(B, M, 3) whole surfaces."""
        samples = samples or [PointDataSample()]
        for sample in samples:
            name = sample.get('sample_id', '?')
            if 'complete' not in sample:
                raise ValueError(
                    f'CompletionModel learns from whole surfaces, sample {name!r} has none; use data for completion '
                    '(PCN), or a transform that makes partial clouds (CropViewpoint, HiddenPointRemoval).'
                )
            if len(sample.complete) != len(samples[0].complete):
                raise ValueError(
                    f'CompletionModel: sample {name!r} has {len(sample.complete)} points on its whole surface, others '
                    f'of the batch {len(samples[0].complete)}; bring them to one number, or use batches of one.'
                )
        return torch.stack([sample.complete for sample in samples])
