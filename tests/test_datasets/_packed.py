"""Packing a data set as tools/dataset_converters/pack.py does, in this process."""

import argparse

from _scripts import load_script
from mmengine.config import Config

from mmpt.registry import DATASETS


def packed_twin(out, **cfg):
    """Pack what a config describes and open the pack with the same config."""
    script = load_script('tools/dataset_converters/pack.py')
    config = Config({'train_dataloader': {'dataset': cfg}})
    args = argparse.Namespace(limit=None, skip_bad=False, workers=0, shard_size=1)
    for part in script.find_parts(config, [], 'a config'):
        script.pack(part, out / part.dataset.metainfo['split'], args, [])
    return DATASETS.build({**cfg, 'data_root': str(out), 'packed': True})
