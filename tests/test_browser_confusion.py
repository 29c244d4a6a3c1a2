"""The confusion matrix in JupyterLab: cells by mouse and keys, their images, some sent to a cleaner."""
import json
import shutil

import pytest

MODEL = '''import torch
from course_lib.vision import *
from course_lib.widgets.cleaner import ImageCleaner
from course_lib.widgets.confusion import ConfusionExplorer
draw_bears('confused/bears', n=20, size=64)
block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                  splitter=RandomSplitter(.6, seed=42), item_tfms=Resize(32))
set_seed(3)
learn = Learner(block.dataloaders('confused/bears', bs=16), nn.Sequential(nn.Flatten(), nn.Linear(3*32*32, 3)))
interp = ClassificationInterpretation.from_learner(learn)
cleaner = ImageCleaner(interp)
cleaner'''
ASK = 'import json\nprint(json.dumps([{}]))'


@pytest.fixture(scope='module')
def page(lab_server, run_in_lab):
    "A cleaner in one cell, the matrix in two others."
    yield run_in_lab('confusion.ipynb', MODEL, 'w = ConfusionExplorer(interp, cleaner)\nw', 'w')
    shutil.rmtree(lab_server.folder/'confused')


@pytest.fixture
def shown(page):
    "The widget in view, back at its start, on a page without complaints."
    page.ask('w.pages.resize(12); w.shares = False; w.show(wrong=True)')
    root = page.show(1).locator('.cw-root')
    root.locator('.cw-card').first.wait_for()
    page.page.wait_for_timeout(300)
    yield root
    assert page.console == [] and len(page.cells()) == 3


def ask(page, what): return json.loads(page.ask(ASK.format(what)))
def until(page, true, what): page._until(true, 20, what)
def at(root, r, c): return root.locator(f'button[data-r="{r}"][data-c="{c}"]')
def cards(root): return root.locator('.cw-card:visible')
def title(root): return root.locator('.cw-confusion-title').inner_text()


def test_a_cell_and_its_images(page, shown):
    counts, mistakes = ask(page, 'w.confusions.cm.tolist(), int((w.confusions.targs != w.confusions.preds).sum())')
    assert [[int(at(shown, r, c).inner_text()) for c in range(3)] for r in range(3)] == counts
    assert title(shown) == f'{mistakes} mistakes' and cards(shown).count() == min(12, mistakes)
    a, p = max(((i, j) for i in range(3) for j in range(3) if i != j), key=lambda o: counts[o[0]][o[1]])
    at(shown, a, p).click()
    names = ['black', 'grizzly', 'teddy']
    words = f'{counts[a][p]} images of {names[a]}, taken for {names[p]}'
    until(page, lambda: title(shown) == words, 'the cell was shown')
    losses = ask(page, 'float(w.confusions.losses[i]) for i in w.pages.items')
    texts = cards(shown).all_inner_texts()
    assert all(names[a] in o and f'→ {names[p]}' in o for o in texts)
    told = [float(o.rpartition('loss ')[2].split()[0]) for o in texts]
    assert told == pytest.approx(losses[:12], rel=.01) and losses == sorted(losses, reverse=True)
    ready = '() => [...document.querySelectorAll(".cw-card-img")].every(o => !o.offsetParent || o.naturalWidth > 0)'
    page.page.wait_for_function(ready, timeout=10000)
    shown.get_by_role('button', name='shares').click()
    share = f'{100*counts[a][p]/sum(counts[a]):.0f} %'
    until(page, lambda: at(shown, a, p).inner_text() == share, 'shares were shown')
    assert title(page.show(2).locator('.cw-root')) == words


def test_keys_stay_inside(page, shown):
    keys = page.page.keyboard
    at(shown, 0, 0).click()
    until(page, lambda: ask(page, 'list(w.pages.cell)') == [[0, 0, False]], 'the first cell was shown')
    for key in ('ArrowRight', 'ArrowDown', 'd', 'd', 'x', 'Enter'): keys.press(key)
    until(page, lambda: ask(page, 'list(w.pages.cell)') == [[1, 1, False]], 'the keys had led down the diagonal')
    for key in ('End', 'Enter'): keys.press(key)
    until(page, lambda: ask(page, 'list(w.pages.cell)') == [[1, None, True]], 'the mistakes of the row were shown')
    for key in ('Home', 'ArrowRight', 'ArrowUp', 'ArrowUp', 'Enter'): keys.press(key)
    until(page, lambda: ask(page, 'list(w.pages.cell)') == [[None, 0, False]], 'a column was shown')
    assert shown.locator('button[tabindex="0"]').filter(has_text='black').count() == 1
    cards(shown).first.click()
    for key in ('d', 'd', 'b', 'z'): keys.press(key)
    zoom = shown.locator('dialog')
    zoom.wait_for()
    first = zoom.locator('.cw-zoom-title').inner_text()
    keys.press('ArrowRight')
    until(page, lambda: zoom.locator('.cw-zoom-title').inner_text() != first, 'the next image was large')
    for key in ('d', 'd', 'Escape'): keys.press(key)
    zoom.wait_for(state='hidden')


def test_a_selection_goes_to_the_cleaner(page, shown):
    keys = page.page.keyboard
    shown.get_by_label('per page').select_option('12')
    cards(shown).nth(2).dblclick()               # shows it large and selects nothing
    shown.locator('dialog').wait_for()
    keys.press('Escape')
    assert shown.locator('.cw-main').inner_text().startswith('Send all')
    cards(shown).nth(1).click()
    cards(shown).nth(3).click(modifiers=['Shift'])
    cards(shown).nth(2).click(modifiers=['Control'])
    keys.press('PageDown')                       # what is selected outlives the page
    until(page, lambda: ask(page, 'w.pages.page') == [1], 'the page had turned')
    until(page, lambda: 'page 2' in shown.locator('.cw-pager').inner_text(), 'the browser showed it')
    keys.press(' ')
    send = shown.locator('.cw-main')
    n = ask(page, 'len(w.pages.items)')[0]
    assert send.inner_text() == f'Send 3 of {n} to the cleaner'
    send.click()
    until(page, lambda: '3 images sent' in shown.locator('.cw-confusion-said').inner_text(), 'they were sent')
    sent, = ask(page, '[w.confusions.interp.items[w.pages.items[k]].name for k in (1, 3, 12)]')
    there, name = ask(page, '[cleaner.images.paths[i].name for i in cleaner.gallery.found], cleaner.gallery.title')
    assert sorted(sent) == sorted(there) and name == f'3 of {n} mistakes'
    assert shown.locator('.cw-confusion-typed').inner_text() == 'cleaner'
    other = page.show(0).locator('.cw-root')
    until(page, lambda: cards(other).count() == 3, 'the cleaner showed these three')
    assert other.locator('.cw-sent').inner_text().startswith(name)
