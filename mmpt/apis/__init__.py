"""The front door: models by the name of their config, encoders from checkpoints."""

from .encoder import load_encoder
from .models import get_model, list_models

__all__ = ['get_model', 'list_models', 'load_encoder']
