"""Pages in a headless Chromium: what they ask for, whether their scripts run, how they fit, and how clouds turn."""

import os
from pathlib import Path

import numpy as np
import pytest
from _browser import CHROMIUM, Browser

from mmpt.visualization import (
    Beside,
    CloudPanel,
    CloudRow,
    Clouds3D,
    Code,
    Curve,
    Curves,
    IntervalRow,
    Intervals,
    LevelChart,
    LevelLine,
    Levels,
    Part,
    Scatter,
    Section,
    Table,
    Text,
    write_report,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='no Chromium: apt-get install chromium')
WIDE, PHONE = 1280, 390


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp('chromium')) as browser:
        yield browser


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """A page with one of each block, two rows of clouds."""
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-1, 1, (300, 3)) * [1, 0.6, 0.3]
    picture = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    rows = [
        CloudRow('one', [CloudPanel('a', [(cloud, 'input')]), CloudPanel('b', [(cloud[:150], 'visible')])]),
        CloudRow(
            'other', [CloudPanel('p', picture=picture), CloudPanel('c', [(cloud, 'context')], mark='class')], True
        ),
    ]
    wide = Table([f'column {i}' for i in range(30)], [list(range(30))])
    scatter = Scatter(
        'map', rng.normal(size=(40, 2)), np.arange(40) % 12, [f'class {i}' for i in range(12)], ['x'] * 40
    )
    intervals = Intervals('svm', [IntervalRow('a row', 0.8, [0.79, 0.81], 0.78, 0.82)], (0.7, 0.71, 0.72))
    levels = Levels({'noise': LevelChart(['a', 'b'], {'x': LevelLine([0.5, 0.4], [0.4, 0.3], [0.6, 0.5])})})
    blocks = [Clouds3D(rows), Beside([intervals, scatter]), levels, wide, Part('more', [Code('x' * 300)], folded=True)]
    path = tmp_path_factory.mktemp('page') / 'report.html'
    curves = Curves({'loss': {'a': Curve([0, 1, 2], [3.0, 2.0, 1.0])}})
    write_report(path, 'A page', [Section('All', [Text('text'), *blocks]), Section('Curves', [curves])])
    return path


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [WIDE, PHONE])
def test_a_page_asks_for_nothing_fails_nowhere_and_fits(browser, report, tmp_path, width, scheme):
    page = browser.open(report, width, scheme=scheme)
    assert page.requests() == [] and page.failures() == [] and page.overflow() <= 0
    assert all(share > 0.01 for share in page.ink()) and len(page.ink()) == 3
    kept = Path(os.environ.get('MMPT_KEEP_SCREENSHOTS', tmp_path)) / f'blocks_{width}_{scheme}.png'
    page.screenshot(kept)
    assert kept.read_bytes().startswith(b'\x89PNG')


def test_a_row_turns_together_and_alone_and_back(browser, report):
    page = browser.open(report, WIDE)
    start = page.frames()
    page.drag('canvas', 90, 20)
    turned = page.frames()
    assert turned[0] != start[0] and turned[1] != start[1] and turned[2] == start[2]
    page.double_click('canvas')
    assert page.frames() == start
    page.value('document.querySelector("[data-clouds]").focus()')
    page.key('ArrowLeft')
    by_key = page.frames()
    assert by_key[:2] != start[:2] and by_key[2] == start[2]
    page.key('ArrowRight')
    assert page.frames() == start
    page.key('ArrowUp')
    page.key('Home')
    assert page.frames() == start


def test_a_finger_turns_sideways_and_scrolls_up_and_down(browser, report):
    page = browser.open(report, PHONE)
    start = page.frames()
    page.swipe('canvas', 80)
    assert page.frames()[:2] != start[:2]
    before, frames = page.value('scrollY'), page.frames()
    page.swipe('canvas', 0, -300)
    assert page.value('scrollY') > before and page.frames() == frames


def test_colours_follow_the_scheme_and_nothing_moves_by_itself(browser, report):
    page = browser.open(report, WIDE, scheme='light')
    light = page.frames()
    page.value('new Promise((done) => setTimeout(done, 300))')
    assert page.frames() == light
    page.scheme('dark')
    page.settle()
    assert page.frames() == browser.open(report, WIDE, scheme='dark').frames() != light


def test_without_scripts_the_page_says_what_is_missing(browser, report):
    seen = '[...document.querySelectorAll("noscript")].map((part) => part.innerText).join()'
    without = browser.open(report, WIDE, scripts=False)
    assert 'JavaScript' in without.value(seen) and max(without.ink()) == 0
    assert without.failures() == [] and without.value('document.querySelector("noscript").offsetHeight') > 10
    assert browser.open(report, WIDE).value('document.querySelector("noscript").offsetHeight') == 0


class _Block:
    """HTML and a script of one's own."""

    def __init__(self, html='', script=''):
        self._html, self.script = html, script

    def html(self):
        return self._html


@pytest.mark.parametrize(
    ('html', 'script', 'asks', 'fails'),
    [
        ('<img src="http://127.0.0.1:9/x.png">', '', True, True),
        ('<link rel="stylesheet" href="http://127.0.0.1:9/x.css">', '', True, True),
        ('', 'fetch("http://127.0.0.1:9/x").catch(() => {})', True, True),
        ('', 'try { new WebSocket("ws://127.0.0.1:9/x") } catch { }', True, True),
        ('', 'throw new Error("thrown")', False, True),
        ('', 'Promise.reject(new Error("rejected"))', False, True),
        ('<p>quiet</p>', 'document.title = "changed"', False, False),
    ],
)
@pytest.mark.parametrize('policy', [True, False])
def test_the_checks_catch_pages_that_ask_or_fail(browser, tmp_path, html, script, asks, fails, policy):
    """By the policy of the page, which refuses, and without it, when the network would have been asked."""
    path = tmp_path / 'page.html'
    write_report(path, 'x', [Section('x', [_Block(html, script)])])
    if not policy:
        text = path.read_text()
        path.write_text(text.replace('http-equiv="Content-Security-Policy"', 'name="none"'))
    page = browser.open(path)
    page.value('new Promise((done) => setTimeout(done, 200))')
    assert bool(page.requests()) == asks and bool(page.failures()) == fails, (page.requests(), page.failures())


def test_the_check_of_the_width_catches_a_page_that_is_too_wide(browser, tmp_path):
    path = tmp_path / 'page.html'
    write_report(path, 'x', [Section('x', [_Block('<div style="width:500px">wide</div>')])])
    assert browser.open(path, PHONE).overflow() > 50 and browser.open(path, WIDE).overflow() <= 0
