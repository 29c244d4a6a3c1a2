"""What the tests share: a browser, and small notebooks."""
import json
import os

import pytest

KERNEL = {'display_name': 'python3', 'language': 'python', 'name': 'python3'}


@pytest.fixture(scope='session')
def browser():
    "A headless browser. Without one the test is skipped, but not where a machine runs it."
    import lab
    opened = lab.browser()
    try: found = opened.__enter__()
    except RuntimeError as e:
        if os.environ.get('CI'): raise
        pytest.skip(str(e))
    yield found
    opened.__exit__(None, None, None)


@pytest.fixture(scope='session')
def lab_server(tmp_path_factory):
    "JupyterLab over an empty folder, `server.folder`, for all tests with a browser."
    import lab
    with lab.LabServer(tmp_path_factory.mktemp('lab')) as running: yield running


def cell(kind, source, **more):
    "One cell of a notebook."
    extra = {'execution_count': None, 'outputs': []} if kind == 'code' else {}
    return {'cell_type': kind, 'metadata': {}, 'source': source.splitlines(True), **extra, **more}


@pytest.fixture(scope='session')
def write_notebook():
    "A function that writes a notebook of the given sources; one that starts with `#` and a space is Markdown."
    def write(path, *sources):
        cells = [cell('markdown' if s.startswith(('# ', '## ')) else 'code', s) for s in sources]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(cells=cells, metadata={'kernelspec': KERNEL}, nbformat=4, nbformat_minor=4)))
        return path
    return write


@pytest.fixture(scope='module')
def run_in_lab(lab_server, browser, write_notebook):
    "A function that runs a notebook of the given sources in JupyterLab; its page is closed after the module's tests."
    pages = []
    def run(name, *sources):
        write_notebook(lab_server.folder/name, *sources)
        pages.append(lab_server.open(browser, name))
        assert pages[-1].run_all(90) == []
        return pages[-1]
    yield run
    for page in pages: page.close()
