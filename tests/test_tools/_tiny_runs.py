"""Methods of a few updates on a few small shapes, for tests of the tools that train."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = """
train_pipeline = [
    {pick}dict(type='RandomSample', num_points=64),
    dict(type='UnitSphere'),
    dict(type='PackInputs'{pack}),
]
_data = dict(cache_dir='{folder}/shapes', num_points=128)
train_dataloader = dict(batch_size=8, dataset=dict(size=32, views={views}, pipeline=train_pipeline, **_data))
val_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='SyntheticShapes',
                kind='categories',
                split=s,
                size=135,
                indices={indices},
                pipeline=[dict(type='FirstPoints', num_points=64), dict(type='UnitSphere'), dict(type='PackInputs')],
                **_data,
            )
            for s in ('train', 'test')
        ]
    )
)
"""
TINY_ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 16,
    'depth': 1,
    'num_heads': 2,
    'drop_path': 0.0,
    'cls_token': False,
    'patch_widths': [8, 16, 16],
    'init': 'default',
}
ENCODER = 'dict(num_groups=8, group_size=8, dim=16, depth=1, num_heads=2, patch_widths=(8, 16, 16))'
POINT_MAE = """
_base_ = '{root}/configs/point_mae/laptop_synthetic.py'
model = dict(
    encoder={encoder},
    decoder=dict(dim=16, num_heads=2),
    heads=dict(plr=dict(dim=16, group_size=8)),
)
"""
SMALL = (
    'num_ids=16, group_size=8, patch_widths=(8, 16, 16), code_dim=8, decoder_dim=8, graph_widths=(8,) * 5, '
    'fold_widths=(16, 16)'
)
TOKENIZER = """
_base_ = '{root}/configs/mmpt/quickstart_tokenizer.py'
model = dict(num_groups=8, group_size=8, codebook_start=2, tokenizer=dict({small}))
train_cfg = dict(max_iters=4, val_interval=4)
"""
TOKENS = """
_base_ = '{root}/configs/mmpt_ablation/tlr.py'
model = dict(
    encoder={encoder},
    tokenizer=dict({small}, made_by='{folder}/tokenizer.py'),
    decoder=dict(dim=16, num_heads=2),
    heads=dict(tlr=dict(dim=16, num_ids=16)),
)
"""
# All three tasks, with pictures.
MMPT = """
_base_ = '{root}/configs/mmpt/quickstart_pretrain.py'
model = dict(
    encoder={encoder},
    tokenizer=dict({small}, made_by='{folder}/tokenizer.py'),
    decoder=dict(dim=16, num_heads=2),
    heads=dict(
        tlr=dict(dim=16, num_ids=16),
        plr=dict(dim=16, group_size=8),
        mcl=dict(dim=16, hidden_dim=16, out_dim=8),
    ),
)
"""


def write_config(folder: Path, name: str, text: str) -> None:
    """A text from above as a config file, on the small data."""
    pictures = text is MMPT
    filled = (text + DATA).format(
        root=ROOT,
        folder=folder,
        encoder=ENCODER,
        small=SMALL,
        pick="dict(type='PickViews', num_views=1), " if pictures else '',
        pack=', image_views=1, image_size=32' if pictures else '',
        views='1, image_size=32' if pictures else '0',
        # A smoke run sets sizes of its own.
        indices=None if pictures else '[i for i in range(135) if i % 27 < 3]',
    )
    (folder / f'{name}.py').write_text(filled)


def write_shapes(path: Path, duplicates: bool = False) -> None:
    """An npz of labelled shapes: three classes, stretched along an axis each."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (('train', 18), ('test', 9)):
        arrays[f'labels_{part}'] = np.arange(count) % 3
        stretch = (1 + 2 * np.eye(3)[arrays[f'labels_{part}']])[:, None]
        arrays[f'points_{part}'] = (rng.normal(size=(count, 64, 3)) * stretch).astype(np.float32)
    if duplicates:
        arrays['dup_test'] = np.arange(9) < 3
    np.savez(path, class_names=np.array(['a', 'b', 'c']), **arrays)
