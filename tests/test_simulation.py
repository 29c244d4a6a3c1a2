"""The simulation behind the p-value widget: what moves, what stays, and what a fault leaves."""
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_lib.maths import simulation
from course_lib.maths.chance import NullSlopes
from course_lib.maths.power import design
from course_lib.maths.regress import fit_line
from course_lib.maths.simulation import Settings, Simulation, Tally, agreement, draw_within
from course_lib.maths.words import p_words


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    x = rng.normal(15, 8, 40)
    return pd.DataFrame(dict(place=['a']*40, warmth=x, spread=2.5 - .02*x + rng.normal(0, .4, 40)))


def drawn(b=500, **options):
    sim = Simulation(**options)
    sim.draw(b)
    return sim


@pytest.mark.parametrize('slope', [-.023, .05, 0., 1e-12, -2.])
@pytest.mark.parametrize('noise', [.01, .489, 30.])
@pytest.mark.parametrize('n', [3, 100, 3000])
def test_the_slope_and_the_noise_are_what_was_set(n, slope, noise):
    sim = Simulation(n=n, slope=slope, noise=noise)
    line = fit_line(sim.null.x, sim.null.y)
    assert line.slope == pytest.approx(slope, abs=1e-9*noise) and line.n == n
    assert line.sigma == pytest.approx(noise, rel=1e-6)


def test_the_start_is_the_study_of_the_lesson():
    sim = Simulation()
    assert f'{sim.null.p_analytic:.3f}' == '0.021' and sim.null.sd[1] == pytest.approx(.5, abs=1e-3)
    assert sim.repeated().message == design(100, -.023, 5, .489).message and '64 %' in sim.repeated().message


@pytest.mark.parametrize('name, values', [('n', [300, 3000]), ('noise', [.2, .05])])
def test_p_falls_though_the_slope_does_not(name, values):
    sim = drawn()
    ps = [sim.null.p_analytic]
    for v in values:
        sim.set(**{name: v})
        ps.append(sim.null.p_analytic)
        assert sim.null.observed == -.023 and sim.count == 500 and 'still −0.023' in sim.moved()
    assert ps == sorted(ps, reverse=True) and ps[-1] < 1e-6


@pytest.mark.parametrize('null', ['gaussian', 'permutation'])
@pytest.mark.parametrize('tail', ['two', 'less', 'greater'])
def test_the_tally_is_what_counting_all_at_once_gives(null, tail):
    rng, sim = np.random.default_rng(1), Simulation(null=null, tail=tail, n=20)
    for b in rng.integers(1, 300, 20): sim.draw(int(b)); sim.results()
    tally, draws = sim.tally, sim.null.draws
    edges = tally.width*np.arange(-tally.side, tally.side + 1)
    assert np.array_equal(tally.counts, np.histogram(draws, edges)[0]) and tally.counts.sum() == len(draws)
    assert np.array_equal(tally.tails, np.histogram(draws[sim.null._extreme], edges)[0])
    r = sim.results()
    assert (r['extreme'], r['p'], r['error']) == (sim.null.extreme, sim.null.p, sim.null.p_error)
    at, p, _ = tally.running()
    assert at[0] == 1 and (np.diff(at) > 0).all()
    for k, v in zip(at, p, strict=True): assert v == (1 + sim.null._extreme[:k].sum())/(k + 1)


def test_draws_do_not_depend_on_the_way_here():
    "Moved about, undone, cleared: the same settings give the same draws."
    plain, sim = drawn(800), drawn(300)
    sim.set(n=50); sim.set(moving=True, n=7); sim.set(slope=.1); sim.set(null='permutation'); sim.set(seed=9)
    for _ in range(4): sim.undo()
    sim.clear(); sim.draw(800)
    assert np.array_equal(sim.null.draws, plain.null.draws)
    sim.set(seed=1)
    assert not np.isin(sim.null.draws, plain.null.draws).any()


def test_a_slider_on_its_way_is_quick_and_writes_nothing_down(monkeypatch):
    monkeypatch.setattr(simulation, 'BUDGET', 0)
    sim = drawn(2000)
    for n in range(100, 3000, 50): sim.set(moving=True, n=n)
    assert 10 <= sim.count < 100 and not sim.story.can_undo and sim.wanted == 2000
    sim.set(n=2950)
    assert sim.count == 2000 and sim.story.states[1:] == [Settings(n=2950)]
    sim.undo()
    assert sim.settings == Settings() and sim.count == 2000


def test_more_draws_than_are_kept_come_back_only_where_they_cost_nothing():
    sim = drawn(9000)
    sim.set(tail='greater')
    assert sim.count == 9000
    sim.set(slope=-.05)
    assert sim.count == 9000   # Gaussian draws are correlations: the slope does not enter
    sim.set(n=101)
    assert sim.count == simulation.KEEP
    sim.undo()
    assert sim.count >= simulation.KEEP
    assert np.array_equal(sim.null.draws[:50], drawn(50, slope=-.05, tail='greater').null.draws)


def test_undo_and_redo_visit_every_state_in_turn():
    sim, moves = drawn(10), [dict(n=50), dict(noise=1.), dict(tail='less'), dict(null='permutation'), dict(seed=3)]
    for m in moves: sim.set(**m)
    sim.reset()
    states = list(sim.story.states)
    assert len(states) == 7 and sim.settings == states[0] and sim.count == 0
    for k in range(5, -1, -1): sim.undo(); assert sim.settings == states[k] and sim.count == 10
    for k in range(1, 7): sim.redo(); assert sim.settings == states[k]
    sim.undo(); sim.set(n=3)
    assert not sim.story.can_redo


def test_own_data_stay_and_come_back(table):
    sim = Simulation.of(table)
    line = fit_line(table.warmth, table.spread)
    assert sim.names == ('warmth', 'spread') and sim.null.p_analytic == pytest.approx(line.p)
    sim.draw(3000)
    x, y = sim.shown_points()
    assert abs(fit_line(x, y).slope - sim.null.draws[-1]) < 1e-6
    sim.set(noise=5.); assert not sim.settings.own and sim.null.p_analytic > line.p
    sim.set(null='permutation'); sim.to_data()
    assert sim.settings.own and sim.settings.null == 'permutation'
    assert np.array_equal(sim.observed_points()[1], table.spread)
    low, high = sim.middle
    assert low == np.percentile(table.warmth, 2.5) and f'{high:.3g}' in sim.words()['practical']


def test_years_are_said_as_years():
    year = np.arange(1948, 2021, 4)
    sim = Simulation.of(pd.DataFrame(dict(year=year, seconds=10 - .01*(year - 1948) + np.sin(year))))
    said = sim.words()['practical']
    assert 'middle 95 % of year, 1950 to 2018, the change in seconds is −' in said and 'e+' not in said


def test_the_code_of_own_data_runs_where_the_table_is(table):
    sim = Simulation.of(table, null='permutation')
    sim.draw(2000)
    space = dict(df=table, x=(mine := object()), y=mine)
    exec(sim.code(), space)
    assert abs(space['p'] - sim.null.p) < .05 and space['x'] is mine is space['y']
    assert "its columns 'warmth' and 'spread'" in sim.code()
    sim.set(null='gaussian')
    exec(sim.code(), space := {})
    assert abs(space['p'] - sim.null.p) < .05 and "# the slope of 'spread' over 'warmth'" in sim.code()
    assert '# sd(y)/sd(x): a correlation times this is a slope' in sim.code()
    sim.set(n=50)
    assert 'warmth' not in sim.code()


def test_a_clear_is_taken_back_with_the_same_draws():
    sim = drawn(5000)
    draws = sim.null.draws.copy()
    sim.clear(); assert sim.count == 0 and sim.story.can_undo and sim.moved() == ''
    sim.clear(); assert len(sim.story.states) == 2   # nothing more to take away
    sim.draw(7); sim.undo()
    assert np.array_equal(sim.null.draws, draws)
    sim.redo(); assert np.array_equal(sim.null.draws, draws[:7])
    sim.clear(); sim.set(n=50); sim.draw(30); sim.undo(); sim.undo()
    assert sim.settings.n == 100 and sim.count >= 7
    sim.reset(); assert sim.count == 0
    plain = drawn(40); plain.reset(); assert plain.count == 0
    plain.undo(); assert plain.count == 40   # a reset where only draws were to go


def test_a_perfect_line_of_own_data_is_shown_but_cannot_be_made():
    sim = drawn(200, x=[1, 2, 3, 4], y=[2, 4, 6, 8])
    assert sim.results()['formula'] == 0 and sim.words()['formula'] == 'less than 10⁻³⁰⁰' and sim.power() == ''
    assert 'all points lie on the line' in sim.words()['line'] and 'inf' not in sim.words()['line']
    with pytest.raises(ValueError, match='noise'): sim.set(n=10)
    assert sim.settings.own and sim.count == 200


@pytest.mark.parametrize('change, says', [
    (dict(warmth='hot'), 'two columns'), (dict(warmth=None), 'two columns'), (dict(warmth=1.), "'warmth'"),
    (dict(spread=2), "'spread'"), (dict(warmth=np.r_[math.nan, np.arange(39.)]), "'warmth'"),
    (dict(spread=np.r_[math.inf, np.arange(39.)]), "'spread'")])
def test_a_table_that_cannot_be_used_is_refused_by_the_name_of_its_column(table, change, says):
    with pytest.raises(ValueError, match=says): Simulation.of(table.assign(**change))


def test_a_column_of_words_is_named(table):
    with pytest.raises(ValueError, match="'place' holds 'a'"): Simulation.of(table, x='place')
    with pytest.raises(ValueError, match="no column 'cold'"): Simulation.of(table, y='cold')
    for rows in (0, 1, 2):
        with pytest.raises(ValueError, match='3 or more'): Simulation.of(table[:rows])
    days = table.assign(day=pd.date_range('2020', periods=40), comma='1,5')
    with pytest.raises(ValueError, match=r"for dates take df\['day'\].dt.year"): Simulation.of(days, x='day')
    with pytest.raises(ValueError, match="read the file with decimal=','"): Simulation.of(days, y='comma')
    gaps = table.assign(warmth=[math.nan, *range(39)])
    with pytest.raises(ValueError, match=r'df.dropna\(\) does that'): Simulation.of(gaps)
    twice = table.set_axis(['place', 'warmth', 'warmth'], axis=1)
    with pytest.raises(ValueError, match="same name 'warmth' twice"): Simulation.of(twice, x='warmth', y='warmth')
    with pytest.raises(ValueError, match="both 'warmth'"): Simulation.of(table, x='warmth', y='warmth')


@pytest.mark.parametrize('bad', [
    dict(n=2), dict(n=200_000), dict(n=2.5), dict(n=None), dict(slope=math.inf), dict(slope=1e7),
    dict(noise=0), dict(noise=-1), dict(noise=math.nan), dict(tail='both'), dict(null='t'), dict(seed=-1),
    dict(seed=1.5), dict(sd_y=1), dict(own=False), dict(cleared=1)])
@pytest.mark.parametrize('moving', [False, True])
def test_a_bad_setting_changes_nothing(bad, moving):
    sim = drawn(20)
    before = sim.null, sim.settings, list(sim.story.states), sim.words()
    with pytest.raises(ValueError, match=next(iter(bad))): sim.set(moving=moving, **bad)
    assert (sim.null, sim.settings, sim.story.states, sim.words()) == before


@pytest.mark.parametrize('draws', [100, 400])
@pytest.mark.parametrize('p', [.02, .5, .92, .99, .9992])
def test_agreement_is_right_about_19_times_in_20(p, draws):
    "Also where nearly every draw is extreme, and where all are."
    slope, agreed = -.1*stats.t.isf(p/2, 28)/math.sqrt(28 + stats.t.isf(p/2, 28)**2), []
    for seed in range(300):
        null = NullSlopes(n=30, slope=slope, seed=seed)
        null.draw(draws)
        agreed.append(agreement(null.p, null.p_error, null.p_analytic, draws)[0])
    assert null.p_analytic == pytest.approx(p) and np.mean(agreed) >= (.9 if p < .95 else .87)  # few are not extreme
    if draws == 400 and p < .95: assert np.mean(agreed) <= .985


def test_agreement_reaches_as_far_as_two_errors():
    for way in (-1, 1):
        assert [agreement(.3 + way*k*.01, .01, .3, 1000)[0] for k in (0, 1.7, 1.99, 2.01, 5)] == [True]*3 + [False]*2


def test_every_draw_extreme_is_no_certainty():
    sim = drawn(100, slope=0)
    words = sim.words()
    assert sim.results()['p'] == 1 and sim.results()['error'] > 0 and words['agree'] is True
    assert words['p'] == '1.000 ± 0.010' and 'inf' not in words['said']


@pytest.mark.parametrize('n', [3, 4, 8, 100])
def test_the_standard_error_in_the_power_is_that_of_the_data(n):
    sim = Simulation(n=n, slope=-.3)
    assert sim.repeated().se == pytest.approx(fit_line(sim.null.x, sim.null.y).se, rel=1e-6)
    x = np.arange(n)**1.5
    own = Simulation(x, np.sin(5*x))
    assert own.repeated().se == pytest.approx(fit_line(x, np.sin(5*x)).se, rel=1e-9)
    said = sim.words()['power']
    assert said.startswith('Were this slope the true one: of studies') and said.endswith('this power only repeats p.')


def test_power_at_the_slope_that_was_found_is_p_in_other_words():
    "Whatever the slope, the noise and the spread of x: studies with the same n and p have the same power."
    powers = []
    for noise, sd_x in ((.49, 5), (3., 1.), (.01, .3)):
        r = .25
        sim = Simulation(n=50, slope=r/math.sqrt(1 - r*r)*noise/sd_x, noise=noise, sd_x=sd_x)
        powers.append((sim.null.p_analytic, sim.repeated().power))
    assert np.allclose(powers, powers[0]) and 0 < powers[0][0] < 1


def test_what_is_said_of_a_move_says_what_p_is_and_what_it_is_not():
    sim = drawn(20)
    sim.set(n=1000)
    assert 'p says how rarely chance alone would give a slope this steep' in sim.moved()
    assert 'It does not say how large the slope is' in sim.moved() and 'sure' not in sim.moved()
    sim.set(noise=2.)
    assert sim.moved().endswith('stands out less in more noise.')
    sim.set(noise=.2)
    assert sim.moved().endswith('stands out more in less noise.')


@pytest.mark.parametrize('tail', ['less', 'greater'])
def test_a_move_away_from_own_data_begins_with_their_p_in_that_direction(table, tail):
    sim = Simulation.of(table)
    sim.set(tail=tail)
    p = sim.null.p_analytic
    assert p == pytest.approx(stats.linregress(table.warmth, table.spread, alternative=tail).pvalue)
    sim.set(n=200)
    assert f'p went from {p_words(p)} to {p_words(sim.null.p_analytic)}' in sim.moved()


def test_undo_while_a_slider_moves_goes_back_to_where_it_came_from():
    sim = drawn(100)
    sim.set(moving=True, n=200); sim.undo()
    assert sim.settings.n == 100 == sim.story.now.n and sim.count == 100 and not sim.story.can_undo
    with pytest.raises(ValueError, match='nothing to undo'): sim.undo()
    sim.set(n=50); sim.set(moving=True, n=200); sim.undo()
    assert sim.settings.n == 50 and sim.story.states == [Settings(), Settings(n=50)]
    sim.undo()
    assert sim.settings.n == 100 and sim.story.can_redo


def test_redo_is_gone_after_another_way():
    sim = drawn(10)
    sim.set(n=50); sim.undo(); sim.set(n=60)
    assert not sim.story.can_redo
    with pytest.raises(ValueError, match='nothing to redo'): sim.redo()
    assert sim.settings.n == 60 and [s.n for s in sim.story.states] == [100, 60]


@pytest.mark.parametrize('options, says', [
    (dict(names=('a',)), 'two names'), (dict(names='xy'), 'two names'), (dict(mean=np.array([1, 2, 3])), 'two numbers'),
    (dict(mean=5), 'two numbers'), (dict(slope=10**400), 'slope=1000'), (dict(sd_x=np.timedelta64(5, 'D')), 'sd_x='),
    (dict(noise=np.complex128(1)), 'noise='), (dict(n=10**400), 'n=1000')])
def test_what_cannot_be_simulated_is_named(options, says):
    with pytest.raises(ValueError, match=says): Simulation(**options)


def test_means_as_an_array_and_bad_seconds():
    sim = Simulation(mean=np.array([5, 1.9]))
    assert sim.settings == Simulation().settings and sim.names == Simulation().names
    for seconds in ('a', math.nan, None, [1]):
        with pytest.raises(ValueError, match='seconds'): sim.draw(10, seconds=seconds)
    assert sim.count == 0 and sim.draw(10, seconds=0) == 10


def test_picking_from_a_bar_goes_round_all_of_its_draws():
    sim = drawn(1000)
    width, value = sim.tally.width, 4.5*sim.tally.width
    inside = set(np.flatnonzero(np.abs(sim.null.draws - value) <= width/2).tolist())
    assert {sim.pick(value, width) for _ in inside} == inside and len(inside) > 20
    assert abs(sim.null.draws[sim.pick(9.)] - sim.null.draws.max()) < 1e-12   # far out: the nearest
    sim.set(tail='less')
    assert sim.shown == sim.count - 1


def test_thousands_of_points_are_thinned_and_own_data_evenly():
    x = np.arange(5000.)
    sim = drawn(5, x=x, y=np.sin(x))
    shown = sim.observed_points(100)[0]
    assert len(shown) == 100 and shown[0] == 0 and shown[-1] == 4999 and len(sim.shown_points(100)[0]) == 100
    assert len(drawn(5, n=50).observed_points(100)[0]) == 50


def test_drawing_stops_when_time_is_up_and_goes_on_where_it_was():
    null = NullSlopes(n=2000)
    parts = [draw_within(null, 1000, 0) for _ in range(5)]
    assert set(parts) == {32} and null.count == 160
    whole = NullSlopes(n=2000); whole.draw(160)
    assert np.array_equal(null.draws, whole.draws) and Tally(null).update().counts.sum() == 160
