"""Packaging; everything else about tools stands in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def _requirements(name: str) -> list[str]:
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(('#', '-'))]


def _version() -> str:
    line = next(line for line in (HERE / 'mmpt' / 'version.py').read_text().splitlines() if '__version__' in line)
    return line.split("'")[1]


setup(
    name='mmpt',
    version=_version(),
    description='Multi-task self-supervised pre-training of point-cloud encoders on points and images',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmpt', 'mmpt.*']),
    install_requires=_requirements('runtime'),
    extras_require={'optional': _requirements('optional'), 'tests': _requirements('tests')},
)
