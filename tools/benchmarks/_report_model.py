"""Sections of the evidence report that show what a checkpoint does: 3D views, neighbours, a map, retrieval."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import real_shapes
import retrieval
import torch
from _scoring import SMOKE_DATA, val_shapes
from _trainings import short
from numpy.typing import NDArray

from mmpt.apis import get_model
from mmpt.evaluation import (
    Protocol,
    RetrievalProtocol,
    calibrate_batchnorm,
    extract_features,
    untrained_encoder,
)
from mmpt.evaluation.corruptions import occlude, to_unit_sphere
from mmpt.evaluation.protocols.features import standardize_parts
from mmpt.registry import DATASETS, ENCODERS
from mmpt.utils.config import load_config, parse_options
from mmpt.visualization import (
    Beside,
    Block,
    CloudPanel,
    CloudRow,
    Clouds3D,
    Part,
    ReconstructionItem,
    Scatter,
    Section,
    Table,
    Text,
    reconstruction_row,
    retrieval_row,
)

#: Share of the points that a partial view has lost beyond a plane.
HIDDEN = 0.5
#: Points that are drawn of a cloud that was found; all others are drawn whole.
_DRAWN = 512


class Shapes(NamedTuple):
    """Labelled shapes of one source.

    Attributes:
        train, test (tuple): points (N, P, 3) float32 in mmpt's frame, labels (N,) int64.
        classes (Sequence[str]): names of the labels.
    """

    train: tuple[NDArray[Any], NDArray[Any]]
    test: tuple[NDArray[Any], NDArray[Any]]
    classes: Sequence[str]

    def name(self, label: int) -> str:
        """Of a class."""
        return str(self.classes[label]) if label < len(self.classes) else f'class {label}'


def generated_shapes(config: str, smoke: bool) -> Shapes:
    """The val loop of a config; few of them for a smoke run."""
    options = parse_options(SMOKE_DATA[1:]) if smoke else None
    parts = val_shapes(config, options)
    classes = DATASETS.build(load_config(config, options).val_dataloader.dataset).metainfo['classes']
    return Shapes(parts['train'], parts['test'], classes)


def shapes_of_file(path: Path, up_axis: str, num_points: int, every: int) -> Shapes:
    """An npz; every so many of its shapes."""
    data = real_shapes.read_shapes(str(path), up_axis, num_points)
    parts = [tuple(array[::every] for array in data[part]) for part in ('train', 'test')]
    return Shapes(*parts, data['classes'])


class Encoded(NamedTuple):
    """Features of one source, standardised as the protocol says.

    Attributes:
        train, test, partial (ndarray): (N, C); ``partial`` of the test shapes with a part cut off.
    """

    train: NDArray[Any]
    test: NDArray[Any]
    partial: NDArray[Any]


class Look:
    """A checkpoint, the untrained encoder beside it, and shapes.

    Args:
        config (str): of the pre-training.
        checkpoint (Path): of it.
        sources (Mapping[str, Shapes]): by name.
        seed (int): of the control, the planes and the layout of the map.
        device (str): where the encoders run.
    """

    def __init__(
        self, config: str, checkpoint: Path, sources: Mapping[str, Shapes], seed: int = 0, device: str = 'cpu'
    ) -> None:
        self.config, self.checkpoint, self.sources = config, checkpoint, sources
        self.seed, self.device = seed, device
        self.model = get_model(config, checkpoint, device)
        self.protocol = Protocol()
        self._encoded: dict[tuple[str, bool], Encoded] = {}

    def partial(self, name: str) -> NDArray[np.float32]:
        """Test shapes of which a half beyond a plane is cut off, in the frame of the whole shape."""
        return occlude(self.sources[name].test[0], HIDDEN, np.random.default_rng(self.seed))

    def encoded(self, name: str, trained: bool = True) -> Encoded:
        """Features by the checkpoint, or by the untrained encoder with calibrated batch statistics."""
        if (name, trained) not in self._encoded:
            shapes = self.sources[name]
            encoder = self.model.encoder if trained else self._control(shapes)
            clouds = [shapes.train[0], shapes.test[0], to_unit_sphere(self.partial(name))]
            train, test, partial = (
                extract_features(encoder, cloud, device=self.device, pooling=self.protocol.pooling) for cloud in clouds
            )
            self._encoded[name, trained] = Encoded(
                *standardize_parts(train, test), standardize_parts(train, partial)[1]
            )
        return self._encoded[name, trained]

    def _control(self, shapes: Shapes) -> torch.nn.Module:
        encoder = untrained_encoder(lambda: ENCODERS.build(copy.deepcopy(self.model.encoder_cfg)), self.seed)
        calibrate_batchnorm(encoder, shapes.train[0], device=self.device)
        return encoder


def spread_over_classes(labels: NDArray[Any], count: int) -> list[int]:
    """Rows of so many shapes, of classes evenly spread over those there are, the first of each."""
    present = np.unique(labels)
    chosen = present[np.linspace(0, len(present) - 1, min(count, len(present))).round().astype(int)]
    return [int(np.flatnonzero(labels == label)[0]) for label in chosen]


def clouds_section(look: Look, count: int) -> Section:
    """Input, visible and reconstructed."""
    blocks: list[Block] = [
        Text(
            'What the encoder was given, what it saw of it, and what the decoder made of the rest. Grey points are '
            'copies of the visible ones, only the orange ones are predicted. Colours fade with the distance.'
        )
    ]
    for place, (name, shapes) in enumerate(look.sources.items()):
        rows = spread_over_classes(shapes.test[1], count)
        with torch.no_grad():
            batch = {'points': torch.from_numpy(shapes.test[0][rows]).to(look.device)}
            result = {key: value.cpu().numpy() for key, value in look.model.reconstruct(batch).items()}
        names = [f'{shapes.name(shapes.test[1][row])}, test shape {row}' for row in rows]
        items = [
            ReconstructionItem(*parts)
            for parts in zip(result['input'], result['visible'], result['reconstructed'], names)
        ]
        blocks.append(Part(name, [Clouds3D([reconstruction_row(item) for item in items], hint=place == 0)]))
    return Section('Reconstruction', blocks)


def neighbours_section(look: Look, count: int, hits: int = 5) -> Section:
    """Halves of test shapes and the whole training shapes whose features are nearest."""
    blocks: list[Block] = [
        Text(
            f'Of every test shape the {100 * HIDDEN:.0f} % of its points that lie beyond a random plane are cut off '
            '(grey). The rest is centred, scaled and encoded, and whole shapes of the training part are sorted by the '
            'distance of their features. ✓ is a shape of the same class, ✗ one of another.'
        )
    ]
    table = []
    for name, shapes in look.sources.items():
        cells: list[Any] = [name]
        for trained in (True, False):
            data = look.encoded(name, trained)
            for queries in (data.partial, data.test):
                found = shapes.train[1][nearest(queries, data.train, 1)[:, 0]]
                cells.append(float((found == shapes.test[1]).mean()))
        table.append(cells)
        rows = spread_over_classes(shapes.test[1], count)
        order = nearest(look.encoded(name).partial[rows], look.encoded(name).train, hits)
        views = [_neighbours(look, name, row, found) for row, found in zip(rows, order)]
        blocks.append(Part(name, [Clouds3D(views, hint=False)]))
    header = ['shapes', 'half, pre-trained', 'whole, pre-trained', 'half, untrained', 'whole, untrained']
    told = 'Share of all test shapes whose nearest whole training shape is of their class'
    blocks.insert(1, Table(header, table, told))
    told = f'{_protocol(look)}; planes and untrained encoder (calibrated batch statistics) of seed {look.seed}.'
    blocks.append(Text(told, note=True))
    return Section('Partial views', blocks)


def _neighbours(look: Look, name: str, row: int, found: NDArray[Any]) -> CloudRow:
    shapes, partial = look.sources[name], look.partial(name)
    whole, label = shapes.test[0][row], int(shapes.test[1][row])
    seen = {point.tobytes() for point in partial[row]}
    hidden = np.array([point for point in whole if point.tobytes() not in seen])
    panels = [CloudPanel(f'given: {shapes.name(label)}', [(partial[row], 'input'), (hidden, 'context')])]
    for hit in found:
        other = int(shapes.train[1][hit])
        mark = 'class' if other == label else 'other'
        panels.append(CloudPanel(shapes.name(other), [(shapes.train[0][hit][:_DRAWN], 'input')], mark=mark))
    return CloudRow(f'half of a {shapes.name(label)}, test shape {row}', panels, alone=True)


def nearest(queries: NDArray[Any], gallery: NDArray[Any], count: int) -> NDArray[np.int64]:
    """(Q, count) rows of the gallery by their distance, equal ones in the order of the gallery."""
    from scipy.spatial.distance import cdist

    return cdist(queries, gallery).argsort(axis=1, kind='stable')[:, :count]


def _protocol(look: Look) -> str:
    parts = ', '.join(look.protocol.pooling)
    return f'Feature concat({parts}) standardised on the training part, Euclidean distance'


def map_section(look: Look, limit: int) -> Section:
    """t-SNE of the test shapes, pre-trained beside untrained."""
    from sklearn.manifold import TSNE

    blocks: list[Block] = [
        Text(
            'Test shapes whose features are alike lie together. Neighbours mean something; the size of a group and the '
            'distance between groups do not. The pointer on a sign names its class and shape.'
        )
    ]
    perplexity = 30.0
    for name, shapes in look.sources.items():
        rows = np.unique(np.linspace(0, len(shapes.test[1]) - 1, min(limit, len(shapes.test[1]))).astype(int))
        perplexity = min(30.0, (len(rows) - 1) / 3)
        maps = []
        for trained in (True, False):
            features = look.encoded(name, trained).test[rows]
            places = TSNE(perplexity=perplexity, init='pca', random_state=look.seed).fit_transform(features)
            title = f'{"pre-trained" if trained else "untrained"}, {len(rows)} shapes'
            labels = shapes.test[1][rows]
            maps.append(Scatter(title, places, labels, shapes.classes, [f'test shape {row}' for row in rows]))
        blocks.append(Part(name, [Beside(maps)]))
    told = f't-SNE, perplexity {perplexity:g}, seed {look.seed}; {_protocol(look)}.'
    blocks.append(Text(told, note=True))
    return Section('Map of features', blocks)


def retrieval_section(look: Look, data: str, smoke: bool) -> Section:
    """Shapes found by pictures and pictures by shapes, by tools/retrieval.py."""
    pairs = retrieval.Pairs(data, parse_options(SMOKE_DATA[1:]) if smoke else {}, 64)
    protocol = RetrievalProtocol(prototype_images=1) if smoke else RetrievalProtocol()
    seeds = (0,) if smoke else (0, 1, 2)
    result, rows = retrieval.measure(
        look.config, str(look.checkpoint), pairs, protocol, device=look.device, seeds=seeds
    )
    spreads = result['control_spread']
    table = [
        [name.replace('/', ': '), value, spreads[name]['mean'], f'{100 * (value - spreads[name]["mean"]):+.1f}']
        for name, value in result['scores'].items()
        if name.endswith(('R@1', 'R@5', 'accuracy'))
    ]
    shown = [retrieval_row(row) for row in rows if row.title != 'shape to shape']
    told = (
        f'Pictures and shapes in the joint space of the contrast: {result["shapes"]["test"]} generated test shapes, '
        'each with a picture. ● is the shape or picture itself, ✓ another of its class, ✗ one of another class.'
    )
    header = ['measure', 'pre-trained', f'untrained, mean of {len(seeds)}', 'gain, points']
    blocks = [Text(told), Table(header, table, right=[3]), Clouds3D(shown, hint=False)]
    line = f'{result["protocol_line"]}. The same by itself: python tools/retrieval.py '
    line += f'{short(Path(look.config))} {short(look.checkpoint)}'
    return Section('Retrieval by pictures', [*blocks, Text(line, note=True)])


def sections(look: Look, pairs: str, smoke: bool) -> list[Section]:
    """All of them, with a line of progress for each."""
    steps: dict[str, Callable[[], Section]] = {
        '3D views': lambda: clouds_section(look, 1 if smoke else 3),
        'partial views': lambda: neighbours_section(look, 1 if smoke else 4),
        't-SNE': lambda: map_section(look, 60 if smoke else 1000),
        'retrieval': lambda: retrieval_section(look, pairs, smoke),
    }
    made = []
    for name, step in steps.items():
        print(f'   {name}', flush=True)
        made.append(step())
    return made
