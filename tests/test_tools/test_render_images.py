"""tools/dataset_converters/render_images.py: pictures where PointCloudFolder looks for them, the same every time."""

import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from mmpt.datasets import PointCloudFolder

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'dataset_converters' / 'render_images.py'
SMALL = ('--views', 3, '--size', 32, '--num-points', 2000)


@pytest.fixture
def shapes(tmp_path):
    """A mesh, a cloud with colours, and a mesh deeper down."""
    root = tmp_path / 'shapes'
    (root / 'a' / 'deep').mkdir(parents=True)
    trimesh.creation.box((0.2, 2, 0.2)).export(root / 'a' / 'pole.off')
    trimesh.creation.icosphere(subdivisions=2).export(root / 'a' / 'deep' / 'ball.stl')
    points = np.random.default_rng(0).normal(size=(3000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.savetxt(root / 'red.xyz', np.concatenate([points, np.full((3000, 3), (255, 0, 0))], axis=1))
    return root


@pytest.fixture
def render(monkeypatch, capsys):
    """Run the tool in this process; gives the exit code and what it printed."""
    main = runpy.run_path(str(TOOL))['main']

    def call(*args):
        from mmpt.utils.errors import run

        monkeypatch.setattr(sys, 'argv', ['render_images.py', *map(str, args)])
        code = run(main)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


def pictures(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob('*.png'))}


def test_the_pictures_lie_where_the_folder_class_reads_them(shapes, tmp_path, render):
    (shapes / 'red.xyz').unlink()
    code, printed = render(shapes, '--out', tmp_path / 'out', *SMALL)
    assert code == 0 and 'ETA' in printed and 'pictures of 2 shapes' in printed
    assert set(pictures(tmp_path / 'out')) == {f'a/{s}/{k:02d}.png' for s in ('pole', 'deep/ball') for k in range(3)}
    pipeline = [{'type': 'LoadImages', 'num_views': 3, 'size': 32, 'random': False}]
    data = PointCloudFolder(str(shapes), images_root=str(tmp_path / 'out'), pipeline=pipeline)
    ball, pole = data[0], data[1]
    assert ball['has_image'].all() and pole['has_image'].all()
    for sample, (low, high) in ((ball, (0.5, 0.9)), (pole, (0.02, 0.25))):
        covered = (sample['images'] < 255).any(axis=-1).mean(axis=(1, 2))
        assert ((covered > low) & (covered < high)).all()
    upright = (pole['images'] < 255).any(axis=-1)
    assert (upright.any(axis=2).sum(axis=1) > 3 * upright.any(axis=1).sum(axis=1)).all()  # taller than wide: y is up


def test_the_axis_colours_and_depth_are_asked_for(shapes, tmp_path, render):
    options = ('--suffixes', 'off', '--elevation', 0, 0)
    assert render(shapes, '--out', tmp_path / 'z', *SMALL, '--up-axis', 'z', *options)[0] == 0
    lying = cv2.imread(str(tmp_path / 'z' / 'a' / 'pole' / '00.png')) < 255
    assert lying.any(axis=(1, 2)).sum() < 10  # rows; a pole along the y of a file with z up lies
    columns = ('--suffixes', 'xyz', '--columns', *'xyzrgb', '--feature-keys', 'colors')
    assert render(shapes, '--out', tmp_path / 'red', *SMALL, *columns)[0] == 0
    blue, green, red = cv2.imread(str(tmp_path / 'red' / 'red' / '01.png'))[16, 16]
    assert red > 60 and blue == green == 0
    assert render(shapes, '--out', tmp_path / 'depth', *SMALL, '--suffixes', 'stl', '--depth')[0] == 0
    depth = cv2.imread(str(tmp_path / 'depth' / 'a' / 'deep' / 'ball' / '02.png'))
    assert depth[0, 0, 0] == 0 and depth[16, 16, 0] > depth[16, 4, 0] > 0


def test_a_picture_depends_on_its_shape_and_the_seed_alone(shapes, tmp_path, render):
    (shapes / 'red.xyz').unlink()
    render(shapes, '--out', tmp_path / 'one', *SMALL)
    (shapes / 'a' / 'aa.off').write_bytes((shapes / 'a' / 'pole.off').read_bytes())  # moves the others' places
    render(shapes, '--out', tmp_path / 'two', *SMALL)
    render(shapes, '--out', tmp_path / 'seed', *SMALL, '--seed', 1)
    one, two, seed = (pictures(tmp_path / name) for name in ('one', 'two', 'seed'))
    assert {name: two[name] for name in one} == one and len(two) == len(one) + 3
    assert all(seed[name] != one[name] for name in one)
    assert two['a/aa/00.png'] != two['a/pole/00.png']  # cameras of its own


def test_it_goes_on_where_it_stopped(shapes, tmp_path, render):
    (shapes / 'red.xyz').unlink()
    out = tmp_path / 'out'
    render(shapes, '--out', out, *SMALL)
    before = pictures(out)
    (out / 'a' / 'pole' / '01.png').unlink()
    (out / 'a' / 'pole' / '.01.png.writing').write_bytes(b'half')
    ball = out / 'a' / 'deep' / 'ball' / '00.png'
    stamp = ball.stat().st_mtime_ns
    code, printed = render(shapes, '--out', out, *SMALL)
    assert code == 0 and '2 shapes, 1 of them rendered before' in printed
    assert pictures(out) == before and ball.stat().st_mtime_ns == stamp
    assert not list(out.rglob('*.writing'))
    code, printed = render(shapes, '--out', out, *SMALL, '--seed', 3)
    assert code == 2 and 'seed 0' in printed and 'another --out' in printed
    assert pictures(out) == before


def test_a_shape_that_cannot_be_read_is_named_or_left_out(shapes, tmp_path, render):
    (shapes / 'red.xyz').unlink()
    (shapes / 'a' / 'bad.off').write_text('OFF\n3 1 0\n0 0 0\n')
    code, printed = render(shapes, '--out', tmp_path / 'out', *SMALL)
    assert code == 2 and 'bad.off' in printed and '--on-bad-sample skip' in printed
    assert not (tmp_path / 'out' / 'a' / 'bad').exists()
    code, printed = render(shapes, '--out', tmp_path / 'out', *SMALL, '--on-bad-sample', 'skip')
    assert code == 0 and 'pictures of 2 shapes' in printed and 'left out' in printed and 'bad.off' in printed
    assert render(tmp_path / 'gone', '--out', tmp_path / 'out')[0] == 2


CONFIG = """data = dict(
    type='PointCloudFolder', data_root={root!r}, suffixes=('off', 'stl'), images_root='not/there/yet',
    pipeline=[dict(type='LoadPoints')])
train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[data]))
"""


def test_a_config_gives_the_same_in_two_processes(shapes, tmp_path, render):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=str(shapes)))
    command = [sys.executable, TOOL, config, '--out', tmp_path / 'two', *SMALL, '--workers', 2]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert render(shapes, '--out', tmp_path / 'one', *SMALL, '--suffixes', 'off', 'stl')[0] == 0
    assert pictures(tmp_path / 'two') == pictures(tmp_path / 'one') and len(pictures(tmp_path / 'one')) == 6
    code, printed = render(config, '--out', tmp_path / 'three', '--dataset-key', 'val_dataloader.dataset')
    assert code == 2 and 'val_dataloader.dataset' in printed
