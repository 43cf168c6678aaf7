"""ShapeNet with pictures: ReCon's one for each shape, and the twelve renders of MVCNN, as they are released."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from _mvcnn import cloud, write_mvcnn
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import ShapeNetMVCNN, ShapeNetReCon
from mmpt.datasets.shapenet import SYNSETS
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]
PIPELINE = [
    {'type': 'LoadPoints'},
    {'type': 'LoadImages', 'size': 16},
    {'type': 'UnitSphere'},
    {'type': 'PackInputs', 'image_views': 1, 'image_size': 16},
]
TRAIN, TEST = ['02691156-1021a0914a7207aff927ed529ad90a11', '04401088-b-c'], ['02992529-d']
CAPTIONS = {'02691156': 'airplane,aeroplane,plane', '04401088': 'telephone,phone', '02992529': 'cellular telephone'}


def refuse(kind, cls, **kwargs):
    with pytest.raises(kind) as error:
        cls(**kwargs)
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


@pytest.fixture
def recon(tmp_path):
    root = tmp_path / 'ShapeNet55-34'
    for folder in ('ShapeNet-55', 'shapenet_pc', 'shapenet_img'):
        (root / folder).mkdir(parents=True)
    for name, stems in (('train', TRAIN), ('test', TEST)):
        (root / 'ShapeNet-55' / f'{name}.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
        for number, stem in enumerate(stems):
            cloud = np.random.default_rng(len(stem)).standard_normal((1024, 3)).astype(np.float32)
            np.save(root / 'shapenet_pc' / f'{stem}.npy', cloud)
            picture = np.full((20, 20, 3), (10, 20, 200 + number), np.uint8)
            cv2.imwrite(str(root / 'shapenet_img' / f'{stem}.png'), picture)
    write_captions(root, CAPTIONS)
    return root


def write_captions(root, captions, number=False):
    table = {'catalogue': {}, 'describe': {}}
    for row, (synset, text) in enumerate(captions.items()):
        table['catalogue'][str(row)] = int(synset) if number else synset
        table['describe'][str(row)] = text
    (root / 'shapenet55.json').write_text(json.dumps(table))


def test_recon_joins_cloud_picture_and_caption(recon):
    data = ShapeNetReCon(str(recon), pipeline=PIPELINE)
    assert len(data) == 2
    for index, stem in enumerate(TRAIN):
        info, sample = data.load_info(index), data[index]
        assert info['sample_id'] == stem and info['caption'] == CAPTIONS[stem[:8]]
        picture = sample['inputs']['images'][0]
        assert picture[:, 5, 5].tolist() == [200 + index, 20, 10] and bool(sample['inputs']['has_image'])
        assert sample['data_samples'].caption == CAPTIONS[stem[:8]]
        assert sample['data_samples'].class_name == SYNSETS[stem[:8]]
    whole = ShapeNetReCon(str(recon), 'whole')
    assert [whole.load_info(i)['split'] for i in range(3)] == ['test', 'train', 'train']
    assert whole.load_info(0)['caption'] == 'cellular telephone'
    assert data.metainfo['variant'] == 'ReCon' and data.metainfo['up_axis'] == 'y'


def test_a_shape_without_a_picture_is_taken_without_one(recon):
    (recon / 'shapenet_img' / f'{TRAIN[0]}.png').unlink()
    samples = [ShapeNetReCon(str(recon), pipeline=PIPELINE)[index]['inputs'] for index in range(2)]
    assert [bool(sample['has_image']) for sample in samples] == [False, True]
    assert not samples[0]['images'].any() and samples[0]['points'].shape == (1024, 3)


def test_captions_may_have_lost_their_leading_zero(recon):
    write_captions(recon, CAPTIONS, number=True)
    assert ShapeNetReCon(str(recon)).load_info(0)['caption'] == CAPTIONS['02691156']


def test_what_is_wrong_with_recon_is_said_in_one_sentence(recon, tmp_path):
    text = refuse(FileNotFoundError, ShapeNetReCon, data_root=str(tmp_path / 'nowhere'))
    assert 'nowhere' in text and 'ReCon' in text and 'synthetic.py' in text
    refuse(ValueError, ShapeNetReCon, data_root=str(recon), split='val')
    write_captions(recon, {'02691156': 'airplane'})
    assert 'no caption of 04401088' in refuse(ValueError, ShapeNetReCon, data_root=str(recon))
    write_captions(recon, {**CAPTIONS, '02691156': ' '})
    assert "row '0'" in refuse(ValueError, ShapeNetReCon, data_root=str(recon))
    path = recon / 'shapenet55.json'
    for content in ('[]', '{}', '{"catalogue": {"0": "02691156"}, "describe": {"1": "airplane"}}', '{"catalogue":', ''):
        path.write_text(content)
        assert 'shapenet55.json' in refuse(ValueError, ShapeNetReCon, data_root=str(recon))
    path.unlink()
    assert 'shapenet55.json' in refuse(FileNotFoundError, ShapeNetReCon, data_root=str(recon))
    (recon / 'ShapeNet-55/train.txt').write_text('02691156-../../secret.npy\n')
    write_captions(recon, CAPTIONS)
    assert 'train.txt, line 1' in refuse(ValueError, ShapeNetReCon, data_root=str(recon))


def test_a_picture_that_does_not_decode_is_named(recon):
    (recon / 'shapenet_img' / f'{TRAIN[0]}.png').write_bytes(b'\x89PNG\r\n\x1a\n broken')
    with pytest.raises(ValueError, match=TRAIN[0]) as error:
        ShapeNetReCon(str(recon), pipeline=PIPELINE)[0]
    assert '\n' not in str(error.value)


@pytest.fixture
def mvcnn(tmp_path):
    return write_mvcnn(tmp_path)


def test_mvcnn_joins_clouds_and_renders_by_their_number(mvcnn):
    data = ShapeNetMVCNN(str(mvcnn), 'trainval', pipeline=PIPELINE)
    infos = [data.load_info(index) for index in range(len(data))]
    assert [info['sample_id'] for info in infos] == ['model_000003', 'model_000012', 'model_004004', 'model_000009']
    assert [info['split'] for info in infos] == ['train', 'train', 'train', 'val']
    assert [os.path.basename(path) for path in infos[0]['image_paths']] == [
        f'model_000003_{view:03d}.jpg' for view in range(1, 13)
    ]
    assert infos[2]['image_paths'] == [] and not any('label' in info for info in infos)
    seen = set()
    for epoch in range(80):
        images = data[(epoch, 1)]['inputs']['images']
        seen.add(round(float(images.float().mean()) / 10))
    assert seen == set(range(1, 13))
    assert not bool(data[2]['inputs']['has_image'])
    dense = ShapeNetMVCNN(str(mvcnn), 'test', variant='2048', pipeline=[{'type': 'LoadPoints'}])
    np.testing.assert_allclose(dense[0]['points'], cloud(1, 2048), atol=1e-6)
    assert dense.metainfo['variant'] == '2048' and dense.metainfo['up_axis'] == 'y'
    assert dense.metainfo['classes'] is None  # no sample has a label


def test_mvcnn_takes_classes_from_its_tables_and_the_views_that_are_asked_for(mvcnn):
    data = ShapeNetMVCNN(str(mvcnn), 'trainval', labels=True, views=(2, 12))
    names = list(SYNSETS.values())
    assert data.metainfo['classes'] == tuple(names)
    assert [data.label(index) for index in range(4)] == [
        names.index('table'),
        names.index('airplane'),
        None,  # in no table
        names.index('airplane'),
    ]
    assert data[3]['class_name'] == 'airplane' and 'label' not in data[2]
    assert [os.path.basename(path) for path in data.load_info(3)['image_paths']] == [
        'model_000009_002.jpg',
        'model_000009_012.jpg',
    ]


@pytest.mark.parametrize('kind', ['ShapeNetReCon', 'ShapeNetMVCNN'])
def test_packed_pictures_give_the_same_samples(recon, mvcnn, tmp_path, kind):
    cfg = {'type': kind, 'data_root': str(recon), 'split': 'train', 'pipeline': PIPELINE}
    if kind == 'ShapeNetMVCNN':
        cfg.update(data_root=str(mvcnn), labels=True)
    raw, packed = DATASETS.build(cfg), packed_twin(tmp_path / 'packed', **cfg)
    for index in range(len(raw)):
        for epoch in range(4):
            one, two = raw[(epoch, index)], packed[(epoch, index)]
            for key in ('points', 'images', 'has_image'):
                np.testing.assert_array_equal(one['inputs'][key], two['inputs'][key])
            assert one['data_samples'].get('label') == two['data_samples'].get('label')
            assert one['data_samples'].get('caption') == two['data_samples'].get('caption')
        assert raw.label(index) == packed.label(index)
    assert raw.metainfo == packed.metainfo
    # The pack knows its classes, whatever `labels` of the config that reads it says.
    cfg.pop('labels', None)
    again = DATASETS.build({**cfg, 'data_root': str(tmp_path / 'packed'), 'packed': True})
    assert again.metainfo['classes'] == raw.metainfo['classes']


def test_what_is_wrong_with_mvcnn_is_said_in_one_sentence(mvcnn, tmp_path):
    text = refuse(FileNotFoundError, ShapeNetMVCNN, data_root=str(tmp_path / 'nowhere'))
    assert 'nowhere' in text and 'TAP' in text and 'synthetic.py' in text
    for change in ({'split': 'whole'}, {'variant': '8192'}, {'views': (0,)}):
        refuse(ValueError, ShapeNetMVCNN, data_root=str(mvcnn), **change)
    text = refuse(FileNotFoundError, ShapeNetMVCNN, data_root=str(mvcnn), split='test', labels=True)
    assert 'test.csv' in text and 'labels=False' in text
    table = mvcnn / 'shapenet55v1' / 'train.csv'
    for content in ('', 'a,b\n1,2\n', 'id,synsetId\n3,99999999\n', 'id,synsetId\nx,04379243\n', 'id,synsetId\n3\n'):
        table.write_text(content)
        assert 'train.csv' in refuse(ValueError, ShapeNetMVCNN, data_root=str(mvcnn), labels=True)
    table.write_bytes(b'id,synsetId\n\xff\xfe\x00')
    assert 'train.csv' in refuse(ValueError, ShapeNetMVCNN, data_root=str(mvcnn), labels=True)
    for path in (mvcnn / 'pointclouds' / 'val').iterdir():
        path.unlink()
    assert 'pointclouds/val' in refuse(FileNotFoundError, ShapeNetMVCNN, data_root=str(mvcnn), split='val')
    (mvcnn / 'pointclouds' / 'val').rmdir()
    assert 'pointclouds/val' in refuse(FileNotFoundError, ShapeNetMVCNN, data_root=str(mvcnn), split='val')


def test_a_truncated_cloud_of_mvcnn_is_named(mvcnn):
    path = mvcnn / 'pointclouds' / 'train' / 'model_000003.ply'
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError) as error:
        ShapeNetMVCNN(str(mvcnn), pipeline=PIPELINE)[0]
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['shapenet_recon', 'mvcnn'])
def test_pictures_through_the_shipped_configs(recon, mvcnn, name):
    cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py').train_dataloader.dataset
    cfg.data_root = str(recon if 'recon' in name else mvcnn)
    sample = DATASETS.build(cfg)[(0, 1)]
    assert sample['inputs']['points'].shape == (1024, 3)
    assert sample['inputs']['images'].shape == (1, 3, 224, 224) and bool(sample['inputs']['has_image'])
