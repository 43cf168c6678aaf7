"""What classification asks of the data: farthest points, several draws, a part held out, classes that are missing."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from mmpt.datasets import NpzShapes, SeveralDraws, SyntheticShapes
from mmpt.datasets.transforms import FarthestPoints, FirstPoints, RandomSample, ScaleAndTranslate, UnitSphere
from mmpt.datasets.verification import find_parts
from mmpt.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]


def slow_order(points, num):
    """Row by row, in double precision."""
    points, chosen = points.astype(np.float64), [0]
    while len(chosen) < num:
        chosen.append(int(np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1).argmax()))
    return chosen


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    return {'points': rng.standard_normal((300, 3)).astype(np.float32), 'parts': np.arange(300)}


def test_farthest_points_are_those_of_the_slow_loop_and_rows_stay_together(cloud):
    order = slow_order(cloud['points'], 40)
    taken = FarthestPoints(40)(dict(cloud))
    assert taken['parts'].tolist() == order
    np.testing.assert_array_equal(taken['points'], cloud['points'][order])
    # A scale and a shift for all axes changes nothing.
    assert FarthestPoints(40)(UnitSphere()(dict(cloud)))['parts'].tolist() == order


def test_rows_in_order_are_cut_off_until_something_puts_them_out_of_order(cloud):
    ordered = {**cloud, 'farthest_first': True, 'sample_id': 'a', 'rng': np.random.default_rng(1)}
    assert FarthestPoints(40)(dict(ordered))['parts'].tolist() == list(range(40))
    assert FarthestPoints(20)(FirstPoints(40)(dict(ordered)))['parts'].tolist() == list(range(20))
    drawn = RandomSample(200)(dict(ordered))
    assert FarthestPoints(20)(dict(drawn))['parts'].tolist() == [
        drawn['parts'][row] for row in slow_order(drawn['points'], 20)
    ]


def test_as_many_as_there_are_is_the_cloud_and_more_is_an_error(cloud):
    assert FarthestPoints(300)(dict(cloud))['parts'].tolist() == list(range(300))
    with pytest.raises(ValueError, match=r'FarthestPoints\(num_points=301\)'):
        FarthestPoints(301)(dict(cloud))


@pytest.fixture
def npz(tmp_path):
    points = np.random.default_rng(0).standard_normal((30, 16, 3)).astype(np.float32)
    path = tmp_path / 'shapes.npz'
    np.savez(path, points_train=points, labels_train=np.arange(30) % 3, class_names=np.array(['a', 'b', 'c']))
    return str(path)


def test_draw_d_is_that_of_epoch_d_whenever_it_is_asked_for(npz):
    data = NpzShapes(npz, pipeline=[ScaleAndTranslate()], indices=4)
    draws = SeveralDraws(data, 3)
    assert len(draws) == 12 and draws.metainfo == data.metainfo
    for index in range(12):
        sample, same = draws[index], data[(index // 4, index % 4)]
        assert (sample['epoch'], sample['sample_id']) == (index // 4, data[index % 4]['sample_id'])
        np.testing.assert_array_equal(sample['points'], same['points'])
    assert not np.array_equal(draws[0]['points'], draws[4]['points'])
    with pytest.raises(IndexError):
        draws[12]
    with pytest.raises(ValueError, match='1 or more'):
        SeveralDraws(data, 0)


def test_a_part_is_held_out(npz):
    held, rest = (NpzShapes(npz, indices=rule) for rule in ({'keep': 1, 'of': 10}, {'drop': 1, 'of': 10}))
    assert [held[k]['index'] for k in range(len(held))] == [1, 11, 21]
    assert sorted(list(held.indices) + list(rest.indices)) == list(range(30))
    for wrong in ({'keep': 10, 'of': 10}, {'of': 10}, {'keep': 1, 'drop': 1}, {'keep': 1, 'of': 10, 'seed': 0}):
        with pytest.raises(ValueError, match=r'expected dict\(keep=k, of=n\)'):
            NpzShapes(npz, indices=wrong)


def test_a_share_is_the_same_part_of_every_class_and_a_larger_one_holds_it(tmp_path):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 40, 3]))
    path = str(tmp_path / 'shapes.npz')
    points = np.zeros((143, 4, 3), np.float32)
    np.savez(path, points_train=points, labels_train=labels, class_names=np.array(['a', 'b', 'c']))

    def drawn(share, seed=0):
        return NpzShapes(path, indices={'share': share, 'seed': seed}).indices

    shares = {0.01: [1, 1, 1], 0.1: [10, 4, 1], 0.5: [50, 20, 2], 1.0: [100, 40, 3]}
    for share, counts in shares.items():
        assert np.bincount(labels[drawn(share)]).tolist() == counts
        assert drawn(share) == sorted(set(drawn(share))) == drawn(share)
    for smaller, larger in zip(shares, [*shares][1:]):
        assert set(drawn(smaller)) < set(drawn(larger))
    assert drawn(0.1) != drawn(0.1, seed=1)
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError, match='above 0 and is at most 1'):
            drawn(wrong)
    with pytest.raises(ValueError, match='have no labels, so no class can be drawn from'):
        SyntheticShapes('composites', size=9, indices={'share': 0.1, 'seed': 0})


def test_classes_without_a_shape_are_named(npz):
    assert NpzShapes(npz).missing_classes() == ()
    assert NpzShapes(npz, indices=[1, 4]).missing_classes() == ('a', 'c')


def test_the_number_of_points_is_what_the_last_choice_leaves(npz):
    data = NpzShapes(npz, pipeline=[FarthestPoints(12), RandomSample(8)])
    assert data.metainfo['num_points'] == 8 and 'num_points' not in NpzShapes(npz).metainfo


def test_the_tools_for_data_see_what_is_drawn_from():
    config = load_config(ROOT / 'configs' / 'classification' / 'finetune_modelnet40_1k.py')
    keys = [f'{loop}_dataloader.dataset' for loop in ('train', 'val', 'test')]
    places = find_parts(config, keys)
    assert places == {keys[0]: keys[:1], keys[1]: [keys[1], f'{keys[2]}.dataset']}
    pack = runpy.run_path(str(ROOT / 'tools' / 'dataset_converters' / 'pack.py'))
    ((where, cfg),) = pack['flatten'](config.test_dataloader.dataset, keys[2])
    assert where == f'{keys[2]}.dataset' and cfg['type'] == 'ModelNet'
