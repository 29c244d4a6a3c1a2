"""How ImageCleaner carries 10,000 images, in JupyterLab in a real Chromium.

The pictures are pieces of drawn bears, each another one. Measured are

- `shown`: from running the cell to the frame in which all pictures of the first page are painted, with nothing cached;
- `turn`: from the press of the key PageDown to the same on the next page, while the other images are still being looked
  at in the background (`busy`), and when that is done (`turn`);
- `memory`: by how much the kernel has grown since before the cell, at the end of it all.
"""
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]/'tests'))
import lab  # noqa: E402

N, TURNS = 10_000, 12
MAKE = '''import os
import numpy as np
from course_lib.cleaning.imageset import ImageSet
from course_lib.vision import get_image_files
from course_lib.widgets import ImageCleaner
paths = get_image_files('many')
rng = np.random.default_rng(0)
probs = rng.dirichlet((8, 1, 1), len(paths))
images = ImageSet(paths, [p.parent.name for p in paths], probs=probs, scored=['k-fold']*len(paths))
def rss():
    "Bytes of memory this process holds."
    return int(open('/proc/self/statm').read().split()[1])*os.sysconf('SC_PAGE_SIZE')
before = rss()'''
SHOW = 'cleaner = ImageCleaner(images)\ncleaner'
# resolves at the frame after the first in which the page differs from `old` and every picture on it is painted
PAINTED = '''async old => {
  const start = performance.now();
  const now = () => {
    const cards = [...document.querySelectorAll('.cw-card')].filter(c => !c.hidden);
    const pictures = cards.map(c => c.querySelector('.cw-card-img'));
    const whole = cards.length > 3 && pictures.every(p => p.complete && p.naturalWidth > 0);
    return whole ? pictures.map(p => p.src).join() : null;
  };
  const frame = () => new Promise(done => requestAnimationFrame(done));
  if (old === 'run') {
    const list = window.jupyterapp.shell.currentWidget.content;
    list.activeCellIndex = 1;
    window.jupyterapp.commands.execute('notebook:run-cell');
    old = '';
  } else {
    old = now();
    document.querySelector('.cw-card.cw-here').dispatchEvent(
      new KeyboardEvent('keydown', {key: 'PageDown', bubbles: true, cancelable: true}));
  }
  while (performance.now() - start < 30000) {
    await frame();
    const seen = now();
    if (seen && seen !== old) { await frame(); return performance.now() - start; }
  }
  return null;
}'''


def many_bears(folder, n=N, side=200):
    "Pictures that are all different: pieces of drawn bears, turned, lighter or darker."
    import numpy as np

    from course_lib.data.samples import KINDS, draw_bear
    rng = np.random.default_rng(0)
    bears = {k: [draw_bear(k, rng, 320) for _ in range(40)] for k in KINDS}
    for kind in KINDS: (folder/kind).mkdir(parents=True)
    for i in range(n):
        kind = KINDS[i % 3]
        bear = bears[kind][rng.integers(40)]
        x, y = (rng.integers(0, s - side) for s in bear.size)
        piece = bear.crop((x, y, x + side, y + side)).rotate(int(rng.integers(4))*90)
        light = rng.uniform(.6, 1.3)
        piece.point(lambda v, k=light: min(255, int(v*k))).save(folder/kind/f'{i:05d}.jpg', quality=85)


def write_notebook(file, *sources):
    cells = [{'cell_type': 'code', 'id': f'c{i}', 'metadata': {}, 'source': s, 'outputs': [], 'execution_count': None}
             for i, s in enumerate(sources)]
    kernel = {'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'}}
    file.write_text(json.dumps({'cells': cells, 'metadata': kernel, 'nbformat': 4, 'nbformat_minor': 5}))


def one_round(server, browser, name):
    write_notebook(server.folder/name, MAKE, SHOW)
    page = server.open(browser, name)
    page.page.evaluate('''async () => {
      window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
      await window.jupyterapp.commands.execute('notebook:run-cell');
    }''')
    assert page.ask('print(before > 0)') == 'True', page.errors()
    out = {'shown': page.page.evaluate(PAINTED, 'run')}
    out['busy'] = statistics.median(turns(page))
    wait_for_looks(page)
    after = turns(page)
    out |= {'turn': statistics.median(after), 'slowest': max(after)}
    out['memory'] = int(page.ask('print(rss() - before)'))/2**20
    assert not page.console, page.console
    page.close()
    return out


def turns(page, n=TURNS):
    "Milliseconds of so many page turns, with a moment to look at each page."
    seen = []
    for _ in range(n):
        page.page.wait_for_timeout(600)
        seen.append(page.page.evaluate(PAINTED, 'turn'))
    return seen


def wait_for_looks(page, seconds=300):
    end = time.monotonic() + seconds
    known = 'print(sum(cleaner.session.looks.peek(p) is not None for p in images.paths))'
    while int(page.ask(known)) < N:
        if time.monotonic() > end: raise TimeoutError('the images have not all been looked at')
        time.sleep(2)


def measure(rounds):
    "Middle values over `rounds`, each with fresh files."
    seen = []
    for i in range(rounds):
        with tempfile.TemporaryDirectory() as tmp, lab.browser() as browser:
            many_bears(Path(tmp)/'many')
            with lab.LabServer(tmp) as server: seen.append(one_round(server, browser, f'many{i}.ipynb'))
        print('  ' + ', '.join(f'{k} {v:.0f}' for k, v in seen[-1].items()))
    return {k: statistics.median(o[k] for o in seen) for k in seen[0]}


if __name__ == '__main__': print(measure(1))
