"""The heads of the classifier, what is trained in each transfer setting, and labels that do not fit."""

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmpt.models.downstream import PointClassifier
from mmpt.structures import PointDataSample

ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 24,
    'depth': 2,
    'num_heads': 2,
    'patch_widths': (8, 16, 24),
}


def build(**kwargs):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpt'):
        return PointClassifier(5, dict(ENCODER), **{'hidden_dim': 12, **kwargs})


def points():
    return torch.randn(6, 64, 3, generator=torch.Generator().manual_seed(1))


def labelled(*labels):
    made = [PointDataSample(metainfo={'sample_id': f's{number}'}) for number, _ in enumerate(labels)]
    for sample, label in zip(made, labels):
        sample.label = label
    return made


@pytest.mark.parametrize(
    ('kwargs', 'kinds'),
    [
        ({}, [nn.Linear, 'norm', nn.ReLU, nn.Dropout] * 2 + [nn.Linear]),  # Point-MAE
        ({'hidden_layers': 1, 'norm': False}, [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]),  # Point-BERT
        ({'hidden_layers': 0}, [nn.Linear]),  # linear probe
    ],
)
def test_heads_are_those_of_the_table(kwargs, kinds):
    head = build(**kwargs).head
    assert len(head) == len(kinds)
    assert all(
        type(part).__name__ == 'BatchNorm' if kind == 'norm' else isinstance(part, kind)
        for part, kind in zip(head, kinds)
    )
    assert head[0].in_features == 48 and head[-1].out_features == 5


@pytest.mark.parametrize(('frozen', 'hidden_layers'), [(False, 2), (True, 2), (True, 0)])
def test_what_a_step_changes(frozen, hidden_layers):
    model = build(frozen=frozen, hidden_layers=hidden_layers).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = model({'points': points()}, labelled(0, 1, 2, 3, 4, 0), mode='loss')
    losses['loss'].backward()
    # Every trainable parameter takes part, so that several processes need not look for those that do not.
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    optimizer.step()
    changed = {key.split('.')[0] for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == ({'head'} if frozen else {'encoder', 'head'})


def test_predictions_are_the_largest_logit_and_need_no_label():
    model = build().eval()
    logits = model({'points': points()})
    for sample, row in zip(model({'points': points()}, mode='predict'), logits):
        torch.testing.assert_close(sample.logits, row)
        torch.testing.assert_close(sample.scores, row.softmax(0))
        assert sample.predicted_label == row.argmax()


def test_the_loss_is_the_cross_entropy_of_the_labels():
    model = build().eval()
    logits, labels = model({'points': points()}).double(), [0, 1, 2, 3, 4, 0]
    slow = -sum(row[label] - row.exp().sum().log() for row, label in zip(logits, labels)) / 6
    losses = model({'points': points()}, labelled(*labels), mode='loss')
    assert losses['loss'].item() == pytest.approx(slow.item(), abs=1e-5)
    assert losses['accuracy'] == pytest.approx(sum(r.argmax() == k for r, k in zip(logits, labels)).item() / 6)


@pytest.mark.parametrize('label', [5, -1])
def test_a_label_that_the_head_does_not_know_is_named(label):
    with pytest.raises(ValueError, match=rf"sample 's1' has label {label}, expected 0 to 4; set model.num_classes"):
        build()({'points': points()[:2]}, labelled(0, label), mode='loss')
