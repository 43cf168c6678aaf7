"""Headless pictures: PNG and self-contained HTML."""

from .completion import CompletionItem, draw_completion
from .confusion import save_confusion
from .contact_sheet import SheetItem, save_sheet
from .figures import save_curves, save_run_curves, save_scores
from .hooks import CompletionPictures, PartPictures, ReconstructionPictures
from .parts import PartItem, draw_parts
from .reconstruction import ReconstructionItem, draw_reconstruction, save_reconstruction
from .report import Code, Curves, Picture, Section, Table, Text, write_report
from .retrieval import RetrievalRow, save_retrieval
from .scalars import Curve, read_scalars
from .scatter import Scatter, save_scatter

__all__ = [
    'Code',
    'CompletionItem',
    'CompletionPictures',
    'Curve',
    'Curves',
    'PartItem',
    'PartPictures',
    'Picture',
    'ReconstructionItem',
    'ReconstructionPictures',
    'RetrievalRow',
    'Scatter',
    'Section',
    'SheetItem',
    'Table',
    'Text',
    'draw_completion',
    'draw_parts',
    'draw_reconstruction',
    'read_scalars',
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
