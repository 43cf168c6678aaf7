"""Bring every module of mmpt into its registry."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import mmpt

__all__ = ['register_all_modules']

# These register nothing.
_PLAIN = ('apis', 'ops', 'structures', 'utils')


def register_all_modules() -> None:
    """Import the packages whose modules register themselves."""
    for package in pkgutil.iter_modules(mmpt.__path__):
        if package.ispkg and package.name not in _PLAIN:
            import_module(f'mmpt.{package.name}')
