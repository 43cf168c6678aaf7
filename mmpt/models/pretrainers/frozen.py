"""Loading the frozen tokenizer of a pretrainer."""

from __future__ import annotations

from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

__all__ = ['load_frozen_tokenizer']


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
