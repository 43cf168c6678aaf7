"""What happens around every step: one hook, one file."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .class_counts_hook import ClassCountsHook
from .deferred_info_hook import DeferredInfoHook
from .due_validation_hook import DueValidationHook
from .encoder_ema_hook import EncoderEMAHook
from .interrupt_hook import InterruptHook
from .non_finite_hook import NonFiniteHook
from .skipped_samples_hook import SkippedSamplesHook
from .step_draws_hook import StepDrawsHook
from .value_schedule_hook import ValueScheduleHook

__all__ = [
    'AtomicCheckpointHook',
    'ClassCountsHook',
    'DeferredInfoHook',
    'DueValidationHook',
    'EncoderEMAHook',
    'InterruptHook',
    'NonFiniteHook',
    'SkippedSamplesHook',
    'StepDrawsHook',
    'ValueScheduleHook',
]
