"""Which class a cloud is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, pool_tokens
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

from .base import DownstreamModel

__all__ = ['PointClassifier']


@MODELS.register_module()
class PointClassifier(DownstreamModel):
    """The encoder of the pre-training and a perceptron of three layers (Point-MAE's fine-tuning, METHODS 5.1).

    With ``hidden_layers=1`` and ``norm=False`` it is Point-BERT's. ``frozen=True`` makes it the transfer setting MLP-3,
    and with ``hidden_layers=0`` a linear probe (METHODS 5.2).

    Args:
        num_classes (int): K.
        encoder (dict | None): from ENCODERS, or ``checkpoint`` says what it is; see :class:`DownstreamModel`.
        pooling (Sequence[str]): parts of the cloud's feature.
        hidden_dim (int): width of the hidden layers.
        dropout (float): behind each of them.
        label_smoothing (float): of the cross entropy.
        hidden_layers (int): how many there are.
        norm (bool): batch norm in each of them.
        **kwargs (Any): ``checkpoint``, ``task_encoder``, ``frozen``, ``data_preprocessor`` of the base class.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: dict | None = None,
        pooling: Sequence[str] = ('cls', 'max'),
        hidden_dim: int = 256,
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        hidden_layers: int = 2,
        norm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.num_classes, self.pooling, self.label_smoothing = num_classes, tuple(pooling), label_smoothing
        layers: list[nn.Module] = []
        width = len(self.pooling) * self.encoder.dim
        for _ in range(hidden_layers):
            layers += [nn.Linear(width, hidden_dim), *([BatchNorm(hidden_dim)] if norm else [])]
            layers += [nn.ReLU(inplace=True), nn.Dropout(dropout)]
            width = hidden_dim
        self.head = nn.Sequential(*layers, nn.Linear(width, num_classes))

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F).
            data_samples (list[PointDataSample] | None): with ``label`` for the loss; ``predict`` writes to them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | Tensor: ``loss`` and ``accuracy``; samples with ``logits`` (K,), ``scores``
            (K,) and ``predicted_label``; or (B, K) logits.

        Raises:
            ValueError: an unknown mode; a sample without a label, or with one that is no class of the head, where a
                loss is asked for.
        """
        logits = self.head(pool_tokens(self.encode(inputs['points']), self.pooling).float())
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return self._predict(logits, data_samples)
        if mode != 'loss':
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        labels = self.labels(data_samples, logits.device)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return {'loss': loss, 'accuracy': (logits.detach().argmax(1) == labels).float().mean()}

    def labels(self, samples: list[PointDataSample] | None, device: torch.device) -> Tensor:
        """(B,) int64 class of every sample, each one that the head knows."""
        for sample in samples or ():
            if 'label' in sample and not 0 <= sample.label < self.num_classes:
                raise ValueError(
                    f'sample {sample.get("sample_id", "?")!r} has label {sample.label}, expected 0 to '
                    f'{self.num_classes - 1}; set model.num_classes to the number of classes of the data, or correct '
                    'the label.'
                )
        return super().labels(samples, device)

    def _predict(self, logits: Tensor, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        samples = samples or [PointDataSample() for _ in range(len(logits))]
        for sample, row in zip(samples, logits):
            sample.logits, sample.scores, sample.predicted_label = row, row.softmax(0), row.argmax()
        return samples
