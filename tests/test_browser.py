"""The lessons in JupyterLab, in a real browser."""
import shutil
from pathlib import Path

import lab
import pytest

LESSONS = Path(__file__).parents[1]/'nbs/lessons'
PICTURES = ('image/png', 'image/jpeg', 'image/svg+xml')


@pytest.fixture
def server(tmp_path):
    with lab.LabServer(tmp_path) as running: yield running


def kept(page, folder):
    "A screenshot for the message of a failed assertion."
    return f'see {page.screenshot(folder/"page.png")}\nconsole: {page.console}\nserver: {page.server.tail(1500)}'


def seen(picture):
    "Whether a picture in the page has been drawn, and is large enough to be read."
    picture.scroll_into_view_if_needed()
    size = picture.evaluate('e => [e.naturalWidth ?? e.clientWidth, e.clientHeight]')
    return picture.is_visible() and min(size) > 50


def test_harness_runs_reports_and_shows(tmp_path, server, browser, write_notebook):
    "The harness itself: it sees an error, an output, a widget and a drawing, and nothing asks for news."
    write_notebook(tmp_path/'try it.ipynb', '# Try', 'import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);',
                   'import ipywidgets\nipywidgets.IntSlider(description="n")', 'print(6*7)', '1/0', 'print("late")')
    page = server.open(browser, 'try it.ipynb')
    assert page.run_all(60) == ['cell 4: ZeroDivisionError: division by zero'], kept(page, tmp_path)
    assert page.outputs('6*7')[1][0]['text'].strip() == '42' and page.outputs('late')[1] == []
    assert seen(page.show(1).locator('img').first) and page.show(2).locator('.jupyter-widgets').first.is_visible()
    assert page.page.locator('.Toastify__toast, .jp-Dialog').count() == 0 and page.console == [], kept(page, tmp_path)


def test_harness_notices_a_dead_kernel(tmp_path, server, browser, write_notebook):
    write_notebook(tmp_path/'dies.ipynb', 'import os\nos._exit(1)', 'print("late")')
    page = server.open(browser, 'dies.ipynb')
    with pytest.raises(RuntimeError, match='ended early'): page.run_all(60)


@pytest.mark.parametrize('lesson, widgets', [('04_fitting_a_function', 6), ('05_gradient_descent', 2)])
def test_lesson_with_widgets(tmp_path, server, browser, lesson, widgets):
    "The lesson runs from top to bottom, its widgets are alive, and no picture stands in for one."
    shutil.copy(LESSONS/f'{lesson}.ipynb', tmp_path)
    page = server.open(browser, f'{lesson}.ipynb')
    assert page.run_all(300) == [], kept(page, tmp_path)
    views = [i for i, c in enumerate(page.cells()) if any('widget-view' in k for o in c.get('outputs', [])
                                                          for k in o.get('data', {}))]
    ours = [page.show(i) for i in views]
    alive = [cell for cell in ours if cell.locator('.cw-root').count()]
    assert len(alive) >= widgets and all(cell.locator('.cw-still').is_hidden() for cell in alive), kept(page, tmp_path)
    assert page.console == [], kept(page, tmp_path)


def test_bears_in_jupyterlab(tmp_path, server, browser):
    "Lesson 01 runs from top to bottom on the drawn bears and ends with a confusion matrix that one can see."
    shutil.copy(LESSONS/'01_bears.ipynb', tmp_path)
    page = server.open(browser, '01_bears.ipynb')
    assert page.run_all(600) == [], kept(page, tmp_path)
    index, outputs = page.outputs('plot_confusion_matrix')
    assert index >= 0, 'no cell of the lesson calls plot_confusion_matrix'
    shown = page.show(index)
    named = shown.locator('img[alt*="confusion matrix" i]')
    plain = any(kind in o.get('data', {}) for o in outputs for kind in PICTURES)
    assert named.count() or plain, kept(page, tmp_path)
    picture = named if named.count() else shown.locator('.jp-OutputArea img, .jp-OutputArea svg')
    assert seen(picture.first), kept(page, tmp_path)
    assert page.console == [], kept(page, tmp_path)
