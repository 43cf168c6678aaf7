"""What a head is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmpt.structures import Tokens

__all__ = ['Head']


class Head(nn.Module):
    """One task: it owns its target and its prediction, and calls a loss.

    A head reads what it ``needs`` from the step and may leave behind what it ``provides``; the pretrainer sorts heads
    by these names when it is built. What a step offers: ``inputs`` (contract 2), ``patches``, ``mask``, ``hidden``
    ((R, C) tokens of the hidden patches), ``ids`` and ``token_features`` of the tokenizer, every configured view
    (:class:`Tokens`) with ``<view>/mask``, ``<view>/ids`` and ``<view>/share`` where it has them, ``images`` ((R, D)
    features of the samples that have an image), ``image_tokens`` ((R, T, E), what these are pooled from),
    ``image_rows`` ((R,) which samples these are), ``has_image`` ((B,) bool), ``data_samples`` (a list, or None),
    ``draws`` and whatever heads and necks before it provide.
    """

    needs: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    #: Whether clouds and pictures have a space in common here: ``embed_points`` and ``embed_images`` lead to it.
    joint_space: bool = False

    def embed_points(self, tokens: Tokens) -> Tensor:
        """(B, D) clouds in the joint space."""
        raise NotImplementedError

    def embed_images(self, images: Tensor) -> Tensor:
        """(R, D) pictures in the joint space, of their (R, E) features."""
        raise NotImplementedError

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Compute the task's loss.

        Every trainable parameter of the head takes part, also where nothing is there to predict.

        Args:
            step (Mapping[str, Any]): values by name, computed when first read.

        Returns:
            tuple[dict[str, Tensor], dict[str, Any]]: ``{'loss': scalar, <monitor>: scalar}``, where monitors carry no
            gradient, and the provided values by name.
        """
        raise NotImplementedError
