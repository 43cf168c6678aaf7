"""The methods whose training step tools/benchmarks/step.py times: what is trained, on what, beside what."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests' / 'reference'), str(ROOT / 'tools')]

from crosspoint import PlainCrossPoint  # noqa: E402
from discrete_vae import PlainDiscreteVAE  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402
from point_mae import PlainPointMAE  # noqa: E402

from mmpt.engine import ParamGroupConstructor  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.structures import PointDataSample  # noqa: E402
from mmpt.utils.config import load_config  # noqa: E402

__all__ = ['METHODS', 'UNIT', 'Method', 'Training', 'contestants', 'plain_run', 'training']

#: The method whose step is the unit of those without a plain form.
UNIT = 'point_mae'
# Real teachers at their size with random weights: the time is the same, and nothing is downloaded. Ours keeps the
# features of texts, so which text model makes them costs nothing.
_RECON = {
    'model.necks.image_teacher': {
        '_delete_': True,
        'type': 'TimmTeacher',
        'model_name': 'vit_base_patch16_224',
        'pretrained': False,
    },
    'model.necks.text_teacher': {'_delete_': True, 'type': 'HashedTextTeacher', 'dim': 512},
}
_NO_PICTURES = {'model.heads.mcl.image_dim': None}
_REUSED = {**_NO_PICTURES, 'model.heads.mcl.views': ('masked', 'reconstructed')}


class Method(NamedTuple):
    """One entry of the table.

    Attributes:
        config (str): under configs/, at the size of the paper.
        options (dict): over what it says.
        plain (Callable | None): from the config's ``model`` to the plain form of it, a module that gives the loss.
        batch (int): clouds, where the command line does not say.
        note (str): what one has to know about the figure.
    """

    config: str
    options: Mapping[str, Any] = {}
    plain: Callable[[Any], nn.Module] | None = None
    batch: int = 16
    note: str = ''


METHODS = {
    'point_mae': Method('point_mae/pretrain_shapenet', plain=PlainPointMAE),
    'tokenizer': Method(
        'mmpt/tokenizer_shapenet',
        plain=PlainDiscreteVAE,
        note='the discrete VAE of Point-BERT, with the term of usage at its last weight',
    ),
    # The plain form of 16 pairs of clouds takes 11 GiB.
    'crosspoint': Method('crosspoint/pretrain_shapenet', plain=PlainCrossPoint, batch=4),
    'point_bert': Method('point_bert/pretrain_shapenet', note='the tokenizer is frozen and has random weights'),
    'recon': Method('recon/pretrain_shapenet', _RECON, note='ViT-B/16 looks at every picture in every step'),
    'recon_cached': Method('recon/pretrain_shapenet', _RECON, note='features of pictures come from the full cache'),
    'point_m2ae': Method('point_m2ae/pretrain_shapenet'),
    'cross_bert': Method('cross_bert/pretrain_shapenet', note='the tokenizer is frozen and has random weights'),
    'mmpt': Method('mmpt/pretrain_shapenet', note='all of it, pictures through ResNet-50 included'),
    'mmpt_clouds': Method('mmpt/pretrain_shapenet', _NO_PICTURES, note='METHODS 1.3 without the branch of pictures'),
    'mmpt_reuse_masked': Method(
        'mmpt/pretrain_shapenet', _REUSED, note='mmpt_clouds, the masked view in place of the whole cloud'
    ),
    'mmpt_reuse_masked_40': Method(
        'mmpt/pretrain_shapenet',
        {**_REUSED, 'model.views.reconstructed.mask': 'own'},
        note='mmpt_reuse_masked, the second view encoded on 40 % of its patches',
    ),
}


class Training(NamedTuple):
    """A model that can be trained on one batch again and again.

    Attributes:
        name (str): of the method.
        model (nn.Module): ours.
        wrapper (Any): around its optimiser.
        batch (dict): contract 1.
        cfg (Config): of the run.
        points (int): of a cloud.
        run (Callable): one step.
    """

    name: str
    model: nn.Module
    wrapper: Any
    batch: dict[str, Any]
    cfg: Any
    points: int
    run: Callable[[], None]


@contextmanager
def training(name: str, batch: int | None = None, options: Mapping[str, Any] | None = None) -> Iterator[Training]:
    """A method's model, optimiser and batch.

    Args:
        name (str): of METHODS.
        batch (int | None): clouds; None for the method's own.
        options (Mapping | None): over what the method's config and options say.
    """
    method = METHODS[name]
    cfg = load_config(ROOT / 'configs' / f'{method.config}.py', {**method.options, **(options or {})})
    with tempfile.TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope('mmpt'):
        if name == 'recon_cached':
            cfg.model.necks.image_teacher.cache_dir = folder
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).train()
        if hasattr(model, 'usage_weight'):
            model.usage_weight = 0.1
        settings = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
        wrapper = ParamGroupConstructor(settings)(model)
        data, points = _batch(cfg, model, batch or method.batch)
        count = 0

        def run() -> None:
            nonlocal count
            # Every 50th step, the first among them, also measures: none is reached here.
            count += 1
            model.draws.set(seed=0, step=1 + count % 49, rank=0, world_size=1)
            model.train_step(data, wrapper)

        yield Training(name, model, wrapper, data, cfg, points, run)


def _batch(cfg: Any, model: nn.Module, batch: int) -> tuple[dict[str, Any], int]:
    """Random points on ellipsoids, random pictures; contract 1, and the points of a cloud."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    points = [step.num_points for step in pipeline if 'num_points' in step][-1]
    inputs = {'points': _ellipsoids(batch, points)}
    if any(step.type == 'MultiView' for step in pipeline):
        inputs['points_view2'] = _ellipsoids(batch, points)
    views = pipeline[-1].get('image_views', 0)
    if views and (getattr(model, 'image_encoder', None) is not None or len(getattr(model, 'necks', ()))):
        size = pipeline[-1].image_size
        inputs['images'] = torch.randint(0, 256, (batch, views, 3, size, size), dtype=torch.uint8)
        inputs['has_image'] = torch.ones(batch, views, dtype=torch.bool)
    samples = [PointDataSample() for _ in range(batch)]
    for sample in samples:
        sample.set_field('chair', 'caption')
    return {'inputs': inputs, 'data_samples': samples}, points


def _ellipsoids(batch: int, points: int) -> Tensor:
    surface = nn.functional.normalize(torch.randn(batch, points, 3), dim=2)
    return surface * (0.3 + 0.7 * torch.rand(batch, 1, 3))


def plain_run(ours: Training) -> Callable[[], None]:
    """One step of a method's plain form: ours' batch, weights to start from, and settings of torch's own optimiser."""
    plain = METHODS[ours.name].plain(ours.cfg.model).take(ours.model).train()
    settings = ours.cfg.optim_wrapper.optimizer.to_dict()
    kind = getattr(torch.optim, settings.pop('type'))
    named = list(plain.named_parameters())
    whole = [value for name, value in named if value.dim() > 1 and 'token' not in name.rsplit('.', 1)[-1]]
    rest = [value for name, value in named if value.dim() <= 1 or 'token' in name.rsplit('.', 1)[-1]]
    optimizer = kind([{'params': whole}, {'params': rest, 'weight_decay': 0.0}], **settings)
    clip = ours.cfg.optim_wrapper.clip_grad
    inputs = ours.model.data_preprocessor(ours.batch, True)['inputs']

    def run() -> None:
        optimizer.zero_grad()
        plain(inputs).backward()
        if clip:
            nn.utils.clip_grad_norm_(plain.parameters(), **clip)
        optimizer.step()

    return run


@contextmanager
def contestants(ours: Training) -> Iterator[dict[str, Callable[[], None]]]:
    """What is timed in turn: ``ours`` and ``plain``, or ``ours`` and ``unit``, our step of Point-MAE on as many clouds.

    Args:
        ours (Training): of :func:`training`.
    """
    if METHODS[ours.name].plain is not None:
        yield {'ours': ours.run, 'plain': plain_run(ours)}
        return
    with training(UNIT, len(ours.batch['inputs']['points'])) as unit:
        yield {'ours': ours.run, 'unit': unit.run}
