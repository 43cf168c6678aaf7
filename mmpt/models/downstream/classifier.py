"""Which class a cloud is."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, pool_tokens
from mmpt.registry import ENCODERS, MODELS
from mmpt.structures import PointDataSample

__all__ = ['PointClassifier']


@MODELS.register_module()
class PointClassifier(BaseModel):
    """The encoder of the pre-training and a perceptron of three layers (Point-MAE's fine-tuning, METHODS 5.1).

    With ``hidden_layers=1`` and ``norm=False`` it is Point-BERT's.

    Args:
        encoder (dict): from ENCODERS; ``encoder.*`` in every checkpoint.
        num_classes (int): K.
        pooling (Sequence[str]): parts of the cloud's feature.
        hidden_dim (int): width of the hidden layers.
        dropout (float): behind each of them.
        label_smoothing (float): of the cross entropy.
        hidden_layers (int): how many there are.
        norm (bool): batch norm in each of them.
        data_preprocessor (dict | None): from MODELS.
    """

    def __init__(
        self,
        encoder: dict,
        num_classes: int,
        pooling: Sequence[str] = ('cls', 'max'),
        hidden_dim: int = 256,
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        hidden_layers: int = 2,
        norm: bool = True,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or {'type': 'PointDataPreprocessor'}))
        self.encoder_cfg = deepcopy(dict(encoder))
        self.encoder = ENCODERS.build(encoder)
        self.pooling, self.label_smoothing = tuple(pooling), label_smoothing
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
            dict | list[PointDataSample] | Tensor: ``loss`` and ``accuracy``; samples with ``scores`` (K,) and
            ``predicted_label``; or (B, K) logits.

        Raises:
            ValueError: an unknown mode, or a sample without a label where a loss is asked for.
        """
        logits = self.head(pool_tokens(self.encoder(inputs['points']), self.pooling).float())
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return self._predict(logits, data_samples)
        if mode != 'loss':
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        labels = self._labels(data_samples, logits.device)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return {'loss': loss, 'accuracy': (logits.detach().argmax(1) == labels).float().mean()}

    def _predict(self, logits: Tensor, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        samples = samples or [PointDataSample() for _ in range(len(logits))]
        for sample, row in zip(samples, logits.softmax(1)):
            sample.scores, sample.predicted_label = row, row.argmax()
        return samples

    @staticmethod
    def _labels(samples: list[PointDataSample] | None, device: torch.device) -> Tensor:
        for sample in samples or [PointDataSample()]:
            if 'label' not in sample:
                raise ValueError(
                    f'PointClassifier needs a label to learn from, sample {sample.get("sample_id", "?")!r} has none.'
                )
        return torch.tensor([int(sample.label) for sample in samples or ()], device=device)
