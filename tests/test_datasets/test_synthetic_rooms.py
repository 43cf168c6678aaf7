"""Generated rooms: real sizes, furniture on the floor that leaves gaps, labels that are those of the boxes."""

import pickle

import numpy as np
import pytest
from _s3dis import TEST_ROOMS, write_s3dis

from mmpt.datasets import S3DIS, SyntheticRooms, SyntheticShapes
from mmpt.datasets.synthetic.assembly import Assembly
from mmpt.datasets.synthetic.rooms import FURNITURE, ROOM_CLASSES, make_room
from mmpt.datasets.synthetic.sampler import surface_area
from mmpt.datasets.synthetic.seeds import generator, stream_seed

ROOMS = [make_room(stream_seed('train', 0), index, 6000) for index in range(40)]


def corners(box, count=40):
    """A grid over the footprint of a box (x, y)."""
    side = np.linspace(-0.5, 0.5, count)
    u, v = np.meshgrid(side * box[3], side * box[4])
    cos, sin = np.cos(box[6]), np.sin(box[6])
    return np.stack([cos * u - sin * v, sin * u + cos * v], -1).reshape(-1, 2) + box[:2]


def inside(points, box, margin=0.0):
    offset = points - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    own = np.stack([cos * offset[:, 0] + sin * offset[:, 1], cos * offset[:, 1] - sin * offset[:, 0], offset[:, 2]], -1)
    return (np.abs(own) <= box[3:6] / 2 + margin).all(axis=1)


def test_a_room_has_the_size_of_a_room_and_points_on_its_surfaces():
    for room in ROOMS:
        wall, floor, ceiling = (room.points[room.semantic == ROOM_CLASSES.index(name)] for name in ROOM_CLASSES[-3:])
        width, depth = floor[:, :2].max(0)
        height = ceiling[:, 2].mean()
        assert 2.9 < width <= 6 and 2.9 < depth <= 6 and 2.4 <= height <= 3
        assert (floor[:, 2] == 0).all() and np.ptp(ceiling[:, 2]) == 0
        far = wall[:, :2].max(axis=0)
        assert np.minimum(wall[:, :2], far - wall[:, :2]).min(axis=1).max() < 0.02
        assert room.points.min() > -0.03 and (room.points.max(0) < np.array([width, depth, height]) + 0.05).all()


def test_furniture_stands_on_the_floor_and_leaves_gaps():
    for room in ROOMS:
        assert 3 <= len(room.boxes) == len(room.box_labels) <= 8
        np.testing.assert_allclose(room.boxes[:, 2], room.boxes[:, 5] / 2, atol=1e-6)
        for number, box in enumerate(room.boxes):
            footprint = np.column_stack([corners(box), np.full(1600, box[2])])
            assert (footprint[:, :2] > 0).all() and (footprint[:, :2] < room.points[:, :2].max(0)).all()
            for other in np.delete(room.boxes, number, axis=0):
                assert not inside(footprint, other * [1, 1, 0, 1, 1, 0, 1] + [0, 0, box[2], 0, 0, 9, 0]).any()
    assert {name for room in ROOMS for name in room.box_labels} == set(range(len(FURNITURE)))


def test_labels_of_points_are_those_of_the_boxes():
    for room in ROOMS:
        for number, (box, label) in enumerate(zip(room.boxes, room.box_labels)):
            own = room.instance == number
            assert (room.semantic[own] == label).all()
            assert inside(room.points[own], box, 0.03).all()
            # Nothing else is in the box but what is behind or under the object.
            others = inside(room.points, box, -0.03) & ~own
            assert not others.any()
        structure = room.instance >= len(room.boxes)
        assert (room.semantic[structure] >= len(FURNITURE)).all() and room.instance.max() == len(room.boxes) + 5


def test_points_lie_by_area():
    box = Assembly()
    box.box((3.0, 1.0, 2.0), (1.0, 2.0, 3.0))
    assert surface_area(box.solid(), generator(0)) == pytest.approx(22.0, rel=1e-4)
    # A hole through the long way takes two faces of 0.25 and adds four of 1.
    box.box((3.0, 1.0, 2.0), (0.5, 2.2, 0.5), carve=True)
    assert surface_area(box.solid(), generator(0), 200000) == pytest.approx(22.0 - 0.5 + 4.0, rel=0.01)
    for room in ROOMS[:5]:
        floor, ceiling = ((room.semantic == ROOM_CLASSES.index(name)).sum() for name in ('floor', 'ceiling'))
        assert abs(floor - ceiling) < 4 * np.sqrt(floor + ceiling)


def test_a_room_is_a_function_of_seed_split_and_index():
    first = make_room(stream_seed('train', 0), 7, 6000)
    assert all(np.array_equal(a, b) for a, b in zip(first, ROOMS[7]))
    others = [make_room(stream_seed(split, seed), 7, 500) for split, seed in (('test', 0), ('train', 1))]
    shapes = [room.boxes.tobytes() for room in (*ROOMS, *others)]
    assert len(set(shapes)) == len(shapes)
    # More points are other points of the same room.
    np.testing.assert_array_equal(make_room(stream_seed('train', 0), 7, 500).boxes, first.boxes)


def test_the_data_set_gives_the_same_from_its_cache(tmp_path):
    plain = SyntheticRooms('test', size=3, num_points=700)
    cached = SyntheticRooms('test', size=3, num_points=700, cache_dir=str(tmp_path), cache_workers=1)
    cached[0]
    again = pickle.loads(pickle.dumps(cached))
    for index in range(3):
        one, other = plain.load_info(index), again.load_info(index)
        assert one.keys() == other.keys() and one['sample_id'] == f'room-test-0-{index:06d}'
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)
            assert not isinstance(value, np.ndarray) or value.dtype == other[key].dtype
    assert plain.metainfo['up_axis'] == 'z' and plain.metainfo['classes'] == ROOM_CLASSES
    assert plain.metainfo['box_classes'] == ROOM_CLASSES[: len(FURNITURE)]
    there = {label for index in range(3) for label in plain.load_info(index)['semantic'].tolist()}
    assert again.missing_classes() == tuple(name for label, name in enumerate(ROOM_CLASSES) if label not in there)
    assert again.missing_classes() and plain.missing_classes() == ()


def test_points_of_each_class_are_counted_once_a_scene(tmp_path):
    rooms = SyntheticRooms(size=4, num_points=500, indices=[1, 3])
    slow = [sum((rooms.load_info(index)['semantic'] == label).sum() for index in (1, 3)) for label in range(13)]
    assert rooms.class_counts().tolist() == slow and sum(slow) == 1000
    # Rooms that come several times an epoch, and two of these draws alone.
    write_s3dis(tmp_path, points=600)
    twice = S3DIS(str(tmp_path / 's3dis'), 'test', points_per_sample=200)
    assert len(twice) == 3 * len(TEST_ROOMS) and twice.class_counts().sum() == 600 * len(TEST_ROOMS)
    assert S3DIS(str(tmp_path / 's3dis'), 'test', points_per_sample=200, indices=2).class_counts().sum() == 600
    with pytest.raises(ValueError, match='no class for every point of composites-pretrain-0-000000'):
        SyntheticShapes(size=2, num_points=64).class_counts()
    (tmp_path / 's3dis' / f'{TEST_ROOMS[0]}.npy').write_bytes(b'cut off')
    assert S3DIS(str(tmp_path / 's3dis'), 'test', on_bad_sample='skip').class_counts().sum() == 600
    with pytest.raises(ValueError, match=TEST_ROOMS[0]):
        S3DIS(str(tmp_path / 's3dis'), 'test').class_counts()
