"""Writes what the configs say of themselves: configs/*/metafile.yml, model-index.yml, the table of docs/models.md.

    python tools/misc/metafiles.py --write     after a config was added or changed
    python tools/misc/metafiles.py             says what is out of date; the exit code is 1 then

Everything is read from the configs and from the models that they build; papers stand in METHODS below, tasks in TASKS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from _scoring import config_digest  # noqa: E402

from mmpt.apis import list_models  # noqa: E402
from mmpt.apis.origins import FAMILIES  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.utils.config import load_config  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402


class Method(NamedTuple):
    """What no config says: names, paper, code of the origin, families of its checkpoints."""

    name: str
    title: str
    arxiv: str
    code: str | None = None
    families: tuple[str, ...] = ()


#: folder of configs -> its method.
METHODS = {
    'mmpt': Method('MMPT', 'Multi-modal Multi-task Pre-training for Improved Point Cloud Understanding', '2507.17533'),
    'mmpt_ablation': Method(
        'MMPT ablations', 'Multi-modal Multi-task Pre-training for Improved Point Cloud Understanding', '2507.17533'
    ),
    'point_mae': Method(
        'Point-MAE',
        'Masked Autoencoders for Point Cloud Self-supervised Learning',
        '2203.06604',
        'https://github.com/Pang-Yatian/Point-MAE',
        ('point_mae',),
    ),
    'point_bert': Method(
        'Point-BERT',
        'Point-BERT: Pre-training 3D Point Cloud Transformers with Masked Point Modeling',
        '2111.14819',
        'https://github.com/lulutang0608/Point-BERT',
        ('point_bert', 'point_bert_dvae'),
    ),
    'crosspoint': Method(
        'CrossPoint',
        'CrossPoint: Self-Supervised Cross-Modal Contrastive Learning for 3D Point Cloud Understanding',
        '2203.00680',
        'https://github.com/MohamedAfham/CrossPoint',
        ('crosspoint',),
    ),
    'recon': Method(
        'ReCon',
        'Contrast with Reconstruct: Contrastive 3D Representation Learning Guided by Generative Pretraining',
        '2302.02318',
        'https://github.com/qizekun/ReCon',
        ('recon',),
    ),
    'point_m2ae': Method(
        'Point-M2AE',
        'Point-M2AE: Multi-scale Masked Autoencoders for Hierarchical Point Cloud Pre-training',
        '2205.14401',
        'https://github.com/ZrrSkywalker/Point-M2AE',
        ('point_m2ae',),
    ),
    'cross_bert': Method('Cross-BERT', 'Cross-BERT for Point Cloud Pretraining', '2312.04891'),
}
#: folder of configs -> the labelled task; docs/tasks/<folder>.md says what it reproduces.
TASKS = {
    'classification': 'Classification',
    'completion': 'Completion',
    'few_shot': 'Few-shot classification',
    'detection': 'Detection',
    'part_segmentation': 'Part segmentation',
    'semantic_segmentation': 'Semantic segmentation',
}
_NOTE = (
    '# Made by `python tools/misc/metafiles.py --write` from the configs; do not edit.\n'
    '# No weights are released, so none are linked; no results stand here but those measured in this project.\n'
)
_BEGIN, _END = '<!-- table: made by tools/misc/metafiles.py -->', '<!-- end of table -->'
_built: dict[str, dict[str, Any]] = {}


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary below a value, itself included, outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for below in value:
            yield from parts(below)


def look_at(model: dict[str, Any]) -> dict[str, Any]:
    """What a config builds; models that differ in paths alone are built once a run.

    Returns:
        dict[str, Any]: ``parameters`` by ``trained``, ``frozen`` (tokenizer, teachers, momentum encoder) and, where
        there is one, ``encoder``; ``parts``, place -> classes, without those that no head reads; ``views`` that one
        reads.
    """
    for part in parts(model):
        for key in ('checkpoint', 'made_by'):
            part.pop(key, None)
        if part.get('pretrained'):
            part['pretrained'] = False  # counted, not downloaded
    key = json.dumps(model, sort_keys=True, default=str)
    if key not in _built:
        with DefaultScope.overwrite_default_scope('mmpt'), _uninitialised():
            built = MODELS.build(model)
        _built[key] = {'parameters': _sizes(built), 'parts': _parts_of(built), 'views': _views_of(built)}
    return _built[key]


def _sizes(built: torch.nn.Module) -> dict[str, int]:
    sizes = [(p.requires_grad, p.numel()) for p in built.parameters()]
    counts = {
        'trained': sum(count for trained, count in sizes if trained),
        'frozen': sum(count for trained, count in sizes if not trained),
    }
    if getattr(built, 'encoder', None) is not None:
        counts['encoder'] = sum(p.numel() for p in built.encoder.parameters())
    return counts


def _parts_of(built: torch.nn.Module) -> dict[str, list[str]]:
    found = {'model': [type(built).__name__]}
    for place in ('encoder', 'tokenizer', 'masking', 'decoder', 'image_encoder', 'necks', 'heads'):
        part = getattr(built, place, None)
        if part is not None:
            modules = part.values() if isinstance(part, torch.nn.ModuleDict) else [part]
            found[place] = [type(module).__name__ for module in modules]
    return found


def _views_of(built: torch.nn.Module) -> list[str]:
    if not hasattr(built, 'views'):
        return []
    needs = {need.partition('/')[0] for part in (*built.necks.values(), *built.heads.values()) for need in part.needs}
    views = {name: view for name, view in built.views.config.items() if name in needs}
    return [_view(name, view) for name, view in views.items()] or ['masked']


def _view(name: str, view: dict[str, Any]) -> str:
    facts = [view[key] for key in ('source', 'mask') if view[key] not in (None, 'points', name)]
    facts += ['momentum'] if view['encoder'] == 'momentum' and name != 'momentum' else []
    return f'{name} ({", ".join(facts)})' if facts else name


class _uninitialised:  # noqa: N801
    """Layers keep whatever lies in memory: counting needs no random numbers, which take most of the time."""

    names = ('kaiming_uniform_', 'kaiming_normal_', 'xavier_uniform_', 'trunc_normal_', 'normal_', 'uniform_')

    def __enter__(self) -> None:
        self.kept = {name: getattr(torch.nn.init, name) for name in self.names}
        for name in self.names:
            setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)

    def __exit__(self, *_: object) -> None:
        for name, function in self.kept.items():
            setattr(torch.nn.init, name, function)


def training_data(cfg: Config) -> list[str]:
    """Data sets that the train loader reads."""
    found = []
    for part in parts(cfg.train_dataloader.dataset.to_dict()):
        kind = part.get('type')
        if kind == 'SyntheticShapes':
            found.append('generated shapes')
        elif kind == 'SyntheticRooms':
            found.append('generated rooms')
        elif kind and 'pipeline' in part and 'datasets' not in part:
            split = part.get('split')
            found.append(f'{kind} ({split})' if split and split != 'train' else kind)
    return list(dict.fromkeys(found))


def describe(name: str) -> dict[str, Any]:
    """A row of ``Models``."""
    folder = name.partition('/')[0]
    path = ROOT / 'configs' / f'{name}.py'
    cfg = load_config(path)
    seen = look_at(cfg.model.to_dict())
    return {
        'Name': name,
        'In Collection': TASKS.get(folder) or METHODS[folder].name,
        'Config': path.relative_to(ROOT).as_posix(),
        'Metadata': {
            'Training Data': training_data(cfg),
            'Architecture': list(dict.fromkeys(kind for kinds in seen['parts'].values() for kind in kinds)),
            'Parameters': dict(seen['parameters']),
            'Updates': cfg.train_cfg.max_iters,
            'Batch Size': cfg.train_dataloader.batch_size,
        },
        'Config SHA256': config_digest(cfg),
    }


def collection(folder: str) -> dict[str, Any]:
    """The entry of ``Collections``."""
    if folder in TASKS:
        return {'Name': TASKS[folder], 'README': f'docs/tasks/{folder}.md'}
    method = METHODS[folder]
    entry: dict[str, Any] = {'Name': method.name}
    if (ROOT / 'configs' / folder / 'README.md').is_file():
        entry['README'] = f'configs/{folder}/README.md'
    entry['Paper'] = {'URL': f'https://arxiv.org/abs/{method.arxiv}', 'Title': method.title}
    if method.code:
        entry['Converted From'] = {
            'Code': method.code,
            'Command': [f'python tools/model_converters/convert.py --from {f} SRC DST' for f in _families(method)],
        }
    return entry


def _families(method: Method) -> list[str]:
    return [family for family in method.families if family in FAMILIES]


def folders() -> list[str]:
    """Folders of configs; each must be known here."""
    found = list(dict.fromkeys(name.partition('/')[0] for name in list_models()))
    unknown = [folder for folder in found if folder not in METHODS and folder not in TASKS]
    if unknown:
        raise ConfigError(
            f'configs/{unknown[0]} has no entry in METHODS or TASKS of tools/misc/metafiles.py: add its paper, or the '
            'name of the task.'
        )
    return [folder for folder in (*METHODS, *TASKS) if folder in found]


def make_files() -> dict[Path, str]:
    """Path -> text of everything that is generated."""
    rows = {folder: [describe(name) for name in list_models(f'{folder}/*')] for folder in folders()}
    files = {}
    for folder, models in rows.items():
        content = {'Collections': [collection(folder)], 'Models': models}
        files[ROOT / 'configs' / folder / 'metafile.yml'] = _NOTE + dump(content)
    index = {'Import': [f'configs/{folder}/metafile.yml' for folder in sorted(rows)]}
    files[ROOT / 'model-index.yml'] = _NOTE + dump(index)
    page = ROOT / 'docs' / 'models.md'
    before, _, rest = page.read_text().partition(_BEGIN)
    if _END not in rest:
        raise ConfigError(f'{page} lacks the lines {_BEGIN!r} and {_END!r}, between which the table goes.')
    table = '\n'.join(table_rows(rows))
    files[page] = f'{before}{_BEGIN}\n{table}\n{_END}{rest.partition(_END)[2]}'
    return files


def dump(content: dict[str, Any]) -> str:
    """YAML in the order given."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def table_rows(rows: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The table of docs/models.md: of each method the laptop's config, whose parts are those of the others."""
    head = ['method', 'configs', 'encoder', 'views', 'decoder', 'tokenizer', 'pictures', 'necks', 'heads']
    head += ['converts', 'compared']
    yield f'| {" | ".join(head)} |'
    yield '|---' * len(head) + '|'
    for folder, models in rows.items():
        if folder == 'mmpt_ablation' or folder in TASKS:  # variants of a row that is there; no method
            continue
        names = [row['Name'].partition('/')[2] for row in models]
        laptop = next((name for name in names if name.startswith(('laptop', 'quickstart_pretrain'))), names[0])
        seen = look_at(load_config(ROOT / 'configs' / folder / f'{laptop}.py').model.to_dict())
        method = METHODS[folder]
        families = _families(method)
        cells = [
            f'[{method.name}](../configs/{folder}) ([{method.arxiv}](https://arxiv.org/abs/{method.arxiv}))',
            ', '.join(f'`{name}`' for name in names),
            _named(seen, 'encoder'),
            ', '.join(seen['views']),
            *(_named(seen, place) for place in ('decoder', 'tokenizer', 'image_encoder', 'necks', 'heads')),
            ', '.join(f'`{family}`' for family in families) or ('not yet' if method.families else 'no origin'),
            ', '.join(_compared(family) for family in families) or '-',
        ]
        yield f'| {" | ".join(cells)} |'


def _named(seen: dict[str, Any], place: str) -> str:
    return ', '.join(dict.fromkeys(seen['parts'].get(place, []))) or '-'


def _compared(family: str) -> str:
    with_fixture = (ROOT / 'tests' / 'reference' / f'parity_{family}.py').is_file()
    return f"`{family}` with the origin's output" if with_fixture else f'`{family}` with a slow forward pass of ours'


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--write', action='store_true', help='bring the files up to date')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    register_all_modules()
    MMLogger.get_current_instance().setLevel('ERROR')
    old = [path for path, text in make_files().items() if not path.is_file() or path.read_text() != text]
    for path in old:
        print(f'{path.relative_to(ROOT)} {"written" if args.write else "is out of date"}')
    if args.write:
        for path, text in make_files().items():
            path.write_text(text)
    elif old:
        sys.exit('mmpt: run `python tools/misc/metafiles.py --write`.')


if __name__ == '__main__':
    sys.exit(run(main))
