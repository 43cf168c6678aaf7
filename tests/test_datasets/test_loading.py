"""Reading what a sample names: points with the features asked for, meshes, pictures, and their packed forms."""

import cv2
import numpy as np
import pytest
import trimesh

from mmpt.datasets.transforms import LoadImages, LoadPoints, PackInputs

NORMALS = ('x', 'y', 'z', 'nx', 'ny', 'nz')


def sentence(error):
    text = str(error.value.args[0])
    assert '\n' not in text and text.endswith(('.', 'data set')), text
    return text


def sample(path, **more):
    return {'points_path': str(path), 'sample_id': 'lamp-3', 'rng': np.random.default_rng(0), **more}


def test_points_and_only_the_features_that_are_asked_for(tmp_path):
    array = np.random.default_rng(0).standard_normal((12, 6))
    np.save(tmp_path / 'a.npy', array)
    plain = LoadPoints(NORMALS)(sample(tmp_path / 'a.npy'))
    full = LoadPoints(NORMALS, feature_keys=('normals',))(sample(tmp_path / 'a.npy'))
    assert full['points'].dtype == full['normals'].dtype == np.float32 and 'normals' not in plain
    np.testing.assert_allclose(full['points'], array[:, :3], rtol=1e-6)
    np.testing.assert_allclose(full['normals'], array[:, 3:], rtol=1e-6)


def test_other_columns_go_by_their_names(tmp_path):
    array = np.arange(20.0).reshape(4, 5)
    np.savetxt(tmp_path / 'a.txt', array)
    results = LoadPoints(('x', 'y', 'z', 'intensity', '_'), ('intensity',))(sample(tmp_path / 'a.txt'))
    np.testing.assert_array_equal(results['intensity'], array[:, 3])


def test_colours_of_a_file_reach_the_network_between_0_and_1(tmp_path):
    colors = np.array([[0, 51, 255], [255, 0, 102]], np.uint8)
    trimesh.PointCloud(np.eye(3)[:2], colors=colors).export(tmp_path / 'a.ply')
    results = LoadPoints(feature_keys=('colors',))(sample(tmp_path / 'a.ply'))
    np.testing.assert_array_equal(results['colors'], colors)
    inputs = PackInputs(('colors',))(results)['inputs']
    np.testing.assert_allclose(inputs['points'][:, 3:], colors / 255, rtol=1e-6)


def test_a_mesh_waits_for_its_surface_to_be_sampled(tmp_path):
    box = trimesh.creation.box()
    box.export(tmp_path / 'a.off')
    results = LoadPoints()(sample(tmp_path / 'a.off'))
    assert 'points' not in results and results['vertices'].dtype == np.float32
    np.testing.assert_allclose(results['vertices'], box.vertices)
    np.testing.assert_array_equal(results['faces'], box.faces)


@pytest.mark.parametrize('key', ['normals', 'colors', 'intensity'])
def test_a_file_without_a_feature_is_named(tmp_path, key):
    np.save(tmp_path / 'a.npy', np.ones((3, 3)))
    with pytest.raises(ValueError, match=rf"expected '{key}' in sample 'lamp-3' \(.*a\.npy\)") as error:
        LoadPoints(feature_keys=(key,))(sample(tmp_path / 'a.npy'))
    sentence(error)


@pytest.mark.parametrize(
    ('array', 'reason'),
    [
        (np.zeros((8, 6)), '6 columns'),
        (np.zeros((8, 2)), r'\(8, 2\)'),
        (np.zeros(24), r'\(24,\)'),
        (np.zeros((0, 3)), 'empty cloud'),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), 'NaN or infinity in 1 of 2'),
        (np.array([[0, 0, np.inf]]), 'infinity in 1 of 1'),
        (np.array([[{}, 1, 2]], dtype=object), 'plain'),
        (np.array([['a', 'b', 'c']]), 'array of numbers'),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, array, reason):
    np.save(tmp_path / 'cloud.npy', array, allow_pickle=True)
    with pytest.raises(ValueError, match=reason) as error:
        LoadPoints()(sample(tmp_path / 'cloud.npy'))
    assert 'cloud.npy' in sentence(error)


def test_a_missing_file_is_named_with_its_sample(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'lamp-3' .*gone\.npy") as error:
        LoadPoints()(sample(tmp_path / 'gone.npy'))
    sentence(error)


def test_points_that_are_there_pass_through():
    points = np.ones((3, 3), np.float32)
    assert LoadPoints()({'points': points, 'sample_id': 'a'})['points'] is points
    with pytest.raises(KeyError, match=r"needs 'points_path'.*sample 'a'"):
        LoadPoints()({'sample_id': 'a'})


@pytest.fixture
def pictures(tmp_path):
    paths = []
    for view in range(5):
        image = np.full((40, 60, 3), 50 * view, np.uint8)
        image[:, 30:] = 255
        paths.append(str(tmp_path / f'{view}.png'))
        cv2.imwrite(paths[-1], image)
    return paths


@pytest.mark.parametrize('random', [True, False])
def test_packed_pictures_are_drawn_and_decoded_like_files(pictures, random):
    load = LoadImages(3, 32, random)
    raw = load(sample('', image_paths=pictures))
    packed = load.pack(sample('', image_paths=list(pictures)))
    assert 'image_paths' not in packed and [type(file) for file in packed['image_bytes']] == [bytes] * 5
    packed = load(packed)
    for key in ('images', 'has_image', 'image_index', 'image_scale'):
        np.testing.assert_array_equal(raw[key], packed[key])
    assert len(set(raw['image_index'])) == 3
    shown = raw['images'][:, 16, 4, 0]
    np.testing.assert_array_equal(shown, 50 * raw['image_index'])


def test_pictures_of_any_height_and_width_say_how_they_were_scaled(pictures):
    results = LoadImages(2, (20, 90), random=False)(sample('', image_paths=pictures[:1]))
    assert results['images'].shape == (2, 20, 90, 3)
    np.testing.assert_array_equal(results['has_image'], [True, False])
    np.testing.assert_array_equal(results['image_index'], [0, -1])
    np.testing.assert_allclose(results['image_scale'][0], [1.5, 0.5])
    packed = PackInputs(image_views=2, image_size=(20, 90))({**results, 'points': np.ones((2, 3), np.float32)})
    assert packed['inputs']['images'].shape == (2, 3, 20, 90)


def test_a_picture_that_does_not_decode_is_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'\x89PNG\r\n\x1a\nnot a picture')
    load = LoadImages(1, 8)
    with pytest.raises(ValueError, match=r"a\.png.*'lamp-3'") as error:
        load(sample('', image_paths=[str(tmp_path / 'a.png')]))
    sentence(error)
    with pytest.raises(ValueError, match="'lamp-3'") as error:
        load(load.pack(sample('', image_paths=[str(tmp_path / 'a.png')])))
    sentence(error)


def test_scene_answers_and_further_views_are_packed():
    points = np.zeros((4, 3), np.float32)
    results = {
        'points': points,
        'points_view2': points + 1,
        'points_view3': points + 2,
        'semantic': np.array([0, 1, -1, 2]),
        'boxes': np.ones((2, 7)),
        'box_labels': np.array([3, -1]),
        'complete': np.ones((9, 3)),
        'pairs': np.array([[0, 0, 5, 6]], np.int32),
        'caption': 'a lamp',
        'skipped': ('x.npy is cut short.',),
    }
    packed = PackInputs()(results)
    inputs, answers = packed['inputs'], packed['data_samples']
    assert set(inputs) == {'points', 'points_view2', 'points_view3', 'pairs'}
    assert (inputs['points_view3'] == 2).all() and inputs['pairs'].tolist() == [[0, 0, 5, 6]]
    assert answers.semantic.tolist() == [0, 1, -1, 2] and answers.box_labels.tolist() == [3, -1]
    assert answers.boxes.shape == (2, 7) and answers.complete.shape == (9, 3)
    assert answers.caption == 'a lamp' and answers.skipped == ('x.npy is cut short.',)
