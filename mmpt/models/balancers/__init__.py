"""Balancers of task losses."""

from .balancers import FixedBalancer, GradientNormBalancer, build_balancer

__all__ = ['FixedBalancer', 'GradientNormBalancer', 'build_balancer']
