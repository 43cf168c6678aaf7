"""tools/verify_dataset.py over every shipped config of a data set, on a few shapes in its released layout."""

import json
import runpy
import sys
from pathlib import Path

import _classification_trees as classification
import cv2
import pytest
from _kitti import write_kitti
from _mvcnn import write_mvcnn
from _nuscenes_tree import write_release as write_nuscenes
from _pcn import write_pcn
from _s3dis import write_s3dis
from _scannet import convert_here
from _scannet import write_release as write_scannet
from _shapenet_part import write_h5_release, write_text_release
from _small import ROOT, write_own_shapes, write_shapenet

from mmpt.utils.errors import run

TOOL = ROOT / 'tools' / 'verify_dataset.py'
FOLDER = ROOT / 'configs' / '_base_' / 'datasets'


def write_scans(data):
    write_scannet(data.parent / 'release')
    convert_here(data.parent / 'release', data / 'scannet')


def write_clouds_of_modelnet(data):
    classification.write_modelnet40(data, points=1200)


def write_folds(data):
    classification.write_modelnet_fewshot(data, way=5, shot=10, points=1200)


MODELNET = 'ModelNet/modelnet40_normal_resampled/chair/chair_0002.txt'
CLOUD = 'ShapeNet55-34/shapenet_pc/03001627-train0000000000000000000000000001.npy'
# What writes the tree below data/, a file of it that is then cut off, and the configs that read it.
TREES = (
    (write_own_shapes, 'own_shapes/train/lamp/0.ply', 'folder'),
    (lambda data: write_kitti(data, 30_000), 'kitti/training/velodyne/000003.bin', 'kitti'),
    (write_clouds_of_modelnet, MODELNET, 'modelnet40', 'modelnet40_classification', 'modelnet10'),
    (classification.write_modelnet40_h5, 'modelnet40_ply_hdf5_2048/ply_data_train1.h5', 'modelnet40_h5'),
    (write_folds, 'ModelNetFewshot/5way_10shot/0.pkl', 'modelnet_fewshot', 'modelnet_fewshot_classification'),
    (write_mvcnn, 'ShapeNet55/pointclouds/train/model_000012.ply', 'mvcnn'),
    (lambda data: write_nuscenes(data, 'v1.0-trainval', 17_000), 'nuscenes/samples/LIDAR_TOP/a.pcd.bin', 'nuscenes'),
    (write_pcn, 'PCN/train/partial/02691156/b/02.pcd', 'pcn'),
    (write_s3dis, 's3dis/Area_3_WC_1.npy', 's3dis'),
    (write_scans, 'scannet/scenes/scene0000_00.npz', 'scannet', 'scannet_det'),
    (
        classification.write_scanobjectnn,
        'ScanObjectNN/main_split/training_objectdataset_augmentedrot_scale75.h5',
        'scanobjectnn',
        'scanobjectnn_classification',
    ),
    (write_shapenet, CLOUD, 'shapenet', 'shapenet_completion'),
    (write_shapenet, CLOUD.replace('_pc', '_img').replace('.npy', '.png'), 'shapenet_recon'),
    (
        write_shapenet,
        'ShapeNetRendering/02691156/train0000000000000000000000000000/rendering/00.png',
        'pairs_shapenet',
    ),
    (write_text_release, 'shapenetcore_partanno_segmentation_benchmark_v0_normal/04379243/a.b-c.txt', 'shapenet_part'),
    (write_h5_release, 'hdf5_data/ply_data_train3.h5', 'shapenet_part_h5'),
)
CASES = {name: tree[:2] for tree in TREES for name in tree[2:]}


def cut(path):
    """Keep one half, so that the last row is not whole: neither .txt nor .bin says how many rows there should be."""
    content = path.read_bytes()
    half = len(content) // 2 - 1
    path.write_bytes(content[: content.rindex(b'\n', 0, half) + 4 if path.suffix == '.txt' else half])


@pytest.fixture
def verify(monkeypatch, capsys, tmp_path):
    """``verify(config, ...)``: exit code as the command has it, what was printed, report.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('mmpt.datasets.browsing.TILE', 40)
    tool = runpy.run_path(str(TOOL))

    def verify(name, *options):
        words = [str(FOLDER / f'{name}.py'), '--out', 'out', '--workers', '0', *options]
        monkeypatch.setattr(sys, 'argv', ['verify_dataset.py', *words])
        outcome = []
        code = run(lambda: outcome.append(tool['main'](tool['parse_args']())))
        printed = ''.join(capsys.readouterr())
        assert code == 0 and 'Traceback' not in printed, printed
        return outcome[0], printed, json.loads(Path('out/report.json').read_text())

    return verify


def problems(report):
    found = [*report['duplicates']['findings'], *(f for part in report['parts'] for f in part['findings'])]
    return {finding['kind'] for finding in found if finding['level'] == 'problem'}


def test_every_config_of_files_has_a_tree():
    generated = ('synthetic', 'categories', 'quickstart')
    assert set(CASES) == {path.stem for path in FOLDER.glob('*.py') if not any(word in path.stem for word in generated)}


@pytest.mark.parametrize('name', CASES)
def test_a_shipped_config_is_verified(name, verify, tmp_path):
    write, damaged = CASES[name]
    (tmp_path / 'data').mkdir()
    write(tmp_path / 'data')
    clean, printed, report = verify(name)
    # The few shapes of a test are not the published number, where one is stated; the rooms of ScanNet's tree are one.
    known = {'counts'} if any(part['expected'] for part in report['parts']) else set()
    known |= {'duplicates'} if name.startswith('scannet') else set()
    assert problems(report) == known and clean == (not known) and report['not_opened'] == {}, printed
    for number, part in enumerate(report['parts']):
        assert part['read'] == part['shapes'] > 0 and part['missing'] == part['damaged'] == 0
        (sheet,) = tmp_path.glob(f'out/contact_sheet_{number}_*.png')
        assert (cv2.imread(str(sheet)) < 250).mean() > 0.01, 'something is drawn'

    cut(tmp_path / 'data' / damaged)
    clean, printed, report = verify(name, '--ignore', *known, 'pipeline')
    assert not clean
    assert any(line.startswith('PROBLEM') and f'data/{damaged}' in line for line in printed.splitlines()), printed
