"""Text models as teachers of captions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmpt.registry import MODELS

from .base import FrozenTeacher
from .feature_cache import FeatureCache

__all__ = ['HashedTextTeacher', 'OpenClipTextTeacher']

_IN_MEMORY = 20_000


class _TextTeacher(FrozenTeacher):
    """Features of the captions in the data samples; equal texts are encoded once.

    Args:
        prompts (Sequence[str]): phrases around a caption, which takes the place of ``{}``; with several, one is drawn
            for every sample of every step.
    """

    needs = ('inputs', 'data_samples', 'draws')

    def __init__(self, prompts: Sequence[str], name: str, chunk: int, cache_dir: str | None, cache_limit: int) -> None:
        super().__init__(name, chunk, cache_dir, cache_limit)
        wrong = [prompt for prompt in prompts if '{}' not in prompt]
        if wrong or not prompts:
            raise ValueError(f"{type(self).__name__}: prompts hold '{{}}' where the caption goes, got {prompts!r}.")
        self.prompts = tuple(prompts)

    def forward(self, step: Mapping[str, Any]) -> dict[str, Tensor]:
        """Features of the samples that have a caption."""
        points = step['inputs']['points']
        samples = step['data_samples'] or [{}] * len(points)
        captions = [sample.get('caption') for sample in samples]
        prompts = [self.prompts[0]] * len(captions)
        if len(self.prompts) > 1:
            draws = step['draws'].rand(f'{self.name}/prompts', (len(captions),), 'cpu')
            prompts = [self.prompts[int(draw * len(self.prompts))] for draw in draws.tolist()]
        texts = {i: p.replace('{}', c) for i, (p, c) in enumerate(zip(prompts, captions)) if c}
        place = {text: number for number, text in enumerate(dict.fromkeys(texts.values()))}
        different = list(place)
        features = self.features(different, lambda: _text_keys(different), points.device)
        rows = torch.tensor(list(texts), dtype=torch.long, device=points.device)
        which = torch.tensor([place[text] for text in texts.values()], dtype=torch.long, device=points.device)
        dense = features.new_zeros(len(captions), self.dim).index_copy(0, rows, features[which])
        valid = torch.zeros(len(captions), dtype=torch.bool, device=points.device).index_fill(0, rows, True)
        return {self.name: dense, f'{self.name}/valid': valid}


@MODELS.register_module()
class OpenClipTextTeacher(_TextTeacher):
    """What the text half of a frozen CLIP model makes of the captions; needs the optional package open_clip.

    Features of up to 20,000 texts are kept in memory, or with ``cache_dir`` on disk.

    Args:
        model_name (str): an open_clip name. The default is ReCon's teacher: OpenAI's CLIP ViT-B/32.
        pretrained (str | None): weights by open_clip's tag, downloaded once, or a file; None draws random weights from
            ``seed``, a stand-in.
        seed (int): of random weights.
        prompts (Sequence[str]): phrases around a caption, which takes the place of ``{}``; with several, one is drawn
            for every sample of every step (ReCon draws one of 60).
        name (str): what the features are called.
        chunk (int): texts in one pass.
        cache_dir (str | None): see :class:`FrozenTeacher`.
        cache_limit (int): likewise.
    """

    def __init__(
        self,
        model_name: str = 'ViT-B-32-quickgelu',
        pretrained: str | None = 'openai',
        seed: int = 0,
        prompts: Sequence[str] = ('{}',),
        name: str = 'teacher/text',
        chunk: int = 16,
        cache_dir: str | None = None,
        cache_limit: int = 1_000_000,
    ) -> None:
        super().__init__(prompts, name, chunk, cache_dir, cache_limit)
        self.model_name, self.pretrained, self.seed = model_name, pretrained, seed

    def make(self) -> nn.Module:
        """Build model and tokenizer.

        Raises:
            ImportError: open_clip is not installed.
            ValueError: open_clip has no such model or weights.
            FileNotFoundError: the weights cannot be downloaded.
        """
        try:
            import open_clip
        except ImportError as error:
            raise ImportError(
                'The text teacher OpenClipTextTeacher needs open_clip, which is not installed: '
                '`pip install open_clip_torch`, or leave the text task out (model.heads.text=None).'
            ) from error
        if self.model_name not in open_clip.list_models():
            raise ValueError(
                f'OpenClipTextTeacher: open_clip has no model {self.model_name!r}; open_clip.list_models() lists them.'
            )
        self.tokenize = open_clip.get_tokenizer(self.model_name)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                model = open_clip.create_model(self.model_name, self.pretrained)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f'The weights {self.pretrained!r} of the text teacher {self.model_name!r} cannot be had '
                f'({str(error).splitlines()[0]}): fetch them elsewhere and set pretrained of the neck {self.name!r} to '
                'the file, or leave the text task out (model.heads.text=None).'
            ) from error
        # Half of a CLIP model looks at pictures; it is not needed.
        model.visual = nn.Identity()
        return model

    def width(self, teacher: nn.Module) -> int:
        """Channels of the common space of CLIP."""
        import open_clip

        return int(open_clip.get_model_config(self.model_name)['embed_dim'])

    def about(self) -> dict[str, Any]:
        """Model and version; the weights are counted beside."""
        import open_clip

        return {'model': self.model_name, 'open_clip': open_clip.__version__}

    def _open_cache(self, teacher: nn.Module) -> FeatureCache:
        cache = super()._open_cache(teacher)
        # An empty cache is false.
        return FeatureCache(self.dim, limit=_IN_MEMORY) if cache is None else cache

    def encode(self, teacher: nn.Module, items: list[str]) -> Tensor:
        """Texts -> (chunk, D), not normalised."""
        return teacher.encode_text(self.tokenize(items).to(next(teacher.parameters()).device))


@MODELS.register_module()
class HashedTextTeacher(_TextTeacher):
    """A stand-in without a download: every text has a random vector of its own, drawn from a digest of the text.

    It knows nothing of language: equal texts have equal features, and any two others have nothing in common. For tests,
    and so that a config runs where open_clip is not installed.

    Args:
        dim (int): D.
        prompts (Sequence[str]): see :class:`OpenClipTextTeacher`.
        name (str): what the features are called.
    """

    def __init__(self, dim: int = 512, prompts: Sequence[str] = ('{}',), name: str = 'teacher/text') -> None:
        super().__init__(prompts, name, 1, None, 0)
        self.dim = dim

    def make(self) -> nn.Module:
        """There is no model."""
        return nn.Identity()

    def width(self, teacher: nn.Module) -> int:
        """As asked for."""
        return self.dim

    def encode(self, teacher: nn.Module, items: list[str]) -> Tensor:
        """Texts -> (chunk, D) standard normal."""
        rows = [np.random.default_rng(_text_keys([text])[0]).standard_normal(self.dim) for text in items]
        return torch.from_numpy(np.stack(rows).astype(np.float32))


def _text_keys(texts: Sequence[str]) -> np.ndarray:
    """(R, 2) uint64, a digest of every text."""
    digests = b''.join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return np.frombuffer(digests, '<u8').reshape(-1, 2)
