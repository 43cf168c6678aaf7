"""Parameter groups, and the wrapper around the optimiser."""

from .guarded_optim_wrapper import GuardedOptimWrapper
from .param_groups import ParamGroupConstructor

__all__ = ['GuardedOptimWrapper', 'ParamGroupConstructor']
