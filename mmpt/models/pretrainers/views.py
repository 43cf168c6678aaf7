"""What the encoder is run on: views of a cloud, each computed when a head first reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmpt.models.layers import StepDraws, gather_rows, rank_and_world
from mmpt.models.masking import complement
from mmpt.structures import Mask, Patches, Tokens

from .rebuild import rebuild_cloud
from .step import Step
from .wiring import check_joint, check_view

__all__ = ['DEFAULT_VIEW', 'MASKED_VIEW', 'Views', 'mix_groups']

DEFAULT_VIEW = {'source': 'points', 'mask': None, 'encoder': 'online'}
#: What the decoder reads; a view of this form is the same pass.
MASKED_VIEW = {**DEFAULT_VIEW, 'mask': 'hidden'}


class _Encoders(NamedTuple):
    online: nn.Module
    momentum: nn.Module | None


class Views:
    """The configured views of a pretrainer.

    A view offers its :class:`Tokens` under its name; where it hides patches ``<name>/mask``; where it is of the cloud
    itself or mixed, and there is a tokenizer, ``<name>/ids``; where it mixes two clouds ``<name>/patches`` and
    ``<name>/share``; where copies of visible patches are in a reconstruction ``<name>/without_copies``.

    Args:
        views (Mapping[str, Mapping]): name to ``source`` (``points``, ``points_view2`` and so on, ``reconstruction``,
            ``mixed``), ``mask`` and ``encoder``; see :class:`MultiTaskPretrainer`.
        joint (Sequence[Sequence[str]]): groups of views that are one pass, and one batch for batch norms.
        masking (Any): the masking, or None.
        rebuild (Mapping): how a cloud is rebuilt from a reconstruction.
        draws (StepDraws): of the step.
    """

    def __init__(
        self,
        views: Mapping[str, Mapping[str, Any]],
        joint: Sequence[Sequence[str]],
        masking: Any,
        rebuild: Mapping[str, Any],
        draws: StepDraws,
    ) -> None:
        self.config = {name: {**DEFAULT_VIEW, **view} for name, view in views.items()}
        self.joint = [tuple(group) for group in joint]
        self.masking, self.rebuild, self.draws = masking, rebuild, draws
        for name, view in self.config.items():
            check_view(name, view)
        check_joint(self.joint, self.config)

    def offered(self, ids: bool) -> set[str]:
        """Names that the views bring, beside their own; ``ids`` says whether there is a tokenizer."""
        names = {f'{name}/mask' for name, view in self.config.items() if view['mask']}
        for name, view in self.config.items():
            if ids and view['source'] in ('points', 'mixed'):
                names.add(f'{name}/ids')
            if view['source'] == 'mixed':
                names |= {f'{name}/patches', f'{name}/share'}
        return names

    def offer(self, step: Step, anchors: list[Tensor], online: nn.Module, momentum: nn.Module | None) -> None:
        """Say how every view of a step is computed.

        Args:
            step (Step): offers ``inputs`` and, for an encoder of patches, ``patches``, ``embedded`` and ``mask``.
            anchors (list[Tensor]): fills with the online encoder's output tokens.
            online (nn.Module): the encoder.
            momentum (nn.Module | None): its moving average.
        """
        encoders = _Encoders(online, momentum)
        compute = partial(self._tokens, step, anchors, encoders)
        step.offer('masked_tokens', partial(compute, 'masked_tokens', MASKED_VIEW))
        for name, view in self.config.items():
            if view['mask']:
                step.offer(f'{name}/mask', partial(self._mask, step, encoders, name, view))
            if view['source'] == 'points' and 'ids' in step:
                step.offer(f'{name}/ids', partial(_same, step, 'ids'))
            if view['source'] == 'mixed':
                step.offer(f'{name}/mixture', partial(self._mixture, step, name))
                for place, item in enumerate(('patches', 'ids', 'share')):
                    step.offer(f'{name}/{item}', partial(_part, step, f'{name}/mixture', place))
            if view['source'] == 'reconstruction' and self.rebuild['copies']:
                step.offer(f'{name}/without_copies', partial(self._without_copies, step, online))
            same = view == MASKED_VIEW
            step.offer(name, partial(_same, step, 'masked_tokens') if same else partial(compute, name, view))
        for group in self.joint:
            step.offer('+'.join(group), partial(self._together, step, anchors, encoders, group))
            for place, name in enumerate(group):
                step.offer(name, partial(_part, step, '+'.join(group), place))

    def _tokens(
        self, step: Step, anchors: list[Tensor], encoders: _Encoders, name: str, view: Mapping[str, Any]
    ) -> Tokens:
        momentum = view['encoder'] == 'momentum'
        encoder = encoders.momentum if momentum else encoders.online
        with torch.set_grad_enabled(torch.is_grad_enabled() and not momentum):
            if not cuts_patches(encoder):
                tokens = encoder(self._cloud(step, view))
            else:
                patches = self._patches(step, encoder, name, view)
                mask = None
                if view['mask']:
                    mask = step['mask'] if view == MASKED_VIEW else step[f'{name}/mask']
                shared = step['embedded'] if view['source'] == 'points' and not momentum else None
                tokens = encoder(patches, mask, shared)
        if not momentum:
            anchors += [tokens.patch, *tokens.globals.values()]
        return tokens

    def _cloud(self, step: Step, view: Mapping[str, Any]) -> Tensor:
        if view['source'] == 'reconstruction':
            return self._rebuilt(step, self.rebuild['copies'])
        if view['source'] not in step['inputs']:
            raise ValueError(
                f'A view reads {view["source"]!r}, which the data do not have: make it with MultiView in the pipeline.'
            )
        return step['inputs'][view['source']]

    def _patches(self, step: Step, encoder: nn.Module, name: str, view: Mapping[str, Any]) -> Patches:
        if view['source'] == 'points':
            return step['patches']
        if view['source'] == 'mixed':
            return step[f'{name}/patches']
        if f'{name}/own_patches' not in step:
            step.put(f'{name}/own_patches', encoder.group(self._cloud(step, view)))
        return step[f'{name}/own_patches']

    def _mask(self, step: Step, encoders: _Encoders, name: str, view: Mapping[str, Any]) -> Mask:
        if view['source'] == 'points' and view['mask'] in ('hidden', 'complement'):
            return step['mask'] if view['mask'] == 'hidden' else complement(step['mask'])
        return self.masking(self._patches(step, encoders.online, name, view), self.draws, f'mask/{name}')

    def _together(
        self, step: Step, anchors: list[Tensor], encoders: _Encoders, group: tuple[str, ...]
    ) -> tuple[Tokens, ...]:
        """Several unmasked views as one batch: one pass, and one set of batch statistics."""
        views = [self.config[name] for name in group]
        encoder = encoders.momentum if views[0]['encoder'] == 'momentum' else encoders.online
        clouds = [self._cloud(step, view) for view in views]
        with torch.set_grad_enabled(torch.is_grad_enabled() and encoder is encoders.online):
            tokens = encoder(torch.cat(clouds))
        if encoder is encoders.online:
            anchors += [tokens.patch, *tokens.globals.values()]
        sizes = [len(cloud) for cloud in clouds]
        globals_ = {name: value.split(sizes) for name, value in tokens.globals.items()}
        levels, places = ([level.split(sizes) for level in part] for part in (tokens.levels, tokens.level_centers))
        return tuple(
            Tokens(
                patch,
                centers,
                {name: value[i] for name, value in globals_.items()},
                tuple(level[i] for level in levels),
                tuple(place[i] for place in places),
            )
            for i, (patch, centers) in enumerate(zip(tokens.patch.split(sizes), tokens.centers.split(sizes)))
        )

    def _mixture(self, step: Step, name: str) -> tuple[Patches, Tensor | None, Tensor]:
        patches: Patches = step['patches']
        batch, groups = patches.centers.shape[:2]
        share = self.draws.rand(f'mix/{name}/share', (batch, 1), patches.centers.device)
        own = self.draws.rand(f'mix/{name}', (batch, groups), patches.centers.device) < share
        ids = mix_groups(step['ids'], own) if 'ids' in step else None
        features = None if patches.features is None else mix_groups(patches.features, own)
        mixed = Patches(mix_groups(patches.points, own), mix_groups(patches.centers, own), features, patches.index)
        return mixed, ids, share.squeeze(1)

    def _rebuilt(self, step: Step, copies: bool) -> Tensor:
        reconstruction = step['reconstruction']
        if self.rebuild['stop_gradient']:
            reconstruction = reconstruction._replace(points=reconstruction.points.detach())
        return rebuild_cloud(
            step['patches'],
            step['mask'],
            reconstruction,
            step['inputs']['points'].shape[1],
            self.draws,
            sampling=self.rebuild['sampling'],
            copies=copies,
        )

    @torch.no_grad()
    def _without_copies(self, step: Step, encoder: nn.Module) -> tuple[Tokens, Tokens] | None:
        """The cloud, and its predicted points alone, encoded in evaluation mode: a measurement changes nothing.

        None where the hidden patches are too few to cut patches from.
        """
        if step['reconstruction'].points[0].numel() < 3 * max(encoder.num_groups, encoder.group_size):
            return None
        was_training = encoder.training
        encoder.eval()
        try:
            return encoder(step['patches']), encoder(self._rebuilt(step, copies=False))
        finally:
            encoder.train(was_training)


def cuts_patches(encoder: nn.Module) -> bool:
    """Whether an encoder groups points itself and can be masked."""
    return getattr(encoder, 'supports_masking', False)


def mix_groups(values: Tensor, own: Tensor) -> Tensor:
    """Take every group from its own sample or from the partner, the sample as far from the other end of the batch.

    The batch is that of all ranks, so that the partners do not depend on how it is spread.

    Args:
        values (Tensor): (B, G, ...).
        own (Tensor): (B, G) bool, True where the sample keeps its own group.

    Returns:
        Tensor: (B, G, ...).
    """
    rank, batch = rank_and_world()[0], len(values)
    partner = gather_rows(values).flip(0)[rank * batch : (rank + 1) * batch]
    return torch.where(own.reshape(*own.shape, *(1 for _ in values.shape[2:])), values, partner)


def _part(step: Step, name: str, place: int) -> Any:
    return step[name][place]


def _same(step: Step, name: str) -> Any:
    return step[name]
