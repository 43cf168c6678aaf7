"""Steps of a data pipeline, one family per file."""

from .base import POINT_KEYS, Transform, build_pipeline, check_points, name_sample, run_pipeline
from .geometric import Jitter, RotateUp, ScaleAndTranslate, UnitSphere
from .image import ColorJitter, RandomFlip, ResizeImages
from .loading import LoadImages, LoadPoints, resize_image
from .packing import PackInputs
from .rendering import RenderViews, draw_cameras, render_views
from .sampling import AddView, FirstPoints, PickViews, PointDropout, RandomSample

__all__ = [
    'POINT_KEYS',
    'AddView',
    'ColorJitter',
    'FirstPoints',
    'Jitter',
    'LoadImages',
    'LoadPoints',
    'PackInputs',
    'PickViews',
    'PointDropout',
    'RandomFlip',
    'RandomSample',
    'RenderViews',
    'ResizeImages',
    'RotateUp',
    'ScaleAndTranslate',
    'Transform',
    'UnitSphere',
    'build_pipeline',
    'check_points',
    'draw_cameras',
    'name_sample',
    'render_views',
    'resize_image',
    'run_pipeline',
]
