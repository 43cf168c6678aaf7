"""What the source of the package says about itself, read without importing it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / 'mmpt').rglob('*.py'))


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imports(path):
    """Every module that a file imports anywhere in it, absolute; ``from a import b`` gives ``a.b``."""
    package = path.parent.relative_to(ROOT).parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) + 1 - node.level]) if node.level else []
            base += node.module.split('.') if node.module else []
            found |= {'.'.join([*base, alias.name]) for alias in node.names}
    return found


def below(name, package):
    """Whether a module is a package or lies in it."""
    return name == package or name.startswith(f'{package}.')
