import re
import runpy
import subprocess
import sys
import warnings

import pytest
from _helpers import ROOT, environment

import mmpt
from mmpt.utils.versions import check_distributions

GOOD = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'torch': '2.15.0+cpu'}


def test_what_is_installed_is_fine():
    check_distributions(GOOD.get)
    check_distributions()


@pytest.mark.parametrize('second', ['mmengine', 'mmengine-lite', 'mmcv', 'mmcv-lite', 'mmcv-full'])
def test_a_second_distribution_of_one_package(second):
    ours = f'onedl-{second.split("-")[0]}'
    with pytest.raises(ImportError) as error:
        check_distributions({**GOOD, second: '0.10.7'}.get)
    assert str(error.value) == (
        f'{ours} and {second} are both installed and overwrite each other in the package {second.split("-")[0]!r}: '
        f'run `pip uninstall -y {ours} {second}` and then `pip install {ours}`.'
    )


def test_a_second_distribution_stops_the_import(tmp_path):
    """As pip leaves it: metadata of both beside one package."""
    info = tmp_path / 'mmengine-0.10.7.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: mmengine\nVersion: 0.10.7\n')
    env = environment()
    env['PYTHONPATH'] = f'{tmp_path}:{env["PYTHONPATH"]}'
    done = subprocess.run([sys.executable, '-c', 'import mmpt'], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        done.stderr.strip().splitlines()[-1].startswith('ImportError: onedl-mmengine and mmengine are both installed')
    )


def test_versions():
    with pytest.raises(ImportError, match='mmengine 0.10.7 is too old for mmpt, which needs 0.10.12 or later'):
        check_distributions({**GOOD, 'onedl-mmengine': '0.10.7'}.get)
    with pytest.raises(ImportError, match='torch 2.5.1 is too old'):
        check_distributions({**GOOD, 'torch': '2.5.1'}.get)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        check_distributions({**GOOD, 'onedl-mmengine': '1.0'}.get)
    assert 'mmengine 1.0 is newer than what mmpt was tested with' in str(caught[0].message)


def test_collect_env(capsys):
    runpy.run_module('mmpt.utils.collect_env', run_name='__main__')
    printed = capsys.readouterr().out
    for what in ('mmpt ', 'torch ', 'gpu', 'mmcv ops', 'onedl-mmengine'):
        assert f'\n{what}' in f'\n{printed}'


def test_the_environment_names_the_commit_and_its_changes(tmp_path, monkeypatch):
    from mmpt.utils.collect_env import collect_env  # above, runpy would warn of it

    def git(*command):
        subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b.c', *command], cwd=tmp_path, check=True)

    monkeypatch.setattr(mmpt, '__file__', str(tmp_path / 'mmpt' / '__init__.py'))
    assert collect_env()['mmpt'].startswith(f'{mmpt.__version__} (')
    git('init', '-q')
    git('commit', '-q', '--allow-empty', '-m', 'first')
    (tmp_path / 'new').write_text('1')
    git('add', 'new')
    assert re.match(rf'{re.escape(mmpt.__version__)}-[0-9a-f]{{7,}}-dirty \(', collect_env()['mmpt'])
    git('commit', '-q', '-m', 'second')
    assert re.match(rf'{re.escape(mmpt.__version__)}-[0-9a-f]{{7,}} \(', collect_env()['mmpt'])


def test_every_module_registers():
    from mmpt.registry import DATA_SAMPLERS, HOOKS, OPTIM_WRAPPERS
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    assert 'StepSampler' in DATA_SAMPLERS.module_dict and 'EncoderEMAHook' in HOOKS.module_dict
    assert 'GuardedOptimWrapper' in OPTIM_WRAPPERS.module_dict


def test_engine_names_no_model_and_no_data():
    for path in (ROOT / 'mmpt' / 'engine').rglob('*.py'):
        text = path.read_text()
        assert 'mmpt.models' not in text and 'mmpt.datasets' not in text and 'mmpt.evaluation' not in text, path
