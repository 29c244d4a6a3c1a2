"""Regression on data that are awkward: tables with gaps, tensors, odd units, columns that nearly say the same."""
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from course_lib.maths.regress import fit_line, least_squares, numbers, slope, standardised, t_p, two_columns

RNG = np.random.default_rng(7)
T, RH = RNG.normal(15, 8, 40), RNG.normal(60, 12, 40)
R = 3.968 - .038*T - .024*RH + RNG.normal(0, .4, 40)


def exact(X, y):
    "Least squares in fractions, without any rounding: the coefficients, and their variances for a noise of 1."
    X, k = [[Fraction(v) for v in row] for row in X], len(X[0])
    M = [[sum(r[i]*r[j] for r in X) for j in range(k)] + [Fraction(i == j) for j in range(k)]
         + [sum(r[i]*Fraction(v) for r, v in zip(X, y, strict=True))] for i in range(k)]
    for i in range(k):
        M[i] = [v/M[i][i] for v in M[i]]
        for j in range(k):
            if j != i: M[j] = [a - M[j][i]*b for a, b in zip(M[j], M[i], strict=True)]
    return [float(M[i][-1]) for i in range(k)], [float(M[i][k + i]) for i in range(k)]


@pytest.mark.parametrize('offset', [0, 1e3, -1e5])
def test_as_good_as_fractions_far_from_zero(offset):
    X = np.stack([T + offset, RH - 3*offset, T*RH], 1)
    fit = least_squares(X, R)
    coefs, variances = exact(np.c_[np.ones(40), X].tolist(), R.tolist())
    assert np.allclose(fit.coefs, coefs, rtol=1e-8, atol=0)
    assert np.allclose(fit.se, fit.sigma*np.sqrt(variances), rtol=1e-8, atol=0)
    line = fit_line(X[:, 0], R)
    (intercept, b), (_, variance) = exact(np.c_[np.ones(40), X[:, 0]].tolist(), R.tolist())
    assert np.allclose([line.slope, line.intercept, line.se], [b, intercept, line.sigma*math.sqrt(variance)], rtol=1e-9)


@pytest.mark.parametrize('unit', [1e-150, 1e-60, 1., 1e60])
def test_no_unit_is_too_small_or_too_large(unit):
    one, other = least_squares(T, R), least_squares(unit*T, R/unit if unit > 1e-90 else R)
    assert np.allclose([other.t[1], other.p[1], other.R2], [one.t[1], one.p[1], one.R2], rtol=1e-9)
    assert fit_line(unit*T, R).t == pytest.approx(fit_line(T, R).t, rel=1e-9)


@pytest.mark.parametrize('kind', [list, tuple, torch.tensor, pd.Series, lambda a: a.astype('float32'),
                                  lambda a: torch.tensor(a, requires_grad=True), lambda a: [Fraction(v) for v in a],
                                  lambda a: [Decimal(v) for v in a], lambda a: pd.array(a, dtype='Float64')])
def test_numbers_of_any_kind(kind):
    line = fit_line(kind(T), kind(R))
    assert line.slope == pytest.approx(fit_line(T, R).slope, rel=1e-5) and line.n == 40


def test_what_was_given_is_not_changed():
    x, y, table = T.copy(), R.copy(), pd.DataFrame(dict(T=T, RH=RH))
    fit_line(x, y), least_squares(table, y), least_squares(np.stack([x, RH], 1), y), standardised(x), slope(x, y)
    numbers(x)[0] = 99
    assert np.array_equal(x, T) and np.array_equal(y, R) and table.equals(pd.DataFrame(dict(T=T, RH=RH)))


@pytest.mark.parametrize('table, says', [
    (dict(T=T, RH=['dry']*40), "RH holds 'dry' at 0"),
    (dict(T=T, RH=pd.array([None, *RH[1:]], dtype='Float64')), 'RH h'),
    (dict(T=T, RH=np.where(RH > 60, RH, np.nan)), 'RH has'),
    (dict(T=T, day=pd.date_range('2020-01-01', periods=40)), "day holds '2020-01-01"),
    (dict(T=T, RH=RH, mix=(T + RH)/2), "'T', 'RH' and 'mix' are collinear"),
    (dict(a=T > 15, b=T <= 15, RH=RH), "'a' and 'b' are collinear"),
    (dict(T=T, K=T + 273.15, RH=RH), "'T' and 'K' are collinear"),
    (dict(T=T, one=1), "'one' is 1 in every row")])
def test_a_bad_column_is_named(table, says):
    with pytest.raises(ValueError, match='.') as e: least_squares(pd.DataFrame(table), R)
    assert says in str(e.value)


def test_nearly_the_same_column_is_allowed_and_uncertain():
    near = T + 1e-6*RNG.normal(size=40)
    fit = least_squares(np.stack([T, near], 1), R)
    assert fit.se[1] > 1e4 and np.isclose(fit.coefs[1] + fit.coefs[2], fit_line(T, R).slope, atol=.02)


def test_a_perfect_plane_and_a_flat_one():
    fit = least_squares(np.stack([T, RH], 1), 1 + 2*T - RH)
    assert np.allclose(fit.coefs, [1, 2, -1]) and fit.R2 == pytest.approx(1) and fit.p[1] < 1e-100
    fit = least_squares(T, np.full(40, 3.))
    assert (fit.coefs.tolist(), fit.R2, fit.sigma) == ([3, 0], 0, 0) and fit.p.tolist() == [0, 1]


def test_intervals_hold_the_truth_as_often_as_they_say():
    x, rng, held = RNG.normal(size=12), np.random.default_rng(1), 0
    for _ in range(2000):
        line = fit_line(x, .3*x + rng.normal(size=12), .8)
        held += line.low <= .3 <= line.high
    assert stats.binomtest(held, 2000, .8).pvalue > 1e-3


def test_p_in_one_direction():
    line = fit_line(T, R)
    for tail in ('less', 'greater'):
        assert t_p(line.t, 38, tail) == pytest.approx(stats.linregress(T, R, alternative=tail).pvalue, rel=1e-9)


@pytest.mark.parametrize('x, y, says', [(T, R[1:], '40 values and y has 39'), (T[:2], R[:2], '2 points'),
                                        (np.ones(40), R, 'no spread in x'), (T, [math.inf, *R[1:]], 'y has a value'),
                                        (np.stack([T, RH], 1), R, 'shape (40, 2)'), (5, R, 'shape ()'),
                                        ('warm', R, "x holds 'warm'"),
                                        (T, ['1']*40, "y holds '1' at 0"), (None, R, 'shape ()'),
                                        (T, [None, *R[1:]], 'y has a value that is missing'),
                                        (T, np.ma.array(R, mask=R > R.mean()), 'y has'),
                                        (T, [pd.NA, *R[1:]], 'missing'), (T, [10**400, *R[1:]], 'larger unit'),
                                        (T, [np.complex128(1), *R[1:]], 'y holds'),
                                        (T.astype('timedelta64[ns]'), R, 'x holds'),
                                        (T.astype('datetime64[s]'), R, 'x holds'),
                                        (T, [np.timedelta64(5, 'D'), *R[1:]], 'y holds')])
def test_a_line_says_what_is_wrong(x, y, says):
    with pytest.raises(ValueError, match='.') as e: fit_line(x, y)
    assert says in str(e.value)


def test_hidden_values_are_not_used():
    "A masked array holds a number under its mask; numpy would hand it on."
    hidden = np.ma.array([1., 2, 999, 4], mask=[0, 0, 1, 0])
    with pytest.raises(ValueError, match='missing or infinite, the first at 2'): numbers(hidden)
    assert numbers(np.ma.array([1, 2, 3])).tolist() == [1, 2, 3]
    both = np.stack([T, RH], 1)
    with pytest.raises(ValueError, match='x2 has 39 values that are missing'):
        least_squares(np.ma.array(both, mask=both > max(RH.min(), T.max())), R)


@pytest.mark.parametrize('X, names', [
    (pd.DataFrame(np.stack([T, RH], 1), columns=['a', 'a']), None), (np.stack([T, RH], 1), ['a', 'a']),
    (pd.DataFrame(dict(T=T, RH=RH)), ['a', 'a'])])
def test_columns_with_the_same_name_are_refused(X, names):
    says = "the columns have the same name 'a' twice: rename one"
    with pytest.raises(ValueError, match=says): least_squares(X, R, names)


def test_names_as_pandas_gives_them():
    table = pd.DataFrame(dict(T=T, RH=RH))
    assert least_squares(table, R, table.columns).names == ('intercept', 'T', 'RH')
    assert least_squares(table, R, table.columns[::-1]).names == ('intercept', 'RH', 'T')
    with pytest.raises(ValueError, match='0 names for 2'): least_squares(table, R, [])


@pytest.mark.parametrize('unit', [1e-200, 1e-60, 1e90])
def test_slopes_and_scores_in_any_unit(unit):
    rows = RNG.normal(size=(3, 20))
    assert np.allclose(slope(unit*rows, rows), slope(rows, rows)/unit)
    assert np.allclose(standardised(unit*rows), standardised(rows))
    assert slope(unit*T, R) == pytest.approx(fit_line(unit*T, R).slope, rel=1e-9)
    assert slope(T, unit*R) == pytest.approx(fit_line(T, unit*R).slope, rel=1e-9)


def test_a_level_of_any_kind_of_number():
    assert fit_line(T, R, np.float64(.9)).high == fit_line(T, R, .9).high == fit_line(T, R, Fraction(9, 10)).high
    for bad in (95, 0, 1, '.9', None, np.True_, math.nan, np.array([.9])):
        with pytest.raises(ValueError, match='level'): least_squares(T, R, level=bad)


@pytest.mark.parametrize('x, y, says', [
    ('cold', None, "no column 'cold'"), (['T'], 'R', 'no column'), ('T', 'T', "x and y are both 'T'"),
    ('place', 'R', "'place' holds 'a' at 0"), ('two', 'R', "same name 'two' twice"),
    ('T', 'one', "'one' is 1 everywhere"),
    ('one', 'R', "no spread in the column 'one'"), ('gap', None, "'gap' has")])
def test_two_columns_that_cannot_be_used(x, y, says):
    table = pd.DataFrame(dict(place='a', T=T, R=R, one=1., gap=[math.nan, *T[1:]], b=T, c=T))
    table = table.rename(columns=dict(b='two', c='two'))
    with pytest.raises(ValueError, match=says): two_columns(table, x, y)


def test_two_columns_of_numbers_are_found():
    table = pd.DataFrame(dict(place='a', on=T > 0, T=T, R=R, RH=RH))
    assert [two_columns(table, *names)[2] for names in ((), ('R',), (None, 'T'), ('RH', 'R'))] == [
        ('T', 'R'), ('R', 'T'), ('R', 'T'), ('RH', 'R')]
    assert np.array_equal(two_columns(table)[1], R)
    with pytest.raises(ValueError, match='two columns of numbers are needed'): two_columns(table[['place', 'T']])
    with pytest.raises(ValueError, match='data is a dict'): two_columns(dict(T=T, R=R))
