import math

import numpy as np
import pytest

from mmpt.datasets.synthetic.assembly import Assembly
from mmpt.datasets.synthetic.sampler import sample
from mmpt.datasets.synthetic.seeds import generator
from mmpt.datasets.synthetic.warps import Bend, Relief, Twist

# A map with unequal scales, a shear and a turn; its image is where area has to be uniform.
MAP = np.array([[0.9, 0.25, -0.1], [-0.3, 1.4, 0.2], [0.15, 0.1, 0.5]])
FLAT = np.diag([1.0, 0.15, 1.3])
IDENTITY = np.eye(3)
POLYGON = [(1.0, 0.0), (0.3, 0.3), (0.0, 1.0), (-0.8, 0.6), (-0.4, -0.9), (0.5, -0.7)]


def single(method, *args, **kwargs):
    assembly = Assembly()
    getattr(assembly, method)(*args, **kwargs)
    return assembly.solid()


def power(x, e):
    return np.sign(x) * np.abs(x) ** e


def turned(radius_height):
    """Surface of revolution from t -> (radius, height)."""

    def surface(u, v):
        radius, height = radius_height(u)
        return np.stack((radius * np.cos(2 * np.pi * v), height, radius * np.sin(2 * np.pi * v)), axis=-1)

    return surface


def blob_surface(e1, e2):
    def surface(u, v):
        eta, omega = np.pi * (u - 0.5), 2 * np.pi * (v - 0.5)
        girth = power(np.cos(eta), e1)
        return np.stack(
            (girth * power(np.cos(omega), e2), power(np.sin(eta), e1), girth * power(np.sin(omega), e2)), axis=-1
        )

    return surface


def box_surface(axis, side):
    def surface(u, v):
        points = np.full((*u.shape, 3), float(side))
        points[..., (axis + 1) % 3], points[..., (axis + 2) % 3] = 2 * u - 1, 2 * v - 1
        return points

    return surface


def prism_surfaces(polygon, taper):
    """Sides and both ends; the polygon's core is the origin."""
    out = []
    for (x0, z0), (x1, z1) in zip(polygon, polygon[1:] + polygon[:1]):

        def side(u, v, a=(x0, z0), b=(x1, z1)):
            girth = 1 + (taper - 1) * v
            return np.stack(
                (girth * (a[0] + (b[0] - a[0]) * u), 2 * v - 1, girth * (a[1] + (b[1] - a[1]) * u)), axis=-1
            )

        def end(u, v, a=(x0, z0), b=(x1, z1), y=-1.0, girth=1.0):
            x, z = girth * v * (a[0] + (b[0] - a[0]) * u), girth * v * (a[1] + (b[1] - a[1]) * u)
            return np.stack((x, np.full_like(x, y), z), axis=-1)

        out += [side, end, lambda u, v, end=end: end(u, v, y=1.0, girth=taper)]
    return out


PRIMITIVES = {
    'box': (
        single('box', (0, 0, 0), (2, 2, 2)),
        [box_surface(axis, side) for axis in range(3) for side in (-1, 1)],
        lambda p: np.abs(p).max(axis=1) - 1,
    ),
    'ball': (
        single('ball', (0, 0, 0), 1.0),
        [turned(lambda u: (np.sin(np.pi * u), -np.cos(np.pi * u)))],
        lambda p: np.linalg.norm(p, axis=1) - 1,
    ),
    'cylinder': (
        single('cone', (0, -1, 0), (0, 1, 0), 1.0),
        [turned(lambda u: (u, -1 + 0 * u)), turned(lambda u: (u, 1 + 0 * u)), turned(lambda u: (1 + 0 * u, 2 * u - 1))],
        lambda p: np.maximum(np.hypot(p[:, 0], p[:, 2]) - 1, np.abs(p[:, 1]) - 1),
    ),
    'cone': (
        single('cone', (0, -1, 0), (0, 1, 0), 1.0, 0.3),
        [
            turned(lambda u: (u, -1 + 0 * u)),
            turned(lambda u: (0.3 * u, 1 + 0 * u)),
            turned(lambda u: (1 - 0.7 * u, 2 * u - 1)),
        ],
        lambda p: np.maximum(np.hypot(p[:, 0], p[:, 2]) - (0.65 - 0.35 * p[:, 1]), np.abs(p[:, 1]) - 1),
    ),
    'torus': (
        single('ring', (0, 0, 0), 1.0, 0.35),
        [turned(lambda u: (1 + 0.35 * np.cos(2 * np.pi * u), 0.35 * np.sin(2 * np.pi * u)))],
        lambda p: np.hypot(np.hypot(p[:, 0], p[:, 2]) - 1, p[:, 1]) - 0.35,
    ),
    'superquadric': (
        single('blob', (0, 0, 0), (2, 2, 2), 0.5, 0.8),
        [blob_surface(0.5, 0.8)],
        lambda p: (np.abs(p[:, 0]) ** 2.5 + np.abs(p[:, 2]) ** 2.5) ** 1.6 + np.abs(p[:, 1]) ** 4 - 1,
    ),
    'prism': (
        single('prism', POLYGON, (0, 0, 0), 2.0, taper=0.6, core=(0, 0)),
        prism_surfaces(POLYGON, 0.6),
        None,
    ),
}


def region(points):
    """24 regions: octants, each cut in three by which coordinate is the largest."""
    return (points > 0) @ (1, 2, 4) + 8 * np.abs(points).argmax(axis=1)


def expected_shares(surfaces, matrix):
    """Areas of the mapped surface by region, from a fine mesh: independent of what the sampler knows."""
    # Planes need no fine mesh.
    edges = np.linspace(0, 1, 501 if len(surfaces) < 6 else 101)
    u, v = np.meshgrid(edges, edges, indexing='ij')
    total = np.zeros(24)
    for surface in surfaces:
        corner = surface(u, v) @ matrix.T
        a = corner[1:, 1:] - corner[:-1, :-1]
        b = corner[:-1, 1:] - corner[1:, :-1]
        area = 0.5 * np.linalg.norm(np.cross(a, b), axis=-1).ravel()
        middle = 0.25 * (corner[1:, 1:] + corner[:-1, :-1] + corner[:-1, 1:] + corner[1:, :-1]).reshape(-1, 3)
        total += np.bincount(region(middle @ np.linalg.inv(matrix).T), weights=area, minlength=24)
    return total / total.sum()


@pytest.mark.parametrize('name', PRIMITIVES)
@pytest.mark.parametrize('matrix', [IDENTITY, MAP, FLAT], ids=['identity', 'affine', 'flat'])
def test_points_are_uniform_by_area_after_the_affine_map(name, matrix):
    solid, surfaces, _ = PRIMITIVES[name]
    count = 20000
    points, _, _ = sample(solid.mapped(matrix), generator(0), count)
    observed = np.bincount(region(points @ np.linalg.inv(matrix).T), minlength=24)
    expected = count * expected_shares(surfaces, matrix)
    used = expected > 20
    assert observed[~used].sum() <= expected[~used].sum() + 6 * math.sqrt(expected[~used].sum() + 1)
    chi2 = ((observed - expected)[used] ** 2 / expected[used]).sum()
    freedom = used.sum() - 1
    assert chi2 < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize('name', [name for name in PRIMITIVES if PRIMITIVES[name][2]])
def test_points_satisfy_the_implicit_equation_and_normals_its_gradient(name):
    solid, _, implicit = PRIMITIVES[name]
    points, normals, _ = sample(solid.mapped(MAP, np.array([0.3, -0.2, 0.5])), generator(1), 4000)
    back = np.linalg.inv(MAP)
    points = points.astype(np.float64) - [0.3, -0.2, 0.5]

    def value(x):
        return implicit(x @ back.T)

    assert np.abs(value(points)).max() < 1e-4
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    step = 1e-5 * np.eye(3)
    gradient = np.stack([value(points + h) - value(points - h) for h in step], axis=1)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    agree = np.einsum('ij,ij->i', gradient, normals)
    # On an edge the gradient of a max of two is that of either, and no point of a face but those near it is touched.
    assert np.mean(agree > 0.999) > 0.995
    assert np.quantile(agree, 0.01) > 0.99


def test_prism_points_lie_on_sides_or_ends_and_their_normals_are_those_of_the_planes():
    points, normals, _ = sample(PRIMITIVES['prism'][0], generator(2), 4000)
    on_end = np.abs(np.abs(points[:, 1]) - 1) < 1e-5
    assert 0.1 < on_end.mean() < 0.9
    np.testing.assert_allclose(normals[on_end, 1], np.sign(points[on_end, 1]), atol=1e-5)
    side_points, side_normals = points[~on_end], normals[~on_end]
    girth = 0.8 - 0.2 * side_points[:, 1]
    distance = []
    for (x0, z0), (x1, z1) in zip(POLYGON, POLYGON[1:] + POLYGON[:1]):
        # The plane through an edge of the bottom and the same edge of the smaller top.
        normal = np.cross([x1 - x0, 0, z1 - z0], [-0.4 * x0, 2, -0.4 * z0])
        normal *= np.sign(normal @ (x0, 0, z0)) / np.linalg.norm(normal)
        along = (side_points[:, [0, 2]] / girth[:, None] - (x0, z0)) @ (x1 - x0, z1 - z0)
        within = (along > -1e-4) & (along < (x1 - x0) ** 2 + (z1 - z0) ** 2 + 1e-4)
        off = np.abs((side_points - (x0, -1, z0)) @ normal) + np.linalg.norm(side_normals - normal, axis=1)
        distance.append(np.where(within, off, np.inf))
    assert np.min(distance, axis=0).max() < 1e-3


def test_tube_points_keep_their_distance_from_the_path():
    path = np.array([(0, 0, 0), (0.1, 0.6, 0), (0.5, 1.0, 0.2), (1.0, 1.1, 0.6), (1.2, 0.8, 1.0)])
    points, normals, _ = sample(single('tube', path.tolist(), 0.1), generator(3), 4000)
    starts, ways = path[:-1], np.diff(path, axis=0)
    t = np.einsum('psj,sj->ps', points[:, None] - starts, ways) / (ways**2).sum(axis=1)
    foot = starts + t.clip(0, 1)[..., None] * ways
    distance = np.linalg.norm(points[:, None] - foot, axis=-1)
    nearest = distance.argmin(axis=1)
    inner = ~((t[:, 0] < 1e-4) | (t[:, -1] > 1 - 1e-4))
    # On the outside of a bend the tube reaches a little beyond the radius, up to 1 / cos of half the angle.
    ends = distance.min(axis=1)[~inner]
    assert ends.max() < 0.1001
    middle = distance.min(axis=1)[inner]
    assert middle.min() > 0.0999
    assert middle.max() < 0.11
    smooth = np.abs(distance.min(axis=1) - 0.1) < 1e-4
    assert (smooth & inner).sum() > 3000
    away = points - foot[np.arange(len(points)), nearest]
    agree = np.einsum('ij,ij->i', away, normals)[smooth & inner]
    np.testing.assert_allclose(agree, 0.1, atol=1e-3)


def test_union_keeps_no_point_inside_another_solid():
    assembly = Assembly()
    assembly.ball((0, 0, 0), 1.0, part=0)
    assembly.ball((1.0, 0, 0), 0.8, part=1)
    assembly.box((0, 1.0, 0), (0.5, 1.0, 0.5), part=2)
    points, _, parts = sample(assembly.solid(), generator(4), 8000)
    assert set(parts) == {0, 1, 2}
    outside = [
        np.linalg.norm(points, axis=1) - 1,
        np.linalg.norm(points - (1, 0, 0), axis=1) - 0.8,
        (np.abs(points - (0, 1, 0)) - (0.25, 0.5, 0.25)).max(axis=1),
    ]
    for part, distance in enumerate(outside):
        assert distance.min() > -2e-3
        assert np.abs(distance[parts == part]).max() < 1e-4


def test_touching_faces_are_no_surface():
    assembly = Assembly()
    assembly.box((0, 0.5, 0), (1, 1, 1))
    assembly.box((0, 1.5, 0), (1, 1, 1))
    points, _, _ = sample(assembly.solid(), generator(5), 5000)
    middle = np.abs(points[:, 1] - 1) < 1e-3
    assert np.all(np.abs(points[middle][:, [0, 2]]).max(axis=1) > 0.499)


def test_carving_replaces_surface_by_that_of_the_carver():
    assembly = Assembly()
    assembly.box((0, 0, 0), (2, 2, 2))
    assembly.ball((0, 1, 0), 0.5, part=1, carve=True)
    assembly.box((1.5, 0, 0), (1, 0.2, 0.2), part=2, group=1)
    points, normals, parts = sample(assembly.solid(), generator(6), 20000)
    distance = np.linalg.norm(points - (0, 1, 0), axis=1)
    assert distance.min() > 0.5 - 2e-3
    hollow = parts == 1
    np.testing.assert_allclose(distance[hollow], 0.5, atol=1e-4)
    inward = np.einsum('ij,ij->i', normals[hollow], points[hollow] - (0, 1, 0))
    np.testing.assert_allclose(inward, -0.5, atol=1e-4)
    bowl, cube = 2 * math.pi * 0.25, 24 - math.pi * 0.25 - 0.04
    rod = 4 * 0.2 + 0.04
    np.testing.assert_allclose(hollow.mean(), bowl / (bowl + cube + rod), atol=0.006)
    np.testing.assert_allclose((parts == 2).mean(), rod / (bowl + cube + rod), atol=0.006)


def test_carver_spares_other_groups():
    assembly = Assembly()
    assembly.box((0, 0, 0), (2, 2, 2), part=0)
    assembly.cone((0, -2, 0), (0, 2, 0), 0.5, part=1, carve=True)
    assembly.cone((0, -0.9, 0), (0, 0.9, 0), 0.2, part=2, group=1)
    points, _, parts = sample(assembly.solid(), generator(7), 4000)
    assert np.hypot(points[:, 0], points[:, 2])[parts == 2].max() < 0.2001
    assert np.hypot(points[:, 0], points[:, 2])[parts != 2].min() > 0.498


def test_a_solid_carved_away_is_an_error():
    assembly = Assembly()
    assembly.ball((0, 0, 0), 0.5)
    assembly.box((0, 0, 0), (2, 2, 2), carve=True)
    with pytest.raises(ValueError, match='carvers'):
        sample(assembly.solid(), generator(8), 64)


WARPS = {
    'bend': Bend(0.5, along=1, toward=0),
    'bend-z': Bend(-0.6, along=2, toward=1),
    'twist': Twist(1.2, axis=1),
    'twist-x': Twist(-0.9, axis=0),
    'relief': Relief.random(generator(9), 3, 0.08, 5.0),
}


@pytest.mark.parametrize('name', WARPS)
def test_warp_turns_normals_and_measures_stretch(name):
    points, normals, _ = sample(single('ball', (0.1, 0, 0), (0.8, 1.0, 0.6)), generator(10), 500)
    # float64, so that differences of nearby images say something.
    points, normals = points.astype(np.float64), normals.astype(np.float64)
    _, turned_normals, stretch = WARPS[name](points, normals)
    first = np.cross(normals, [0.3, -0.5, 0.8])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)

    def push(tangent, step=1e-5):
        ahead, behind = (WARPS[name](points + s * step * tangent, normals)[0] for s in (1, -1))
        return (ahead - behind) / (2 * step)

    cross = np.cross(push(first), push(second))
    area = np.linalg.norm(cross, axis=1)
    np.testing.assert_allclose(stretch, area, rtol=1e-3)
    np.testing.assert_allclose(turned_normals, cross / area[:, None], atol=1e-3)


def test_warped_points_are_uniform_by_area_on_the_warped_surface():
    # A bent slab: the inner face shrinks and the outer one grows by the same factor.
    solid = single('box', (0, 0, 0), (1.0, 2.0, 1.0))
    points, normals, _ = sample(solid, generator(11), 20000, [Bend(0.8)])
    radius = np.hypot(points[:, 0] - 1.25, points[:, 1])
    inner, outer = np.abs(radius - 0.75) < 1e-4, np.abs(radius - 1.75) < 1e-4
    np.testing.assert_allclose(outer.sum() / inner.sum(), 1.75 / 0.75, rtol=0.06)
    toward = np.einsum('ij,ij->i', normals[inner], np.array([1.25, 0, 0]) - points[inner] * (1, 1, 0))
    # All but those of the end faces that lie on an edge of the inner face.
    assert np.mean(np.abs(toward - 0.75) < 1e-3) > 0.99
