"""What a user gets wrong, through the commands: one sentence, exit code 2, no traceback."""

import itertools
import runpy
import sys

import numpy as np
import pytest
from _helpers import ROOT
from _small import small_config, write_shapenet
from mmengine.config import Config

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


def test_checkpoint_of_another_architecture(command, build, small, tmp_path):
    build(tmp_path / 'run', 'train_cfg.max_iters=1', val=False).train()
    said = command('test', small, tmp_path / 'run' / 'iter_1.pth', options=['model.encoder.depth=3'])
    assert 'iter_1.pth is a checkpoint of another architecture' in said and 'encoder.blocks.2' in said
