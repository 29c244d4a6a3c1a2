"Looks: everything planted is found and nobody else accused, whatever the file; the book survives damage and threads."
import io
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from course_lib.cleaning import looks as L
from course_lib.cleaning.looks import Look, LookBook, checks, look_at, near_duplicates
from course_lib.data.samples import draw_bear, draw_bears

REAL = Path(__file__).parents[2]/'shared'/'data'


@pytest.fixture(scope='module')
def den(tmp_path_factory):
    root = tmp_path_factory.mktemp('looks')/'den'
    planted = draw_bears(root, dirt=5)
    paths = sorted(root.glob('*/*.jpg'))
    return root, planted, paths, LookBook().fill(paths)


@pytest.fixture
def bear(tmp_path):
    path = tmp_path/'bear.jpg'
    draw_bear('teddy', np.random.default_rng(3), 256).save(path, quality=90)
    return path


def kinds(look): return [c.kind for c in checks([look])[0]]


def saved(path, im, **kwargs):
    im.save(path, **kwargs)
    return look_at(path)


def test_all_that_is_planted_is_found_and_nobody_else_accused(den):
    root, planted, paths, looks = den
    want = {'blurred': 'blurry', 'dark': 'dark', 'not-an-image': 'unreadable'}
    spoilt = {o.path: want[o.kind] for o in planted if o.kind in want}
    found = dict(zip(paths, checks(looks), strict=True))
    assert len(spoilt) == 15 and all(found[p][0].kind == kind for p, kind in spoilt.items())
    assert not {p: cs for p, cs in found.items() if cs and p not in spoilt}
    assert all(0 < c.strength <= 1 and c.words.startswith(c.kind) for cs in found.values() for c in cs)


def test_all_near_duplicates_are_found_and_no_others(den):
    root, planted, paths, looks = den
    pairs = near_duplicates(looks)
    true = {frozenset((o.path, root/o.detail)) for o in planted if o.kind == 'near-duplicate'}
    assert len(true) == 5 and {frozenset((paths[i], paths[j])) for i, j, _ in pairs} == true
    assert all(i < j and 0 < d < .05 for i, j, d in pairs)


@pytest.mark.skipif(not (REAL/'bears').exists(), reason='the real photos are not here')
def test_real_photos():
    paths = sorted(p for p in (REAL/'bears').glob('*/*') if p.is_file())
    looks = [look_at(p) for p in paths]
    pairs = {(paths[i].name, paths[j].name) for i, j, _ in near_duplicates(looks)}
    assert not any(checks(looks)) and {('00000006.jpg', '00000057.jpg'), ('00000052.jpg', '00000127.jpg')} <= pairs
    assert len(pairs) == 4
    odd = {p.name: look_at(p) for p in (REAL/'odd_images').iterdir()}
    assert all(bool(o.fault) == name.startswith('UNREADABLE') for name, o in odd.items())


def test_copies_of_every_sort(bear, tmp_path):
    im = Image.open(bear)
    w, h = im.size
    copies = {'smaller': im.resize((w//2, h//2)), 'grey': im.convert('L'),
              'mirrored': im.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 'cropped': im.crop((w//20, 0, w, h - h//20)),
              'bright': im.point(lambda v: min(255, int(v*1.2)))}
    names, looks = ['bear', *copies], [look_at(bear)]
    looks += [saved(tmp_path/f'{name}.png', o) for name, o in copies.items()]
    assert {names[j] for i, j, _ in near_duplicates(looks) if i == 0} == set(copies)


def test_same_bytes_come_first_and_once(bear, tmp_path):
    for name in 'abc': shutil.copy(bear, tmp_path/f'{name}.jpg')
    Image.open(bear).save(tmp_path/'d.jpg', quality=60)
    looks = [look_at(tmp_path/f'{n}.jpg') for n in ('a', 'd', 'b', 'c')]
    pairs = near_duplicates(looks)
    assert [p[:2] for p in pairs] == [(0, 2), (0, 3), (0, 1)] and [d == 0 for _, _, d in pairs] == [True, True, False]


def test_blank_pictures_and_broken_files_are_no_copies_of_each_other(tmp_path):
    blanks = [saved(tmp_path/f'{c}.png', Image.new('RGB', (64, 64), c)) for c in ('white', 'grey', 'black')]
    for name in ('x.jpg', 'y.jpg'): (tmp_path/name).write_bytes(b'')
    assert near_duplicates([*blanks, look_at(tmp_path/'x.jpg'), look_at(tmp_path/'y.jpg')]) == []


def test_a_film_of_alike_pictures_stays_small():
    rng = np.random.default_rng(0)
    base = rng.integers(60, 200, (8, 8)).repeat(4, 0).repeat(4, 1)
    frames = [Look(sha=str(i), grey_std=.2, tiny=(base + rng.integers(0, 9, (32, 32))).astype(np.uint8).tobytes())
              for i in range(300)]
    pairs = near_duplicates(frames)
    assert 150 <= len(pairs) <= 2*L._MOST*300 and {i for p in pairs for i in p[:2]} == set(range(300))


MODES = {'L': 'jpeg', 'P': 'gif', 'RGBA': 'png', 'LA': 'png', '1': 'png', 'CMYK': 'jpeg', 'I;16': 'png', 'RGB': 'webp'}


@pytest.mark.parametrize('mode, fmt', [*MODES.items(), ('RGB', 'bmp'), ('RGB', 'tiff')])
def test_every_mode_and_a_wrong_name(bear, tmp_path, mode, fmt):
    im = Image.open(bear)
    im = Image.fromarray(np.asarray(im.convert('L')).astype(np.uint16)*257) if mode == 'I;16' else im.convert(mode)
    o = saved(tmp_path/'x.jpg', im, format=fmt)
    assert not o.fault and (o.width, o.height) == im.size and len(o.tiny) == 1024 and o.blur > .5 and kinds(o) == []


def test_turned_torn_tiny_and_huge(bear, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    wide = Image.open(bear).resize((1200, 800))
    o = saved(tmp_path/'turned.jpg', wide, exif=exif)
    assert (o.width, o.height) == (800, 1200)
    torn = tmp_path/'torn.jpg'
    torn.write_bytes((tmp_path/'turned.jpg').read_bytes()[:-300])
    assert 'truncated' in look_at(torn).fault and look_at(torn).sha
    o = saved(tmp_path/'dot.png', Image.new('RGB', (1, 1), 'red'))
    assert not o.fault and (o.width, o.height) == (1, 1) and 'blurry' not in kinds(o)
    o = saved(tmp_path/'line.png', Image.new('RGB', (3000, 2), 'red'))
    assert not o.fault and kinds(o) == ['odd shape']
    Image.new('1', (20_000, 20_000)).save(tmp_path/'bomb.png')
    assert 'megapixels' in look_at(tmp_path/'bomb.png').fault


def test_an_animation_is_its_first_picture(bear, tmp_path):
    im = Image.open(bear)
    im.save(tmp_path/'film.gif', save_all=True, append_images=[Image.new('RGB', im.size, 'black')]*3)
    assert kinds(look_at(tmp_path/'film.gif')) == []


def test_sharpness_does_not_depend_on_size(tmp_path):
    sizes = [saved(tmp_path/f'{s}.jpg', draw_bear('teddy', np.random.default_rng(3), s)).blur for s in (128, 256, 1024)]
    assert max(sizes) - min(sizes) < .1 and min(sizes) > .8
    toy = Image.new('RGB', (1500, 1500), 'white')
    toy.paste(draw_bear('teddy', np.random.default_rng(3), 300), (500, 500))
    assert 'blurry' not in kinds(saved(tmp_path/'toy.jpg', toy))
    far = draw_bear('grizzly', np.random.default_rng(3), 1024)
    soft = far.filter(ImageFilter.GaussianBlur(max(far.size)/40))
    assert 'blurry' in kinds(saved(tmp_path/'soft.jpg', soft)) and 'blurry' not in kinds(saved(tmp_path/'far.jpg', far))


def test_odd_paths(tmp_path):
    assert look_at(tmp_path).fault and look_at(tmp_path/'no.jpg').fault and look_at('a\0b').fault
    if os.name == 'posix' and os.geteuid():
        (tmp_path/'x.jpg').touch(mode=0)
        assert 'permission' in look_at(tmp_path/'x.jpg').fault
    odd = tmp_path/'ours brün \udcff?v=1.jpg' if os.name == 'posix' else tmp_path/'ours brün.jpg'
    Image.new('RGB', (40, 40), 'tan').save(io_ := io.BytesIO(), 'JPEG')
    odd.write_bytes(io_.getvalue())
    book = LookBook(tmp_path/'c'/'looks.jsonl')
    assert not book.look(odd).fault and LookBook(tmp_path/'c'/'looks.jsonl').peek(odd) == book.look(odd)


def test_the_book_knows_changed_and_vanished_files(bear, tmp_path):
    book = LookBook(tmp_path/'looks.jsonl')
    assert book.peek(bear) is None
    first = book.look(bear)
    assert book.peek(bear) is first and book.peek(str(bear)) is first
    Image.new('RGB', (40, 40), 'black').save(bear)
    assert book.peek(bear) is None and book.look(bear).sha != first.sha
    assert LookBook(tmp_path/'looks.jsonl').peek(bear) == book.peek(bear), 'the later line counts'
    bear.unlink()
    assert book.peek(bear) is None and book.look(bear).fault.startswith('vanished')


def test_the_book_moves_with_its_folder(bear, tmp_path):
    (tmp_path/'set'/'a').mkdir(parents=True)
    there = tmp_path/'set'/'a'/'bear.jpg'
    shutil.copy(bear, there)
    LookBook(tmp_path/'set'/'.cleaning'/'looks.jsonl').look(there)
    (tmp_path/'set').rename(tmp_path/'moved')
    assert LookBook(tmp_path/'moved'/'.cleaning'/'looks.jsonl').peek(tmp_path/'moved'/'a'/'bear.jpg')


DAMAGE = [b'\n', b'{}\n', b'null\n', b'\xff\xfe\n', b'["a.jpg", 1]\n', b'[3' + b',""'*11 + b']\n', b'[['*9]


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_book(bear, tmp_path, damage):
    file = tmp_path/'looks.jsonl'
    look = LookBook(file).look(bear)
    file.write_bytes(damage + file.read_bytes() if damage.endswith(b'\n') else file.read_bytes() + damage)
    book = LookBook(file)
    assert len(book) == 1 and book.peek(bear) == look
    os.utime(bear, ns=(1, 1))
    assert book.look(bear) == look and LookBook(file).peek(bear) == look, 'what is added after damage counts'


def test_a_book_that_cannot_be_written(bear, tmp_path):
    for file in (tmp_path, bear/'x.jsonl'):
        book = LookBook(file)
        look = book.look(bear)
        assert not look.fault and book.peek(bear) == look and 'cannot be written' in book.problem


def test_many_threads_keep_whole_lines(den, tmp_path):
    root, planted, paths, looks = den
    book = LookBook(tmp_path/'looks.jsonl')
    threads = [threading.Thread(target=book.fill, args=(paths[k::2] + paths[:20],)) for k in (0, 1)]
    for t in threads: t.start()
    for t in threads: t.join()
    lines = (tmp_path/'looks.jsonl').read_text().splitlines()
    assert all(json.loads(line) for line in lines) and LookBook(tmp_path/'looks.jsonl').fill(paths) == looks


def test_fill_stops(den, monkeypatch):
    root, planted, paths, looks = den
    stop, seen = threading.Event(), []
    def one(path):
        seen.append(path)
        if len(seen) == 3: stop.set()
        return look_at(path)
    monkeypatch.setattr(L, 'look_at', one)
    out = []
    t = threading.Thread(target=lambda: out.extend(LookBook().fill(iter(paths), stop=stop)))
    t.start()
    t.join()
    assert out[:3] == looks[:3] and out[3:] == [None]*(len(paths) - 3)
