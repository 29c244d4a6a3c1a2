"""Matrix products in JupyterLab, in a real browser: typing, stepping, playing, pointing, and keys that stay inside."""
import pytest

START = 'from course_lib.widgets.matmul import MatmulVisualizer\nw = MatmulVisualizer()\nw'


@pytest.fixture
def page(lab_server, browser, write_notebook, request):
    name = f'{request.node.name}.ipynb'
    write_notebook(lab_server.folder/name, START, 'print("the cell below")', 'w')
    page = lab_server.open(browser, name)
    assert page.run_all(60) == []
    yield page
    page.close()


class View:
    "The widget in one output."
    def __init__(self, page, n):
        self.page, self.tab = page, page.page
        self.root = self.tab.locator('.cw-root').nth(n)
        self.root.scroll_into_view_if_needed()

    def numbers(self, part='out'):
        "What the cells of one table show, row by row."
        cells = self.root.locator(f'.cw-mm-{part} td:not(.cw-mm-none)')
        return cells.evaluate_all('cells => cells.map(c => c.querySelector("input")?.value ?? c.textContent)')

    def formula(self): return self.root.locator('.cw-mm-formula').inner_text()
    def so(self): return self.root.locator('.cw-mm-so').inner_text()
    def cell(self, name): return self.root.get_by_label(name, exact=True)
    def press(self, name): self.root.get_by_role('button', name=name, exact=True).click()
    def lit(self, name): return self.root.locator(f'.cw-mm-{name}').count()

    def until(self, true, what):
        self.page._until(true, 10, what)


def test_step_play_and_point(page):
    "Stepping adds one product, playing goes on to the end, and a cell that is pointed at shows its row and column."
    view = View(page, 0)
    assert view.numbers() == ['58', '64', '139', '154']
    view.root.locator('.cw-mm-out td').nth(4).hover()  # after the empty corner of the head come the cells
    assert '4×8 + 5×10 + 6×12 = 154' in view.formula() and view.lit('row') == 3 and view.lit('col') == 3
    page.page.mouse.move(2, 2)
    view.press('Step ▶')
    assert view.numbers() == ['7', '·', '·', '·'] and view.lit('pair') == 2
    assert view.so() == '1×7 = 7; the sum so far: 0 + 7 = 7'
    page.page.keyboard.press('s')
    page.page.keyboard.press('s')
    assert view.numbers()[0] == '58' and view.formula().endswith('= 58')
    page.page.keyboard.press('b')
    assert view.numbers()[0] == '25'
    view.root.get_by_label('speed').select_option('fast')
    view.press('▶ Play')
    over = view.root.get_by_text('▶ Play')
    view.until(lambda: view.numbers() == ['58', '64', '139', '154'] and over.count(), 'the product is complete')
    view.root.get_by_label('speed').select_option('slow')
    view.press('▶ Play')
    view.cell('a, row 0, column 0').fill('5')
    page.ask('w.close()')
    view.until(lambda: page.page.locator('.cw-root').count() == 0, 'the widget is closed')
    page.page.wait_for_timeout(800)  # by then a timer that is left would have asked Python, or drawn
    assert page.console == []


def test_type_misfit_mend_undo(page):
    "Cells and boxes take numbers; shapes that do not fit are explained and mended; every edit can be undone."
    view, other = View(page, 0), View(page, 1)
    view.cell('a, row 0, column 0').fill('-2.5')
    page.page.keyboard.press('Enter')
    view.until(lambda: view.numbers()[0] == '33.5', 'Python has answered')
    view.until(lambda: other.numbers()[0] == '33.5', 'the second view shows the same')
    view.cell('a, row 0, column 0').fill('two')
    page.page.keyboard.press('Enter')
    view.until(lambda: "could not read 'two'" in view.root.inner_text(), 'the mistake is explained')
    view.press('Step ▶')
    page.page.wait_for_timeout(800)  # by then the widget would have told Python which cell is looked at
    assert "could not read 'two'" in view.root.inner_text(), 'the message stays to be read'
    view.cell('a, row 0, column 0').fill('1')
    page.page.keyboard.press('Tab')
    view.until(lambda: view.numbers()[0] == '58', 'the widget is still alive')
    box = view.root.locator('textarea').nth(1)
    box.fill('1 2 3\n4 5 6')
    box.press('Control+Enter')
    view.until(lambda: 'no result: the shapes do not fit' in view.root.inner_text(), 'the shapes are refused')
    assert 'each row of the first matrix has 3 numbers' in view.root.inner_text()
    view.root.locator('.cw-mm-why').get_by_role('button', name='Transpose b').click()
    view.until(lambda: view.numbers() == ['14', '32', '32', '77'], 'transposing has mended it')
    for _ in range(2): view.press('↶ Undo')
    view.until(lambda: view.numbers() == ['58', '64', '139', '154'], 'both edits are undone')
    view.press('one row more in a')
    view.until(lambda: len(view.numbers()) == 6, 'there is a row of zeros')
    assert view.numbers()[-2:] == ['0', '0'] and page.console == []


def test_layer_and_keys(page):
    "The same numbers as a layer; and no key pressed inside reaches the notebook."
    view, cells = View(page, 0), len(page.cells())
    view.press('Layer: x @ w + b, ReLU')
    view.until(lambda: view.lit('spread') == 1, 'the layer is shown')
    view.cell('b, row 0, column 1').fill('-100')
    page.page.keyboard.press('Enter')
    view.until(lambda: view.numbers()[1] == '−360', 'the negative sum is crossed out beside its 0')
    view.root.locator('.cw-mm-out td').nth(2).click()
    assert view.formula().endswith('+ bias (−100) = −36 → ReLU → 0') and view.lit('zero') == 1
    page.page.keyboard.press('ArrowDown')
    assert 'out[1, 1]' in view.formula()
    for key in 'dd', 'ab', 'xzm': page.page.keyboard.type(key)
    page.page.keyboard.press('Control+z')
    view.until(lambda: view.numbers('bias') == ['0', '0'], 'the bias is back')
    page.page.keyboard.press('Control+Shift+Z')
    view.until(lambda: view.numbers('bias') == ['0', '−100'], 'the edit is done again')
    page.page.keyboard.press('Control+z')
    view.until(lambda: view.numbers('bias') == ['0', '0'], 'and undone')
    page.page.keyboard.press('Control+y')
    view.until(lambda: view.numbers('bias') == ['0', '−100'], 'by the other key as well')
    view.root.get_by_text('As code').click()
    view.until(lambda: 'sums = products + b' in view.root.locator('.cw-code').inner_text(), 'the code is shown')
    assert not view.root.locator('.cw-message[role=alert]').is_visible()
    assert len(page.cells()) == cells and page.console == []
