"""The line-up: can nothing but the relation give the real panel away, and does the score say what is true?"""
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_lib.maths.lineup import (
    Deal,
    Parade,
    ParadePlay,
    Score,
    draw_panels,
    guess_chance,
    line_up,
    score_of,
    steepest_chance,
)
from course_lib.maths.regress import fit_line

NULLS = ['gaussian', 'permutation']


def chi_squared(values, k):
    "p of whole numbers from 1 to k being equally frequent."
    return stats.chisquare(np.bincount(np.asarray(values) - 1, minlength=k)).pvalue


def deals(parade, rounds):
    for _ in range(rounds):
        yield parade.deal
        parade.next()


def rank_of(values, real):
    "The place of the real panel among all, ties broken by nothing: there are none."
    return 1 + int((values < values[real - 1]).sum())


@pytest.mark.parametrize('null', NULLS)
def test_without_a_relation_the_real_panel_is_like_any_other(null):
    "Its place and the ranks of its slope and of the outermost points are uniform."
    features = {'slope': lambda d: d.slopes, 'size': lambda d: np.abs(d.r),
                'curve': lambda d: ((d.x - d.x.mean(1, keepdims=True))**2*d.y).sum(1),
                'corner': lambda d: (d.x + d.y/d.y.std(1, keepdims=True)).max(1)}
    seen = list(deals(Parade(slope=0, n=20, null=null, panels=10, seed=1), 2000))
    assert chi_squared([d.real for d in seen], 10) > .01
    assert chi_squared([d.rank for d in seen], 10) > .01
    for name, f in features.items(): assert chi_squared([rank_of(f(d), d.real) for d in seen], 10) > .001, name


def test_with_a_relation_x_and_y_by_themselves_give_nothing_away():
    "The shape of x alone, and of y alone, ranks anywhere; the relation does not."
    features = {'skew x': lambda d: stats.skew(d.x, axis=1), 'skew y': lambda d: stats.skew(d.y, axis=1),
                'top of y': lambda d: d.y.max(1), 'left of x': lambda d: d.x.min(1),
                'width of y': lambda d: np.ptp(d.y, axis=1), 'tails of y': lambda d: stats.kurtosis(d.y, axis=1)}
    seen = list(deals(Parade(slope=-.08, n=30, panels=10, seed=2), 1500))
    for name, f in features.items(): assert chi_squared([rank_of(f(d), d.real) for d in seen], 10) > .001, name
    assert np.mean([d.rank == 1 for d in seen]) > .7 and chi_squared([d.real for d in seen], 10) > .01


@pytest.mark.parametrize('null', NULLS)
def test_each_panel_has_the_same_means_spreads_and_axes(null):
    rng = np.random.default_rng(0)
    x, y = rng.exponential(size=40), rng.exponential(size=40)
    xs, ys, place = line_up(x, y, 20, null, rng)
    for z, of in ((xs, x), (ys, y)):
        assert np.allclose(z.mean(1), of.mean()) and np.allclose(z.std(1), of.std())
        if null == 'permutation': assert (np.sort(z) == np.sort(of)).all()
    assert len({row.tobytes() for row in ys}) == 20
    (left, right), (low, high) = Deal(xs, ys, place + 1).limits.values()
    assert left < xs.min() and xs.max() < right and low < ys.min() and ys.max() < high


def test_own_data_of_any_shape_are_shuffled():
    "Lumpy data with a far point: every panel has the same lumps, so they tell nothing."
    x = np.r_[np.zeros(15), np.ones(14), 9.]
    parade = Parade(x, np.r_[np.arange(29)//5, 40.])
    assert parade.null == 'permutation'
    for deal in deals(parade, 5):
        assert (np.sort(deal.x) == np.sort(x)).all() and (np.sort(deal.y) == np.sort(deal.y[0])).all()
        assert np.array_equal(deal.x[deal.real - 1], x)


def test_own_data_hide_in_another_place_each_round():
    parade = Parade(np.arange(10.), np.arange(10.)**2, panels=10)
    assert chi_squared([d.real for d in deals(parade, 1000)], 10) > .01


@pytest.mark.parametrize('n, slope, noise', [(30, -.05, .489), (100, -.023, .489), (300, .023, .489), (20, 0, 1.)])
def test_a_machine_that_takes_the_steepest_line_is_right_as_often_as_foretold(n, slope, noise):
    ranks = [d.rank for d in deals(Parade(n=n, slope=slope, noise=noise, seed=3), 1500)]
    told = steepest_chance(n, slope, noise)
    assert abs(np.mean(np.array(ranks) == 1) - told) < 4*math.sqrt(told*(1 - told)/1500) + .005


def test_the_same_for_own_data_with_shuffles():
    rng = np.random.default_rng(5)
    x = rng.normal(size=60)
    parade = Parade(x, .3*x + rng.normal(size=60))
    told = parade.best()
    ranks = [d.rank for d in deals(parade, 1500)]
    assert .2 < told < .999 and abs(np.mean(np.array(ranks) == 1) - told) < .06


def test_the_rank_is_a_p_value_of_a_permutation_test():
    "Over studies without a relation, rank/20 is at most .05 in one of twenty, at most .5 in half of them."
    ranks = np.array([d.rank for d in deals(Parade(slope=0, n=15, seed=4), 2000)])
    for share in (.05, .25, .5): assert abs((ranks/20 <= share).mean() - share) < 4*math.sqrt(share*(1 - share)/2000)


def test_guessing_scores_as_the_binomial_says():
    rng, games = np.random.default_rng(6), []
    parade = Parade(n=8, panels=4)
    for _ in range(600):
        parade.history.clear()
        for _ in range(5):
            parade.next()
            parade.pick(int(rng.integers(1, 5)))
        games.append(parade.score.hits)
    for hits in range(5): assert abs(np.mean(np.array(games) >= hits) - guess_chance(hits, 5, 4)) < .08
    assert Score(3, 5).message == '3 of 5; guessing alone would get that many or more in 0.12 % of games.'


def test_rounds_depend_on_the_seed_and_their_number_alone():
    one, two, other = Parade(), Parade(), Parade(seed=43)
    two.pick(3); two.reveal()
    for p in (one, two, other): p.next()
    assert np.array_equal(one.deal.y, two.deal.y) and one.deal.real == two.deal.real
    assert not np.array_equal(one.deal.y, other.deal.y)
    one.set(slope=-.1); one.set(slope=-.1); one.set(slope=-.023); two.next(); two.next()
    assert one.round == two.round == 4 and np.array_equal(one.deal.y, two.deal.y)


def test_nothing_is_told_before_the_pick():
    "Another real panel, and not a word changes."
    parade = Parade()
    before = repr(parade)
    told = {repr(parade)}
    for real in range(1, 21):
        parade.deal = Deal(parade.deal.x, parade.deal.y, real)
        told.add(repr(parade))
        assert parade.real is None
    assert told == {before}


@pytest.mark.parametrize('lines', [False, True])
def test_the_picture_tells_nothing_before_the_pick(lines):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    parade = Parade(n=20)

    def drawn(lines=lines):
        fig = Figure(figsize=(4, 3))
        FigureCanvasAgg(fig)
        draw_panels(fig.add_subplot(), parade, lines)
        fig.canvas.draw()
        return np.asarray(fig.canvas.buffer_rgba()).tobytes()

    pictures = set()
    for real in (1, 7, 20):
        parade.deal = Deal(parade.deal.x, parade.deal.y, real)
        pictures.add(drawn())
    assert len(pictures) == 1 and drawn(not lines) not in pictures
    parade.pick(1)
    assert drawn() not in pictures


def test_a_pick_counts_once_and_a_refused_one_does_not():
    parade = Parade()
    for bad in (0, 21, 1.5, '3', None, True):
        with pytest.raises(ValueError, match='panel'): parade.pick(bad)
    assert not parade.over and not parade.history
    parade.pick(2)
    for act in (lambda: parade.pick(2), lambda: parade.pick(parade.real)):
        with pytest.raises(ValueError, match='counts once'): act()
    assert parade.reveal() == parade.real and len(parade.history) == 1


def test_giving_up_neither_counts_for_nor_against():
    parade = Parade(slope=-.5, noise=.1)
    parade.reveal(); parade.next(); parade.pick(parade.deal.real)
    assert parade.score == Score(1, 1, 20, 1) and 'guessing alone would get that many or more in 5 %' in repr(parade)
    parade.next(); parade.next()          # a round that nobody picked in leaves no trace
    assert len(parade.history) == 2 and parade.round == 4


def test_own_data_count_once_and_a_look_at_them_spoils_it():
    x, y = np.arange(12.), np.arange(12.)**2
    parade = Parade(x, y)
    parade.reveal(); parade.next(); parade.pick(parade.deal.real)
    assert parade.score == Score(0, 0, 20, 1) and '1 more for practice' in parade.message
    assert parade.scores() == [((), False, Score(1, 1, 20, 1))]


def test_own_data_that_were_skipped_have_been_seen():
    parade = Parade(np.arange(12.), np.arange(12.)**2)
    for _ in range(3): parade.next()
    parade.pick(parade.deal.real)
    assert parade.score == Score(0, 0) and '1 more for practice' in parade.message
    made = Parade()
    for _ in range(3): made.next()
    made.pick(made.deal.real)
    assert made.score == Score(1, 1)   # made data are new in each round


def points(deal, panel):
    "The points of a panel, in an order of their own."
    return sorted(zip(deal.x[panel - 1].tolist(), deal.y[panel - 1].tolist(), strict=True))


@pytest.mark.parametrize('x, y', [([0]*7 + [1], [0]*7 + [1]), ([0]*10 + [1]*2, [0]*10 + [1]*2),
                                  (np.repeat([0, 1], 6), [0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1])])
def test_no_other_panel_looks_like_the_real_one(x, y):
    for seed in range(40):
        deal = Parade(x, y, seed=seed).deal
        real = points(deal, deal.real)
        assert real == sorted(zip(map(float, x), map(float, y), strict=True))
        assert [k for k in range(1, 21) if points(deal, k) == real] == [deal.real]


def test_data_that_look_the_same_however_shuffled_are_refused(monkeypatch):
    from course_lib.maths import lineup
    monkeypatch.setattr(lineup, 'permutations', lambda rng, b, n: np.tile(np.arange(n), (b, 1)))
    with pytest.raises(ValueError, match='too few different values'): Parade([0]*7 + [1], [0]*7 + [1])


@pytest.mark.parametrize('unit', [1e-200, 1e-7, 1e7, 1e90])
def test_units_do_not_matter(unit):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    one, other = Parade(x, y).deal, Parade(unit*x, y).deal
    assert np.allclose(one.p, other.p, rtol=1e-6) and one.rank == other.rank
    assert np.allclose(one.slopes, other.slopes*unit)
    assert 'e' in other.slope_words[0] and len(other.slope_words[0]) < 12 and 'e' not in one.slope_words[0]
    made = Parade(sd_x=unit, mean=(0, 0), slope=0).deal
    assert np.isfinite(made.p).all() and np.isfinite(made.slopes).all()


def test_the_best_an_eye_can_do_with_own_data():
    "None of the 19 others is steeper: each is not with the chance 1 - p."
    rng = np.random.default_rng(5)
    x = rng.normal(size=60)
    parade = Parade(x, .1*x + rng.normal(size=60))
    p = stats.linregress(*parade.own).pvalue
    assert .01 < p < .5 and parade.best() == pytest.approx((1 - p)**19, rel=1e-6)


@pytest.mark.parametrize('names', [('a',), 'xy', ('a', 'b', 'c'), 5])
def test_names_that_are_not_two(names):
    with pytest.raises(ValueError, match='two names'): Parade(names=names)


def test_a_bad_setting_leaves_the_round_as_it_was():
    parade = Parade()
    deal = parade.deal
    for bad in (dict(n=2), dict(noise=-1), dict(noise=math.nan), dict(slope=math.inf), dict(n=10**7), dict(n='many'),
                dict(slope=10**400), dict(noise=np.timedelta64(1, 'D'))):
        with pytest.raises(ValueError, match=next(iter(bad))): parade.set(**bad)
    assert parade.deal is deal and parade.setting == dict(n=100, slope=-.023, noise=.489)


@pytest.mark.parametrize('n', [8, 100, 10_000])
def test_a_deal_of_any_size(n):
    deal = Parade(n=n).deal
    assert deal.x.shape == (20, n) and np.isfinite(deal.p).all() and 1 <= deal.rank <= 20
    fit = np.polyfit(deal.x[3], deal.y[3], 1)
    assert deal.slopes[3] == pytest.approx(fit[0], rel=1e-8)


@pytest.mark.parametrize('rows, says', [(1, '1 row is too few for a line-up: give 8 or more'),
                                        (2, '2 rows are too few'), (7, '7 rows are too few'),
                                        (100_001, r'100,001 rows .* df.sample\(3000\)')])
def test_too_few_rows_and_too_many(rows, says):
    x, y = np.arange(float(rows)), np.arange(rows) % 7.
    for act in (lambda: Parade(x, y), lambda: Parade(x.tolist(), y), lambda: Parade.of(pd.DataFrame(dict(a=x, b=y)))):
        with pytest.raises(ValueError, match=says): act()


def test_parts_of_games_are_proper_sentences():
    assert Score(9, 9).message == '9 of 9; guessing alone would get that many or more in less than 0.01 % of games.'
    assert 'gets none in 95 % of games' in Score(0, 1).message


def test_the_noise_is_that_of_design():
    "The residual standard deviation about the line: each study's own estimate, with n − 2, is right on average."
    parade = Parade(n=10)
    left = [fit_line(d.x[d.real - 1], d.y[d.real - 1]).sigma for d in deals(parade, 2000)]
    assert parade.setting['noise'] == .489 and np.sqrt(np.mean(np.square(left))) == pytest.approx(.489, rel=.02)


def test_points_on_a_line_have_a_p_of_nothing():
    parade = Parade(np.arange(30.), 2*np.arange(30.))
    assert parade.deal.p[parade.deal.real - 1] < 1e-100 and parade.deal.rank == 1 and parade.best() == 1


def test_columns_of_a_table():
    df = pd.DataFrame({'town': list('abcdefghij'), 'T': np.arange(10), 'on': [True, False]*5,
                       'R': np.arange(10)[::-1]/7, 'gap': [np.nan]*10})
    assert Parade.of(df).names == ('T', 'R') and Parade.of(df, 'R', 'T').names == ('R', 'T')
    assert Parade.of(df, y='T').names == ('R', 'T') and np.array_equal(Parade.of(df, y='T').own[1], df['T'])
    assert Parade.of(df, y='T', panels=4).panels == 4
    for bad, says in (({'x': 'temp'}, "no column 'temp'"), ({'x': 'town'}, "'town' holds 'a'"),
                      ({'x': 'gap'}, "'gap' has 10 values that are missing"), ({'x': 'T', 'y': 'T'}, "both 'T'"),
                      ({'x': ['T'], 'y': 'R'}, 'no column')):
        with pytest.raises(ValueError, match=says): Parade.of(df, **bad)
    with pytest.raises(ValueError, match='two columns'): Parade.of(df[['town', 'T']])
    with pytest.raises(ValueError, match="same name 'T' twice"): Parade.of(df.set_axis(list('aTTde'), axis=1), 'T', 'd')


def test_a_parade_can_be_kept():
    parade = Parade()
    parade.pick(4)
    again = pickle.loads(pickle.dumps(parade))
    again.next(); parade.next()
    assert again.score == parade.score and np.array_equal(again.deal.x, parade.deal.x)
    assert isinstance(again, ParadePlay) and score_of(again.history) == again.score
