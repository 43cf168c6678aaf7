# Completion of ShapeNet-55: fine-tuning of a pre-trained encoder with a head after PoinTr's; 2,048 points to 8,192.
#
# Reproduces: the setting of arXiv 2108.08839, with another encoder; docs/tasks/completion.md names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/completion.md.
# Data: docs/datasets/shapenet_completion.md. On the way half of each shape is cut away; tools/test.py --loop test has
# easy, median and hard cuts from all eight viewpoints. Without data: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/completion/shapenet55.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/completion.py',
    '../_base_/datasets/shapenet_completion.py',
    '../_base_/schedules/completion_87k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_queries=96)
cuts = [(removed, viewpoint) for removed in (0.25, 0.5, 0.75) for viewpoint in range(8)]
test_dataloader = dict(
    batch_size=96,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                split='test',
                pipeline=[
                    *_base_.train_pipeline[:2],
                    dict(type='CropViewpoint', removed=removed, num_points=_base_.num_points, viewpoint=viewpoint),
                    dict(type='PackInputs'),
                ],
                **_base_.completion_data,
            )
            for removed, viewpoint in cuts
        ],
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = _base_.val_evaluator
default_hooks = dict(checkpoint=dict(interval=4370))
