"""Headless pictures: PNG and self-contained HTML."""

from .clouds3d import CloudPanel, CloudRow, Clouds3D, reconstruction_row, retrieval_row
from .completion import CompletionItem, draw_completion
from .confusion import save_confusion
from .contact_sheet import SheetItem, save_sheet
from .figures import save_curves, save_run_curves, save_scores
from .hooks import CompletionPictures, DetectionPictures, PartPictures, ReconstructionPictures, SemanticPictures
from .intervals import IntervalRow, Intervals
from .layout import Beside, Part
from .levels import LevelChart, LevelLine, Levels
from .parts import PartItem, draw_parts
from .reconstruction import ReconstructionItem, draw_reconstruction, save_reconstruction
from .report import Block, Code, Curves, Picture, Section, Table, Text, write_report
from .retrieval import RetrievalRow, save_retrieval
from .rooms import BoxItem, RoomItem, draw_boxes, draw_rooms
from .scalars import Curve, read_scalars
from .scatter import Scatter, save_scatter

__all__ = [
    'Beside',
    'Block',
    'BoxItem',
    'CloudPanel',
    'CloudRow',
    'Clouds3D',
    'Code',
    'CompletionItem',
    'CompletionPictures',
    'Curve',
    'Curves',
    'DetectionPictures',
    'IntervalRow',
    'Intervals',
    'LevelChart',
    'LevelLine',
    'Levels',
    'Part',
    'PartItem',
    'PartPictures',
    'Picture',
    'ReconstructionItem',
    'ReconstructionPictures',
    'RetrievalRow',
    'RoomItem',
    'Scatter',
    'Section',
    'SemanticPictures',
    'SheetItem',
    'Table',
    'Text',
    'draw_boxes',
    'draw_completion',
    'draw_parts',
    'draw_reconstruction',
    'draw_rooms',
    'read_scalars',
    'reconstruction_row',
    'retrieval_row',
    'save_confusion',
    'save_curves',
    'save_reconstruction',
    'save_retrieval',
    'save_run_curves',
    'save_scatter',
    'save_scores',
    'save_sheet',
    'write_report',
]
