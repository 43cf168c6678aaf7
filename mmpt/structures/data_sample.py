"""What travels beside the tensors of a batch: labels, identity, predictions."""

from __future__ import annotations

from mmengine.structures import BaseDataElement

__all__ = ['PointDataSample']


class PointDataSample(BaseDataElement):
    """Everything of one sample that is not an input of the network.

    Meta information (``set_metainfo``; never moved to a device):

    * ``sample_id`` (str): the identity of the sample, unique in its data set, for example
      ``02691156-10155655850468db78d106ce0a280f87``; named in every error about the sample.
    * ``index`` (int): its position in the data set.
    * ``epoch`` (int): how often the sampler has gone through the data before this draw.
    * ``split`` (str): ``train`` or ``test``, the part of a labelled data set the sample belongs to.
    * ``class_name`` (str): name of ``label``, where there is one.

    Data fields (``set_field``; tensors):

    * ``label`` (int): the class of the shape, 0-based. Absent where the data have none; never required by ``predict``.
    * ``parts`` (Tensor): (N,) int64, part of every point of ``inputs['points']``, 0-based within the class.
    * ``pooled`` (dict[str, Tensor]): (C,) float32 each, written by ``predict``: ``max`` and ``mean`` over patch tokens
      and the encoder's global tokens by name.
    * ``token_id`` (Tensor): (G,) int64, hard ids of a tokenizer; ``chamfer``, ``baseline_chamfer`` and
      ``best_baseline_chamfer`` (Tensor): scalars, mean Chamfer distance (l1, unit of the cloud) of the patches decoded
      from them, of one template patch on average over templates, and of the best template.
    """
