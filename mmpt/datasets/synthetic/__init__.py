"""The world that ships with the package: seeded generators of objects, and the data set of what they make."""

from .dataset import SyntheticShapes

__all__ = ['SyntheticShapes']
