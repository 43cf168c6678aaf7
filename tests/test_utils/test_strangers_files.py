"""A checkpoint from a stranger is data: every way in which mmengine would run it, with a payload that leaves a file."""

import os
import pickle
import socketserver
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import load_checkpoint as mmengine_load
from torch import nn

from mmpt.registry import ENCODERS, MODELS
from mmpt.utils import checkpoint as loader
from mmpt.utils.checkpoint import load_checkpoint, trust_checkpoints
from mmpt.utils.config import check_cfg_types
from mmpt.utils.errors import CheckpointError


class Touch:
    """Pickles as a call."""

    def __init__(self, call, *arguments):
        self.call = (call, arguments)

    def __reduce__(self):
        return self.call


@pytest.fixture
def mark(tmp_path):
    """A file that no test may leave behind."""
    path = tmp_path / 'mark'
    yield path
    trust_checkpoints(False)
    assert not path.exists()


@pytest.fixture
def stranger(tmp_path):
    def save(**content):
        path = tmp_path / 'stranger.pth'
        torch.save({'state_dict': {}, 'meta': {}, **content}, path)
        return str(path)

    return save


def refuse(path):
    with pytest.raises(CheckpointError, match='could run code, so it was not read; .* add --trust-checkpoint') as error:
        load_checkpoint(path)
    return str(error.value)


@pytest.mark.parametrize('part', ['state_dict', 'optimizer', 'message_hub', 'ema_state_dict', 'param_schedulers'])
def test_pickled_call(stranger, mark, part):
    path = stranger(**{part: {'x': Touch(os.system, f'touch {mark}')}})
    assert 'system' in refuse(path)
    for mmengine_way in (partial(mmengine_load, nn.Linear(1, 1)), CheckpointLoader.load_checkpoint):
        with pytest.raises(CheckpointError, match='could run code'):
            mmengine_way(path)


def test_getattr_as_a_ladder(stranger, mark):
    """mmengine allows it: from any allowed function it leads to ``os.system``."""

    class Ladder:
        def __reduce__(self):
            return Touch(getattr, np.ndarray, '__class__').__reduce__()

    refuse(stranger(x=Ladder()))
    refuse(stranger(x=Touch(eval, f'open({str(mark)!r}, "w")')))
    refuse(stranger(x=Touch(getattr, HistoryBuffer, 'register_statistics')))


def test_trust_is_the_only_way(stranger, mark, monkeypatch):
    path = stranger(x=Touch(os.system, f'touch {mark}'))
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    refuse(path)
    trust_checkpoints()
    load_checkpoint(path)
    assert mark.exists()
    mark.unlink()


def test_plain_pickle_and_torchscript(tmp_path, mark):
    plain = tmp_path / 'plain.pth'
    plain.write_bytes(pickle.dumps(Touch(os.system, f'touch {mark}')))
    refuse(plain)
    program = tmp_path / 'program.pth'
    torch.jit.script(nn.Linear(2, 2)).save(str(program))
    refuse(program)


def test_damaged_and_missing(tmp_path):
    half = tmp_path / 'half.pth'
    torch.save({'state_dict': {'a': torch.zeros(100_000)}}, half)
    whole = half.read_bytes()
    # torch says something else of each.
    for length in (0, 4, 2000, 5000, 70_000, len(whole) // 2, len(whole) - 1):
        half.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r'half\.pth is not a complete checkpoint: \w'):
            load_checkpoint(half)
    with pytest.raises(CheckpointError, match='does not exist'):
        load_checkpoint(tmp_path / 'nothing.pth')
    torch.save([1], half)
    with pytest.raises(CheckpointError, match='holds a list, not a dictionary'):
        load_checkpoint(half)


def test_config_text_that_resume_executes(stranger, mark, tmp_path):
    """``Runner.resume`` passes ``meta['config']`` to ``Config.fromstring``, which runs it."""
    text = f'import os\nos.system("touch {mark}")\n'
    meta = {'config': text, 'cfg': text, 'epoch': 0, 'iter': 1}
    hub = {'log_scalars': {}, 'runtime_info': {'cfg': text}, 'resumed_keys': {}}
    path = stranger(meta=meta, message_hub=hub)
    assert 'config' not in load_checkpoint(path)['meta']

    import toy_parts

    model = toy_parts.ToyModel()
    torch.save({'state_dict': model.state_dict(), 'meta': meta, 'message_hub': hub}, path)
    runner = Runner(
        model,
        str(tmp_path / 'work'),
        train_dataloader={'dataset': toy_parts.ToyData(), 'sampler': {'type': 'InfiniteSampler'}, 'batch_size': 2},
        train_cfg={'by_epoch': False, 'max_iters': 2},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        load_from=path,
        resume=True,
        experiment_name='stranger',
    )
    seen = []
    runner.register_hook(type('Seen', (Hook,), {'after_train_iter': lambda *a, **k: seen.append(1)})())
    runner.train()
    assert len(seen) == 1, 'it resumed after the first iteration'


@pytest.mark.parametrize(
    'cfg',
    [
        {'type': 'os.system', 'command': 'touch {mark}'},
        {'type': 'mmpt.os.system'},
        {'type': 'MiniEncoder', 'part': [{'type': 'subprocess.run', 'args': 'touch {mark}'}]},
        {'type': 'MiniEncoder', '_scope_': 'stranger_package'},
        {'type': 'stranger_package.Encoder'},
        {'type': ['os', 'system']},
        {'type': os.system, 'command': 'touch {mark}'},
    ],
)
def test_type_in_metadata(cfg, mark, tmp_path, monkeypatch):
    """A registry imports any dotted path and calls it; ``_scope_`` and a prefix import ``<scope>.registry``."""
    package = tmp_path / 'stranger_package'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'registry.py').write_text(f'open({str(mark)!r}, "w")')
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = Config({'x': cfg}).x if isinstance(cfg['type'], str) else cfg
    cfg = {k: v.format(mark=mark) if k == 'command' else v for k, v in cfg.items()}
    monkeypatch.setitem(ENCODERS._module_dict, 'MiniEncoder', nn.Identity)
    with pytest.raises(CheckpointError, match='in the checkpoint'):
        check_cfg_types(cfg, [ENCODERS, MODELS])
    check_cfg_types({'type': 'MiniEncoder', 'norm': {'type': 'mmpt.MiniEncoder'}}, [ENCODERS, MODELS])


def test_other_schemes_unpickle_what_they_find():
    for scheme in CheckpointLoader._schemes:
        path = scheme.replace(r'(\S+\:)?', '') + 'a/b.pth'
        if not path.startswith(('http', 'a/')):
            with pytest.raises(CheckpointError, match=r'give a file or an http\(s\) address'):
                CheckpointLoader.load_checkpoint(path)


def test_download(stranger, mark, tmp_path, monkeypatch):
    """mmengine's own download falls back to unpickling as well."""
    stranger(x=Touch(os.system, f'touch {mark}'))
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with socketserver.TCPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_address[1]}/stranger.pth'
        with pytest.raises(CheckpointError, match='could run code'):
            CheckpointLoader.load_checkpoint(url)
        torch.save({'state_dict': {'a': torch.ones(1)}}, tmp_path / 'good.pth')
        assert load_checkpoint(url.replace('stranger', 'good'))['state_dict']['a'] == 1
        server.shutdown()


def test_pretrained_init(stranger, mark):
    """``init_cfg`` of any module reads through the same door."""
    from mmengine.model import BaseModule

    path = stranger(x=Touch(os.system, f'touch {mark}'))
    with pytest.raises(CheckpointError, match='could run code'):
        BaseModule({'type': 'Pretrained', 'checkpoint': path}).init_weights()


def test_what_an_honest_checkpoint_holds(tmp_path):
    path = tmp_path / 'honest.pth'
    content = {
        'meta': {'iter': 3, 'dataset_meta': {'classes': ('a', 'b'), 'mean': np.arange(3.0)}},
        'message_hub': {
            'log_scalars': {'loss': HistoryBuffer([1, 2], [1, 1])},
            'runtime_info': {'best': np.float64(0.3)},
        },
        'state_dict': nn.Linear(2, 2).state_dict(),
    }
    torch.save(content, path)
    read = load_checkpoint(path)
    assert read['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert read['meta']['dataset_meta']['mean'].tolist() == [0, 1, 2]
    assert read['message_hub']['runtime_info']['best'] == 0.3


def test_match_counts_and_geometry(tmp_path, monkeypatch):
    match = loader.match_state_dict(nn.Linear(2, 2), {'weight': torch.zeros(3, 2), 'extra': torch.zeros(1)})
    assert str(match) == '0 matched, 1 missing, 1 unexpected, 1 of another shape (such as bias)'
    state, averaged = loader.model_state({'state_dict': {'module.a': 1, 'b': 2}, 'ema_state_dict': {'a': 3}})
    assert state == {'a': 3, 'b': 2} and averaged
    said = []
    monkeypatch.setattr(loader, 'print_log', lambda text, **_: said.append(text))
    loader.warn_about_geometry(
        {'meta': {'dataset_meta': {'up_axis': 'y', 'variant': 'a'}}}, {'up_axis': 'z', 'variant': 'a'}
    )
    assert said == ["The checkpoint was trained on data with up_axis='y', this data set has up_axis='z'."]
    said.clear()
    trained = {'num_points': 1024, 'variant': 'a'}
    loader.warn_about_geometry({'meta': {'dataset_meta': trained}}, {'num_points': 2048}, ('up_axis', 'num_points'))
    assert said == ['The checkpoint was trained on data with num_points=1024, this data set has num_points=2048.']
