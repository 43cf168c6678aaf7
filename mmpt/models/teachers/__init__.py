"""Frozen teachers of other modalities, which provide targets for point encoders."""

from .base import FrozenTeacher
from .feature_cache import FeatureCache
from .image import TimmTeacher
from .text import HashedTextTeacher, OpenClipTextTeacher

__all__ = ['FeatureCache', 'FrozenTeacher', 'HashedTextTeacher', 'OpenClipTextTeacher', 'TimmTeacher']
