"""A name in a config finds its class: ours, with and without the scope, and that of a user's own module."""

import inspect
import re
import sys

import mmengine.registry
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.optim import SGD

from mmpt import registry
from mmpt.utils.setup import register_all_modules

register_all_modules()

PATCHES = {'num_groups': 4, 'group_size': 4, 'dim': 8, 'depth': 1, 'num_heads': 2}
OPTIMIZER = {'optimizer': {'type': 'SGD', 'lr': 0.1}}
ONE_OF_EACH = {
    'MODELS': {'type': 'FixedBalancer'},
    'DATASETS': {'type': 'SyntheticShapes', 'size': 2},
    'TRANSFORMS': {'type': 'UnitSphere'},
    'HOOKS': {'type': 'NonFiniteHook'},
    'METRICS': {'type': 'FeatureProbe', 'svm': {'C': 1.0}},
    'OPTIM_WRAPPERS': {'type': 'GuardedOptimWrapper', 'optimizer': SGD([torch.zeros(1, requires_grad=True)], lr=0.1)},
    'OPTIM_WRAPPER_CONSTRUCTORS': {'type': 'ParamGroupConstructor', 'optim_wrapper_cfg': OPTIMIZER},
    'DATA_SAMPLERS': {'type': 'StepSampler', 'dataset': [0, 1, 2]},
    'ENCODERS': {'type': 'PointTransformer', **PATCHES},
    'TOKENIZERS': {'type': 'DiscreteVAE', 'num_ids': 8},
    'HEADS': {'type': 'PointReconstructionHead', 'dim': 8, 'group_size': 4},
    'LOSSES': {'type': 'ChamferLoss'},
}
CHILDREN = [name for name in registry.__all__ if getattr(registry, name).parent is not None]
# The class of the user's module, by registry: it may be called with the arguments that a Runner gives.
OWN = """
from mmpt import registry

for name in registry.__all__:
    made = type(f'Own{name.title()}', (), {'__init__': lambda self, *args, **kwargs: None})
    getattr(registry, name).register_module(module=made)
"""


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmpt'):
        yield


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    """A module outside of mmpt, brought in by `custom_imports`."""
    folder = tmp_path_factory.mktemp('outside')
    (folder / 'my_own_parts.py').write_text(OWN)
    (folder / 'config.py').write_text("custom_imports = dict(imports=['my_own_parts'], allow_failed_imports=False)\n")
    sys.path.insert(0, str(folder))
    Config.fromfile(folder / 'config.py')
    yield
    sys.path.remove(str(folder))
    del sys.modules['my_own_parts']
    for name in registry.__all__:
        getattr(registry, name)._module_dict.pop(f'Own{name.title()}')


def test_the_registries_are_those_of_the_architecture():
    assert set(registry.__all__) - set(CHILDREN) == {'ENCODERS', 'TOKENIZERS', 'HEADS', 'LOSSES'}
    assert all(getattr(registry, name).scope == 'mmpt' for name in registry.__all__)
    # What has no class of ours yet is there for the user's.
    assert set(registry.__all__) - set(ONE_OF_EACH) <= {
        'VISUALIZERS',
        'MODEL_WRAPPERS',
        'LOOPS',
        'OPTIMIZERS',
        'PARAM_SCHEDULERS',
        'VISBACKENDS',
    }


def test_every_transform_says_which_keys_it_needs_and_which_it_changes():
    own = [kind for kind in registry.TRANSFORMS.module_dict.values() if kind.__module__.startswith('mmpt.')]
    assert len(own) > 30
    for kind in own:
        text = ' '.join((kind.__doc__ or '').split())
        # PackInputs changes no keys but returns contract 1.
        assert re.search(r'Required keys: .+ ((Added|Modified) keys: |Returns ``)', text), kind.__name__
        # What draws takes its generator from the sample, and says so.
        draws = "['rng']" in inspect.getsource(kind)
        required = text.partition('Required keys: ')[2].partition(' keys: ')[0]
        assert draws <= (re.search(r'\brng\b', required) is not None), f'{kind.__name__} draws, but needs no rng'


@pytest.mark.parametrize('name', ONE_OF_EACH)
def test_one_of_each_with_and_without_the_scope(name):
    here, cfg = getattr(registry, name), ONE_OF_EACH[name]
    plain, scoped = here.build(dict(cfg)), here.build({**cfg, 'type': f'mmpt.{cfg["type"]}'})
    assert type(plain) is type(scoped) is here.get(cfg['type'])


@pytest.mark.parametrize('name', [name for name in CHILDREN if name in ONE_OF_EACH])
def test_the_runner_finds_ours_in_its_own_registry(name):
    cfg = ONE_OF_EACH[name]
    built = getattr(mmengine.registry, name).build(dict(cfg))
    assert type(built) is getattr(registry, name).get(cfg['type'])


@pytest.mark.parametrize('name', registry.__all__)
def test_a_class_of_a_users_module(name, own):
    here = getattr(registry, name)
    for type_name in (f'Own{name.title()}', f'mmpt.Own{name.title()}'):
        built = here.build({'type': type_name})
        assert type(built).__name__ == f'Own{name.title()}'
        if name in CHILDREN:
            assert type(getattr(mmengine.registry, name).build({'type': type_name})) is type(built)


@pytest.mark.parametrize('name', ['ENCODERS', 'HEADS', 'DATASETS', 'MODELS', 'TRANSFORMS'])
def test_an_unknown_name_lists_what_there_is_and_the_nearest(name):
    right = ONE_OF_EACH[name]['type']
    with pytest.raises(KeyError) as caught:
        getattr(registry, name).build({'type': right[:-1] + 'x'})
    said = str(caught.value)
    assert f"did you mean '{right}'?" in said and 'custom_imports' in said
    assert all(known in said for known in getattr(registry, name).module_dict)
