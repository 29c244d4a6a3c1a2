"""The descent explorer in JupyterLab, by mouse and keyboard."""
import json
import re

import pytest

WIDGET = '''from course_lib.widgets.descent import DescentExplorer
w = DescentExplorer()
w'''
STATE = '''import json
def tell():
    s = w.lines.settings
    more = dict(path=w.lines.trace.params.tolist(), at=w.at, compare=w.compare, can_undo=w.lines.can_undo)
    return json.dumps(vars(s) | more)
print(tell())'''


@pytest.fixture
def page(request, lab_server, browser, write_notebook):
    name = f'{request.node.name}.ipynb'
    write_notebook(lab_server.folder/name, WIDGET, 'w', STATE)
    page = lab_server.open(browser, name)
    assert page.run_all(60) == []
    yield page
    page.close()


def root(page): return page.page.locator('.cw-root').first


def entry(root, name): return root.locator(f'input[aria-label="{name}, exact value"]')


ASK = """async () => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  let told = '';
  const future = kernel.requestExecute({code: 'print(tell())'});
  future.onIOPub = m => { if (m.header.msg_type === 'stream') told += m.content.text; };
  await future.done;
  return told;
}"""


def python(page, until=lambda told: True):
    "What Python holds, asked again for some seconds until it is as it should be."
    for _ in range(40):
        page.page.wait_for_timeout(200)
        told = json.loads(page.page.evaluate(ASK))
        if until(told): break
    return told


def drawn(page):
    "How many pixels of the valley's canvas are painted."
    return page.page.evaluate('''() => {
      const c = document.querySelectorAll('.cw-pane canvas')[1];
      const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      return all.reduce((n, v, i) => n + (i % 4 === 3 && v > 0), 0);
    }''')


def step(page): return int(re.search(r'step (\d+) of', root(page).locator('.cw-player .cw-count').inner_text())[1])


def test_rates_play_and_keys(page):
    "The four rates, play, step and undo; no key reaches the notebook."
    r, p = root(page), page.page
    r.locator('button', has_text='diverging').click()
    p.wait_for_function("document.querySelector('.cw-words').textContent.startsWith('Diverging')")
    assert 'left the picture at step' in r.inner_text()
    p.wait_for_function("document.querySelector('.cw-root').innerText.includes('outside the picture')")  # it plays
    assert python(page, lambda t: t['lr'] > 1)['lr'] == pytest.approx(1.05, abs=.01)
    r.locator('button', has_text='Undo').click()
    p.wait_for_function("document.querySelector('.cw-words').textContent.startsWith('Right')")
    assert python(page, lambda t: t['lr'] == .1)['lr'] == .1 and r.locator('button', has_text='Undo').is_disabled()
    r.locator('.cw-player input').focus()
    p.keyboard.press('Home')
    p.wait_for_timeout(150)
    assert step(page) == 0
    few = drawn(page)
    p.keyboard.press(' ')
    p.wait_for_timeout(1200)
    p.keyboard.press(' ')
    played = step(page)
    assert 0 < played < 60 and drawn(page) > few
    p.keyboard.press('ArrowRight')
    assert step(page) == played + 1 == python(page, lambda t: t['at'] == played + 1)['at']
    for key in 'ddaabbxx': p.keyboard.press(key)
    r.locator('input[aria-label=lr]').focus()
    for key in 'ddaabbxx': p.keyboard.press(key)
    assert len(page.cells()) == 3 and page.console == []


def test_drag_agrees_with_python(page):
    "The rate is dragged, the start is set on the map, a number is typed: what the browser shows is what Python holds."
    r, p = root(page), page.page
    box = r.locator('input[aria-label=lr]').bounding_box()
    y = box['y'] + box['height']/2
    p.mouse.move(box['x'] + box['width']*.55, y)
    p.mouse.down()
    for k in range(12): p.mouse.move(box['x'] + box['width']*(.55 + .02*k), y)
    p.wait_for_timeout(80)
    shown = r.locator('.cw-now').inner_text()  # walked by the browser
    p.mouse.up()
    told = python(page, lambda t: t['can_undo'])
    assert told['lr'] == pytest.approx(float(entry(r, 'lr').input_value()), rel=1e-6) and told['lr'] > .2
    assert r.locator('.cw-now').inner_text() == shown and told['can_undo']
    pane = r.locator('.cw-pane').nth(1)
    spot = pane.bounding_box()
    p.mouse.click(spot['x'] + spot['width']*.8, spot['y'] + spot['height']*.3)
    start = python(page, lambda t: t['start'] != [-1, 1])['start']
    assert start[0] > 5 and start[1] > 2.5
    assert r.locator('input[aria-label="start slope"]').input_value() == f'{start[0]:g}'
    entry(r, 'batch').fill('10')
    p.keyboard.press('Enter')
    r.get_by_label('compare with full batch').check()
    told = python(page, lambda t: t['compare'])
    assert told['batch'] == 10 and told['compare'] and 'an epoch is 10 steps' in r.inner_text()
    p.wait_for_function("document.querySelector('.cw-legend').textContent.includes('full batch')")
    entry(r, 'momentum').fill('1')
    p.keyboard.press('Enter')
    p.wait_for_function("document.querySelector('.cw-message').textContent.startsWith('momentum=1')")
    assert python(page)['momentum'] == 0
    assert page.console == []


def test_a_rate_beyond_all_reason(page):
    "It diverges, in words; the widget lives on."
    r, p = root(page), page.page
    says = lambda word: p.wait_for_function(f"document.querySelector('.cw-words').textContent.startsWith('{word}')")
    entry(r, 'lr').fill('1000000')
    p.keyboard.press('Enter')
    says('Diverging')
    told = python(page, lambda t: t['lr'] == 1e6)
    assert told['lr'] == 1e6 and r.locator('.cw-message').is_hidden()
    r.locator('button', has_text='right').click()
    says('Right')
    assert python(page, lambda t: t['lr'] < 2)['lr'] == pytest.approx(.5, abs=.01)
    lr = r.locator('input[aria-label=lr]')
    lr.focus()
    for key in ('ArrowRight', 'Control+z'): p.keyboard.press(key)  # at once: the arrow is undone, not the preset
    p.wait_for_timeout(800)
    assert python(page)['lr'] == pytest.approx(.5, abs=.01)
    p.keyboard.press('Control+Shift+z')
    assert python(page, lambda t: t['lr'] > .505)['lr'] > .505 and page.console == []


def test_two_views_and_code(page):
    "A second view of the same widget follows; the code is what a cell can run."
    p, views = page.page, page.page.locator('.cw-root')
    views.first.locator('summary').click()
    p.wait_for_function("document.querySelector('.cw-code').textContent.includes('backward')")
    views.first.locator('button', has_text='too low').click()
    p.wait_for_function("document.querySelector('.cw-code').textContent.includes('lr = 0.02')")
    page.show(1)
    assert entry(views.nth(1), 'lr').input_value() == '0.02'
    code = views.first.locator('.cw-code').text_content()
    space = {}
    exec(code, space)
    assert space['a'].tolist() == pytest.approx(python(page)['path'][-1], abs=1e-5) and page.console == []
