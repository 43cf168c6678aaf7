"""Clouds by suffix: columns, colours, far coordinates, .npz and .las; and any file, damaged at random."""

import json
import pickle
import sys

import cv2
import h5py
import numpy as np
import pytest
import trimesh
from _reading import refuse

from mmpt.datasets.reading import (
    CLOUD_SUFFIXES,
    read_cloud,
    read_h5,
    read_image,
    read_json,
    read_npy,
    read_npz,
    read_pickle,
    read_table,
)
from mmpt.utils.errors import explain

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(60, 3)).astype(np.float32)
NORMALS = RNG.normal(size=(60, 3)).astype(np.float32)
COLORS = RNG.integers(0, 256, (60, 3), np.uint8)
COLORS[0] = 255


def save(path, array):
    if path.suffix == '.npy':
        np.save(path, array)
    else:
        np.savetxt(path, array, fmt='%.9g', delimiter=',' if path.suffix == '.xyz' else ' ')
    return path


@pytest.mark.parametrize('suffix', ['.npy', '.txt', '.xyz'])
def test_three_columns_are_x_y_z(tmp_path, suffix):
    read = read_cloud(save(tmp_path / f'a{suffix}', CLOUD))
    np.testing.assert_array_equal(read.points, CLOUD)
    assert read.points.dtype == np.float32 and read.points.flags.writeable and read.points.flags.c_contiguous
    assert read[1:] == (None, None, None, {}, None)


@pytest.mark.parametrize('suffix', ['.npy', '.txt', '.xyz'])
def test_columns_by_name(tmp_path, suffix):
    labels = np.arange(60)[:, None]
    table = np.concatenate([labels, COLORS, CLOUD[:, ::-1], NORMALS, labels * 2], axis=1)
    path = save(tmp_path / f'a{suffix}', table)
    read = read_cloud(path, ('label', 'r', 'g', 'b', 'z', 'y', 'x', 'nx', 'ny', 'nz', '_'))
    np.testing.assert_array_equal(read.points, CLOUD)
    np.testing.assert_array_equal(read.normals, NORMALS)
    np.testing.assert_array_equal(read.colors, COLORS)
    assert read.normals.dtype == np.float32 and read.colors.dtype == np.uint8 and list(read.extra) == ['label']
    np.testing.assert_array_equal(read.extra['label'], np.arange(60))


def test_columns_that_are_not_told_or_wrong(tmp_path):
    for suffix in ('.npy', '.txt', '.xyz'):
        path = save(tmp_path / f'a{suffix}', np.concatenate([CLOUD, NORMALS], axis=1))
        refuse(read_cloud, path, '6 columns', "columns=('x', 'y', 'z', 'nx', 'ny', 'nz')")
        refuse(lambda path: read_cloud(path, ('x', 'y', 'z', 'label')), path, 'x, y, z, label', 'got 6')
        refuse(read_cloud, save(path, CLOUD[:, :2]), '(60, 2)')
    with pytest.raises(ValueError, match='no name twice'):
        read_cloud(save(tmp_path / 'a.npy', CLOUD), ('x', 'x', 'z'))
    with pytest.raises(ValueError, match='expected x, y and z'):
        read_cloud(tmp_path / 'a.npy', ('x', 'y', 'label'))
    refuse(read_cloud, save(tmp_path / 'b.npy', CLOUD[None]), '(1, 60, 3)')


def test_formats_that_name_their_columns_need_no_names(tmp_path):
    trimesh.PointCloud(CLOUD).export(tmp_path / 'a.ply')
    read = read_cloud(tmp_path / 'a.ply', ('x', 'y', 'z', 'r', 'g', 'b'))
    np.testing.assert_array_equal(read.points, CLOUD)


@pytest.mark.parametrize('array', [CLOUD[:0], np.zeros((0, 3))])
def test_an_empty_cloud(tmp_path, array):
    np.save(tmp_path / 'a.npy', array)
    refuse(read_cloud, tmp_path / 'a.npy', 'an empty cloud', 'remove it from the list')


def test_what_is_not_finite(tmp_path):
    for value in (np.nan, np.inf, -np.inf, 1e300):
        cloud = CLOUD.astype(np.float64)
        cloud[7, 2] = value
        np.save(tmp_path / 'a.npy', cloud)
        refuse(read_cloud, tmp_path / 'a.npy', 'finite points' if abs(value) != 1e300 else '32 bits')
        refuse(read_cloud, save(tmp_path / 'a.txt', cloud))


def test_npz(tmp_path):
    path, faces = tmp_path / 'a.npz', np.array([[0, 1, 2], [3, 4, 59]], np.uint16)
    arrays = {'normals': NORMALS, 'colors': COLORS / 255, 'faces': faces, 'label': np.arange(60), 'uv': CLOUD[:, :2]}
    np.savez(path, points=CLOUD.astype(np.float64), category=3, names=np.array(['a', 'b']), **arrays)
    read = read_cloud(path)
    np.testing.assert_array_equal(read.points, CLOUD)
    np.testing.assert_array_equal(read.normals, NORMALS)
    np.testing.assert_array_equal(read.colors, COLORS)
    assert read.faces.tolist() == faces.tolist() and read.faces.dtype == np.int64
    assert set(read.extra) == {'label', 'uv'} and read.extra['uv'].shape == (60, 2)
    for name, array, part in [
        ('normals', NORMALS[:59], 'normals (60, 3)'),
        ('normals', np.full((60, 3), np.nan), 'finite normals'),
        ('colors', COLORS[:, :2], 'colors (60, 3)'),
        ('colors', COLORS - 300.0, 'colours from 0 to 1'),
        ('faces', faces + 1, 'vertex 60'),
        ('faces', faces.astype(float), 'faces (F, 3) of integers'),
        ('faces', faces[:, :2], 'faces (F, 3)'),
        ('points', CLOUD[:, 0], 'points (N, 3)'),
        ('points', np.full((60, 3), 'a'), 'points (N, 3)'),
    ]:
        np.savez(path, **{'points': CLOUD, name: array})
        refuse(read_cloud, path, part)
    np.savez(path, xyz=CLOUD)
    refuse(read_cloud, path, "'points'", 'got xyz')


@pytest.mark.parametrize('suffix', ['.npy', '.txt'])
def test_map_coordinates_keep_their_digits(tmp_path, suffix):
    """Float32 has steps of half a metre at 5.4 million metres."""
    cloud = CLOUD.astype(np.float64) + [691_000, 5_335_000, 500]
    path = tmp_path / f'a{suffix}'
    np.save(path, cloud) if suffix == '.npy' else np.savetxt(path, cloud, fmt='%.6f')
    read = read_cloud(path)
    assert read.points.dtype == np.float32 and (read.origin == np.floor(cloud.min(axis=0))).all()
    np.testing.assert_allclose(read.points + read.origin, cloud, atol=1e-5)
    # What a scanner or a unit sphere holds stays where it is.
    for scale in (1, 100, 9000):
        np.save(tmp_path / 'b.npy', CLOUD.astype(np.float64) * scale)
        read = read_cloud(tmp_path / 'b.npy')
        assert read.origin is None
        np.testing.assert_array_equal(read.points, (CLOUD.astype(np.float64) * scale).astype(np.float32))


def test_las_without_laspy_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / 'a.las').write_bytes(b'LASF' + bytes(400))
    monkeypatch.setitem(sys.modules, 'laspy', None)
    refuse(read_cloud, tmp_path / 'a.las', '`pip install laspy`', kind=ImportError)
    (tmp_path / 'a.las').write_bytes(b'<html>')
    refuse(read_cloud, tmp_path / 'a.las', 'a web page')


def test_las(tmp_path):
    laspy = pytest.importorskip('laspy', reason='laspy is optional')
    cloud = CLOUD.astype(np.float64) + [691_000, 5_335_000, 500]
    header = laspy.LasHeader(point_format=3, version='1.2')
    header.offsets, header.scales = cloud.min(axis=0), [1e-4] * 3
    las = laspy.LasData(header)
    las.x, las.y, las.z = cloud.T
    las.intensity, las.classification = np.arange(60), np.arange(60) % 5
    las.red, las.green, las.blue = COLORS.T.astype(np.uint16) * 257
    las.write(tmp_path / 'a.las')
    read = read_cloud(tmp_path / 'a.las')
    np.testing.assert_allclose(read.points + read.origin, cloud, atol=2e-4)
    np.testing.assert_array_equal(read.colors, COLORS)
    np.testing.assert_array_equal(read.extra['intensity'], np.arange(60))
    np.testing.assert_array_equal(read.extra['classification'], np.arange(60) % 5)
    content = (tmp_path / 'a.las').read_bytes()
    for keep in (-10, 300, 100):
        (tmp_path / 'a.las').write_bytes(content[:keep])
        refuse(read_cloud, tmp_path / 'a.las', 'damaged or cut off')
    (tmp_path / 'a.las').write_bytes(content[:107] + b'\xff\xff\xff\xff' + content[111:])
    refuse(read_cloud, tmp_path / 'a.las', 'damaged or cut off')


def test_every_suffix_refuses_what_only_stands_for_a_file(tmp_path):
    pointer = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'
    page = b'\n<!DOCTYPE html>\n<html><head><title>Sign in</title>'
    assert set(CLOUD_SUFFIXES) == {
        '.npy',
        '.npz',
        '.ply',
        '.obj',
        '.off',
        '.stl',
        '.glb',
        '.pcd',
        '.xyz',
        '.txt',
        '.las',
    }
    for suffix in CLOUD_SUFFIXES:
        path = tmp_path / f'cloud{suffix}'
        refuse(read_cloud, path, 'does not exist', kind=FileNotFoundError)
        for content, part in ((pointer, '`git lfs pull`'), (page, 'a web page'), (b'', 'an empty file')):
            path.write_bytes(content)
            refuse(read_cloud, path, part)
        path.write_bytes(b'\x89PNG\r\n\x1a\n' + bytes(64))
        refuse(read_cloud, path)
        path.unlink()
        path.mkdir()
        refuse(read_cloud, path, 'a folder')


def write_all(folder):
    """One sound file of every format, and what reads it."""
    np.save(folder / 'a.npy', CLOUD)
    np.savez_compressed(folder / 'a.npz', points=CLOUD, colors=COLORS)
    np.savetxt(folder / 'a.txt', CLOUD)
    (folder / 'a.json').write_text(json.dumps([{'a': [1, 2.5, None]}] * 3))
    for protocol in (0, 2, 4, 5):
        data = {'train': [(CLOUD, np.float32(3), 'abc')], 'set': {1}, 'f': np.asfortranarray(CLOUD)}
        (folder / f'{protocol}.pkl').write_bytes(pickle.dumps(data, protocol))
    with h5py.File(folder / 'a.h5', 'w') as file:
        file.create_dataset('data', data=CLOUD[None], compression='gzip')
    mesh = trimesh.creation.icosphere(subdivisions=1)
    mesh.visual.vertex_colors = RNG.integers(0, 256, (len(mesh.vertices), 4))
    for suffix in ('ply', 'obj', 'off', 'stl', 'glb'):
        mesh.export(folder / f'a.{suffix}')
    mesh.export(folder / 'text.ply', encoding='ascii')
    header = 'FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 60\nHEIGHT 1\nPOINTS 60\nDATA '
    (folder / 'a.pcd').write_bytes(f'{header}binary\n'.encode() + CLOUD.tobytes())
    (folder / 'text.pcd').write_text(f'{header}ascii\n' + '\n'.join(' '.join(map(str, row)) for row in CLOUD))
    for suffix in ('png', 'jpg'):
        cv2.imwrite(str(folder / f'a.{suffix}'), RNG.integers(0, 256, (20, 30, 3), np.uint8))
    readers = {'.npy': read_npy, '.npz': read_npz, '.txt': read_table, '.json': read_json, '.pkl': read_pickle}
    readers |= {'.h5': lambda path: read_h5(path, {'data': (None, None, 3)}), '.png': read_image, '.jpg': read_image}
    return [(path, readers.get(path.suffix, read_cloud)) for path in sorted(folder.iterdir())]


def damage(content, rng):
    """Cut, change bytes, replace a stretch, or put another number for a digit."""
    data = bytearray(content)
    kind = rng.integers(4)
    digits = [at for at, byte in enumerate(data[:600]) if chr(byte).isdigit()]
    if kind == 0:
        return bytes(data[: rng.integers(1, len(data))])
    if kind == 1 or not digits:
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(min(len(data), 400) if rng.random() < 0.6 else len(data))] = rng.integers(256)
    elif kind == 2:
        at = rng.integers(len(data))
        data[at : at + rng.integers(1, 9)] = rng.integers(0, 256, rng.integers(0, 9), np.uint8).tobytes()
    else:
        at = digits[rng.integers(len(digits))]
        data[at : at + 1] = [b'999999999', b'-1', b'0', b'1e5', b'nan', b'x', b''][rng.integers(7)]
    return bytes(data)


def test_no_damage_ends_in_a_traceback(tmp_path):
    """Thirty ways to damage each file: it is read, or refused in one sentence with its name."""
    rng, refused = np.random.default_rng(7), 0
    for path, read in write_all(tmp_path):
        content = path.read_bytes()
        read(path)
        for _ in range(30):
            path.write_bytes(damage(content, rng))
            try:
                read(path)
            except ValueError as error:
                refused += 1
                text = str(error)
                assert path.name in text and text.endswith('.') and text == explain(error), text
    assert refused > 300
