"""Shipped configs at small width: the same parts and wiring, fewer channels, shapes, points and pixels."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
from mmengine.runner import Runner

from mmpt.datasets.synthetic.categories import CATEGORIES
from mmpt.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/[!_]*/*.py'))

#: argument -> its small value, wherever it stands in a model.
_MODEL = {
    'dim': 16,
    'depth': 1,
    'num_heads': 2,
    'num_groups': 16,
    'group_size': 8,
    'num_ids': 32,
    'image_dim': 96,
    'hidden_dim': 16,
    'out_dim': 8,
    'queue_size': 64,
    'embed_dim': 16,
    'code_dim': 16,
    'decoder_dim': 16,
    'patch_widths': (8, 16, 16),
    'patch_dim': 16,
    'graph_widths': (8, 8, 8, 8, 8),
    'fold_widths': (16, 16),
    'edge_widths': (8, 8, 8, 8),
    'point_widths': (8, 8, 8, 8),
    'image_hidden_dim': 16,
    'target_dim': 64,
    'point_dims': (16, 16),
    'num_queries': 8,
    'global_dim': 16,
    'fold_dim': 16,
    'inner_dim': 16,
    'graph_dim': 16,
    'last_dim': 16,
}
#: likewise in the data.
_DATA = {
    'num_points': 128,
    'image_size': 32,
    'batch_size': 4,
    'num_workers': 0,
    'persistent_workers': False,
    'cache_workers': 1,
    'draws': 4,
    'way': 3,
    'shot': 2,
    'queries': 2,
}
# Arguments that no config needs to name, but that make a part large where it does not.
_ALWAYS = {
    'DiscreteVAE': ('embed_dim', 'code_dim', 'decoder_dim', 'patch_widths', 'graph_widths', 'fold_widths'),
    'PointTransformer': ('num_groups', 'group_size', 'dim', 'depth', 'num_heads', 'patch_widths'),
    'ReConTransformer': ('num_groups', 'group_size', 'dim', 'depth', 'num_heads', 'patch_widths'),
    'SyntheticShapes': ('cache_workers',),
}


def _shrink(value, sizes):
    """Replace every argument of ``sizes`` below a value."""
    if isinstance(value, dict):
        for key in _ALWAYS.get(value.get('type'), ()):
            value.setdefault(key, sizes.get(key))
        for key in value:
            if key in sizes:
                value[key] = sizes[key]
            else:
                _shrink(value[key], sizes)
        if value.get('type') in ('LoadImages', 'ResizeImages'):
            value['size'] = sizes['image_size']
        elif value.get('type') == 'SyntheticShapes' and value.get('kind') == 'categories':
            # Classes take turns. Three of them, with the five shapes each that the cross-validation needs.
            value['size'] = 5 * len(CATEGORIES)
            value['indices'] = [i for i in range(value['size']) if i % len(CATEGORIES) < 3]
        elif value.get('type') == 'SyntheticShapes':
            value['size'] = 16
        elif value.get('type') == 'SyntheticRooms':
            # Whole rooms are many blocks.
            value['size'] = 4
        elif isinstance(value.get('whole_room'), dict):
            value['whole_room']['num_points'] = _DATA['num_points']
        elif value.get('type') == 'TimmImageEncoder':
            # test_resnet is timm's own model for tests; other models' arguments mean nothing to it.
            value.clear()
            value.update(type='TimmImageEncoder', model_name='test_resnet', _delete_=True)
        elif value.get('type') == 'TimmTeacher':
            value.update(model_name='test_vit', pretrained=False, img_size=_DATA['image_size'], chunk=4)
        elif value.get('type') in ('OpenClipTextTeacher', 'HashedTextTeacher'):
            prompts = value.get('prompts', ('{}',))
            value.clear()
            # What follows is merged into the config, where the other teacher's arguments still are.
            value.update(_delete_=True, type='HashedTextTeacher', dim=_MODEL['target_dim'], prompts=prompts)
    elif isinstance(value, (list, tuple)):
        for below in value:
            _shrink(below, sizes)


def small_config(config, folder, train_another):
    """A shipped config, small, for two iterations; what it says of paths stays."""
    cfg = load_config(ROOT / config)
    plain = cfg.to_dict()
    _shrink(plain['model'], _MODEL)
    if plain['model'].get('head', {}).get('type') == 'GraphSegmentationHead':
        plain['model']['encoder']['depth'] = 3  # it reads three blocks
    for part in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _shrink(plain.get(part), _DATA)
    cfg.merge_from_dict({key: plain[key] for key in plain if key.endswith('dataloader') or key == 'model'})
    tokenizer = cfg.model.get('tokenizer')
    if tokenizer is not None and 'made_by' in tokenizer:
        tokenizer.checkpoint = str(Path(train_another(tokenizer.made_by).work_dir) / 'iter_2.pth')
    for evaluator in cfg.get('test_evaluator') or ():
        if 'votes' in evaluator:
            evaluator.votes = 2
    cfg.train_cfg.update(max_iters=2, val_interval=1000)
    for hook in cfg.get('custom_hooks', []):
        if 'interval' in hook:
            hook.interval = 2
    cfg.default_hooks.logger.interval = 1
    # Configs of several methods have one name.
    name = '_'.join(Path(config).with_suffix('').parts[-2:])
    cfg.work_dir = str(folder / 'work_dirs' / name)
    # Runners of one second would share the instances that mmengine keeps by this name.
    cfg.experiment_name = f'test_{name}'
    return cfg


def train(config, folder, train_another):
    """Two iterations."""
    runner = Runner.from_cfg(small_config(config, folder, train_another))
    runner.train()
    return runner


def write_shapenet(folder, train=9, test=3):
    """ShapeNet55-34 (ReCon's files included) and ShapeNetRendering in exactly the layout of their releases.

    Every third shape has no picture.
    """
    root, images, rng = folder / 'ShapeNet55-34', folder / 'ShapeNetRendering', np.random.default_rng(0)
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    (root / 'shapenet_img').mkdir()
    captions = {'catalogue': {'0': '02691156', '1': '03001627', '2': '04379243'}}
    captions['describe'] = {'0': 'airplane', '1': 'chair', '2': 'table'}
    (root / 'shapenet55.json').write_text(json.dumps(captions))
    for split, count in (('train', train), ('test', test)):
        stems = [f'{("02691156", "03001627", "04379243")[i % 3]}-{split}{i:028x}' for i in range(count)]
        (root / 'ShapeNet-55' / f'{split}.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
        for number, stem in enumerate(stems):
            np.save(root / 'shapenet_pc' / f'{stem}.npy', rng.normal(size=(8192, 3)).astype(np.float32))
            if number % 3 == 2:
                continue
            rendering = images.joinpath(*stem.split('-', 1), 'rendering')
            rendering.mkdir(parents=True)
            picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
            cv2.imwrite(str(root / 'shapenet_img' / f'{stem}.png'), picture)
            (rendering / 'rendering_metadata.txt').write_text('0 30 0 0.8 25\n' * 2)
            for view in range(2):
                cv2.imwrite(str(rendering / f'{view:02d}.png'), rng.integers(0, 255, (137, 137, 4), np.uint8))


def write_own_shapes(folder):
    """Meshes of three classes as the tutorial's example has them, and a picture of every second one for training."""
    make, rng = (
        runpy.run_path(str(ROOT / 'tools/dataset_converters/example_meshes.py'))['make'],
        np.random.default_rng(0),
    )
    for split, count in (('train', 5), ('test', 2)):
        for label, name in enumerate(('bottle', 'dumbbell', 'lamp')):
            (folder / 'own_shapes' / split / name).mkdir(parents=True)
            (folder / 'own_images' / split / name).mkdir(parents=True)
            for number in range(count):
                suffix = ('ply', 'obj', 'glb')[number % 3]
                make(label, rng).export(folder / 'own_shapes' / split / name / f'{number}.{suffix}')
                if number % 2 == 0:
                    picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
                    cv2.imwrite(str(folder / 'own_images' / split / name / f'{number}.png'), picture)
