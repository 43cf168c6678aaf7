"""Pictures: values, transparency, and what is none."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from _reading import cut, refuse
from PIL import Image

from mmpt.datasets.reading import read_image

RNG = np.random.default_rng(0)
# Smooth, so that a lossy format keeps it.
RGB = np.stack(np.meshgrid(np.arange(40), np.arange(60), [5], indexing='ij'), axis=-1)[:, :, 0].astype(np.uint8) * 4
SUFFIXES = ('png', 'jpg', 'bmp', 'tiff', 'webp')


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_picture_and_its_bytes(tmp_path, suffix):
    Image.fromarray(RGB).save(tmp_path / f'a.{suffix}', quality=100)
    read = read_image(tmp_path / f'a.{suffix}')
    assert read.shape == RGB.shape and read.dtype == np.uint8 and read.flags.c_contiguous and read.flags.writeable
    assert np.abs(read.astype(int) - RGB).max() <= (0 if suffix in ('png', 'bmp', 'tiff') else 12)
    np.testing.assert_array_equal(read_image((tmp_path / f'a.{suffix}').read_bytes()), read)


def test_transparent_pixels_lie_on_white(tmp_path):
    alpha = np.zeros((40, 60, 1), np.uint8)
    alpha[:, 20:40], alpha[:, 40:] = 51, 255
    Image.fromarray(np.concatenate([RGB, alpha], axis=2)).save(tmp_path / 'a.png')
    read = read_image(tmp_path / 'a.png')
    assert (read[:, :20] == 255).all()
    np.testing.assert_array_equal(read[:, 40:], RGB[:, 40:])
    np.testing.assert_array_equal(read[:, 20:40], np.rint(0.2 * RGB[:, 20:40] + 0.8 * 255).astype(np.uint8))


def test_grey_pictures_and_palettes_become_rgb(tmp_path):
    grey = Image.fromarray(RGB[:, :, 0])
    grey.save(tmp_path / 'grey.png')
    assert (read_image(tmp_path / 'grey.png') == RGB[:, :, :1]).all()
    grey.putalpha(0)
    grey.save(tmp_path / 'grey_alpha.png')
    assert (read_image(tmp_path / 'grey_alpha.png') == 255).all()
    Image.fromarray(RGB // 128 * 128).convert('P', palette=Image.Palette.ADAPTIVE).save(tmp_path / 'palette.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'palette.png'), RGB // 128 * 128)


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'bmp', 'webp'])
def test_truncated_pictures(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    for share in (0.9, 0.5, 0.1, 0.01):
        Image.fromarray(RNG.integers(0, 256, (40, 60, 3), np.uint8)).save(path)
        refuse(read_image, cut(path, int(share * path.stat().st_size)), 'expected an 8-bit picture')


def test_a_jpeg_that_a_decoder_would_fill_up(tmp_path, monkeypatch):
    """OpenCV before 5 gave the upper part and grey below."""
    path = tmp_path / 'a.jpg'
    Image.fromarray(RNG.integers(0, 256, (400, 600, 3), np.uint8)).save(path)
    cut(path, path.stat().st_size // 2)
    monkeypatch.setattr(cv2, 'imdecode', lambda data, flags: RGB)
    refuse(read_image, path, 'damaged or cut off')


def test_a_jpeg_with_something_behind_its_end(tmp_path):
    Image.fromarray(RGB).save(tmp_path / 'a.jpg', quality=100)
    (tmp_path / 'a.jpg').write_bytes((tmp_path / 'a.jpg').read_bytes() + bytes(100))
    assert read_image(tmp_path / 'a.jpg').shape == RGB.shape


def test_what_is_no_picture(tmp_path):
    path = tmp_path / '00.png'
    refuse(read_image, path, 'does not exist', kind=FileNotFoundError)
    for content, part in {
        b'': 'an empty file',
        b'<html><body>404': 'a web page',
        b'version https://git-lfs.github.com/spec/v1\n': 'git lfs pull',
        b'\x93NUMPY\x01\x00': 'a .npy array',
        b'P6 what': "text that begins with 'P6 what'",
    }.items():
        path.write_bytes(content)
        refuse(read_image, path, part)
    cv2.imwrite(str(path), RGB.astype(np.uint16) * 257)
    refuse(read_image, path, 'uint16', '8 bits')
    with pytest.raises(ValueError, match='7 bytes in memory'):
        read_image(b'nothing')


def png(width, height):
    """The header of a PNG picture, and none of its pixels."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b'')
    )


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('size', [(8193, 8192), (10_000, 10_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_header_that_claims_a_huge_picture(tmp_path, size):
    (tmp_path / 'a.png').write_bytes(png(*size))
    refuse(read_image, tmp_path / 'a.png', 'at most 67,108,864 pixels')


def test_an_error_of_opencv_does_not_come_through(tmp_path, monkeypatch):
    def fail(data, flags):
        raise cv2.error('OpenCV(5.0.0) loadsave.cpp:75: error: (-215:Assertion failed) in function ...')

    Image.fromarray(RGB).save(tmp_path / 'a.bmp')
    monkeypatch.setattr(cv2, 'imdecode', fail)
    refuse(read_image, tmp_path / 'a.bmp', 'damaged or cut off')
