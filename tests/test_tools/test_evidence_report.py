"""tools/benchmarks/evidence_report.py: what it says of the figures of a folder, what it shows of a checkpoint."""

import copy
import os
import re
import runpy
from pathlib import Path

import pytest
import torch
from _browser import CHROMIUM, Browser
from _evidence_folder import ROWS, UNTRAINED, write_folder

from mmpt.apis import get_model
from mmpt.datasets.synthetic.categories import CATEGORIES
from mmpt.utils.errors import run

ROOT = Path(__file__).resolve().parents[2]
# MMPT of the quick start; four shapes of each of three classes for training, two for the test, with pictures.
CONFIG = f"""
_base_ = {str(ROOT / 'configs' / 'mmpt' / 'quickstart_pretrain.py')!r}
pipeline = [dict(type='FirstPoints', num_points=128), dict(type='PackInputs', image_views=1, image_size=32)]
shapes = dict(type='SyntheticShapes', kind='categories', num_points=128, views=1, image_size=32, pipeline=pipeline)
chosen = {{n: [i for i in range(n * {len(CATEGORIES)}) if i % {len(CATEGORIES)} < 3] for n in (4, 2)}}
val_dataloader = dict(_delete_=True, dataset=dict(type='ConcatDataset', datasets=[
    dict(split='train', size=1, indices=chosen[4], **shapes),
    dict(split='test', size=1, indices=chosen[2], **shapes),
]))
"""


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / 'tools' / 'benchmarks' / 'evidence_report.py'))


@pytest.fixture(scope='module')
def figures(tool):
    return tool['figures']


@pytest.fixture(scope='module')
def evidence(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('evidence'))


@pytest.fixture(scope='module')
def page(tool, tmp_path_factory):
    """Everything, of a model that learned nothing."""
    folder = tmp_path_factory.mktemp('evidence')
    (folder / 'config.py').write_text(CONFIG)
    torch.manual_seed(0)
    torch.save({'state_dict': get_model(folder / 'config.py').state_dict(), 'meta': {}}, folder / 'model.pth')
    write_folder(folder, config=str(folder / 'config.py'))
    tool['main']([str(folder), '--smoke', '--pairs', str(folder / 'config.py')])
    return folder / 'report.html'


def _gain(evidence, low, high):
    """Evidence whose best single task lies so far from all tasks: an interval of all minus the single one."""
    changed = copy.deepcopy(evidence)
    for row in changed['rows']:
        for score in (score for scores in row['summary'].values() for score in scores.values()):
            score['minus_all'] = {'mean': -(low + high) / 2, 'low': -high, 'high': -low}
    return changed


def test_the_summary_is_computed_and_no_stronger_than_its_interval(figures, evidence):
    together = evidence['rows'][-1]['summary']['shapes_vox']
    told = figures.summary(evidence)
    assert f'{together["svm"]["mean"]:.3f} by linear SVM' in told and f'{together["knn"]["mean"]:.3f} by 1-NN' in told
    best = max(evidence['rows'][:4], key=lambda row: row['summary']['shapes_vox']['svm']['mean'])
    assert f'Of the tasks alone {best["title"]} is best' in told and told.count('. ') == 1
    assert 'are 2.0 points above it (1.0 to 3.0)' in figures.summary(_gain(evidence, 0.01, 0.03))
    assert 'are 2.0 points below it (1.0 to 3.0)' in figures.summary(_gain(evidence, -0.03, -0.01))
    unclear = figures.summary(_gain(evidence, -0.01, 0.03))
    assert 'are 1.0 points above it (\u22121.0 to 3.0, which holds zero' in unclear and 'do not tell' in unclear
    assert figures.summary({**evidence, 'smoke': True}).startswith('A smoke run, too short')


def test_a_summary_without_all_rows_compares_nothing_that_was_not_run(figures, evidence):
    single = {**evidence, 'rows': copy.deepcopy(evidence['rows'][:2])}
    for row in single['rows']:
        for score in (score for scores in row['summary'].values() for score in scores.values()):
            score['minus_all'] = None
    told = figures.summary(single)
    assert 'Of the tasks alone' not in told and 'TLR after' in told
    figures.tasks_section(single)


def test_every_row_of_a_table_names_its_runs_and_intervals_are_points(figures, evidence):
    table = figures._table(evidence, 'shapes_vox', 'svm')
    assert [row[0] for row in table.rows] == [*(title for _, title, _, _ in ROWS), 'untrained']
    for row, (name, *_) in zip(table.rows, ROWS):
        assert row[5].replace('\xa0', ' ') == f'runs/{name}, seeds 0 1 2'
    gain = evidence['rows'][0]['summary']['shapes_vox']['svm']['minus_control']
    assert table.rows[0][3].startswith(f'{100 * gain["mean"]:+.1f} [') and table.rows[-2][4] == '–'
    assert figures.points({'mean': -0.0212, 'low': -0.04, 'high': 0.001}) == '−2.1 [−4.0, +0.1]'


def test_curves_stand_beside_the_row_that_trains_on_the_same_part(figures, evidence, tmp_path):
    write_folder(tmp_path)
    section = figures.curves_section(evidence, tmp_path)
    losses = section.blocks[1].charts
    assert list(losses) == ['tlr: loss', 'plr: loss', 'mcl/intra: loss', 'mcl/cross: loss', 'gradient norms']
    assert list(losses['mcl/intra: loss']) == ['all three', 'MCL-intra alone']
    assert list(losses['tlr: loss']) == ['all three', 'TLR alone'] and list(losses['gradient norms']) == [
        *('tlr', 'plr', 'mcl')
    ]
    assert set(section.blocks[2].charts.popitem()[1]) == {'tlr/accuracy', 'mcl/intra_accuracy', 'mcl/cross_accuracy'}
    assert figures.curves_section(evidence, tmp_path / 'elsewhere') is None


def test_the_page_holds_everything(page):
    html = page.read_text()
    titles = re.findall('<h2>(.*?)</h2>', html)
    assert titles == [
        *('Which task helps', 'Reconstruction', 'Partial views', 'Map of features', 'Retrieval by pictures'),
        *('Fewer labels', 'Damaged shapes', 'Curves of the tasks', 'What the figures do not show'),
        'Commands and versions',
    ]
    assert html.count('data-clouds tabindex') == 1 + 1 + 4 and html.count('class="chart map"') == 2
    assert html.count('<script>') == 1 and 'without duplicates' in html
    for name in UNTRAINED:
        assert f'protocol cv of {name}' in html
    for name, *_ in ROWS:
        assert f'--work-dir runs/{name}/seed2' in html
    assert 'made up)' not in html, 'where mmpt lies'


@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium: apt-get install chromium')
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 390])
def test_the_page_works_in_a_browser(page, tmp_path, width, scheme):
    with Browser(tmp_path / 'chromium') as browser:
        shown = browser.open(page, width, scheme=scheme)
        assert shown.requests() == [] and shown.failures() == [] and shown.overflow() <= 0
        assert min(shown.ink()) > 0.01
        before = shown.frames()
        shown.drag('canvas', 60)
        assert shown.frames()[:3] != before[:3] and shown.frames()[3:] == before[3:]
        shown.screenshot(Path(os.environ.get('MMPT_KEEP_SCREENSHOTS', tmp_path)) / f'report_{width}_{scheme}.png')


def test_what_is_missing_is_said_with_the_command_that_makes_it(tool, tmp_path):
    write_folder(tmp_path)
    for name in ('evidence', 'label_efficiency'):
        (tmp_path / f'{name}.json').unlink()
    tool['main']([str(tmp_path), '--out', str(tmp_path / 'page.html')])
    html = (tmp_path / 'page.html').read_text()
    assert f'python tools/benchmarks/evidence.py --work-dir {tmp_path}' in html
    assert f'python tools/benchmarks/label_efficiency.py --checkpoint CHECKPOINT --out {tmp_path}' in html
    assert 'robustness.json in' not in html and 'Damaged shapes' in html and 'no figures of the tasks' in html


@pytest.mark.parametrize(
    ('files', 'options', 'said'),
    [
        ({}, [], 'holds none of evidence.json'),
        ({'evidence': None}, [], 'is no JSON'),
        ({}, ['--checkpoint', 'none.pth'], 'add --config'),
        ({}, ['--checkpoint', 'none.pth', '--config', 'mmpt/quickstart_pretrain'], 'There is no checkpoint none.pth'),
    ],
)
def test_bad_input_is_one_sentence(tool, tmp_path, capsys, files, options, said):
    for name in files:
        (tmp_path / f'{name}.json').write_text('{"half":')
    assert run(lambda: tool['main']([str(tmp_path), *options])) == 2
    told = capsys.readouterr().err
    assert said in told and told.count('\n') == 1
    assert not (tmp_path / 'report.html').exists()
