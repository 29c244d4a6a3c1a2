"""The sheet: the lecture's figures on the real rows, speed of an edit, and what goes wrong."""
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from course_lib.data.passengers import passengers
from course_lib.training.recipe import Recipe, guess_recipe
from course_lib.training.sheet import Sheet
from course_lib.widgets.netdiagram import NetDiagram
from course_lib.widgets.sheet import TitanicSheet

REAL = Path(__file__).parents[2]/'shared'/'data'/'titanic'/'train.csv'


@pytest.fixture(scope='module')
def real():
    "The competition's rows, where somebody has put them."
    if not REAL.exists(): pytest.skip(f'no {REAL}')
    return pd.read_csv(REAL)


def run(code, **names):
    "The names that are left after `code` has run."
    exec(code.replace('print(loss)', ''), names)
    return names


def error(f, *args):
    "What `f` complains of."
    with pytest.raises(ValueError) as e: f(*args)
    return str(e.value)


def state(sheet):
    "All that an undo has to bring back, then how far back and forth it goes."
    now = sheet.now.w.tolist(), sheet.now.trail, sheet.columns, sheet.x.tolist()
    return *now, len(sheet.past), len(sheet.future)


def test_the_lecture_on_the_real_rows_linear(real):
    sheet = Sheet(real)
    assert sheet.x.shape == (712, 10)
    sheet.solve()
    assert round(sheet.loss, 4) == .1442 and round(sheet.accuracy, 3) == .798
    assert np.isclose(run(sheet.code(), df=real)['loss'], sheet.loss)


def test_two_relus_on_the_real_rows(real):
    found = []
    for seed in range(10):
        sheet = Sheet(real, relus=True, seed=seed)
        sheet.solve()
        found.append(sheet.loss)
    assert min(found) < .132 and max(found) < .1325


def test_steps_alone_lead_to_the_solution():
    sheet, best = Sheet(), Sheet()
    best.solve()
    sheet.step(.1, 4000)
    assert best.loss <= sheet.loss < best.loss + 1e-3
    assert all(a >= b - 1e-12 for a, b in zip(sheet.losses, sheet.losses[1:], strict=False))


def test_undo_and_redo_lead_through_everything():
    sheet = Sheet()
    row, seen = sheet.rows[5], [state(sheet)]
    deeds = [lambda: sheet.step(.1), lambda: sheet.edit(row, 'Age', 79), lambda: sheet.switch(log=False),
             lambda: sheet.switch(relus=True), lambda: sheet.put('Fare', 1, 1), lambda: sheet.randomise(4),
             lambda: sheet.switch(normalise=False), lambda: sheet.step(1e-6, 7)]
    for deed in deeds:
        deed()
        seen.append(state(sheet))
    for back in reversed(seen[:-1]):
        sheet.undo()
        assert state(sheet)[:4] == back[:4]
    for there in seen[1:]:
        sheet.redo()
        assert state(sheet)[:4] == there[:4]
    sheet.undo()
    sheet.randomise(9)
    assert not sheet.future


def test_a_run_of_steps_is_undone_at_once():
    sheet = Sheet()
    start = sheet.w
    for _ in range(6): sheet.step(.1, join=True)
    assert len(sheet.past) == 1 and len(sheet.losses) == 7 and sheet.now.came == 'random, seed 0, then 6 steps'
    sheet.undo()
    assert np.array_equal(sheet.w, start)


def test_what_fails_leaves_all_as_it_was():
    sheet = Sheet()
    sheet.switch(normalise=False, log=False)
    before = state(sheet)
    row = sheet.rows[0]
    for f in (lambda: sheet.step(.1, 50), lambda: sheet.edit(row, 'Fare', -2e99),
              lambda: sheet.edit(row, 'Survived', ''), lambda: sheet.put('Fare', 'much'),
              lambda: sheet.put('LogFare', 1), lambda: sheet.step(0), lambda: sheet.put('Fare', 1e12)):
        with pytest.raises(ValueError): f()
        assert state(sheet) == before


def test_the_last_of_a_level_takes_its_column_along():
    df = passengers()[:60].dropna(subset=['Age']).copy()
    df['Embarked'] = 'S'
    df.loc[df.index[0], 'Embarked'] = 'C'
    sheet = Sheet(df)
    assert 'Embarked_S' in sheet.columns
    kept = dict(zip(sheet.columns, sheet.w[:, 0], strict=True))
    sheet.edit(df.index[0], 'Embarked', 'S')
    assert [c for c in sheet.columns if c.startswith('Embarked')] == []
    assert all(kept[c] == w for c, w in zip(sheet.columns, sheet.w[:, 0], strict=True))
    sheet.undo()
    assert dict(zip(sheet.columns, sheet.w[:, 0], strict=True)) == kept


@pytest.mark.parametrize('kind', ['bool', 'str', 'Int64', 'category', 'float'])
def test_any_kind_of_answer_and_label(kind):
    df = passengers()[:40].dropna(subset=['Age']).astype({'Survived': kind}).set_index('Ticket')
    sheet = Sheet(df)
    row, was = sheet.rows[2], sheet.y[2]
    sheet.edit(row, 'Survived', int(1 - was))
    assert sheet.y[2] == 1 - was and sheet.trace(row, 'squared error').cells()[-1] == (row, 'Survived')
    sheet.edit(row, 'Age', '41.5')
    sheet.edit(row, 'SibSp', .5)
    assert np.isclose(run(sheet.code(), df=df)['loss'], sheet.loss)
    assert sheet.value(row, 'raw Age') == 41.5 and f'row {row}' in repr(sheet.trace(row, 'Age'))


def test_every_number_of_a_row_can_be_traced():
    sheet = Sheet(relus=True)
    frame = sheet.frame()
    for row in sheet.rows[:3]:
        for column in frame:
            value = sheet.value(row, column)
            assert value == frame.at[row, column] or np.isclose(value, frame.at[row, column]), column


def test_the_given_table_stays_as_it_was():
    df = passengers()[:100]
    before = df.copy()
    sheet = Sheet(df)
    sheet.edit(sheet.rows[0], 'Age', 3)
    sheet.switch(normalise=False)
    assert df.equals(before)
    sheet.w[:] = 0
    assert sheet.now.w.any()


def test_a_table_without_words_or_anything_to_scale():
    df = pd.DataFrame(dict(a=[0, 1, 0, 1, 1], b=[1, 0, 0, 1, 0], y=[0, 1, 0, 1, 1]))
    sheet = Sheet(df, 'y')
    sheet.solve()
    assert sheet.loss < 1e-12 and np.isclose(run(sheet.code(), df=df)['loss'], 0)
    assert guess_recipe(df, 'y').words == () and sheet.columns == ['a', 'b', 'ones']


LOGS = {'e': np.log1p, 2: lambda v: np.log2(1 + v), 10: lambda v: np.log10(1 + v)}
DOES = {'one': lambda v: 1., 'divide': lambda v, by: v/by, 'log': lambda v, by: LOGS[by](v),
        'is': lambda v, level: float((v if isinstance(v, str) else f'{v:.7g}') == level)}


def along(way, raw):
    "What a way makes of the raw cells: what the browser does, too."
    v = raw.get(way['source'])
    for what, *by in way['does']: v = DOES[what](v, *by)
    return v


@pytest.mark.parametrize('switch', [{}, dict(log=False), dict(normalise=False), dict(normalise=False, log=False)])
def test_the_ways_lead_from_the_raw_cells_to_the_numbers(switch):
    sheet = Sheet(relus=True, **switch)
    ways = json.loads(json.dumps(sheet.ways()))
    for k, row in enumerate(sheet.rows[:60]):
        raw = sheet.flow(row).raw
        assert np.allclose([along(w, raw) for w in ways], sheet.x[k]), row


def test_ways_of_any_table():
    rng = np.random.default_rng(2)
    df = pd.DataFrame(dict(p=rng.lognormal(3, 1.6, 90), kind=rng.choice(['a', 'b', 'c'], 90)))
    df['n'] = rng.integers(-9, 9, 90)
    df['y'] = (df.p > df.p.median()).astype(int)
    sheet = Sheet(df, 'y')
    assert sheet.recipe.log == ('p',) and sheet.recipe.scale == ('n',)
    for k, row in enumerate(sheet.rows[:20]):
        assert np.allclose([along(w, sheet.flow(row).raw) for w in sheet.ways()], sheet.x[k])
    twice = Sheet(df, 'y', Recipe(scale=('p',), log=('p',), words=('kind',)))
    assert [o[0] for o in twice.ways()[twice.columns.index('Logp')]['does']] == ['divide', 'log']
    for k, row in enumerate(twice.rows[:20]):
        assert np.allclose([along(w, twice.flow(row).raw) for w in twice.ways()], twice.x[k])


@pytest.mark.parametrize('relus', [False, True])
def test_a_flow_on_trial_is_what_an_edit_would_give(relus):
    for column, value in dict(SibSp=3, Sex='female', Pclass=1, Embarked='C', Fare=99.5).items():
        sheet = Sheet(relus=relus)
        row, before = sheet.rows[7], state(sheet)
        tried = sheet.flow(row, {column: value})
        assert state(sheet) == before
        sheet.edit(row, column, value)
        assert np.isclose(tried.pred, sheet.preds[7]) and np.allclose(tried.x, sheet.x[7]), column
        assert tried.raw == sheet.flow(row).raw


def test_an_age_beyond_the_largest_does_not_change_the_scale():
    sheet = Sheet()
    row, oldest = sheet.rows[0], sheet.now.df.Age.max()
    assert np.isclose(sheet.flow(row, {'Age': 2*oldest}).x[0], 2)
    assert np.isclose(sheet.flow(sheet.rows[1]).x[0], sheet.x[1, 0])


def test_rows_that_are_called_anything_flow_too():
    df = passengers()[:40].dropna(subset=['Age']).set_index('Ticket')
    sheet = Sheet(df)
    f = sheet.flow(sheet.rows[3], {'Age': '30'})
    assert f.raw['Age'] == 30 and np.isclose(sheet.flow(sheet.rows[3]).pred, sheet.preds[3])


@pytest.mark.parametrize('kind', ['int', 'Int64', 'float', 'category', 'bool', 'object', 'string'])
def test_an_emptied_cell_leaves_its_row_out_and_the_code_says_so(kind):
    df = pd.DataFrame(dict(a=[0, 1, 0, 1, 1, 0, 1, 0], b=range(8), y=[0, 1, 0, 1, 1, 0, 0, 1])).astype({'a': kind})
    sheet = Sheet(df, 'y', Recipe())
    sheet.edit(2, 'a', '')
    assert sheet.rows == [0, 1, 3, 4, 5, 6, 7] and sheet.x.shape == (7, 3)
    assert 'it has a gap' in error(sheet.value, 2, 'a')
    assert np.isclose(run(sheet.code(), df=df)['loss'], sheet.loss)
    sheet.edit(2, 'a', 1)
    assert sheet.rows == list(range(8)) and sheet.value(2, 'raw a') == 1
    assert np.isclose(run(sheet.code(), df=df)['loss'], sheet.loss)
    sheet.undo(), sheet.undo()
    assert float(sheet.value(2, 'raw a')) == 0 and not sheet.past


def test_the_last_of_a_class_cannot_be_left_out():
    df = pd.DataFrame(dict(a=[1, 3, 2, 4, 5], y=[0, 0, 0, 0, 1]))
    sheet = Sheet(df, 'y')
    before = state(sheet)
    assert 'that are left' in error(sheet.edit, 4, 'a', '') and state(sheet) == before


@pytest.mark.parametrize('index', [pd.date_range('2024', periods=8), pd.MultiIndex.from_product([[1, 2], list('abcd')]),
                                   pd.Index(['é [1]', *'bcdefgh']), pd.RangeIndex(5, 13)])
def test_the_code_finds_rows_of_any_label(index):
    df = pd.DataFrame(dict(a=range(8), b=[1., 4, 2, 2, 0, 1, 9, 2], y=[0, 1]*4), index=index)
    sheet = Sheet(df, 'y')
    sheet.edit(sheet.rows[3], 'b', 7)
    assert np.isclose(run(sheet.code(), df=df)['loss'], sheet.loss)


@pytest.mark.parametrize('name', ['loss', 'sum 1', 'b × w1', 'w2 of b', 'raw b'])
def test_a_name_that_the_sheet_needs_itself_is_refused(name):
    df = pd.DataFrame({name: [.1, .2, .3, .5], 'b': [1, 0, 1, 1], 'y': [0, 1, 0, 1]})
    assert repr(name) in error(Sheet, df, 'y')


def test_too_long_steps_say_how_far_they_came_and_what_works():
    sheet = Sheet(normalise=False, log=False)
    before, text = state(sheet), error(sheet.step, .1, 10)
    assert state(sheet) == before and f'{sheet.loss:.3g} → ' in text and 'of 10' in text and 'or normalise' in text
    rate = float(text.split('(')[-1].split()[0])
    sheet.step(rate, 50)
    assert all(a >= b for a, b in zip(sheet.losses, sheet.losses[1:], strict=False))
    assert 'or normalise' not in error(Sheet().step, 1e9, 3)


def test_a_refused_coefficient_is_not_blamed_on_the_rate():
    for f, args in ((Sheet().put, ('Age', 1e12)), (Sheet().edit, (0, 'SibSp', 1e30))):
        assert 'nearer to 0' in error(f, *args) and 'rate' not in error(f, *args)


def test_to_and_fro_between_the_two_models():
    sheet = Sheet()
    sheet.solve()
    linear = sheet.w
    sheet.switch(relus=True)
    assert np.array_equal(sheet.w[:, :1], linear) and sheet.now.came == 'partly random'
    sheet.solve()
    net, came = sheet.w, sheet.now.came
    for _ in range(2):
        sheet.switch(relus=False)
        assert np.array_equal(sheet.w, linear) and sheet.now.came == 'solved by least squares'
        sheet.switch(relus=True)
        assert np.array_equal(sheet.w, net) and sheet.now.came == came
    sheet.switch(relus=False)
    sheet.switch(log=False, normalise=False)
    assert sheet.now.came == 'solved by least squares before the switch'
    sheet.switch(relus=True)
    assert np.array_equal(sheet.w, net) and sheet.now.came == f'{came} before the switch' and 'Fare' in sheet.columns


def test_solved_is_said_of_the_numbers_that_were_there():
    sheet = Sheet()
    row = sheet.rows[0]
    sheet.solve()
    sheet.edit(row, 'Survived', 1 - int(sheet.y[0]))
    assert 'before your edit' in sheet.now.came and 'before your edit' in repr(sheet.trace(None, 'w of Age'))
    sheet.step(.1, 2)
    assert sheet.now.came == 'solved by least squares before your edit, then 2 steps'
    sheet.solve()
    assert sheet.now.came == 'solved by least squares'
    sheet.randomise(1)
    sheet.edit(row, 'Age', 1)
    assert sheet.now.came == 'random, seed 1'


@pytest.mark.parametrize('n', [12, 400])
def test_row_numbers_and_dates_are_no_columns(n):
    rng = np.random.default_rng(0)
    df = pd.DataFrame(dict(id=range(1, n + 1), date=pd.date_range('2024-03-04', periods=n).astype(str),
                           when=pd.date_range('2024-03-04', periods=n), height=rng.normal(size=n), y=[0, 1]*(n//2)))
    sheet = Sheet(df, 'y')
    assert sheet.columns == ['height', 'ones'] and sheet.recipe.why['date'] == sheet.recipe.why['when'] == 'dates'
    assert 'id (only counts the rows)' in error(Sheet, df[['id', 'y']], 'y')


def test_wrong_arguments_are_named():
    df = passengers()[:60]
    for args, word in ((dict(recipe={'drop': 'Age'}), 'Recipe'), (dict(seed='x'), 'a seed'), (dict(seed=-1), 'a seed')):
        with pytest.raises(ValueError, match=word): Sheet(df, **args)


def test_slopes_predictions_and_solution_agree_with_others(real):
    torch = pytest.importorskip('torch')
    for relus in (False, True):
        sheet = Sheet(real, relus=relus, seed=4)
        w = torch.tensor(sheet.w, requires_grad=True)
        s = torch.tensor(sheet.x)@w
        preds = s.relu().sum(1) if relus else s[:, 0]
        loss = torch.nn.functional.mse_loss(preds, torch.tensor(sheet.y))
        loss.backward()
        assert np.isclose(loss.item(), sheet.loss) and np.allclose(w.grad, sheet.slopes)
        assert np.allclose(preds.detach(), sheet.preds)
        before = sheet.w
        sheet.step(.05)
        assert np.allclose(sheet.w, before - .05*w.grad.numpy())


def ask(widget, op, view='a', **args):
    "What one view asks for, and what all of them hear."
    widget._heard(widget, dict(args, op=op, id=f'{view}-1'), [])
    return widget.state


def test_a_view_is_told_of_every_column_that_comes_or_goes():
    df = passengers()[:60].dropna(subset=['Age']).assign(Embarked='S')
    df.loc[df.index[0], 'Embarked'] = 'C'
    widget = TitanicSheet(df)
    deeds = [('edit', dict(at=0, column='raw Embarked', value='S')), ('edit', dict(at=2, column='raw Age', value='')),
             ('undo', {}), ('undo', {}), ('redo', {}), ('redo', {})]
    for op, args in deeds:
        state = ask(widget, op, **args)
        there = 'Embarked_S' in state['columns']
        assert ('Embarked' in state['raw_columns']) == there == ('Embarked' in widget.raw['levels'])
        for shown in (widget, NetDiagram(widget.sheet)):
            cells = shown.raw['cells']
            assert {*shown.state['raw_columns'], 'Survived'} == set(cells), op
            assert all(column in cells for _, column, _ in shown.state['edits']), op


def test_a_level_that_has_gone_is_no_longer_offered():
    df = passengers()[:60].dropna(subset=['Age', 'Embarked']).copy()
    df['Embarked'] = ['C', *['S', 'Q']*((len(df) - 1)//2), *['S']*(1 - len(df) % 2)]
    widget = TitanicSheet(df)
    assert ask(widget, 'edit', at=0, column='raw Embarked', value='Q')['message'] == ''
    assert widget.raw['levels']['Embarked'] == ['Q', 'S']
    ask(widget, 'undo')
    assert widget.raw['levels']['Embarked'] == ['C', 'Q', 'S']


def test_each_view_has_runs_of_its_own():
    widget = TitanicSheet()
    ask(widget, 'put', view='a', column='Age', value=1, run=0)
    ask(widget, 'put', view='b', column='SibSp', value=1, run=0)
    assert len(widget.sheet.past) == 2
    ask(widget, 'drag', view='b', column='SibSp', value=2, run=0)
    assert len(widget.sheet.past) == 2


def test_what_was_refused_does_not_begin_a_run():
    widget = TitanicSheet()
    ask(widget, 'put', column='Age', value=1)
    assert 'nearer to 0' in ask(widget, 'drag', column='Age', value=1e12, run=5)['message']
    ask(widget, 'put', column='Age', value=.5, run=5)
    ask(widget, 'undo')
    assert widget.sheet.w[0, 0] == 1


def test_half_a_label_is_no_row():
    df = pd.DataFrame(dict(a=range(8), b=[1., 4, 2, 2, 0, 1, 9, 2], y=[0, 1]*4))
    sheet = Sheet(df.set_index(pd.MultiIndex.from_product([[1, 2], list('abcd')])), 'y')
    before = state(sheet)
    for bad in (1, (1, 'z'), [1], slice(None)):
        assert repr(bad) in error(sheet.edit, bad, 'b', 7) and state(sheet) == before
    sheet = Sheet(df.set_index(pd.date_range('2024-03-01', periods=8)), 'y')
    assert 'no row' in error(sheet.edit, '2024-03', 'b', 7)
    sheet.edit('2024-03-04', 'b', 7)
    assert 'as you typed it' in repr(sheet.trace(sheet.rows[3], 'raw b')) and sheet.value(sheet.rows[3], 'raw b') == 7


def test_what_came_first_is_told_first():
    sheet = Sheet()
    sheet.solve()
    sheet.step(.1, 3)
    sheet.edit(sheet.rows[0], 'Age', 3)
    assert sheet.now.came == 'solved by least squares, then 3 steps before your edit'
    for _ in range(2): sheet.step(.1)
    assert sheet.now.came == 'solved by least squares, then 3 steps before your edit, then 2 steps'


@pytest.mark.filterwarnings('error')
def test_what_is_beyond_all_measure_is_told_in_words_alone():
    sheet = Sheet()
    assert 'too long' in error(sheet.step, 1e300) and 'nearer to 0' in error(sheet.put, 'Age', 1e300)


def test_few_rows_with_the_same_numbers_cannot_be_told_apart():
    df = pd.DataFrame({c: [0, 1]*5 for c in 'abcdefghij'} | dict(y=[0, 1, 1, 0]*2 + [0, 1]))
    sheet = Sheet(df, 'y', Recipe())
    sheet.solve()
    assert sheet.loss > .1 and '11 coefficients for 10 rows: even random' in sheet.cautions[0]


def test_what_only_looks_like_a_date_is_a_word():
    for cells, is_date in ((['1.0.2', '1.1.0', '2.0.1'], False), (['1/2/3', '3/2/1', '1/1/1'], False),
                           (['2024-3-04', '2024/03/05', '5.3.24'], True),
                           (['04.03.2024 17:30', '3/5/2024', '5 May 2024'], True)):
        df = pd.DataFrame(dict(text=cells*8, b=np.linspace(0, .9, 24)[::-1], y=[0, 1]*12))
        recipe = guess_recipe(df, 'y')
        assert (recipe.why.get('text') == 'dates') == is_date == ('text' not in recipe.words), cells
