"""The world that ships with the package: seeded generators of objects and rooms, and their data sets."""

from .dataset import SyntheticShapes
from .room_dataset import SyntheticRooms

__all__ = ['SyntheticRooms', 'SyntheticShapes']
