"""A small pack with every kind of value in it, for the tests of shards."""

import numpy as np

from mmpt.datasets.shards import ShardWriter, encode_record
from mmpt.datasets.shards.format import Files

CLASSES = ('bed', 'chair', 'sofa')


def info_of(number):
    """A shape with one value of every kind that a record holds."""
    rng = np.random.default_rng(number)
    return {
        'sample_id': f'shape-{number:02d}',
        'split': 'train',
        'points': rng.standard_normal((20 + number, 3)).astype(np.float32),
        'colors': rng.integers(0, 256, (20 + number, 3), dtype=np.uint8),
        'semantic': rng.integers(-1, 13, 20 + number),
        'projections': rng.standard_normal((2, 3, 4)),
        'has_image': rng.random(2) < 0.5,
        'label': number % 3,
        'caption': 'ein Stuhl, weiß\n"alt"',
        'nothing': None,
        'scanned': True,
        'scale': 0.1 + number,
        'views': ['front', 'ö'],
        'image_bytes': [rng.bytes(100 + number), b'', rng.bytes(300)],
        'partials': [np.zeros((0, 3), np.float32), np.ones((2, 3), np.float32)],
        'image_paths': [],
        'weight': np.float32(1 / 3),
        'rank': np.array(7),
    }


def same(one, other):
    """Equal in type, dtype and every bit; files that are read when asked for count as the list they stand for."""
    one, other = (list(value) if isinstance(value, Files) else value for value in (one, other))
    assert type(one) is type(other)
    if isinstance(one, (np.ndarray, np.generic)):
        assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            same(a, b)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    else:
        assert one == other


def facts(**changes):
    metainfo = {'name': 'Rooms', 'variant': 'v1', 'split': 'train', 'up_axis': 'y', 'classes': CLASSES}
    command = ['python', 'pack.py', 'my config.py', 'out']
    return {
        'metainfo': metainfo,
        'total': 30,
        'command': command,
        'made_from': {'a': 1},
        'shard_bytes': 9000,
        **changes,
    }


def write(folder, upto=30, **changes):
    """Pack shapes from where the folder ends to ``upto``; leaves out shape 4. Returns where it went on."""
    with ShardWriter(folder, **facts(**changes)) as pack:
        first = pack.next_source
        for number in range(first, upto):
            if number == 4:
                pack.skip(number, 'shape 4 is broken.')
            else:
                pack.append(number, encode_record(info_of(number)), number % 3)
        if upto == 30:
            pack.finish()
    return first


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rewrite(path, offset, value=None):
    data = bytearray(path.read_bytes())
    data[offset] = data[offset] ^ 0x10 if value is None else value
    path.write_bytes(data)


def packed(folder):
    """A finished pack."""
    write(folder)
    return folder
