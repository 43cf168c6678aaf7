"""The probes through mmengine's own Runner, with a model small enough to train in a second."""

import os
import re

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmpt.evaluation import FeatureProbe, TokenizerProbe, load_features, save_features
from mmpt.evaluation.protocols import PRESETS, knn_accuracy, linear_svm
from mmpt.registry import METRICS
from mmpt.structures import PointDataSample


class LabelledClouds(Dataset):
    """Both parts of a labelled data set, as a val loop sees it."""

    def __init__(self, n=60):
        rng = np.random.default_rng(0)
        self.labels = np.arange(n) % 3
        stretch = 1 + 0.8 * np.eye(3)[self.labels]
        self.points = (rng.normal(size=(n, 16, 3)) * stretch[:, None]).astype(np.float32)

    def __len__(self):
        return len(self.points)

    def __getitem__(self, i):
        sample = PointDataSample(metainfo={'sample_id': f'shape{i}', 'split': 'train' if i < 40 else 'test'})
        sample.label = int(self.labels[i])
        return {'inputs': {'points': torch.from_numpy(self.points[i])}, 'data_samples': sample}


class ToyPretrainer(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 8), nn.ReLU())

    def forward(self, inputs, data_samples=None, mode='tensor'):
        tokens = self.encoder(inputs['points'])
        if mode == 'loss':
            return {'loss': tokens.square().mean()}
        for i, sample in enumerate(data_samples):
            sample.pooled = {'max': tokens[i].amax(0), 'mean': tokens[i].mean(0), 'cls': tokens[i, 0]}
        return data_samples


def make_runner(work_dir, evaluator, **options):
    loader = {
        'batch_size': 8,
        'num_workers': 0,
        'collate_fn': {'type': 'default_collate'},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    }
    return Runner(
        model=ToyPretrainer(),
        work_dir=str(work_dir),
        train_dataloader={**loader, 'dataset': LabelledClouds()},
        train_cfg={'type': 'IterBasedTrainLoop', 'max_iters': 4, 'val_interval': 2},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.01}},
        val_dataloader={**loader, 'dataset': LabelledClouds()},
        val_cfg={},
        val_evaluator=evaluator,
        default_scope='mmpt',
        experiment_name=os.path.basename(str(work_dir)),
        log_level='WARNING',
        **options,
    )


def test_the_logged_scores_follow_from_the_saved_file(tmp_path):
    path = tmp_path / 'features.npz'
    evaluator = {'type': 'FeatureProbe', 'pooling': ('max', 'mean', 'cls'), 'save_features': str(path)}
    scores = make_runner(tmp_path, evaluator).val()
    assert set(scores) == {'probe/knn', 'probe/svm', 'probe/svm_C'}

    saved = load_features(path)
    assert saved.features.shape == (60, 24) and saved.features.dtype == np.float32
    assert sorted(saved.ids) == sorted(f'shape{i}' for i in range(60))
    train_x, train_y = saved.part('train')
    test_x, test_y = saved.part('test')
    assert (len(train_x), len(test_x)) == (40, 20)
    again = linear_svm(train_x, train_y, test_x, test_y)
    assert scores['probe/svm'] == again.accuracy and scores['probe/svm_C'] == again.C
    assert scores['probe/knn'] == knn_accuracy(train_x, train_y, test_x, test_y)
    assert saved.protocol.to_dict() == {**PRESETS['cv'].to_dict(), 'pooling': ('max', 'mean', 'cls')}


def test_save_best_follows_the_probe(tmp_path):
    hooks = {'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 2, 'save_best': 'probe/svm'}}
    hooks['checkpoint']['rule'] = 'greater'
    evaluator = {'type': 'FeatureProbe', 'svm': {'C': 0.1}, 'num_points': 16}
    runner = make_runner(tmp_path, evaluator, default_hooks=hooks)
    runner.train()
    assert len(list(tmp_path.glob('best_probe_svm_iter_*.pth'))) == 1
    logged, _ = runner.message_hub.get_scalar('val/probe/svm').data
    assert len(logged) == 2 and runner.message_hub.get_info('best_score') == max(logged)


def _predictions(n=30, **change):
    rng = np.random.default_rng(0)
    samples = []
    for i in range(n):
        label = i % 3
        x = torch.from_numpy(rng.normal(size=4).astype(np.float32)) + label
        fields = {'label': torch.tensor(label), 'pooled': {'max': x, 'mean': x * 2}, 'sample_id': str(i)}
        samples.append({**fields, 'split': 'train' if i < 20 else 'test'})
    for i, fields in change.items():
        samples[int(i[1:])].update(fields)
    return samples


def _evaluate(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_padding_of_the_sampler_and_order_change_nothing():
    samples = _predictions()
    scores = _evaluate(FeatureProbe(), samples)
    # Repeats of one shape in the training part would pull the SVM and the scaler.
    assert _evaluate(FeatureProbe(), samples + samples[:7] * 5) == scores
    assert _evaluate(FeatureProbe(), samples[::-1]) == scores


def test_what_is_left_out_is_not_scored():
    samples = _predictions()
    assert set(_evaluate(FeatureProbe(svm=None), samples)) == {'probe/knn'}
    assert set(_evaluate(FeatureProbe(knn=None, prefix='x'), samples)) == {'x/svm', 'x/svm_C'}
    assert _evaluate(FeatureProbe(svm={'C': 'recon'}), samples)['probe/svm_C'] == 0.075
    assert FeatureProbe(svm={'C': 'crosspoint'}).protocol.classifier == 'SVC'


@pytest.mark.parametrize(
    'change, words',
    [
        ({'_3': {'label': None}}, 'sample 3 has none'),
        ({'_3': {'pooled': None}}, '`pooled`.*sample 3'),
        ({'_3': {'split': 'val'}}, "sample 3 has 'val'"),
        ({'_3': {'sample_id': ''}}, 'sample_id'),
        ({f'_{i}': {'split': 'train'} for i in range(30)}, 'test part is empty'),
        ({'_3': {'pooled': {'max': torch.full((4,), torch.nan), 'mean': torch.zeros(4)}}}, 'not finite'),
        ({'_3': {'pooled': {'max': torch.zeros(4)}}}, "asks for 'mean'"),
    ],
)
def test_bad_predictions_are_one_sentence(change, words):
    with pytest.raises((ValueError, KeyError), match=words) as caught:
        _evaluate(FeatureProbe(), _predictions(**change))
    assert '\n' not in str(caught.value)


def test_bad_arguments_are_one_sentence():
    for options, words in [
        ({'knn': None, 'svm': None}, 'nothing to measure'),
        ({'svm': {'c': 1}}, "not 'c'"),
        ({'knn': {'n': 1}}, "not 'n'"),
        ({'svm': {'C': 'best'}}, "not 'best'"),
    ]:
        with pytest.raises(ValueError, match=words):
            METRICS.build({'type': 'mmpt.FeatureProbe', **options})
    with pytest.raises(ValueError, match='no samples'):
        FeatureProbe().evaluate(0)


def test_a_failed_save_keeps_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / 'deep' / 'features.npz'
    _evaluate(FeatureProbe(save_features=path, svm=None), _predictions())
    older = path.read_bytes()
    data = load_features(path)

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space'):
        save_features(path, data._replace(features=data.features * 0))
    assert path.read_bytes() == older
    assert os.listdir(path.parent) == ['features.npz']
    with pytest.raises(ValueError, match='npz'):
        save_features(tmp_path / 'features.pkl', data)


def test_a_feature_file_cannot_run_code(tmp_path):
    path = tmp_path / 'evil.npz'
    np.savez(path, features=np.array([print], dtype=object), labels=0, splits=0, ids=0, protocol='{}', classes='')
    with pytest.raises(ValueError, match='allow_pickle'):
        load_features(path)
    np.savez(path, features=np.zeros(3))
    with pytest.raises(KeyError, match='lacks classes, ids, labels'):
        load_features(path)


def test_tokenizer_probe_counts_every_patch_of_every_shape_once():
    samples = [
        {
            'sample_id': str(i),
            'token_id': torch.tensor([i, i + 1, 7, 7]),
            'chamfer': 0.1 * i,
            'baseline_chamfer': 0.5,
            'best_baseline_chamfer': 0.4,
        }
        for i in range(3)
    ]
    scores = _evaluate(TokenizerProbe(), samples + samples[:1])
    share = np.array([1, 2, 2, 1, 6]) / 12
    assert scores == {
        'tokenizer/perplexity': pytest.approx(np.exp(-(share * np.log(share)).sum())),
        'tokenizer/used': 5,
        'tokenizer/chamfer': pytest.approx(0.1),
        'tokenizer/chamfer_baseline': pytest.approx(0.5),
        'tokenizer/chamfer_best_baseline': pytest.approx(0.4),
    }
    with pytest.raises(ValueError, match='`chamfer`, but sample 0'):
        _evaluate(TokenizerProbe(), [{'sample_id': '0', 'token_id': torch.tensor([1])}])


def _rank(rank, store, queue):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    samples = _predictions()
    # Blocks of unequal length, and one sample on both ranks: neither interleaved nor padded as mmengine expects.
    mine = samples[:21] if rank == 0 else samples[20:]
    scores = _evaluate(FeatureProbe(svm={'C': 0.1}), mine)
    try:
        _evaluate(FeatureProbe(), [{**sample, 'label': None} for sample in mine])
    except ValueError as error:
        queue.put((rank, scores, str(error)))


def test_two_ranks_equal_one_and_fail_together(tmp_path):
    context = torch.multiprocessing.get_context('fork')
    queue = context.Queue()
    ranks = [context.Process(target=_rank, args=(rank, tmp_path / 'store', queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    (_, first, error), (_, second, same) = sorted(queue.get(timeout=60) for _ in ranks)
    for process in ranks:
        process.join(30)
    assert first == second == _evaluate(FeatureProbe(svm={'C': 0.1}), _predictions())
    assert 'needs one label' in error and error == same


def test_a_preset_is_the_whole_protocol():
    assert FeatureProbe(preset='recon').protocol == PRESETS['recon']
    # What agrees may be said as well.
    agreeing = {'pooling': ['cls', 'max+mean'], 'standardize': False, 'svm': {'C': 'recon'}, 'num_points': 1024}
    assert FeatureProbe(preset='recon', **agreeing).protocol == PRESETS['recon']
    for field, argument in (
        ("pooling = ('cls', 'max+mean')", {'pooling': ('max', 'mean')}),
        ('standardize = False', {'standardize': True}),
        ('num_points = 1024', {'num_points': 64}),
        ('knn_k = 1', {'knn': None}),
        ('C = 0.075', {'svm': {'C': 1.0}}),
    ):
        with pytest.raises(ValueError, match=re.escape(field)) as error:
            FeatureProbe(preset='recon', **argument)
        assert f'`{next(iter(argument))}` asks for' in str(error.value) and 'leave out' in str(error.value)
    with pytest.raises(ValueError, match=r"no protocol 'nonsense'; it is one of cv, point_bert"):
        FeatureProbe(preset='nonsense')
