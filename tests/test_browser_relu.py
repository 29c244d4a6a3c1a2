"""ReLUs in JupyterLab: hinges dragged, sliders moved, a target drawn, fits played and stopped, keys kept."""
import io
import json

import numpy as np
import pytest
from PIL import Image

WIDTH, LEFT, RIGHT, FOOT = 560, 60, 12, 340 - 40   # of the picture, in CSS pixels
TWO = 'from course_lib.widgets.relu import ReLUFitter\nw = ReLUFitter(2)\nw'
ASK = '''import json
f = {0}.fit
print(json.dumps([f.values, f.trail[-1], f.n_moves, {0}.n, {0}.history.label.name]))'''
TORCH = '''from course_lib.maths.functions import relu_sum
f = v.fit
a, m, b, c = (t.double() for t in f.units())
print(((relu_sum(a, m, b, f.x.double(), c) - f.y.double())**2).mean().item())'''


@pytest.fixture(scope='module')
def opened(run_in_lab):
    "A notebook with two ReLUs shown twice, and twenty of them."
    return run_in_lab('relu.ipynb', TWO, 'w', 'v = ReLUFitter(20, "hills")\nv')


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask('for o in (w, v):\n    while o.history.can_undo: o.history.undo()\n    o.selected = 0; o.repaint()')
    yield opened
    assert opened.console == [] and len(opened.cells()) == 3


def root(page, cell):
    "The widget in a cell, in view."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('img.cw-picture').first.wait_for(state='attached')
    shown.locator('.cw-plot').scroll_into_view_if_needed()
    page.page.wait_for_timeout(500)
    return shown


def until(page, true, what): page._until(true, 20, what)
def now(page, name='w'): return json.loads(page.ask(ASK.format(name)))


def place(plot, x, y, span=(-2.2, 2.2)):
    "Where in the page x of the data lies, at `y` CSS pixels of the picture."
    box = plot.bounding_box()
    scale = box['width']/WIDTH
    return box['x'] + scale*(LEFT + (x - span[0])/(span[1] - span[0])*(WIDTH - LEFT - RIGHT)), box['y'] + scale*y


def drag_hinge(page, plot, start, end, let_go=True):
    page.page.mouse.move(*place(plot, start, FOOT - 5))
    page.page.mouse.down()
    page.page.mouse.move(*place(plot, end, FOOT - 5), steps=12)
    if let_go: page.page.mouse.up()


def test_hinges_sliders_and_keys(page):
    relus = root(page, 0)
    plot, sliders = relus.locator('.cw-plot'), relus.locator('input[type=range]')
    drag_hinge(page, plot, 1, .25)
    until(page, lambda: now(page)[2] == 1, 'the hinge had reached Python')
    values, loss, *_ = now(page)
    assert -values['b2']/values['m2'] == pytest.approx(.25, abs=.02) and values['m2'] == 1.5 and values['b1'] == -1.5
    assert relus.locator('.cw-figure').inner_text() == f'{loss:.4g}'

    relus.get_by_label('hinge1', exact=True).focus()            # a hinge by keys, and keys that would harm the notebook
    for key in ('ArrowRight', 'PageUp', 'b', 'x', 'd', 'd'): page.page.keyboard.press(key)
    until(page, lambda: now(page)[2] == 2, 'the keys had made one move')
    values = now(page)[0]
    assert -values['b1']/values['m1'] == pytest.approx(-1 + 11*4.4/200, abs=1e-4)

    box = relus.get_by_label('m1, exact value')
    box.fill('-2.5'); box.press('Enter')
    until(page, lambda: now(page)[0]['m1'] == -2.5, 'a typed value had reached Python')
    relus.get_by_role('button', name='Step').click()
    until(page, lambda: now(page)[2] == 4, 'a step had been made')
    page.page.keyboard.press('Control+z')
    until(page, lambda: now(page)[2] == 3, 'the step had been undone')
    page.page.keyboard.press('Control+Shift+z')
    until(page, lambda: now(page)[2] == 4, 'the step had been made again')
    relus.get_by_label('hinge1', exact=True).focus()  # an arrow, at once undone: the arrow goes, the step stays
    for key in ('ArrowRight', 'Control+z'): page.page.keyboard.press(key)
    undone = lambda: now(page)[2] == 4 and page.ask('print(w.history.can_redo)') == 'True'
    until(page, undone, 'the arrow had been undone')
    page.page.wait_for_timeout(500)                             # nothing was left waiting that would make a move now
    assert undone()
    text = relus.locator('.cw-figure').inner_text()
    assert sliders.count() == 9 and root(page, 1).locator('.cw-figure').inner_text() == text
    box.fill('0'); box.press('Enter')
    until(page, lambda: 'slope 0: no hinge' in relus.inner_text(), 'a part without a hinge was said to have none')
    assert relus.get_by_label('hinge1', exact=True).is_disabled()


def test_more_relus_a_drawn_target_and_back(page):
    relus = root(page, 0)
    plot, sliders = relus.locator('.cw-plot'), relus.locator('input[type=range]')
    relus.get_by_role('button', name='one ReLU more').click()
    until(page, lambda: now(page)[3] == 3, 'there were three')
    until(page, lambda: sliders.count() == 5, 'there were the sliders of one part')
    relus.get_by_role('button', name='next part').click()
    until(page, lambda: page.ask('print(w.selected)') == '0', 'the first part was selected')
    assert 'part 1 of 3' in relus.inner_text()
    relus.get_by_role('button', name='Draw target').click()
    page.page.mouse.move(*place(plot, -1.5, 60))
    page.page.mouse.down()
    for x, y in ((-.5, 220), (.5, 60), (1.5, 220)): page.page.mouse.move(*place(plot, x, y), steps=10)
    page.page.mouse.up()
    until(page, lambda: now(page)[4] == 'drawn', 'there was a drawn target')
    lo, hi, points = json.loads(page.ask('print([w.fit.x.min().item(), w.fit.x.max().item(), len(w.fit.x)])'))
    assert (lo, hi) == pytest.approx((-1.5, 1.5), abs=.02) and points == 200
    for n, name in ((3, 'bowl'), (2, 'bowl')):
        relus.get_by_role('button', name='Undo').click()
        until(page, lambda n=n, name=name: now(page)[3:] == [n, name], 'the old one was back')
    until(page, lambda: sliders.count() == 9, 'all sliders were back')


def test_a_fit_is_played_and_stopped(page):
    relus = root(page, 2)
    figure, start = relus.locator('.cw-figure'), now(page, 'v')[1]
    relus.get_by_role('button', name='Fit by gradient').click()
    stop = relus.get_by_role('button', name='Stop')
    stop.wait_for()
    until(page, lambda: float(figure.get_attribute('data-value')) < start/2, 'the loss had fallen')
    stop.click()
    until(page, lambda: now(page, 'v')[2] == 1, 'the fit had been stopped')
    part = now(page, 'v')[1]
    assert 0 < part < start/2 and figure.inner_text() == f'{part:.4g}'
    relus.get_by_role('button', name='Fit by gradient').click()
    until(page, lambda: now(page, 'v')[2] == 2, 'the fit had been played to the end')
    assert now(page, 'v')[1] < part and relus.locator('.cw-message').is_hidden()


def test_what_is_done_before_a_fit_begins_counts(page):
    "Play and, before Python has answered, undo or a step: the fit is forgotten."
    relus = root(page, 2)
    relus.get_by_role('button', name='Step').click()
    until(page, lambda: now(page, 'v')[2] == 1, 'a step had been made')
    relus.get_by_role('button', name='Step').focus()
    page.page.evaluate("""() => {
      const buttons = [...document.querySelectorAll('.cw-root')].at(-1).querySelectorAll('button');
      const press = text => [...buttons].find(b => b.textContent.includes(text)).click();
      press('Fit by gradient'); press('Undo'); press('Fit by gradient'); press('Step');
    }""")
    until(page, lambda: now(page, 'v')[2] == 1, 'the last step had been made')
    loss = now(page, 'v')[1]
    page.page.wait_for_timeout(1000)
    assert now(page, 'v')[1:3] == [loss, 1] and relus.locator('.cw-figure').inner_text() == f'{loss:.4g}'
    assert relus.get_by_role('button', name='Fit by gradient').is_visible()


def inked(png):
    "Where a picture has the colour of the sum, give or take."
    a = np.asarray(Image.open(io.BytesIO(png)).convert('RGB')).astype(int)
    return np.abs(a - (213, 94, 0)).max(axis=2) < 60


def near(mask): return np.any([np.roll(mask, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)


def test_the_browser_draws_and_counts_what_python_does(page):
    "On the way the loss is that of torch, and the sum lies where matplotlib puts it, to the pixel."
    relus = root(page, 2)
    plot = relus.locator('.cw-plot')
    drag_hinge(page, plot, -1.9, -.3, let_go=False)
    page.page.wait_for_timeout(500)
    assert plot.locator('img').nth(1).is_hidden()
    moving, loss = plot.screenshot(), float(relus.locator('.cw-figure').get_attribute('data-value'))
    page.page.mouse.up()
    plot.locator('img').nth(1).wait_for(state='visible')
    resting = plot.screenshot()
    exact = float(page.ask(TORCH))
    assert loss == pytest.approx(exact, rel=1e-6)
    a, b = inked(moving), inked(resting)
    assert a.sum() > 500 and not (a & ~near(b)).any() and not (b & ~near(a)).any()
