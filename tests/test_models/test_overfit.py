"""METHODS 1.8.8: the model can learn 8 shapes by heart."""

import pytest
import torch

from mmpt.ops import chamfer_distance

from .conftest import losses_of


@pytest.mark.slow
def test_eight_shapes_are_learnt_by_heart(model_cfg, build):
    dim = 96
    model_cfg['image_encoder'] = None
    model_cfg['encoder'].update(num_groups=16, group_size=8, dim=dim, depth=3, drop_path=0.0)
    model_cfg['decoder'].update(dim=dim)
    for head in model_cfg['heads'].values():
        head['dim'] = dim
    model_cfg['heads']['mcl'].update(hidden_dim=64, out_dim=32, image_dim=None)
    model_cfg['heads']['plr']['loss'] = {'type': 'ChamferLoss', 'norm': 'l1'}
    model_cfg['balancer'] = {'type': 'FixedBalancer', 'weights': {'tlr': 5.0, 'plr': 20.0, 'mcl': 0.1}, 'interval': 0}
    model = build(model_cfg).train()
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(8, 512, 3, generator=generator)
    points = points / points.norm(dim=-1, keepdim=True) * torch.rand(8, 1, 3, generator=generator).add(0.3).clamp(max=1)
    batch = {'inputs': {'points': list(points)}}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=500)
    for _ in range(500):
        # The same mask every step: there is nothing to generalise to.
        total, log, _ = losses_of(model, batch, step=1)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
    model.draws.set(seed=0, step=1, rank=0, world_size=1)
    step, _ = model.step({'points': points})
    _, provided = model.heads['plr'].loss(step)
    predicted, target = provided['reconstruction'].points.flatten(0, 1), step['patches'].points[step['mask'].hidden]
    print({k: float(v) for k, v in log.items()}, float(chamfer_distance(predicted, target, 'l1')))
    assert float(log['task/tlr']) < 0.1
    assert float(chamfer_distance(predicted, target, 'l1')) < 0.02
    assert float(log['mcl/intra']) < 0.1
