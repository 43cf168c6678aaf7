# The tokenizer of Point-BERT (METHODS 2.1): 64 patches of 32 points to 8192 ids.
model = dict(
    type='TokenizerPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    num_groups=64,
    group_size=32,
    tokenizer=dict(type='DiscreteVAE', num_ids=8192),
    usage=dict(type='UniformUsageLoss', over='cloud'),
)
val_evaluator = [dict(type='TokenizerProbe')]
