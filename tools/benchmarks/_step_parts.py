"""Which part of a training step takes how long: the calls of a model's parts, timed from outside."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import mmpt.models.pretrainers.tokenizer as tokenizer_pretrainer

__all__ = ['parts_of']

#: Attributes from the model on, the call of which is a part; those that a model lacks are passed over.
_PARTS = {
    'data_preprocessor.forward': 'preparing the batch',
    'encoder.group': 'cutting patches',
    'encoder.embed': 'patch embedding',
    'encoder.forward': 'encoder',
    'momentum_encoder.forward': 'momentum encoder',
    'decoder.forward': 'decoder',
    'image_encoder.forward': 'image encoder',
    'image_encoder.tokens': 'image encoder',
    'parse_losses': 'losses',
    'forward': 'rest of the forward pass',
}
_FROZEN_TOKENIZER = {'tokenizer.ids': 'tokenizer'}
_TRAINED_TOKENIZER = {
    'tokenizer.patch_features': 'patch embedding',
    'tokenizer.logits': 'logits',
    'tokenizer.soft_codes': 'codes',
    'tokenizer.decode': 'decoder',
    'usage.forward': 'losses',
}


def parts_of(ours: Any, clock: Callable[[], float], rounds: int) -> dict[str, float]:
    """Seconds of every part of a step, what is inside a part but a part itself taken out; medians over steps.

    The backward pass is one part: what it spends on which module is not known from outside.

    Args:
        ours (Training): what is trained.
        clock (Callable): seconds.
        rounds (int): steps.

    Returns:
        dict[str, float]: by part; the rest of the step is the last one.
    """
    steps = []
    with _watched(ours, clock) as spent:
        for _ in range(rounds):
            spent.clear()
            begin = clock()
            ours.run()
            whole = clock() - begin
            steps.append({**spent, 'rest of the step': max(0.0, whole - sum(spent.values()))})
    return {name: statistics.median(step.get(name, 0.0) for step in steps) for name in steps[-1]}


@contextmanager
def _watched(ours: Any, clock: Callable[[], float]) -> Iterator[dict[str, float]]:
    """Fill the dictionary that is given with seconds by part, as long as this is open."""
    spent: dict[str, float] = defaultdict(float)
    inner: list[float] = []

    def watch(owner: Any, attribute: str, part: str) -> None:
        original = getattr(owner, attribute)

        def timed(*args: Any, **kwargs: Any) -> Any:
            inner.append(0.0)
            begin = clock()
            try:
                return original(*args, **kwargs)
            finally:
                whole = clock() - begin
                spent[part] += whole - inner.pop()
                if inner:
                    inner[-1] += whole

        stack.enter_context(mock.patch.object(owner, attribute, timed))

    with ExitStack() as stack:
        frozen = hasattr(ours.model, 'heads')
        for path, part in {**_PARTS, **(_FROZEN_TOKENIZER if frozen else _TRAINED_TOKENIZER)}.items():
            owner = ours.model
            *owners, attribute = path.split('.')
            for name in owners:
                owner = getattr(owner, name, None)
            if owner is not None and hasattr(owner, attribute):
                watch(owner, attribute, part)
        for neck in getattr(ours.model, 'necks', {}).values():
            watch(neck, 'forward', 'teachers and fusion')
        for head in getattr(ours.model, 'heads', {}).values():
            watch(head, 'loss', 'losses')
        # Functions that the training of the tokenizer calls itself.
        watch(tokenizer_pretrainer, 'group_points', 'cutting patches')
        watch(tokenizer_pretrainer, 'chamfer_distance', 'losses')
        watch(ours.wrapper, 'backward', 'backward pass')
        watch(ours.wrapper, 'step', 'optimiser')
        yield spent
