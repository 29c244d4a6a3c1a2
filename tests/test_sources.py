"From a name to a folder: which place wins, what is said, and what happens when places are missing, empty or locked."
import functools
import io
import os
import re
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from course_lib.data import sources
from course_lib.data.images import get_image_files
from course_lib.data.passengers import draw_passengers
from course_lib.data.sources import Competition, Source, count_rows, find_weights, get_data
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


# Tables

TRAIN = 'PassengerId,Survived,Name\n1,0,"Braund, Mr. Owen"\n2,1,"Cumings, Mrs. John"\n'
TEST = 'PassengerId,Name\n3,"Kelly, Mr. James"\n'
SAMPLE = 'gender_submission.csv', 'test.csv', 'train.csv'


def lay(folder, train=TRAIN, test=TEST):
    "A folder with two small tables, or without one that is None."
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (('train.csv', train), ('test.csv', test)):
        if text is not None: (folder/name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def names(folder): return sorted(p.name for p in folder.iterdir())


class Kaggle:
    "A stand-in for the package, which sends `files`, or raises `error`."
    def __init__(self): self.asked, self.error, self.files = [], None, {'train.csv': TRAIN, 'test.csv': TEST}
    def authenticate(self): pass

    def competition_download_files(self, competition, path=None, force=False, quiet=True):
        self.asked.append(competition)
        if self.error: raise self.error
        with zipfile.ZipFile(Path(path)/f'{competition}.zip', 'w') as z:
            for name, text in self.files.items(): z.writestr(name, text)


@pytest.fixture
def table(place, monkeypatch):
    "As `place`, with a home folder of its own: no key for Kaggle lies in it."
    for k in [k for k in os.environ if k.startswith('KAGGLE_')]: monkeypatch.delenv(k)
    for k in ('HOME', 'USERPROFILE', 'XDG_CONFIG_HOME'): monkeypatch.setenv(k, str(place/'home'))
    monkeypatch.setitem(sys.modules, 'kaggle', None)
    return place


@pytest.fixture
def kaggle(table, monkeypatch):
    "The package is there, and a key."
    fake = Kaggle()
    monkeypatch.setitem(sys.modules, 'kaggle', SimpleNamespace(api=fake))
    (table/'home'/'.kaggle').mkdir(parents=True)
    (table/'home'/'.kaggle'/'access_token').write_text('no key')
    return fake


def test_embedded_passengers(table, capsys):
    folder = get_data('titanic')
    line = said(capsys)
    assert folder == table/'storage'/'titanic_sample' and tuple(names(folder)) == SAMPLE
    assert 'DRAWN passengers in storage/titanic_sample (1316 rows: train 891, test 425), no real list' in line
    assert 'the package kaggle is not installed' in line and 'data_path in settings.ini' in line
    first = {p: p.read_bytes() for p in folder.iterdir()}
    assert get_data('titanic') == folder and 'again' not in said(capsys)
    assert names(table/'storage') == ['titanic_sample']
    assert {p: p.read_bytes() for p in folder.iterdir()} == first
    draw_passengers(table/'same')
    assert all((table/'same'/p.name).read_bytes() == b for p, b in first.items())


def test_kaggle_is_asked_only_with_a_token_and_online(table, kaggle, capsys, monkeypatch):
    key = table/'home'/'.kaggle'/'access_token'
    key.unlink()
    assert get_data('titanic').name == 'titanic_sample' and 'there is no Kaggle token' in said(capsys)
    key.write_text('no key')
    setting(monkeypatch, offline='yes')
    assert get_data('titanic').name == 'titanic_sample' and 'offline is set' in said(capsys)
    assert kaggle.asked == []
    setting(monkeypatch, offline='no')
    assert get_data('titanic') == table/'storage'/'titanic'
    assert 'tables downloaded from Kaggle to storage/titanic (3 rows: train 2, test 1)' in said(capsys)


def test_what_kaggle_gave_is_kept(table, kaggle, capsys, monkeypatch):
    first = get_data('titanic')
    setting(monkeypatch, offline='yes')
    capsys.readouterr()
    assert get_data('titanic') == first and 'tables downloaded earlier, in storage/titanic (3 rows' in said(capsys)
    assert kaggle.asked == ['titanic'] and names(table/'storage') == ['titanic']
    assert names(first) == ['test.csv', 'train.csv']


def refused_by_kaggle(status):
    e = OSError('the package says a lot')
    e.response = SimpleNamespace(status_code=status)
    return e


@pytest.mark.parametrize('status, why', [
    (401, 'Kaggle does not know you'), (403, 'Accept the rules at https://www.kaggle.com/competitions/titanic/rules'),
    (404, 'no competition called titanic'), (500, 'the server answered 500')])
def test_a_refusal_is_said_in_one_line(table, kaggle, capsys, status, why):
    kaggle.error = refused_by_kaggle(status)
    assert get_data('titanic').name == 'titanic_sample' and why in said(capsys)
    kaggle.error = None
    assert get_data('titanic').name == 'titanic', 'the next click may change the answer, so it is asked again'
    assert len(kaggle.asked) == 2 and names(table/'storage') == ['titanic', 'titanic_sample']


def test_no_connection_to_kaggle_is_remembered(table, kaggle, capsys, monkeypatch):
    kaggle.error = ConnectionError("Failed to resolve 'api.kaggle.com'")
    for _ in range(3): assert get_data('titanic').name == 'titanic_sample' and 'no connection' in said(capsys)
    assert kaggle.asked == ['titanic']
    kaggle.error = None
    monkeypatch.setattr(sources, '_AGAIN', 0)
    assert get_data('titanic').name == 'titanic'


@pytest.mark.parametrize('files, why', [
    ({'train.csv': TRAIN}, 'there is no test.csv'),
    ({'train.csv': '<html>', 'test.csv': TEST}, 'has no column PassengerId')])
def test_kaggle_sends_something_else(table, kaggle, capsys, files, why):
    kaggle.files = files
    assert get_data('titanic').name == 'titanic_sample' and 'Kaggle sent other files: ' in (line := said(capsys))
    assert why in line
    assert get_data('titanic').name == 'titanic_sample'
    assert 'storage/titanic is in the way of a download, and ' in (line := said(capsys)) and why in line
    assert kaggle.asked == ['titanic'] and names(table/'storage'/'titanic') == sorted(files), 'nothing is thrown away'


def test_an_earlier_download_that_is_broken(table, capsys, monkeypatch):
    lay(table/'storage'/'titanic', test=None)
    setting(monkeypatch, offline='yes')
    assert get_data('titanic').name == 'titanic_sample'
    assert 'storage/titanic is in the way of a download, and there is no test.csv' in said(capsys)


def test_own_tables_come_first(table, kaggle, capsys, monkeypatch):
    lay(table/'storage'/'titanic', TRAIN + '9,1,x\n')
    lay(table/'mine'/'titanic')
    lay(table/'list')
    for path, shown in (('mine', 'mine/titanic'), ('mine/titanic', 'mine/titanic'), ('list', 'list')):
        setting(monkeypatch, data_path=path)
        assert get_data('titanic').resolve() == table/shown
        assert f'titanic: your own tables from data_path, {shown} (3 rows: train 2, test 1).' in said(capsys)
    assert kaggle.asked == []


def test_own_tables_are_only_read(table, monkeypatch):
    mine = lay(table/'mine'/'titanic')
    before = sorted((p, p.stat().st_mtime_ns) for p in (table/'mine').rglob('*'))
    mine.chmod(0o555)
    setting(monkeypatch, data_path='mine', storage_path='mine/file/never')
    assert get_data('titanic') == mine
    assert before == sorted((p, p.stat().st_mtime_ns) for p in (table/'mine').rglob('*'))
    mine.chmod(0o755)


@pytest.mark.parametrize('inside, why', [
    ({}, 'it has no folder titanic, nor train.csv and test.csv in it'),
    ({'train.csv': TRAIN}, 'it has no folder titanic, and there is no test.csv'),
    ({'test.csv': TEST}, 'it has no folder titanic, and there is no train.csv'),
    ({'train.csv': 'Id,SalePrice\n1,2\n', 'test.csv': 'Id\n1\n'}, 'and train.csv has no column PassengerId')])
def test_a_data_path_without_the_tables_is_not_passed_over_in_silence(table, capsys, monkeypatch, inside, why):
    (table/'other').mkdir()
    for name, text in inside.items(): (table/'other'/name).write_text(text)
    setting(monkeypatch, data_path='other')
    assert get_data('titanic').name == 'titanic_sample'
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith('data_path other is left out') and why in lines[0]
    assert str(table) not in lines[0] and names(table/'other') == sorted(inside)


BROKEN = [(dict(test=None), 'there is no test.csv'), (dict(train=None), 'there is no train.csv'),
          (dict(train=''), 'train.csv is empty'), (dict(test='\n\n'), 'test.csv is empty'),
          (dict(train='PassengerId,Survived\n'), 'train.csv has names of columns, and no rows'),
          (dict(train=TRAIN + '3,1\n'), 'train.csv is broken in line 4: 2 of 3 values'),
          (dict(train=TRAIN + '3,1,Kelly, Mr. James\n'), 'train.csv is broken in line 4: 4 of 3 values'),
          (dict(train=TRAIN[:-14]), 'train.csv is broken in line 3: unexpected end of data'),
          (dict(test=TEST + '4,"Kelly\n5,x\n'), 'test.csv is broken in line 4: unexpected end of data'),
          (dict(train='<html>Please log in</html>'), "train.csv has no column PassengerId: its first line is '<html>"),
          (dict(train=TRAIN.replace(',', ';')), "train.csv has no column PassengerId: its first line is 'PassengerId;"),
          (dict(train='PassengerId,Name\n1,x\n'), 'train.csv has no column Survived'),
          (dict(train=TRAIN.replace('Braund', 'Bräund').encode('latin-1')), 'train.csv is no text in UTF-8'),
          (dict(train=b'PK\x03\x04\xff\xfe\x00\x00'), 'train.csv is no text in UTF-8'),
          (dict(train='PassengerId,Survived\n1,"' + 'x'*200_000), 'train.csv is broken in line 2: field larger')]


@pytest.mark.parametrize('tables, why', BROKEN)
def test_own_tables_that_are_broken(table, monkeypatch, tables, why):
    "Who names a folder means it: what is wrong there is an error, never a reason to take drawn passengers."
    lay(table/'mine'/'titanic', **tables)
    before = {p.name: p.read_bytes() for p in (table/'mine'/'titanic').iterdir()}
    for path in ('mine', 'mine/titanic'):
        setting(monkeypatch, data_path=path)
        says = f'^data_path = .*{re.escape(path)}: in .*titanic, {re.escape(why)}'
        with pytest.raises(SettingsError, match=says): get_data('titanic')
    assert not (table/'storage').exists()
    assert {p.name: p.read_bytes() for p in (table/'mine'/'titanic').iterdir()} == before


def test_rows_that_are_broken_in_a_folder_of_another_name(table, monkeypatch):
    lay(table/'list', TRAIN + '3,1\n')
    setting(monkeypatch, data_path='list')
    with pytest.raises(SettingsError, match='data_path = .*list: in .*list, train.csv is broken in line 4'):
        get_data('titanic')


def test_what_a_table_may_look_like(table):
    "A mark at the start as Excel writes it, other line ends, empty lines, a line break in quotes, blanks for gaps."
    file = table/'x.csv'
    for text, n in (('\ufeffAge,Port\r\n22,S\r\n', 1), ('Age,Port\n\n22,S\n\n,\n\n', 2),
                    ('Age,Port\n22,"S\nC"\n22, \n', 2), ('Age,Port\n22,S', 1), ('\n\nAge,Port\n22,S', 1)):
        file.write_bytes(text.encode())
        assert count_rows(file, ['Age', 'Port']) == n and count_rows(file, ['Age'], head=True) == 0


def test_photos_and_tables_do_not_mix(table, capsys, monkeypatch):
    fill(table/'pets', ('cats', 'dogs'), 2)
    lay(table/'list')
    fill(table/'wrong'/'titanic')
    lay(table/'wrong'/'bears')
    setting(monkeypatch, data_path='pets', offline='yes')
    assert get_data('titanic').name == 'titanic_sample'
    setting(monkeypatch, data_path='list')
    assert get_data('bears').name == 'bears_sample'
    assert [line.split(':')[0] for line in capsys.readouterr().out.splitlines()[::2]] == [
        'data_path pets is left out', 'data_path list is left out']
    setting(monkeypatch, data_path='wrong')
    with pytest.raises(SettingsError, match='there is no train.csv'): get_data('titanic')
    with pytest.raises(SettingsError, match='there are no images'): get_data('bears')


def test_a_damaged_list_is_drawn_again(table, capsys):
    folder = get_data('titanic')
    before = {p: p.read_bytes() for p in folder.iterdir()}
    (folder/'train.csv').write_text(TRAIN[:-20])
    (folder/'gender_submission.csv').unlink()
    (folder/'mine.csv').write_text('x')
    capsys.readouterr()
    assert get_data('titanic') == folder
    assert 'tables were missing or broken in titanic_sample, they have been drawn again' in capsys.readouterr().out
    assert {p: p.read_bytes() for p in before} == before and (folder/'mine.csv').read_text() == 'x'
    assert (folder/'train.csv.broken').read_text() == TRAIN[:-20], 'nothing is thrown away'
    assert get_data('titanic') == folder and 'again' not in said(capsys)


def test_the_sample_of_a_submission_comes_back(table, capsys):
    folder = get_data('titanic')
    for text in (None, 'PassengerId\n1\n'):
        (folder/'gender_submission.csv').unlink()
        if text: (folder/'gender_submission.csv').write_text(text)
        assert get_data('titanic') == folder and count_rows(folder/'gender_submission.csv', ['Survived']) == 425


def test_a_list_that_was_changed_stays(table, capsys):
    "Who tries something out on the drawn passengers keeps it."
    folder = get_data('titanic')
    (folder/'train.csv').write_text(TRAIN)
    assert get_data('titanic') == folder and (folder/'train.csv').read_text() == TRAIN
    assert 'train 2, test 425' in capsys.readouterr().out.splitlines()[-1]


def together(n, name):
    with ThreadPoolExecutor(n) as pool: return {f.result() for f in [pool.submit(get_data, name) for _ in range(n)]}


def test_notebooks_draw_passengers_at_once(table, monkeypatch):
    gate = threading.Barrier(3)

    def slow(folder):
        gate.wait(10)  # nobody is finished before all have begun
        return draw_passengers(folder)
    monkeypatch.setitem(sources.SOURCES, 'titanic', Competition('titanic', slow))
    assert together(3, 'titanic') == {table/'storage'/'titanic_sample'}
    assert names(table/'storage') == ['titanic_sample'] and tuple(names(table/'storage'/'titanic_sample')) == SAMPLE
    assert count_rows(table/'storage'/'titanic_sample'/'train.csv') == 891


def test_notebooks_mend_at_once(table, monkeypatch):
    folder = get_data('titanic')
    before = (folder/'train.csv').read_bytes()
    (folder/'train.csv').write_text('')
    gate = threading.Barrier(3)

    def slow(folder):
        gate.wait(10)
        return draw_passengers(folder)
    monkeypatch.setitem(sources.SOURCES, 'titanic', Competition('titanic', slow))
    assert together(3, 'titanic') == {folder} and (folder/'train.csv').read_bytes() == before
    assert names(table/'storage') == ['titanic_sample'] and names(folder) == [*SAMPLE, 'train.csv.broken']


def test_notebooks_ask_kaggle_at_once(table, capsys, monkeypatch):
    "The slower one finds the folder there already, and takes it rather than drawn passengers."
    monkeypatch.setattr(sources, 'kaggle_lacks', lambda: '')
    get = sources.fetch_competition

    def slower(name, folder, shown, max_bytes):
        lay(folder)  # another notebook
        return get(name, folder, shown, max_bytes)
    monkeypatch.setattr(sources, 'fetch_competition', slower)
    assert get_data('titanic') == table/'storage'/'titanic' and 'downloaded earlier' in said(capsys)


def test_an_interrupt_while_passengers_are_drawn(table, monkeypatch):
    def stop(folder):
        lay(folder)
        raise KeyboardInterrupt
    monkeypatch.setitem(sources.SOURCES, 'titanic', Competition('titanic', stop))
    with pytest.raises(KeyboardInterrupt): get_data('titanic')
    assert names(table/'storage') == []


def test_no_place_for_passengers(table, capsys, monkeypatch):
    (table/'file').write_text('x')
    setting(monkeypatch, storage_path='file/storage')
    with pytest.raises(SettingsError, match='storage_path = .*set storage_path in settings.ini'): get_data('titanic')
    draw_passengers(table/'storage'/'titanic_sample')
    setting(monkeypatch, storage_path='storage')
    def locked(*args): raise SettingsError('locked')
    monkeypatch.setattr(sources, 'check_writable', locked)
    assert get_data('titanic').name == 'titanic_sample' and 'nothing can be written' in said(capsys)


def test_a_name_near_titanic(table):
    with pytest.raises(ValueError, match='did you mean titanic'): get_data('Titanic')


@pytest.mark.skipif(not (REAL/'titanic').is_dir(), reason='the real list is not here')
def test_the_real_list(table, capsys, monkeypatch):
    for path in (REAL, REAL/'titanic'):
        setting(monkeypatch, data_path=path)
        assert get_data('titanic').resolve() == (REAL/'titanic').resolve()
        assert '(1309 rows: train 891, test 418)' in capsys.readouterr().out
