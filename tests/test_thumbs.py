"Thumbnails: whatever the file, whoever else writes, and however the notebook ends."
import io
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib.cleaning import thumbs as T
from course_lib.cleaning.thumbs import Thumbs, thumbnail

RNG = np.random.default_rng(42)


def photo(path, size=(320, 240), **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (*size[::-1], 3), np.uint8)).save(path, **kwargs)
    return path


def opened(data): return Image.open(io.BytesIO(data))


def until(f, seconds=20):
    end = time.monotonic() + seconds
    while not f():
        assert time.monotonic() < end, 'waited too long'
        time.sleep(.005)


@pytest.fixture
def den(tmp_path):
    for i in range(12): photo(tmp_path/'den'/f'{i:02d}.jpg')
    return tmp_path/'den'


@pytest.fixture
def slow(monkeypatch):
    "Making a picture takes as long as the test wants; what was made is listed."
    go, made = threading.Event(), []
    def shown(path, side):
        go.wait(20)
        made.append(Path(path).name)
        return b'picture of ' + Path(path).name.encode()
    monkeypatch.setattr(T, '_shown', shown)
    yield go, made
    go.set()


SIZES = {(320, 240): (96, 72), (240, 320): (72, 96), (1, 1): (1, 1), (40, 30): (40, 30), (3000, 2): (96, 1),
         (2400, 1800): (96, 72)}


@pytest.mark.parametrize('size, out', SIZES.items())
def test_sizes(tmp_path, size, out):
    im = opened(thumbnail(photo(tmp_path/'x.jpg', size), 96))
    assert im.size == out and im.format == 'JPEG' and im.mode == 'RGB'


def test_every_mode_and_turned(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    assert opened(thumbnail(photo(tmp_path/'turned.jpg', exif=exif), 64)).size == (48, 64)
    Image.new('RGBA', (50, 50), (0, 0, 0, 0)).save(tmp_path/'clear.jpg', 'PNG')
    assert opened(thumbnail(tmp_path/'clear.jpg')).getpixel((9, 9)) == (255, 255, 255)
    more = [Image.new('RGB', (50, 50))]
    Image.new('RGB', (50, 50), 'red').save(tmp_path/'film.jpg', 'GIF', save_all=True, append_images=more)
    assert opened(thumbnail(tmp_path/'film.jpg')).getpixel((9, 9))[0] > 200


def test_what_is_no_picture_is_a_tile(tmp_path):
    (tmp_path/'page.jpg').write_text('<!doctype html>')
    (tmp_path/'empty.jpg').touch()
    (tmp_path/'torn.jpg').write_bytes(photo(tmp_path/'x.jpg').read_bytes()[:5000])
    Image.new('1', (20_000, 20_000)).save(tmp_path/'bomb.png')
    with Thumbs(tmp_path/'home', side=64) as thumbs:
        bad = [tmp_path/n for n in ('page.jpg', 'empty.jpg', 'torn.jpg', 'bomb.png', 'none.jpg', 'a\0b')] + [tmp_path]
        assert {thumbs.get(p) for p in bad} == {T._tile(64)} and {thumbs.large(p, 64) for p in bad} == {T._tile(64)}
        thumbs.prefetch(bad)
        until(lambda: not thumbs._workers._busy)
    assert not list((tmp_path/'home').rglob('*.jpg')), 'a cross is not kept on disk'


def test_a_mended_and_a_changed_photo_get_a_new_picture(tmp_path):
    path = tmp_path/'x.jpg'
    path.write_bytes(b'')
    thumbs = Thumbs(tmp_path/'home')
    cross = thumbs.get(path)
    photo(path)
    assert thumbs.peek(path) is None and (first := thumbs.get(path)) != cross
    photo(path, (100, 300))
    assert thumbs.get(path) != first and thumbs.peek(path) == thumbs.get(path)
    path.unlink()
    assert thumbs.peek(path) is None and thumbs.get(path) == cross


def test_made_once_for_all_days_and_places(den, monkeypatch):
    paths = sorted(den.glob('*.jpg'))
    first = [Thumbs(den/'.cleaning').get(p) for p in paths]
    den.rename(den.with_name('moved'))
    monkeypatch.setattr(T, '_shown', lambda path, side: pytest.fail('made again'))
    thumbs = Thumbs(den.with_name('moved')/'.cleaning')
    assert [thumbs.get(den.with_name('moved')/p.name) for p in paths] == first
    assert [thumbs.peek(str(den.with_name('moved')/p.name)) for p in paths] == first
    assert Thumbs(den.with_name('moved')/'.cleaning', side=20).peek(den.with_name('moved')/'00.jpg') is None


def test_a_damaged_or_empty_file_in_the_cache(den):
    thumbs = Thumbs(den/'.cleaning')
    good = thumbs.get(den/'00.jpg')
    for file in (den/'.cleaning').rglob('*.jpg'): file.write_bytes(b'')
    assert Thumbs(den/'.cleaning').get(den/'00.jpg') == good
    assert Thumbs(den/'.cleaning').peek(den/'00.jpg') == good, 'mended on disk'


def test_no_place_on_disk(den, tmp_path):
    (tmp_path/'file').touch()
    with Thumbs(tmp_path/'file') as thumbs:
        data = thumbs.get(den/'00.jpg')
        assert thumbs.peek(den/'00.jpg') == data and 'cannot be written' in thumbs.problem


def test_a_full_disk_leaves_no_half_file(den, monkeypatch):
    def full(self, data):
        with open(self, 'wb') as f: f.write(data[:10])
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Path, 'write_bytes', full)
    thumbs = Thumbs(den/'.cleaning')
    assert opened(thumbs.get(den/'00.jpg')).size == (192, 144) and 'No space' in thumbs.problem
    assert not [p for p in (den/'.cleaning').rglob('*') if p.is_file()]


def test_memory_has_a_limit(den):
    paths = sorted(den.glob('*.jpg'))
    one = len(Thumbs(den/'x').get(paths[0]))
    thumbs = Thumbs(den/'x', memory=4*one)
    first = [thumbs.get(p) for p in paths]
    assert 0 < thumbs._store.memory.size <= 4*one and [thumbs.get(p) for p in paths] == first
    for s in range(50, 90): thumbs.large(paths[0], s)
    assert thumbs._store.memory.size <= 4*one == thumbs._store.memory.most


def test_the_latest_wish_is_done_first(den, slow, monkeypatch):
    monkeypatch.setattr(T, 'WORKERS', 1)
    go, made = slow
    thumbs = Thumbs(den/'.cleaning')
    thumbs.prefetch([den/f'{i:02d}.jpg' for i in range(6)])
    until(lambda: thumbs.waiting == 5)
    thumbs.prefetch([den/'08.jpg', den/'03.jpg'])
    assert thumbs.waiting == 6
    go.set()
    until(lambda: not thumbs._workers._busy)
    assert made == [f'{i:02d}.jpg' for i in (0, 8, 3, 1, 2, 4, 5)] and thumbs.waiting == 0


def test_at_most_two_threads_and_none_when_idle(den, slow):
    go, made = slow
    def ours(): return [t for t in threading.enumerate() if t.name == 'thumbnails']
    thumbs = Thumbs(den/'.cleaning')
    for i in range(12): thumbs.prefetch([den/f'{i:02d}.jpg'])
    assert len(ours()) == 2 and all(t.daemon for t in ours())
    go.set()
    until(lambda: not ours())
    assert len(made) == 12 and all(thumbs.peek(p) for p in den.glob('*.jpg'))


def test_close_leaves_the_rest_undone(den, slow):
    go, made = slow
    thumbs = Thumbs(den/'.cleaning')
    thumbs.prefetch(sorted(den.glob('*.jpg')))
    threading.Timer(.05, go.set).start()
    thumbs.close()
    assert len(made) <= 2 and thumbs.waiting == 0 and not thumbs._workers._busy
    thumbs.prefetch([den/'11.jpg'])
    assert thumbs.waiting == 0 and thumbs.get(den/'11.jpg') == b'picture of 11.jpg'


def test_many_threads_at_once(den):
    thumbs, paths, seen = Thumbs(den/'.cleaning'), sorted(den.glob('*.jpg')), []
    thumbs.prefetch(paths)
    def look(): seen.append([thumbs.get(p) for p in paths])
    threads = [threading.Thread(target=look) for _ in range(6)]
    for t in threads: t.start()
    for t in threads: t.join()
    thumbs.close()
    kept = [p for p in (den/'.cleaning').rglob('*') if p.is_file()]
    assert all(s == seen[0] for s in seen) and len(seen) == 6 and len(kept) == len(paths)
    assert all(p.suffix == '.jpg' and not p.name.startswith('.') for p in kept) and not thumbs.problem


def test_the_program_ends_while_pictures_are_made(den):
    code = ('import sys, time\nfrom pathlib import Path\nfrom course_lib.cleaning import thumbs as T\n'
            'T._shown = lambda path, side: time.sleep(60)\n'
            't = T.Thumbs(sys.argv[1]); t.prefetch(sorted(Path(sys.argv[1]).glob("*.jpg"))); print(t.waiting)')
    r = subprocess.run([sys.executable, '-c', code, str(den)], capture_output=True, text=True, timeout=50)
    assert r.returncode == 0 and int(r.stdout) >= 10 and not r.stderr
