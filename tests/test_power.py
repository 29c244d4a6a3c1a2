"""Power, lucky finds and the opposite null: formulas against drawn studies, other libraries and what was published."""
import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from course_lib.maths.chance import CHUNK, NullSlopes, chunk_rng
from course_lib.maths.power import (
    FOR_STUDIES,
    Rejection,
    counted,
    design,
    draw_studies,
    points_needed,
    power,
    reject_slope,
    slope_se,
    type_m,
    type_s,
    verdict,
)
from course_lib.maths.regress import fit_line

BOTH = power, type_s, type_m
RNG = np.random.default_rng(17)
X = RNG.normal(5, 5, 100)
Y = 2 - .023*X + RNG.normal(0, .49, 100)


@pytest.mark.parametrize('df', [1, 1.5, 3, 28, 998, 1e5])
@pytest.mark.parametrize('effect', [0, .03, 1, 2.3, 5])
@pytest.mark.parametrize('alpha', [.9, .05, 1e-3])
def test_power_is_that_of_the_noncentral_t(df, effect, alpha):
    c = stats.t.isf(alpha/2, df)
    right, wrong = stats.nct.sf(c, df, effect), np.nan_to_num(stats.nct.cdf(-c, df, effect))  # nan: next to nothing
    assert power(effect, 1, df, alpha) == pytest.approx(right + wrong, rel=1e-8)
    assert type_s(effect, 1, df, alpha) == pytest.approx(wrong/(right + wrong), rel=1e-6, abs=1e-11)


@pytest.mark.parametrize('effect', [.01, .5, 1.96, 4, 20])
@pytest.mark.parametrize('alpha', [.2, .05, 1e-6])
def test_known_standard_error_has_a_closed_form(effect, alpha):
    c, z = stats.norm.isf(alpha/2), stats.norm
    share = z.cdf(effect - c) + z.cdf(-effect - c)
    size = z.pdf(effect + c) + z.pdf(effect - c) + effect*(z.cdf(effect + c) + z.cdf(effect - c) - 1)
    found = [f(3*effect, 3, alpha=alpha) for f in BOTH]
    assert found == pytest.approx([share, z.cdf(-effect - c)/share, size/share/effect], rel=1e-7)


@pytest.mark.parametrize('df', [1, 4, 28])
def test_exaggeration_is_the_integral_over_all_estimates(df):
    from scipy.integrate import quad
    effect, c = 1.3, stats.t.isf(.025, df)
    def size(s, z=stats.norm):
        return effect*(z.cdf(effect - c*s) - z.cdf(-effect - c*s)) + z.pdf(effect - c*s) + z.pdf(effect + c*s)
    whole = quad(lambda s: size(s)*stats.chi.pdf(s, df, scale=1/math.sqrt(df)), 0, 8, epsabs=1e-12, limit=200)[0]
    assert type_m(effect, 1, df) == pytest.approx(whole/power(effect, 1, df)/effect, rel=1e-8)


def test_published_figures():
    "Gelman and Carlin (2014): beauty and sex ratio, menstrual cycle and vote; the magnitudes are theirs by simulation."
    assert [round(f(.1, 3.28), 2) for f in (power, type_s)] == [.05, .46] and round(type_m(.1, 3.28)) == 77
    assert [round(f(2, 8.1), 2) for f in (power, type_s)] == [.06, .24] and type_m(2, 8.1) == pytest.approx(9.7, abs=.2)


def test_cohens_table():
    "Cohen (1988): two groups of 64 find half a standard deviation four times in five."
    assert power(.5, math.sqrt(2/64), 126) == pytest.approx(.80, abs=.005)
    assert power(.5, math.sqrt(2/63), 124) < .8 < power(.5, math.sqrt(2/64), 126)


@pytest.mark.parametrize('df', [1, 2, 50, 1e4, 1e7, 1e12, math.inf])
def test_limits(df):
    for alpha in (.05, 1e-12):
        assert power(0, 1, df, alpha) == pytest.approx(alpha, rel=1e-6)
        assert type_s(0, 1, df, alpha) == pytest.approx(.5) and type_m(0, 1, df, alpha) == math.inf
    assert power(1e300, 1e-300, df) == pytest.approx(1) and type_s(200, 1, df) < 1e-12
    assert type_m(1e6, 1, df) == pytest.approx(1)
    assert type_s(1e-9, 1, df) == pytest.approx(.5, abs=1e-7) and type_m(1e-9, 1, df) > 1e8


def test_all_move_one_way_with_the_effect():
    for df in (1, 10, math.inf):
        p, s, m = ([f(e, 1, df) for e in np.linspace(.1, 6, 60)] for f in BOTH)
        assert (np.diff(p) > 0).all() and (np.diff(s) < 0).all() and (np.diff(m) < 0).all() and min(m) >= 1
        assert all(f(-2.3, 1, df) == f(2.3, 1, df) == pytest.approx(f(4.6, 2, df)) for f in BOTH)


@pytest.mark.parametrize('n', [3, 4, 12, 100])
@pytest.mark.parametrize('slope', [-.023, .06])
def test_drawn_studies_agree_with_the_formulas(n, slope, k=40_000):
    studies = draw_studies(k, n, slope, seed=5)
    seen, said = counted(studies), design(n, slope, 5, .49)
    found = k*said.power
    sizes = np.abs(studies.slopes[studies.found()])/abs(slope)
    assert seen.power == pytest.approx(said.power, abs=4*math.sqrt(said.power*(1 - said.power)/k) + 1e-9)
    assert seen.type_s == pytest.approx(said.type_s, abs=4*math.sqrt(said.type_s/found) + 1/found)
    assert seen.type_m == pytest.approx(said.type_m, abs=4*sizes.std()/math.sqrt(found))
    assert (seen.df, seen.n, seen.slope) == (said.df, said.n, said.slope)
    assert seen.se == pytest.approx(said.se, rel=4/math.sqrt(2*k))


@pytest.mark.parametrize('n', [3, 5, 40])
def test_drawn_p_is_uniform_without_a_relation(n):
    s = draw_studies(4000, n, 0, seed=2)
    assert stats.kstest(s.p, 'uniform').pvalue > .01
    assert stats.kstest(s.slopes/slope_se(n, 5, .49), 'norm').pvalue > .01
    assert stats.kstest((n - 2)*(s.se/slope_se(n, 5, .49))**2, 'chi2', (n - 2,)).pvalue > .01
    assert abs(stats.spearmanr(s.slopes, s.se).statistic) < 4/math.sqrt(4000)


def test_studies_depend_on_the_seed_and_not_on_how_many():
    many, few = draw_studies(2000, 50, .1), draw_studies(7, 50, .1)
    assert all(np.array_equal(getattr(many, k)[:7], getattr(few, k)) for k in ('slopes', 'se', 'p'))
    other = draw_studies(2000, 50, .1, seed=1)
    assert len(np.unique(many.slopes)) == 2000 and not np.isin(other.slopes, many.slopes).any()
    shifted = draw_studies(7, 50, 3, sd_x=10, noise=.98)
    assert np.allclose(shifted.slopes - 3, few.slopes - .1) and np.allclose(shifted.se, few.se)
    assert many.table().found.sum() == many.found().sum() and repr(few) == 'Studies(7 of 50 points, true slope 0.1)'


def test_memory_of_many_studies_stays_bounded():
    draw_studies(10, 1000, 1)
    tracemalloc.start()
    draw_studies(20_000, 1000, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # all the data at once would be 320 MB


def test_counts_where_nothing_is_found():
    seen = counted(draw_studies(1, 10, .001), 1e-6)
    assert seen.power == 0 and math.isnan(seen.type_s) and math.isnan(seen.type_m)
    assert seen.message == 'Of studies with 10 points, 0 % are significant: none of them finds the slope of 0.001.'


def test_messages_say_the_numbers():
    assert design(100, -.023, 5, .49).message == (
        'Of studies with 100 points, 64 % are significant where the true slope is −0.023. On average their slope is '
        '1.25 times the true one, and 1 in 66,000 has the wrong sign.')
    assert 'none has the wrong sign' in design(3000, -.023, 5, .49).message
    assert design(3, -.0046, 5, .49).message.endswith(', and 46 % have the wrong sign.')  # and not "1 in 2"
    sure = design(1000, -.023, 5, .49)
    assert .9999 < sure.power < 1 and 'above 99.99 % are significant' in sure.message
    assert design(30, 0, 5, .49).message.endswith('though there is no relation, as many in each direction.')


@pytest.mark.parametrize('slope, sd_x, noise, share, alpha', [
    (-.023, 5, .49, .8, .05), (.3, 1, 1, .9, .05), (.3, 1, 1, .5, .001), (2, 1, 1, .8, .05), (-.001, 5, .49, .8, .05)])
def test_the_points_needed_are_the_fewest(slope, sd_x, noise, share, alpha):
    n = points_needed(slope, sd_x, noise, share, alpha)
    assert design(n, slope, sd_x, noise, alpha).power >= share > design(n - 1, slope, sd_x, noise, alpha).power
    if 10 < n < 5000:   # where one point more or less changes little, and drawing is quick
        assert counted(draw_studies(2000, n, slope, sd_x, noise), alpha).power == pytest.approx(share, abs=.06)


def test_a_steep_slope_needs_three_points():
    assert points_needed(1e6, 1, 1) == 3
    with pytest.raises(ValueError, match='more than 10,000,000 points would be needed for a slope of 1e−09'):
        points_needed(1e-9, 1, 1)


@pytest.mark.parametrize('at_least', [-.001, -.02, -.05, .01])
def test_p_of_the_opposite_null_is_that_of_data_with_the_size_taken_off(at_least):
    r = reject_slope(X, Y, at_least)
    side = 'greater' if at_least < 0 else 'less'
    assert r.p == pytest.approx(stats.linregress(X, Y - at_least*X, alternative=side).pvalue, rel=1e-8)
    line = fit_line(X, Y)
    assert (r.slope, r.low, r.high, r.n, r.at_least) == (line.slope, line.low, line.high, 100, at_least)
    assert (r.p < .025) == (r.verdict in ('smaller relation', 'no such relation'))
    assert (fit_line(X, Y).p < .05 and line.slope*at_least > 0) == (r.verdict in ('relation', 'smaller relation'))


@pytest.mark.parametrize('slope, n, at_least, expected', [
    (-.023, 100, -.03, 'relation'), (-.023, 100, -.05, 'smaller relation'), (-.01, 100, -.023, 'not enough data'),
    (0, 1000, -.023, 'no such relation'), (.023, 100, -.023, 'no such relation'), (.023, 100, .03, 'relation'),
    (.023, 100, .05, 'smaller relation')])
def test_verdicts_on_data_with_a_given_slope(slope, n, at_least, expected):
    data = NullSlopes(n=n, slope=slope)
    r = reject_slope(data.x, data.y, at_least)
    head = 'A relation, but the other way: ' if slope*at_least < 0 else f'{expected.capitalize()}: '
    assert r.verdict == expected and r.message.startswith(head) and repr(r) == r.message
    mirror = reject_slope(data.x, -data.y, -at_least)
    assert (mirror.verdict, mirror.p) == (expected, pytest.approx(r.p))


def test_a_wider_interval_rules_out_less():
    data = NullSlopes()
    assert [reject_slope(data.x, data.y, -.05, level).verdict for level in (.5, .95, .99, .99999)] == [
        'smaller relation', 'smaller relation', 'no such relation', 'not enough data']
    said = reject_slope(data.x, data.y, -.05, .99).message
    assert '(99 %)' in said and 'below 0.005 rules −0.05 out' in said and '-' not in said


def test_three_points_hardly_ever_say_anything():
    rng = np.random.default_rng(8)
    said = [reject_slope(x, -.023*x + rng.normal(0, .49, 3), -.023) for x in rng.normal(5, 5, (400, 3))]
    unsaid = [r for r in said if r.verdict == 'not enough data']
    assert len(unsaid) > .88*400 and all('3 points are not enough data' in r.message for r in unsaid)


def test_a_size_at_the_end_of_the_interval():
    assert verdict(-.02, -.01, -.02) == 'relation' and verdict(-.02, 0, -.03) == 'no such relation'
    assert verdict(-math.inf, math.inf, 1) == 'not enough data'
    line = reject_slope([0, 1, 2, 3], [0, 2, 4, 6], 1)   # no noise at all
    assert isinstance(line, Rejection) and line.verdict == 'relation' and line.p == 1
    assert reject_slope([0, 1, 2, 3], [0, 2, 4, 6], 5).verdict == 'smaller relation'


@pytest.mark.parametrize('sign', [1, -1])
def test_a_size_that_is_found_exactly_is_not_ruled_out(sign):
    found = reject_slope([0, 1, 2, 3], [0, sign, 2*sign, 3*sign], sign)   # no noise at all
    assert (found.verdict, found.p) == ('relation', .5)


def test_a_relation_the_other_way_is_not_said_to_be_none():
    data = NullSlopes(slope=.05)
    other, none = reject_slope(data.x, data.y, -.023), reject_slope(data.x, NullSlopes(slope=.0).y, -.023)
    assert other.verdict == none.verdict == 'no such relation'
    assert other.message.startswith('A relation, but the other way: the slope is 0.05')
    assert none.message.startswith('No such relation') and 'o such relation' not in other.message
    assert 'hardly have given these data' in other.message
    mirror = reject_slope(data.x, -data.y, .023)
    assert mirror.message.startswith('A relation, but the other way')


def test_studies_and_draws_without_a_relation_do_not_share_their_random_numbers():
    def first(use):
        x, e = chunk_rng(42, 0, use).standard_normal((2, CHUNK//240, 30))[:, 0]
        return fit_line(5*(x - x.mean())/x.std(ddof=1), .49*e).slope
    drawn = draw_studies(1, 30, 0).slopes[0]
    assert drawn == pytest.approx(first(FOR_STUDIES)) and abs(drawn - first(None)) > 1e-6


def test_too_many_numbers_are_refused_before_any_is_drawn():
    tracemalloc.start()
    with pytest.raises(ValueError, match='too many'): draw_studies(1_000_000, 10_000_000, .1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize('f, args, says', [
    (slope_se, (2, 5, .49), 'n=2'), (slope_se, (10**8, 5, .49), 'n=100000000'), (slope_se, ('5', 5, 1), "n='5'"),
    (slope_se, (9, 0, 1), 'sd_x=0'), (slope_se, (9, 1, math.nan), 'noise=nan'), (slope_se, (True, 1, 1), 'n=True'),
    (power, (None, 1), 'effect=None'), (power, (1, -1), 'se=-1'), (type_s, (1, 1, .5), 'df=0.5'),
    (type_s, (1, 1, math.nan), 'df=nan'), (type_m, (1, 1, 5, 1.0), 'alpha=1'),
    (type_m, (1, 1, 5, 1e-13), 'alpha=1e-13'),
    (power, (1, 1, 5, '5%'), "alpha='5%'"), (power, (1, 1, '5'), "df='5'"),
    (power, (np.complex128(1), 1), 'effect='), (power, (np.timedelta64(5, 'D'), 1), 'effect='),
    (power, (1, np.True_), 'se='), (design, (9, 10**400, 1, 1), 'slope=1000'), (slope_se, (9, 10**400, 1), 'sd_x=1000'),
    (design, (3, math.inf, 1, 1), 'slope=inf'), (design, (2, 1, 1, 1), 'n=2'),
    (draw_studies, (10**7, 30, 1), 'studies=10000000'), (draw_studies, (10, 2, 1), 'n=2'),
    (draw_studies, (10, 30, 'x'), "slope='x'"), (draw_studies, (1, 30, 1, 5, 1, .5), 'seed=0.5'),
    (points_needed, (0, 1, 1), 'for a slope of 0'), (points_needed, (1, 1, 1, .01), 'power=0.01 must be above alpha'),
    (points_needed, (1, 1, 1, 1), 'power=1'),
    (reject_slope, (X, Y[:5], 1), '100 values and y has 5'), (reject_slope, (X, Y, math.nan), 'at_least=nan'),
    (reject_slope, (X, Y, 0), 'with its sign'), (reject_slope, (X[:2], Y[:2], 1), '2 points are too few'),
    (reject_slope, (0*X, Y, 1), 'no spread in x'), (reject_slope, (X, 0*Y, 1), 'no spread in y'),
    (reject_slope, (X, ['warm']*100, 1), "'warm' at 0"), (reject_slope, (X, Y, 1, 95), 'level=95')])
def test_bad_input_is_named(f, args, says):
    with pytest.raises(ValueError) as e: f(*args)
    assert says in str(e.value)
