"""Tokenizers: an encoder's patches to discrete ids, and nothing else."""

from .discrete_vae import DecodedPatches, DiscreteVAE

__all__ = ['DecodedPatches', 'DiscreteVAE']
