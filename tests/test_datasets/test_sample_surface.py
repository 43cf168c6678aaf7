"""SampleSurface: where on a mesh points fall, and what they carry."""

import numpy as np
import pytest
from scipy import stats

from mmpt.datasets import PointCloudDataset
from mmpt.datasets.transforms.meshes import SampleSurface, sample_surface

# A tetrahedron-like soup: four triangles of areas 0.5, 2, 4.5 and 8, far from each other, in different planes.
SIDES = np.array([1.0, 2.0, 3.0, 4.0])


def soup():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    planes = [np.eye(3), np.eye(3)[[1, 2, 0]], np.eye(3)[[2, 0, 1]], np.eye(3)]
    vertices = [side * corners @ plane + 10 * k for k, (side, plane) in enumerate(zip(SIDES, planes))]
    return np.concatenate(vertices).astype(np.float32), np.arange(12).reshape(4, 3)


def mesh(vertices, faces, **more):
    return {
        'sample_id': 'thing',
        'points_path': '/data/thing.obj',
        'vertices': np.asarray(vertices, np.float32),
        'faces': np.asarray(faces, np.int64),
        'rng': np.random.default_rng(0),
        **more,
    }


def test_faces_are_drawn_in_proportion_to_their_area():
    vertices, faces = soup()
    face, _, _ = sample_surface(vertices, faces, 20000, np.random.default_rng(0), 'soup')
    areas = SIDES**2 / 2
    counts = np.bincount(face, minlength=4)
    assert stats.chisquare(counts, 20000 * areas / areas.sum()).pvalue > 1e-3
    # The test would notice a draw in proportion to the sides.
    assert stats.chisquare(counts, 20000 * SIDES / SIDES.sum()).pvalue < 1e-9


def test_places_in_a_face_are_uniform():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 0, 3]], np.float32)
    _, weights, _ = sample_surface(vertices, np.array([[0, 1, 2]]), 16000, np.random.default_rng(1), 'one')
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    # Cut into 4 x 4 / 2 triangles of equal area by the middle lines of the middle lines: equally many in each.
    grid = np.floor(weights * 4).astype(int)
    cells = {tuple(cell) for cell in grid}
    assert len(cells) == 16
    counts = np.unique(grid, axis=0, return_counts=True)[1]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_points_lie_on_their_faces_with_normals_and_mixed_colours():
    vertices, faces = soup()
    colors = np.random.default_rng(3).integers(0, 256, (12, 3)).astype(np.uint8)
    results = SampleSurface(500, normals=True)(mesh(vertices, faces, vertex_colors=colors))
    assert results['points'].dtype == results['normals'].dtype == np.float32
    assert results['colors'].dtype == np.uint8
    assert not {'vertices', 'faces', 'vertex_colors'} & set(results)
    owner = np.clip(np.rint(results['points'].mean(axis=1) / 10), 0, 3).astype(int)
    for k in range(4):
        mine = owner == k
        assert mine.sum() > 5
        corners = vertices[faces[k]].astype(float)
        edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]])
        weights, *_ = np.linalg.lstsq(edges.T, (results['points'][mine] - corners[0]).T, rcond=None)
        np.testing.assert_allclose(weights.T @ edges + corners[0], results['points'][mine], atol=1e-5)
        assert (weights > -1e-5).all() and (weights.sum(axis=0) < 1 + 1e-5).all()
        normal = np.cross(*edges) / np.linalg.norm(np.cross(*edges))
        np.testing.assert_allclose(results['normals'][mine], np.tile(normal, (mine.sum(), 1)), atol=1e-6)
        full = np.concatenate([1 - weights.sum(axis=0, keepdims=True), weights])
        np.testing.assert_allclose(full.T @ colors[faces[k]], results['colors'][mine], atol=0.51)


def test_normals_of_a_closed_mesh_point_outwards():
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3)
    results = SampleSurface(300, normals=True)(mesh(ball.vertices, ball.faces))
    assert (np.einsum('ni,ni->n', results['points'], results['normals']) > 0.98).all()


def test_faces_without_area_are_never_drawn():
    vertices = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.1, 0.1, 0.1], [0.2, 0.2, 0.2], [0.3, 0.3, 0.3]]
    faces = [[0, 0, 1], [3, 4, 5], [0, 1, 2], [2, 2, 2], [1, 1, 0]]
    face, _, normal = sample_surface(
        np.array(vertices, np.float32), np.array(faces), 5000, np.random.default_rng(0), 'flat'
    )
    assert set(face) == {2}
    np.testing.assert_array_equal(normal, np.tile([0, 0, 1.0], (5000, 1)))


def test_a_last_face_without_area_is_not_drawn_by_rounding():
    class Nearly:
        """Draws the largest number below 1, where rounding may reach the end."""

        def random(self, count):
            return np.full(count, np.nextafter(1.0, 0.0))

    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    face, weights, _ = sample_surface(vertices, np.array([[0, 1, 2]] * 3 + [[1, 1, 1]]), 4, Nearly(), 'end')
    assert (face == 2).all() and np.isfinite(weights).all()


def test_large_coordinates_keep_the_areas():
    vertices, faces = soup()
    far = vertices.astype(np.float64) + 4096  # exact in float32
    face, _, _ = sample_surface(far.astype(np.float32), faces, 20000, np.random.default_rng(0), 'far')
    near, _, _ = sample_surface(vertices, faces, 20000, np.random.default_rng(0), 'near')
    np.testing.assert_array_equal(face, near)


def test_an_outlier_that_no_face_uses_does_no_harm():
    vertices, faces = soup()
    face, _, _ = sample_surface(
        np.concatenate([vertices, [[1e9, 0, 0]]]).astype(np.float32), faces, 100, np.random.default_rng(0), 'outlier'
    )
    assert set(face) == {0, 1, 2, 3}


def test_the_same_points_for_the_same_seed_epoch_and_index():
    class Soup(PointCloudDataset):
        def num_shapes(self):
            return 3

        def load_info(self, index):
            vertices, faces = soup()
            return {'sample_id': f'soup-{index}', 'split': 'train', 'vertices': vertices, 'faces': faces}

    def draw(key, seed=0):
        return Soup([{'type': 'SampleSurface', 'num_points': 50}], seed=seed)[key]['points']

    base = draw((1, 2))
    np.testing.assert_array_equal(base, draw((1, 2)))
    for other in (draw((0, 2)), draw((1, 1)), draw((1, 2), seed=1)):
        assert not np.array_equal(base, other)


def test_a_cloud_passes_through():
    points, normals = np.eye(3, dtype=np.float32), np.ones((3, 3), np.float32)
    rng = np.random.default_rng(0)
    results = SampleSurface(50, normals=True)({'sample_id': 'c', 'points': points, 'normals': normals, 'rng': rng})
    assert results['points'] is points and results['normals'] is normals
    assert rng.random() == np.random.default_rng(0).random()  # nothing was drawn


@pytest.mark.parametrize(
    ('vertices', 'faces', 'said'),
    [
        (np.eye(3), np.zeros((0, 3)), 'got 0 of type int64; a mesh without faces is a cloud'),
        (np.eye(3), [[0, 1, 1], [2, 2, 2]], 'got 2 faces that have none'),
        ([[0.1] * 3, [0.2] * 3, [0.3] * 3], [[0, 1, 2]], 'got 1 faces that have none'),
        (np.eye(3), [[0, 1, 3]], 'vertices 0 to 2 in'),
        (np.eye(3), [[0, 1, -1]], 'got -1 to 1'),
        ([[0, 0, 0], [1, 0, np.nan], [0, np.inf, 0]], [[0, 1, 2]], 'NaN or infinity in 2 of 3 vertices'),
        (np.eye(3), [[0, 1, 2, 0]], r'(3, 3) and (1, 4)'),
        (np.eye(4), [[0, 1, 2]], r'(4, 4) and (1, 3)'),
    ],
)
def test_what_is_no_mesh_is_named(vertices, faces, said):
    with pytest.raises(ValueError) as error:
        SampleSurface(10)(mesh(vertices, faces))
    text = str(error.value)
    assert said in text and "'thing' (/data/thing.obj)" in text
    assert '\n' not in text and text.endswith('.')


def test_wrong_places_and_arguments_are_one_sentence():
    with pytest.raises(KeyError, match='behind LoadPoints'):
        SampleSurface(10)({'sample_id': 'x', 'rng': np.random.default_rng(0)})
    with pytest.raises(ValueError, match='at least 1'):
        SampleSurface(0)
    vertices, faces = soup()
    with pytest.raises(ValueError, match=r"'vertex_colors' \(12, 3\).*got \(11, 3\)"):
        SampleSurface(10)(mesh(vertices, faces, vertex_colors=np.zeros((11, 3), np.uint8)))
