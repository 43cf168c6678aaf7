"""Packing a data set as tools/dataset_converters/pack.py does, in this process."""

import argparse
import importlib.util
from pathlib import Path

from mmengine.config import Config

from mmpt.registry import DATASETS

_SCRIPT = Path(__file__).parents[2] / 'tools/dataset_converters/pack.py'


def packed_twin(out, **cfg):
    """Pack what a config describes and open the pack with the same config."""
    spec = importlib.util.spec_from_file_location('pack_script', _SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    config = Config({'train_dataloader': {'dataset': cfg}})
    args = argparse.Namespace(limit=None, skip_bad=False, workers=0, shard_size=1)
    for part in script.find_parts(config, [], 'a config'):
        script.pack(part, out / part.dataset.metainfo['split'], args, [])
    return DATASETS.build({**cfg, 'data_root': str(out), 'packed': True})
