"""Metafiles, model-index.yml and docs/models.md: up to date with the configs, every one of which builds."""

import pytest
import yaml
from _scripts import load_script
from _small import CONFIGS, ROOT

from mmpt import get_model
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/misc/metafiles.py')


@pytest.fixture(scope='module')
def made(tool):
    """What the files should hold; building every config at full size takes most of the time."""
    return tool.make_files()


@pytest.fixture(scope='module')
def models(made):
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return [row for path in index['Import'] for row in yaml.safe_load((ROOT / path).read_text())['Models']]


def test_they_are_up_to_date(made):
    old = [str(path.relative_to(ROOT)) for path, text in made.items() if not path.is_file() or path.read_text() != text]
    assert not old, f'{old}: run `python tools/misc/metafiles.py --write`'


def test_they_list_every_config_once_and_nothing_else(models):
    listed = [row['Config'] for row in models]
    assert sorted(listed) == sorted(CONFIGS) and len({row['Name'] for row in models}) == len(models)


def test_no_weights_and_no_results_that_are_not_there(models):
    assert not any({'Weights', 'Results'} & set(row) for row in models)


def test_parameters_are_those_of_the_model(models):
    row = next(row for row in models if row['Name'] == 'point_mae/laptop_synthetic')
    model = get_model(row['Name'])
    assert row['Metadata']['Parameters']['trained'] == sum(p.numel() for p in model.parameters())
    assert row['Metadata']['Parameters']['encoder'] == sum(p.numel() for p in model.encoder.parameters())
    frozen = next(row for row in models if row['Name'] == 'mmpt/quickstart_pretrain')['Metadata']['Parameters']
    assert frozen['frozen'] == sum(p.numel() for p in get_model('mmpt/quickstart_pretrain').tokenizer.parameters())


def test_a_changed_config_has_another_hash(tool, models, tmp_path):
    row = next(row for row in models if row['Name'] == 'point_mae/laptop_synthetic')
    config = ROOT / row['Config']
    assert tool.config_digest(load_config(config)) == row['Config SHA256']
    assert tool.config_digest(load_config(config, {'optim_wrapper.optimizer.lr': 2e-3})) != row['Config SHA256']
    # Comments and the way it is written do not count.
    child = tmp_path / 'child.py'
    child.write_text(f"# the same\n_base_ = '{config}'\n")
    assert tool.config_digest(load_config(child)) == row['Config SHA256']


def test_parts_that_no_head_reads_are_not_listed(models):
    kinds = {row['Name']: row['Metadata']['Architecture'] for row in models}
    assert 'TimmImageEncoder' in kinds['mmpt_ablation/mcl_cross']
    assert not {'TimmImageEncoder', 'PointReconstructionHead'} & set(kinds['mmpt_ablation/tlr'])


def test_a_method_without_a_paper_is_named(tool, monkeypatch):
    monkeypatch.setattr(tool, 'list_models', lambda *_: ['mmpt/a', 'newest/b'])
    with pytest.raises(ConfigError, match='configs/newest has no entry in METHODS'):
        tool.folders()


def test_layers_are_initialised_again_after_counting(tool):
    import torch

    with tool._uninitialised():
        pass
    weight = torch.full((4, 4), 7.0)
    assert not torch.equal(torch.nn.init.normal_(weight.clone()), weight)
