"From a name to a folder: which place wins, what is said, and what happens when places are missing, empty or locked."
import functools
import io
import os
import re
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from course_lib.data import sources
from course_lib.data.images import get_image_files
from course_lib.data.sources import Source, find_weights, get_data
from course_lib.settings import SettingsError

REAL = Path(__file__).parents[2]/'shared'/'data'
KINDS = 'black', 'grizzly', 'teddy'


def photo(colour='tan'):
    file = io.BytesIO()
    Image.new('RGB', (8, 8), colour).save(file, 'JPEG')
    return file.getvalue()


def fill(folder, kinds=KINDS, n=2):
    for kind in kinds:
        (folder/kind).mkdir(parents=True, exist_ok=True)
        for i in range(n): (folder/kind/f'{i}.jpg').write_bytes(photo())
    return folder


def bears_zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as z:
        for kind in KINDS:
            for i in range(4): z.writestr(f'bears-1/bears/{kind}/{i}.jpg?v=1', photo())
            z.writestr(f'bears-1/bears/{kind}/.DS_Store', 'x')
        z.writestr('bears-1/app/model.pkl', 'x')
    return file.getvalue()


class Site(BaseHTTPRequestHandler):
    def log_message(self, *args): pass

    def do_GET(self):
        self.server.seen.append(self.path)
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header('content-length', str(len(body or b'')))
        self.end_headers()
        self.wfile.write(body or b'')


@pytest.fixture
def site():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Site)
    server.seen, server.files = [], {'/bears.zip': bears_zip(), '/weights/net-0001.pth': b'numbers'}
    threading.Thread(target=server.serve_forever, args=[.02], daemon=True).start()
    server.url = f'http://127.0.0.1:{server.server_port}'
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(tmp_path, monkeypatch, site):
    "A folder with a `settings.ini` of its own, where `bears` comes from our server or is drawn by `fill`."
    monkeypatch.chdir(tmp_path)
    for k in [k for k in os.environ if k.startswith('COURSE_') or k.lower().endswith('_proxy')]: monkeypatch.delenv(k)
    (tmp_path/'settings.ini').write_text('[course]\n')
    monkeypatch.setitem(sources.SOURCES, 'bears', Source(f'{site.url}/bears.zip', 'bears-1/bears', fill))
    monkeypatch.setattr(sources, 'download_url', functools.partial(sources.download_url, allow_private=True))
    monkeypatch.setattr(sources, '_failed', {})
    return tmp_path


def setting(monkeypatch, **keys):
    for k, v in keys.items(): monkeypatch.setenv(f'COURSE_{k.upper()}', str(v))


def said(capsys):
    "What was said: one line, without the folder we happen to be in."
    text = capsys.readouterr().out
    assert text.count('\n') == 1 and str(Path.cwd()) not in text
    return text


def test_download_then_what_was_downloaded(place, site, capsys):
    first = get_data('bears')
    assert first == place/'storage'/'bears' and len(get_image_files(first)) == 12
    assert 'downloaded to storage/bears (12: black 4, grizzly 4, teddy 4)' in said(capsys)
    assert get_data('bears') == first and 'downloaded earlier' in said(capsys)
    assert site.seen == ['/bears.zip'] and [p.name for p in (place/'storage').iterdir()] == ['bears']
    assert not list(first.rglob('.*'))


def test_offline_means_no_request(place, site, capsys, monkeypatch):
    setting(monkeypatch, offline='yes')
    assert get_data('bears') == place/'storage'/'bears_sample'
    line = said(capsys)
    assert 'DRAWN' in line and 'storage/bears_sample (6: black 2' in line and 'data_path in settings.ini' in line
    assert site.seen == []


def test_a_sample_does_not_keep_the_photos_away(place, capsys, monkeypatch):
    setting(monkeypatch, offline='yes')
    sample = get_data('bears')
    setting(monkeypatch, offline='no')
    assert get_data('bears') == place/'storage'/'bears' and sample.is_dir()
    setting(monkeypatch, offline='yes')
    assert get_data('bears') == place/'storage'/'bears', 'and when offline again, the photos stay preferred'


def test_a_failed_network_is_not_tried_at_every_call(place, site, capsys, monkeypatch):
    site.files.clear()
    for _ in range(3): assert get_data('bears').name == 'bears_sample'
    assert site.seen == ['/bears.zip'] and '404' in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(sources, '_AGAIN', 0)
    site.files['/bears.zip'] = bears_zip()
    assert get_data('bears').name == 'bears'


@pytest.mark.parametrize('body', [b'<html>', b'', bears_zip()[:-100]])
def test_a_damaged_archive(place, site, capsys, body):
    site.files['/bears.zip'] = body
    assert get_data('bears').name == 'bears_sample'
    assert 'damaged' in said(capsys) and [p.name for p in (place/'storage').iterdir()] == ['bears_sample']


def test_no_network(place, capsys, monkeypatch):
    monkeypatch.setitem(sources.SOURCES, 'bears', Source('https://nowhere.invalid/bears.zip', 'bears', fill))
    start = time.monotonic()
    assert get_data('bears').name == 'bears_sample' and time.monotonic() - start < 6
    assert 'no network' in said(capsys)


def test_data_path_comes_first(place, site, capsys, monkeypatch):
    fill(place/'storage'/'bears')
    fill(place/'mine'/'bears', n=3)
    for path in ('mine', 'mine/bears', 'mine/../mine/bears/'):
        setting(monkeypatch, data_path=path)
        assert get_data('bears').resolve() == place/'mine'/'bears'
        assert 'data_path, mine/bears (9: black 3' in said(capsys)
    assert site.seen == []


def test_own_photos(place, capsys, monkeypatch):
    fill(place/'pets', ('cats', 'dogs'), 5)
    setting(monkeypatch, data_path='pets')
    assert get_data('bears') == place/'pets' and '(10: cats 5, dogs 5)' in said(capsys)
    assert get_data('cats') == place/'pets'/'cats'


def test_a_data_path_without_photos_is_not_passed_over_in_silence(place, capsys, monkeypatch):
    fill(place/'one', ('cats',))
    setting(monkeypatch, data_path='one', offline='yes')
    assert get_data('bears').name == 'bears_sample'
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith('data_path one is left out')


def test_folders_that_are_wrong(place, monkeypatch):
    (place/'void'/'bears').mkdir(parents=True)
    (place/'void'/'bears'/'notes.txt').write_text('no bears')
    (place/'file').write_text('x')
    for path in ('gone', 'file', 'void'):
        setting(monkeypatch, data_path=path)
        with pytest.raises(SettingsError, match=f'data_path = .*{path}'): get_data('bears')
    assert not (place/'storage').exists()


def test_data_path_is_only_read(place, monkeypatch):
    mine = fill(place/'mine'/'bears')
    before = sorted((p, p.stat().st_mtime_ns) for p in (place/'mine').rglob('*'))
    mine.chmod(0o555)
    setting(monkeypatch, data_path='mine', storage_path='mine/file/never')
    get_data('bears')
    assert before == sorted((p, p.stat().st_mtime_ns) for p in (place/'mine').rglob('*'))
    mine.chmod(0o755)


def test_storage_that_cannot_be_written(place, site, monkeypatch):
    (place/'file').write_text('x')
    setting(monkeypatch, storage_path='file/storage')
    with pytest.raises(SettingsError, match='storage_path = .*file/storage.*set storage_path in settings.ini'):
        get_data('bears')
    assert site.seen == [], 'refused before any work'


def test_read_only_storage_with_a_sample_in_it(place, capsys, monkeypatch):
    fill(place/'storage'/'bears_sample')
    def locked(*args): raise SettingsError('locked')
    monkeypatch.setattr(sources, 'check_writable', locked)
    assert get_data('bears').name == 'bears_sample' and 'nothing can be written' in said(capsys)


def test_names(place):
    with pytest.raises(ValueError, match='did you mean bears'): get_data('bear')
    for name in ('', '../bears', 'a/b', '/etc', '.', '..'):
        with pytest.raises(ValueError, match='no name'): get_data(name)


def test_a_near_name_in_data_path(place, monkeypatch):
    fill(place/'mine'/'penguins')
    setting(monkeypatch, data_path='mine')
    with pytest.raises(ValueError, match='did you mean penguins'): get_data('penguin')


def test_two_notebooks_draw_at_once(place, monkeypatch):
    def slow(folder):
        time.sleep(.2)
        fill(folder)
    monkeypatch.setitem(sources.SOURCES, 'bears', Source('http://x', '', slow))
    setting(monkeypatch, offline='yes')
    with ThreadPoolExecutor(3) as pool: found = {f.result() for f in [pool.submit(get_data, 'bears') for _ in range(3)]}
    assert len(found) == 1 and [p.name for p in (place/'storage').iterdir()] == ['bears_sample']


def test_a_damaged_sample_is_drawn_again(place, capsys, monkeypatch):
    from course_lib.data.samples import draw_bears
    monkeypatch.setitem(sources.SOURCES, 'bears', Source('http://x', '', lambda o: draw_bears(o, n=2, size=32)))
    setting(monkeypatch, offline='yes')
    folder = get_data('bears')
    before = {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}
    (folder/'black'/'mine.jpg').write_bytes(photo())
    for p in (folder/'teddy').iterdir(): p.unlink()
    (folder/'teddy').rmdir(), (folder/'grizzly'/'000.jpg').unlink()
    capsys.readouterr()
    assert get_data('bears') == folder and 'have been drawn again' in capsys.readouterr().out
    assert {p: p.read_bytes() for p in before} == before and (folder/'black'/'mine.jpg').exists()
    assert get_data('bears') == folder and 'again' not in said(capsys)
    assert [p.name for p in (place/'storage').iterdir()] == ['bears_sample']


def test_two_notebooks_download_at_once(place, site, capsys, monkeypatch):
    "The slower one finds the folder there already, and takes it rather than drawings."
    whole = sources.unzip

    def slower(archive, folder, **limits):
        whole(archive, folder, **limits)
        return whole(archive, folder, **limits)
    monkeypatch.setattr(sources, 'unzip', slower)
    assert get_data('bears').name == 'bears' and 'downloaded earlier' in capsys.readouterr().out
    assert not [o.name for o in (place/'storage').iterdir() if o.name.startswith('.')]


def test_an_interrupted_drawing_leaves_nothing(place, monkeypatch):
    def stop(folder):
        fill(folder)
        raise KeyboardInterrupt
    monkeypatch.setitem(sources.SOURCES, 'bears', Source('http://x', '', stop))
    setting(monkeypatch, offline='yes')
    with pytest.raises(KeyboardInterrupt): get_data('bears')
    assert list((place/'storage').iterdir()) == []


def test_the_pinned_bears():
    "A commit, not a branch: the photos cannot change under the lesson."
    source = sources.SOURCES['bears']
    commit = re.fullmatch(r'https://github.com/y-arjun-y/bears/archive/([0-9a-f]{40})\.zip', source.url)[1]
    assert source.inside == f'bears-{commit}/bears' and source.max_bytes <= 2**30


@pytest.mark.skipif(not (REAL/'bears').is_dir(), reason='the real bears are not here')
def test_the_real_bears(place, capsys, monkeypatch):
    for path in (REAL, REAL/'bears'):
        setting(monkeypatch, data_path=path)
        assert get_data('bears').resolve() == (REAL/'bears').resolve()
        assert '(416: black 139, grizzly 135, teddy 142)' in capsys.readouterr().out


def test_weights_in_their_folder(place, site, capsys, monkeypatch):
    (place/'w').mkdir()
    setting(monkeypatch, weights_path='w')
    for name in ('net.safetensors', 'other.pth', 'hf_hub_timm_x.bin'): (place/'w'/name).write_bytes(b'x')
    assert find_weights('net') == find_weights('net.in1k') == place/'w'/'net.safetensors'
    assert capsys.readouterr().out.splitlines() == ['pretrained weights: w/net.safetensors']*2
    assert find_weights('hf_hub:timm/x').name == 'hf_hub_timm_x.bin' and find_weights('../w/other') is None


def test_weights_from_the_network(place, site, capsys, monkeypatch):
    url = f'{site.url}/weights/net-0001.pth'
    assert find_weights('net', url) == place/'storage'/'weights'/'net.pth' == find_weights('net', url)
    assert site.seen == ['/weights/net-0001.pth']
    assert find_weights('two', url, sha256='0'*16) is None and 'damaged or changed' in capsys.readouterr().out
    assert [p.name for p in (place/'storage'/'weights').iterdir()] == ['net.pth']


def test_the_checksum_in_the_name(place, site, capsys):
    site.files['/net-00000000.pth'] = b'numbers'
    assert find_weights('net', f'{site.url}/net-00000000.pth') is None and 'damaged or changed' in said(capsys)


def test_no_weights_is_said(place, site, capsys, monkeypatch):
    assert find_weights('net') is None
    assert said(capsys).startswith('no pretrained weights for net found: not in storage/weights')
    setting(monkeypatch, offline='yes')
    assert find_weights('net', f'{site.url}/weights/net-0001.pth') is None and 'offline' in said(capsys)
    setting(monkeypatch, weights_path='gone')
    with pytest.raises(SettingsError, match='weights_path = .*gone'): find_weights('net')
    assert site.seen == []
