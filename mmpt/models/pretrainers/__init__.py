"""What a Runner trains."""

from .multi_task import MultiTaskPretrainer
from .tokenizer import TokenizerPretrainer

__all__ = ['MultiTaskPretrainer', 'TokenizerPretrainer']
