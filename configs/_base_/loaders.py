# How samples reach the model: for training in an endless shuffled order that can be resumed, for scoring once.
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='StepSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
)
