"""The joint space of clouds and pictures, as the shipped configs of three methods have it."""

import copy
import runpy
from types import SimpleNamespace

import pytest
import torch
from _small import ROOT, small_config
from mmengine.registry import DefaultScope

from mmpt.evaluation import RetrievalProtocol, embed_pairs, score_pairs
from mmpt.models.layers import pool_tokens
from mmpt.registry import MODELS

METHODS = ('mmpt/quickstart_pretrain', 'crosspoint/laptop_synthetic', 'cross_bert/laptop_synthetic')


def build(name, folder):
    cfg = small_config(f'configs/{name}.py', folder, lambda config: SimpleNamespace(work_dir=folder))
    with DefaultScope.overwrite_default_scope('mmpt'):
        return MODELS.build(copy.deepcopy(cfg.model)).eval()


def batch(model, has_image=(True, False, True, True)):
    torch.manual_seed(0)
    inputs = {
        'points': list(torch.randn(4, 128, 3)),
        'images': list(torch.randint(0, 255, (4, 1, 3, 32, 32), dtype=torch.uint8)),
        'has_image': [torch.tensor([present]) for present in has_image],
    }
    return model.data_preprocessor({'inputs': inputs, 'data_samples': None})['inputs']


@pytest.mark.parametrize('name', METHODS)
def test_clouds_and_pictures_get_embeddings_of_one_width(name, tmp_path):
    model = build(name, tmp_path)
    inputs = batch(model)
    embedded = model.embed(inputs)
    assert embedded['points'].shape == (4, 8) and embedded['images'].shape == (3, 8)
    # Those that training contrasts: projections of the pooled tokens and of the picture's feature.
    head = next(head for head in model.heads.values() if head.joint_space)
    projector, image_projector = (
        (head.projector, head.image_projector)
        if hasattr(head, 'projector')
        else (head.projectors['points'], head.projectors['image'])
    )
    tokens = model.encoder(inputs['points'])
    torch.testing.assert_close(embedded['points'], projector(pool_tokens(tokens, head.pooling)))
    pictures = model.image_encoder(inputs['images'][[0, 2, 3], 0])
    torch.testing.assert_close(embedded['images'], image_projector(pictures))
    # Each sample on its own, and clouds without any picture.
    alone = model.embed({'points': inputs['points'][2:3]})
    assert set(alone) == {'points'}
    torch.testing.assert_close(alone['points'][0], embedded['points'][2], atol=1e-5, rtol=1e-5)


def test_a_method_without_pictures_says_so(tmp_path):
    model = build('point_mae/laptop_synthetic', tmp_path)
    with pytest.raises(ValueError, match='None of the heads plr has a joint space.*MMPT, CrossPoint or Cross-BERT'):
        model.embed(batch(model))


def test_pairs_of_shapenet_are_those_that_have_a_picture(workplace, tmp_path, monkeypatch):
    monkeypatch.chdir(workplace)
    pairs_of = runpy.run_path(str(ROOT / 'tools' / 'retrieval.py'))['Pairs']
    config = str(ROOT / 'configs' / '_base_' / 'datasets' / 'pairs_shapenet.py')
    options = {'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False}
    pairs = pairs_of(config, options, 4)
    data = embed_pairs(build(METHODS[0], tmp_path), pairs.batches())
    # Every third shape of the tree has no picture, in each of the two lists.
    assert data.rows.tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    assert data.splits.tolist() == ['train'] * 6 + ['test'] * 2 and len(set(data.labels)) == 2
    scores = score_pairs(data._replace(labels=None), RetrievalProtocol()).scores
    assert set(scores) == {f'{way}/R@{k}' for way in ('image to shape', 'shape to image') for k in (1, 5, 10)}
