"""What may be wrong in a user's own folder is said in one sentence that names the file."""

import os
from pathlib import Path

import numpy as np
import pytest
from _folder import LOAD, cloud, open_folder, refuse, write_tree


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


@pytest.mark.parametrize('links', [{'train/box/up': '..'}, {'train/box/in': '../ball', 'train/ball/out': '../box'}])
def test_links_in_a_circle(tree, links):
    for place, target in links.items():
        os.symlink(target, tree[0] / place)
    text = refuse(ValueError, tree[0], split_by='folder')
    assert 'no end' in text and any(f'/{Path(place).name}' in text for place in links)


def test_missing_and_empty_folders(tree, tmp_path):
    text = refuse(FileNotFoundError, tmp_path / 'nowhere')
    for part in ('nowhere', '`data_root` of PointCloudFolder', '.glb', 'folder.md', 'example_meshes.py', 'synthetic'):
        assert part in text
    (tmp_path / 'empty').mkdir()
    text = refuse(FileNotFoundError, tmp_path / 'empty')
    assert '.npy' in text and '.off' in text and 'only nothing' in text
    (tmp_path / 'empty' / 'a.fbx').write_text('')
    (tmp_path / 'empty' / 'b.fbx').write_text('')
    assert 'only 2 .fbx' in refuse(FileNotFoundError, tmp_path / 'empty')
    assert '/val' in refuse(FileNotFoundError, tree[0], 'val', split_by='folder')
    assert '/val.txt' in refuse(FileNotFoundError, tree[0], 'val', split_by='list')
    assert 'no_images' in refuse(FileNotFoundError, tree[0], classes=None, images_root=str(tmp_path / 'no_images'))
    text = refuse(FileNotFoundError, tree[0], classes=None, images_root=str(tmp_path / 'empty'))
    assert 'no shape would have a picture' in text and 'test/ball/one' in text
    assert 'split_by' in refuse(ValueError, tree[0], split_by='random')
    assert 'up_axis' in refuse(ValueError, tree[0], up_axis='x')


def test_folders_that_are_no_classes(tree):
    text = refuse(ValueError, tree[0])
    assert 'test, train' in text and "split_by='folder'" in text
    np.save(tree[0] / 'train' / 'stray.npy', cloud(0))
    assert 'stray.npy lies beside the class folders' in refuse(ValueError, tree[0], split_by='folder')
    (tree[0] / 'train' / 'stray.npy').unlink()
    (tree[0] / 'train' / 'sofa' / 'old').mkdir(parents=True)
    (tree[0] / 'train' / 'sofa' / 'old' / 'x.fbx').write_text('')
    assert '/train/sofa holds no file' in refuse(ValueError, tree[0], split_by='folder')
    assert len(open_folder(tree[0], split_by='folder', classes=('box', 'ball'))) == 2
    assert 'chair' in refuse(ValueError, tree[0], split_by='folder', classes=('chair',))
    assert 'different names' in refuse(ValueError, tree[0], split_by='folder', classes=('box', 'box'))
    assert 'different names' in refuse(ValueError, tree[0], split_by='folder', classes=())


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('../secret.ply', 'refused'),
        ('/etc/secret.ply', 'refused'),
        ('box/../../secret.ply', 'refused'),
        ('C:\\secret.ply', 'refused'),
        ('box/one', 'write the suffix too'),
        ('box/one.fbx', '.obj'),
    ],
)
def test_a_list_cannot_lead_out_of_the_root(tree, line, said):
    (tree[0] / 'few.txt').write_text(f'train/box/one.obj\n{line}\n')
    text = refuse(ValueError, tree[0], 'few', split_by='list')
    assert 'few.txt, line 2' in text and said in text and 'secret' not in text.replace(repr(line), '')


def test_lists_that_do_not_fit(tree):
    path = tree[0] / 'few.txt'
    path.write_text('\n')
    assert 'few.txt' in refuse(ValueError, tree[0], 'few', split_by='list')
    path.write_text('train/box/one.obj\ntrain/box/one.obj\n')
    assert 'train/box/one.obj and train/box/one.obj' in refuse(ValueError, tree[0], 'few', split_by='list')
    path.write_text('train/box/gone.obj\n')
    assert 'gone.obj' in refuse(FileNotFoundError, tree[0], 'few', split_by='list', pipeline=LOAD, index=0)


@pytest.mark.parametrize(
    ('name', 'content', 'said'),
    [
        ('a.json', '{"train/box/two": "x"}', "'train/box/two'"),
        ('a.json', '{"box/one": "x"}', "such as 'train/ball/one'"),
        ('a.json', '["x"]', 'one object'),
        ('a.json', '{"train/box/one": ["x"]}', 'one object'),
        ('a.json', '{"train/box/one": " "}', "'train/box/one'"),
        ('a.json', '{', 'a.json'),
        ('a.tsv', 'train/box/one\ta\ntrain/ball/one\n', 'a.tsv, line 2'),
        ('a.tsv', 'train/box/one\ta\ntrain/box/one\tb\n', 'a.tsv, line 2'),
        ('a.csv', 'train/box/one,a\ntrain/ball/one,a,b\n', 'a.csv, line 2'),
        ('a.csv', '"train/box/one,a\n', 'a.csv'),
        ('a.doc', 'train/box/one a\n', '.json, .csv'),
    ],
)
def test_captions_that_do_not_fit(tree, tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    text = refuse(ValueError, tree[0], split_by='folder', captions=str(tmp_path / name))
    assert said in text and name in text
    assert 'gone.json' in refuse(FileNotFoundError, tree[0], classes=None, captions=str(tmp_path / 'gone.json'))


def bad_files():
    """name -> (content, part of the sentence)."""
    ply = 'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nend_header\n'
    return {
        'cut.ply': ply + '0 0 0\n1 1 1\n',
        'cut.npy': b'\x93NUMPY\x01\x00v\x00{"descr"',
        'nan.xyz': '0 0 0\nnan 1 1\n',
        'empty.ply': ply.replace('vertex 3', 'vertex 0'),
        'words.txt': 'x y z\na b c\n',
        'nothing.stl': b'',
    }


@pytest.mark.parametrize('name', bad_files())
def test_a_damaged_file_is_named(tmp_path, name):
    content = bad_files()[name]
    np.save(tmp_path / 'a_good_one.npy', cloud(0))
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    pipeline = [*LOAD, {'type': 'SampleSurface', 'num_points': 10}]
    assert name in refuse(ValueError, tmp_path, pipeline=pipeline, index=1)
    other = open_folder(tmp_path, on_bad_sample='skip', pipeline=pipeline)[1]
    np.testing.assert_array_equal(other['points'], cloud(0))
    assert name in other['skipped'][0]


def test_a_picture_that_does_not_decode_is_named(tree):
    (tree[1] / 'train' / 'cloud' / 'b.jpg').write_bytes(b'\xff\xd8\xff nothing')
    images = {'images_root': str(tree[1]), 'pipeline': [{'type': 'LoadImages', 'size': 4}]}
    text = refuse(ValueError, tree[0], split_by='folder', index=2, **images)
    assert 'b.jpg' in text and 'train/cloud/b' in text


def test_a_mesh_without_surface_is_named(tmp_path):
    (tmp_path / 'flat.off').write_text('OFF\n3 1 0\n0 0 0\n1 1 1\n2 2 2\n3 0 1 2\n')
    pipeline = [*LOAD, {'type': 'SampleSurface', 'num_points': 10}]
    assert 'flat.off' in refuse(ValueError, tmp_path, pipeline=pipeline, index=0)
