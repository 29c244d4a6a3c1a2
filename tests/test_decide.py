"""From a model to a decision: intervals against exact sums, any costs whatever, and what is not a number."""
import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from course_lib.maths import decide
from course_lib.maths.decide import COSTS, FOUR, STUDY, Equation, Outcome, check_costs, expected_costs, predict
from course_lib.maths.regress import least_squares

RNG = np.random.default_rng(5)
T, RH = RNG.normal(5, 5, 40), RNG.normal(66, 10, 40)
R = 3.968 - .038*T - .024*RH + RNG.normal(0, .3, 40)
MODEL = Outcome(np.stack([T, RH], 1), R, ['T', 'RH'], 'R')


def exact_leverage(X, row):
    "x'(X'X)⁻¹x in fractions, with a column of ones."
    rows, x = [[Fraction(1), *map(Fraction, r)] for r in X.tolist()], [Fraction(1), *map(Fraction, row)]
    k = len(x)
    M = [[sum(r[i]*r[j] for r in rows) for j in range(k)] + [x[i]] for i in range(k)]
    for i in range(k):
        M[i] = [v/M[i][i] for v in M[i]]
        for j in range(k):
            if j != i: M[j] = [a - M[j][i]*b for a, b in zip(M[j], M[i], strict=True)]
    return float(sum(a*m[-1] for a, m in zip(x, M, strict=True)))


@pytest.mark.parametrize('offset', [0, 2020, 1e5])
def test_intervals_are_exact_far_from_zero(offset):
    "Years and other columns with a large mean lose no digits."
    X, row = np.stack([T + offset, RH - offset], 1), [35. + offset, 80. - offset]
    model = Outcome(X, R)
    p, h = model.at(dict(zip(model.names, row, strict=True))), exact_leverage(X, row)
    half = stats.t.ppf(.975, 37)*model.sigma
    assert p.mean == pytest.approx(MODEL.at(T=35, RH=80).mean, rel=1e-8)
    assert p.high - p.mean == pytest.approx(half*math.sqrt(h), rel=1e-8)
    assert p.mean - p.low_one == pytest.approx(half*math.sqrt(1 + h), rel=1e-8)


@pytest.mark.parametrize('unit', [1e-80, 1e-6, 1e6, 1e80])
def test_no_unit_changes_what_is_said(unit):
    other = Outcome(np.stack([T*unit, RH], 1), R, ['T', 'RH'])
    p, q = other.at(T=10*unit, RH=40), MODEL.at(T=10, RH=40)
    assert (p.mean, p.low, p.high) == pytest.approx((q.mean, q.low, q.high), rel=1e-9) and p.outside == q.outside
    q = predict(other.fit, T=10*unit, RH=p.at['RH'])
    assert edges(q) == pytest.approx(edges(p), rel=1e-9)
    assert other.compare(dict(T=0), dict(T=unit)).high == pytest.approx(MODEL.compare(dict(T=0), dict(T=1)).high)


def test_a_difference_is_known_better_than_the_places():
    "What both have in common cancels: the interval of the difference is narrower than the two would let one think."
    a, b = dict(T=4, RH=60), dict(T=6, RH=60)
    gap, pa, pb = MODEL.compare(a, b), MODEL.at(a), MODEL.at(b)
    assert gap.mean == pytest.approx(pb.mean - pa.mean)
    assert gap.high - gap.mean < math.hypot(pa.high - pa.mean, pb.high - pb.mean)
    back, none = MODEL.compare(b, a), MODEL.compare(a, a)
    assert (back.low, back.high) == pytest.approx((-gap.high, -gap.low))
    assert (none.low, none.mean, none.high) == (0, 0, 0)


def test_further_out_the_band_is_wider_and_it_says_so():
    halves = [MODEL.at(T=t).high - MODEL.at(T=t).mean for t in (T.mean(), 15, 35, 100)]
    assert halves == sorted(halves)
    assert [MODEL.at(T=t).outside for t in (T.min(), T.max(), T.max() + .01, T.min() - .01)] == [(), (), ('T',), ('T',)]


@pytest.mark.parametrize('kind', [torch.tensor, pd.Series, list, lambda a: a.astype('float32')])
def test_data_of_any_kind_and_not_changed(kind):
    x, y = T.copy(), R.copy()
    model = Outcome(kind(x), kind(y))
    assert model.at(x1=10).mean == pytest.approx(least_squares(T, R).coefs@[1, 10], rel=1e-5)
    assert np.array_equal(x, T) and np.array_equal(y, R)


def test_a_model_can_be_kept():
    again = pickle.loads(pickle.dumps(MODEL))
    assert again.at(T=35, RH=80) == MODEL.at(T=35, RH=80) and pickle.loads(pickle.dumps(STUDY))(10, 40) == STUDY(10, 40)


def test_regression_outcome_and_equation_are_asked_the_same_way():
    fit = least_squares(np.stack([T, RH], 1), R, ['T', 'RH'])
    p, q = predict(fit, T=35, RH=80), predict(MODEL, dict(T=35, RH=80))
    edges = [(o.mean, o.low, o.high, o.low_one, o.high_one) for o in (p, q)]
    assert edges[0] == pytest.approx(edges[1])
    assert predict(STUDY, temperature=10, humidity=40).mean == STUDY(10, 40) and p.outside == ()


def edges(p): return p.mean, p.low, p.high, p.low_one, p.high_one


@pytest.mark.parametrize('level', [.5, .95, .99])
def test_an_interval_has_the_level_that_was_asked_for(level):
    fit, place = least_squares(np.stack([T, RH], 1), R, ['T', 'RH']), dict(T=35, RH=80)
    half = stats.t.ppf((1 + level)/2, 37)/stats.t.ppf(.975, 37)*(MODEL.at(place).high - MODEL.at(place).mean)
    other = Outcome(np.stack([T, RH], 1), R, ['T', 'RH'], 'R', level=level)
    for p in (predict(fit, place, level), predict(MODEL, place, level), predict(other, place)):
        assert p.high - p.mean == pytest.approx(half)
    assert predict(MODEL, place) == MODEL.at(place) and MODEL.level == .95
    assert predict(STUDY, dict(temperature=10, humidity=40), level).low is None


@pytest.mark.parametrize('model', [MODEL, MODEL.fit, STUDY], ids=['Outcome', 'Regression', 'Equation'])
@pytest.mark.parametrize('level', [0, 1, 95, '95', True, math.nan])
def test_what_is_no_level(model, level):
    with pytest.raises(ValueError, match='level='):
        predict(model, dict(T=1, RH=2) if model is not STUDY else dict(temperature=1, humidity=2), level)


@pytest.mark.parametrize('columns', [1, 2])
@pytest.mark.parametrize('offset', [0, 10, 2020, 1e5, 1e7, 1e9])
def test_predictions_of_a_regression_keep_their_digits_far_from_zero(columns, offset):
    "x'·cov·x loses all of them at 10⁸, and its root is that of a number below 0."
    X = np.stack([T, RH], 1)[:, :columns] + offset
    fit, model = least_squares(X, R), Outcome(X, R)
    for place in (X[0], X.mean(0), X.max(0) + 30):
        at = dict(zip(model.names, place, strict=True))
        assert edges(predict(fit, at)) == pytest.approx(edges(model.at(at)), rel=1e-5)


def test_where_rounding_would_be_seen_a_regression_refuses_in_words():
    for offset in (1e11, 1e13):
        fit = least_squares(np.stack([T + offset, RH], 1), R, ['T', 'RH'])
        with pytest.raises(ValueError, match=r'T lies too far from 0.*Outcome\(X, y\)'): predict(fit, T=offset, RH=60)


@pytest.mark.parametrize('y', [[-1, 0, 1], [0, 0, 0], [0, 1, 1], [5, 5, 5], [1e-9, 2e-9, 4e-9], [1e90, 2e90, 4e90]])
def test_a_handful_of_points_is_no_case_of_rounding(y):
    for x in ([0, 1, 2], [2000, 2001, 2002], [-1e6, 0, 1e6]):
        fit, model = least_squares(x, y), Outcome(x, y)
        for at in (x[1], x[2], 3*x[2]):
            want = pytest.approx(edges(model.at(x1=at)), rel=1e-6, abs=1e-10*max(map(abs, y)))
            assert edges(predict(fit, x1=at)) == want
    assert predict(least_squares([1, 2, 3], y, intercept=False), x1=0).mean == 0


@pytest.mark.parametrize('seed', range(200))
def test_any_costs(seed):
    "The best action is the cheaper one at every prior, and it changes at the break-even and nowhere else."
    rng = np.random.default_rng(seed)
    costs = rng.integers(-3, 4, (2, 2)).astype(float) if seed % 2 else rng.normal(0, 10.**rng.integers(-5, 6), (2, 2))
    at = expected_costs(.5, costs).break_even
    for p in (0, .2, 1/3, .5, .9, 1):
        d = expected_costs(p, costs)
        assert d.break_even == at and d.evpi >= 0 and d.message
        (ra, rd), (na, nd) = costs
        act, dont = p*ra + (1 - p)*na, p*rd + (1 - p)*nd
        assert (d.act, d.dont) == pytest.approx((act, dont))
        if abs(act - dont) > 1e-9*np.abs(costs).max(): assert d.best == ('act' if act < dont else 'dont')
        known, size = p*min(ra, rd) + (1 - p)*min(na, nd), np.abs(costs).max()
        assert d.evpi == pytest.approx(min(act, dont) - known, abs=1e-9*size)
    if at is None:
        ends = [expected_costs(p, costs).best for p in (0, 1)]
        assert 'either' in ends or ends[0] == ends[1]
    else:
        assert 0 <= at <= 1 and expected_costs(at, costs).best == 'either'
        inner = [expected_costs(p, costs).best for p in (at - 1e-3, at + 1e-3) if 0 < p < 1]
        assert 'either' not in inner and len(set(inner)) == len(inner)


def test_the_words_agree_with_the_numbers():
    for prior, word, side in ((.6, 'do not act', 'Above 70 %'), (.7, 'either will do', 'The break-even is 70 %.'),
                              (.8, ': act.', 'Below 70 %')):
        said = expected_costs(prior, [[0, 30], [70, 0]]).message
        assert word in said and side in said and decide.percent(prior) in said


@pytest.mark.parametrize('prior, costs, says', [
    (.5, [[0, 1e9], [1, 0]], 'Somewhere below 0.01 % it would'), (1e-12, [[0, 1e9], [1, 0]], ' Above 0.01 % it would'),
    (.5, [[0, 1], [1e9, 0]], 'Somewhere above 99.99 % it would'), (1, [[0, 1], [1e9, 0]], ' Below 99.99 % it would'),
    (.5, [[250_000, 1e6], [250_000, 0]], 'acting costs 250,000 on average and not acting 500,000: act.'),
    (.5, [[12_345, 54_321], [999, 0]], 'would save 499.5 on average'),
    (.5, [[-2500, 0], [0, 0]], 'acting costs −1,250 on average'),
])
def test_large_sums_and_rare_cases_in_words(prior, costs, says):
    said = expected_costs(prior, costs).message
    assert says in said and 'elow below' not in said and 'e+' not in said, said


def test_made_up_costs_make_sense():
    "To act in vain costs no more than to act and have the trouble too; without a relation, to do nothing is free."
    c = COSTS
    assert c['none', 'dont'] == 0 < c['none', 'act'] <= c['relation', 'act'] < c['relation', 'dont']
    assert expected_costs(.5).break_even == pytest.approx(1/3) and expected_costs(.5).evpi == 15


@pytest.mark.parametrize('edge, side', [(1, 'above'), (0, 'either'), (-1, 'below')])
def test_an_interval_that_touches_the_threshold_has_not_passed_it(edge, side):
    for low, high, threshold in ((2., 3., 2.), (2., 3., 3.)):
        p = decide.Prediction((low + high)/2, low, high, 0., 9.)
        assert p.against(threshold) == 'either'
        at = low if edge > 0 else high if edge < 0 else 2.5
        assert p.against(math.nextafter(at, -edge*math.inf) if edge else at) == side
    assert decide.Prediction(2., None, None, None, None).against(2) == 'either'


def test_a_place_can_be_unusual_within_the_ranges():
    assert MODEL.at(T=T.max(), RH=RH.max()).unusual and not MODEL.at(T=T.max(), RH=RH.max()).outside
    assert not MODEL.at().unusual and not any(MODEL.at(T=t, RH=h).unusual for t, h in zip(T, RH, strict=True))
    assert not MODEL.at(T=100).unusual  # that is outside


@pytest.mark.parametrize('ask, says', [
    (lambda: STUDY(10, 40, 99), '3 values are too many'), (lambda: STUDY.at([1, 2]), 'a place is'),
    (lambda: STUDY.compare([1, 2], [3, 4]), 'a place is'), (lambda: MODEL.at('T'), 'a place is'),
    (lambda: predict(MODEL.fit, [1, 2]), 'a place is'), (lambda: Equation('R', 1, [1], T=1), 'ranges=[1]'),
    (lambda: Equation('R', 1, {'temperature': 5}, temperature=1), 'range of temperature is 5'),
    (lambda: Equation('R', 1, {'T': 'ab'}, T=1), "the lowest T is 'a'"),
    (lambda: Equation('R', 1, {'U': (0, 1)}, T=1), "'U'"),
    (lambda: Equation('R', 1, {'T': (1, 0)}, T=1), 'low end comes first'),
    (lambda: decide.outbreak(2, 100, 2.5), 'rounds=2.5'), (lambda: decide.outbreak(2, rounds=True), 'rounds=True'),
    (lambda: Outcome(pd.DataFrame(np.ones((9, 2)), columns=['a', 'a']), np.arange(9)), "'a' twice"),
    (lambda: Outcome(np.stack([T, RH], 1), R, ['b', 'b']), "'b' twice"),
])
def test_what_cannot_be_asked(ask, says):
    with pytest.raises(ValueError) as e: ask()
    assert says in str(e.value)


@pytest.mark.parametrize('power, alpha', [(.8, .05), (.2, .05), (.5, .01)])
@pytest.mark.parametrize('prior', [.05, .5])
def test_posterior_is_what_counting_gives(prior, power, alpha):
    real = RNG.random(400_000) < prior
    found = RNG.random(400_000) < np.where(real, power, alpha)
    assert decide.posterior(prior, power, alpha) == pytest.approx(real[found].mean(), abs=.015)
    assert decide.posterior(prior, power, alpha, False) == pytest.approx(real[~found].mean(), abs=.015)


def test_both_results_together_give_the_prior_back():
    found = .3*.8 + .7*.05
    assert found*decide.posterior(.3) + (1 - found)*decide.posterior(.3, significant=False) == pytest.approx(.3)


@pytest.mark.parametrize('R, fate', [(2.6, 'grows'), (1, 'stays as it is'), (.7, 'dies out'), (-.2, 'dies out')])
def test_an_outbreak_round_by_round(R, fate):
    cases = 100
    for _ in range(10): cases *= max(R, 0)
    assert decide.outbreak(R).after == pytest.approx(cases) and decide.outbreak(R).fate == fate


BAD = [lambda v: expected_costs(v), lambda v: expected_costs(.5, COSTS | {FOUR[2]: v}),
       lambda v: STUDY.at(temperature=v, humidity=3), lambda v: MODEL.at(T=v),
       lambda v: MODEL.compare({}, dict(RH=v)), lambda v: decide.posterior(v),
       lambda v: decide.outbreak(v), lambda v: Equation('R', v, T=1), lambda v: check_costs([[1, 2], [v, 4]])]


@pytest.mark.parametrize('ask', BAD, ids=range(len(BAD)))
@pytest.mark.parametrize('bad', ['', '0,5', 'many', None, math.nan, -math.inf, [1], 1j, True, 10**400, np.ones(2),
                                 np.complex128(1), np.timedelta64(5, 'D'), np.True_],
                         ids=lambda b: str(b)[:9])
def test_what_is_no_number(ask, bad):
    with pytest.raises(ValueError, match='give a number|must lie between'): ask(bad)


@pytest.mark.parametrize('bad', [None, 7, [], [[1, 2]], [[1, 2], [3]], [1, 2, 3, 4], {}, {'act': 1},
                                 COSTS | {'maybe': 1}], ids=str)
def test_what_is_no_table_of_costs(bad):
    with pytest.raises(ValueError, match='2 × 2|missing|none of the four'): check_costs(bad)
