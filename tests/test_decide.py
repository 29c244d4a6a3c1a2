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
from course_lib.maths.stakes import Stakes

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
    assert predict(fit, T=35, RH=80, level=.99).high > p.high


@pytest.mark.parametrize('seed', range(200))
def test_any_costs(seed):
    "The best action is the cheaper one at every prior, and it changes at the break-even and nowhere else."
    rng = np.random.default_rng(seed)
    costs = rng.integers(-3, 4, (2, 2)).astype(float) if seed % 2 else rng.normal(0, 10.**rng.integers(-5, 6), (2, 2))
    at = expected_costs(.5, costs).break_even
    for p in (0, .2, 1/3, .5, .9, 1):
        d = expected_costs(p, costs)
        assert d.break_even == at and d.regret >= 0 and d.message
        (ra, rd), (na, nd) = costs
        act, dont = p*ra + (1 - p)*na, p*rd + (1 - p)*nd
        assert (d.act, d.dont) == pytest.approx((act, dont))
        if abs(act - dont) > 1e-9*np.abs(costs).max(): assert d.best == ('act' if act < dont else 'dont')
        known, size = p*min(ra, rd) + (1 - p)*min(na, nd), np.abs(costs).max()
        assert d.regret == pytest.approx(min(act, dont) - known, abs=1e-9*size)
    if at is None:
        ends = [expected_costs(p, costs).best for p in (0, 1)]
        assert 'either' in ends or ends[0] == ends[1]
    else:
        assert 0 <= at <= 1 and expected_costs(at, costs).best == 'either'
        inner = [expected_costs(p, costs).best for p in (at - 1e-3, at + 1e-3) if 0 < p < 1]
        assert 'either' not in inner and len(set(inner)) == len(inner)


def test_the_words_agree_with_the_numbers():
    for prior, word, side in ((.6, 'do not act', 'Above 70 %'), (.7, 'either will do', 'break-even'),
                              (.8, ': act.', 'Below 70 %')):
        said = expected_costs(prior, [[0, 30], [70, 0]]).message
        assert word in said and side in said and decide.percent(prior) in said


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
@pytest.mark.parametrize('bad', ['', '0,5', 'many', None, math.nan, -math.inf, [1], 1j, True, 10**400, np.ones(2)],
                         ids=lambda b: str(b)[:9])
def test_what_is_no_number(ask, bad):
    with pytest.raises(ValueError, match='give a number'): ask(bad)


@pytest.mark.parametrize('bad', [None, 7, [], [[1, 2]], [[1, 2], [3]], [1, 2, 3, 4], {}, {'act': 1},
                                 COSTS | {'maybe': 1}], ids=str)
def test_what_is_no_table_of_costs(bad):
    with pytest.raises(ValueError, match='2 × 2|missing|none of the four'): check_costs(bad)


CHANGES = [dict(a=dict(temperature=3)), dict(b=dict(humidity=55, temperature=-70)), dict(prior=0), dict(prior=1),
           dict(study='found'), dict(study='missed'), dict(model='published'), dict(model='fitted'),
           dict(costs=dict(none_act=-7)), dict(costs=[[0, 0], [0, 0]]), dict(costs=[[1e9, -1e9], [3, 4]])]


@pytest.mark.parametrize('seed', range(20))
def test_whatever_is_set_can_be_said_undone_and_run(seed):
    "Twenty changes in any order: words, code that gives the same, and the way back and forth."
    rng, stakes, passed = np.random.default_rng(seed), Stakes(), []
    for i in rng.integers(len(CHANGES), size=20):
        before = stakes.setting
        look = stakes.preview(**CHANGES[i])
        assert stakes.setting == before
        stakes.set(**CHANGES[i])
        assert stakes.setting == look.setting and stakes.words() == look.words()
        assert all(isinstance(v, str) and 'nan' not in v for v in stakes.words().values())
        if stakes.setting != before: passed.append(before)
    exec(stakes.code(), names := {})
    assert names['model'].at(names['b']) == stakes.at('b')
    assert names['decision'].act == pytest.approx(stakes.decision.act, rel=1e-4)
    last = stakes.setting
    for before in reversed(passed):
        stakes.undo()
        assert stakes.setting == before
    assert not stakes.can_undo and stakes.setting == stakes.first
    for _ in passed: stakes.redo()
    assert stakes.setting == last and not stakes.can_redo


def test_what_is_refused_changes_nothing():
    stakes = Stakes()
    for bad in (dict(prior=2), dict(a=dict(temperature=4, rain=1)), dict(prior=.1, costs=dict(none_act='?')),
                dict(model=[]), dict(study={})):
        with pytest.raises(ValueError, match='must|no slider|give a number'): stakes.set(**bad)
    assert stakes.setting == stakes.first and not stakes.can_undo
