"""All tasks of tools/benchmark.py, in the order in which they are run: names, configs, suites, published figures."""

from __future__ import annotations

from collections.abc import Sequence

from .bench import GENERATED
from .published import PUBLISHED, Figure
from .tasks import SETTINGS, Score, Task, array_tasks
from .trainings import few_shot_task, training

__all__ = ['REAL_SHAPES', 'generated_tasks', 'real_tasks']

#: labelled real shapes by name: title, config, options over it, tasks on their features. Few-shot is measured on
#: ModelNet by custom.
_ALL = ('probe', 'few_shot', 'retrieval')
_VARIANTS = {'obj_bg': 'OBJ-BG', 'obj_only': 'OBJ-ONLY', 'pb_t50_rs': 'PB-T50-RS'}
REAL_SHAPES: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    'modelnet40': ('ModelNet40', 'configs/_base_/datasets/modelnet40.py', (), _ALL),
    'modelnet40_h5': ('ModelNet40, h5 files', 'configs/_base_/datasets/modelnet40_h5.py', (), _ALL),
    'modelnet10': ('ModelNet10', 'configs/_base_/datasets/modelnet10.py', (), _ALL),
    **{
        f'scanobjectnn_{variant}': (
            f'ScanObjectNN {title}',
            'configs/_base_/datasets/scanobjectnn.py',
            tuple(f'val_dataloader.dataset.datasets.{part}.variant={variant}' for part in (0, 1)),
            ('probe', 'retrieval'),
        )
        for variant, title in _VARIANTS.items()
    },
}
#: what is published for a linear SVM on them. The shapes of both releases of ModelNet40 are the same.
_SVM = {
    'modelnet40': PUBLISHED['ModelNet40, linear SVM'],
    'modelnet40_h5': PUBLISHED['ModelNet40, linear SVM'],
    'scanobjectnn_obj_bg': PUBLISHED['ScanObjectNN OBJ-BG, linear SVM'],
}
#: data of configs/classification by the end of a config's name.
_CLASSIFIED = {
    'modelnet40_1k': 'ModelNet40, 1,024 points',
    'modelnet40_4k': 'ModelNet40, 4,096 points',
    'modelnet40_8k': 'ModelNet40, 8,192 points',
    **{f'scanobjectnn_{variant}': f'ScanObjectNN {title}' for variant, title in _VARIANTS.items()},
}
_HEADS = {
    'finetune': 'fine-tuned',
    'linear': 'linear head on the frozen encoder',
    'mlp3': 'head of three layers on the frozen encoder',
}


def _classes(single: Sequence[Figure] = (), voted: Sequence[Figure] = (), *, vote: bool = False) -> dict[str, Score]:
    scores = {
        'accuracy': Score('accuracy', 'test/accuracy', published=single),
        'mean class accuracy': Score('mean class', 'test/mean_class_accuracy'),
    }
    if vote:
        scores['voted accuracy'] = Score('accuracy, voted', 'test/voted_accuracy', 'test', published=voted)
    return scores


def _parts(instance: Sequence[Figure] = (), by_class: Sequence[Figure] = ()) -> dict[str, Score]:
    return {
        'instance': Score('instance mIoU', 'part/instance_miou', published=instance),
        'class': Score('class mIoU', 'part/class_miou', published=by_class),
    }


def _rooms(miou: Sequence[Figure] = ()) -> dict[str, Score]:
    return {
        'miou': Score('mIoU', 'semantic/miou', published=miou),
        'accuracy': Score('accuracy', 'semantic/accuracy'),
    }


def _boxes(ap25: Sequence[Figure] = (), ap50: Sequence[Figure] = ()) -> dict[str, Score]:
    return {
        'ap25': Score('AP25', 'detection/ap25', published=ap25),
        'ap50': Score('AP50', 'detection/ap50', published=ap50),
    }


def _completed(
    form: str, loop: str = 'val', place: str = 'completion/', published: Sequence[Figure] = ()
) -> dict[str, Score]:
    title = {'l1': 'Chamfer l1 x 1,000', 'l2': 'Chamfer l2 x 1,000'}[form]
    return {
        'chamfer': Score(title, f'{place}chamfer_{form}', loop, lower=True, published=published),
        'f_score': Score('F-score', f'{place}f_score', loop),
    }


def _settings(published: str = '') -> dict[str, Score]:
    figures = {setting: PUBLISHED[f'{published} {setting}'] if published else () for setting in SETTINGS}
    return {setting: Score(setting, published=figures[setting]) for setting in SETTINGS}


def generated_tasks() -> list[Task]:
    """Tasks on generated data, small enough for a laptop."""
    classes, few_shot = 'generated classes', 'configs/few_shot/synthetic.py'
    small = 'configs/{}/synthetic_small.py'
    return [
        *array_tasks(GENERATED, classes),
        training(
            'linear-generated',
            f'{classes}, {_HEADS["linear"]}',
            'configs/classification/linear_synthetic.py',
            _classes(),
            suite='quick',
            updates=270,
            cost=45,
            smoke=54,
        ),
        training(
            'parts-generated',
            'generated parts, head on the frozen encoder',
            'configs/part_segmentation/synthetic_frozen.py',
            _parts(),
            suite='quick',
            updates=200,
            cost=60,
            smoke=54,
        ),
        training(
            'rooms-generated',
            'generated rooms, head on the frozen encoder',
            'configs/semantic_segmentation/synthetic_frozen.py',
            _rooms(),
            updates=300,
            cost=400,
            smoke=4,
        ),
        training(
            'finetune-generated',
            f'{classes}, {_HEADS["finetune"]}',
            'configs/classification/finetune_synthetic.py',
            _classes(),
            updates=810,
            cost=400,
            smoke=54,
        ),
        training(
            'completion-generated',
            'generated objects seen from one side, completed',
            small.format('completion'),
            _completed('l1'),
            cost=400,
            smoke=54,
        ),
        training(
            'detection-generated',
            'boxes in generated rooms',
            small.format('detection'),
            _boxes(),
            cost=400,
            smoke=4,
        ),
        few_shot_task(
            'few_shot_tuned-generated',
            f'{classes}, few-shot, fine-tuned',
            few_shot,
            _settings(),
            frozen=False,
            cost=2400,
        ),
    ]


def real_tasks() -> list[Task]:
    """Tasks on every real data set of the labelled tasks, each by its shipped config."""
    tasks: list[Task] = []
    for name, (title, config, options, kinds) in REAL_SHAPES.items():
        tasks += array_tasks(name, title, kinds, _SVM.get(name, ()), config=config, options=options)
    folds, few_shot = 'ModelNet40, published few-shot folds', 'configs/few_shot/modelnet40.py'
    tasks.append(
        few_shot_task('few_shot-modelnet_folds', folds, few_shot, _settings(), frozen=True, cost=120),
    )
    for head, shown in _HEADS.items():
        for data, title in _CLASSIFIED.items():
            scores = _classes()
            if head == 'finetune':
                figures = (PUBLISHED[f'{title}, fine-tuned'], PUBLISHED[f'{title}, fine-tuned and voted'])
                scores = _classes(*figures, vote=True)
            tasks.append(
                training(f'{head}-{data}', f'{title}, {shown}', f'configs/classification/{head}_{data}.py', scores)
            )
    parts, rooms, boxes = (f'configs/{task}/' for task in ('part_segmentation', 'semantic_segmentation', 'detection'))
    part_figures = (PUBLISHED['ShapeNetPart, instance mIoU'], PUBLISHED['ShapeNetPart, class mIoU'])
    box_figures = (PUBLISHED['ScanNet, AP25'], PUBLISHED['ScanNet, AP50'])
    shapenet = _completed('l2', 'test', 'completion/class_mean/', PUBLISHED['ShapeNet-55, Chamfer l2'])
    return [
        *tasks,
        few_shot_task(
            'few_shot_tuned-modelnet_folds',
            f'{folds}, fine-tuned',
            few_shot,
            _settings('ModelNet40, few-shot'),
            frozen=False,
            cost=20_000,
        ),
        training('parts-shapenet_part', 'ShapeNetPart', f'{parts}shapenet_part.py', _parts(*part_figures)),
        training(
            'parts-shapenet_part_graph', "ShapeNetPart, Point-BERT's head", f'{parts}shapenet_part_graph.py', _parts()
        ),
        training('parts-shapenet_part_h5', 'ShapeNetPart, h5 files', f'{parts}shapenet_part_h5.py', _parts()),
        training('rooms-s3dis', 'S3DIS Area 5, whole rooms', f'{rooms}s3dis.py', _rooms(PUBLISHED['S3DIS, rooms'])),
        training(
            'rooms-s3dis_blocks',
            'S3DIS Area 5, sampled blocks',
            f'{rooms}s3dis_blocks.py',
            _rooms(PUBLISHED['S3DIS, blocks']),
        ),
        training(
            'completion-pcn',
            'PCN, test part',
            'configs/completion/pcn.py',
            _completed('l1', 'test', published=PUBLISHED['PCN, Chamfer l1']),
        ),
        training(
            'completion-shapenet55',
            'ShapeNet-55, all cuts, mean over classes',
            'configs/completion/shapenet55.py',
            shapenet,
        ),
        training('detection-scannet', 'ScanNet v2, boxes', f'{boxes}scannet.py', _boxes(*box_figures)),
    ]
