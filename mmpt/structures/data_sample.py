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
    * ``caption`` (str): a description of the shape, where the data have one.
    * ``skipped`` (tuple[str, ...]): why the samples that belonged in this place could not be read; absent where this is
      the one that belongs here. Scores leave such a substitute out.
    * ``removed`` (float), ``viewpoint`` (int): what share of a whole cloud was cut away to make a partial one, and from
      which of the transforms' ``VIEWPOINTS``; absent where they are drawn.

    Data fields (``set_field``; tensors):

    * ``label`` (int): the class of the shape, 0-based. Absent where the data have none; never required by ``predict``.
    * ``parts`` (Tensor): (N,) int64, part of every point of ``inputs['points']``, 0-based within the class.
    * ``predicted_parts`` (Tensor): (N,) int64, the same as a model answers, among the parts of the class alone.
    * ``semantic``, ``instance`` (Tensor): (N,) int64, class and object of every point of a scene, -1 for none.
      ``predicted_semantic`` (Tensor): (N,) int64, the class as a model answers, which is never -1.
    * ``colors`` (Tensor): (N, 3) uint8, RGB of every point, for pictures; what a network sees of them is an input.
    * ``inverse``, ``scene_semantic`` (Tensor): (M,) int64, for every point of the whole scene the row of
      ``inputs['points']`` that stands for it, and its class; where ``GridSample(inverse=True)`` ran.
    * ``boxes`` (Tensor): (K, 7) float32, objects of a scene: centre and size (metres, frame of the points) and yaw
      about the up axis (radians); ``box_labels`` (Tensor): (K,) int64, their classes, -1 for unknown.
      ``predicted_boxes`` (Tensor): (Q, 7) float32, the same as a model answers, and ``box_scores`` (Tensor): (Q, K)
      float32, how likely each of them is an object of each class; written by ``predict``.
    * ``complete`` (Tensor): (M, 3) float32, the whole surface that a partial cloud is part of, in its frame.
      ``predicted_complete`` (Tensor): (K, 3) float32, the same as a model answers, and ``partial`` (Tensor): (N, 3)
      float32, what it was given; written by ``predict``.
    * ``logits``, ``scores`` (Tensor): (K,) float32 of K classes, written by ``predict``; scores sum to 1.
      ``predicted_label`` (Tensor): scalar int64, the class with the largest.
    * ``pooled`` (dict[str, Tensor]): (C,) float32 each, written by ``predict``: ``max`` and ``mean`` over patch tokens
      and the encoder's global tokens by name.
    * ``token_id`` (Tensor): (G,) int64, hard ids of a tokenizer; ``chamfer``, ``baseline_chamfer`` and
      ``best_baseline_chamfer`` (Tensor): scalars, mean Chamfer distance (l1, unit of the cloud) of the patches decoded
      from them, of one template patch on average over templates, and of the best template.
    """
