"""kNN and linear SVM on the pooled features of a val loop."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpt.registry import METRICS

from ..feature_file import FeatureSet, save_features
from ..protocols import Protocol, compose_features, probe, protocol_named
from ..protocols.svm import resolve_c_rule
from .base import SampleMetric, to_array

__all__ = ['FeatureProbe']

_KNN = MappingProxyType({'k': 1, 'metric': 'euclidean'})
_SVM = MappingProxyType({'C': 'cv'})
#: argument -> fields of the protocol that it decides, where they have other names.
_FIELDS = {'knn': ('knn_k', 'knn_metric'), 'svm': ('classifier', 'C', 'grid', 'folds', 'seed')}


@METRICS.register_module()
class FeatureProbe(SampleMetric):
    """Scores an encoder by kNN and a linear SVM on its frozen features.

    The val data loader runs over a labelled data set with both parts. Every predicted sample carries the metainfo
    ``split`` (``train`` or ``test``) and ``sample_id``, the field ``label`` (int) and the field ``pooled``
    (dict: name -> (C,) Tensor). Scores in [0, 1]: ``probe/knn``, ``probe/svm``; and ``probe/svm_C``.

    Args:
        pooling (Sequence[str] | None): pools to concatenate, see ``compose_features``; default ``('max', 'mean')``.
        standardize (bool | None): scale columns by mean and deviation of the training part; done by default.
        knn (dict | None): ``k`` and ``metric``; None leaves kNN out.
        svm (dict | None): ``C`` (``cv``, a number, or a published rule: ``point_bert``, ``crosspoint``, ``point_m2ae``,
            ``i2p_mae``, ``recon``), ``classifier``, ``grid``, ``folds``, ``seed``; None leaves the SVM out.
        preset (str | None): name of a protocol of ``PRESETS``, which then decides all of the above and ``num_points``.
        num_points (int | None): points per shape that the encoder sees, for the record.
        save_features (str | None): path of an npz with features, labels, splits, ids and protocol, replaced after every
            val loop.
        prefix (str): before each score's name.

    Raises:
        ValueError: nothing to measure, an unknown preset, or an argument that the preset decides otherwise.
    """

    def __init__(
        self,
        pooling: Sequence[str] | None = None,
        standardize: bool | None = None,
        knn: Mapping[str, Any] | None = _KNN,
        svm: Mapping[str, Any] | None = _SVM,
        *,
        preset: str | None = None,
        num_points: int | None = None,
        save_features: str | os.PathLike[str] | None = None,
        prefix: str = 'probe',
    ) -> None:
        super().__init__(prefix=prefix)
        self.protocol = _build_protocol(pooling, standardize, knn, svm, num_points)
        if preset is not None:
            given = {'pooling': pooling is not None, 'standardize': standardize is not None}
            given |= {'knn': knn is not _KNN, 'svm': svm is not _SVM, 'num_points': num_points is not None}
            self.protocol = _of_preset(preset, self.protocol, [name for name, is_given in given.items() if is_given])
        self.path = save_features

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Label (None where there is none) and pools (C,) float32 of one sample."""
        label, pooled = sample.get('label'), sample.get('pooled')
        return {
            'label': None if label is None else to_array(label).reshape(-1),
            'pooled': None if pooled is None else {name: to_array(value) for name, value in dict(pooled).items()},
        }

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Score rows by kNN and SVM; the protocol is logged next to the scores."""
        data = self._collect(rows)
        if self.path is not None:
            save_features(self.path, data)
        train, test = data.part('train'), data.part('test')
        scores = probe(*train, *test, self.protocol)
        shapes = f'{len(train[1])} training and {len(test[1])} test shapes'
        print_log(f'{self.prefix}: {shapes}; {self.protocol.describe()}', logger='current')
        seen = (self.dataset_meta or {}).get('num_points', self.protocol.num_points)
        if self.protocol.num_points not in (None, seen):
            print_log(f'{self.prefix}: but the data give {seen} points a shape.', logger='current', level=30)
        named: dict[str, float] = {}
        if scores.knn is not None:
            named['knn'] = scores.knn
        if scores.svm is not None:
            named.update(svm=scores.svm.accuracy, svm_C=scores.svm.C)
            if not scores.svm.converged:
                print_log(f'{self.prefix}: the SVM stopped at its limit of iterations.', logger='current', level=30)
        return named

    def _collect(self, rows: dict[tuple[str, str], dict[str, Any]]) -> FeatureSet:
        features, labels = [], []
        for (split, name), row in rows.items():
            if split not in ('train', 'test'):
                raise ValueError(f"FeatureProbe needs `split` 'train' or 'test'; sample {name} has {split!r}.")
            if row['label'] is None or row['label'].size != 1:
                raise ValueError(f'FeatureProbe needs one label for every sample, but sample {name} has none.')
            if row['pooled'] is None:
                raise ValueError(f'FeatureProbe needs the field `pooled` from `predict`, but sample {name} has none.')
            features.append(compose_features(row['pooled'], self.protocol.pooling))
            labels.append(int(row['label'][0]))
        splits = [split for split, _ in rows]
        missing = {'train', 'test'} - set(splits)
        if missing:
            raise ValueError(
                f'FeatureProbe needs a train and a test part in one val data set, but the {missing.pop()} '
                'part is empty.'
            )
        classes = tuple((self.dataset_meta or {}).get('classes') or ())
        ids = np.array([name for _, name in rows])
        return FeatureSet(np.stack(features), np.array(labels), np.array(splits), ids, self.protocol, classes)


def _of_preset(preset: str, built: Protocol, given: Sequence[str]) -> Protocol:
    """The protocol of a preset, unless an argument that was given says otherwise."""
    protocol = protocol_named(preset)
    for argument in given:
        for field in _FIELDS.get(argument, (argument,)):
            fixed, asked = getattr(protocol, field), getattr(built, field)
            if fixed != asked:
                raise ValueError(
                    f'FeatureProbe(preset={preset!r}) fixes {field} = {fixed!r}, but `{argument}` asks for {asked!r}; '
                    'leave out the argument, or the preset.'
                )
    return protocol


def _build_protocol(
    pooling: Sequence[str] | None,
    standardize: bool | None,
    knn: Mapping[str, Any] | None,
    svm: Mapping[str, Any] | None,
    num_points: int | None,
) -> Protocol:
    fields: dict[str, Any] = {'knn_k': None, 'classifier': None}
    if knn is not None:
        _refuse_unknown('knn', knn, ('k', 'metric'))
        fields.update(knn_k=knn.get('k', 1), knn_metric=knn.get('metric', 'euclidean'))
    name = 'knn'
    if svm is not None:
        _refuse_unknown('svm', svm, ('C', 'classifier', 'grid', 'folds', 'seed'))
        rule = svm.get('C', 'cv')
        fields.update({key: svm[key] for key in ('grid', 'folds', 'seed') if key in svm})
        classifier, fields['C'] = resolve_c_rule(rule)
        fields['classifier'] = svm.get('classifier', classifier)
        name = rule if isinstance(rule, str) else 'fixed'
    if knn is None and svm is None:
        raise ValueError('FeatureProbe has nothing to measure: give `knn`, `svm`, or both.')
    return Protocol(
        name, tuple(('max', 'mean') if pooling is None else pooling), num_points, standardize is not False, **fields
    )


def _refuse_unknown(argument: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f'`{argument}` of FeatureProbe takes {", ".join(known)}, not {unknown[0]!r}.')
