"""Parts between encoders and heads."""

from .fusion import CrossModalFusion

__all__ = ['CrossModalFusion']
