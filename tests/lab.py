"""JupyterLab in a real browser: start a private server, open a notebook, run it, look at it.

`python tests/lab.py` makes sure that there is a browser: an installed one, else Playwright's own, else Debian's.
"""
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from course_lib.lessons import lab_env, lab_options

NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
MAC = [f'/Applications/{n}.app/Contents/MacOS/{n}' for n in ('Google Chrome', 'Chromium')]
MEND = 'install Chromium or Chrome, or name one: make test CHROMIUM=/path/to/chromium'
NOISE = ['favicon', 'ResizeObserver loop']  # console errors that are no fault of ours


# Finding a browser

def browsers():
    "The browsers to try, best first; None stands for the one that Playwright downloads."
    if named := os.environ.get('CHROMIUM'): return [named]
    found = [shutil.which(n) for n in NAMES] + [p for p in MAC if Path(p).exists()]
    return [p for p in found if p] + [None]


def launch(play, tried=None):
    "A running headless browser, or None; why each one failed goes into `tried`."
    for path in browsers():
        try: return play.chromium.launch(executable_path=path)
        except Exception as e:
            if tried is not None: tried.append(f'{path or "the one of Playwright"}: {str(e).strip().splitlines()[0]}')


@contextlib.contextmanager
def browser():
    "A headless browser for a `with` block. Raises `RuntimeError` when there is none."
    from playwright.sync_api import sync_playwright
    tried = []
    with sync_playwright() as play:
        found = launch(play, tried)
        if not found: raise RuntimeError(f'no browser could be started ({"; ".join(tried)}): {MEND}')
        try: yield found
        finally: found.close()


def has_browser():
    "The path of a browser that starts here, '' if it is Playwright's own, or None."
    from playwright.sync_api import sync_playwright
    with sync_playwright() as play:
        for path in browsers():
            with contextlib.suppress(Exception):
                play.chromium.launch(executable_path=path).close()
                return path or ''


def steps():
    "The commands that may bring a browser, mildest first."
    playwright, root = [sys.executable, '-m', 'playwright'], hasattr(os, 'geteuid') and os.geteuid() == 0
    yield [*playwright, 'install', 'chromium']
    if root and shutil.which('apt-get'):
        yield ['apt-get', 'update', '-qq']
        yield ['apt-get', 'install', '-y', '-qq', 'chromium']
        yield [*playwright, 'install-deps', 'chromium']


def take(step):
    "Run one of `steps()`; what it says is of interest only when it fails."
    print('No browser yet:', ' '.join(step), flush=True)
    try: done = subprocess.run(step, timeout=600, env=os.environ | {'DEBIAN_FRONTEND': 'noninteractive'}, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except (OSError, subprocess.TimeoutExpired) as e: print('   ', e)
    else:
        if done.returncode: print('   ', '\n    '.join(done.stdout.strip().splitlines()[-3:]))


def set_up():
    "Make sure that a browser starts here; 0 when one does."
    found = has_browser()
    for step in () if found is not None or os.environ.get('CHROMIUM') else steps():
        take(step)
        if (found := has_browser()) is not None: break
    which = found or 'the Chromium of Playwright'
    print(f'no browser could be started: {MEND}' if found is None else f'Browser tests use {which}.')
    return int(found is None)


# A server of our own

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def private_env(folder):
    "The environment without this user's Jupyter and course settings; what is written goes below `folder`."
    dirs = {'JUPYTER_CONFIG_DIR': 'config', 'JUPYTER_DATA_DIR': 'data', 'JUPYTER_RUNTIME_DIR': 'runtime',
            'JUPYTERLAB_SETTINGS_DIR': 'settings', 'JUPYTERLAB_WORKSPACES_DIR': 'workspaces', 'IPYTHONDIR': 'ipython'}
    env = {k: v for k, v in os.environ.items() if not k.startswith(('COURSE_', 'JUPYTER'))} | {'COURSE_OFFLINE': 'yes'}
    return lab_env(Path(folder)/'extra', env | {k: str(Path(folder)/v) for k, v in dirs.items()})


class LabServer:
    "JupyterLab over `folder`, on a free port, with this Python as its kernel, for a `with` block; it is ended by id."
    def __init__(self, folder):
        self.folder, self.port, self.token, self.pages = Path(folder), free_port(), secrets.token_hex(16), []

    def __enter__(self):
        self.private = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = open(Path(self.private.name)/'lab.log', 'w+')
        options = lab_options(self.folder, self.port, self.token, browser=False)
        run = 'import sys; from jupyterlab.labapp import main; main(sys.argv[1:])'
        command = [sys.executable, '-c', run, *options, '--LabApp.expose_app_in_browser=True']
        self.process = subprocess.Popen(command, cwd=self.folder, env=private_env(self.private.name), stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        try: self._wait()
        except BaseException: self.__exit__(); raise
        return self

    def _wait(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urlopen(f'http://127.0.0.1:{self.port}/api', timeout=5).close()
                return
            time.sleep(.1)
        raise RuntimeError(f'JupyterLab did not start:\n{self.tail()}')

    def tail(self, n=4000):
        "The end of what the server has logged."
        self.log.flush()
        return Path(self.log.name).read_text()[-n:]

    def __exit__(self, *_):
        for page in self.pages:  # a page that is left open goes on drawing
            with contextlib.suppress(Exception): page.close()
        self.process.terminate()
        try: self.process.wait(10)
        except subprocess.TimeoutExpired: self.process.kill(); self.process.wait()
        self.log.close()
        self.private.cleanup()

    def open(self, browser, path):
        "The notebook at `path`, seen from the folder, in a new page, with its kernel idle."
        self.pages.append(LabPage(self, browser, path))
        return self.pages[-1]


# A notebook in a page

_READY = '''() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (!panel?.context?.isReady || !panel.sessionContext?.isReady || !panel.content?.model) return '';
  return panel.sessionContext.session?.kernel?.status || '';
}'''
_RUN = '''() => {
  window.courseRun = 'running';
  window.jupyterapp.commands.execute('notebook:run-all-cells')
    .then(() => { window.courseRun = 'done'; }, e => { window.courseRun = 'failed: ' + e; });
}'''
_STATE = '''() => {
  const session = window.jupyterapp.shell.currentWidget.sessionContext.session;
  return [window.courseRun, session?.kernel?.status || 'dead'];
}'''
_CELLS = '() => window.jupyterapp.shell.currentWidget.content.widgets.map(w => w.model.toJSON())'
_ASK = '''async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  let said = '';
  future.onIOPub = m => {
    if (m.header.msg_type === 'stream') said += m.content.text;
    if (m.header.msg_type === 'error') said += m.content.ename + ': ' + m.content.evalue;
  };
  await future.done;
  return said;
}'''
_SCROLL = '''async i => {
  const list = window.jupyterapp.shell.currentWidget.content;
  list.activeCellIndex = i;
  await list.scrollToItem(i, 'center');
}'''


class LabPage:
    "One notebook in JupyterLab. `page` is Playwright's page, `console` the errors of the browser."
    def __init__(self, server, browser, path, size=(1280, 900)):
        self.server, self.console = server, []
        self.page = browser.new_page(viewport={'width': size[0], 'height': size[1]})
        self.page.on('console', lambda m: m.type == 'error' and self._heard(f'{m.text} ({m.location.get("url", "")})'))
        self.page.on('pageerror', lambda e: self._heard(str(e)))
        self.page.goto(f'http://127.0.0.1:{server.port}/lab/tree/{path}?reset&token={server.token}')
        self._until(lambda: self.page.evaluate(_READY) == 'idle', 90, 'the kernel is idle')

    def _heard(self, text):
        if not any(n in text for n in NOISE): self.console.append(text)

    def _until(self, true, seconds, what):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                asked = self.page.locator('.jp-Dialog').all_inner_texts()
                heard = f'dialogs: {asked}\nserver: {self.server.tail()}\nconsole: {self.console}'
                raise TimeoutError(f'{seconds} seconds went by before {what}\n{heard}')
            self.page.wait_for_timeout(100)

    def run_all(self, seconds=600):
        "Run every cell and wait for the last; returns `errors()`. Raises `RuntimeError` when the kernel dies."
        self.page.evaluate(_RUN)
        self._until(self._over, seconds, 'all cells had run')
        errors, state = self.errors(), self.page.evaluate(_STATE)
        if state[0] != 'done' or not (errors or self._all_ran()): raise RuntimeError(f'the run ended early: {state}')
        return errors

    def _all_ran(self): return all(c['execution_count'] for c in self._code())

    def _code(self): return [c for c in self.cells() if c['cell_type'] == 'code' and c['source'].strip()]

    def _over(self):
        run, kernel = self.page.evaluate(_STATE)
        return run != 'running' or kernel in ('dead', 'autorestarting', 'restarting')

    def cells(self):
        "The cells as they stand, as a notebook file would hold them."
        return [c | {'source': ''.join(c['source'])} for c in self.page.evaluate(_CELLS)]

    def ask(self, code):
        "What `code` prints when it is run in the notebook's kernel, outside of any cell."
        return self.page.evaluate(_ASK, code).strip()

    def wait(self, script, what, seconds=20):
        "Wait until `script`, in JavaScript about the first widget as `root`, is true."
        whole = f'() => {{ const root = document.querySelector(".cw-root"); return {script}; }}'
        try: self.page.wait_for_function(whole, timeout=seconds*1000)
        except Exception as e:
            raise AssertionError(f'{what}: {self.page.locator(".cw-root").first.inner_text()}') from e

    def outputs(self, word):
        "The index of the first code cell whose source holds `word`, and its outputs."
        code = ((i, c) for i, c in enumerate(self.cells()) if c['cell_type'] == 'code')
        return next(((i, c['outputs']) for i, c in code if word in c['source']), (-1, []))

    def errors(self):
        "One line for each code cell that has failed; they are counted from 1, as JupyterLab does."
        return [f'cell {i}: {o["ename"]}: {o["evalue"]}' for i, c in enumerate(self._code(), 1)
                for o in c['outputs'] if o['output_type'] == 'error']

    def show(self, index):
        "Bring cell `index` into view: JupyterLab draws only what is near."
        self.page.evaluate(_SCROLL, index)
        self.page.wait_for_timeout(300)
        return self.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]').first

    def screenshot(self, path):
        "Save what the browser shows."
        self.page.screenshot(path=str(path))
        return path

    def close(self):
        "Close the page; its kernel ends with the server."
        self.page.close()


if __name__ == '__main__': sys.exit(set_up())
