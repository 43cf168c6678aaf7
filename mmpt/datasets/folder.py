"""A folder of one's own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .listing import list_folder, read_captions, read_list, stem_of
from .paths import need_folder, read_lines
from .reading import CLOUD_SUFFIXES

__all__ = ['PointCloudFolder']

_PICTURES = ('.png', '.jpg', '.jpeg')
_SPLITS = {'train', 'val', 'valid', 'validation', 'test'}
_WHO = '`data_root` of PointCloudFolder'
_SOURCE = (
    'docs/datasets/folder.md says how files are laid out; tools/dataset_converters/example_meshes.py writes a small '
    'example, and configs/mmpt/pretrain_synthetic.py pre-trains on generated shapes instead.'
)


@DATASETS.register_module()
class PointCloudFolder(PointCloudDataset):
    """Clouds and meshes of one's own, in any formats of :func:`~mmpt.datasets.reading.read_cloud`.

    Expected files::

        <data_root>/[<split>/][<class>/][...]/<name>.<suffix>   clouds and meshes, deeper folders allowed
        <data_root>/<split>.txt                                 instead, with split_by='list': such paths, one a line
        <images_root>/<stem>/*.png                              optional, any number of pictures of a shape (or .jpg)
        <images_root>/<stem>.png                                or a single one

    The *stem* of a shape is its path below ``data_root`` without the suffix, split and class folders included, with
    forward slashes: ``train/chair/one`` for ``<data_root>/train/chair/one.ply``. It is the ``sample_id``, and what
    pictures and captions are named after. Where there is a folder ``<images_root>/<stem>``, its pictures are taken, in
    the order of their names; else the single picture; a shape with neither has none.

    Opening lists the folder once and opens no shape. The order is that of the paths' bytes, the same on every machine.
    Hidden files and those of other suffixes are left out; ``metainfo['ignored']`` counts them. Two files of one stem
    (``chair.ply`` and ``chair.obj``) are an error until ``suffixes`` says which one is meant.

    Pipelines start with ``LoadPoints``, whose ``columns`` say what the rows of text files and arrays are, and whose
    ``feature_keys`` say which of normals and colours are kept (a file that lacks one is an error that names it); then,
    with pictures, ``LoadImages``; then, where there are meshes, ``SampleSurface``.

    Args:
        data_root (str): the folder.
        split (str): what the samples report, and with ``split_by`` which part is read.
        split_by (str | None): 'folder' reads ``<data_root>/<split>/``; 'list' reads what ``<data_root>/<split>.txt``
            names; None takes everything below ``data_root``.
        classes (str | Sequence[str] | None): 'folders', the first folder below ``data_root`` (or below the split's
            folder) is the class, in the order of the names; without any there are no labels. Or the names in the order
            of their labels, or a text file with one name a line, which is how several splits agree where one lacks a
            class: files of other folders are then left out. None: no labels, whatever folders there are.
        suffixes (Sequence[str] | None): read these alone, such as ``('.ply',)``; None for all known ones.
        images_root (str | None): where the pictures are; None for none.
        images_subfolder (str): folder below ``<images_root>/<stem>`` that holds the pictures, such as 'rendering' of
            ShapeNetRendering; '' if they lie in ``<images_root>/<stem>`` itself.
        captions (str | None): file of captions, see :func:`~mmpt.datasets.listing.read_captions`.
        up_axis (str): 'y' or 'z', the axis that is up **in the files**; ``LoadPoints`` turns z up to y up, so that
            (x, y, z) becomes (x, z, -y).
        packed (bool): ``data_root`` is what tools/dataset_converters/pack.py wrote, pictures included.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a list, the captions or any shape are missing; says what is expected where.
        ValueError: an unknown argument, two files of one stem, a class folder without files, files beside the class
            folders, a list that leads out of ``data_root``, captions of shapes that do not exist, a link that leads
            back to a folder above it.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        split_by: str | None = None,
        classes: str | Sequence[str] | None = 'folders',
        suffixes: Sequence[str] | None = None,
        images_root: str | None = None,
        images_subfolder: str = '',
        captions: str | None = None,
        up_axis: str = 'y',
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split_by not in (None, 'folder', 'list') or up_axis not in ('y', 'z'):
            raise ValueError(
                f'PointCloudFolder(split_by={split_by!r}, up_axis={up_axis!r}): expected split_by None, folder or '
                'list, and up_axis y or z.'
            )
        self.data_root, self.split, self.split_by, self.up_axis = Path(data_root), split, split_by, up_axis
        self.suffixes = _check_suffixes(suffixes)
        self.images_root, self.images_subfolder = images_root, images_subfolder
        self.ignored: Counter[str] = Counter()
        names: tuple[str, ...] | None = None
        if not packed:
            layout = '[<split>/][<class>/]<name> with the suffixes ' + ', '.join(self.suffixes)
            need_folder(self.data_root, layout, _WHO, _SOURCE)
            self.files = self._list([path for path in (captions, classes) if isinstance(path, str)])
            names = self._label(classes)
            self._check_stems()
            self.captions = {} if captions is None else self._read_captions(captions)
            if images_root is not None:
                self._check_images(images_root)
        metainfo = {
            'variant': 'folder',
            'up_axis': 'y',
            'classes': names,
            'split': split,
            'ignored': dict(sorted(self.ignored.items())),
        }
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _list(self, texts: Sequence[str]) -> list[str]:
        """Files of the split, as paths below ``data_root``; ``texts`` may lie there too and are no shapes."""
        if self.split_by == 'list':
            files = read_list(self.data_root, self.split, self.suffixes, _WHO, _SOURCE)
            self.folders = sorted({file.split('/', 1)[0] for file in files if '/' in file})
            return files
        top = self.data_root / self.split if self.split_by == 'folder' else self.data_root
        need_folder(top, 'the shapes of the split', f'`split` {self.split} of PointCloudFolder', _SOURCE)
        listing = list_folder(top, self.suffixes)
        own = {os.path.relpath(os.path.realpath(text), os.path.realpath(top)).replace(os.sep, '/') for text in texts}
        listing = listing._replace(files=[file for file in listing.files if file not in own])
        self.folders, self.ignored = listing.folders, listing.ignored
        if not listing.files:
            seen = ', '.join(f'{count} {reason}' for reason, count in sorted(self.ignored.items())) or 'nothing'
            raise FileNotFoundError(
                f'{top.absolute()} holds no file with one of the suffixes {", ".join(self.suffixes)} ({_WHO}), only '
                f'{seen}. {_SOURCE}'
            )
        return [f'{self.split}/{file}' for file in listing.files] if self.split_by == 'folder' else listing.files

    def _label(self, classes: str | Sequence[str] | None) -> tuple[str, ...] | None:
        """Set the label of every file, leave out those of no class, and give the names of the classes."""
        self.labels: list[int] | None = None
        if classes is None or (classes == 'folders' and not self.folders):
            return None
        depth = int(self.split_by == 'folder')
        parts = [file.split('/', depth + 1) for file in self.files]
        folder_of = [part[depth] if len(part) > depth + 1 else None for part in parts]
        names = self._class_names(classes)
        if classes == 'folders' and self.split_by is None and set(names) <= _SPLITS:
            raise ValueError(
                f'{self.data_root} holds the folders {", ".join(names)}, which would become classes; say '
                "split_by='folder' if they are splits, or name `classes`."
            )
        beside = next((file for file, folder in zip(self.files, folder_of) if folder is None), None)
        if beside is not None:
            raise ValueError(
                f'{self.data_root / beside} lies beside the class folders, such as {names[0]}, so that it has no '
                'class; move it into one, leave its kind out by `suffixes`, or say classes=None for no labels.'
            )
        filled = set(folder_of)
        empty = [name for name in self.folders if name in names and name not in filled]
        if empty:
            raise ValueError(
                f'{self.data_root / ("" if not depth else self.split) / empty[0]} holds no file with one of the '
                f'suffixes {", ".join(self.suffixes)}, although it would be a class; remove it, or name `classes`.'
            )
        label_of = {name: label for label, name in enumerate(names)}
        kept = [(file, label_of[folder]) for file, folder in zip(self.files, folder_of) if folder in label_of]
        if not kept:
            raise ValueError(
                f'{self.data_root} has no folder of any class of `classes` ({", ".join(names)}), only '
                f'{", ".join(self.folders[:8])}; correct the names.'
            )
        if len(kept) < len(self.files):
            self.ignored['of no class'] = len(self.files) - len(kept)
        self.files, self.labels = [file for file, _ in kept], [label for _, label in kept]
        return names

    def _class_names(self, classes: str | Sequence[str]) -> tuple[str, ...]:
        if classes == 'folders':
            return tuple(self.folders)
        if isinstance(classes, str):
            what = 'the names of the classes, one a line'
            names = tuple(line for _, line in read_lines(classes, what, '`classes` of PointCloudFolder', _SOURCE))
        else:
            names = tuple(classes)
        if len(set(names)) < max(len(names), 1):
            raise ValueError(f'`classes` of PointCloudFolder: expected different names, at least one, got {names}.')
        return names

    def _check_stems(self) -> None:
        known: dict[str, str] = {}
        for file in self.files:
            before = known.setdefault(stem_of(file), file)
            if before is not file:
                raise ValueError(
                    f'{self.data_root}: {before} and {file} would be the same shape; remove one of them, or say by '
                    '`suffixes` which kind is read.'
                )

    def _read_captions(self, path: str) -> dict[str, str]:
        """Captions of this split; a stem that is nowhere is a mistake."""
        captions = read_captions(path, '`captions` of PointCloudFolder', _SOURCE)
        stems = set(map(stem_of, self.files))
        others = [stem for stem in captions if stem not in stems]
        # With lists, or classes left out, the shape may well exist; of other splits it is known by its folder.
        unknown = others if self.split_by != 'list' and 'of no class' not in self.ignored else []
        if self.split_by == 'folder':
            tops = {stem.split('/', 1)[0] for stem in unknown}
            splits = {top for top in tops if top != self.split and (self.data_root / top).is_dir()}
            unknown = [stem for stem in unknown if stem.split('/', 1)[0] not in splits]
        if len(others) == len(captions):
            unknown = unknown or others
        if unknown:
            raise ValueError(
                f'{path} names {unknown[0]!r} and {len(unknown) - 1} more, but {self.data_root} has no such shape; '
                f'expected stems such as {stem_of(self.files[0])!r}, the path below data_root without the suffix.'
            )
        return {stem: text for stem, text in captions.items() if stem in stems}

    def _check_images(self, images_root: str) -> None:
        layout = '<stem>/*.png or <stem>.png (or .jpg), where a stem is a path below `data_root` without its suffix'
        need_folder(images_root, layout, '`images_root` of PointCloudFolder', _SOURCE)
        tops = {stem_of(file).split('/', 1)[0] for file in self.files}
        present = os.listdir(images_root)
        if not any(name in tops or os.path.splitext(name)[0] in tops for name in present):
            raise FileNotFoundError(
                f'{images_root} (`images_root` of PointCloudFolder) holds nothing named after any shape, such as '
                f'{stem_of(self.files[0])}, expected {layout}, so that no shape would have a picture.'
            )

    def num_shapes(self) -> int:
        """Files that were found."""
        return len(self.files)

    def label(self, index: int) -> int | None:
        """The position of the class folder among ``classes``; None where there are none."""
        return None if self.labels is None else self.labels[index]

    def load_info(self, index: int) -> dict[str, Any]:
        """Paths, label and caption of a shape; nothing is decoded."""
        file = self.files[index]
        stem = stem_of(file)
        info: dict[str, Any] = {
            'sample_id': stem,
            'split': self.split,
            'points_path': os.path.join(self.data_root, file),
            'image_paths': self._pictures(stem),
        }
        if self.up_axis == 'z':
            info['up_axis'] = 'z'
        if self.labels is not None:
            info['label'] = self.labels[index]
        if stem in self.captions:
            info['caption'] = self.captions[stem]
        return info

    def _pictures(self, stem: str) -> list[str]:
        if self.images_root is None:
            return []
        base = os.path.join(self.images_root, stem)
        folder = os.path.join(base, self.images_subfolder)
        try:
            names = sorted(name for name in os.listdir(folder) if name.lower().endswith(_PICTURES) and name[0] != '.')
            return [os.path.join(folder, name) for name in names]
        except (FileNotFoundError, NotADirectoryError):
            # Every stem may have a picture of one kind only, so the first one is it.
            return next(([base + end] for end in _PICTURES if os.path.isfile(base + end)), [])


def _check_suffixes(suffixes: Sequence[str] | None) -> tuple[str, ...]:
    if suffixes is None:
        return tuple(sorted(CLOUD_SUFFIXES))
    chosen = tuple(f'.{suffix.lower().lstrip(".")}' for suffix in suffixes)
    unknown = [suffix for suffix in chosen if suffix not in CLOUD_SUFFIXES]
    if unknown or not chosen or isinstance(suffixes, str):
        raise ValueError(
            f'PointCloudFolder(suffixes={suffixes!r}): expected a list of some of {", ".join(sorted(CLOUD_SUFFIXES))}.'
        )
    return chosen
