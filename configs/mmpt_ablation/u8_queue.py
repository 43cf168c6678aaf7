# U8: the two halves are contrasted against a queue of a momentum encoder; pictures as before.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/u8_queue.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(
    momentum_encoder=dict(momentum=0.99),
    views=dict(other=dict(encoder='momentum')),
    heads=dict(
        mcl=dict(views=('masked',)),
        moco=dict(
            type='MomentumContrastHead',
            dim=_base_.dim,
            query='masked',
            key='other',
            pooling=('max', 'mean'),
            hidden_dim=256,
            out_dim=128,
            queue_size=1024,  # 16384 would take 256 of the 450 updates to fill
            momentum=0.99,
        ),
    ),
    balancer=dict(weights=dict(moco=1.0)),
)
