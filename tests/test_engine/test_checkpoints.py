import errno
import os
import subprocess
from pathlib import Path

import pytest
import torch
from _helpers import assert_same, load

from mmpt.engine import AtomicCheckpointHook
from mmpt.utils import io
from mmpt.utils.checkpoint import latest_checkpoint
from mmpt.utils.errors import CheckpointError


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir() if p.suffix == '.pth' or p.name.startswith('.'))


@pytest.mark.parametrize('where', ['write', 'fsync', 'replace'])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, where):
    path = tmp_path / 'file'
    io.atomic_write(b'old', path)

    def fail(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    if where == 'write':
        plain_open = open

        def opened(*args):
            file = plain_open(*args)
            return type('Full', (), {'__enter__': lambda s: s, '__exit__': lambda s, *a: file.close(), 'write': fail})()

        monkeypatch.setattr(io, 'open', opened, raising=False)
    else:
        monkeypatch.setattr(os, where, fail)
    with pytest.raises(OSError, match='No space'):
        io.atomic_write(b'new', path)
    assert path.read_bytes() == b'old' and [p.name for p in tmp_path.iterdir()] == ['file']


def test_two_ranks_that_write_one_file_leave_a_whole_one(tmp_path, monkeypatch):
    """As they do with the scores of a test: the other begins and ends while the first is half done."""
    path, fsync, rank = tmp_path / 'scores.json', os.fsync, [0]
    monkeypatch.setattr(io, 'get_rank', lambda: rank[0])

    def meanwhile(descriptor):
        if rank[0] == 0 and not path.exists():
            rank[0] = 1
            io.atomic_write(b'of rank 1', path)
            rank[0] = 0
            assert path.read_bytes() == b'of rank 1'
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', meanwhile)
    io.atomic_write(b'of rank 0', path)
    assert path.read_bytes() == b'of rank 0' and [p.name for p in tmp_path.iterdir()] == ['scores.json']


def test_full_disk_keeps_the_last_good_checkpoint(toy, monkeypatch, tmp_path):
    """With one checkpoint to keep, the old one goes only after the new one is safe."""
    runner = toy(
        'train_cfg.max_iters=12', 'default_hooks.checkpoint.interval=4', 'default_hooks.checkpoint.max_keep_ckpts=1'
    )
    folder = Path(runner.work_dir)
    fsync, seen = os.fsync, []

    def full(descriptor):
        target = os.readlink(f'/proc/self/fd/{descriptor}')
        if 'iter_12' in target:
            raise OSError(errno.ENOSPC, 'No space left on device')
        if '.writing' in target and 'iter' in target:
            seen.append(names(folder))
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(CheckpointError) as error:
        runner.train()
    assert str(error.value) == (
        f'iter_12.pth could not be written to {folder} (No space left on device); '
        f'the last good checkpoint is {folder}/iter_8.pth.'
    )
    assert seen == [['.iter_4.pth.writing'], ['.iter_8.pth.writing', 'iter_4.pth']], (
        'the old one is there while the new is written'
    )
    assert names(folder) == ['iter_8.pth']
    assert latest_checkpoint(folder) == str(folder / 'iter_8.pth')
    assert load(folder / 'iter_8.pth')['meta']['iter'] == 8


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB."""
    place = tmp_path / 'disk'
    place.mkdir()
    done = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', str(place)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f'a small file system cannot be mounted here: {done.stderr.strip()}')
    yield place
    subprocess.run(['umount', '-l', str(place)], check=True)


def test_full_disk_for_real(toy, small_disk):
    runner = toy('default_hooks.checkpoint.max_keep_ckpts=1', 'train_cfg.max_iters=12')
    hook = next(h for h in runner.hooks if isinstance(h, AtomicCheckpointHook))
    hook.out_dir = str(small_disk)
    folder = small_disk / Path(runner.work_dir).name

    class Fill:
        priority = 100

        def after_train_iter(self, runner, **kwargs):
            if runner.iter == 7:
                (small_disk / 'other').write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 8192))

    runner._hooks.append(Fill())
    with pytest.raises(CheckpointError, match='No space left on device'):
        runner.train()
    assert names(folder) == ['iter_6.pth'] and load(folder / 'iter_6.pth')['meta']['iter'] == 6
    assert latest_checkpoint(runner.work_dir) == str(folder / 'iter_6.pth')


def test_what_is_in_a_checkpoint(toy):
    runner = toy('train_cfg.max_iters=2')
    runner.train()
    checkpoint = load(Path(runner.work_dir) / 'iter_2.pth')
    assert checkpoint['meta']['encoder_cfg'] == {'type': 'ToyEncoder', 'width': 16}
    assert checkpoint['meta']['dataset_meta'] == {'up_axis': 'y', 'normalize': 'unit_sphere', 'variant': 'toy'}
    assert set(checkpoint['ema_state_dict']) == {k for k in checkpoint['state_dict'] if k.startswith('encoder.')}
    # The plain weights are where a plain reader looks, the averages beside them.
    assert_same(dict(checkpoint['state_dict']), dict(runner.model.state_dict()))
    assert checkpoint['message_hub']['log_scalars']['train/loss'].data[0].shape == (2,)


def test_best_follows_the_score_and_survives_a_worse_one(toy, monkeypatch):
    scores = iter([0.3, 0.5, 0.4, 0.6])
    runner = toy(
        'train_cfg.max_iters=8',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=2',
        'default_hooks.checkpoint.max_keep_ckpts=1',
        'default_hooks.checkpoint.save_best=toy/score',
        'default_hooks.checkpoint.rule=greater',
    )
    removed, unlink = [], os.remove
    folder = Path(runner.work_dir)

    def remove(path):
        removed.append((Path(path).name, sorted(n for n in names(folder) if 'best' in n)))
        unlink(path)

    monkeypatch.setattr(os, 'remove', remove)
    from toy_parts import ToyScore

    monkeypatch.setattr(ToyScore, 'compute_metrics', lambda self, results: {'score': next(scores)})
    runner.train()
    assert names(folder) == ['best_toy_score_iter_8.pth', 'iter_8.pth']
    best = [entry for entry in removed if 'best' in entry[0]]
    assert best == [
        ('best_toy_score_iter_2.pth', ['best_toy_score_iter_2.pth', 'best_toy_score_iter_4.pth']),
        ('best_toy_score_iter_4.pth', ['best_toy_score_iter_4.pth', 'best_toy_score_iter_8.pth']),
    ]
    saved = load(folder / 'iter_8.pth')['message_hub']['runtime_info']
    assert saved['best_score'] == 0.6 and saved['best_ckpt'].endswith('best_toy_score_iter_8.pth')


def test_killed_while_writing(toy):
    """What a killed process leaves is cleared away, and a checkpoint that it had no time to delete as well."""
    runner = toy('train_cfg.max_iters=2', 'default_hooks.checkpoint.max_keep_ckpts=1')
    folder = Path(runner.work_dir)
    (folder / '.iter_9.pth.writing').write_bytes(b'half')
    runner.message_hub.update_info('keep_ckpt_ids', [0, 1])
    for i in range(2):
        (folder / f'iter_{i}.pth').write_bytes(b'old')
    runner.train()
    assert names(folder) == ['iter_2.pth']


def test_a_strangers_notes_do_not_choose_what_is_deleted(toy, tmp_path):
    """`keep_ckpt_ids` and `best_ckpt` in a checkpoint name files that mmengine deletes."""
    mine = [tmp_path / 'mine.pth', tmp_path / 'other' / 'best.pth']
    mine[1].parent.mkdir()
    for path in mine:
        path.write_bytes(b'precious')
    runner = toy(
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=1',
        'default_hooks.checkpoint.interval=1',
        'default_hooks.checkpoint.max_keep_ckpts=1',
        'default_hooks.checkpoint.save_best=toy/score',
        'default_hooks.checkpoint.rule=greater',
        'default_hooks.checkpoint.filename_tmpl={}.pth',
    )
    runner.message_hub.update_info('keep_ckpt_ids', ['../mine', '../mine'])
    runner.message_hub.update_info('best_ckpt', str(mine[1]))
    runner.train()
    assert [path.read_bytes() for path in mine] == [b'precious'] * 2


def test_resuming_what_does_not_fit(toy, tmp_path):
    runner = toy(
        'train_cfg.max_iters=2', 'default_hooks.checkpoint.save_best=toy/score', 'default_hooks.checkpoint.rule=greater'
    )
    runner.train()
    folder = Path(runner.work_dir)
    other = toy('model.width=24', name='other', resume=True, load_from=str(folder / 'iter_2.pth'))
    with pytest.raises(
        CheckpointError, match=r'another architecture than ToyModel.*: 4 matched, 0 missing.* another shape'
    ):
        other.train()
    best = toy(name='best', resume=True, load_from=str(folder / 'best_toy_score_iter_2.pth'))
    with pytest.raises(CheckpointError, match='without the state of the optimiser'):
        best.train()
    torch.save({'state_dict': {'nothing': torch.zeros(1)}}, tmp_path / 'odd.pth')
    odd = toy(name='odd', load_from=str(tmp_path / 'odd.pth'))
    with pytest.raises(CheckpointError, match='Nothing in the checkpoint fits ToyModel'):
        odd.train()


def test_pointer_survives_a_moved_folder(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_3.pth')
    with pytest.raises(CheckpointError, match='/elsewhere/iter_3.pth, which does not exist'):
        latest_checkpoint(tmp_path)
    (tmp_path / 'iter_3.pth').touch()
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'iter_3.pth')
