"""mmpt: multi-task self-supervised pre-training of point-cloud encoders."""

__version__ = '0.1.0'
