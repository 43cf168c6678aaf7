"""What frozen teachers share: they are made when first needed, never saved, and may be asked once for every item."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from .feature_cache import FeatureCache

__all__ = ['FrozenTeacher']


class FrozenTeacher(nn.Module):
    """A neck that provides ``name`` (B, D), zeros where it has nothing, and ``name/valid`` (B,) bool.

    The teacher is no submodule: it is not in checkpoints, not averaged, not sent around, not trained, and stays in
    evaluation mode. It is made when a step first asks, or by ``check_files`` before a training. It is given items in
    chunks of one size, the last one filled up, outside of autocast: a feature then does not depend on what else is in
    the batch, so that a batch spread over processes, or features read from a cache, give the same numbers.

    Args:
        name (str): what the features are called.
        chunk (int): items in one pass.
        cache_dir (str | None): keep the features of every item on disk below this folder, in a folder of its own for
            every teacher, weights and versions included.
        cache_limit (int): items that are kept at most.
    """

    def __init__(self, name: str, chunk: int, cache_dir: str | None, cache_limit: int) -> None:
        super().__init__()
        self.name, self.chunk, self.cache_dir, self.cache_limit = name, chunk, cache_dir, cache_limit
        self.provides = (name, f'{name}/valid')
        # In a list, which is what keeps it out of parameters, buffers and state.
        self._made: list[nn.Module] = []
        self.cache: FeatureCache | None = None

    def make(self) -> nn.Module:
        """Build the teacher with its weights."""
        raise NotImplementedError

    def width(self, teacher: nn.Module) -> int:
        """D."""
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        """What its features depend on beside its weights; plain values."""
        raise NotImplementedError

    def encode(self, teacher: nn.Module, items: Any) -> Tensor:
        """One chunk of items -> (chunk, D)."""
        raise NotImplementedError

    def forward(self, step: Mapping[str, Any]) -> dict[str, Tensor]:
        """Features of the batch by the names that are provided."""
        raise NotImplementedError

    def check_files(self) -> None:
        """Make the teacher now, so that what it lacks is said before anything else takes long."""
        self.teacher()

    def teacher(self) -> nn.Module:
        """The frozen teacher, made at the first call."""
        if not self._made:
            teacher = self.make().requires_grad_(False).eval()
            self.dim = self.width(teacher)
            self.cache = self._open_cache(teacher)
            self._made.append(teacher)
        return self._made[0]

    def _open_cache(self, teacher: nn.Module) -> FeatureCache | None:
        if self.cache_dir is None:
            return None
        about = json.dumps({'teacher': type(self).__name__, **self.about()}, sort_keys=True)
        digest = hashlib.blake2b(about.encode(), digest_size=8)
        for key, value in teacher.state_dict().items():
            digest.update(f'{key} {tuple(value.shape)} {value.dtype}'.encode())
            digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy())
        slug = re.sub(r'[^A-Za-z0-9]+', '_', self.name).strip('_')
        folder = Path(self.cache_dir) / f'{slug}-{digest.hexdigest()}'
        folder.mkdir(parents=True, exist_ok=True)
        # For people; nothing reads it.
        with contextlib.suppress(FileExistsError), open(folder / 'about.json', 'x') as file:
            file.write(about)
        cache = FeatureCache(self.dim, folder, self.cache_limit)
        print_log(f'Features of {self.name} are kept in {folder}: {len(cache)} so far.', logger='current')
        return cache

    @torch.no_grad()
    def features(self, items: Any, keys: Callable[[], np.ndarray], device: torch.device) -> Tensor:
        """Features of items, from the cache where there is one.

        Args:
            items (Tensor | list): R of them.
            keys (Callable): gives their keys, (R, 2) uint64; called only for a cache.
            device (torch.device): where the teacher runs and the features go.

        Returns:
            Tensor: (R, D) float32.
        """
        teacher = self.teacher()
        if not len(items):
            return torch.zeros(0, self.dim, device=device, dtype=torch.float32)
        if self.cache is None:
            return self._encode(teacher, items, device)

        def compute(which: np.ndarray) -> np.ndarray:
            return self._encode(teacher, self.take(items, which.tolist()), device).cpu().numpy()

        return torch.from_numpy(self.cache.rows(keys(), compute)).to(device)

    def _encode(self, teacher: nn.Module, items: Any, device: torch.device) -> Tensor:
        rows = []
        teacher.to(device)
        with torch.autocast(device.type, enabled=False):
            for start in range(0, len(items), self.chunk):
                part = self.take(items, range(start, min(start + self.chunk, len(items))))
                filled = self.take(items, [*range(start, start + len(part)), *[start] * (self.chunk - len(part))])
                rows.append(self.encode(teacher, filled)[: len(part)].to(device, torch.float32))
        return torch.cat(rows)

    @staticmethod
    def take(items: Any, which: Any) -> Any:
        """Some of the items."""
        if isinstance(items, Tensor):
            return items[torch.as_tensor(which, device=items.device)]
        return [items[index] for index in which]
