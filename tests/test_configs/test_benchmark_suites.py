"""tools/benchmark.py: what its options choose, and every task on generated data from the command to the report."""

import importlib
import sys

from _benchmark import run

QUICK = ['probe-generated', 'few_shot-generated', 'retrieval-generated', 'linear-generated', 'parts-generated']
FULL = ['rooms', 'finetune', 'completion', 'detection', 'few_shot_tuned']
FULL = [*QUICK, *(f'{name}-generated' for name in FULL)]
SETTINGS = [f'{way}-way {shot}-shot' for way in (5, 10) for shot in (10, 20)]
#: scores of the tasks on generated data, in the order of the table.
ROWS = {
    'generated classes': ['1-NN', 'linear SVM'],
    # A smoke run has the first setting alone.
    'generated classes, few-shot': SETTINGS[:1],
    'generated classes, shape to shape': ['class R@1', 'mAP'],
    'generated classes, linear head on the frozen encoder': ['accuracy', 'mean class'],
    'generated parts, head on the frozen encoder': ['instance mIoU', 'class mIoU'],
    'generated rooms, head on the frozen encoder': ['mIoU', 'accuracy'],
    'generated classes, fine-tuned': ['accuracy', 'mean class'],
    'generated objects seen from one side, completed': ['Chamfer l1 x 1,000 (lower is better)', 'F-score'],
    'boxes in generated rooms': ['AP25', 'AP50'],
    'generated classes, few-shot, fine-tuned': SETTINGS[:1],
}


def chosen(tool, place, *options):
    """Names of the tasks that would run, and what would be left out."""
    importlib.import_module('_suite.selection')
    args = tool.parse_args([str(place / 'pretrain.pth'), *options])
    bench = sys.modules['_suite.bench'].Bench(place / 'pretrain.pth', place / 'out')
    tasks, skipped = sys.modules['_suite.selection'].tasks_of(bench, args)
    return [task.name for task in tasks], skipped


def test_suite_and_data_choose_the_tasks_of_the_page(tool, place):
    tasks, left = chosen(tool, place)
    assert tasks == QUICK and len(left) == 1 and '--config names no pre-training' in left[0]
    assert chosen(tool, place, '--suite', 'full')[0] == FULL
    assert chosen(tool, place, '--config', 'own.py') == ([*QUICK, 'pairs-generated'], [])
    assert chosen(tool, place, '--tasks', 'rooms-generated')[0] == ['rooms-generated']
    (place / 'own.npz').touch()
    own = ['probe-own', 'few_shot-own', 'retrieval-own']
    tasks, left = chosen(tool, place, '--data', 'real', '--npz', 'own.npz')
    assert tasks == own and {'probe-modelnet40', 'few_shot-modelnet_folds'} <= names_of(left)
    assert 'finetune-modelnet40_1k' not in names_of(left)
    tasks, left = chosen(tool, place, '--data', 'both', '--npz', 'own.npz', '--suite', 'full', '--config', 'own.py')
    assert tasks == [*FULL, *own, 'pairs-generated']
    # All on real data: 15 on frozen features, 2 on folds, 1 on pairs, and 18 + 3 + 2 + 2 + 1 by a training each.
    assert len(names_of(left)) == 44 and {'finetune-modelnet40_8k', 'pairs-shapenet'} <= names_of(left)


def names_of(left):
    return {name for line in left for name in line.partition(': ')[0].split(', ')}


def test_every_task_on_generated_data_comes_to_a_row(tool, place):
    result = run(tool, place, '--suite', 'full', '--smoke', '--seeds', '0')
    assert result['failed'] == []
    rows = {(row['task'], row['score']): row for row in result['rows']}
    assert list(rows) == [(task, score) for task, scores in ROWS.items() for score in scores]
    for (task, score), row in rows.items():
        for source in ('checkpoint', 'random'):
            assert 0 <= row[source]['mean'] <= (1 if 'Chamfer' not in score else 2000)
        assert row['published'] == []
        if 'head' in task or 'completed' in task or task.endswith('fine-tuned') and 'few-shot' not in task:
            assert ', 2 updates, the last one scored' in row['protocol']
    few = rows['generated classes, few-shot', SETTINGS[0]]['protocol']
    assert '2 folds, seed 0, 1 queries a class' in few and few.endswith('a smoke run: 2 classes with 2 examples each')
    assert '2 folds of' in rows['generated classes, few-shot, fine-tuned', SETTINGS[0]]['protocol']
