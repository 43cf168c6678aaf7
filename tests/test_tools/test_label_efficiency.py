"""tools/benchmarks/label_efficiency.py: both sides differ in the weights alone; its figures; trainings of seconds."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from _scripts import load_script
from _tiny_runs import TINY_ENCODER

from mmpt.apis import load_encoder
from mmpt.evaluation import paired_bootstrap
from mmpt.registry import ENCODERS
from mmpt.utils.config import parse_options
from mmpt.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
_base_ = '{root}/configs/classification/finetune_synthetic.py'
_data = dict(num_points=64, cache_dir='{folder}/shapes')
_points = [dict(type='FirstPoints', num_points=48), dict(type='PackInputs')]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=_points, **_data))
val_dataloader = dict(dataset=dict(pipeline=_points, **_data))
"""


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/label_efficiency.py')


@pytest.fixture
def place(tmp_path):
    """A checkpoint, and a config of small shapes."""
    torch.manual_seed(7)
    encoder = ENCODERS.build(dict(TINY_ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    torch.save({'meta': {'encoder_cfg': TINY_ENCODER}, 'state_dict': state}, tmp_path / 'pretrain.pth')
    (tmp_path / 'config.py').write_text(CONFIG.format(root=ROOT, folder=tmp_path))
    return tmp_path


def words(place, *options):
    paths = (
        '--checkpoint',
        str(place / 'pretrain.pth'),
        '--config',
        str(place / 'config.py'),
        '--out',
        str(place / 'out'),
    )
    return [*paths, '--device', 'cpu', *options]


def options_of(command):
    return parse_options(command[command.index('--cfg-options') + 1 :])


def test_both_sides_differ_in_the_weights_alone(tool, place):
    bench = tool.Bench(tool.parse_args(words(place)))
    ours, theirs = (bench.command(tool.Run(side, 0.05, 2)) for side in ('pretrained', 'scratch'))
    differ = {key for key, value in options_of(ours).items() if options_of(theirs)[key] != value}
    assert differ == {'model.checkpoint', 'val_evaluator.0.save_predictions'}
    seeds = [command[command.index('--seed') + 1] for command in (ours, theirs)]
    assert seeds == ['2', '2'] and options_of(ours)['train_dataloader.dataset.indices.seed'] == 2
    # The same encoder, not the same weights, and others for another seed.
    files = [options_of(ours)['model.checkpoint'], options_of(theirs)['model.checkpoint']]
    files.append(options_of(bench.command(tool.Run('scratch', 0.05, 0)))['model.checkpoint'])
    encoders = [load_encoder(file) for file in files]
    assert encoders[0].cfg == encoders[1].cfg == TINY_ENCODER
    weights = [torch.cat([p.flatten() for p in encoder.blocks.parameters()]) for encoder in encoders]
    assert not any(torch.equal(weights[i], weights[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    # As many updates whatever the share, and a val loop behind the last one only.
    for fraction in tool.FRACTIONS:
        options = options_of(bench.command(tool.Run('scratch', fraction, 0)))
        assert options['train_cfg.max_iters'] == options['train_cfg.val_interval'] == 400
        assert options['train_dataloader.dataset.indices.share'] == fraction


def test_one_per_cent_is_one_shape_of_each_class(tool, place):
    bench = tool.Bench(tool.parse_args(words(place)))
    bench.cfg.train_dataloader.dataset.cache_dir = None
    assert [bench.shapes_of(fraction) for fraction in tool.FRACTIONS] == [27, 135, 270, 2700]


def test_a_row_is_mean_range_and_paired_interval(tool, place):
    bench = tool.Bench(tool.parse_args(words(place)))
    bench.cfg.train_dataloader.dataset.cache_dir = None
    rng = np.random.default_rng(0)
    correct = {side: rng.random((3, 54)) < share for side, share in (('pretrained', 0.8), ('scratch', 0.5))}
    for side, runs in correct.items():
        for seed, items in enumerate(runs):
            text = ''.join('1' if item else '0' for item in items)
            found = {'accuracy': float(items.mean()), 'correct': text, 'minutes': 1.0, 'command': 'c'}
            bench.state.put(**{tool.Run(side, 0.1, seed).name: found})
    row = tool.row_of(bench, 0.1)
    assert row['shapes'] == 270 and row['passes'] == pytest.approx(400 * 4 / 270)
    for side, runs in correct.items():
        means = runs.mean(axis=1)
        assert (row[side]['mean'], row[side]['min'], row[side]['max']) == pytest.approx(
            (means.mean(), means.min(), means.max())
        )
        assert [entry['seed'] for entry in row[side]['runs']] == [0, 1, 2]
    assert row['difference'] == paired_bootstrap([(correct['pretrained'], correct['scratch'])])[0]._asdict()
    assert row['difference']['low'] < row['pretrained']['mean'] - row['scratch']['mean'] < row['difference']['high']


def test_a_folder_of_another_budget_is_refused(tool, place):
    tool.Bench(tool.parse_args(words(place))).state.put(some=1)
    with pytest.raises(ConfigError, match='--fresh'):
        tool.Bench(tool.parse_args(words(place, '--updates', '401')))
    assert 'some' not in tool.Bench(tool.parse_args(words(place, '--updates', '401', '--fresh'))).state.values


@pytest.mark.slow
def test_trainings_end_to_end_and_again(tool, place, monkeypatch):
    monkeypatch.setattr(tool, 'FRACTIONS', (0.1, 1.0))
    tool.main(words(place, '--smoke', '--jobs', '2'))
    out = place / 'out'
    result = json.loads((out / 'label_efficiency.json').read_text())
    assert [(row['fraction'], row['shapes']) for row in result['rows']] == [(0.1, 27), (1.0, 270)]
    assert result['shapes'] == {'train': 270, 'test': 54} and result['updates'] == 2
    page = (out / 'label_efficiency.md').read_text()
    for row in result['rows']:
        for side in ('pretrained', 'scratch'):
            (entry,) = row[side]['runs']
            # Its folder holds the answers that the accuracy is of.
            with np.load(out / entry['folder'] / 'answers.npz') as file:
                assert len(file['ids']) == 54
                assert entry['accuracy'] == (file['logits'].argmax(1) == file['labels']).mean()
            assert entry['command'] in page and shlex.split(entry['command'])[1] == 'tools/train.py'
        assert row['difference']['mean'] == pytest.approx(row['pretrained']['mean'] - row['scratch']['mean'])
    assert (out / 'label_efficiency.png').read_bytes().startswith(b'\x89PNG')

    # One was stopped between its last update and its score: it is scored, and nothing else is done.
    state = json.loads((out / 'label_efficiency' / 'state.json').read_text())
    del state['scratch_10/seed0']
    (out / 'label_efficiency' / 'state.json').write_text(json.dumps(state))
    (out / 'label_efficiency' / 'scratch_10' / 'seed0' / 'answers.npz').unlink()
    started, job = [], tool.Bench.job
    monkeypatch.setattr(tool.Bench, 'job', lambda bench, one: started.append(one.name) or job(bench, one))
    tool.main(words(place, '--smoke', '--jobs', '2'))
    assert started == ['scratch_10/seed0']
    again = json.loads((out / 'label_efficiency.json').read_text())['rows']
    for row, before in zip(again, result['rows']):
        assert row['difference'] == before['difference'] and row['scratch']['mean'] == before['scratch']['mean']
