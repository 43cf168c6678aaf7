"""How much of a discrete vocabulary is in use."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ['CodebookUse', 'codebook_use']


class CodebookUse(NamedTuple):
    """Use of a vocabulary.

    Attributes:
        perplexity (float): exp of the entropy (nats) of the histogram of ids: the number of equally frequent ids that
            would have the same entropy; between 1 and ``used``.
        used (int): ids that occur at all.
    """

    perplexity: float
    used: int


def codebook_use(ids: Any) -> CodebookUse:
    """Perplexity of hard ids.

    Args:
        ids (array): integers of any shape, all patches of all shapes together.

    Returns:
        CodebookUse: perplexity and number of ids used.
    """
    ids = np.asarray(ids)
    if ids.size == 0 or ids.dtype.kind not in 'iu':
        raise ValueError(f'Perplexity needs integer ids, not an array of shape {ids.shape} and type {ids.dtype}.')
    _, count = np.unique(ids, return_counts=True)
    share = count / count.sum()
    return CodebookUse(float(np.exp(-(share * np.log(share)).sum())), len(count))
