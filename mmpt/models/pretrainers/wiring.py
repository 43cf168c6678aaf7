"""Checks of a pretrainer's parts against each other, made once when it is built."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mmpt.models.heads import Head

__all__ = ['check_joint', 'check_view', 'sort_heads']

_SOURCES = ('points', 'points_view2', 'reconstruction', 'mixed')
_MASKS = (None, 'hidden', 'complement', 'own')
_FURTHER_VIEW = re.compile(r'points_view([3-9]|[1-9][0-9]+)')

#: What makes a name available, for the sentence that says how to get it.
_REMEDIES = {
    'reconstruction': "add a head that provides it (PointReconstructionHead), or set view='augmented'",
    'mask': 'set masking in the config',
    'hidden': 'set masking, and a decoder or an encoder with mask_token=True',
    'ids': 'set a tokenizer with discrete ids',
    'token_features': 'set a tokenizer that has features',
    'images': 'set an image_encoder',
    'image_tokens': 'set an image_encoder that has tokens, such as TimmImageEncoder',
    'image_rows': 'set an image_encoder',
    'has_image': 'set an image_encoder',
    'teacher/image': 'set a neck that provides it (TimmTeacher)',
    'teacher/text': 'set a neck that provides it (OpenClipTextTeacher)',
}
#: Likewise of what a view brings.
_VIEW_REMEDIES = {
    'ids': 'set a tokenizer with discrete ids, and let the view be of points or mixed',
    'mask': "let the view hide patches (mask='hidden' or 'own')",
    'share': "let the view be a mixture (source='mixed')",
    'patches': "let the view be a mixture (source='mixed')",
}


def check_view(name: str, view: Mapping[str, object]) -> None:
    """Reject a view that cannot be read.

    Raises:
        ValueError: an unknown key or value, named with what is possible.
    """
    allowed = {'source': _SOURCES, 'mask': _MASKS, 'encoder': ('online', 'momentum')}
    for key, value in view.items():
        if key == 'source' and _FURTHER_VIEW.fullmatch(str(value)):
            continue
        if key not in allowed or value not in allowed[key]:
            choice = f'one of {allowed[key]}' if key in allowed else f'no such key; the keys are {tuple(allowed)}'
            raise ValueError(f'views.{name}.{key} = {value!r}: {choice}.')


def check_joint(joint: Sequence[tuple[str, ...]], views: Mapping[str, Mapping[str, object]]) -> None:
    """Reject groups of views that cannot be one pass.

    Raises:
        ValueError: a group of an unknown, a masked or a mixed view, of both encoders, or a view in two groups.
    """
    named = [name for group in joint for name in group]
    for name in named:
        view = views.get(name)
        if view is None or view['mask'] or view['source'] == 'mixed' or named.count(name) > 1:
            raise ValueError(
                f'joint_views names {name!r}: expected views of the config ({sorted(views)}) that hide nothing, each '
                'in one group.'
            )
    for group in joint:
        if len({views[name]['encoder'] for name in group}) > 1:
            raise ValueError(f'joint_views {group}: expected views of one encoder, online or momentum.')


def sort_heads(heads: Mapping[str, Head], offered: set[str], views: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Order heads so that every need is met by the step or by a head before.

    Args:
        heads (Mapping[str, Head]): by task name.
        offered (set[str]): names that need no head.
        views (Mapping[str, Mapping[str, object]]): configured views; one of the reconstruction needs a head's.

    Returns:
        list[str]: task names in order.

    Raises:
        ValueError: a need that nobody provides, or heads that wait for each other.
    """
    available, waiting, order = set(offered), list(heads), []

    def missing(name: str) -> list[str]:
        needs = []
        for need in heads[name].needs:
            if need in views and views[need].get('source') == 'reconstruction':
                need = 'reconstruction'
            if need not in available and not (need in views and need != 'reconstruction'):
                needs.append(need)
        return needs

    while waiting:
        ready = [name for name in waiting if not missing(name)]
        if not ready:
            break
        order += ready
        waiting = [name for name in waiting if name not in ready]
        available |= {item for name in ready for item in heads[name].provides}
    provided = {item for head in heads.values() for item in head.provides}
    for name in waiting:
        for need in missing(name):
            if need not in provided:
                raise ValueError(f'{name} needs {_article(need)}: {_remedy(need, views)}.')
    if waiting:
        circle = ', '.join(f'{name} waits for {missing(name)}' for name in waiting)
        raise ValueError(f'The heads wait for each other in a circle: {circle}.')
    return order


def _remedy(need: str, views: Mapping[str, Mapping[str, object]]) -> str:
    view, _, item = need.rpartition('/')
    if view in views and item in _VIEW_REMEDIES:
        return _VIEW_REMEDIES[item]
    return _REMEDIES.get(need, f'configure a view of that name; the views are {sorted(views)}')


def _article(name: str) -> str:
    return f'a {name}' if name in ('mask', 'reconstruction') else repr(name)
