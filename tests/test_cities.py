"""Cities on which a method can be judged: the truth holds in every shape of study, and chance alone stays at 5 %."""
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_lib.maths import cities, splits
from course_lib.maths.chance import chunk_rng
from course_lib.maths.cities import (
    COEFS,
    INPUTS,
    NOISE,
    SDS,
    alone,
    design_effect,
    draw_cities,
    effective_n,
    false_alarms,
    icc,
    p_without_relation,
    temperature_twice,
)
from course_lib.maths.regress import fit_line, least_squares, slope, t_p
from course_lib.maths.words import signed


@pytest.mark.parametrize('variable', INPUTS)
@pytest.mark.parametrize('size', [0, 1, 2])
def test_what_a_variable_shows_is_what_least_squares_finds(variable, size):
    beside = [k for k in INPUTS if k != variable][:size]
    form, many = alone(variable, beside), draw_cities(300_000, seed=size)
    fit = least_squares(many[[variable, *beside]], many.R)
    assert abs(fit.coefs[1] - form.slope) < 4.5*fit.se[1]
    assert fit.sigma == pytest.approx(form.noise, rel=.01)
    assert set(form.parts) == set(INPUTS) - {variable, *beside} and form.true == COEFS[variable]
    assert form.slope == pytest.approx(form.true + sum(add for *_, add in form.parts.values()))
    for k, (effect, along, add) in form.parts.items():
        assert f'{signed(abs(add), 4)} ({k}: {signed(along)} per unit, times {signed(effect)})' in form.message
        assert form.table().loc[k].tolist() == [effect, along, add] and effect == COEFS[k] != along


def test_the_sum_in_words():
    assert alone().message == ('temperature shows −0.0122 = −0.038 − 0.0072 (humidity: 0.3 per unit, times −0.024) '
                               '+ 0.033 (density: 0.11 per unit, times 0.3).')


@pytest.mark.parametrize('seed', range(5))
def test_the_sum_is_exact_in_each_sample(seed):
    df = draw_cities(20, seed=seed)
    fit = least_squares(df[list(INPUTS)], df.R)
    total = sum(b*slope(df.temperature, df[k]) for k, b in zip(INPUTS, fit.coefs[1:], strict=True))
    assert total == pytest.approx(fit_line(df.temperature, df.R).slope, rel=1e-9)


def test_the_usual_study_of_100_cities_misses_temperature_alone_and_finds_it_in_company():
    draws = temperature_twice(range(1000, 1300))
    assert (draws.p > .05).mean() > .65 and (draws.p_all < .001).mean() > .9
    assert abs(draws.slope.mean() - alone().slope) < 4*draws.slope.std()/math.sqrt(300)
    assert abs(draws.slope_all.mean() - COEFS['temperature']) < 4*draws.slope_all.std()/math.sqrt(300)
    held = ((draws.low_all <= COEFS['temperature']) & (COEFS['temperature'] <= draws.high_all)).sum()
    assert stats.binomtest(int(held), 300, .95).pvalue > .001


def test_in_clusters_the_interval_of_the_larger_model_is_too_narrow():
    draws = temperature_twice(range(150), clusters=10)
    assert ((draws.low_all <= COEFS['temperature']) & (COEFS['temperature'] <= draws.high_all)).mean() < .85
    # what is wrong is the interval, not the slope
    assert abs(draws.slope_all.mean() - COEFS['temperature']) < 4*draws.slope_all.std()/math.sqrt(150)


def test_without_a_relation_p_is_uniform():
    p = [fit_line(d.temperature, d.R).p for d in (draw_cities(30, seed=s, relation=False) for s in range(400))]
    assert stats.kstest(p, 'uniform').pvalue > .001


@pytest.mark.parametrize('by, clusters', [('region', 3), ('region', 10), ('region', 33), ('city', 100)])
def test_p_means_what_it_says_where_points_are_independent(by, clusters):
    assert stats.kstest(p_without_relation(4000, clusters=clusters, by=by, seed=5), 'uniform').pvalue > .001


@pytest.mark.parametrize('n, clusters', [(40, 4), (100, 10), (300, 30)])
def test_cities_of_a_region_counted_as_independent_raise_false_alarms(n, clusters):
    city, region = (false_alarms(3000, n, clusters, by=by) for by in ('city', 'region'))
    assert city > .25 and abs(region - .05) < .02


def test_p_of_one_study_is_that_of_a_line():
    region, rng = np.arange(12)*4//12, cities._rng(9, cities.FOR_STUDIES)
    x, y = (cities._clustered(rng, 1, region, share)[0] for share in (.8, .5))
    assert p_without_relation(1, 12, 4, seed=9)[0] == pytest.approx(fit_line(x, y).p)
    means = pd.DataFrame(dict(x=x, y=y)).groupby(region).mean()
    assert p_without_relation(1, 12, 4, by='region', seed=9)[0] == pytest.approx(fit_line(means.x, means.y).p)


def test_many_studies_are_drawn_a_few_at_a_time(monkeypatch):
    asked, drawn = [], cities._clustered
    monkeypatch.setattr(cities, '_clustered', lambda rng, b, *a: asked.append(b) or drawn(rng, b, *a))
    monkeypatch.setattr(cities, 'AT_A_TIME', 5000)
    p = p_without_relation(230, 100, 10)
    assert asked == [51, 51]*4 + [26, 26] and p.shape == (230,) and len(np.unique(p)) == 230


def test_alpha_and_seed():
    assert abs(false_alarms(4000, by='region', alpha=.2) - .2) < .03
    assert false_alarms(seed=1) == false_alarms(seed=1) != false_alarms(seed=2)


@pytest.mark.parametrize('sizes', [[2, 3, 9], [1, 1, 1, 6], [4, 4, 4]])
def test_icc_is_that_of_the_analysis_of_variance(sizes):
    rng = np.random.default_rng(1)
    parts = [rng.normal(rng.normal(), 1, k) for k in sizes]
    v, g = np.concatenate(parts), np.repeat(np.array(list('abcd'))[:len(sizes)], sizes)
    F = stats.f_oneway(*parts).statistic
    m = (sum(sizes) - sum(k*k for k in sizes)/sum(sizes))/(len(sizes) - 1)
    assert icc(v, g) == pytest.approx((F - 1)/(F - 1 + m))
    order = rng.permutation(len(v))
    assert icc(v[order], g[order]) == pytest.approx(icc(v, g))
    assert icc(list(v), list(g)) == icc(pd.Series(v), pd.Series(g))
    assert icc(1e6 + 3*v, g) == pytest.approx(icc(v, g)) and icc(v, g) < 1


@pytest.mark.parametrize('share', [.1, .5, .9])
def test_icc_finds_the_share_cities_were_drawn_with(share):
    df = draw_cities(30_000, clusters=3000, icc_x=share, icc_y=1 - share, relation=False)
    for k in INPUTS: assert icc(df[k], df.region) == pytest.approx(share, abs=.03)
    assert icc(df.R, df.region) == pytest.approx(1 - share, abs=.03)


@pytest.mark.parametrize('clusters', [None, 2, 7, 50])
def test_cities_stay_plausible(clusters):
    for seed in range(30):
        df = draw_cities(50, seed=seed, clusters=clusters, icc_x=.5)
        assert 20 < df.humidity.min() and df.humidity.max() < 100 and np.isfinite(df.to_numpy()).all()
        assert df.temperature.between(-35, 45).all() and df.density.between(-8, 6).all()
    if clusters: assert df.region.nunique() == clusters and np.ptp(df.region.value_counts()) <= 1


def test_one_region_alike_in_all_has_the_same_values():
    df = draw_cities(20, clusters=4, icc_x=1, icc_y=1)
    assert (df.groupby('region').nunique() == 1).all(axis=None)
    city, region = (p_without_relation(50, 20, 4, icc_x=1, icc_y=1, by=by) for by in ('city', 'region'))
    t = stats.t.isf(region/2, 2)  # the same correlation, of four points; by city it is taken for one of twenty
    assert city == pytest.approx(t_p(t*math.sqrt(18/2), 18), rel=1e-6, abs=1e-300) and (city < region).all()
    assert icc([1, 1, 2, 2], [0, 0, 1, 1]) == 1


def test_effective_cities_lie_between_regions_and_cities():
    assert effective_n(100, 10, 1, 1) == pytest.approx(10) and effective_n(100, 10, 0, 1) == 100
    assert effective_n(100, 10, .9, .2) == pytest.approx(100/2.62)
    assert effective_n(100, 10, 1, .5) == pytest.approx(100/5.5)
    counts = [effective_n(100, m, .6, .5) for m in (1, 2, 5, 20, 100)]
    assert counts == sorted(counts, reverse=True) and counts[0] == 100
    assert design_effect(7, .2, .4) == pytest.approx(design_effect(7, .4, .2)) == pytest.approx(1.48)


def test_truth_is_what_the_constants_say():
    big = draw_cities(400_000, seed=3)
    fit = least_squares(big[list(INPUTS)], big.R)
    assert np.all(np.abs(fit.coefs - list(COEFS.values())) < 4.5*fit.se) and fit.sigma == pytest.approx(NOISE, rel=.01)
    assert np.allclose(big[list(SDS)].std(), list(SDS.values()), rtol=.01)
    assert np.allclose(big[list(INPUTS)].cov(), cities.city_covariance(), atol=.4)


def normals(rng, n=400): return rng.standard_normal(n)


def test_no_other_module_draws_the_same_numbers_from_the_same_seed():
    "Data and the draws they are judged against must have nothing in common."
    warm = (draw_cities(400).temperature - 5)/5
    years = splits.seasons(400, drift=0, noise=1).y
    studies = cities._clustered(cities._rng(42, cities.FOR_STUDIES), 1, np.arange(400), 0)[0]
    for use in range(4):
        streams = [chunk_rng(42, use), splits._rng(42, use)]
        for other in streams: assert abs(np.corrcoef(warm, normals(other))[0, 1]) < .25
    own = normals(cities._rng(42, cities.FOR_STUDIES))
    for a, b in ((warm, years), (warm, studies), (warm, own), (studies, normals(chunk_rng(42, 0)))):
        assert abs(np.corrcoef(a, b)[0, 1]) < .25
    makers = (cities._rng, 2), (splits._rng, 4), (chunk_rng, 20)
    drawn = [normals(make(42, use)) for make, uses in makers for use in range(uses)]
    assert np.abs(np.triu(np.corrcoef(drawn), 1)).max() < .25
    assert abs(np.corrcoef(warm, normals(cities._rng(42, cities.FOR_CITIES)))[0, 1]) > .99  # so it could be seen


@pytest.mark.parametrize('act, says', [
    (lambda: draw_cities(relation='no'), "relation='no'"), (lambda: draw_cities(relation=None), 'relation=None'),
    (lambda: icc([1, 2, 3], 5), 'shape ()'), (lambda: icc([1, 2, 3], [[1], [2], [2]]), '(3, 1)'),
    (lambda: icc([1, 2], [[1], [1, 2]]), 'lists'), (lambda: temperature_twice([]), 'no seeds'),
    (lambda: draw_cities(seed=10**400), 'seed='), (lambda: design_effect(10**400, .1, .1), 'm='),
    (lambda: draw_cities(0), 'n=0'), (lambda: draw_cities(True), 'n=True'), (lambda: draw_cities('100'), "n='100'"),
    (lambda: draw_cities(10**10), 'n=10000000000'), (lambda: draw_cities(clusters=2.5), 'clusters=2.5'),
    (lambda: draw_cities(icc_x=math.nan), 'icc_x=nan'), (lambda: draw_cities(icc_y=-.1), 'icc_y=-0.1'),
    (lambda: alone('R'), 'temperature'), (lambda: alone('density', 'density'), 'twice'), (lambda: alone([]), 'input'),
    (lambda: icc([1, 2], [0, 0]), '1 groups'), (lambda: icc(['a', 1], [0, 0]), "'a' at 0"),
    (lambda: icc([1, 2, 3], [0, math.nan, 0]), 'row 1'), (lambda: icc([[1, 2]], [0]), '(1, 2)'),
    (lambda: design_effect(math.inf, .1, .1), 'm=inf'), (lambda: effective_n('a', 1, 0, 0), "n='a'"),
    (lambda: effective_n(10, 20, .5, .5), 'm=20'), (lambda: false_alarms(by=None), 'by=None'),
    (lambda: false_alarms(alpha=0), 'alpha=0'), (lambda: false_alarms(10**6, 10**4), 'too many'),
    (lambda: p_without_relation(5, 10, 2, by='region'), 'clusters=2'), (lambda: false_alarms(icc_y='1'), "icc_y='1'"),
])
def test_mistakes_are_answered_in_words(act, says):
    with pytest.raises(ValueError) as e: act()
    assert says in str(e.value)
