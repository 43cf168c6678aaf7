"""tools/benchmarks/robustness.py at tiny size: its figures, that it goes on where it stopped, and what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from _scripts import load_script
from _tiny_runs import TINY_ENCODER

from mmpt.apis import load_encoder
from mmpt.evaluation import CORRUPTIONS, compare_with_controls, corrupt, protocol_named, score_encoder
from mmpt.registry import ENCODERS
from mmpt.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/robustness.py')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A checkpoint, and shapes that are clouds stretched along another axis each: generated ones, and an npz."""
    folder = tmp_path_factory.mktemp('robustness')
    torch.manual_seed(0)
    encoder = ENCODERS.build(dict(TINY_ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    torch.save({'meta': {'encoder_cfg': TINY_ENCODER}, 'state_dict': state}, folder / 'pretrain.pth')
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (('train', 30), ('test', 24)):
        arrays[f'labels_{part}'] = np.arange(count) % 3
        stretch = (1 + np.eye(3)[arrays[f'labels_{part}']])[:, None]
        arrays[f'points_{part}'] = (rng.normal(size=(count, 64, 3)) * stretch).astype(np.float32)
    np.savez(folder / 'real.npz', class_names=np.array(['a', 'b', 'c']), dup_test=np.arange(24) % 4 == 0, **arrays)
    return folder


@pytest.fixture
def run(tool, place, monkeypatch):
    shapes = tool.real_shapes.read_shapes(place / 'real.npz', 'y', 64)
    monkeypatch.setattr(tool, 'val_shapes', lambda config, options=None: {k: shapes[k] for k in ('train', 'test')})

    def start(out, *options):
        tool.main(
            [
                *('--checkpoint', str(place / 'pretrain.pth'), '--data', str(place / 'real.npz'), '--num-points', '64'),
                *('--out', str(out), '--threads', '1', '--device', 'cpu', *options),
            ]
        )
        return json.loads((out / 'robustness.json').read_text())

    return start


def test_every_figure_is_what_the_plain_way_gives(run, tool, place, tmp_path, monkeypatch):
    result = run(tmp_path)
    assert list(result['data']) == ['generated classes', 'real', 'real, without duplicates']
    assert [result['shapes'][name]['test'] for name in result['data']] == [24, 24, 18]
    assert result['severities'] == [1, 2, 3, 4, 5] and result['protocols']['real'].startswith('protocol cv: 64 points')

    # By hand: a call of the evaluation for every damaged test part, each of which fits its classifiers anew.
    shapes = tool.real_shapes.read_shapes(place / 'real.npz', 'z', 64)
    unique = {'without duplicates': ~shapes['duplicates']}
    encoder, protocol = load_encoder(place / 'pretrain.pth'), protocol_named('cv')
    for title, suffix in (('real', ''), ('real, without duplicates', '/without duplicates')):
        part = result['data'][title]
        for name, kind in CORRUPTIONS.items():
            for row, severity in zip(part['encoder'][name], (1, 2, 3, 4, 5)):
                assert row['severity'] == severity and row['value'] == kind.values[severity - 1]
                assert row['unit'] == kind.unit
                if severity in (1, 4):
                    test = (corrupt(shapes['test'][0], name, severity), shapes['test'][1])
                    scores = score_encoder(encoder, shapes['train'], test, protocol, subsets=unique)
                    assert (row['knn'], row['svm']) == (scores[f'knn{suffix}'], scores[f'svm{suffix}'])
    for what, test in (
        ('clean', shapes['test'][0]),
        ('noise', corrupt(shapes['test'][0], 'noise', 3)),
    ):
        hand = compare_with_controls(
            None, lambda: ENCODERS.build(dict(TINY_ENCODER)), shapes['train'], (test, shapes['test'][1]), protocol
        )
        row = result['data']['real']['control'][what]
        row = row if what == 'clean' else row[2]
        for measure, spread in hand['control_spread'].items():
            got = (row[measure], row[f'{measure}_min'], row[f'{measure}_max'])
            assert got == pytest.approx((spread['mean'], spread['min'], spread['max']))

    page = (tmp_path / 'robustness.md').read_text()
    row = result['data']['real']['encoder']['occlusion'][4]
    assert f'*0.7*: {row["svm"]:.3f} / ' in page and result['command'] in page
    for name in ('corruptions', 'robustness-generated_classes', 'robustness-real_without_duplicates'):
        assert (tmp_path / f'{name}.png').read_bytes().startswith(b'\x89PNG') and f'{name}.png' in page

    # Again: everything is known.
    def never(*_, **__):
        raise AssertionError('it is known already')

    monkeypatch.setattr(tool, 'probe', never)
    assert run(tmp_path)['data'] == result['data']


def test_it_goes_on_where_it_stopped(run, tool, tmp_path, monkeypatch):
    whole = run(tmp_path / 'whole', '--smoke')
    probe, calls = tool.probe, []

    def stops(*args):
        calls.append(args)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return probe(*args)

    monkeypatch.setattr(tool, 'probe', stops)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'part', '--smoke')
    assert run(tmp_path / 'part', '--smoke')['data'] == whole['data']
    # 2 data sets, 7 encoders, clean and each corruption once; the call that was cut off counts twice.
    assert len(calls) == 2 * 7 * (1 + len(CORRUPTIONS)) + 1
    assert 'smoke run' in (tmp_path / 'part' / 'robustness.md').read_text()

    with pytest.raises(ConfigError, match='--fresh'):
        run(tmp_path / 'part')
