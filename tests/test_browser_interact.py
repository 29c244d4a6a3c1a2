"""interact_plot in JupyterLab, in a real browser."""

PLOT = '''import matplotlib.pyplot as plt, numpy as np
from course_lib.widgets.interact import interact_plot
calls = []

def plot_quad(a, b, word='', dots=False):
    calls.append(a)
    x = np.linspace(-2, 2, 50)
    plt.plot(x, a*x**2 + b, 'o' if dots else '-')
    plt.ylim(-3, 13)
    plt.title(word)
    print(f'a is {a:.4g}')
    if b > 4: raise ValueError(f'b is {b:g}, too much')
'''
COUNT = '''() => {
  window.drawn = [];
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function(...args) {
    window.drawn.push(performance.now());
    return draw.apply(this, args);
  };
}'''
CORNER = '() => { const c = document.querySelector(".cw-result"); return [c.width, c.height, c.toDataURL().length]; }'


def drag(page, track):
    "Drag over a slider from left to right, and let go."
    at = track.bounding_box()
    page.page.mouse.move(at['x'] + at['width']*.2, at['y'] + at['height']/2)
    page.page.mouse.down()
    for part in range(20, 101):
        page.page.mouse.move(at['x'] + at['width']*part/100, at['y'] + at['height']/2)
        page.page.wait_for_timeout(15)
    page.page.mouse.up()


def test_drag_type_fail_and_keys(lab_server, browser, write_notebook):
    "Drag, type, fail and mend: the picture stays in place, the newest wins, no cell is lost, no figure shown twice."
    write_notebook(lab_server.folder/'i.ipynb', PLOT, 'interact_plot(plot_quad, a=1.5, b=(0, 5, .5));',
                   'plot_quad.widget')
    page = lab_server.open(browser, 'i.ipynb')
    assert page.run_all(60) == []
    root, cells = page.page.locator('.cw-root').first, len(page.cells())
    described = lambda words, what: page.wait(f'root.querySelector("canvas").ariaLabel.includes("{words}")', what)
    prints = lambda words, what: page.wait(f'root.querySelector(".cw-printed").textContent === "{words}"', what)
    page.wait('root.querySelector(".cw-result").width > 300', 'there is a picture')
    before, at = page.page.evaluate(CORNER), root.locator('.cw-result').bounding_box()
    assert 'image/png' not in str([o.get('data', {}).keys() for o in page.outputs('interact_plot(')[1]])

    page.page.evaluate(COUNT)
    drag(page, root.get_by_label('a', exact=True))
    prints('a is 4.5', 'the last place is the one shown')
    page.page.wait_for_timeout(600)
    drawn = page.page.evaluate('window.drawn.length')
    page.page.wait_for_timeout(500)
    assert 4 <= drawn == page.page.evaluate('window.drawn.length')  # it moved while dragged, and rests now
    after = page.page.evaluate(CORNER)
    assert after[:2] == before[:2] and after[2] != before[2] and root.locator('.cw-result').bounding_box() == at
    page.wait('document.querySelectorAll(".cw-printed")[1].textContent === "a is 4.5"', 'the other view')

    box = root.get_by_label('a, exact value')
    box.fill('-2.25')
    box.press('Enter')
    prints('a is -2.25', 'a typed value, outside the range')
    root.locator('.cw-text').press_sequentially('dd hello')
    root.get_by_role('checkbox').check()
    described('dots = True', 'the picture is described')
    assert 'dd hello' in root.locator('.cw-result').get_attribute('aria-label')

    good = page.page.evaluate(CORNER)
    slider = root.get_by_label('b', exact=True)
    slider.focus()
    page.page.keyboard.press('End')
    error = 'ValueError: b is 5, too much\\nline'
    page.wait(f'root.querySelector(".cw-message").textContent.startsWith("{error}")', 'the error is shown')
    assert page.page.evaluate(CORNER) == good
    for key in ('d', 'd', 'b', 'x'): page.page.keyboard.press(key)
    page.page.keyboard.press('Home')
    page.wait('root.querySelector(".cw-message").hidden', 'the sliders live on')
    page.page.keyboard.press('ArrowRight')
    described('b = 0.5', 'one arrow is one step')
    page.page.keyboard.press('r')
    prints('a is 1.5', 'R goes back to the start')
    assert len(page.cells()) == cells and page.errors() == [] and page.console == [], page.console
