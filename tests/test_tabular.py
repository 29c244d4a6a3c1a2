"From a table to a learner: what rows teach, the net against baselines, bundles, ensembles, what is handed in."
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from course_lib.data.blocks import CategoryBlock
from course_lib.data.loaders import ItemError
from course_lib.data.passengers import passengers
from course_lib.data.split import RandomSplitter
from course_lib.data.table import Categorify, Drop, Dummies, FillMissing, Log1p, Scale, TableSteps, read_table
from course_lib.data.tabular import Normalize, RegressionBlock, TabularDataLoaders, TabularPandas, guess_columns
from course_lib.explain.interpret import ClassificationInterpretation, Interpretation
from course_lib.serving.bundle import BundleError, load_learner
from course_lib.training import baselines as bl
from course_lib.training.callbacks import Callback
from course_lib.training.ensembles import ensemble, feature_importance, own_seed, submission
from course_lib.training.guards import LossIsNaN
from course_lib.training.metrics import accuracy
from course_lib.training.tabular import TabularModel, build_tabular_model, tabular_learner

REAL = Path(__file__).parents[2]/'shared'/'data'/'titanic'
CATS, CONTS = ['Sex', 'Pclass', 'Embarked'], ['Age', 'SibSp', 'Parch', 'Fare']


def drawn():
    df = passengers()
    return df[:891], df[891:].drop(columns='Survived')


@pytest.fixture(scope='module', params=['drawn', 'real'])
def rows(request):
    "Training rows and new ones."
    if request.param == 'drawn': return drawn()
    if not (REAL/'train.csv').is_file(): pytest.skip('the real passengers are not here')
    return read_table(REAL/'train.csv'), read_table(REAL/'test.csv')


def loaders(df, **kwargs):
    given = {'y_names': 'Survived', 'valid_idx': RandomSplitter(seed=42)(df)[1], 'device': 'cpu'} | kwargs
    return TabularDataLoaders.from_df(df, **given)


def trained(dls, epochs=3, seed=0, **kwargs):
    with own_seed(seed):
        learn = tabular_learner(dls, metrics=accuracy, **kwargs)
        with learn.no_bar(): learn.fit_one_cycle(epochs)
    return learn


@pytest.fixture(scope='module')
def learn():
    return trained(loaders(drawn()[0]), 8)


# From a table to batches

def test_validation_rows_teach_the_steps_nothing(rows):
    "Whatever stands in the rows kept back, the training tensors are the same."
    train, _ = rows
    kept = RandomSplitter(seed=42)(train)[1]
    other = train.copy()
    other.loc[other.index[kept], ['Age', 'Fare']] = [1e6, 0.]
    other.loc[other.index[kept], ['Sex', 'Embarked']] = ['unknown', 'Belfast']
    a, b = (loaders(df, valid_idx=kept, cat_names=CATS, cont_names=CONTS) for df in (train, other))
    assert a.steps.config() == b.steps.config() and guess_columns(train.drop(train.index[kept]), 'Survived')['cat']
    for x, y in zip(a.train.tensors, b.train.tensors, strict=True): assert torch.equal(x, y)
    assert not torch.equal(a.valid.tensors[0], b.valid.tensors[0])


def test_tensors_are_what_pandas_makes_of_the_table(rows):
    train, new = rows
    dls = TabularPandas(train, [Categorify, FillMissing, Normalize], CATS, CONTS, 'Survived', CategoryBlock(),
                        (range(len(train)), [])).dataloaders(device='cpu', shuffle=False)
    median, ages = train.Age.median(), train.Age.fillna(train.Age.median())
    cats, conts, ys = dls.train.plain().one_batch()
    assert dls.cat_names == ['Pclass', 'Sex', 'Embarked'] and dls.cont_names[:4] == ['Age', 'SibSp', 'Parch', 'Fare']
    assert np.allclose(conts[:, 0], (ages - ages.mean())/ages.std(ddof=0), atol=1e-5)
    assert cats[:, 0].tolist() == train.Pclass.tolist() and ys.tolist() == train.Survived.tolist()
    assert ((cats[:, 2] == 0).numpy() == train.Embarked.isna()).all()
    other = dls.test_dl(new, quiet=True).one_batch()[1][:, 0]
    assert np.allclose(other, (new.Age.fillna(median) - ages.mean())/ages.std(ddof=0), atol=1e-5)


def test_batches_are_slices_and_every_row_comes_once():
    dls = loaders(drawn()[0], bs=50)
    plain = dls.train.plain()
    assert next(iter(plain))[1].untyped_storage().data_ptr() == plain.tensors[1].untyped_storage().data_ptr()  # no copy
    seen = [tuple(row) for cats, conts, ys in dls.train for row in torch.cat([cats, conts, ys[:, None]], 1).tolist()]
    every = [tuple(o) for o in torch.cat([plain.tensors[0], plain.tensors[1], plain.tensors[2][:, None]], 1).tolist()]
    assert len(seen) == 700 and len(dls.train) == 14 and not set(seen) - set(every)
    assert [len(y) for *_, y in dls.valid] == [178] and list(map(len, next(iter(dls.valid)))) == [178]*3


def test_the_same_seed_gives_the_same_order_and_the_same_net():
    dls = loaders(drawn()[0])
    with own_seed(3): first = [y.tolist() for *_, y in dls.train]
    with own_seed(3): assert [y.tolist() for *_, y in dls.train] == first
    assert [y.tolist() for *_, y in dls.train] != first
    one, two, three = (trained(dls, 2, seed).get_preds()[0] for seed in (5, 5, 6))
    assert torch.equal(one, two) and not torch.equal(one, three)


KINDS = [('Survived', 'Lived', {0: 'no', 1: 'yes'}, ['no', 'yes']), ('Survived', 'Lived', {0: False, 1: True}, [0, 1]),
         ('Survived', 'Lived', {0: '0', 1: '1'}, ['0', '1']), ('Survived', 'Lived', {0: 0., 1: 1.}, [0, 1])]


@pytest.mark.parametrize('old, name, levels, vocab', KINDS)
def test_answers_of_every_kind(old, name, levels, vocab):
    train, new = drawn()
    df = train.assign(**{name: train[old].map(levels)}).drop(columns=old)
    learn = trained(loaders(df, y_names=name), 1)
    assert learn.dls.vocab == vocab and learn.predict(new.iloc[0])[0] in vocab


def test_a_number_as_the_answer():
    train, new = drawn()
    dls = loaders(train, y_names='Fare', cat_names=['Pclass'], cont_names=['SibSp', 'Parch'])
    learn = tabular_learner(dls, lr=.1)
    with learn.no_bar(): learn.fit_one_cycle(20)
    preds, targs = learn.get_preds()
    assert preds.shape == targs.shape and F.mse_loss(preds, targs) < targs.var()*.9
    assert isinstance(learn.predict(new.iloc[0])[0], float)
    assert feature_importance(learn, n=3).index[0] == 'Pclass'


def test_what_was_guessed_of_the_answer_is_said(capsys):
    train = drawn()[0]
    said = lambda **kwargs: [TabularPandas(train, **kwargs), capsys.readouterr().out][1]
    given = {'cat_names': ['Sex'], 'cont_names': ['SibSp']}
    assert 'the answer Pclass a number' in said(y_names='Pclass') and 'Guessed' in said(y_names='Survived')
    assert said(y_names='Pclass', **given).count('y_block=CategoryBlock') == 1
    assert 'answer' not in said(y_names='Survived') and not said(y_names='Survived', **given)
    for block in (CategoryBlock, RegressionBlock): assert not said(y_names='Pclass', y_block=block, **given)


def test_a_table_in_two_parts_says_what_it_is():
    to = TabularPandas(drawn()[0][:100], cat_names=['Sex'], cont_names=['Age', 'SibSp'], y_names='Survived')
    assert repr(to) == ('TabularPandas: 80 rows to learn from, 20 for validation; columns: 1 of names, 3 of numbers; '
                        'answer Survived')


# The net against what is easily had

def test_the_net_is_better_than_logistic_regression(rows):
    "On the real passengers by far more than luck (0.825 against 0.799 in ten repeats); on those drawn not worse."
    pytest.importorskip('sklearn')
    train, _ = rows
    real = train.Ticket.nunique() < 800  # families shared a ticket
    table = bl.baselines(train, 'Survived', ['always the same', 'logistic regression', 'net'], repeats=2)
    acc = table.accuracy
    assert acc['net'] > acc['logistic regression'] - (0 if real else .01) and acc['net'] > acc['always the same'] + .1


def test_without_scikit_learn_the_rest_is_there(monkeypatch, capsys):
    for name in [n for n in sys.modules if n.split('.')[0] == 'sklearn'] + ['sklearn']:
        monkeypatch.setitem(sys.modules, name, None)
    table = bl.baselines(drawn()[0][:200], 'Survived', repeats=1, folds=2)
    assert list(table.index) == ['always the same', 'Sex only', 'net']
    said = capsys.readouterr().out
    assert 'random forest' in said and '%pip install scikit-learn' in said and "'.[baselines]'" in said
    with pytest.raises(ImportError, match='scikit-learn'): bl.baselines(drawn()[0], 'Survived', ['gradient boosting'])


def test_the_extra_is_there():
    text = (Path(__file__).parents[1]/'pyproject.toml').read_text()
    assert 'baselines = ["scikit-learn' in text


def test_models_learn_from_training_rows_alone():
    "Each model sees the rows it is to learn from, and no answers of the others."
    train, seen = drawn()[0], []

    def spy(rows, others, target, seed=0, steps=None):
        seen.append((set(rows.PassengerId), set(others.PassengerId)))
        return [0]*len(others)

    bl.baselines(train, 'Survived', {'spy': spy}, repeats=2, folds=3)
    assert len(seen) == 6 and all(not a & b and len(a | b) == 891 for a, b in seen)
    assert sorted(sum((list(b) for _, b in seen[:3]), [])) == sorted(train.PassengerId)


@pytest.mark.parametrize('levels', [{0: 'no', 1: 'yes'}, {0: 2, 1: 3}, {0: .25, 1: .75}, {0: False, 1: True}])
def test_classes_of_every_kind_are_compared_as_classes(levels):
    "The same rows with other names for the answers: every model is as good as it was."
    pytest.importorskip('sklearn')
    df = drawn()[0][:300]
    of = lambda df: bl.baselines(df, 'Survived', [*bl.MODELS], repeats=1, folds=2).drop(columns='seconds')
    pd.testing.assert_frame_equal(of(df.assign(Survived=df.Survived.map(levels))), of(df))


def test_three_classes_and_an_answer_called_sex():
    df = drawn()[0][:300]
    table = bl.baselines(df, 'Pclass', {'net': bl.net_model(), 'usual': bl.always_the_same}, 1, 2)
    assert table.accuracy['net'] > table.accuracy['usual'] + .1
    table = bl.baselines(df, 'Sex', repeats=1, folds=2)
    assert 'Sex only' not in table.index and 'one column' in table.index
    with pytest.raises(ValueError, match='the answer itself'): bl.baselines(df, 'Sex', {'x': bl.one_column('Sex')})


def test_the_rule_of_one_column_is_found_in_each_fold(capsys):
    "A column that knows its own rows by heart is not taken, and the rows kept back have no say."
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    hint = np.where(rng.random(200) < .7, y, 1 - y)
    half = pd.DataFrame({'code': rng.permutation(200), 'pair': np.arange(200)//2, 'hint': hint, 'late': 0, 'y': y})
    half.loc[100:, 'late'] = y[100:]  # tells all in rows that are not learnt from
    assert bl.best_column(half[:100], 'y') == 'hint' and bl.best_column(half[100:], 'y') == 'late'
    said = bl.one_column()(half[:100], half[100:], 'y')
    assert said == bl.one_column('hint')(half[:100], half[100:], 'y') and abs(np.mean(said == y[100:]) - .7) < .12
    table = bl.baselines(half.drop(columns='late'), 'y', repeats=1)
    assert list(table.index)[:2] == ['always the same', 'one column'] and table.accuracy['one column'] > .6
    assert 'of all rows, it is hint.' in capsys.readouterr().out


def test_the_rule_of_the_lessons_stays():
    "Sex is the best column of the passengers, so its rule has the name that the lessons give it."
    train = drawn()[0]
    found = bl.baselines(train, 'Survived', {'Sex only': bl.one_column('Sex'), 'any': bl.one_column()}, repeats=1)
    assert found.accuracy['any'] == found.accuracy['Sex only']
    assert bl.best_column(train[['PassengerId', 'Survived']], 'Survived') is None


def test_a_stop_ends_the_comparison():
    "Not only the net that is being trained: one that is half trained is not to be counted."
    started = []

    class Stop(Callback):
        def before_fit(self, learn): started.append(learn)
        def before_batch(self, learn):
            if learn.training and learn.epoch == 1: raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bl.baselines(drawn()[0], 'Survived', {'net': bl.net_model(2, epochs=3, cbs=Stop)}, repeats=1, folds=2)
    assert len(started) == 1


def test_steps_of_ones_own_for_all_models():
    "Levels that are numbered for the net are columns of 0 and 1 for others; a list will do; no row may be dropped."
    seen, train = [], drawn()[0]
    class Spy:
        def get_params(self): return {}
        def fit(self, x, y): seen.append(x); return self
        def predict(self, x): return np.zeros(len(x), int)

    gone = [n for n in train if n not in ('Sex', 'Pclass', 'Age', 'Survived')]
    steps = [Drop(gone), FillMissing('Age', by='median'), Categorify(['Pclass', 'Sex'])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bl, '_sklearn', lambda module: type('module', (), {'Spy': Spy}))
        for given in (steps, TableSteps(steps)):
            bl.baselines(train, 'Survived', {'spy': bl.sklearn_model('any', 'Spy')}, 1, 2, given)
        dropping = [Drop(gone, 'Age'), Dummies(['Pclass', 'Sex'])]
        with pytest.raises(ValueError, match='steps drop [0-9]+ of 44[56] rows.*FillMissing'):
            bl.baselines(train, 'Survived', {'spy': bl.sklearn_model('any', 'Spy')}, 1, 2, dropping)
    assert len(seen) == 4 and all(x.shape[1] == 4 and set(np.unique(x[:, 1:])) == {0, 1} for x in seen)


def test_folds_are_even_and_shuffled():
    answers = np.repeat(['a', 'b', 'c'], [100, 23, 7])
    pairs = list(bl.repeated_folds(answers, folds=5, repeats=3, seed=1))
    for answer in 'abc': assert np.ptp([(answers[v] == answer).sum() for _, v in pairs]) <= 1
    for k in (0, 5, 10): assert sorted(np.concatenate([v for _, v in pairs[k:k + 5]])) == list(range(130))
    parts = [tuple(v) for _, v in pairs + list(bl.repeated_folds(answers, folds=5, seed=2))]
    assert len(set(parts)) == 20 and all(len(np.unique(np.diff(part))) > 5 for part in parts), 'not every fifth row'


def test_the_table_from_known_scores():
    "Each model sees the same rows; what the columns say is recalculated."
    df, folds = drawn()[0][:100], {'good': [.9, .8, 1., .7], 'poor': [.5, .5, .6, .4]}
    shares, seen, seeds = {n: iter(s) for n, s in folds.items()}, {n: [] for n in folds}, []

    def made(name):
        def model(train, rows, target, seed=0, steps=None):
            seen[name].append(list(rows.index))
            seeds.append(seed)
            right = round(next(shares[name])*len(rows))
            return [*rows.Survived[:right], *(1 - rows.Survived[right:])]
        return model

    table = bl.baselines(df, 'Survived', {n: made(n) for n in ('poor', 'good')}, repeats=2, folds=2, seed=5)
    assert seen['good'] == seen['poor'] and len(seen['good']) == 4 and seeds == [5, 5, 6, 6, 7, 7, 8, 8]
    for name, want in folds.items():
        row = table.loc[name]
        assert table.attrs['folds'][name] == pytest.approx(want) and row.accuracy == pytest.approx(np.mean(want))
        assert row.spread == pytest.approx(np.std(want, ddof=1))
        assert row.error == pytest.approx(np.std(want, ddof=1)*np.sqrt(1/4 + 1))
        assert row.behind == pytest.approx(.85 - np.mean(want))


def test_the_net_of_a_comparison_takes_the_steps_and_several_seeds():
    df = drawn()[0][:200]
    useless = [Drop([n for n in df if n not in ('SibSp', 'Survived')]), Scale()]
    of = lambda model, **kwargs: bl.baselines(df, 'Survived', {'x': model}, 1, 2, **kwargs)
    assert of(bl.net_model()).accuracy['x'] > of(bl.net_model(), steps=useless).accuracy['x'] + .05
    train, rows = df[:150], df[150:]
    one, other = ([bl.net_model(1, 1, layers=[3])(train, rows, 'Survived', seed) for seed in (0, 1)])
    assert one != other and one == bl.net_model(1, 1, layers=[3])(train, rows, 'Survived', 0)
    starts = []

    class Start(Callback):
        def before_fit(self, learn): starts.append(learn.model.layers[-1].weight.sum().item())

    bl.net_model(3, 1, cbs=Start)(train, rows, 'Survived')
    assert len(set(starts)) == 3


def test_a_borrowed_model_depends_on_its_seed_alone():
    pytest.importorskip('sklearn')
    train, tree = drawn()[0], bl.sklearn_model('ensemble', 'RandomForestClassifier', n_estimators=1)
    one, two, other = (tree(train[:300], train[300:], 'Survived', seed) for seed in (1, 1, 2))
    assert one == two != other


def test_the_error_of_repeated_folds():
    scores = [.8, .82, .78, .84, .76]
    assert bl.standard_error(scores, 1/4) == pytest.approx(np.std(scores, ddof=1)*np.sqrt(1/5 + 1/4))
    assert np.isnan(bl.standard_error([.8], 1/4))


# The net

def test_accuracy_is_not_for_numbers():
    "Classes that are called 1, 2, 3 are taken for numbers, of which nothing would ever be equal."
    train, _ = drawn()
    with pytest.raises(ValueError, match='accuracy.*Pclass.*y_block=CategoryBlock'):
        tabular_learner(loaders(train, y_names='Pclass'), metrics=accuracy)
    learn = trained(loaders(train, y_names='Pclass', y_block=CategoryBlock), 1)
    assert learn.validate()[1] > .4


def test_batches_of_one_row():
    rows = drawn()[0]
    one = loaders(rows[:40], valid_idx=range(20), bs=1)
    with pytest.raises(ValueError, match='a batch of one row.*bs.*bn_cont=False'): trained(one, 1)
    with pytest.raises(ValueError, match='a batch of one row'): trained(one, 1, bn_cont=False, use_bn=True)
    assert torch.isfinite(trained(one, 1, bn_cont=False).get_preds()[0]).all()
    learn = trained(loaders(rows[:53], valid_idx=range(20), bs=32), 1)  # of 33 rows, one is over: it is left out
    assert len(learn.get_preds(0)[0]) == 33 and len(learn.predict(rows.iloc[0])[2]) == 2


def test_sizes_from_numpy():
    "As a loop over an array gives them."
    dls = loaders(drawn()[0])
    learn = tabular_learner(dls, np.array([8, 4]), {'Sex': np.int64(2)}, ps=np.array([.1, .2]), use_bn=True)
    plain = tabular_learner(dls, [8, 4], {'Sex': 2}, ps=[.1, .2], use_bn=True)
    assert learn.arch_config == plain.arch_config and repr(learn.model) == repr(plain.model)


def test_what_is_asked_for_gets_there(tmp_path):
    learn = tabular_learner(loaders(drawn()[0]), [7], {'Sex': 5}, 3, loss_func=F.nll_loss, opt_func=torch.optim.SGD,
                            lr=.3, path=tmp_path, wd=.2, moms=(.8, .7, .8), ps=.4, embed_p=.3)
    assert learn.arch_config['emb_szs'] == [[4, 3], [3, 5], [4, 3]] and learn.model.layers[-1].out_features == 3
    assert (learn.loss_func, learn.opt_func, learn.lr, learn.path) == (F.nll_loss, torch.optim.SGD, .3, tmp_path)
    assert (learn.wd, learn.moms) == (.2, (.8, .7, .8))
    assert [m.p for m in learn.model.modules() if isinstance(m, torch.nn.Dropout)] == [.3, .4]


@pytest.mark.parametrize('kwargs, same', [({}, True), ({'bn_cont': False}, False)])
def test_numbers_are_normalised_by_batch(kwargs, same):
    net, x, none = TabularModel([], 2, 1, [], **kwargs), torch.randn(50, 2), torch.zeros(50, 0, dtype=int)
    assert torch.allclose(net(none, x), net(none, 100*x + 5), atol=1e-3) == same


def test_what_comes_out_lies_in_its_range():
    net = TabularModel([], 2, 1, [], y_range=(2, 3))
    out = net(torch.zeros(50, 0, dtype=int), torch.randn(50, 2))
    assert 2 < out.min() and out.max() < 3


def test_nothing_is_shown_by_either_name(capsys):
    learn = tabular_learner(loaders(drawn()[0]))
    capsys.readouterr()
    with learn.no_logging(): learn.fit(1)
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert not capsys.readouterr().out
    learn.fit(1)
    assert 'epoch' in capsys.readouterr().out


def test_levels_that_are_new_do_no_harm(learn):
    "An unknown level is looked up as 0, which training rows without gaps never touched."
    _, new = drawn()
    strange = new[:20].assign(Sex='unknown', Embarked='Belfast', Pclass=9)
    probs, _ = learn.get_preds(dl=learn.dls.test_dl(strange, quiet=True))
    assert torch.isfinite(probs).all() and learn.dls.steps.report.unknown.keys() == {'Sex', 'Embarked', 'Pclass'}


def test_a_net_of_another_makers_description_is_refused():
    good = TabularModel([(3, 2)], 1, 2, [4]).arch_config
    for bad in ({'layers': [10**9]}, {'layers': [2]*200}, {'emb_szs': [[3, 2, 1]]}, {'emb_szs': 'x'}, {'n_cont': -1},
                {'n_cont': True}, {'ps': 'x'}, {'embed_p': 1}, {'y_range': [0]}, {'name': 'x', 'y': 1}, {'n_out': 2.5}):
        with pytest.raises(ValueError): build_tabular_model(good | bad)
    with pytest.raises(ValueError): build_tabular_model([])


def test_the_learner_does_what_others_do(learn, tmp_path):
    dls = learn.dls
    other = tabular_learner(dls, path=tmp_path)
    found = other.lr_find(show_plot=False)
    assert found.valley > 0
    learn.path = tmp_path
    learn.save('stage')
    learn.path = None
    other.load('stage')
    for a, b in zip(other.get_preds(), learn.get_preds(), strict=True): assert torch.equal(a, b)
    assert other.validate()[0] == pytest.approx(learn.validate()[0])


def test_as_many_outputs_as_classes():
    "With one output, every probability would be 1."
    train = drawn()[0]
    dls = loaders(train)
    with pytest.raises(ValueError, match='n_out=1: each of the 2 classes .*y_block=RegressionBlock.*y_range'):
        tabular_learner(dls, n_out=1)
    with pytest.raises(ValueError, match='n_out=2: each of the 3 classes .1, 2, 3. needs an output of its own'):
        tabular_learner(loaders(train, y_names='Pclass', y_block=CategoryBlock), n_out=2)
    number = trained_number(loaders(train, y_block=RegressionBlock), n_out=1, y_range=(0, 1))
    assert 0 <= number.predict(train.iloc[0])[0] <= 1


def trained_number(dls, **kwargs):
    learn = tabular_learner(dls, **kwargs)
    with learn.no_bar(): learn.fit_one_cycle(1)
    return learn


def test_a_rate_far_too_high_is_not_answered_by_another():
    with pytest.raises(LossIsNaN, match='was 1e.06 here: try 0.01,'):
        tabular_learner(loaders(drawn()[0])).fit(2, lr=1e6)


# Looking at rows

@pytest.fixture
def shown(monkeypatch):
    "The tables that were displayed."
    seen = []
    monkeypatch.setattr('IPython.display.display', seen.append)
    return seen


def test_results_are_shown_as_rows(learn, shown):
    learn.show_results(max_n=4, shuffle=False)
    learn.show_results(ds_idx=0, max_n=3)
    table, rows = shown[0], learn.dls.valid.dataset.frame[:4]
    inputs = [*learn.dls.steps.inputs, 'Survived']
    assert list(table) == [*inputs, 'prediction'] and table[inputs].equals(rows[inputs])
    assert table.prediction.tolist() == [learn.predict(row)[0] for _, row in rows.iterrows()]
    assert len(shown[1]) == 3 and set(shown[1].index) <= set(learn.dls.train.dataset.frame.index)


def test_the_largest_losses_are_shown_as_rows(learn, shown):
    interp = ClassificationInterpretation.from_learner(learn)
    interp.plot_top_losses(5)
    interp.plot_top_losses([7, 2])
    table, (losses, idxs) = shown[0], interp.top_losses(5)
    frame = learn.dls.valid.dataset.frame
    for got, want in ((table, idxs.tolist()), (shown[1], [7, 2])): assert got.index.equals(frame.index[want])
    assert np.allclose(table.loss, losses, atol=1e-3) and np.allclose(-np.log(table['of the actual']), losses, atol=.05)
    assert (table.prediction != table.Survived).all()
    assert np.allclose(table['its probability'] + table['of the actual'], 1)


def test_rows_of_a_regression_have_no_probability(shown):
    learn = trained_number(loaders(drawn()[0], y_names='Fare', cat_names=['Pclass'], cont_names=['SibSp']))
    Interpretation.from_learner(learn).plot_top_losses(2)
    learn.show_results(max_n=2)
    assert list(shown[0])[-3:] == ['Fare', 'prediction', 'loss'] and list(shown[1])[-2:] == ['Fare', 'prediction']
    assert np.allclose((shown[0].prediction - shown[0].Fare)**2, shown[0].loss, rtol=1e-3)


def test_a_loaded_learner_is_given_rows(bundle, shown):
    loaded, train = load_learner(bundle), drawn()[0]
    with pytest.raises(ValueError, match='holds no rows: give some with answers'): loaded.show_results()
    loaded.show_results(dl=loaded.dls.test_dl(train[:20], with_labels=True), max_n=2)
    assert len(shown[0]) == 2


# From a file

@pytest.fixture(scope='module')
def bundle(learn, tmp_path_factory):
    return learn.export(tmp_path_factory.mktemp('bundles')/'titanic')


def test_a_loaded_learner_says_the_same(learn, bundle):
    _, new = drawn()
    loaded = load_learner(bundle)
    probs, _ = learn.get_preds(dl=learn.dls.test_dl(new, quiet=True))
    again, _ = loaded.get_preds(dl=loaded.dls.test_dl(new, quiet=True))
    assert torch.allclose(probs, again, atol=1e-6)
    for got in (loaded.predict_batch(new), loaded.predict_batch([dict(o) for _, o in new.iterrows()], bs=100)):
        assert [o[0] for o in got] == again.argmax(1).tolist() and len(got) == 425
    assert loaded.dls.steps.config() == learn.dls.steps.config() and loaded.dls.target == 'Survived'
    assert loaded.dls.steps.tells() == learn.dls.steps.tells()  # columns in the order of the table, too
    assert submission(loaded, new).equals(submission(learn, new))
    with pytest.raises(ValueError, match='nothing to train on'): loaded.fit(1)
    with pytest.raises(ValueError, match='no validation rows'): feature_importance(loaded)
    assert feature_importance(loaded, drawn()[0], n=2).index[0] == 'Sex'


def test_a_class_that_looks_like_the_place_of_the_checksum(tmp_path):
    train = drawn()[0]
    dls = loaders(train.assign(Survived=train.Survived.map({0: '0'*64, 1: 'x'})), cat_names=['Sex'], cont_names=['Age'])
    assert load_learner(trained(dls, 1).export(tmp_path/'zeros')).dls.vocab == ['0'*64, 'x']


def test_a_loaded_learner_names_the_row_by_its_label(bundle):
    loaded, new = load_learner(bundle), drawn()[1].astype({'Fare': object})
    new.loc[900, 'Fare'] = 'x'
    with pytest.raises(ItemError, match="item 9 .*column Fare, row 900: 'x'"): loaded.predict_batch(new)
    with pytest.raises(ValueError, match='no rows to show'): loaded.dls.show_batch()


def test_a_loaded_learner_in_another_process(bundle, learn):
    "Nothing but the file is needed, and what comes out is the same."
    row = {'Pclass': 3, 'Sex': 'male', 'Age': 22, 'SibSp': 1, 'Parch': 0, 'Fare': 7.25, 'Embarked': 'S'}
    code = ('import sys; from course_lib.serving.bundle import load_learner; '
            f'print(load_learner(sys.argv[1]).predict({row!r})[2].tolist())')
    done = subprocess.run([sys.executable, '-c', code, str(bundle)], capture_output=True, text=True, cwd=bundle.parent)
    assert done.returncode == 0, done.stderr
    probs = [float(o) for o in done.stdout.strip().strip('[]').split(',')]
    assert probs == pytest.approx(learn.predict(row)[2].tolist(), abs=1e-6)


SHAPES = [lambda r: dict(r), lambda r: r, lambda r: r.to_frame().T, lambda r: dict(r, Extra=1),
          lambda r: {k: str(v) if k == 'Fare' else v for k, v in r.items()},
          lambda r: dict(r, Pclass=float(r.Pclass), Cabin=None)]


@pytest.mark.parametrize('change', SHAPES)
def test_a_row_in_any_shape(learn, change):
    row = drawn()[1].iloc[3]
    assert torch.allclose(learn.predict(change(row))[2], learn.predict(row)[2])


BAD = [({'Age': 3}, 'missing columns: '), (3, 'a row is a dict'), ([], 'takes one item'), (None, 'a row is a dict'),
       (dict(drawn()[1].iloc[0], SibSp=None), None), (dict(drawn()[1].iloc[0], Age='old'), "'old' is a word"),
       (dict(drawn()[1].iloc[0], Age=float('inf')), 'infinite'), (drawn()[1][:2], 'this table has 2 rows')]


@pytest.mark.parametrize('row, word', BAD)
def test_a_row_that_is_none(learn, row, word):
    if word is None: assert learn.predict(row)[0] in (0, 1)  # a gap is filled
    else:
        with pytest.raises(ItemError, match=word): learn.predict(row)


def test_steps_and_net_of_a_file_must_fit(learn, tmp_path):
    "A net for other columns is refused when it is loaded, not when the first passenger comes."
    other = trained(loaders(drawn()[0], cat_names=['Sex'], cont_names=['Age']), 1)
    other.model, other.arch_config = learn.model, learn.arch_config
    with pytest.raises(BundleError, match='its net takes'): load_learner(other.export(tmp_path/'mixed'))


# Several nets

def test_a_mean_of_nets_and_its_seeds():
    dls = loaders(drawn()[0])
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    nets = ensemble(dls, n=3, epochs=2, seed=7, layers=[5])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.allclose(nets.get_preds()[0], torch.stack([o.get_preds()[0] for o in nets.learns]).mean(0))
    assert torch.equal(nets.each()[1:], ensemble(dls, n=2, epochs=2, seed=8, layers=[5]).each())


def test_an_ensemble_that_is_stopped_gives_nothing_half_done():
    class Stop(Callback):
        def after_batch(self, learn): raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt): ensemble(loaders(drawn()[0]), n=3, epochs=1, cbs=Stop)


def test_importance_finds_what_the_answer_depends_on():
    train, rng = drawn()[0], np.random.default_rng(0)
    df = train[['Age', 'Fare', 'Sex']].assign(Noise=rng.normal(size=891), Lived=(train.Sex == 'female').astype(int))
    learn = trained(loaders(df, y_names='Lived'), 5)
    table = feature_importance(learn, n=5)
    assert table.index[0] == 'Sex' and table.importance['Sex'] > .3 and table.importance['Noise'] < .02
    assert df.equals(train[['Age', 'Fare', 'Sex']].assign(Noise=df.Noise, Lived=df.Lived))  # as it was
    mse = feature_importance(learn, n=3, score=lambda p, t: -F.nll_loss(p.log(), t))
    assert mse.index[0] == 'Sex'


def test_importance_is_what_others_calculate():
    "scikit-learn shuffles on its own, so the two differ by chance; its spread divides by n, ours by n - 1."
    inspection = pytest.importorskip('sklearn.inspection')
    n, learn = 60, trained(loaders(drawn()[0]), 5)

    class Model:
        def fit(self, x, y): return self
        def score(self, x, y):
            return float((learn.get_preds(dl=learn.dls.test_dl(x, quiet=True))[0].argmax(1).numpy() == y).mean())

    ours, rows = feature_importance(learn, n=n), learn.dls.valid.dataset.frame
    theirs = inspection.permutation_importance(Model(), rows[ours.index], rows.Survived, n_repeats=n, random_state=1)
    error = theirs.importances_std*np.sqrt(2/n) + 1e-3
    assert (abs(ours.importance - theirs.importances_mean) < 3.5*error).all() and ours.spread['Age'] > .005
    assert np.allclose(ours.spread, theirs.importances_std, rtol=.35, atol=1e-3)


def test_importance_from_known_scores():
    learn = trained(loaders(drawn()[0], cat_names=['Sex'], cont_names=['Fare']), 1)
    scores = iter([1., .9, .7, 1.1, 1.1])  # as it is; two shuffles of each column
    table = feature_importance(learn, n=2, score=lambda preds, targs: next(scores))
    assert table.importance.tolist() == pytest.approx([.2, -.1])
    assert table.spread.tolist() == pytest.approx([.02**.5, 0])


def test_the_rate_and_the_epochs_of_an_ensemble():
    learns = ensemble(loaders(drawn()[0]), n=2, epochs=3, lr=.07, layers=[4]).learns
    for rec in (learn.recorder for learn in learns):
        assert max(rec.lrs) == pytest.approx(.07, rel=.1) and len(rec.values) == 3


# To hand in

def test_what_is_handed_in_goes_to_a_file_and_back(learn, rows, tmp_path):
    train, new = rows
    sample = pd.DataFrame({'PassengerId': new.PassengerId, 'Survived': 0})
    out = submission(trained(loaders(train), 2), new, sample)
    out.to_csv(tmp_path/'submission.csv', index=False)
    back = pd.read_csv(tmp_path/'submission.csv')
    assert back.equals(out) and list(back) == list(sample) and set(back.Survived) <= {0, 1}
    assert back.PassengerId.tolist() == new.PassengerId.tolist()


def test_answers_in_words_are_handed_in_as_words():
    train, new = drawn()
    learn = trained(loaders(train.assign(Survived=train.Survived.map({0: 'no', 1: 'yes'}))), 2)
    sample = new[['PassengerId']].assign(Survived='no')
    assert set(submission(learn, new, sample).Survived) <= {'no', 'yes'}
    with pytest.raises(ValueError, match='is 0 in the sample'): submission(learn, new, sample.assign(Survived=0))


def test_true_and_false_are_handed_in_as_in_the_sample(learn):
    _, new = drawn()
    zeros = new[['PassengerId']].assign(Survived=0)
    want, plain = submission(learn, new, zeros.assign(Survived=False)), submission(learn, new, zeros)
    assert want.Survived.dtype == bool and want.Survived.equals(plain.Survived == 1) and plain.Survived.dtype == int
    assert 'True' in want.to_csv(index=False)
    with pytest.raises(ValueError, match='make classes'): submission([.5]*len(new), new, zeros.assign(Survived=False))


# Bad input

def test_bad_tables():
    train, _ = drawn()
    cases = [(dict(y_names='Name2'), "no column 'Name2'"), (dict(cont_names=['Cabin']), 'word where a number belongs'),
             (dict(df=train.assign(Sex=train.Sex.where(train.index > 5, ' '))), 'blank written as a space'),
             (dict(df=train.assign(Survived=train.Survived.where(train.index != 7))), 'row 7: no answer'),
             (dict(df=train.assign(Survived=1)), 'Survived is 1 in all'), (dict(df=train[:0]), 'needs 2 items'),
             (dict(df=train.drop(columns='Survived')), "no column 'Survived'"),
             (dict(df=train.rename(columns={'Age': 3})), 'is a word, and here is 3'),
             (dict(df=pd.concat([train, train]), steps=[Drop(['Name', 'Cabin', 'Ticket', 'Sex', 'Embarked'], 'Age')]),
              'same label'),
             (dict(steps=[Drop('Name')]), 'still words'), (dict(steps=['Drop']), 'is no step'),
             (dict(procs=[Log1p], cont_names=['Fare']), 'steps='),
             (dict(procs=[Categorify]), 'name them, cat_names=.* and cont_names='),
             (dict(procs=[FillMissing, Normalize], cat_names=['Sex']), 'cat_names has Sex.*add Categorify to procs'),
             (dict(procs=[Categorify, Normalize], cont_names=['Age']), 'row .*: missing.*add FillMissing to procs'),
             (dict(cont_names=['Sex']), 'if Sex is a name, put it into cat_names'),
             (dict(cont_names=['Age', 'Survived']), 'which new rows do not have: take it out of cont_names'),
             (dict(df=train.assign(Age=3), cont_names=['Age']), 'Age is 3 in every training row.*Leave it out'),
             (dict(bs=0), 'batch size'),
             (dict(df=train.assign(Age=train.Age.where(train.index != 9, np.inf)), cont_names=['Age']), 'row 9: infin')]
    for kwargs, word in cases:
        given = {'df': train, 'y_names': 'Survived', 'device': 'cpu'} | kwargs
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', RuntimeWarning)
            with pytest.raises(ValueError, match=word): TabularDataLoaders.from_df(**given)


def test_own_steps_are_fitted_on_a_copy():
    train, _ = drawn()
    mine = TableSteps([Drop(['PassengerId', 'Name', 'Ticket', 'Cabin']), FillMissing(), Dummies(['Sex', 'Embarked']),
                       Scale(), Categorify('Pclass')])
    with pytest.raises(ValueError, match='put Categorify after'):
        TabularDataLoaders.from_df(train, y_names='Survived', steps=[*mine.steps, Scale('Pclass')])
    dls = loaders(train, steps=mine)
    assert mine.columns is None and mine.target is None
    assert dls.cat_names == ['Pclass'] and dls.steps.target == 'Survived'
    assert isinstance(loaders(train, y_block=RegressionBlock).y_block, RegressionBlock)
