"""Splits that keep apart what must be apart, and worlds in which the honest one is near the truth."""
import datetime
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch

from course_lib.maths import splits
from course_lib.maths.splits import (
    WORLDS,
    Gap,
    World,
    block_split,
    gaps,
    group_split,
    hidden_gap,
    neighbours,
    people,
    predict_knn,
    random_split,
    seasons,
    split_figure,
    squares,
    time_split,
)

RNG = np.random.default_rng(11)


def both_sides(found, n):
    train, valid = found
    assert len(train) and len(valid) and np.array_equal(np.sort(np.r_[train, valid]), np.arange(n))
    return train, valid


@pytest.fixture(scope='module')
def many():
    "The gaps of 100 draws of each world."
    return gaps(range(500, 600), each=True)


@pytest.mark.parametrize('world', WORLDS)
def test_the_random_split_is_too_hopeful_and_the_honest_one_near_the_truth(many, world):
    g = many.loc[world]
    mean = g.mean()
    assert mean.new > 1.5*mean.random and (g.new > g.random).mean() > .85
    assert abs(mean.honest/mean.new - 1) < .12, mean
    error = (g.honest - g.new).std()/math.sqrt(len(g))
    assert abs(mean.honest - mean.new) + 2*error < .5*(mean.new - mean.random)  # much nearer than the random one


@pytest.mark.parametrize('make', [lambda s: seasons(drift=0, seed=s), lambda s: people(habit=0, seed=s),
                                  lambda s: neighbours(reach=100, seed=s)])
def test_there_is_no_gap_where_nothing_hidden_is_shared(make):
    found = [hidden_gap(make(s), s) for s in range(20)]
    random, honest, new = (np.mean([getattr(g, k) for g in found]) for k in ('random', 'honest', 'new'))
    assert abs(new/random - 1) < .12 and abs(honest/random - 1) < .12


@pytest.mark.parametrize('world, stronger', [(seasons, dict(drift=1.6)), (people, dict(habit=1.6)),
                                             (neighbours, dict(noise=.1))])
def test_the_gap_grows_with_what_is_shared(world, stronger):
    usual, more = (np.mean([hidden_gap(world(seed=s, **k), s).hopeful for s in range(12)]) for k in ({}, stronger))
    assert more > usual > 1.2


@pytest.mark.parametrize('make', WORLDS.values())
def test_the_honest_split_is_apart_as_the_new_rows_are(make):
    for seed in range(5):
        world = make(seed=seed)
        train, valid = both_sides(world.honest_split(seed=seed), world.n)
        assert .1 < len(valid)/world.n < .3
        if world.name == 'seasons':
            assert world.unit[train].max() < world.unit[valid].min() and world.unit.max() < world.new_unit.min()
            continue
        unit = np.r_[world.unit, world.new_unit]
        unit = squares(unit) if unit.ndim == 2 else unit
        old, new = unit[:world.n], unit[world.n:]
        assert not set(old[train]) & set(old[valid]) and not set(old) & set(new)
        train, valid = world.random_split(seed=seed)
        assert len(set(old[train]) & set(old[valid])) > 10


@pytest.mark.parametrize('make', WORLDS.values())
def test_the_same_seed_gives_the_same_world_and_another_another(make):
    a, b, c = make(seed=3), make(seed=3), make(seed=4)
    assert np.array_equal(a.x, b.x) and np.array_equal(a.new_y, b.new_y) and not np.array_equal(a.y, c.y)
    assert hidden_gap(a, 1) == hidden_gap(b, 1) and a.x.shape == (a.n, len(a.columns))
    assert np.isfinite(a.x).all() and len(a.new_x) == len(a.new_y) == len(a.new_unit) and a.name in repr(a)


@pytest.mark.parametrize('n', [2, 3, 10, 1001])
@pytest.mark.parametrize('pct', [.001, .2, .5, .999])
def test_random_split_never_leaves_a_side_empty(n, pct):
    train, valid = both_sides(random_split(n, pct, 5), n)
    assert abs(len(valid) - pct*n) <= 1 and (np.diff(valid) > 0).all()


def test_random_split_takes_each_row_equally_often():
    taken = np.bincount(np.concatenate([random_split(20, .25, s)[1] for s in range(2000)]), minlength=20)
    assert ((taken - 500)**2/(500*.75)).sum() < 45  # chi-squared, about 19 degrees of freedom: 1 in 1,000


@pytest.mark.parametrize('pct', [.001, .2, .5, .999])
def test_time_split_in_any_order_and_with_ties(pct):
    for n, top in ((2, 2), (9, 3), (200, 40), (200, 10**6)):
        t = RNG.integers(0, top, n); t[:2] = 0, top
        train, valid = both_sides(time_split(t, pct), n)
        assert t[train].max() < t[valid].min()
    t = RNG.permutation(1000)
    assert len(time_split(t, .2)[1]) == 200


@pytest.mark.parametrize('pct', [.1, .3, .5, .8])
def test_time_split_comes_as_near_to_the_share_as_ties_allow(pct):
    for _ in range(50):
        t = RNG.integers(0, RNG.integers(2, 12), 40); t[:2] = 0, 12
        cuts = [(t > v).sum() for v in np.unique(t)[:-1]]
        assert abs(len(time_split(t, pct)[1]) - 40*pct) == np.abs(np.array(cuts) - 40*pct).min()
    assert len(time_split([1] + [2]*8 + [3], .2)[1]) == 1


def test_times_of_any_kind():
    days = pd.date_range('2024-01-01', periods=10)[::-1]
    want = time_split(np.arange(10)[::-1])
    kinds = (days, days.tz_localize('Asia/Tokyo'), days.to_period('D'), days - days[-1])
    for k in kinds:
        for t in (k, pd.Series(k), list(k), np.asarray(k)): assert same_split(time_split(t), want), t
    for t in ([d.date() for d in days], [d.to_datetime64() for d in days], list(range(9, -1, -1)), np.arange(10.)[::-1],
              torch.arange(9, -1, -1), pd.Series(days, index=range(5, 15))):
        assert same_split(time_split(t), want), t


def test_dates_long_ago_and_far_ahead_keep_their_order():
    "Nanoseconds of the years 1500 and 2300 do not fit into 64 bits."
    years = [2020, 1500, 1677, 2263, 2020, 1000, 2400, 1999]
    want = time_split(years, .4)
    days = np.array([f'{y}-01-01' for y in years], 'datetime64[D]')
    for unit in 'YMDs': assert same_split(time_split(days.astype(f'datetime64[{unit}]'), .4), want)
    assert same_split(time_split([datetime.date(y, 1, 1) for y in years], .4), want)


def same_split(a, b): return all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


@pytest.mark.parametrize('kind', [list, np.array, pd.Series, pd.Categorical])
def test_groups_stay_whole(kind):
    g = np.repeat(list('abcdefgh'), [1, 30, 5, 5, 2, 9, 12, 3])
    for seed in range(20):
        train, valid = both_sides(group_split(kind(g), .2, seed), len(g))
        assert not set(g[train]) & set(g[valid])
    assert len({tuple(group_split(g, .2, s)[1]) for s in range(20)}) > 3
    assert len(set(g[group_split(g, .999)[1]])) == 7 and len(set(g[group_split(g, .001)[1]])) == 1


def test_squares_follow_the_map():
    p = RNG.uniform(-3, 3, (300, 2))
    s = squares(p, 1.5)
    same = (np.floor(p/1.5)[:, None] == np.floor(p/1.5)).all(-1)
    assert np.array_equal(s[:, None] == s, same) and s.max() == len(set(s)) - 1
    assert np.array_equal(squares(1000*p, 1500), s) and np.array_equal(squares(p.tolist(), 1.5), s)
    train, valid = both_sides(block_split(p, .2, 0, 1.5), 300)
    assert not set(s[train]) & set(s[valid])


def test_the_nearest_rows_are_those_of_a_slow_search(monkeypatch):
    x, y, new = RNG.normal(size=(80, 3))*[1, 100, .01], RNG.normal(size=80), RNG.normal(size=(31, 3))*[1, 100, .01]
    want = [y[np.argsort((((x - v)/x.std(0))**2).sum(1))[:4]].mean() for v in new]
    assert np.allclose(predict_knn(x, y, new, 4), want)
    monkeypatch.setattr(splits, 'AT_A_TIME', 500)
    assert np.allclose(predict_knn(x, y, new, 4), want) and predict_knn(x, y, new[:0]).shape == (0,)


def test_prediction_is_done_in_bounded_memory():
    x, new = RNG.normal(size=(3000, 2)), RNG.normal(size=(3000, 2))
    tracemalloc.start()
    predict_knn(x, x[:, 0], new)
    peak = tracemalloc.get_traced_memory()[1]; tracemalloc.stop()
    assert peak < 100e6  # all at once would take 144 MB, and as much again for its squares


def test_gap_in_words():
    for gap, says in ((Gap('w', .3, .6, .6), 'too hopeful'), (Gap('w', .3, .3, .3), 'about right'),
                      (Gap('w', .6, .3, .3), 'too dark')):
        assert says in gap.message and f'{gap.random:.2f}' in gap.message
        assert f'{gap.new/gap.random:.1f} times' in repr(gap)


def test_each_error_is_of_the_rows_it_names():
    "By hand: train and validate as the splits say, and the new rows from all that was gathered."
    for make in WORLDS.values():
        world = make(seed=3)
        gap = hidden_gap(world, 5, .3, 4)
        for split, error in ((world.random_split, gap.random), (world.honest_split, gap.honest)):
            train, valid = split(.3, 5)
            pred = predict_knn(world.x[train], world.y[train], world.x[valid], 4)
            assert error == pytest.approx(math.sqrt(((pred - world.y[valid])**2).mean()))
            assert abs(len(valid)/world.n - .3) < .07
        pred = predict_knn(world.x, world.y, world.new_x, 4)
        assert gap.new == pytest.approx(math.sqrt(((pred - world.new_y)**2).mean()))


@pytest.mark.parametrize('kind', [list, torch.tensor, pd.DataFrame, np.ma.array, lambda a: a.astype('float32')])
def test_tables_of_any_kind(kind):
    x, y, new = RNG.normal(size=(20, 2)), RNG.normal(size=20), RNG.normal(size=(5, 2))
    assert predict_knn(kind(x), y, kind(new), 3) == pytest.approx(predict_knn(x, y, new, 3))


def test_a_world_of_ones_own():
    x = RNG.normal(size=(100, 1))
    world = World('boats', x[:80], x[:80, 0], np.arange(80)//8, x[80:], x[80:, 0], np.arange(80, 100)//8, ('size',),
                  group_split, 'other boats')
    gap = hidden_gap(world)
    assert gap.world == 'boats' and 'other boats' in gap.message and gap.new < .5
    import matplotlib.pyplot as plt
    plt.close(split_figure(world))


@pytest.mark.parametrize('make', WORLDS.values())
def test_the_picture_shows_each_row_once(make):
    import matplotlib.pyplot as plt
    world = make()
    fig = split_figure(world, seed=2)
    for ax, (train, valid) in zip(fig.axes, (world.random_split(seed=2), world.honest_split(seed=2)), strict=True):
        assert [len(c.get_offsets()) for c in ax.collections] == [len(train), len(valid), len(world.new_y)]
        assert ax.get_xlabel() and ax.get_ylabel() and 'validation set' in ax.get_title()
    plt.close(fig)


def test_gaps_as_a_table():
    each, mean = gaps(range(3), each=True), gaps(range(3))
    assert np.allclose(mean.new, each.groupby('world', sort=False).new.mean()) and list(mean.index) == list(WORLDS)
    assert np.allclose(mean.hopeful, mean.new/mean.random) and gaps([7], worlds='people').shape == (1, 4)


@pytest.mark.parametrize('act, says', [
    (lambda: random_split(10.), 'n=10.0'), (lambda: random_split(10, '20%'), "valid_pct='20%'"),
    (lambda: random_split(10, 1), 'valid_pct=1'), (lambda: time_split([]), 'no before'),
    (lambda: time_split([[1, 2]]), '(1, 2)'), (lambda: time_split([1, None]), 'missing'),
    (lambda: group_split([]), '0 group'),
    (lambda: group_split(5), 'shape ()'), (lambda: group_split([['a', 'b']]), '(1, 2)'),
    (lambda: group_split(['a', math.nan]), 'row 1'), (lambda: block_split([[1, 2, 3]]), '(1, 3)'),
    (lambda: block_split([['a', 'b']]), "'a'"), (lambda: squares([[1, 2]], -1), 'size=-1'),
    (lambda: predict_knn([1, 2], [1, 2], [[1]]), '(2,)'), (lambda: predict_knn([[1], [2]], [1, 2], [[1]], 0), 'k=0'),
    (lambda: predict_knn([['a']], [1], [[1]], 1), 'number'), (lambda: predict_knn([['1']], [1], [[1]], 1), "'1' at 0"),
    (lambda: predict_knn(np.empty((3, 0)), [1, 2, 3], np.empty((2, 0)), 1), 'x has no columns'),
    (lambda: predict_knn(np.array([['2020-01-01']], 'datetime64[D]'), [1], [[1]], 1), '2020-01-01'),
    (lambda: predict_knn(np.array([[5]], 'm8[D]'), [1], [[1]], 1), 'at 0'),
    (lambda: predict_knn(np.ma.array([[1., 2]], mask=[[0, 1]]), [1], [[1, 2]], 1), 'column 1 of x has a value'),
    (lambda: predict_knn([[1], [None]], [1, 2], [[1]], 1), 'column 0 of x has a value that is missing'),
    (lambda: predict_knn(pd.DataFrame(dict(a=[1], b=['z'])), [1], [[1, 2]], 1), "column 'b' of x"),
    (lambda: predict_knn([[1], [1, 2]], [1, 2], [[1]], 1), 'different lengths'),
    (lambda: time_split(pd.Series([pd.Timestamp('2024', tz='UTC'), None])), 'row 1 has no time'),
    (lambda: time_split([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1)]), 'cannot be compared'),
    (lambda: time_split([datetime.date(2024, 1, 1), 3]), 'cannot be compared'),
    (lambda: time_split(np.array([['2024']], 'M8[D]')), '(1, 1)'),
    (lambda: time_split(['2024-01-01']), "'2024-01-01' at 0"),
    (lambda: group_split([['a'], ['b', 'c']]), 'lists'), (lambda: group_split(iter('ab')), 'shape ()'),
    (lambda: gaps([1], worlds=[]), 'no worlds'),
    (lambda: predict_knn([[1]], [math.nan], [[1]], 1), 'missing'),
    (lambda: predict_knn([[math.nan]], [1], [[1]], 1), 'column 0 of x has'),
    (lambda: predict_knn([[1]], [1], [[math.inf]], 1), 'column 0 of new has'),
    (lambda: seasons(400.), 'n=400.0'), (lambda: seasons(n=10**6), 'n=1000000'),
    (lambda: seasons(memory=-1), 'memory=-1'),
    (lambda: people(rows=1000), 'rows=1000'), (lambda: people(seed=None), 'seed=None'),
    (lambda: neighbours(reach='far'), "reach='far'"), (lambda: hidden_gap(people), 'call it: people()'),
    (lambda: hidden_gap('people'), 'not a World'), (lambda: hidden_gap(people(), k=2.5), 'k=2.5'),
    (lambda: gaps(5), 'seeds=5'), (lambda: gaps([1.5]), 'seed=1.5'), (lambda: gaps(worlds='mars'), "'mars'"),
    (lambda: gaps([]), 'no seeds'), (lambda: split_figure(seasons), 'not a World'),
])
def test_mistakes_are_answered_in_words(act, says):
    with pytest.raises(ValueError) as e: act()
    assert says in str(e.value)
