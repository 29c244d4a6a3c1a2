"""Two places and a decision: whatever is set can be said, undone and run, and the words agree with the numbers."""
import copy
import json
import math
import pickle

import numpy as np
import pytest

from course_lib.maths import stakes as module
from course_lib.maths.decide import COSTS, STUDY, Difference, Equation, Outcome, Prediction, posterior
from course_lib.maths.stakes import (
    PLACES,
    Stakes,
    say,
    say_acting,
    say_cases,
    say_gap,
    say_outside,
    say_short,
    say_side,
    say_spread,
)

RNG = np.random.default_rng(1)
AREA, AGE = RNG.uniform(40, 160, 50), RNG.uniform(0, 80, 50)
SOLD = 1000*(40 + 2.4*AREA - .9*AGE + RNG.normal(0, 15, 50))
PRICE = Outcome(np.stack([AREA, AGE], 1), SOLD, ['area', 'age'], 'price')


def told(mean, half=None, one=None):
    "A prediction with bands of these half widths."
    edges = [None]*4 if half is None else [mean - half, mean + half, mean - one, mean + one]
    return Prediction(mean, *edges)


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


def test_after_another_way_was_taken_nothing_can_be_redone():
    stakes = Stakes()
    stakes.set(prior=.3)
    stakes.undo()
    stakes.set(prior=.6)
    assert not stakes.can_redo
    with pytest.raises(ValueError, match='nothing to redo'): stakes.redo()
    stakes.undo()
    assert stakes.setting == stakes.first
    with pytest.raises(ValueError, match='nothing to undo'): stakes.undo()
    stakes.redo()
    assert stakes.setting.prior == .6
    stakes.set(prior=.6)
    assert len(stakes.story.states) == 2  # nothing new


def test_a_setting_cannot_be_changed_behind_its_back():
    given = dict(temperature=3., humidity=50.)
    stakes = Stakes(a=given)
    for part in (stakes.setting.a, stakes.setting.b, stakes.setting.costs, stakes.first.a):
        with pytest.raises(TypeError): part[next(iter(part))] = 99
    given['temperature'] = 99
    assert stakes.setting.a == dict(temperature=3, humidity=50)
    stakes.swap()
    assert stakes.first.a == stakes.setting.b and PLACES[1] == stakes.setting.a == dict(temperature=35, humidity=80)
    plain = stakes.setting.plain()
    plain['costs'].clear()
    assert stakes.setting.costs == COSTS and "'temperature': 3.0" in repr(stakes.setting)
    assert json.dumps(stakes.setting.plain()['a'])


def test_a_copy_goes_its_own_way():
    stakes = Stakes()
    for other in (copy.deepcopy(stakes), pickle.loads(pickle.dumps(stakes))):
        other.set(prior=.9, a=dict(temperature=1))
        assert other.setting != stakes.setting == stakes.first == other.first and other.words() != stakes.words()


@pytest.mark.parametrize('p, says, cases', [
    (told(2, .5, 1.2), 'it grows', (.8, 3.2)), (told(.5, .3, .9), 'it dies out', (-.4, 1.4)),
    (told(1, .2, .3), 'it may grow or die out', (.7, 1.3)), (told(1.2, .1, .5), 'it grows', (.7, 1.7)),
])
def test_cases_are_those_of_one_place_and_the_way_is_that_of_the_mean(p, says, cases):
    said = say_spread(p)
    low, high = (say_cases(100*max(r, 0)**10) for r in cases)
    assert f'On average over such places each case infects {p.mean:.2g} others: {says}.' in said
    mean = say_cases(100*p.mean**10)
    assert said.endswith(f'now mean {mean} in the tenth round; in one such place, {low} to {high}.')


@pytest.mark.parametrize('R, says', [(2.6, ': it grows.'), (.7, ': it dies out.'), (1, ': it may grow or die out.')])
def test_an_equation_without_a_band_speaks_of_no_average(R, says):
    said = say_spread(told(R))
    assert said.startswith(f'Each case infects {R:.2g} others{says}') and 'in one such place' not in said


def test_a_line_that_falls_below_zero_is_no_R():
    assert 'No R can be below 0' in say_spread(told(-.1, .2, .3))


def test_the_higher_place_gets_the_measures():
    high, low = told(2), told(.5)
    assert 'measures in A, where the disease grows, and none in B, where it dies out' in say_acting(high, low, 1, True)
    assert 'measures in B, where the disease grows, and none in A, where it dies out' in say_acting(low, high, 1, True)
    assert 'measures in B, where it is above 1, and none in A, where it is below' in say_acting(low, high, 1, False)
    assert 'in both places the disease grows, and A would come before B' in say_acting(high, told(1.5), 1, True)
    assert 'in both places it dies out by itself, and B would come before A' in say_acting(low, told(.9), 1, True)
    assert 'makes no difference' in say_acting(high, high, 1, True)


def test_whether_a_difference_matters():
    gap = Difference(-1.5, -2, -1)
    assert 'B − A is −1.5 (−2 to −1): they lie on different sides of R = 1, so it matters.' == say_gap(
        told(2, .1, .2), told(.5, .1, .2), gap, 1, 'R = 1')
    assert 'too wide to say' in say_gap(told(2, .1, .2), told(1.05, .1, .2), gap, 1)
    assert 'both lie below 3' in say_gap(told(2, .1, .2), told(.5, .1, .2), gap, 3, '3')
    assert say_side(told(2, .1, .2), 1) == 'Above 1.' and say_side(told(2, .1, .2), 2500) == 'Below 2,500.'
    assert say_side(told(2, .1, .2), 2) == 'It may be above or below 2.'


@pytest.mark.parametrize('inputs, says', [(2, 'had both at once'), (3, 'had all 3 at once'), (4, 'had all 4 at once')])
def test_a_corner_where_nobody_has_been(inputs, says):
    x = RNG.normal(size=(60, inputs))
    model = Outcome(x, x[:, 0])
    p = model.at({k: high for k, (_, high) in model.ranges.items()})
    assert p.unusual and says in say_outside(model, p)
    assert say_outside(model, model.at()) == ''


def test_sums_are_written_out():
    stakes = Stakes(PRICE, threshold=250_000, costs=[[250_000, 1_000_000], [250_000, 0]])
    words = stakes.words()
    assert 'acting costs 250,000 on average and not acting 500,000: act.' in words['decision']
    assert '250,000' in words['a'] and 'price = 250,000' in words['gap']
    assert not any('e+' in v for v in words.values()), words
    assert [say(v) for v in (-.5, 1234.5, -98765.4, 1e20, 0)] == ['−0.5', '1,234', '−98,765', '1 × 10²⁰', '0']


@pytest.mark.parametrize('alpha', [.05, .01, .001])
def test_a_study_is_called_by_its_own_level(alpha):
    stakes = Stakes(alpha=alpha, power=.6)
    for study, sign in (('found', '<'), ('missed', '≥')):
        stakes.set(study=study)
        assert f'(p {sign} {alpha:g}), with power 60 %' in stakes.words()['belief']
        assert stakes.belief == posterior(.5, .6, alpha, study == 'found')


@pytest.mark.parametrize('place', [dict(temperature=1e9), dict(temperature=-90.1), dict(humidity=100.5),
                                   dict(humidity=-1)])
def test_there_is_no_such_place_on_earth(place):
    "In the cities of the course; another model may call anything a temperature."
    stakes, (name, v) = Stakes(), next(iter(place.items()))
    for ask in (lambda: stakes.set(b=place), lambda: stakes.preview(a=place), lambda: Stakes(a=place)):
        with pytest.raises(ValueError, match=f'{name} .* is impossible: it lies between') as e: ask()
        assert 'e+' not in str(e.value)
    assert stakes.setting == stakes.first
    other = Stakes(Outcome(np.stack([AREA, AGE], 1), SOLD, ['temperature', 'humidity'], 'price'), a=place, b=place)
    assert other.setting.a[name] == v and not any('e+' in said for said in other.words().values())
    edge = dict(temperature=60, humidity=100)
    stakes.set(a=edge)
    assert stakes.setting.a == edge


def test_sliders_stay_where_there_are_places():
    ranges = Stakes(a=dict(humidity=99), b=dict(humidity=1)).ranges
    assert ranges['humidity'][:2] == (0, 100) and -90 <= ranges['temperature'][0]


def test_nothing_is_compared_or_done_where_no_R_can_be():
    stakes = Stakes()
    assert stakes.words()['gap'] and stakes.words()['acting']
    stakes.set(b=dict(temperature=55))
    assert stakes.at('b').mean < 0 and stakes.words()['gap'] == stakes.words()['acting'] == ''
    house = Stakes(Outcome([1., 2, 3, 4], [-9., -7, -6, -2], outcome='loss'))
    assert house.at('a').mean < 0 and house.words()['gap']   # only an R cannot be below 0


@pytest.mark.parametrize('prior, best, said', [(.9, 'act', True), (1/3, 'either', True), (.1, 'dont', False)])
def test_what_is_said_of_acting_does_not_contradict_the_decision(prior, best, said):
    stakes = Stakes(prior=prior)
    assert stakes.decision.best == best
    assert stakes.words()['acting'].startswith('If one acted on the model') == said == bool(stakes.words()['acting'])


@pytest.mark.parametrize('prior, says', [(70, '(70 % is 0.7)'), (1.5, '(1.5 % is 0.015)'), (100, '(100 % is 1)'),
                                         (101, 'between 0 and 1'), (-1, 'between 0 and 1'), ('a', "'a'")])
def test_a_prior_in_percent_is_told_how_to_be_one(prior, says):
    for act in (lambda: Stakes(prior=prior), lambda: Stakes().set(prior=prior)):
        with pytest.raises(ValueError) as e: act()
        assert says in str(e.value) and 'the prior' in str(e.value)


@pytest.mark.parametrize('v, said', [(0, '0'), (145.26, '145.3'), (-9999, '−9999'), (10_000, '10k'), (1.5e6, '1.5M'),
                                     (999_960, '1M'), (-2.5e9, '−2.5 bn'), (2e20, '2 × 10²⁰'), (.00002, '2e−05')])
def test_costs_in_short(v, said): assert say_short(v) == said


def test_inputs_without_a_slider_have_their_unit():
    assert 'doublings of 1,000 people per km²' in Stakes().words()['rest']
    assert 'age 41.5 years.' in Stakes(PRICE, a=dict(area=60), units=dict(age='years')).words()['rest'].replace(
        say(AGE.mean()), '41.5')


def test_made_up_costs_are_said_to_be():
    stakes = Stakes()
    assert stakes.words()['costs'] == module.MADE_UP and stakes.setting.costs == COSTS
    assert stakes.preview(costs=dict(none_act=29)).words()['costs'] == ''
    assert Stakes(costs=[[1, 2], [3, 4]]).words()['costs'] == ''


@pytest.mark.parametrize('more, says', [
    (dict(a='x'), "a='x'"), (dict(b=[1, 2]), 'b=[1, 2]'), (dict(units=5), 'units=5'), (dict(units='°C'), "units='°C'"),
    (dict(seed='x'), "seed='x'"), (dict(seed=-1), 'seed=-1'), (dict(threshold=None), 'threshold=None'),
    (dict(threshold=10**400), 'threshold='), (dict(power=0), 'power=0'), (dict(alpha=1), 'alpha=1'),
    (dict(prior='.5'), "the prior is '.5'"), (dict(published={}), 'published={}'),
    (dict(model=[1]), 'a list is no model'), (dict(model=1), 'an int is no model'),
    (dict(model=Equation('y', 1, x=2)), 'x is missing'), (dict(a=dict(temperature=None)), 'temperature=None'),
])
def test_what_cannot_be_started_with(more, says):
    with pytest.raises(ValueError) as e: Stakes(**more)
    assert says in str(e.value)


def test_the_published_equation_is_asked_only_what_it_knows():
    stakes = Stakes(a=dict(density=2))
    stakes.set(model='published')
    assert stakes.at('a').mean == pytest.approx(STUDY(**PLACES[0]))
    assert stakes.names == ('temperature', 'humidity', 'density')
    assert math.isfinite(stakes.gap.mean) and stakes.gap.low is None
