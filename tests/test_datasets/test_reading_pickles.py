"""Pickles are read as data: the layouts that data sets come in, whoever wrote them, and nothing that asks for more."""

import collections
import os
import pickle
import runpy
import struct

import numpy as np
import pytest
from _reading import cut, refuse

from mmpt.datasets.reading import pickles, read_pickle

RNG = np.random.default_rng(0)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def write(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_modelnet_dat(tmp_path, protocol):
    clouds = [RNG.normal(size=(8192, 6)).astype(np.float32) for _ in range(3)]
    labels = [np.array([label], np.int32) for label in (0, 39, 7)]
    read = read_pickle(write(tmp_path / 'modelnet40_test_8192pts_fps.dat', [clouds, labels], protocol))
    assert type(read) is list and len(read) == 2
    for array, wanted in zip(read[0] + read[1], clouds + labels, strict=True):
        np.testing.assert_array_equal(array, wanted)
        assert type(array) is np.ndarray and array.dtype == wanted.dtype and array.shape == wanted.shape
        array[:] = 0  # the caller's own


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_few_shot_fold(tmp_path, protocol):
    cloud = RNG.normal(size=(8192, 6)).astype(np.float32)
    fold = {'train': [(cloud, 0, np.array([31], np.int32))], 'test': [(cloud, np.int64(4), 17)] * 2}
    read = read_pickle(write(tmp_path / '0.pkl', fold, protocol))
    assert set(read) == {'train', 'test'} and len(read['test']) == 2
    np.testing.assert_array_equal(read['train'][0][0], cloud)
    assert read['train'][0][1] == 0 and read['train'][0][2].tolist() == [31]
    assert read['test'][1][1:] == (4, 17) and type(read['test'][1][1]) is int


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize(
    'value',
    [
        None,
        [True, 3, -(2**70), 2.5, 'Stuhl \u00e4', b'\x00\xff', b'', ()],
        {'set': {1, 2}, 'frozen': frozenset('ab'), (1, 'key'): {'nested': [[]]}},
    ],
)
def test_containers_numbers_and_text(tmp_path, protocol, value):
    assert read_pickle(write(tmp_path / 'a.pkl', value, protocol)) == value


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize(
    'array',
    [
        RNG.normal(size=(40, 30)).astype('>f8'),
        np.asfortranarray(RNG.normal(size=(40, 30))),
        np.arange(4, dtype=np.uint8),
        np.zeros((0, 3), np.float32),
        np.array(2.5),
        np.array([True, False]),
        np.array(['chair', 'Stuhl \u00e4']),
    ],
    ids=['big endian', 'fortran', 'uint8', 'empty', 'no dimension', 'bool', 'text'],
)
def test_arrays_of_all_kinds(tmp_path, protocol, array):
    read = read_pickle(write(tmp_path / 'a.pkl', {'a': array, 'again': array}, protocol))['a']
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative and read.flags.c_contiguous and read.flags.writeable and read.shape == array.shape


def test_what_is_shared_stays_shared(tmp_path):
    one, loop = [1], []
    loop.append(loop)
    read = read_pickle(write(tmp_path / 'a.pkl', [one, one, loop]))
    assert read[0] is read[1] == [1] and read[2][0] is read[2]


@pytest.mark.parametrize('protocol', (2, 3))
def test_the_names_of_older_numpy(tmp_path, protocol):
    data = pickle.dumps([np.arange(3.0), np.float32(2)], protocol)
    older = data.replace(b'numpy._core', b'numpy.core')
    assert older != data.replace(b'numpy.core', b'numpy._core')
    (tmp_path / 'a.pkl').write_bytes(older)
    read = read_pickle(tmp_path / 'a.pkl')
    assert read[0].tolist() == [0, 1, 2] and read[1] == 2


def text2(text):
    """A short text as Python 2 pickled it: bytes without an encoding."""
    return b'U' + bytes([len(text)]) + text


def dtype(code, order=b'<'):
    make = b'cnumpy\ndtype\n' + text2(code) + b'K\x00K\x01\x87R'
    return make + b'(K\x03' + text2(order) + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'


def array2(shape, kind, raw):
    """An array as numpy under Python 2 pickled it in protocol 2."""
    make = b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85' + text2(b'b') + b'\x87R'
    shape = b'(' + b''.join(b'M' + struct.pack('<H', length) for length in shape) + b't'
    return make + b'(K\x01' + shape + kind + b'\x89T' + struct.pack('<I', len(raw)) + raw + b'tb'


def test_a_few_shot_fold_of_python_2_by_hand(tmp_path):
    cloud = RNG.normal(size=(1000, 6)).astype('<f4')
    sample = (
        b'(' + array2((1000, 6), dtype(b'f4'), cloud.tobytes()) + b'K\x02' + array2((1,), dtype(b'i4'), b'\x1f\0\0\0')
    )
    content = (
        b'\x80\x02}q\x00('
        + text2(b'train')
        + b']'
        + sample
        + b'ta'
        + text2(b'test')
        + b']'
        + text2(b'caf\xe9')
        + b'au.'
    )
    (tmp_path / '0.pkl').write_bytes(content)
    read = read_pickle(tmp_path / '0.pkl')
    points, label, old = read['train'][0]
    np.testing.assert_array_equal(points, cloud)
    assert label == 2 and old.tolist() == [31] and read['test'] == ['caf\u00e9']


class Calls:
    """Pickled, it is a call of a function with arguments."""

    def __init__(self, function, *args):
        self.what = function, args

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize(
    'function, name',
    [
        (os.system, f'{os.name}.system'),
        (eval, 'eval'),
        (getattr, 'getattr'),
        (np.load, 'load'),
        (runpy.run_path, 'runpy'),
    ],
)
def test_no_function_is_reached(tmp_path, protocol, function, name):
    target = tmp_path / 'was_here'
    args = {os.system: [f'touch {target}'], eval: [f'open({str(target)!r}, "w")'], getattr: [int, 'from_bytes']}
    (tmp_path / 'script.py').write_text(f'open({str(target)!r}, "w")')
    args = args.get(function, [str(tmp_path / 'script.py')])
    evil = {'train': [(np.zeros(3), Calls(function, *args))]}
    refuse(read_pickle, write(tmp_path / 'evil.pkl', evil, protocol), name, 'nothing in it was run')
    assert not target.exists()


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize(
    'value',
    [
        np.array([None, 'a'], object),
        np.array([[1, 2], [3]], object),
        np.zeros(2, [('x', 'f4')]),
        np.ma.zeros(3),
        np.array(['2020-01-01'], 'M8[D]'),
        collections.Counter('ab'),
        collections.deque([1]),
        range(3),
        3 + 4j,
        np.dtype('f4'),
        np.ndarray,
        int,
    ],
    ids=str,
)
def test_nothing_but_plain_data(tmp_path, protocol, value):
    refuse(read_pickle, write(tmp_path / 'a.pkl', [value], protocol))


ENCODE, NDARRAY, DTYPE = b'c_codecs\nencode\n', b'cnumpy\nndarray\n', b'cnumpy\ndtype\n'
RECONSTRUCT = b'cnumpy.core.multiarray\n_reconstruct\n'
SCALAR = b'cnumpy.core.multiarray\nscalar\n'
FROMBUFFER = b'cnumpy.core.numeric\n_frombuffer\n'
F4 = dtype(b'f4')
#: asks for something that it does not get
HOSTILE = {
    'dtype of objects': DTYPE + b'U\x01O\x85R.',
    'dtype of a record': DTYPE + b']U\x01xU\x02f4\x86a\x85R.',
    'dtype of a gigabyte': DTYPE + b'U\x0bV1000000000\x85R.',
    'dtype with fields in its state': DTYPE + b'U\x02f4\x85R(K\x03U\x01<N(U\x01xt}K\x00K\x00K\x00tb.',
    'array of a subclass': RECONSTRUCT + DTYPE + b'K\x00\x85U\x01b\x87R.',
    'array of a claimed shape': RECONSTRUCT + NDARRAY + b'J\xff\xff\xff\x7f\x85U\x01b\x87R.',
    'array made by hand': NDARRAY + b'J\xff\xff\xff\x7f\x85\x85R.',
    'array without a state': RECONSTRUCT + NDARRAY + b'K\x00\x85U\x01b\x87R.',
    'array of a list': array2((1,), F4, b'')[:-2].replace(b'T\0\0\0\0', b']') + b'tb.',
    'array with too few bytes': array2((60000, 60000), F4, b'abcd') + b'.',
    'array of negative size': array2((1,), F4, b'abcd').replace(b'M\x01\x00', b'J\xff\xff\xff\xff') + b'.',
    'array of half a dtype': array2((1,), DTYPE, b'abcd') + b'.',
    'array of a type that is text': array2((4,), b'U\x02f4', b'abcd') + b'.',
    'state for an array from a buffer': FROMBUFFER + b'(C\x04abcd' + F4 + b'K\x01\x85U\x01CtR(K\x01K\x01K\x02Ntb.',
    'buffer that is too short': FROMBUFFER + b'(C\x04abcd' + F4 + b'M\xff\xff\x85U\x01CtR.',
    'buffer of a number': FROMBUFFER + b'(K\x04' + F4 + b'K\x01\x85U\x01CtR.',
    'buffer in a strange order': FROMBUFFER + b'(C\x04abcd' + F4 + b'K\x01\x85U\x01AtR.',
    'scalar of a string': SCALAR + F4 + b'C\x02ab\x86R.',
    'zeros by the gigabyte': b'c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.',
    'bytearray by the gigabyte': b'cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.',
    'set of a text': b'c__builtin__\nset\nU\x02ab\x85R.',
    'encoding that runs a codec': ENCODE + b'X\x02\0\0\0abU\x05rot13\x86R.',
    'encoding of a number': ENCODE + b'K\x01\x85R.',
    'attributes for a stand-in': ENCODE + b'}U\x04makeK\x01sb.',
    'slots for a stand-in': ENCODE + b'N}U\x04makeK\x01s\x86b.',
    'attributes for the class of a stand-in': NDARRAY + b'}U\x09__class__K\x01sb.',
    'a stand-in left over': ENCODE + b'.',
    'a dtype left over': F4 + b'.',
    'a dtype as a key': b'}' + F4 + b'K\x01s.',
    'an attribute of an allowed name': b'cnumpy\nndarray.tofile\n.',
    'an allowed name by another way': b'\x80\x04\x8c\x05numpy\x8c\x08fromfile\x93.',
    'a call by inst': b"(S'true'\niposix\nsystem\n.",
    'a call by obj': b'(cposix\nsystem\nU\x04trueo.',
    'a name by number': b'\x80\x02\x82\x01.',
    'a persistent name': b'Pos.system\n.',
    'a persistent value': b'U\x01aQ.',
    'a table of two thousand million': b'Nr\xff\xff\xff\x7f.',
    'a table of two thousand million in text': b'Np2000000000\n.',
    'lists in lists in lists': b']' * 100_000 + b'a' * 99_999 + b'.',
}
#: breaks the rules of a pickle, or claims what is not there
BROKEN = {
    'array by newobj': NDARRAY + b'J\xff\xff\xff\x7f\x85\x85\x81.',
    'attributes for a list': b']}U\x01aK\x01sb.',
    'a call of a list': b'])R.',
    'a list as a key': b'}]K\x01s.',
    'a buffer from outside': b'\x80\x05\x97.',
    'bytes beyond the end': b'\x80\x04\x8e' + struct.pack('<Q', 1 << 40) + b'abc.',
    'bytes beyond all memory': b'\x80\x04\x8e' + b'\xff' * 8 + b'.',
    'text beyond the end': b'\x80\x04\x8d' + struct.pack('<Q', 1 << 34) + b'abc.',
    'an integer beyond the end': b'\x80\x02\x8b' + struct.pack('<I', 0x7FFFFFFF) + b'\x01.',
    'a frame beyond the end': b'\x80\x04\x95' + struct.pack('<Q', 1 << 35) + b'N.',
    'nothing on the stack': b'.',
    'no end': b']q\x00',
    'no pickle': b'hello world',
}


@pytest.mark.parametrize('content', HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles(tmp_path, content):
    (tmp_path / 'evil.pkl').write_bytes(content)
    refuse(read_pickle, tmp_path / 'evil.pkl', 'nothing in it was run')


@pytest.mark.parametrize('content', BROKEN.values(), ids=BROKEN)
def test_broken_pickles(tmp_path, content):
    (tmp_path / 'broken.pkl').write_bytes(content)
    refuse(read_pickle, tmp_path / 'broken.pkl', 'a damaged file', 'copy or download')


def test_a_hostile_pickle_leaves_the_next_one_alone(tmp_path):
    before = dict(pickles._ALLOWED)
    for content in (*HOSTILE.values(), *BROKEN.values()):
        (tmp_path / 'evil.pkl').write_bytes(content)
        refuse(read_pickle, tmp_path / 'evil.pkl')
    assert before == pickles._ALLOWED
    assert read_pickle(write(tmp_path / 'good.pkl', [np.arange(3)]))[0].tolist() == [0, 1, 2]


def test_truncated_pickles(tmp_path):
    value = {'train': [(RNG.normal(size=(100, 3)), 1)]}
    for protocol in PROTOCOLS:
        size = write(tmp_path / '0.pkl', value, protocol).stat().st_size
        for keep in (-1, size // 2, 20):
            refuse(read_pickle, cut(write(tmp_path / '0.pkl', value, protocol), keep), 'damaged', 'copy or download')
    refuse(read_pickle, tmp_path / 'gone.pkl', 'does not exist', kind=FileNotFoundError)
    (tmp_path / '0.pkl').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')
    refuse(read_pickle, tmp_path / '0.pkl', 'git lfs pull')
