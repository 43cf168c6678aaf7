import base64
import re
from html.parser import HTMLParser

import pytest

from mmpt.visualization import Code, Curve, Curves, Picture, Section, Table, Text, write_report
from mmpt.visualization.svg import line_chart

EVIL = '<script>alert("x")</script> & <img src=x onerror=y>'
PNG = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
)
VOID = {'meta', 'img', 'br', 'line', 'polyline', 'circle'}


class Page(HTMLParser):
    """Tags in order, text by tag; raises where tags are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], {}
        self.feed(html)
        self.close()
        assert not self.open, f'never closed: {self.open}'

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text[self.open[-1] if self.open else ''] = self.text.get(self.open[-1] if self.open else '', '') + data


@pytest.fixture
def page(tmp_path):
    (tmp_path / 'picture.png').write_bytes(PNG)
    curves = {EVIL: Curve([0, 10, 20], [1.0, 0.5, 0.25]), 'plr': Curve([0, 10, 20], [0.1, 0.05, 0.01])}
    sections = [
        Section(EVIL, [Text(f'one\n\n{EVIL}'), Table(['a', EVIL], [[1, 0.5], [EVIL, None]], EVIL, strong=[0])]),
        Section('Curves', [Curves({EVIL: curves, 'empty': {}}), Picture(tmp_path / 'picture.png', EVIL, EVIL)]),
        Section('Commands', [Code(EVIL), Code(EVIL, EVIL)]),
    ]
    write_report(tmp_path / 'out' / 'report.html', EVIL, sections, summary=EVIL, facts={EVIL: EVIL})
    return (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')


def test_text_from_outside_is_only_ever_text(page):
    parsed = Page(page)
    assert 'script' not in parsed.tags
    assert parsed.tags.count('img') == 1
    assert not [name for _, name, _ in parsed.attributes if name.startswith('on')]
    for tag in ('h1', 'title', 'h2', 'p', 'td', 'th', 'caption', 'code', 'summary', 'dt', 'dd', 'figcaption', 'li'):
        assert EVIL in parsed.text[tag], f'{tag} lost text'


def test_nothing_is_fetched(page):
    assert not re.search(r'https?:|//[a-z]|url\(|@import|<link|<script', page)
    sources = [value for _, name, value in Page(page).attributes if name in ('src', 'href')]
    assert [source for source in sources if not source.startswith('#')] == [
        'data:image/png;base64,' + base64.b64encode(PNG).decode()
    ]


def test_structure_serves_phones_readers_and_both_colour_schemes(page):
    parsed = Page(page)
    assert page.startswith('<!DOCTYPE html>') and ('html', 'lang', 'en') in parsed.attributes
    assert parsed.tags.count('h1') == 1 and parsed.tags.count('section') == 3
    assert {'header', 'main', 'footer', 'nav', 'table', 'thead', 'caption', 'figure', 'svg'} <= set(parsed.tags)
    assert ('meta', 'name', 'viewport') in parsed.attributes
    assert 'prefers-color-scheme: dark' in page and 'max-width: 36rem' in page
    targets = {value for _, name, value in parsed.attributes if name == 'id'}
    assert {value[1:] for tag, name, value in parsed.attributes if tag == 'a' and name == 'href'} == targets
    assert ('img', 'alt', EVIL) in parsed.attributes
    undefined = set(re.findall(r'var\((--\w+)\)', page)) - set(re.findall(r'(--\w+):', page))
    assert not undefined


def test_numbers_in_tables():
    html = Table(['name', 'score', 'n'], [['x', 0.12345, 7], ['y', None, 8]]).html()
    assert '<td class="number">0.123</td>' in html and '<td class="number">–</td>' in html
    assert '<th scope="col" class="number">score</th>' in html and '<th scope="col">name</th>' in html
    with pytest.raises(ValueError, match='3 columns'):
        Table(['a', 'b', 'c'], [[1, 2]])


def test_only_pngs_are_embedded(tmp_path):
    (tmp_path / 'picture.png').write_text('<svg>')
    with pytest.raises(ValueError, match='not a PNG'):
        Picture(tmp_path / 'picture.png', 'x').html()


def test_a_failed_report_keeps_the_older_one(tmp_path):
    path = tmp_path / 'report.html'
    write_report(path, 'first', [])
    with pytest.raises(FileNotFoundError):
        write_report(path, 'second', [Section('x', [Picture(tmp_path / 'none.png', 'x')])])
    assert 'first' in path.read_text()


def _points(html):
    return [tuple(map(float, pair.split(','))) for pair in re.search('points="(.*?)"', html)[1].split()]


def test_a_chart_is_true_to_its_values():
    xy = _points(line_chart('t', {'a': Curve([0, 50, 100], [0.0, 0.5, 1.0])}))
    assert xy[1][0] == pytest.approx((xy[0][0] + xy[2][0]) / 2, abs=0.1)
    assert xy[1][1] == pytest.approx((xy[0][1] + xy[2][1]) / 2, abs=0.1)
    assert xy[0][1] > xy[2][1], 'larger values stand higher'
    # Equal ratios are equal distances on a logarithmic scale, which is taken for values that span decades.
    html = line_chart('t', {'a': Curve([0, 1, 2], [0.01, 0.1, 1.0])})
    xy = _points(html)
    assert xy[1][1] == pytest.approx((xy[0][1] + xy[2][1]) / 2, abs=0.1) and 'log scale' in html
    assert all(f'>{tick}</text>' in html for tick in ('0.01', '0.1', '1'))


@pytest.mark.parametrize('values', [[3.0], [0.0, 0.0], [-1.0, -1.0], [1e-9, 5e8], [float(v) for v in range(5000)]])
def test_charts_of_odd_values_stay_inside(values):
    html = line_chart('t', {'a': Curve(list(range(len(values))), values)})
    xy = _points(html)
    assert len(xy) <= 301 and all(0 <= x <= 400 and 0 <= y <= 220 for x, y in xy)
    assert 2 <= html.count('text-anchor="end"') <= 12
