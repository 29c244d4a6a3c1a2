"""What the lessons tool does on disk, in a kernel and on the command line; its notebook tests the rest."""
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import lab
import pytest

from course_lib.lessons import (
    LessonError,
    clean_lessons,
    lesson_files,
    main,
    render_readme,
    run_lesson,
    run_lessons,
    strip_lesson,
    write_readme,
)

ROOT = Path(__file__).parents[1]
LESSONS = lesson_files(ROOT/'nbs/lessons')
COMMAND = [sys.executable, '-c', 'import sys; from course_lib.lessons import main; sys.exit(main())']


def read(path): return json.loads(Path(path).read_text(encoding='utf-8'))


def sources(nb): return [''.join(c['source']) for c in nb['cells']]


# Clean copies

@pytest.mark.parametrize('path', LESSONS, ids=lambda p: p.stem)
def test_clean_copy_of_a_lesson(path):
    "No output, no prose before the questionnaire, every word after it, and all code but the hidden one to the letter."
    nb = read(path)
    clean = strip_lesson(nb)
    first = next((i for i, s in enumerate(sources(nb)) if re.match(r'#+ questionnaire', s, re.I)), len(nb['cells']))
    for i, (cell, text) in enumerate(zip(nb['cells'], sources(nb), strict=True)):
        if cell['cell_type'] == 'markdown' and i >= first: assert text in sources(clean)
        if cell['cell_type'] == 'markdown' and i < first:
            prose = [line for line in text.splitlines() if len(line) > 40 and not line.startswith('#')]
            assert not any(line in s for line in prose for s in sources(clean))
        hidden = text.lstrip().startswith('#| hide\n') or 'nbdev_export' in text
        if cell['cell_type'] == 'code' and text.strip(): assert (text in sources(clean)) != hidden
    assert not any(c.get('outputs') or c.get('execution_count') or c['metadata'] for c in clean['cells'])


def test_clean_keeps_foreign_things_out(tmp_path, write_notebook):
    "Notebooks that start with `_`, and files of other kinds, are left alone on both sides."
    src, dest = tmp_path/'src', tmp_path/'dest'
    write_notebook(src/'01_a.ipynb', '# A', 'x = 1')
    write_notebook(src/'_draft.ipynb', '# Draft')
    write_notebook(dest/'_mine.ipynb', '# Mine')
    (dest/'notes.txt').write_text('mine')
    clean_lessons(src, dest)
    assert sorted(p.name for p in dest.iterdir()) == ['01_a.ipynb', '_mine.ipynb', 'notes.txt']


def test_check_writes_nothing(tmp_path, write_notebook):
    write_notebook(tmp_path/'src/01_a.ipynb', '# A', 'x = 1')
    assert [c.why for c in clean_lessons(tmp_path/'src', tmp_path/'dest', check=True)] == ['missing']
    assert not (tmp_path/'dest').exists()


def test_broken_lesson_changes_nothing(tmp_path, write_notebook):
    "One lesson that cannot be read stops the work before the first copy is written."
    write_notebook(tmp_path/'src/01_a.ipynb', '# A')
    (tmp_path/'src/02_b.ipynb').write_text('<html>not found</html>')
    with pytest.raises(LessonError, match=r'02_b\.ipynb cannot be read'): clean_lessons(tmp_path/'src', tmp_path/'dest')
    assert not (tmp_path/'dest').exists()


# Runs

def test_run_is_as_in_jupyterlab(tmp_path, write_notebook, monkeypatch):
    "This Python, the lesson's folder, figures inside the notebook whatever MPLBACKEND says, no widget state."
    monkeypatch.setenv('MPLBACKEND', 'Agg')
    path = write_notebook(
        tmp_path/'src/01_a.ipynb', '# A', 'import os, sys\nprint(sys.executable, os.getcwd())',
        'import matplotlib.pyplot as plt\nplt.plot([1, 2]);', 'import ipywidgets\nipywidgets.IntSlider()')
    before = path.read_text()
    row = run_lesson(path, tmp_path/'out')
    ran = read(tmp_path/'out/01_a.ipynb')
    assert row.ok and row.cells == 3 and row.seconds > 0 and path.read_text() == before
    printed = ''.join(ran['cells'][1]['outputs'][0]['text'])
    assert printed.split() == [sys.executable, str(tmp_path/'src')]
    assert any('image/png' in o.get('data', {}) for o in ran['cells'][2]['outputs'])
    assert 'widgets' not in ran['metadata']


def test_failures_say_where_and_why(tmp_path, write_notebook, capsys):
    "A cell that fails, one that takes too long and one that kills the kernel: three rows, and exit code 1."
    write_notebook(tmp_path/'src/01_raises.ipynb', 'x = 1', '\n# look it up\n{}["grizzly"]', 'print("late")')
    write_notebook(tmp_path/'src/02_sleeps.ipynb', 'import time\ntime.sleep(60)')
    write_notebook(tmp_path/'src/03_dies.ipynb', 'import os\nos._exit(1)')
    rows = run_lessons(tmp_path/'src', tmp_path/'out', timeout=4)
    assert [(r.cells, r.cell, r.result) for r in rows] == [(3, 2, 'failed'), (1, 1, 'failed'), (1, 1, 'failed')]
    assert rows[0].line == '{}["grizzly"]' and rows[0].error == "KeyError: 'grizzly'"
    assert 'more than 4 seconds' in rows[1].error and 'kernel died' in rows[2].error
    assert len(lesson_files(tmp_path/'out')) == 3 and not read(tmp_path/'out/01_raises.ipynb')['cells'][2]['outputs']
    assert main(['run', '01', '--src', str(tmp_path/'src'), '--out', str(tmp_path/'out')]) == 1
    assert "01_raises failed in cell 2:\n    {}[\"grizzly\"]\n    KeyError: 'grizzly'" in capsys.readouterr().out


def test_long_cells_are_told(tmp_path, write_notebook, capsys, monkeypatch):
    "In a log, where there is no bar."
    monkeypatch.setattr('course_lib.lessons._LONG', .5)
    run_lesson(write_notebook(tmp_path/'src/01_a.ipynb', 'import time', 'time.sleep(.6)', '1 + 1'), tmp_path/'out')
    assert re.fullmatch(r'  cell 2 took \d+ s: time\.sleep\(\.6\)\n', capsys.readouterr().out)


def test_run_chosen_lessons(tmp_path, write_notebook, capsys):
    for name in ('01_a', '02_b'): write_notebook(tmp_path/f'src/{name}.ipynb', '1 + 1')
    assert main(['run', '02_b.ipynb', '--src', str(tmp_path/'src'), '--out', str(tmp_path/'out')]) == 0
    assert [p.stem for p in lesson_files(tmp_path/'out')] == ['02_b']
    assert main(['run', '3', '--src', str(tmp_path/'src'), '--out', str(tmp_path/'out')]) == 1
    assert 'no lesson 3; there are 01_a, 02_b' in capsys.readouterr().err


# README

def test_readme_of_this_project():
    "No link of the README leads nowhere, and nothing hidden shows."
    index = ROOT/'nbs/index.ipynb'
    if not index.exists(): pytest.skip('nbs/index.ipynb is not written yet')
    text = render_readme(read(index))
    links = re.findall(r'\]\(([^)\s]+)', text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    local = [t.split('#')[0] for t in links if not t.startswith(('http', 'mailto:', '#'))]
    assert not [t for t in local if not (ROOT/t).exists()] and '#| ' not in text and 'nbdev_export' not in text


def test_readme_pictures_come_and_go(tmp_path, write_notebook):
    path = write_notebook(tmp_path/'nbs/index.ipynb', '# A', 'dot()')
    nb = read(path)
    nb['cells'][1] |= {'id': 'c1', 'outputs': [{'output_type': 'display_data', 'data': {'image/png': 'iVBORw0KGgo='}}]}
    path.write_text(json.dumps(nb))
    assert len(write_readme(path, tmp_path/'README.md')) == 2 and (tmp_path/'nbs/images/index_c1_0.png').exists()
    (tmp_path/'nbs/images/shot.png').write_bytes(b'kept')
    write_notebook(path, '# A')
    assert {c.why for c in write_readme(path, tmp_path/'README.md', check=True)} == {'differs', 'stale'}
    write_readme(path, tmp_path/'README.md')
    assert [p.name for p in (tmp_path/'nbs/images').iterdir()] == ['shot.png']


# JupyterLab

@pytest.fixture
def opened(tmp_path, write_notebook):
    "A project of one lesson, JupyterLab on it with no display, and what it has printed."
    (tmp_path/'settings.ini').write_text('[course]\n')
    write_notebook(tmp_path/'nbs/lessons/01_a.ipynb', '# A', '1 + 1')
    port, env = lab.free_port(), lab.private_env(tmp_path/'private')
    for key in ('DISPLAY', 'WAYLAND_DISPLAY'): env.pop(key, None)
    words = [*COMMAND, 'lab', '--port', str(port)]
    with open(tmp_path/'lab.log', 'w') as log:
        process = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try: yield port, until(process, tmp_path/'lab.log', 'Ctrl-C')
    finally: process.terminate(), process.wait(20)


def until(process, log, word, seconds=60):
    "What is in `log` once `word` is, or once the process has ended or time is up."
    end = time.monotonic() + seconds
    while word not in log.read_text() and process.poll() is None and time.monotonic() < end: time.sleep(.1)
    return log.read_text()


def test_lab_prints_an_address_that_works(opened, tmp_path):
    "With no display: the address of the first lesson, open to whoever has it and to nobody else."
    port, text = opened
    address = re.search(rf'http://127\.0\.0\.1:{port}/lab/tree/nbs/lessons/01_a\.ipynb\?token=\w{{20,}}', text)
    assert address, f'JupyterLab did not start: {text}'
    assert b'jupyter-config-data' in urlopen(address[0], timeout=20).read()
    with pytest.raises(HTTPError): urlopen(f'http://127.0.0.1:{port}/api/contents', timeout=20)
    again = subprocess.run([*COMMAND, 'lab', '--port', str(port)], cwd=tmp_path, capture_output=True, timeout=60)
    assert again.returncode == 1 and f'port {port} is taken' in again.stderr.decode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ['lab.log', 'nbs', 'private', 'settings.ini']


def test_lab_refuses_a_port_that_is_none(capsys):
    for text in ('0', '65536', 'abc', '-1'):
        with pytest.raises(SystemExit): main(['lab', f'--port={text}'])
        assert text in capsys.readouterr().err


def test_lab_takes_the_next_port(monkeypatch, capsys):
    "When the usual port is taken and none was asked for."
    from course_lib import lessons
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        monkeypatch.setattr(lessons, '_PORT', s.getsockname()[1])
        monkeypatch.setattr('jupyterlab.labapp.main', lambda options: print(*options))
        monkeypatch.setattr(lessons, '_announce', lambda *_: None)
        monkeypatch.setattr(os, 'environ', dict(os.environ))
        lessons.open_lab('.')
    text = capsys.readouterr().out
    found = re.search(r'--ServerApp\.port=(\d+)', text)[1]
    assert f'Port {lessons._PORT} is taken' in text and f'uses {found}' in text and int(found) > lessons._PORT
