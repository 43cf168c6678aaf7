"""docs/tutorials/own_shapes.md: every command of the page runs, in its order, with smaller numbers."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpt.registry import DATASETS
from mmpt.utils.config import load_config

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'tutorials' / 'own_shapes.md'
TRAIN = (
    *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2'),
    *('default_hooks.logger.interval=1', 'train_dataloader.batch_size=6'),
)
OWN = ('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False')
VAL = ('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False')
#: the words that a command begins with -> what is added to make it small.
SMALLER = {
    'tools/dataset_converters/example_meshes.py': ('--train', '5', '--test', '1'),
    'tools/dataset_converters/render_images.py': ('--views', '2', '--num-points', '2000', '--workers', '1'),
    'tools/verify_dataset.py': ('--workers', '0'),
    'tools/visualization/browse_dataset.py': ('--num', '8'),
    'tools/dataset_converters/pack.py': ('--workers', '0'),
    'tools/train.py configs/mmpt/quickstart_tokenizer.py': (
        *('--cfg-options', *TRAIN, 'model.codebook_start=1', 'train_dataloader.dataset.size=12'),
        *('train_dataloader.dataset.views=0', 'train_dataloader.dataset.cache_workers=1'),
        *('val_dataloader.dataset.datasets.0.size=27', 'val_dataloader.dataset.datasets.1.size=27'),
    ),
    'tools/train.py configs/mmpt/pretrain_folder.py': (
        *('--cfg-options', *TRAIN, *OWN, *VAL, 'custom_hooks.1.interval=2'),
        'model.tokenizer.checkpoint=work_dirs/mmpt/quickstart_tokenizer/iter_2.pth',
    ),
    'tools/test.py': ('--cfg-options', *VAL),
    'tools/benchmarks/real_shapes.py': (),
}

#: Imports once, then runs each command in a fork of itself: starting Python and torch eleven times takes a minute.
RUNNER = """
import json, os, runpy, sys, traceback
import matplotlib.pyplot, mmengine.runner, sklearn.svm, trimesh
import mmpt.apis, mmpt.engine.launch
from mmpt.utils.setup import register_all_modules

print('ready', flush=True)
for line in sys.stdin:
    words, log = json.loads(line)
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.argv, code = words, 0
        sys.path.insert(0, os.path.dirname(os.path.realpath(words[0])))
        try:
            runpy.run_path(words[0], run_name='__main__')
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def blocks():
    """(language, text) of the page's code, in order."""
    return re.findall(r'^```(bash|python)\n(.*?)^```', PAGE.read_text(), re.MULTILINE | re.DOTALL)


def smaller(command):
    """A command of the page as a list of words, with the options that make it small."""
    words = shlex.split(command.replace('iter_600.pth', 'iter_2.pth'))
    assert words[0] == 'python', command
    starts = [start for start in SMALLER if words[1 : 1 + len(start.split())] == start.split()]
    assert len(starts) == 1, f'the test does not know how to make this small: {command}'
    return starts[0], [*words[1:], *SMALLER[starts[0]]]


@pytest.fixture(scope='module')
def workplace(tmp_path_factory):
    """A folder from which the checkout's tools and configs are seen as on the page, after all commands."""
    folder = tmp_path_factory.mktemp('own_shapes')
    for name in ('configs', 'tools', 'mmpt', 'docs'):
        os.symlink(ROOT / name, folder / name)
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '', 'PYTHONPATH': str(ROOT)}
    printed, used = {}, set()
    with subprocess.Popen(
        [sys.executable, '-c', RUNNER], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout.readline() == 'ready\n'
        for number, (language, text) in enumerate(blocks()):
            if language == 'python':
                (folder / f'block_{number}.py').write_text(text.replace('iter_600.pth', 'iter_2.pth'))
                commands = [(f'block {number}', [f'block_{number}.py'])]
            else:
                commands = [smaller(line) for line in text.strip().splitlines()]
            for name, words in commands:
                used.add(name)
                log = folder / f'log_{len(used)}.txt'
                runner.stdin.write(json.dumps([words, str(log)]) + '\n')
                runner.stdin.flush()
                code = int(runner.stdout.readline())
                printed[name] = log.read_text()
                assert code == 0, f'{" ".join(words)}\n{printed[name][-4000:]}'
        runner.stdin.close()
    assert set(SMALLER) <= used
    return folder, printed


def test_the_commands_leave_what_the_page_says(workplace):
    folder, printed = workplace
    assert len(list((folder / 'data' / 'own_shapes').rglob('*.*'))) == 6 * 6
    assert len(list((folder / 'data' / 'own_images').rglob('*.png'))) == 6 * 6 * 2
    assert (folder / 'work_dirs' / 'own_shapes.png').is_file()
    packed = folder / 'data' / 'packed' / 'own_shapes'
    counts = [json.loads((packed / split / 'pack.json').read_text())['num_shapes'] for split in ('train', 'test')]
    assert counts == [30, 6]
    assert (folder / 'work_dirs' / 'mmpt' / 'pretrain_folder' / 'iter_2.pth').is_file()
    train = printed['tools/train.py configs/mmpt/pretrain_folder.py']
    for said in ('task/tlr', 'task/plr', 'task/mcl', 'probe/knn', 'probe/svm'):
        assert said in train
    assert 'probe/svm' in printed['tools/test.py']
    assert 'own_shapes.npz' in printed['tools/benchmarks/real_shapes.py']


def test_the_score_of_the_run_is_that_of_the_evaluation(workplace):
    found = [
        re.findall(r'probe/knn: ([0-9.]+)', workplace[1][name])[-1]
        for name in ('tools/train.py configs/mmpt/pretrain_folder.py', 'tools/test.py')
    ]
    assert found[0] == found[1]


def test_the_packed_shapes_are_the_same_samples(workplace, monkeypatch):
    monkeypatch.chdir(workplace[0])
    cfg = load_config(ROOT / 'configs' / 'mmpt' / 'pretrain_folder.py').train_dataloader.dataset
    raw = DATASETS.build(cfg)
    cfg.update(data_root='data/packed/own_shapes', packed=True)
    packed = DATASETS.build(cfg)
    assert len(packed) == len(raw) == 30
    for key in ((0, 0), (3, 7), (1, 29)):
        one, other = raw[key], packed[key]
        assert one['inputs']['has_image'].all()
        for name, value in one['inputs'].items():
            assert torch.equal(value, other['inputs'][name])
        assert one['data_samples'].sample_id == other['data_samples'].sample_id


def test_the_features_belong_to_the_shapes(workplace):
    with np.load(workplace[0] / 'work_dirs' / 'features.npz') as file:
        features, ids = file['features'], file['ids']
    assert features.shape == (6, 2 * 128) and np.isfinite(features).all()
    assert ids[0] == 'test/bottle/bottle_000' and len(set(ids)) == 6
    assert len(np.unique(features, axis=0)) == 6
