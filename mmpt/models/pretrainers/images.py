"""What the image encoder makes of the pictures of a step."""

from __future__ import annotations

from torch import Tensor, nn

from .step import Step

__all__ = ['image_features', 'offer_images']


def offer_images(step: Step, encoder: nn.Module | None, inputs: dict[str, Tensor], tokens: bool) -> None:
    """Offer which samples have a picture, and the features of these.

    Args:
        step (Step): of ``inputs``.
        encoder (nn.Module | None): of images; None where no head reads features.
        inputs (dict[str, Tensor]): contract 2, with or without images.
        tokens (bool): somebody reads ``image_tokens``; features and tokens are then one pass.
    """
    if 'images' not in inputs:
        return
    step.offer('has_image', lambda: inputs['has_image'].any(1))
    step.put('image_rows', inputs['image_rows'])
    if encoder is None:
        return
    if not tokens:
        step.offer('images', lambda: image_features(encoder, inputs))
        return
    step.offer('image_pass', lambda: _features_and_tokens(encoder, inputs))
    step.offer('images', lambda: step['image_pass'][0])
    step.offer('image_tokens', lambda: step['image_pass'][1])


def image_features(encoder: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """(R, D) features of the samples that have an image, the mean over their views."""
    images, present = inputs['images'], inputs['has_image']
    features: Tensor = encoder(images.flatten(0, 1)[inputs['image_views']])
    if images.shape[1] == 1:
        return features
    owner = inputs['image_views'] // images.shape[1]
    total = features.new_zeros(len(images), features.shape[1]).index_add(0, owner, features)
    return (total / present.sum(1, keepdim=True).clamp(min=1))[inputs['image_rows']]


def _features_and_tokens(encoder: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(R, D) features of the samples that have an image, and the (R, T, E) tokens that these are pooled from."""
    views = inputs['images'].shape[1]
    if views != 1:
        raise ValueError(
            f'Tokens of images are those of one image a sample, the data have {views}: set num_views=1 of PickViews or '
            'LoadImages, and image_views=1 of PackInputs.'
        )
    return encoder.tokens(inputs['images'].flatten(0, 1)[inputs['image_views']])
