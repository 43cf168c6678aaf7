"""Which part every point of an object belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpt.registry import HEADS, MODELS
from mmpt.structures import PointDataSample

from .base import DownstreamModel

__all__ = ['PartSegmentor']


@MODELS.register_module()
class PartSegmentor(DownstreamModel):
    """The encoder of the pre-training and a head for parts, Point-MAE's or another (METHODS 5.5).

    The class of a shape is known, in training and in testing, as is the custom on ShapeNetPart. Training decides among
    the parts of all classes, a prediction is one of the parts of the class.

    Args:
        parts (Sequence[int]): how many parts each class has. In the data parts are counted from 0 within a class.
        encoder (dict | None): from ENCODERS, or ``checkpoint`` says what it is; see :class:`DownstreamModel`.
        levels (int): blocks whose tokens are read, evenly spaced, the last one included. An encoder without blocks of
            one width gives what it has: the tokens of its points (DGCNN, PointNet), or of the scales that its own
            ``levels`` name (Point-M2AE).
        head (dict | None): from HEADS, Point-MAE's ``SegmentationHead`` where no type is given, or Point-BERT's
            ``GraphSegmentationHead``, and their sizes: the papers' where not given.
        **kwargs (Any): ``checkpoint``, ``task_encoder``, ``frozen``, ``data_preprocessor`` of the base class.
    """

    def __init__(
        self,
        parts: Sequence[int],
        encoder: Mapping[str, Any] | None = None,
        levels: int = 3,
        head: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.parts = tuple(parts)
        if hasattr(self.encoder, 'spread_levels'):
            self.encoder.spread_levels(levels)
        in_dim = getattr(self.encoder, 'places_dim', self.encoder.dim)
        sizes = {'in_dim': in_dim, 'num_classes': sum(self.parts), 'categories': len(self.parts)}
        self.head = HEADS.build({'type': 'SegmentationHead', **sizes, **(head or {})})
        counts = torch.tensor(self.parts)
        starts = counts.cumsum(0) - counts
        number = torch.arange(sum(self.parts))
        own = (number >= starts[:, None]) & (number < (starts + counts)[:, None])
        # What the config says stands in no checkpoint.
        self.register_buffer('starts', starts, persistent=False)
        self.register_buffer('own', own, persistent=False)

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F).
            data_samples (list[PointDataSample] | None): with ``label``, and ``parts`` for the loss; ``predict`` writes
                to them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | Tensor: ``loss`` and ``accuracy``, the share of points whose part is found
            among those of the class; samples with ``predicted_parts`` (N,); or (B, N, K) logits of all parts, class by
            class.

        Raises:
            ValueError: an unknown mode; a sample without a label, or of a class that ``parts`` does not have; for the
                loss, one without parts, or with a part that its class does not have.
        """
        points = inputs['points']
        labels = self._known(data_samples).to(points.device)
        if mode == 'loss':
            target = self.starts[labels, None] + self._targets(data_samples).to(points.device)
        elif mode not in ('predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        tokens = self.encode(points)
        logits = self.head(tokens, points[..., :3], labels).float()
        if mode == 'tensor':
            return logits
        found = logits.detach().masked_fill(~self.own[labels, None], -torch.inf).argmax(2)
        if mode == 'loss':
            loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
            # Global tokens are not read, but every parameter takes part in every step.
            loss = loss + 0 * sum(value.sum() for value in tokens.globals.values())
            return {'loss': loss, 'accuracy': (found == target).float().mean()}
        for sample, row in zip(data_samples, found - self.starts[labels, None]):
            sample.predicted_parts = row
        return data_samples

    def _known(self, samples: list[PointDataSample] | None) -> Tensor:
        """(B,) classes; read on the host, where a wrong one can be named."""
        labels = self.labels(samples, torch.device('cpu'))
        for sample, label in zip(samples or (), labels.tolist()):
            if not 0 <= label < len(self.parts):
                raise ValueError(
                    f'sample {sample.get("sample_id", "?")!r} is of class {label}, but `parts` of PartSegmentor names '
                    f'those of {len(self.parts)} classes; make model.parts agree with the data.'
                )
        return labels

    def _targets(self, samples: list[PointDataSample]) -> Tensor:
        """(B, N) parts within their classes; checked on the host, as a loss on the device would end the process."""
        for sample in samples:
            name, count = sample.get('sample_id', '?'), self.parts[int(sample.label)]
            if 'parts' not in sample:
                raise ValueError(
                    f'PartSegmentor learns from a part for every point, sample {name!r} has none; use data with parts '
                    '(ShapeNetPart, or generated categories).'
                )
            low, high = int(sample.parts.min()), int(sample.parts.max())
            if low < 0 or high >= count:
                raise ValueError(
                    f'sample {name!r} of class {int(sample.label)} has part {low if low < 0 else high}, expected 0 to '
                    f'{count - 1}; make model.parts agree with the data, or repair the sample.'
                )
        return torch.stack([sample.parts for sample in samples])
