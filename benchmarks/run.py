"""Side-by-side measurements, printed as ratios in a table: `make bench`.

Each training runs in a process of its own, one side after the other, round after round, so that a machine that slows
down slows all sides down. Photos and weights: `data_path` and `weights_path` of the settings, else `../shared/data`.
Without them the drawn bears and a network from scratch are used; then the times compare and the errors do not.
"""
import argparse
import atexit
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3, help='how often each side runs')
    parser.add_argument('only', nargs='*', choices=[[], *PARTS], help='parts to run; all if none is named')
    args = parser.parse_args()
    rows = []
    for name, part in PARTS.items():
        if not args.only or name in args.only:
            rows += part(args.rounds)
    print_table(rows)


def print_table(rows):
    "Rows of what, ours, the other side, ratio, and what it should be."
    head = ('what', 'here', 'other', 'ratio', 'aim')
    widths = [max(len(str(r[i])) for r in (head, *rows)) for i in range(5)]
    for row in (head, ['-'*w for w in widths], *rows):
        print('  '.join(str(c).ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


def against(what, ours, theirs, aim, unit='s'):
    "One row: two numbers, and the ratio of the first to the second."
    return what, f'{ours:.3g} {unit}', f'{theirs:.3g} {unit}', f'{ours/theirs:.2f}', aim


def alone(what, value, aim):
    return what, value, '', '', aim


def run(*command, told=False):
    "What a Python process prints last, and its wall time; with `told`, what it says on stderr is seen at once."
    start = time.perf_counter()
    command = [sys.executable, '-W', 'ignore', *map(str, command)]
    errors = None if told else subprocess.PIPE
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f'{" ".join(command)} failed:\n{(done.stderr or "")[-2000:]}')
    return done.stdout.strip().splitlines()[-1:], seconds


def inputs():
    "The photos, the weights, and whether they are the real ones."
    from course_lib.settings import get_settings
    s, shared = get_settings(), ROOT.parent/'shared'/'data'
    data, weights = (s.data_path or shared)/'bears', (s.weights_path or shared/'weights')/'mobilenet_v2.pth'
    if data.is_dir() and weights.is_file():
        return data, weights, True
    import torch
    from torchvision.models import mobilenet_v2

    from course_lib.data.samples import draw_bears
    print('No photos or no weights: drawn bears and a network from scratch. The errors below mean little.')
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    draw_bears(folder/'bears')
    torch.save(mobilenet_v2().state_dict(), folder/'mobilenet_v2.pth')
    return folder/'bears', folder/'mobilenet_v2.pth', False


def train(side, data, weights, size=128, epochs=3, seed=0):
    out, _ = run(HERE/'bears.py', side, data, weights, '--size', size, '--epochs', epochs, '--seed', seed)
    result = json.loads(out[0])
    print(f'  {side:10} seed {seed}: {result["seconds"]:.1f} s, error {result["error"]}, {result["peak_mb"]:.0f} MB')
    return result


def training(rounds):
    "fine_tune(3) at 128 px: course_lib, fastai and a bare loop in turn."
    data, weights, _ = inputs()
    print(f'Training: fine_tune(3), {rounds} rounds of course_lib, fastai, bare loop')
    sides = ('course_lib', 'fastai', 'bare')
    runs = [{side: train(side, data, weights, seed=i) for side in sides} for i in range(rounds)]
    def mid(side, what): return statistics.median(r[side][what] for r in runs)
    seconds, ours, theirs = mid('course_lib', 'seconds'), mid('course_lib', 'error'), mid('fastai', 'error')
    peaks = mid('course_lib', 'peak_mb'), mid('fastai', 'peak_mb')
    return [
        against('fine_tune(3), 128 px, against fastai', seconds, mid('fastai', 'seconds'), '<= 0.5'),
        against('the same, against a bare loop', seconds, mid('bare', 'seconds'), '<= 1.3'),
        against("peak memory (without fastai's workers)", *peaks, '<= 1', 'MB'),
        ('error, against fastai', f'{ours:.2%}', f'{theirs:.2%}', '', 'within one photo')]


def accuracy(rounds):
    "Errors reached on the real photos."
    data, weights, real = inputs()
    print(f'Accuracy, {rounds} rounds{"" if real else " (drawn bears)"}')
    rows = []
    for size, epochs, aim in ((128, 3, '<= 4 %'), (192, 4, '<= 2.5 %')):
        errors = [train('course_lib', data, weights, size, epochs, seed)['error'] for seed in range(rounds)]
        shown = ', '.join(f'{e:.1%}' for e in errors)
        rows.append(alone(f'error, {size} px, fine_tune({epochs}), each round', shown, aim))
    return rows


def imports(rounds):
    "Star import against fastai's, and the bare package."
    def mid(code): return statistics.median(run('-c', code)[1] for _ in range(max(rounds, 3)))
    nothing = mid('pass')
    ours, theirs = mid('from course_lib.vision import *'), mid('from fastai.vision.all import *')
    package = mid('import course_lib') - nothing
    return [against('from course_lib.vision import *, against fastai', ours - nothing, theirs - nothing, '<= 0.5'),
            alone('import course_lib', f'{package:.3f} s', '<= 0.1 s')]


def data(rounds):
    "Drawing the sample, and making loaders over many files."
    from course_lib.data.samples import draw_bears
    with tempfile.TemporaryDirectory() as d:
        start = time.perf_counter()
        draw_bears(Path(d)/'bears')
        drawn = time.perf_counter() - start
        return [alone('draw 450 bears', f'{drawn:.1f} s', '<= 5 s'),
                alone('loaders over 10,000 files', f'{many_files(Path(d)):.2f} s', '<= 2 s')]


def many_files(folder, n=10_000):
    "Seconds to make loaders over `n` small pictures."
    from PIL import Image

    from course_lib.vision import CategoryBlock, DataBlock, ImageBlock, Resize, get_image_files, parent_label
    for kind in 'ab':
        (folder/'many'/kind).mkdir(parents=True)
        for i in range(n//2):
            Image.new('RGB', (8, 8)).save(folder/'many'/kind/f'{i}.jpg')
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                      item_tfms=Resize(8))
    start = time.perf_counter()
    block.dataloaders(folder/'many')
    return time.perf_counter() - start


def descent(rounds):
    "Gradient descent on the quadratic, and the fit of 64 ReLUs."
    steps = statistics.median(quadratic_descent() for _ in range(max(rounds, 3)))
    rows = [alone('descend, 10,000 steps of the quadratic fit', f'{steps:.2f} s', '< 1 s')]
    for name, f in {'x²': lambda x: x**2, 'sin(3x)': lambda x: (3*x).sin(), '|x|': lambda x: x.abs()}.items():
        fits = [relu_fit(f) for _ in range(rounds)]
        seconds, left = (statistics.median(column) for column in zip(*fits, strict=True))
        rows.append(alone(f'64 ReLUs on 200 points of {name}: time, part of the variance left',
                          f'{seconds:.2f} s, {left:.1e}', '< 5 s, <= 1 %'))
    return rows


def quadratic_descent(steps=10_000):
    "Seconds that so many steps from the course's start take."
    import torch

    from course_lib.maths.descent import DataLoss, descend
    from course_lib.maths.functions import add_noise, mk_quad
    x = torch.linspace(-2, 2, 20)
    y = add_noise(mk_quad(3, 2, 1)(x), .15, 1.5)
    loss = DataLoss(lambda x, p: mk_quad(*p)(x), x, y)
    start = time.perf_counter()
    trace = descend(loss, torch.tensor([1.5, 1.5, 1.5]), lr=.01, steps=steps)
    seconds = time.perf_counter() - start
    if len(trace) != steps: sys.exit(f'descend stopped after {len(trace)} steps of {steps}')
    return seconds


def relu_fit(f, n=200):
    "Seconds for a fit of 64 ReLUs, and its loss as a part of the variance of the target."
    import torch

    from course_lib.maths.relus import ReLUFit
    x = torch.linspace(-2, 2, n)
    y = f(x)
    fit = ReLUFit(64, x, y)
    start = time.perf_counter()
    fit.train()
    return time.perf_counter() - start, float(fit.loss)/float(y.var(correction=0))


def widgets(rounds):
    "Dragging in JupyterLab: see widgets.py."
    from widgets import lab, measure, middle
    if lab.has_browser() is None: return [alone('dragging in JupyterLab', 'not measured: no browser', lab.MEND)]
    print(f'Dragging in JupyterLab, {rounds} rounds of each side in turn; gap, behind and still moving in ms')
    seen = middle(measure(rounds))
    other = seen['interact']
    def row(name, what, unit, aim): return against(f'drag {name}, {what}', seen[name][what], other[what], aim, unit)
    rows = [alone('drag a bare slider and canvas', f'{seen["ceiling"]["frames/s"]:.3g} frames/s', 'the ceiling')]
    for name in ('QuadraticFitter', 'ReLUFitter(2)'):
        rows += [row(name, 'frames/s', 'frames/s', '>= 40, ratio >= 4'), row(name, 'gap', 'ms', '<= 50 ms'),
                 row(name, 'behind', 'ms', '<= 50 ms')]
    return [*rows, row('FunctionFitter', 'frames/s', 'frames/s', '>= 15'),
            row('interact_plot', 'frames/s', 'frames/s', 'ratio >= 2'),
            row('interact_plot', 'still moving', 'ms', '<= 150 ms')]


def cleaning(rounds):
    "What the cleaning queue finds in its first fifth: see cleaning.py."
    print(f'Cleaning: what each ranking holds in its first fifth, {rounds} rounds')
    shares = []
    for seed in range(rounds):
        out = json.loads(run(HERE/'cleaning.py', '--seed', seed)[0][0])
        shares.append(out['shares'])
        print(f'  seed {seed}: ' + ', '.join(f'{k} {v["all"]:.0%}' for k, v in out['shares'].items()))
    def mid(name, what): return statistics.median(o[name][what] for o in shares)
    def row(what, name, part):
        ours, theirs = mid('queue', part), mid(name, part)
        return what, f'{ours:.0%}', f'{theirs:.0%}', f'{ours/theirs:.2f}' if theirs else '', '>= 1'
    rows = [alone('first fifth of the queue: share of all that was planted', f'{mid("queue", "all"):.0%}', '>= 80 %'),
            alone('the same of near-duplicates, and of unreadable files',
                  f'{mid("queue", "near-duplicate"):.0%}, {mid("queue", "not-an-image"):.0%}', 'all')]
    rows += [row(f'all that was planted, against {words}', name, 'all') for name, words in RANKINGS.items()]
    return rows + [row('wrong labels alone, against cleanlab', 'cleanlab', 'labels'),
                   row('spoilt and double files alone, against CleanVision', 'cleanvision', 'files')]


RANKINGS = {'loss': 'the loss of the trained model', 'folds': 'out-of-sample loss', 'cleanlab': 'cleanlab',
            'cleanvision': 'CleanVision'}


def cleaner(rounds):
    "ImageCleaner over 10,000 images: see cleaner.py."
    from cleaner import lab, measure
    if lab.has_browser() is None: return [alone('ImageCleaner in JupyterLab', 'not measured: no browser', lab.MEND)]
    print(f'ImageCleaner over 10,000 images, {rounds} rounds; times in ms, memory in MB')
    seen = measure(rounds)
    return [alone('ImageCleaner, 10,000 images: shown', f'{seen["shown"]/1000:.2f} s', '< 2 s'),
            alone('a page turn, the slowest of twelve', f'{seen["turn"]:.0f} ms, {seen["slowest"]:.0f} ms', '< 150 ms'),
            alone('a page turn while images are looked at', f'{seen["busy"]:.0f} ms', '< 150 ms'),
            alone('growth of the kernel', f'{seen["memory"]:.0f} MB', '< 300 MB')]


def chance(rounds):
    "Draws without a relation, in Python and in JupyterLab: see chance.py."
    def say(what, *more): return json.loads(run(HERE/'chance.py', what, *more)[0][0])
    print(f'Chance: 10,000 slopes, {3*rounds} rounds of each side in turn; 1,000,000 slopes; 2,000 studies')
    ms = {k: 1000*v for k, v in say('speed', '--rounds', 3*rounds).items()}
    many, right = [say('million') for _ in range(rounds)], say('right')
    def quicker(what, ours, theirs, aim):
        return what, f'{ms[ours]:.3g} ms', f'{ms[theirs]:.4g} ms', f'1/{ms[theirs]/ms[ours]:.1f}', aim
    def both(what): return ', '.join(f'{right[what][null]:.3g}' for null in ('gaussian', 'permutation'))
    return [
        alone('10,000 null slopes, n = 100', f'{ms["ours"]:.3g} ms', '<= 30 ms'),
        quicker('the same, against a loop over scipy.stats.linregress', 'ours', 'loop', '<= 1/30'),
        against('the same, against drawing the random numbers alone', ms['ours'], ms['numbers'], '<= 2', 'ms'),
        quicker('by permutation, against scipy.stats.permutation_test', 'permuted', 'permutation_test', '<= 1/3'),
        quicker('the same, against it in batches of 1,000', 'permuted', 'batches', ''),
        alone('1,000,000 null slopes', f'{min(m["seconds"] for m in many):.2f} s', '<= 3 s'),
        alone('the same, peak memory', f'{max(m["peak_mb"] for m in many):.0f} MB', '<= 500 MB'),
        alone('p is uniform: gaussian, permutation (Kolmogorov-Smirnov)', both('uniform'), '> 0.01'),
        alone('simulated p within two errors of the formula', both('near'), 'about 0.95'),
        alone('regressions, furthest from statsmodels: 40 tables, Longley',
              f'{right["tables"]:.0e}, {right["longley"]:.0e}', '<= 1e-8'),
        *dragging_n(rounds)]


def dragging_n(rounds):
    "PValueSimulator while n is dragged."
    from widgets import lab
    if lab.has_browser() is None: return [alone('dragging n of PValueSimulator', 'not measured: no browser', lab.MEND)]
    seen = json.loads(run(HERE/'chance.py', 'drag', '--rounds', rounds)[0][0])
    return [alone('drag n of PValueSimulator, 2,000 draws: its histogram', f'{seen["frames/s"]:.3g} frames/s', '>= 20'),
            alone('the same: new draws, gap, behind',
                  f'{seen["new/s"]:.3g} times/s, {seen["gap"]:.0f} ms, {seen["behind"]:.0f} ms', '')]


def passengers(*what, told=False):
    "What a part of titanic.py says."
    return json.loads(run(HERE/'titanic.py', *what, told=told)[0][0])


def titanic(rounds):
    "The passengers in a sheet, in a net and in JupyterLab: see titanic.py."
    seen = passengers('figures')
    print(f'Titanic: {rounds} rounds of each side in turn; the cross-validation once')
    if not seen['real']: print('No real list: drawn passengers. The losses and accuracies below mean little.')
    losses, right = seen['relus'], seen['published']
    def published(what, aim, *models): return alone(what, ', '.join(f'{right[m]:.4f}' for m in models), aim)
    return [
        alone(f'linear sheet, {seen["rows"]} rows, solved: loss', f'{seen["linear"]:.4f}', '0.1442'),
        alone('two ReLUs, ten seeds: best and worst loss', f'{min(losses):.4f}, {max(losses):.4f}', '<= 0.135'),
        published('published preparation, validation accuracy: linear', '0.7865', 'linear'),
        published('the same: sigmoid, net, deep', '0.8258', 'sigmoid', 'hidden', 'deep'),
        *solving(rounds), *fitting(rounds), *editing(rounds), *cross_validation()]


def solving(rounds):
    "The sheet, solved in fresh processes and warm."
    def row(name, which):
        runs = [passengers('solve', which) for _ in range(rounds)]
        fresh, warm = (statistics.median(r[k] for r in runs) for k in ('fresh', 'warm'))
        return alone(f'solve the {name} sheet: fresh process, warm', f'{fresh:.2g} s, {warm:.2g} s', '< 0.5 s')
    return [row('linear', 'linear'), row('two-ReLU', 'relus')]


def fit(side, seed):
    result = passengers('fit', side, '--seed', seed)
    print(f'  {side:10} seed {seed}: ' + ', '.join(f'{k} {v:.3g}' for k, v in result.items()))
    return result


def fitting(rounds):
    "100 epochs of the same net, course_lib and fastai in turn."
    sides = ('course_lib', 'fastai')
    runs = [{side: fit(side, seed) for side in sides} for seed in range(rounds)]
    if len({r[side]['weights'] for r in runs for side in sides}) > 1: sys.exit('the nets are not the same')
    def mid(what): return [statistics.median(r[side][what] for r in runs) for side in sides]
    ours, theirs = mid('accuracy')
    return [against('100 epochs of the net, against fastai: wall time', *mid('wall'), '<= 0.5'),
            against('the same: processor time', *mid('cpu'), '<= 0.5'),
            ('the same: validation accuracy', f'{ours:.1%}', f'{theirs:.1%}', '', '')]


def editing(rounds):
    "What is typed into TitanicSheet, in a browser."
    from widgets import lab
    if lab.has_browser() is None: return [alone('edits of TitanicSheet', 'not measured: no browser', lab.MEND)]
    seen = passengers('edit', '--rounds', rounds)
    def row(what, kind):
        e = seen[kind]
        return [alone(f'{what} typed over, {seen["rows"]} rows: all shown, the slowest of {e["edits"]}',
                      f'{e["shown"]:.0f} ms, {e["slowest"]:.0f} ms', '< 100 ms'),
                alone('the same: all at rest, the slowest', f'{e["settled"]:.0f} ms, {e["last"]:.0f} ms', '')]
    return [*row('a coefficient', 'coefficient'), *row('a raw cell', 'cell')]


def cross_validation():
    "The net beside logistic regression and the best baseline."
    print('  five folds, ten times: net and baselines')
    seen = passengers('folds', told=True)
    right, best = seen['accuracy'], seen['best']
    net, least = right['net'], right[best] - seen['error'][best]
    print('  ' + ', '.join(f'{k} {v:.2%} ± {seen["error"][k]:.2%}' for k, v in right.items()))
    def row(what, name, aim): return what, f'{net:.2%}', f'{right[name]:.2%}', f'{net/right[name]:.3f}', aim
    return [row('ten times five folds: net, against logistic regression', 'logistic regression', '>= 1'),
            row(f'the same, against the best baseline ({best})', best, f'>= {least:.2%}, one standard error less'),
            alone('the same: difference, and its own standard error',
                  f'{net - right[best]:+.2%}, {seen["apart"]:.2%}', '>= -1 error'),
            alone('the same: all models, time', f'{seen["seconds"]:.0f} s', '')]


PARTS = {'imports': imports, 'data': data, 'training': training, 'accuracy': accuracy, 'descent': descent,
         'widgets': widgets, 'cleaning': cleaning, 'cleaner': cleaner, 'chance': chance,
         'titanic': titanic}

if __name__ == '__main__':
    main()
