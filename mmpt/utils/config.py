"""Configs, read and checked before anything is built from them."""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import mmengine.registry
from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.registry import Registry

import mmpt.registry

from .errors import CheckpointError, ConfigError
from .setup import register_all_modules

__all__ = ['check_cfg_types', 'check_encoder_cfg', 'check_options', 'check_types', 'load_config', 'parse_options']

# Keys under which a `type` is not the name of a class.
_NOT_BUILT = ('clip_grad', 'metainfo')
# Keys of a config that the Runner reads without an argument of that name.
_RUNNER_EXTRAS = (
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config, apply the options of the command line, and check both.

    Args:
        path (str | Path): a config file.
        options (Mapping[str, Any] | None): dotted key -> value.

    Returns:
        Config: the config; every ``type`` in it is known.
    """
    if not Path(path).is_file():
        raise ConfigError(f'Config {path} does not exist.')
    try:
        config = Config.fromfile(path)
    except Exception as error:
        raise ConfigError(f'Config {path} cannot be read: {type(error).__name__}: {error}') from error
    # mmengine writes a config out six times at the start of a run, in lines that are indented already; wrapping them
    # anew by yapf took a second each time. `fromfile` has an argument for this that it does not hand on.
    object.__setattr__(config, '_format_python_code', False)
    if options:
        check_options(config, options)
        config.merge_from_dict(dict(options))
    check_types(config)
    return config


def parse_options(options: list[str]) -> dict[str, Any]:
    """The options of a command line as a dictionary.

    Args:
        options (list[str]): each ``key=value``, with numbers, lists and tuples written as in Python.

    Returns:
        dict[str, Any]: dotted key -> value.
    """
    for option in options:
        if '=' not in option:
            raise ConfigError(f'--cfg-options takes key=value, not {option!r}.')
    parser = argparse.ArgumentParser()
    parser.add_argument('options', nargs='*', action=DictAction)
    return parser.parse_args(options).options or {}


def check_options(config: Config, options: Iterable[str]) -> None:
    """Stop at an option of the command line whose place in the config does not exist.

    A new part below the top is allowed where nothing has a similar name, since a config need not name every argument;
    a last part that looks like a slip only warns.

    Args:
        config (Config): the config before the options.
        options (Iterable[str]): their dotted keys.
    """
    for option in options:
        here: Any = config._cfg_dict
        parts = option.split('.')
        for depth, part in enumerate(parts):
            known = [str(i) for i in range(len(here))] if isinstance(here, (list, tuple)) else _keys(here, depth)
            if part not in known:
                near = difflib.get_close_matches(part, known, n=1, cutoff=0.6)
                nearest = '.'.join([*parts[:depth], *near, *parts[depth + 1 :]])
                hint = f'; did you mean {nearest!r}?' if near else '.'
                said = (
                    f'--cfg-options {option}: there is no {part!r} in {".".join(parts[:depth]) or "the config"}{hint}'
                )
                if depth == 0 or isinstance(here, (list, tuple)) or (near and depth < len(parts) - 1):
                    raise ConfigError(said)
                if near:
                    print_log(said, logger='current', level=logging.WARNING)
                break
            here = here[int(part)] if isinstance(here, (list, tuple)) else here.get(part)


def _keys(here: Any, depth: int) -> list[str]:
    if not isinstance(here, Mapping):
        return []
    from mmengine.runner import Runner

    extras = [*inspect.signature(Runner.__init__).parameters, *_RUNNER_EXTRAS] if depth == 0 else []
    return [*here, *extras]


def check_types(config: Mapping[str, Any] | Config) -> None:
    """Stop at a ``type`` that no registry knows, before anything is built.

    mmengine's Runner builds through its own registries, whose message names neither the place nor the nearest name.

    Args:
        config (Mapping[str, Any] | Config): the config, or a part of one.
    """
    register_all_modules()
    names = {name for registry in _all_registries() for name in registry.module_dict}
    scopes = {registry.scope for registry in _all_registries()}
    for place, name in _types(config._cfg_dict if isinstance(config, Config) else config, ''):
        scope, _, rest = name.partition('.')
        bare = rest if scope in scopes else name
        if bare in names or ('.' in bare and _importable(bare)):
            continue
        near = difflib.get_close_matches(bare.rsplit('.', 1)[-1], sorted(names), n=1, cutoff=0.5)
        hint = f'did you mean {near[0]!r}? ' if near else ''
        raise ConfigError(
            f'{place}: nothing is registered as {name!r}; {hint}A class of your own is registered with its decorator '
            'and imported by `custom_imports` in the config.'
        )


def _all_registries() -> Iterator[Registry]:
    seen: set[int] = set()
    todo = [r for module in (mmengine.registry, mmpt.registry) for r in vars(module).values()]
    while todo:
        registry = todo.pop()
        if isinstance(registry, Registry) and id(registry) not in seen:
            seen.add(id(registry))
            todo += [child for children in registry.children.values() for child in _listed(children)]
            if registry.scope == 'mmengine':
                registry.import_from_location()
            yield registry


def _listed(children: Any) -> list[Registry]:
    return children if isinstance(children, list) else [children]


def _importable(dotted: str) -> bool:
    """Whether a config, which is a program of the user's own, names an importable object."""
    module, _, name = dotted.rpartition('.')
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return False


def _types(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every (place, name) of a ``type`` below a value."""
    if isinstance(value, Mapping):
        if isinstance(value.get('type'), str):
            yield place or 'the config', value['type']
        for key, below in value.items():
            if key not in _NOT_BUILT:
                yield from _types(below, f'{place}.{key}' if place else str(key))
    elif isinstance(value, (list, tuple)):
        for i, below in enumerate(value):
            yield from _types(below, f'{place}.{i}')


def check_cfg_types(cfg: Any, registries: Iterable[Registry]) -> None:
    """Stop unless a config that came with a checkpoint is plain data and names only what we registered.

    A registry would import and call any dotted path (``os.system``), and ``_scope_`` makes it import a module.

    Args:
        cfg (Any): what the checkpoint says, for example ``meta['encoder_cfg']``.
        registries (Iterable[Registry]): where the names may come from.
    """
    try:
        plain = json.loads(json.dumps(cfg))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f'The config in the checkpoint is not plain data: {error}.') from error
    register_all_modules()
    names = {name for registry in registries for name in registry.module_dict}
    _check_plain(plain, names, {registry.scope for registry in registries})


def check_encoder_cfg(cfg: Any, source: str | Path) -> None:
    """Stop unless what a checkpoint says of its encoder is plain data and names a registered encoder of points.

    Args:
        cfg (Any): ``meta['encoder_cfg']``.
        source (str | Path): the checkpoint, for the sentence.

    Raises:
        CheckpointError: it is not.
    """
    try:
        check_cfg_types(cfg, [mmpt.registry.ENCODERS])
    except CheckpointError as error:
        raise CheckpointError(
            f'{source}: {error} If it is an encoder of your own, import the module that registers it first.'
        ) from error
    registered = mmpt.registry.ENCODERS.module_dict.get(str(cfg.get('type')).removeprefix('mmpt.'))
    # Every point encoder says whether it can be masked. What does not, such as the image encoders, may take arguments
    # that read further files.
    if not hasattr(registered, 'supports_masking'):
        raise CheckpointError(f'{source} describes {cfg.get("type")!r}, which is not an encoder of points.')


def _check_plain(value: Any, names: set[str], scopes: set[str]) -> None:
    if isinstance(value, dict):
        if '_scope_' in value:
            raise CheckpointError('The config in the checkpoint names a `_scope_`, which is not allowed there.')
        if 'type' in value:
            name = value['type']
            scope, _, rest = name.partition('.') if isinstance(name, str) else ('', '', '')
            if not isinstance(name, str) or not (name in names or (scope in scopes and rest in names)):
                raise CheckpointError(
                    f'The config in the checkpoint asks to build {name!r}, which is not registered in mmpt.'
                )
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            _check_plain(below, names, scopes)
