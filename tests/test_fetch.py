"Downloads against a server that misbehaves on purpose: whole files or one clear error, and nothing left behind."
import hashlib
import socket
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from course_lib.data import fetch
from course_lib.data.fetch import FetchError, download_url, unzip

BODY = bytes(range(256))*400


class Faulty(BaseHTTPRequestHandler):
    "Each path is a fault."
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args): pass

    def do_GET(self):
        self.server.seen.append(self.path)
        try: getattr(self, self.path.strip('/').split('/')[0].split('?')[0])()
        except OSError: pass
        self.close_connection = True

    def head(self, status=200, **headers):
        self.send_response(status)
        for k, v in headers.items(): self.send_header(k.replace('_', '-'), str(v))
        self.end_headers()

    def again(self): return sum(p == self.path for p in self.server.seen)

    def good(self):
        self.head(content_length=len(BODY))
        self.wfile.write(BODY)

    def unsized(self):
        self.head(connection='close')
        self.wfile.write(BODY)

    def drip(self):
        self.head(content_length=len(BODY))
        self.drops()

    def drip_unsized(self):
        self.head(connection='close')
        self.drops()

    def drip_head(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nx-long: ')
        self.drops()

    def drops(self):
        while not self.server.stop.wait(.1):
            self.wfile.write(b'x')
            self.wfile.flush()

    def silent(self): self.server.stop.wait(30)

    def truncated(self):
        self.head(content_length=len(BODY))
        self.wfile.write(BODY[:1000])

    def truncated_once(self): self.truncated() if self.again() == 1 else self.good()

    def endless(self):
        self.head(connection='close')
        while not self.server.stop.is_set(): self.wfile.write(bytes(2**16))

    def claims_huge(self):
        self.head(content_length=10**12)
        self.wfile.write(BODY)

    def claims_little(self):
        self.head(content_length=1000)
        self.wfile.write(BODY)

    def nonsense(self): self.wfile.write(b'grrr\r\n\r\n')

    def circle(self): self.head(302, location='/circle', content_length=0)

    def to_good(self): self.head(302, location='/good', content_length=0)

    def hop(self):
        n = int(self.path.split('/')[2])
        self.head(301, location=f'/hop/{n - 1}' if n > 1 else '/good', content_length=0)

    def to_file(self): self.head(302, location='file:///etc/hostname', content_length=0)

    def to_elsewhere(self): self.head(302, location=self.server.elsewhere, content_length=0)

    def to_private(self): self.head(302, location='http://10.255.255.1/good', content_length=0)

    def busy_twice(self): self.head(503, retry_after=1, content_length=0) if self.again() < 3 else self.good()

    def busy_date(self):
        soon = formatdate(time.time() + 2, usegmt=True)
        self.head(503, retry_after=soon, content_length=0) if self.again() < 2 else self.good()

    def busy_long(self): self.head(429, retry_after=3600, content_length=0)

    def broken(self): self.head(500, content_length=0)

    def missing(self): self.head(404, content_length=0)


@pytest.fixture
def site():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Faulty)
    server.daemon_threads, server.seen, server.stop = True, [], threading.Event()
    threading.Thread(target=server.serve_forever, args=[.02], daemon=True).start()
    server.url = f'http://127.0.0.1:{server.server_port}'
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    "Online, straight, and no host has asked us to wait."
    monkeypatch.setenv('COURSE_OFFLINE', 'no')
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', 'no')
    monkeypatch.setattr(fetch, '_not_before', {})
    for k in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(k, raising=False)
        monkeypatch.delenv(k.upper(), raising=False)


def get(site, path, tmp_path, **kwargs):
    return download_url(f'{site.url}/{path}', tmp_path/'out', **{'allow_private': True, 'timeout': 10, **kwargs})


def fails(site, path, tmp_path, **kwargs):
    "The message of the failure, after a look that nothing was left behind."
    start = time.monotonic()
    with pytest.raises(FetchError) as e: get(site, path, tmp_path, **kwargs)
    assert list(tmp_path.iterdir()) == []
    assert '\n' not in str(e.value)
    return str(e.value), time.monotonic() - start


@pytest.mark.parametrize('path', ['good', 'unsized', 'to_good', 'hop/5', 'truncated_once', 'good?token=1'])
def test_arrives_whole(site, tmp_path, path):
    assert get(site, path, tmp_path).read_bytes() == BODY
    assert [p.name for p in tmp_path.iterdir()] == ['out']


def test_checksum(site, tmp_path):
    sha = hashlib.sha256(BODY).hexdigest()
    for part in (sha, sha[:8], sha.upper()): get(site, 'good', tmp_path, sha256=part)
    (tmp_path/'out').unlink()
    assert 'damaged or changed' in fails(site, 'good', tmp_path, sha256='00000000')[0]
    assert site.seen.count('/good') == 4, 'a wrong checksum is not worth another try'


def test_a_failure_keeps_the_old_file(site, tmp_path):
    (tmp_path/'out').write_text('old')
    with pytest.raises(FetchError): get(site, 'truncated', tmp_path, retries=0)
    assert (tmp_path/'out').read_text() == 'old'


@pytest.mark.parametrize('path', ['drip', 'drip_unsized', 'drip_head', 'silent', 'endless'])
def test_the_time_limit_holds(site, tmp_path, path):
    message, seconds = fails(site, path, tmp_path, timeout=1.5, max_bytes=10**12)
    assert 'time was up' in message and 1 < seconds < 30


def test_idle_server(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, '_IDLE', .3)
    message, seconds = fails(site, 'silent', tmp_path, retries=1)
    assert 'nothing arrived' in message and '2 tries' in message and seconds < 30


def test_sizes(site, tmp_path):
    for path in ('endless', 'claims_huge'):
        message, seconds = fails(site, path, tmp_path, max_bytes=10**6)
        assert 'limit' in message and seconds < 30
    assert fails(site, 'good', tmp_path, max_bytes=len(BODY) - 1)
    assert get(site, 'good', tmp_path, max_bytes=len(BODY))


def test_a_lie_about_the_size_is_caught_by_the_checksum(site, tmp_path):
    assert 'damaged' in fails(site, 'claims_little', tmp_path, sha256=hashlib.sha256(BODY).hexdigest())[0]


def test_truncated(site, tmp_path):
    message, _ = fails(site, 'truncated', tmp_path, retries=1)
    assert 'connection broke' in message and site.seen == ['/truncated']*2


def test_nonsense(site, tmp_path): assert 'connection broke' in fails(site, 'nonsense', tmp_path, retries=0)[0]


def test_redirects(site, tmp_path):
    for path in ('circle', 'hop/6'): assert 'redirected' in fails(site, path, tmp_path)[0]
    assert 'http://' in fails(site, 'to_file', tmp_path)[0]


def test_busy(site, tmp_path):
    start = time.monotonic()
    assert get(site, 'busy_twice', tmp_path).read_bytes() == BODY
    assert time.monotonic() - start >= 2
    assert get(site, 'busy_date', tmp_path).read_bytes() == BODY
    assert len(site.seen) == 5


def test_busy_for_longer_than_we_wait(site, tmp_path):
    message, seconds = fails(site, 'busy_long', tmp_path)
    assert '429' in message and seconds < 30


def test_a_host_that_asked_us_to_wait_is_left_alone(site, tmp_path):
    fails(site, 'busy_long', tmp_path)
    assert 'asked us to wait' in fails(site, 'good', tmp_path)[0] and site.seen == ['/busy_long']
    other = f'http://localhost:{site.server_port}/good'
    assert download_url(other, tmp_path/'out', allow_private=True, timeout=10).read_bytes() == BODY


def test_behind_a_redirect_both_hosts_are_left_alone(site, tmp_path):
    site.elsewhere = f'http://localhost:{site.server_port}/busy_long'
    fails(site, 'to_elsewhere', tmp_path)
    assert set(fetch._not_before) == {(h, site.server_port) for h in ('127.0.0.1', 'localhost')}


def test_nobody_is_left_alone_for_ever(monkeypatch):
    monkeypatch.setattr(fetch.time, 'monotonic', lambda: 0)
    fetch._leave_alone([('a.example', 80)], 1e12)
    assert fetch._not_before == {('a.example', 80): 3600}


def test_a_wait_that_grows_while_we_sleep(monkeypatch):
    now, host = [0], ('a.example', 80)
    def sleep(seconds):
        now[0] += seconds
        if now[0] == 5: fetch._leave_alone([host], 3)
    monkeypatch.setattr(fetch.time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(fetch.time, 'sleep', sleep)
    fetch._leave_alone([host], 5)
    fetch._await_turn('http://a.example/x', 10)
    assert now == [8]


@pytest.mark.parametrize('setting, argument, fine', [
    ('no', None, False), ('yes', None, True), ('no', True, True), ('yes', False, False)])
def test_the_setting_and_the_argument(site, tmp_path, monkeypatch, setting, argument, fine):
    monkeypatch.setenv('COURSE_ALLOW_PRIVATE', setting)
    if fine: assert get(site, 'good', tmp_path, allow_private=argument).read_bytes() == BODY
    else: assert 'allow_private = yes' in fails(site, 'good', tmp_path, allow_private=argument)[0]
    assert len(site.seen) == fine


def test_offline_asks_nobody(site, tmp_path, monkeypatch):
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    assert 'offline is set' in fails(site, 'good', tmp_path)[0] and site.seen == []


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ddgs', None)
    with pytest.raises(FetchError, match=r'%pip install ddgs .*\.\[search\]'):
        fetch.optional('ddgs', 'search')


def test_a_package_that_is_half_there(tmp_path, monkeypatch):
    (tmp_path/'half_a_bear.py').write_text('import the_other_half')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FetchError, match='the_other_half is missing'): fetch.optional('half_a_bear', 'x')


def test_server_errors(site, tmp_path):
    assert '500' in fails(site, 'broken', tmp_path, retries=1)[0] and len(site.seen) == 2
    assert '404 Not Found' in fails(site, 'missing', tmp_path)[0] and len(site.seen) == 3


def test_private_addresses(site, tmp_path, monkeypatch):
    for url in (site.url, f'http://localhost:{site.server_port}', 'http://[::1]:1', 'http://2130706433', 'http://0x7f.1',
                'http://169.254.169.254', 'http://10.0.0.1', 'http://[::ffff:127.0.0.1]'):
        with pytest.raises(FetchError, match='own network'): download_url(f'{url}/good', tmp_path/'out')
    assert site.seen == []


def test_a_redirect_into_the_own_network(site, tmp_path, monkeypatch):
    "The first host is taken for a public one; the second is looked at for what it is."
    monkeypatch.setattr(fetch, 'is_public', lambda a, real=fetch.is_public: a == '127.0.0.1' or real(a))
    with pytest.raises(FetchError, match='10.255.255.1'): download_url(f'{site.url}/to_private', tmp_path/'out')
    assert site.seen == ['/to_private']


def test_a_name_that_changes_its_mind(site, tmp_path, monkeypatch):
    "The look-up says public, the connection ends at home: it is dropped before anything is sent."
    monkeypatch.setattr(fetch, '_look_up', lambda *a: {'8.8.8.8'})
    url = f'http://host.invalid:{site.server_port}/good'
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, 'getaddrinfo', lambda h, *a, **k: real('127.0.0.1' if 'invalid' in h else h, *a, **k))
    with pytest.raises(FetchError, match='127.0.0.1'): download_url(url, tmp_path/'out', timeout=5)
    assert site.seen == []


def test_nobody_there(tmp_path):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{s.getsockname()[1]}/x'
    start = time.monotonic()
    with pytest.raises(FetchError, match='no connection'): download_url(url, tmp_path/'out', allow_private=True)
    assert time.monotonic() - start < 30


def test_no_such_host(tmp_path, monkeypatch):
    def unknown(*_, **__): raise socket.gaierror('Name or service not known')
    monkeypatch.setattr(socket, 'getaddrinfo', unknown)
    start = time.monotonic()
    with pytest.raises(FetchError, match='no network'): download_url('https://nowhere.invalid/x', tmp_path/'out')
    assert time.monotonic() - start < 30


def test_a_look_up_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *a, **k: time.sleep(5) or [])
    monkeypatch.setattr(fetch, '_CONNECT', 1)
    start = time.monotonic()
    with pytest.raises(FetchError, match='no network'): download_url('https://slow.example/x', tmp_path/'out')
    assert time.monotonic() - start < 30


def test_a_network_that_swallows_everything(tmp_path, monkeypatch):
    "A full backlog never answers: the connection itself must give up."
    monkeypatch.setattr(fetch, '_CONNECT', 1)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for w in waiting:
            w.setblocking(False)
            w.connect_ex(s.getsockname())
        start = time.monotonic()
        with pytest.raises(FetchError, match='no connection'):
            download_url(f'http://127.0.0.1:{s.getsockname()[1]}/x', tmp_path/'out', allow_private=True)
        assert time.monotonic() - start < 30
        for w in waiting: w.close()


def test_addresses_that_are_none(tmp_path):
    for url in ('ftp://a.example/x', 'bears', '', 'http://', 'http://a.example:bear/', 'http://[1/'):
        with pytest.raises(FetchError): download_url(url, tmp_path/'out')


def test_places_that_cannot_be_written(site, tmp_path):
    (tmp_path/'file').write_text('x')
    with pytest.raises(FetchError, match='file'):
        download_url(f'{site.url}/good', tmp_path/'file'/'out', allow_private=True)
    with pytest.raises(FetchError, match='folder'): download_url(f'{site.url}/good', tmp_path, allow_private=True)
    assert site.seen == []


def test_a_full_disk(site, tmp_path, monkeypatch):
    def full(*args): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(fetch, '_save', full)
    assert 'No space left' in fails(site, 'good', tmp_path)[0]


def test_an_interrupt_leaves_nothing(site, tmp_path, monkeypatch):
    def stop(*args): raise KeyboardInterrupt
    monkeypatch.setattr(fetch, '_save', stop)
    with pytest.raises(KeyboardInterrupt): get(site, 'good', tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_password_in_a_message(tmp_path):
    with pytest.raises(FetchError) as e: download_url('http://me:secret@127.0.0.1/x?key=hidden', tmp_path/'out')
    assert 'secret' not in str(e.value) and 'hidden' not in str(e.value)


def test_a_web_page_instead_of_an_archive(site, tmp_path):
    get(site, 'good', tmp_path)
    with pytest.raises(FetchError, match='damaged'): unzip(tmp_path/'out', tmp_path/'folder')
    assert [p.name for p in tmp_path.iterdir()] == ['out']
