"""Losses against slow loops and closed forms."""

import math

import pytest
import torch

from mmpt.models.losses import (
    ChamferLoss,
    FeatureRegressionLoss,
    LabelContrastLoss,
    NTXentLoss,
    QueueInfoNCELoss,
    TokenCrossEntropy,
    UniformUsageLoss,
    nt_xent,
)


def _slow_nt_xent(a, b, valid, tau):
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    rows, out = [i for i in range(len(a)) if valid[i]], torch.zeros(len(a), dtype=a.dtype)
    for i in rows:
        for x, y in ((a, b), (b, a)):
            below = sum(math.exp(x[i] @ x[k] / tau) for k in rows if k != i)
            below += sum(math.exp(x[i] @ y[k] / tau) for k in rows)
            out[i] += -0.5 * math.log(math.exp(x[i] @ y[i] / tau) / below)
    return out


@pytest.mark.parametrize('valid', [[True] * 6, [True, False, True, True, False, False], [True] + [False] * 5])
def test_nt_xent_equals_a_slow_loop(valid):
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    got = nt_xent(a, b, temperature=0.3, all_valid=torch.tensor(valid))
    torch.testing.assert_close(got, _slow_nt_xent(a, b, valid, 0.3), atol=1e-5, rtol=1e-5)


def test_nt_xent_on_two_samples_has_a_closed_form():
    # METHODS 1.8.5. Orthogonal pairs: the positive has similarity 1, the two negatives 0.
    z = torch.eye(2)
    expected = -math.log(math.exp(1 / 0.1) / (math.exp(1 / 0.1) + 2))
    torch.testing.assert_close(nt_xent(z, z), torch.full((2,), expected))


def test_nt_xent_of_equal_features_counts_2n_minus_1_terms():
    for rows in (32, 128):
        value = nt_xent(torch.ones(rows, 4), torch.ones(rows, 4)).mean()
        assert value.item() == pytest.approx(math.log(2 * rows - 1), abs=1e-4)


def test_nt_xent_is_symmetric():
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    torch.testing.assert_close(nt_xent(a, b), nt_xent(b, a))


def test_nt_xent_by_ranks_equals_the_whole():
    a, b, valid = torch.randn(6, 5), torch.randn(6, 5), torch.tensor([True, True, False, True, True, False])
    parts = [
        NTXentLoss()(a[r : r + 3], b[r : r + 3], all_first=a, all_second=b, all_valid=valid, offset=r) for r in (0, 3)
    ]
    torch.testing.assert_close(torch.cat(parts), nt_xent(a, b, all_valid=valid))


def test_invalid_rows_get_no_gradient_and_no_nan():
    a, b = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    nt_xent(a, b, all_valid=torch.tensor([True, False, True, False])).sum().backward()
    assert torch.isfinite(a.grad).all() and (a.grad[1] == 0).all() and (b.grad[3] == 0).all() and a.grad[0].any()
    a.grad = None
    nt_xent(a, b, all_valid=torch.zeros(4, dtype=torch.bool)).sum().backward()
    assert (a.grad == 0).all()


def test_queue_contrast_equals_a_slow_loop():
    q, k, queue = torch.randn(3, 5), torch.randn(3, 5), torch.nn.functional.normalize(torch.randn(7, 5), dim=1)
    got = QueueInfoNCELoss(0.2)(q, k, queue)
    for i in range(3):
        unit, key = q[i] / q[i].norm(), k[i] / k[i].norm()
        above = math.exp(unit @ key / 0.2)
        assert got[i].item() == pytest.approx(
            -math.log(above / (above + sum(math.exp(unit @ n / 0.2) for n in queue))), abs=1e-5
        )


def test_chamfer_kinds_add_up():
    x, y = torch.randn(3, 8, 3), torch.randn(3, 6, 3)
    d = torch.cdist(x, y)
    l2 = d.min(2).values.square().mean() + d.min(1).values.square().mean()
    l1 = (d.min(2).values.mean() + d.min(1).values.mean()) / 2
    torch.testing.assert_close(ChamferLoss('l2')(x, y), l2)
    torch.testing.assert_close(ChamferLoss('l1')(x, y), l1, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ChamferLoss('l1+l2')(x, y), l1 + l2, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match='norm must be'):
        ChamferLoss('l3')


def test_losses_of_nothing_are_zero_with_zero_gradient():
    cases = [
        (ChamferLoss(), torch.zeros(0, 8, 3), torch.zeros(0, 8, 3)),
        (TokenCrossEntropy(), torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)),
        (FeatureRegressionLoss(), torch.zeros(0, 5), torch.zeros(0, 5)),
        (FeatureRegressionLoss('smooth_l1'), torch.zeros(0, 5), torch.zeros(0, 5)),
    ]
    for loss, empty, target in cases:
        scale = torch.ones((), requires_grad=True)
        value = loss(empty * scale, target)
        value.backward()
        assert value.item() == 0 and scale.grad.item() == 0


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_vocabulary():
    value = TokenCrossEntropy()(torch.zeros(7, 8192), torch.randint(0, 8192, (7,)))
    assert value.item() == pytest.approx(math.log(8192), abs=1e-4)


def test_feature_regression():
    x = torch.randn(6, 5)
    assert FeatureRegressionLoss()(3 * x, x).item() == pytest.approx(0, abs=1e-6)
    assert FeatureRegressionLoss()(-x, x).item() == pytest.approx(2, abs=1e-6)
    torch.testing.assert_close(
        FeatureRegressionLoss('smooth_l1')(x, torch.zeros(6, 5)), torch.nn.functional.smooth_l1_loss(x, x * 0)
    )


def test_even_use_costs_nothing():
    assert UniformUsageLoss()(torch.zeros(2, 5, 8)).item() == pytest.approx(0, abs=1e-6)
    # Two clouds that each use one half of the ids: uneven by cloud, even by batch.
    logits = torch.full((2, 5, 8), -20.0)
    logits[0, :, :4], logits[1, :, 4:] = 20.0, 20.0
    assert UniformUsageLoss('batch')(logits).item() == pytest.approx(0, abs=1e-4)
    assert UniformUsageLoss('cloud')(logits).item() > 1
    share = torch.softmax(torch.randn(1, 3, 4), -1)
    mean = share.mean(1)[0]
    expected = sum(0.25 * math.log(0.25 / p) for p in mean.tolist())
    assert UniformUsageLoss()(share.log()).item() == pytest.approx(expected, abs=1e-5)


def test_contrast_by_label_is_the_loop():
    rows, labels = torch.randn(6, 5), torch.tensor([3, 1, 3, 2, 1, 3])
    valid = torch.tensor([True, True, True, False, True, True])
    unit = rows / rows.norm(dim=1, keepdim=True)
    expected = torch.zeros(6)
    for i in range(6):
        if valid[i]:
            others = [j for j in range(6) if valid[j]]
            cosine = {j: float(unit[i] @ unit[j]) / 0.1 for j in others}
            same = [cosine[j] for j in others if labels[j] == labels[i]]
            logits = torch.tensor([sum(same) / len(same), *(cosine[j] for j in others if labels[j] != labels[i])])
            expected[i] = -logits.log_softmax(0)[0]
    loss = LabelContrastLoss(0.1)
    everyone = {'all_rows': rows, 'all_labels': labels, 'all_valid': valid}
    torch.testing.assert_close(loss(rows, labels, all_valid=valid), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(loss(rows[2:4], labels[2:4], **everyone, offset=2), expected[2:4], atol=1e-5, rtol=1e-5)


def test_regression_row_by_row_averages_to_the_mean():
    predicted, target = 3 * torch.randn(5, 7), torch.randn(5, 7)
    for kind in ('cosine', 'smooth_l1'):
        rows = FeatureRegressionLoss(kind, 'none')(predicted, target)
        assert rows.shape == (5,)
        torch.testing.assert_close(rows.mean(), FeatureRegressionLoss(kind)(predicted, target))
    torch.testing.assert_close(rows.mean(), torch.nn.functional.smooth_l1_loss(predicted, target))
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none'"):
        FeatureRegressionLoss(reduction='sum')
