"""PointCloudFolder: a user's own clouds and meshes, with pictures and captions, as they lie there."""

import builtins
import json
import os
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from _folder import LOAD, cloud, open_folder, picture, refuse, write_ply, write_tree
from _packed import packed_twin

from mmpt.datasets import ConcatDataset
from mmpt.datasets.axes import z_up_to_y_up
from mmpt.datasets.reading import CLOUD_SUFFIXES
from mmpt.registry import DATASETS
from mmpt.utils.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_a_split_is_a_folder_and_a_class_the_folder_below(tree):
    data = open_folder(tree[0], 'train', split_by='folder')
    infos = [data.load_info(index) for index in range(len(data))]
    assert [info['sample_id'] for info in infos] == [
        'train/ball/one',
        'train/box/one',
        'train/cloud/b',
        'train/cloud/c',
        'train/cloud/deep/er/a',
    ]
    assert data.metainfo['classes'] == ('ball', 'box', 'cloud')
    assert [info['label'] for info in infos] == [data.label(index) for index in range(5)] == [0, 1, 2, 2, 2]
    assert {info['split'] for info in infos} == {'train'}
    assert infos[0]['points_path'] == str(tree[0] / 'train' / 'ball' / 'one.STL')
    assert data.metainfo['ignored'] == {'.mtl': 1, 'hidden': 2, 'no suffix': 1}
    assert (data.metainfo['variant'], data.metainfo['up_axis'], data.metainfo['split']) == ('folder', 'y', 'train')
    both = ConcatDataset([data, open_folder(tree[0], 'test', split_by='folder')])
    assert len(both) == 10 and both.metainfo['split'] == ('train', 'test')


def test_what_comes_out_is_what_lies_there(tree):
    pipeline = [*LOAD, {'type': 'SampleSurface', 'num_points': 400, 'normals': True}]
    data = open_folder(tree[0], split_by='folder', pipeline=pipeline)
    ball, box, *clouds = [data[(1, index)] for index in range(5)]
    for result, seed in zip(clouds, (1, 2, 0)):
        np.testing.assert_allclose(result['points'], cloud(seed), rtol=1e-6)
    assert (clouds[0]['class_name'], ball['class_name']) == ('cloud', 'ball')
    assert len(ball['points']) == len(box['points']) == 400
    assert (np.linalg.norm(ball['points'], axis=1) > 1.85).all()
    side = np.abs(box['points']) / [0.5, 1, 1.5]
    np.testing.assert_allclose(side.max(axis=1), 1, atol=1e-5)
    assert (np.einsum('ni,ni->n', box['points'], box['normals']) > 0).all()
    np.testing.assert_array_equal(ball['points'], data[(1, 0)]['points'])
    assert not np.array_equal(ball['points'], data[(2, 0)]['points'])


def test_one_folder_of_every_format(tmp_path):
    box = trimesh.creation.box((1, 2, 3))
    for suffix in ('ply', 'obj', 'off', 'stl', 'glb'):
        box.export(tmp_path / f'mesh_{suffix}.{suffix}')
    corners = np.array(box.bounds, np.float32)
    np.save(tmp_path / 'cloud_npy.npy', corners)
    np.savez(tmp_path / 'cloud_npz.npz', points=corners)
    for suffix in ('xyz', 'txt'):
        np.savetxt(tmp_path / f'cloud_{suffix}.{suffix}', corners)
    head = 'VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n'
    (tmp_path / 'cloud_pcd.pcd').write_text(head + '\n'.join(' '.join(map(str, row)) for row in corners.tolist()))
    data = open_folder(tmp_path, pipeline=[*LOAD, {'type': 'SampleSurface', 'num_points': 3000}])
    assert len(data) == 10 and {f'.{data.load_info(k)["sample_id"].split("_")[1]}' for k in range(10)} == {
        *(set(CLOUD_SUFFIXES) - {'.las'})
    }
    for sample in data:
        size = 3000 if sample['sample_id'].startswith('mesh') else 2
        assert sample['points'].shape == (size, 3) and sample['points'].dtype == np.float32
        np.testing.assert_allclose([sample['points'].min(axis=0), sample['points'].max(axis=0)], corners, atol=0.01)


def test_las_lies_beside_other_formats(tmp_path):
    laspy = pytest.importorskip('laspy', reason='laspy is optional')
    colors = np.arange(60, dtype=np.uint8).reshape(20, 3)
    header = laspy.LasHeader(point_format=3, version='1.2')
    header.scales = [1e-4] * 3
    las = laspy.LasData(header)
    las.x, las.y, las.z = cloud(0).astype(np.float64).T
    # A scanner has 16 bits for each colour.
    las.red, las.green, las.blue = colors.T.astype(np.uint16) * 257
    for name in ('ground', 'roof'):
        (tmp_path / name).mkdir()
    las.write(tmp_path / 'ground' / 'a.las')
    las.write(tmp_path / 'ground' / 'B.LAS')
    write_ply(tmp_path / 'roof' / 'c.ply', cloud(0), **dict(zip(('red', 'green', 'blue'), colors.T)))
    pipeline = [
        {'type': 'LoadPoints', 'feature_keys': ('colors',)},
        {'type': 'PackInputs', 'feature_keys': ('colors',)},
    ]
    data = open_folder(tmp_path, up_axis='z', pipeline=pipeline)
    assert data.metainfo['feature_keys'] == ('colors',) and data.metainfo['classes'] == ('ground', 'roof')
    upper, lower, ply = (data[index]['inputs']['points'].numpy() for index in range(3))
    assert [data[k]['data_samples'].sample_id for k in range(3)] == ['ground/B', 'ground/a', 'roof/c']
    np.testing.assert_array_equal(upper, lower)
    # Three channels of place, turned to y up, and three of colour: those of the same cloud as .ply.
    assert lower.shape == (20, 6)
    np.testing.assert_allclose(lower[:, :3], z_up_to_y_up(cloud(0)), atol=1e-4)
    np.testing.assert_allclose(lower, ply, atol=1e-4)
    assert 'a.las' in refuse(
        ValueError, tmp_path, pipeline=[{'type': 'LoadPoints', 'feature_keys': ('normals',)}], index=1
    )


def test_without_a_split_everything_is_taken(tree):
    assert len(open_folder(tree[0], classes=None)) == 10
    data = open_folder(tree[0] / 'train', 'test')
    assert data.load_info(1)['sample_id'] == 'box/one' and data.load_info(1)['label'] == 1
    assert data.load_info(1)['split'] == 'test'
    flat = open_folder(tree[0] / 'train' / 'box')
    assert 'label' not in flat.load_info(0) and flat.label(0) is None and flat.metainfo['classes'] is None
    assert [flat.load_info(k)['sample_id'] for k in range(len(flat))] == ['one']


def test_the_order_is_that_of_the_bytes(tmp_path):
    names = ['b', 'a', 'B', 'a-b', 'a_b', 'é', 'z', '10', '9', 'ａ', '𝕒']
    for name in names:
        np.save(tmp_path / f'{name}.npy', cloud(0))
    data = open_folder(tmp_path)
    stems = [data.load_info(index)['sample_id'] for index in range(len(data))]
    assert stems == sorted(names, key=lambda name: f'{name}.npy'.encode())


def test_lists(tree, tmp_path):
    (tree[0] / 'few.txt').write_text('train/cloud/c.ply\n\n test/box/one.obj \n')
    data = open_folder(tree[0], 'few', split_by='list', classes=None)
    assert [data.load_info(k)['sample_id'] for k in range(len(data))] == ['train/cloud/c', 'test/box/one']
    np.testing.assert_allclose(
        open_folder(tree[0], 'few', split_by='list', pipeline=LOAD)[0]['points'], cloud(2), rtol=1e-6
    )
    (tree[0] / 'train' / 'val.txt').write_text('cloud/b.xyz\nball/one.STL\ncloud/deep/er/a.npy\n')
    data = open_folder(tree[0] / 'train', 'val', split_by='list')
    assert data.metainfo['classes'] == ('ball', 'cloud') and [data.label(k) for k in range(3)] == [1, 0, 1]
    data = open_folder(tree[0] / 'train', 'val', split_by='list', classes=('box', 'cloud', 'ball'))
    assert [data.label(k) for k in range(3)] == [1, 2, 1]


def test_classes_may_be_named(tree, tmp_path):
    (tmp_path / 'classes.txt').write_text('cloud\nball\ncone\n')
    for classes in (('cloud', 'ball', 'cone'), str(tmp_path / 'classes.txt')):
        data = open_folder(tree[0], split_by='folder', classes=classes)
        assert data.metainfo['classes'] == ('cloud', 'ball', 'cone')
        assert [data.label(k) for k in range(len(data))] == [1, 0, 0, 0]
        assert data.metainfo['ignored']['of no class'] == 1
    (tree[0] / 'train' / 'classes.txt').write_text('cloud\nball\nbox\n')  # among the shapes, whose suffix it has
    data = open_folder(tree[0] / 'train', classes=str(tree[0] / 'train' / 'classes.txt'))
    assert [data.label(k) for k in range(len(data))] == [1, 2, 0, 0, 0]


def test_pictures_in_a_folder_or_alone(tree):
    data = open_folder(tree[0], split_by='folder', images_root=str(tree[1]))
    names = [[os.path.basename(path) for path in data.load_info(k)['image_paths']] for k in range(5)]
    assert names == [[], ['00.png', '01.png', '02.png'], ['b.jpg'], [], []]
    pipeline = [{'type': 'LoadImages', 'num_views': 2, 'size': 4, 'random': False}]
    data = open_folder(tree[0], split_by='folder', images_root=str(tree[1]), pipeline=pipeline)
    assert [data[k]['has_image'].tolist() for k in range(3)] == [[False, False], [True, True], [True, False]]
    assert data[1]['images'][:, 0, 0].tolist() == [[50, 100, 0], [50, 100, 10]]
    assert open_folder(tree[0], split_by='folder').load_info(1)['image_paths'] == []


CAPTIONS = {'train/box/one': 'a box, upright', 'train/cloud/b': 'some "points"', 'test/box/one': 'another'}


def test_the_tree_of_crosspoint_as_its_page_says(tmp_path, monkeypatch):
    for seed, stem in enumerate(('02691156/1a04', '02691156/1a2b', '03001627/1a04')):
        path = tmp_path / 'data/ShapeNet' / f'{stem}.ply'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ply(path, cloud(seed, 2048))
    renders = tmp_path / 'data/ShapeNetRendering'
    for stem, blue in (('02691156/1a04', 10), ('03001627/1a04', 90)):
        for view in range(2):
            picture(renders / stem / 'rendering' / f'{view:02d}.png', blue + view)
        (renders / stem / 'rendering' / 'renderings.txt').write_text('00.png\n01.png\n')
    # A picture one folder higher is none of the release.
    picture(renders / '02691156/1a2b/00.png', 200)
    (snippet,) = re.findall(r'```python\n(.*?)```', (ROOT / 'configs/crosspoint/README.md').read_text(), re.DOTALL)
    config = tmp_path / 'own.py'
    config.write_text(snippet.replace("'configs/", f"'{ROOT}/configs/"))
    monkeypatch.chdir(tmp_path)
    cfg = load_config(config).train_dataloader.dataset
    data = DATASETS.build(cfg)
    infos = [data.load_info(index) for index in range(3)]
    assert [(info['sample_id'], info['label']) for info in infos] == [
        ('02691156/1a04', 0), ('02691156/1a2b', 0), ('03001627/1a04', 1)
    ]  # fmt: skip
    folder = 'data/ShapeNetRendering/03001627/1a04/rendering'
    assert infos[2]['image_paths'] == [f'{folder}/00.png', f'{folder}/01.png'] and infos[1]['image_paths'] == []
    samples = [data[(0, index)]['inputs'] for index in range(3)]
    assert [sample['has_image'].tolist() for sample in samples] == [[True], [False], [True]]
    assert samples[0]['points'].shape == (2048, 3) and samples[0]['images'].shape == (1, 3, 224, 224)
    packed = packed_twin(tmp_path / 'packed', **cfg)
    for index, sample in enumerate(samples):
        for key in ('points', 'images'):
            np.testing.assert_array_equal(packed[(0, index)]['inputs'][key], sample[key])


@pytest.mark.parametrize('suffix', ['.json', '.csv', '.tsv', '.txt'])
def test_captions(tree, tmp_path, suffix):
    path = tmp_path / f'captions{suffix}'
    if suffix == '.json':
        path.write_text(json.dumps(CAPTIONS))
    elif suffix == '.csv':
        path.write_text(
            'stem,caption\ntrain/box/one,"a box, upright"\ntrain/cloud/b,"some ""points"""\n\ntest/box/one,another\n'
        )
    else:
        path.write_text('Stem\tCaption\n' + ''.join(f'{stem}\t{text}\n' for stem, text in CAPTIONS.items()))
    data = open_folder(tree[0], split_by='folder', captions=str(path))
    said = [data.load_info(k).get('caption') for k in range(5)]
    assert said == [None, 'a box, upright', 'some "points"', None, None]


def test_captions_may_lie_among_the_shapes(tree):
    path = tree[0] / 'train' / 'captions.txt'
    path.write_text('box/one\ta box\n')
    data = open_folder(tree[0] / 'train', captions=str(path))
    assert len(data) == 5 and data.load_info(1)['caption'] == 'a box'


def test_z_up_becomes_y_up_for_clouds_and_meshes(tree):
    pipeline = [{'type': 'LoadPoints'}, {'type': 'SampleSurface', 'num_points': 50, 'normals': True}]
    files, turned = (open_folder(tree[0] / 'train', up_axis=axis, pipeline=pipeline) for axis in 'yz')
    assert turned.metainfo['up_axis'] == 'y'
    for index in range(5):
        one, other = files[index], turned[index]
        for key in ('points', 'normals'):
            if key in one:
                np.testing.assert_allclose(other[key], z_up_to_y_up(one[key]), atol=1e-6)
    np.testing.assert_array_equal(z_up_to_y_up(np.array([[1, 2, 3]])), [[1, 3, -2]])


def test_features_are_asked_for_by_name_and_must_be_there(tmp_path):
    colors = np.arange(60, dtype=np.uint8).reshape(20, 3)
    channels = dict(zip(('red', 'green', 'blue'), colors.T))
    write_ply(tmp_path / 'a.ply', cloud(0), **channels)
    write_ply(tmp_path / 'b.ply', cloud(1), **dict(zip(('nx', 'ny', 'nz'), cloud(5).T)), **channels)
    write_ply(tmp_path / 'c.ply', cloud(2))
    data = open_folder(tmp_path, pipeline=[{'type': 'LoadPoints', 'feature_keys': ('colors',)}])
    np.testing.assert_array_equal(data[0]['colors'], colors)
    assert 'normals' not in data[1]
    both = [{'type': 'LoadPoints', 'feature_keys': ('normals', 'colors')}]
    np.testing.assert_allclose(open_folder(tmp_path, pipeline=both)[1]['normals'], cloud(5), rtol=1e-6)
    text = refuse(ValueError, tmp_path, pipeline=both, index=0)
    assert 'a.ply' in text and "'normals'" in text
    assert 'c.ply' in refuse(ValueError, tmp_path, pipeline=both, index=2)


def test_clouds_and_meshes_give_the_same_channels(tmp_path):
    trimesh.creation.box().export(tmp_path / 'a.stl')
    normals = cloud(5) / np.linalg.norm(cloud(5), axis=1, keepdims=True)
    write_ply(tmp_path / 'b.ply', cloud(0), **dict(zip(('nx', 'ny', 'nz'), normals.T)))
    pipeline = [
        {'type': 'LoadPoints', 'feature_keys': ('normals',)},
        {'type': 'SampleSurface', 'num_points': 20, 'normals': True},
        {'type': 'PackInputs', 'feature_keys': ('normals',)},
    ]
    data = open_folder(tmp_path, pipeline=pipeline)
    for sample in data:
        assert sample['inputs']['points'].shape == (20, 6)
        np.testing.assert_allclose(np.linalg.norm(sample['inputs']['points'][:, 3:], axis=1), 1, atol=1e-5)
    assert data.metainfo['feature_keys'] == ('normals',)
    pipeline[1] = {'type': 'SampleSurface', 'num_points': 20}
    assert 'a.stl' in refuse(KeyError, tmp_path, pipeline=pipeline, index=0)


def test_columns_of_text_and_mixed_channel_counts(tmp_path):
    six = np.concatenate([cloud(0), cloud(1)], axis=1)
    np.savetxt(tmp_path / 'a.txt', six)
    np.save(tmp_path / 'b.npy', six)
    np.save(tmp_path / 'c.npy', six[:, :4])
    columns = ('x', 'y', 'z', 'nx', 'ny', 'nz')
    pipeline = [{'type': 'LoadPoints', 'columns': columns, 'feature_keys': ('normals',)}]
    data = open_folder(tmp_path, pipeline=pipeline)
    for index in (0, 1):
        np.testing.assert_allclose(data[index]['points'], six[:, :3], rtol=1e-5)
        np.testing.assert_allclose(data[index]['normals'], six[:, 3:], rtol=1e-5)
    text = refuse(ValueError, tmp_path, pipeline=pipeline, index=2)
    assert 'c.npy' in text and '6' in text and '4' in text
    assert 'a.txt' in refuse(ValueError, tmp_path, pipeline=LOAD, index=0)


def test_two_files_of_one_stem(tmp_path):
    trimesh.creation.box().export(tmp_path / 'chair.obj')
    (tmp_path / 'chair.mtl').write_text('newmtl grey\n')
    assert len(open_folder(tmp_path)) == 1
    write_ply(tmp_path / 'chair.ply', cloud(0))
    text = refuse(ValueError, tmp_path)
    assert 'chair.obj and chair.ply' in text and '`suffixes`' in text
    for suffixes in (('.ply',), ['PLY']):
        assert open_folder(tmp_path, suffixes=suffixes).load_info(0)['points_path'].endswith('chair.ply')
    for suffixes in (('.doc',), (), '.ply'):
        assert '.glb' in refuse(ValueError, tmp_path, suffixes=suffixes)


def test_opening_opens_no_shape_and_lists_each_folder_once(tree, monkeypatch):
    listed, touched = [], []
    scandir, real_open, stat = os.scandir, builtins.open, os.stat
    with monkeypatch.context() as patch:
        patch.setattr(os, 'scandir', lambda path='.': listed.append(str(path)) or scandir(path))
        patch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
        patch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
        data = open_folder(tree[0], split_by='folder', images_root=str(tree[1]))
    assert len(data) == 5
    assert {path for path in touched if str(tree[0].parent) in path} <= {
        *(str(tree[0]), str(tree[0] / 'train'), str(tree[1])),
    }
    assert len(listed) == len(set(listed)) == 6  # the split, three classes, two deeper ones


def test_a_link_is_followed_and_a_dead_one_is_found_when_it_is_read(tree, tmp_path):
    outside = tmp_path / 'elsewhere' / 'more'
    outside.mkdir(parents=True)
    np.save(outside / 'x.npy', cloud(7))
    os.symlink(outside, tree[0] / 'train' / 'linked')
    os.symlink(tmp_path / 'gone.npy', tree[0] / 'train' / 'cloud' / 'dead.npy')
    os.symlink('self.npy', tree[0] / 'train' / 'cloud' / 'self.npy')
    data = open_folder(tree[0] / 'train', pipeline=LOAD)
    stems = [data.load_info(k)['sample_id'] for k in range(len(data))]
    np.testing.assert_array_equal(data[stems.index('linked/x')]['points'], cloud(7))
    for name, kind in (('dead', FileNotFoundError), ('self', OSError)):
        with pytest.raises(kind, match=f'{name}.npy'):
            data[stems.index(f'cloud/{name}')]


def test_packed_shapes_are_the_same(tree, tmp_path, monkeypatch):
    captions = tmp_path / 'captions.json'
    captions.write_text(json.dumps(CAPTIONS))
    config = tmp_path / 'config.py'
    config.write_text(
        f"""pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', size=4, num_views=2),
    dict(type='SampleSurface', num_points=30),
]
train_dataloader = dict(dataset=dict(
    type='PointCloudFolder', data_root={str(tree[0])!r}, split_by='folder', images_root={str(tree[1])!r},
    captions={str(captions)!r}, up_axis='z', pipeline=pipeline))
"""
    )
    monkeypatch.setattr(sys, 'argv', ['pack.py', str(config), str(tmp_path / 'packed'), '--workers', '0'])
    runpy.run_path(str(ROOT / 'tools' / 'dataset_converters' / 'pack.py'))['main']()
    pipeline = [
        {'type': 'LoadPoints'},
        {'type': 'LoadImages', 'size': 4, 'num_views': 2},
        {'type': 'SampleSurface', 'num_points': 30},
    ]
    options = {'split_by': 'folder', 'images_root': str(tree[1]), 'captions': str(captions), 'up_axis': 'z'}
    raw = open_folder(tree[0], pipeline=pipeline, **options)
    packed = open_folder(tmp_path / 'packed', packed=True, pipeline=pipeline)
    assert packed.metainfo == raw.metainfo and len(packed) == len(raw) == 5
    for index in range(5):
        one, other = raw[(3, index)], packed[(3, index)]
        assert packed.label(index) == raw.label(index)
        for key in ('points', 'images', 'has_image'):
            np.testing.assert_array_equal(one[key], other[key])
        for key in ('sample_id', 'label', 'class_name', 'split'):
            assert one[key] == other[key]
        assert one.get('caption') == other.get('caption')


def test_shapes_without_classes_are_scored_on_generated_ones_as_the_page_says(tmp_path, monkeypatch):
    page = (ROOT / 'docs' / 'datasets' / 'folder.md').read_text()
    (snippet,) = [block for block in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if '_delete_' in block]
    config = tmp_path / 'own.py'
    config.write_text(f'_base_ = [{str(ROOT / "configs/mmpt/pretrain_folder.py")!r}]\n' + snippet)
    monkeypatch.chdir(tmp_path)
    cfg = load_config(config)
    for part in cfg.val_dataloader.dataset.datasets:
        part.update(size=3, cache_dir=None)
    data = DATASETS.build(cfg.val_dataloader.dataset)
    assert data.metainfo['split'] == ('train', 'test') and len(data.metainfo['classes']) == 27
    assert data[4]['inputs']['points'].shape == (1024, 3)
    assert cfg.train_dataloader.dataset.type == 'PointCloudFolder'
