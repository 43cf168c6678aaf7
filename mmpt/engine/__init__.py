"""How a model is trained: processes, the order of the samples, hooks, the optimiser. It names no model and no data."""

from .hooks import (
    AtomicCheckpointHook,
    DeferredInfoHook,
    EncoderEMAHook,
    InterruptHook,
    NonFiniteHook,
    SkippedSamplesHook,
    StepDrawsHook,
    ValueScheduleHook,
)
from .optimizers import GuardedOptimWrapper, ParamGroupConstructor
from .samplers import StepSampler

__all__ = [
    'AtomicCheckpointHook',
    'DeferredInfoHook',
    'EncoderEMAHook',
    'GuardedOptimWrapper',
    'InterruptHook',
    'NonFiniteHook',
    'ParamGroupConstructor',
    'SkippedSamplesHook',
    'StepDrawsHook',
    'StepSampler',
    'ValueScheduleHook',
]
