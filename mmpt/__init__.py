"""mmpt: multi-task self-supervised pre-training of point-cloud encoders."""

from mmpt.utils.versions import check_distributions

__version__ = '0.1.0'

check_distributions()

# Replaces mmengine's loader, so that no checkpoint is read before the safe one is in its place.
import mmpt.utils.checkpoint  # noqa: E402, F401
