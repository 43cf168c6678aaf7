"""PCD in its three forms, packed by liblzf (through HDF5, which has it as a filter)."""

import struct

import h5py
import numpy as np
import pytest
from _reading import cut, refuse

from mmpt.datasets.reading import read_cloud
from mmpt.datasets.reading.pcd import unpack_lzf

RNG = np.random.default_rng(0)
# Few digits, so that there is something to pack.
CLOUD = RNG.normal(size=(200, 3)).round(1).astype(np.float32)
FORMS = ('ascii', 'binary', 'binary_compressed')


def pack_lzf(data):
    """The C library's own packing."""
    with h5py.File('packed', 'w', driver='core', backing_store=False) as file:
        stored = file.create_dataset('d', data=np.frombuffer(data, np.uint8), chunks=(len(data),), compression='lzf')
        skipped, packed = stored.id.read_direct_chunk((0,))
    assert not skipped
    return packed


def write(path, form, fields, height=1, packing=None):
    """A file of fields {name: array (N,) or (N, k)}."""
    arrays = {name: np.asarray(array).reshape(len(array), -1) for name, array in fields.items()}
    count = len(next(iter(arrays.values())))
    header = ['# .PCD v0.7 - Point Cloud Data file format', 'VERSION 0.7', 'FIELDS ' + ' '.join(fields)]
    header += ['SIZE ' + ' '.join(str(array.dtype.itemsize) for array in arrays.values())]
    header += ['TYPE ' + ' '.join(array.dtype.kind.upper() for array in arrays.values())]
    header += ['COUNT ' + ' '.join(str(array.shape[1]) for array in arrays.values())]
    header += [
        f'WIDTH {count // height}',
        f'HEIGHT {height}',
        'VIEWPOINT 0 0 0 1 0 0 0',
        f'POINTS {count}',
        f'DATA {form}',
    ]
    if form == 'ascii':
        rows = [' '.join(str(value) for array in arrays.values() for value in array[row]) for row in range(count)]
        body = ('\n'.join(rows) + '\n').encode()
    elif form == 'binary':
        body = b''.join(array[row].tobytes() for row in range(count) for array in arrays.values())
    else:
        body = b''.join(array.tobytes() for array in arrays.values())
        packed = (packing or pack_lzf)(body)
        body = struct.pack('<II', len(packed), len(body)) + packed
    path.write_bytes('\n'.join([*header, '']).encode() + body)
    return path


def xyz(cloud=CLOUD):
    return {name: cloud[:, axis] for axis, name in enumerate('xyz')}


@pytest.mark.parametrize('form', FORMS)
def test_coordinates(tmp_path, form):
    for code in ('f4', 'f8'):
        read = read_cloud(write(tmp_path / 'a.pcd', form, xyz(CLOUD.astype(code))))
        np.testing.assert_array_equal(read.points, CLOUD)
        assert read.points.dtype == np.float32 and read.points.flags.writeable and read.points.flags.c_contiguous
        assert read.normals is None and read.colors is None and read.faces is None and read.extra == {}


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('color', ['rgb', 'rgba'])
def test_all_fields(tmp_path, form, color):
    colors, normals = RNG.integers(0, 256, (200, 3)), RNG.normal(size=(200, 3)).astype(np.float32)
    bits = (colors[:, 0] << 16 | colors[:, 1] << 8 | colors[:, 2]).astype(np.uint32)
    labels, histogram = RNG.integers(0, 5, 200).astype(np.uint32), RNG.random((200, 3)).astype(np.float32)
    fields = {
        'label': labels,
        **{f'normal_{axis}': normals[:, i] for i, axis in enumerate('xyz')},
        **xyz(),
        '_': np.zeros((200, 4), np.uint8),
        color: bits.view(np.float32) if color == 'rgb' else bits,
        'intensity': histogram[:, 0],
        'histogram': histogram,
    }
    read = read_cloud(write(tmp_path / 'a.pcd', form, fields))
    np.testing.assert_array_equal(read.points, CLOUD)
    np.testing.assert_array_equal(read.normals, normals)
    np.testing.assert_array_equal(read.colors, colors)
    assert read.colors.dtype == np.uint8 and set(read.extra) == {'label', 'intensity', 'histogram'}
    np.testing.assert_array_equal(read.extra['label'], labels)
    np.testing.assert_array_equal(read.extra['intensity'], histogram[:, 0])
    np.testing.assert_array_equal(read.extra['histogram'], histogram)


def test_opaque_colours_that_look_like_nan(tmp_path):
    """Of 0xFFRRGGBB as a float all bits of the exponent are set."""
    bits = np.full(200, 0xFFC8141E, np.uint32)
    assert np.isnan(bits.view(np.float32)).all()
    for form in FORMS[1:]:
        read = read_cloud(write(tmp_path / 'a.pcd', form, {**xyz(), 'rgb': bits.view(np.float32)}))
        assert (read.colors == (200, 20, 30)).all()


@pytest.mark.parametrize('form', FORMS)
def test_an_organised_cloud_loses_its_empty_places(tmp_path, form):
    cloud = CLOUD.copy()
    cloud[3] = cloud[199] = np.nan
    fields = {**xyz(cloud), 'label': np.arange(200, dtype=np.int32)}
    read = read_cloud(write(tmp_path / 'a.pcd', form, fields, height=10))
    kept = np.delete(np.arange(200), [3, 199])
    np.testing.assert_array_equal(read.points, CLOUD[kept])
    np.testing.assert_array_equal(read.extra['label'], kept)
    refuse(read_cloud, write(tmp_path / 'b.pcd', form, fields), 'finite points', '2 of 200')


def test_an_old_header(tmp_path):
    """Version 0.5 without COUNT and VIEWPOINT, Windows line ends."""
    text = '\r\n'.join(
        ['COLUMNS x y z', 'SIZE 4 4 4', 'TYPE F F F', 'WIDTH 2', 'HEIGHT 1', 'DATA ascii', '1 2 3', '4 5 6', '']
    )
    (tmp_path / 'a.pcd').write_bytes(text.encode())
    assert read_cloud(tmp_path / 'a.pcd').points.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    'data',
    [
        bytes(100_000),
        b'abc' * 5000,
        bytes(range(256)) * 40,
        CLOUD.tobytes(),
        RNG.integers(0, 4, 30_000).astype(np.uint8).tobytes(),
        b'ab' * 9000 + bytes(9000),
    ],
    ids=['zeros', 'period of 3', 'far back', 'cloud', 'noise', 'two parts'],
)
def test_lzf_is_that_of_the_library(data):
    packed = pack_lzf(data)
    assert len(packed) < len(data) and unpack_lzf(packed, len(data)) == data


def test_lzf_by_hand():
    """Literals, a repetition of 3, one of 9 + 1 bytes that repeats itself."""
    assert unpack_lzf(b'\x02abc', 3) == b'abc'
    assert unpack_lzf(b'\x02abc\x20\x02', 6) == b'abcabc'
    assert unpack_lzf(b'\x00a\xe0\x01\x00', 11) == b'a' * 11


@pytest.mark.parametrize(
    'packed', [b'\x20\x00', b'\x00a\x20\x05', b'\x00a\xe0', b'\x00a\xe0\x01', b'\x05ab', b'\x00a', b'\x00a\xe0\xff\x00']
)
def test_damaged_lzf(packed):
    with pytest.raises(ValueError):
        unpack_lzf(packed, 6)


@pytest.mark.parametrize('form', FORMS)
def test_truncated_files(tmp_path, form):
    for keep in (-1 if form != 'ascii' else -4, -200, 250, 100, 20):
        refuse(read_cloud, cut(write(tmp_path / 'a.pcd', form, xyz()), keep))


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('count', [201, 10**9, 10**30])
def test_more_points_than_there_are(tmp_path, form, count):
    path = write(tmp_path / 'a.pcd', form, xyz())
    path.write_bytes(path.read_bytes().replace(b'200', str(count).encode()))
    refuse(read_cloud, path, 'damaged or cut off')


def test_packed_data_that_claim_too_much(tmp_path):
    path = write(tmp_path / 'a.pcd', FORMS[2], xyz())
    content = path.read_bytes()
    at = content.index(b'compressed\n') + len(b'compressed\n')
    for sizes in ((4 << 28, 2400), (10, 4 << 28), (0, 2400)):
        path.write_bytes(content[:at] + struct.pack('<II', *(size & 0xFFFFFFFF for size in sizes)) + content[at + 8 :])
        refuse(read_cloud, path, 'for 2,400 needed')
    # Consistent with the header, but more than so few bytes can stand for.
    path.write_bytes(
        content[:at].replace(b' 200', b' 100000000') + struct.pack('<II', 100, 1_200_000_000) + content[at + 8 :]
    )
    refuse(read_cloud, path, 'claim 100 packed and 1,200,000,000 plain')


@pytest.mark.parametrize(
    'old, new, parts',
    [
        (b'# .PCD v0.7', b'\x89PNG\r\n\x1a\n', ['a PNG picture']),
        (b'DATA ascii', b'DATA zip', ['DATA zip']),
        (b'FIELDS x y z', b'FIELDS x y', ['header']),
        (b'FIELDS x y z', b'FIELDS x y w', ['x, y and z', 'x, y, w']),
        (b'FIELDS x y z', b'', ['FIELDS']),
        (b'SIZE 4 4 4', b'SIZE 4 4 3', ['header']),
        (b'SIZE 4 4 4', b'SIZE 4 4 99999999999', ['header']),
        (b'TYPE F F F', b'TYPE F F X', ['header']),
        (b'TYPE F F F', b'TYPE F F U', ["'z'", 'u4']),
        (b'COUNT 1 1 1', b'COUNT 1 1 0', ['out of range']),
        (b'COUNT 1 1 1', b'COUNT 1 1 999999999999', ['out of range']),
        (b'COUNT 1 1 1', b'COUNT 1 1 2', ['from line 12', '4 numbers']),
        (b'WIDTH 200', b'WIDTH 100', ['WIDTH times HEIGHT']),
        (b'POINTS 200', b'POINTS -5', ['header']),
        (b'DATA ascii\n', b'DATA ascii\n1 2 east\n', ['line 12', "the word 'east'"]),
    ],
)
def test_wrong_files(tmp_path, old, new, parts):
    path = write(tmp_path / 'a.pcd', 'ascii', xyz(CLOUD + 0.25))
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    refuse(read_cloud, path, *parts)


def test_no_points(tmp_path):
    path = write(tmp_path / 'a.pcd', 'binary', xyz())
    path.write_bytes(path.read_bytes().replace(b' 200', b' 0'))
    refuse(read_cloud, path, 'an empty cloud', 'remove it from the list')
    refuse(read_cloud, write(path, 'ascii', xyz(np.full((4, 3), np.nan, np.float32)), height=2), 'an empty cloud')
