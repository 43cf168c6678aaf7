"""tools/dataset_converters/example_meshes.py: closed, upright meshes, the same for the same seed."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmpt.datasets.reading import read_cloud

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters' / 'example_meshes.py'


def write(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', ['example_meshes.py', *map(str, args)])
    runpy.run_path(str(TOOL))['main']()


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob('*.*'))}


def test_it_writes_classes_in_five_formats_and_overwrites_nothing(tmp_path, monkeypatch):
    out = tmp_path / 'shapes'
    write(monkeypatch, out, '--train', 5, '--test', 1)
    written = files(out)
    assert len(written) == 36
    assert {name.split('.')[1] for name in written if name.startswith('train/mug')} == {
        *('ply', 'obj', 'off', 'stl', 'glb')
    }
    with pytest.raises(SystemExit, match='is there already'):
        write(monkeypatch, out)
    write(monkeypatch, tmp_path / 'again', '--train', 5, '--test', 1)
    assert files(tmp_path / 'again') == written
    write(monkeypatch, tmp_path / 'other', '--train', 5, '--test', 1, '--seed', 1)
    assert all(files(tmp_path / 'other')[name] != content for name, content in written.items())


def test_what_stands_stands_along_y():
    make = runpy.run_path(str(TOOL))['make']
    for label in (0, 2, 3, 5):  # bottle, lamp, mug, table
        for seed in range(5):
            mesh = make(label, np.random.default_rng(seed))
            assert abs(mesh.bounds[0][1]) < 1e-6 < mesh.bounds[1][1]  # on the ground
            assert abs(mesh.bounds[:, 2].mean()) < 0.02  # the handle of a mug is at +x
            assert mesh.is_watertight and mesh.volume > 0


def test_the_formats_hold_the_same_kind_of_mesh(tmp_path, monkeypatch):
    write(monkeypatch, tmp_path / 'shapes', '--train', 5, '--test', 0)
    for path in (tmp_path / 'shapes' / 'train' / 'bottle').iterdir():
        mesh = read_cloud(path)
        assert mesh.faces is not None and mesh.points[:, 1].min() == pytest.approx(0, abs=1e-6)
