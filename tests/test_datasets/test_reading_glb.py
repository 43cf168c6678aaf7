"""GLB: scenes of trimesh, and files by hand for what trimesh does not write."""

import base64
import io
import json
import struct

import numpy as np
import pytest
import trimesh
from _reading import cut, refuse
from PIL import Image

from mmpt.datasets.reading import read_cloud

BOX = trimesh.creation.box()


def test_a_scene_in_its_own_frame(tmp_path):
    """Three spheres under nodes that turn, stretch and mirror, one of them twice, nested."""
    matrices = [
        trimesh.transformations.compose_matrix(scale=[1, 2, s], angles=[s, 1, 2], translate=[5 * s, 0, 1])
        for s in (1, 2, -3)
    ]
    scene = trimesh.Scene()
    sphere = trimesh.creation.icosphere(subdivisions=1)
    scene.add_geometry(sphere, node_name='a', geom_name='s', transform=matrices[0])
    scene.graph.update('b', 'a', matrix=matrices[1], geometry='s')
    scene.graph.update('c', 'b', matrix=matrices[2], geometry='s')
    scene.export(tmp_path / 'a.glb')
    read = read_cloud(tmp_path / 'a.glb')
    found, wanted = trimesh.Trimesh(read.points, read.faces, process=False), scene.to_mesh()
    assert len(read.faces) == 3 * len(sphere.faces)
    np.testing.assert_allclose(
        np.sort(found.triangles_center, axis=0), np.sort(wanted.triangles_center, axis=0), atol=1e-3
    )
    # A mirrored sphere still shows its outside.
    assert found.volume > 0 and found.volume == pytest.approx(abs(wanted.volume), rel=1e-4)
    assert (trimesh.Trimesh(read.points, read.faces[-80:], process=False).volume > 0) and found.is_winding_consistent


def test_normals_are_turned_with_the_node(tmp_path):
    mesh = trimesh.creation.icosphere(subdivisions=2)
    scene = trimesh.Scene()
    scene.add_geometry(mesh, transform=trimesh.transformations.compose_matrix(scale=[1, 3, 0.5], angles=[0.3, 1, 2]))
    (tmp_path / 'a.glb').write_bytes(trimesh.exchange.gltf.export_glb(scene, include_normals=True))
    read = read_cloud(tmp_path / 'a.glb')
    np.testing.assert_allclose(np.linalg.norm(read.normals, axis=1), 1, atol=1e-5)
    found = trimesh.Trimesh(read.points, read.faces, process=False)
    # The normals of the ellipsoid's faces and those of its vertices agree as well as its faces are flat.
    assert (np.einsum('ij,ij->i', found.vertex_normals, read.normals) > 0.97).all()


def glb(path, tree, binary=b''):
    """A file of a description and of bytes."""
    text = json.dumps({'asset': {'version': '2.0'}, **tree}).encode()
    text += b' ' * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack('<I4s', len(text), b'JSON') + text + struct.pack('<I4s', len(binary), b'BIN\0') + binary
    path.write_bytes(struct.pack('<4sII', b'glTF', 2, 12 + len(chunks)) + chunks)
    return path


TYPES = {'i1': 5120, 'u1': 5121, 'i2': 5122, 'u2': 5123, 'u4': 5125, 'f4': 5126}
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)


def scene(attributes=None, indices=None, primitive=None, node=None, **tree):
    """A description of one mesh, and its bytes: attributes by name, arrays or (array, entries of the accessor)."""
    binary, views, accessors, named = b'', [], [], {}
    arrays = {'POSITION': SQUARE, **(attributes or {})}
    if indices is not None:
        arrays['indices'] = indices
    for name, array in arrays.items():
        array, more = array if isinstance(array, tuple) else (array, {})
        kind = {1: 'SCALAR', 2: 'VEC2', 3: 'VEC3', 4: 'VEC4'}[array.shape[1] if array.ndim == 2 else 1]
        named[name] = len(accessors)
        accessors.append(
            {
                'bufferView': len(views),
                'componentType': TYPES[array.dtype.str[1:]],
                'count': len(array),
                'type': kind,
                **more,
            }
        )
        views.append({'buffer': 0, 'byteOffset': len(binary), 'byteLength': array.nbytes})
        binary += array.tobytes() + bytes(-array.nbytes % 4)
    part = {'attributes': {name: at for name, at in named.items() if name != 'indices'}, **(primitive or {})}
    if indices is not None:
        part['indices'] = named['indices']
    described = {
        'scene': 0,
        'scenes': [{'nodes': [0]}],
        'nodes': [{'mesh': 0, **(node or {})}],
        'meshes': [{'primitives': [part]}],
        'accessors': accessors,
        'bufferViews': views,
        'buffers': [{'byteLength': len(binary)}],
        **tree,
    }
    return described, binary


@pytest.mark.parametrize(
    'mode, order, wanted',
    [
        (4, [0, 1, 2, 0, 2, 3], [[0, 1, 2], [0, 2, 3]]),
        (5, [0, 1, 3, 2], [[0, 1, 3], [1, 2, 3]]),
        (6, [0, 1, 2, 3], [[0, 1, 2], [0, 2, 3]]),
        (None, [0, 1, 2], [[0, 1, 2]]),
    ],
)
@pytest.mark.parametrize('code', ['u1', 'u2', 'u4'])
def test_lists_strips_and_fans(tmp_path, mode, order, wanted, code):
    more = {} if mode is None else {'mode': mode}
    read = read_cloud(glb(tmp_path / 'a.glb', *scene(indices=np.array(order, code), primitive=more)))
    assert read.faces.tolist() == wanted
    np.testing.assert_array_equal(read.points, SQUARE)
    # All of a strip show the same side.
    assert (np.cross(*(read.points[read.faces[:, i]] - read.points[read.faces[:, 0]] for i in (1, 2)))[:, 2] > 0).all()


def test_without_indices_and_without_faces(tmp_path):
    read = read_cloud(glb(tmp_path / 'a.glb', *scene(primitive={'mode': 6})))
    assert read.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    read = read_cloud(glb(tmp_path / 'a.glb', *scene(primitive={'mode': 0})))
    assert read.faces is None and len(read.points) == 4
    refuse(read_cloud, glb(tmp_path / 'a.glb', *scene(primitive={'mode': 1})), 'no points and no triangles')


def test_a_node_of_a_matrix_and_one_of_turn_and_scale(tmp_path):
    half = float(np.sqrt(0.5))
    node = {'translation': [10, 0, 0], 'rotation': [0, 0, half, half], 'scale': [2, 1, 1]}
    read = read_cloud(glb(tmp_path / 'a.glb', *scene(node=node)))
    np.testing.assert_allclose(read.points, [[10, 0, 0], [10, 2, 0], [9, 2, 0], [9, 0, 0]], atol=1e-6)
    matrix = [0, 2, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0, 1]
    again = read_cloud(glb(tmp_path / 'b.glb', *scene(node={'matrix': matrix})))
    np.testing.assert_allclose(again.points, read.points, atol=1e-6)


def test_interleaved_and_normalised_data(tmp_path):
    table = np.zeros(4, [('p', '<i2', 3), ('c', 'u1', 4), ('pad', 'u1', 2)])
    table['p'], table['c'] = SQUARE * 32767, [0, 255, 51, 255]
    tree, _ = scene({'COLOR_0': np.zeros((4, 4), np.uint8)}, primitive={'mode': 0})
    tree['bufferViews'] = [{'buffer': 0, 'byteLength': 48, 'byteStride': 12}]
    tree['accessors'] = [
        {'bufferView': 0, 'componentType': 5122, 'count': 4, 'type': 'VEC3', 'normalized': True},
        {'bufferView': 0, 'byteOffset': 6, 'componentType': 5121, 'count': 4, 'type': 'VEC4', 'normalized': True},
    ]
    tree.update(buffers=[{'byteLength': 48}], extensionsRequired=['KHR_mesh_quantization'])
    read = read_cloud(glb(tmp_path / 'a.glb', tree, table.tobytes()))
    np.testing.assert_allclose(read.points, SQUARE)
    # 51 / 255 = 0.2 of light is 0.4845 in sRGB.
    assert read.colors.tolist() == [[0, 255, 124]] * 4


def test_colour_is_factor_times_texture_times_vertex(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [128] * 3]], np.uint8)).save(stream, 'png')
    places = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    material = {'pbrMetallicRoughness': {'baseColorTexture': {'index': 0}}}
    tree = {'materials': [material], 'textures': [{'source': 0}]}
    uri = 'data:image/png;base64,' + base64.b64encode(stream.getvalue()).decode()
    parts = scene({'TEXCOORD_0': places}, primitive={'material': 0}, images=[{'uri': uri}], **tree)
    read = read_cloud(glb(tmp_path / 'a.glb', *parts))
    # Texture coordinates begin at the upper left.
    assert read.colors.tolist() == [[255, 0, 0], [0, 255, 0], [128] * 3, [0, 0, 255]]
    material['pbrMetallicRoughness']['baseColorFactor'] = [0.5, 1, 1, 1]
    half = np.full((4, 3), 0.5, np.float32)
    parts = scene({'TEXCOORD_0': places, 'COLOR_0': half}, primitive={'material': 0}, images=[{'uri': uri}], **tree)
    read = read_cloud(glb(tmp_path / 'a.glb', *parts))
    # 0.25 of light is 137 of 255 in sRGB, 0.5 is 188; 128 is 0.2159 of light, of which a half is 92 and a quarter 66.
    assert read.colors.tolist() == [[137, 0, 0], [0, 188, 0], [66, 92, 92], [0, 0, 188]]
    # A texture elsewhere, or none that can be read, leaves the factor.
    for image in ({'uri': '../t.png'}, {'uri': 'http://127.0.0.1/t.png'}, {'uri': uri[:40]}, {}):
        parts = scene({'TEXCOORD_0': places}, primitive={'material': 0}, images=[image], **tree)
        assert read_cloud(glb(tmp_path / 'a.glb', *parts)).colors.tolist() == [[188, 255, 255]] * 4
    assert read_cloud(glb(tmp_path / 'a.glb', *scene())).colors is None


def test_truncated_files(tmp_path):
    BOX.export(tmp_path / 'a.glb')
    size = (tmp_path / 'a.glb').stat().st_size
    for keep in (size - 1, size // 2, 30, 12, 8, 4):
        BOX.export(tmp_path / 'a.glb')
        refuse(read_cloud, cut(tmp_path / 'a.glb', keep), 'a .glb file (glTF 2.0)')


def broken(change):
    tree, binary = scene(indices=np.array([0, 1, 2], np.uint16))
    change(tree)
    return tree, binary


@pytest.mark.parametrize(
    'change, part',
    [
        (lambda t: t['accessors'][0].update(count=5), '48 bytes for 5 entries'),
        (lambda t: t['accessors'][0].update(count=10**15), 'a scene that takes'),
        (lambda t: t['accessors'][1].update(count=10**15), 'a scene that takes'),
        (lambda t: t['accessors'][1].update(count=10**6), 'entries of 2'),
        (lambda t: t['accessors'][0].update(count=-1), '-1'),
        (lambda t: t['accessors'][0].update(count='4'), "'4'"),
        (lambda t: t['accessors'][0].update(byteOffset=4), '48 bytes for 4 entries'),
        (lambda t: t['accessors'][0].update(sparse={'count': 1}), 'sparse'),
        (lambda t: t['accessors'][0].pop('bufferView'), 'missing'),
        (lambda t: t['accessors'][0].update(type='VEC2'), 'VEC2'),
        (lambda t: t['accessors'][0].update(componentType=5130), '5130'),
        (lambda t: t['accessors'][1].update(componentType=5122), 'int16'),
        (lambda t: t['accessors'][1].update(bufferView=-1), '-1'),
        (lambda t: t['bufferViews'][0].update(byteLength=10**12), 'where a view ends'),
        (lambda t: t['bufferViews'][0].update(byteStride=100), '48 bytes'),
        (lambda t: t['bufferViews'][0].update(buffer=3), 'IndexError'),
        (lambda t: t['buffers'][0].update(uri='../../secret.bin'), 'in another file'),
        (lambda t: t['buffers'][0].update(uri='http://127.0.0.1/a.bin'), 'in another file'),
        (lambda t: t['buffers'][0].update(uri='data:application/octet-stream;base64,AAAA'), '3 bytes'),
        (lambda t: t['nodes'][0].update(children=[0]), 'node 0 in two places'),
        (lambda t: t['nodes'].append({'children': [0]}) or t['scenes'][0].update(nodes=[0, 1]), 'two places'),
        (lambda t: t['nodes'][0].update(children=[7]), 'IndexError'),
        (lambda t: t['nodes'][0].update(matrix=[1, 2, 3]), 'a matrix'),
        (lambda t: t['nodes'][0].update(scale=['a', 1, 1]), 'a .glb file'),
        (lambda t: t['nodes'][0].update(translation=[1, 2]), 'a .glb file'),
        (lambda t: t['nodes'][0].update(translation=[float('nan'), 2, 3]), 'finite points'),
        (lambda t: t.update(scene=4), 'IndexError'),
        (lambda t: t.pop('meshes'), 'KeyError'),
        (lambda t: t['meshes'][0].update(primitives=[]), 'no points and no triangles'),
        (lambda t: t['meshes'][0]['primitives'][0]['attributes'].pop('POSITION'), 'POSITION'),
        (lambda t: t['meshes'][0]['primitives'][0].update(indices=0), 'wrong place'),
        (lambda t: t['meshes'][0]['primitives'][0].update(material=0), 'KeyError'),
        (lambda t: t.update(extensionsRequired=['KHR_draco_mesh_compression']), 'KHR_draco_mesh_compression'),
        (lambda t: t.update(extensionsRequired=['EXT_meshopt_compression']), 'EXT_meshopt_compression'),
        (lambda t: t['meshes'][0]['primitives'][0]['attributes'].update(COLOR_0=1), 'contradicts itself'),
        (lambda t: t['meshes'][0]['primitives'][0]['attributes'].update(NORMAL=1), 'wrong place'),
        (lambda t: t.update(nodes=3), 'contradicts itself'),
        (lambda t: t.update(scenes=[], nodes=[]), 'no points and no triangles'),
    ],
)
def test_wrong_descriptions(tmp_path, change, part):
    refuse(read_cloud, glb(tmp_path / 'a.glb', *broken(change)), part)


def test_wrong_files(tmp_path):
    path = glb(tmp_path / 'a.glb', *scene(indices=np.array([0, 1, 4], np.uint8)))
    refuse(read_cloud, path, 'vertex 4 of 4')
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack('<I', 1) + content[8:])
    refuse(read_cloud, path, 'version 1')
    path.write_bytes(content.replace(b'{"asset"', b'["asset"'))
    refuse(read_cloud, path, 'no JSON')
    path.write_bytes(content.replace(b'JSON', b'NOSJ'))
    refuse(read_cloud, path, 'KeyError')
    glb(path, {})
    refuse(read_cloud, path, 'no points')
    path.write_bytes(b'{"asset": {"version": "2.0"}}')
    refuse(read_cloud, path, 'text that begins with')


def test_one_mesh_in_a_million_places(tmp_path):
    """A small file whose scene would be large: every node shows the same vertices."""
    many = np.zeros((10**5, 3), np.float32)
    tree, binary = scene({'POSITION': many}, primitive={'mode': 0})
    tree['nodes'] = [{'mesh': 0}] * 2000
    tree['scenes'] = [{'nodes': list(range(2000))}]
    path = glb(tmp_path / 'a.glb', tree, binary)
    assert path.stat().st_size < 2 << 20
    refuse(read_cloud, path, 'a scene that takes 4,800,000,000 bytes')
