"""tools/few_shot.py on small trees: published and drawn folds, fine-tuned and frozen, interrupted and refused."""

import json
import sys

import numpy as np
import pytest
import torch
from _scripts import load_script
from _small import ROOT, small_config
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mmpt.apis import load_encoder
from mmpt.registry import DATASETS, ENCODERS
from mmpt.utils.config import load_config
from mmpt.utils.errors import CheckpointError, ConfigError

ENCODER = {'type': 'PointTransformer', 'num_groups': 8, 'group_size': 8, 'dim': 16, 'depth': 1, 'num_heads': 2}
ENCODER |= {'drop_path': 0.0, 'cls_token': False, 'patch_widths': [8, 16, 16], 'init': 'default'}
SETTING = ('--ways', '3', '--shots', '2', '--device', 'cpu')


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/few_shot.py')


@pytest.fixture
def place(workplace, tmp_path, monkeypatch):
    """The small configs as files, and a checkpoint; commands are started where their data are."""
    for name in ('modelnet40', 'synthetic'):
        cfg = small_config(f'configs/few_shot/{name}.py', workplace, None)
        cfg.epochs = 2
        cfg.dump(tmp_path / f'{name}.py')
    torch.manual_seed(0)
    encoder = ENCODERS.build(dict(ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    torch.save({'meta': {'encoder_cfg': ENCODER}, 'state_dict': state}, tmp_path / 'pretrain.pth')
    monkeypatch.chdir(workplace)
    return tmp_path


def run(tool, place, name, *options):
    """The tool; what it wrote."""
    tool.main([str(place / f'{name}.py'), *SETTING, '--work-dir', str(place / 'out'), *options])
    return json.loads((place / 'out' / 'few_shot.json').read_text())


@pytest.mark.parametrize('name', ['modelnet40', 'synthetic'])
def test_frozen_features_score_as_scikit_learn_does_fold_by_fold(name, tool, place, capsys):
    result = run(tool, place, name, '--folds', '2', '--frozen', '--checkpoint', str(place / 'pretrain.pth'))
    encoder, expected = load_encoder(place / 'pretrain.pth'), {'svm': [], 'knn': []}
    data = load_config(place / f'{name}.py').val_dataloader.dataset.to_dict()
    for fold in range(2):
        x, y = {}, {}
        for split in ('train', 'test'):
            part = DATASETS.build({**data, 'way': 3, 'shot': 2, 'fold': fold, 'split': split})
            samples = [part[index] for index in range(len(part))]
            tokens = encoder(torch.stack([sample['inputs']['points'] for sample in samples])).patch.detach().numpy()
            x[split] = np.concatenate([tokens.max(1), tokens.mean(1)], axis=1)
            y[split] = [sample['data_samples'].label for sample in samples]
        for kind, model in (('svm', LinearSVC(dual=False, tol=1e-8)), ('knn', KNeighborsClassifier(1))):
            fitted = make_pipeline(StandardScaler(), model).fit(x['train'], y['train'])
            expected[kind].append(fitted.score(x['test'], y['test']))
    found = result['settings']['3-way 2-shot']
    for kind, values in expected.items():
        assert found[kind]['mean'] == pytest.approx(np.mean(values), abs=1e-6) and found[kind]['n'] == 2
        assert found[kind]['std'] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    record = result['folds']['3-way 2-shot'][0]['record']
    assert (record['num_points'], record['C'], record['classifier'], record['query_part']) == (
        128,
        1.0,
        'LinearSVC',
        'test',
    )
    assert record['seed'] == {'modelnet40': None, 'synthetic': 0}[name]
    assert ('2 given folds' if name == 'modelnet40' else '2 folds, seed 0') in result['protocol']
    text = (place / 'out' / 'few_shot.md').read_text()
    assert result['protocol'][1:] in text and f'{100 * found["svm"]["mean"]:.1f} ±' in text and '| 2 of 2 |' in text
    assert 'minutes left' in capsys.readouterr().out


def test_a_published_fold_is_fine_tuned_and_not_twice(tool, place, monkeypatch, capsys):
    result = run(tool, place, 'modelnet40', '--folds', '1')
    (fold,) = result['folds']['3-way 2-shot']
    # Two epochs of six examples in batches of four.
    assert fold['record']['updates'] == 3 and '--seed 0' in fold['command']
    assert fold['scores']['accuracy'] == result['settings']['3-way 2-shot']['accuracy']['mean']
    folder = place / 'out' / 'runs' / '3way_2shot-0'
    logs = ''.join(path.read_text() for path in (folder / 'run').rglob('*.log'))
    assert f'test/accuracy: {fold["scores"]["accuracy"]:.4f}' in logs and 'Iter(val)' in logs
    assert not list((folder / 'run').glob('*.pth'))
    assert 'from scratch' in (place / 'out' / 'few_shot.md').read_text()
    monkeypatch.setattr(sys.modules['_suite.bench'], 'train_in_process', None)
    assert run(tool, place, 'modelnet40', '--folds', '1')['settings'] == result['settings']
    assert '1 of 1 jobs are done already' in capsys.readouterr().out


def test_what_each_training_is_told(tool, place, monkeypatch):
    """No fold of one setting trains by the schedule of another, or on the shapes that it is tested on."""
    import _suite.bench

    told = []

    def train(folder, config, keys, options, **kwargs):
        told.append((dict(option.split('=', 1) for option in options), kwargs['seed']))
        return {'scores': {'accuracy': 0.25 * len(told)}, 'command': 'c', 'peak_mb': 1}

    monkeypatch.setattr(_suite.bench, 'train_in_process', train)
    result = run(
        tool, place, 'synthetic', '--shots', '1', '2', '--folds', '2', '--checkpoint', str(place / 'pretrain.pth')
    )
    assert [(options['train_dataloader.dataset.shot'], seed) for options, seed in told] == [
        ('1', 0),
        ('1', 1),
        ('2', 0),
        ('2', 1),
    ]
    for options, seed in told:
        for key, value in (('way', '3'), ('fold', str(seed)), ('shot', options['train_dataloader.dataset.shot'])):
            assert options[f'train_dataloader.dataset.{key}'] == options[f'val_dataloader.dataset.{key}'] == value
        updates = round(2 * 3 * int(options['val_dataloader.dataset.shot']) / 4)
        assert options['train_cfg.max_iters'] == options['train_cfg.val_interval'] == str(updates)
        assert options['model.num_classes'] == '3' and options['model.checkpoint'] == str(place / 'pretrain.pth')
    one, two = result['settings'].values()
    assert one['accuracy']['mean'] == 0.375 and two['accuracy']['mean'] == 0.875
    assert one['accuracy']['std'] == pytest.approx(0.25 / np.sqrt(2))


def test_a_failed_fold_is_named_and_run_again(tool, place, monkeypatch):
    score = tool.FewShot.score

    def fail(self, way, shot, fold):
        if fold == 0:
            raise ValueError('no memory left')
        return score(self, way, shot, fold)

    options = ('synthetic', '--folds', '2', '--frozen', '--checkpoint', str(place / 'pretrain.pth'))
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(tool.FewShot, 'score', fail)
        run(tool, place, *options)
    assert '| 1 of 2 |' in (place / 'out' / 'few_shot.md').read_text()
    assert 'no memory left' in json.loads((place / 'out' / 'few_shot.json').read_text())['failed'][0]
    assert run(tool, place, *options)['settings']['3-way 2-shot']['svm']['n'] == 2
    with pytest.raises(ConfigError, match='--fresh'):
        run(tool, place, 'modelnet40', *options[1:])


def test_bad_input_is_one_sentence(tool, place):
    with pytest.raises(FileNotFoundError, match=r'no 3way_2shot/4\.pkl.*3way_2shot with folds 0, 1'):
        run(tool, place, 'modelnet40', '--folds', '5')
    with pytest.raises(ValueError, match='3-way 9-shot needs 9 shapes of every class in the training part'):
        run(tool, place, 'synthetic', '--shots', '9')
    with pytest.raises(ConfigError, match='--frozen needs --checkpoint'):
        run(tool, place, 'synthetic', '--frozen')
    with pytest.raises(CheckpointError, match=r'nowhere\.pth does not exist'):
        run(tool, place, 'synthetic', '--checkpoint', 'nowhere.pth')
    (place / 'other.py').write_text("model = dict(type='PointClassifier', num_classes=3)\n")
    with pytest.raises(ConfigError, match='has no folds: expected `epochs`'):
        run(tool, place, 'other')
    assert not (place / 'out').exists()


def test_the_shipped_settings_are_those_of_the_custom(tool):
    """METHODS 5.4: 150 epochs, 5e-4, batches of 32; the config itself is fold 0 of 5-way 10-shot."""
    args = tool.parse_args([str(ROOT / 'configs' / 'few_shot' / 'modelnet40.py')])
    bench = tool.FewShot(args, 'cpu')
    assert (args.ways, args.shots, args.folds) == ([5, 10], [10, 20], 10)
    assert [bench.updates(way, shot) for way in args.ways for shot in args.shots] == [234, 469, 469, 938]
    cfg = bench.cfg
    assert cfg.epochs == 150 and cfg.optim_wrapper.optimizer.lr == 5e-4 and cfg.train_dataloader.batch_size == 32
    assert cfg.train_cfg.max_iters == cfg.train_cfg.val_interval == bench.updates(5, 10)
    assert [step.num_points for step in cfg.train_dataloader.dataset.pipeline if 'num_points' in step] == [1200, 1024]
    assert [step.num_points for step in cfg.val_dataloader.dataset.pipeline if 'num_points' in step] == [1024]
    assert 'save_best' not in cfg.default_hooks.checkpoint
    twin = load_config(ROOT / 'configs' / 'few_shot' / 'synthetic.py')
    assert twin.train_cfg.max_iters == round(twin.epochs * 50 / 32) == 47
