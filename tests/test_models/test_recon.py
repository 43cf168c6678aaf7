"""ReCon: the encoder with its global tokens against a plain forward pass, what is detached, what is missing."""

import copy
from pathlib import Path

import pytest
import torch
from _scripts import load_script
from torch import nn

from mmpt.apis.origins import convert
from mmpt.models.encoders import ReConTransformer
from mmpt.models.masking import mask_from_scores
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample
from mmpt.utils.errors import CheckpointError

ROOT = Path(__file__).resolve().parents[2]


def _reference():
    return load_script('tests/reference/recon.py')


reference = _reference()


@MODELS.register_module(force=True)
class HeldTeachers(nn.Module):
    """Features that the test holds."""

    needs = ('inputs',)
    provides = ('teacher/image', 'teacher/image/valid', 'teacher/text', 'teacher/text/valid')
    held = {}

    def forward(self, step):
        return self.held


@pytest.fixture
def origin():
    torch.manual_seed(0)
    return reference.make_state()


def _encoder(**kwargs):
    torch.manual_seed(0)
    args = {'num_groups': 8, 'group_size': 8, 'dim': 24, 'depth': 2, 'num_heads': 3, 'patch_widths': (16, 16, 32)}
    return ReConTransformer(**{**args, 'init': 'default', **kwargs}).eval()


def test_a_converted_pretraining_is_the_plain_forward_pass_in_losses_and_gradients(origin, build):
    converted = convert(origin, num_groups=8, num_heads=2)
    assert converted.family == 'recon' and not converted.unused
    assert set(converted.model_cfg['necks']) == {'image_teacher', 'text_teacher'}
    cfg = {**converted.model_cfg, 'necks': {'held': {'type': 'HeldTeachers'}}}
    model = build(cfg)
    model.load_state_dict(converted.state)
    model.eval()
    points = torch.randn(3, 40, 3)
    patches, mask = model.encoder.group(points), mask_from_scores(torch.rand(3, 8), 5)
    model.encoder.group, model.masking = lambda points: patches, lambda patches, draws: mask
    targets, valid = {token: 2 * torch.randn(3, 5) for token in ('img', 'text')}, torch.ones(3, dtype=torch.bool)
    HeldTeachers.held = {
        'teacher/image': targets['img'],
        'teacher/image/valid': valid,
        'teacher/text': targets['text'],
        'teacher/text/valid': valid,
    }
    raw = model({'points': points}, mode='loss')
    plain = {k: v.requires_grad_() if v.is_floating_point() else v for k, v in origin.items()}
    expected = reference.losses(plain, 2, patches, mask.hidden, targets)
    for name, task in raw['tasks'].items():
        torch.testing.assert_close(task['loss'], expected[name], atol=1e-5, rtol=1e-5)
    total, _ = model.parse_losses(raw)
    total.backward()
    sum(expected.values()).backward()
    own = dict(model.named_parameters())
    trained = {key: value.grad for key, value in plain.items() if 'running' not in key and 'tracked' not in key}
    theirs = convert(trained, num_groups=8, num_heads=2).state
    assert own.keys() == theirs.keys()
    for key, gradient in theirs.items():
        torch.testing.assert_close(own[key].grad, gradient, atol=1e-5, rtol=1e-4, msg=key)


def test_a_converted_classifier_is_the_plain_forward_pass(build):
    torch.manual_seed(1)
    state = reference.make_state(classes=4)
    converted = convert(state, num_groups=8, group_size=6, num_heads=2)
    assert converted.family == 'recon' and not converted.unused
    assert converted.model_cfg['encoder']['detach_local'] is False
    model = build(converted.model_cfg).eval()
    model.load_state_dict(converted.state)
    points = torch.randn(2, 40, 3)
    expected = reference.logits(state, 2, model.encoder.group(points))
    torch.testing.assert_close(model({'points': points}), expected, atol=1e-5, rtol=1e-5)


def test_a_file_of_recon_is_not_taken_for_one_of_point_mae(origin):
    """It holds every key that one of Point-MAE has."""
    with pytest.raises(CheckpointError, match='not those of point_mae: they look like recon'):
        convert(origin, 'point_mae')
    for teacher in ('img_encoder.cls_token', 'text_encoder.ln_final.weight'):
        origin[teacher] = torch.zeros(3)
    assert {why.split(',')[0] for why in convert(origin, num_heads=2).unused.values()} == {
        'the frozen image teacher',
        'the frozen text teacher',
    }


@pytest.mark.parametrize('detach', [True, False])
def test_gradient_of_the_global_tokens_reaches_the_patches_only_when_it_may(detach):
    encoder = _encoder(detach_local=detach)
    tokens = encoder(torch.randn(2, 64, 3), mask_from_scores(torch.rand(2, 8), 4))
    # Weighted, since the sum of a normalised row is a constant.
    sum((value * torch.randn_like(value)).sum() for value in tokens.globals.values()).backward()
    local = {name: p.grad for name, p in encoder.named_parameters() if not _is_global(name)}
    reached = {name for name, grad in local.items() if grad is not None and bool(grad.abs().sum() > 1e-6)}
    if detach:
        assert not reached
    else:
        # The second half of the last block is behind what the last global tokens read.
        late = {name for name in local if name.startswith(('blocks.1.attn', 'blocks.1.norm2', 'blocks.1.mlp'))}
        assert reached == local.keys() - late
    own = [p.grad for name, p in encoder.named_parameters() if _is_global(name)]
    assert all(grad is not None and bool(grad.any()) for grad in own)


def _is_global(name):
    return 'global_' in name or name.endswith(('_token', '_pos')) or name in ('norm.weight', 'norm.bias')


def test_patches_do_not_see_the_global_tokens_nor_these_each_other():
    encoder, points = _encoder(), torch.randn(2, 64, 3)
    before = encoder(points)
    with torch.no_grad():
        encoder.img_token.add_(1)
    after = encoder(points)
    assert torch.equal(before.patch, after.patch)
    changed = {name for name in before.globals if not torch.equal(before.globals[name], after.globals[name])}
    assert changed == {'img'} and list(before.globals) == ['cls', 'img', 'text']


def test_what_is_hidden_leaves_no_trace_and_levels_are_block_outputs():
    encoder, points = _encoder(levels=(0, 1)), torch.randn(2, 64, 3)
    patches, mask = encoder.group(points), mask_from_scores(torch.rand(2, 8), 5)
    tokens = encoder(patches, mask, encoder.embed(patches))
    other = torch.where(mask.hidden[..., None, None], 100.0, patches.points)
    again = encoder(patches._replace(points=other), mask)
    assert torch.equal(tokens.patch, again.patch) and torch.equal(tokens.globals['text'], again.globals['text'])
    assert torch.equal(tokens.levels[1], tokens.patch)
    assert tokens.patch.shape == (2, 3, 24) and not torch.equal(*tokens.levels)


def test_wrong_sizes_are_one_sentence():
    for change, message in (
        ({'global_tokens': ()}, 'one or more different names'),
        ({'global_tokens': ('a', 'a')}, 'one or more different names'),
        ({'num_heads': 5}, 'dim 24 is not a multiple of num_heads 5'),
        ({'levels': (2,)}, 'ReConTransformer: levels'),
    ):
        with pytest.raises(ValueError, match=message):
            _encoder(**change)


# ------------------------------------------------------------------ pre-training

CFG = {
    'type': 'MultiTaskPretrainer',
    'encoder': {
        'type': 'ReConTransformer',
        'num_groups': 8,
        'group_size': 8,
        'dim': 24,
        'depth': 2,
        'num_heads': 3,
        'drop_path': 0.0,
        'patch_widths': (16, 16, 32),
        'init': 'default',
    },
    'masking': {'type': 'RandomMasking', 'ratio': 0.6},
    'decoder': {'type': 'MaskedDecoder', 'dim': 24, 'depth': 1, 'num_heads': 3, 'drop_path': 0.0},
    'views': {'masked': {'mask': 'hidden'}},
    'necks': {
        'image_teacher': {'type': 'TimmTeacher', 'model_name': 'test_vit', 'pretrained': False, 'img_size': 32},
        'text_teacher': {'type': 'HashedTextTeacher', 'dim': 16},
    },
    'heads': {
        'plr': {'type': 'PointReconstructionHead', 'dim': 24, 'group_size': 8},
        'img': {'type': 'DistillationHead', 'dim': 24, 'target_dim': 64},
        'text': {
            'type': 'DistillationHead',
            'dim': 24,
            'target_dim': 16,
            'target': 'teacher/text',
            'token': 'text',
        },
        'smc': {'type': 'CaptionContrastHead', 'dim': 24, 'hidden_dim': 16, 'out_dim': 8},
    },
    'balancer': 'equal',
}
CASES = {
    'everything': ({0, 1, 2, 3}, {0, 1, 2, 3}),
    'half': ({0, 1}, {0, 3}),
    'one picture, no caption': ({2}, set()),
    'nothing': (set(), set()),
}


def make_batch(case, size=4):
    """Contract 1; what stands in place of a missing picture must not be read."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 255, (size, 1, 3, 32, 32), generator=generator, dtype=torch.uint8)
    points = torch.randn(size, 64, 3, generator=generator)
    pictures, captions = CASES[case]
    for index in set(range(size)) - pictures:
        images[index] = 200
    samples = [PointDataSample(metainfo={'sample_id': str(index)}) for index in range(size)]
    for index in captions:
        samples[index].set_metainfo({'caption': ('chair', 'lamp')[index % 2]})
    present = [torch.tensor([index in pictures]) for index in range(size)]
    inputs = {'points': list(points), 'images': list(images), 'has_image': present}
    return {'inputs': inputs, 'data_samples': samples}


@pytest.mark.parametrize('case', CASES)
def test_samples_without_picture_or_caption_stay_out_and_every_parameter_takes_part(build, run_loss, case):
    model = build(CFG).train()
    pictures, captions = CASES[case]
    total, log, raw = run_loss(model, make_batch(case))
    total.backward()
    assert {name for name, p in model.named_parameters() if p.grad is None} == set()
    for head, some in (('img', pictures), ('text', captions), ('smc', captions)):
        assert all(bool(p.grad.any()) == bool(some) for p in model.heads[head].projector.parameters() if p.dim() == 2)
        assert some or float(raw['tasks'][head]['loss'].detach()) == 0
    if not captions:
        assert not model.encoder.text_token.grad.any() and not model.encoder.cls_token.grad.any()
    assert set(log) >= {'img/explained', 'text/explained'}


def test_the_loss_is_the_mean_over_the_samples_that_have_one(build, run_loss):
    model = build(CFG).train()
    _, _, raw = run_loss(model, make_batch('half'))
    data = model.data_preprocessor(make_batch('half'), True)
    model.draws.set(seed=0, step=0, rank=0, world_size=1)
    step, _ = model.step(**data)
    for head, rows in (('img', [0, 1]), ('text', [0, 3])):
        predicted = model.heads[head].projector(step['masked'].globals[head])[rows]
        target = step[model.heads[head].target][rows]
        assert target.abs().sum(1).all()
        expected = torch.nn.functional.smooth_l1_loss(predicted, target)
        torch.testing.assert_close(raw['tasks'][head]['loss'], expected)


def test_no_data_samples_are_no_captions(build):
    model = build(CFG).train()
    data = model.data_preprocessor(make_batch('everything'), True)
    raw = model(data['inputs'], mode='loss')
    assert float(raw['tasks']['text']['loss'].detach()) == float(raw['tasks']['smc']['loss'].detach()) == 0


def test_explained_is_the_share_of_the_variance(build):
    from mmpt.models.heads.distillation import _explained

    target, valid = torch.randn(6, 4), torch.tensor([True] * 5 + [False])
    mean = target[:5].mean(0).expand(6, 4)
    assert float(_explained(target, target, valid)) == 1
    assert float(_explained(mean, target, valid)) == pytest.approx(0, abs=1e-6)
    assert float(_explained(target, target, valid & False)) == 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['necks'].pop('image_teacher'), "img needs 'teacher/image': set a neck that provides it"),
        (lambda c: c['encoder'].update(global_tokens=('cls', 'text')), "reads the token 'img', the encoder has"),
        (lambda c: c['heads']['img'].update(target_dim=63), r"target_dim=63\): the features of 'teacher/image' are 64"),
        (
            lambda c: c['heads']['img'].update(loss={'type': 'FeatureRegressionLoss'}),
            'expected one for each of the 4 samples|not one value a row',
        ),
    ],
)
def test_wrong_wiring_is_one_sentence(build, run_loss, change, message):
    cfg = copy.deepcopy(CFG)
    change(cfg)
    with pytest.raises((ValueError, KeyError), match=message):
        run_loss(build(cfg).train(), make_batch('everything'))


def test_without_its_head_a_teacher_is_left_out(build):
    model = build({**CFG, 'heads': {**CFG['heads'], 'img': None}})
    assert set(model.necks) == {'text_teacher'} and set(model.heads) == {'plr', 'text', 'smc'}


def test_bfloat16_leaves_stream_and_targets_in_float32(build, run_loss):
    model, batch = build(CFG).train(), make_batch('everything')
    _, exact, _ = run_loss(model, batch)
    kept = []
    model.encoder.blocks[0].register_forward_hook(lambda module, arguments, result: kept.extend(result))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total, rough, _ = run_loss(model, batch)
    total.backward()
    assert {value.dtype for value in kept} == {torch.float32}
    for task in ('plr', 'img', 'text'):
        assert float(rough[f'task/{task}']) == pytest.approx(float(exact[f'task/{task}']), rel=0.05)


# ---------------------------------------------------------------- two processes


def train_steps(case, rank=0, world=1):
    """Gradients and logs of two steps on this rank's part of a batch."""
    from mmengine.model import MMDistributedDataParallel
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmpt'):
        torch.manual_seed(0)
        model = MODELS.build(CFG).train()
    batch, per = make_batch(case), 4 // world
    own = slice(rank * per, (rank + 1) * per)
    batch = {
        'inputs': {key: value[own] for key, value in batch['inputs'].items()},
        'data_samples': batch['data_samples'][own],
    }
    wrapped = model if world == 1 else MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
    gradients, losses = [], []
    for step in range(2):
        model.draws.set(seed=0, step=step, rank=rank, world_size=world)
        wrapped.zero_grad()
        data = model.data_preprocessor(batch, True)
        total, log = model.parse_losses(wrapped(**data, mode='loss'))
        total.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
        losses.append({name: float(value) for name, value in log.items() if name.startswith('task/')})
    return gradients, losses


def run_rank(rank, folder):
    """One of two processes."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    torch.save({case: train_steps(case, rank, 2) for case in CASES}, f'{folder}/rank_{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    torch.multiprocessing.spawn(run_rank, (str(folder),), 2)
    return [torch.load(folder / f'rank_{rank}.pth') for rank in (0, 1)]


@pytest.mark.parametrize('case', CASES)
def test_two_processes_with_half_the_batch_are_one_with_all_of_it(ranks, case, monkeypatch):
    from mmpt.models.layers import norm

    # One process, too, by mmpt's arithmetic, which rounds more finely than torch's kernel.
    monkeypatch.setattr(norm, '_torch_can', lambda module, x: not module.training)
    gradients, losses = train_steps(case)
    for step in range(2):
        first, second = (rank[case] for rank in ranks)
        for name, value in losses[step].items():
            assert (first[1][step][name] + second[1][step][name]) / 2 == pytest.approx(value, rel=1e-4, abs=1e-7), name
        largest = max(float(value.abs().max()) for value in gradients[step].values())
        for name, value in gradients[step].items():
            assert torch.equal(first[0][step][name], second[0][step][name]), name
            difference = float((first[0][step][name] - value).abs().max())
            assert difference <= 1e-4 * max(float(value.abs().max()), 1e-2 * largest), name
