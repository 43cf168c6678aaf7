"""Frozen teachers: whom they answer, what they leave behind in the model, and answers that are kept."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from mmpt.apis import get_model
from mmpt.models.layers import StepDraws
from mmpt.models.teachers import FeatureCache, HashedTextTeacher, OpenClipTextTeacher, TimmTeacher
from mmpt.models.teachers.image import picture_keys
from mmpt.structures import PointDataSample


def image_step(pictures, present):
    """(B, K, 3, H, W) and (B, K) -> a step, as the data preprocessor makes it."""
    inputs = {
        'images': pictures,
        'has_image': present,
        'image_views': present.flatten().nonzero().squeeze(1),
        'points': torch.zeros(len(pictures), 4, 3),
    }
    return {'inputs': inputs, 'has_image': present.any(1)}


def text_step(captions, **draws):
    samples = [PointDataSample(metainfo={} if text is None else {'caption': text}) for text in captions]
    own = StepDraws()
    own.set(**{'seed': 0, 'step': 0, 'rank': 0, 'world_size': 1, **draws})
    return {'inputs': {'points': torch.zeros(len(captions), 4, 3)}, 'data_samples': samples, 'draws': own}


def timm_teacher(**kwargs):
    return TimmTeacher('test_vit', pretrained=False, img_size=32, chunk=4, **kwargs)


def pictures(count, seed=0):
    return torch.randn(count, 1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


EVERYONE = torch.ones(6, 1, dtype=torch.bool)


def counted(teacher):
    """Count the pictures that the model itself sees."""
    seen = []
    teacher.teacher().register_forward_hook(lambda module, arguments, result: seen.append(len(result)))
    return seen


def test_features_are_the_models_own_of_the_samples_that_have_a_picture():
    teacher, images = timm_teacher(), pictures(6)
    present = EVERYONE.clone()
    present[1] = present[4] = False
    got = teacher(image_step(images, present))
    with torch.no_grad():
        expected = teacher.teacher()(images[present.squeeze(1), 0])
    torch.testing.assert_close(got['teacher/image'][present.squeeze(1)], expected, atol=1e-5, rtol=1e-5)
    assert not got['teacher/image'][[1, 4]].any()
    assert got['teacher/image/valid'].tolist() == [True, False, True, True, False, True]
    # What stands in place of a missing picture is not read.
    images[1] = float('nan')
    assert torch.equal(teacher(image_step(images, present))['teacher/image'], got['teacher/image'])


def test_several_pictures_are_averaged_over_those_that_are_there():
    teacher, images = timm_teacher(), pictures(6).view(2, 3, 3, 32, 32)
    present = torch.tensor([[True, False, True], [False, False, True]])
    got = teacher(image_step(images, present))['teacher/image']
    each = teacher(image_step(images.view(6, 1, 3, 32, 32), EVERYONE))['teacher/image']
    torch.testing.assert_close(got, torch.stack([(each[0] + each[2]) / 2, each[5]]))


def test_a_feature_does_not_depend_on_the_rest_of_the_batch():
    teacher, images = timm_teacher(), pictures(11)
    together = teacher(image_step(images, torch.ones(11, 1, dtype=torch.bool)))['teacher/image']
    order = torch.randperm(11)
    shuffled = teacher(image_step(images[order], torch.ones(11, 1, dtype=torch.bool)))['teacher/image']
    alone = [teacher(image_step(images[i : i + 1], EVERYONE[:1]))['teacher/image'][0] for i in range(11)]
    assert torch.equal(together[order], shuffled) and torch.equal(together, torch.stack(alone))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(teacher(image_step(images[:6], EVERYONE))['teacher/image'], together[:6])


def test_a_teacher_is_no_part_of_the_model():
    owner, before = nn.ModuleDict({'teacher': timm_teacher(seed=3)}), torch.get_rng_state()
    owner.train()
    features = owner['teacher'](image_step(pictures(6).requires_grad_(), EVERYONE))['teacher/image']
    assert torch.equal(torch.get_rng_state(), before)
    assert not owner.state_dict() and not list(owner.parameters()) and not list(owner.buffers())
    assert not owner['teacher'].teacher().training and not features.requires_grad
    again, other = timm_teacher(seed=3), timm_teacher(seed=4)
    assert torch.equal(again(image_step(pictures(6), EVERYONE))['teacher/image'], features)
    assert not torch.equal(other(image_step(pictures(6), EVERYONE))['teacher/image'], features)


def test_pictures_of_a_batch_without_any():
    got = timm_teacher()(image_step(pictures(6), ~EVERYONE))
    assert got['teacher/image'].shape == (6, 64) and not got['teacher/image'].any()
    assert not got['teacher/image/valid'].any()
    with pytest.raises(ValueError, match="'teacher/image' is made from pictures, and the data bring none"):
        timm_teacher()({'inputs': {'points': torch.zeros(2, 4, 3)}})


# ----------------------------------------------------------------------- kept


def test_features_from_the_cache_are_those_without_it_bit_for_bit(tmp_path):
    plain, kept = timm_teacher(), timm_teacher(cache_dir=str(tmp_path))
    seen, generator = counted(kept), torch.Generator().manual_seed(0)
    images, passes = pictures(20), []
    for _ in range(3):
        for rows in torch.randperm(20, generator=generator).split(6):
            step = image_step(images[rows], torch.ones(len(rows), 1, dtype=torch.bool))
            assert torch.equal(kept(step)['teacher/image'], plain(step)['teacher/image'])
        passes.append(len(seen))
    assert len(set(passes)) == 1 and passes[0] <= 8
    kept.cache.flush()
    # Another process, later: it never asks its model.
    later = timm_teacher(cache_dir=str(tmp_path))
    seen = counted(later)
    step = image_step(images[:6], EVERYONE)
    assert torch.equal(later(step)['teacher/image'], plain(step)['teacher/image']) and not seen
    assert isinstance(next(iter(later.cache._files.values())), np.memmap)


@pytest.mark.parametrize(
    'change',
    [{'seed': 1}, {'model_name': 'test_vit2'}, {'img_size': 48}],
    ids=lambda change: next(iter(change)),
)
def test_another_teacher_has_another_folder(tmp_path, change):
    arguments = {'model_name': 'test_vit', 'pretrained': False, 'img_size': 32, 'cache_dir': str(tmp_path)}
    folders = set()
    for kwargs in (arguments, arguments, {**arguments, **change}):
        teacher = TimmTeacher(**kwargs)
        teacher.check_files()
        folders.add(teacher.cache.folder)
    assert len(folders) == 2


def test_another_picture_another_key_and_the_same_picture_the_same():
    images = pictures(5)[:, 0]
    keys = picture_keys(images)
    assert len(np.unique(keys, axis=0)) == 5 and np.array_equal(keys[[3]], picture_keys(images[3:4]))
    for place in ((0, 0, 0), (2, 31, 31), (1, 7, 20)):
        other = images.clone()
        other[(2, *place)] += 1e-6
        changed = (picture_keys(other) != keys).any(1)
        assert changed.tolist() == [False, False, True, False, False]
    # Rows for columns, colours for each other, another format of the same numbers.
    for other in (images.transpose(2, 3), images.flip(1), images.flip(3), images.reshape(5, 3, 16, 64)):
        assert not (picture_keys(other) == keys).all(1).any()


def keyed(numbers):
    return np.array([(n * 0x9E3779B97F4A7C15 % 2**64, n) for n in numbers], np.uint64)


def rows_of(numbers, asked):
    """What a teacher would compute for these numbers; notes what it is asked for."""

    def compute(which):
        asked.extend(numbers[i] for i in which)
        return np.array([[numbers[i], -numbers[i], 0.5] for i in which], np.float32)

    return compute


def look_up(cache, numbers):
    asked = []
    rows = cache.rows(keyed(numbers), rows_of(numbers, asked))
    assert rows[:, 0].tolist() == list(numbers) and rows[:, 1].tolist() == [-n for n in numbers]
    return sorted(asked)


@pytest.mark.parametrize('on_disk', [True, False])
def test_each_row_is_computed_once(tmp_path, on_disk):
    cache = FeatureCache(3, tmp_path / 'rows' if on_disk else None)
    assert look_up(cache, [5, 3, 5, 4]) == [3, 4, 5]
    assert look_up(cache, [4, 6, 3]) == [6] and len(cache) == 4
    cache.flush()
    assert look_up(cache, [7, 6, 5]) == [7] and look_up(cache, [3, 4, 5, 6, 7]) == []
    assert len(list(tmp_path.rglob('*.npy'))) == on_disk


def test_two_processes_share_a_folder(tmp_path):
    first, second = FeatureCache(3, tmp_path), FeatureCache(3, tmp_path)
    look_up(first, [1, 2])
    assert look_up(second, [2, 3]) == [2, 3]
    first.flush(), second.flush()
    # Either finds what the other has written, the row that both have made included.
    assert look_up(first, [1, 2, 3]) == [] and look_up(second, [1, 2, 3]) == []
    assert look_up(FeatureCache(3, tmp_path), [1, 2, 3]) == []


def test_many_rows_make_few_files_and_what_is_left_is_written_in_quiet_or_at_the_end(tmp_path):
    cache = FeatureCache(3, tmp_path)
    for start in range(0, 6000, 60):
        look_up(cache, range(start, start + 60))
    assert 5 < len(list(tmp_path.glob('*.npy'))) < 12 and len(cache) == 6000
    files = len(list(tmp_path.glob('*.npy')))
    assert cache._fresh
    for _ in range(25):
        look_up(cache, range(100))
    assert not cache._fresh and len(list(tmp_path.glob('*.npy'))) == files + 1
    look_up(cache, [9999])
    del cache
    assert look_up(FeatureCache(3, tmp_path), [9999, *range(6000)]) == []
    assert not list(tmp_path.glob('.*'))


def test_a_full_cache_takes_no_more_and_says_so(monkeypatch):
    said = []
    monkeypatch.setattr('mmpt.models.teachers.feature_cache.print_log', lambda text, **kwargs: said.append(text))
    cache = FeatureCache(3, limit=4)
    look_up(cache, [1, 2, 3])
    assert look_up(cache, [4, 5]) == [4, 5] and look_up(cache, [4, 5]) == [4, 5] and len(cache) == 3
    assert len(said) == 1 and '3 rows of at most 4' in said[0] and 'cache_dir' in said[0]
    assert look_up(cache, [1, 2, 3]) == []


@pytest.mark.parametrize('what', ['truncated', 'another width', 'no array'])
def test_a_damaged_file_is_named(tmp_path, what):
    cache = FeatureCache(3, tmp_path)
    look_up(cache, range(40))
    cache.flush()
    (path,) = tmp_path.glob('*.npy')
    if what == 'truncated':
        path.write_bytes(path.read_bytes()[:300])
    elif what == 'no array':
        path.write_bytes(b'nothing')
    else:
        np.save(path, np.zeros((4, 7), np.float32))
    with pytest.raises(ValueError, match=f'{path.name}.*remove'):
        FeatureCache(3, tmp_path)


# ---------------------------------------------------------------------- texts


def test_equal_texts_have_equal_features_and_no_caption_has_none():
    got = HashedTextTeacher(dim=8)(text_step(['chair', None, 'lamp', 'chair', '']))
    features, valid = got['teacher/text'], got['teacher/text/valid']
    assert valid.tolist() == [True, False, True, True, False]
    assert torch.equal(features[0], features[3]) and not features[[1, 4]].any()
    assert float((features[0] - features[2]).abs().min()) > 0
    again = HashedTextTeacher(dim=8)(text_step(['lamp']))['teacher/text'][0]
    assert torch.equal(again, features[2])
    many = HashedTextTeacher(dim=512)(text_step([str(i) for i in range(50)]))['teacher/text']
    assert abs(float(many.mean())) < 0.03 and abs(float(many.std()) - 1) < 0.03


def test_prompts_are_drawn_by_sample_and_step_however_the_batch_is_spread():
    teacher = HashedTextTeacher(dim=8, prompts=('{}', 'a model of {}', '{} from above'))
    whole = teacher(text_step(['chair {}'] * 12))['teacher/text']
    assert len(torch.unique(whole, dim=0)) == 3
    parts = [teacher(text_step(['chair {}'] * 6, rank=r, world_size=2))['teacher/text'] for r in (0, 1)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(teacher(text_step(['chair {}'] * 12, step=1))['teacher/text'], whole)
    with pytest.raises(ValueError, match='where the caption goes'):
        HashedTextTeacher(prompts=('a chair',))


class FakeClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = nn.Embedding(256, 6)
        self.visual = nn.Linear(3, 3)
        self.calls = []

    def encode_text(self, tokens):
        self.calls.append(len(tokens))
        return self.text(tokens).mean(1)


@pytest.fixture
def open_clip(monkeypatch):
    """As much of open_clip as is used, so that its own weights are not needed."""

    def tokenizer(name):
        return lambda texts: torch.tensor([list(text.encode()[:9].ljust(9)) for text in texts])

    fake = types.ModuleType('open_clip')
    fake.__version__ = '0'
    fake.list_models = lambda: ['tiny']
    fake.get_model_config = lambda name: {'embed_dim': 6}
    fake.get_tokenizer = tokenizer
    fake.create_model = lambda name, pretrained: FakeClip()
    monkeypatch.setitem(sys.modules, 'open_clip', fake)
    return fake


@pytest.mark.parametrize('on_disk', [True, False])
def test_each_text_is_encoded_once(open_clip, tmp_path, on_disk):
    teacher = OpenClipTextTeacher('tiny', chunk=4, cache_dir=str(tmp_path) if on_disk else None)
    first = teacher(text_step(['chair', 'lamp', None, 'chair', 'table']))['teacher/text']
    clip = teacher.teacher()
    assert clip.calls == [4] and isinstance(clip.visual, nn.Identity)
    again = teacher(text_step(['table', 'chair']))['teacher/text']
    assert clip.calls == [4] and torch.equal(again, first[[4, 0]])
    assert teacher(text_step(['sofa'] * 3 + ['bed']))['teacher/text'].shape == (4, 6) and clip.calls == [4, 4]
    assert bool(list(tmp_path.iterdir())) == on_disk


def test_without_open_clip_one_sentence_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'open_clip', None)
    with pytest.raises(ImportError, match=r'needs open_clip.*`pip install open_clip_torch`.*model.heads.text=None'):
        OpenClipTextTeacher().check_files()


def test_what_cannot_be_had_is_one_sentence(open_clip, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="open_clip has no model 'ViT-B-32-quickgelu'"):
        OpenClipTextTeacher().check_files()
    with pytest.raises(ValueError, match="timm has no model 'vitt_base'"):
        TimmTeacher('vitt_base')
    with pytest.raises(FileNotFoundError, match='none.safetensors.*are missing'):
        TimmTeacher('test_vit', checkpoint=str(tmp_path / 'none.safetensors')).check_files()

    def offline(*args, **kwargs):
        raise OSError('no route to host')

    monkeypatch.setattr('mmpt.models.teachers.image.timm.create_model', offline)
    open_clip.create_model = offline
    with pytest.raises(FileNotFoundError, match='no route to host.*set checkpoint of the neck'):
        TimmTeacher('test_vit').check_files()
    with pytest.raises(FileNotFoundError, match='no route to host.*set pretrained of the neck'):
        OpenClipTextTeacher('tiny').check_files()


@pytest.mark.parametrize('suffix', ['safetensors', 'pth'])
def test_weights_from_a_file(tmp_path, suffix):
    from safetensors.torch import save_file

    source, path = timm_teacher(seed=7), tmp_path / f'weights.{suffix}'
    state = {**source.teacher().state_dict(), 'head.weight': torch.zeros(1000, 64), 'head.bias': torch.zeros(1000)}
    save_file(state, path) if suffix == 'safetensors' else torch.save(state, path)
    step = image_step(pictures(6), EVERYONE)
    teacher = TimmTeacher('test_vit', checkpoint=str(path), img_size=32, chunk=4)
    assert torch.equal(teacher(step)['teacher/image'], source(step)['teacher/image'])
    assert 'state_dict' not in teacher.teacher().pretrained_cfg


def test_a_model_is_built_without_its_teachers():
    """Looking at a config, or loading its encoder, downloads nothing."""
    model = get_model('recon/pretrain_shapenet')
    assert set(model.necks) == {'image_teacher', 'text_teacher'}
    assert not any(neck._made for neck in model.necks.values())
    assert not [key for key in model.state_dict() if key.startswith('necks.')]
