"""Point-cloud operations: one function each, plain torch on every device; they import nothing else from mmpt.

Coordinates are (B, N, 3), in any unit; distances come back in that unit. Inside every operation autocast is off
and coordinates are float32 (float64 stays float64), so results under bf16 autocast equal the float32 ones.
"""

from .ball_query import ball_query
from .chamfer_distance import chamfer_distance
from .farthest_point_sample import farthest_point_sample
from .gather import gather
from .knn import Neighbours, knn
from .rasterize import RasterOutput, rasterize
from .three_interpolate import three_interpolate

__all__ = [
    'Neighbours',
    'RasterOutput',
    'ball_query',
    'chamfer_distance',
    'farthest_point_sample',
    'gather',
    'knn',
    'rasterize',
    'three_interpolate',
]
