"""What the tests of the readers share."""

import os
import tracemalloc

import pytest

from mmpt.utils.errors import explain

#: far more than any file of these tests, far less than any claim of a hostile header
MEMORY = 32 << 20


def refuse(read, path, *parts, kind=ValueError):
    """The reader refuses the file in one sentence that names it and says every part, without taking memory for it."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text == explain(caught.value), 'a user would see a traceback'
    assert '\n' not in text and text.endswith('.') and 'Traceback' not in text
    for part in (os.path.basename(path), *parts):
        assert str(part) in text, text
    return text


def cut(path, keep):
    """Keep the first bytes of a file, a number of them or (negative) all but so many."""
    path.write_bytes(path.read_bytes()[:keep])
    return path
