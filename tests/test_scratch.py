"The scratch way: the published figures on the real rows, the same arithmetic by hand, and what goes wrong."
import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.data.passengers import passengers
from course_lib.data.split import RandomSplitter
from course_lib.maths.functions import mse
from course_lib.maths.scratch import (
    MODELS,
    Coeffs,
    acc,
    calc_loss,
    calc_preds,
    init_coeffs,
    one_epoch,
    told_shapes,
    train_model,
    update_coeffs,
)

REAL = Path(__file__).parents[2]/'shared'/'data'/'titanic'/'train.csv'
MATRIX = 'hidden', 'deep'
GROUPS = {'Sex': ('male', 'female'), 'Pclass': (1, 2, 3), 'Embarked': ('C', 'Q', 'S')}


def prepared(df):
    "The published preparation: gaps filled with modes, the logarithm of the fare, dummies, each column by its maximum."
    df = df.fillna(df.mode().iloc[0])
    cols = [df.Age, df.SibSp, df.Parch, np.log(df.Fare + 1), *(df[k] == v for k, vs in GROUPS.items() for v in vs)]
    x = torch.tensor(np.column_stack([c.to_numpy('float32') for c in cols]))
    return x/x.max(0).values, torch.tensor(df.Survived.to_numpy('int64'))


def parts(df, model):
    "Rows and targets to train with and to check with, in the shapes that a model wants."
    x, y = prepared(df)
    trn, val = (list(o) for o in RandomSplitter(seed=42)(list(range(len(df)))))
    if model in MATRIX: y = y[:, None]
    return x[trn], y[trn], x[val], y[val]


# As published

PUBLISHED = [('linear', 18, .2, None, .536, .289, .7865), ('sigmoid', 30, 100, None, .510, .194, .8258),
             ('hidden', 30, 1.4, 20, .543, .220, .7921), ('hidden', 30, 20, 20, .543, .192, .8258),
             ('deep', 30, 4, (10, 10), .521, .195, .8258)]


@pytest.mark.skipif(not REAL.is_file(), reason='the real list is not here')
@pytest.mark.parametrize('model, epochs, lr, units, first, last, right', PUBLISHED)
def test_the_published_figures(model, epochs, lr, units, first, last, right):
    x, y, vx, vy = parts(pd.read_csv(REAL), model)
    assert (len(x), len(vx), x.shape[1]) == (713, 178, 12)
    coeffs = train_model(epochs, lr, x, y, model, units, show=False)
    assert len(coeffs.losses) == epochs and [round(o, 3) for o in coeffs.losses[::epochs - 1]] == [first, last]
    assert round(acc(coeffs, vx, vy).item(), 4) == right


@pytest.mark.parametrize('model, lr, epochs', [
    ('linear', .2, 18), ('sigmoid', 100, 30), ('two_relus', .2, 30), ('hidden', 20, 30), ('deep', 4, 30)])
def test_embedded_passengers(model, lr, epochs):
    "Made-up rows, counted survivors: better than saying no to everybody, which is right for three in five."
    x, y, vx, vy = parts(passengers().iloc[:891], model)
    coeffs = train_model(epochs, lr, x, y, model, show=False)
    assert coeffs.losses[-1] < coeffs.losses[0] and acc(coeffs, vx, vy) > .7
    assert calc_preds(coeffs, vx).shape == vy.shape


def test_a_published_run_spelt_out():
    "The same numbers as a notebook that keeps its data in global variables."
    x, y, _, _ = parts(passengers().iloc[:300], 'linear')
    torch.manual_seed(442)
    c = (torch.rand(12) - .5).requires_grad_()
    losses = []
    for _ in range(5):
        loss = ((x*c).sum(axis=1) - y).abs().mean()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            c.sub_(c.grad*.2)
            c.grad.zero_()
    ours = train_model(5, .2, x, y, show=False)
    assert ours.losses == pytest.approx(losses) and torch.allclose(ours[0], c)


# Arithmetic by hand

X = torch.tensor([[1., 2], [3, -4], [0, 5]])
Y = torch.tensor([0, 1, 1])


def test_each_model_is_what_it_says():
    a, b = torch.tensor([1., -1]), torch.tensor([-.5, 1])
    plain, relu = X@a, lambda t: t.clamp(min=0)
    assert torch.allclose(calc_preds(a, X), plain) and torch.allclose(calc_preds(Coeffs(a), X), plain)
    assert torch.allclose(calc_preds(Coeffs(a, 'sigmoid'), X), 1/(1 + (-plain).exp()))
    two = relu(plain) + relu(X@b)
    assert torch.allclose(calc_preds(Coeffs([a, b], 'two_relus'), X), two)
    layer, out, const = torch.stack([a, b], 1), torch.tensor([[1.], [1.]]), torch.tensor(.25)
    want = torch.sigmoid(two + .25)[:, None]
    assert torch.allclose(calc_preds(Coeffs([layer, out, const], 'hidden'), X), want)
    assert torch.allclose(calc_preds(Coeffs([layer, out, torch.tensor(0.), const], 'deep'), X), want)
    shifted = torch.sigmoid(relu(X@layer + .5)@out)
    assert torch.allclose(calc_preds(Coeffs([layer, out, torch.tensor(.5), torch.tensor(0.)], 'deep'), X), shifted)


def test_losses_and_accuracy():
    a = torch.tensor([.5, 0])  # predictions .5, 1.5, 0
    assert calc_loss(a, X, Y).item() == pytest.approx((.5 + .5 + 1)/3)
    assert calc_loss(a, X, Y, mse).item() == pytest.approx((.25 + .25 + 1)/3)
    assert acc(a, X, Y).item() == pytest.approx(2/3), 'exactly one half counts as no'


@pytest.mark.parametrize('model', MODELS)
def test_a_step_goes_down_the_gradient_and_clears_it(model):
    y = Y[:, None] if model in MATRIX else Y
    coeffs = init_coeffs(2, model, seed=442)
    before = [c.detach().clone() for c in coeffs]
    calc_loss(coeffs, X, y, mse).backward()
    grads = [c.grad.clone() for c in coeffs]
    assert any(g.any() for g in grads)
    with torch.no_grad(): update_coeffs(coeffs, .01)
    for c, b, g in zip(coeffs, before, grads, strict=True):
        assert torch.allclose(c, b - .01*g) and not c.grad.any() and c.requires_grad
    assert one_epoch(coeffs, 0, X, y, mse) < calc_loss(Coeffs(before, model), X, y, mse).item()


def test_starts():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    a, b = init_coeffs(12, 'deep', seed=5), init_coeffs(12, 'deep', seed=5)
    assert torch.equal(state, torch.get_rng_state()), 'a seed leaves other random numbers alone'
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    assert not torch.equal(init_coeffs(12)[0], init_coeffs(12)[0])
    assert [tuple(c.shape) for c in init_coeffs(7, 'deep', (4, 3))] == [(7, 4), (4, 3), (3, 1), (), (), ()]
    assert [tuple(c.shape) for c in init_coeffs(np.int64(7), 'hidden', np.int64(4))] == [(7, 4), (4, 1), ()]
    linear = init_coeffs(1000, seed=1)[0]
    assert -.5 <= linear.min() < -.45 and .45 < linear.max() <= .5
    layer1, layer2, const = init_coeffs(50, 'hidden', 1000, seed=1)
    assert layer1.abs().max() <= .5/1000 and -.3 <= layer2.min() < -.29 and .69 < layer2.max() <= .7 and 0 <= const <= 1
    deep = [init_coeffs(100, 'deep', seed=seed) for seed in range(50)]
    for i, units in enumerate((10, 10, 1)):
        numbers = torch.cat([c[i].flatten() for c in deep])*units/4
        assert -.3 - 1e-6 <= numbers.min() < -.29 and .69 < numbers.max() <= .7 + 1e-6
        consts = torch.stack([c[3 + i] for c in deep])
        assert -.05 <= consts.min() < -.03 and .03 < consts.max() <= .05


# Using it

def test_short_calls_as_in_the_lesson(capsys):
    train = partial(train_model, indeps=X, deps=Y)
    coeffs = train(3, lr=.01)
    losses = capsys.readouterr().out.split('; ')
    assert losses[-1] == '\n' and [float(o) for o in losses[:-1]] == [round(o, 3) for o in coeffs.losses]
    assert train(0).losses == [] and len(train(show=False).losses) == 30 and capsys.readouterr().out == ''


def test_going_on():
    whole = train_model(6, .05, X, Y, 'two_relus', show=False)
    part = train_model(2, .05, X, Y, 'two_relus', show=False)
    assert train_model(4, .05, X, Y, part, show=False) is part and part.losses == whole.losses


def test_a_model_of_ones_own():
    def squares(indeps, a, b): return (indeps@a)**2 + b
    coeffs = Coeffs([torch.tensor([.1, .2], requires_grad=True), torch.tensor(0., requires_grad=True)], squares)
    trained = train_model(20, .01, X, Y, coeffs, loss=mse, show=False)
    assert trained.losses[-1] < trained.losses[0] and told_shapes(trained) == 'squares: (2,), ()'
    def broken(indeps, a): return indeps.nothing
    with pytest.raises(AttributeError, match='nothing'): calc_preds(Coeffs(torch.ones(2), broken), X)


def test_unpacking():
    layer1, layer2, const = init_coeffs(2, 'hidden', 3)
    assert layer1.shape == (2, 3) and layer2.shape == (3, 1) and const.ndim == 0


def test_a_rate_that_is_too_high_is_seen_and_no_crash(capsys):
    coeffs = train_model(200, 10., X, Y, loss=mse)
    assert not math.isfinite(coeffs.losses[-1]) and 'inf' in capsys.readouterr().out
    assert 0 <= acc(coeffs, X, Y) <= 1


def test_forgetting_to_clear_the_gradients_adds_them():
    "What `update_coeffs` is there to prevent."
    c = init_coeffs(2, seed=1)
    for _ in range(2): calc_loss(c, X, Y).backward()
    twice = c[0].grad.clone()
    c[0].grad.zero_()
    calc_loss(c, X, Y).backward()
    assert torch.allclose(twice, 2*c[0].grad)


# What goes wrong

@pytest.mark.parametrize('model', MODELS)
def test_rows_and_columns_are_never_broadcast(model):
    good, bad = (Y[:, None], Y) if model in MATRIX else (Y, Y[:, None])
    way = r'deps\[:, None\]' if model in MATRIX else r'deps.squeeze\(-1\)'
    coeffs = init_coeffs(2, model)
    for f in (calc_loss, acc):
        assert f(coeffs, X, good).ndim == 0
        with pytest.raises(ValueError, match=fr'3 × 3 differences.*Use {way}'): f(coeffs, X, bad)
    with pytest.raises(ValueError, match=way): one_epoch(coeffs, .1, X, bad)
    with pytest.raises(ValueError, match=way): train_model(1, .1, X, bad, model)
    assert all(c.grad is None for c in coeffs), 'refused before any gradient'


@pytest.mark.parametrize('indeps, says', [
    (X.numpy(), 'indeps is a ndarray: make it a tensor'), (pd.DataFrame(X.numpy()), 'indeps is a DataFrame'),
    (X[0], r'shape \(2,\): give rows and columns'), (X.int(), r'torch.int32: use indeps.float\(\)'),
    (X > 0, r'torch.bool: use indeps.float\(\)'), (X.double(), r'torch.float64 and coeffs torch.float32'),
    (X.T, r'3 columns, shape \(2, 3\), and the coefficients are linear: \(2,\)'), (X[:, :1], '1 columns')])
def test_rows_that_are_none(indeps, says):
    with pytest.raises(ValueError, match=says): calc_preds(torch.ones(2), indeps)


@pytest.mark.parametrize('model, shapes', [('two_relus', [(2,), (2, 1)]), ('hidden', [(2, 4), (4, 1), (3,)]),
                                           ('linear', [(2, 3)]), ('deep', [(2, 4), (4, 1), (), (3, 1, 1)])])
def test_each_row_has_one_prediction(model, shapes):
    "The other broadcast: coefficients in different shapes, for which torch would make a table of predictions."
    coeffs = Coeffs([torch.ones(s) for s in shapes], model)
    with pytest.raises(ValueError, match='do not fit together.*for 3 rows they give'): calc_preds(coeffs, X)


def test_targets_that_are_neither_0_nor_1():
    coeffs = init_coeffs(2, seed=1)
    for deps, odd in ((2*Y - 1, -1), (Y + 1, 2), (Y + .5, .5), (torch.full((3,), math.nan), 'nan')):
        with pytest.raises(ValueError, match=f'deps holds {odd}, and what is counted'): acc(coeffs, X, deps)
    assert acc(coeffs, X, Y.bool()) == acc(coeffs, X, Y) == acc(coeffs, X, Y.double())
    with pytest.raises(ValueError, match=r'booleans.*deps.float\(\)'): calc_loss(coeffs, X, Y.bool())
    with pytest.raises(ValueError, match=r'booleans'): train_model(1, .1, X, Y.bool())
    gap = torch.tensor([0, 1, math.nan])
    with pytest.raises(ValueError, match='deps holds nan in row 2'): train_model(1, .1, X, gap)
    for f in (calc_loss, acc):
        with pytest.raises(ValueError, match='no rows'): f(coeffs, X[:0], Y[:0])


def test_a_loss_that_is_no_number():
    for loss in (lambda p, d: (p - d)**2, lambda p, d: 3.):
        with pytest.raises(ValueError, match='one number in a tensor'): calc_loss(init_coeffs(2), X, Y, loss)


def test_targets_that_are_none():
    for deps, says in ((Y.tolist(), 'is a list'), (Y.numpy(), 'deps is a ndarray'), (Y[:2], 'one target for each row')):
        with pytest.raises(ValueError, match=says): calc_loss(torch.ones(2), X, deps)


def test_gaps_are_found_before_training(capsys):
    for value, word in ((math.nan, 'nan'), (math.inf, 'inf')):
        x = X.clone()
        x[1, 1] = value
        with pytest.raises(ValueError, match=f'{word} in row 1, column 1, both from 0'): train_model(3, .1, x, Y)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('kwargs, says', [
    (dict(epochs=2.5), 'epochs=2.5'), (dict(epochs=True), 'epochs=True'), (dict(epochs=-1), 'epochs=-1'),
    (dict(lr=-.1), 'lr=-0.1'), (dict(lr='fast'), "lr='fast'"), (dict(lr=math.nan), 'lr=nan'),
    (dict(indeps=None), 'training rows and their targets are missing'), (dict(deps=None), 'are missing'),
    (dict(indeps=X[:0], deps=Y[:0]), 'no rows'), (dict(model='linaer'), "no model 'linaer': it is one of linear,"),
    (dict(model='hidden', n_hidden=0, deps=Y[:, None]), 'n_hidden=0'),
    (dict(model='hidden', n_hidden=(4, 4), deps=Y[:, None]), "take model='deep'"),
    (dict(model='deep', n_hidden='ten', deps=Y[:, None]), "n_hidden='ten'")])
def test_what_cannot_be_trained(kwargs, says):
    with pytest.raises(ValueError, match=says): train_model(**dict(epochs=2, lr=.1, indeps=X, deps=Y) | kwargs)


def test_coefficients_that_are_none():
    off = [torch.ones(2, 3), torch.ones(4, 1), torch.tensor(0.)]
    for bad, says in ((None, 'NoneType'), ([torch.ones(2)], "a list, which could belong to more than one.*'hidden'"),
                      (Coeffs([]), 'coefficients are linear'), (Coeffs(torch.tensor(1.)), 'coefficients are linear'),
                      *((Coeffs(ts, model), 'do not fit together') for ts, model in (
                          (off, 'hidden'), (off[:2], 'hidden'), (off, 'deep'), (off[:1]*2, 'sigmoid')))):
        with pytest.raises(ValueError, match=says): calc_preds(bad, X)
    for bad in (None, 'abc', [1, 2], [np.ones(2)], 3):
        with pytest.raises(ValueError, match='coefficients are a tensor, or a list'): Coeffs(bad)
    with pytest.raises(ValueError, match='no model'): train_model(1, .1, X, Y, [torch.ones(2)])
    for bad in (0, -1, 2.5, True, '12', None):
        with pytest.raises(ValueError, match='n_coeff='): init_coeffs(bad)
    with pytest.raises(ValueError, match='no gradient yet'): update_coeffs(init_coeffs(2), .1)
    with pytest.raises(ValueError, match=r'requires_grad_\(\)'): one_epoch(torch.ones(2), .1, X, Y)
