"""Balancers of task losses."""

from .balancers import FixedBalancer, GradientNormBalancer

__all__ = ['FixedBalancer', 'GradientNormBalancer']
