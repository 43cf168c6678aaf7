"""Make one .npy file per room of S3DIS from the release Stanford3dDataset_v1.2_Aligned_Version.

    python tools/dataset_converters/s3dis.py data/Stanford3dDataset_v1.2_Aligned_Version data/s3dis

writes data/s3dis/Area_<k>_<room>.npy: (N, 7) float32, x y z in metres with the lowest corner of the room at 0 0 0, red
green blue 0..255, label 0..12; with --instances also data/s3dis/instances/Area_<k>_<room>.npy: (N,) int32, the object
of each point, counted from 0 in the order of the file names. Rooms that are there already are left as they are, so that
the same command goes on where it was stopped.

Put right on the way, and said: objects of other classes than the 13 (stairs) become clutter; characters that no text
has (one in Area_5/hallway_6/Annotations/ceiling_1.txt) become blanks; a file <class>_<n> (1).txt, a copy of another one
(Area_5/office_36), is left out.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmpt.datasets.paths import need_folder
from mmpt.datasets.reading import read_table
from mmpt.datasets.s3dis import S3DIS_CLASSES
from mmpt.utils.conversion import convert_all
from mmpt.utils.io import atomic_write, remove_leftovers

_RELEASE = 'Stanford3dDataset_v1.2_Aligned_Version'
_AREA = re.compile(r'Area_[1-6]')
_ROOM = re.compile(r'[A-Za-z]+_[0-9]+')
_OBJECT = re.compile(r'(?P<name>[A-Za-z]+)_[0-9]+\.txt')
_SOURCE = 'docs/datasets/s3dis.md says where to get it; give the folder that has Area_1 to Area_6 in it.'
# Everything but printable ASCII and what separates numbers and lines becomes a blank.
_BLANKS = bytes(code if 32 <= code < 127 or code in b'\t\r\n' else 32 for code in range(256))


class Room(NamedTuple):
    """What one task needs: where the room is, and where it goes."""

    folder: Path
    points: Path
    instances: Path | None

    @property
    def is_done(self) -> bool:
        """Whether it has been written; files are written whole or not at all, the points last."""
        return self.points.is_file() and (self.instances is None or self.instances.is_file())


def find_rooms(release: Path, out: Path, instances: bool) -> dict[str, Room]:
    """All rooms of a release by the name of their file, such as Area_1_office_1."""
    need_folder(release, 'Area_1 to Area_6', f'the release {_RELEASE}', _SOURCE)
    areas = sorted(path for path in release.iterdir() if _AREA.fullmatch(path.name) and path.is_dir())
    if not areas:
        need_folder(release / 'Area_1', '<room>/Annotations/<class>_<n>.txt', f'the release {_RELEASE}', _SOURCE)
    rooms = {}
    for area in areas:
        for folder in sorted(path for path in area.iterdir() if _ROOM.fullmatch(path.name) and path.is_dir()):
            name = f'{area.name}_{folder.name}'
            rooms[name] = Room(folder, out / f'{name}.npy', out / 'instances' / f'{name}.npy' if instances else None)
    return rooms


def convert(room: Room) -> list[str]:
    """Read the objects of a room and write it.

    Returns:
        list[str]: what was put right.
    """
    folder = need_folder(room.folder / 'Annotations', '<class>_<n>.txt', f'the room {room.folder.name}', _SOURCE)
    notes: list[str] = []
    rows, objects = [], []
    for path in sorted(folder.glob('*.txt')):
        match = _OBJECT.fullmatch(path.name)
        if match is None:
            notes.append(f'left out {path.name}, which is not called <class>_<n>.txt')
            continue
        table = read_object(path, notes)
        label = match['name'] if match['name'] in S3DIS_CLASSES else 'clutter'
        if label != match['name']:
            notes.append(f'{path.name} became clutter, {match["name"]!r} is none of the 13 classes')
        rows.append(np.column_stack([table, np.full(len(table), S3DIS_CLASSES.index(label), np.float32)]))
        objects.append(np.full(len(table), len(objects), np.int32))
    if not rows:
        raise ValueError(f'{folder} holds no <class>_<n>.txt, expected one for every object; unpack the release again.')
    array = np.concatenate(rows)
    array[:, :3] -= array[:, :3].min(axis=0)
    if room.instances is not None:
        _write(np.concatenate(objects), room.instances)
    _write(array, room.points)
    return notes


def read_object(path: Path, notes: list[str]) -> np.ndarray:
    """The rows x y z r g b of one object, (n, 6) float32; adds to ``notes`` where characters had to go."""
    try:
        table = read_table(path, 6)
    except ValueError:
        data = path.read_bytes()
        repaired = data.translate(_BLANKS)
        if repaired == data:
            raise
        count = sum(old != new for old, new in zip(data, repaired))
        try:
            table = np.loadtxt(io.BytesIO(repaired), np.float32, ndmin=2)
        except ValueError as error:
            raise ValueError(f'{path} is not rows of x y z r g b ({error}); unpack the release again.') from error
        notes.append(f'read {count} characters of {path.name} that no text has as blanks')
    if table.shape[1] != 6 or not np.isfinite(table).all():
        raise ValueError(
            f'{path} holds {table.shape} numbers, expected rows of six, all of them finite; unpack the release again.'
        )
    if table[:, 3:].min() < 0 or table[:, 3:].max() > 255:
        raise ValueError(f'{path} holds colours outside 0 to 255; unpack the release again.')
    return table


def _write(array: np.ndarray, path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    atomic_write(buffer.getvalue(), path)


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('release', type=Path, help=f'the folder {_RELEASE}')
    parser.add_argument('out', type=Path, help='where the rooms go')
    parser.add_argument('--instances', action='store_true', help='write the object of each point as well')
    parser.add_argument('--workers', type=int, default=1, help='processes; each holds one room in memory')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()

    rooms = find_rooms(args.release, args.out, args.instances)
    for folder in (args.out, args.out / 'instances'):
        remove_leftovers(folder)
    todo = {name: room for name, room in rooms.items() if not room.is_done}
    print(f'{len(rooms)} rooms in {args.release}, {len(rooms) - len(todo)} of them done before', file=sys.stderr)
    convert_all(todo, convert, 'rooms', args.workers)
    print(f'{len(rooms)} rooms in {args.out}; configs/_base_/datasets/s3dis.py reads them')


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
