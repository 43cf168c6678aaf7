"""Arrays, tables and JSON: what was written comes back, what is wrong is said in one sentence."""

import io
import json
import pickle
import struct
import zipfile
from functools import partial

import h5py
import numpy as np
import pytest
from _reading import cut, refuse

from mmpt.datasets.reading import checks, read_h5, read_json, read_npy, read_npz, read_table

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(50, 3)).astype(np.float32)


@pytest.mark.parametrize(
    'array',
    [
        CLOUD,
        CLOUD.astype('>f8'),
        np.asfortranarray(CLOUD),
        np.arange(6, dtype='>i2'),
        np.array(7, np.int64),
        np.zeros((0, 3), np.float16),
        np.array([True, False]),
    ],
    ids=['plain', 'big endian', 'fortran', 'int16', 'no dimension', 'empty', 'bool'],
)
def test_npy_gives_what_was_written(tmp_path, array):
    np.save(tmp_path / 'a.npy', array)
    read = read_npy(tmp_path / 'a.npy')
    np.testing.assert_array_equal(read, array)
    assert read.shape == array.shape and read.dtype == array.dtype.newbyteorder('=')
    assert read.flags.c_contiguous and read.flags.writeable and read.dtype.isnative


def test_npy_of_version_two(tmp_path):
    with open(tmp_path / 'a.npy', 'wb') as file:
        np.lib.format.write_array(file, CLOUD, version=(2, 0))
    np.testing.assert_array_equal(read_npy(tmp_path / 'a.npy'), CLOUD)


def npy_header(shape, descr="'<f4'"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text


def test_damaged_npy(tmp_path):
    path = tmp_path / 'cloud.npy'
    refuse(read_npy, path, 'does not exist', 'complete the data set', kind=FileNotFoundError)
    np.save(path, CLOUD)
    refuse(read_npy, cut(path, -1), '599 bytes', '600', 'cut off')
    refuse(read_npy, cut(path, 40), 'header that cannot be read')
    refuse(read_npy, cut(path, 0), 'an empty file')
    np.save(path, np.array([{'a': 1}, CLOUD], object), allow_pickle=True)
    refuse(read_npy, path, 'pickled objects')
    path.write_bytes(pickle.dumps(CLOUD))
    refuse(read_npy, path, 'bytes that begin with', 'numpy.save')
    np.save(path, np.array(['chair']))
    refuse(read_npy, path, '<U5')
    np.save(path, np.zeros(3, [('x', 'f4'), ('y', 'f4')]))
    refuse(read_npy, path, 'records')
    with open(path, 'wb') as file:
        np.savez(file, points=CLOUD)
    refuse(read_npy, path, 'a zip archive')
    refuse(read_npy, tmp_path, 'a folder')


@pytest.mark.parametrize(
    'shape',
    [
        '(10000000000, 3)',
        '(9223372036854775807, 9223372036854775807)',
        '(-1, 3)',
        '(True,)',
        '(1e9,)',
        "('3',)",
        f'(0, {10**30})',
    ],
)
def test_a_npy_header_that_lies(tmp_path, shape):
    (tmp_path / 'big.npy').write_bytes(npy_header(shape) + bytes(120))
    refuse(read_npy, tmp_path / 'big.npy')


@pytest.mark.parametrize(
    'descr', ["'O'", "'<f4' * 10", '__import__("os").system("true")', "'V1000000000000'", '(' * 90]
)
def test_a_npy_header_with_a_strange_type(tmp_path, descr):
    (tmp_path / 'odd.npy').write_bytes(npy_header('(3,)', descr) + bytes(120))
    refuse(read_npy, tmp_path / 'odd.npy')


def test_npz_gives_all_arrays_or_those_asked_for(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez_compressed(path, points=CLOUD, label=3, names=np.array(['chair', 'table']))
    read = read_npz(path)
    assert set(read) == {'points', 'label', 'names'} and read['label'] == 3 and read['names'][1] == 'table'
    np.testing.assert_array_equal(read['points'], CLOUD)
    assert set(read_npz(path, ['label'])) == {'label'}
    refuse(lambda path: read_npz(path, ['points', 'normals']), path, "no 'normals' among points, label, names")


def test_damaged_npz(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez_compressed(path, points=CLOUD)
    whole = path.read_bytes()
    refuse(read_npz, cut(path, -30), 'damaged archive')
    path.write_bytes(whole[:200] + bytes(byte ^ 255 for byte in whole[200:220]) + whole[220:])
    refuse(read_npz, path)
    # A name in the archive that is no UTF-8, though a flag says that it is.
    path.write_bytes(whole[:7] + b'\x08' + whole[8:30] + b'\xe3' + whole[31:])
    refuse(read_npz, path, 'damaged archive')
    np.save(tmp_path / 'b.npy', CLOUD)
    (tmp_path / 'b.npy').rename(path)
    refuse(read_npz, path, 'a .npy array', 'numpy.savez')
    np.savez(path, points=np.array([None]))
    refuse(read_npz, path, 'points', 'pickled objects')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('points.npy', 'no array')
    refuse(read_npz, path, 'header that cannot be read')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('points.npy', npy_header('(1000000, 3)') + bytes(100))
    refuse(read_npz, path, '100 bytes where the header claims 12,000,000')


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    assert checks.FREE_BYTES == 2 << 30
    monkeypatch.setattr(checks, 'FREE_BYTES', 1 << 20)
    path = tmp_path / 'bomb.npz'
    np.savez_compressed(path, points=np.zeros((5 << 20, 3), np.float32))
    assert path.stat().st_size < 1 << 17
    refuse(read_npz, path, f'claims {(60 << 20) + 128:,} bytes', 'exhaust the memory')
    # The same arrays in a directory that lies about their size do not come out at their real one.
    directory = bytearray(path.read_bytes())
    at = directory.rindex(b'PK\x01\x02') + 24
    directory[at : at + 4] = struct.pack('<I', 4000)
    path.write_bytes(directory)
    refuse(read_npz, path)


def test_voxels_that_compress_well_are_no_bomb(tmp_path):
    voxels = np.zeros((2000, 30, 30, 30), bool)
    np.savez_compressed(tmp_path / 'voxels.npz', voxels=voxels)
    assert voxels.nbytes > 500 * (tmp_path / 'voxels.npz').stat().st_size
    assert not read_npz(tmp_path / 'voxels.npz')['voxels'].any()


SHAPES = {'data': (None, 50, 3), 'label': (None, 1)}


@pytest.fixture
def h5(tmp_path):
    path = tmp_path / 'ply_data_train0.h5'
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', data=CLOUD[None], compression='gzip')
        file['label'] = np.array([[7]], np.uint8)
        file['names'] = np.array([b'chair'], object)
        file.create_group('group')
    return path


def test_h5_gives_the_arrays_that_are_asked_for(h5):
    read = read_h5(h5, SHAPES)
    np.testing.assert_array_equal(read['data'], CLOUD[None])
    assert list(read) == ['data', 'label'] and read['label'].tolist() == [[7]] and read['label'].dtype == np.uint8


@pytest.mark.parametrize(
    'shapes, parts',
    [
        ({'data': (None, None, 3), 'pid': (None,)}, ["no 'pid' among", 'label']),
        ({'data': (None, 2048, 3)}, ['data (any, 2048, 3)', '(1, 50, 3)']),
        ({'label': (None,)}, ['label (any)', '(1, 1)']),
        ({'names': (None,)}, ['not an array of numbers']),
        ({'group': (None,)}, ['a group']),
    ],
)
def test_h5_of_another_layout(h5, shapes, parts):
    refuse(lambda path: read_h5(path, shapes), h5, *parts)


def test_damaged_h5(h5):
    for keep in (-1, 3000, 600, 100):
        refuse(lambda path: read_h5(path, SHAPES), cut(h5, keep), 'damaged or cut off')
    h5.write_bytes(b'PK\x03\x04' + bytes(100))
    refuse(lambda path: read_h5(path, SHAPES), h5, 'a zip archive')
    refuse(lambda path: read_h5(path, SHAPES), h5.with_name('gone.h5'), 'does not exist', kind=FileNotFoundError)


def test_h5_that_claims_what_is_not_stored(tmp_path):
    path = tmp_path / 'huge.h5'
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', (10**7, 2048, 3), 'f4', chunks=(1, 2048, 3))
        file.create_dataset('label', (1, 1), 'u1', chunks=(2**20, 2**11 + 1), maxshape=(None, None))
    refuse(lambda path: read_h5(path, {'data': (None, None, 3)}), path, 'claims 245,760,000,000 bytes')
    refuse(lambda path: read_h5(path, {'label': (None, None)}), path, 'claims 2,148,532,224 bytes')


def test_h5_leads_into_no_other_file(tmp_path, h5):
    path = tmp_path / 'linked.h5'
    (tmp_path / 'secret.txt').write_text('password')
    with h5py.File(path, 'w') as file:
        file['link'] = h5py.ExternalLink(str(h5), 'data')
        file.create_dataset('raw', (8,), 'u1', external=[(str(tmp_path / 'secret.txt'), 0, 8)])
        layout = h5py.VirtualLayout((1, 50, 3), 'f4')
        layout[:] = h5py.VirtualSource(str(h5), 'data', (1, 50, 3))
        file.create_virtual_dataset('virtual', layout)
        file['dangling'] = h5py.SoftLink('/nowhere')
    for name, shape in (('link', (1, 50, 3)), ('raw', (8,)), ('virtual', (1, 50, 3))):
        refuse(partial(read_h5, shapes={name: shape}), path, repr(name), 'in another file')
    refuse(lambda path: read_h5(path, {'dangling': (None,)}), path)


@pytest.mark.parametrize('delimiter, given', [(',', None), (' ', None), (';', None), ('\t', None), ('|', '|')])
def test_a_table_in_any_delimiter(tmp_path, delimiter, given):
    rows = RNG.normal(size=(20, 6))
    np.savetxt(tmp_path / 't.txt', rows, fmt='%.9g', delimiter=delimiter)
    read = read_table(tmp_path / 't.txt', 6, given)
    assert read.dtype == np.float32 and read.flags.c_contiguous
    np.testing.assert_allclose(read, rows, rtol=1e-6)


def test_a_table_with_comments_and_one_with_a_single_line(tmp_path):
    path = tmp_path / 't.txt'
    path.write_bytes(b'\xef\xbb\xbf# x y z\r\n\r\n1 2 3 # first\r\n4 5 6\r\n')
    assert read_table(path, 3).tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_text('//X,Y,Z\n1,2,3\n')
    assert read_table(path).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    'text, parts',
    [
        ('1 2 3\n4 5 x6\n', ['line 2', "the word 'x6'"]),
        ('1 2 3\n\n4 5\n', ['line 3', '2 where there should be 3']),
        ('1,2,3\n4,5,\n', ['line 2', "the word ''"]),
        ('1 2 3 4\n1 2 3 4\n', ['3 numbers in every line', 'got 4']),
        ('1 2 3 4\n1 2 3\n', ['line 1', '4 where there should be 3']),
        ('x y z\n1 2 3\n', ['line 1', "the word 'x'"]),
        ('# nothing\n\n', ['no numbers at all']),
        ('<!DOCTYPE html><html>404</html>', ['a web page', 'download']),
        ('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', ['Git LFS pointer', '`git lfs pull`']),
        (b'1 2 3\n\xff\xfe 5 6\n', ['not UTF-8']),
        (b'\x93NUMPY\x01\x00v\x00', ['a .npy array']),
    ],
)
def test_a_table_that_is_none(tmp_path, text, parts):
    path = tmp_path / 'cloud.txt'
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    refuse(lambda path: read_table(path, 3), path, *parts)


def test_json(tmp_path):
    path = tmp_path / 'list.json'
    path.write_text(json.dumps(['shape_data/02691156/a']))
    assert read_json(path) == ['shape_data/02691156/a']
    path.write_text('["a", ')
    refuse(read_json, path, 'line 1')
    path.write_bytes(b'"\xff"')
    refuse(read_json, path, 'utf-8')
    path.write_text('[' * 100_000)
    refuse(read_json, path)
    refuse(read_json, tmp_path / 'gone.json', 'does not exist', kind=FileNotFoundError)


def test_a_device_is_no_file():
    refuse(read_npy, '/dev/zero', 'no regular file')


def test_npz_in_memory_order(tmp_path):
    """Arrays are owned: writing into one changes neither the file nor another read."""
    stream = io.BytesIO()
    np.savez(stream, a=np.asfortranarray(CLOUD))
    (tmp_path / 'a.npz').write_bytes(stream.getvalue())
    first = read_npz(tmp_path / 'a.npz')['a']
    first[:] = 0
    np.testing.assert_array_equal(read_npz(tmp_path / 'a.npz')['a'], CLOUD)
    assert first.flags.c_contiguous
