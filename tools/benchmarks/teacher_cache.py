"""Training speed with a frozen image teacher in every step, and with its features kept on disk.

    python tools/benchmarks/teacher_cache.py configs/recon/laptop_synthetic.py
    python tools/benchmarks/teacher_cache.py configs/recon/laptop_synthetic.py --cfg-options \
        model.necks.image_teacher.model_name=vit_base_patch16_224 model.heads.img.target_dim=768

The same batches are trained on in turn: with the teacher, while a cache is filled, from the full cache, and without the
task that reads it. Loading is not counted. Samples per CPU second are what a machine says that others use as well.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _cli import add_run_options, start

NECK = 'image_teacher'


def _train(cfg, changes: dict, batches: list) -> tuple[float, float]:
    """Wall and CPU seconds of all batches but the first, which warms up."""
    import torch
    from mmengine.config import Config

    from mmpt.engine import ParamGroupConstructor
    from mmpt.registry import MODELS

    cfg = Config(cfg.to_dict())
    cfg.merge_from_dict(changes)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu').train()
    wrapper = ParamGroupConstructor({key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'})(
        model
    )
    for number, batch in enumerate(batches):
        if number == 1:
            begin = time.perf_counter(), time.process_time()
        model.draws.set(seed=0, step=number, rank=0, world_size=1)
        float(model.train_step(batch, wrapper)['loss'])
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def compare(config: str, batches: int, cfg_options: dict | None = None, **_) -> None:
    """Measure and print."""
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import DefaultScope

    from mmpt.registry import DATASETS
    from mmpt.utils.config import load_config
    from mmpt.utils.errors import ConfigError
    from mmpt.utils.setup import register_all_modules

    register_all_modules()
    cfg = load_config(config, cfg_options)
    if NECK not in (cfg.model.get('necks') or {}):
        raise ConfigError(f'{config} has no neck {NECK!r}, so there are no features to keep.')
    with DefaultScope.overwrite_default_scope('mmpt'), tempfile.TemporaryDirectory() as folder:
        data, size = DATASETS.build(cfg.train_dataloader.dataset), cfg.train_dataloader.batch_size
        rows = [data[(0, index % len(data))] for index in range((batches + 1) * size)]
        made = [pseudo_collate(rows[i : i + size]) for i in range(0, len(rows), size)]
        cache = f'model.necks.{NECK}.cache_dir'
        cases = {
            'teacher in every step': {cache: None},
            'while the cache is filled': {cache: folder},
            'from the full cache': {cache: folder},
            'without the image task': {'model.heads.img': None},
        }
        neck = cfg.model.necks[NECK]
        print(f'{config}: {neck.model_name}, {batches} batches of {size}')
        for name, changes in cases.items():
            wall, cpu = _train(cfg, changes, made)
            print(f'{name:28}{batches * size / wall:8.1f} samples/s{batches * size / cpu:8.1f} per CPU second')


if __name__ == '__main__':
    parser = ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--batches', type=int, default=20)
    add_run_options(parser)
    start(parser, compare)
