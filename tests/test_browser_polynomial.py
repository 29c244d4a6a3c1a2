"""PolynomialFitter in JupyterLab, in a real browser."""

SETUP = 'from course_lib.widgets.polynomial import PolynomialFitter\nw = PolynomialFitter()\nw'


def test_degree_penalty_and_data(lab_server, browser, write_notebook):
    "Step and play through degrees, tame the highest by a penalty and by more points, undo; the keys stay inside."
    write_notebook(lab_server.folder/'p.ipynb', SETUP, 'w', 'print(PolynomialFitter)')
    page = lab_server.open(browser, 'p.ipynb')
    assert page.run_all(60) == []
    root, cells = page.page.locator('.cw-root').first, len(page.cells())
    text = lambda: root.locator('.cw-verdict').inner_text()
    degree = root.locator('.cw-player input[type=range]')
    says = lambda words, what: page.wait(f'root.querySelector(".cw-verdict").textContent.includes("{words}")', what)
    exact = '[...root.querySelectorAll(".cw-picture")].every(e => !e.hidden && e.src.startsWith("blob:"))'

    assert text().startswith('Degree 1 underfits')
    degree.focus()
    page.page.keyboard.press('End')
    assert text().startswith('Degree 15 overfits')  # drawn by the browser, at once
    page.wait(exact, 'matplotlib draws when it rests')
    says('16 numbers to choose', 'it says why')
    second = page.page.locator('.cw-root').nth(1)
    page.wait('document.querySelectorAll(".cw-verdict")[1].textContent.startsWith("Degree 15")', 'the other view')
    assert second.locator('.cw-player .cw-count').inner_text() == 'degree 15 of 15'

    for key in 'dd': page.page.keyboard.press(key)
    page.page.keyboard.press('b')  # the best degree; outside it would make a new cell
    says('Degree 2 fits', 'B goes to the best degree')
    assert len(page.cells()) == cells

    degree.focus()
    page.page.keyboard.press('End')
    penalty = root.locator('.cw-slider input[type=range]').last
    penalty.focus()
    for _ in range(7): page.page.keyboard.press('ArrowRight')
    says('not what matters', 'a penalty tames the highest degree')
    page.page.keyboard.press('Home')
    box = root.get_by_label('points, exact value')
    box.fill('150')
    box.press('Enter')
    says('Degree 15 fits', 'so do more points')
    page.wait('!root.querySelector(".cw-message").textContent', 'no complaint')

    page.page.keyboard.press('Tab')
    root.get_by_role('button', name='↶ Undo').click()
    says('Degree 15 overfits', 'undo takes the points away')
    root.get_by_role('button', name='↷ Redo').click()
    says('Degree 15 fits', 'redo brings them back')

    penalty.focus()
    page.page.keyboard.press('ArrowRight')
    page.page.keyboard.press('Control+z')  # at once: it undoes this arrow, and not the points
    page.wait('root.querySelector(".cw-strength").textContent === "none"', 'the arrow is undone')
    page.page.wait_for_timeout(400)
    assert root.locator('.cw-strength').inner_text() == 'none' and box.input_value() == '150'

    root.get_by_role('button', name='New data').click()
    page.page.wait_for_timeout(300)
    degree.focus()
    page.page.keyboard.press('Home')
    root.get_by_role('button', name='Play').click()
    says('Degree 2', 'play goes through the degrees')
    root.get_by_role('button', name='Pause').click()

    noise = root.get_by_label('noise', exact=True)
    noise.scroll_into_view_if_needed()
    at = noise.bounding_box()
    page.page.mouse.move(at['x'] + at['width']*.4, at['y'] + at['height']/2)
    page.page.mouse.down()
    for part in range(40, 98, 4): page.page.mouse.move(at['x'] + at['width']*part/100, at['y'] + at['height']/2)
    page.page.mouse.up()
    page.wait('Number(root.querySelectorAll(".cw-slider input[type=number]")[1].value) > 3.5', 'the noise follows')
    root.locator('summary').click()
    page.wait('root.querySelector(".cw-code").textContent.includes("penalised_fit")', 'the state as code')
    assert len(page.cells()) == cells and page.errors() == [] and page.console == [], page.console
