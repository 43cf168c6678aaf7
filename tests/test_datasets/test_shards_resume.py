"""Packs that are stopped at any moment, in any way, and gone on with."""

import errno
import os
import shutil

import numpy as np
import pytest
from _packs import contents, facts, packed, rewrite, write

from mmpt.datasets.shards import ShardReader, ShardWriter, writer
from mmpt.datasets.shards.format import ROW


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return packed(tmp_path_factory.mktemp('packed') / 'train')


def test_a_pack_that_is_stopped_and_resumed_is_the_same(made, tmp_path):
    folder = tmp_path / 'train'
    begun = [write(folder, upto=upto) for upto in (0, 3, 5, 6, 17, 30)]
    # After shape 4, which is left out, the next run tries it again: it stands behind the last record.
    assert begun == [0, 0, 3, 4, 6, 17]
    assert contents(folder) == contents(made)
    assert write(folder, command=['another']) == 30  # complete: nothing is to be done
    assert contents(folder) == contents(made)


def kill_after(folder, steps, monkeypatch):
    """Pack until the process 'dies' at its n-th write to the disk; nothing that ends it in order takes place."""

    class Killed(BaseException):
        pass

    left = iter(range(steps))
    real = writer._replace_end

    def replace_end(file, start, parts):
        if next(left, None) is None:
            # Half of what was to be written arrives.
            whole = b''.join(parts)
            file.truncate(start)
            file.write(whole[: len(whole) // 2])
            raise Killed
        real(file, start, parts)

    with monkeypatch.context() as patch:
        patch.setattr(writer, '_replace_end', replace_end)
        patch.setattr(ShardWriter, '__exit__', lambda self, *_: self._lock.release())
        try:
            write(folder)
        except Killed:
            return True
    return False


def test_a_pack_that_is_killed_at_any_write_and_resumed_is_the_same(made, tmp_path, monkeypatch):
    killed = 0
    for steps in range(30):
        folder = tmp_path / f'{steps}' / 'train'
        if not kill_after(folder, steps, monkeypatch):
            break
        killed += 1
        with pytest.raises(ValueError, match='not packed to its end'):
            ShardReader(folder)
        write(folder)
        assert contents(folder) == contents(made), steps
    assert killed >= 10
    folder = tmp_path / 'again' / 'train'
    for steps in (1, 2, 3, 4):  # and killed several times
        assert kill_after(folder, steps, monkeypatch)
    write(folder)
    assert contents(folder) == contents(made)


@pytest.mark.parametrize('what', ['zeros', 'short', 'gone', 'row', 'temporary', 'stray', 'first of a shard'])
def test_what_a_power_cut_leaves_is_written_again(made, tmp_path, what):
    folder = tmp_path / 'train'
    write(folder, upto=20)
    shards = sorted(folder.glob('shard-*.bin'))
    size = shards[-1].stat().st_size
    if what == 'zeros':  # the length arrived, the content did not
        os.truncate(shards[-1], size - 500)
        os.truncate(shards[-1], size)
    elif what == 'short':
        os.truncate(shards[-1], size - 500)
    elif what == 'gone':
        shards[-1].unlink()
    elif what == 'row':
        rewrite(folder / 'index.bin', 17 * ROW)
    elif what == 'temporary':
        (folder / '.skipped.jsonl.writing').write_text('half')
    elif what == 'stray':
        shutil.copy(shards[0], folder / 'shard-00099.bin')
    elif what == 'first of a shard':
        os.truncate(shards[-1], 0)
        os.truncate(shards[-1], size)
    assert 0 < write(folder) <= 20
    assert contents(folder) == contents(made)


def test_a_full_disk_is_one_sentence_and_what_is_written_stays(made, tmp_path, monkeypatch):
    from mmpt.utils.errors import explain

    folder, room = tmp_path / 'train', [20_000]

    class Full(writer.FileIO):
        def write(self, data):
            written = super().write(bytes(data)[: room[0]])
            room[0] -= written
            if not written:
                raise OSError(errno.ENOSPC, 'No space left on device')
            return written

    with monkeypatch.context() as patch:
        patch.setattr(writer, 'FileIO', Full)
        with pytest.raises(OSError) as error:
            write(folder)
    sentence = explain(error.value)
    assert sentence.startswith('The disk is full') and "`python pack.py 'my config.py' out` again" in sentence
    kept = int(sentence.split('; ')[1].split()[0])
    assert kept > 0 and (folder / 'index.bin').stat().st_size == kept * ROW
    assert sum(path.stat().st_size for path in folder.glob('shard-*')) + kept * ROW <= 20_000
    assert write(folder) > kept  # shape 4 was left out
    assert contents(folder) == contents(made)


def test_interrupted_while_writing_nothing_is_written_twice(made, tmp_path, monkeypatch):
    """Ctrl-C at any write to the disk; what is pending is then written once more on the way out."""
    real, ends = os.fsync, []

    def interrupted(descriptor):
        real(descriptor)
        ends[0] -= 1
        if ends[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupted)
    for steps in range(3, 30):
        folder = tmp_path / f'{steps}' / 'train'
        ends[:] = [steps]
        with pytest.raises(KeyboardInterrupt):
            write(folder)
        write(folder, command=['another', 'one'])  # pack.json keeps the first command
        assert contents(folder) == contents(made), steps


def test_folders_of_other_data_are_left_alone(made, tmp_path):
    folder = tmp_path / 'train'
    write(folder, upto=5)
    before = contents(folder)
    other = {**facts()['metainfo'], 'classes': ('bed',)}
    for change, said in (
        ({'made_from': {'a': 2}}, 'made_from'),
        ({'total': 31}, 'total 30'),
        ({'shard_bytes': 100}, 'shard_bytes 9000'),
        ({'metainfo': other}, 'other metainfo'),
        ({'metainfo': {**other, 'variant': 'v2'}}, "variant 'v1'"),
    ):
        with pytest.raises(ValueError, match=said):
            write(folder, **change)
    assert contents(folder) == before
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'text.tex').write_text('years of work')
    with pytest.raises(ValueError, match=r'holds files, but no pack\.json'):
        write(tmp_path / 'thesis')
    assert (tmp_path / 'thesis' / 'text.tex').read_text() == 'years of work'


def test_two_processes_do_not_write_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, '_LOCK_SECONDS', 0.1)
    with ShardWriter(tmp_path / 'train', **facts()), pytest.raises(ValueError, match='another process'):
        write(tmp_path / 'train')


def test_metainfo_that_json_would_change_is_refused(tmp_path):
    for value in ({0: 'bed'}, {1, 2}, np.float32(1)):
        with pytest.raises(ValueError, match='plain data'):
            ShardWriter(tmp_path / 'train', **facts(metainfo={'name': 'Rooms', 'map': value}))


def test_an_empty_pack_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match='no shape could be packed'),
        ShardWriter(tmp_path / 'train', **facts()) as pack,
    ):
        pack.skip(0, 'broken')
        pack.finish()
