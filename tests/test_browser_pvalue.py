"""The p-value simulator in JupyterLab: draws accumulate, n moves p and not the slope, bars lead to their scatters."""
import json

import pytest

CITIES = 'from course_lib.widgets.pvalue import PValueSimulator\nw = PValueSimulator()\nw'
OWN = '''import numpy as np, pandas as pd
rng = np.random.default_rng(3); T = rng.normal(15, 8, 25)
v = PValueSimulator(pd.DataFrame(dict(T=T, R=2.5 - .02*T + rng.normal(0, .4, 25))), draws=200)
v'''


@pytest.fixture(scope='module')
def opened(run_in_lab):
    "A notebook with the simulator in two places, and one on own data."
    return run_in_lab('pvalue.ipynb', CITIES, 'w', OWN)


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask('from course_lib.maths.simulation import Simulation; w.sim = Simulation(); w.refresh()')
    yield opened
    assert opened.console == []


def root(page, cell=0):
    "The widget in a cell, in view."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('.cw-p-canvas').first.wait_for()
    page.page.wait_for_timeout(400)
    return shown


def press(widget, name): widget.get_by_role('button', name=name, exact=True).click()


def until(page, true, what): page._until(true, 20, what)


def told(page, *what, name='w'):
    "What Python holds, as plain values."
    parts = ', '.join(f'{name}.sim.{k}' for k in what)
    return json.loads(page.ask(f'import json; print(json.dumps([{parts}]))'))


def bars(widget):
    "The heights of the bars that were painted last."
    return [int(c) for c in (widget.locator('.cw-p-canvas[tabindex]').get_attribute('data-bars') or '0').split()]


def heap(widget):
    "The histogram, in view, and its box."
    canvas = widget.locator('.cw-p-canvas[tabindex]')
    canvas.scroll_into_view_if_needed()
    return canvas, canvas.bounding_box()


def test_draws_accumulate_and_p_agrees_with_the_formula(page):
    widget = root(page)
    assert 'Nothing drawn yet' in widget.inner_text() and sum(bars(widget)) == 0
    for name, total in (('+1', 1), ('+10', 11), ('+100', 111)):
        press(widget, name)
        until(page, lambda total=total: sum(bars(widget)) == total, f'{total} slopes were painted')
    widget.locator('.cw-p-canvas[tabindex]').focus()
    for key in ('1', '2', '4', 'd', 'd', 'x', 'b'): page.page.keyboard.press(key)
    until(page, lambda: sum(bars(widget)) == 1122, 'the keys had drawn')
    assert len(page.cells()) == 3 and told(page, 'count') == [1122]
    until(page, lambda: '✓ They agree' in widget.inner_text(), 'it was said that both agree')
    p, error = widget.locator('.cw-p-number .cw-figure').first.inner_text().split(' ± ')
    assert abs(float(p) - .0213) < 3*float(error) and f'{told(page, "null.p")[0]:.4f}' == p
    other = root(page, 1)
    assert sum(bars(other)) == 1122 and p in other.inner_text()
    press(widget, 'Clear')
    until(page, lambda: sum(bars(widget)) == 0 and sum(bars(other)) == 0, 'both were empty')
    press(widget, '↶ Undo')
    until(page, lambda: sum(bars(widget)) == 1122, 'the clear was taken back')


def test_play_goes_slowly_at_first_and_stops_when_told(page):
    widget = root(page)
    press(widget, '▶ Play')
    seen = set()
    until(page, lambda: seen.add(sum(bars(widget))) or max(seen) > 4, 'some draws had come')
    assert {1, 2, 3} <= seen
    until(page, lambda: sum(bars(widget)) > 14, 'they came faster')
    press(widget, '‖ Pause')
    page.page.wait_for_timeout(500)
    at = told(page, 'count')[0]
    page.page.wait_for_timeout(700)
    assert told(page, 'count') == [at] and sum(bars(widget)) == at
    still = page.page.locator('.jp-Cell').nth(0).locator('.cw-still img')
    until(page, lambda: f'of {at} draws' in still.get_attribute('alt'), 'the picture that stays shows the same')


def test_n_moves_p_and_not_the_slope(page):
    widget = root(page)
    press(widget, '+1000')
    until(page, lambda: sum(bars(widget)) == 1000, 'there were draws')
    slider = widget.locator('input[type=range]').first
    slider.scroll_into_view_if_needed()
    box, painted = slider.bounding_box(), set()
    y = box['y'] + box['height']/2
    page.page.mouse.move(box['x'] + .51*box['width'], y)
    page.page.mouse.down()
    for part in (.6, .7, .8, .9):
        page.page.mouse.move(box['x'] + part*box['width'], y, steps=4)
        page.page.wait_for_timeout(150)
        painted.add(tuple(bars(widget)))
    until(page, lambda: 'the slope still −0.023' in widget.inner_text(), 'it was said what n does')
    assert len(painted) > 2 and told(page, 'story.can_undo', 'null.observed') == [False, -.023]
    page.page.mouse.up()
    until(page, lambda: told(page, 'story.can_undo')[0], 'the move was kept')
    n, slope, p = told(page, 'settings.n', 'null.observed', 'null.p_analytic')
    assert n > 1000 and slope == -.023 and p < 1e-12
    until(page, lambda: sum(bars(widget)) == 1000, 'as many draws as before')
    press(widget, '↶ Undo')
    until(page, lambda: told(page, 'settings.n') == [100], 'it was undone')
    slider.focus()
    for key in ('Home', 'ArrowRight', 'ArrowRight'): page.page.keyboard.press(key)
    until(page, lambda: told(page, 'story.now.n') == [5], 'keys go one point at a time where that is a large step')


def test_a_bar_leads_to_its_scatter(page):
    widget = root(page)
    press(widget, '+1000')
    until(page, lambda: sum(bars(widget)) == 1000, 'there were draws')
    canvas, box = heap(widget)
    at = {'x': 44 + .6*(box['width'] - 52), 'y': 150}
    width = told(page, 'tally.width')[0]
    canvas.click(position=at)
    until(page, lambda: told(page, 'picked') != [None], 'a draw was picked')
    first, value = told(page, 'picked', 'null.draws[w.sim.shown]')
    canvas.click(position=at)
    until(page, lambda: told(page, 'picked') != [first], 'the next of the same bar was picked')
    assert abs(told(page, 'null.draws[w.sim.shown]')[0] - value) < width and 0 < value < .02
    canvas.focus()
    page.page.keyboard.press('End')
    most = told(page, 'null.draws.max()')[0]
    until(page, lambda: told(page, 'null.draws[w.sim.shown]')[0] > most - width, 'the last bar was looked at')
    page.page.keyboard.press('ArrowLeft')
    until(page, lambda: told(page, 'null.draws[w.sim.shown]')[0] <= most - width/2, 'and the one before it')
    press(widget, '+1')
    until(page, lambda: told(page, 'shown') == [1000], 'the newest is shown again')


def test_choices_typed_values_and_what_is_wrong(page):
    widget, message = root(page), page.page.locator('.cw-root').first.locator('.cw-message')
    press(widget, '+100')
    widget.get_by_label('tail').select_option('less')
    widget.get_by_label('null').select_option('permutation')
    both = ['less', 'permutation', 100]
    until(page, lambda: told(page, 'settings.tail', 'settings.null', 'count') == both, 'both were set')
    noise = widget.get_by_label('noise, exact value')
    noise.fill('0'); noise.press('Enter')
    until(page, lambda: 'noise=0' in message.inner_text(), 'it was said what is wrong')
    until(page, lambda: noise.input_value() == '0.489', 'the slider was where it had been')
    points, seed = widget.get_by_label('n, exact value'), widget.get_by_label('seed')
    for box, bad, was in ((points, '-5', '100'), (points, '0', '100'), (seed, '-1', '42')):
        box.fill(bad); box.press('Enter')
        until(page, lambda bad=bad: f'={bad}: ' in message.inner_text(), f'it was said what is wrong with {bad}')
        until(page, lambda box=box, was=was: box.input_value() == was, f'{bad} did not stay')
    noise.fill('1.5'); noise.press('Enter')
    until(page, lambda: told(page, 'settings.noise') == [1.5] and message.is_hidden(), 'all is well again')
    widget.locator('summary').click()
    until(page, lambda: 'rng.permutation(y)' in widget.locator('.cw-code').inner_text(), 'the code was shown')
    page.page.keyboard.press('r')
    start = [.489, 'two', 0]
    until(page, lambda: told(page, 'settings.noise', 'settings.tail', 'count') == start, 'all was as at the start')
    page.page.keyboard.press('Control+z')
    until(page, lambda: told(page, 'settings.noise', 'count') == [1.5, 100], 'the reset was taken back')


def test_own_data_and_the_way_back(page):
    widget = root(page, 2)
    back, box = widget.get_by_role('button', name='Back to the data'), widget.get_by_label('n, exact value')
    assert back.is_disabled() and sum(bars(widget)) == 200
    box.fill('400'); box.press('Enter')
    until(page, lambda: told(page, 'settings.n', 'settings.own', name='v') == [400, False], 'n had moved')
    power = widget.locator('.cw-p-words p').nth(2)
    slope, tall = widget.get_by_label('slope, exact value'), power.bounding_box()['height']
    slope.fill('0'); slope.press('Enter')
    until(page, lambda: told(page, 'settings.slope', name='v') == [0] and power.is_hidden(), 'no slope, no power')
    assert power.bounding_box()['height'] == tall > 0
    back.click()
    until(page, lambda: told(page, 'settings.n', 'settings.own', name='v') == [25, True], 'the data were back')
    until(page, back.is_disabled, 'there is no more way back')
