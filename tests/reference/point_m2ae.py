"""Point-M2AE (arXiv 2205.14401; METHODS 2.4) on a dictionary of weights under the origin's key names.

Plain and slow: one sample, one head, one patch after the other, no padding. There is no file with the origin's own
output.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

SCALES = ((24, 6, 12), (12, 4, 24), (6, 4, 36))  # patches, members, channels
WIDTHS = (8, 10, 14)  # of the first scale's mini-PointNet


class Cut(NamedTuple):
    """One scale of the patches of a batch: (B, G, 3), (B, G, S, 3 or F) relative to the centres, (B, G, S)."""

    centers: Tensor
    points: Tensor
    index: Tensor


def random_weights(depth: int = 2, predicted: int = 6, blocks: int = 1) -> dict[str, Tensor]:
    """A pre-training checkpoint of random numbers."""
    dims = [dim for _, _, dim in SCALES]
    state = {'mask_token': torch.randn(1, dims[-1])}
    state.update(encoder_weights(depth))
    for number, dim in enumerate(dims):
        state.update(_norm(f'h_encoder.encoder_norms.{number}', dim))
    for number, dim in enumerate(dims[:0:-1]):
        state.update(_blocks(f'h_decoder.{number}.blocks.', 1, dim))
        state.update(_position(f'decoder_pos_embeds.{number}.', dim))
    state.update(_linear('token_prop.0.fuse.net.0', dims[1], dims[1] + dims[2], 1))
    state.update(_norm('token_prop.0.fuse.net.1', dims[1], True))
    for block in range(blocks):
        for net in ('net1', 'net2'):
            name = f'token_prop.0.extraction.operation.{block}.{net}'
            state.update({**_linear(f'{name}.0', dims[1], dims[1], 1), **_norm(f'{name}.1', dims[1], True)})
    state.update(_norm('decoder_norm', dims[1]))
    return {**state, **_linear('rec_head', 3 * predicted, dims[1], 1)}


def classifier_weights(classes: int, width: int, hidden: int = 16) -> dict[str, Tensor]:
    """A fine-tuned classifier of random numbers."""
    state = {**encoder_weights(2), **_norm('norm', SCALES[-1][2])}
    for number, (out, into) in {0: (hidden, width), 4: (hidden, hidden), 8: (classes, hidden)}.items():
        state.update(_linear(f'cls_head_finetune.{number}', out, into))
    return {**state, **_norm('cls_head_finetune.1', hidden, True), **_norm('cls_head_finetune.5', hidden, True)}


def encoder_weights(depth: int) -> dict[str, Tensor]:
    """What pre-training and classifiers have in common."""
    state, before = {}, 3
    for number, (_, _, dim) in enumerate(SCALES):
        embed = f'h_encoder.token_embed.{number}.'
        hidden, middle, joint = WIDTHS if number == 0 else (before, before, dim)
        state.update({**_linear(f'{embed}first_conv.0', hidden, before, 1), **_norm(f'{embed}first_conv.1', hidden, 1)})
        state.update(_linear(f'{embed}first_conv.3', middle, hidden, 1))
        state.update(_linear(f'{embed}second_conv.0', joint, 2 * middle, 1))
        state.update({**_norm(f'{embed}second_conv.1', joint, 1), **_linear(f'{embed}second_conv.3', dim, joint, 1)})
        state.update(_position(f'h_encoder.encoder_pos_embeds.{number}.', dim))
        state.update(_blocks(f'h_encoder.encoder_blocks.{number}.blocks.', depth, dim))
        before = dim
    return state


def _linear(name, out, into, *kernel):
    return {f'{name}.weight': torch.randn(out, into, *kernel) / math.sqrt(into), f'{name}.bias': 0.3 * torch.randn(out)}


def _norm(name, width, batch=False):
    state = {f'{name}.weight': torch.rand(width) + 0.5, f'{name}.bias': 0.3 * torch.randn(width)}
    if batch:
        state.update({f'{name}.running_mean': torch.randn(width), f'{name}.running_var': torch.rand(width) + 0.5})
        state[f'{name}.num_batches_tracked'] = torch.tensor(3)
    return state


def _position(prefix, dim):
    return {**_linear(f'{prefix}0', dim, 3), **_linear(f'{prefix}2', dim, dim)}


def _blocks(prefix, depth, dim):
    state = {}
    for number in range(depth):
        block = f'{prefix}{number}.'
        state.update({**_norm(f'{block}norm1', dim), **_norm(f'{block}norm2', dim)})
        state[f'{block}attn.qkv.weight'] = torch.randn(3 * dim, dim) / math.sqrt(dim)
        state.update(_linear(f'{block}attn.proj', dim, dim))
        state.update({**_linear(f'{block}mlp.fc1', 4 * dim, dim), **_linear(f'{block}mlp.fc2', dim, 4 * dim)})
    return state


def visible_sets(cuts: list[Cut], hidden: Tensor) -> list[list[list[int]]]:
    """For every scale and sample, which patches the encoder sees: all that a visible coarser patch holds."""
    sets = [[[g for g, hides in enumerate(row) if not hides] for row in hidden.tolist()]]
    for cut in cuts[:0:-1]:
        seen = [
            sorted({int(member) for group in groups for member in cut.index[sample, group]})
            for sample, groups in enumerate(sets[0])
        ]
        sets.insert(0, seen)
    return sets


class PointM2AE:
    """The model on patches cut already, the finest scale first.

    Args:
        state (dict): weights.
        heads (int): attention heads.
        training (bool): batch norms take the statistics of what they see.
    """

    def __init__(self, state: dict[str, Tensor], heads: int, training: bool = False) -> None:
        self.state, self.heads, self.training = state, heads, training

    def linear(self, name: str, x: Tensor) -> Tensor:
        """A linear layer, or a convolution of width 1."""
        weight, bias = self.state[f'{name}.weight'].flatten(1), self.state.get(f'{name}.bias')
        return x @ weight.T if bias is None else x @ weight.T + bias

    def batch_norm(self, name: str, x: Tensor) -> Tensor:
        """Of (..., C)."""
        mean, var = (self.state[f'{name}.running_{what}'] for what in ('mean', 'var'))
        if self.training:
            rows = x.flatten(0, -2)
            mean, var = rows.mean(0), rows.var(0, correction=0)
        return (x - mean) / (var + 1e-5).sqrt() * self.state[f'{name}.weight'] + self.state[f'{name}.bias']

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        """Of the last axis."""
        mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / (var + 1e-5).sqrt() * self.state[f'{name}.weight'] + self.state[f'{name}.bias']

    def embed(self, name: str, members: Tensor) -> Tensor:
        """(B, G, S, C) -> (B, G, C')."""
        x = self.batch_norm(f'{name}first_conv.1', self.linear(f'{name}first_conv.0', members)).relu()
        x = self.linear(f'{name}first_conv.3', x)
        x = torch.cat([x.amax(2, keepdim=True).expand_as(x), x], dim=-1)
        x = self.batch_norm(f'{name}second_conv.1', self.linear(f'{name}second_conv.0', x)).relu()
        return self.linear(f'{name}second_conv.3', x).amax(2)

    def blocks(self, name: str, x: Tensor, centers: Tensor, position: str, radius: float | None = None) -> Tensor:
        """All blocks of one scale on one sample, (L, C)."""
        place = self.linear(f'{position}2', torch.nn.functional.gelu(self.linear(f'{position}0', centers)))
        number = 0
        while f'{name}{number}.norm1.weight' in self.state:
            block = f'{name}{number}.'
            x = x + place
            x = x + self.attention(f'{block}attn.', self.layer_norm(f'{block}norm1', x), centers, radius)
            wide = self.linear(f'{block}mlp.fc1', self.layer_norm(f'{block}norm2', x))
            x = x + self.linear(f'{block}mlp.fc2', torch.nn.functional.gelu(wide))
            number += 1
        return x

    def attention(self, name: str, x: Tensor, centers: Tensor, radius: float | None) -> Tensor:
        """Token after token; with a radius, over those whose centres are nearer."""
        query, key, value = self.linear(f'{name}qkv', x).chunk(3, dim=1)
        width, results = x.shape[1] // self.heads, []
        for token in range(len(x)):
            near = [i for i in range(len(x)) if radius is None or (centers[i] - centers[token]).norm() < radius]
            parts = []
            for head in range(self.heads):
                part = slice(head * width, (head + 1) * width)
                weight = (key[near, part] @ query[token, part] / math.sqrt(width)).softmax(0)
                parts.append(weight @ value[near, part])
            results.append(torch.cat(parts))
        return self.linear(f'{name}proj', torch.stack(results))

    def encode(
        self, cuts: list[Cut], hidden: Tensor | None, radii: tuple[float, ...] | None = None
    ) -> list[list[Tensor]]:
        """For every scale and sample the visible tokens, without norm; hidden patches stay as they were embedded."""
        batch = len(cuts[0].centers)
        everything = [[list(range(cut.centers.shape[1]))] * batch for cut in cuts]
        sets = everything if hidden is None else visible_sets(cuts, hidden)
        found, changed = [], []
        for number, cut in enumerate(cuts):
            members = cut.points
            if number:
                members = torch.stack([changed[sample][cut.index[sample]] for sample in range(batch)])
            tokens, seen = self.embed(f'h_encoder.token_embed.{number}.', members), []
            changed = []
            for sample in range(batch):
                chosen = sets[number][sample]
                x = self.blocks(
                    f'h_encoder.encoder_blocks.{number}.blocks.',
                    tokens[sample][chosen],
                    cut.centers[sample][chosen],
                    f'h_encoder.encoder_pos_embeds.{number}.',
                    None if radii is None else radii[number],
                )
                rows = list(tokens[sample].unbind())
                for place, row in zip(chosen, x):
                    rows[place] = row
                changed.append(torch.stack(rows))
                seen.append(x)
            found.append(seen)
        return found

    def interpolate(self, source: Tensor, places: Tensor, targets: Tensor) -> Tensor:
        """Of one sample: the three nearest, weighted by one over the squared distance."""
        result = []
        for target in targets:
            distance = (places - target).square().sum(1)
            nearest = distance.argsort(stable=True)[:3]
            weight = 1 / (distance[nearest] + 1e-8)
            result.append((weight / weight.sum()) @ source[nearest])
        return torch.stack(result)

    def decode(self, cuts: list[Cut], hidden: Tensor, found: list[list[Tensor]]) -> Tensor:
        """(R, C) tokens of the hidden patches of the second coarsest scale."""
        coarse, fine = cuts[-1], cuts[-2]
        visible = visible_sets(cuts, hidden)
        mixed = []
        for sample in range(len(hidden)):
            shown = visible[-1][sample]
            order = shown + [g for g in range(hidden.shape[1]) if g not in shown]
            centers = coarse.centers[sample][order]
            seen = self.layer_norm(f'h_encoder.encoder_norms.{len(cuts) - 1}', found[-1][sample])
            x = torch.cat([seen, self.state['mask_token'].expand(len(order) - len(shown), -1)])
            x = self.blocks('h_decoder.0.blocks.', x, centers, 'decoder_pos_embeds.0.')
            carried = self.interpolate(x, centers, fine.centers[sample])
            own = self.layer_norm(f'h_encoder.encoder_norms.{len(cuts) - 2}', found[-2][sample])
            places = visible[-2][sample]
            rows = [own[places.index(g)] if g in places else torch.zeros_like(own[0]) for g in range(len(carried))]
            mixed.append(torch.cat([torch.stack(rows), carried], dim=1))
        x = self.propagate(torch.stack(mixed))
        kept = []
        for sample in range(len(hidden)):
            out = self.blocks('h_decoder.1.blocks.', x[sample], fine.centers[sample], 'decoder_pos_embeds.1.')
            kept += [out[g] for g in range(len(out)) if g not in visible[-2][sample]]
        return self.layer_norm('decoder_norm', torch.stack(kept))

    def propagate(self, x: Tensor) -> Tensor:
        """The layers behind the interpolation."""
        gelu = torch.nn.functional.gelu
        x = gelu(self.batch_norm('token_prop.0.fuse.net.1', self.linear('token_prop.0.fuse.net.0', x)))
        number = 0
        while f'token_prop.0.extraction.operation.{number}.net1.0.weight' in self.state:
            block, inner = f'token_prop.0.extraction.operation.{number}.', x
            inner = gelu(self.batch_norm(f'{block}net1.1', self.linear(f'{block}net1.0', inner)))
            x = gelu(self.batch_norm(f'{block}net2.1', self.linear(f'{block}net2.0', inner)) + x)
            number += 1
        return x

    def loss(self, cuts: list[Cut], hidden: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Chamfer l2 between what the head predicts and the hidden patches; (R, S', 3) and a scalar."""
        predicted = self.linear('rec_head', rows).view(len(rows), -1, 3)
        visible = visible_sets(cuts, hidden)[-2]
        target = [
            cuts[-2].points[sample, g]
            for sample in range(len(hidden))
            for g in range(cuts[-2].points.shape[1])
            if g not in visible[sample]
        ]
        to, back = [], []
        for ours, theirs in zip(predicted, target, strict=True):
            distance = (ours[:, None] - theirs[None]).square().sum(-1)
            to.append(distance.amin(1))
            back.append(distance.amin(0))
        return predicted, torch.stack(to).mean() + torch.stack(back).mean()

    def classify(self, cuts: list[Cut], radii: tuple[float, ...] | None, skip: int = 0) -> Tensor:
        """(B, K) logits; ``skip`` tokens are left out of the maximum where mean and maximum stand side by side."""
        tokens = self.layer_norm('norm', torch.stack(self.encode(cuts, None, radii)[-1]))
        mean, largest = tokens.mean(1), tokens[:, skip:].amax(1)
        summed = self.state['cls_head_finetune.0.weight'].shape[1] == tokens.shape[2]
        x = mean + largest if summed else torch.cat([mean, largest], dim=1)
        for number in (0, 4):
            x = self.linear(f'cls_head_finetune.{number}', x)
            x = self.batch_norm(f'cls_head_finetune.{number + 1}', x).relu()
        return self.linear('cls_head_finetune.8', x)
