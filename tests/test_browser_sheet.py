"""The sheet in JupyterLab: edit, step, solve, trace, undo, scroll, all by hand and by keys."""
import json
import re

import pytest

SHEET = 'from course_lib.widgets.sheet import TitanicSheet\nw = TitanicSheet()\nw'
OWN = '''import numpy as np, pandas as pd
rng = np.random.default_rng(3)
v = TitanicSheet(pd.DataFrame(dict(water=rng.uniform(0, 9, 60), soil=rng.choice(["clay", "sand-2"], 60)))
                 .assign(died=lambda d: ((d.water < 2) | (d.water > 7)).astype(int)), "died")
v'''
FRESH = 'from course_lib.training.sheet import Sheet; w.sheet = Sheet(); w._at = (0, "prediction"); w.refresh()'


@pytest.fixture(scope='module')
def opened(run_in_lab):
    "A notebook with the sheet in two places, and one of another table."
    return run_in_lab('sheet.ipynb', SHEET, 'w', OWN)


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask(FRESH)
    yield opened
    assert opened.console == [] and len(opened.cells()) == 3


def root(page, cell=0, view='Products'):
    "The widget in a cell, in view."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('.cw-sheet-body .cw-sheet-row').first.wait_for()
    press(shown, view)
    grid(shown).focus()
    page.page.keyboard.press('Control+Home')
    return shown


def press(widget, name): widget.get_by_role('button', name=name, exact=True).click()


def grid(widget): return widget.locator('.cw-sheet-grid')


def until(page, true, what): page._until(true, 20, what)


def told(page, what, name='w'):
    "What Python holds, as plain values."
    return json.loads(page.ask(f'import json; print(json.dumps({name}.sheet.{what}))'))


def at(widget):
    "The text of the cell under the hand."
    return widget.locator('.cw-sheet-at').first.inner_text()


def cell(widget, row, kind, k=0):
    "A cell in sight, by the label of its row and the kind of its column."
    rows = widget.locator('.cw-sheet-body .cw-sheet-row')
    return rows.filter(has=widget.page.locator(f'.cw-sheet-label:text-is("{row}")')).locator(f'.cw-sheet-{kind}').nth(k)


def coeff(widget, k, which=0):
    "One of the coefficients above."
    return widget.locator('.cw-sheet-head .cw-sheet-row').nth(2 + which).locator('.cw-sheet-coeff').nth(k)


def loss(widget): return float(widget.locator('.cw-figure').first.inner_text())


def relu_in_sight(widget):
    "Whether the second ReLU stands left of the prediction, and is not covered."
    relu, end = (widget.locator(f'.cw-sheet-names .cw-sheet-{o}').last.bounding_box() for o in ('relu', 'prediction'))
    return 0 < relu['x'] and relu['x'] + relu['width'] <= end['x'] + 2


def keys(page, *names):
    for name in names: page.page.keyboard.press(name)


def test_what_is_shown_is_what_python_computes(page):
    widget = root(page)
    frame = told(page, 'frame().iloc[:3, 7:].round(9).values.tolist()')
    for row, label in enumerate(told(page, 'rows[:3]')):
        shown = [cell(widget, label, 'product', k).inner_text() for k in range(10)]
        assert [float(t.replace('−', '-')) for t in shown] == pytest.approx(frame[row][10:20], abs=6e-4)
        assert cell(widget, label, 'prediction').inner_text().split()[0].replace('−', '-') == f'{frame[row][20]:.3f}'
    assert abs(loss(widget) - told(page, 'loss')) < 6e-5
    assert widget.locator('.cw-sheet-body .cw-sheet-row').count() < 30 < told(page, 'x.shape[0]')


def test_edit_a_coefficient_by_keys_and_undo(page):
    widget, first = root(page), told(page, 'w.tolist()')
    assert widget.locator('.cw-sheet-at').count() == 1 and at(widget) == f'{first[0][0]:.3f}'
    keys(page, 'Enter')
    widget.locator('.cw-sheet-input').fill('0,75')
    keys(page, 'Enter')
    until(page, lambda: told(page, 'w.tolist()')[0] == [.75], 'Python heard the coefficient')
    until(page, lambda: abs(loss(widget) - told(page, 'loss')) < 6e-5, 'the loss followed')
    assert at(widget) == '0.750', 'the hand stays'
    keys(page, 'ArrowRight', '-', '2', 'Tab')
    until(page, lambda: told(page, 'w.tolist()')[1] == [-2], 'a digit begins an edit')
    keys(page, 'Enter', '9', 'Escape')
    assert told(page, 'w.tolist()')[2] == first[2] and widget.locator('.cw-sheet-input').count() == 0
    keys(page, 'Control+z', 'Control+z')
    until(page, lambda: told(page, 'w.tolist()') == first, 'both were undone')
    keys(page, 'Control+y')
    until(page, lambda: told(page, 'w.tolist()')[0] == [.75], 'one was done again')
    keys(page, 'Enter')
    widget.locator('.cw-sheet-input').fill('much')
    keys(page, 'Enter')
    until(page, lambda: "not 'much'" in widget.inner_text(), 'it was said what is wrong')
    assert told(page, 'w.tolist()')[0] == [.75]


def test_edit_a_raw_cell_and_all_follows(page):
    widget = root(page, view='Raw table')
    label = told(page, 'rows[1]')
    sex, age = cell(widget, label, 'raw', 1), cell(widget, label, 'raw', 2)
    was, before = sex.inner_text(), told(page, 'loss')
    sex.dblclick()
    other = 'male' if was == 'female' else 'female'
    widget.locator('.cw-sheet-input').select_option(other)
    keys(page, 'Enter')
    until(page, lambda: told(page, 'now.edits') == [[label, 'Sex', other]], 'Python heard of it')
    age.dblclick()
    widget.locator('.cw-sheet-input').fill('150.0')
    keys(page, 'Enter')
    until(page, lambda: told(page, 'x[1, 0].item()') == 1, 'the largest age is another one')
    until(page, lambda: abs(loss(widget) - told(page, 'loss')) < 6e-5, 'the loss followed')
    assert told(page, 'loss') != before
    assert (sex.inner_text(), age.inner_text()) == (other, '150')
    effect = rf'Row {label}: Age \S+ → 150\.0; prediction \S+ → .*mean loss'
    assert at(widget) == '150' and re.search(effect, widget.inner_text())
    assert 'Age 150 is above all others' in widget.inner_text(), 'a hint'
    marked = widget.locator('.cw-sheet-edited')
    assert marked.count() == 2 and marked.first.get_attribute('title') == f'as given: {was}'
    press(widget, '↶ Undo'); press(widget, '↶ Undo')
    until(page, lambda: (sex.inner_text(), told(page, 'now.edits')) == (was, []), 'all is as it was')
    slot = widget.locator('.cw-sheet-slot')
    until(page, lambda: marked.count() == 0 and 'prediction' not in slot.inner_text(), 'no mark')


def test_a_cell_that_is_emptied_takes_its_row_away(page):
    widget = root(page, view='Raw table')
    first, label, after = told(page, 'rows[:3]')
    count, name = len(told(page, 'rows')), widget.locator('.cw-sheet-body .cw-sheet-label')
    age = cell(widget, label, 'raw', 2)
    was = age.inner_text()
    age.click()
    keys(page, 'Delete')
    until(page, lambda: f'Row {label} has a gap' in widget.inner_text(), 'it was said')
    until(page, lambda: name.nth(1).inner_text() == str(after), 'the row has gone')
    assert told(page, 'x.shape[0]') == count - 1 and abs(loss(widget) - told(page, 'loss')) < 6e-5
    cell(widget, after, 'raw', 2).dblclick()
    widget.locator('.cw-sheet-input').fill('61')
    keys(page, 'Enter')
    until(page, lambda: told(page, 'now.edits')[-1] == [after, 'Age', 61], 'the right row, though it has moved up')
    keys(page, 'Control+z', 'Control+z')
    until(page, lambda: name.nth(1).inner_text() == str(label) and age.inner_text() == was, 'the row is back')
    cell(widget, first, 'answer').click()
    keys(page, 'Backspace')
    until(page, lambda: 'would be missing' in widget.inner_text(), 'an answer there must be')
    keys(page, 'Control+Home')
    press(widget, 'Products')
    grid(widget).focus()
    keys(page, 'Control+Home', 'Delete')
    until(page, lambda: told(page, 'w[0].tolist()') == [0], 'an empty coefficient counts as 0')
    assert told(page, 'x.shape[0]') == count


SLEEP = """() => void jupyterapp.shell.currentWidget.sessionContext.session.kernel
  .requestExecute({code: 'import time; time.sleep(1)'})"""


def test_a_raw_cell_is_seen_to_change_all_before_python_answers(page):
    widget = root(page, view='Raw table')
    label, other = told(page, 'rows[1]'), told(page, 'rows[2]')
    texts = lambda: [cell(widget, o, 'prediction').inner_text() for o in (label, other)]
    before = texts()
    for column, value in ((2, '160'), (5, '0,5')):
        page.page.evaluate(SLEEP)
        cell(widget, label, 'raw', column).dblclick()
        widget.locator('.cw-sheet-input').fill(value)
        keys(page, 'Enter')
        page.page.wait_for_timeout(60)
        early, early_loss = texts(), loss(widget)
        until(page, lambda v=value: told(page, 'now.edits')[-1][2] == float(v.replace(',', '.')), 'Python heard of it')
        until(page, lambda: abs(loss(widget) - told(page, 'loss')) < 6e-5, 'and has answered')
        assert early == texts() != before and early_loss == loss(widget)
        assert column != 2 or early[1] != before[1], 'the largest age is another one, so all others change'
        before = early
    cell(widget, label, 'raw', 2).dblclick()
    widget.locator('.cw-sheet-input').fill('old')
    keys(page, 'Enter')
    until(page, lambda: "not 'old'" in widget.inner_text(), 'it was said what is wrong')
    until(page, lambda: cell(widget, label, 'raw', 2).inner_text() == '160' and texts() == before, 'all as it was')


def test_keys_go_on_where_a_button_goes_dead(page):
    widget = root(page)
    keys(page, 's')
    undo = widget.get_by_role('button', name='↶ Undo', exact=True)
    until(page, undo.is_enabled, 'something to undo')
    undo.focus()
    keys(page, 'Enter')
    until(page, undo.is_disabled, 'nothing to undo')
    keys(page, 's')
    until(page, lambda: len(told(page, 'losses')) == 2, 'the key was heard')


def test_step_play_solve_and_the_two_relus(page):
    widget = root(page)
    keys(page, 's')
    until(page, lambda: len(told(page, 'losses')) == 2, 'one step')
    press(widget, '▶ Play')
    until(page, lambda: len(told(page, 'losses')) > 5, 'it plays')
    keys(page, 'Escape')
    until(page, lambda: 'Play' in widget.inner_text() and 'Pause' not in widget.inner_text(), 'it rests')
    losses = told(page, 'losses')
    assert losses == sorted(losses, reverse=True)
    keys(page, 'Control+z')
    until(page, lambda: len(told(page, 'losses')) == 2, 'the whole run was undone')
    press(widget, 'Solve')
    until(page, lambda: 'least squares' in widget.inner_text(), 'solved')
    linear = loss(widget)
    widget.get_by_text('two ReLUs').click()
    until(page, lambda: coeff(widget, 0, 1).count() == 1, 'a second set')
    press(widget, 'Solve')
    until(page, lambda: 'the best of' in widget.inner_text() and loss(widget) < linear, 'the net is better')
    assert abs(loss(widget) - told(page, 'loss')) < 6e-5
    best, both = loss(widget), widget.get_by_text('two ReLUs')
    both.click()
    until(page, lambda: loss(widget) == linear, 'the linear one as it was')
    both.click()
    until(page, lambda: loss(widget) == best and 'the best of' in widget.inner_text(), 'and the net again')
    assert 'share: of both sets together' in widget.locator('.cw-sheet-blocks').inner_text()
    assert grid(widget).get_attribute('class').endswith('cw-sheet-more-right')
    press(widget, 'sums, cut off at 0')
    until(page, lambda: relu_in_sight(widget), 'ReLUs')
    assert 'cw-sheet-more-left' in grid(widget).get_attribute('class')
    press(widget, 'products × w1')
    widget.get_by_text('As one matrix product').click()
    assert '@ (10, 2)' in widget.inner_text() and widget.locator('.cw-sheet-table').count() == 4
    widget.get_by_text('As code').click()
    until(page, lambda: 'np.maximum(X @ w, 0)' in widget.inner_text(), 'the code')
    widget.get_by_text('As code').click(); widget.get_by_text('As one matrix product').click()


def test_switches_show_what_drowns_the_rest(page):
    widget = root(page)
    widget.get_by_text('normalise').click(); widget.get_by_text('log of Fare').click()
    until(page, lambda: told(page, 'columns')[3] == 'Fare' and loss(widget) > 10, 'raw numbers')
    parts = [s.inner_text() for s in widget.locator('.cw-sheet-share').all()]
    assert len(parts) == 10 and int(parts[0].rstrip('%')) + int(parts[3].rstrip('%')) > 90
    for _ in range(9): keys(page, 's')
    until(page, lambda: 'Make the learning rate smaller (0.0001 works)' in widget.inner_text(), 'the steps went wild')


def test_trace_leads_back_to_the_raw_cell(page):
    widget = root(page)
    label = told(page, 'rows[2]')
    cell(widget, label, 'error').click()
    trace = widget.locator('.cw-sheet-trace')
    until(page, lambda: f'squared error, row {label}' in trace.inner_text(), 'the error')
    for name, then in (('prediction =', 'sum of 10 products'), ('LogFare × w', 'log10(1 +')):
        trace.get_by_role('button').filter(has_text=name).first.click()
        until(page, lambda then=then: then in trace.inner_text(), then)
    trace.get_by_role('button').filter(has_text='the cell itself').click()
    until(page, lambda: f'Fare, row {label}' in trace.inner_text(), 'the raw cell')
    assert float(at(widget)) == pytest.approx(told(page, f'value({label}, "raw Fare")'))
    keys(page, 'Enter')
    assert widget.locator('.cw-sheet-input').count() == 1
    keys(page, 'Escape')


def down(widget, part):
    "How far below the top of the widget a part of it is, in CSS pixels, wherever the page has scrolled to."
    return round(widget.locator(part).bounding_box()['y'] - widget.bounding_box()['y'], 1)


def test_slider_scrolling_and_keys_that_stay_inside(page):
    widget = root(page)
    keys(page, 'Control+End')
    last = told(page, 'rows[-1]')
    until(page, lambda: cell(widget, last, 'error').count() == 1, 'the last row is in sight')
    keys(page, 'Home', 'd', 'd', 'b', 'a', 'Escape')
    drag = widget.locator('.cw-sheet-knobs .cw-range')
    box = drag.bounding_box()
    page.page.mouse.move(box['x'] + box['width']/2, box['y'] + box['height']/2)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + .8*box['width'], box['y'] + box['height']/2, steps=6)
    page.page.mouse.up()
    until(page, lambda: .8 < told(page, 'w[0, 0].item()') < 1.6 and told(page, 'past.__len__()') == 1, 'one change')
    until(page, lambda: abs(loss(widget) - told(page, 'loss')) < 6e-5, 'the loss followed')
    keys(page, 'Control+z')
    until(page, lambda: not told(page, 'past') and abs(loss(widget) - told(page, 'loss')) < 6e-5, 'undone')
    box = widget.get_by_role('spinbutton', name='w, exact value')
    before, place = loss(widget), down(widget, '.cw-sheet-trace')
    page.page.evaluate(SLEEP)
    box.fill('1e9')
    keys(page, 'Enter')
    page.page.wait_for_timeout(100)
    assert loss(widget) == before, 'what will be refused is not shown first'
    until(page, lambda: 'type a coefficient nearer to 0' in widget.inner_text(), 'refused')
    assert (drag.get_attribute('min'), drag.get_attribute('max')) == ('-2', '2') and float(box.input_value()) < 1
    until(page, lambda: down(widget, '.cw-sheet-trace') == place, 'the message has its own place')
    box.fill('3.5')
    keys(page, 'Enter')
    until(page, lambda: told(page, 'w[0, 0].item()') == 3.5 and drag.get_attribute('max') == '3.5', 'that is wider')
    grid(widget).focus()
    keys(page, 'Control+End', 'Control+Home')
    first = told(page, 'rows[0]')
    until(page, lambda: cell(widget, first, 'product').count() == 1, 'the first row is in sight')
    until(page, lambda: grid(widget).evaluate('o => o.scrollTop') == 0, 'at the top')
    second = root(page, 1)
    shown = f'{told(page, "w[0, 0].item()"):.3f}'
    until(page, lambda: coeff(second, 0).inner_text() == shown, 'two views of one sheet')


def test_any_table(page):
    widget = root(page, 2, 'All')
    widget.get_by_text('two ReLUs').click()
    press(widget, 'Solve')
    until(page, lambda: loss(widget) < .1, 'too little or too much')
    assert abs(loss(widget) - told(page, 'loss', 'v')) < 6e-5
    widget.locator('.cw-sheet-body .cw-sheet-product').nth(1).click()
    trace = widget.locator('.cw-sheet-trace')
    until(page, lambda: 'soil_sand-2 × w1 =' in trace.inner_text(), 'a name keeps its hyphen')
    wide = 'all => all.map(o => [o.value.length, o.clientWidth])'
    boxes = widget.locator('.cw-sheet-knobs .cw-number').evaluate_all(wide)
    assert len(boxes) == 2 and all(room > 7.5*letters + 15 for letters, room in boxes), 'no digit is cut off'
    assert not widget.locator('.cw-sheet-caution').is_visible() and 'of these rows' in widget.inner_text()
    page.ask('v.sheet = Sheet(v.sheet.first[:6], "died"); v.refresh()')
    until(page, lambda: '⚠ 3 coefficients for 6 rows' not in widget.inner_text(), 'half as many')
    page.ask('v.sheet = Sheet(v.sheet.first[:5], "died"); v.refresh()')
    until(page, lambda: 'coefficients for 5 rows: even random answers' in widget.inner_text(), 'a caution')
    heights = [widget.locator(f'.cw-sheet-{o}').bounding_box()['height'] for o in ('grid', 'head')]
    assert heights[0] - heights[1] < 5*25 + 25, 'no blank below few rows'
    assert 'died' in widget.inner_text() and 'soil_sand-2' in widget.inner_text().replace('\u200b', '')
