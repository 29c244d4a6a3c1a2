"""Draws without a relation: is p right, are draws the same asked for in another way, what do faults leave?"""
import pickle
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_lib.maths import chance
from course_lib.maths.chance import NullCorrelations, NullMeans, NullSlopes
from course_lib.maths.regress import fit_line

KINDS = [NullSlopes, NullCorrelations, NullMeans]
NULLS = ['gaussian', 'permutation']


def drawn(null, b):
    null.draw(b)
    return null


@pytest.mark.parametrize('null, tail', [('gaussian', 'two'), ('permutation', 'two'), ('permutation', 'less')])
def test_p_is_uniform_over_studies_without_a_relation(null, tail):
    rng, p = np.random.default_rng(11), []
    for i in range(2000):
        x, y = rng.normal(5, 5, 20), rng.normal(1.9, .5, 20)
        p.append(drawn(NullSlopes(x, y, null=null, tail=tail, seed=i), 499).p)
    assert stats.kstest(p, 'uniform').pvalue > .01


@pytest.mark.parametrize('null', NULLS)
def test_p_of_means_is_uniform_in_small_groups_of_unequal_size(null):
    rng = np.random.default_rng(5)
    p = [drawn(NullMeans(*np.split(rng.exponential(size=12) if null == 'permutation' else rng.normal(size=12), [4]),
                         null=null, seed=i), 499).p for i in range(2000)]
    assert stats.kstest(p, 'uniform').pvalue > .01


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('tail', ['two', 'less', 'greater'])
@pytest.mark.parametrize('n', [4, 30, 1000])
def test_simulation_and_formula_agree(kind, tail, n):
    null = kind(tail=tail, **({'sizes': (n//2, n - n//2)} if kind is NullMeans else {'n': n}))
    null.draw(8000 if n == 1000 else 40_000)
    assert abs(null.p - null.p_analytic) <= 4*null.p_error + 2/null.count


@pytest.mark.parametrize('extreme, count', [(0, 50), (50, 50), (1, 1), (999, 1000)])
def test_p_is_never_without_an_error(extreme, count):
    p, error = chance.p_of(extreme, count)
    assert p == (extreme + 1)/(count + 1) and error > 0
    assert error == pytest.approx(np.sqrt((extreme + 1)/(count + 2)*(count - extreme + 1)/(count + 2)/count))


@pytest.mark.parametrize('n', [4, 5, 12, 200])
def test_the_interval_of_a_correlation_is_fishers(n):
    x, y = np.random.default_rng(n).normal(size=(2, n))
    low, high = stats.pearsonr(x, y).confidence_interval()
    assert NullCorrelations(x, y).interval == pytest.approx((low, high), rel=1e-9)


def test_what_is_said_has_a_proper_minus_and_no_nought():
    said = drawn(NullSlopes(slope=-.09), 50).message
    assert '−0.09' in said and '-' not in said and 'by formula 0 ' not in said and '× 10' in said


@pytest.mark.parametrize('bad', [10**400, np.complex128(1), np.timedelta64(1, 'D'), np.True_, '1', None])
def test_what_is_no_number_is_named(bad):
    for act in (lambda: NullSlopes(slope=bad), lambda: NullSlopes(sd=(5, bad)), lambda: NullMeans(difference=bad),
                lambda: NullCorrelations(correlation=bad), lambda: NullSlopes(mean=(bad, 1))):
        with pytest.raises(ValueError, match='slope=|sd=|difference=|correlation=|mean='): act()


def test_three_points_follow_the_formula_too():
    null = drawn(NullSlopes(n=3), 100_000)
    assert abs(null.p - null.p_analytic) < 4*null.p_error and np.abs(null.draws).max() <= null.unit


@pytest.mark.parametrize('null', NULLS)
@pytest.mark.parametrize('kind', KINDS)
def test_a_scatter_is_the_data_of_its_draw(kind, null):
    made = drawn(kind(null=null), 1500)
    for k in (0, 1, 654, 655, 1499):
        x, y = made.scatter(k)
        found = fit_line(x, y).r*made.unit
        assert abs(found - made.draws[k]) < 2e-7*made.unit
        assert np.array_equal(np.stack(made.scatter(k)), np.stack((x, y)))
        if null == 'permutation': assert np.array_equal(np.sort(y), np.sort(made.y)) and np.array_equal(x, made.x)


@pytest.mark.parametrize('null', NULLS)
def test_draws_do_not_depend_on_how_they_are_asked_for(null):
    once, often = drawn(NullSlopes(null=null), 1111), NullSlopes(null=null)
    for b in (1, 1, 9, 100, 1000): often.draw(b)
    assert np.array_equal(once.draws, often.draws) and once.p == often.p
    assert not np.array_equal(once.draws, drawn(NullSlopes(null=null, seed=43), 1111).draws)


def test_neighbouring_seeds_and_chunks_share_nothing():
    draws = np.concatenate([drawn(NullSlopes(seed=s), 3000).draws for s in range(4)])
    assert len(np.unique(draws)) > 11_900 and abs(np.corrcoef(draws[:3000], draws[3000:6000])[0, 1]) < .08


def test_two_threads_get_the_same_draws():
    nulls = [NullSlopes() for _ in range(4)]
    threads = [threading.Thread(target=n.draw, args=(5000,)) for n in nulls]
    for t in threads: t.start()
    for t in threads: t.join()
    assert all(np.array_equal(n.draws, nulls[0].draws) for n in nulls) and nulls[0].count == 5000


def test_an_interrupted_draw_leaves_what_was_there(monkeypatch):
    null, seen, whole = drawn(NullSlopes(), 10), [], chance.correlations
    before = null.draws
    def stop(x, y):
        seen.append(1)
        if len(seen) == 3: raise KeyboardInterrupt
        return whole(x, y)
    monkeypatch.setattr(chance, 'correlations', stop)
    with pytest.raises(KeyboardInterrupt): null.draw(10_000)
    assert null.count == 10 and np.array_equal(null.draws, before)
    null.draw(4990)
    assert np.array_equal(null.draws, drawn(NullSlopes(), 5000).draws)


def test_memory_stays_bounded():
    tracemalloc.start()
    drawn(NullSlopes(n=1000), 20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # all the data at once would be 160 MB


def test_large_n_keeps_its_digits():
    null = drawn(NullSlopes(n=2_000_000, slope=-.0001), 3)
    assert fit_line(*null.scatter(2)).slope == pytest.approx(null.draws[2], abs=1e-6*null.unit/1400)


def test_what_is_handed_out_can_be_changed_without_harm():
    x, y = np.arange(10.), np.arange(10.)**2 % 7
    null = drawn(NullSlopes(x, y, null='permutation'), 100)
    p, k = null.p, null.scatter(5)[1].copy()
    x[:], y[:], null.draws[:], null.scatter(5)[1][:] = 0, 0, 0, 0
    with pytest.raises(ValueError, match='read-only'): null.y[0] = 5
    assert null.p == p and np.array_equal(null.scatter(5)[1], k) and null.y[2] == 4


def test_columns_of_a_table():
    table = pd.DataFrame(dict(T=[1., 4, 2, 8, 5], R=[3, 1, 4, 1, 5], where=list('abcde')))
    null = drawn(NullSlopes(table['T'], table.R), 1000)
    assert null.observed == pytest.approx(fit_line(table['T'], table.R).slope) and null.n == 5
    with pytest.raises(ValueError, match="holds 'a' at 0"): NullSlopes(table['T'], table['where'])
    with pytest.raises(ValueError, match="holds 'a' at 0"): NullMeans(table['where'], table.R)


def test_a_slope_of_zero_and_a_perfect_line():
    flat = drawn(NullSlopes(slope=0), 1000)
    assert flat.p == 1 and flat.p_analytic == 1 and drawn(NullSlopes(slope=0, tail='less'), 1000).p < .6
    line = drawn(NullSlopes(slope=.1), 1000)
    assert line.p == 1/1001 and line.p_analytic == 0 and line.interval == (pytest.approx(.1), pytest.approx(.1))
    data = drawn(NullSlopes([1, 2, 3, 4], [2, 4, 6, 8], null='permutation'), 5000)
    assert abs(data.p - 2/24) < 4*data.p_error  # two of the 24 orders are on a line


@pytest.mark.parametrize('unit', [1e-60, 1e60])
def test_units_do_not_matter(unit):
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    for null in NULLS:
        one, other = (drawn(NullSlopes(x*u, y/u, null=null), 2000) for u in (1, unit))
        assert one.extreme == other.extreme and one.p_analytic == pytest.approx(other.p_analytic)


def test_with_changes_one_thing_and_starts_anew():
    null = drawn(NullSlopes(n=50, slope=-.03, mean=(1, 2), sd=(3, .4), null='permutation', tail='less', seed=7), 10)
    other = null.with_(n=60)
    assert (other.n, other.observed, other.mean, other.sd) == (60, -.03, (1, 2), (3, .4))
    assert (other.null, other.tail, other.seed, other.count, null.count) == ('permutation', 'less', 7, 0, 10)
    fresh = NullSlopes(n=60, slope=-.03, mean=(1, 2), sd=(3, .4), null='permutation', tail='less', seed=7)
    assert np.array_equal(drawn(other, 500).draws, drawn(fresh, 500).draws)


@pytest.mark.parametrize('change', [dict(slope=-.05), dict(sd=(2, .5)), dict(mean=(0, 0)), dict(tail='less'),
                                    dict(n=99), dict(null='permutation'), dict(seed=1)])
@pytest.mark.parametrize('null', NULLS)
def test_kept_draws_are_those_that_would_be_drawn(change, null):
    start = drawn(NullSlopes(null=null), 2000)
    kept, fresh = drawn(start.with_(**change), 2000), drawn(NullSlopes(**dict(null=null) | change), 2000)
    assert np.array_equal(kept.draws, fresh.draws) and kept.p == fresh.p
    assert np.array_equal(np.stack(kept.scatter(1999)), np.stack(fresh.scatter(1999)))


@pytest.mark.parametrize('kind', KINDS)
def test_the_histogram_holds_every_draw_and_the_observed_value(kind):
    null = drawn(kind(n=5) if kind is not NullMeans else kind(sizes=(2, 3)), 3000)
    counts, edges = null.histogram(30)
    assert counts.sum() == 3000 and edges[0] < min(null.observed, null.draws.min()) and edges[-1] > null.draws.max()
    i = null.nearest((edges[3] + edges[4])/2)
    assert abs(null.draws[i] - (edges[3] + edges[4])/2) == np.abs(null.draws - (edges[3] + edges[4])/2).min()


def test_too_many_draws_are_refused_and_none_added():
    null = drawn(NullSlopes(n=3), 10)
    for b in (0, -1, 1.5, '10', None, True, 10_000_000, 10**30):
        with pytest.raises(ValueError, match='draws'): null.draw(b)
    assert null.count == 10


def test_a_null_can_be_stored():
    null = drawn(NullSlopes(), 700)
    again = pickle.loads(pickle.dumps(null))
    again.draw(700)
    null.draw(700)
    assert np.array_equal(again.draws, null.draws)
