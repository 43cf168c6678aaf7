"""Scripts of the checkout as modules, to be called and taken apart by tests."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load_script(path):
    """Run a script as a module of its own, which no other test sees.

    Args:
        path (str): from the root of the checkout.
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
