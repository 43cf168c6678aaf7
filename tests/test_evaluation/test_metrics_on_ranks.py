"""Every metric of a labelled task on two real processes gives what one process gives, to the last bit."""

import multiprocessing

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.dataset import DefaultSampler

from mmpt.evaluation import (
    ClassificationAccuracy,
    CompletionScore,
    DetectionAP,
    PartIoU,
    SemanticIoU,
    VotingAccuracy,
)

SAMPLES, CLASSES, PARTS = 7, 4, (3, 2, 4, 2)
METRICS = {
    'accuracy': ClassificationAccuracy,
    'voting': lambda: VotingAccuracy(votes=2),
    'parts': lambda: PartIoU(PARTS),
    'semantic': lambda: SemanticIoU(CLASSES),
    'detection': lambda: DetectionAP(CLASSES),
    'completion': lambda: CompletionScore(threshold=0.2),
}


def sample(index, draw=0):
    """What all models together answer about a sample; clouds, scenes and sets of boxes of other sizes each."""
    rng = np.random.default_rng((index, draw))
    count, label = 40 + 9 * index, index % CLASSES
    boxes = rng.uniform(1, 2, (3 + index % 3, 7))
    fields = {
        'split': 'test',
        'sample_id': f'{index}',
        'epoch': draw,
        'label': label,
        'logits': rng.normal(size=CLASSES),
        'parts': rng.integers(0, PARTS[label], count),
        'predicted_parts': rng.integers(0, PARTS[label], count),
        'semantic': rng.integers(-1, CLASSES, count),
        'predicted_semantic': rng.integers(0, CLASSES, count),
        'boxes': boxes,
        'box_labels': rng.integers(-1, CLASSES, len(boxes)),
        'predicted_boxes': np.concatenate([boxes + rng.normal(0, 0.1, boxes.shape), rng.uniform(1, 2, (4, 7))]),
        'box_scores': rng.random((len(boxes) + 4, CLASSES)),
        'partial': rng.normal(size=(20, 3)),
        'complete': rng.normal(size=(count, 3)),
        'predicted_complete': rng.normal(size=(30, 3)),
        'viewpoint': index % 2,
    }
    return {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in fields.items()}


def scores(shares, rank):
    """Every metric, fed with the samples of a rank, in batches of two; VotingAccuracy with four draws of each."""
    found = {}
    for name, build in METRICS.items():
        metric = build()
        samples = [sample(index, draw) for index in shares[rank] for draw in range(4 if name == 'voting' else 1)]
        for start in range(0, len(samples), 2):
            metric.process(None, samples[start : start + 2])
        found[name] = metric.evaluate(SAMPLES)
    return found


def of_rank(rank, store, queue):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    # mmengine pads the last batch, so that both ranks have four: one sample comes twice.
    padded = {rank: list(DefaultSampler(range(SAMPLES), shuffle=False))}
    broken = SemanticIoU(CLASSES)
    broken.process(None, [{**sample(rank), **({'semantic': None} if rank else {})}])
    try:
        said = broken.evaluate(2)
    except ValueError as error:
        said = str(error)
    queue.put((rank, padded[rank], scores(padded, rank), scores([[0, 1, 2, 3, 4], [5, 6]], rank), said))
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """What both processes found."""
    context, store = multiprocessing.get_context('fork'), tmp_path_factory.mktemp('ranks') / 'store'
    queue = context.Queue()
    processes = [context.Process(target=of_rank, args=(rank, store, queue)) for rank in range(2)]
    for process in processes:
        process.start()
    found = sorted(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return found


def test_two_processes_score_as_one(ranks):
    one = scores([range(SAMPLES)], 0)
    assert one['detection']['detection/ap25'] > 0.1 and 0 < one['semantic']['semantic/miou'] < 1
    assert [share for _, share, *_ in ranks] == [[0, 2, 4, 6], [1, 3, 5, 0]]
    for _, _, padded, uneven, _ in ranks:
        assert padded == one and uneven == one


def test_a_row_that_cannot_be_scored_stops_both(ranks):
    (first, second) = (said for *_, said in ranks)
    assert first == second and 'sample 1: needs the field `semantic`' in first
