"""Registries: the names that a config may use, and where they are found.

The first group are children of mmengine's registries, so the Runner finds what is registered here. The second group
are roots of their own, because mmengine allows only one child of a scope under one parent. All carry the scope
``mmpt``, so that ``type='PointTransformer'`` and ``type='mmpt.PointTransformer'`` mean the same class.
"""

from __future__ import annotations

import difflib
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry, build_from_cfg, build_model_from_cfg

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'ENCODERS',
    'HEADS',
    'HOOKS',
    'LOOPS',
    'LOSSES',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'TOKENIZERS',
    'TRANSFORMS',
    'VISBACKENDS',
    'VISUALIZERS',
]


def _explain_unknown(cfg: Any, registry: Registry) -> None:
    """Raise one sentence for a ``type`` that is not registered, with what is and the nearest name."""
    if not isinstance(cfg, (dict, ConfigDict, Config)) or not isinstance(cfg.get('type'), str):
        return
    name = cfg['type']
    if registry.get(name) is not None:
        return
    known = sorted(registry.module_dict)
    near = difflib.get_close_matches(name.split('.')[-1], known, n=1, cutoff=0.5)
    hint = f'did you mean {near[0]!r}? ' if near else ''
    raise KeyError(
        f'{name!r} is not in the {registry.name} registry: {hint}Registered here: {", ".join(known) or "nothing"}. '
        'A class of your own is registered with its decorator and imported by `custom_imports` in the config.'
    )


def _build(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    _explain_unknown(cfg, registry)
    return build_from_cfg(cfg, registry, default_args)


def _build_model(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    _explain_unknown(cfg, registry)
    return build_model_from_cfg(cfg, registry, default_args)


def _child(parent: Registry, *locations: str, model: bool = False) -> Registry:
    build = _build_model if model else _build
    return Registry(parent.name, build_func=build, parent=parent, scope='mmpt', locations=list(locations))


def _root(name: str, *locations: str) -> Registry:
    return Registry(name, build_func=_build, scope='mmpt', locations=list(locations))


MODELS = _child(MMENGINE_MODELS, 'mmpt.models', model=True)
DATASETS = _child(MMENGINE_DATASETS, 'mmpt.datasets')
TRANSFORMS = _child(MMENGINE_TRANSFORMS, 'mmpt.datasets.transforms')
HOOKS = _child(MMENGINE_HOOKS, 'mmpt.engine', 'mmpt.visualization')
METRICS = _child(MMENGINE_METRICS, 'mmpt.evaluation')
VISUALIZERS = _child(MMENGINE_VISUALIZERS, 'mmpt.visualization')
MODEL_WRAPPERS = _child(MMENGINE_MODEL_WRAPPERS, 'mmpt.models')
OPTIM_WRAPPERS = _child(MMENGINE_OPTIM_WRAPPERS, 'mmpt.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'mmpt.engine')
DATA_SAMPLERS = _child(MMENGINE_DATA_SAMPLERS, 'mmpt.engine')

# Nothing of ours is in these; without a child of scope `mmpt` mmengine warns about each of them in every run, and a
# user's own optimiser or loop has no place.
LOOPS = _child(MMENGINE_LOOPS)
OPTIMIZERS = _child(MMENGINE_OPTIMIZERS)
PARAM_SCHEDULERS = _child(MMENGINE_PARAM_SCHEDULERS)
VISBACKENDS = _child(MMENGINE_VISBACKENDS)

ENCODERS = _root('encoder', 'mmpt.models.encoders')
TOKENIZERS = _root('tokenizer', 'mmpt.models.tokenizers')
HEADS = _root('head', 'mmpt.models.heads')
LOSSES = _root('loss', 'mmpt.models.losses')
