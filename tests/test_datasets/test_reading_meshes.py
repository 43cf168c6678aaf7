"""OBJ, OFF and STL: as trimesh and people write them, and damaged."""

import os
import shutil
import struct

import cv2
import numpy as np
import pytest
import trimesh
from _reading import cut, refuse
from trimesh.exchange.stl import export_stl_ascii

from mmpt.datasets.reading import read_cloud

BOX = trimesh.creation.box()


def triangles(cloud):
    """The corners of all faces, wherever they are in the list of vertices."""
    return cloud.points[cloud.faces]


@pytest.mark.parametrize('suffix', ['obj', 'off', 'stl', 'ply', 'glb'])
def test_what_trimesh_writes(tmp_path, suffix):
    mesh = trimesh.creation.icosphere(subdivisions=3)
    mesh.export(tmp_path / f'a.{suffix}')
    read = read_cloud(tmp_path / f'a.{suffix}')
    np.testing.assert_allclose(triangles(read), mesh.triangles, atol=1e-6)
    assert read.points.dtype == np.float32 and read.faces.dtype == np.int64 and read.colors is None
    assert read.points.flags.writeable and read.faces.flags.writeable


def obj(path, text):
    path.write_text(text)
    return read_cloud(path)


VERTICES = 'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\n'


@pytest.mark.parametrize(
    'faces, wanted',
    [
        ('f 1 2 3\nf 3 4 1', [[0, 1, 2], [2, 3, 0]]),
        ('f 1 2 3 4', [[0, 1, 2], [0, 2, 3]]),
        ('f 1 2 3 4\nf 1 2 5', [[0, 1, 2], [0, 2, 3], [0, 1, 4]]),
        ('f 1 2 3 4 5\nl 1 2\np 3\n', [[0, 1, 2], [0, 2, 3], [0, 3, 4]]),
        ('f -5 -4 -3', [[0, 1, 2]]),
        ('f 1 2 -1', [[0, 1, 4]]),
        ('f 1/7 2/8 3/9\nf 3/1 4/1 5/1', [[0, 1, 2], [2, 3, 4]]),
        ('f 1//7 2//8 3//9', [[0, 1, 2]]),
        ('f 1/1/1 2/2/2 3/3/3', [[0, 1, 2]]),
        ('f 1/1 2/2 3/3\nf 1//1 2//2 4//3\nf 3 4 5', [[0, 1, 2], [0, 1, 3], [2, 3, 4]]),
        ('f 1/ 2/ 3/', [[0, 1, 2]]),
        ('f\t1  2   3 # comment', [[0, 1, 2]]),
        ('f 1 2 \\\n3 4', [[0, 1, 2], [0, 2, 3]]),
        ('g a b\no c\ns off\nf 1 2 3\nf 1 2', [[0, 1, 2]]),
    ],
)
def test_faces_of_obj_in_all_ways_to_write_them(tmp_path, faces, wanted):
    assert obj(tmp_path / 'a.obj', VERTICES + faces + '\n').faces.tolist() == wanted


def test_indices_that_count_back_from_their_own_place(tmp_path):
    two = VERTICES.replace('\n', '\n', 1) + 'f -3 -2 -1\n' + 'v 5 5 5\nv 6 5 5\nv 5 6 5\n' + 'f -3 -2 -1\n'
    assert obj(tmp_path / 'a.obj', two).faces.tolist() == [[2, 3, 4], [5, 6, 7]]


def test_colours_and_normals_of_vertices_in_obj(tmp_path):
    mesh = BOX.copy()
    mesh.visual.vertex_colors = np.random.default_rng(0).integers(0, 256, (8, 4))
    mesh.export(tmp_path / 'a.obj', include_normals=True)
    read = read_cloud(tmp_path / 'a.obj')
    np.testing.assert_array_equal(read.colors, mesh.visual.vertex_colors[:, :3])
    np.testing.assert_allclose(read.normals, mesh.vertex_normals, atol=1e-6)
    # Normals of corners are none of vertices.
    read = obj(tmp_path / 'b.obj', VERTICES + 'vn 0 0 1\n' * 5 + 'f 1//2 2//2 3//2\n')
    assert read.normals is None


def test_a_mesh_without_faces_is_a_cloud(tmp_path):
    read = obj(tmp_path / 'a.obj', VERTICES + 'vn 0 0 1\n' * 5)
    assert read.faces is None and len(read.points) == 5 and read.normals.tolist() == [[0, 0, 1]] * 5
    assert obj(tmp_path / 'b.obj', VERTICES + 'f 1 2\nl 1 2\n').faces is None
    (tmp_path / 'c.off').write_text('OFF\n2 0 0\n0 0 0\n1 1 1\n')
    assert read_cloud(tmp_path / 'c.off').faces is None


TEXTURE = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)  # upper and lower row, RGB
MTL = 'newmtl red paint\nKd 1 0.5 0\nnewmtl picture\nKd 0 0 0\nmap_Kd -s 1 1 1 textures/t.png\n'
PAINTED = (
    'mtllib a.mtl\n'
    + VERTICES
    + 'vt 0 0\nvt 1 0\nvt 0 1\nusemtl red paint\nf 1 2 3\nusemtl picture\nf 3/1 4/2 5/3\nusemtl unknown\nf 1 2 5\n'
)


@pytest.fixture
def painted(tmp_path):
    folder = tmp_path / 'model'
    (folder / 'textures').mkdir(parents=True)
    cv2.imwrite(str(folder / 'textures' / 't.png'), TEXTURE[:, :, ::-1])
    (folder / 'a.mtl').write_text(MTL)
    (folder / 'a.obj').write_text(PAINTED)
    return folder


def test_materials_and_textures_colour_the_corners(painted):
    read = read_cloud(painted / 'a.obj')
    assert read.points[read.faces[0]].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert read.colors[read.faces[0]].tolist() == [[255, 128, 0]] * 3
    # (0, 0) is the lower left pixel, (1, 0) the lower right, (0, 1) the upper left one.
    assert read.points[read.faces[1]].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert read.colors[read.faces[1]].tolist() == [[0, 0, 255], [9, 9, 9], [255, 0, 0]]
    assert read.colors[read.faces[2]].tolist() == [[255] * 3] * 3
    # Two of the five vertices have two colours, one has three.
    assert len(read.points) == 9


@pytest.mark.parametrize('missing', ['a.mtl', 'textures', 'all'])
def test_geometry_comes_without_its_materials(painted, missing):
    for name in ('a.mtl', 'textures') if missing == 'all' else (missing,):
        shutil.rmtree(painted / name) if (painted / name).is_dir() else (painted / name).unlink()
    read = read_cloud(painted / 'a.obj')
    assert triangles(read)[1].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    if missing == 'textures':
        assert read.colors[read.faces[1]].tolist() == [[0] * 3] * 3
    else:
        assert read.colors is None and len(read.points) == 5


def test_nothing_outside_of_the_folder_is_opened(painted, monkeypatch):
    outside = painted.parent / 'outside'
    shutil.move(painted / 'textures', outside)
    shutil.copy(painted / 'a.mtl', outside)
    opened = []
    real = open

    def watch(path, *args, **kwargs):
        opened.append(str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr('builtins.open', watch)
    names = [
        '../outside/t.png',
        f'{outside}/t.png',
        'file:///etc/passwd',
        'http://127.0.0.1/t.png',
        '..\\outside\\t.png',
    ]
    for name in names:
        (painted / 'a.mtl').write_text(MTL.replace('-s 1 1 1 textures/t.png', name))
        read = read_cloud(painted / 'a.obj')
        assert read.colors[read.faces[1]].tolist() == [[0] * 3] * 3
    for name in ('../outside/a.mtl', f'{outside}/a.mtl'):
        (painted / 'a.obj').write_text(PAINTED.replace('a.mtl', name))
        assert read_cloud(painted / 'a.obj').colors is None
    inside = {str(painted / 'a.obj'), str(painted / 'a.mtl')}
    assert {name for name in opened if 'outside' in name or 'passwd' in name} <= inside


@pytest.mark.parametrize(
    'content', [b'', b'\x00\xff' * 50, b'newmtl\nKd\nKd x y z\nmap_Kd\nKd 1 2 3\n', b'newmtl a\nKd nan 1 1\n']
)
def test_damaged_materials_do_no_harm(painted, content):
    (painted / 'a.mtl').write_bytes(content)
    assert read_cloud(painted / 'a.obj').colors is None
    (painted / 'a.mtl').write_text(MTL)
    (painted / 'textures' / 't.png').write_bytes(content)
    read = read_cloud(painted / 'a.obj')
    assert read.colors[read.faces[1]].tolist() == [[0] * 3] * 3


@pytest.mark.parametrize(
    'text, parts',
    [
        (VERTICES + 'v 1 2\nf 1 2 3\n', ['line 6', '2 where there should be 3']),
        (VERTICES + 'v 1 2 x\n', ['line 6', "the word 'x'"]),
        ('v 1 2\n', ['line 1', "behind 'v'"]),
        (VERTICES + 'v 1 nan 2\nf 1 2 3\n', ['finite points', '1 of 6']),
        (VERTICES + 'v 1 inf 2\nf 1 2 3\n', ['finite points']),
        (VERTICES + 'f 1 2 3\nf 1 2 6\n', ['vertices 0 to 4', 'vertex 5']),
        (VERTICES + 'f 1 2 -6\n', ['vertex -1']),
        (VERTICES + 'f 1 2 3\nf 1 2 0\n', ['line 7', "'1 2 0'"]),
        (VERTICES + 'f 1 2 3\nf 1 2 x\n', ['line 7', "'1 2 x'"]),
        (VERTICES + 'f 1/1 /2 3/3\n', ['line 6']),
        (VERTICES + f'f 1 2 {10**30}\n', ['line 6']),
        ('# nothing\n', ['no vertex']),
        ('<!doctype html>', ['a web page']),
        ('version https://git-lfs.github.com/spec/v1\n', ['git lfs pull']),
        ('ply\nformat ascii 1.0\n', ['a .ply file']),
    ],
)
def test_wrong_obj(tmp_path, text, parts):
    (tmp_path / 'a.obj').write_text(text)
    refuse(read_cloud, tmp_path / 'a.obj', *parts)


OFF = '{}# five vertices\n\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n0 0 1\n3 0 1 2\n4 0 1 2 3\n'


@pytest.mark.parametrize('header', ['OFF\n5 2 0\n', 'OFF5 2 0\n', 'OFF 5 2\n', '# a comment\nOFF\n# another\n5 2 9\n'])
def test_headers_of_off(tmp_path, header):
    """ModelNet has files whose counts stand behind the word."""
    (tmp_path / 'a.off').write_text(OFF.format(header))
    read = read_cloud(tmp_path / 'a.off')
    assert read.points.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert read.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]


def test_colours_and_normals_in_off(tmp_path):
    rows = '0 0 0 0 0 1 255 0 9 255\n1 0 0 0 0 1 10 20 30 255\n0 1 0 0 1 0 1 2 3 255\n3 0 1 2 0.1 0.2 0.3\n'
    (tmp_path / 'a.off').write_text('CNOFF\n3 1 0\n' + rows)
    read = read_cloud(tmp_path / 'a.off')
    assert read.normals.tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]] and read.faces.tolist() == [[0, 1, 2]]
    assert read.colors.tolist() == [[255, 0, 9], [10, 20, 30], [1, 2, 3]]


@pytest.mark.parametrize(
    'old, new, parts',
    [
        ('OFF', 'OBJ', ["text that begins with 'OBJ'"]),
        ('5 2 0', '5 x 0', ['an .off file']),
        ('5 2 0', '6 2 0', ['7 lines for 6 vertices and 2 faces', 'cut off']),
        ('5 2 0', f'5 {10**15} 0', ['faces', 'cut off']),
        ('5 2 0', '4 2 0', ['line 9', '0 0 1']),
        ('1 1 0', '1 1', ['line 7', '2 where there should be 3']),
        ('1 1 0', '1 1 a', ['line 7', "the word 'a'"]),
        ('1 1 0', 'nan 1 0', ['finite points']),
        ('3 0 1 2', '3 0 1', ['line 10', "'3 0 1'"]),
        ('3 0 1 2', '3 0 1 x', ['line 10', "'3 0 1 x'"]),
        ('3 0 1 2', '-1 0 1 2', ['line 10']),
        ('3 0 1 2', '3 0 1 5', ['vertex 5']),
        ('OFF', 'COFF', ['3 numbers a vertex']),
        ('5 2 0', '0 0 0', ['an empty cloud']),
    ],
)
def test_wrong_off(tmp_path, old, new, parts):
    text = OFF.format('OFF\n5 2 0\n')
    assert text.count(old) == 1
    (tmp_path / 'a.off').write_text(text.replace(old, new))
    refuse(read_cloud, tmp_path / 'a.off', *parts)


def test_stl_in_text_of_several_solids(tmp_path):
    other = BOX.copy().apply_translation([5, 0, 0])
    text = export_stl_ascii(BOX) + export_stl_ascii(other).upper()
    (tmp_path / 'a.stl').write_text(text)
    read = read_cloud(tmp_path / 'a.stl')
    np.testing.assert_allclose(triangles(read), np.concatenate([BOX.triangles, other.triangles]), atol=1e-6)


def test_a_binary_stl_that_begins_like_text(tmp_path):
    BOX.export(tmp_path / 'a.stl')
    content = (tmp_path / 'a.stl').read_bytes()
    (tmp_path / 'a.stl').write_bytes(b'solid facet'.ljust(80) + content[80:])
    np.testing.assert_allclose(triangles(read_cloud(tmp_path / 'a.stl')), BOX.triangles, atol=1e-6)


def test_wrong_stl(tmp_path):
    path = tmp_path / 'a.stl'
    BOX.export(path)
    content = path.read_bytes()
    refuse(read_cloud, cut(path, -1), '599 bytes', '12 triangles', 'cut off')
    refuse(read_cloud, cut(path, 60), 'an .stl file')
    for count in (11, 13, 0, 2**32 - 1):
        path.write_bytes(content[:80] + struct.pack('<I', count) + content[84:])
        refuse(read_cloud, path, f'claims {count:,} triangles')
    path.write_bytes(content[:80] + bytes(4))
    refuse(read_cloud, path, 'an empty cloud')
    path.write_bytes(content[:96] + struct.pack('<f', np.nan) + content[100:])
    refuse(read_cloud, path, 'finite points')
    text = export_stl_ascii(BOX)
    path.write_text(text[: len(text) // 2])
    refuse(read_cloud, path, 'without "endsolid"')
    path.write_text(text.replace('vertex', 'vertex 1', 1))
    refuse(read_cloud, path, 'line 4', '4 where there should be 3')
    path.write_text(text.replace('vertex', 'edge', 1))
    refuse(read_cloud, path, '35 vertices')


def test_truncated_text(tmp_path):
    for suffix in ('obj', 'off'):
        path = tmp_path / f'a.{suffix}'
        BOX.export(path)
        size = path.stat().st_size
        for keep in (size // 3, size // 5):
            BOX.export(path)
            text = cut(path, keep).read_text()
            # A line of an .obj file that is whole may be the last one, so break one.
            path.write_text(text.rsplit(' ', 1)[0])
            refuse(read_cloud, path)


def test_a_suffix_in_capitals_and_one_that_is_unknown(tmp_path):
    BOX.export(tmp_path / 'a.off')
    os.rename(tmp_path / 'a.off', tmp_path / 'A.OFF')
    assert len(read_cloud(tmp_path / 'A.OFF').faces) == 12
    refuse(read_cloud, tmp_path / 'a.blend', "the suffix '.blend'", '.npy .npz .ply .obj .off .stl .glb .pcd')
    refuse(read_cloud, tmp_path / 'b.off', 'does not exist', kind=FileNotFoundError)
