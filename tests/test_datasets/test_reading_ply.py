"""PLY in text and both byte orders, as several writers write it."""

import struct
import time

import numpy as np
import pytest
import trimesh
from _reading import cut, refuse

from mmpt.datasets.reading import read_cloud

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(30, 3))
TYPES = {'f4': 'float', 'f8': 'double', 'u1': 'uchar', 'i2': 'short', 'u2': 'ushort', 'i4': 'int', 'i1': 'int8'}
FORMATS = {'ascii': '<', 'binary_little_endian': '<', 'binary_big_endian': '>'}


def write(path, kind, columns, faces=(), more=b'', after=b''):
    """A file of columns {name: (type, numbers)} and of faces, by struct alone."""
    count = len(next(iter(columns.values()))[1])
    header = [f'format {kind} 1.0', 'comment by hand', 'obj_info nothing', f'element vertex {count}']
    header += [f'property {TYPES[code]} {name}' for name, (code, _) in columns.items()]
    if faces is not None:
        header += [f'element face {len(faces)}', 'property list uchar int vertex_indices']
    body = b''
    order = FORMATS[kind]
    for row in zip(*(numbers for _, numbers in columns.values())):
        if kind == 'ascii':
            body += ' '.join(repr(value.item()) for value in row).encode() + b'\n'
        else:
            for (code, _), value in zip(columns.values(), row):
                body += np.array(value, order + code).tobytes()
    for face in faces or ():
        if kind == 'ascii':
            body += ' '.join(map(str, (len(face), *face))).encode() + b'\n'
        else:
            body += struct.pack(f'{order}B{len(face)}i', len(face), *face)
    text = '\n'.join(['ply', *header, 'end_header', ''])
    path.write_bytes(text.encode() + more + body + after)
    return path


def columns(code='f4', cloud=CLOUD):
    return {name: (code, cloud[:, axis].astype(code)) for axis, name in enumerate('xyz')}


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('code', ['f4', 'f8', 'i2'])
def test_coordinates_of_any_type(tmp_path, kind, code):
    cloud = (CLOUD * 100).round() if code == 'i2' else CLOUD
    read = read_cloud(write(tmp_path / 'a.ply', kind, columns(code, cloud)))
    np.testing.assert_array_equal(read.points, cloud.astype(code).astype(np.float32))
    assert read.points.dtype == np.float32 and read.points.flags.c_contiguous and read.points.flags.writeable
    assert read.faces is None and read.normals is None and read.colors is None and read.extra == {}


@pytest.mark.parametrize('kind', FORMATS)
def test_all_properties_in_any_order(tmp_path, kind):
    colors, normals = RNG.integers(0, 256, (30, 4)), RNG.normal(size=(30, 3)).astype(np.float32)
    labels, quality = RNG.integers(-9, 9, 30), RNG.random(30).astype(np.float32)
    layout = {
        'label': ('i4', labels),
        'ny': ('f4', normals[:, 1]),
        'blue': ('u1', colors[:, 2]),
        **columns(),
        'alpha': ('u1', colors[:, 3]),
        'quality': ('f4', quality),
        'nx': ('f4', normals[:, 0]),
        'green': ('u1', colors[:, 1]),
        'red': ('u1', colors[:, 0]),
        'nz': ('f4', normals[:, 2]),
    }
    read = read_cloud(write(tmp_path / 'a.ply', kind, layout, faces=None))
    np.testing.assert_array_equal(read.points, CLOUD.astype(np.float32))
    np.testing.assert_array_equal(read.normals, normals)
    np.testing.assert_array_equal(read.colors, colors[:, :3])
    assert read.colors.dtype == np.uint8 and set(read.extra) == {'label', 'quality'}
    np.testing.assert_array_equal(read.extra['label'], labels)
    np.testing.assert_array_equal(read.extra['quality'], quality)
    assert all(value.dtype.isnative and value.flags.writeable for value in read.extra.values())


def test_colours_as_fractions_and_as_16_bits(tmp_path):
    for name, (code, scale) in {'fraction': ('f4', 1 / 255), 'deep': ('u2', 257), 'whole': ('f4', 1)}.items():
        colors = RNG.integers(0, 256, (30, 3))
        colors[0] = 255
        layout = {**columns(), **{k: (code, colors[:, i] * scale) for i, k in enumerate(('red', 'green', 'blue'))}}
        read = read_cloud(write(tmp_path / f'{name}.ply', 'binary_little_endian', layout))
        np.testing.assert_array_equal(read.colors, colors)
    layout['red'] = ('f4', np.full(30, -1.0))
    refuse(read_cloud, write(tmp_path / 'odd.ply', 'ascii', layout), 'colours', '-1')


FACES = {
    'triangles': ([(0, 1, 2), (2, 3, 4)], [(0, 1, 2), (2, 3, 4)]),
    'quads': ([(0, 1, 2, 3), (4, 5, 6, 7)], [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)]),
    'mixed': ([(0, 1, 2), (3, 4, 5, 6, 7), (8, 9)], [(0, 1, 2), (3, 4, 5), (3, 5, 6), (3, 6, 7)]),
}


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('faces, triangles', FACES.values(), ids=FACES)
def test_polygons_become_triangles(tmp_path, kind, faces, triangles):
    read = read_cloud(write(tmp_path / 'a.ply', kind, columns(), faces))
    assert read.faces.tolist() == [list(face) for face in triangles] and read.faces.dtype == np.int64


@pytest.mark.parametrize('kind', FORMATS)
def test_lists_and_elements_of_no_use_are_passed_over(tmp_path, kind):
    """A camera before the vertices, texture coordinates and a colour in the faces, edges behind."""
    order = FORMATS[kind]
    header = (
        f'ply\r\nformat {kind} 1.0\r\nelement camera 2\r\nproperty list uint8 float32 view\r\nproperty int id\r\n'
        'element vertex 3\r\nproperty float x\r\nproperty float y\r\nproperty float z\r\n'
        'element face 2\r\nproperty list uchar float texcoord\r\nproperty uchar flag\r\n'
        'property list ushort uint vertex_index\r\nelement edge 1\r\nproperty int a\r\nend_header\r\n'
    ).encode()
    if kind == 'ascii':
        body = b'2 1.5 2.5 7\n0 8\n\n0 0 0\n1 0 0\n0 1 0\n0 9 3 0 1 2\n2 0.1 0.2 9 3 2 1 0\n5\n'
    else:
        body = struct.pack(f'{order}B2fiBi', 2, 1.5, 2.5, 7, 0, 8) + struct.pack(
            f'{order}9f', *[0] * 3, 1, 0, 0, 0, 1, 0
        )
        body += struct.pack(f'{order}BBH3I', 0, 9, 3, 0, 1, 2) + struct.pack(
            f'{order}B2fBH3Ii', 2, 0.1, 0.2, 9, 3, 2, 1, 0, 5
        )
    (tmp_path / 'a.ply').write_bytes(header + body)
    read = read_cloud(tmp_path / 'a.ply')
    assert read.points.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]] and read.faces.tolist() == [[0, 1, 2], [2, 1, 0]]


@pytest.mark.parametrize('encoding', ['ascii', 'binary'])
def test_what_trimesh_writes(tmp_path, encoding):
    mesh = trimesh.creation.icosphere(subdivisions=2)
    mesh.visual.vertex_colors = RNG.integers(0, 256, (len(mesh.vertices), 4))
    mesh.export(tmp_path / 'a.ply', encoding=encoding, vertex_normal=True)
    read = read_cloud(tmp_path / 'a.ply')
    np.testing.assert_allclose(read.points, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    np.testing.assert_array_equal(read.colors, mesh.visual.vertex_colors[:, :3])
    np.testing.assert_allclose(read.normals, mesh.vertex_normals, atol=1e-6)
    trimesh.PointCloud(CLOUD).export(tmp_path / 'b.ply', encoding=encoding)
    np.testing.assert_allclose(read_cloud(tmp_path / 'b.ply').points, CLOUD, atol=1e-6)


def test_a_million_points_take_a_moment(tmp_path):
    table = np.zeros(10**6, [(name, '<f4') for name in ('x', 'y', 'z', 'nx', 'ny', 'nz')] + [(c, 'u1') for c in 'rgb'])
    table['x'] = np.arange(10**6)
    header = 'ply\nformat binary_little_endian 1.0\nelement vertex 1000000\n'
    header += ''.join(f'property float {name}\n' for name in ('x', 'y', 'z', 'nx', 'ny', 'nz'))
    header += 'property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n'
    (tmp_path / 'a.ply').write_bytes(header.encode() + table.tobytes())
    times = []
    for _ in range(3):
        start = time.process_time()
        read = read_cloud(tmp_path / 'a.ply')
        times.append(time.process_time() - start)
    assert read.points[-1, 0] == 999_999 and read.normals.shape == (10**6, 3)
    # A tenth of a second on a laptop; a loop over the points would take some.
    assert min(times) < 1


def test_truncated_files(tmp_path):
    for kind in FORMATS:
        path = write(tmp_path / f'{kind}.ply', kind, columns(), [(0, 1, 2)] * 5 + [(0, 1, 2, 3)])
        for keep in (-12, -70, 300, 60, 3):
            refuse(read_cloud, cut(path, keep), 'cut off')
            write(path, kind, columns(), [(0, 1, 2)] * 5 + [(0, 1, 2, 3)])


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('count', [31, 10**6, 10**18, 10**30])
def test_more_vertices_than_there_are(tmp_path, kind, count):
    path = write(tmp_path / 'a.ply', kind, columns(), faces=None)
    path.write_bytes(path.read_bytes().replace(b'vertex 30', f'vertex {count}'.encode()))
    refuse(read_cloud, path, f"for {count:,} of element 'vertex'", 'damaged or cut off')


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('count', [7, 10**7, 10**18])
def test_more_faces_than_there_are(tmp_path, kind, count):
    for faces in ([(0, 1, 2)] * 6, [(0, 1, 2)] * 5 + [(0, 1, 2, 3)]):
        path = write(tmp_path / 'a.ply', kind, columns(), faces)
        path.write_bytes(path.read_bytes().replace(b'face 6', f'face {count}'.encode()))
        refuse(read_cloud, path, f"for {count:,} of element 'face'")


def test_a_list_that_claims_to_be_long(tmp_path):
    path = write(tmp_path / 'a.ply', 'binary_little_endian', columns(), [(0, 1, 2)])
    content = path.read_bytes().replace(b'list uchar', b'list uint')
    path.write_bytes(content[:-13] + b'\xff\xff\xff\xff' + content[-12:])
    refuse(read_cloud, path, "element 'face'")
    path.write_bytes(content.replace(b'list uint', b'list int')[:-13] + b'\xff\xff\xff\xff' + content[-12:])
    refuse(read_cloud, path, "element 'face'")


@pytest.mark.parametrize(
    'old, new, parts',
    [
        (b'ply\n', b'PK\x03\x04', ['a zip archive']),
        (b'ply\n', b'<html>\n', ['a web page']),
        (b'ply\n', b'version https://git-lfs.github.com/spec/v1\n', ['git lfs pull']),
        (b'format ascii', b'format base64', ['line 2', 'format base64']),
        (b'format ascii 1.0\n', b'', ['without format']),
        (b'vertex 30', b'vertex -1', ['line 5']),
        (b'vertex 30', b'vertex many', ['line 5']),
        (b'float y', b'text y', ['line 7', 'text y']),
        (b'float y', b'float x', ['a name twice']),
        (b'float y', b'float w', ['no y']),
        (b'property float y', b'property list uchar float y', ["list 'y'"]),
        (b'list uchar', b'list float', ['line 10']),
        (b'end_header', b'', ['no end of the header']),
        (b'element face', b'element tristrips', ['triangle strips']),
        (b'vertex 30', b'vertex 0', ['an empty cloud']),
        (b'3 0 1 2', b'3 0 1 30', ['vertices 0 to 29', 'vertex 30']),
        (b'3 0 1 2', b'3 0 1 -1', ['vertex -1']),
        (b'3 0 1 2', b'3 0 1', ['line 42', '3 0 1']),
        (b'3 0 1 2', b'3 0 1 x', ['line 42', '3 0 1 x']),
    ],
)
def test_wrong_files(tmp_path, old, new, parts):
    path = write(tmp_path / 'a.ply', 'ascii', columns(), [(0, 1, 2)])
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    if old == b'vertex 30' and new == b'vertex 0':
        path.write_bytes(content.split(b'element face')[0].replace(old, new) + b'end_header\n')
    refuse(read_cloud, path, *parts)


@pytest.mark.parametrize('kind', FORMATS)
def test_numbers_that_are_none(tmp_path, kind):
    broken = CLOUD.copy()
    broken[7, 1], broken[9, 0] = np.nan, np.inf
    refuse(read_cloud, write(tmp_path / 'a.ply', kind, columns('f4', broken)), 'finite points', '2 of 30')
    layout = {**columns(), 'nx': ('f4', broken[:, 1]), 'ny': ('f4', CLOUD[:, 0]), 'nz': ('f4', CLOUD[:, 0])}
    refuse(read_cloud, write(tmp_path / 'a.ply', kind, layout), 'finite normals', '1 of 30')


def test_words_and_ragged_rows_in_text(tmp_path):
    path = write(tmp_path / 'a.ply', 'ascii', columns(), faces=None)
    lines = path.read_text().splitlines()
    for text, part in (('1 2 x', "the word 'x'"), ('1 2', '2 where there should be 3'), ('1 2 3 4', '4 where')):
        path.write_text('\n'.join([*lines[:12], text, *lines[13:]]) + '\n')
        refuse(read_cloud, path, 'line 13', part)
