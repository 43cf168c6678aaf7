"""Frames of the KITTI object benchmark: a LiDAR sweep, the left colour picture, calibration, boxes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .lidar import read_rows
from .paths import need_file, need_folder, read_lines

__all__ = ['KITTI']

_CLASSES = ('Car', 'Van', 'Truck', 'Pedestrian', 'Person_sitting', 'Cyclist', 'Tram', 'Misc')
# Where nobody labelled anything: no place in space belongs to it.
_UNLABELLED = 'DontCare'
# Split -> folder of the release, and whether a list chooses from it.
_SPLITS = {
    'training': ('training', False),
    'testing': ('testing', False),
    'train': ('training', True),
    'val': ('training', True),
}
_CALIBRATION = {'P2': (3, 4), 'R0_rect': (3, 3), 'Tr_velo_to_cam': (3, 4)}
_FRAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_\-]*')
_LAYOUT = 'training/{velodyne,image_2,calib,label_2}/NNNNNN.{bin,png,txt,txt}, or these four folders themselves'
_SOURCE = (
    'The data are at https://www.cvlibs.net/datasets/kitti/eval_object.php (registration); they have no generated twin '
    'yet, and configs/mmpt/pretrain_synthetic.py runs without any download, on objects.'
)


@DATASETS.register_module()
class KITTI(PointCloudDataset):
    """The KITTI object benchmark (Geiger et al., CVPR 2012): 7,481 frames for training, 7,518 for testing.

    Expected files::

        <data_root>/training/velodyne/NNNNNN.bin   rows x y z intensity, float32, the whole turn of the sensor
        <data_root>/training/image_2/NNNNNN.png    the left colour camera
        <data_root>/training/calib/NNNNNN.txt      P2, R0_rect, Tr_velo_to_cam
        <data_root>/training/label_2/NNNNNN.txt    not in testing/
        <data_root>/ImageSets/{train,val}.txt      for these two splits; frame numbers, not part of the release

    A root that holds ``velodyne`` itself is taken as one such part.

    A sample has ``points`` (N, 3) float32 in the frame of the LiDAR (metres; x forward, y left, z up), ``intensity``
    (N,) float32 in 0..1, ``image_paths`` (one) and ``projections`` (1, 3, 4) float64 = P2 R0_rect Tr_velo_to_cam: times
    (x, y, z, 1) it gives (u w, v w, w), where (u, v) is the place in the picture as stored, in pixels from the centre
    of the first one, and w the distance from the image plane in metres. Labelled frames also have ``boxes`` (K, 7) in
    that frame and ``box_labels`` (K,), positions in ``metainfo['classes']``. ``DontCare`` regions are places in the
    picture, not in space: they are left out, so that what lies in them counts neither as object nor as background.
    A box stands upright in the camera's frame; its yaw is given about the LiDAR's z, which leans by about a degree.

    Args:
        data_root (str): the folder with ``training`` and ``testing``; packed: what pack.py wrote.
        split (str): 'training' or 'testing', all frames of the part; 'train' or 'val', those of a list.
        boxes (bool): read ``label_2``; switch it off to pre-train without it.
        packed (bool): read shards.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a list or a file of a frame is missing.
        ValueError: a list names something that is no frame, a file is cut off, or not in KITTI's format.
    """

    EXPECTED_COUNTS = {('object', 'training'): 7481, ('object', 'testing'): 7518}

    def __init__(
        self,
        data_root: str,
        split: str = 'training',
        *,
        boxes: bool = True,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f'KITTI(split={split!r}): expected one of {", ".join(map(repr, _SPLITS))}.')
        self.split = split
        part, listed = _SPLITS[split]
        self.boxes = boxes and part == 'training'
        if not packed:
            root = need_folder(data_root, _LAYOUT, '`data_root` of KITTI', _SOURCE)
            self.folder = root if (root / 'velodyne').is_dir() else root / part
            velodyne = need_folder(self.folder / 'velodyne', 'the sweeps NNNNNN.bin', '`data_root` of KITTI', _SOURCE)
            self.frames = _read_list(root / 'ImageSets' / f'{split}.txt') if listed else _list_folder(velodyne)
        super().__init__(
            pipeline,
            metainfo={'variant': 'object', 'up_axis': 'z', 'classes': _CLASSES, 'split': split},
            packed_root=data_root if packed else None,
            **kwargs,
        )

    def num_shapes(self) -> int:
        """Frames of the split."""
        return len(self.frames)

    def label(self, index: int) -> int | None:
        """None: a frame as a whole has no class."""
        return None

    def load_info(self, index: int) -> dict[str, Any]:
        """Sweep, calibration, boxes and the place of the picture."""
        frame = self.frames[index]
        sweep = read_rows(self.folder / 'velodyne' / f'{frame}.bin', 4, 'x y z intensity')
        calibration = _read_calibration(self.folder / 'calib' / f'{frame}.txt')
        rectified = _square(calibration['R0_rect']) @ _square(calibration['Tr_velo_to_cam'])
        info: dict[str, Any] = {
            'sample_id': frame,
            'split': self.split,
            'points': np.ascontiguousarray(sweep[:, :3]),
            'intensity': np.ascontiguousarray(sweep[:, 3]),
            'image_paths': [str(self.folder / 'image_2' / f'{frame}.png')],
            'projections': (calibration['P2'] @ rectified)[None],
        }
        if self.boxes:
            path = self.folder / 'label_2' / f'{frame}.txt'
            info['boxes'], info['box_labels'] = _read_boxes(path, np.linalg.inv(rectified))
        return info


def _list_folder(folder: Path) -> list[str]:
    frames = sorted(name[:-4] for name in os.listdir(folder) if name.endswith('.bin'))
    if not frames:
        raise FileNotFoundError(f'{folder} holds no sweep, expected NNNNNN.bin. {_SOURCE}')
    return frames


def _read_list(path: Path) -> list[str]:
    source = (
        'The lists of train and val are not part of KITTI: take those of the paper you compare with, or '
        f"split='training', which is all frames. {_SOURCE}"
    )
    frames = []
    for number, line in read_lines(path, 'one frame number a line', '`split` of KITTI', source):
        if not _FRAME.fullmatch(line):
            raise ValueError(
                f'{path}, line {number}: expected a frame number such as 000123, got {line!r}; a path that leads '
                'anywhere else is refused.'
            )
        frames.append(line)
    return frames


def _read_calibration(path: Path) -> dict[str, np.ndarray]:
    lines = need_file(path, 'the calibration of the frame', 'KITTI', _SOURCE).read_text(errors='replace').splitlines()
    found = {name.strip(): numbers.split() for name, colon, numbers in (line.partition(':') for line in lines) if colon}
    matrices = {}
    for name, shape in _CALIBRATION.items():
        matrix = _floats(found.get(name, []))
        if matrix.size != shape[0] * shape[1]:
            raise ValueError(
                f'{path}: expected a line "{name}:" with {shape[0] * shape[1]} numbers, got '
                f'{" ".join(found[name]) if name in found else "none"!r}; the file is damaged: get it again.'
            )
        matrices[name] = matrix.reshape(shape)
    return matrices


def _floats(words: list[str]) -> np.ndarray:
    """Numbers of words; none if one of them is no finite number."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)


def _square(matrix: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) or a pose (3, 4) as (4, 4), for points with a 1 at the end."""
    square = np.eye(4)
    square[:3, : matrix.shape[1]] = matrix
    return square


def _read_boxes(path: Path, camera_to_lidar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in the LiDAR's frame (K, 7) float32, and their classes (K,) int64.

    The file gives height, width and length, the centre of the lower face in the frame of the rectified camera (y down),
    and the turn of the length from that camera's x about its y.
    """
    boxes, labels = [], []
    lines = need_file(path, 'the labels of the frame', '`boxes` of KITTI', _SOURCE).read_text(errors='replace')
    for number, line in enumerate(lines.splitlines(), start=1):
        words = line.split()
        if not words or words[0] == _UNLABELLED:
            continue
        values = _floats(words[8:15])
        if words[0] not in _CLASSES or values.shape != (7,):
            raise ValueError(
                f'{path}, line {number}: expected one of {", ".join(_CLASSES)} or {_UNLABELLED} and 14 numbers, got '
                f'{line.strip()!r}; correct the file.'
            )
        height, width, length, x, y, z, turn = values
        labels.append(_CLASSES.index(words[0]))
        centre = camera_to_lidar @ (x, y - height / 2, z, 1)
        along = camera_to_lidar[:3, :3] @ (np.cos(turn), 0, -np.sin(turn))
        boxes.append((*centre[:3], length, width, height, np.arctan2(along[1], along[0])))
    return np.array(boxes, np.float32).reshape(-1, 7), np.array(labels, np.int64)
