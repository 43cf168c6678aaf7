"""Preprocessors: contract 1 in, contract 2 out."""

from .point_preprocessor import PointDataPreprocessor

__all__ = ['PointDataPreprocessor']
