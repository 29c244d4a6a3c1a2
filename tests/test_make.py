"""What `make` sets up: .venv, with a Python that only pretends, and a browser, with commands that only pretend."""
import os
import shutil
import subprocess
from pathlib import Path

import lab
import pytest

MAKEFILE = Path(__file__).parents[1]/'Makefile'

# Answers what the Makefile asks a Python, makes a .venv of itself, and writes down what pip is told.
FAKE = '''#!/bin/sh
case "$*" in
  *'%d.%d'*) echo {version} ;;
  *'(3, 10)'*) exit {old} ;;
  *ensurepip*) exit {bare} ;;
  *'-m venv'*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo venv >> log
               printf '#!/bin/sh\\necho lab "$@"\\n' > .venv/bin/course-lessons; chmod +x .venv/bin/course-lessons ;;
  *'pip '*) echo "$@" >> log; test ! -f broken ;;
esac
'''


@pytest.fixture
def project(tmp_path):
    if not shutil.which('make'): pytest.skip('make is not installed')
    root = tmp_path/'a project'
    root.mkdir()
    shutil.copy(MAKEFILE, root)
    (root/'pyproject.toml').touch()
    return root


def python(root, version='3.12', old=0, bare=0):
    "A pretended Python."
    path = root/'python'
    path.write_text(FAKE.format(version=version, old=old, bare=bare))
    path.chmod(0o755)
    return f'PYTHON={path}'


def make(root, *words):
    "Exit code and output of `make`, as from a terminal also when these tests were started by a make."
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'PORT', 'PYTHON')}
    done = subprocess.run(['make', *words], cwd=root, capture_output=True, text=True, timeout=60, env=env)
    return done.returncode, done.stdout + done.stderr


def log(root): return (root/'log').read_text() if (root/'log').exists() else ''


def test_first_run_installs_and_second_does_not(project):
    fake = python(project)
    rc, text = make(project, 'lab', 'PORT=9000', fake)
    assert rc == 0 and 'Python 3.12' in text and '6 GB' in text and text.rstrip().endswith('lab lab --port 9000')
    assert log(project).count('venv') == 1 and 'install -qq -e .' in log(project)
    before = log(project)
    rc, text = make(project, 'lab')
    assert rc == 0 and text.strip() == 'lab lab' and log(project) == before


def test_changed_dependencies_are_installed(project):
    fake = python(project)
    make(project, 'lab', fake)
    stamp = (project/'.venv/.ready').stat().st_mtime
    os.utime(project/'pyproject.toml', (stamp + 5, stamp + 5))
    before = log(project)
    make(project, 'lab', fake)
    assert log(project).count('-e .') == before.count('-e .') + 1 and log(project).count('venv') == 1


def test_interrupted_install_goes_on(project):
    fake = python(project)
    (project/'broken').touch()
    rc, text = make(project, 'lab', fake)
    assert rc and 'did not finish' in text and not (project/'.venv/.ready').exists() and 'lab lab' not in text
    (project/'broken').unlink()
    rc, text = make(project, 'lab', fake)
    assert rc == 0 and 'lab lab' in text and log(project).count('venv') == 1


def test_moved_project_is_set_up_again(project):
    fake = python(project)
    make(project, 'lab', fake)
    moved = project.rename(project.parent/'moved')
    rc, text = make(moved, 'lab', python(moved))
    assert rc == 0 and log(moved).count('venv') == 2


def test_old_python(project):
    rc, text = make(project, 'lab', python(project, '3.9', old=1))
    assert rc and 'Python 3.10 or newer is needed' in text and '(3.9)' in text and not (project/'.venv').exists()


def test_python_without_venv(project):
    rc, text = make(project, 'lab', python(project, '3.11', bare=1))
    assert rc and 'sudo apt install python3.11-venv' in text and not (project/'.venv').exists()


def test_help_is_the_default(project):
    rc, text = make(project)
    assert rc == 0 and all(f'make {name}' in text for name in ('lab', 'lessons', 'test', 'bench'))
    assert not (project/'.venv').exists()


# The browser

def test_browser_of_the_user_goes_first(monkeypatch):
    monkeypatch.setenv('CHROMIUM', '/opt/mine')
    assert lab.browsers() == ['/opt/mine']
    monkeypatch.delenv('CHROMIUM')
    monkeypatch.setattr(lab.shutil, 'which', lambda name: f'/usr/bin/{name}' if 'google' in name else None)
    monkeypatch.setattr(lab, 'MAC', [])
    assert lab.browsers() == ['/usr/bin/google-chrome', '/usr/bin/google-chrome-stable', None]


def test_no_browser_says_how_to_mend(monkeypatch, capsys):
    "Each way is tried until one brings a browser; the last word is what the user can do."
    monkeypatch.delenv('CHROMIUM', raising=False)
    monkeypatch.setattr(lab, 'has_browser', lambda: None)
    monkeypatch.setattr(lab, 'steps', lambda: iter([['sh', '-c', 'echo no network; exit 1'], ['no-such-command']]))
    assert lab.set_up() == 1
    text = capsys.readouterr().out
    assert 'no network' in text and 'no-such-command' in text and 'CHROMIUM=/path' in text.splitlines()[-1]


def test_first_way_that_works_is_enough(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv('CHROMIUM', raising=False)
    monkeypatch.setattr(lab, 'has_browser', lambda: '' if (tmp_path/'there').exists() else None)
    monkeypatch.setattr(lab, 'steps', lambda: iter([['touch', str(tmp_path/'there')], ['touch', str(tmp_path/'more')]]))
    assert lab.set_up() == 0 and not (tmp_path/'more').exists()
    assert 'the Chromium of Playwright' in capsys.readouterr().out
