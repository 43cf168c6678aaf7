"""nuScenes in its released layout, from poses that a test knows. Quaternions come from scipy, not from our own code."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

CHANNELS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_BACK_RIGHT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_FRONT_LEFT')
REAL = Path(os.environ.get('MMPT_DATA', '')) / 'lidar_samples/nuscenes_mmdet3d_demo'
CATEGORIES = (
    'noise',
    'animal',
    'vehicle.car',
    'human.pedestrian.adult',
    'flat.driveable_surface',
    'movable_object.barrier',
)


def pose(translation, euler_z=0.0, rotation=None):
    """A (4, 4) pose: turned about z by degrees, or by a rotation matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('z', euler_z, degrees=True).as_matrix() if rotation is None else rotation
    matrix[:3, 3] = translation
    return matrix


def _stored(matrix):
    quaternion = Rotation.from_matrix(matrix[:3, :3]).as_quat()  # x y z w
    return {'translation': matrix[:3, 3].tolist(), 'rotation': quaternion[[3, 0, 1, 2]].tolist()}


class Release:
    """Rows of the tables; ``write`` puts most of them on disk in shuffled order, indented as in the release."""

    def __init__(self, root, version='v1.0-mini'):
        self.root, self.version = root, version
        names = ('scene', 'sample', 'sample_data', 'ego_pose', 'calibrated_sensor', 'sensor', 'sample_annotation')
        self.tables = {name: [] for name in (*names, 'instance', 'category', 'log')}
        for channel in ('LIDAR_TOP', *CHANNELS, 'RADAR_FRONT'):
            self.add('sensor', f'sensor-{channel}', channel=channel, modality=channel.split('_')[0].lower())
        for index, name in enumerate(CATEGORIES):
            self.add('category', f'category-{name}', name=name, description='', index=index)

    def add(self, table, token, **fields):
        self.tables[table].append({'token': token, **fields})

    def scene(self, name):
        self.add('scene', f'token-{name}', name=name, description='', log_token='log', nbr_samples=1)

    def frame(self, token, scene, timestamp, sensors, key=True):
        """``sensors``: channel -> (file name, sensor to vehicle, vehicle to world, intrinsics or [])."""
        if key:
            self.add('sample', token, timestamp=timestamp, scene_token=f'token-{scene}', prev='', next='')
        for channel, (file, inner, outer, intrinsic) in sensors.items():
            own = f'{token}-{channel}-{"key" if key else "sweep"}'
            self.add('calibrated_sensor', f'cs-{own}', sensor_token=f'sensor-{channel}', camera_intrinsic=intrinsic,
                     **_stored(inner))  # fmt: skip
            self.add('ego_pose', f'pose-{own}', timestamp=timestamp, **_stored(outer))
            self.add('sample_data', f'data-{own}', sample_token=token, ego_pose_token=f'pose-{own}',
                     calibrated_sensor_token=f'cs-{own}', filename=file, fileformat=file.split('.')[-1],
                     width=0, height=0, timestamp=timestamp, is_key_frame=key, prev='', next='')  # fmt: skip

    def box(self, token, category, matrix, width_length_height):
        number = len(self.tables['instance'])
        self.add('instance', f'instance-{number}', category_token=f'category-{category}', nbr_annotations=1)
        self.add('sample_annotation', f'annotation-{number}', sample_token=token, instance_token=f'instance-{number}',
                 attribute_tokens=[], size=list(width_length_height), num_lidar_pts=1, **_stored(matrix))  # fmt: skip

    def write(self):
        folder = self.root / self.version
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            if name not in ('scene', 'sample_annotation'):
                rows = [rows[k] for k in np.random.default_rng(0).permutation(len(rows))]
            (folder / f'{name}.json').write_text(json.dumps(rows, indent=0))
        (self.root / 'samples').mkdir(exist_ok=True)
        return self.root


def write_real_frame(folder):
    """The real key frame of the samples as a release: tables from its matrices, files by link.

    Gives the release, the facts of the frame and the names of its classes.
    """
    if 'MMPT_DATA' not in os.environ or not REAL.is_dir():
        pytest.skip('MMPT_DATA does not lead to lidar_samples/nuscenes_mmdet3d_demo')
    facts = json.loads((REAL / 'sample.json').read_text())
    frame, names = facts['data_list'][0], list(facts['metainfo']['categories'])
    made = Release(folder)
    made.tables['category'] = []
    general = dict(zip(names, ('vehicle.car', 'vehicle.truck', 'vehicle.trailer', 'vehicle.bus.rigid',
                               'vehicle.construction', 'vehicle.bicycle', 'vehicle.motorcycle',
                               'human.pedestrian.adult', 'movable_object.trafficcone', 'movable_object.barrier'),
                       strict=True))  # fmt: skip
    for name in general.values():
        made.add('category', f'category-{name}', name=name, description='')
    made.scene('scene-0061')
    lidar, start = np.array(frame['lidar_points']['lidar2ego']), np.array(frame['ego2global'])
    found = {'LIDAR_TOP': (f'samples/LIDAR_TOP/{frame["lidar_points"]["lidar_path"]}', lidar, start, [])}
    for channel, camera in frame['images'].items():
        inner = np.array(camera['cam2ego'])
        # Where the vehicle was when the picture was taken: what the stored LiDAR-to-camera matrix says.
        after = start @ lidar @ np.linalg.inv(camera['lidar2cam']) @ np.linalg.inv(inner)
        found[channel] = (f'samples/{channel}/{camera["img_path"]}', inner, after, camera['cam2img'])
    made.frame(frame['token'], 'scene-0061', 1, found)
    for box in frame['instances']:
        x, y, z, length, width, height, yaw = box['bbox_3d']
        placed = start @ lidar @ pose((x, y, z), np.degrees(yaw))
        made.box(frame['token'], general[names[box['bbox_label_3d']]], placed, (width, length, height))
    made.write()
    for name, *_ in found.values():
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).symlink_to(REAL / Path(name).name)
    return made, frame, names


# The LiDAR: its x is the vehicle's right, its y the vehicle's front. A camera that looks to the vehicle's front.
LIDAR = pose((0, 0, 2), euler_z=-90)
FRONT = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
POINT = (2, 12, -1)


def intrinsic(number):
    return [[100.0, 0.0, 80.0 + number], [0.0, 100.0, 45.0], [0.0, 0.0, 1.0]]


def sensors(token, start):
    """The vehicle drives 1 m along the world's y between the sweep and the pictures; each camera looks elsewhere."""
    found = {'LIDAR_TOP': (f'samples/LIDAR_TOP/{token}.pcd.bin', LIDAR, start, [])}
    after = pose((0, 1, 0)) @ start
    for number, channel in enumerate(CHANNELS):
        turned = pose((1, 0, 2), rotation=pose((0, 0, 0), -60 * number)[:3, :3] @ FRONT)
        found[channel] = (f'samples/{channel}/{token}.jpg', turned, after, intrinsic(number))
    return found


def write_release(folder, version='v1.0-mini', more_points=0):
    """Three scenes, one of them held out; scene-0061 has two key frames and sweeps between them."""
    made = Release(folder / 'nuscenes', version)
    start = pose((100, 50, 0), euler_z=90)
    for name, tokens in (('scene-0061', ('b', 'a')), ('scene-0103', ('c',)), ('scene-0655', ('d',))):
        made.scene(name)
        for time, token in enumerate(tokens):
            made.frame(token, name, 1000 + time, sensors(token, start))
            made.frame(token, name, 1000 + time, sensors(f'{token}-sweep', pose((0, 0, 0))), key=False)
            rows = np.array([[*POINT, 7, 3], [0, -5, 1, 255, 31]], '<f4')
            more = np.random.default_rng(ord(token)).uniform(
                (-50, -50, -2, 0, 0), (50, 50, 3, 255, 31), (more_points, 5)
            )
            rows = np.concatenate([rows, more.astype('<f4')])
            path = made.root / f'samples/LIDAR_TOP/{token}.pcd.bin'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rows.tobytes())
            for channel in CHANNELS:
                (made.root / 'samples' / channel).mkdir(exist_ok=True)
                cv2.imwrite(str(made.root / f'samples/{channel}/{token}.jpg'), np.full((90, 160, 3), 50, np.uint8))
    made.box('d', 'movable_object.barrier', start @ LIDAR @ pose((1, 2, 3)), (1, 1, 1))
    # A car at the point, 4 m long, facing as the vehicle does; and a dog beside the vehicle.
    made.box('b', 'vehicle.car', start @ LIDAR @ pose(POINT, 90), (1.8, 4.0, 1.5))
    made.box('b', 'animal', start @ LIDAR @ pose((3, 0, -1)), (0.3, 0.6, 0.5))
    made.write()
    return made
