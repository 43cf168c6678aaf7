# ModelNet40 few-shot, the published folds: fine-tuning of the whole encoder on one fold (METHODS 5.4, Point-BERT and
# Point-MAE). A result is mean and deviation over all folds of a setting:
#
#   python tools/few_shot.py configs/few_shot/modelnet40.py --checkpoint pretrain.pth
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/few_shot.md.
# Without a checkpoint it is the control: the same training from scratch.
#
#   python tools/train.py configs/few_shot/modelnet40.py --cfg-options model.checkpoint=pretrain.pth    # fold 0 alone
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/modelnet_fewshot_classification.py',
    '../_base_/schedules/few_shot_234.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=5)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=10))
