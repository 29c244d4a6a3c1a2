"Data of a competition, with a stand-in for the package that behaves as the old ones and the new ones do."
import builtins
import io
import os
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_lib.data.fetch import FetchError
from course_lib.data.kaggle import KaggleError, KaggleSilent, get_kaggle, kaggle_lacks
from course_lib.settings import SettingsError

FILES = {'train.csv': 'Survived\n1\n', 'images/1.txt': 'x', '.hidden': 'x'}


class HTTPError(OSError):
    "As in requests: the number stands in the response."
    def __init__(self, status):
        super().__init__(f'{status} Client Error: https://www.kaggle.com/…')
        self.response = SimpleNamespace(status_code=status)


class ApiException(Exception):
    "As in the packages before 1.7."
    def __init__(self, status): self.status = status


class MaxRetryError(Exception): pass


class Api:
    def __init__(self): self.asked, self.login, self.get, self.files, self.ending = [], None, None, FILES, 'zip'

    def authenticate(self):
        if self.login: self.login()

    def competition_download_files(self, competition, path=None, force=False, quiet=True):
        self.asked.append(competition)
        print('Downloading', competition, 'to', path)
        if self.get: self.get()
        with zipfile.ZipFile(Path(path)/f'{competition}.{self.ending}', 'w') as z:
            for name, text in self.files.items(): z.writestr(name, text)


@pytest.fixture
def api(monkeypatch):
    fake = Api()
    monkeypatch.setitem(sys.modules, 'kaggle', SimpleNamespace(api=fake))
    return fake


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    "An empty folder with settings."
    (tmp_path/'settings.ini').write_text('[course]\n')
    for k in [k for k in os.environ if k.startswith('COURSE_')]: monkeypatch.delenv(k)
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def raises(e):
    def f(): raise e
    return f


def fails(home, *words, **kwargs):
    "The message of the failure, after a look that nothing was left behind."
    with pytest.raises(FetchError) as e: get_kaggle('titanic', **kwargs)
    left = [p for p in home.rglob('*') if p.name not in ('settings.ini', 'storage')]
    assert left == [] and all(w in str(e.value) for w in words), str(e.value)
    return str(e.value)


def names(folder): return sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file())


@pytest.mark.parametrize('given', [
    'titanic', 'https://www.kaggle.com/competitions/titanic/overview', 'kaggle.com/c/Titanic?x=1'])
def test_it_comes_unpacked(home, api, given, capsys):
    folder = get_kaggle(given)
    assert folder == home/'storage'/'titanic' and names(folder) == ['images/1.txt', 'train.csv']
    assert (folder/'train.csv').read_text() == FILES['train.csv'] and api.asked == ['titanic']
    assert names(home/'storage') == ['titanic/images/1.txt', 'titanic/train.csv'], 'the archive and the rest are gone'
    assert capsys.readouterr().out == 'titanic: downloaded from Kaggle to storage/titanic.\n'


def test_what_is_there_needs_no_network_and_no_package(home, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'kaggle', None)
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    (home/'storage'/'titanic').mkdir(parents=True)
    (home/'storage'/'titanic'/'mine.csv').write_text('x')
    assert names(get_kaggle('titanic')) == ['mine.csv']
    assert 'there already, in storage/titanic' in capsys.readouterr().out


def test_another_folder(home, api):
    assert get_kaggle('titanic', 'deep/er/data') == Path('deep/er/data') and (home/'deep/er/data/train.csv').exists()
    assert not (home/'storage').exists()
    assert names(get_kaggle('titanic', home/'deep/er/data')) == ['images/1.txt', 'train.csv']
    assert len(api.asked) == 1


def test_a_folder_in_the_home_folder(home, api, monkeypatch):
    for key in ('HOME', 'USERPROFILE'): monkeypatch.setenv(key, str(home/'me'))
    assert get_kaggle('titanic', '~/data') == home/'me'/'data' and not (home/'~').exists()


def test_an_empty_folder_is_filled(home, api):
    (home/'storage'/'titanic').mkdir(parents=True)
    assert 'train.csv' in names(get_kaggle('titanic'))


# What may be missing

STEPS = 'settings/api', '.kaggle', 'competitions/titanic/rules', 'competitions/titanic/data', 'storage/titanic'


@pytest.mark.parametrize('login', [
    raises(SystemExit(1)), raises(OSError('Could not find kaggle.json.')), raises(ValueError('Missing username')),
    raises(KeyError('username')), raises(HTTPError(401)), raises(ApiException(401))])
def test_no_key(home, api, login):
    api.login = login
    fails(home, *STEPS)
    assert api.asked == []


def test_no_key_says_nothing_else_and_keeps_the_keyboard(home, api, monkeypatch, capsys):
    "The new packages print a page of help and call `exit`, which closes `sys.stdin`."
    def login():
        print('help '*100)
        builtins.exit(1)
    keyboard = io.StringIO('bear\n')
    monkeypatch.setattr(sys, 'stdin', keyboard)
    api.login = login
    fails(home, *STEPS)
    assert capsys.readouterr().out == '' and sys.stdin is keyboard and input() == 'bear'


@pytest.mark.parametrize('code', ["raise OSError('Could not find kaggle.json.')", 'raise SystemExit(1)'])
def test_a_package_that_cannot_be_imported_without_a_key(home, monkeypatch, code):
    (home/'kaggle.py').write_text(code)
    monkeypatch.delitem(sys.modules, 'kaggle', raising=False)
    monkeypatch.syspath_prepend(home)
    with pytest.raises(KaggleError, match='settings/api'): get_kaggle('titanic')
    assert 'kaggle' not in sys.modules


def test_the_key_may_come_later(home, api):
    api.login = raises(SystemExit(1))
    fails(home)
    api.login = None
    assert 'train.csv' in names(get_kaggle('titanic'))


@pytest.mark.parametrize('kind', [HTTPError, ApiException])
def test_what_kaggle_answers(home, api, kind):
    said = {401: STEPS, 403: ('Accept the rules', *STEPS[2:]), 404: ('no competition called titanic',),
            429: ('answered 429',), 500: ('answered 500', *STEPS[3:])}
    for status, words in said.items():
        api.get = raises(kind(status))
        message = fails(home, *words)
        assert ('settings/api' in message) == (status == 401) and ('By hand' in message) == (status != 404)


@pytest.mark.parametrize('place', ['login', 'get'])
@pytest.mark.parametrize('e', [
    ConnectionError("Failed to resolve 'api.kaggle.com'"), MaxRetryError('Max retries exceeded with url')])
def test_no_network(home, api, place, e):
    setattr(api, place, raises(e))
    assert 'settings/api' not in fails(home, 'no connection', 'By hand')


def test_other_failures(home, api):
    full = OSError(28, 'No space left on device')
    for e, word in (full, 'No space left'), (SystemExit(1), 'SystemExit'), (RuntimeError('{name}\n'*200), '{name}'):
        api.get = raises(e)
        assert len(fails(home, word, 'By hand')) < 500


def test_offline(home, api, monkeypatch):
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    fails(home, 'offline is set', 'By hand', 'storage/titanic')
    assert api.asked == []


def test_the_package_is_missing(home, monkeypatch):
    monkeypatch.setitem(sys.modules, 'kaggle', None)
    fails(home, '%pip install kaggle', "'.[kaggle]'")


def test_an_interrupt_leaves_nothing(home, api):
    api.get = raises(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt): get_kaggle('titanic')
    assert list((home/'storage').iterdir()) == []


# The archive

def test_a_dangerous_archive(home, api):
    api.files = {'ok.csv': 'x', '../../x.csv': 'x'}
    fails(home, 'leads outside')


def test_an_archive_that_is_too_big(home, api): fails(home, 'limit', max_bytes=5)


def test_no_archive(home, api):
    api.ending = 'csv'
    fails(home, 'no zip archive')


def test_a_torn_archive(home, api, monkeypatch):
    def torn(competition, path, quiet): (Path(path)/'titanic.zip').write_bytes(b'PK\3\4 and no more')
    monkeypatch.setattr(api, 'competition_download_files', torn)
    fails(home, 'damaged')


# Where it goes

def test_in_the_way(home, api):
    (home/'f').write_text('x')
    (home/'d').mkdir()
    (home/'d'/'.notes').write_text('x')
    for dest in ('f', 'd'):
        with pytest.raises(KaggleError, match=f'{dest} is in the way'): get_kaggle('titanic', dest)
    assert api.asked == [] and (home/'d'/'.notes').exists()


def test_nowhere_to_write(home, api, monkeypatch):
    (home/'f').write_text('x')
    with pytest.raises(KaggleError, match='f/deep cannot be written'): get_kaggle('titanic', 'f/deep')
    monkeypatch.setenv('COURSE_STORAGE_PATH', 'f/deep')
    with pytest.raises(SettingsError, match='storage_path'): get_kaggle('titanic')
    assert api.asked == []


@pytest.mark.parametrize('bad', [
    '', ' ', '..', 'a/../b', 'a b', 'https://example.com/titanic', 'kaggle.com/c/', 'x'*101, None, 3.5, 'ü'])
def test_names_that_are_none(home, api, bad):
    with pytest.raises(ValueError, match='last part of its address'): get_kaggle(bad)
    assert api.asked == [] and names(home) == ['settings.ini']


# Is it worth trying?

@pytest.fixture
def bare(home, monkeypatch):
    "A home folder without a key."
    for k in [k for k in os.environ if k.startswith('KAGGLE_')]: monkeypatch.delenv(k)
    for k in ('HOME', 'USERPROFILE'): monkeypatch.setenv(k, str(home))
    monkeypatch.delenv('XDG_CONFIG_HOME', raising=False)
    return home


@pytest.mark.parametrize('env, there', [
    ({}, False), ({'KAGGLE_API_TOKEN': 'x'}, True), ({'KAGGLE_API_TOKEN': ''}, False),
    ({'KAGGLE_USERNAME': 'x'}, False), ({'KAGGLE_KEY': 'x'}, False),
    ({'KAGGLE_USERNAME': 'x', 'KAGGLE_KEY': 'x'}, True)])
def test_a_key_in_the_environment(bare, api, monkeypatch, env, there):
    for k, v in env.items(): monkeypatch.setenv(k, v)
    assert kaggle_lacks() == ('' if there else 'there is no Kaggle token on this computer') and api.asked == []


@pytest.mark.parametrize('file, env, there', [
    ('.kaggle/access_token', {}, True), ('.kaggle/access_token.txt', {}, True), ('.kaggle/kaggle.json', {}, True),
    ('.kaggle/credentials.json', {}, True), ('.kaggle/notes.txt', {}, False), ('.kaggle/access_token/x', {}, False),
    ('.config/kaggle/kaggle.json', {}, True), ('.config/kaggle.json', {}, False),
    ('xdg/kaggle/kaggle.json', {'XDG_CONFIG_HOME': 'xdg'}, True),
    ('mine/kaggle.json', {'KAGGLE_CONFIG_DIR': 'mine'}, True),
    ('.config/kaggle/kaggle.json', {'KAGGLE_CONFIG_DIR': 'mine'}, False),
    ('.kaggle/access_token', {'KAGGLE_CONFIG_DIR': 'mine'}, True)])
def test_a_key_in_a_file(bare, api, monkeypatch, file, env, there):
    for k, v in env.items(): monkeypatch.setenv(k, str(bare/v))
    (bare/file).parent.mkdir(parents=True)
    (bare/file).write_text('x')
    assert (kaggle_lacks() == '') == there


def test_looking_for_a_key_imports_nothing(bare, monkeypatch):
    (bare/'kaggle.py').write_text('raise SystemExit(1)')
    monkeypatch.delitem(sys.modules, 'kaggle', raising=False)
    monkeypatch.syspath_prepend(bare)
    monkeypatch.setenv('KAGGLE_API_TOKEN', 'x')
    assert kaggle_lacks() == '' and 'kaggle' not in sys.modules
    monkeypatch.setitem(sys.modules, 'kaggle', None)
    assert kaggle_lacks() == 'the package kaggle is not installed'


def test_silence_is_told_from_an_answer(home, api):
    for e, kind in ((ConnectionError('Failed to resolve'), KaggleSilent), (HTTPError(500), KaggleError),
                    (HTTPError(401), KaggleError)):
        api.get = raises(e)
        with pytest.raises(KaggleError) as caught: get_kaggle('titanic')
        assert type(caught.value) is kind
