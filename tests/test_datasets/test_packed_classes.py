"""Every data set of files reads packed data, alike in any number of workers, and looks at no raw file then.

And every data set, of files or not, says what its points are, as the overview of the pages has it.

That packed and raw samples agree is a test of each class, beside the tree that it reads.
"""

import inspect
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

import mmpt.datasets
from mmpt.datasets import PointCloudDataset
from mmpt.datasets.shards import ShardWriter, encode_record

CLASSES = [
    value
    for value in (getattr(mmpt.datasets, name) for name in mmpt.datasets.__all__)
    if inspect.isclass(value) and issubclass(value, PointCloudDataset) and value is not PointCloudDataset
]
# One file in memory, what is generated, and folds of another data set, which may be packed itself: nothing to gain.
WITHOUT = {'NpzShapes', 'SyntheticShapes', 'SyntheticRooms', 'DrawnFewShot'}
PIPELINE = [{'type': 'RandomSample', 'num_points': 8}, {'type': 'Jitter'}, {'type': 'PackInputs'}]
OVERVIEW = (Path(__file__).parents[2] / 'docs' / 'datasets' / 'README.md').read_text()
READERS = [pytest.param(value, id=value.__name__) for value in CLASSES if value.__name__ not in WITHOUT]


def write(folder, name, split, variant):
    with ShardWriter(
        folder, metainfo={'name': name, 'variant': variant, 'split': split}, total=5, command=['test'], made_from={}
    ) as pack:
        for index in range(5):
            points = np.random.default_rng(index).standard_normal((20, 3)).astype(np.float32)
            pack.append(index, encode_record({'sample_id': f's{index}', 'split': split, 'points': points}), None)
        pack.finish()


def open_packed(kind, root, pipeline=PIPELINE):
    """Open the class on a pack that is made when it says which one it wants."""
    with pytest.raises(FileNotFoundError, match=r'pack\.json does not exist') as error:
        kind(str(root), packed=True, pipeline=pipeline)
    folder = root / re.search(rf'{re.escape(str(root))}/([^/]+)/pack\.json', str(error.value))[1]
    write(folder, kind.__name__, folder.name, 'of nobody')
    with pytest.raises(ValueError, match="holds packed data with variant 'of nobody', expected") as error:
        kind(str(root), packed=True, pipeline=pipeline)
    pack = json.loads((folder / 'pack.json').read_text())
    pack['variant'] = pack['metainfo']['variant'] = re.search("expected '(.*?)';", str(error.value))[1]
    (folder / 'pack.json').write_text(json.dumps(pack))
    return kind(str(root), packed=True, pipeline=pipeline)


def test_all_classes_are_looked_at():
    assert {'ShapeNet', 'ModelNet', 'S3DIS', 'KITTI'} <= {kind.__name__ for kind in CLASSES}
    assert {kind.__name__ for kind in CLASSES} >= WITHOUT


@pytest.mark.parametrize('kind', READERS)
def test_packed_data_are_read_alike_in_any_number_of_workers(kind, tmp_path):
    data = open_packed(kind, tmp_path)
    assert len(data) == 5 and data.metainfo['name'] == kind.__name__ and data.label(2) is None
    keys = [(epoch, index) for epoch in range(2) for index in range(5)]
    expected = [data[key]['inputs']['points'] for key in keys]
    assert len({points.numpy().tobytes() for points in expected}) == 10
    copy = pickle.loads(pickle.dumps(data))
    for again in (copy, data):
        batches = DataLoader(again, 3, sampler=keys, num_workers=2, collate_fn=pseudo_collate)
        found = [points for batch in batches for points in batch['inputs']['points']]
        assert len(found) == 10 and all(map(torch.equal, expected, found))


def open_any(kind, folder, pipeline):
    """A data set of the class: on a pack, or on what it needs no files of a release for."""
    if kind.__name__ not in WITHOUT:
        return open_packed(kind, folder, pipeline)
    if kind.__name__.startswith('Synthetic'):
        return kind(size=2, num_points=64, pipeline=pipeline)
    arrays = {f'points_{part}': np.ones((4, 6, 3), np.float32) for part in ('train', 'test')}
    np.savez(folder / 'a.npz', class_names=['a', 'b'], labels_train=[0, 1] * 2, labels_test=[0, 1] * 2, **arrays)
    parts = {part: {'type': 'NpzShapes', 'path': str(folder / 'a.npz'), 'split': part} for part in ('train', 'test')}
    if kind.__name__ == 'NpzShapes':
        return kind(str(folder / 'a.npz'), pipeline=pipeline)
    return kind(parts, way=2, shot=1, queries=1, pipeline=pipeline)


@pytest.mark.parametrize('kind', CLASSES, ids=lambda kind: kind.__name__)
def test_metainfo_says_what_the_points_are(kind, tmp_path):
    about = open_any(kind, tmp_path, [{'type': 'PackInputs'}]).metainfo
    assert about['name'] == kind.__name__ and isinstance(about['variant'], str) and about['variant']
    assert about['up_axis'] in ('y', 'z') and about['normalize'] in ('none', 'unit_sphere')
    assert about['feature_keys'] == (), 'coordinates alone, unless the pipeline asks for more'
    # The overview: what is up, and the scale as read.
    up, scale = re.search(
        rf'^\| [^|]* \| `{kind.__name__}` \|[^|]*\|[^|]*\| ([^|]*) \| ([^|]*) \|', OVERVIEW, re.M
    ).groups()
    assert up[0] == about['up_axis'] or up == 'as the data'
    assert ('unit sphere' in scale.split(';')[0]) == (about['normalize'] == 'unit_sphere')
    if scale == 'metres':
        assert about['normalize'] == 'none' and about['up_axis'] == 'z'

    steps = [{'type': 'UnitSphere'}, {'type': 'PackInputs', 'feature_keys': ('normals', 'colors')}]
    (tmp_path / 'more').mkdir()
    more = open_any(kind, tmp_path / 'more', steps).metainfo
    assert more['feature_keys'] == ('normals', 'colors') and more['normalize'] == 'unit_sphere'
    changed = {key for key in more.keys() | about.keys() if more.get(key) != about.get(key)}
    assert changed <= {'feature_keys', 'normalize'}, 'the pipeline says nothing of anything else'
