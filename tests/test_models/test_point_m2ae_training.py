"""Several scales in the pretrainer: what is carried and reconstructed, pictures, and two processes."""

import pickle
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope

from mmpt.models.layers import FeaturePropagation
from mmpt.registry import MODELS

from ._m2ae import ENCODER, MODEL, below, clouds


def test_what_is_carried_lies_between_the_three_nearest():
    carry = FeaturePropagation(2, 3, 0).eval()
    places = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [50, 0, 0]]])
    coarse = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]]])
    seen = []
    carry.fuse.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    carry(torch.full((1, 2, 2), 7.0), torch.tensor([[[0.0, 0, 0], [0.5, 0.5, 0]]]), coarse, places)
    torch.testing.assert_close(seen[0], torch.tensor([[7, 7, 1, 0, 0], [7, 7, 1 / 3, 1 / 3, 1 / 3]]))
    assert carry(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3), coarse[:, :1], places[:, :1]).shape == (1, 2, 2)


def test_every_parameter_learns_and_the_loss_is_of_hidden_patches(build):
    model = build(MODEL).train()
    step, _ = model.step({'points': clouds()})
    rows = below(step['patches'], step['mask'])[1].hidden.sum(1)
    assert step['hidden'].shape == (int(rows.sum()), 24) and rows.min() < rows.max()
    total, _ = model.parse_losses(model({'points': clouds()}, mode='loss'))
    total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_pictures_of_unequal_samples(build):
    model = build(MODEL).eval()
    shown = model.reconstruct({'points': clouds()})
    step, _ = model.step({'points': clouds()})
    middle, hides = step['patches'].finer, below(step['patches'], step['mask'])[1].hidden
    assert shown['visible'].shape == (4, int((~hides).sum(1).max()), 4, 3)
    assert shown['reconstructed'].shape == (4, int(hides.sum(1).max()), 6, 3)
    whole = middle.points + middle.centers.unsqueeze(2)
    for sample in range(4):
        drawn = {tuple(point) for point in shown['visible'][sample].flatten(0, 1).tolist()}
        assert drawn == {tuple(point) for point in whole[sample][~hides[sample]].flatten(0, 1).tolist()}
        rows = {tuple(row) for row in shown['reconstructed'][sample].flatten(1).tolist()}
        assert len(rows) == int(hides[sample].sum())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'views': {'again': {'source': 'reconstruction'}}}, 'HierarchicalDecoder reconstructs patches of a finer'),
        ({'views': {'mixed': {'source': 'mixed'}}}, 'HierarchicalPointTransformer cuts those of several'),
    ],
)
def test_views_of_one_scale_are_refused_when_built(build, change, message):
    with pytest.raises(ValueError, match=message):
        build({**MODEL, **change})


def test_a_decoder_without_its_levels_says_so(build):
    model = build({**MODEL, 'encoder': {**ENCODER, 'levels': []}})
    with pytest.raises(ValueError, match=r'goes 1 scales down.*set encoder.levels'):
        model({'points': clouds()}, mode='loss')


# ---------------------------------------------------------------- two processes


def train_step(rank, world):
    with DefaultScope.overwrite_default_scope('mmpt'):
        torch.manual_seed(0)
        model = MODELS.build(MODEL).train()
    own = clouds()[rank * 4 // world : (rank + 1) * 4 // world]
    model.draws.set(seed=0, step=3, rank=rank, world_size=world)
    trained = model if world == 1 else MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
    total, _ = model.parse_losses(trained({'points': own}, None, mode='loss'))
    total.backward()
    norms = {name: value.clone() for name, value in model.named_buffers() if value.is_floating_point()}
    step, _ = model.step({'points': own})
    shown = (~below(step['patches'], step['mask'])[0].hidden).sum(1)
    return {name: p.grad.clone() for name, p in model.named_parameters()}, norms, total.detach(), shown


def worker(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2, timeout=timedelta(seconds=60))
    with open(f'{folder}/{rank}.pkl', 'wb') as file:
        pickle.dump(train_step(rank, 2), file)
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_are_one(tmp_path):
    """Ranks fill up to lengths of their own and hold unequally many rows of the loss."""
    torch.multiprocessing.spawn(worker, (str(tmp_path),), 2)
    first, second = (pickle.loads((tmp_path / f'{rank}.pkl').read_bytes()) for rank in (0, 1))
    gradients, norms, total, shown = train_step(0, 1)
    assert torch.equal(torch.cat([first[3], second[3]]), shown) and first[3].max() != second[3].max()
    torch.testing.assert_close((first[2] + second[2]) / 2, total)
    largest = max(float(value.abs().max()) for value in gradients.values())
    for name, value in gradients.items():
        assert torch.equal(first[0][name], second[0][name]), name
        assert (first[0][name] - value).abs().max() <= 1e-4 * largest, name
    for name, value in norms.items():
        torch.testing.assert_close(first[1][name], value, msg=name, atol=1e-5, rtol=1e-4)
