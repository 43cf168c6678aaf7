"""Packed data: a few large memory-mapped files in place of many small ones. docs/datasets/packing.md is the format."""

from .check import Problem, verify
from .format import encode_record
from .reader import ShardReader
from .writer import ShardWriter

__all__ = ['Problem', 'ShardReader', 'ShardWriter', 'encode_record', 'verify']
