"""Does a data set hold what it should? Facts of every sample, and what they mean."""

from .checks import check_axis, check_counts, check_features, check_files, check_labels, check_pictures, check_scale
from .duplicates import check_duplicates
from .facts import Facts, FactsReader, read_facts, reading_steps
from .findings import KINDS, Finding, join_names, sample_name
from .fingerprint import Group, fingerprint, group_clouds, moments
from .parts import Part, find_parts, lookup, open_part
from .report import PartReport, verify_part
from .resampled import find_resampled
from .table import NO_LABEL, FactsTable
from .up_axis import Standing, layers, objects_stand, scenes_stand

__all__ = [
    'KINDS',
    'NO_LABEL',
    'Facts',
    'FactsReader',
    'FactsTable',
    'Finding',
    'Group',
    'Part',
    'PartReport',
    'Standing',
    'check_axis',
    'check_counts',
    'check_duplicates',
    'check_features',
    'check_files',
    'check_labels',
    'check_pictures',
    'check_scale',
    'find_parts',
    'find_resampled',
    'fingerprint',
    'group_clouds',
    'join_names',
    'layers',
    'lookup',
    'moments',
    'objects_stand',
    'open_part',
    'read_facts',
    'reading_steps',
    'sample_name',
    'scenes_stand',
    'verify_part',
]
