"""The multi-task pretrainer: an encoder, its views, a dictionary of task heads."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmpt.models.balancers import build_balancer
from mmpt.models.layers import StepDraws, repeated_index, select_hidden
from mmpt.registry import ENCODERS, HEADS, MODELS, TOKENIZERS
from mmpt.structures import Patches, PointDataSample, Tokens

from .frozen import check_same_embedding, load_frozen_tokenizer
from .images import offer_images
from .joint_space import joint_embeddings
from .rebuild import absolute_patches
from .step import Step
from .views import Views, cuts_patches
from .wiring import sort_heads

__all__ = ['MultiTaskPretrainer']


@MODELS.register_module()
class MultiTaskPretrainer(BaseModel):
    """Several self-supervised tasks on one encoder (MMPT, arXiv 2507.17533; METHODS 1.3).

    Wiring only: heads own targets and predictions, the balancer weighs, views are computed when a head first reads
    them. With a tokenizer, a decoder, an image encoder and the heads ``tlr``, ``plr``, ``mcl`` this is MMPT; with
    ``plr`` alone it is Point-MAE. What the paper leaves open (METHODS 1.2) are arguments here and in the heads.

    Args:
        encoder (dict): from ENCODERS; ``encoder.*`` in every checkpoint.
        heads (dict[str, dict | None]): task name to head, from HEADS; None leaves a task of the base config out. A
            decoder, tokenizer or image encoder that no head reads is left out as well: ablations need no more.
        views (dict[str, dict]): view name to ``source`` (``points``; ``points_view2`` and so on; ``reconstruction``;
            ``mixed``: patches of two clouds, Point-BERT), ``mask`` (None; ``hidden``: what this step's masking hides;
            ``complement``: all but that; ``own``: a draw of its own) and ``encoder`` (``online``, ``momentum``).
        joint_views (Sequence[Sequence[str]]): groups of views that are encoded as one batch, so that batch norms count
            them together (CrossPoint); otherwise every view is a pass of its own.
        necks (dict[str, dict | None]): parts between encoder and heads, from MODELS: modules with ``needs`` and
            ``provides`` that are called with the step and return what they provide, such as frozen teachers.
        masking (dict | None): from MODELS.
        decoder (dict | None): from MODELS; predicts tokens of hidden patches. None with an encoder that carries mask
            tokens itself (unknown U2).
        tokenizer (dict | None): from TOKENIZERS, with ``checkpoint`` and ``made_by`` (the config that trains it);
            frozen here.
        init_from_tokenizer (bool): start the encoder's patch embedding with the tokenizer's, which must have the same
            widths (Point-BERT).
        image_encoder (dict | None): from ENCODERS.
        momentum_encoder (dict | None): ``dict(momentum=0.999)`` keeps a moving average of the encoder for views that
            ask for it.
        balancer (str | dict | None): ``'sibling'`` (the default), ``'equal'``, ``'balanced'``, or from MODELS (U9).
        reconstruction (dict | None): ``sampling`` (``random`` or ``fps``), ``copies`` (visible patches are part of the
            reconstructed cloud) and ``stop_gradient`` (unknown U5).
        data_preprocessor (dict | None): from MODELS.
    """

    def __init__(
        self,
        encoder: dict,
        heads: dict[str, dict],
        views: dict[str, dict] | None = None,
        joint_views: Sequence[Sequence[str]] = (),
        necks: dict[str, dict] | None = None,
        masking: dict | None = None,
        decoder: dict | None = None,
        tokenizer: dict | None = None,
        init_from_tokenizer: bool = False,
        image_encoder: dict | None = None,
        momentum_encoder: dict | None = None,
        balancer: str | dict | None = None,
        reconstruction: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or {'type': 'PointDataPreprocessor'}))
        self.encoder_cfg = deepcopy(dict(encoder))
        self.encoder = ENCODERS.build(encoder)
        self.masking = MODELS.build(masking) if masking else None
        self.decoder = MODELS.build(decoder) if decoder else None
        self.image_encoder = ENCODERS.build(image_encoder) if image_encoder else None
        self.rebuild = {'sampling': 'random', 'copies': True, 'stop_gradient': True, **(reconstruction or {})}
        self.draws = StepDraws()
        self.views = Views(views or {}, joint_views, self.masking, self.rebuild, self.draws)
        self.tokenizer, self._tokenizer_source = None, {}
        if tokenizer:
            tokenizer = dict(tokenizer)
            self._tokenizer_source = {key: tokenizer.pop(key, None) for key in ('checkpoint', 'made_by')}
            self.tokenizer = TOKENIZERS.build(tokenizer).requires_grad_(False).eval()
        self.momentum_encoder, self.momentum = None, None
        if momentum_encoder:
            self.momentum = momentum_encoder['momentum']
            self.momentum_encoder = deepcopy(self.encoder).requires_grad_(False)
        built: dict[str, Any] = {name: HEADS.build(head) for name, head in heads.items() if head}
        asked = {need for head in built.values() for need in head.needs}
        chosen = {name: MODELS.build(neck) for name, neck in (necks or {}).items() if neck}
        chosen = _read_by(chosen, asked)
        self._check_views()
        order = sort_heads({**chosen, **built}, self._offered(), self.views.config)
        self.order = [name for name in order if name in built]
        asked |= {need for neck in chosen.values() for need in neck.needs}
        self._drop_unread(asked)
        self.reads_image_tokens = 'image_tokens' in asked
        self.init_from_tokenizer = init_from_tokenizer
        if init_from_tokenizer:
            check_same_embedding(self.encoder, self.tokenizer)
        self.necks = nn.ModuleDict(chosen)
        self.heads = nn.ModuleDict({name: built[name] for name in self.order})
        self.balancer = build_balancer(balancer or 'sibling')
        self.balancer.set_tasks(self.order)

    # ---------------------------------------------------------------- building

    def _offered(self) -> set[str]:
        views = self.views.offered(ids=self.tokenizer is not None)
        offered = {'inputs', 'data_samples', 'draws', 'patches', 'image_rows', 'has_image', *views}
        if self.masking is not None:
            offered.add('mask')
            if self.decoder is not None or getattr(self.encoder, 'mask_token', None) is not None:
                offered.add('hidden')
        if self.tokenizer is not None:
            offered |= {'ids'} | ({'token_features'} if hasattr(self.tokenizer, 'features') else set())
        if self.image_encoder is not None:
            offered |= {'images'} | ({'image_tokens'} if hasattr(self.image_encoder, 'tokens') else set())
        return offered

    def _check_views(self) -> None:
        for name, view in self.views.config.items():
            if view['mask'] and self.masking is None:
                raise ValueError(f'views.{name} hides patches, but the config sets no masking.')
            if view['encoder'] == 'momentum' and self.momentum_encoder is None:
                raise ValueError(
                    f'views.{name} asks for a momentum encoder: set momentum_encoder=dict(momentum=0.999).'
                )
            if view['source'] == 'reconstruction' and getattr(self.encoder, 'in_channels', 3) != 3:
                raise ValueError(
                    f'views.{name} encodes the reconstructed cloud, which has coordinates only; the encoder reads '
                    f'{self.encoder.in_channels} channels: set encoder.in_channels=3.'
                )
        masks = {view['mask'] for view in self.views.config.values()}
        sources = {view['source'] for view in self.views.config.values()}
        if 'reconstruction' in sources and getattr(self.masking, 'per_sample', False):
            raise ValueError(
                'A view of the reconstruction needs equally many hidden patches in every sample: set '
                'masking.per_sample=False.'
            )
        if 'complement' in masks and getattr(self.masking, 'ratio', None) == 0:
            raise ValueError('A complement view shows what masking hides, and masking.ratio=0 hides nothing.')
        if 'reconstruction' in sources and getattr(self.decoder, 'reads_patches', False):
            raise ValueError(
                f'{type(self.decoder).__name__} reconstructs patches of a finer scale, of which samples hide unequally '
                'many, and a view of the reconstruction needs equally many: take another source.'
            )
        if 'mixed' in sources and len(getattr(self.encoder, 'scales', ())) > 1:
            raise ValueError(
                f'A mixed view mixes patches of one scale, {type(self.encoder).__name__} cuts those of several: take '
                'another source.'
            )
        if 'mixed' in sources and not cuts_patches(self.encoder):
            raise ValueError(f'A mixed view mixes patches, and {type(self.encoder).__name__} cuts none.')
        if self.masking is not None and not cuts_patches(self.encoder):
            raise ValueError(
                f'{type(self.encoder).__name__} cuts no patches and cannot be masked: leave masking out and use '
                'unmasked views.'
            )

    def _drop_unread(self, needs: set[str]) -> None:
        """Leave parts out that no head reads: their parameters would take part in no step."""
        hides = needs & {'hidden', 'mask', *(name for name, view in self.views.config.items() if view['mask'])}
        if getattr(self.encoder, 'mask_token', None) is not None and not hides:
            raise ValueError('encoder.mask_token=True, but no head reads a view that hides patches: leave it out.')
        ids = {f'{name}/ids' for name in self.views.config}
        readers = {
            'decoder': {'hidden'},
            'tokenizer': {'ids', 'token_features', *ids},
            'image_encoder': {'images', 'image_tokens'},
        }
        for part, names in readers.items():
            if getattr(self, part) is not None and not needs & names:
                print_log(f'{part} is left out: no head reads {" or ".join(sorted(names))}.', logger='current')
                setattr(self, part, None)

    def check_files(self) -> None:
        """Fail early, before data are prepared, where a file that training needs is missing."""
        if self.tokenizer is not None:
            load_frozen_tokenizer(self.tokenizer, **self._tokenizer_source)
        for neck in self.necks.values():
            if hasattr(neck, 'check_files'):
                neck.check_files()

    def init_weights(self) -> None:
        """Load the frozen tokenizer, and start from it what does; called by the Runner before training.

        Nothing to do where ``is_init`` says so.

        Raises:
            FileNotFoundError: its checkpoint is missing; the sentence names the command that makes it.
        """
        if self.is_init:
            return
        if self.tokenizer is not None:
            load_frozen_tokenizer(self.tokenizer, **self._tokenizer_source)
        if self.init_from_tokenizer:
            self.encoder.patch_embed.load_state_dict(self.tokenizer.patch_embed.state_dict())
        if self.momentum_encoder is not None:
            self.momentum_encoder.load_state_dict(self.encoder.state_dict())

    def train(self, mode: bool = True) -> MultiTaskPretrainer:
        """Set the mode; the frozen tokenizer stays in evaluation mode."""
        super().train(mode)
        if self.tokenizer is not None:
            self.tokenizer.eval()
        return self

    # ----------------------------------------------------------------- a step

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F) and, where heads need them, ``points_view2``,
                ``images`` (B, K, 3, H, W), ``has_image`` (B, K).
            data_samples (list[PointDataSample] | None): written to by ``predict``; captions are read
                from them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | Tokens: losses by task with the tokens where gradients are measured; samples
            with ``pooled`` features; or the tokens of the whole clouds.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        tokens = self.encoder(inputs['points'])
        if mode == 'tensor':
            return tokens
        if mode == 'predict':
            return self._predict(tokens, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def _predict(self, tokens: Tokens, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        parts = {name: part.float() for name, part in tokens.pools().items()}
        samples = samples or [PointDataSample() for _ in range(len(tokens.patch))]
        for index, sample in enumerate(samples):
            sample.pooled = {name: part[index] for name, part in parts.items()}
        return samples

    def loss(self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None) -> dict[str, Any]:
        """Every head in order."""
        if self.momentum_encoder is not None:
            self._update_momentum_encoder()
        step, anchors = self.step(inputs, data_samples)
        tasks = {}
        for name in self.order:
            tasks[name], provided = self.heads[name].loss(step)
            for item, value in provided.items():
                step.put(item, value)
        return {'tasks': tasks, 'anchors': anchors}

    def parse_losses(self, losses: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """The one place where losses are combined: the total is the weighted sum of the tasks and nothing else.

        Args:
            losses (dict[str, Any]): what :meth:`loss` returned.

        Returns:
            tuple[Tensor, dict[str, Tensor]]: the total and what is logged.
        """
        tasks = {name: task['loss'] for name, task in losses['tasks'].items()}
        weights, norms = self.balancer(tasks, losses['anchors'], self.draws.step)
        total = torch.stack([weights[name] * tasks[name] for name in tasks]).sum()
        log = {'loss': total.detach()}
        log.update({f'task/{name}': task.detach() for name, task in tasks.items()})
        log.update({f'weight/{name}': weight for name, weight in weights.items()})
        log.update({f'grad_norm/{name}': norm for name, norm in norms.items()})
        for name, task in losses['tasks'].items():
            log.update({f'{name}/{key}': value for key, value in task.items() if key != 'loss'})
        return total, log

    def step(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None
    ) -> tuple[Step, list[Tensor]]:
        """Offer everything a head may read.

        Returns:
            tuple[Step, list[Tensor]]: the step, and a list that fills with the encoder's output tokens as views are
            computed.
        """
        step, anchors = Step(), []
        step.put('inputs', inputs)
        step.put('data_samples', data_samples)
        step.put('draws', self.draws)
        step.offer('patches', lambda: self.encoder.group(inputs['points']))
        step.offer('embedded', lambda: self.encoder.embed(step['patches']))
        step.offer('mask', lambda: self.masking(step['patches'], self.draws))
        step.offer('hidden', partial(self._hidden, step, anchors))
        if self.tokenizer is not None:
            step.offer('ids', lambda: self.tokenizer.ids(step['patches']))
            step.offer('token_features', lambda: self.tokenizer.features(step['patches']))
        offer_images(step, self.image_encoder, inputs, self.reads_image_tokens)
        self.views.offer(step, anchors, self.encoder, self.momentum_encoder)
        for name, neck in self.necks.items():
            step.offer(f'neck/{name}', partial(neck, step))
            for item in neck.provides:
                step.offer(item, partial(_provided, step, f'neck/{name}', item))
        return step, anchors

    def _hidden(self, step: Step, anchors: list[Tensor]) -> Tensor:
        """(R, C) tokens of the hidden patches, by the decoder or by the encoder itself."""
        tokens, mask = step['masked_tokens'], step['mask']
        if self.decoder is None:
            return select_hidden(tokens.patch, mask)
        patches: Patches = step['patches']
        if getattr(self.decoder, 'reads_patches', False):
            return self.decoder(tokens, patches, mask)
        batch = patches.centers.shape[0]
        centers = select_hidden(patches.centers, mask).view(batch, -1, 3)
        return self.decoder(tokens, centers).flatten(0, 1)

    @torch.no_grad()
    def _update_momentum_encoder(self) -> None:
        for old, new in zip(self.momentum_encoder.parameters(), self.encoder.parameters()):
            old.lerp_(new.detach(), 1 - self.momentum)

    # ------------------------------------------------------------------ looking

    @torch.no_grad()
    def embed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Clouds and pictures in the joint space of a head, see :func:`joint_embeddings`."""
        return joint_embeddings(self.encoder, self.image_encoder, self.heads, inputs)

    @torch.no_grad()
    def reconstruct(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the pictures show.

        Args:
            inputs (dict[str, Tensor]): contract 2.

        Returns:
            dict[str, Tensor]: ``input`` (B, N, 3), ``visible`` (B, V, S, 3) and ``reconstructed`` (B, M, S, 3), all in
            the cloud's frame. Where samples hide unequally many patches, some stand there several times.

        Raises:
            ValueError: no head provides a reconstruction.
        """
        step, _ = self.step(inputs)
        for name in self.order:
            if 'reconstruction' in self.heads[name].provides:
                for item, value in self.heads[name].loss(step)[1].items():
                    step.put(item, value)
                patches, mask = self.heads[name].target(step)
        if 'reconstruction' not in step:
            raise ValueError(f'none of the heads {self.order} provides a reconstruction, so there is none to show.')
        predicted, whole = step['reconstruction'], absolute_patches(patches.points, patches.centers)
        index = repeated_index(~mask.hidden)[..., None, None].expand(-1, -1, *whole.shape[2:])
        return {
            'input': inputs['points'][..., :3],
            'visible': whole.gather(1, index),
            'reconstructed': absolute_patches(predicted.points, predicted.centers),
        }


def _provided(step: Step, neck: str, item: str) -> Any:
    return step[neck][item]


def _read_by(necks: dict[str, nn.Module], asked: set[str]) -> dict[str, nn.Module]:
    """The necks that a head reads, and those that such a neck reads."""
    kept: set[str] = set()
    while True:
        more = {name for name, neck in necks.items() if name not in kept and asked & set(neck.provides)}
        if not more:
            return {name: neck for name, neck in necks.items() if name in kept}
        kept |= more
        asked = asked | {need for name in more for need in necks[name].needs}
