"""What a user gets wrong, through the commands: one sentence, exit code 2, no traceback."""

import copy
import gc
import itertools
import os
import re
import runpy
import sys

import numpy as np
import pytest
import torch
import torch.distributed as dist
from _helpers import ROOT
from _small import small_config, write_shapenet
from mmengine.config import Config
from mmengine.runner import Runner

COUNT = itertools.count()


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    """``command('train', config, ...)``: the sentence of a command that fails, run as its file is."""
    monkeypatch.chdir(tmp_path)

    def run(tool, *words, options=()):
        options = ['--cfg-options', f'experiment_name=bad_input_{next(COUNT)}', *options]
        words = [*words, '--work-dir', tmp_path / 'work', '--device', 'cpu', *options]
        monkeypatch.setattr(sys, 'argv', [f'tools/{tool}.py', *map(str, words)])
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
            patch.setattr(sys, 'path', [str(ROOT / 'tools'), *sys.path])
            patch.setenv('CUDA_VISIBLE_DEVICES', '')
            runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
        said = capfd.readouterr().err
        assert stop.value.code == 2 and 'Traceback' not in said
        (sentence,) = [line for line in said.splitlines() if line.startswith('mmpt: ')]
        return sentence

    return run


def test_missing_tokenizer_is_said_before_data_are_made(command, tmp_path):
    said = command('train', ROOT / 'configs/mmpt/pretrain_synthetic.py')
    assert "The tokenizer checkpoint 'work_dirs/mmpt/tokenizer_synthetic/iter_196650.pth'" in said
    assert '`python tools/train.py configs/mmpt/tokenizer_synthetic.py` makes it' in said
    assert not (tmp_path / 'data').exists()


def test_missing_data_root_names_layout_source_and_the_twin(command):
    # The tokenizer's, since a pre-training would ask for its tokenizer first.
    said = command('train', ROOT / 'configs/mmpt/tokenizer_shapenet.py')
    for part in ('data/ShapeNet55-34', 'shapenet_pc', 'ShapeNet-55', '3D-R2N2', 'configs/mmpt/pretrain_synthetic.py'):
        assert part in said, part


def test_wrong_channel_count(command, small):
    said = command('train', small, options=['model.encoder.in_channels=6', 'model.views.reconstructed.source=points'])
    assert 'channels' in said and 'in_channels' in said


def test_fewer_points_than_asked(command, small):
    said = command('train', small, options=['train_dataloader.dataset.pipeline.1.num_points=500'])
    assert '500' in said and '128' in said


def test_nan_in_a_file_names_the_file(command, tmp_path):
    write_shapenet(tmp_path / 'data')
    for path in (tmp_path / 'data').glob('*/shapenet_pc/*.npy'):
        cloud = np.load(path)
        cloud[5, 2] = np.nan
        np.save(path, cloud)
    cfg = small_config('configs/mmpt/tokenizer_shapenet.py', tmp_path, None).to_dict()
    del cfg['experiment_name']
    Config(cfg).dump('nan.py')
    said = command('train', 'nan.py')
    assert '.npy' in said and 'NaN' in said


@pytest.fixture
def cut(tmp_path):
    """The small tokenizer's config for two epochs of eight shapes, two of them cut off; and what names the two.

    The shapes to train on are those to validate and test on as well.
    """
    write_shapenet(tmp_path / 'data', train=8)
    paths = sorted((tmp_path / 'data').glob('*/shapenet_pc/*-train*.npy'))[1:3]
    for path in paths:
        path.write_bytes(path.read_bytes()[:1000])
    cfg = small_config('configs/mmpt/tokenizer_shapenet.py', tmp_path, None).to_dict()
    del cfg['experiment_name'], cfg['work_dir']
    cfg['train_dataloader'].update(batch_size=4, num_workers=0)
    cfg['train_dataloader']['dataset'].update(data_root=str(tmp_path / 'data/ShapeNet55-34'), on_bad_sample='skip')
    cfg['val_dataloader']['dataset'] = cfg['train_dataloader']['dataset']
    cfg.update(
        {f'test_{part}': cfg[f'val_{part}'] for part in ('dataloader', 'evaluator')}, test_cfg={'type': 'TestLoop'}
    )
    cfg['train_cfg'].update(max_iters=4, val_interval=4)
    return Config(cfg), [path.name for path in paths]


def skipped(text):
    """Of the log of a run: the head lines with the count of samples, and the lines below each."""
    listed = {}
    for line in text.splitlines():
        if head := re.search(r'(Epoch \d+|Validation|Test): (\d+) samples? could not be read', line):
            listed[head[1]] = (int(head[2]), [])
        elif listed and re.match(r'  \d+ x ', line):
            list(listed.values())[-1][1].append(line)
    return listed


def run_cut(config, work_dir, **changes):
    """Train, validate and test; what the log of the (first) process lists."""
    cfg = copy.deepcopy(config)
    cfg.merge_from_dict({'work_dir': str(work_dir), 'experiment_name': f'bad_input_{next(COUNT)}', **changes})
    runner = Runner.from_cfg(cfg)
    runner.train()
    runner.test()
    (log,) = work_dir.glob('*/*.log')
    return skipped(log.read_text())


def of_rank(rank, config, folder, queue):
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    half = {'train_dataloader.batch_size': 2, 'train_dataloader.num_workers': 2}
    listed = run_cut(config, folder, launcher='pytorch', **half)
    queue.put((rank, dist.get_world_size(), listed))


def test_a_run_lists_the_samples_that_it_skipped(cut, tmp_path):
    config, names = cut
    listed = run_cut(config, tmp_path / 'one')
    assert list(listed) == ['Epoch 1', 'Epoch 2', 'Validation', 'Test']
    for count, lines in listed.values():
        assert count == 2 and len(lines) == 2, lines
        assert all(any(name in line for line in lines) for name in names), lines

    # Two processes with half of each batch, through workers, read the same shapes; the first lists those of both.
    (tmp_path / 'two').mkdir()
    # The Runner before ends here, and not at some point in processes that it does not belong to.
    gc.collect()
    context = torch.multiprocessing.get_context('fork')
    queue = context.Queue()
    ranks = [context.Process(target=of_rank, args=(rank, config, tmp_path / 'two', queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    found = [queue.get(timeout=60) for _ in ranks]
    for process in ranks:
        process.join(30)
    assert sorted(found)[0] == (0, 2, listed)


def test_checkpoint_of_another_architecture(command, build, small, tmp_path):
    build(tmp_path / 'run', 'train_cfg.max_iters=1', val=False).train()
    said = command('test', small, tmp_path / 'run' / 'iter_1.pth', options=['model.encoder.depth=3'])
    assert 'iter_1.pth is a checkpoint of another architecture' in said and 'encoder.blocks.2' in said
