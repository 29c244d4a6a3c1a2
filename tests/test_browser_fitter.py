"""The fitters in JupyterLab: dragged, typed into, stepped, played, undone; and what stays when no kernel runs."""
import io
import json

import numpy as np
import pytest
from PIL import Image

DATA = '''import torch
from course_lib.maths.functions import add_noise, quad, mk_quad, mse
x = torch.linspace(-2, 2, 20)
y = add_noise(mk_quad(3, 2, 1)(x), .15, 1.5, seed=42)'''
QUADRATIC = 'from course_lib.widgets.fitter import QuadraticFitter\nw = QuadraticFitter(x, y)\nw'
LEARNERS = '''from course_lib.widgets.fitter import FunctionFitter
def wave(x, a, b):
    if b < 0: raise ZeroDivisionError('b is negative')
    return a*torch.sin(b*x)
v = FunctionFitter(wave, x, y, a=(-5, 5, 1.), b=(-2, 4, 1.))
v'''


@pytest.fixture(scope='module')
def opened(run_in_lab):
    "A notebook with a quadratic fitter in two places, and one on a learner's function."
    return run_in_lab('fit.ipynb', DATA, QUADRATIC, 'w', LEARNERS)


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask('w.fit.begin(); w.repaint(); v.fit.begin(); v.repaint()')
    yield opened
    assert opened.console == []


def root(page, cell):
    "The widget in a cell, in view."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('img.cw-picture').first.wait_for(state='attached')
    page.page.wait_for_timeout(500)
    return shown


def drag(page, handle, parts):
    "Drag a slider through the given parts of its length, and let go."
    box = handle.bounding_box()
    at = [(box['x'] + p*box['width'], box['y'] + box['height']/2) for p in parts]
    page.page.mouse.move(*at[0])
    page.page.mouse.down()
    for place in at: page.page.mouse.move(*place, steps=5)
    page.page.mouse.up()


def until(page, true, what):
    page._until(true, 20, what)


def values(page, name='w'):
    told = f'[{name}.fit.values, {name}.fit.loss, {name}.fit.n_moves]'
    return json.loads(page.ask(f'import json; print(json.dumps({told}))'))


def test_a_quadratic_by_hand_and_by_gradient(page):
    fitter = root(page, 1)
    sliders, loss = fitter.locator('input[type=range]'), fitter.locator('.cw-figure')
    drag(page, sliders.nth(0), (.5, .9, .7))
    until(page, lambda: values(page)[2] == 1, 'the move had reached Python')
    now, at, _ = values(page)
    assert now['a'] > 2 and now['b'] == now['c'] == 1.5
    assert loss.inner_text() == f'{at:.4g}'

    box = fitter.locator('input[type=number]').nth(1)
    box.fill('2.125'); box.press('Enter')
    until(page, lambda: values(page)[0]['b'] == 2.125, 'a typed value had reached Python')
    sliders.nth(2).focus()
    for key in ('ArrowLeft', 'PageDown', 'd', 'd', 'x', 'b'): page.page.keyboard.press(key)
    until(page, lambda: values(page)[2] == 3, 'the keys had made one move')
    assert values(page)[0]['c'] == pytest.approx(1.5 - 11*.03) and len(page.cells()) == 4

    fitter.get_by_role('button', name='Step').click()
    until(page, lambda: values(page)[2] == 4, 'a step had been made')
    before = values(page)[1]
    fitter.get_by_role('button', name='Play').click()
    until(page, lambda: values(page)[2] == 5, 'descent had been played to the end')
    assert values(page)[1] < before and fitter.locator('.cw-message').is_hidden()
    for n in range(5, 0, -1):
        fitter.get_by_role('button', name='Undo').click()
        until(page, lambda n=n: values(page)[2] == n - 1, 'a move had been undone')
    assert values(page)[0] == {'a': 1.5, 'b': 1.5, 'c': 1.5} and fitter.get_by_role('button', name='Undo').is_disabled()
    other = root(page, 2)
    assert other.locator('.cw-figure').inner_text() == loss.inner_text()


def test_keys_act_in_the_order_they_are_pressed(page):
    "An arrow and at once Ctrl+Z undoes the arrow; Ctrl+Shift+Z brings it back; Play and at once Undo plays nothing."
    fitter = root(page, 1)
    press = page.page.keyboard.press
    fitter.locator('input[type=range]').nth(0).focus()
    press('ArrowRight'); press('Control+z')
    until(page, lambda: page.ask('print(w.fit.can_redo)') == 'True', 'the arrow had been undone')
    assert values(page)[0]['a'] == 1.5
    press('Control+Shift+Z')
    until(page, lambda: values(page)[0]['a'] == pytest.approx(1.53), 'it was back')
    fitter.evaluate("""root => {  // both before Python can answer
      const press = name => [...root.querySelectorAll('button')].find(b => b.textContent.includes(name)).click();
      press('Play'); press('Undo');
    }""")
    until(page, lambda: values(page)[2] == 0, 'the move had been undone')
    page.page.wait_for_timeout(800)
    assert page.ask('print([m.by for m in w.fit.moves])') == "['start']"


def test_a_rate_that_diverges_is_told_and_leads_nowhere(page):
    fitter = root(page, 1)
    rate = fitter.get_by_label('learning rate')
    rate.fill('5'); rate.press('Enter')
    until(page, lambda: 'rate 5 diverges' in fitter.inner_text(), 'the rate is called too high')
    fitter.get_by_role('button', name='Play').click()
    message = fitter.locator('.cw-message')
    until(page, lambda: 'back where you were' in message.inner_text(), 'divergence is told')
    assert values(page)[2] == 0 and values(page)[0]['a'] == 1.5
    rate.fill('0.05'); rate.press('Enter')
    fitter.get_by_role('button', name='Step').click()
    until(page, lambda: values(page)[2] == 1 and message.is_hidden(), 'a lower rate works')


def test_a_dark_page_gets_a_dark_picture(page):
    fitter = root(page, 1)
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    until(page, lambda: page.ask('print(w.dark)') == 'True', 'Python had heard of the theme')
    orange = np.array([230, 159, 0])
    until(page, lambda: inked(fitter.locator('.cw-plot').screenshot(), orange).sum() > 300, 'the curve was light')
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    until(page, lambda: page.ask('print(w.dark)') == 'False', 'the page was light again')


def inked(png, colour):
    "Where a picture has the colour, give or take: rows and columns of a mask."
    a = np.asarray(Image.open(io.BytesIO(png)).convert('RGB')).astype(int)
    return np.abs(a - colour).max(axis=2) < 60


def test_the_browser_draws_what_matplotlib_draws(page):
    "The curve on its way and the picture at rest differ by less than a pixel."
    fitter = root(page, 1)
    plot, handle = fitter.locator('.cw-plot'), fitter.locator('input[type=range]').nth(0)
    fitter.locator('input[type=checkbox]').nth(1).uncheck()   # without the lines to the points
    box = handle.bounding_box()
    page.page.mouse.move(box['x'] + .5*box['width'], box['y'] + box['height']/2)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + .8*box['width'], box['y'] + box['height']/2, steps=8)
    page.page.wait_for_timeout(400)
    assert plot.locator('img').nth(1).is_hidden()
    moving = plot.screenshot()
    page.page.mouse.up()
    plot.locator('img').nth(1).wait_for(state='visible')
    resting = plot.screenshot()
    orange = np.array([213, 94, 0])
    a, b = inked(moving, orange), inked(resting, orange)
    assert a.sum() > 500
    grown = [np.roll(m, (i, j), (0, 1)) for m in (b,) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    assert not (a & ~np.any(grown, axis=0)).any()
    back = [np.roll(a, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    assert not (b & ~np.any(back, axis=0)).any()


def test_the_loss_on_the_way_is_that_of_torch(page):
    fitter = root(page, 1)
    box = fitter.locator('input[type=range]').nth(0).bounding_box()
    page.page.mouse.move(box['x'] + .5*box['width'], box['y'] + box['height']/2)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + .61*box['width'], box['y'] + box['height']/2, steps=4)
    page.page.wait_for_timeout(300)
    a = float(fitter.locator('input[type=range]').nth(0).input_value())
    shown = fitter.locator('.cw-figure').get_attribute('data-value')
    torchs = float(page.ask(f'print(mse(quad({a}, 1.5, 1.5, x.double()), y.double()).item())'))
    page.page.mouse.up()
    assert float(shown) == pytest.approx(torchs, rel=1e-6)


def test_a_function_that_fails_leaves_the_sliders_alive(page):
    fitter = root(page, 3)
    box, message = fitter.locator('input[type=number]').nth(1), fitter.locator('.cw-message')
    box.fill('-1'); box.press('Enter')
    until(page, lambda: 'b is negative' in message.inner_text(), "the function's own message is shown")
    box.fill('2'); box.press('Enter')
    until(page, lambda: message.is_hidden() and values(page, 'v')[0]['b'] == 2, 'all is well again')
    drag(page, fitter.locator('input[type=range]').nth(0), (.6, .8, .75))
    until(page, lambda: values(page, 'v')[0]['a'] > 2, 'a slider had been dragged')


def test_what_a_saved_notebook_keeps(page, lab_server):
    "No state of a widget, a picture of each, and the picture alone when no kernel runs."
    fitter = root(page, 1)
    still = page.show(1).locator('.cw-still')
    assert still.count() == 1 and still.is_hidden()
    drag(page, fitter.locator('input[type=range]').nth(0), (.5, .7))
    until(page, lambda: values(page)[2] == 1, 'the move had reached Python')
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    file = lab_server.folder/'fit.ipynb'
    until(page, lambda: 'cw-still' in file.read_text(), 'the notebook had been saved')
    saved = json.loads(file.read_text())
    assert 'widgets' not in saved['metadata'] and file.stat().st_size < 600_000
    assert 'alt="' in str(saved['cells'][1]['outputs'])
    page.ask('w.close()')
    until(page, still.is_visible, 'the picture was back')
