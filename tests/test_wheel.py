"""The wheel: it holds the library and nothing else, and works where there is no repository."""
import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ['pyproject.toml', 'README.md', 'LICENSE']
WALK = '''
import importlib, pathlib, pkgutil, sys
import course_lib
weight = 'heavy' if {'torch', 'numpy', 'matplotlib', 'IPython'} & set(sys.modules) else 'light'
here = pathlib.Path(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(course_lib.__path__, "course_lib.")]
for name in names:
    m = importlib.import_module(name)
    assert here in pathlib.Path(m.__file__).parents, f"{name} comes from {m.__file__}"
print(weight, len(names))
'''


def run(*words, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, f'{" ".join(str(w) for w in words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}'
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "The wheel, built without the network from a copy, so that nothing is left in the repository."
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    shutil.copytree(ROOT/'course_lib', source/'course_lib', ignore=shutil.ignore_patterns('__pycache__'))
    for name in NEEDED:
        if (ROOT/name).exists(): shutil.copy(ROOT/name, source)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
    run(*pip, 'wheel', '--quiet', '--no-deps', '--no-index', '--no-build-isolation', '-w', out, source)
    return next(out.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    "The wheel in a folder of its own."
    place = tmp_path_factory.mktemp('site')
    run(sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', '--target', place, wheel)
    return place


def test_wheel_holds_the_library_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    kinds = ('*.py', 'static/*.js', 'static/*.css')
    needed = {p.relative_to(ROOT).as_posix() for kind in kinds for p in (ROOT/'course_lib').rglob(kind)}
    assert needed <= set(names)
    assert not [n for n in names if not n.startswith(('course_lib/', 'course_lib-'))]
    assert not [n for n in names if n.endswith(('.ipynb', '.pyc'))]


def test_wheel_says_what_it_is(wheel):
    "Name, oldest Python, licence, description and the command."
    with zipfile.ZipFile(wheel) as z:
        info = next(n for n in z.namelist() if n.endswith('.dist-info/METADATA'))
        about = email.message_from_bytes(z.read(info))
        commands = z.read(info.replace('METADATA', 'entry_points.txt')).decode()
    assert about['Name'] == 'course_lib' and about['Requires-Python'] == '>=3.10' and about['Summary']
    assert 'course-lessons = course_lib.lessons:main' in commands
    needs = [n for n in about.get_all('Requires-Dist') if 'extra ==' not in n]
    assert any(n.startswith('torch>=') for n in needs) and not [n for n in needs if n.startswith(('nbdev', 'fast'))]


def test_every_module_imports_elsewhere(installed, tmp_path):
    "From the wheel and not from here, in a folder that has no settings; and the package itself costs nothing."
    env = {k: v for k, v in os.environ.items() if not k.startswith('COURSE_')} | {'PYTHONPATH': str(installed)}
    heavy, count = run(sys.executable, '-c', WALK, installed, cwd=tmp_path, env=env).split()
    assert heavy == 'light' and int(count) >= 5
    assert not list(tmp_path.iterdir())


def test_vision_gives_a_lesson_its_names(installed, tmp_path):
    if not (ROOT/'course_lib/vision.py').exists(): pytest.skip('course_lib.vision is not written yet')
    names = ['DataBlock', 'vision_learner', 'load_learner']
    code = f'from course_lib.vision import *; print({", ".join(f"{n}.__name__" for n in names)})'
    env = os.environ | {'PYTHONPATH': str(installed)}
    assert run(sys.executable, '-c', code, cwd=tmp_path, env=env).split() == names
