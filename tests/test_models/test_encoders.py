"""The encoder: what it may and may not depend on."""

import sys
from pathlib import Path

import pytest
import torch

from mmpt.models.encoders import PointTransformer, TimmImageEncoder
from mmpt.models.layers import PatchEmbed, synchronise_batch_norms
from mmpt.models.masking import mask_from_scores

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
from patch_embed import plain_patch_embed  # noqa: E402


def _encoder(**kwargs):
    torch.manual_seed(0)
    args = {'num_groups': 8, 'group_size': 8, 'dim': 24, 'depth': 2, 'num_heads': 3, 'patch_widths': (16, 16, 32)}
    return PointTransformer(**{**args, **kwargs}).eval()


def test_point_order_does_not_matter():
    # METHODS 1.8.1: invariance up to the start of farthest point sampling, which is the first point.
    points = torch.randn(2, 64, 3)
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(63)])
    encoder = _encoder()
    a, b = encoder(points), encoder(points[:, order])
    torch.testing.assert_close(a.centers, b.centers)
    torch.testing.assert_close(a.patch, b.patch, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(a.globals['cls'], b.globals['cls'], atol=1e-5, rtol=1e-5)


def test_hidden_patches_leave_no_trace():
    encoder, points = _encoder(), torch.randn(2, 64, 3)
    patches, mask = encoder.group(points), mask_from_scores(torch.rand(2, 8), 5)
    tokens = encoder(patches, mask)
    assert tokens.patch.shape == (2, 3, 24)
    other = torch.where(mask.hidden[..., None, None], 100.0, patches.points)
    moved = torch.where(mask.hidden[..., None], 100.0, patches.centers)
    again = encoder(patches._replace(points=other, centers=moved), mask)
    assert torch.equal(tokens.patch, again.patch)
    visible = patches.points + 1e-2 * (~mask.hidden)[..., None, None]
    assert not torch.equal(tokens.patch, encoder(patches._replace(points=visible), mask).patch)


def test_mask_token_knows_the_place_only():
    encoder = _encoder(mask_token=True)
    patches, mask = encoder.group(torch.randn(2, 64, 3)), mask_from_scores(torch.rand(2, 8), 5)
    tokens = encoder(patches, mask)
    assert tokens.patch.shape == (2, 8, 24)
    other = torch.where(mask.hidden[..., None, None], 100.0, patches.points)
    assert torch.equal(tokens.patch, encoder(patches._replace(points=other), mask).patch)
    moved = torch.where(mask.hidden[..., None], patches.centers + 1, patches.centers)
    assert not torch.equal(tokens.patch, encoder(patches._replace(centers=moved), mask).patch)


def test_unequal_counts_need_a_mask_token():
    encoder = _encoder()
    patches = encoder.group(torch.randn(2, 64, 3))
    from mmpt.structures import Mask

    hidden = torch.zeros(2, 8, dtype=torch.bool)
    hidden[0, 0] = True
    with pytest.raises(ValueError, match='unequally many.*mask_token=True'):
        encoder(patches, Mask(hidden, None, None))
    assert _encoder(mask_token=True)(patches, Mask(hidden, None, None)).patch.shape == (2, 8, 24)


def test_shared_embedding_gives_the_same_tokens():
    encoder, points = _encoder(), torch.randn(2, 64, 3)
    patches = encoder.group(points)
    assert torch.equal(encoder(patches, None, encoder.embed(patches)).patch, encoder(points).patch)


def test_levels_are_block_outputs_after_the_final_norm():
    encoder, kept = _encoder(levels=(0, 1)), []
    encoder.blocks[0].register_forward_hook(lambda module, inputs, output: kept.append(output))
    tokens = encoder(torch.randn(2, 64, 3))
    # The class token stands in front and is no level's.
    torch.testing.assert_close(tokens.levels[0], encoder.norm(kept[0])[:, 1:])
    assert torch.equal(tokens.levels[1], tokens.patch)
    ((features, centers),) = tokens.places()
    assert torch.equal(features, torch.cat(tokens.levels, -1)) and centers is tokens.centers
    assert features.shape[-1] == encoder.places_dim


@pytest.mark.parametrize(('depth', 'levels'), [(12, (3, 7, 11)), (4, (0, 1, 3)), (3, (0, 1, 2)), (1, (0,))])
def test_a_number_of_levels_is_spread_over_the_blocks(depth, levels):
    encoder = _encoder(depth=depth)
    encoder.spread_levels(3)
    assert encoder.levels == levels and encoder.places_dim == len(levels) * encoder.dim


def test_normals_are_read_when_asked_for():
    encoder, points = _encoder(in_channels=6), torch.randn(2, 64, 6)
    assert not torch.equal(encoder(points).patch, encoder(torch.cat([points[..., :3], -points[..., 3:]], -1)).patch)


@pytest.mark.parametrize(
    ('points', 'message'),
    [((2, 64, 3), 'reads 6 channels.*the cloud has 3'), ((2, 6, 6), r'asked for 8 of 6|8.*6')],
)
def test_bad_clouds_are_named(points, message):
    with pytest.raises(ValueError, match=message):
        _encoder(in_channels=6)(torch.randn(points))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match='multiple of num_heads'):
        _encoder(num_heads=5)
    with pytest.raises(ValueError, match='levels'):
        _encoder(levels=(2,))
    with pytest.raises(ValueError, match='timm has no model'):
        TimmImageEncoder('resnet51')


def test_patch_embedding_equals_the_plain_form():
    """The concatenation that is never built, built."""
    torch.manual_seed(0)
    embed = PatchEmbed(3, 24, (16, 16, 32)).double().train()
    points = torch.randn(2, 4, 8, 3, dtype=torch.double)
    x = plain_patch_embed(embed, points)
    # The layer that reads coordinates runs in float32, whatever comes.
    torch.testing.assert_close(embed.float()(points.float()), x.float(), atol=1e-4, rtol=1e-4)


def test_bf16_keeps_coordinates_in_float32():
    encoder, points = _encoder(), torch.randn(2, 64, 3)
    seen = []
    encoder.patch_embed.linear1.register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    encoder.position[0].register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        tokens = encoder(points)
    assert seen == [torch.float32, torch.float32]
    plain = encoder(points)
    assert torch.equal(plain.centers, tokens.centers)
    torch.testing.assert_close(tokens.patch.float(), plain.patch, atol=0.1, rtol=0.1)


def test_image_encoder_freezes_and_keeps_its_keys():
    encoder = TimmImageEncoder('test_resnet', frozen=True).train()
    assert not encoder.model.training
    assert not any(p.requires_grad for p in encoder.parameters())
    import timm

    plain = timm.create_model('test_resnet', num_classes=0)
    assert set(plain.state_dict()) == set(encoder.model.state_dict())
    plain.load_state_dict(encoder.model.state_dict())
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(plain.eval()(images), encoder(images))


def test_foreign_norms_keep_their_function():
    import timm

    torch.manual_seed(0)
    model, images = timm.create_model('test_efficientnet', num_classes=0).train(), torch.randn(4, 3, 32, 32)
    before = model(images)
    synchronise_batch_norms(model)
    torch.testing.assert_close(model(images), before)
