"""PracticalSignificance in JupyterLab: two places dragged, costs typed well and badly, a prior dragged, undone."""
import io
import json

import numpy as np
import pytest
from PIL import Image

SETUP = 'from course_lib.widgets.practical import PracticalSignificance\nw = PracticalSignificance()\nw'


@pytest.fixture(scope='module')
def opened(run_in_lab):
    return run_in_lab('practical.ipynb', SETUP, 'w', 'print(1)')


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask('w.stakes.start(w.stakes.first); w._heard(w, dict(op="reset", id="0"), [])')
    opened.root = opened.show(0).locator('.cw-root')
    opened.root.locator('img.cw-picture').first.wait_for(state='attached')
    yield opened
    assert opened.console == [] and opened.errors() == [] and len(opened.cells()) == 3


def told(page, expression): return json.loads(page.ask(f'import json; print(json.dumps({expression}))'))


def until(page, true, what): page._until(true, 20, what)


def slide(page, handle, *parts, let_go=True):
    "Drag a slider, or along a picture, through the given parts of its length."
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    at = [(box['x'] + p*box['width'], box['y'] + box['height']/2) for p in parts]
    page.page.mouse.move(*at[0])
    page.page.mouse.down()
    for place in at[1:]: page.page.mouse.move(*place, steps=6)
    if let_go: page.page.mouse.up()


def figures(root):
    "R and its band for each place, as they are shown."
    text = lambda k, c: root.locator(f'.cw-place-{k} {c}').first.inner_text().replace('−', '-')
    return {k: [float(v) for v in (text(k, '.cw-figure'), *text(k, '.cw-note:last-child').split(' to '))] for k in 'ab'}


def test_the_browser_works_out_what_python_does(page):
    "On the way, with nothing from Python: the mean, the band, and the word for what lies outside."
    root, a = page.root, page.root.locator('.cw-place-a')
    slide(page, a.locator('input[type=range]').first, .35, .8, .95, let_go=False)
    until(page, lambda: 'temperature' in root.locator('.cw-say-a_far').inner_text(), 'Python had words for it')
    there = {n: float(a.get_by_label(f'A: {n}').first.input_value()) for n in ('temperature, °C', 'humidity, %')}
    shown, at = figures(root)['a'], list(there.values())
    p = f'w.stakes.model.at(temperature={at[0]}, humidity={at[1]})'
    assert shown == pytest.approx(told(page, f'[{p}.mean, {p}.low, {p}.high]'), rel=6e-3, abs=6e-4)
    exact = float(a.locator('.cw-figure').get_attribute('data-value'))
    assert exact == pytest.approx(told(page, f'{p}.mean'), rel=1e-9)
    assert at[0] > 30 and a.locator('.cw-covered-words').first.inner_text() == '⚠ outside'
    assert told(page, 'w.stakes.setting.a["temperature"]') == 10  # a move is made only when it is let go
    page.page.mouse.up()
    until(page, lambda: told(page, 'w.stakes.setting.a["temperature"]') == at[0], 'the move had been made')
    other = page.page.locator('.cw-root').nth(1)
    same = lambda: other.locator('.cw-figure').first.inner_text() == a.locator('.cw-figure').inner_text()
    until(page, same, 'the other view followed')


def test_keys_stay_inside_and_act_in_their_order(page):
    root, press = page.root, page.page.keyboard.press
    root.locator('.cw-place-b input[type=range]').nth(1).focus()
    for key in ('ArrowLeft', 'PageDown', 'd', 'd', 'x', 'b'): press(key)
    until(page, lambda: told(page, 'w.stakes.setting.b["humidity"]') == 74.5, 'the keys had made one move')
    press('ArrowRight'); press('Control+z')
    page.page.wait_for_timeout(500)
    until(page, lambda: told(page, 'w.stakes.setting.b["humidity"]') == 74.5, 'an arrow that is undone at once')
    press('s')
    until(page, lambda: told(page, 'w.stakes.setting.a["humidity"]') == 74.5, 'S swaps the places')
    press('m')
    until(page, lambda: 'no band is known' in root.inner_text(), 'M shows the published equation')
    assert root.locator('.cw-figure').nth(1).inner_text() == '2.63'
    assert root.locator('select').first.input_value() == 'published'
    for what, n in (('Undo', 3), ('Redo', 1)):
        for _ in range(n): root.get_by_role('button', name=what).click()
    now = '[w.stakes.setting.b["humidity"], w.stakes.can_redo]'
    until(page, lambda: told(page, now) == [74.5, True], 'three were undone and one redone')
    for _ in range(2): press('Control+z')
    until(page, lambda: root.locator('.cw-message').inner_text() == 'there is nothing to undo', 'one step too many')
    press('Control+y')
    until(page, lambda: told(page, now) == [74.5, True] and root.locator('.cw-message').is_hidden(), 'one redone')
    press('r')
    until(page, lambda: told(page, 'w.stakes.setting == w.stakes.first'), 'R goes back to the beginning')


def say_both(page, cost, v):
    "The two expected costs as the browser shows them for another cost."
    cost.fill(str(v)); cost.press('Enter')
    until(page, lambda: told(page, 'w.stakes.setting.costs["none", "act"]') == v, 'a cost is taken')
    return page.root.locator('.cw-average').all_inner_texts()


def test_impossible_places_and_what_is_not_said(page):
    root, message = page.root, page.root.locator('.cw-message')
    hot = root.get_by_label('B: temperature, °C, exact value')
    hot.fill('1e9'); hot.press('Enter')
    until(page, lambda: 'temperature 1,000,000,000 °C is impossible' in message.inner_text(), 'it is refused')
    until(page, lambda: hot.input_value() == '35', 'the place is as it was')
    acting = root.locator('.cw-say-acting')
    assert acting.inner_text().startswith('If one acted on the model: measures in A')
    hot.fill('58'); hot.press('Enter')
    until(page, lambda: 'No R can be below 0' in root.locator('.cw-say-b').inner_text(), 'no such R')
    assert acting.is_hidden() and root.locator('.cw-say-gap').is_hidden()
    prior = root.get_by_label('prior, exact value')
    prior.fill('70'); prior.press('Enter')
    until(page, lambda: '(70 % is 0.7)' in message.inner_text(), 'percent are no part of 1')
    hot.fill('35'); hot.press('Enter'); prior.fill('.1'); prior.press('Enter')
    until(page, lambda: 'do not act' in root.locator('.cw-say-decision').inner_text(), 'the other decision')
    assert acting.is_hidden() and root.locator('.cw-say-gap').is_visible()


def test_costs_and_prior(page):
    root, message = page.root, page.root.locator('.cw-message')
    cost, note = root.get_by_label('cost: no relation, act'), root.locator('.cw-say-costs')
    assert note.inner_text() == 'These costs are made up: put in your own.' and note.is_visible()
    cost.fill('lots'); cost.press('Enter')
    until(page, lambda: "is 'lots': give a number" in message.inner_text(), 'the wrong cost is named')
    until(page, lambda: cost.get_attribute('aria-invalid') == 'true', 'and marked')
    assert cost.input_value() == 'lots' and told(page, 'w.stakes.setting.costs["none", "act"]') == 30
    cost.fill('250,5')
    assert root.locator('.cw-average').first.inner_text() == '145.3'  # at once, with a comma
    cost.press('Enter')
    until(page, lambda: told(page, 'w.stakes.setting.costs["none", "act"]') == 250.5, 'a number is taken')
    until(page, lambda: message.is_hidden() and cost.get_attribute('aria-invalid') == 'false', 'no more complaint')
    until(page, note.is_hidden, 'the costs are no longer the made-up ones')
    assert '★' in root.locator('.cw-average').nth(1).inner_text()
    cost.press('ArrowUp'); cost.press('PageUp'); cost.press('Tab')
    until(page, lambda: told(page, 'w.stakes.setting.costs["none", "act"]') == 261.5, 'the arrows')
    for v in (1_500_000, -12_345_678, 30_021, 4e9):
        means = [f.replace(' ★', '') for f in say_both(page, cost, v)]
        page.ask('from course_lib.maths.stakes import say_short')
        assert means == told(page, '[say_short(w.stakes.decision.act), say_short(w.stakes.decision.dont)]')
    say_both(page, cost, 261.5)

    prior = root.get_by_label('prior, exact value')
    prior.fill('1.5'); prior.press('Enter')
    until(page, lambda: 'the prior is 1.5: it must lie between 0 and 1' in message.inner_text(), 'no probability')
    until(page, lambda: prior.input_value() == '0.5', 'the prior is back')
    assert root.get_by_label('prior', exact=True).get_attribute('max') == '1'
    prior.fill('.9'); prior.press('Enter')
    until(page, lambda: told(page, 'w.stakes.setting.prior') == .9 and message.is_hidden(), 'a probability')

    root.locator('select').nth(1).select_option('found')
    until(page, lambda: 'takes 90 % to 99.31 %' in root.inner_text(), 'a study takes it further')
    slide(page, root.locator('.cw-pane').nth(1), .3, .5, .35)
    until(page, lambda: told(page, 'w.stakes.setting.prior') < .2, 'the probability was dragged in the chart')
    assert told(page, 'w.stakes.belief') == pytest.approx((.35*560 - 64)/320, abs=.03)
    root.locator('summary').click()
    until(page, lambda: 'draw_cities' in root.locator('.cw-code').inner_text(), 'the state as code')
    ran = page.ask('exec(w.stakes.code(), names := {}); print("|", names["decision"].act)')
    assert float(ran.rsplit('|', 1)[1]) == pytest.approx(told(page, 'w.stakes.decision.act'), rel=1e-4)
    root.locator('summary').click()


def inked(png, colour, give=50):
    "Where a picture has the colour, give or take: rows and columns of a mask."
    a = np.asarray(Image.open(io.BytesIO(png)).convert('RGB')).astype(int)
    return np.abs(a - colour).max(axis=2) < give


def near(png, colour):
    "Where it has about the colour, and one pixel around; thin lines are paler where they fall between pixels."
    mask = inked(png, colour, 120)
    return np.any([np.roll(mask, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)


def test_the_browser_draws_what_matplotlib_draws(page):
    "On its way and at rest the pictures differ by less than a pixel, and none shines through the other."
    root, panes = page.root, page.root.locator('.cw-pane')
    front = panes.locator('img:nth-child(3)')
    page.page.evaluate('document.activeElement.blur()')
    sliders = root.locator('.cw-place-b input[type=range]').first, root.get_by_label('prior', exact=True)
    for pane, handle in enumerate(sliders):
        slide(page, handle, .5, .62, .7, let_go=False)
        page.page.wait_for_timeout(600)
        assert front.nth(pane).is_hidden()
        moving = panes.nth(pane).screenshot()
        page.page.mouse.up()
        front.nth(pane).wait_for(state='visible')
        page.page.wait_for_timeout(200)
        resting = panes.nth(pane).screenshot()
        for colour in np.array([(213, 94, 0), (0, 114, 178), (34, 34, 34)][:3 - pane]):  # below, ink is in dots
            assert inked(moving, colour).sum() > 60
            assert not (inked(moving, colour) & ~near(resting, colour)).any(), (pane, colour)
            assert not (inked(resting, colour) & ~near(moving, colour)).any(), (pane, colour)
        plain = [np.asarray(Image.open(io.BytesIO(p)).convert('L')).astype(int) for p in (moving, resting)]
        assert np.abs(plain[0] - plain[1]).mean() < 3  # a fraction of a pixel lies between them, in the letters too


def test_a_dark_page(page):
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    until(page, lambda: page.ask('print(w.dark)') == 'True', 'Python had heard of the theme')
    orange, pane = np.array([230, 159, 0]), page.root.locator('.cw-pane').first
    until(page, lambda: inked(pane.screenshot(), orange).sum() > 200, 'B was light')
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    until(page, lambda: page.ask('print(w.dark)') == 'False', 'the page was light again')
