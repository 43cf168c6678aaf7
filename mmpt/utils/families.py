"""Which method a checkpoint looks like."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ['family_hint', 'nearest_family']

#: method -> beginnings of keys that its checkpoints have. Where one method has all keys of another and more, more
#: of them are listed, so that it comes first.
_SIGNS = {
    'mmpt': ('encoder.blocks.', 'decoder.blocks.', 'heads.tlr.', 'heads.plr.', 'heads.mcl.'),
    'point_mae': ('encoder.blocks.', 'decoder.blocks.', 'heads.plr.'),
    'point_bert': ('encoder.blocks.', 'momentum_encoder.', 'heads.tlr.', 'heads.moco.'),
    'crosspoint': ('encoder.convs.', 'image_encoder.', 'heads.mcl.'),
    'recon': ('encoder.blocks.', 'encoder.img_token', 'decoder.blocks.', 'heads.plr.', 'heads.img.'),
    'point_m2ae': ('encoder.stages.', 'decoder.stages.', 'heads.plr.'),
    'cross_bert': ('encoder.blocks.', 'image_encoder.', 'necks.fusion.', 'heads.mcm.', 'heads.pia.'),
    'a tokenizer': ('tokenizer.codebook', 'tokenizer.decoder.'),
}


def nearest_family(keys: Iterable[str]) -> str | None:
    """The method whose checkpoints have keys like these.

    Args:
        keys (Iterable[str]): of a state dict of ours.

    Returns:
        str | None: its name, None where the keys are like those of no method.
    """
    names = list(keys)

    def share(method: str) -> tuple[float, int]:
        signs = _SIGNS[method]
        return sum(any(name.startswith(sign) for name in names) for sign in signs) / len(signs), len(signs)

    method = max(_SIGNS, key=share)
    return method if share(method)[0] else None


def family_hint(keys: Iterable[str]) -> str:
    """A sentence, its full stop included, that says of keys that do not fit where they may come from."""
    method = nearest_family(keys)
    if method is None:
        return (
            'Its keys are like those of no method here; a file of another codebase is converted first: python '
            'tools/model_converters/convert.py SRC DST.'
        )
    return f'Its keys are nearest to those of {method}.'
