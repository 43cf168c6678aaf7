"""t-SNE of the features in an npz of tools/extract_features.py, coloured by class: a PNG, and HTML that names shapes.

python tools/analysis_tools/tsne.py features.npz --split test --out tsne.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from mmpt.evaluation import load_features
from mmpt.utils.errors import ConfigError, run
from mmpt.visualization import Scatter, Section, Text, save_scatter, write_report


def main() -> None:
    """Read, lay out, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('features', metavar='FEATURES.npz')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/tsne.png'), help='the PNG; the HTML lies beside it')
    parser.add_argument('--split', help='train or test; all shapes where it is left out')
    parser.add_argument('--max-shapes', type=int, default=2000, help='a draw of so many where there are more')
    parser.add_argument('--perplexity', type=float, default=30.0, help='lowered to a third of few shapes')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    data = load_features(args.features)
    rows = np.arange(len(data.labels)) if args.split is None else np.flatnonzero(data.splits == args.split)
    if len(rows) < 4:
        raise ConfigError(
            f'{args.features} holds {len(rows)} shapes of split {args.split!r}, too few for a picture; it has '
            f'{", ".join(map(repr, np.unique(data.splits)))}.'
        )
    if len(rows) > args.max_shapes:
        rows = np.sort(np.random.default_rng(args.seed).choice(rows, args.max_shapes, replace=False))
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    features = data.features[rows]
    if data.protocol.standardize:
        features = StandardScaler().fit_transform(features)
    perplexity = min(args.perplexity, (len(rows) - 1) / 3)
    places = TSNE(perplexity=perplexity, init='pca', random_state=args.seed).fit_transform(features)
    labels = data.labels[rows]
    save_scatter(args.out, places, labels, data.classes)
    title = f't-SNE of {len(rows)} shapes'
    told = (
        f'Perplexity {perplexity:g}, seed {args.seed}; {data.protocol.describe()}. Neighbours are meaningful, sizes of '
        'groups and distances between them are not. The pointer on a sign names the shape.'
    )
    scatter = Scatter(title, places, labels, data.classes, data.ids[rows].tolist())
    write_report(args.out.with_suffix('.html'), title, [Section(Path(args.features).name, [scatter, Text(told, True)])])
    print(f'written: {args.out}, {args.out.with_suffix(".html")}')


if __name__ == '__main__':
    sys.exit(run(main))
