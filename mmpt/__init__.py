"""mmpt: multi-task self-supervised pre-training of point-cloud encoders.

``mmpt.list_models``, ``mmpt.get_model`` and ``mmpt.load_encoder`` are those of :mod:`mmpt.apis`.
"""

from typing import Any

from mmpt.utils.versions import check_distributions

__version__ = '0.1.0'

check_distributions()

# Replaces mmengine's loader, so that no checkpoint is read before the safe one is in its place.
import mmpt.utils.checkpoint  # noqa: E402, F401

_FRONT_DOOR = ('get_model', 'list_models', 'load_encoder')


def __getattr__(name: str) -> Any:
    # Imported when first asked for: the front door brings every model, which `import mmpt` alone must not.
    if name in _FRONT_DOOR:
        from mmpt import apis

        return getattr(apis, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *_FRONT_DOOR})
