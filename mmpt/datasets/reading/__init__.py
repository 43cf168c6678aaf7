"""Reading the files of data sets, whoever wrote them.

Every reader checks that the file is what it should be before it decodes it, sets no memory aside because a header says
so, runs nothing that a file asks for, and says in one sentence what is wrong, where, and what to do.
"""

from .arrays import read_h5, read_json, read_npy, read_npz
from .clouds import CLOUD_SUFFIXES, Cloud, read_cloud
from .images import read_image
from .pickles import read_pickle
from .text import read_table

__all__ = [
    'CLOUD_SUFFIXES',
    'Cloud',
    'read_cloud',
    'read_h5',
    'read_image',
    'read_json',
    'read_npy',
    'read_npz',
    'read_pickle',
    'read_table',
]
