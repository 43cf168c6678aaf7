"""tools/benchmark.py between pictures and shapes: generated pairs, and ShapeNet's in the layout of its release."""

import json

import pytest
import torch
from _joint_model import ENCODER, MODEL
from _scripts import load_script
from _small import write_shapenet

from mmpt.apis import get_model
from mmpt.utils.errors import ConfigError

TITLES = ('image to shape R@5', 'shape to image R@5', 'class by pictures')


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The tool on a model with a joint space, in a folder of its own."""
    tool = load_script('tools/benchmark.py')
    (tmp_path / 'config.py').write_text(MODEL)
    torch.manual_seed(5)
    model = get_model(tmp_path / 'config.py')
    torch.save({'state_dict': model.state_dict(), 'meta': {'encoder_cfg': ENCODER}}, tmp_path / 'model.pth')
    monkeypatch.chdir(tmp_path)

    def run(*options):
        config = ['--config', str(tmp_path / 'config.py'), '--work-dir', str(tmp_path / 'out'), '--device', 'cpu']
        tool.main([str(tmp_path / 'model.pth'), *config, '--smoke', '--seeds', '0', *options])
        return json.loads((tmp_path / 'out' / 'report.json').read_text())

    return run


def test_pairs_are_measured_where_their_data_are(run, tmp_path):
    with pytest.raises(ConfigError, match='pairs-shapenet cannot be run: data/ShapeNet55-34 is not there'):
        run('--data', 'real', '--tasks', 'pairs-shapenet')
    write_shapenet(tmp_path / 'data', train=12, test=12)
    result = run('--data', 'both', '--tasks', 'pairs-generated', 'pairs-shapenet')
    assert result['failed'] == []
    rows = {(row['task'], row['score']): row for row in result['rows']}
    data = ('generated classes, with pictures', 'ShapeNet-55, with pictures')
    assert list(rows) == [(task, title) for task in data for title in TITLES]
    for row in rows.values():
        assert 0 <= row['random']['mean'] <= 1 and 0 <= row['checkpoint']['mean'] <= 1
        assert row['protocol'].startswith('cosine similarity of joint embeddings')
    # A hit more or less is an eighth of the eight test shapes with a picture, and 1/108 of the generated ones.
    for task, pairs in zip(data, (108, 8)):
        hits = rows[task, TITLES[0]]['checkpoint']['mean'] * pairs
        assert hits == pytest.approx(round(hits)) and hits >= 1
