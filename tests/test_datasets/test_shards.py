"""Packed data as files: what goes in comes out, and damage is found and named."""

import json
import mmap
import os
import pickle
import shutil
import time
import zlib

import numpy as np
import pytest
from _packs import CLASSES, facts, info_of, packed, rewrite, same

from mmpt.datasets import PointCloudDataset
from mmpt.datasets.shards import ShardReader, ShardWriter, encode_record, reader, verify
from mmpt.datasets.shards.format import ROW, decode_record, index_dtype


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return packed(tmp_path_factory.mktemp('packed') / 'train')


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / 'train')


def test_every_kind_of_value_comes_back_bit_for_bit(made):
    pack = ShardReader(made, {'dataset': 'Rooms', 'variant': 'v1'})
    assert pack.num_shapes() == 29
    numbers = [number for number in range(30) if number != 4]
    for index, number in enumerate(numbers):
        same(pack.load_info(index), info_of(number))
        assert pack.label(index) == number % 3
        assert pack.row(index).source == number
    assert pack.metainfo['classes'] == CLASSES and pack.metainfo['up_axis'] == 'y'
    about = json.loads((made / 'pack.json').read_text())
    assert about['skipped'] == [{'source': 4, 'reason': 'shape 4 is broken.'}]
    assert about['complete'] is True and about['byte_order'] == 'little'
    assert len(about['shards']) > 3 and all(shard['bytes'] <= 9000 for shard in about['shards'])


def test_arrays_belong_to_the_caller_and_lie_aligned_in_the_file(made):
    pack = ShardReader(made)
    first = pack.load_info(0)
    first['points'][:] = 0
    same(pack.load_info(0), info_of(0))
    assert first['points'].flags.owndata and first['points'].flags.c_contiguous and first['points'].flags.writeable
    data = (made / 'shard-00000.bin').read_bytes()
    for key in ('points', 'colors', 'semantic', 'projections'):
        assert data.index(info_of(0)[key].tobytes()) % 64 == 0


def test_a_row_of_the_index_is_what_pack_json_says(made):
    rows = np.memmap(made / 'index.bin', index_dtype(), mode='r')
    assert len(rows) == 29 and index_dtype().itemsize == ROW
    assert [[name, code] for name, code in index_dtype().descr] == json.loads((made / 'pack.json').read_text())[
        'index'
    ]['row']
    assert rows['label'].tolist() == [number % 3 for number in range(30) if number != 4]
    shard = (made / 'shard-00001.bin').read_bytes()
    row = rows[rows['shard'] == 1][1]
    same(decode_record(memoryview(shard)[row['offset'] : row['offset'] + row['length']]), info_of(int(row['source'])))


def test_big_endian_and_strided_arrays_are_stored_little_endian_and_in_order():
    points = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    back = decode_record(memoryview(encode_record({'a': points.astype('>f4'), 'b': points, 'c': points[::2]})))
    np.testing.assert_array_equal(back['a'], points)
    assert back['a'].dtype == np.dtype('<f4') and back['b'].flags.c_contiguous
    np.testing.assert_array_equal(back['c'], points[::2])


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        ({'a': 1}, 'dict'),
        ((1, 2), 'tuple'),
        (np.array(['a']), 'array of <U1'),
        (np.array([None]), 'array of object'),
        ([np.zeros(2), object()], 'object'),
    ],
)
def test_what_a_record_cannot_hold_is_refused(value, said):
    with pytest.raises(ValueError, match=f"'thing' of sample 'x' holds .*{said}"):
        encode_record({'sample_id': 'x', 'thing': value})


def test_labels_may_be_missing(tmp_path):
    with ShardWriter(tmp_path / 'train', **facts()) as pack:
        pack.append(0, encode_record({'sample_id': 'a', 'points': np.eye(3)}), None)
        pack.append(1, encode_record({'sample_id': 'b', 'points': np.eye(3)}), 0)
        pack.finish()
    assert [ShardReader(tmp_path / 'train').label(index) for index in range(2)] == [None, 0]


def test_copies_in_other_processes_map_the_files_on_their_own(made):
    pack = ShardReader(made)
    pack.load_info(0)
    state = pickle.dumps(pack)
    assert len(state) < 1000  # no maps and no list of shapes in it
    copy = pickle.loads(state)
    same(copy.load_info(7), pack.load_info(7))
    load = pickle.loads(pickle.dumps(pack.load_info))
    same(load(3), info_of(3))
    child = os.fork()
    if child == 0:
        right = True
        try:
            for index in range(pack.num_shapes()):
                right &= pack.load_info(index)['sample_id'] != ''
        finally:
            os._exit(0 if right else 1)
    same(pack.load_info(20), info_of(21))
    assert os.waitpid(child, 0)[1] == 0


def test_few_files_are_mapped_at_once_and_little_is_kept_on_account(made, monkeypatch):
    monkeypatch.setattr(reader, '_MAX_MAPS', 2)
    monkeypatch.setattr(reader, '_BUDGET', 200_000)
    dropped = []

    class Map(mmap.mmap):
        def madvise(self, option):
            dropped.append(option)
            return super().madvise(option)

    monkeypatch.setattr(reader.mmap, 'mmap', Map)
    pack = ShardReader(made)
    for index in np.random.default_rng(0).permutation(29):
        assert pack.load_info(index)['sample_id'] == f'shape-{index + (index > 3):02d}'
        assert len(pack._maps) <= 2
    assert set(dropped) == {mmap.MADV_DONTNEED} and len(dropped) >= 5


def test_opening_a_million_shapes_reads_none_of_them(folder, monkeypatch):
    about = json.loads((folder / 'pack.json').read_text())
    about['num_shapes'], about['index']['bytes'] = 1_000_000, 1_000_000 * ROW
    (folder / 'pack.json').write_text(json.dumps(about))
    os.truncate(folder / 'index.bin', 1_000_000 * ROW)
    opened, Map = [], mmap.mmap
    monkeypatch.setattr(reader.mmap, 'mmap', lambda *a, **k: opened.append(a) or Map(*a, **k))
    start = time.perf_counter()
    pack = ShardReader(folder)
    assert time.perf_counter() - start < 1
    assert pack.num_shapes() == 1_000_000 and opened == []
    same(pack.load_info(2), info_of(2))
    assert len(opened) == 2  # the index and one shard


def refuse(kind, path, expect=None):
    with pytest.raises(kind) as error:
        ShardReader(path, expect)
    text = str(error.value)
    assert '\n' not in text and text.endswith('.') and str(path) in text
    return text


def damage(folder, index):
    """What a reader says of a record, and what the verification lists."""
    with pytest.raises(ValueError) as error:
        ShardReader(folder).load_info(index)
    return str(error.value), verify(folder)


def test_a_flipped_byte_is_found_and_named(folder):
    shard = folder / 'shard-00002.bin'
    index = next(k for k in range(29) if ShardReader(folder).row(k).shard == 2) + 1
    row = ShardReader(folder).row(index)
    sample = f'shape-{row.source:02d}'
    points = info_of(row.source)['points'].tobytes()
    rewrite(shard, shard.read_bytes().index(points, row.offset) + 8)
    text, problems = damage(folder, index)
    for part in (str(shard), f'record {index}', repr(sample), 'checksum', 'verify_dataset.py', "'my config.py' out"):
        assert part in text
    assert [(p.file, p.record, p.sample_id) for p in problems] == [(str(shard), index, sample)]
    assert str(problems[0]).startswith(f'{shard}, record {index} (sample {sample!r}): ')
    for other in (index - 1, index + 1):  # the neighbours are still read
        assert ShardReader(folder).load_info(other)['split'] == 'train'
    # In the header, the id cannot be trusted either; both are listed.
    rewrite(shard, 40)
    text, problems = damage(folder, index - 1)
    assert 'whose id cannot be read' in text
    assert [p.record for p in problems] == [index - 1, index] and problems[0].sample_id is None
    assert verify(folder, full=False) == []


def test_a_damaged_picture_is_found_when_it_is_read(folder):
    row, shard = ShardReader(folder).row(6), folder / 'shard-00001.bin'
    assert row.shard == 1
    expected = info_of(row.source)['image_bytes']
    rewrite(shard, shard.read_bytes().index(expected[2], row.offset) + 10)
    info = ShardReader(folder).load_info(6)
    files = info['image_bytes']
    assert len(files) == 3 and files[0] == expected[0] and files[:2] == expected[:2] and files[-2] == b''
    with pytest.raises(ValueError) as error:
        files[2]
    for part in (str(shard), 'record 6', f'shape-{row.source:02d}', 'its file 2', 'verify_dataset.py'):
        assert part in str(error.value)
    problems = verify(folder)
    assert [(p.file, p.record, p.sample_id) for p in problems] == [(str(shard), 6, f'shape-{row.source:02d}')]
    assert 'file 2' in problems[0].what


def test_pictures_are_a_list_of_bytes_for_whoever_takes_them(made):
    info = ShardReader(made).load_info(6)
    expected = info_of(7)['image_bytes']
    assert info['image_bytes'] == expected and expected == list(info['image_bytes'])
    assert info['image_bytes'] == ShardReader(made).load_info(6)['image_bytes']
    assert info['image_bytes'] != expected[:2]
    copy = pickle.loads(pickle.dumps(info))['image_bytes']
    assert type(copy) is list and copy == expected
    with pytest.raises(IndexError):
        info['image_bytes'][3]


def test_a_shape_of_which_one_picture_is_taken_costs_one_picture(folder):
    """The rest of its record is neither read nor compared."""
    row = ShardReader(folder).row(6)
    first, last = (info_of(row.source)['image_bytes'][k] for k in (0, 2))
    shard = folder / 'shard-00001.bin'
    data = bytearray(shard.read_bytes())
    start = data.index(last, row.offset)
    data[start : start + len(last)] = bytes(len(last))
    shard.write_bytes(data)
    assert ShardReader(folder).load_info(6)['image_bytes'][0] == first


def test_bytes_of_a_stranger_with_a_right_checksum_are_refused(tmp_path):
    """A header that asks for more than there is, for objects, or for what is no record at all."""
    good = encode_record({'sample_id': 'a', 'points': np.eye(3)})
    strange = [
        {'sample_id': 'a', 'p': {'array': ['<f8', [10**9, 3], 0]}},
        {'sample_id': 'a', 'p': {'array': ['<f8', [-3, 3], 0]}},
        {'sample_id': 'a', 'p': {'array': ['|O', [1], 0]}},
        {'sample_id': 'a', 'p': {'bytes': [10, -3]}},
        {'sample_id': 'a', 'p': {'bytes': [10**9, 0]}},
        {'sample_id': 'a', 'p': {'files': [[10**9, 0, 0]]}},
        {'sample_id': 'a', 'p': {'files': [[1.5, 0, 0]]}},
        {'sample_id': 'a', 'p': {'files': [3]}},
        {'sample_id': 'a', 'p': {'what': 3, 'ever': 4}},
    ]
    records = [good[:10], b'\0' * 200]
    for header in strange:
        text = json.dumps(header).encode()
        prefix = b'mmpt' + b''.join(n.to_bytes(4, 'little') for n in (len(text), zlib.crc32(text), 1))
        records.append(prefix + text + b'\0' * (-(len(prefix) + len(text)) % 64) + b'\0' * 64)
    with ShardWriter(tmp_path / 'train', **facts()) as pack:
        for number, record in enumerate(records):
            pack.append(number, record, None)
        pack.finish()
    for index in range(len(records)):
        with pytest.raises(ValueError, match=f'record {index} .*is damaged'):
            ShardReader(tmp_path / 'train').load_info(index)


def test_files_that_are_cut_or_gone_are_refused_when_the_pack_is_opened(folder):
    last = sorted(folder.glob('shard-*.bin'))[-1]
    size = last.stat().st_size
    os.truncate(last, size - 1)
    text = refuse(ValueError, folder)
    assert f'{last} has {size - 1} bytes' in text and str(size) in text
    assert [str(problem) for problem in verify(folder, full=False)] == [text]
    last.unlink()
    assert str(last) in refuse(FileNotFoundError, folder)
    assert 'does not exist' in str(verify(folder)[0])


def test_a_cut_index_is_refused(folder):
    os.truncate(folder / 'index.bin', 10 * ROW)
    assert f'index.bin has {10 * ROW} bytes' in refuse(ValueError, folder)
    about = json.loads((folder / 'pack.json').read_text())
    about['index']['bytes'] = 10 * ROW
    (folder / 'pack.json').write_text(json.dumps(about))
    assert 'expected 29 rows' in refuse(ValueError, folder)


def test_a_damaged_row_of_the_index_is_named(folder):
    rewrite(folder / 'index.bin', 12 * ROW + 2)
    text, problems = damage(folder, 12)
    assert 'index.bin, record 12' in text and 'row of the index' in text
    assert [(problem.file, problem.record) for problem in problems] == [(str(folder / 'index.bin'), 12)]
    with pytest.raises(ValueError, match=r'index\.bin, record 12'):
        ShardReader(folder).label(12)
    same(ShardReader(folder).load_info(11), info_of(12))


def test_files_cut_while_they_are_mapped_end_in_a_sentence(folder):
    """Without the check, the first access behind the new end would kill the process (SIGBUS)."""
    pack = ShardReader(folder)
    last = pack.num_shapes() - 1
    pack.load_info(last)
    name = pack.pack['shards'][-1]['name']
    os.truncate(folder / name, 10)
    with pytest.raises(ValueError, match=rf'{name}, record {last} .*has been cut'):
        pack.load_info(last)
    first = pack.pack['shards'][0]['name']
    os.truncate(folder / first, 0)  # not mapped yet
    with pytest.raises(ValueError, match=rf'{first}, record 0 .*is empty'):
        pack.load_info(0)
    os.truncate(folder / 'index.bin', 0)
    with pytest.raises(ValueError, match=r'index\.bin, record 5'):
        pack.load_info(5)


def test_pack_json_of_others_is_refused(folder, tmp_path):
    path = folder / 'pack.json'
    about = json.loads(path.read_text())
    for change, said in (
        ({'format_version': 2}, 'format version 2'),
        ({'format': 'zarr'}, 'does not describe packed data'),
        ({'complete': False}, "not packed to its end; run `python pack.py 'my config.py' out` again"),
    ):
        path.write_text(json.dumps({**about, **change}))
        assert said in refuse(ValueError, folder)
    for key in ('shards', 'num_shapes', 'command', 'dataset', 'metainfo', 'index'):
        for changed in ({k: value for k, value in about.items() if k != key}, {**about, key: [3]}):
            path.write_text(json.dumps(changed))
            assert f'lacks {key}' in refuse(ValueError, folder)
    outside = {**about['shards'][0], 'name': '../../secret.bin'}
    path.write_text(json.dumps({**about, 'shards': [outside, *about['shards'][1:]]}))
    assert 'lacks shards, or has something there' in refuse(ValueError, folder)
    for text in ('{"format":', '[]', 'null'):
        path.write_text(text)
        assert 'pack.json' in refuse(ValueError, folder)
    path.unlink()
    assert 'pack.json does not exist' in refuse(FileNotFoundError, folder)
    assert 'one folder for each split' in refuse(FileNotFoundError, tmp_path / 'nowhere')


def test_a_pack_of_another_class_or_variant_is_refused(made):
    assert "with dataset 'Rooms', expected 'ShapeNet'" in refuse(ValueError, made, {'dataset': 'ShapeNet'})
    assert "with variant 'v1', expected 'v2'" in refuse(ValueError, made, {'dataset': 'Rooms', 'variant': 'v2'})


class Rooms(PointCloudDataset):
    """As classes are written: raw files are looked at only where the data are not packed."""

    def __init__(self, data_root, split='train', *, packed=False, pipeline=(), **kwargs):
        self.split = split
        metainfo = {'variant': 'v1', 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)


def test_the_base_class_reads_a_pack(made):
    data = Rooms(str(made.parent), packed=True, pipeline=[lambda results: results])
    assert len(data) == 29 and data.label(5) == 0 and data.metainfo['classes'] == CLASSES
    sample = data[(2, 5)]
    assert sample['class_name'] == 'bed' and sample['epoch'] == 2
    same({key: sample[key] for key in info_of(6)}, info_of(6))
    same(pickle.loads(pickle.dumps(Rooms(str(made.parent), packed=True)))[5]['points'], info_of(6)['points'])
    with pytest.raises(FileNotFoundError, match='test'):
        Rooms(str(made.parent), 'test', packed=True)
