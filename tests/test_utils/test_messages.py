"""What a user sees when something is wrong: one sentence, or a traceback where it is our fault."""

import sys

import pytest
import torch
from _helpers import ROOT
from mmengine.registry import HOOKS as MMENGINE_HOOKS

from mmpt.utils.config import check_options, check_types, load_config, parse_options
from mmpt.utils.errors import CheckpointError, ConfigError, TrainingInterrupted, explain, run

CONFIG = ROOT / 'tests' / 'test_engine' / 'toy_config.py'


def caught(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError('nothing was raised')


def test_ours_and_theirs():
    assert explain(ConfigError('one\n  two')) == 'one two'
    assert explain(caught(open, '/no/such/file')) == 'No such file or directory: /no/such/file'
    assert explain(caught(lambda: {}['key'])) is None, 'a bug keeps its traceback'
    assert explain(caught(int, 'x')) is None
    assert explain(RuntimeError('mat1 and mat2 shapes cannot be multiplied')) is None


def test_a_check_is_a_raise_statement_in_our_code():
    from mmpt.registry import ENCODERS

    said = explain(caught(ENCODERS.build, {'type': 'NoSuchEncoder'}))
    assert said.startswith("'NoSuchEncoder' is not in the encoder registry") and '\n' not in said
    said = explain(caught(MMENGINE_HOOKS.build, {'type': 'NoSuchHook'}))
    # mmengine names the scope of whichever Runner was built last.
    assert 'NoSuchHook is not in the' in said and '::hook registry' in said
    assert explain(caught(MMENGINE_HOOKS.build, {'type': 'LoggerHook', 'intervall': 3})).startswith(
        'The config does not fit what it builds: LoggerHook.__init__() got an unexpected keyword argument'
    )


class Failing(torch.utils.data.Dataset):
    """Fails in a worker as a data set of ours would, or as one with a bug would."""

    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if self.how == 'ours':
            raise ConfigError('Sample\nfour has NaN coordinates: clean it.')
        if self.how == 'check':
            from mmpt.registry import ENCODERS

            return ENCODERS.build({'type': 'NoSuchEncoder'})
        if self.how == 'file':
            from mmpt.utils.io import atomic_write

            return atomic_write(b'', '/proc/no/such/folder/x')
        return [][index]


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize(
    'how, said',
    [
        ('ours', 'Sample four has NaN coordinates: clean it.'),
        ('check', "'NoSuchEncoder' is not in the encoder registry"),
        ('bug', None),
    ],
)
def test_the_same_from_a_worker(how, said, workers):
    loader = torch.utils.data.DataLoader(Failing(how), num_workers=workers)
    iterator = iter(loader)
    explained = explain(caught(next, iterator))
    if workers:
        # Left to the garbage collector, torch waits five seconds for it.
        iterator._shutdown_workers()
    assert explained is None if said is None else explained.startswith(said), explained
    assert explained is None or '\n' not in explained


def test_exit_codes(capsys, monkeypatch):
    def fail(error):
        def main():
            raise error

        return main

    assert run(lambda: None) == 0
    assert run(fail(CheckpointError('broken.'))) == 2
    assert capsys.readouterr().err == 'mmpt: broken.\n'
    assert run(fail(TrainingInterrupted('stopped.'))) == 130
    assert run(fail(KeyboardInterrupt())) == 130
    assert 'nothing was saved since' in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    monkeypatch.setenv('RANK', '3')
    assert run(fail(FileNotFoundError(2, 'No such file', 'a'))) == 2
    assert run(fail(CheckpointError('everywhere.'))) == 2
    assert capsys.readouterr().err == 'mmpt: [rank 3] No such file: a\n', 'what all ranks raise is printed by the first'
    monkeypatch.setattr(sys, 'argv', ['train.py', '--traceback'])
    with pytest.raises(CheckpointError):
        run(fail(CheckpointError('broken.')))


def test_unknown_type_names_place_and_neighbour():
    with pytest.raises(ConfigError) as error:
        load_config(CONFIG, {'default_hooks.checkpoint.type': 'AtomicCheckpointHok'})
    assert str(error.value) == (
        "default_hooks.checkpoint: nothing is registered as 'AtomicCheckpointHok'; did you mean "
        "'AtomicCheckpointHook'? A class of your own is registered with its decorator and imported by "
        '`custom_imports` in the config.'
    )
    with pytest.raises(ConfigError, match=r"param_scheduler\.1: .* 'CosineAnnealingLR'"):
        load_config(CONFIG, {'param_scheduler.1.type': 'CosineAnealingLR'})
    check_types(
        {'a': {'type': 'mmpt.StepSampler'}, 'b': {'type': 'mmengine.LoggerHook'}, 'c': {'type': 'torch.nn.GELU'}}
    )
    with pytest.raises(ConfigError, match='torch.nn.GELUU'):
        check_types({'c': {'type': 'torch.nn.GELUU'}})


@pytest.mark.parametrize(
    'option, said',
    [
        ('optim_wraper.lr=1', "there is no 'optim_wraper' in the config; did you mean 'optim_wrapper.lr'?"),
        ('optim_wrapper.optimzer.lr=1', "no 'optimzer' in optim_wrapper; did you mean 'optim_wrapper.optimizer.lr'?"),
        ('param_scheduler.7.end=1', "no '7' in param_scheduler"),
        ('rubbish=1', "there is no 'rubbish' in the config."),
    ],
)
def test_mistyped_option(option, said):
    with pytest.raises(ConfigError, match=said.replace('?', r'\?')):
        load_config(CONFIG, parse_options([option]))


def test_options_that_a_config_need_not_name(monkeypatch):
    said = []
    monkeypatch.setattr('mmpt.utils.config.print_log', lambda text, **_: said.append(text))
    config = load_config(CONFIG)
    check_options(config, ['resume', 'compile', 'model.new_argument', 'optim_wrapper.clip_grad.max_norm'])
    assert not said
    check_options(config, ['optim_wrapper.optimizer.weight_decai'])
    assert "did you mean 'optim_wrapper.optimizer.weight_decay'?" in said[0]
    merged = load_config(CONFIG, parse_options(['optim_wrapper.clip_grad.max_norm=3', 'param_scheduler.1.end=[1,2]']))
    assert merged.optim_wrapper.clip_grad.max_norm == 3 and merged.param_scheduler[1].end == [1, 2]
    with pytest.raises(ConfigError, match="takes key=value, not 'a'"):
        parse_options(['a'])


def test_config_files(tmp_path):
    with pytest.raises(ConfigError, match='nothing.py does not exist'):
        load_config(tmp_path / 'nothing.py')
    for text, said in {'a = (': 'SyntaxError', 'a = b': 'NameError'}.items():
        (tmp_path / 'bad.py').write_text(text)
        with pytest.raises(ConfigError, match=f'bad.py cannot be read: .*{said}'):
            load_config(tmp_path / 'bad.py')
    (tmp_path / 'bad.py').write_text('import nothing_here')
    said = explain(caught(load_config, tmp_path / 'bad.py'))
    assert said.startswith('Failed to import nothing_here') and 'bad.py, line 1' in said
