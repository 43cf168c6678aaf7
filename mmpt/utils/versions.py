"""What is installed beside mmpt, checked before anything of it is imported."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import metadata

__all__ = ['check_distributions', 'installed_version']

# Distributions that install the same package; only the first of each row is the maintained one.
_RIVALS = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full'),
}
# package -> (oldest that works, first one that nobody has tried)
_BOUNDS = {'mmengine': ('0.10.12', '0.12'), 'torch': ('2.6', '3')}


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def check_distributions(version_of: Callable[[str], str | None] = installed_version) -> None:
    """Stop where two distributions share one package, or where one is too old.

    Two of them write into the same folder, and whichever came second leaves a mixture of both behind.

    Args:
        version_of (Callable[[str], str | None]): looks up an installed distribution.
    """
    versions = {}
    for package, rivals in _RIVALS.items():
        present = [name for name in rivals if version_of(name) is not None]
        if len(present) > 1:
            raise ImportError(
                f'{" and ".join(present)} are both installed and overwrite each other in the package {package!r}: '
                f'run `pip uninstall -y {" ".join(present)}` and then `pip install {rivals[0]}`.'
            )
        if present:
            versions[package] = version_of(present[0])
    versions['torch'] = version_of('torch')
    for package, (oldest, untried) in _BOUNDS.items():
        version = versions.get(package)
        if version is None:
            continue
        if _key(version) < _key(oldest):
            wanted = _RIVALS.get(package, (package,))[0]
            raise ImportError(
                f'{package} {version} is too old for mmpt, which needs {oldest} or later: `pip install -U {wanted}`.'
            )
        if _key(version) >= _key(untried):
            warnings.warn(f'{package} {version} is newer than what mmpt was tested with (< {untried}).', stacklevel=3)


def _key(version: str) -> tuple[int, ...]:
    numbers = version.split('+')[0].split('.')
    return tuple(int(''.join(c for c in part if c.isdigit()) or 0) for part in numbers[:3])
