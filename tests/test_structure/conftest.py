import sys
from pathlib import Path

# `_tree` of this folder.
sys.path.insert(0, str(Path(__file__).parent))
