"""What models for labelled tasks share: the encoder of the pre-training, filled, and frozen where asked."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpt.registry import ENCODERS, MODELS
from mmpt.structures import PointDataSample
from mmpt.utils.checkpoint import load_checkpoint, match_state_dict, model_state
from mmpt.utils.config import check_encoder_cfg
from mmpt.utils.errors import CheckpointError

__all__ = ['DownstreamModel']

_PREFIX = 'encoder.'


class DownstreamModel(BaseModel):
    """A labelled task around the encoder class of the pre-training (ARCHITECTURE 4); a subclass adds the head.

    Without a checkpoint the encoder is the one that ``encoder`` describes, at random initialisation: the control. With
    one, the checkpoint says what the encoder is (width, depth, patches), and ``encoder`` is not read. What the task
    wants otherwise (more patches, another drop-path, a class token) stands in ``task_encoder`` and holds for both.

    Args:
        encoder (dict | None): from ENCODERS; may be None where a checkpoint is given.
        checkpoint (str | None): of a pre-training of ours, or written by tools/model_converters/convert.py; moving
            averages count where it has some. It is read when the model is built (the sizes) and by
            :meth:`init_weights` (the weights), and not needed to resume a run from its own checkpoints.
        task_encoder (dict | None): arguments of the encoder over what ``encoder`` or the checkpoint says.
        frozen (bool): the encoder learns nothing and stays in evaluation mode, so that drop-path is off and batch norms
            keep their statistics.
        data_preprocessor (dict | None): from MODELS.

    Attributes:
        encoder_cfg (dict): builds the encoder anew; goes into every checkpoint.
        pretrained_meta (dict): ``meta`` of the checkpoint, for what is said about its data; empty without one.
        scheduled (tuple[str, ...]): ``norm_momentum``, which ``ValueScheduleHook`` may set.
    """

    scheduled = ('norm_momentum',)

    def __init__(
        self,
        encoder: Mapping[str, Any] | None = None,
        checkpoint: str | None = None,
        task_encoder: Mapping[str, Any] | None = None,
        frozen: bool = False,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or {'type': 'PointDataPreprocessor'}))
        self.checkpoint, self.frozen = checkpoint, frozen
        self.pretrained_meta: dict[str, Any] = {}
        if checkpoint is not None:
            self.pretrained_meta = dict(load_checkpoint(checkpoint).get('meta') or {})
            encoder = self._described(checkpoint)
        elif encoder is None:
            raise ValueError(f'{type(self).__name__} needs an encoder or a checkpoint of one (model.checkpoint).')
        self.encoder_cfg = deepcopy({**encoder, **(task_encoder or {})})
        self._own = set(task_encoder or ())
        self.encoder = self._build()
        if frozen:
            self.encoder.requires_grad_(False).eval()

    def init_weights(self) -> None:
        """Draw what the subclass draws, then fill the encoder from the checkpoint and say what matched.

        Raises:
            CheckpointError: the checkpoint lacks more than the tokens that ``task_encoder`` asks for.
        """
        super().init_weights()
        if self.checkpoint is None:
            return
        weights, averaged = model_state(load_checkpoint(self.checkpoint))
        state = {key[len(_PREFIX) :]: value for key, value in weights.items() if key.startswith(_PREFIX)}
        match = match_state_dict(self.encoder, state)
        # A class token that the pre-training did not have starts at random, as in Point-MAE (METHODS 2.2).
        fresh = {'cls_token', 'cls_pos'} if 'cls_token' in self._own else set()
        lacking = [key for key in match.missing + match.reshaped if key not in fresh]
        if lacking:
            raise CheckpointError(
                f'{self.checkpoint} does not fill {type(self.encoder).__name__} with task_encoder: {match}; '
                f'the first tensor it lacks is {lacking[0]}.'
            )
        self.encoder.load_state_dict({key: state[key] for key in match.matched}, strict=False)
        which = 'moving averages' if averaged else 'plain weights'
        print_log(f'{type(self.encoder).__name__} from {self.checkpoint} ({which}): {match}.', logger='current')

    @property
    def norm_momentum(self) -> float:
        """The share that a batch has in the running statistics of the batch norms; all of them have the same."""
        return next(module.momentum for module in self.modules() if isinstance(module, _BatchNorm))

    @norm_momentum.setter
    def norm_momentum(self, value: float) -> None:
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = value

    def train(self, mode: bool = True) -> DownstreamModel:
        """Training mode for all but a frozen encoder."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def encode(self, points: Tensor) -> Any:
        """``Tokens`` of (B, N, 3 + F) points; without a graph where the encoder is frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.encoder(points)

    def labels(self, samples: list[PointDataSample] | None, device: torch.device) -> Tensor:
        """(B,) int64 class of every sample.

        Raises:
            ValueError: a sample without one.
        """
        for sample in samples or [PointDataSample()]:
            if 'label' not in sample:
                raise ValueError(
                    f'{type(self).__name__} needs the label of every sample, {sample.get("sample_id", "?")!r} has none.'
                )
        return torch.tensor([int(sample.label) for sample in samples or ()], device=device)

    def _described(self, checkpoint: str) -> dict[str, Any]:
        cfg = self.pretrained_meta.get('encoder_cfg')
        if not isinstance(cfg, dict):
            raise CheckpointError(
                f"{checkpoint} does not say what its encoder is (meta['encoder_cfg'] is missing); a file of another "
                'codebase is converted first: python tools/model_converters/convert.py SRC DST.'
            )
        check_encoder_cfg(cfg, checkpoint)
        return cfg

    def _build(self) -> nn.Module:
        try:
            return ENCODERS.build(deepcopy(self.encoder_cfg))
        except TypeError as error:
            raise ValueError(
                f'{type(self).__name__}: the encoder cannot be built with task_encoder: {error}'
            ) from error
