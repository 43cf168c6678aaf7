"""Point-BERT's transformer (METHODS 2.1 and 3) on a dictionary of weights under the origin's key names.

Plain and slow: one head, one sample, one pair after the other. There is no file with the origin's own output.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def random_weights(
    dim: int = 48,
    depth: int = 2,
    num_ids: int = 24,
    feature_dim: int = 20,
    queue_size: int = 8,
    patch_dim: int = 12,
    widths: tuple[int, int, int] = (8, 10, 14),
) -> dict[str, Tensor]:
    """A pre-training checkpoint of random numbers: both transformers, the tokenizer, the queue."""
    state = {}
    for name in ('transformer_q.', 'transformer_k.'):
        state.update(transformer_weights(name, dim, depth, patch_dim, widths))
        state[f'{name}mask_token'] = torch.randn(1, 1, dim)
        state.update(_linear(f'{name}lm_head', num_ids, dim))
        state.update(_linear(f'{name}cls_head.0', feature_dim, dim))
        state.update(_linear(f'{name}cls_head.2', feature_dim, feature_dim))
    state.update(tokenizer_weights('dvae.', num_ids, patch_dim, widths))
    state['queue'] = torch.nn.functional.normalize(torch.randn(feature_dim, queue_size), dim=0)
    state['queue_ptr'] = torch.tensor([queue_size - 2])
    return state


def transformer_weights(prefix, dim=48, depth=2, patch_dim=12, widths=(8, 10, 14)):
    """What pre-training and classifier have in common."""
    state = {f'{prefix}{name}': torch.randn(1, 1, dim) for name in ('cls_token', 'cls_pos')}
    state.update(_patch_encoder(f'{prefix}encoder.', patch_dim, widths))
    state.update(_linear(f'{prefix}reduce_dim', dim, patch_dim))
    state.update({**_linear(f'{prefix}pos_embed.0', 128, 3), **_linear(f'{prefix}pos_embed.2', dim, 128)})
    for number in range(depth):
        block = f'{prefix}blocks.blocks.{number}.'
        state.update({**_norm(f'{block}norm1', dim), **_norm(f'{block}norm2', dim)})
        state[f'{block}attn.qkv.weight'] = torch.randn(3 * dim, dim) / math.sqrt(dim)
        state.update(_linear(f'{block}attn.proj', dim, dim))
        state.update({**_linear(f'{block}mlp.fc1', 4 * dim, dim), **_linear(f'{block}mlp.fc2', dim, 4 * dim)})
    return {**state, **_norm(f'{prefix}norm', dim)}


def tokenizer_weights(prefix, num_ids, patch_dim, widths, graph=(8, 8, 8, 8, 8), fold=(12, 8), group_size=8):
    """The discrete VAE, whose output tests/reference/parity_point_bert_dvae.py compares."""
    state = {
        f'{prefix}codebook': torch.randn(num_ids, patch_dim),
        **_patch_encoder(f'{prefix}encoder.', patch_dim, widths),
    }
    for name, out in (('dgcnn_1', num_ids), ('dgcnn_2', patch_dim)):
        state.update(_linear(f'{prefix}{name}.input_trans', graph[0], patch_dim, 1))
        for number, (a, b) in enumerate(zip(graph[:-1], graph[1:]), start=1):
            state[f'{prefix}{name}.layer{number}.0.weight'] = torch.randn(b, 2 * a, 1, 1) / math.sqrt(2 * a)
            state.update(_norm(f'{prefix}{name}.layer{number}.1', b))
        state[f'{prefix}{name}.layer5.0.weight'] = torch.randn(out, sum(graph[1:]), 1) / math.sqrt(sum(graph[1:]))
        state.update(_norm(f'{prefix}{name}.layer5.1', out))
    decoder = f'{prefix}decoder.'
    state.update(_linear(f'{decoder}mlp.0', fold[0], patch_dim))
    state.update(
        {**_linear(f'{decoder}mlp.2', fold[0], fold[0]), **_linear(f'{decoder}mlp.4', 3 * group_size // 4, fold[0])}
    )
    state.update(_linear(f'{decoder}final_conv.0', fold[1], patch_dim + 5, 1))
    state.update({**_norm(f'{decoder}final_conv.1', fold[1], True), **_norm(f'{decoder}final_conv.4', fold[1], True)})
    state.update(_linear(f'{decoder}final_conv.3', fold[1], fold[1], 1))
    return {**state, **_linear(f'{decoder}final_conv.6', 3, fold[1], 1)}


def _linear(name, out, into, *kernel):
    return {f'{name}.weight': torch.randn(out, into, *kernel) / math.sqrt(into), f'{name}.bias': 0.3 * torch.randn(out)}


def _norm(name, width, batch=False):
    state = {f'{name}.weight': torch.rand(width) + 0.5, f'{name}.bias': 0.3 * torch.randn(width)}
    if batch:
        state.update({f'{name}.running_mean': torch.randn(width), f'{name}.running_var': torch.rand(width) + 0.5})
        state[f'{name}.num_batches_tracked'] = torch.tensor(3)
    return state


def _patch_encoder(prefix, dim, widths):
    hidden, middle, joint = widths
    state = {**_linear(f'{prefix}first_conv.0', hidden, 3, 1), **_norm(f'{prefix}first_conv.1', hidden, True)}
    state.update(_linear(f'{prefix}first_conv.3', middle, hidden, 1))
    state.update(
        {**_linear(f'{prefix}second_conv.0', joint, 2 * middle, 1), **_norm(f'{prefix}second_conv.1', joint, True)}
    )
    return {**state, **_linear(f'{prefix}second_conv.3', dim, joint, 1)}


class Transformer:
    """One of the two transformers, or (``prefix=''``) the classifier's.

    Args:
        state (dict): weights.
        prefix (str): of its keys.
        heads (int): attention heads.
        training (bool): batch norms take the statistics of what they see.
    """

    def __init__(self, state: dict[str, Tensor], prefix: str, heads: int, training: bool) -> None:
        self.state, self.prefix, self.heads, self.training = state, prefix, heads, training

    def linear(self, name: str, x: Tensor) -> Tensor:
        """A linear layer, or a convolution of width 1."""
        weight = self.state[f'{self.prefix}{name}.weight'].flatten(1)
        bias = self.state.get(f'{self.prefix}{name}.bias')
        return x @ weight.T if bias is None else x @ weight.T + bias

    def batch_norm(self, name: str, x: Tensor) -> Tensor:
        """Of (R, C) rows."""
        mean, var = (self.state[f'{self.prefix}{name}.running_{what}'] for what in ('mean', 'var'))
        if self.training:
            mean, var = x.mean(0), x.var(0, correction=0)
        return self._affine(name, (x - mean) / (var + 1e-5).sqrt())

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        """Of the last axis."""
        mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return self._affine(name, (x - mean) / (var + 1e-5).sqrt())

    def _affine(self, name: str, x: Tensor) -> Tensor:
        return x * self.state[f'{self.prefix}{name}.weight'] + self.state[f'{self.prefix}{name}.bias']

    def embed(self, patches: Tensor) -> Tensor:
        """(B, G, S, 3) -> (B, G, C)."""
        batch, groups, size, _ = patches.shape
        x = self.batch_norm('encoder.first_conv.1', self.linear('encoder.first_conv.0', patches.reshape(-1, 3)))
        x = self.linear('encoder.first_conv.3', x.relu()).view(batch, groups, size, -1)
        x = torch.cat([x.amax(2, keepdim=True).expand_as(x), x], dim=-1).flatten(0, 2)
        x = self.batch_norm('encoder.second_conv.1', self.linear('encoder.second_conv.0', x))
        x = self.linear('encoder.second_conv.3', x.relu()).view(batch, groups, size, -1)
        return self.linear('reduce_dim', x.amax(2))

    def attention(self, name: str, x: Tensor) -> Tensor:
        """Of one sample, (L, C)."""
        query, key, value = self.linear(f'{name}qkv', x).chunk(3, dim=1)
        width, results = x.shape[1] // self.heads, []
        for head in range(self.heads):
            part = slice(head * width, (head + 1) * width)
            scores = query[:, part] @ key[:, part].T / math.sqrt(width)
            results.append(scores.softmax(1) @ value[:, part])
        return self.linear(f'{name}proj', torch.cat(results, dim=1))

    def tokens(self, patches: Tensor, centers: Tensor, hidden: Tensor | None = None) -> Tensor:
        """(B, 1 + G, C) after the last norm: the class token, then all patches, hidden ones as mask tokens."""
        embedded = self.embed(patches)
        place = self.linear('pos_embed.2', torch.nn.functional.gelu(self.linear('pos_embed.0', centers)))
        samples = []
        for number in range(len(patches)):
            rows = embedded[number].unbind()
            if hidden is not None:
                mask = self.state[f'{self.prefix}mask_token'][0, 0]
                rows = [mask if hides else row for row, hides in zip(rows, hidden[number].tolist())]
            x = torch.stack([self.state[f'{self.prefix}cls_token'][0, 0], *rows])
            position = torch.cat([self.state[f'{self.prefix}cls_pos'][0], place[number]])
            for depth in range(self.depth()):
                block = f'blocks.blocks.{depth}.'
                x = x + position
                x = x + self.attention(f'{block}attn.', self.layer_norm(f'{block}norm1', x))
                wide = self.linear(f'{block}mlp.fc1', self.layer_norm(f'{block}norm2', x))
                x = x + self.linear(f'{block}mlp.fc2', torch.nn.functional.gelu(wide))
            samples.append(self.layer_norm('norm', x))
        return torch.stack(samples)

    def depth(self) -> int:
        """How many blocks there are."""
        return sum(key.startswith(f'{self.prefix}blocks.') and key.endswith('qkv.weight') for key in self.state)

    def feature(self, tokens: Tensor) -> Tensor:
        """What is contrasted: (B, D) of unit length."""
        x = torch.nn.functional.gelu(self.linear('cls_head.0', tokens[:, 0]))
        x = self.linear('cls_head.2', x)
        return x / x.norm(dim=1, keepdim=True)


def follow(state: dict[str, Tensor], momentum: float = 0.999) -> dict[str, Tensor]:
    """The key transformer moved towards the query transformer; its running statistics are its own."""
    moved = dict(state)
    for key, value in state.items():
        if key.startswith('transformer_k.') and 'running' not in key and 'tracked' not in key:
            moved[key] = momentum * value + (1 - momentum) * state[key.replace('_k.', '_q.', 1)].detach()
    return moved


def losses(
    state: dict[str, Tensor],
    heads: int,
    patches: Tensor,
    centers: Tensor,
    ids: Tensor,
    masks: dict[str, Tensor],
    own: Tensor,
    share: Tensor,
    temperature: float = 0.07,
) -> dict[str, Tensor]:
    """One training step.

    Args:
        state (dict): weights, the key transformer not yet moved.
        heads (int): attention heads.
        patches (Tensor): (B, G, S, 3).
        centers (Tensor): (B, G, 3).
        ids (Tensor): (B, G).
        masks (dict): ``plain``, ``mixed``, ``key``, each (B, G) bool.
        own (Tensor): (B, G) bool, which groups the mixture takes from the sample; the others are its partner's.
        share (Tensor): (B,), the probability of that.
        temperature (float): of the contrast.

    Returns:
        dict[str, Tensor]: ``plain`` and ``mixed`` cross entropies, ``cutmix`` and ``moco`` contrasts, and the ``queue``
        afterwards, a row a key.
    """
    batch, groups = ids.shape
    mixed = [value.clone() for value in (patches, centers, ids)]
    for sample in range(batch):
        for group in range(groups):
            if not own[sample, group]:
                for value, plain in zip(mixed, (patches, centers, ids)):
                    value[sample, group] = plain[batch - 1 - sample, group]
    online = Transformer(state, 'transformer_q.', heads, training=True)
    plain_tokens = online.tokens(patches, centers, masks['plain'])
    mixed_tokens = online.tokens(mixed[0], mixed[1], masks['mixed'])
    result = {}
    for name, tokens, labels in (('plain', plain_tokens, ids), ('mixed', mixed_tokens, mixed[2])):
        logits = online.linear('lm_head', tokens[:, 1:])
        terms = [
            -logits[sample, group].log_softmax(0)[labels[sample, group]]
            for sample in range(batch)
            for group in range(groups)
            if masks[name][sample, group]
        ]
        result[name] = torch.stack(terms).mean()
    with torch.no_grad():
        key_side = Transformer(follow(state), 'transformer_k.', heads, training=True)
        keys = key_side.feature(key_side.tokens(patches, centers, masks['key']))
    queue = state['queue'].T
    features, mixtures = online.feature(plain_tokens), online.feature(mixed_tokens)
    moco, cutmix = [], []
    for sample in range(batch):
        far = torch.stack([torch.exp(features[sample] @ old / temperature) for old in queue]).sum()
        near = torch.exp(features[sample] @ keys[sample] / temperature)
        moco.append(-torch.log(near / (near + far)))
        scores = torch.stack([mixtures[sample] @ row for row in [*keys, *queue]]) / temperature
        surprise = -scores.log_softmax(0)
        cutmix.append(share[sample] * surprise[sample] + (1 - share[sample]) * surprise[batch - 1 - sample])
    result['moco'], result['cutmix'] = torch.stack(moco).mean(), torch.stack(cutmix).mean()
    result['queue'] = queue.clone()
    for number in range(batch):
        result['queue'][(int(state['queue_ptr']) + number) % len(queue)] = keys[number]
    return result
