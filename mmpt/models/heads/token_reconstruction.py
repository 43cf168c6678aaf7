"""Token-level reconstruction: which discrete token stands behind a hidden patch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmpt.models.layers import select_hidden, share_of_rows
from mmpt.registry import HEADS, LOSSES

from .base import Head

__all__ = ['TokenReconstructionHead', 'TokenRegressionHead']


@HEADS.register_module()
class TokenReconstructionHead(Head):
    """A linear classifier over the tokenizer's vocabulary at every hidden patch (MMPT's TLR; Point-BERT).

    Args:
        dim (int): C, channels of the hidden tokens.
        num_ids (int): size of the tokenizer's vocabulary.
        loss (dict): from LOSSES.
    """

    needs = ('hidden', 'ids', 'mask')

    def __init__(self, dim: int, num_ids: int, loss: dict | None = None) -> None:
        super().__init__()
        self.classifier = nn.Linear(dim, num_ids)
        self.criterion = LOSSES.build(loss or {'type': 'TokenCrossEntropy'})

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Cross entropy and accuracy over the hidden patches."""
        logits = self.classifier(step['hidden'])
        ids = select_hidden(step['ids'], step['mask'])
        correct = (logits.detach().argmax(-1) == ids).float()
        loss = share_of_rows(self.criterion(logits, ids), len(ids))
        return {'loss': loss, 'accuracy': correct.sum() / max(len(correct), 1)}, {}


@HEADS.register_module()
class TokenRegressionHead(Head):
    """Regression to a frozen tokenizer's continuous features at every hidden patch (unknown U1 of METHODS 1.2).

    Args:
        dim (int): C, channels of the hidden tokens.
        target_dim (int): channels of the tokenizer's features.
        loss (dict): from LOSSES.
    """

    needs = ('hidden', 'token_features', 'mask')

    def __init__(self, dim: int, target_dim: int, loss: dict | None = None) -> None:
        super().__init__()
        self.regressor = nn.Linear(dim, target_dim)
        self.criterion = LOSSES.build(loss or {'type': 'FeatureRegressionLoss'})

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Regression loss over the hidden patches."""
        target = select_hidden(step['token_features'], step['mask'])
        return {'loss': share_of_rows(self.criterion(self.regressor(step['hidden']), target), len(target))}, {}
