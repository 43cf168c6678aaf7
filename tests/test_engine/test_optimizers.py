import copy

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from mmpt.engine import ParamGroupConstructor
from mmpt.utils.errors import ConfigError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 2))
        self.cls_token = nn.Parameter(torch.ones(1, 1, 4))
        self.cls_pos = nn.Parameter(torch.ones(1, 1, 4))
        self.tokenizer = nn.Linear(4, 4).requires_grad_(False)

    def forward(self, x):
        return self.encoder(x + self.cls_token[0] + self.cls_pos[0])


@pytest.fixture(autouse=True)
def hub():
    return MessageHub.get_instance('optimizers')


def build(net, optimizer=None, paramwise=None, **wrapper):
    optimizer = optimizer or {'type': 'AdamW', 'lr': 0.1, 'weight_decay': 0.3}
    return ParamGroupConstructor({'optimizer': optimizer, **wrapper}, paramwise)(net)


def train_step(net, wrapper, x):
    with wrapper.optim_context(net):
        loss = net(x).square().mean()
    wrapper.update_params(loss)
    return loss


def test_groups_follow_point_bert():
    net = Net()
    names = {id(p): n for n, p in net.named_parameters()}
    groups = [({names[id(p)] for p in g['params']}, g['weight_decay']) for g in build(net).optimizer.param_groups]
    assert groups == [
        ({'cls_pos', 'encoder.0.weight', 'encoder.3.weight'}, 0.3),
        ({'cls_token', 'encoder.0.bias', 'encoder.1.weight', 'encoder.1.bias', 'encoder.3.bias'}, 0.0),
    ]


def test_learning_rate_by_the_longest_prefix():
    wrapper = build(Net(), paramwise={'lr_mult': {'encoder': 0.1, 'encoder.3': 0.5}, 'no_decay': []})
    rates = {(round(g['lr'], 4), g['weight_decay'], len(g['params'])) for g in wrapper.optimizer.param_groups}
    assert rates == {(0.1, 0.3, 2), (0.01, 0.3, 1), (0.01, 0.0, 3), (0.05, 0.3, 1), (0.05, 0.0, 1)}
    with pytest.raises(ConfigError, match='decoder'):
        build(Net(), paramwise={'lr_mult': {'decoder': 0.1}})
    with pytest.raises(ConfigError, match='lr_mul'):
        build(Net(), paramwise={'lr_mul': {}})
    with pytest.raises(ConfigError, match='no parameter'):
        build(nn.Linear(2, 2).requires_grad_(False))


def test_clipping_is_on_and_the_norm_is_logged(hub):
    net = Net()
    wrapper = build(net, {'type': 'SGD', 'lr': 1.0}, clip_grad={'max_norm': 1e-3})
    before = [p.clone() for p in net.parameters()]
    train_step(net, wrapper, torch.randn(8, 4))
    moved = float(sum((p.detach() - b).square().sum() for p, b in zip(net.parameters(), before))) ** 0.5
    assert moved == pytest.approx(1e-3, rel=1e-2)
    assert hub.get_scalar('train/grad_norm').current() > 1e-2
    assert build(Net()).clip_grad_kwargs['max_norm'] == 10
    with pytest.raises(ConfigError, match='max_normal'):
        build(Net(), clip_grad={'max_normal': 1})


@pytest.mark.parametrize('optimizer', ['AdamW', 'SGD', 'RMSprop'])
@pytest.mark.parametrize('defer', [False, True])
@pytest.mark.parametrize('good_steps', [0, 2])
def test_a_bad_step_changes_nothing(optimizer, defer, good_steps):
    """Weights, the optimiser's state and batch statistics are those before it; the next step is as if it never was."""
    torch.manual_seed(0)
    net = Net()
    momentum = {'momentum': 0.9} if optimizer == 'SGD' else {}
    wrapper = build(net, {'type': optimizer, 'lr': 0.01, **momentum}, defer=defer)
    for _ in range(good_steps):
        train_step(net, wrapper, torch.randn(8, 4))
        assert not wrapper.bad
    before = copy.deepcopy((net.state_dict(), wrapper.state_dict()['state']))
    bad = torch.randn(8, 4)
    bad[3, 1] = float('nan')
    train_step(net, wrapper, bad)
    assert wrapper.bad
    state = wrapper.state_dict()['state']
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in before[0].items())
    assert before[1].keys() == state.keys()
    for i, old in before[1].items():
        assert all(torch.equal(v, state[i][k]) for k, v in old.items() if isinstance(v, torch.Tensor))
    train_step(net, wrapper, torch.randn(8, 4))
    assert not wrapper.bad
    assert all(p.isfinite().all() for p in net.state_dict().values())


def test_a_bad_gradient_of_a_finite_loss_is_kept_out():
    weight = nn.Parameter(torch.zeros(1, 1))
    net = nn.Module()
    net.weight = weight
    wrapper = build(net)
    with wrapper.optim_context(net):
        loss = weight.sqrt().sum()
    wrapper.update_params(loss)
    assert wrapper.bad and weight.item() == 0


def test_accumulation_is_one_big_batch():
    torch.manual_seed(1)
    one, four = (Net() for _ in range(2))
    for net in (one, four):
        net.encoder[1] = nn.Identity()
    four.load_state_dict(one.state_dict())
    big, small = build(one), build(four, accumulative_counts=4)
    x = torch.randn(3, 8, 4)
    for batch in x:
        train_step(one, big, batch)
        for part in batch.chunk(4):
            train_step(four, small, part)
    for p, q in zip(one.parameters(), four.parameters()):
        torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-5)


def test_a_bad_part_spoils_its_accumulated_batch_only():
    net = Net()
    wrapper = build(net, accumulative_counts=2)
    train_step(net, wrapper, torch.randn(4, 4))
    train_step(net, wrapper, torch.randn(4, 4))
    before = copy.deepcopy(dict(net.named_parameters()))
    train_step(net, wrapper, torch.full((4, 4), float('inf')))
    train_step(net, wrapper, torch.randn(4, 4))
    assert wrapper.bad and all(torch.equal(before[n], p) for n, p in net.named_parameters())
    train_step(net, wrapper, torch.randn(4, 4))
    assert not wrapper.bad


def test_bf16_on_the_cpu_keeps_float32_parameters():
    torch.manual_seed(2)
    net = Net()
    wrapper = build(net, amp=True)
    with wrapper.optim_context(net):
        out = net(torch.randn(8, 4))
    assert out.dtype == torch.bfloat16
    first = train_step(net, wrapper, torch.ones(8, 4) * torch.arange(8)[:, None])
    for _ in range(20):
        last = train_step(net, wrapper, torch.ones(8, 4) * torch.arange(8)[:, None])
    assert last < first
    assert all(p.dtype == torch.float32 for p in net.parameters())
    assert all(v.dtype == torch.float32 for s in wrapper.optimizer.state.values() for v in s.values())
