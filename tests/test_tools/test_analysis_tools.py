"""tools/extract_features.py and tools/analysis_tools: files that others read, pictures, counts against formulas."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpt.evaluation import extract_features, load_features
from mmpt.registry import ENCODERS
from mmpt.utils.config import load_config
from mmpt.utils.errors import run

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    name: runpy.run_path(str(ROOT / 'tools' / f'{name}.py'))
    for name in (
        'extract_features',
        *(f'analysis_tools/{tool}' for tool in ('tsne', 'confusion_matrix', 'log_curves', 'model_stats')),
    )
}
ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 16,
    'depth': 1,
    'num_heads': 2,
    'patch_widths': (8, 16, 16),
}


@pytest.fixture
def call(monkeypatch, capsys):
    def call(name, *args):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        code = run(TOOLS[name]['main'])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A checkpoint, and labelled clouds of three very different forms in one npz."""
    folder, rng = tmp_path_factory.mktemp('analysis'), np.random.default_rng(0)
    torch.manual_seed(0)
    encoder = ENCODERS.build(dict(ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'encoder_cfg': ENCODER}}, folder / 'model.pth')
    arrays = {}
    for split, count in (('train', 30), ('test', 15)):
        labels = np.arange(count) % 3
        points = rng.normal(size=(count, 96, 3)) * (0.1 + np.eye(3)[labels])[:, None]
        arrays[f'points_{split}'], arrays[f'labels_{split}'] = points.astype(np.float32), labels
    np.savez(folder / 'shapes.npz', class_names=['long', 'high', 'deep'], **arrays)
    return folder


@pytest.fixture(scope='module')
def features(folder):
    """The npz of the tool."""
    path = folder / 'features.npz'
    sys.argv, before = (
        ['extract', f'{folder}/shapes.npz', f'{folder}/model.pth', str(path), '--num-points', '64'],
        sys.argv,
    )
    assert run(TOOLS['extract_features']['main']) == 0
    sys.argv = before
    return path


def test_features_of_an_npz_are_those_of_the_encoder(folder, features):
    from mmpt.apis import load_encoder

    data = load_features(features)
    assert data.classes == ('long', 'high', 'deep') and data.protocol.num_points == 64
    assert data.splits.tolist() == ['train'] * 30 + ['test'] * 15 and data.ids[31] == 'test/1'
    assert data.labels.tolist() == [*(np.arange(30) % 3), *(np.arange(15) % 3)]
    points = np.load(folder / 'shapes.npz')['points_test'][:, :64]
    points = points - points.mean(1, keepdims=True)
    points /= np.linalg.norm(points, axis=2).max(1)[:, None, None]
    expected = extract_features(load_encoder(folder / 'model.pth'), points)
    np.testing.assert_allclose(data.part('test')[0], expected, atol=1e-5)


def test_a_folder_without_classes_needs_no_labels(call, folder, tmp_path):
    clouds = tmp_path / 'clouds'
    clouds.mkdir()
    for number in range(5):
        np.savetxt(clouds / f'{number}.xyz', np.random.default_rng(number).normal(size=(80, 3)))
    code, printed = call('extract_features', clouds, folder / 'model.pth', tmp_path / 'f.npz', '--num-points', 64)
    assert code == 0 and '5 of no part' in printed, printed
    data = load_features(tmp_path / 'f.npz')
    assert data.labels.tolist() == [-1] * 5 and data.classes == () and data.ids.tolist() == list('01234')
    code, printed = call('analysis_tools/tsne', tmp_path / 'f.npz', '--out', tmp_path / 'tsne.png')
    assert code == 0 and 'no class: 3' in (tmp_path / 'tsne.html').read_text(), printed


def test_features_of_a_config_are_those_of_its_val_loop(call, folder, tmp_path):
    (tmp_path / 'config.py').write_text(
        'pipeline = [dict(type="FirstPoints", num_points=64), dict(type="UnitSphere"), dict(type="PackInputs")]\n'
        f'shapes = dict(type="NpzShapes", path="{folder}/shapes.npz", split="test", pipeline=pipeline)\n'
        'val_dataloader = dict(dataset=shapes)\n'
    )
    code, printed = call('extract_features', tmp_path / 'config.py', folder / 'model.pth', tmp_path / 'f.npz')
    assert code == 0 and '15 test' in printed, printed


def test_samples_that_cannot_be_read_are_left_out_and_named(call, folder, tmp_path):
    clouds = tmp_path / 'clouds'
    clouds.mkdir()
    for number in range(6):
        np.save(clouds / f'{number}.npy', np.random.default_rng(number).normal(size=(80, 3)).astype(np.float32))
    for number in (2, 5):
        (clouds / f'{number}.npy').write_bytes((clouds / f'{number}.npy').read_bytes()[:300])
    (tmp_path / 'config.py').write_text(
        'pipeline = [dict(type="LoadPoints"), dict(type="FirstPoints", num_points=64), dict(type="PackInputs")]\n'
        f'shapes = dict(type="PointCloudFolder", data_root="{clouds}", on_bad_sample="skip", pipeline=pipeline)\n'
        'val_dataloader = dict(dataset=shapes)\n'
    )
    code, printed = call('extract_features', tmp_path / 'config.py', folder / 'model.pth', tmp_path / 'f.npz')
    assert code == 0 and load_features(tmp_path / 'f.npz').ids.tolist() == list('0134'), printed
    _, said = printed.split('left out, because they could not be read: ')
    head, *lines = said.splitlines()
    reasons = [line for line in lines if line.startswith('  ')]
    assert head == '2 of 6 samples' and len(reasons) == 2, printed
    assert f'{clouds}/2.npy' in reasons[0] and f'{clouds}/5.npy' in reasons[1]


def test_tsne_shows_every_shape_once(call, features, tmp_path):
    code, printed = call(
        'analysis_tools/tsne', features, '--split', 'test', '--out', tmp_path / 'tsne.png', '--perplexity', 4
    )
    assert code == 0, printed
    page = (tmp_path / 'tsne.html').read_text()
    assert page.count('<path') == 15 and page.count('<title>long: test/') == 5 and '://' not in page
    assert (tmp_path / 'tsne.png').read_bytes().startswith(b'\x89PNG')


def test_confusion_counts_what_the_protocol_predicts(call, features, tmp_path):
    from mmpt.evaluation.protocols import probe

    data = load_features(features)
    scores = probe(*data.part('train'), *data.part('test'), data.protocol)
    truth = data.part('test')[1]
    for classifier, predicted in (('knn', scores.knn_predicted), ('svm', scores.svm.predicted)):
        counts, names = TOOLS['analysis_tools/confusion_matrix']['read'](str(features), classifier)
        slow = [[sum((truth == a) & (predicted == b)) for b in range(3)] for a in range(3)]
        assert counts.tolist() == slow and names == ['long', 'high', 'deep']
    np.savez(tmp_path / 'p.npz', labels=[0, 0, 1, 2], predictions=[0, 1, 1, 0], classes=['a', 'b', 'c'])
    (tmp_path / 'c.json').write_text(json.dumps({'confusion': [[1, 1, 0], [0, 1, 0], [1, 0, 0]]}))
    for name in ('p.npz', 'c.json'):
        code, printed = call('analysis_tools/confusion_matrix', tmp_path / name, '--out', tmp_path / 'c.png')
        assert code == 0 and '2 of 4 right, accuracy 0.500' in printed, printed
    assert 'a taken for b: 1 of 2' in call('analysis_tools/confusion_matrix', tmp_path / 'p.npz')[1]


def test_curves_of_two_runs_are_told_apart(call, tmp_path):
    for run_name, slope in (('one', 1.0), ('two', -1.0)):
        log = tmp_path / run_name / 'same' / '20260101' / 'vis_data'
        log.mkdir(parents=True)
        lines = [{'step': i, 'task/plr': 5 + slope * i, 'time': 0.1} for i in range(1, 4)]
        (log / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    dirs = [tmp_path / 'one' / 'same', tmp_path / 'two' / 'same']
    code, printed = call('analysis_tools/log_curves', *dirs, '--out', tmp_path / 'c.png')
    assert code == 0 and 'time' not in printed, printed
    rows = {line.split()[1]: line.split()[2:] for line in printed.splitlines() if line.startswith('task/plr')}
    assert rows == {'one/same': ['8', '6', '1', '8', '3'], 'two/same': ['2', '2', '3', '4', '1']}
    assert call('analysis_tools/log_curves', dirs[0], '--out', tmp_path / 'one.png')[0] == 0
    code, printed = call('analysis_tools/log_curves', *dirs, '--keys', 'task/mcl')
    assert code == 2 and "No run logged 'task/mcl'; there are task/plr, time" in printed


MODEL = f"""
num_points = 128
model = dict(
    type='MultiTaskPretrainer',
    encoder={ENCODER},
    masking=dict(type='RandomMasking', ratio=0.5),
    decoder=dict(type='MaskedDecoder', dim=16, depth=1, num_heads=2),
    views=dict(masked=dict(source='points', mask='hidden')),
    heads=dict(plr=dict(type='PointReconstructionHead', dim=16, group_size=8)),
)
"""


def test_counts_are_those_of_the_formulas(call, tmp_path):
    (tmp_path / 'config.py').write_text(MODEL)
    code, printed = call('analysis_tools/model_stats', tmp_path / 'config.py', '--json', tmp_path / 'stats.json')
    assert code == 0 and 'heads.plr' in printed, printed
    stats = json.loads((tmp_path / 'stats.json').read_text())
    encoder = ENCODERS.build(dict(ENCODER))
    total = sum(parameter.numel() for parameter in encoder.parameters())
    assert stats['parameters']['encoder'] == [total, total] and stats['points'] == 128
    # The head is one linear layer on four hidden patches: 16 channels to 8 points.
    assert stats['forward_flops']['head plr'] == 2 * 4 * 16 * 24
    # Half of the patches: queries, keys, values, output and perceptron are half of those of the whole cloud.
    parts = stats['forward_flops']
    assert set(parts) == {'embedded', 'masked_tokens', 'hidden', 'head plr'}
    assert parts['embedded'] < stats['encoder_flops'] < 2 * parts['masked_tokens'] + parts['embedded'] + 1e5
    # Two products behind each of the forward pass; those with respect to points are not needed.
    assert sum(parts.values()) < stats['backward_flops'] <= 2 * sum(parts.values())


def test_model_stats_of_a_model_without_a_step(tmp_path):
    (tmp_path / 'config.py').write_text(
        f"model = dict(type='PointClassifier', num_classes=3, pooling=('max',), hidden_dim=8, encoder={ENCODER})\n"
    )
    result = TOOLS['analysis_tools/model_stats']['measure'](load_config(tmp_path / 'config.py'), 64)
    assert result['forward_flops']['encoder'] == result['encoder_flops']
    assert result['forward_flops']['head'] == 2 * (16 * 8 + 8 * 8 + 8 * 3)


@pytest.mark.parametrize(
    ('name', 'args', 'said'),
    [
        ('extract_features', ('nothing.txt', '{}/model.pth', 'o.npz'), 'nothing.txt is no config'),
        ('analysis_tools/tsne', ('{}/features.npz', '--split', 'val'), "0 shapes of split 'val'"),
        ('analysis_tools/tsne', ('{}/shapes.npz',), 'is not a feature file'),
        ('analysis_tools/confusion_matrix', ('{}/shapes.npz',), 'expected features, labels and predictions'),
        ('analysis_tools/log_curves', ('{}',), 'holds no mmengine log'),
        ('analysis_tools/log_curves', ('{}', '{}'), 'named twice'),
    ],
)
def test_bad_input_is_one_sentence(call, features, name, args, said):
    code, printed = call(name, *(arg.format(features.parent) for arg in args))
    assert code == 2 and said in printed and 'Traceback' not in printed, printed
