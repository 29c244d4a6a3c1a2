"""The net in JupyterLab: a passenger flows through, what-if sliders, steps, keys, and a sheet that follows."""
import json
import re

import pytest

NET = 'from course_lib.widgets.netdiagram import NetDiagram\nw = NetDiagram()\nw'
FRESH = '''from course_lib.training.sheet import Sheet; from course_lib.widgets.netdiagram import Deeds
w.sheet = Sheet(relus=True); w.deeds = Deeds(w.sheet); w._place = (w.sheet.rows[0], {}); w.refresh()'''
LINKED = '''from course_lib.widgets.sheet import TitanicSheet
t = TitanicSheet(w.sheet)
n = NetDiagram(t)
n'''


@pytest.fixture(scope='module')
def opened(run_in_lab):
    "A notebook with the net in two places, and a sheet with a net that follows it."
    return run_in_lab('net.ipynb', NET, 'w', LINKED, 't')


@pytest.fixture
def page(opened):
    "The same for each test, back at its start."
    opened.ask(FRESH)
    yield opened
    assert opened.console == [] and len(opened.cells()) == 4


SLEEP = """() => void jupyterapp.shell.currentWidget.sessionContext.session.kernel
  .requestExecute({code: 'import time; time.sleep(1)'})"""


HEADER = """() => [...document.querySelector('.cw-net').querySelectorAll('.cw-figure, .cw-sheet-top .cw-note')]
  .map(o => o.textContent)"""


def root(page, cell=0):
    "The widget in a cell, in view."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('.cw-net-part').first.wait_for()
    return shown


def press(widget, name): widget.get_by_role('button', name=name, exact=True).click()


def until(page, true, what): page._until(true, 20, what)


def told(page, what, name='w'):
    "What Python holds, as plain values."
    return json.loads(page.ask(f'import json; print(json.dumps({name}.{what}))'))


def number(text): return float(text.replace('−', '-'))


def shown(widget, selector):
    "The numbers that the net shows."
    return [number(t.split()[-1]) for t in widget.locator(f'.cw-net-svg {selector}').all_text_contents()]


def prediction(widget): return widget.locator('.cw-net-huge').text_content()


def agrees(page, widget):
    "Whether the net shows what Python computes, at every node."
    flow = json.loads(page.ask('''import json; f = w.flow; print(json.dumps([f.x.tolist(), f.products.ravel().tolist(),
        f.sums.tolist(), f.outs.tolist(), f.pred]))'''))
    if len(flow[2]) == 1: flow[2:4] = [], []  # without ReLUs the sum is the prediction
    seen = [shown(widget, s) for s in ('.cw-net-input .cw-net-number', '.cw-net-product', '.cw-net-sum', '.cw-net-big')]
    seen.append(number(prediction(widget)))
    return all(a == pytest.approx(b, abs=6e-4) for a, b in zip(seen, flow, strict=True))


def settled(page, widget, what='the net shows what Python computes'):
    until(page, lambda: '…' not in prediction(widget) and agrees(page, widget), what)


def keys(page, *names):
    for name in names: page.page.keyboard.press(name)


def test_every_node_shows_what_python_computes(page):
    widget = root(page)
    settled(page, widget)
    assert widget.locator('.cw-net-edge').count() == 20 and widget.locator('.cw-net-hidden').count() == 2
    get = '(all, name) => all.map(o => o.getAttribute(name))'
    lines = widget.locator('.cw-net-edge .cw-net-line')
    widths = [float(v) for v in lines.evaluate_all(get, 'stroke-width')]
    dashes = [v != 'none' for v in lines.evaluate_all(get, 'stroke-dasharray')]
    weights = [v for row in told(page, 'sheet.w.tolist()') for v in row]
    assert dashes == [v < 0 for v in weights], 'the sign is seen without colours'
    order = sorted(range(20), key=lambda k: abs(weights[k]))
    assert [widths[k] for k in order] == sorted(widths), 'the larger, the wider'
    assert widths == pytest.approx([1 + 8*abs(v) for v in weights], abs=.01), 'always by the same scale'
    silent = [k for k, v in enumerate(told(page, 'flow.sums.tolist()')) if v <= 0]
    dimmed = [o.split('cw-net-silent')[0] != o for o in widget.locator('.cw-net-edge').evaluate_all(get, 'class')]
    assert dimmed == [k % 2 in silent for k in range(20)], 'into a silent node'
    press(widget, 'Solve')
    until(page, lambda: told(page, 'sheet.loss') < .15, 'solved')
    settled(page, widget)
    widget.get_by_text('two ReLUs').click()
    until(page, lambda: widget.locator('.cw-net-hidden').count() == 0, 'no hidden node')
    settled(page, widget)
    assert widget.locator('.cw-net-edge').count() == 10


def test_choose_a_passenger_by_all_ways(page):
    widget = root(page)
    order = told(page, 'sheet.errors.argsort()[::-1][:2].tolist()')
    for k in range(2):
        press(widget, 'Most wrong')
        until(page, lambda k=k: told(page, 'state["at"]') == order[k], f'number {k + 1} of the most wrong')
    assert '…' in prediction(widget), 'it flows, and has not arrived'
    settled(page, widget)
    assert told(page, 'sheet.first.Name[w.row]') in widget.inner_text()
    until(page, lambda: '✗' in widget.locator('.cw-net-out').text_content(), 'at last what really happened')
    keys(page, 'n', 'b', 'b')
    until(page, lambda: told(page, 'state["at"]') == order[1] - 1, 'keys lead on and back')
    place = widget.get_by_role('spinbutton', name='place, exact value')
    place.fill('5')
    keys(page, 'Enter')
    until(page, lambda: told(page, 'state["at"]') == 4, 'typed')
    place.fill('99999')
    keys(page, 'Enter')
    last = told(page, 'sheet.x.shape[0]')
    until(page, lambda: told(page, 'state["at"]') == last - 1, 'there are no more')
    assert place.input_value() == str(last)
    press(widget, 'Random')
    until(page, lambda: told(page, 'state["at"]') != last - 1, 'any other')
    settled(page, widget)
    assert not told(page, 'deeds.can_undo'), 'to look is no deed'


def test_what_if(page):
    widget = root(page)
    was, sex, sums = prediction(widget), told(page, 'flow.raw')['Sex'], told(page, 'flow.sums.tolist()')
    other = 'male' if sex == 'female' else 'female'
    widget.get_by_label('Sex', exact=True).select_option(other)
    fare = widget.get_by_role('slider', name='Fare', exact=True)
    fare.scroll_into_view_if_needed()
    box = fare.bounding_box()
    page.page.mouse.move(box['x'] + 8, box['y'] + box['height']/2)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + .6*box['width'], box['y'] + box['height']/2, steps=8)
    assert 'log₁₀(1 + ' in widget.locator('.cw-net-input').nth(3).text_content(), 'the logarithm is seen'
    page.page.mouse.up()
    until(page, lambda: set(told(page, 'what')) == {'Sex', 'Fare'}, 'both are on trial')
    settled(page, widget)
    assert told(page, 'flow.sums.tolist()') != sums and told(page, 'what')['Sex'] == other
    assert f'prediction {was} → {prediction(widget)}' in widget.inner_text()
    assert f'was {was}' in widget.locator('.cw-net-out').text_content()
    assert told(page, 'sheet.now.edits') == [], 'the sheet is not changed'
    typed = widget.get_by_role('spinbutton', name='Fare, exact value')
    typed.fill('5000')
    keys(page, 'Enter')
    until(page, lambda: 'Fare 5000 is beyond all rows' in widget.inner_text(), 'a hint')
    press(widget, '↶ Undo')
    until(page, lambda: 'beyond' not in widget.inner_text(), 'undone')
    typed.fill('-3')
    keys(page, 'Enter')
    until(page, lambda: 'too low' in widget.inner_text(), 'it was said what is wrong')
    until(page, lambda: float(typed.input_value()) > 100, 'and all stays as it was')
    press(widget, '↶ Undo')
    until(page, lambda: set(told(page, 'what')) == {'Sex'}, 'one trial is undone')
    press(widget, 'As it was')
    until(page, lambda: told(page, 'what') == {} and prediction(widget) == was, 'as it was')
    keys(page, 'Control+z')
    until(page, lambda: told(page, 'what') == {'Sex': other}, 'that, too, can be undone')


def test_steps_play_undo_and_keys_that_stay_inside(page):
    widget, first = root(page), told(page, 'sheet.w.tolist()')
    before = widget.locator('.cw-figure').first.inner_text()
    widget.locator('.cw-net-out').click()
    keys(page, 's')
    until(page, lambda: len(told(page, 'sheet.losses')) == 2, 'one step')
    changes = widget.locator('.cw-net-changes')
    until(page, lambda: 'Changed most' in changes.inner_text(), 'what has changed')
    settled(page, widget)
    now = told(page, 'sheet.w.tolist()')
    by = [abs(a - b) for u, v in zip(first, now, strict=True) for a, b in zip(u, v, strict=True)]
    most = by.index(max(by))
    name = f'{told(page, "sheet.columns")[most//2]} → sum {most % 2 + 1} '
    assert changes.inner_text().startswith(f'Changed most by the last press: {name}')
    halos = [float(v) for v in widget.locator('.cw-net-halo').evaluate_all(
        "all => all.map(o => o.getAttribute('stroke-width'))")]
    assert [v > 0 for v in halos] == [v >= .3*max(by) for v in by] and halos[most] > 10
    text = widget.locator('.cw-net-product').nth(most).text_content()
    assert ('▲' in text) != ('▼' in text)
    page.ask('w.sheet.randomise(7); w.refresh()')
    until(page, lambda: 'Changed most' not in changes.inner_text(), 'that was done elsewhere')
    page.ask('w.sheet.undo(); w.refresh()')
    press(widget, '▶ Play')
    until(page, lambda: len(told(page, 'sheet.losses')) > 5, 'it plays')
    keys(page, 'Escape')
    until(page, lambda: 'Pause' not in widget.inner_text(), 'it rests')
    settled(page, widget)
    loss = number(widget.locator('.cw-figure').first.inner_text())
    assert abs(loss - told(page, 'sheet.loss')) < 6e-5
    keys(page, 'd', 'd', 'a', 'Control+z')
    until(page, lambda: len(told(page, 'sheet.losses')) == 2, 'the whole run was undone')
    keys(page, 'Control+z')
    seen = []

    def undone():
        seen[:] = page.page.evaluate(HEADER)
        return 'step' not in seen[2]

    until(page, undone, 'and the step')
    assert seen[0] == before, 'loss and label change together'
    assert told(page, 'sheet.w.tolist()') == first
    settled(page, widget)


def test_an_edge_in_words_and_its_weight(page):
    widget = root(page)
    widget.locator('.cw-net-input').first.click()
    words = widget.locator('.cw-net-words')
    until(page, lambda: re.match(r'Age: .* ÷ .*the largest', words.inner_text()), 'how the number was made')
    keys(page, 'ArrowRight')
    wanted = [told(page, f'{o}.item()') for o in ('flow.x[0]', 'sheet.w[0, 0]', 'flow.products[0, 0]')]
    found = lambda: re.match(r'Age (\S+) × weight (\S+) = (\S+)\. ', words.inner_text())
    until(page, found, 'weight × input = product')
    assert [number(v) for v in found().groups()] == pytest.approx(wanted, abs=6e-4)
    label = lambda: widget.locator('.cw-net-edge').first.get_attribute('aria-label') or ''
    until(page, lambda: label() == words.inner_text(), 'the same is read aloud')
    knob = widget.get_by_role('slider', name='weight Age → sum 2', exact=True)
    keys(page, 'ArrowDown')
    until(page, lambda: 'Age' in words.inner_text() and knob.count(), 'the other edge of Age')
    knob.focus()
    keys(page, 'End')
    until(page, lambda: told(page, 'sheet.w[0, 1].item()') == 2, 'the weight is changed')
    settled(page, widget)
    assert 'over all' in knob.locator('xpath=..').inner_text()
    keys(page, 'Control+z')
    until(page, lambda: told(page, 'sheet.w[0, 1].item()') != 2, 'undone')
    loss, drawing = widget.locator('.cw-figure').first, widget.locator('.cw-net-svg')
    until(page, lambda: abs(number(loss.inner_text()) - told(page, 'sheet.loss')) < 6e-5, 'as before')
    before, place = loss.inner_text(), drawing.bounding_box()
    page.page.evaluate(SLEEP)
    box = widget.get_by_role('spinbutton', name='weight Age → sum 2, exact value')
    box.fill('1e9')
    keys(page, 'Enter')
    page.page.wait_for_timeout(100)
    assert loss.inner_text() == before, 'what will be refused is not shown first'
    until(page, lambda: 'type a coefficient nearer to 0' in widget.inner_text(), 'refused')
    assert knob.get_attribute('max') == '2' and drawing.bounding_box() == place and loss.inner_text() == before
    widget.locator('.cw-net-hidden').first.hover()
    until(page, lambda: '10 products add up to' in words.inner_text(), 'the sum')
    widget.get_by_text('two ReLUs').click()
    until(page, lambda: words.inner_text().startswith('prediction = the sum of 10 products'), 'that edge is gone')


def test_two_views_and_a_sheet_that_follows(page):
    widget = root(page)
    press(widget, 'Most wrong')
    until(page, lambda: told(page, 'state["at"]') != 0, 'another one')
    settled(page, root(page, 1), 'the second view shows the same')
    press(root(page, 2), 'Solve')
    until(page, lambda: told(page, 'sheet.loss', 'n') < .15, 'solved')
    loss = f'{told(page, "sheet.loss", "n"):.4f}'
    table = page.show(3).locator('.cw-root')
    until(page, lambda: loss in table.locator('.cw-figure').first.inner_text(), 'the sheet has followed')
    table.get_by_role('button', name='Randomise').click()
    until(page, lambda: loss not in root(page, 2).locator('.cw-figure').first.inner_text(), 'and so has the net')


HIDE = """hide => { for (const o of document.querySelectorAll('.cw-net')) o.style.display = hide ? 'none' : ''; }"""


def test_a_net_out_of_sight_follows_too(page):
    for word in ('two ReLUs', 'log of', 'two ReLUs'):
        table = page.show(3).locator('.cw-root')
        page.page.evaluate(HIDE, True)
        page.page.wait_for_timeout(200)
        table.get_by_text(word).click()
        page.page.wait_for_timeout(500)  # what is read aloud is renewed after a while
        page.page.evaluate(HIDE, False)
        net, pred = root(page, 2), told(page, 'flow.pred', 'n')
        until(page, lambda net=net, pred=pred: number(prediction(net)) == pytest.approx(pred, abs=6e-4), word)
        assert net.locator('.cw-net-edge').count() == told(page, 'sheet.w.size', 'n')
