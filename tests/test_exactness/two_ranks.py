"""Steps of the shipped model on one global batch, in one process or in two with half of it each."""

import pickle
from datetime import timedelta

import torch
import torch.distributed as dist
from mmengine.registry import DefaultScope

SAMPLES = 8
#: biases with a batch norm behind them, which takes them away again: their gradient is rounding of larger ones.
CANCELLED = frozenset(f'encoder.patch_embed.linear{i}.bias' for i in (1, 2, 3))
#: which samples of the global batch have an image; the second half is that of rank 1.
IMAGES = {
    'everywhere': range(SAMPLES),
    'rank 1 has none': range(SAMPLES // 2),
    'a single one': (2,),
    'nowhere': (),
}


def global_batch(cfg, case):
    """Contract 1 from the data set of the config; what stands in place of a missing image must not be read."""
    from mmpt.registry import DATASETS

    data = DATASETS.build(cfg.train_dataloader.dataset)
    samples = [data[(0, index)] for index in range(SAMPLES)]
    for index, sample in enumerate(samples):
        if index not in IMAGES[case]:
            sample['inputs']['has_image'] = torch.zeros_like(sample['inputs']['has_image'])
            sample['inputs']['images'] = torch.full_like(sample['inputs']['images'], 200)
    return samples


def run(cfg, case, steps, rank=0, world=1):
    """Train; returns gradients of every step, what was logged, and the state at the end."""
    from mmengine.dataset import pseudo_collate
    from mmengine.model import MMDistributedDataParallel

    from mmpt.engine.optimizers import GuardedOptimWrapper
    from mmpt.registry import MODELS

    with DefaultScope.overwrite_default_scope('mmpt'):
        samples = global_batch(cfg, case)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).train()
        model.init_weights()
    own = samples[rank * SAMPLES // world : (rank + 1) * SAMPLES // world]
    trained = model if world == 1 else MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
    params = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(params.values(), lr=1e-3)
    gradients, logs = [], []
    optimizer.register_step_pre_hook(
        lambda *_: gradients.append({name: p.grad.clone() for name, p in params.items()}) and None
    )
    wrapper = GuardedOptimWrapper(optimizer)
    for step in range(steps):
        model.draws.set(seed=0, step=step, rank=rank, world_size=world)
        log = trained.train_step(pseudo_collate(own), wrapper)
        logs.append({key: float(value) for key, value in log.items()})
    return gradients, logs, {key: value.clone() for key, value in model.state_dict().items()}


def worker(rank, cfg, steps, folder):
    """One of two processes."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2, timeout=timedelta(seconds=60))
    results = {case: run(cfg, case, steps, rank, 2) for case in IMAGES}
    with open(f'{folder}/rank_{rank}.pkl', 'wb') as file:
        pickle.dump(results, file)
    dist.barrier()
    dist.destroy_process_group()
