"""The converter of ScanNet, as a command, on a release in exactly its layout."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from _scannet import OBJECTS, TEST, TRAIN, VAL, converter, room, run, write_release, write_scene

from mmpt.datasets import ScanNet


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    release = tmp_path_factory.mktemp('scannet') / 'raw'
    write_release(release)
    out = release.with_name('npz')
    return release, out, run(release, out)


def test_the_converter_writes_scenes_and_lists_and_says_what_it_put_right(converted):
    release, out, done = converted
    assert done.returncode == 0, done.stderr
    assert sorted(path.stem for path in (out / 'scenes').iterdir()) == sorted(TRAIN + VAL + TEST)
    assert (out / 'scannetv2_val.txt').read_text() == (release / 'scannetv2_val.txt').read_text()
    assert done.stderr.count('scene0011_00: left out an object') == 6
    assert '4 of 4 scenes in' in done.stderr and '4 scenes in' in done.stdout


def test_normals_point_out_of_the_objects(converted):
    vertices, _, faces, owner = room()
    normals = ScanNet(str(converted[1]), variant='det18')[0]['normals']
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    total = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        for corner in face:
            total[corner] += np.cross(b - a, c - a)
    owned = owner >= 0
    expected = total[owned] / np.linalg.norm(total[owned], axis=1, keepdims=True)
    np.testing.assert_allclose(normals[owned], expected, atol=1e-4)
    outward = vertices[owned] - np.array([OBJECTS[number][1] for number in owner[owned]])
    assert ((normals[owned] * outward).sum(axis=1) > 0).all()
    np.testing.assert_array_equal(normals[~owned], [[0, 0, 1]] * 2)


def test_the_command_goes_on_where_it_was_stopped_and_names_bad_scenes(converted, tmp_path):
    release, out = tmp_path / 'raw', tmp_path / 'out'
    shutil.copytree(converted[0], release)
    shutil.copytree(converted[1], out)
    kept = (out / 'scenes' / 'scene0000_00.npz').stat().st_mtime_ns
    (out / 'scenes' / 'scene0000_01.npz').unlink()
    (out / 'scenes' / '.scene0000_01.npz.writing').write_bytes(b'half of it')
    breaks = {
        'scene0001_00': (lambda f: f['.aggregation.json'].unlink(), r'0001_00\.aggregation\.json does not exist'),
        'scene0002_00': (shorten, r'segs\.json has 49 segment numbers, expected one for each of the 50 vertices'),
        'scene0003_00': (
            lambda f: f['.ply'].write_bytes(f['.ply'].read_bytes()[:900]),
            r'scene0003_00_vh_clean_2\.ply',
        ),
        'scene0004_00': (lambda f: edit(f['.aggregation.json'], 'pillow', 'spaceship'), "aggregation.*'spaceship'"),
        'scene0005_00': (lambda f: edit(f['.aggregation.json'], '401', '402'), 'aggregation.*no vertex has'),
        'scene0006_00': (lambda f: edit(f['.txt'], 'axisAlignment = ', 'axisAlignment = 1 '), r'_00\.txt.*16 numbers'),
        'scene0007_00': (lambda f: edit(f['.aggregation.json'], 'segGroups', 'groups'), "no list 'segGroups'"),
        'scene0008_00': (lambda f: f['.segs.json'].write_text('{"segIndices": [1, 2'), r'segs\.json'),
        'scene0009_00': (lambda f: shutil.rmtree(f['.ply'].parent), 'scene0009_00 is not a folder'),
    }
    for name, (break_it, _) in breaks.items():
        folder = release / 'scans' / name
        write_scene(folder, 0)
        endings = {'.ply': '_vh_clean_2.ply', '.segs.json': '_vh_clean_2.0.010000.segs.json'}
        break_it(
            {
                key: folder / f'{name}{endings.get(key, key)}'
                for key in ('.ply', '.txt', '.segs.json', '.aggregation.json')
            }
        )
    write_scene(release / 'scans' / 'scene0010_00', 0)
    edit(release / 'scans/scene0010_00/scene0010_00.txt', 'axisAlignment', 'somethingElse')
    (release / 'scannetv2_train.txt').write_text('\n'.join([*TRAIN, *breaks, 'scene0010_00']) + '\n')
    done = run(release, out, '--splits', 'train')
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    for name, (_, reason) in breaks.items():
        assert re.search(rf'{name} failed: .*{reason}', done.stderr), (name, done.stderr)
    assert '12 scenes in the lists, 1 of them done before' in done.stderr
    assert '9 of 11 scenes could not be converted (' in done.stderr
    assert re.search(r'scene0010_00: scene0010_00\.txt has no axisAlignment', done.stderr)
    assert (out / 'scenes' / 'scene0000_00.npz').stat().st_mtime_ns == kept
    written = sorted(path.name for path in (out / 'scenes').iterdir())
    assert written == [f'{name}.npz' for name in (*TRAIN, 'scene0010_00', *VAL, *TEST)]
    again, first = (folder / 'scenes' / 'scene0000_01.npz' for folder in (out, converted[1]))
    for key, array in np.load(first).items():
        np.testing.assert_array_equal(np.load(again)[key], array)
    # Without the line, the boxes stand in the frame of the mesh.
    info = ScanNet(str(out), variant='det18', indices=[11]).load_info(11)
    assert info['sample_id'] == 'scene0010_00'
    np.testing.assert_array_equal(info['points'], ScanNet(str(out)).load_info(11)['points'])


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def shorten(files):
    content = json.loads(files['.segs.json'].read_text())
    files['.segs.json'].write_text(json.dumps({**content, 'segIndices': content['segIndices'][:-1]}))


@pytest.mark.parametrize(
    ('file', 'content', 'reason'),
    [
        ('scannetv2_val.txt', 'scene0011_00\n../scans/scene0000_00\n', 'val.txt, line 2.*refused'),
        ('scannetv2_test.txt', '', 'test.txt is empty'),
        ('scannetv2-labels.combined.tsv', 'raw_category,nyu40id\nchair,5\n', 'separated by tabs'),
        ('scannetv2-labels.combined.tsv', 'raw_category\tnyu40id\nchair\t41\n', '0 to 40'),
        ('scannetv2-labels.combined.tsv', None, 'table of labels'),
    ],
)
def test_lists_and_tables_that_cannot_be_used_are_named_before_anything_is_written(tmp_path, file, content, reason):
    write_release(tmp_path / 'raw')
    path = tmp_path / 'raw' / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=reason) as error:
        converter().find_scenes(tmp_path / 'raw', tmp_path / 'raw', tmp_path / 'out', ['train', 'val', 'test'])
    assert str(path) in str(error.value) and '\n' not in str(error.value)
    assert not (tmp_path / 'out').exists()
