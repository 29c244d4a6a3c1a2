"Pictures as they come: every mode and format, turned, torn, lying about themselves; real odd ones where present."
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin, features

from course_lib.data import images
from course_lib.data.images import ImageError, get_image_files, open_image, sniff_image, verify_images

REAL = Path(__file__).parents[2]/'shared'/'data'
RNG = np.random.default_rng(42)
NOISE = Image.fromarray(RNG.integers(0, 255, (40, 60, 3), np.uint8))
FORMATS = [f for f in ('JPEG', 'PNG', 'GIF', 'BMP', 'TIFF', 'PPM', 'WEBP', 'AVIF', 'JPEG2000')
           if f not in ('AVIF',) or features.check('avif')]


def saved(im, fmt, **kwargs):
    file = io.BytesIO()
    im.save(file, fmt, **kwargs)
    return file.getvalue()


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for news in images._NEWS: warnings.filterwarnings('ignore', **news)
        yield


@pytest.mark.parametrize('fmt', FORMATS)
def test_formats(fmt):
    b = saved(NOISE, fmt)
    im = open_image(b)
    assert sniff_image(b) == fmt and im.mode == 'RGB' and im.size == (60, 40)


MODES = {'PNG': '1 L LA P RGB RGBA I;16', 'TIFF': '1 L LA P RGB RGBA CMYK I;16 I;16B I F', 'GIF': '1 L P RGB RGBA',
         'JPEG': 'L RGB CMYK YCbCr', 'WEBP': 'RGB RGBA'}
WIDE = {'I;16': (128*257, '<u2'), 'I;16B': (128*257, '>u2'), 'I': (128*257, '<i4'), 'F': (.5, '<f4')}


def half_grey(mode):
    if mode not in WIDE: return Image.new('L', (8, 8), 128).convert(mode)
    return Image.frombytes(mode, (8, 8), np.full((8, 8), *WIDE[mode]).tobytes())


@pytest.mark.parametrize('fmt, mode', [(fmt, mode) for fmt, modes in MODES.items() for mode in modes.split()])
def test_modes(fmt, mode):
    out = np.asarray(open_image(saved(half_grey(mode), fmt)))
    assert out.shape == (8, 8, 3)
    assert abs(out.mean() - 128) <= (128 if mode == '1' else 3), 'one bit is black and white'


def test_16_bits_are_scaled_not_cut():
    a = np.linspace(0, 65535, 256*4).astype(np.uint16).reshape(4, 256)
    for fmt in ('PNG', 'TIFF'):
        out = np.asarray(open_image(saved(Image.fromarray(a), fmt)))[..., 0]
        assert abs(out.astype(int) - a//257).max() <= 1 and (np.diff(out.ravel().astype(int)) >= 0).all()


def test_transparency_lies_on_white():
    clear = Image.new('RGBA', (8, 8), (0, 0, 0, 0))
    assert np.asarray(open_image(saved(clear, 'PNG'))).min() == 255
    assert np.asarray(open_image(saved(clear, 'WEBP', lossless=True))).min() == 255
    assert np.asarray(open_image(saved(clear, 'GIF'))).min() == 255
    assert np.asarray(open_image(saved(clear.convert('LA'), 'PNG'))).min() == 255
    half = Image.new('RGBA', (8, 8), (0, 0, 0, 128))
    assert open_image(saved(half, 'PNG')).getpixel((0, 0)) == (127, 127, 127)


def test_a_palette_with_transparency_as_bytes():
    "What makes Pillow warn, on a photo of the course's own bears."
    im = Image.new('P', (8, 8), 1)
    im.putpalette([0, 0, 0, 200, 0, 0])
    b = saved(im, 'PNG', transparency=bytes([255, 0]))
    assert Image.open(io.BytesIO(b)).mode == 'P' and np.asarray(open_image(b)).min() == 255


def test_adobe_cmyk():
    red = Image.new('CMYK', (16, 16), (0, 255, 255, 0))
    r, g, b = open_image(saved(red, 'JPEG', quality=95)).getpixel((8, 8))
    assert r > 240 and g < 15 and b < 15


@pytest.mark.parametrize('fmt', ['GIF', 'PNG', 'WEBP', 'TIFF'])
def test_first_frame(fmt):
    frames = [Image.new('RGB', (16, 16), c) for c in ('red', 'lime', 'blue')]
    b = saved(frames[0], fmt, save_all=True, append_images=frames[1:])
    r, g, _ = open_image(b).getpixel((8, 8))
    assert r > 240 and g < 15


@pytest.mark.parametrize('fmt', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_orientation_as_pillow_sees_it(fmt):
    for o in range(1, 9):
        exif = Image.Exif()
        exif[274] = o
        b = saved(NOISE, fmt, exif=exif)
        want = ImageOps.exif_transpose(Image.open(io.BytesIO(b))).convert('RGB')
        once = open_image(b)
        assert once.tobytes() == want.tobytes() == open_image(once).tobytes(), o


def test_damaged_exif_is_no_damaged_photo():
    exif = Image.Exif()
    exif[274] = 6
    b = bytearray(saved(NOISE, 'JPEG', exif=exif))
    at = b.index(b'Exif\0\0')
    for i in range(6, 20):
        c = bytearray(b)
        c[at + i] = 0xff
        assert open_image(bytes(c)).mode == 'RGB'


def test_a_given_image_is_left_alone():
    im = NOISE.copy()
    im.info['note'] = 1
    out = open_image(im)
    out.putpixel((0, 0), (1, 2, 3))
    assert im.tobytes() == NOISE.tobytes() and im.info == {'note': 1}


@pytest.mark.parametrize('size', [(99, 70), (1000, 40), (40, 1000), (513, 515), (7, 9)])
def test_min_size(size):
    b = saved(NOISE.resize(size), 'JPEG')
    for least in (1, 8, 64, 128, 5000):
        out = open_image(b, min_size=least)
        assert min(out.size) >= min(least, *size)
        assert abs(out.width/out.height/(size[0]/size[1]) - 1) < .2
    small = np.asarray(open_image(b, min_size=max(1, min(size)//8)).resize(size), float)
    assert abs(small.mean() - np.asarray(open_image(b), float).mean()) < 4


def test_bombs(monkeypatch):
    "Refused from the header: nothing is decoded."
    def decoded(*_): raise AssertionError('decoded before it was refused')
    monkeypatch.setattr(PngImagePlugin.PngImageFile, 'load_prepare', decoded)
    b = saved(Image.new('1', (15_000, 8_000)), 'PNG')
    for limit in (Image.MAX_IMAGE_PIXELS, None, 10**12):
        monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', limit)
        with pytest.raises(ImageError, match='120 megapixels|limit of 100'): open_image(b)
    monkeypatch.setattr(images, 'MAX_PIXELS', 100)
    for fn in (saved(NOISE, 'JPEG'), NOISE, np.zeros((11, 10), np.uint8)):
        with pytest.raises(ImageError, match='megapixels'): open_image(fn)


def test_a_large_picture_within_the_limit_opens_without_a_warning(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 2000)
    assert open_image(saved(NOISE, 'PNG')).size == (60, 40)


@pytest.mark.parametrize('fmt', FORMATS)
def test_torn_and_scrambled(fmt):
    "Whatever is done to the bytes: a picture or an `ImageError`."
    rng, b = np.random.default_rng(1), saved(NOISE, fmt)
    for i in range(60):
        c = bytearray(b[:rng.integers(len(b))] if i % 2 else b)
        for at in rng.integers(0, max(1, len(c)), 4): c[at:at + 1] = bytes([rng.integers(256)])
        try: assert open_image(bytes(c), min_size=1).mode == 'RGB'
        except ImageError: pass


def test_only_the_format_that_was_seen_is_tried():
    "A PostScript file would make Pillow start another program."
    for b in (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', b'%PDF-1.4', b'\0\0\1\0', b'', bytes(999)):
        with pytest.raises(ImageError): open_image(b)


def test_in_threads():
    bs = [saved(NOISE, f) for f in ('TIFF', 'PNG', 'JPEG', 'WEBP')]*25
    with ThreadPoolExecutor(8) as pool: assert {im.size for im in pool.map(open_image, bs)} == {(60, 40)}


def test_not_pictures(tmp_path):
    arrays = np.zeros((0, 5)), np.zeros(5), np.zeros((2, 2, 7)), np.array([['a']])
    for fn in (None, 5, [], object(), tmp_path, b'', *arrays):
        with pytest.raises(ImageError): open_image(fn)
    with pytest.raises(FileNotFoundError, match='bear.jpg'): open_image(tmp_path/'bear.jpg')
    NOISE.save(tmp_path/'bear.jpg')
    with pytest.raises(FileNotFoundError, match='did you mean bear.jpg'): open_image(str(tmp_path/'bera.jpg'))


def test_odd_names(tmp_path):
    names = ['a.jpg', 'b.jpg?v=158', 'c', 'd e.txt', 'é.PNG', '熊.webp', 'f.jpg;w=960', '-rf',
             '.hidden.jpg', 'new\nline.jpg']
    for n in names: NOISE.save(tmp_path/n, 'JPEG')
    fns = get_image_files(tmp_path)
    assert len(fns) == len(names) - 1 and '.hidden.jpg' not in str(fns) and not verify_images(fns)


@pytest.mark.skipif(os.name != 'posix', reason='names are text there')
def test_a_name_in_an_old_encoding(tmp_path):
    name = os.fsdecode(b'b\xe4r.jpg')
    NOISE.save(tmp_path/name)
    fns = get_image_files(tmp_path)
    assert len(fns) == 1 and repr(fns).encode() and open_image(fns[0]).size == (60, 40)


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes')
def test_things_that_are_no_files(tmp_path):
    NOISE.save(tmp_path/'a.jpg')
    os.mkfifo(tmp_path/'pipe.jpg')
    os.symlink(tmp_path/'gone.jpg', tmp_path/'dangling.jpg')
    os.symlink(tmp_path/'a.jpg', tmp_path/'b.jpg')
    (tmp_path/'x').mkdir()
    os.symlink(tmp_path, tmp_path/'x'/'up')
    os.symlink(tmp_path/'x', tmp_path/'y')
    assert [p.name for p in get_image_files(tmp_path)] == ['a.jpg', 'b.jpg']


def test_ten_thousand_files(tmp_path):
    b = saved(NOISE.resize((8, 8)), 'JPEG')
    for k in range(10):
        (tmp_path/str(k)).mkdir()
        for i in range(1000): (tmp_path/str(k)/f'{i}.jpg').write_bytes(b)
    fns = get_image_files(tmp_path)
    assert len(fns) == 10_000 and fns == sorted(fns)
    assert len(repr(fns)) < 200


def test_verify_gives_a_reason_for_each(tmp_path):
    whole = saved(NOISE, 'JPEG')
    bad = {'torn.jpg': (whole[:-300], 'truncated'), 'empty.png': (b'', 'empty'), 'page.jpg?x=1': (b'<html>', 'HTML'),
           'text.gif': (b'not found', 'text ("not found")'), 'zip.jpeg': (b'PK\3\4abc', 'zip'),
           'noise.jpg': (bytes(50), 'not an'),
           'bomb.png': (saved(Image.new('1', (20_000, 20_000)), 'PNG'), '400 megapixels')}
    for name, (b, _) in bad.items(): (tmp_path/name).write_bytes(b)
    for i in range(30): (tmp_path/f'{i}.jpg').write_bytes(whole)
    failed = verify_images(get_image_files(tmp_path))
    assert {p.name for p in failed} == set(bad)
    for p, why in failed.reasons.items(): assert why.startswith(bad[p.name][1]), why
    failed.map(Path.unlink)
    assert len(get_image_files(tmp_path)) == 30 and not verify_images(tmp_path)


@pytest.mark.skipif(not (REAL/'odd_images').is_dir(), reason='the real odd images are not here')
def test_real_odd_images():
    fns = get_image_files(REAL/'odd_images')
    assert len(fns) == 9 and all('UNREADABLE' not in p.name for p in fns)
    failed = verify_images(fns)
    assert len(failed) == 6 and all('UNREADABLE' in p.name for p in failed)
    assert sorted(failed.reasons.values())[0] == 'HTML page, not an image'
    for p in fns:
        whole, small = open_image(p), open_image(p, min_size=128)
        assert whole.mode == small.mode == 'RGB' and min(small.size) >= 128
    for p in failed:
        with pytest.raises(ImageError): open_image(p)


@pytest.mark.skipif(not (REAL/'bears').is_dir(), reason='the real bears are not here')
def test_real_bears():
    fns = get_image_files(REAL/'bears')
    assert len(fns) == 416 and not fns.skipped and not verify_images(fns)


def test_an_image_that_breaks_when_loaded():
    lazy = Image.open(io.BytesIO(saved(NOISE, 'JPEG')[:-400]))
    with pytest.raises(ImageError, match='truncated'): open_image(lazy)


def test_the_order_is_the_one_of_the_folders(tmp_path):
    for k in ('a', 'a b', 'a-b', 'aB'):
        (tmp_path/k).mkdir()
        NOISE.save(tmp_path/k/'0.jpg')
    fns = get_image_files(tmp_path)
    assert fns == sorted(fns) and [p.parent.name for p in fns] == ['a', 'a b', 'a-b', 'aB']


def test_only_near_names_are_offered(tmp_path):
    for name in ('own.jpg', '0.jpg', 'bear.jpg'): (tmp_path/name).write_bytes(saved(NOISE, 'JPEG'))
    with pytest.raises(FileNotFoundError) as e: open_image(tmp_path/'no.jpg')
    assert 'did you mean' not in str(e.value)


def test_shapes_that_are_no_picture():
    with pytest.raises(ImageError, match='has no pixels'): open_image(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ImageError, match=r'\(height, width\) or \(height, width, 3\)'): open_image(np.zeros((9, 9, 2)))


def test_a_wrong_min_size_is_no_damage():
    with pytest.raises(TypeError): open_image(saved(NOISE, 'JPEG'), min_size='64')


def test_a_missing_folder_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as e: get_image_files('my_pictures')
    assert str(e.value) == f'there is no folder my_pictures (looked for {tmp_path.resolve()/"my_pictures"})'
