"""Which parameters are decayed, and how fast each learns."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.logging import print_log
from mmengine.registry import OPTIMIZERS
from torch import nn

from mmpt.engine.distributed import unwrap
from mmpt.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from mmpt.utils.errors import ConfigError

__all__ = ['ParamGroupConstructor']

# The optimisers whose fused version honours `found_inf` on CPU and CUDA.
_FUSED = ('Adam', 'AdamW', 'SGD')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ParamGroupConstructor:
    """Sorts parameters as Point-BERT does: 1-D tensors, biases and tokens are not decayed; frozen ones are left out.

    A position of a token (``cls_pos``) is decayed, unlike the token itself (``cls_token``).

    Args:
        optim_wrapper_cfg (dict): the wrapper, with ``optimizer`` inside.
        paramwise_cfg (dict, optional): ``lr_mult`` (dict[str, float]: prefix of the name -> factor, the longest that
            fits counts), ``no_decay`` (list[str]: parts of a parameter's own name, default ``['token']``) and
            ``layer_decay`` (float, default 1): layer k of the encoder, counted back from the head, learns at
            ``layer_decay ** k`` times the rate. The encoder's ``layer_prefixes()`` say what its layers are; all that
            belongs to none of them learns as the head does.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        self.wrapper_cfg = dict(optim_wrapper_cfg)
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))
        paramwise = dict(paramwise_cfg or {})
        self.lr_mult: dict[str, float] = dict(paramwise.pop('lr_mult', {}))
        self.no_decay: list[str] = list(paramwise.pop('no_decay', ['token']))
        self.layer_decay = paramwise.pop('layer_decay', 1.0)
        if paramwise:
            raise ConfigError(
                f'optim_wrapper.paramwise_cfg takes lr_mult, no_decay and layer_decay, not {sorted(paramwise)}.'
            )
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f'optim_wrapper.paramwise_cfg.layer_decay must be in (0, 1], not {self.layer_decay}.')

    def __call__(self, model: nn.Module) -> Any:
        """Build the wrapper around the optimiser of a model.

        Args:
            model (nn.Module): possibly wrapped for several processes.

        Returns:
            OptimWrapper: ready to update it.
        """
        groups = self._groups(unwrap(model))
        if not groups:
            raise ConfigError(f'{type(unwrap(model)).__name__} has no parameter to train.')
        cfg = self.optimizer_cfg
        known = OPTIMIZERS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
        if cfg['type'] in _FUSED and 'foreach' not in cfg and 'fused' in inspect.signature(known).parameters:
            cfg.setdefault('fused', True)
        optimizer = OPTIMIZERS.build({**cfg, 'params': groups})
        # With its scope, for a process whose default scope is another one.
        self.wrapper_cfg.setdefault('type', 'mmpt.GuardedOptimWrapper')
        return OPTIM_WRAPPERS.build({**self.wrapper_cfg, 'optimizer': optimizer})

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        groups: dict[tuple[bool, str, int], dict[str, Any]] = {}
        layers = self._layers(model)
        frozen = 0
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                frozen += 1
                continue
            # The parameter's own name counts, not that of the module it is in: `tokenizer.` is no token.
            own = name.rsplit('.', 1)[-1]
            decay = not (parameter.ndim <= 1 or own == 'bias' or any(part in own for part in self.no_decay))
            prefix = max((p for p in self.lr_mult if name.startswith(p)), key=len, default='')
            layer = next((i for i, prefixes in enumerate(layers) if name.startswith(prefixes)), len(layers))
            back = len(layers) - layer
            group = groups.setdefault((decay, prefix, back), {'params': []})
            group['params'].append(parameter)
            if not decay:
                group['weight_decay'] = 0.0
            if prefix or back:
                group['lr'] = self.optimizer_cfg['lr'] * self.lr_mult.get(prefix, 1.0) * self.layer_decay**back
        unused = set(self.lr_mult) - {prefix for _, prefix, _ in groups}
        if unused:
            raise ConfigError(
                f'optim_wrapper.paramwise_cfg.lr_mult: no trainable parameter starts with {sorted(unused)}.'
            )
        # The groups of the plain learning rate first: the log shows the rate of the first group.
        groups = dict(sorted(groups.items(), key=lambda item: (item[0][1], item[0][2], not item[0][0])))
        self._log(groups, frozen)
        return list(groups.values())

    def _layers(self, model: nn.Module) -> list[tuple[str, ...]]:
        """Beginnings of the names of each layer's parameters, from the input on; none where all layers learn alike."""
        if self.layer_decay == 1:
            return []
        encoder = getattr(model, 'encoder', None)
        if not hasattr(encoder, 'layer_prefixes'):
            raise ConfigError(
                f'optim_wrapper.paramwise_cfg.layer_decay: {type(encoder).__name__}, the encoder of '
                f'{type(model).__name__}, does not say what its layers are; give it a method layer_prefixes().'
            )
        if not any(parameter.requires_grad for parameter in encoder.parameters()):
            raise ConfigError('optim_wrapper.paramwise_cfg.layer_decay: the encoder is frozen, so no layer learns.')
        return [tuple(f'encoder.{prefix}' for prefix in prefixes) for prefixes in encoder.layer_prefixes()]

    def _log(self, groups: dict[tuple[bool, str, int], dict[str, Any]], frozen: int) -> None:
        merged: dict[tuple[bool, str], list[Any]] = {}
        for (decay, prefix, _), group in groups.items():
            merged.setdefault((decay, prefix), []).extend(group['params'])
        parts = []
        for (decay, prefix), params in merged.items():
            count = sum(p.numel() for p in params) / 1e6
            rate = f', lr x {self.lr_mult[prefix]:g} for {prefix}' if prefix else ''
            parts.append(f'{len(params)} tensors ({count:.2f} M) {"" if decay else "not "}decayed{rate}')
        if self.layer_decay != 1:
            deepest = max(back for _, _, back in groups)
            parts.append(f'lr x {self.layer_decay:g} a layer, x {self.layer_decay**deepest:.2g} at the input')
        print_log(
            f'{self.optimizer_cfg["type"]}: {"; ".join(parts)}; {frozen} frozen tensors left out.', logger='current'
        )
