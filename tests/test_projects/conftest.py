import sys
from pathlib import Path

# Where `projects` is found, as tools/train.py does it.
sys.path.insert(0, str(Path(__file__).parents[2]))
