"""The picture hook through mmengine's own Runner, and what the pictures show."""

import random

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmpt.structures import PointDataSample
from mmpt.visualization import ReconstructionItem, ReconstructionPictures, draw_reconstruction, save_reconstruction
from mmpt.visualization.style import figure_to_array


class NoisyClouds(Dataset):
    """Draws from every global generator, as a careless data set of a user's may."""

    def __init__(self, n):
        self.n = n
        self.read = []

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.read.append(i)
        noise = random.random() + np.random.rand() + torch.rand(())
        sample = PointDataSample(metainfo={'sample_id': f'shape{i}'})
        points = torch.linspace(-1, 1, 96).reshape(32, 3) * (i + 1) + 0 * noise
        return {'inputs': {'points': points}, 'data_samples': sample}


class ToyReconstructor(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.seen = []

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, inputs, data_samples=None, mode='tensor'):
        loss = self.drop(self.norm(self.layer(inputs['points']).flatten(0, 1))).square().mean()
        return {'loss': loss} if mode == 'loss' else data_samples

    def reconstruct(self, inputs):
        points = inputs['points']
        self.norm(self.layer(points).flatten(0, 1))
        torch.rand(7)
        self.seen.append((points.clone(), self.drop.training, torch.is_grad_enabled()))
        patches = points.reshape(len(points), 4, 8, 3)
        return {'input': points, 'visible': patches[:, :1], 'reconstructed': patches[:, 1:]}


def _train(work_dir, hooks, with_val, visualizer=None):
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    loader = {'batch_size': 5, 'num_workers': 0, 'collate_fn': {'type': 'default_collate'}}
    loader['sampler'] = {'type': 'DefaultSampler', 'shuffle': False}
    val = {
        'val_dataloader': {**loader, 'dataset': NoisyClouds(11)},
        'val_cfg': {},
        'val_evaluator': {'type': 'TokenizerProbe'},
    }
    runner = Runner(
        model=ToyReconstructor(),
        work_dir=str(work_dir),
        train_dataloader={**loader, 'dataset': NoisyClouds(20)},
        train_cfg={'type': 'IterBasedTrainLoop', 'max_iters': 5, 'val_interval': 1000},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        custom_hooks=hooks,
        default_hooks={'checkpoint': None},
        default_scope='mmpt',
        experiment_name=work_dir.name,
        log_level='WARNING',
        visualizer=visualizer,
        randomness={'seed': 3},
        **(val if with_val else {}),
    )
    runner.train = runner.train
    if with_val:
        runner.val_loop.run = lambda: None
    runner.train()
    return runner


HOOK = {'type': 'ReconstructionPictures', 'interval': 2, 'num_samples': 3}


def test_pictures_leave_training_exactly_as_it_was(tmp_path):
    plain = _train(tmp_path / 'plain', [], with_val=True)
    after_plain = torch.rand(3), random.random(), np.random.rand()
    drawn = _train(tmp_path / 'drawn', [HOOK], with_val=True)
    after_drawn = torch.rand(3), random.random(), np.random.rand()
    assert torch.equal(after_plain[0], after_drawn[0]) and after_plain[1:] == after_drawn[1:]
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, drawn.model.state_dict()[name]), name
    assert len(drawn.model.seen) == 3
    assert all(not dropping and not grad for _, dropping, grad in drawn.model.seen)
    assert drawn.model.drop.training and not drawn.model.frozen.training


def test_the_same_val_shapes_at_every_interval_and_at_the_end(tmp_path):
    runner = _train(tmp_path / 'run', [HOOK], with_val=True)
    pictures = sorted(path.name for path in (tmp_path / 'run' / 'pictures').iterdir())
    assert pictures == ['iter_000002.png', 'iter_000004.png', 'iter_000005.png']
    assert runner.val_loop.dataloader.dataset.read == [0, 5, 10]
    first, second, third = (points for points, _, _ in runner.model.seen)
    assert len(first) == 3 and torch.equal(first, second) and torch.equal(first, third)
    picture = imread(tmp_path / 'run' / 'pictures' / pictures[0])
    assert picture.shape[2] == 4 and (picture[..., 3] > 0.2).mean() > 0.005


def test_without_val_data_the_current_batch_is_drawn(tmp_path):
    runner = _train(tmp_path / 'run', [HOOK], with_val=False)
    assert [len(points) for points, _, _ in runner.model.seen] == [3, 3, 3]
    assert not torch.equal(runner.model.seen[0][0], runner.model.seen[1][0])


def test_pictures_reach_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backends = [{'type': 'TensorboardVisBackend'}]
    visualizer = {'type': 'Visualizer', 'name': 'pictures-test', 'vis_backends': backends}
    runner = _train(tmp_path / 'run', [HOOK], with_val=True, visualizer=visualizer)
    runner.visualizer.close()
    events = EventAccumulator(str(next((tmp_path / 'run').glob('*/vis_data')))).Reload()
    assert [event.step for event in events.Images('reconstruction')] == [2, 4, 5]


def test_a_model_that_cannot_reconstruct_is_refused_before_the_first_step(tmp_path):
    class Mute(ToyReconstructor):
        reconstruct = property()

    hook = ReconstructionPictures()
    runner = type('FakeRunner', (), {'model': Mute()})
    with pytest.raises(TypeError, match='Mute lacks'):
        hook.before_train(runner)
    with pytest.raises(ValueError, match='at least 1'):
        ReconstructionPictures(interval=0)


def _item(name='', shift=0.0):
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(256, 3)).astype(np.float32) + shift
    patches = points.reshape(8, 32, 3)
    return ReconstructionItem(points, patches[:3], patches[3:], name)


def test_a_picture_has_a_titled_row_per_shape_with_equal_axes(tmp_path):
    figure = draw_reconstruction([_item('chair'), _item('<lamp>')])
    assert [axis.get_title() for axis in figure.axes[:3]] == ['input', 'visible', 'reconstructed']
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == ['chair', '<lamp>']
    assert figure.axes[1].get_xlabel() == '3 of 8 patches' and figure.axes[2].get_xlabel() == '5 patches predicted'
    for axis in figure.axes:
        assert axis.get_aspect() == 1 and len(axis.get_xticks()) == len(axis.get_yticks()) == 0
    drawn = [len(axis.collections[0].get_offsets()) for axis in figure.axes[:3]]
    assert drawn == [256, 96, 256], 'the last panel shows the reconstruction among what was visible'
    save_reconstruction(tmp_path / 'deep' / 'picture.png', [_item()])
    assert (tmp_path / 'deep' / 'picture.png').read_bytes().startswith(b'\x89PNG')
    with pytest.raises(ValueError, match='at least one'):
        draw_reconstruction([])


def test_where_a_cloud_lies_and_how_large_it_is_does_not_show():
    near = draw_reconstruction([_item()])
    far = draw_reconstruction([ReconstructionItem(*(x * 40 + 1000 for x in _item()[:3]))])
    places = [np.asarray(figure.axes[0].collections[0].get_offsets()) for figure in (near, far)]
    np.testing.assert_allclose(np.sort(places[0], 0), np.sort(places[1], 0), atol=1e-3)
    assert np.abs(places[0]).max() == pytest.approx(1, abs=1e-6)


def test_y_is_up_and_near_hides_far():
    y = np.linspace(-1, 1, 50, dtype=np.float32)
    column = np.column_stack([np.zeros(50), y, np.zeros(50)]).astype(np.float32)
    figure = draw_reconstruction([ReconstructionItem(column, column[None], column[None])])
    places = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert np.ptp(places[:, 0]) < 1e-6 and np.ptp(places[:, 1]) > 1
    cube = _item().input
    figure = draw_reconstruction([ReconstructionItem(cube, cube[None], cube[None])])
    cloud = figure.axes[0].collections[0]
    alpha, size = cloud.get_facecolors()[:, 3], cloud.get_sizes()
    assert (np.diff(alpha) >= 0).all() and (np.diff(size) >= 0).all(), 'drawn from far to near, near ones bolder'


def test_the_array_for_tensorboard_is_on_white():
    picture = figure_to_array(draw_reconstruction([_item()]))
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert (picture[0, 0] == 255).all() and picture.min() < 150
