"Lists of pictures from a server that misbehaves on purpose, and tar archives made to do harm."
import csv
import gzip
import io
import os
import socket
import tarfile
import threading
import time
import zlib
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from test_fetch import Faulty

from course_lib.data import fetch
from course_lib.data import gather as gather_module
from course_lib.data.fetch import FetchError
from course_lib.data.gather import download_images, untar


def picture(fmt):
    with io.BytesIO() as f:
        Image.radial_gradient('L').convert('RGB').save(f, fmt)
        return f.getvalue()


JPEG, PNG = picture('JPEG'), picture('PNG')


class Pictures(Faulty):
    "The faults of `test_fetch`, and those that only a picture can have."
    body = JPEG

    def good(self):
        self.head(content_type='image/jpeg', content_length=len(self.body))
        self.wfile.write(self.body)

    def slow(self):
        self.head(content_length=len(JPEG))
        for i in range(0, len(JPEG), 2000):
            self.wfile.write(JPEG[i:i + 2000])
            self.wfile.flush()
            time.sleep(.02)

    def every_second(self):
        "Fails at the first asking of each address, the third, …"
        if self.again() % 2: self.head(500, content_length=0)
        else: self.good()

    def limited(self):
        with self.server.lock:
            self.server.times.append(time.monotonic())
            n = self.again()
        if n < 2: self.head(429, retry_after=1, content_length=0)
        else: self.good()

    def gate(self):
        "The first four are all here before the first is told to wait; the others are let go when the client knows."
        with self.server.lock:
            self.server.times.append(time.monotonic())
            n = len(self.server.times)
        if n <= 4: self.server.barrier.wait()
        if n == 1: self.head(429, retry_after=1, content_length=0)
        else:
            while not fetch._not_before and not self.server.stop.wait(.01): pass
            self.good()

    def answer(self, body):
        self.head(content_type='image/jpeg', content_length=len(body))
        self.wfile.write(body)

    def png_as_jpeg(self): self.answer(PNG)
    def page(self): self.answer(b'<!DOCTYPE html><title>Gone</title>')
    def svg(self): self.answer(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    def script(self): self.answer(b'%!PS-Adobe-3.0 EPSF-3.0\n')
    def nothing(self): self.answer(b'')
    def half(self): self.answer(JPEG[:len(JPEG)//2])

    def scrambled(self): self.answer(PNG[:16] + bytes(8) + PNG[24:])

    def huge(self):
        "Few bytes that claim to be a picture of 10¹⁰ pixels."
        head = PNG[12:16] + (10**5).to_bytes(4, 'big')*2 + PNG[24:29]
        self.answer(PNG[:12] + head + zlib.crc32(head).to_bytes(4, 'big') + PNG[33:])


@pytest.fixture
def site():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Pictures)
    server.daemon_threads, server.seen, server.stop = True, [], threading.Event()
    server.lock, server.times = threading.Lock(), []
    threading.Thread(target=server.serve_forever, args=[.02], daemon=True).start()
    server.url = f'http://127.0.0.1:{server.server_port}'
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv('COURSE_OFFLINE', 'no')
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', 'no')
    monkeypatch.setattr(fetch, '_not_before', {})
    for k in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(k, raising=False)
        monkeypatch.delenv(k.upper(), raising=False)


def gathered(site, dest, *paths, **kwargs):
    urls = [f'{site.url}/{p}' for p in paths]
    return download_images(dest, urls=urls, **{'allow_private': True, 'timeout': 15, **kwargs})


def whole(dest, n):
    "Every file below `dest`, after a look that they are `n` sound pictures and nothing else."
    files = sorted(Path(dest).iterdir())
    assert len(files) == n
    for f in files:
        with Image.open(f) as im: im.load()
    return files


def test_one_table_for_good_and_bad(site, tmp_path):
    paths = ['good/1', 'page', 'slow', 'missing', 'png_as_jpeg', 'half', 'to_good', 'svg', 'nothing', 'script', 'huge']
    table = gathered(site, tmp_path/'d', *paths)
    assert list(table.columns) == ['url', 'file', 'reason'] and [u.rpartition('0.1:')[2] for u in table.url]
    assert list(table.url) == [f'{site.url}/{p}' for p in paths]
    got = {p for p, f in zip(paths, table.file, strict=True) if f is not None}
    assert got == {'good/1', 'slow', 'png_as_jpeg', 'to_good'}
    assert [bool(r) for r in table.reason] == [f is None for f in table.file]
    assert {f for f in table.file if f} == set(whole(tmp_path/'d', 4))


@pytest.mark.parametrize('path, why', [
    ('page', 'HTML page, not an image'), ('svg', 'SVG drawing'), ('half', 'truncated'), ('nothing', 'empty file'),
    ('missing', '404'), ('huge', 'megapixels'), ('scrambled', 'damaged'), ('script', 'not an image'),
    ('circle', 'redirected'), ('to_file', 'http://'), ('busy_long', '3600 s'), ('claims_huge', 'limit')])
def test_reasons(site, tmp_path, path, why):
    table = gathered(site, tmp_path/'d', path)
    assert why in table.reason[0] and table.file[0] is None and '\n' not in table.reason[0]
    assert not any(part in table.reason[0] for part in ('.part', str(tmp_path)))
    whole(tmp_path/'d', 0)


def test_the_ending_is_that_of_the_content(site, tmp_path):
    assert [f.suffix for f in gathered(site, tmp_path, 'png_as_jpeg', 'good/x.png').file] == ['.png', '.jpg']


def test_endless_and_dripping(site, tmp_path):
    table = gathered(site, tmp_path/'d', 'endless', 'drip', 'drip_head', 'silent', 'good', timeout=1.5, max_bytes=10**6)
    assert 'limit of' in table.reason[0] and all('time was up' in r for r in table.reason[1:4])
    whole(tmp_path/'d', 1)


def test_truncated_is_tried_again(site, tmp_path):
    table = gathered(site, tmp_path/'d', 'truncated', 'truncated_once', retries=1)
    assert 'connection broke' in table.reason[0] and '2 tries' in table.reason[0] and table.file[1]
    whole(tmp_path/'d', 1)


def test_failing_every_second_time(site, tmp_path):
    table = gathered(site, tmp_path/'d', *(f'every_second/{i}' for i in range(12)))
    assert not any(table.reason) and len(site.seen) == 24
    whole(tmp_path/'d', 12)


def test_retry_after_is_respected(site, tmp_path):
    table = gathered(site, tmp_path/'d', 'limited')
    assert table.file[0] and len(site.times) == 2 and site.times[1] - site.times[0] >= .99


def test_one_is_told_to_wait_and_all_do(site, tmp_path):
    "Four at once; whoever comes after the 429 comes a second later."
    site.barrier = threading.Barrier(4, timeout=20)
    table = gathered(site, tmp_path/'d', *(f'gate/{i}' for i in range(12)), max_workers=4)
    assert not any(table.reason) and len(site.times) == 13
    assert min(site.times[4:]) - min(site.times[:4]) >= .99
    whole(tmp_path/'d', 12)


def test_a_host_that_wants_too_long_is_asked_once(site, tmp_path):
    others = [f'http://localhost:{site.server_port}/good/{i}' for i in range(2)]
    urls = [f'{site.url}/{p}' for p in ('busy_long', 'good/1', 'good/2')] + others
    table = download_images(tmp_path/'d', urls=urls, allow_private=True, max_workers=1)
    assert site.seen == ['/busy_long', '/good/0', '/good/1'] and [bool(f) for f in table.file] == [False]*3 + [True]*2
    assert '429' in table.reason[0] and all('asked us to wait' in r for r in table.reason[1:3])


def test_same_last_names_do_not_meet(site, tmp_path):
    gathered(site, tmp_path/'d', *(f'good/{i}/image.jpg' for i in range(20)))
    whole(tmp_path/'d', 20)


def test_a_second_run_takes_up_where_the_first_stopped(site, tmp_path):
    first = gathered(site, tmp_path/'d', 'good/1', 'good/2', 'truncated_once', retries=0)
    assert [bool(f) for f in first.file] == [True, True, False]
    stamps = [f.stat().st_mtime_ns for f in first.file[:2]]
    site.seen.clear()
    site.seen.append('/truncated_once')
    second = gathered(site, tmp_path/'d', 'good/2', 'truncated_once', 'good/3', 'good/1')
    assert sorted(site.seen) == ['/good/3', '/truncated_once', '/truncated_once']
    assert not any(second.reason) and [second.file[3], second.file[0]] == list(first.file[:2])
    assert [f.stat().st_mtime_ns for f in first.file[:2]] == stamps
    whole(tmp_path/'d', 4)


def test_what_is_there_stays(site, tmp_path):
    (tmp_path/'mine.txt').write_text('mine')
    (tmp_path/'good.jpg').write_bytes(PNG)
    gathered(site, tmp_path, 'good')
    assert (tmp_path/'mine.txt').read_text() == 'mine' and (tmp_path/'good.jpg').read_bytes() == PNG
    assert len(list(tmp_path.iterdir())) == 3


def test_two_runs_into_one_folder(site, tmp_path):
    paths, tables = [f'good/{i}' for i in range(10)], []
    threads = [threading.Thread(target=lambda: tables.append(gathered(site, tmp_path/'d', *paths))) for _ in range(2)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert len(tables) == 2 and not any(r for t in tables for r in t.reason)
    whole(tmp_path/'d', 10)


@pytest.mark.parametrize('workers', [0, 1, 8])
def test_order_and_repeats(site, tmp_path, workers):
    paths = [f'{k}/{i}' for i in range(4) for k in ('slow', 'good')]
    table = gathered(site, tmp_path/'d', *paths, *paths, max_workers=workers)
    assert list(table.url) == [f'{site.url}/{p}' for p in paths] and len(site.seen) == 8 and not any(table.reason)


def test_no_threads_plain_errors(site, tmp_path):
    with pytest.raises(FetchError, match='HTML page'):
        gathered(site, tmp_path/'d', 'good', 'page', 'slow', max_workers=0)
    assert site.seen == ['/good', '/page']
    whole(tmp_path/'d', 1)


def test_the_workers_work_at_once(site, tmp_path, monkeypatch):
    "Each waits until four are in it: fewer threads would never get past the barrier."
    barrier, real = threading.Barrier(4, timeout=10), gather_module.download_url
    def together(*args, **kwargs):
        barrier.wait()
        return real(*args, **kwargs)
    monkeypatch.setattr(gather_module, 'download_url', together)
    assert not any(gathered(site, tmp_path, *(f'good/{i}' for i in range(4)), max_workers=4).reason)


def test_max_pics_and_a_file_of_addresses(site, tmp_path):
    lines = [f'{site.url}/good/{i}' for i in range(5)]
    (tmp_path/'urls.txt').write_bytes(b'\xef\xbb\xbf' + '\r\n'.join([*lines, '', '  ']).encode())
    table = download_images(tmp_path/'d', tmp_path/'urls.txt', max_pics=3, allow_private=True)
    assert list(table.url) == lines[:3] and len(site.seen) == 3
    assert len(download_images(tmp_path/'d', tmp_path/'urls.txt', allow_private=True)) == len(site.seen) == 5


def test_nothing_to_do(tmp_path):
    table = download_images(tmp_path/'d', urls=[])
    assert list(table.columns) == ['url', 'file', 'reason'] and len(table) == 0


def test_private_addresses_are_refused(site, tmp_path):
    port = site.server_port
    urls = [f'{u}/good' for u in (site.url, f'http://localhost:{port}', 'http://10.0.0.1', 'http://169.254.169.254')]
    table = download_images(tmp_path/'d', urls=urls)
    assert all('own network' in r for r in table.reason) and site.seen == []


def test_the_setting_allows_them(site, tmp_path, monkeypatch):
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', 'yes')
    table = download_images(tmp_path/'d', urls=[f'{site.url}/good', f'{site.url}/to_good'])
    assert all(table.file) and 'own network' in gathered(site, tmp_path/'e', 'good', allow_private=False).reason[0]


def test_a_redirect_into_the_own_network(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, 'is_public', lambda a, real=fetch.is_public: a == '127.0.0.1' or real(a))
    table = gathered(site, tmp_path/'d', 'to_private', allow_private=False)
    assert '10.255.255.1' in table.reason[0] and site.seen == ['/to_private']


def test_addresses_that_are_none(tmp_path):
    urls = ['ftp://a.example/x.jpg', 'file:///etc/hostname', 'bear', 'http://', 'http://[1/', 'http://a.example:x/',
            'http://a\x00b/', 'http://\ud800/']
    table = download_images(tmp_path/'d', urls=urls)
    assert len(table) == 8 and all(table.reason) and list((tmp_path/'d').iterdir()) == []


@pytest.mark.parametrize('bad, word', [
    ({'urls': 'http://a.example'}, 'list'), ({'urls': [None]}, 'None'), ({}, 'url_file'), ({'urls': [1.5]}, '1.5'),
    ({'urls': [], 'url_file': 'x'}, 'one of them'), ({'url_file': ['http://a']}, 'urls='),
    ({'urls': [], 'max_pics': -1}, 'max_pics=-1'), ({'urls': [], 'max_workers': '8'}, 'max_workers'),
    ({'urls': [], 'retries': 1.5}, 'retries=1.5'), ({'urls': [], 'timeout': 'x'}, 'timeout'),
    ({'urls': [], 'timeout': 0}, 'timeout=0'), ({'urls': [], 'timeout': float('inf')}, 'timeout=inf'),
    ({'urls': [], 'max_bytes': None}, 'max_bytes')])
def test_bad_input(tmp_path, bad, word):
    with pytest.raises(ValueError, match=word): download_images(tmp_path/'d', **bad)
    assert not (tmp_path/'d').exists()


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path/'f').write_text('x')
    with pytest.raises(FetchError, match='cannot be a folder'): download_images(tmp_path/'f', urls=[])


def test_offline_takes_only_what_is_there(site, tmp_path, monkeypatch):
    gathered(site, tmp_path/'d', 'good/1')
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    table = gathered(site, tmp_path/'d', 'good/1', 'good/2')
    assert table.file[0] and table.reason[1] == 'offline is set' and site.seen == ['/good/1']


def test_nobody_there(tmp_path):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{s.getsockname()[1]}/x.jpg'
    assert 'no connection' in download_images(tmp_path, urls=[url], allow_private=True).reason[0]


def test_a_full_disk(site, tmp_path, monkeypatch):
    def full(*args): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(fetch, '_save', full)
    assert 'No space left' in gathered(site, tmp_path/'d', 'good').reason[0]
    whole(tmp_path/'d', 0)


def test_an_interrupt_stops_the_queue(site, tmp_path, monkeypatch):
    def stop(items, *args, **kwargs):
        for _ in items: raise KeyboardInterrupt
    monkeypatch.setattr(gather_module, 'track', stop)
    with pytest.raises(KeyboardInterrupt):
        gathered(site, tmp_path/'d', 'good', *(f'silent/{i}' for i in range(9)), max_workers=1, retries=0)
    site.stop.set()
    for t in threading.enumerate():
        if t.name.startswith('ThreadPoolExecutor'): t.join(20)
    assert len(site.seen) <= 2


# Credits

class Credit(NamedTuple):
    title: str
    creator: str
    licence: str = 'CC BY 4.0'
    licence_url: str = ''
    page: str = ''


class Urls(list): credits = {}


def credited(site, **paths):
    urls = Urls(f'{site.url}/{p}' for p in paths)
    urls.credits = {f'{site.url}/{p}': Credit(p, creator) for p, creator in paths.items()}
    return urls


def credits(folder, name='credits.csv'):
    with open(folder/name, encoding='utf-8-sig', newline='') as f: return list(csv.DictReader(f))


def gather(urls, folder, **kwargs): return download_images(folder, urls=urls, allow_private=True, **kwargs)


def test_credits_of_what_was_kept(site, tmp_path):
    urls = credited(site, good='Zoë, “Z”', page='Nobody', png_as_jpeg='two\nlines')
    table = gather(urls, tmp_path)
    rows = {r['file']: r for r in credits(tmp_path)}
    assert set(rows) == {f.name for f in table.file if f} and len(rows) == 2
    assert [rows[table.file[i].name]['creator'] for i in (0, 2)] == ['Zoë, “Z”', 'two\nlines']
    assert rows[table.file[0].name] == {'file': table.file[0].name, 'url': urls[0], 'title': 'good', 'page': '',
                                        'creator': 'Zoë, “Z”', 'licence': 'CC BY 4.0', 'licence_url': ''}


def test_credits_grow_without_repeats(site, tmp_path):
    gather(credited(site, good='A'), tmp_path)
    stamp = (tmp_path/'credits.csv').stat().st_mtime_ns
    gather(credited(site, good='A'), tmp_path)
    assert (tmp_path/'credits.csv').stat().st_mtime_ns == stamp, 'written again for nothing'
    gather(credited(site, good='B', png_as_jpeg='C'), tmp_path)
    gather([f'{site.url}/slow'], tmp_path)
    assert sorted(r['creator'] for r in credits(tmp_path)) == ['B', 'C']


def test_credits_for_what_came_before_a_failure(site, tmp_path):
    with pytest.raises(FetchError, match='HTML'): gather(credited(site, good='A', page='B'), tmp_path, max_workers=0)
    assert [r['creator'] for r in credits(tmp_path)] == ['A']


def test_columns_that_somebody_added_stay(site, tmp_path):
    gather(credited(site, good='A'), tmp_path)
    row = credits(tmp_path)[0]
    (tmp_path/'credits.csv').write_text(f'note,file,url\nnice bear,{row["file"]}x,u\n')
    gather(credited(site, good='A', png_as_jpeg='B'), tmp_path)
    assert [(r['note'], r['creator']) for r in credits(tmp_path)] == [('nice bear', ''), ('', 'A'), ('', 'B')]


@pytest.mark.parametrize('mine', [b'name,mark\nme,5\n', b'\xff\xfe\x00', b'', b'one line'])
def test_a_file_of_that_name_stays(site, tmp_path, mine):
    (tmp_path/'credits.csv').write_bytes(mine)
    for _ in range(2): gather(credited(site, good='A'), tmp_path)
    assert (tmp_path/'credits.csv').read_bytes() == mine and len(credits(tmp_path, 'credits-2.csv')) == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_nothing_kept_no_credits(site, tmp_path):
    gather(credited(site, page='A', missing='B'), tmp_path)
    gather([f'{site.url}/good'], tmp_path)
    assert not (tmp_path/'credits.csv').exists()


def test_credits_that_cannot_be_written(site, tmp_path, monkeypatch):
    def full(*args, **kwargs): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(gather_module.csv, 'DictWriter', full)
    with pytest.raises(FetchError, match='credits.csv could not be written: No space'):
        gather(credited(site, good='A'), tmp_path)
    assert [p.suffix for p in tmp_path.iterdir()] == ['.jpg']


# Tar archives

def entry(name, body=b'', **more):
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for k, v in more.items(): setattr(info, k, v)
    return info, io.BytesIO(body)


def tarred(path, *entries, mode='w', **kwargs):
    with tarfile.open(path, mode, **kwargs) as t:
        for e in entries: t.addfile(*e)
    return path


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_untar(tmp_path, mode):
    file = tarred(tmp_path/'a.tar', entry('./bears', type=tarfile.DIRTYPE), entry('./bears/1.jpg', JPEG, mode=0o4777),
                  entry('bears/.hidden', b'x'), entry(f'bears/{"n"*150}', b'long'), mode=mode)
    untar(file, tmp_path/'out')
    assert (tmp_path/'out/bears/1.jpg').read_bytes() == JPEG and len(list((tmp_path/'out/bears').iterdir())) == 2
    assert not (tmp_path/'out/bears/1.jpg').stat().st_mode & 0o4111, 'rights are not taken over'
    assert (untar(file, tmp_path/'in', inside='bears')/'1.jpg').exists()


@pytest.mark.parametrize('bad', [
    entry('../x'), entry('/x'), entry('a/../../x'), entry('C:/x'), entry('a\\..\\x'),
    entry('x', type=tarfile.SYMTYPE, linkname='/etc'), entry('x', type=tarfile.LNKTYPE, linkname='ok'),
    entry('x', type=tarfile.FIFOTYPE), entry('x', type=tarfile.CHRTYPE), entry('ok', b'twice'),
    entry('x', bytes(2**20))], ids=lambda e: ascii(e[0].name))
def test_untar_refuses(tmp_path, bad):
    file = tarred(tmp_path/'a.tar', entry('ok', b'fine'), bad, format=tarfile.PAX_FORMAT)
    with pytest.raises(FetchError, match='a.tar was not unpacked') as e: untar(file, tmp_path/'out', max_bytes=2**20)
    assert os.listdir(tmp_path) == ['a.tar'] and '\n' not in str(e.value)


def test_a_name_of_a_gigabyte(tmp_path):
    head, _ = entry('x', type=tarfile.XHDTYPE)
    head.size = 2**30
    (tmp_path/'a.tar').write_bytes(tarfile.TarInfo('ok').tobuf() + head.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    with pytest.raises(FetchError, match='impossible size'): untar(tmp_path/'a.tar', tmp_path/'out')


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:xz'])
def test_a_torn_archive_is_never_half_unpacked(tmp_path, mode):
    data = tarred(tmp_path/'whole', *(entry(str(i), os.urandom(700)) for i in range(3)), mode=mode).read_bytes()
    end = 3*(512 + 1024) if mode == 'w' else len(data) - 12
    for n in {*range(0, end, 256), end}:
        (tmp_path/'torn').write_bytes(data[:n])
        with pytest.raises(FetchError): untar(tmp_path/'torn', tmp_path/'out')
    assert sorted(os.listdir(tmp_path)) == ['torn', 'whole']


def test_a_size_below_zero(tmp_path):
    "It would lead back to an entry before, again and again."
    file = tarred(tmp_path/'a.tar', entry('ok', b'fine'), entry('x', pax_headers={'size': '-2048'}),
                  format=tarfile.PAX_FORMAT)
    with pytest.raises(FetchError, match="'x': an impossible size"): untar(file, tmp_path/'out')


def test_a_bomb_behind_the_end(tmp_path):
    file = tarred(tmp_path/'a.tar', entry('ok', b'fine'))
    with gzip.open(tmp_path/'a.tgz', 'wb') as f: f.write(file.read_bytes() + bytes(4*2**20))
    with pytest.raises(FetchError, match='limit'): untar(tmp_path/'a.tgz', tmp_path/'out', max_bytes=2**20)
    assert not (tmp_path/'out').exists() and (untar(file, tmp_path/'out', max_bytes=4)/'ok').exists()


def test_untar_leaves_a_full_folder_alone(tmp_path):
    (tmp_path/'out').mkdir()
    (tmp_path/'out/mine').write_text('mine')
    with pytest.raises(FetchError, match='there already'): untar(tarred(tmp_path/'a', entry('x')), tmp_path/'out')
    assert os.listdir(tmp_path/'out') == ['mine']
