"""Whole generated shapes: what they depend on, and that they are closed, normalised and complete."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

from mmpt.datasets.synthetic.categories import CATEGORIES, category_shape
from mmpt.datasets.synthetic.composites import free_composite
from mmpt.datasets.synthetic.seeds import SPLITS, Draws, generator, stream_seed


def digest(shapes):
    state = hashlib.sha256()
    for shape in shapes:
        for array in shape:
            if array is not None:
                state.update(array.tobytes())
    return state.hexdigest()


def some_shapes(order=1):
    shapes = [free_composite(5, i, 256) for i in range(12)[::order]]
    return shapes[::order], [category_shape(5, i, 2 * i, 256) for i in range(12)[::order]][::order]


def test_a_shape_is_a_function_of_seed_and_index_alone():
    composites, objects = some_shapes()
    backwards = some_shapes(-1)
    assert digest(composites) == digest(backwards[0])
    assert digest(objects) == digest(backwards[1])
    code = (
        'from tests.test_datasets.test_synthetic_streams import digest, some_shapes;'
        'np_state = __import__("numpy").random.seed(3); a, b = some_shapes(); print(digest(a), digest(b))'
    )
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert other.stdout.split() == [digest(composites), digest(objects)]
    assert len({digest([shape]) for shape in (*composites, *objects)}) == 24


def test_streams_of_splits_never_meet():
    seeds = {split: {stream_seed(split, seed) for seed in range(1000)} for split in SPLITS}
    for a, b in itertools.combinations(SPLITS, 2):
        assert not seeds[a] & seeds[b]
        # By construction, so for any seed however large.
        assert stream_seed(a, 10**9) % len(SPLITS) != stream_seed(b, 7) % len(SPLITS)
    assert all(len(found) == 1000 for found in seeds.values())
    with pytest.raises(ValueError, match='split'):
        stream_seed('val', 0)
    with pytest.raises(ValueError, match='negative'):
        stream_seed('train', -1)


def test_draws_cover_their_ranges():
    draws = Draws(generator(12), block=16)
    numbers = [draws.between(2, 5) for _ in range(400)]
    assert set(numbers) == {2, 3, 4, 5}
    normal = np.array([draws.normal(2.0) for _ in range(4000)])
    assert abs(normal.mean()) < 0.15
    assert abs(normal.std() - 2.0) < 0.1


def check(shape, count):
    assert shape.points.shape == shape.normals.shape == (count, 3)
    assert shape.points.dtype == shape.normals.dtype == np.float32
    assert np.isfinite(shape.points).all()
    assert np.abs(shape.points.mean(axis=0)).max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(shape.points, axis=1).max(), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-4)


def test_composites_are_closed_surfaces_seen_from_outside():
    for index in range(300):
        shape = free_composite(stream_seed('pretrain', 0), index, 512)
        assert shape.parts is None
        check(shape, 512)
        # Three times the volume over the area (divergence theorem): positive where normals point outwards. A thin plate
        # has so little of it that the draw of points may hide it.
        assert np.einsum('ij,ij->i', shape.points, shape.normals).mean() > -0.05


def test_there_are_enough_categories_with_two_to_six_parts():
    names = [category.name for category in CATEGORIES]
    assert len(set(names)) == len(names) >= 16
    for category in CATEGORIES:
        assert 2 <= len(set(category.part_names)) == len(category.part_names) <= 6


@pytest.mark.parametrize('category', range(len(CATEGORIES)), ids=[c.name for c in CATEGORIES])
def test_every_part_of_a_category_occurs(category):
    count, parts = 256, len(CATEGORIES[category].part_names)
    shapes_with = np.zeros(parts, int)
    volumes = []
    for index in range(200):
        shape = category_shape(stream_seed('train', 0), index, category, count)
        check(shape, count)
        assert shape.parts.shape == (count,)
        assert shape.parts.dtype == np.int64
        present = np.bincount(shape.parts, minlength=parts)
        assert len(present) == parts
        shapes_with += present > 0
        volumes.append(np.einsum('ij,ij->i', shape.points, shape.normals).mean())
    assert shapes_with.min() >= 8
    assert np.mean(volumes) > 0
