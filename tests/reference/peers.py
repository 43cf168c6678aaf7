"""The numeric outputs of published peers: where they lie, and how ours are compared with them.

Each ``parity_<family>.py`` beside this has ``cases(folder)``, which yields ``Case``s; tests/test_apis/test_parity.py
asserts them and tools/benchmarks/parity.py prints them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from mmpt.apis.origins import convert
from mmpt.engine import ParamGroupConstructor
from mmpt.registry import MODELS
from mmpt.structures import Mask, Patches

ROOT = Path(__file__).resolve().parents[2]
ABSOLUTE, RELATIVE = 1e-4, 1e-3


class Case(NamedTuple):
    """One tensor: the file and name it stands under, the largest difference, and how much is allowed.

    Where that is relative to the file's value, the largest absolute difference stands beside it.
    """

    file: str
    name: str
    difference: float
    allowed: float
    relative: bool = False
    absolute: float | None = None


class Fixture:
    """One file: its arrays, its weights in our names, and the model of ours that they fill."""

    def __init__(self, path: Path, family: str | None = None, **choices):
        self.name = path.stem
        self.arrays = dict(np.load(path))
        self.meta = json.loads(str(self.arrays['meta']))
        # As a file of the origin has them: wrapped for several processes, in a container.
        origin = {f'module.{k[3:]}': torch.from_numpy(v) for k, v in self.arrays.items() if k.startswith('sd/')}
        self.origin = {key.removeprefix('module.'): value for key, value in origin.items()}
        self.converted = convert({'base_model': origin, 'epoch': 300}, family, **choices)

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(np.array(self.arrays[name]))

    def build(self):
        """Our model with exactly these weights, in evaluation mode."""
        with DefaultScope.overwrite_default_scope('mmpt'):
            model = MODELS.build(dict(self.converted.model_cfg))
        match = model.load_state_dict(self.converted.state, strict=False)
        assert not match.unexpected_keys, match.unexpected_keys
        return model.eval(), match.missing_keys

    def patches(self) -> Patches:
        """The file's own centres and neighbourhoods."""
        index = torch.zeros(self['neighborhood'].shape[:3], dtype=torch.long)
        return Patches(self['neighborhood'], self['center'], None, index)

    def mask(self) -> Mask:
        """The file's own mask."""
        hidden = self['mask']
        batch = len(hidden)
        return Mask(hidden, (~hidden).nonzero()[:, 1].view(batch, -1), hidden.nonzero()[:, 1].view(batch, -1))

    def case(self, name: str, ours: torch.Tensor, relative: float | None = None) -> Case:
        """Compare with the file's array of that name."""
        theirs = self[name]
        ours = torch.as_tensor(ours).detach()
        assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
        difference = (ours.double() - theirs.double()).abs()
        if relative is not None:
            share = float((difference / theirs.abs()).max())
            return Case(self.name, name, share, relative, True, float(difference.max()))
        return Case(self.name, name, float(difference.max()), ABSOLUTE if theirs.is_floating_point() else 0.0)

    def gradients(self, model, loss: torch.Tensor, convert_key):
        """Norm of the loss's gradient for every parameter that the file names."""
        model.zero_grad()
        loss.backward()
        own = dict(model.named_parameters())
        for name in sorted(key for key in self.arrays if key.startswith('grad_norm/')):
            key = convert_key(name.removeprefix('grad_norm/'))
            theirs = self[name]
            if float(theirs) < 1e-6:
                # Zero in theory, as that of a bias in front of a batch norm: rounding has no relative size.
                yield Case(self.name, name, float((own[key].grad.norm() - theirs).abs()), ABSOLUTE)
            else:
                yield self.case(name, own[key].grad.norm(), RELATIVE)


def inject(model, fixture: Fixture) -> None:
    """Let the model take the file's patches and mask in place of its own, on every path that asks for them."""
    patches, mask = fixture.patches(), fixture.mask()
    model.encoder.group = lambda points: patches
    model.masking = lambda patches, draws: mask


def train_steps(model, inputs: dict, count: int, key: str = 'loss') -> list[float]:
    """Train with our optimiser groups (METHODS 2.1) at lr 1e-3, weight decay 0.05; the loss of every step."""
    wrapper: OptimWrapper = ParamGroupConstructor(
        {'optimizer': {'type': 'AdamW', 'lr': 1e-3, 'weight_decay': 0.05}, 'clip_grad': None}
    )(model)
    model.train()
    return [float(model.train_step({'inputs': inputs}, wrapper)[key]) for _ in range(count)]


def fixtures_folder() -> Path | None:
    """``MMPT_FIXTURES``, or ``../shared/fixtures/peers`` beside the checkout; None where neither is."""
    for folder in (os.environ.get('MMPT_FIXTURES'), ROOT.parent / 'shared' / 'fixtures' / 'peers'):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None
