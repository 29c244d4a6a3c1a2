"Searches against an Openverse that misbehaves on purpose, and a stand-in for the package that asks DuckDuckGo."
import csv
import json
import re
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from test_fetch import Faulty
from test_gather import JPEG

from course_lib.data import fetch, search
from course_lib.data.fetch import FetchError
from course_lib.data.gather import download_images
from course_lib.data.search import Credit, Found, SearchError, search_images, search_images_ddg

BY_SA = 'https://licences.example/by-sa'


class Openverse(Faulty):
    "The term that is searched for says what goes wrong."
    def do_GET(self):
        self.server.seen.append(self.path)
        parts = urlsplit(self.path)
        self.asked = {k: v[0] for k, v in parse_qs(parts.query).items()}
        try: getattr(self, self.asked['q'].split()[0] if self.asked else parts.path.split('/')[1])()
        except OSError: pass
        self.close_connection = True

    def json(self, found):
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.head(content_type='application/json', content_length=len(body))
        self.wfile.write(body)

    def results(self, n, start=0, **more):
        "One page of results, out of `n` bears."
        page, size = int(self.asked['page']), int(self.asked['page_size'])
        found = [{'url': f'{self.server.url}/photo/{start + i}', 'title': f'Bear {i}', 'creator': f'Nº {i}',
                  'license': 'by-sa', 'license_version': '2.0', 'license_url': BY_SA,
                  'foreign_landing_url': f'https://photos.example/{i}', **more} for i in range(n)]
        self.json({'result_count': n, 'page_count': -(-n//size), 'results': found[(page - 1)*size:page*size]})

    def photo(self):
        self.head(content_length=len(JPEG))
        self.wfile.write(JPEG)

    def bear(self): self.results(50)
    def teddy(self): self.results(3, 100, license='cc0', license_version='1.0', creator=None, title=' A\n teddy ')
    def unicorn(self): self.results(0)

    def same(self):
        "Every page is the first one."
        self.asked['page'] = 1
        self.results(60)

    def breaks(self): self.results(60) if self.asked['page'] == '1' else self.head(500, content_length=0)
    def limits(self): self.head(429, retry_after=3600, content_length=0)
    def limits_later(self): self.results(60) if self.asked['page'] == '1' else self.limits()
    def once(self): self.head(429, retry_after=1, content_length=0) if self.again() == 1 else self.results(3)
    def refuses(self): self.head(401, content_length=0)
    def renamed(self): self.json({'items': [1, 2]})
    def a_list(self): self.json([1, 2])
    def no_urls(self): self.json({'results': [{'link': 'x'}], 'page_count': 1})
    def odd_urls(self): self.json({'results': [{'url': u} for u in (None, 3, 'ftp://a/b', 'bear', 'http://[')]})
    def words(self): self.json({'results': 'none', 'page_count': 1})
    def null(self): self.json(b'null')
    def html(self): self.json(b'<!DOCTYPE html><title>Sorry</title>')
    def binary(self): self.json(b'\xff\xfe\x00')
    def deep(self): self.json(b'['*200_000)
    def cut(self): self.json(b'{"results": [{"url": "http')


CHANGED = 'renamed', 'a_list', 'no_urls', 'odd_urls', 'words', 'null', 'html', 'binary', 'cut'


@pytest.fixture
def site(monkeypatch):
    server = ThreadingHTTPServer(('127.0.0.1', 0), Openverse)
    server.daemon_threads, server.seen, server.stop = True, [], threading.Event()
    threading.Thread(target=server.serve_forever, args=[.02], daemon=True).start()
    server.url = f'http://127.0.0.1:{server.server_port}'
    monkeypatch.setattr(search, '_OPENVERSE', f'{server.url}/v1/images/')
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv('COURSE_OFFLINE', 'no')
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', 'yes')
    monkeypatch.setattr(fetch, '_not_before', {})
    monkeypatch.setitem(sys.modules, 'ddgs', None)  # not installed, unless a test says otherwise
    for k in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(k, raising=False)
        monkeypatch.delenv(k.upper(), raising=False)


def openverse(term, n=100, **kwargs): return search_images(term, n, provider='openverse', **kwargs)


def fails(f, *args, **kwargs):
    "The message of a search that failed, after a look that it names a way round."
    with pytest.raises(SearchError) as e: f(*args, **kwargs)
    message = str(e.value)
    assert 'url_file=' in message and 'data_path' in message and '\n' not in message and len(message) < 600
    return message


# Openverse

def test_pages_are_walked(site, capsys):
    urls = openverse('bear')
    assert urls == [f'{site.url}/photo/{i}' for i in range(50)] and isinstance(urls, list)
    asked = [parse_qs(urlsplit(p).query) for p in site.seen]
    assert asked == [{'q': ['bear'], 'page': [str(i)], 'page_size': ['20']} for i in (1, 2, 3)]
    assert "50 addresses for 'bear', and no more" in capsys.readouterr().out


@pytest.mark.parametrize('n, pages', [(0, 0), (1, 1), (20, 1), (21, 2), (50, 3)])
def test_no_more_than_asked_for(site, n, pages, capsys):
    assert len(openverse('bear', n)) == n and len(site.seen) == pages and capsys.readouterr().out == ''


def test_credits(site):
    urls = openverse('bear', 2) + openverse('teddy')[1:2]
    assert len(urls.credits) == 3 and urls.credits[urls[1]] == Credit('Bear 1', 'Nº 1', 'CC BY-SA 2.0', BY_SA, 'https://photos.example/1')
    assert urls.credits[urls[2]] == Credit('A teddy', '', 'CC0 1.0', BY_SA, 'https://photos.example/1')


def test_from_a_search_to_a_folder_with_names(site, tmp_path):
    for n in (3, 5): table = download_images(tmp_path, urls=openverse('bear', n))
    assert (tmp_path/'credits.csv').read_bytes().startswith(b'\xef\xbb\xbf')  # spreadsheets go by it
    with open(tmp_path/'credits.csv', encoding='utf-8-sig', newline='') as f: rows = list(csv.DictReader(f))
    assert [(r['file'], r['url']) for r in rows] == [(f.name, u) for u, f in zip(table.url, table.file, strict=True)]
    assert [r['creator'] for r in rows] == [f'Nº {i}' for i in range(5)]
    assert {r['licence'] for r in rows} == {'CC BY-SA 2.0'}
    assert site.seen.count('/photo/0') == 1


def test_words_that_are_odd(site):
    openverse('bear & cub/ü?#', 1)
    assert parse_qs(urlsplit(site.seen[0]).query)['q'] == ['bear & cub/ü?#']


def test_the_same_page_again_ends_it(site): assert len(openverse('same')) == 20 and len(site.seen) == 2


def test_nothing_found(site, capsys):
    assert openverse('unicorn') == []
    said = capsys.readouterr().out
    assert re.search("nothing for 'unicorn'.*more common word.*provider='duckduckgo'.*url_file", said)


@pytest.mark.parametrize('term', CHANGED)
def test_an_answer_that_changed(site, term): assert 'its answer has changed' in fails(openverse, term)


def test_an_answer_without_end_of_brackets(site): assert 'openverse could not be searched' in fails(openverse, 'deep')


@pytest.mark.parametrize('term, why', [
    ('limits', '429 Too Many Requests'), ('refuses', '401'), ('missing', '404'), ('claims_huge', 'limit of'),
    ('nonsense', 'connection broke'), ('circle', 'redirected'), ('to_file', 'http')])
def test_down_or_limiting(site, monkeypatch, term, why):
    monkeypatch.setattr(fetch.time, 'sleep', lambda s: None)
    message = fails(openverse, term)
    assert why in message and "provider='duckduckgo'" in message


def test_the_message_hides_no_words_but_the_query(site):
    assert 'page_size' not in fails(openverse, 'limits') and "'limits'" in fails(openverse, 'limits')


def test_whoever_limits_is_not_asked_again(site):
    fails(openverse, 'limits')
    assert 'asked us to wait' in fails(openverse, 'bear') and len(site.seen) == 1


def test_a_short_wait_is_kept(site):
    start = time.monotonic()
    assert len(openverse('once')) == 3 and time.monotonic() - start >= .99


def test_slow(site):
    for term in ('silent', 'drip', 'drip_head'): assert 'time was up' in fails(openverse, term, timeout=1)


@pytest.mark.parametrize('term, why', [('breaks', '500'), ('limits_later', '429')])
def test_what_was_found_before_a_failure_is_kept(site, monkeypatch, capsys, term, why):
    monkeypatch.setattr(fetch.time, 'sleep', lambda s: None)
    urls = openverse(term)
    assert len(urls) == 20 == len(urls.credits)
    said = capsys.readouterr().out
    assert '20 addresses' in said and 'then it stopped' in said and why in said


def test_nobody_there(site):
    site.shutdown()
    site.server_close()
    assert 'no connection' in fails(openverse, 'bear')


def test_a_private_address_is_refused(site, monkeypatch):
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', 'no')
    assert 'own network' in fails(openverse, 'bear') and site.seen == []


@pytest.mark.parametrize('provider', search.PROVIDERS)
def test_offline(site, monkeypatch, provider):
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    message = fails(search_images, 'bear', provider=provider)
    assert 'offline is set' in message and 'provider=' not in message and site.seen == []


def test_an_interrupt_is_one(site, monkeypatch):
    def stop(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(search, 'download_url', stop)
    with pytest.raises(KeyboardInterrupt): openverse('bear')


# DuckDuckGo

class DDGSException(Exception): pass
class RatelimitException(DDGSException): pass
class TimeoutException(DDGSException): pass


def package(monkeypatch, answer):
    "A package ddgs whose page n is `answer(n)`, and the list of what it was asked."
    asked = []
    class DDGS:
        def __init__(self, timeout): assert isinstance(timeout, int) and timeout > 0
        def images(self, query, *, safesearch, max_results, page, backend):
            asked.append((query, page))
            return answer(page)
    monkeypatch.setitem(sys.modules, 'ddgs', SimpleNamespace(DDGS=DDGS))
    return asked


def photos(*numbers): return [{'title': 'x', 'image': f'https://bears.example/{i}.jpg', 'url': 'x'} for i in numbers]


def raises(e):
    def f(page): raise e
    return f


def test_the_published_line(monkeypatch, capsys):
    asked = package(monkeypatch, lambda page: photos(*range(page*90, page*90 + 100)))
    urls = search_images_ddg('grizzly bear', max_images=150)
    assert len(urls) == len(set(urls)) == 150 and urls[0] == 'https://bears.example/90.jpg'
    assert asked == [('grizzly bear', 1), ('grizzly bear', 2)] and capsys.readouterr().out == '' and urls.credits == {}
    assert len(search_images_ddg('bear')) == len(search_images(' bear ')) == 200 and asked[-1] == ('bear', 3)


def test_ddg_ends(monkeypatch, capsys):
    def answer(page):
        if page == 3: raise DDGSException('No results found.')
        return photos(page, page + 1)
    package(monkeypatch, answer)
    assert len(search_images('bear')) == 3 and "3 addresses for 'bear', and no more" in capsys.readouterr().out


@pytest.mark.parametrize('answer', [raises(DDGSException('No results found.')), lambda page: []])
def test_ddg_finds_nothing(monkeypatch, capsys, answer):
    package(monkeypatch, answer)
    assert search_images('unicorn') == [] and 'asks too often' in capsys.readouterr().out


@pytest.mark.parametrize('error, why', [
    (RatelimitException('x'), 'limits how often'), (DDGSException('duckduckgo.com 202 Ratelimit'), 'limits how often'),
    (DDGSException('403 Forbidden'), 'limits how often'), (TimeoutException('x'), 'did not answer in time'),
    (DDGSException('operation timed out'), 'did not answer in time'), (KeyError('vqd'), 'its answer has changed'),
    (TypeError("unexpected keyword argument 'page'"), 'its answer has changed'),
    (DDGSException('DNSError > error resolving DNS'), 'no connection'), (DDGSException('Grr: ' + 'x\n'*500), 'Grr')])
def test_ddg_fails(monkeypatch, error, why):
    package(monkeypatch, raises(error))
    message = fails(search_images, 'bear')
    assert why in message and "provider='openverse'" in message


@pytest.mark.parametrize('found', [[{'picture': 'x'}], ['x'], [None], 7, [{'image': None}]])
def test_ddg_changed(monkeypatch, found):
    package(monkeypatch, lambda page: found)
    assert 'its answer has changed' in fails(search_images, 'bear')


def test_ddg_keeps_what_came_before(monkeypatch, capsys):
    package(monkeypatch, lambda page: photos(1, 2) if page == 1 else raises(RatelimitException('x'))(page))
    assert len(search_images('bear')) == 2 and 'then it stopped: it limits how often' in capsys.readouterr().out


def test_ddg_is_not_installed():
    message = fails(search_images_ddg, 'bear')
    assert '%pip install ddgs' in message and "'.[search]'" in message and "provider='openverse'" in message


def test_the_extras_are_there():
    text = (Path(__file__).parents[1]/'pyproject.toml').read_text()
    assert re.search(r'^search = \["ddgs', text, re.M) and re.search(r'^kaggle = \["kaggle', text, re.M)


# The list, and what was asked

def test_found_keeps_its_credits():
    a, b = Found(['u'], {'u': 1}), Found(['v'], {'v': 2})
    assert (a + b)[1:].credits == {'v': 2}
    for both in (a + b, (a + b)[:], Found(a + b)): assert both == ['u', 'v'] and both.credits == {'u': 1, 'v': 2}
    assert (a + ['w']).credits == {'u': 1} and a[0] == 'u' and a == ['u']
    a += b
    assert a.credits == {'u': 1, 'v': 2} and type(a) is Found and b.credits == {'v': 2}


@pytest.mark.parametrize('bad, word', [
    ({'term': ''}, 'term='), ({'term': 3}, 'term=3'), ({'provider': 'google'}, "'google'"),
    ({'provider': None}, 'None'), ({'max_images': -1}, 'max_images=-1'), ({'max_images': 1.5}, '1.5'),
    ({'timeout': 0}, 'timeout=0'), ({'timeout': 'x'}, 'timeout')])
def test_bad_input(bad, word):
    with pytest.raises(ValueError, match=word): search_images(**{'term': 'bear', **bad})


def test_it_is_one_kind_of_error(): assert issubclass(SearchError, FetchError)
