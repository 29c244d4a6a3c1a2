"""Draws without a relation: how quick, how much memory, how right; prints one line of JSON.

    python benchmarks/chance.py speed --rounds 9
    python benchmarks/chance.py million
    python benchmarks/chance.py right
    python benchmarks/chance.py drag --rounds 3

`speed` takes all sides in turn, round after round, in one thread, and counts the best processor time of each, so that
neither a busy machine nor a slow first call decides. The task is always the same: 10,000 slopes of 100 points without a
relation.

- `ours`, `permuted`: `NullSlopes`, both ways of taking the relation away; each draw is made anew.
- `loop`: `scipy.stats.linregress` on points from `numpy.random.normal`, set after set.
- `permutation_test`: scipy's, with the same number of resamples and a statistic that does all of them at once, against
  `permuted`. As called by default, and in batches of 1,000, which stay in the cache and are quicker.
- `numbers`: drawing the same random numbers (same generator, same precision, same chunks) and nothing else.

`million` draws 1,000,000 slopes in a process that does nothing else, and says the peak memory of that whole process.

`right` asks, over 2,000 generated studies without a relation (100 points, 999 draws each), whether p is uniform: the
p-value of a Kolmogorov-Smirnov test; and how often the simulated p is within two of its stated errors of the formula.
The regressions are compared with those of statsmodels, on 40 generated tables and on Longley's economy, whose columns
are nearly collinear; counted is the largest relative difference of any coefficient, standard error or p.

`drag` moves the slider of n in `PValueSimulator` with 2,000 draws from side to side, as widgets.py does. Frames are
those in which the histogram changed; the axis and the curve move in the browser. Beside them stands how often a second
draws came in for a new n.
"""
import argparse
import base64
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

THREADS = 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'
os.environ.update(dict.fromkeys(THREADS, '1'))   # before numpy is loaded

import numpy as np  # noqa: E402

from course_lib.maths.chance import CHUNK, NullSlopes, chunk_rng  # noqa: E402

N, DRAWS, MEAN, SD = 100, 10_000, (5, 1.9), (5, .5)
STUDIES, EACH = 2000, 999
SHOW = 'from course_lib.widgets.pvalue import PValueSimulator\nPValueSimulator(n=100, draws=2000)'
SLIDER, HEAP = '.cw-p-sliders input[type=range]', '.cw-p-left > .cw-p-frame canvas'   # n is the first of its sliders


def ours(null='gaussian', draws=DRAWS):
    made = NullSlopes(null=null)
    made.draw(draws)
    return made.p


def loop(draws=DRAWS):
    from scipy.stats import linregress
    rng = np.random.default_rng(42)
    return [linregress(rng.normal(MEAN[0], SD[0], N), rng.normal(MEAN[1], SD[1], N)).slope for _ in range(draws)]


def permutation_test(batch=None):
    from scipy.stats import permutation_test
    points = NullSlopes()
    dx = points.x - points.x.mean()
    def slope(y, axis): return (y*dx).sum(axis)/(dx@dx)
    return permutation_test((points.y,), slope, permutation_type='pairings', vectorized=True, n_resamples=DRAWS,
                            batch=batch).pvalue


def numbers():
    rows = CHUNK//(4*N)
    for chunk in range(-(-DRAWS//rows)):
        rng = chunk_rng(42, chunk)
        for _ in 'xy': rng.standard_normal((rows, N), np.float32)


SIDES = {'ours': ours, 'permuted': lambda: ours('permutation'), 'loop': loop, 'permutation_test': permutation_test,
         'batches': lambda: permutation_test(1000), 'numbers': numbers}


def speed(rounds):
    "The best processor time of each side, in seconds."
    spent = {name: [] for name in SIDES}
    for _ in range(rounds + 1):
        for name, side in SIDES.items():
            start = time.process_time()
            side()
            spent[name].append(time.process_time() - start)
    return {name: min(times[1:]) for name, times in spent.items()}   # the first round warms up


def peak_mb():
    "The most memory this process has held. Linux counts that of its parent in `ru_maxrss`, so it is asked elsewhere."
    status = Path('/proc/self/status')
    if status.exists():
        return int(next(s for s in status.read_text().splitlines() if s.startswith('VmHWM')).split()[1])/2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/(2**20 if sys.platform == 'darwin' else 2**10)


def million():
    start = time.process_time()
    p = ours(draws=1_000_000)
    return {'seconds': time.process_time() - start, 'peak_mb': peak_mb(), 'p': p}


def uniform(null):
    "p of uniformity over studies without a relation, and the share of p within two errors of the formula."
    from scipy.stats import kstest
    rng, ps, near = np.random.default_rng(0), [], []
    for seed in range(STUDIES):
        study = NullSlopes(rng.normal(MEAN[0], SD[0], N), rng.normal(MEAN[1], SD[1], N), null=null, seed=seed)
        study.draw(EACH)
        ps.append(study.p)
        near.append(abs(study.p - study.p_analytic) <= 2*study.p_error)
    return float(kstest(ps, 'uniform').pvalue), float(np.mean(near))


def table(seed):
    "10 to 1,000 rows of one to six columns, related to each other, in units from 0.1 to 100, and y."
    rng = np.random.default_rng(seed)
    n, k = int(10**rng.uniform(1, 3)), int(rng.integers(1, 7))
    X = rng.normal(size=(n, k))@rng.normal(size=(k, k)) + rng.normal(0, 3, k)
    return X*10**rng.uniform(-1, 2, k), rng.normal(5) + X@rng.normal(0, .2, k) + rng.normal(size=n)


def furthest(X, y):
    "The largest relative difference from statsmodels."
    import statsmodels.api as sm

    from course_lib.maths.regress import least_squares
    mine, theirs = least_squares(X, y), sm.OLS(y, sm.add_constant(X)).fit()
    pairs = (mine.coefs, theirs.params), (mine.se, theirs.bse), (mine.p, theirs.pvalues)
    return max(float(np.abs(a/b - 1).max()) for a, b in pairs)


def right():
    from statsmodels.datasets import longley
    known = longley.load_pandas()
    tests = {null: uniform(null) for null in ('gaussian', 'permutation')}
    return {'uniform': {k: v[0] for k, v in tests.items()}, 'near': {k: v[1] for k, v in tests.items()},
            'tables': max(furthest(*table(seed)) for seed in range(40)),
            'longley': furthest(known.exog.to_numpy(float), known.endog.to_numpy(float))}


class Answers:
    "When Python's answers with new draws come in at the page, by the browser's clock."
    def __init__(self, page):
        self.at, self.session = [], page.context.new_cdp_session(page)
        self.session.on('Network.webSocketFrameReceived', self.note)
        self.session.send('Network.enable')

    def note(self, event):
        data = event['response']['payloadData']
        if event['response']['opcode'] == 2: data = base64.b64decode(data).decode(errors='replace')
        if '"moving": true' in data and '"bars"' in data: self.at.append(event['timestamp'])

    def a_second(self):
        "How often a second they came since the last time this was asked."
        at, self.at = self.at, []
        return (len(at) - 1)/(at[-1] - at[0]) if len(at) > 1 else 0.


def drag(rounds):
    "The median of each number over the rounds."
    import widgets
    for name in THREADS: os.environ.pop(name)   # the kernel of a learner has all of them
    side = widgets.Side('PValueSimulator', SHOW, SLIDER, SLIDER, HEAP)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        widgets.write(Path(folder)/'PValueSimulator.ipynb', 'None', side.code)
        server, browser = stack.enter_context(widgets.lab.LabServer(folder)), stack.enter_context(widgets.watching())
        page = widgets.ready(server, browser, side)
        answers = Answers(page.page)
        runs = [widgets.drag(page, side) | {'new/s': answers.a_second()} for _ in range(rounds)]
    return {k: statistics.median(r[k] for r in runs) for k in runs[0]}


def main():
    parts = {'speed': speed, 'million': lambda _: million(), 'right': lambda _: right(), 'drag': drag}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=parts)
    parser.add_argument('--rounds', type=int, default=9, help='how often each side is timed')
    args = parser.parse_args()
    print(json.dumps(parts[args.what](args.rounds)))


if __name__ == '__main__':
    main()
