"""ReCon's pre-training under the origin's key names, written plainly from METHODS 2.4 and 3: one sample, one token, one
attention head at a time. Weights are made here."""

import torch
import torch.nn.functional as F

TOKENS = ('cls', 'img', 'text')


def make_state(dim=32, depth=2, decoder_depth=1, widths=(8, 12, 16), group_size=6, teacher_dim=5, classes=None):
    """Random weights of a pre-training, or with ``classes`` of a fine-tuned classifier, statistics included."""
    state, encoder = {}, '' if classes else 'MAE_encoder.'

    def linear(name, out, into, bias=True, tail=()):
        state[f'{name}.weight'] = torch.randn(out, into, *tail) / into**0.5
        if bias:
            state[f'{name}.bias'] = 0.3 * torch.randn(out)

    def norm(name, width, batch=False):
        state[f'{name}.weight'], state[f'{name}.bias'] = torch.rand(width) + 0.5, 0.3 * torch.randn(width)
        if batch:
            state[f'{name}.running_mean'], state[f'{name}.running_var'] = torch.randn(width), torch.rand(width) + 0.5
            state[f'{name}.num_batches_tracked'] = torch.tensor(3)

    def block(name, contrast):
        for kind in ('', '_contrast')[: 1 + contrast]:
            for number in (1, 2):
                norm(f'{name}.norm{number}{kind}', dim)
            linear(f'{name}.mlp{kind}.fc1', 4 * dim, dim)
            linear(f'{name}.mlp{kind}.fc2', dim, 4 * dim)
            linear(f'{name}.attn{kind}.proj', dim, dim)
        linear(f'{name}.attn.qkv', 3 * dim, dim, bias=False)
        if contrast:
            linear(f'{name}.attn_contrast.q', dim, dim, bias=False)
            linear(f'{name}.attn_contrast.kv', 2 * dim, dim, bias=False)

    def position(name):
        linear(f'{name}.0', 128, 3)
        linear(f'{name}.2', dim, 128)

    linear(f'{encoder}encoder.first_conv.0', widths[0], 3, tail=(1,))
    norm(f'{encoder}encoder.first_conv.1', widths[0], batch=True)
    linear(f'{encoder}encoder.first_conv.3', widths[1], widths[0], tail=(1,))
    linear(f'{encoder}encoder.second_conv.0', widths[2], 2 * widths[1], tail=(1,))
    norm(f'{encoder}encoder.second_conv.1', widths[2], batch=True)
    linear(f'{encoder}encoder.second_conv.3', dim, widths[2], tail=(1,))
    position(f'{encoder}pos_embed')
    for number in range(depth):
        block(f'{encoder}blocks.blocks.{number}', contrast=True)
    norm(f'{encoder}norm', dim)
    for token in TOKENS:
        state[f'{encoder}{token}_token'], state[f'{encoder}{token}_pos'] = torch.randn(2, 1, 1, dim)
    if classes:
        for number, (out, into) in {0: (16, 4 * dim), 4: (16, 16), 8: (classes, 16)}.items():
            linear(f'cls_head_finetune.{number}', out, into)
        for number in (1, 5):
            norm(f'cls_head_finetune.{number}', 16, batch=True)
        return state
    state['mask_token'] = torch.randn(1, 1, dim)
    position('decoder_pos_embed')
    for number in range(decoder_depth):
        block(f'MAE_decoder.blocks.{number}', contrast=False)
    norm('MAE_decoder.norm', dim)
    linear('increase_dim.0', 3 * group_size, dim, tail=(1,))
    for token in ('img', 'text'):
        linear(f'{token}_proj', teacher_dim, dim)
    return state


class Plain:
    """Forward passes with a state dict."""

    def __init__(self, state, num_heads):
        self.state, self.num_heads = state, num_heads

    def linear(self, name, x):
        weight = self.state[f'{name}.weight']
        y = x @ weight.reshape(len(weight), -1).T
        return y + self.state[f'{name}.bias'] if f'{name}.bias' in self.state else y

    def layer_norm(self, name, x):
        centred = x - x.mean(-1, keepdim=True)
        x = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return x * self.state[f'{name}.weight'] + self.state[f'{name}.bias']

    def batch_norm(self, name, x):
        mean, var, weight, bias = (self.state[f'{name}.{k}'] for k in ('running_mean', 'running_var', 'weight', 'bias'))
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def mlp(self, name, x):
        return self.linear(f'{name}.fc2', F.gelu(self.linear(f'{name}.fc1', x)))

    def attend(self, query, key, value):
        """(T, C), (V, C), (V, C), head by head, token by token."""
        rows, width = [], query.shape[1] // self.num_heads
        for row in query:
            parts = []
            for head in range(self.num_heads):
                here = slice(head * width, (head + 1) * width)
                share = torch.stack([row[here] @ other[here] for other in key]) / width**0.5
                parts.append((share.softmax(0).unsqueeze(1) * value[:, here]).sum(0))
            rows.append(torch.cat(parts))
        return torch.stack(rows)

    def patch(self, name, points):
        """(S, 3) -> (C,)."""
        x = F.relu(self.batch_norm(f'{name}first_conv.1', self.linear(f'{name}first_conv.0', points)))
        x = self.linear(f'{name}first_conv.3', x)
        x = torch.cat([x.max(0).values.expand_as(x), x], dim=1)
        x = F.relu(self.batch_norm(f'{name}second_conv.1', self.linear(f'{name}second_conv.0', x)))
        return self.linear(f'{name}second_conv.3', x).max(0).values

    def position(self, name, centers):
        return self.linear(f'{name}.2', F.gelu(self.linear(f'{name}.0', centers)))

    def block(self, name, tokens, patches, stop):
        """ReCon's block: what a residual is added to has been normalised."""
        tokens = self.layer_norm(f'{name}.norm1_contrast', tokens)
        patches = self.layer_norm(f'{name}.norm1', patches)
        seen = patches.detach() if stop else patches
        key, value = self.linear(f'{name}.attn_contrast.kv', seen).chunk(2, -1)
        answer = self.attend(self.linear(f'{name}.attn_contrast.q', tokens), key, value)
        tokens = tokens + self.linear(f'{name}.attn_contrast.proj', answer)
        answer = self.attend(*self.linear(f'{name}.attn.qkv', patches).chunk(3, -1))
        patches = patches + self.linear(f'{name}.attn.proj', answer)
        tokens = self.layer_norm(f'{name}.norm2_contrast', tokens)
        patches = self.layer_norm(f'{name}.norm2', patches)
        return tokens + self.mlp(f'{name}.mlp_contrast', tokens), patches + self.mlp(f'{name}.mlp', patches)

    def encode(self, prefix, points, centers, stop):
        """(V, S, 3), (V, 3) of one sample -> tokens (3, C) and patches (V, C)."""
        patches = torch.stack([self.patch(f'{prefix}encoder.', one) for one in points])
        position = self.position(f'{prefix}pos_embed', centers)
        tokens, places = (
            torch.cat([self.state[f'{prefix}{token}_{kind}'][0] for token in TOKENS]) for kind in ('token', 'pos')
        )
        number = 0
        while f'{prefix}blocks.blocks.{number}.norm1.weight' in self.state:
            name = f'{prefix}blocks.blocks.{number}'
            tokens, patches = self.block(name, tokens + places, patches + position, stop)
            number += 1
        return self.layer_norm(f'{prefix}norm', tokens), self.layer_norm(f'{prefix}norm', patches)

    def decode(self, patches, seen, hidden):
        """Tokens of the visible patches and both kinds of centres -> (M, S, 3)."""
        x = torch.cat([patches, self.state['mask_token'][0].expand(len(hidden), -1)])
        position = self.position('decoder_pos_embed', torch.cat([seen, hidden]))
        number = 0
        while f'MAE_decoder.blocks.{number}.norm1.weight' in self.state:
            name, x = f'MAE_decoder.blocks.{number}', x + position
            answer = self.attend(*self.linear(f'{name}.attn.qkv', self.layer_norm(f'{name}.norm1', x)).chunk(3, -1))
            x = x + self.linear(f'{name}.attn.proj', answer)
            x = x + self.mlp(f'{name}.mlp', self.layer_norm(f'{name}.norm2', x))
            number += 1
        x = self.layer_norm('MAE_decoder.norm', x[len(patches) :])
        return self.linear('increase_dim.0', x).view(len(hidden), -1, 3)


def losses(state, num_heads, patches, hidden, targets):
    """The three losses of a batch; ``targets`` are (B, D) features by token."""
    plain, distances, errors = Plain(state, num_heads), [], {token: [] for token in targets}
    for index, mask in enumerate(hidden):
        points, centers = patches.points[index], patches.centers[index]
        tokens, seen = plain.encode('MAE_encoder.', points[~mask], centers[~mask], stop=True)
        for predicted, target in zip(plain.decode(seen, centers[~mask], centers[mask]), points[mask]):
            square = (predicted.unsqueeze(1) - target).square().sum(-1)
            distances.append(square.min(1).values.mean() + square.min(0).values.mean())
        for token, features in targets.items():
            error = plain.linear(f'{token}_proj', tokens[TOKENS.index(token)]) - features[index]
            small = error.abs() < 1
            errors[token].append(torch.where(small, 0.5 * error.square(), error.abs() - 0.5).mean())
    return {'plr': torch.stack(distances).mean(), **{k: torch.stack(v).mean() for k, v in errors.items()}}


def logits(state, num_heads, patches):
    """A fine-tuned classifier in evaluation mode."""
    plain, rows = Plain(state, num_heads), []
    for points, centers in zip(patches.points, patches.centers):
        tokens, seen = plain.encode('', points, centers, stop=False)
        x = torch.cat([*tokens, seen.max(0).values]).unsqueeze(0)
        for number in (0, 4):
            x = plain.linear(f'cls_head_finetune.{number}', x)
            x = F.relu(plain.batch_norm(f'cls_head_finetune.{number + 1}', x))
        rows.append(plain.linear('cls_head_finetune.8', x)[0])
    return torch.stack(rows)
