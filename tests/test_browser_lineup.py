"""The line-up in JupyterLab: picked by mouse and by keys, at once and once only, over rounds and settings."""
import json
import re

import pytest

START = 'from course_lib.widgets.lineup import LineUp\nw = LineUp(slope=-.2)\nw'
BUSY = '''code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}); }'''
DRAWN = '''root => [...root.querySelectorAll('.cw-lineup-panel canvas')].map(c => {
  const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let sum = 0;
  for (let i = 3; i < pixels.length; i += 4) sum += pixels[i] > 0;
  return sum;
})'''
MARKED = '''root => [...root.querySelectorAll('.cw-lineup-panel')]
  .map(p => (p.className + p.innerText + p.ariaLabel).replace(/\\d/g, ''))'''
THRICE = '''(root, i) => [i, (i + 1) % 20, i].forEach(k => root.querySelectorAll('.cw-lineup-panel')[k].click())'''


@pytest.fixture(scope='module')
def page(run_in_lab):
    "A line-up in one cell and the same one in another, and one of own data."
    own = ('import numpy as np, pandas as pd\nx = np.random.default_rng(1).normal(size=40)\n'
           'v = LineUp(pd.DataFrame(dict(year=1986 + 13*x, weight=3*x)))\nv')
    return run_in_lab('lineup.ipynb', START, 'w', own)


@pytest.fixture
def shown(page):
    "The widget in view, in a fresh round with the score at nothing, on a page without complaints."
    page.ask('w.parade.history.clear(); w.parade.setting = dict(n=100, slope=-.2, noise=.489)\n'
             'w.lines = w.helped = False; w.parade.next(); w._answered = None; w.refresh()')
    root = view(page, 0)
    until(page, lambda: f'Round {ask(page, "w.parade.round")[0]}:' in verdict(root), 'the round was shown')
    yield root
    assert page.console == [] and len(page.cells()) == 3


def ask(page, what): return json.loads(page.ask(f'import json\nprint(json.dumps([{what}]))'))
def until(page, true, what): page._until(true, 20, what)
def panels(root): return root.locator('.cw-lineup-panel')
def verdict(root): return root.locator('.cw-lineup-verdict').inner_text()
def press(root, name): root.get_by_role('button', name=name).click()
def history(page): return ask(page, '[[o.panel, o.hit, o.lines] for o in w.parade.history]')[0]
def real(page): return ask(page, 'w.parade.deal.real')[0]


def view(page, cell):
    root = page.show(cell).locator('.cw-root')
    panels(root).first.wait_for()
    return root


def test_a_pick_shows_lines_slopes_and_the_score(page, shown):
    assert len(set(shown.evaluate(MARKED))) == 1 and panels(shown).count() == 20
    before, at = shown.evaluate(DRAWN), real(page)
    assert min(before) > 100
    panels(shown).nth(at - 1).click()
    assert verdict(shown) == f'✓ Right: panel {at} holds the real data.'
    until(page, lambda: '1 of 1' in shown.inner_text(), 'the score was told')
    assert 'Guessing alone would get that many or more in 5\u00a0% of games.' in shown.inner_text()
    until(page, lambda: all(b > a for a, b in zip(before, shown.evaluate(DRAWN), strict=True)), 'lines were drawn')
    slopes = ask(page, 'float(v) for v in w.parade.deal.slopes')
    for i, told in enumerate(panels(shown).locator('.cw-lineup-slope').all_inner_texts()):
        assert float(told.replace('−', '-')) == pytest.approx(slopes[i], abs=.006)
        name = panels(shown).nth(i).get_attribute('aria-label')
        assert name.startswith(f'panel {i + 1}, slope {told}') and ('the real data' in name) == (i + 1 == at)
    assert 'the steepest of 20' in shown.inner_text()
    other = view(page, 1)
    assert verdict(other) == f'✓ Right: panel {at} holds the real data.'


def test_a_pick_counts_once(page, shown):
    "Twice at once, again later, and in the other view."
    wrong = real(page) % 20
    shown.evaluate(THRICE, wrong)
    until(page, lambda: history(page) == [[wrong + 1, False, False]], 'the pick had been counted')
    panels(shown).nth(real(page) - 1).click()
    panels(view(page, 1)).nth(2).click()
    page.page.wait_for_timeout(300)
    assert history(page) == [[wrong + 1, False, False]] and verdict(shown).startswith('✗ No')
    assert 'Guessing alone gets none in 95\u00a0%' in shown.inner_text()


def test_a_busy_kernel_does_not_keep_one_waiting(page, shown):
    at = real(page)
    page.page.evaluate(BUSY, 'import time; time.sleep(3)')
    panels(shown).nth(at - 1).click()
    page.page.wait_for_timeout(150)
    assert verdict(shown).startswith('✓ Right') and 'real' in panels(shown).nth(at - 1).get_attribute('aria-label')
    assert '1 of 1' not in shown.inner_text()      # Python has not heard of it
    press(shown, 'Next round')
    shown.get_by_role('button', name='Next round').evaluate('b => b.click()')
    until(page, lambda: history(page) == [[at, True, False]], 'the pick had been counted')
    until(page, lambda: 'which panel' in verdict(shown), 'the next round was dealt')
    assert shown.locator('.cw-message').is_hidden() and ask(page, 'w.parade.over') == [False]


def test_a_round_by_keys(page, shown):
    keys, start = page.page.keyboard, ask(page, 'w.parade.round')[0]
    panels(shown).first.focus()
    for key in ('Home', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowLeft', 'd', 'd', 'b', 'Enter'): keys.press(key)
    across = panels(shown).first.evaluate('p => getComputedStyle(p.parentNode).gridTemplateColumns.split(" ").length')
    until(page, lambda: [o[0] for o in history(page)] == [across], 'the keys had picked')
    assert shown.locator('.cw-lineup-panel[tabindex="0"]').count() == 1
    for key in ('n', 'n', 'l'): keys.press(key)
    until(page, lambda: ask(page, 'w.parade.round, w.helped') == [start + 1, True], 'another round, with lines')
    keys.press('g')
    assert verdict(shown) == f'Panel {real(page)} holds the real data.'
    until(page, lambda: history(page)[1:] == [[None, False, True]], 'it was given up')
    keys.press('n')
    until(page, lambda: 'which panel' in verdict(shown), 'the third round was dealt')
    keys.press('End'); keys.press(' ')
    until(page, lambda: history(page)[2:] and history(page)[2][0] == 20, 'the last was picked')
    assert 'with lines' in shown.locator('.cw-lineup-table').inner_text() and '1 given up' in shown.inner_text()


def test_another_setting_is_another_round(page, shown):
    "While the slider moves the panels stay as they are, or the one that moved would be the real one."
    start, at = ask(page, 'w.parade.round')[0], real(page)
    handle, best = shown.locator('input[type=range]').nth(0), shown.locator('.cw-lineup-part .cw-note').nth(1)
    before, said, example = shown.evaluate(DRAWN), best.inner_text(), shown.locator('.cw-lineup-example')
    picture, box = example.evaluate('c => c.toDataURL()'), handle.bounding_box()
    page.page.mouse.move(box['x'] + .5*box['width'], box['y'] + box['height']/2)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + .1*box['width'], box['y'] + box['height']/2, steps=8)
    until(page, lambda: best.inner_text() != said, 'Python said how well one could do')
    assert example.evaluate('c => c.toDataURL()') != picture and shown.evaluate(DRAWN) == before
    assert verdict(shown) == 'Let go for a new round.' and ask(page, 'w.parade.round') == [start]
    panels(shown).nth(at - 1).evaluate('b => b.click()')     # out of date
    page.page.mouse.up()
    until(page, lambda: f'Round {start + 1}' in verdict(shown), 'a new round was dealt')
    n = ask(page, 'w.parade.n')[0]
    assert n < 30 and shown.evaluate(DRAWN) != before and history(page) == []
    panels(shown).nth(3).click()
    table = shown.locator('.cw-lineup-table')
    until(page, lambda: table.inner_text().split('\n')[-1].startswith(f'{n}\t'), 'its score')
    box = shown.locator('input[type=number]').nth(0)
    box.fill('2'); box.press('Enter')
    until(page, lambda: 'n=2' in shown.locator('.cw-message').inner_text(), 'too few are refused')
    assert handle.get_attribute('aria-valuetext') == str(n)
    press(shown, 'Next round')
    until(page, lambda: f'Round {start + 2}' in verdict(shown), 'it goes on')
    assert shown.locator('.cw-message').is_hidden()


def test_a_typed_value_does_not_spoil_the_sliders(page, shown):
    "Whether it was refused or taken; Reset goes back to the start."
    ends = lambda: shown.locator('input[type=range]').evaluate_all('all => all.map(r => [r.min, r.max].map(Number))')
    before, start, boxes = ends(), ask(page, 'w.parade.round')[0], shown.locator('input[type=number]')
    boxes.nth(2).fill('-5'); boxes.nth(2).press('Enter')
    until(page, lambda: 'noise=-5' in shown.locator('.cw-message').inner_text(), 'it is refused')
    until(page, lambda: ends() == before, 'the slider is as it was')
    boxes.nth(1).fill('-3'); boxes.nth(1).press('Enter')
    until(page, lambda: ask(page, 'w.parade.setting["slope"]') == [-3], 'a steep one is taken')
    until(page, lambda: ends()[1][0] == -3, 'the slider reaches it')
    press(shown, 'Reset')
    until(page, lambda: ask(page, 'w.parade.setting == w.first') == [True], 'the settings of the start')
    until(page, lambda: ends() == before and f'Round {start + 2}:' in verdict(shown), 'its sliders, and a new round')
    panels(shown).nth(3).focus()
    page.page.keyboard.press('r')
    page.page.wait_for_timeout(200)
    assert ask(page, 'w.parade.round') == [start + 2]   # nothing to go back from


def test_the_table_stays_within_the_widget(page, shown):
    page.ask('w.parade.pick(w.parade.deal.real, lines=True); w.refresh()')
    table = shown.locator('.cw-lineup-table')
    until(page, lambda: 'with lines' in table.inner_text(), 'the score')
    edges = '[t, t.closest(".cw-lineup-part")].map(e => e.getBoundingClientRect().right)'
    wide, room = table.evaluate(f't => {edges}')
    assert wide <= room + 1


def test_own_data(page, shown):
    root = view(page, 2)
    assert root.locator('input[type=range]').count() == 0 and 'Across: year, 19' in root.inner_text()
    assert re.search(r'Across: year, 19\d[1-9] to 20\d[1-9]\.', root.inner_text())
    at, = ask(page, 'v.parade.deal.real')
    panels(root).nth(at - 1).click()
    until(page, lambda: '1 of 1' in root.inner_text(), 'it counted')
    press(root, 'Next round')
    until(page, lambda: 'Round 2' in verdict(root), 'another round')
    panels(root).nth(ask(page, 'v.parade.deal.real')[0] - 1).click()
    until(page, lambda: '1 more for practice' in root.inner_text(), 'it did not count')


def test_what_is_stored_tells_nothing_before_the_pick(page, shown, lab_server):
    "The picture that stays is the same whichever panel is real, until one is picked."
    other = 'd = w.parade.deal; w.parade.deal = type(d)(d.x, d.y, d.real % 20 + 1); w.update_stills()'
    stored = 'w._still()["text/html"], w._still()["text/plain"]'
    before = ask(page, stored)
    page.ask(other)
    assert ask(page, stored) == before and 'holds the real data' not in before[0]
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    file = lab_server.folder/'lineup.ipynb'
    until(page, lambda: 'cw-still' in file.read_text(), 'the notebook had been saved')
    saved = json.loads(file.read_text())
    assert 'widgets' not in saved['metadata'] and 'verdicts' not in file.read_text()
    assert 'which of 20' in str(saved['cells'][0]['outputs']).lower() and file.stat().st_size < 900_000
