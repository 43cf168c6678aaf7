"""Steps of a data pipeline, one family per file."""

from .base import POINT_KEYS, Transform, build_pipeline, check_points, name_sample, run_pipeline
from .completion import VIEWPOINTS, CropViewpoint, HiddenPointRemoval, LoadPartial, RandomMirror, ResamplePoints
from .geometric import Jitter, RandomRotation, RotateUp, ScaleAndTranslate, TranslateByExtent, UnitSphere
from .image import ColorJitter, RandomFlip, ResizeImages
from .lidar import CropRange
from .loading import LoadImages, LoadPoints, resize_image
from .meshes import SampleSurface, sample_surface
from .packing import PackInputs
from .point_colors import ContrastPointColors, DropPointColors, JitterPointColors, ShiftPointColors
from .projection import ProjectPoints, project
from .rendering import RenderViews, draw_cameras, render_views
from .sampling import FarthestPoints, FirstPoints, PickViews, PointDropout, RandomSample
from .scenes import CentreFloor, CropBlock, CropSphere, FlipXY, GridSample
from .views import MultiView

__all__ = [
    'POINT_KEYS',
    'VIEWPOINTS',
    'CentreFloor',
    'ColorJitter',
    'ContrastPointColors',
    'CropBlock',
    'CropRange',
    'CropSphere',
    'CropViewpoint',
    'DropPointColors',
    'FarthestPoints',
    'FirstPoints',
    'FlipXY',
    'GridSample',
    'HiddenPointRemoval',
    'Jitter',
    'JitterPointColors',
    'LoadImages',
    'LoadPartial',
    'LoadPoints',
    'MultiView',
    'PackInputs',
    'PickViews',
    'PointDropout',
    'ProjectPoints',
    'RandomFlip',
    'RandomMirror',
    'RandomRotation',
    'RandomSample',
    'RenderViews',
    'ResamplePoints',
    'ResizeImages',
    'RotateUp',
    'SampleSurface',
    'ScaleAndTranslate',
    'ShiftPointColors',
    'Transform',
    'TranslateByExtent',
    'UnitSphere',
    'build_pipeline',
    'check_points',
    'draw_cameras',
    'name_sample',
    'project',
    'render_views',
    'resize_image',
    'run_pipeline',
    'sample_surface',
]
