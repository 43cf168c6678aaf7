"""What every run shares: hooks, log, randomness, processes. Children change single keys of it."""

default_scope = 'mmpt'

# All of them are named here rather than in custom_hooks, so that a child adds its own without repeating these.
default_hooks = dict(
    # Losses stay on the device until the log is due.
    runtime_info=dict(type='DeferredInfoHook'),
    # Every draw is a function of (seed, step, rank).
    draws=dict(type='StepDrawsHook'),
    # A NaN stops the run with the names of task and samples.
    non_finite=dict(type='NonFiniteHook'),
    # Lists what `on_bad_sample='skip'` of a data set left out.
    skipped=dict(type='SkippedSamplesHook'),
    timer=dict(type='IterTimerHook'),
    # StepSampler needs no epoch.
    sampler_seed=None,
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1000, max_keep_ckpts=2),
    # A run resumed from between a checkpoint and its validation begins with that validation.
    due_validation=dict(type='DueValidationHook'),
    # Ctrl-C saves, then stops.
    interrupt=dict(type='InterruptHook'),
)

log_processor = dict(by_epoch=False, window_size=50, mean_pattern=r'.*(loss|task/|time|grad_norm).*')
visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)
log_level = 'INFO'

# cudnn_benchmark picks kernels by their speed on the day; switch it on where that matters more than equal runs.
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
randomness = dict(seed=0)

# One recipe for CPU and GPU: no device ids. Buffers are each rank's own, every parameter takes part in every step.
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)

load_from = None
resume = False
