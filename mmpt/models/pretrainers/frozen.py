"""The frozen tokenizer of a pretrainer: loading it, and what may start from it."""

from __future__ import annotations

from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

__all__ = ['check_same_embedding', 'load_frozen_tokenizer']


def load_frozen_tokenizer(tokenizer: nn.Module, checkpoint: str | None, made_by: str | None) -> None:
    """Fill a tokenizer from a checkpoint of its own training.

    Args:
        tokenizer (nn.Module): to fill.
        checkpoint (str | None): file whose state holds ``tokenizer.*``.
        made_by (str | None): the config that trains it, named where the file is missing.

    Raises:
        FileNotFoundError: no file; the sentence names the command that makes it.
        ValueError: the checkpoint is of another architecture.
    """
    command = f'python tools/train.py {made_by or "configs/mmpt/tokenizer_<data>.py"}'
    if not checkpoint or not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f'The tokenizer checkpoint {checkpoint!r} (model.tokenizer.checkpoint) is missing; `{command}` makes it.'
        )
    state = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu').get('state_dict', {})
    prefix = 'tokenizer.'
    found = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    own = tokenizer.state_dict()
    wrong = [key for key in own if key not in found or found[key].shape != own[key].shape]
    if wrong:
        raise ValueError(
            f'The tokenizer checkpoint {checkpoint} is of another architecture: {len(wrong)} of {len(own)} tensors are '
            f'missing or differ in shape, the first is {wrong[0]!r}; train it with the same model.tokenizer '
            f'(`{command}`).'
        )
    tokenizer.load_state_dict({key: found[key] for key in own})


def check_same_embedding(encoder: nn.Module, tokenizer: nn.Module | None) -> None:
    """Refuse to start an encoder's patch embedding from a tokenizer's of other widths, or from none.

    Raises:
        ValueError: there is no tokenizer, or the widths differ; the sentence names those of both.
    """
    if tokenizer is None:
        raise ValueError('init_from_tokenizer=True, but no head reads a tokenizer: leave it out.')
    own, theirs = _embedding_sizes(encoder), _embedding_sizes(tokenizer)
    wrong = [key for key in {**theirs, **own} if own.get(key) != theirs.get(key)]
    if wrong or not theirs:
        key = wrong[0] if wrong else 'patch_embed'
        raise ValueError(
            f"init_from_tokenizer=True: {key} of the encoder's patch embedding has shape {own.get(key)}, that of the "
            f"tokenizer's {theirs.get(key)}; set encoder.patch_widths and encoder.patch_dim to the tokenizer's "
            "patch_widths and embed_dim (code_dim with posterior='distance')."
        )


def _embedding_sizes(part: nn.Module) -> dict[str, tuple[int, ...]]:
    embedding = getattr(part, 'patch_embed', None)
    return {} if embedding is None else {key: tuple(value.shape) for key, value in embedding.state_dict().items()}
