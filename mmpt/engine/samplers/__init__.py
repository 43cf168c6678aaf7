"""The order in which samples are drawn."""

from .step_sampler import StepSampler

__all__ = ['StepSampler']
