"""Features of a data set by the frozen encoder of a checkpoint, in one npz file.

    python tools/extract_features.py configs/mmpt/pretrain_synthetic.py CHECKPOINT features.npz    # its val loop
    python tools/extract_features.py shapes.npz CHECKPOINT features.npz --up-axis z                # docs/data.md
    python tools/extract_features.py my_clouds/ CHECKPOINT features.npz                            # files of any format

The npz holds features (N, C), labels (N,) with -1 for none, ids, splits, classes and protocol (JSON); it is read by
tools/analysis_tools and by `mmpt.evaluation.load_features`. Labels are not needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.apis import load_encoder
from mmpt.evaluation import PRESETS, FeatureSet, extract_features, save_features
from mmpt.registry import DATASETS
from mmpt.utils.checkpoint import load_checkpoint, warn_about_geometry
from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError, run
from mmpt.utils.progress import Progress
from mmpt.utils.setup import register_all_modules

# Clouds that are held at a time.
_CHUNK = 512


def open_data(source: str, num_points: int, up_axis: str, options: dict[str, Any]) -> Any:
    """The data set that a path stands for: a config's val loop, an npz, or a folder.

    Raises:
        ConfigError: nothing of these is there.
    """
    path = Path(source)
    unit = [{'type': 'FirstPoints', 'num_points': num_points}, {'type': 'UnitSphere'}, {'type': 'PackInputs'}]
    if path.is_dir():
        parts = [name for name in ('train', 'test') if (path / name).is_dir()]
        steps = [{'type': 'LoadPoints'}, {'type': 'SampleSurface', 'num_points': num_points}]
        steps += [{'type': 'RandomSample', 'num_points': num_points}, *unit[1:]]
        cfg: dict[str, Any] = {'type': 'PointCloudFolder', 'data_root': source, 'up_axis': up_axis, 'pipeline': steps}
        if parts:
            datasets = [{**cfg, 'split': part, 'split_by': 'folder'} for part in parts]
            return DATASETS.build({'type': 'ConcatDataset', 'datasets': datasets})
        return DATASETS.build({**cfg, 'split': ''})
    if path.suffix == '.npz':
        cfg = {'type': 'NpzShapes', 'path': source, 'up_axis': up_axis, 'pipeline': unit}
        datasets = [{**cfg, 'split': part} for part in ('train', 'test')]
        return DATASETS.build({'type': 'ConcatDataset', 'datasets': datasets})
    if path.suffix != '.py':
        raise ConfigError(
            f'{source} is no config (.py), no file of shapes (.npz, docs/data.md) and no folder of clouds.'
        )
    config = load_config(source, options)
    if config.get('val_dataloader') is None:
        raise ConfigError(f'{source} has no val_dataloader, whose data set would be read.')
    return DATASETS.build(config.val_dataloader.dataset)


def collect(encoder: Any, dataset: Any, preset: str, batch_size: int, device: str) -> tuple[FeatureSet, list[str]]:
    """Read, encode and pool; samples that stand in for unreadable ones are left out.

    Returns:
        tuple: the features, and why each sample that was left out could not be read.
    """
    protocol = PRESETS[preset]
    features, labels, splits, ids = [], [], [], []
    left_out: list[str] = []
    progress = Progress('encoding', len(dataset))
    points: list[np.ndarray] = []
    sizes: set[int] = set()
    for index in range(len(dataset)):
        sample = dataset[index]
        about = sample['data_samples']
        if about.get('skipped'):
            # The first reason is that of the sample itself, the others are those of its substitutes.
            left_out.append(about.skipped[0])
        else:
            points.append(sample['inputs']['points'].numpy())
            label = about.get('label')
            labels.append(-1 if label is None else int(label))
            splits.append(str(about.get('split', '')))
            ids.append(str(about.get('sample_id')))
        if points and (len(points) == _CHUNK or index == len(dataset) - 1):
            sizes |= {len(cloud) for cloud in points}
            if len(sizes) > 1:
                raise ConfigError(
                    f'Clouds of {min(sizes)} and of {max(sizes)} points cannot be encoded together: give the pipeline '
                    'a FirstPoints or RandomSample.'
                )
            features.append(extract_features(encoder, np.stack(points), batch_size, device, protocol.pooling))
            points = []
        progress.show(index + 1)
    progress.close()
    if not features:
        raise ConfigError('The data set holds no shape that could be read.')
    seen = protocol.to_dict() | {'num_points': sizes.pop()}
    classes = tuple(dataset.metainfo['classes'] or ())
    rows = np.concatenate(features), np.array(labels), np.array(splits), np.array(ids)
    return FeatureSet(*rows, type(protocol)(**seen), classes), left_out


def main() -> None:
    """Read, encode, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='CONFIG_OR_DATA', help='a config (its val loop), an npz or a folder')
    parser.add_argument('checkpoint', help="of ours, or an origin's own file")
    parser.add_argument('out', metavar='OUT.npz')
    parser.add_argument('--protocol', choices=sorted(PRESETS), default='cv', help='says how features are pooled')
    parser.add_argument('--num-points', type=int, default=1024, help='points of a cloud of an npz or a folder')
    parser.add_argument('--up-axis', choices=('y', 'z'), default='y', help='vertical axis of an npz or a folder')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    register_all_modules()
    dataset = open_data(args.data, args.num_points, args.up_axis, parse_options(args.cfg_options))
    encoder = load_encoder(args.checkpoint)
    warn_about_geometry(load_checkpoint(args.checkpoint), dataset.metainfo)
    data, left_out = collect(encoder, dataset, args.protocol, args.batch_size, args.device)
    save_features(args.out, data)
    names, counts = np.unique(data.splits, return_counts=True)
    parts = ', '.join(f'{count} {name or "of no part"}' for name, count in zip(names, counts))
    print(f'{data.protocol.describe()}\nwritten: {args.out}, {data.features.shape[1]} values of {parts}')
    if left_out:
        print(f'left out, because they could not be read: {len(left_out)} of {len(dataset)} samples')
        print('\n'.join(f'  {reason}' for reason in left_out))


if __name__ == '__main__':
    sys.exit(run(main))
