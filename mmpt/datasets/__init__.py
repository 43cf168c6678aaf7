"""Data sets: one dictionary per sample, taken through a pipeline of transforms."""

from . import transforms
from .base import PointCloudDataset
from .concat import ConcatDataset
from .drawn_few_shot import DrawnFewShot
from .folder import PointCloudFolder
from .kitti import KITTI
from .modelnet import ModelNet
from .modelnet_fewshot import ModelNetFewShot
from .mvcnn import ShapeNetMVCNN
from .npz import NpzShapes
from .nuscenes import NuScenes
from .pcn import PCN
from .s3dis import S3DIS
from .scannet import ScanNet
from .scanobjectnn import ScanObjectNN
from .several_draws import SeveralDraws
from .shapenet import ShapeNet
from .shapenet_completion import ShapeNetCompletion
from .shapenet_part import ShapeNetPart
from .shapenet_recon import ShapeNetReCon
from .synthetic.dataset import SyntheticShapes
from .synthetic.room_dataset import SyntheticRooms

__all__ = [
    'KITTI',
    'PCN',
    'S3DIS',
    'ConcatDataset',
    'DrawnFewShot',
    'ModelNet',
    'ModelNetFewShot',
    'NpzShapes',
    'NuScenes',
    'PointCloudDataset',
    'PointCloudFolder',
    'ScanNet',
    'ScanObjectNN',
    'SeveralDraws',
    'ShapeNet',
    'ShapeNetCompletion',
    'ShapeNetMVCNN',
    'ShapeNetPart',
    'ShapeNetReCon',
    'SyntheticRooms',
    'SyntheticShapes',
    'transforms',
]
