"""Cleaning in JupyterLab: by mouse and keyboard, over pages and filters and a restart, plan, apply and restore."""
import json
import shutil

import pytest

from course_lib.cleaning.journal import FolderLock
from course_lib.data.samples import draw_bears

OPEN = "from course_lib.widgets.cleaner import ImageCleaner\nc = ImageCleaner('cleaned/bears', size=12)\nc"
LOCKED = "locked = ImageCleaner('cleaned/locked', size=12)\nlocked"
ASK = '''import json
n = c.session.counts()
print(json.dumps([c.delete(), c.change(), n['keep'], n['reviewed'], c.state['page'], c.gallery.shown]))'''
RESTART = '() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()'
TWICE = '''() => {
  const card = document.querySelector('.cw-card.cw-here');
  for (let i = 0; i < 2; i++) card.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', bubbles: true}));
}'''
TOO_SOON = '''async () => {
  const root = document.querySelector('.cw-root'), card = root.querySelector('.cw-card');
  const old = card.getAttribute('aria-label');
  const press = key => root.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  const wait = ms => new Promise(done => setTimeout(done, ms));
  press('PageDown');
  while (card.getAttribute('aria-label') === old) await new Promise(requestAnimationFrame);
  const changed = performance.now();
  press('d');
  const said = root.querySelector('.cw-cleaner-said').textContent;  // at once: Python's next word takes its place
  await wait(60);
  if (performance.now() - changed < 130) press('d');  // a busy machine may have slept longer
  await wait(250);
  press('d');
  return said;
}'''


@pytest.fixture(scope='module')
def folder(lab_server):
    "Bears to clean, some of them spoilt."
    folder = lab_server.folder/'cleaned'
    draw_bears(folder/'bears', n=8, size=64, dirt=2)
    shutil.copytree(folder/'bears', folder/'locked')
    (folder/'locked/.cleaning').mkdir()
    lock = FolderLock(folder/'locked/.cleaning/lock')  # this process is another one than the notebook
    assert lock.take() == ''
    yield folder/'bears'
    lock.free()
    shutil.rmtree(folder)


@pytest.fixture(scope='module')
def page(folder, run_in_lab):
    "A cleaner that is shown twice, and one of a folder that another process has."
    return run_in_lab('cleaner.ipynb', OPEN, 'c', '1 + 1', LOCKED)


@pytest.fixture(autouse=True)
def nothing_is_left(page, folder):
    "Each test begins with nothing decided, on the first page, and leaves the notebook as it was."
    page.ask('c.session.clear(range(len(c.session.images)))\nc.gallery.filters = dict.fromkeys(c.gallery.filters, "")\n'
             'c.gallery.renew(); c.panel = None; c.refresh()')
    page.wait('/^0 of/.test(root.querySelector(".cw-cleaner-words").textContent)', 'nothing was decided')
    page.page.wait_for_timeout(250)
    yield
    assert page.console == [] and len(page.cells()) == 4


def root(page, cell=0):
    "The widget in a cell, in view, with its pictures."
    shown = page.show(cell).locator('.cw-root')
    shown.locator('.cw-card img[src]').first.wait_for()
    return shown


def now(page): return json.loads(page.ask(ASK))
def until(page, true, what): page._until(true, 15, what)
def reviewed(page, n): until(page, lambda: now(page)[3] == n, f'{n} had been reviewed')


def press(page, *keys, between=220):
    for key in keys:
        page.page.keyboard.press(key)
        page.page.wait_for_timeout(between)


def another(page, i):
    "The key of a class that image `i` has not, and the class."
    kinds = ['black', 'grizzly', 'teddy']
    kind = next(k for k in kinds if k != page.ask(f'print(c.images.labels[{i}])'))
    return str(kinds.index(kind) + 1), kind


def files(folder):
    "The pictures of the set, the trash left out."
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*.jpg') if '.cleaning' not in p.parts)


def test_mouse_and_keys(page):
    shown = now(page)[5]
    cleaner = root(page)
    cards = cleaner.locator('.cw-card')
    cards.nth(0).click()
    key, kind = another(page, shown[2])
    press(page, 'd', 'k', key, 'd', 'b')                             # `d` `d` would delete a cell, `b` add one
    reviewed(page, 4)
    delete, change, keep, *_ = now(page)
    assert (sorted(delete), change, keep) == (sorted([shown[0], shown[3]]), [[shown[2], kind]], 1)
    assert '4 of 34' in cleaner.inner_text() and cards.nth(0).get_attribute('data-fate') == 'delete'
    assert 'delete' in cards.nth(0).inner_text() and kind in cards.nth(2).inner_text()
    page.page.keyboard.press('u'); page.page.keyboard.press('Control+z')
    reviewed(page, 2)
    page.page.keyboard.press('Shift+U')
    reviewed(page, 3)

    cards.nth(5).click()
    cards.nth(8).click(modifiers=['Shift'])
    cards.nth(10).click(modifiers=['Control'])
    cleaner.get_by_role('button', name='Delete 5').click()
    reviewed(page, 8)
    cards.nth(11).hover()
    cards.nth(11).get_by_title('keep', exact=True).click()
    until(page, lambda: now(page)[2] == 2, 'a button on a card had been pressed')
    press(page, 'u', 'u')
    reviewed(page, 3)                                                # five decisions were one step
    assert root(page, 1).locator('.cw-card').nth(0).get_attribute('data-fate') == 'delete'


def test_a_held_key_and_a_double_press_count_once(page):
    cleaner = root(page)
    cleaner.locator('.cw-card').nth(0).click()
    page.page.wait_for_timeout(250)
    for _ in range(3): page.page.keyboard.down('d')                  # the second and third are repeats
    page.page.keyboard.up('d')
    reviewed(page, 1)
    page.page.wait_for_timeout(250)
    page.page.evaluate(TWICE)                                        # the second one at once
    page.page.wait_for_timeout(500)
    assert now(page)[2:4] == [1, 2]


def test_a_press_just_after_the_picture_has_changed_is_not_taken(page):
    root(page)
    assert 'Not taken' in page.page.evaluate(TOO_SOON)
    reviewed(page, 1)
    delete, _, _, _, at, shown = now(page)
    assert at == 1 and delete == [shown[0]]


def test_filters_pages_and_undo_across_them(page):
    cleaner = root(page)
    cards = cleaner.locator('.cw-card')
    cards.nth(0).click()
    press(page, 'd')
    first = now(page)[5][0]
    own = page.ask(f'print(c.images.labels[{first}])')
    other = next(v for v in ('black', 'grizzly', 'teddy') if v != own)
    cleaner.get_by_label('class', exact=True).select_option(other)
    until(page, lambda: first not in now(page)[5], 'one class was shown')
    page.page.wait_for_timeout(300)
    press(page, 'k')
    reviewed(page, 2)
    page.page.keyboard.press('u')
    until(page, lambda: now(page)[2] == 0, 'the last decision was undone')
    page.page.keyboard.press('u')                                    # the one before was about another class
    until(page, lambda: 'not among those shown' in cleaner.locator('.cw-cleaner-said').inner_text(), 'it was said')
    reviewed(page, 0)
    cleaner.get_by_role('button', name='Show all').click()
    until(page, lambda: now(page)[5][0] == first, 'all were shown')
    page.page.wait_for_timeout(300)
    press(page, 'End', 'ArrowRight')
    until(page, lambda: now(page)[4] == 1, 'an arrow had led to the next page')
    cleaner.get_by_role('button', name='page before').click()
    until(page, lambda: now(page)[4] == 0, 'a button had led back')


def test_relabel_by_menu_to_a_new_class(page):
    cleaner, shown = root(page), now(page)[5]
    cleaner.locator('.cw-card').nth(6).click()
    cleaner.get_by_role('button', name='Relabel').click()
    cleaner.get_by_label('name of a new class').click()
    page.page.keyboard.type('dark panda')                            # letters that are commands elsewhere
    page.page.keyboard.press('Enter')
    until(page, lambda: now(page)[1] == [[shown[6], 'dark panda']], 'there was a new class')
    page.page.wait_for_timeout(250)
    press(page, 'r')
    cleaner.get_by_role('menuitem', name='dark panda').click()
    until(page, lambda: len(now(page)[1]) == 2, 'it could be chosen')


def test_a_class_name_that_is_refused_can_be_mended(page):
    cleaner, shown = root(page), now(page)[5]
    cards, field = cleaner.locator('.cw-card'), cleaner.get_by_label('name of a new class')
    cards.nth(6).click()
    press(page, 'r')
    page.page.keyboard.type('../x')                                  # the first letter leads to the field
    page.page.keyboard.press('Enter')
    cleaner.locator('.cw-menu-problem').wait_for()
    assert field.input_value() == '../x' and now(page)[3] == 0
    assert 'cw-here' in cards.nth(6).get_attribute('class')
    field.fill('panda')
    page.page.keyboard.press('Enter')
    until(page, lambda: now(page)[1] == [[shown[6], 'panda']], 'there was a new class')
    until(page, lambda: 'cw-here' in cards.nth(7).get_attribute('class'), 'it went on')
    assert field.is_hidden()


def test_near_duplicates_side_by_side(page):
    cleaner = root(page)
    cleaner.get_by_label('reason').select_option('near-duplicate')
    until(page, lambda: len(now(page)[5]) < 12, 'near-duplicates were shown')
    page.page.wait_for_timeout(300)
    cleaner.locator('.cw-card').nth(0).dblclick()
    dialog = cleaner.locator('dialog.cw-zoom')
    dialog.locator('figure').nth(1).wait_for()
    assert dialog.get_by_text('nearly the same picture').count() == 2 and dialog.locator('.cw-better').count() == 1
    page.page.wait_for_timeout(250)
    dialog.get_by_role('button', name='Keep this, delete the other').nth(1).click()
    reviewed(page, 2)
    press(page, 'u')                                                 # the keys are still heard
    reviewed(page, 0)
    page.page.wait_for_timeout(250)
    press(page, 'b')
    until(page, lambda: (len(now(page)[0]), now(page)[2]) == (1, 1), 'the better one was kept')
    press(page, 'ArrowRight', 'ArrowRight', 'k')
    reviewed(page, 3)
    press(page, 'Escape')
    assert dialog.is_hidden()


def test_decisions_outlive_the_kernel(page, folder):
    cleaner, shown = root(page), now(page)[5]
    cleaner.locator('.cw-card').nth(0).click()
    press(page, 'd', 'd', 'k')
    reviewed(page, 3)
    page.page.evaluate(RESTART)
    page._until(lambda: page.ask('print(6*7)') == '42', 30, 'the kernel was back')
    assert page.run_all(90) == []
    delete, change, keep, *_ = now(page)
    assert (sorted(delete), change, keep) == (sorted(shown[:2]), [], 1)
    cleaner = root(page)
    assert '3 of 34 images reviewed · 2 delete · 1 keep' in cleaner.inner_text()
    cleaner.get_by_label('state').select_option('undecided')
    until(page, lambda: page.ask('print(len(c.gallery.found))') == '31', 'the decided ones were filtered out')
    cleaner.get_by_label('class', exact=True).select_option(index=1)
    page.page.wait_for_timeout(300)
    cleaner.locator('.cw-card').nth(0).click()
    press(page, 'u', 'u')                                            # what was decided before the restart, in any class
    reviewed(page, 1)
    press(page, 'Shift+U')
    reviewed(page, 2)
    assert sorted(now(page)[0]) == sorted(shown[:2])


def test_plan_apply_and_restore(page, folder):
    cleaner, before, shown = root(page), files(folder), now(page)[5]
    cleaner.locator('.cw-card').nth(0).click()
    press(page, 'd', 'd')
    press(page, another(page, shown[2])[0])
    reviewed(page, 3)
    cleaner.get_by_role('button', name='Plan… (3)').click()
    dialog = cleaner.locator('dialog.cw-plan')
    dialog.locator('tbody tr').nth(2).wait_for()
    assert dialog.locator('tbody tr').count() == 3 and files(folder) == before
    dialog.get_by_role('button', name='Apply…').click()
    dialog.get_by_text('Move 2 files to the trash and 1 to another class?').wait_for()
    dialog.get_by_role('button', name='Cancel').click()
    assert files(folder) == before
    dialog.get_by_role('button', name='Apply…').click()
    dialog.get_by_role('button', name='Apply', exact=True).click()
    dialog.get_by_text('3 pictures moved.').wait_for()
    assert len(files(folder)) == len(before) - 2 and len(list((folder/'.cleaning/trash').rglob('*.jpg'))) == 2
    press(page, 'Escape')
    assert cleaner.locator('.cw-card').nth(0).get_attribute('aria-label').endswith('in the trash')
    cleaner.get_by_label('state').select_option('trash')
    until(page, lambda: sorted(now(page)[5]) == sorted(shown[:2]), 'the trash was shown')
    page.page.wait_for_timeout(300)
    cleaner.locator('.cw-card').nth(0).click()
    press(page, 'k')
    until(page, lambda: 'Restore first' in cleaner.locator('.cw-cleaner-line').inner_text(), 'the way was shown')
    assert 'cw-here' in cleaner.locator('.cw-card').nth(0).get_attribute('class') and now(page)[2] == 0
    cleaner.get_by_role('button', name='Restore').click()
    until(page, lambda: len(files(folder)) == len(before) - 1, 'one was back')
    cleaner.get_by_label('state').select_option('')
    until(page, lambda: len(now(page)[5]) > 5, 'all were shown')
    page.page.wait_for_timeout(300)
    cleaner.locator('.cw-card').nth(4).click()
    press(page, 'k')
    cleaner.get_by_role('button', name='Plan…').click()
    dialog.get_by_role('button', name='Close', exact=True).click()
    cleaner.locator('.cw-card').nth(5).click()
    press(page, 'd')
    cleaner.get_by_role('button', name='Plan… (1)').click()
    dialog.get_by_role('button', name='Apply…').click()
    dialog.get_by_role('button', name='Apply', exact=True).click()
    dialog.get_by_role('button', name='Restore all (3)').click()
    until(page, lambda: files(folder) == before, 'all were back')
    assert page.ask('print(c.session.check().ok)') == 'True'
    dialog.get_by_role('button', name='Close', exact=True).click()


def test_while_another_process_cleans_one_can_only_look(page):
    cleaner = root(page, 3)
    assert 'is cleaning' in cleaner.locator('.cw-message').first.inner_text()
    assert cleaner.get_by_role('button', name='Keep').is_disabled()
    cleaner.locator('.cw-card').nth(0).click()
    press(page, 'd', 'd')
    assert page.ask('print(locked.session.counts()["reviewed"])') == '0'
