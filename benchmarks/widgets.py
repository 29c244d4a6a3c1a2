"""How smoothly a picture follows a slider, in JupyterLab in a real Chromium.

Each side is a notebook of its own, with its own kernel, in a page of its own, in one JupyterLab. The sides are dragged
in turn, round after round, after a short drag to warm up: the mouse is pressed on the first slider and moved from side
to side, sixty times a second. The moves go straight to Chromium (its DevTools protocol), as those of a real mouse do:
they do not wait for the page. Playwright's `mouse.move` does, and would slow the mouse down to the pace of the page.

What counts as a frame is the same for all sides: a frame of the browser, by `requestAnimationFrame`, before which the
picture *changed*. A canvas is looked at after something was painted on it, an image after it was loaded, and only
while they are on the page; the pixels in twelve columns of the picture (of an image in the text of the output: its
bytes) must differ from those of the frame before. So painting the same thing again counts for nothing, and neither does
an image that is replaced before it is seen. The change is dated by the next frame, when it is on the screen.

- frames/s: changed frames between the first move and the last, by the time between them.
- gap: the 95th percentile of the times between changed frames; the first move and the last count as one each.
- behind: from the last move, by the time stamp of its event, to the last change.
- still moving: from the release to the last change.

`ceiling` is a bare slider that moves a line on an empty canvas: what this machine and this method allow at most.
"""
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import websocket
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]/'tests'))
import lab  # noqa: E402

DATA = '''import torch, matplotlib.pyplot as plt
from course_lib.maths.functions import add_noise, mk_quad, plot_function
torch.manual_seed(42)
x = torch.linspace(-2, 2, 20)[:, None]
y = add_noise(mk_quad(3, 2, 1)(x), .15, 1.5)
def plot_quad(a, b, c): plt.scatter(x, y); plot_function(mk_quad(a, b, c), ylim=(-3, 13))'''
EMPTY = '''from IPython.display import HTML
HTML("""<div class="ceiling"><input type=range min=-3 max=3 step=any style="width: 300px"><br>
<canvas width=1120 height=680 style="width: 560px"></canvas><script>(() => {
  const slider = document.querySelector('.ceiling input'), canvas = document.querySelector('.ceiling canvas');
  const ctx = canvas.getContext('2d');
  let asked = false;
  const paint = () => {
    asked = false;
    ctx.clearRect(0, 0, 1120, 680); ctx.lineWidth = 6;
    ctx.beginPath(); ctx.moveTo(0, 340); ctx.lineTo(1120, 340 + 100*slider.valueAsNumber); ctx.stroke();
  };
  slider.addEventListener('input', () => { if (!asked) { asked = true; requestAnimationFrame(paint); } });
})()</script></div>""")'''


@dataclass
class Side:
    "A notebook whose last cell shows a slider and a picture."
    name: str
    code: str
    handle: str = '.cw-slider input[type=range]'  # where to press the mouse
    track: str = '.cw-slider input[type=range]'   # what to move along
    picture: str = '.cw-plot canvas'              # what should follow


SIDES = [
    Side('ceiling', EMPTY, '.ceiling input', '.ceiling input', '.ceiling canvas'),
    Side('QuadraticFitter', 'from course_lib.widgets.fitter import QuadraticFitter\nQuadraticFitter(x, y)'),
    Side('ReLUFitter(2)', 'from course_lib.widgets.relu import ReLUFitter\nReLUFitter(2)'),
    Side('FunctionFitter', '''from course_lib.widgets.fitter import FunctionFitter
FunctionFitter(lambda x, a, b, c: a*torch.sin(b*x) + c, x, y, a=(-3., 6.), b=(-3., 6.), c=(-3., 6.))'''),
    Side('interact_plot', '''from course_lib.widgets.interact import interact_plot
interact_plot(plot_quad, a=1.5, b=1.5, c=1.5)''', picture='.cw-result'),
    Side('interact', 'from ipywidgets import interact\n@interact(a=1.5, b=1.5, c=1.5)\n' + DATA.splitlines()[-1],
         '.noUi-handle', '.noUi-target', '.jp-OutputArea-output img'),
]
SECONDS = 3
RATE = 60   # moves of the mouse per second

WATCH = '''(() => {
  const seen = window.courseSeen = {on: false};
  const touched = new Set(), before = new WeakMap();
  const small = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  let source = '';   // the bytes of the last image in the text of an output: each is a new element

  seen.start = picture => {
    Object.assign(seen, {picture, on: true, frames: [], moves: [], up: null});
    touched.clear();
    requestAnimationFrame(frame);
  };
  const proto = CanvasRenderingContext2D.prototype;
  for (const name of ['clearRect', 'fillRect', 'stroke', 'fill', 'drawImage', 'putImageData']) {
    const plain = proto[name];
    proto[name] = function (...args) {
      if (this.canvas.isConnected) touched.add(this.canvas);
      return plain.apply(this, args);
    };
  }
  document.addEventListener('load', e => { if (e.target.tagName === 'IMG') touched.add(e.target); }, true);
  window.addEventListener('pointermove', e => { if (seen.on && e.buttons) seen.moves.push(e.timeStamp); }, true);
  window.addEventListener('pointerup', e => { if (seen.on) seen.up = e.timeStamp; }, true);

  const columns = picture => {
    const width = picture.naturalWidth || picture.width, height = picture.naturalHeight || picture.height;
    if (small.canvas.height !== height) Object.assign(small.canvas, {width: 48, height});
    small.clearRect(0, 0, 48, height);
    for (let i = 0; i < 12; i++)
      small.drawImage(picture, Math.floor((i + .5)/12*width), 0, 4, height, 4*i, 0, 4, height);
    return new Uint32Array(small.getImageData(0, 0, 48, height).data.buffer);
  };
  const changed = picture => {
    if (picture.src?.startsWith('data:')) {
      const old = source;
      source = picture.src;
      return source !== old;
    }
    const old = before.get(picture), now = columns(picture);
    before.set(picture, now);
    return !old || old.length !== now.length || now.some((v, i) => v !== old[i]);
  };
  const shown = picture => picture.isConnected && picture.offsetWidth > 100 && picture.matches(seen.picture);
  const frame = () => {
    const pictures = [...touched].filter(shown);
    touched.clear();
    if (pictures.filter(changed).length) seen.frames.push(performance.now());
    if (seen.on) requestAnimationFrame(frame);
  };
})();'''


def measure(rounds, sides=SIDES, say=print):
    "For each side by name, a list of one dict for each round. Raises `RuntimeError` when there is no browser."
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for side in sides: write(Path(folder)/f'{slug(side)}.ipynb', DATA, side.code)
        server, browser = stack.enter_context(lab.LabServer(folder)), stack.enter_context(watching())
        pages = {side.name: ready(server, browser, side) for side in sides}
        runs = {side.name: [] for side in sides}
        for _ in range(rounds):
            for side in sides:
                runs[side.name].append(drag(pages[side.name], side))
                say(f'  {side.name:16}' + ', '.join(f'{k} {v:.3g}' for k, v in runs[side.name][-1].items()))
    return runs


def middle(runs):
    "The median round of each number of each side."
    return {name: {k: statistics.median(r[k] for r in rounds) for k in rounds[0]} for name, rounds in runs.items()}


def slug(side): return ''.join(c for c in side.name if c.isalnum())


def write(path, *cells):
    kernel = {'kernelspec': {'display_name': 'python3', 'language': 'python', 'name': 'python3'}}
    cells = [dict(cell_type='code', id=f'c{i}', metadata={}, source=c, execution_count=None, outputs=[])
             for i, c in enumerate(cells)]
    path.write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))


@contextlib.contextmanager
def watching():
    "A browser that listens at a port, and whose pages count what changes in them. Raises `RuntimeError`."
    with sync_playwright() as play:
        browser = lab.launch(Chromium(play))
        if not browser: raise RuntimeError(f'no browser could be started: {lab.MEND}')
        try: yield browser
        finally: browser.browser.close()


class Chromium:
    "What `lab.launch` and `lab.LabPage` need of Playwright, its module and its browser."
    def __init__(self, play): self.play, self.chromium, self.port = play, self, lab.free_port()

    def launch(self, **options):
        self.browser = self.play.chromium.launch(args=[f'--remote-debugging-port={self.port}'], **options)
        return self

    def new_page(self, **options):
        page = self.browser.new_page(**options)
        page.add_init_script(WATCH)
        return page


class Mouse:
    "A mouse for the page that shows `name`. It does not wait for the page."
    def __init__(self, port, name):
        with urlopen(f'http://127.0.0.1:{port}/json/list') as f: pages = json.load(f)
        address = next(p['webSocketDebuggerUrl'] for p in pages if p['type'] == 'page' and name in p['url'])
        self.line, self.at, self.made = websocket.create_connection(address, suppress_origin=True), (0, 0), 0

    def do(self, kind, down=False):
        (x, y), self.made = self.at, self.made + 1
        left = 'left' if down or kind == 'Released' else 'none'
        args = dict(type=f'mouse{kind}', x=x, y=y, button=left, buttons=int(down), clickCount=int(kind != 'Moved'))
        self.line.send(json.dumps({'id': self.made, 'method': 'Input.dispatchMouseEvent', 'params': args}))

    def move(self, x, y, down=False):
        self.at = x, y
        self.do('Moved', down)


def ready(server, browser, side):
    "The page of a side: its cells have run, its slider is in view, and it was dragged once to warm up."
    page = server.open(browser, f'{slug(side)}.ipynb')
    page.mouse = Mouse(browser.port, f'{slug(side)}.ipynb')
    if errors := page.run_all(120): raise RuntimeError(f'{side.name}: {errors}')
    page.show(1)
    page.page.locator(side.handle).first.wait_for(timeout=20_000)
    page.page.wait_for_timeout(1000)
    drag(page, side, 1)
    return page


def drag(lab_page, side, seconds=SECONDS):
    "Drag the first slider of a side for some seconds, wait until all is still, and count."
    page, mouse = lab_page.page, lab_page.mouse
    page.bring_to_front()
    page.locator(side.handle).first.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    handle, track = (page.locator(s).first.bounding_box() for s in (side.handle, side.track))
    page.evaluate('picture => courseSeen.start(picture)', side.picture)
    mouse.move(handle['x'] + handle['width']/2, handle['y'] + handle['height']/2)
    mouse.do('Pressed', down=True)
    sweep(mouse, track, seconds)
    mouse.do('Released')
    settle(page)
    try: return numbers(page.evaluate('() => { courseSeen.on = false; return courseSeen; }'))
    except RuntimeError as e: raise RuntimeError(f'{side.name}: {e}') from None


def sweep(mouse, track, seconds, period=2.4):
    "Move from the middle to an end, to the other end and so on, at an even pace."
    start, y = time.perf_counter(), track['y'] + track['height']/2
    for i in range(1, seconds*RATE + 1):
        time.sleep(max(0, start + i/RATE - time.perf_counter()))
        there = abs((i/RATE/period + .25) % 1*2 - 1)
        mouse.move(track['x'] + track['width']*(.1 + .8*there), y, down=True)
    time.sleep(1/RATE)


STILL = '''quiet => {
  const {up, frames} = courseSeen, kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  return up !== null && kernel.status === 'idle' && performance.now() - Math.max(up, frames.at(-1) || 0) > quiet;
}'''


def settle(page, quiet=700, most=15):
    "Wait until the kernel is idle and nothing has changed for `quiet` ms, at most so many seconds."
    end = time.monotonic() + most
    page.wait_for_timeout(quiet)
    while time.monotonic() < end and not page.evaluate(STILL, quiet): page.wait_for_timeout(100)


def numbers(seen):
    "What a drag comes to. Raises `RuntimeError` when the picture did not follow."
    if not seen['moves'] or not seen['frames']: raise RuntimeError('the picture did not follow the mouse')
    first, last, end = seen['moves'][0], seen['moves'][-1], max(seen['frames'])
    moving = [t for t in seen['frames'] if first <= t <= last]
    gaps = sorted(b - a for a, b in itertools.pairwise([first, *moving, last]))
    return {'frames/s': 1000*len(moving)/(last - first), 'gap': gaps[min(int(.95*len(gaps)), len(gaps) - 1)],
            'behind': max(end - last, 0), 'still moving': max(end - seen['up'], 0),
            'moves/s': 1000*len(seen['moves'])/(last - first)}
