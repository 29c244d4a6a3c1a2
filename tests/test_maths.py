"""Faults of the maths objects: threads, interrupts, functions that change their input, values out of all bounds."""

import threading
from functools import partial

import numpy as np
import pytest
import torch

from course_lib.maths.descent import DataLoss, descend, diverging_lr
from course_lib.maths.fit import Fit, FunctionError
from course_lib.maths.functions import add_noise, mae, mk_quad, mse, quad
from course_lib.maths.relus import ReLUFit

X = torch.linspace(-2, 2, 20)
Y = add_noise(mk_quad(3, 2, 1)(X), .15, 1.5, seed=42)


def make(**kw): return Fit(quad, X, Y, **dict(a=(-5, 5, 1.5), b=(-5, 5, 1.5), c=(-5, 5, 1.5)) | kw)


def test_ten_thousand_steps_end_at_the_least_squares_solution():
    loss = DataLoss(lambda x, p: quad(p[0], p[1], p[2], x), X, Y)
    trace = descend(loss, torch.full((3,), 1.5), .1, 10_000)
    best = torch.linalg.lstsq(torch.stack([X**2, X, torch.ones(20)], 1), Y).solution
    assert len(trace) == 10_000 and torch.allclose(trace.final, best, atol=1e-3)


@pytest.mark.parametrize('momentum', [0., .3, .9])
def test_the_computed_limit_divides_good_rates_from_bad(momentum):
    fit = make()
    limit = diverging_lr(fit.loss_at, fit.start, momentum)
    assert descend(fit.loss_at, fit.start, .97*limit, 3000, momentum).diverged is None
    assert descend(fit.loss_at, fit.start, 1.03*limit, 3000, momentum).diverged


def test_descent_in_a_thread_where_gradients_were_switched_off():
    found = []
    def work():
        with torch.no_grad(): found.extend([make().run(.05, 50).losses[-1], ReLUFit(2, X, Y).train(50).losses[-1]])
    t = threading.Thread(target=work)
    t.start()
    t.join()
    assert len(found) == 2 and found[0] < make().loss and found[1] < ReLUFit(2, X, Y).loss


def test_a_function_that_changes_its_input_does_not_change_the_data():
    def rude(x, a):
        x *= a
        return x
    fit = Fit(rude, X, Y, a=(-5, 5, 2.))
    assert torch.equal(fit.x, X) and fit.loss == fit.loss and torch.equal(fit.predict(), 2*X)


def test_what_is_handed_out_can_be_changed_without_harm():
    fit = make()
    fit.params.zero_()
    fit.moves.clear()
    fit.values['a'] = 9
    assert fit.values == dict(a=1.5, b=1.5, c=1.5) and fit.n_moves == 0 and len(fit.moves) == 1


def test_an_interrupted_run_leaves_the_fit_as_it_was():
    calls = []
    def f(x, a):
        calls.append(1)
        if len(calls) > 30: raise KeyboardInterrupt
        return a*x
    fit = Fit(f, X, Y, a=(-5, 5, 1.))
    with pytest.raises(KeyboardInterrupt): fit.run(.01, 1000)
    assert fit.n_moves == 0 and fit.values == dict(a=1.)


def test_undo_all_the_way_and_back():
    fit = make()
    for i in range(50): fit.move(a=i/10)
    for _ in range(60): fit.undo()
    assert fit.values['a'] == 1.5 and not fit.can_undo
    for _ in range(60): fit.redo()
    assert fit.values['a'] == pytest.approx(4.9) and not fit.can_redo and fit.n_moves == 50


def test_huge_values_are_a_loss_too_large_and_no_crash():
    fit = make().move(a=1e30)
    assert fit.loss == float('inf') and fit.best.loss == fit.trail[0]
    assert fit.run(.1, 5).diverged == 0 and fit.values['a'] == pytest.approx(1e30) and fit.diverged


@pytest.mark.parametrize('loss', [mse, mae])
def test_numpy_and_torch_versions_of_a_function_agree(loss):
    def in_numpy(x, a, b): return np.maximum(a*np.asarray(x) + b, 0)
    def in_torch(x, a, b): return torch.relu(a*x + b)
    one, two = (Fit(f, X, Y, loss=loss, a=(-5, 5, 2.), b=(-5, 5, 1.)) for f in (in_numpy, in_torch))
    assert torch.allclose(one.slopes(), two.slopes(), atol=1e-4) and one.loss == pytest.approx(two.loss, rel=1e-6)


def test_a_partial_of_a_broken_function_is_named():
    def broken(a, x): return x.nothing
    fit = Fit(partial(broken), X, Y, a=1.)
    with pytest.raises(FunctionError, match='partial of broken raised AttributeError'): fit.predict()


@pytest.mark.parametrize('n', [1, 2, 5, 64])
def test_relus_never_end_worse_than_they_began(n):
    fit = ReLUFit(n, X, Y)
    before = fit.loss
    training = fit.train(120)
    assert fit.loss < before and torch.isfinite(training.frames).all() and len(training.frames) <= 200
