"""The house has floors: a module imports only from below (see the table in DESIGN.md, kept here as `FLOORS`)."""
import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {'settings': 0, 'progress': 0, 'figures': 0, 'maths': 1, 'data': 2, 'training': 3, 'explain': 4, 'cleaning': 5,
          'serving': 5, 'widgets': 6}
BESIDE = {'lessons', 'kernel_socket'}    # may use floor 0 only
DOORS = {'vision', 'tabular', 'text'}    # may use everything, and star imports
NEVER = {'fastcore', 'nbdev', 'fastai', 'execnb'}
VIEWS = {'ipywidgets', 'anywidget', 'traitlets'}   # for `widgets` alone
LIGHT = {'numpy', 'torch', 'PIL'}        # all else is imported where it is used, so that a star import stays quick
AT_TOP = {'data/augment.py': {'torchvision'}, 'kernel_socket.py': {'jupyter_server'}}
DISTRIBUTION = {'PIL': 'pillow', 'nbformat': 'jupyterlab', 'nbclient': 'jupyterlab', 'jupyter_client': 'jupyterlab',
                'jupyter_server': 'jupyterlab',
                'IPython': 'ipywidgets', 'traitlets': 'ipywidgets'}


# Reading a module

def modules(root):
    "The modules of the library below `root`: path inside it to syntax tree."
    files = sorted((root/'course_lib').rglob('*.py'))
    found = {p.relative_to(root/'course_lib'): p for p in files if p.name not in ('__init__.py', '_modidx.py')}
    return {rel.as_posix(): ast.parse(p.read_text(encoding='utf-8')) for rel, p in found.items()}


def absolute(rel, node, package='course_lib'):
    "The full dotted name that an import-from takes names from."
    if not node.level: return node.module
    here = [package, *Path(rel).parts[:-1]]
    return '.'.join(here[:len(here) - node.level + 1] + ([node.module] if node.module else []))


def imports(rel, tree, known):
    "Every import of a module: line, dotted name, whether it takes everything."
    for node in ast.walk(tree):
        if isinstance(node, ast.Import): yield from ((node.lineno, a.name, False) for a in node.names)
        if isinstance(node, ast.ImportFrom):
            source = absolute(rel, node)
            for a in node.names:
                inner = f'{source}.{a.name}'
                yield node.lineno, inner if inner in known else source, a.name == '*'


def outside_functions(node):
    "The nodes that run when the module is imported."
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)): continue
        yield child
        yield from outside_functions(child)


def number(root, rel):
    "The number of the notebook a module was made from, as text: '03', '03a'."
    text = (root/'course_lib'/rel).read_text(encoding='utf-8')
    found = re.search(r'File to edit: \S*?(\d+[a-z]?)_[^/\s]*\.ipynb', text)
    return found[1] if found else ''


def house(rel): return Path(rel).parts[0].removesuffix('.py')


# The rules: each yields one line for what breaks it

def known_houses(root, trees):
    for rel in trees:
        if house(rel) not in {*FLOORS, *BESIDE, *DOORS}: yield f'{rel}: {house(rel)} has no floor: add it to FLOORS'


def floors(root, trees):
    known = {'course_lib.' + rel.removesuffix('.py').replace('/', '.'): rel for rel in trees}
    for rel, tree in trees.items():
        for line, name, _ in imports(rel, tree, known):
            if not name.startswith('course_lib.') or house(rel) in DOORS: continue
            target = known.get(name, name.split('.')[1])
            if complaint := step(root, rel, target): yield f'{rel}:{line} imports {name}: {complaint}'


def step(root, rel, target):
    "What is wrong with a module `rel` importing `target`, or None."
    mine, its = house(rel), house(target)
    if its in {*DOORS, *BESIDE}: return f'nothing but a door may use {its}'
    if mine in BESIDE: return f'{mine} may use floor 0 only' if FLOORS.get(its, 9) else None
    if FLOORS.get(its, 9) < FLOORS.get(mine, -1): return None
    same_package = mine == its or FLOORS.get(mine) == FLOORS.get(its) == 0
    if not same_package: return f'{its} is on floor {FLOORS.get(its)}, not below floor {FLOORS.get(mine)} of {mine}'
    if '.py' not in target: return 'there is no such module'
    if number(root, target) < number(root, rel): return None
    return 'inside a package only lower-numbered notebooks may be used'


def stars(root, trees):
    for rel, tree in trees.items():
        for line, name, star in imports(rel, tree, {}):
            if star and house(rel) not in DOORS: yield f'{rel}:{line} star import of {name}: only the doors may'


def never(root, trees):
    for rel, tree in trees.items():
        for line, name, _ in imports(rel, tree, {}):
            top = name.split('.')[0]
            if top in NEVER: yield f'{rel}:{line} imports {top}, which learners do not have'
            if top in VIEWS and house(rel) != 'widgets': yield f'{rel}:{line} imports {top}: only widgets may'


def quick(root, trees):
    for rel, tree in trees.items():
        fine = LIGHT | AT_TOP.get(rel, set()) | (VIEWS if house(rel) == 'widgets' else set()) | {'course_lib'}
        top = ast.Module([n for n in outside_functions(tree) if isinstance(n, (ast.Import, ast.ImportFrom))], [])
        for line, name, _ in imports(rel, top, {}):
            if name.split('.')[0] not in fine | set(sys.stdlib_module_names):
                yield f'{rel}:{line} imports {name} at its top: move it into the function that needs it'


def declared(root, trees):
    text = re.search(r'^dependencies = \[(.*?)\]', (root/'pyproject.toml').read_text(encoding='utf-8'), re.M | re.S)[1]
    have = {re.split(r'[<>=!~ ;\[]', d)[0].lower() for d in re.findall(r'"([^"]+)"', text)}
    for rel, tree in trees.items():
        for line, name, _ in imports(rel, tree, {}):
            top = name.split('.')[0]
            if top in set(sys.stdlib_module_names) | {'course_lib'} | NEVER: continue
            if DISTRIBUTION.get(top, top).lower() not in have:
                yield f'{rel}:{line} imports {top}, which pyproject.toml does not ask for'


RULES = [known_houses, floors, stars, never, quick, declared]


@pytest.mark.parametrize('rule', RULES, ids=lambda r: r.__name__)
def test_house_keeps(rule):
    trees = modules(ROOT)
    assert trees, 'course_lib holds no modules: run make prepare'
    broken = list(rule(ROOT, trees))
    assert not broken, '\n' + '\n'.join(broken)


# Each rule is able to fail

HEADER = '"""x"""\n# AUTOGENERATED! DO NOT EDIT! File to edit: ../../nbs/{}.ipynb.\n'
BROKEN = [
    (known_houses, 'attic.py', '01_attic', 'x = 1', 'no floor'),
    (floors, 'data/a.py', 'data/01_a', 'from ..training.b import fit', 'floor 3, not below floor 2'),
    (floors, 'data/a.py', 'data/01_a', 'def f():\n    from course_lib.explain import c', 'floor 4'),
    (floors, 'data/a.py', 'data/01_a', 'import course_lib.widgets.d', 'floor 6'),
    (floors, 'data/a.py', 'data/01_a', 'from .later import x', 'lower-numbered'),
    (floors, 'data/a.py', 'data/01_a', 'from .nowhere import x', 'no such module'),
    (floors, 'data/a.py', 'data/01_a', 'from ..vision import x', 'nothing but a door'),
    (floors, 'cleaning/a.py', 'cleaning/01_a', 'from course_lib.serving.app import x', 'floor 5, not below floor 5'),
    (floors, 'progress.py', '01_progress', 'from .settings2 import x', 'floor None'),
    (floors, 'lessons.py', '03_lessons', 'from .data.later import x', 'floor 0 only'),
    (stars, 'data/a.py', 'data/01_a', 'from math import *', 'only the doors'),
    (never, 'data/a.py', 'data/01_a', 'def f():\n    import fastcore.basics', 'learners do not have'),
    (never, 'serving/a.py', 'serving/01_a', 'def f(): from ipywidgets import Text', 'only widgets'),
    (quick, 'data/a.py', 'data/01_a', 'try: import pandas as pd\nexcept ImportError: pass', 'move it into'),
    (quick, 'data/a.py', 'data/01_a', 'class A:\n    from matplotlib import pyplot', 'move it into'),
    (declared, 'data/a.py', 'data/01_a', 'def f(): import requests', 'does not ask for'),
]


def tree_with(folder, rel, notebook, text):
    "A small library with one module that breaks a rule, and one it may reach for."
    for path, nb, body in ((rel, notebook, text), ('data/later.py', 'data/02_later', 'x = 1')):
        file = folder/'course_lib'/path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADER.format(nb) + body + '\n')
    (folder/'pyproject.toml').write_text('dependencies = [\n    "torch>=2", "pandas",\n]\n')
    return folder


@pytest.mark.parametrize('rule, rel, notebook, text, word', BROKEN)
def test_rule_can_fail(tmp_path, rule, rel, notebook, text, word):
    root = tree_with(tmp_path, rel, notebook, text)
    broken = list(rule(root, modules(root)))
    assert len(broken) == 1 and word in broken[0] and broken[0].startswith(rel)


FINE = [('data/zz.py', 'data/03_zz', 'from .later import x\nfrom ..progress import say\nimport numpy as np'),
        ('vision.py', '03_vision', 'from .data.later import *\nfrom .lessons import main'),
        ('widgets/a.py', 'widgets/01_a', 'import anywidget\nfrom ..data.later import x'),
        ('data/augment.py', 'data/06_augment', 'from torchvision.transforms import v2'),
        ('explain/a.py', 'explain/01_a', 'def f():\n    import matplotlib.pyplot as plt\n    return plt')]


@pytest.mark.parametrize('rel, notebook, text', FINE, ids=[f[0] for f in FINE])
def test_what_is_allowed(tmp_path, rel, notebook, text):
    root = tree_with(tmp_path, rel, notebook, text)
    broken = [line for rule in RULES[:-1] for line in rule(root, modules(root))]
    assert broken == []
