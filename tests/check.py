"""Everything that has to hold before a change goes in: `python tests/check.py [NAME ...]`, or `make test`.

Each check says how to mend what it finds. What generates files runs in a copy of the tree: looking changes nothing.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PREPARE = 'run: make prepare'
LESSONS = [sys.executable, '-c', 'import sys; from course_lib.lessons import main; sys.exit(main())']
NOT_OURS = ['.git', '.venv', '__pycache__', '.ipynb_checkpoints', '*.egg-info', 'build', 'dist', 'storage', 'models',
            'lessons_run', '.pytest_cache', '.ruff_cache']
LIMIT = 2_000_000  # bytes of a notebook
WIDTH = 120        # characters of a line


class Result(NamedTuple):
    "What a check has found."
    passed: int = 0
    failed: int = 0
    problems: tuple = ()
    note: str = ''


def verdict(problems, mend='', note=''):
    "One check that passes when there are no problems."
    problems = tuple(problems)
    return Result(int(not problems), int(bool(problems)), problems + ((f'To mend, {mend}',) if problems else ()), note)


# Running things

def clean_env(**more):
    "The environment without the settings of whoever runs this."
    drop = ('COURSE_', 'PYTHONPATH', 'MPLBACKEND')
    return {k: v for k, v in os.environ.items() if not k.startswith(drop)} | {'PYTHONUNBUFFERED': '1'} | more


def tool(name):
    "The path of a command that was installed beside this Python."
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not found: raise SystemExit(f'{name} is not installed here: run make test, or pip install -e ".[dev]"')
    return found


def end(process):
    "End a process we started, and what it started."
    with contextlib.suppress(OSError): os.killpg(process.pid, signal.SIGKILL)


def sh(command, cwd=None, env=None, show=False, seconds=900):
    "Run a command; its exit code and output, printed as it comes with `show`."
    p = subprocess.Popen([str(c) for c in command], cwd=cwd or ROOT, env=env or clean_env(), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, encoding='utf-8',
                         errors='replace')
    timer, lines = threading.Timer(seconds, end, [p]), []
    timer.start()
    try:
        for line in p.stdout:
            lines.append(line)
            if show: print('   ', line, end='', flush=True)
        return p.wait(), ''.join(lines)
    finally:
        timer.cancel()
        if p.poll() is None: end(p)
        p.stdout.close()


def said(command, output, rc, n=25):
    "A failed command as one problem: the end of what it printed."
    name = ' '.join(str(c) for c in command if '\n' not in str(c) and len(str(c)) < 80)
    return f'{name} ended with {rc}:\n' + '\n'.join(output.strip().splitlines()[-n:])


# The copy

def tracked():
    "The files that a commit of everything would hold; of a tree without git, all that are ours."
    git = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    with contextlib.suppress(OSError):
        done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0: return [ROOT/f for f in done.stdout.split('\0') if f and (ROOT/f).is_file()]
    skip = shutil.ignore_patterns(*NOT_OURS)
    found = []
    for folder, dirs, files in os.walk(ROOT):
        dirs[:] = [d for d in dirs if d not in skip(folder, dirs)]
        found += [Path(folder)/f for f in files]
    return found


class Copy:
    "A copy of the tree to generate into. `before` holds every file as it was."
    def __init__(self, folder):
        self.folder, self.before = Path(folder), {}
        for path in tracked():
            rel = path.relative_to(ROOT)
            self.before[rel.as_posix()] = path.read_bytes()
            (self.folder/rel).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, self.folder/rel)

    def run(self, *command): return sh(command, self.folder, clean_env(PYTHONPATH=str(self.folder)))

    def changed(self, where):
        "What differs from before below a folder."
        now = {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in (self.folder/where).rglob('*')
               if p.is_file() and '__pycache__' not in p.parts}
        was = {k: v for k, v in self.before.items() if k.startswith(f'{where}/')}
        kinds = [(was.keys() - now.keys(), 'stale'), (now.keys() - was.keys(), 'missing'),
                 ({k for k in was.keys() & now.keys() if was[k] != now[k]}, 'differs')]
        return [f'{name}: {kind}' for names, kind in kinds for name in sorted(names)]

    def restore(self):
        "Put every file back as it was."
        for rel, data in self.before.items():
            path = self.folder/rel
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != data: path.write_bytes(data)


# Notebooks

MACHINE = r'(?<![\w./])/(?:home|Users|root|tmp|work|mnt|opt|private/var|var/folders)/\w[^\s"\']*'


def machine_paths(text):
    "Paths in `text` that name a machine: the usual places, and where this one keeps things."
    here = [re.escape(str(p)) for p in (ROOT, Path.home()) if len(p.parts) > 1]
    return re.findall(f'{MACHINE}|' + '|'.join(rf'(?<![\w./]){p}/\w[^\s"\']*' for p in here), text)


def shown_text(out):
    "The words in an output of a cell."
    data = {k: v if isinstance(v, str) else ''.join(v) for k, v in out.get('data', {}).items() if k.startswith('text/')}
    return ''.join(out.get('text', '')) + '\n' + re.sub(r'base64,[^"\')]+', '', '\n'.join(data.values()))


def cell_faults(cell):
    "What must not be in a cell that is committed."
    for out in cell.get('outputs', []):
        if out['output_type'] == 'error': yield f'a stored error ({out["ename"]})'
        if any('widget' in k for k in out.get('data', {})): yield 'a stored widget: leave a picture with alt text'
        yield from (f'a path of a machine in its output: {p}' for p in machine_paths(shown_text(out)))


def notebook_faults(name, data):
    "What is wrong with a notebook as a file."
    if len(data) > LIMIT: yield f'{name}: {len(data)/1e6:.1f} MB, at most {LIMIT/1e6:.0f}'
    try: nb = json.loads(data)
    except ValueError as e: yield f'{name}: not a notebook: {e}'; return
    if 'widgets' in nb['metadata']: yield f'{name}: holds widget state'
    for i, cell in enumerate(nb['cells']): yield from (f'{name}, cell {i}: {fault}' for fault in cell_faults(cell))


def notebooks(copy):
    "Notebooks hold nothing that a run leaves behind: no counts, metadata, widget state, errors or paths of a machine."
    problems = [f for name, data in copy.before.items() if name.endswith('.ipynb') for f in notebook_faults(name, data)]
    rc, out = copy.run(tool('nbdev-clean'))
    if rc or 'Failed' in out: problems.append(said(['nbdev-clean'], out, rc))
    problems += copy.changed('nbs')
    copy.restore()
    return verdict(problems, 'run: make prepare; for errors, paths and widgets run the notebook again first')


# What is generated

def generated(text): return 'AUTOGENERATED! DO NOT EDIT!' in text or text.startswith('# Autogenerated by nbdev')


def export(copy):
    "course_lib is what the notebooks export: no module edited by hand, none forgotten, none whose notebook has gone."
    problems = []
    for path in sorted((copy.folder/'course_lib').rglob('*.py')):
        if generated(path.read_text(encoding='utf-8')): path.unlink()
        elif path.name != '__init__.py': problems.append(f'{path.relative_to(copy.folder)}: not made from a notebook')
    rc, out = copy.run(tool('nbdev-export'))
    if rc: problems.append(said(['nbdev-export'], out, rc))
    problems += copy.changed('course_lib') + copy.changed('nbs')
    copy.restore()
    return verdict(problems, 'run: make prepare (edit notebooks, never course_lib; a stale file has to be deleted)')


def in_sync(copy, what):
    rc, out = copy.run(*LESSONS, what, '--check')
    return verdict([] if rc == 0 else [out.strip()], PREPARE)


def clean_nbs(copy):
    "The clean copies are what the lessons say, and there is one for each."
    return in_sync(copy, 'clean')


def readme(copy):
    "README.md is what nbs/index.ipynb says."
    return in_sync(copy, 'readme')


# Code

def long_lines():
    "Lines of the library that are too long; nbdev wraps `__all__` in its own way."
    for path in sorted((ROOT/'course_lib').rglob('*.py')):
        if path.name == '_modidx.py': continue
        text = re.sub(r'(?ms)^__all__ = \[.*?\]', lambda m: '\n'*m[0].count('\n'), path.read_text(encoding='utf-8'))
        for i, line in enumerate(text.split('\n'), 1):
            if len(line) > WIDTH:
                yield f'{path.relative_to(ROOT)}:{i}: {len(line)} characters, at most {WIDTH}'


def ruff(copy):
    "ruff finds nothing, and no line is too long."
    places = [d for d in ('course_lib', 'tests', 'benchmarks') if (ROOT/d).is_dir()]
    options = ['--output-format=concise', '--extend-per-file-ignores=course_lib/**:E501']
    rc, out = sh([sys.executable, '-m', 'ruff', 'check', *options, *places])
    mend = 'edit the notebook behind a module of course_lib; for the rest, `ruff check --fix` mends some'
    return verdict(([out.strip()] if rc else []) + list(long_lines()), mend)


def counted(report):
    "Passed, failed and skipped in a JUnit report."
    cases = list(ET.parse(report).iter('testcase'))
    failed = [c for c in cases if c.find('failure') is not None or c.find('error') is not None]
    skipped = [c.find('skipped').get('message', '') for c in cases if c.find('skipped') is not None]
    return len(cases) - len(failed) - len(skipped), [f'{c.get("classname")}::{c.get("name")}' for c in failed], skipped


def pytest_run(*words):
    "Run pytest; its tests count one by one."
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder)/'report.xml'
        command = [sys.executable, '-m', 'pytest', '-q', '--tb=short', '--continue-on-collection-errors',
                   '-p', 'no:cacheprovider', f'--junitxml={report}', *words]
        rc, out = sh(command, show=True)
        if not report.exists(): return Result(0, 1, (said(command, out, rc),))
        passed, failed, skipped = counted(report)
    problems = tuple(failed) if failed else (said(command, out, rc),) if rc else ()
    mend = ('To mend, see the report above; to run one test again: pytest tests -k NAME',) if problems else ()
    note = f'{len(skipped)} skipped: {"; ".join(sorted(set(skipped)))[:160]}' if skipped else ''
    return Result(passed, max(len(failed), int(bool(problems))), problems + mend, note)


def floors(copy):
    "A module imports only from the floors below its own."
    return pytest_run('tests/test_floors.py')


def nbdev_test(copy):
    "Every example and test of the library notebooks holds."
    rc, out = sh([tool('nbdev-test'), '--n-workers', str(min(os.cpu_count() or 1, 4))])
    names = [p for p in copy.before if re.fullmatch(r'nbs/(?!lessons/)(.*/)?[^_./][^/]*\.ipynb', p)]
    listed = out.partition('Failed On The Following Notebooks:')[2]
    failed = re.findall(r'^\s*(\S+\.ipynb)', listed, re.M)
    if rc == 0: return Result(len(names))
    problems = said(['nbdev-test'], out, rc, 60), 'To mend, open the notebook and run it, or: nbdev-test nbs/…'
    return Result(max(len(names) - len(failed), 0), max(len(failed), 1), problems)


def pytest(copy):
    "The tests that no notebook can hold."
    skip = ['test_floors.py', 'test_wheel.py', *(p.name for p in (ROOT/'tests').glob('test_browser*.py'))]
    return pytest_run('tests', *(f'--ignore=tests/{name}' for name in skip))


# Lessons, and what a learner gets

def lessons(copy):
    "Every cell of every lesson runs in a real kernel: drawn data, no network, no settings of whoever runs this."
    with tempfile.TemporaryDirectory() as folder:
        src = shutil.copytree(copy.folder/'nbs/lessons', Path(folder)/'lessons')
        command = [*LESSONS, 'run', '--src', src, '--out', Path(folder)/'run']
        rc, out = sh(command, src, clean_env(COURSE_OFFLINE='yes'), show=True)
    rows = re.findall(r'^(\S+)\s+\d+\s+[\d.]+\s+(passed|failed)$', out, re.M)
    failed = [f'{name}: failed, see above' for name, result in rows if result == 'failed']
    if rc == 0: return Result(len(rows))
    problems = *(failed or [said(['course-lessons', 'run'], out, rc)]), 'To mend, run: make lessons'
    return Result(len(rows) - len(failed), max(len(failed), 1), problems)


def browser(copy):
    "The lessons run in JupyterLab, in a real browser."
    return pytest_run(*(str(p.relative_to(ROOT)) for p in sorted((ROOT/'tests').glob('test_browser*.py'))))


def wheel(copy):
    "The wheel builds, and every module imports from it outside the repository."
    return pytest_run('tests/test_wheel.py')


CHECKS = [notebooks, export, clean_nbs, readme, ruff, floors, nbdev_test, pytest, lessons, browser, wheel]


def run_check(check, copy):
    "Run one check and tell what it found; its result and seconds."
    print(f'== {check.__name__}: {check.__doc__}', flush=True)
    start = time.monotonic()
    try: result = check(copy)
    except Exception as e: result = Result(0, 1, (f'the check itself failed: {type(e).__name__}: {e}',))
    for problem in result.problems: print('   ', problem.replace('\n', '\n    '), flush=True)
    return check.__name__, result, time.monotonic() - start


def table(rows):
    "Check, seconds and result, one line each."
    lines = [f'{"check":<12}{"seconds":>9}  result']
    for name, r, seconds in rows:
        result = f'{r.failed} failed, {r.passed} passed' if r.failed else f'{r.passed} passed'
        lines.append(f'{name:<12}{seconds:9.1f}  {result}{f" ({r.note})" if r.note else ""}')
    return '\n'.join(lines)


def main(argv=None):
    "Run the checks that are named, or all; 1 when one failed."
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(c.__name__ for c in CHECKS))
    names = parser.parse_args(argv).names
    unknown = sorted(set(names) - {c.__name__ for c in CHECKS})
    if unknown: parser.error(f'no check {", ".join(unknown)}; there are {", ".join(c.__name__ for c in CHECKS)}')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started is ended too
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        rows = [run_check(c, copy) for c in CHECKS if not names or c.__name__ in names]
    failed = sum(r.failed for _, r, _ in rows)
    print(f'\n{table(rows)}\n\n{sum(r.passed for _, r, _ in rows)} passed, {failed} failed')
    return int(bool(failed))


if __name__ == '__main__': sys.exit(main())
