"""An encoder beside the same encoder before any training: figures and their table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .controls import Part, control_spread, random_controls, score_encoder
from .protocols import Protocol, Spread

__all__ = ['compare_with_controls', 'comparison_table']


def compare_with_controls(
    encoder: nn.Module | None,
    build_encoder: Callable[[], nn.Module],
    train: Part,
    test: Part,
    protocol: Protocol,
    *,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
    batch_size: int = 64,
    device: torch.device | str = 'cpu',
) -> dict[str, Any]:
    """Score an encoder and three untrained ones alike.

    Args:
        encoder (nn.Module | None): to score; None scores the controls alone.
        build_encoder (Callable): builds the same encoder untrained.
        train (tuple): points (N, P, 3) and labels (N,) of the training part.
        test (tuple): points (M, P, 3) and labels (M,) of the test part.
        protocol (Protocol): pooling and classifiers.
        subsets (Mapping[str, ndarray] | None): see ``score_encoder``.
        batch_size (int): clouds per forward pass.
        device (torch.device | str): where the encoders run.

    Returns:
        dict[str, Any]: JSON-able: ``shapes``, ``protocol``, ``protocol_line``, ``scores`` (None without an encoder),
        ``controls`` (rows of ``random_controls``), ``control_spread`` and ``seconds``.
    """
    options: dict[str, Any] = {'subsets': subsets, 'batch_size': batch_size, 'device': device}
    start = time.perf_counter()
    scores = None if encoder is None else score_encoder(encoder, train, test, protocol, **options)
    controls = random_controls(build_encoder, train, test, protocol, **options)
    return {
        'shapes': {'train': len(train[1]), 'test': len(test[1])},
        'protocol': protocol.to_dict(),
        'protocol_line': protocol.describe(),
        'scores': scores,
        'controls': controls,
        'control_spread': {name: value._asdict() for name, value in control_spread(controls).items()},
        'seconds': time.perf_counter() - start,
    }


def comparison_table(title: str, result: Mapping[str, Any]) -> str:
    """Text: one column per accuracy; the encoder, each control, their spread and the differences.

    Args:
        title (str): what the shapes are.
        result (Mapping[str, Any]): of :func:`compare_with_controls`.

    Returns:
        str: lines for a terminal, the protocol above the figures.
    """
    spreads = {name: Spread(**value) for name, value in result['control_spread'].items()}
    scores, names = result['scores'], list(spreads)
    width = max(12, *(len(name) + 2 for name in names))
    lines = [' ' * 28 + ''.join(f'{name:>{width}}' for name in names)]

    def add(title: str, values: list[float | None], sign: str = '') -> None:
        cells = ('' if value is None else f'{value:{sign}.3f}' for value in values)
        lines.append(f'{title:<28}' + ''.join(f'{cell:>{width}}' for cell in cells))

    if scores:
        add('encoder', [scores[name] for name in names])
    for row in result['controls']:
        add(f'control {row["seed"]}, raw', [row['raw'][name] for name in names])
        if row['calibrated']:
            add(f'control {row["seed"]}, calibrated', [row['calibrated'][name] for name in names])
    add('controls, mean of the better', [spreads[name].mean for name in names])
    add('controls, lowest', [spreads[name].min for name in names])
    add('controls, highest', [spreads[name].max for name in names])
    if scores:
        add('encoder - mean control', [scores[name] - spreads[name].mean for name in names], '+')
        add('encoder - highest control', [scores[name] - spreads[name].max for name in names], '+')
    used = [f'{scores["svm_C"]:g} (encoder)'] if scores else []
    used += [f'{row["raw"]["svm_C"]:g} (control {row["seed"]}, raw)' for row in result['controls']]
    shapes = result['shapes']
    return '\n'.join(
        [
            f'{title}: {shapes["train"]} training and {shapes["test"]} test shapes',
            result['protocol_line'],
            *lines,
            f'C: {", ".join(used)}; {result["seconds"]:.0f} s',
        ]
    )
