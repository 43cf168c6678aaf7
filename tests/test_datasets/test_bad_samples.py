"""What happens to a sample that cannot be read: one sentence, or another in its place, counted and listed."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmpt.datasets import PointCloudDataset
from mmpt.engine import SkippedSamplesHook
from mmpt.evaluation.metrics import FeatureProbe
from mmpt.structures import PointDataSample

PIPELINE = [{'type': 'RandomSample', 'num_points': 16}, {'type': 'PackInputs'}]


class Damaged(PointCloudDataset):
    """Ten clouds, each all its own number; some cannot be read."""

    def __init__(self, bad=(), classes=('a', 'b'), **kwargs):
        self.bad = dict(bad)
        super().__init__(PIPELINE, metainfo={'classes': classes, 'split': 'train'}, **kwargs)

    def num_shapes(self):
        return 10

    def load_info(self, index):
        if isinstance(self.bad.get(index), Exception):
            raise self.bad[index]
        points = np.full((32, 3), index, np.float32)
        if self.bad.get(index) == 'nan':
            points[3, 1] = np.nan
        label = 7 if self.bad.get(index) == 'label' else index % 2
        return {'sample_id': f's{index}', 'split': 'train', 'points': points, 'label': label}


BAD = {2: ValueError('x.npy is cut short.'), 5: 'nan', 8: 'label', 9: FileNotFoundError('y.npy does not exist.')}


@pytest.mark.parametrize('index, said', [(2, 'x.npy'), (5, "sample 's5'"), (8, "'s8' has label 7"), (9, 'y.npy')])
def test_raise_is_the_default_and_names_the_sample(index, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        Damaged(BAD)[index]


def test_an_unknown_argument_lists_those_that_there_are():
    with pytest.raises(TypeError, match=r"Damaged has no argument 'sed', expected some of bad, classes, .*seed, stage"):
        Damaged(sed=1)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match=r"on_bad_sample='drop'.*raise or skip"):
        Damaged(on_bad_sample='drop')


@pytest.mark.parametrize('workers', [0, 2])
def test_skip_takes_a_readable_sample_and_says_why(workers):
    data = Damaged(BAD, on_bad_sample='skip')
    loader = DataLoader(data, batch_size=5, num_workers=workers, collate_fn=pseudo_collate)
    samples = [sample for batch in loader for sample in batch['data_samples']]
    points = [int(cloud[0, 0]) for batch in loader for cloud in batch['inputs']['points']]
    assert [sample.index for sample in samples] == list(range(10)), 'each stands in its own place'
    for index, (sample, number) in enumerate(zip(samples, points, strict=True)):
        assert number not in BAD and (number == index) == (index not in BAD)
        assert sample.sample_id == f's{number}'
        assert ('skipped' in sample) == (index in BAD)
    assert samples[2].skipped[0] == 'x.npy is cut short.'
    assert 'label 7' in samples[8].skipped[0] and 'NaN' in samples[5].skipped[0]


def test_the_substitute_is_a_function_of_seed_epoch_and_index():
    def drawn(seed=0):
        data = Damaged(BAD, on_bad_sample='skip', seed=seed)
        return [int(data[(epoch, 2)]['inputs']['points'][0, 0]) for epoch in range(20)]

    assert drawn() == drawn() != drawn(seed=1)
    assert len(set(drawn())) > 2, 'not always the same neighbour'


def test_a_substitute_comes_from_the_chosen_shapes():
    data = Damaged(BAD, on_bad_sample='skip', indices=[2, 4])
    assert {int(data[(epoch, 0)]['inputs']['points'][0, 0]) for epoch in range(10)} == {4}


def test_a_data_set_of_bad_samples_alone_stops():
    data = Damaged({i: ValueError(f'{i}.npy is cut short.') for i in range(10)}, on_bad_sample='skip')
    with pytest.raises(ValueError, match=r'17 samples in a row could not be read.*the first one: 3.npy'):
        data[3]


def test_mistakes_of_the_config_are_not_bad_samples():
    data = Damaged(on_bad_sample='skip')
    data.pipeline = [lambda results: results['no such key']]
    with pytest.raises(KeyError):
        data[0]


def hooked(world=None):
    said = []
    logger = logging.getLogger('skipped')
    logger.handlers, logger.propagate = [], False
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    runner = SimpleNamespace(logger=logger, iter=0, max_iters=7, train_dataloader=range(4))
    return SkippedSamplesHook(), runner, said


def batch(*reasons, first=0):
    """A batch of samples ``first`` and on; each says why it was skipped: nothing, one reason, or one of every try."""
    samples = []
    for index, why in enumerate(reasons, first):
        skipped = {'skipped': (why,) if isinstance(why, str) else why} if why else {}
        samples.append(PointDataSample(metainfo={'sample_id': 'a', 'index': index, **skipped}))
    return {'data_samples': samples}


def test_the_hook_lists_at_the_end_of_each_epoch_and_of_the_run():
    hook, runner, said = hooked()
    for runner.iter in range(7):
        why = 'x.npy is cut short.' if runner.iter % 2 else None
        hook.after_train_iter(runner, runner.iter, batch(None, why, first=2 * runner.iter))
    assert len(said) == 2
    assert said[0].startswith('Epoch 1: 2 samples') and said[1].startswith('Epoch 2: 1 sample ')
    assert '  2 x x.npy is cut short.' in said[0].splitlines()


def test_the_hook_says_nothing_where_nothing_is_wrong_and_keeps_validation_apart():
    hook, runner, said = hooked()
    hook.after_train_iter(runner, 0, batch(None))
    hook.after_train_iter(runner, 1, batch('x'))
    hook.after_val_iter(runner, 0, batch('y', None))
    hook.after_val_iter(runner, 1, batch('z', first=2))
    hook.after_val_epoch(runner)
    assert len(said) == 1 and said[0].startswith('Validation: 2 samples') and ' x\n' not in said[0]
    runner.iter = 3
    hook.after_train_iter(runner, 3, batch(None))
    assert len(said) == 2 and said[1].startswith('Epoch 1: 1 sample ') and said[1].endswith('1 x x')


def test_the_hook_lists_those_of_the_test_loop():
    hook, runner, said = hooked()
    hook.after_test_iter(runner, 0, batch(None, 'x'))
    hook.after_test_epoch(runner)
    assert len(said) == 1 and said[0].startswith('Test: 1 sample ') and said[0].endswith('\n  1 x x')
    hook.after_test_iter(runner, 0, batch(None))
    hook.after_test_epoch(runner)
    assert len(said) == 1, 'what was listed is forgotten'


def test_the_hook_counts_places_and_lists_tries():
    """Two files are bad, and the substitute of one was the other: two places, three tries; votes draw a place again."""
    hook, runner, said = hooked()
    for vote in range(2):
        hook.after_test_iter(runner, 2 * vote, batch(('x', 'y'), None))
        hook.after_test_iter(runner, 2 * vote + 1, batch('y', first=2))
    hook.after_test_epoch(runner)
    head, *tries = said[0].splitlines()
    assert head.startswith('Test: 2 samples ') and tries == ['  2 x x', '  4 x y']


def test_the_hook_counts_what_a_data_set_of_bad_files_gives():
    data = Damaged({i: ValueError(f'{i}.npy is cut short.') for i in range(8)}, on_bad_sample='skip')
    hook, runner, said = hooked()
    for index in range(10):
        hook.after_test_iter(runner, index, pseudo_collate([data[index]]))
    hook.after_test_epoch(runner)
    head, *tries = said[0].splitlines()
    counts = [int(line.split(' x ')[0]) for line in tries]
    assert head.startswith('Test: 8 samples ') and len(tries) == 8
    assert sum(counts) > 8, 'some substitutes were bad as well'


def _of_rank(rank, store, queue):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    hook, runner, said = hooked()
    # Rank 1 has met no bad sample but the one that the sampler gives to both, to fill the last batch.
    hook.after_test_iter(runner, 0, batch('x', None, 'y') if rank == 0 else batch('x', None))
    hook.after_test_epoch(runner)
    hook.after_test_epoch(runner)
    queue.put((rank, said))


def test_two_processes_list_what_both_have_met(tmp_path):
    context = torch.multiprocessing.get_context('fork')
    queue = context.Queue()
    ranks = [context.Process(target=_of_rank, args=(rank, tmp_path / 'store', queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    listed = dict(queue.get(timeout=60) for _ in ranks)
    for process in ranks:
        process.join(30)
    for rank in range(2):
        (said,) = listed[rank]
        head, *tries = said.splitlines()
        assert head.startswith('Test: 2 samples ') and tries == ['  2 x x', '  1 x y'], (rank, said)


def test_scores_leave_substitutes_out():
    def predicted(split, name, value, **more):
        sample = PointDataSample(metainfo={'split': split, 'sample_id': name, **more})
        sample.set_field(int(value > 0), 'label')
        sample.set_field({'max': torch.tensor([value, value])}, 'pooled')
        return sample

    rows = [predicted(split, f'{split}{v}', float(v)) for split in ('train', 'test') for v in (-3, -2, 2, 3)]
    wrong = predicted('test', 'substitute', -5.0, skipped=('x.npy is cut short.',))
    wrong.set_field(1, 'label')
    scores = []
    for samples in (rows, [*rows, wrong]):
        probe = FeatureProbe(pooling=('max',), svm=None)
        probe.process(None, samples)
        scores.append(probe.evaluate(len(samples))['probe/knn'])
    assert scores == [1.0, 1.0]
