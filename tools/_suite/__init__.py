"""The parts of tools/benchmark.py."""

from .bench import Bench
from .jobs import Job, Store, run_jobs
from .report import collect, markdown, text_table, write_page
from .selection import jobs_of, notes_on, tasks_of
from .tasks import Task

__all__ = [
    'Bench',
    'Job',
    'Store',
    'Task',
    'collect',
    'jobs_of',
    'markdown',
    'notes_on',
    'run_jobs',
    'tasks_of',
    'text_table',
    'write_page',
]
