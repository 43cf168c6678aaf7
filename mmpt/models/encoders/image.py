"""Image encoders from timm."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpt.models.layers import synchronise_batch_norms
from mmpt.registry import ENCODERS

__all__ = ['TimmImageEncoder']


@ENCODERS.register_module()
class TimmImageEncoder(nn.Module):
    """Any timm model without its classifier: (R, 3, H, W) normalised images in, (R, D) pooled features out.

    R may be 0.

    Args:
        model_name (str): a timm name; ``timm.list_models()`` lists them.
        pretrained (bool): download timm's weights; off by default (CrossPoint trains the branch from scratch).
        frozen (bool): no gradient and evaluation mode throughout.
        **kwargs: passed on to ``timm.create_model``, for example ``img_size`` of a vision transformer.

    Raises:
        ValueError: timm does not know the name.
    """

    def __init__(self, model_name: str = 'resnet50', pretrained: bool = False, frozen: bool = False, **kwargs) -> None:
        super().__init__()
        if not timm.is_model(model_name):
            near = timm.list_models(f'*{model_name[:6]}*')[:5]
            raise ValueError(f'TimmImageEncoder: timm has no model {model_name!r}; near it: {near}.')
        self.model = timm.create_model(model_name, pretrained=pretrained, num_classes=0, **kwargs)
        synchronise_batch_norms(self.model)
        self.dim = self.model.num_features
        self.frozen = frozen
        # On a CPU clearly faster for the small ResNet of the quick start, about the same for ResNet-18 and ResNet-50.
        self.to(memory_format=torch.channels_last)
        self._has_batch_norm = any(isinstance(module, _BatchNorm) for module in self.model.modules())
        if frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> TimmImageEncoder:
        """Set the mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def forward(self, images: Tensor) -> Tensor:
        """(R, 3, H, W) -> (R, D)."""
        return self.model(self._ready(images))[: len(images)]

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features, and what they are pooled from: tokens of a transformer, places of a feature map.

        Args:
            images (Tensor): (R, 3, H, W).

        Returns:
            tuple[Tensor, Tensor]: (R, D) as :meth:`forward` gives, and (R, T, E).

        Raises:
            ValueError: the model gives neither a sequence nor a map.
        """
        features = self.model.forward_features(self._ready(images))
        pooled = self.model.forward_head(features)[: len(images)]
        tokens = features
        if isinstance(features, Tensor) and features.dim() == 4:
            channels_last = str(getattr(self.model, 'output_fmt', '')).endswith('NHWC')
            tokens = features.flatten(1, 2) if channels_last else features.flatten(2).mT
        if not isinstance(tokens, Tensor) or tokens.dim() != 3:
            kind = type(self.model).__name__
            raise ValueError(f'TimmImageEncoder: {kind} gives no tokens of an image; take another model_name.')
        return pooled, tokens[: len(images)]

    def _ready(self, images: Tensor) -> Tensor:
        """Channels last; one blank image in place of none, for models that cannot take none.

        Batch norms can, and must not see it.
        """
        if not len(images) and not self._has_batch_norm:
            images = images.new_zeros(1, *images.shape[1:])
        return images.contiguous(memory_format=torch.channels_last)
