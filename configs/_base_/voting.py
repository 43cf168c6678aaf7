# Voting as test-time augmentation (METHODS 5.1): a vote is the mean of the logits of ten passes, each drawn as in
# training; ten votes, of which mean and spread are reported. SeveralDraws makes the draws, which depend on seeds alone.
#
#   python tools/test.py CONFIG CHECKPOINT --loop test
#
# Peers keep the best of R votes. For comparison with their figures, under a name that says what it is:
#   --cfg-options test_evaluator.0.report_best=True
test_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type='SeveralDraws', draws=100),
)
test_cfg = dict(type='TestLoop')
test_evaluator = [dict(type='VotingAccuracy', votes=10)]
