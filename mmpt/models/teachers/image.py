"""Image models as teachers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmpt.registry import MODELS

from .base import FrozenTeacher

__all__ = ['TimmTeacher', 'picture_keys']


@MODELS.register_module()
class TimmTeacher(FrozenTeacher):
    """What a frozen timm model makes of the pictures of a batch; the mean over the pictures of a sample.

    Samples without a picture are not valid. With ``cache_dir`` a picture is known by its pixels as the model gets them:
    another view, another size or another normalisation is another picture, and nothing has to be cleared when files
    change. Pictures that are changed at random are never met again; for them a cache only grows.

    Args:
        model_name (str): a timm name. The default is ReCon's teacher: ViT-B/16 trained on ImageNet-21k.
        pretrained (bool): timm's weights, downloaded once. False draws random weights from ``seed``: **a stand-in
            without any knowledge**, for tests and for data that have no download.
        checkpoint (str | None): the weights from a file instead (``model.safetensors`` or ``pytorch_model.bin`` of the
            model's page on huggingface.co/timm), for machines without a network.
        seed (int): of random weights.
        name (str): what the features are called.
        chunk (int): pictures in one pass.
        cache_dir (str | None): see :class:`FrozenTeacher`.
        cache_limit (int): likewise.
        **kwargs: passed on to ``timm.create_model``, for example ``img_size``.

    Raises:
        ValueError: timm does not know the name.
    """

    needs = ('inputs', 'has_image')

    def __init__(
        self,
        model_name: str = 'vit_base_patch16_224.augreg_in21k',
        pretrained: bool = True,
        checkpoint: str | None = None,
        seed: int = 0,
        name: str = 'teacher/image',
        chunk: int = 16,
        cache_dir: str | None = None,
        cache_limit: int = 1_000_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, chunk, cache_dir, cache_limit)
        if not timm.is_model(model_name):
            near = timm.list_models(f'*{model_name[:6]}*')[:5]
            raise ValueError(f'TimmTeacher: timm has no model {model_name!r}; near it: {near}.')
        self.model_name, self.pretrained, self.checkpoint, self.seed = model_name, pretrained, checkpoint, seed
        self.kwargs = kwargs

    def make(self) -> nn.Module:
        """Build the model.

        Raises:
            FileNotFoundError: no such file, or timm's weights cannot be downloaded.
        """
        create = partial(timm.create_model, self.model_name, num_classes=0, **self.kwargs)
        if self.checkpoint is not None:
            model = create(pretrained=True, pretrained_cfg_overlay={'state_dict': _read_weights(self.checkpoint)})
            del model.pretrained_cfg['state_dict']
            return model
        if not self.pretrained:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                return create(pretrained=False)
        try:
            return create(pretrained=True)
        except OSError as error:
            raise FileNotFoundError(
                f'The weights of the teacher {self.model_name!r} cannot be downloaded ({_first_line(error)}): fetch '
                f'model.safetensors from huggingface.co/timm/{self.model_name} and set checkpoint of the neck '
                f'{self.name!r} to it; pretrained=False is a stand-in of random weights.'
            ) from error

    def width(self, teacher: nn.Module) -> int:
        """Channels of the pooled feature."""
        return int(teacher.num_features)

    def about(self) -> dict[str, Any]:
        """Model and version; the weights are counted beside."""
        return {'model': self.model_name, 'arguments': repr(sorted(self.kwargs.items())), 'timm': timm.__version__}

    def encode(self, teacher: nn.Module, items: Tensor) -> Tensor:
        """(chunk, 3, H, W) -> (chunk, D)."""
        return teacher(items)

    def forward(self, step: Mapping[str, Any]) -> dict[str, Tensor]:
        """Features of the samples that have a picture.

        Raises:
            ValueError: the data bring no pictures at all.
        """
        inputs = step['inputs']
        if 'images' not in inputs:
            raise ValueError(
                f'{self.name!r} is made from pictures, and the data bring none: set image_views and image_size of '
                'PackInputs, or leave out the head that reads it.'
            )
        images, present = inputs['images'], inputs['has_image']
        pictures = images.flatten(0, 1)[inputs['image_views']].to(torch.float32)
        features = self.features(pictures, lambda: picture_keys(pictures), images.device)
        owner = inputs['image_views'] // images.shape[1]
        total = features.new_zeros(len(images), self.dim).index_add(0, owner, features)
        mean = total / present.sum(1, keepdim=True).clamp(min=1)
        return {self.name: mean, f'{self.name}/valid': step['has_image']}


def picture_keys(pictures: Tensor) -> np.ndarray:
    """128 bits for every picture, computed where it lies: two multilinear hashes of its bits in 64-bit integers.

    Args:
        pictures (Tensor): (R, 3, H, W) float32.

    Returns:
        np.ndarray: (R, 2) uint64.
    """
    words = pictures.contiguous().flatten(1).view(torch.int32)
    digest = hashlib.blake2b(str(tuple(pictures.shape[1:])).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, 'little') >> 1)
    factors = torch.randint(-(2**63), 2**63 - 1, (2, words.shape[1]), generator=generator) | 1
    factors = factors.to(words.device)
    # A few at a time: 64-bit integers take twice the memory of the pictures.
    keys = [torch.stack([(part.long() * factor).sum(1) for factor in factors], dim=1) for part in words.split(16)]
    return torch.cat(keys).cpu().numpy().view(np.uint64)


def _read_weights(path: str) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise FileNotFoundError(f'The weights {path!r} (checkpoint of TimmTeacher) are missing.')
    if Path(path).suffix == '.safetensors':
        from safetensors.torch import load_file

        return load_file(path)
    state = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    return state.get('state_dict', state)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
