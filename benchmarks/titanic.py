"""The passengers of the Titanic, from a sheet to a net: how right, how quick; prints one line of JSON.

    python benchmarks/titanic.py figures
    python benchmarks/titanic.py solve linear|relus
    python benchmarks/titanic.py fit course_lib|fastai --seed 0
    python benchmarks/titanic.py folds --repeats 10
    python benchmarks/titanic.py edit --rounds 3

The real list is `titanic/train.csv` in `data_path` of the settings, else in `../shared/data`. Without it the drawn
passengers are used; then the times compare, and the other figures mean little.

`figures`: the loss of the sheet when it is solved, on the rows that the lecture keeps (those with a gap are dropped):
linear, and with two ReLUs for ten seeds, each with random starts of its own. And the validation accuracy of the
lesson's models, with the preparation, split and seeds of the published notebook.

`solve` is the wall time of `Sheet.solve` in a process that has solved nothing before and has still to import what that
takes (`fresh`), then the median and the slowest of more sheets with other coefficients (`warm`, `slowest`).

`fit` trains one side for 100 epochs, after two that warm up, in one thread and without a bar or a log: wall time,
processor time and the accuracy afterwards. Both get the same rows, split, columns, batch size, learning rate and
layers with batch normalisation; `weights` must be the same number. Gaps are filled before: of a gap both would make a
column of its own, but fastai a name with an embedding, and the nets would not be the same.

`folds` is the repeated five-fold cross-validation of `baselines`, net and all. How far it has come is told on stderr.
`apart` is the standard error of the difference between the net and the best baseline, fold by fold.

`edit` types into a `TitanicSheet` of 891 rows (gaps filled, so that none is dropped) in JupyterLab in Chromium. Counted
is from the key Enter, by the time stamp of its event, to the frame after the first in which the cell shows what was
typed and the mean loss and the predictions in sight are others than before: `shown`. `settled` is the same for the
last change of any text in the widget, such as where a number came from, which Python says.
"""
import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SHARED = Path(__file__).parents[2]/'shared'/'data'
COLUMNS = ['Age', 'SibSp', 'Parch', 'LogFare', 'Sex_male', 'Sex_female', 'Pclass_1', 'Pclass_2', 'Pclass_3',
           'Embarked_C', 'Embarked_Q', 'Embarked_S']
PUBLISHED = {'linear': (18, .2), 'sigmoid': (30, 100), 'hidden': (30, 20), 'deep': (30, 4)}   # epochs, learning rate
EPOCHS, LAYERS, BATCH, LR = 100, [10, 10], 64, .03
FOLDS, EDITS = 5, 12


def passenger_file():
    "Where the real list should be."
    from course_lib.settings import get_settings
    return (get_settings().data_path or SHARED)/'titanic'/'train.csv'


def table():
    "891 passengers: the real ones, else drawn ones."
    from course_lib.data.passengers import passengers
    return pd.read_csv(passenger_file()) if passenger_file().is_file() else passengers()[:891].reset_index(drop=True)


def with_modes(df): return df.fillna(df.mode().iloc[0])


# Figures

def sheet_losses(df, seeds=10):
    "The rows, and the losses of the solved sheet: linear, and with two ReLUs for each seed."
    from course_lib.training.sheet import Sheet
    from course_lib.training.sums import mean_loss, solve
    linear = Sheet(df)
    linear.solve()
    nets = [(s, Sheet(df, relus=True, seed=s)) for s in range(seeds)]
    relus = [mean_loss(o.x, solve(o.x, o.w, o.y, seed=s), o.y) for s, o in nets]
    return {'rows': len(linear.rows), 'linear': linear.loss, 'relus': relus}


def published(df, model):
    "The validation accuracy of one of the lesson's models."
    import torch

    from course_lib.data.split import RandomSplitter
    from course_lib.maths.scratch import acc, train_model
    df = with_modes(df)
    df['LogFare'] = np.log(df.Fare + 1)
    x = torch.tensor(pd.get_dummies(df, columns=['Sex', 'Pclass', 'Embarked'])[COLUMNS].to_numpy('float32'))
    x, y = x/x.max(0).values, torch.tensor(df.Survived.to_numpy())
    if model in ('hidden', 'deep'): y = y[:, None]
    trn, val = map(list, RandomSplitter(seed=42)(df))
    epochs, lr = PUBLISHED[model]
    return acc(train_model(epochs, lr, x[trn], y[trn], model, seed=442, show=False), x[val], y[val]).item()


def figures(args):
    df = table()
    right = {model: published(df, model) for model in PUBLISHED}
    return sheet_losses(df) | {'published': right, 'real': passenger_file().is_file()}


# Times

def seconds(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def solve(args):
    from course_lib.training.sheet import Sheet
    df, relus = table(), args.which == 'relus'
    fresh, *warm = [seconds(Sheet(df, relus=relus, seed=s).solve) for s in range(8)]
    return {'fresh': fresh, 'warm': statistics.median(warm), 'slowest': max(warm)}


def course_lib_side(df, same, seed):
    from course_lib.data.blocks import CategoryBlock
    from course_lib.settings import set_seed
    from course_lib.tabular import Categorify, Normalize, TabularPandas, accuracy, tabular_learner
    set_seed(seed)
    to = TabularPandas(df, procs=[Categorify, Normalize], y_block=CategoryBlock(), **same)
    return tabular_learner(to.dataloaders(bs=BATCH, device='cpu'), LAYERS, metrics=accuracy, use_bn=True, ps=0.)


def fastai_side(df, same, seed):
    from fastai.tabular import all as fa
    fa.set_seed(seed)
    to = fa.TabularPandas(df, procs=[fa.Categorify, fa.Normalize], y_block=fa.CategoryBlock(), **same)
    learn = fa.tabular_learner(to.dataloaders(bs=BATCH, device='cpu'), LAYERS, metrics=fa.accuracy)
    learn.logger = learn.recorder.logger = lambda *_: None   # without a bar it prints a line for each epoch
    return learn


SIDES = {'course_lib': course_lib_side, 'fastai': fastai_side}


def fit(args):
    import torch

    from course_lib.data.split import RandomSplitter
    torch.set_num_threads(1)
    df = with_modes(table()).assign(LogFare=lambda d: np.log1p(d.Fare))
    same = dict(splits=RandomSplitter(seed=42)(df), cat_names=['Sex', 'Pclass', 'Embarked'], y_names='Survived',
                cont_names=['Age', 'SibSp', 'Parch', 'LogFare'])
    make = SIDES[args.which]
    with make(df, same, args.seed).no_bar() as warm: warm.fit(2, lr=LR)
    with make(df, same, args.seed).no_bar() as learn:
        start = time.perf_counter(), time.process_time()
        learn.fit(EPOCHS, lr=LR)
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        right = float(learn.validate()[1])
    return {'wall': wall, 'cpu': cpu, 'accuracy': right, 'weights': sum(p.numel() for p in learn.model.parameters())}


# Cross-validation

def telling(model, repeats):
    "The model, with a line on stderr after each repeat."
    fits, start = itertools.count(1), time.perf_counter()
    def told(*args, **kwargs):
        said, n = model(*args, **kwargs), next(fits)
        gone = time.perf_counter() - start
        if n % FOLDS == 0: print(f'  repeat {n//FOLDS} of {repeats}, {gone:.0f} s gone', file=sys.stderr, flush=True)
        return said
    return told


def folds(args):
    from course_lib.training.baselines import MODELS, always_the_same, baselines, one_column, standard_error
    models = {'always the same': always_the_same, 'Sex only': one_column('Sex')} | MODELS
    models['net'] = telling(models.pop('net'), args.repeats)   # the last of each fold
    start = time.perf_counter()
    made = baselines(table(), 'Survived', models, repeats=args.repeats, folds=FOLDS, seed=args.seed)
    each, others = made.attrs['folds'], made.drop('net')
    best = others.accuracy.idxmax()
    return {'seconds': time.perf_counter() - start, 'best': best, 'accuracy': made.accuracy.to_dict(),
            'error': made.error.to_dict(),
            'apart': standard_error(np.subtract(each['net'], each[best]), 1/(FOLDS - 1))}


# Edits in the browser

SHOW = '''import pandas as pd
from course_lib.widgets import TitanicSheet
sheet = TitanicSheet(pd.read_csv('train.csv'))
sheet'''
WATCH = '''({label, kind, k, wanted}) => {
  const root = document.querySelector('.cw-root');
  const all = what => [...root.querySelectorAll(what)], texts = what => all(what).map(o => o.textContent).join();
  const row = () => label === null ? all('.cw-sheet-head .cw-sheet-row')[2]
    : all('.cw-sheet-body .cw-sheet-row').find(r => r.querySelector('.cw-sheet-label').textContent === label);
  const cell = () => parseFloat(row()?.querySelectorAll(`.cw-sheet-${kind}`)[k].textContent.replace('−', '-'));
  const follow = () => [texts('.cw-figure'), texts('.cw-sheet-body .cw-sheet-prediction')];
  const before = follow(), seen = {start: null, shown: null, settled: null};
  let there = false, changed = false, painted = false;
  window.addEventListener('keydown', e => { seen.start = e.timeStamp; }, {capture: true, once: true});
  const watch = new MutationObserver(() => { changed = true; });
  watch.observe(root, {subtree: true, childList: true, characterData: true});
  window.courseEdit = new Promise(done => {
    const end = performance.now() + 10000;
    const frame = () => {   // what has changed before a frame is on the screen at the next
      const now = performance.now();
      if (there) seen.shown ??= now;
      if (painted) seen.settled = now;
      [painted, changed] = [changed, false];
      if (seen.start !== null) there ||= cell() === wanted && follow().every((text, i) => text !== before[i]);
      const still = seen.shown && now - Math.max(seen.shown, seen.settled) > 500;
      if (now < end && !still) return requestAnimationFrame(frame);
      watch.disconnect();
      done(seen);
    };
    requestAnimationFrame(frame);
  });
}'''


def type_in(page, value, **where):
    "Type a number over the cell under the hand: milliseconds until it is shown, and until all is still."
    page.keyboard.type(f'{value:g}', delay=60)
    page.evaluate(WATCH, where | {'wanted': value})
    page.keyboard.press('Enter')
    seen = page.evaluate('() => window.courseEdit')
    if seen['shown'] is None: raise RuntimeError(f'{value:g} was typed, and ten seconds later not all had followed')
    return {k: seen[k] - seen['start'] for k in ('shown', 'settled')}


def edit_coefficients(page, widget, n=EDITS):
    "One column after the other gets another coefficient."
    widget.get_by_role('button', name='Products', exact=True).click()
    columns, seen = widget.locator('.cw-sheet-names .cw-sheet-product').count(), []
    for i in range(n):
        widget.locator('.cw-sheet-grid').focus()
        for key in ('Control+Home', *['ArrowRight']*(i % columns)): page.keyboard.press(key)
        now = widget.locator('.cw-sheet-coeff').nth(i % columns).inner_text()
        value = -.75 if float(now.replace('−', '-')) > 0 else .75
        seen.append(type_in(page, value, label=None, kind='coeff', k=i % columns))
    return seen


def edit_cells(page, widget, n=EDITS):
    "Another passenger gets older than anybody else, and young again: the age of all is divided by the largest."
    widget.get_by_role('button', name='Raw table', exact=True).click()
    k = widget.locator('.cw-sheet-names .cw-sheet-raw').all_inner_texts().index('Age')
    row = widget.locator('.cw-sheet-body .cw-sheet-row').nth(3)
    row.wait_for()
    label, seen = row.locator('.cw-sheet-label').inner_text(), []
    for i in range(n):
        row.locator('.cw-sheet-raw').nth(k).click()
        seen.append(type_in(page, 120 + i if i % 2 == 0 else 20 + i, label=label, kind='raw', k=k))
    return seen


def sheet_in(page):
    "The widget, when its rows are there."
    widget = page.show(0).locator('.cw-root')
    try: widget.locator('.cw-sheet-body .cw-sheet-row').first.wait_for(timeout=20_000)
    except Exception as e: raise RuntimeError(f'no sheet is shown: {page.console}') from e
    return widget


def edit(args):
    from cleaner import lab, write_notebook
    seen = {'coefficient': [], 'cell': []}
    with tempfile.TemporaryDirectory() as folder, lab.browser() as browser, lab.LabServer(folder) as server:
        with_modes(table()).to_csv(Path(folder)/'train.csv', index=False)
        write_notebook(Path(folder)/'edits.ipynb', SHOW)
        page = server.open(browser, 'edits.ipynb')
        if errors := page.run_all(120): raise RuntimeError(errors)
        widget = sheet_in(page)
        rows = int(page.ask('print(len(sheet.sheet.rows))'))
        for do in (edit_coefficients, edit_cells): do(page.page, widget, 2)   # warms up
        for _ in range(args.rounds):
            seen['coefficient'] += edit_coefficients(page.page, widget)
            seen['cell'] += edit_cells(page.page, widget)
        if page.console: raise RuntimeError(page.console)
    return {'rows': rows} | {kind: numbers(edits) for kind, edits in seen.items()}


def numbers(edits):
    shown, settled = ([e[k] for e in edits] for k in ('shown', 'settled'))
    return {'edits': len(edits), 'shown': statistics.median(shown), 'slowest': max(shown),
            'settled': statistics.median(settled), 'last': max(settled)}


def main():
    parts = {'figures': figures, 'solve': solve, 'fit': fit, 'folds': folds, 'edit': edit}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=parts)
    parser.add_argument('which', nargs='?', choices=['linear', 'relus', *SIDES], help='of solve and fit')
    parser.add_argument('--rounds', type=int, default=3, help=f'how often {EDITS} edits of each kind are made')
    parser.add_argument('--repeats', type=int, default=10, help='of the cross-validation')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    print(json.dumps(parts[args.what](args)))


if __name__ == '__main__':
    main()
