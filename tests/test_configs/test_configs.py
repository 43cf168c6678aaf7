"""Every shipped config builds, trains for two iterations, and holds only what differs from its bases."""

import math
import runpy
from functools import partial
from pathlib import Path

import pytest
import torch
from _small import CONFIGS, ROOT

from mmpt.apis import load_encoder
from mmpt.evaluation.protocols import PRESETS
from mmpt.models.downstream import DownstreamModel
from mmpt.utils.config import load_config

# The ablation grid is 24 variants of one config: all are trained, those that differ most in their parts also scored.
_SPREAD = ('mcl_cross', 'tlr', 'u2_mask_tokens', 'u5_end_to_end', 'u8_queue', 'u9_balanced')
SCORED = [config for config in CONFIGS if 'mmpt_ablation' not in config or Path(config).stem in _SPREAD]


@pytest.mark.parametrize('config', CONFIGS)
def test_two_iterations(config, trained):
    runner = trained(config)
    scalars = runner.message_hub.log_scalars
    losses = {key: scalars[key].data[0] for key in scalars if key == 'train/loss' or key.startswith('train/task/')}
    # A labelled task is one loss.
    assert 'train/loss' in losses and (len(losses) > 1 or isinstance(runner.model, DownstreamModel))
    assert all(len(values) == 2 and all(map(math.isfinite, values)) for values in losses.values()), losses
    assert (Path(runner.work_dir) / 'iter_2.pth').is_file()


def test_tensorboard_shows_what_the_log_does(trained):
    """Losses, weights and gradient norms of all tasks of the shipped config, step by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runner = trained('configs/mmpt/pretrain_synthetic.py')
    runner.visualizer.close()
    events = EventAccumulator(str(next(Path(runner.work_dir).glob('*/vis_data')))).Reload()
    for task in ('tlr', 'plr', 'mcl'):
        for kind in ('task', 'weight', 'grad_norm'):
            logged = runner.message_hub.get_scalar(f'train/{kind}/{task}').data[0]
            shown = events.Scalars(f'{kind}/{task}')
            assert [event.step for event in shown][-1] == 2
            # Both updates lie in the window whose mean is shown.
            assert shown[-1].value == pytest.approx(float(logged.mean()), rel=1e-4), (kind, task)


@pytest.mark.parametrize('config', SCORED)
def test_its_val_protocol_scores(config, trained):
    """The val loop runs behind the last iteration."""
    scalars = trained(config).message_hub.log_scalars
    scores = {key: scalars[key].data[0] for key in scalars if key.startswith('val/') and not key.endswith('time')}
    assert scores and all(len(values) == 1 and math.isfinite(values[0]) for values in scores.values())
    kinds = {evaluator['type'] for evaluator in trained(config).cfg.val_evaluator}
    asked = {'FeatureProbe': ('probe/knn', 'probe/svm'), 'PartIoU': ('part/instance_miou', 'part/class_miou')}
    asked['ClassificationAccuracy'] = ('held_out/accuracy' if 'held_out' in config else 'test/accuracy',)
    asked['CompletionScore'] = ('completion/f_score', 'completion/copy/f_score')
    asked['DetectionAP'] = ('detection/ap25', 'detection/ap50', 'detection/ar25', 'detection/ar50')
    asked['SemanticIoU'] = ('semantic/miou', 'semantic/accuracy', 'semantic/class_accuracy')
    expected = [name for kind, names in asked.items() if kind in kinds for name in names]
    assert 'tokenizer' in config or expected
    assert all(0 <= scores[f'val/{name}'][0] <= 1 for name in expected)


@pytest.mark.parametrize('config', [config for config in SCORED if 'tokenizer' not in config])
def test_its_encoder_is_rebuilt_from_the_checkpoint(config, trained):
    runner = trained(config)
    encoder = load_encoder(Path(runner.work_dir) / 'iter_2.pth', prefer_ema=False)
    own = runner.model.encoder.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in encoder.state_dict().items())


def test_shapenet_trains_on_shapes_with_and_without_pictures(trained, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    runner = trained('configs/mmpt/pretrain_shapenet.py')
    data = runner.train_dataloader.dataset
    assert type(data).__name__ == 'ShapeNet' and len(data) == 9
    has_image = [bool(data[index]['inputs']['has_image'].any()) for index in range(len(data))]
    assert has_image == [True, True, False] * 3
    assert {'train/task/tlr', 'train/task/plr', 'train/task/mcl'} <= set(runner.message_hub.log_scalars)


@pytest.mark.parametrize('config', CONFIGS)
def test_a_child_is_short_and_says_what_it_is(config):
    lines = (ROOT / config).read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.lstrip().startswith('#')]
    assert len(code) < 40
    head = '\n'.join(lines[: next(i for i, line in enumerate(lines) if not line.startswith('#'))])
    for what in ('Hardware and time:', 'Figure to expect:', f'python tools/train.py {config}'):
        assert what in head, f'the head of {config} lacks {what!r}'


@pytest.mark.parametrize('config', [config for config in CONFIGS if 'tokenizer' not in config])
def test_its_tokenizer_is_made_by_a_config_that_exists(config):
    tokenizer = load_config(ROOT / config).model.get('tokenizer')
    if tokenizer is not None:
        made_by = load_config(ROOT / tokenizer.made_by)
        name = f'iter_{made_by.train_cfg.max_iters}.pth'
        assert tokenizer.checkpoint == f'work_dirs/mmpt/{Path(tokenizer.made_by).stem}/{name}'
        theirs = made_by.model.tokenizer
        assert theirs.get('num_ids') == tokenizer.get('num_ids')


def test_a_protocol_by_name_scores_in_place_of_the_config(trained, workplace, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    runner = trained('configs/point_mae/laptop_synthetic.py')
    cfg = runner.cfg.copy()
    cfg.work_dir, cfg.experiment_name = str(tmp_path), 'test_protocol_by_name'
    cfg.dump(tmp_path / 'small.py')
    saved = str(Path(runner.work_dir) / 'iter_2.pth')
    monkeypatch.syspath_prepend(ROOT / 'tools')
    test = partial(runpy.run_path(str(ROOT / 'tools/test.py'))['main'], config=str(tmp_path / 'small.py'), loop='val')
    test(checkpoint=saved, cfg_options={}, protocol='i2p_mae')
    assert 'probe/svm_C: 0.0093' in capsys.readouterr().out
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert PRESETS['i2p_mae'].describe() in log and 'but the data give 128 points a shape' in log
    with pytest.raises(ValueError, match=r"no protocol 'nonsense'; it is one of cv, point_bert"):
        test(checkpoint=saved, cfg_options={}, protocol='nonsense')
