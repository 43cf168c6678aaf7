"""Which part may import which: the table of ARCHITECTURE 3."""

import ast
import importlib
import pkgutil
import subprocess
import sys

import pytest
from _tree import FILES, ROOT, below, imports, module_name

import mmpt

#: package -> what of mmpt it may import beside itself; the longest name that fits a module counts.
ALLOWED = {
    'mmpt': {'mmpt.utils'},
    'mmpt.registry': set(),
    'mmpt.structures': set(),
    'mmpt.ops': set(),
    'mmpt.utils': {'mmpt.registry'},
    # ops for the pictures of generated shapes; folds are drawn alike for training and for frozen features.
    'mmpt.datasets': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.utils.folds'},
    # For files that are the old one or the new one, never half of it.
    'mmpt.datasets.shards': {'mmpt.utils.io'},
    'mmpt.models': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops'},
    'mmpt.models.losses': {'mmpt.registry', 'mmpt.ops'},
    'mmpt.models.layers': {'mmpt.structures', 'mmpt.ops'},
    'mmpt.models.masking': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.models.layers'},
    'mmpt.models.encoders': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.models.layers'},
    'mmpt.models.tokenizers': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.models.layers'},
    'mmpt.models.decoders': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.models.layers'},
    'mmpt.models.heads': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops', 'mmpt.models.layers', 'mmpt.models.losses'},
    'mmpt.models.downstream': {
        'mmpt.registry',
        'mmpt.structures',
        'mmpt.ops',
        # What a checkpoint says of its encoder.
        'mmpt.utils',
        *(f'mmpt.models.{part}' for part in ('layers', 'losses', 'heads', 'decoders')),
    },
    # For features that are kept on disk.
    'mmpt.models.teachers': {'mmpt.registry', 'mmpt.utils.io'},
    'mmpt.models.data_preprocessors': {'mmpt.registry', 'mmpt.structures', 'mmpt.ops'},
    'mmpt.engine': {'mmpt.registry', 'mmpt.utils'},
    'mmpt.evaluation': {'mmpt.registry', 'mmpt.structures', 'mmpt.utils'},
    'mmpt.evaluation.protocols': {'mmpt.utils.folds'},
    'mmpt.visualization': {'mmpt.registry', 'mmpt.structures', 'mmpt.utils', 'mmpt.evaluation'},
    'mmpt.apis': {'mmpt'},
}
PURE = ('mmpt.ops', 'mmpt.structures', 'mmpt.models.losses', 'mmpt.evaluation.protocols')
OPTIONAL = (
    *(
        'mmcv._ext',
        'mmcv.ops',
        'laspy',
        'open3d',
        'pytorch3d',
        'torch_scatter',
        'torch_geometric',
        'spconv',
        'MinkowskiEngine',
    ),
    *('matplotlib', 'plotly', 'h5py', 'trimesh', 'tensorboard', 'wandb', 'clip', 'open_clip', 'transformers', 'triton'),
)


def rule_of(module):
    return max((package for package in ALLOWED if below(module, package)), key=len)


@pytest.mark.parametrize('path', FILES, ids=module_name)
def test_a_module_imports_what_its_package_may(path):
    package = rule_of(module_name(path))
    others = {name for name in imports(path) if below(name, 'mmpt') and name not in ('mmpt', 'mmpt.__version__')}
    # A module of the package itself may stand under a stricter rule, but not be reached from outside of it.
    wrong = {n for n in others if not below(n, package) and not any(below(n, may) for may in ALLOWED[package])}
    assert not wrong, f'{path.relative_to(ROOT)} imports {sorted(wrong)}; {package} may import {ALLOWED[package]}'


def test_models_reach_no_data_no_engine_and_no_evaluation():
    reached = {name for path in FILES if below(module_name(path), 'mmpt.models') for name in imports(path)}
    assert any(below(name, 'mmpt.ops') for name in reached)
    assert not [n for n in reached for p in ('datasets', 'engine', 'evaluation') if below(n, f'mmpt.{p}')]


def test_nothing_imports_apis_or_tools():
    for path in FILES:
        if not below(module_name(path), 'mmpt.apis'):
            bad = [n for n in imports(path) if any(below(n, p) for p in ('mmpt.apis', 'tools', 'projects', 'tests'))]
            # `mmpt.list_models(...)` is what users type. The door opens when it is first asked for, see below.
            allowed = ['mmpt.apis'] if module_name(path) == 'mmpt' else []
            assert bad == allowed, (path, bad)


def test_the_package_opens_its_front_door_when_asked_and_not_before():
    code = (
        'import sys, mmpt; first = [n for n in sys.modules if n.startswith(("mmpt.apis", "mmpt.models", "timm"))]; '
        'print(first, {"get_model", "list_models", "load_encoder"} <= set(dir(mmpt)), hasattr(mmpt, "nothing")); '
        'from mmpt import apis; print(all(getattr(mmpt, n) is getattr(apis, n) for n in apis.__all__))'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines() == ['[] True False', 'True'], done.stdout + done.stderr


@pytest.mark.parametrize('package', PURE)
def test_mathematics_knows_no_runner_and_no_config(package):
    paths = [path for path in FILES if below(module_name(path), package)]
    assert paths
    for path in paths:
        outside = {name for name in imports(path) if below(name, 'mmengine')}
        assert outside <= {'mmengine.structures.BaseDataElement'}, path
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert not names & {'Runner', 'Config', 'ConfigDict'}, path


def test_engine_names_no_model_and_no_data_set():
    from mmpt import registry
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    kinds = ('MODELS', 'ENCODERS', 'HEADS', 'LOSSES', 'TOKENIZERS', 'DATASETS', 'TRANSFORMS', 'METRICS')
    concrete = {name for kind in kinds for name in getattr(registry, kind).module_dict}
    assert 'MultiTaskPretrainer' in concrete and 'SyntheticShapes' in concrete
    for path in FILES:
        if below(module_name(path), 'mmpt.engine'):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            said = {node.id for node in nodes if isinstance(node, ast.Name)}
            said |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            assert not said & concrete, (path, said & concrete)


def test_the_reader_of_imports_sees_relative_ones_and_those_inside_functions():
    path = ROOT / 'mmpt' / 'models' / 'heads' / 'base.py'
    assert imports(path) >= {'collections.abc.Mapping', 'torch.nn'}
    assert 'mmpt.models.heads.base.Head' in imports(path.with_name('__init__.py'))
    assert 'sklearn.svm.SVC' in imports(ROOT / 'mmpt' / 'evaluation' / 'protocols' / 'svm.py')


HIDDEN = """
import importlib, importlib.abc, pkgutil, sys

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if any(name == hidden or name.startswith(hidden + '.') for hidden in {hidden}):
            raise ModuleNotFoundError('hidden: ' + name, name=name)

sys.meta_path.insert(0, Hide())
import mmpt
names = [module.name for module in pkgutil.walk_packages(mmpt.__path__, 'mmpt.')]
for name in names:
    importlib.import_module(name)
import torch
print(len(names), torch.cuda.is_initialized())
import matplotlib
"""


def test_importing_needs_no_compiler_no_cuda_and_no_optional_package(tmp_path):
    """Every module, with those packages hidden, an empty PATH (no compiler) and no GPU in sight."""
    done = subprocess.run(
        [sys.executable, '-c', HIDDEN.format(hidden=OPTIONAL)],
        cwd=ROOT,
        env={'PATH': str(tmp_path), 'CUDA_VISIBLE_DEVICES': '', 'HOME': str(tmp_path), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert 'hidden: matplotlib' in done.stderr.splitlines()[-1], done.stderr[-3000:]
    count, initialised = done.stdout.split()
    assert int(count) > 80 and initialised == 'False'


def _packages():
    return [module.name for module in pkgutil.walk_packages(mmpt.__path__, 'mmpt.') if module.ispkg]


@pytest.mark.parametrize('name', _packages())
def test_a_package_says_what_is_public(name):
    package = importlib.import_module(name)
    assert package.__doc__, f'{name} has no docstring'
    assert len(package.__all__) == len(set(package.__all__))
    assert [entry for entry in package.__all__ if not hasattr(package, entry)] == []
    assert not [entry for entry in package.__all__ if entry.startswith('_')]
