"""Clouds and pictures in the space in which a head contrasts them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from mmpt.models.heads import Head

from .images import image_features

__all__ = ['joint_embeddings']


def joint_embeddings(
    encoder: nn.Module, image_encoder: nn.Module | None, heads: Mapping[str, Head], inputs: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Embed whole clouds and the pictures that are there by the first head that has a joint space.

    Args:
        encoder (nn.Module): of clouds.
        image_encoder (nn.Module | None): of pictures.
        heads (Mapping[str, Head]): by task.
        inputs (dict[str, Tensor]): contract 2, with or without pictures.

    Returns:
        dict[str, Tensor]: ``points`` (B, D) float32 and, where there are pictures, ``images`` (R, D) float32 of the
        samples ``inputs['image_rows']``, the mean feature over their views; of any length.

    Raises:
        ValueError: no head has a joint space.
    """
    head = next((head for head in heads.values() if head.joint_space), None)
    if head is None or image_encoder is None:
        raise ValueError(
            f'None of the heads {", ".join(heads)} has a joint space of clouds and pictures: retrieval needs a config '
            'and checkpoint of MMPT, CrossPoint or Cross-BERT with its contrast of pictures.'
        )
    embedded = {'points': head.embed_points(encoder(inputs['points'])).float()}
    if 'images' in inputs and len(inputs['image_rows']):
        embedded['images'] = head.embed_images(image_features(image_encoder, inputs)).float()
    return embedded
