"""Blocks of a report: what they draw is where the values say, and what cannot be drawn is refused."""

import base64
import re

import numpy as np
import pytest

from mmpt.visualization import (
    Beside,
    CloudPanel,
    CloudRow,
    Clouds3D,
    Code,
    IntervalRow,
    Intervals,
    LevelChart,
    LevelLine,
    Levels,
    Part,
    ReconstructionItem,
    RetrievalRow,
    Scatter,
    Section,
    Table,
    Text,
    reconstruction_row,
    retrieval_row,
    write_report,
)


def _unpack(html):
    """Coordinates of every canvas, (N, 3) in the ball of its row."""
    packed = re.findall('data-points="(.*?)"', html)
    return [np.frombuffer(base64.b64decode(text), '<i2').reshape(-1, 3) / 32767 for text in packed]


def test_coordinates_come_back_in_the_frame_of_the_first_cloud():
    points = np.random.default_rng(0).normal(size=(200, 3)) * [3, 1, 1] + 7
    html = Clouds3D(
        [CloudRow('r', [CloudPanel('a', [(points, 'input')]), CloudPanel('b', [(points[:9], 'visible')])])]
    ).html()
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(points - middle, axis=1).max()
    whole, part = _unpack(html)
    np.testing.assert_allclose(whole * radius + middle, points, atol=radius / 32767)
    np.testing.assert_allclose(part, whole[:9])
    assert 'data-parts="input:200"' in html and 'data-parts="visible:9"' in html
    # Alone, a panel fills its own frame; a point far outside the frame is moved to its edge, in its direction.
    alone = Clouds3D(
        [CloudRow('r', [CloudPanel('a', [(points, 'input')]), CloudPanel('b', [(points[:9], 'visible')])], True)]
    )
    assert np.linalg.norm(_unpack(alone.html())[1], axis=1).max() == pytest.approx(1, abs=1e-4)
    far = CloudRow('r', [CloudPanel('a', [(points, 'input')]), CloudPanel('b', [(middle + [[90, 0, 0]], 'visible')])])
    np.testing.assert_allclose(_unpack(Clouds3D([far]).html())[1], [[1, 0, 0]], atol=1e-4)


def test_a_reconstruction_has_three_panels_and_marks_what_was_copied():
    rng = np.random.default_rng(0)
    item = ReconstructionItem(rng.normal(size=(50, 3)), rng.normal(size=(2, 8, 3)), rng.normal(size=(3, 8, 3)), 'chair')
    html = Clouds3D([reconstruction_row(item)]).html()
    assert re.findall('data-parts="(.*?)"', html) == ['input:50', 'visible:16', 'context:16 reconstructed:24']
    assert 'visible, 2 of 5 patches' in html and 'chair' in html


def test_hits_carry_their_marks_in_words_and_pictures_are_pngs():
    cloud, picture = np.zeros((4, 3)), np.zeros((5, 6, 3), np.uint8)
    row = RetrievalRow('image to shape', picture, '<b>', [cloud] * 3, ['x', 'y', 'z'], ['own', 'class', 'other'])
    html = Clouds3D([retrieval_row(row)]).html()
    assert html.count('<canvas') == 3 and html.count('src="data:image/png;base64,iVBOR') == 1
    assert re.findall('<figure class="(.*?)" title="(.*?)">', html) == [
        *(('own', 'its own'), ('class', 'of its class'), ('other', 'of another class'))
    ]
    assert 'query: &lt;b&gt;' in html and '<b></' not in html


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match='at least one row'):
        Clouds3D([])
    with pytest.raises(ValueError, match='input, visible, reconstructed, context, not red'):
        Clouds3D([CloudRow('r', [CloudPanel('a', [(np.zeros((1, 3)), 'red')])])])
    with pytest.raises(ValueError, match='at least one row'):
        Intervals('x', [])
    with pytest.raises(ValueError, match='at least one chart'):
        Levels({})
    with pytest.raises(ValueError, match='noise, x: 2 levels'):
        Levels({'noise': LevelChart(['a', 'b'], {'x': LevelLine([1.0])})})


def test_dots_and_ends_of_intervals_stand_on_one_scale_with_the_band():
    rows = [IntervalRow('low', 0.2, [0.1, 0.3], 0.15, 0.25), IntervalRow('high', 0.6)]
    html = Intervals('svm', rows, (0.3, 0.4, 0.5), 'untrained').html()
    circles = {float(r): [] for r in re.findall('<circle cx=".*?" cy=".*?" r="(.*?)"', html)}
    for x, r in re.findall('<circle cx="(.*?)" cy=".*?" r="(.*?)"', html):
        circles[float(r)].append(float(x))
    (low, high), seeds = circles[4.6], circles[2.2]
    scale = (high - low) / 0.4
    assert np.mean(seeds) == pytest.approx(low, abs=0.2) and seeds[1] - seeds[0] == pytest.approx(0.2 * scale, abs=0.2)
    left, right = map(float, re.search(r'M([\d.]+) [\d.]+H([\d.]+)"', html).groups())
    assert right - left == pytest.approx(0.1 * scale, abs=0.2) and (left + right) / 2 == pytest.approx(low, abs=0.2)
    x, width = map(float, re.search('class="band" x="(.*?)" y=".*?" width="(.*?)"', html).groups())
    assert x == pytest.approx(low + 0.1 * scale, abs=0.2) and width == pytest.approx(0.2 * scale, abs=0.2)
    assert 'low: 0.200, interval 0.150 to 0.250, seeds 0.100, 0.300' in html


def test_charts_of_levels_share_one_scale():
    one, other = LevelLine([0.9, 0.5], [0.8, 0.4], [1.0, 0.6]), LevelLine([0.5, 0.1])
    html = Levels({'a': LevelChart(['x', 'y'], {'n': one}), 'b': LevelChart(['p', 'q'], {'m': other})}).html()
    first, second = re.findall('polyline points="(.*?)"', html)
    heights = [[float(pair.split(',')[1]) for pair in line.split()] for line in (first, second)]
    assert heights[0][1] == heights[1][0], 'equal values of two charts stand equally high'
    assert heights[0][0] < heights[0][1] < heights[1][1]
    assert html.count('class="spread"') == 1 and 'n, y: 0.500 (0.400 to 0.600)' in html


def test_names_of_classes_do_not_cover_each_other_and_signs_tell_equal_colours_apart():
    places = np.random.default_rng(0).normal(size=(60, 2)) * 0.05
    html = Scatter('t', places, np.arange(60) % 20, [f'class {i}' for i in range(20)], ['id'] * 60).html()
    named = [(float(x), float(y)) for x, y in re.findall('<text x="(.*?)" y="(.*?)"', html)]
    assert len(named) == 20
    for i, (x, y) in enumerate(named):
        assert all(abs(x - a) > 55 or abs(y - b) >= 13.9 for a, b in named[:i])
    signs = {color: set() for color in range(8)}
    for color, inside in re.findall(r'<g style="fill:var\(--s(\d)\)">(.*?)</g>', html):
        signs[int(color)].add(re.search(r'd="M[\d.]+ [\d.]+(.*?)"', inside)[1])
    assert [len(signs[color]) for color in range(8)] == [3] * 4 + [2] * 4


def test_a_page_carries_the_script_of_blocks_once_however_deep_they_are(tmp_path):
    clouds = Clouds3D([CloudRow('r', [CloudPanel('a', [(np.eye(3), 'input')])])])
    blocks = [clouds, Part('folded', [Beside([clouds, Text('t')])], folded=True), Part('open', [Code('c')])]
    write_report(tmp_path / 'page.html', 'x', [Section('s', blocks)])
    html = (tmp_path / 'page.html').read_text()
    assert html.count('<script>') == 1 and html.count('<canvas') == 2 and html.count('--cloud-input: #') == 2
    assert '<summary>folded</summary>' in html and '<h3>open</h3>' in html
    assert "script-src 'unsafe-inline'" in html
    write_report(tmp_path / 'plain.html', 'x', [Section('s', [Text('t')])])
    plain = (tmp_path / 'plain.html').read_text()
    assert '<script' not in plain and "script-src 'none'" in plain and '--cloud' not in plain


def test_columns_of_text_stand_right_where_they_are_asked_to():
    html = Table(['a', 'b'], [['x', '+1 [0, 2]']], right=[1]).html()
    assert '<td class="number">+1 [0, 2]</td>' in html and '<th scope="col" class="number">b</th>' in html
    assert '<td>x</td>' in html
