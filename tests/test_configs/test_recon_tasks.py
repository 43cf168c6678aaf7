"""Which tasks of ReCon have something to learn from which data."""

import pytest


def test_pictures_and_captions_of_shapenet_are_learnt_from(trained, workplace):
    scalars = trained('configs/recon/pretrain_shapenet.py').message_hub.log_scalars
    for task in ('plr', 'img', 'text'):
        assert min(scalars[f'train/task/{task}'].data[0]) > 0
    # Where the config says, below the folder it was started in.
    assert len(list((workplace / 'data/teacher_features').glob('teacher_image-*/about.json'))) >= 1


@pytest.mark.parametrize('config', ['pretrain_synthetic', 'laptop_synthetic'])
def test_composites_have_no_captions(config, trained):
    runner = trained(f'configs/recon/{config}.py')
    scalars = runner.message_hub.log_scalars
    assert set(scalars['train/task/text'].data[0]) == {0}
    assert min(scalars['train/task/img'].data[0]) > 0 and min(scalars['train/task/plr'].data[0]) > 0


def test_teachers_are_in_no_checkpoint(trained):
    import torch

    runner = trained('configs/recon/laptop_synthetic.py')
    saved = torch.load(f'{runner.work_dir}/iter_2.pth', weights_only=False)
    assert not [key for key in saved['state_dict'] if 'teacher' in key or key.startswith('necks')]
    assert {key.split('.')[1] for key in saved['state_dict'] if key.startswith('heads.')} == {'plr', 'img', 'text'}
