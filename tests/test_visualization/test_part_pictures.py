"""Pictures of parts: true parts, predicted parts, and where they differ."""

import numpy as np
import pytest

from mmpt.visualization import PartItem, draw_parts
from mmpt.visualization.style import figure_to_array


def test_a_wrong_prediction_shows_and_a_right_one_does_not():
    points = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    parts = np.arange(300) % 11  # more parts than colours

    def picture(predicted):
        return figure_to_array(draw_parts([PartItem(points, parts, predicted, 'chair 1')])).astype(int)

    right, wrong = picture(parts), picture((parts + 1) % 11)
    third = right.shape[1] // 3
    below = slice(right.shape[0] // 5, None)  # under the titles
    assert np.array_equal(right[below, :third], wrong[below, :third])
    assert not np.array_equal(right[below, third : 2 * third], wrong[below, third : 2 * third])
    red = [int(((image[..., 0] > 180) & (image[..., 1] < 90))[below, 2 * third :].sum()) for image in (right, wrong)]
    assert red[0] == 0 and red[1] > 100


def test_nothing_to_draw_says_so():
    with pytest.raises(ValueError, match='at least one shape'):
        draw_parts([])
