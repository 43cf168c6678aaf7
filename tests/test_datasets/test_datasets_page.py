"""The overview names every page, class and config there is, and nothing else."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

import mmpt.datasets
from mmpt.datasets.verification import KINDS
from mmpt.registry import TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / 'docs' / 'datasets'
OVERVIEW = (PAGES / 'README.md').read_text()
AUGMENTATIONS = (PAGES / 'augmentations.md').read_text()


def test_every_page_is_listed_and_every_link_leads_somewhere():
    links = set(re.findall(r'\]\(([^)]+)\)', OVERVIEW))
    assert {path.name for path in PAGES.glob('*.md')} - {'README.md'} <= links
    assert [link for link in links if not (PAGES / link).is_file()] == []


def test_every_class_is_listed():
    named = set(re.findall(r'^\| \[[^|]*\| `(\w+)` \|', OVERVIEW, re.MULTILINE))
    classes = {name for name in mmpt.datasets.__all__ if isinstance(getattr(mmpt.datasets, name), type)}
    assert named == classes - {'PointCloudDataset', 'ConcatDataset', 'SeveralDraws'}


# Pages of released data, each with the class that reads them; a folder of one's own has no source and no size.
RELEASES = dict(re.findall(r'^\| \[[^]]+\]\((\w+\.md)\) \| `(\w+)` \|', OVERVIEW, re.MULTILINE))
del RELEASES['folder.md']


@pytest.mark.parametrize('page', RELEASES)
def test_a_page_says_where_from_on_which_terms_what_and_how_much(page):
    text = (PAGES / page).read_text()
    assert re.search(r'\*\*Source|^## Where from|\| from \|', text, re.MULTILINE) and 'http' in text
    assert re.search(r'\*\*Terms|\| terms \|', text)
    assert re.search(r'^```\ndata/', text, re.MULTILINE), 'no tree of files'
    assert re.search(r'\*\*Size|\| size \|', text) and re.search(r'\d [KMGT]B\b', text)
    assert 'not checked |' not in text and 'not checked.' not in text.split('## ')[0]


@pytest.mark.parametrize(('page', 'name'), RELEASES.items())
def test_a_page_has_the_counts_that_its_class_expects(page, name):
    text = (PAGES / page).read_text()
    counts = set(getattr(getattr(mmpt.datasets, name), 'EXPECTED_COUNTS', {}).values())
    # Sums over a fold or a list of areas are not written out.
    if name not in ('ModelNetFewShot', 'S3DIS'):
        assert [count for count in counts if not re.search(rf'\b{count:,}\b', text)] == []
    assert counts or 'not known' in text


def test_every_config_is_listed():
    configs = {path.name for path in (ROOT / 'configs' / '_base_' / 'datasets').glob('*.py')}
    named = {name for name in re.findall(r'`(\w+\.py)`', OVERVIEW) if not name.startswith('verify_dataset')}
    assert named <= configs and configs - named <= {'quickstart.py'}


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_finding_is_explained(kind):
    assert f'`{kind}`' in OVERVIEW


def test_every_list_and_transform_of_the_recipes_exists():
    recipes = set(re.findall(r'`(\w+)`', AUGMENTATIONS.split('| list | recipe |')[1].split('\n\n')[0]))
    lists = set(Config.fromfile(ROOT / 'configs' / '_base_' / 'augmentations.py'))
    assert lists <= recipes
    table = AUGMENTATIONS.split('| transform | draws |')[1].split('\n\n')[0]
    names = re.findall(r'^\| `(\w+)', table, re.MULTILINE)
    assert len(names) > 7 and all(TRANSFORMS.get(name) is not None for name in names)
