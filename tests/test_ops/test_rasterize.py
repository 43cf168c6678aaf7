import importlib
import math

import numpy as np
import pytest
import torch

from mmpt.ops import rasterize
from mmpt.ops._camera import camera_axes, focal_length
from mmpt.ops._splat import fill_holes, splat

MODULE = importlib.import_module('mmpt.ops.rasterize')
FOV = math.radians(45.0)


def sphere(num, radius=0.8):
    """Fibonacci lattice: even, without a random number. (1, N, 3) points and their unit normals."""
    turn = torch.arange(num, dtype=torch.float64)
    height = 1 - (2 * turn + 1) / num
    around = turn * math.pi * (3 - math.sqrt(5))
    ring = (1 - height.square()).sqrt()
    normal = torch.stack([ring * around.cos(), height, ring * around.sin()], dim=1).float()[None]
    return normal * radius, normal


def plane(num, normal, offset):
    """A square grid of side 2 through ``offset * normal``: (1, num^2, 3) points and normals."""
    normal = torch.nn.functional.normalize(torch.tensor(normal), dim=0)
    first = torch.nn.functional.normalize(torch.linalg.cross(normal, torch.tensor([0.3, 0.9, 0.1])), dim=0)
    second = torch.linalg.cross(normal, first)
    grid = torch.cartesian_prod(*[torch.linspace(-1, 1, num)] * 2)
    points = grid[:, :1] * first + grid[:, 1:] * second + offset * normal
    return points[None], normal.repeat(len(points), 1)[None]


def pixel_rays(size):
    """(H, W) slopes right and up of the rays through the pixel centres."""
    focal = focal_length(size, FOV)
    across = (torch.arange(size) + 0.5 - size / 2) / focal
    return across[None, :].expand(size, size), -across[:, None].expand(size, size)


def one_pixel(point, azimuth=0.0, elevation=0.0, size=33):
    """(row, column) of the only pixel in which a single point is drawn."""
    out = rasterize(torch.tensor([[point]]), None, azimuth, elevation, 3.0, size)
    where = (out.index[0, 0] == 0).nonzero()
    assert len(where) == 1
    return tuple((where[0] - size // 2).tolist())


def test_camera_convention():
    assert one_pixel((0.0, 0.0, 0.0)) == (0, 0)
    row, column = one_pixel((0.5, 0.0, 0.0))
    assert row == 0 and column > 0, '+x is to the right from azimuth 0'
    row, column = one_pixel((0.0, 0.5, 0.0))
    assert row < 0 and column == 0, '+y is up'
    row, column = one_pixel((0.0, 0.0, 0.5), azimuth=math.pi / 2)
    assert row == 0 and column < 0, 'from +x, +z is to the left'
    row, column = one_pixel((0.0, 0.0, 0.5), elevation=math.pi / 2)
    assert row > 0 and column == 0, 'from above, +z is down'
    row, column = one_pixel((0.0, 0.0, 0.5), elevation=math.pi / 4)
    assert row > 0 and column == 0, 'from above the front, +z is lower'


def test_pinhole_position_and_depth():
    size, distance, point = 64, 3.0, torch.tensor([0.4, -0.3, 0.5])
    out = rasterize(point[None, None], None, 0.0, 0.0, distance, size)
    depth = distance - 0.5
    focal = size / 2 / math.tan(FOV / 2)
    row, column = int(size / 2 + 0.3 / depth * focal), int(size / 2 + 0.4 / depth * focal)
    assert out.index[0, 0, row, column] == 0
    assert out.depth[0, 0, row, column].item() == pytest.approx(depth, abs=1e-6)


def test_axes_are_a_rotation(generator):
    angles = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    axes = camera_axes(angles[0], angles[1])
    torch.testing.assert_close(axes @ axes.transpose(1, 2), torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize(('azimuth', 'winner'), [(0.0, 1), (math.pi, 0), (math.pi / 2, 2)])
def test_nearest_point_wins(azimuth, winner):
    points = torch.tensor([[[0.0, 0, -0.5], [0.0, 0, 0.5], [0.6, 0, 0]]])
    out = rasterize(points, None, azimuth, 0.0, 3.0, 33, radius=2.0)
    assert out.index[0, 0, 16, 16] == winner


def test_coinciding_points_take_the_lowest_index():
    out = rasterize(torch.zeros(1, 5, 3), None, 0.0, 0.0, 3.0, 33)
    assert out.index.unique().tolist() == [-1, 0]


def test_depth_of_a_plane_that_faces_the_camera():
    points, normals = plane(40, (0.0, 0.0, 1.0), 0.2)
    out = rasterize(points, normals, 0.0, 0.0, 4.0, 32)
    inside = out.depth[0, 0, 8:24, 8:24]
    torch.testing.assert_close(inside, torch.full_like(inside, 3.8), rtol=1e-6, atol=1e-6)


def test_depth_of_a_tilted_plane_is_that_of_the_rays():
    normal = (0.5, 0.4, 1.0)
    points, normals = plane(30, normal, 0.1)
    # Either sign of the normal describes the same disc.
    normals[:, ::2] *= -2
    out = rasterize(points, normals, 0.0, 0.0, 4.0, 64)
    n = torch.nn.functional.normalize(torch.tensor(normal), dim=0)
    right, up = pixel_rays(64)
    expected = (4 * n[2] - 0.1) / (n[2] - n[0] * right - n[1] * up)
    middle = (slice(20, 44), slice(20, 44))
    assert (out.depth[0, 0][middle] - expected[middle]).abs().max() < 5e-3
    # With discs that face the camera the same plane is a staircase.
    coarse = rasterize(points, None, 0.0, 0.0, 4.0, 64)
    assert (coarse.depth[0, 0][middle] - expected[middle]).abs().max() > 1e-2


@pytest.mark.parametrize(('num', 'size'), [(1024, 64), (4096, 128)])
@pytest.mark.parametrize('with_normals', [True, False])
def test_sphere_outline_holes_and_depth(num, size, with_normals):
    radius, distance = 0.8, 2.6
    points, normals = sphere(num, radius)
    out = rasterize(points, normals if with_normals else None, 0.4, 0.3, distance, size)
    right, up = pixel_rays(size)
    off = (right.square() + up.square()).sqrt()
    limit = math.tan(math.asin(radius / distance))
    seen = out.depth[0, 0] > 0
    area = math.pi * (limit * focal_length(size, FOV)) ** 2
    growth = seen.sum().item() / area - 1
    # Discs in the tangent plane keep the outline; those that face the camera stick out by part of their radius.
    assert abs(growth) < 0.03 if with_normals else 0 < growth < 0.3
    pixel = 1 / focal_length(size, FOV)
    assert seen[off < limit - pixel].all()
    # Ray-sphere intersection, nearer solution, in depth along the axis.
    square = off.square() + 1
    root = (distance**2 - square * (distance**2 - radius**2)).clamp(min=0).sqrt()
    expected = (distance - root) / square
    inner = off < 0.8 * limit
    error = (out.depth[0, 0] - expected)[inner].abs()
    assert error.max() < (0.02 if with_normals else 0.08)


def test_random_points_leave_no_background_inside(generator):
    normals = torch.nn.functional.normalize(torch.randn(8, 1024, 3, generator=generator), dim=2)
    out = rasterize(normals * 0.8, normals, torch.linspace(0, 6, 8), 0.2, 2.6, 64)
    right, up = pixel_rays(64)
    inner = (right.square() + up.square()).sqrt() < 0.9 * math.tan(math.asin(0.8 / 2.6))
    depth = out.depth[:, 0, inner]
    assert (depth > 0).all()
    # What is seen through a gap in the front is the back of the sphere, beyond the origin.
    assert (depth > 2.6).float().mean() < 3e-3


def test_shapes_dtypes_and_background(clouds):
    azimuth = torch.tensor([[0.0, 1.0]]).expand(3, 2)
    out = rasterize(clouds * 0.1, clouds, azimuth, 0.3, 2.6, 20, background=(0.0, 0.5, 1.0))
    assert out.rgb.shape == (3, 2, 3, 20, 20) and out.rgb.dtype == torch.uint8
    assert out.depth.shape == (3, 2, 20, 20) and out.depth.dtype == torch.float32
    assert out.index.shape == (3, 2, 20, 20) and out.index.dtype == torch.int64
    empty = out.depth == 0
    assert empty.any() and not empty.all()
    assert (out.index[empty] == -1).all()
    colours = out.rgb.permute(0, 1, 3, 4, 2)[empty]
    assert (colours == torch.tensor([0, 128, 255])).all()


def test_lambert_shading_of_given_colours():
    points, normals = plane(40, (0.0, 0.0, 1.0), 0.0)
    colour = torch.tensor([1.0, 0.5, 0.0])
    for direction, brightness in (((0, 0, 1), 1.0), ((0, math.sqrt(3), 1), 0.5), ((1, 0, 0), 0.0)):
        out = rasterize(points, normals, 0.0, 0.0, 4.0, 32, colors=colour.expand_as(points), light=direction)
        expected = colour * (MODULE._AMBIENT + (1 - MODULE._AMBIENT) * brightness) * 255
        assert (out.rgb[0, 0, :, 16, 16] - expected).abs().max() <= 1


def test_the_sign_of_the_normals_does_not_matter():
    points, normals = sphere(512)
    expected = rasterize(points, normals, 0.4, 0.3, 2.6, 48)
    flipped = torch.where(torch.arange(512)[:, None] % 2 == 0, -3 * normals, normals)
    found = rasterize(points, flipped, 0.4, 0.3, 2.6, 48)
    assert torch.equal(found.index, expected.index)
    assert (found.rgb.int() - expected.rgb.int()).abs().max() <= 1


def test_without_normals_nearer_is_brighter():
    points = torch.tensor([[[-0.3, 0, 0.5], [0.3, 0, -0.5]]])
    out = rasterize(points, None, 0.0, 0.0, 3.0, 33, radius=2.0)
    near, far = (out.rgb[0, 0, :, (out.index[0, 0] == i)].float().mean() for i in (0, 1))
    assert near > 1.5 * far


def test_batch_and_views_equal_single_images(generator, monkeypatch):
    normals = torch.nn.functional.normalize(torch.randn(3, 300, 3, generator=generator), dim=2)
    points = normals * torch.tensor([0.4, 0.8, 1.0])[:, None, None]
    azimuth = torch.rand(3, 4, generator=generator) * 6
    together = rasterize(points, normals, azimuth, 0.2, torch.tensor([2.0, 2.6, 3.0]), 40)
    again = rasterize(points, normals, azimuth, 0.2, torch.tensor([2.0, 2.6, 3.0]), 40)
    monkeypatch.setattr(MODULE, '_POINTS', 700)
    pieces = rasterize(points, normals, azimuth, 0.2, torch.tensor([2.0, 2.6, 3.0]), 40)
    for name in together._fields:
        assert torch.equal(getattr(together, name), getattr(again, name))
        assert torch.equal(getattr(together, name), getattr(pieces, name))
    for b, distance in enumerate((2.0, 2.6, 3.0)):
        for v in range(4):
            single = rasterize(points[b : b + 1], normals[b : b + 1], float(azimuth[b, v]), 0.2, distance, 40)
            for name in together._fields:
                assert torch.equal(getattr(single, name)[0, 0], getattr(together, name)[b, v])


def test_order_of_the_points_does_not_matter(generator):
    normals = torch.nn.functional.normalize(torch.randn(1, 400, 3, generator=generator), dim=2)
    order = torch.randperm(400, generator=generator)
    first = rasterize(normals, normals, 0.3, 0.2, 2.6, 48, radius=3.0)
    second = rasterize(normals[:, order], normals[:, order], 0.3, 0.2, 2.6, 48, radius=3.0)
    assert torch.equal(first.rgb, second.rgb)
    assert torch.equal(first.depth, second.depth)


def test_autocast_and_dtype_change_nothing(clouds, bf16_autocast):
    with torch.autocast('cpu', enabled=False):
        expected = rasterize(clouds * 0.3, clouds, 0.3, 0.2, 2.6, 32)
    for cast in (torch.Tensor.float, torch.Tensor.double):
        found = rasterize(cast(clouds * 0.3), cast(clouds), 0.3, 0.2, 2.6, 32)
        assert torch.equal(found.rgb, expected.rgb)
        assert torch.equal(found.depth, expected.depth)


def test_points_behind_and_beside_the_camera_are_not_drawn():
    points = torch.tensor([[[0.0, 0, 5.0], [0.0, 0, 3.0], [50.0, 0, 0], [0.0, -50, 0], [0.0, 0, 2.999]]])
    out = rasterize(points, None, 0.0, 0.0, 3.0, 16)
    assert (out.index == -1).all() and (out.depth == 0).all() and (out.rgb == 255).all()


def test_edge_on_discs_stay_thin():
    """A plate seen along its plane is a line, not a fan of discs."""
    points, normals = plane(30, (0.0, 1.0, 0.0), 0.0)
    out = rasterize(points * 0.7, normals, 0.0, 0.0, 3.0, 64)
    assert (out.depth[0, 0] > 0).any(dim=1).sum() <= 4


def slow_splat(position, normal, size, focal, radius):
    """One image, one disc after the other, pixel by pixel, in float64: (size, size) index and depth.

    A disc is met by the ray of its own centre, moved to the pixel.
    """
    index, depth, best = (np.full((size, size), value) for value in (-1, np.inf, np.inf))
    for number, (right, up, far) in enumerate(position):
        ray = np.array([right / far, up / far, -1.0])  # right, up, back
        n = np.array([0.0, 0.0, 1.0]) if normal is None else normal[number]
        edge_on = 0.0 if normal is None else radius * (1 - abs(n @ ray) / np.linalg.norm(ray))
        for row in range(size):
            for column in range(size):
                dx = column + 0.5 - (size / 2 + ray[0] * focal)
                dy = row + 0.5 - (size / 2 - ray[1] * focal)
                beside = np.array([dx, -dy, 0.0]) * far / focal
                along = 0.0 if normal is None else -(n @ beside) / (n @ ray)
                off = ((beside + along * ray) ** 2).sum() / radius**2
                if off > 1 and max(abs(dx), abs(dy)) > 0.5:
                    continue
                along = min(max(along, -radius), radius)
                rank = far + edge_on + along + radius * min(off, 1)
                if rank < best[row, column]:
                    index[row, column], depth[row, column], best[row, column] = number, far + along, rank
    return index, depth


@pytest.mark.parametrize('with_normals', [False, True])
def test_equals_a_loop_over_discs_and_pixels(generator, with_normals):
    position = torch.rand(40, 3, generator=generator) * torch.tensor([1.6, 1.6, 0.8]) + torch.tensor([-0.8, -0.8, 2.0])
    normal = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator) + torch.tensor([0, 0, 2.0]), dim=1)
    given = normal if with_normals else None
    size, focal, radius = 24, 26.0, 0.18
    depth, index = splat(position[None], None if given is None else given[None], size, focal, torch.tensor([radius]))
    slow_index, slow_depth = slow_splat(
        position.double().numpy(), None if given is None else given.double().numpy(), size, focal, radius
    )
    same = index.view(size, size).numpy() == slow_index
    # Rounding may decide between two discs, or whether a rim is met, in a pixel or so.
    assert (~same).sum() <= 1 and (slow_index >= 0).sum() > 200 and len(np.unique(slow_index)) > 25
    seen = same & (slow_index >= 0)
    np.testing.assert_allclose(depth.view(size, size).numpy()[seen], slow_depth[seen], atol=1e-5)


def test_fill_holes():
    depth = torch.full((1, 20, 20), torch.inf)
    depth[0, 4:16, 4:16] = 1.0
    colour = torch.zeros(1, 20, 20, 3)
    colour[0, 4:16, 4:16] = 0.5
    whole, painted = depth.clone(), colour.clone()
    depth[0, 9:11, 8:11] = torch.inf  # background seen through a gap
    depth[0, 6, 6] = 3.0  # the back of the object seen through a gap
    colour[0, 9:11, 8:11] = 0.0
    colour[0, 6, 6] = 1.0
    filled, repainted = fill_holes(depth, colour, torch.tensor([0.1]), rounds=3)
    assert torch.equal(filled, whole)  # and the square has not grown
    torch.testing.assert_close(repainted, painted)
    untouched, _ = fill_holes(depth, colour, torch.tensor([2.5]), rounds=3)
    assert untouched[0, 6, 6] == 3.0  # not farther by the step


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'normals': torch.zeros(3, 4, 3)}, r'expected normals of shape \(3, 40, 3\) like the points'),
        ({'colors': torch.zeros(40, 3)}, 'expected colors of shape'),
        ({'size': 0}, 'expected size >= 1'),
        ({'radius': 0.0}, 'radius > 0'),
        ({'fov': 45.0}, 'pi'),
        ({'distance': torch.tensor([1.0, 0.0, 1.0])}, 'expected distance > 0'),
        ({'azimuth': torch.zeros(2)}, r'expected azimuth as a number, \(3,\) or \(3, V\)'),
        ({'azimuth': torch.zeros(3, 2), 'elevation': torch.zeros(3, 4)}, 'same number of views'),
        ({'points': torch.zeros(3, 0, 3)}, 'at least one cloud and one point'),
    ],
)
def test_errors(clouds, change, message):
    arguments = {'points': clouds, 'normals': None, 'azimuth': 0.0, 'elevation': 0.0, 'distance': 2.6, **change}
    with pytest.raises(ValueError, match=message):
        rasterize(**arguments)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_equals_cpu():
    points, normals = sphere(1024)
    expected = rasterize(points, normals, 0.4, 0.3, 2.6, 64)
    found = rasterize(points.cuda(), normals.cuda(), 0.4, 0.3, 2.6, 64)
    # The arithmetic before the z-buffer may round differently, so a pixel between two discs may change hands.
    assert (found.index.cpu() == expected.index).float().mean() > 0.995
