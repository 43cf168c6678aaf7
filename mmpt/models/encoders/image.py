"""Image encoders from timm."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from mmpt.models.layers import synchronise_batch_norms
from mmpt.registry import ENCODERS

__all__ = ['TimmImageEncoder']


@ENCODERS.register_module()
class TimmImageEncoder(nn.Module):
    """Any timm model without its classifier: (R, 3, H, W) normalised images in, (R, D) pooled features out.

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
        if frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> TimmImageEncoder:
        """Set the mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def forward(self, images: Tensor) -> Tensor:
        """(R, 3, H, W) -> (R, D)."""
        return self.model(images)
