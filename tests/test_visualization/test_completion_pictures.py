"""Pictures of completion: what was given stands out from what a model added, the truth is drawn as it is."""

import numpy as np
import pytest

from mmpt.visualization import CompletionItem, draw_completion
from mmpt.visualization.style import figure_to_array


def panels(predicted):
    rng = np.random.default_rng(0)
    complete = rng.normal(size=(300, 3)).astype(np.float32)
    partial = complete[:100]
    image = figure_to_array(draw_completion([CompletionItem(partial, predicted(partial, complete), complete, 'chair')]))
    image, third = image.astype(int)[image.shape[0] // 5 : -image.shape[0] // 8], image.shape[1] // 3
    return [image[:, number * third : (number + 1) * third] for number in range(3)]


def orange(image):
    return int(((image[..., 0] - image[..., 2] > 100) & (image[..., 1] < 190)).sum())


def test_what_is_added_shows_in_its_own_colour():
    copied, added = panels(lambda partial, complete: partial), panels(lambda partial, complete: complete)
    assert np.array_equal(copied[0], added[0]) and np.array_equal(copied[2], added[2])
    assert orange(copied[1]) == 0 and orange(added[1]) > 200
    assert orange(added[0]) == orange(added[2]) == 0


def test_nothing_to_draw_says_so():
    with pytest.raises(ValueError, match='at least one shape'):
        draw_completion([])
