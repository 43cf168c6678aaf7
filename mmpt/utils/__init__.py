"""Set-up, configs, checkpoints and messages.

Only what needs neither torch nor mmengine is imported here, so that the check of the installation comes first.
"""

from .errors import CheckpointError, ConfigError, MMPTError, NonFiniteLossError, TrainingInterrupted
from .versions import check_distributions

__all__ = [
    'CheckpointError',
    'ConfigError',
    'MMPTError',
    'NonFiniteLossError',
    'TrainingInterrupted',
    'check_distributions',
]
