# U7: ResNet-18 from scratch for the pictures, not timm's small test_resnet.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/u7_resnet18.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(
    image_encoder=dict(model_name='resnet18'),
    heads=dict(mcl=dict(image_dim=512)),
)
