import pytest
import torch

from mmpt.ops import gather


@pytest.mark.parametrize('shape', [(3, 5), (3, 4, 6), (3, 2, 3, 4), (3, 0)])
def test_equals_slow_loop(clouds, generator, shape):
    index = torch.randint(0, 40, shape, generator=generator)
    out = gather(clouds, index)
    assert out.shape == (*shape, 3)
    for position in torch.cartesian_prod(*map(torch.arange, shape)).tolist():
        assert torch.equal(out[tuple(position)], clouds[position[0], index[tuple(position)]])


def test_gradient_adds_up_where_a_row_is_picked_twice(generator):
    values = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 0, 4], [2, 2, 2]])
    assert torch.autograd.gradcheck(lambda v: gather(v, index), values)
    gather(values, index).sum().backward()
    assert values.grad[:, :, 0].tolist() == [[2, 0, 0, 0, 1], [0, 0, 3, 0, 0]]


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_dtype_is_kept(clouds, dtype):
    values = clouds.to(dtype)
    index = torch.tensor([[1, 0], [2, 2], [39, 0]])
    out = gather(values, index)
    assert out.dtype == dtype
    assert torch.equal(out, torch.stack([cloud[row] for cloud, row in zip(values, index)]))


def test_autocast_changes_nothing(clouds, bf16_autocast):
    out = gather(clouds, torch.zeros(3, 4, dtype=torch.int64))
    assert out.dtype == torch.float32
    assert torch.equal(out, clouds[:, :1].expand(3, 4, 3))


def test_non_contiguous_values(clouds):
    index = torch.tensor([[2, 1], [0, 1], [1, 1]])
    assert torch.equal(gather(clouds.transpose(1, 2), index), gather(clouds.transpose(1, 2).contiguous(), index))


@pytest.mark.parametrize('bad', [-1, 40])
def test_an_index_of_a_neighbouring_cloud_is_refused(clouds, bad):
    """In one flat table it would silently be a row of another cloud."""
    index = torch.tensor([[0], [bad], [0]])
    with pytest.raises(IndexError, match=r'gather: expected indices in \[0, 40\)'):
        gather(clouds, index)


@pytest.mark.parametrize('index', [torch.zeros(2, 4, dtype=torch.int64), torch.zeros(3, 4), torch.tensor([0, 1, 2])])
def test_wrong_index(clouds, index):
    with pytest.raises(ValueError, match=r'gather: expected an int64 index of shape \(3, ...\)'):
        gather(clouds, index)


def test_compiles_in_one_piece(clouds):
    index = torch.tensor([[1, 0], [2, 2], [39, 0]])
    compiled = torch.compile(gather, backend='eager', fullgraph=True)
    assert torch.equal(compiled(clouds, index), gather(clouds, index))
