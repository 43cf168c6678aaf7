import sys
from pathlib import Path

# `_helpers` of this folder's parent, and the toy model, data set and metric of the engine's tests.
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / 'test_engine')]
