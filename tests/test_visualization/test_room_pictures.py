"""Pictures of rooms: one sees in, wrong classes show where they are, boxes lie around what they hold."""

import numpy as np
import pytest

from mmpt.datasets.synthetic.rooms import FURNITURE, ROOM_CLASSES, make_room
from mmpt.visualization import BoxItem, RoomItem, draw_boxes, draw_rooms
from mmpt.visualization.style import figure_to_array


@pytest.fixture(scope='module')
def room():
    return make_room(0, 1, 4000)


def places(axis):
    """Of the points that a panel shows, and their colours."""
    (points,) = (c for c in axis.collections if type(c).__name__ == 'PathCollection')
    return np.asarray(points.get_offsets()), points.get_facecolors()[:, :3]


def test_a_wrong_class_shows_in_its_panel_alone(room):
    wrong = np.where(room.semantic == ROOM_CLASSES.index('floor'), 0, room.semantic)
    figures = [
        draw_rooms([RoomItem(room.points, room.colors, room.semantic, said, 'room 1')], ROOM_CLASSES)
        for said in (room.semantic, wrong)
    ]
    for panel in range(6):
        right, other = (places(figure.axes[panel])[1] for figure in figures)
        assert np.array_equal(right, other) == (panel % 3 < 2)
    assert figures[0].axes[5].get_xlabel() == '100 % of points agree'
    names = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert set(names) == {ROOM_CLASSES[label] for label in np.unique(room.semantic)}
    assert figure_to_array(figures[0]).std() > 5


def test_one_sees_in(room):
    def drawn(semantic):
        figure = draw_rooms([RoomItem(room.points, None, semantic, semantic)])
        return [len(np.unique(places(axis)[1], axis=0)) for axis in (figure.axes[1], figure.axes[4])]

    ceiling = np.where(room.points[:, 2] > room.points[:, 2].max() - 0.05, 1, 0)
    assert drawn(ceiling) == [1, 1]
    near = np.where((room.points[:, 0] > room.points[:, 0].max() - 0.01) | (room.points[:, 1] < 0.01), 1, 0)
    assert drawn(near) == [2, 1], 'from above, all four walls are lines'
    assert drawn(room.semantic)[1] > 3


def test_points_without_a_class_are_grey_and_do_not_count(room):
    semantic = np.where(room.points[:, 0] < 1, -1, room.semantic)
    figure = draw_rooms([RoomItem(room.points, room.colors, semantic, room.semantic)], ROOM_CLASSES)
    assert figure.axes[5].get_xlabel() == '100 % of points agree'
    assert 'none' in [text.get_text() for text in figure.legends[0].get_texts()]


def test_boxes_lie_around_their_points(room):
    scores = np.eye(10, dtype=np.float32)[room.box_labels] * 0.9
    scores[-1] /= 2
    figure = draw_boxes([BoxItem(room.points, room.boxes, room.box_labels, room.boxes, scores)], tuple(FURNITURE))
    truth, said, both = (
        [np.concatenate(c.get_segments()) for c in axis.collections if type(c).__name__ == 'LineCollection']
        for axis in figure.axes
    )
    count = len(room.boxes)
    assert (len(truth), len(said), len(both)) == (count, count - 1, 2 * count - 1)
    assert figure.axes[1].get_xlabel() == f'{count - 1} with a score of 0.5 or more'
    # From above, a drawn box of 12 edges has the corners of the footprint, in the scale of the drawn points.
    shown, _ = places(figure.axes[0])
    scale = np.ptp(room.points[:, :2], axis=0).max() / np.ptp(shown, axis=0).max()
    for lines, box in zip(truth, room.boxes):
        cos, sin = abs(np.cos(box[6])), abs(np.sin(box[6]))
        size = np.array([cos * box[3] + sin * box[4], sin * box[3] + cos * box[4]])
        np.testing.assert_allclose(np.ptp(lines, axis=0) * scale, size, rtol=0.02)
        middle = (lines.min(0) + lines.max(0)) / 2 - shown.min(0)
        np.testing.assert_allclose(middle * scale, box[:2] - room.points[:, :2].min(0), atol=0.1)


def test_a_scene_without_boxes_and_a_model_that_finds_none_are_drawn(room):
    none = np.zeros((0, 7), np.float32)
    figure = draw_boxes([BoxItem(room.points, none, np.zeros(0, int), none, np.zeros((0, 10), np.float32))])
    assert figure.axes[0].get_xlabel() == '0 boxes' and figure_to_array(figure).std() > 5


def test_nothing_to_draw_says_so():
    for draw in (draw_rooms, draw_boxes):
        with pytest.raises(ValueError, match='at least one'):
            draw([])
