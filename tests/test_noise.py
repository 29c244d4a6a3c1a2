"Confident learning: against the paper's definition written out plainly, and the test for bias against chance itself."

import numpy as np
import pytest
import torch

from course_lib.cleaning import noise
from course_lib.cleaning.noise import (
    class_thresholds,
    confident_class,
    confident_joint,
    expected_changes,
    label_issues,
    looks_biased,
    noise_rates,
    normalized_margin,
    self_confidence,
)


def problem(seed, n=80, n_classes=4, flipped=.15, sharp=None):
    "Random probabilities (n, n_classes) that lean to a true class, and labels some of which are wrong."
    rng = np.random.default_rng(seed)
    true = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)]
    scores = rng.normal(size=(n, n_classes))*1.5
    scores[np.arange(n), true] += sharp or rng.uniform(.5, 4)
    probs = np.exp(scores)/np.exp(scores).sum(1, keepdims=True)
    return probs, np.where(rng.random(n) < flipped, rng.integers(n_classes, size=n), true), true


def by_definition(probs, targs):
    "Equation 1 of the paper, item by item and class by class."
    n_classes = probs.shape[1]
    mean = [np.mean([p[c] for p, t in zip(probs, targs, strict=True) if t == c] or [2.]) for c in range(n_classes)]
    joint, issues = np.zeros((n_classes, n_classes), int), []
    for p, t in zip(probs, targs, strict=True):
        sure = [c for c in range(n_classes) if p[c] >= mean[c] - 1e-6]
        best = max(sure, key=lambda c: p[c], default=None)
        if best is not None: joint[t, best] += 1
        issues.append(best is not None and best != t and int(np.argmax(p)) != t)
    return joint, issues


@pytest.mark.parametrize('seed', range(12))
def test_joint_and_issues_follow_the_definition(seed):
    probs, targs, _ = problem(seed, n_classes=2 + seed % 4)
    joint, issues = by_definition(probs, targs)
    assert (confident_joint(probs, targs) == joint).all()
    assert label_issues(probs, targs).tolist() == issues
    assert confident_joint(probs, targs).sum() == (confident_class(probs, targs) >= 0).sum()


def test_rows_with_nan_change_nothing():
    probs, targs, _ = problem(3)
    holes = np.insert(probs, [0, 40, 80], np.nan, axis=0)
    holes[0] = [.9, np.nan, .05, .05]  # half a row is none
    more = np.insert(targs.astype(float), [0, 40, 80], [99, np.nan, -1])
    real = np.ones(83, bool)
    real[[0, 41, 82]] = False
    for f in (self_confidence, normalized_margin, label_issues, confident_class):
        assert np.array_equal(f(holes, more)[real], f(probs, targs))
    for f in (self_confidence, normalized_margin): assert np.isnan(f(holes, more)[~real]).all()
    assert not label_issues(holes, more)[~real].any() and (confident_class(holes, more)[~real] == -1).all()
    assert np.array_equal(confident_joint(holes, more), confident_joint(probs, targs))
    assert np.allclose(class_thresholds(holes, more), class_thresholds(probs, targs))


def test_nothing_but_nan():
    probs, targs = np.full((3, 2), np.nan), [0, 1, 0]
    assert np.isnan(class_thresholds(probs, targs)).all() and not label_issues(probs, targs).any()
    assert not confident_joint(probs, targs).any() and np.isnan(noise_rates(confident_joint(probs, targs))).all()


def test_a_class_without_items_takes_no_part():
    probs, targs, _ = problem(5)
    wide = np.c_[probs*.5, np.full(len(probs), .5)]  # the new class is the most probable of all
    assert np.isnan(class_thresholds(wide, targs)[-1]) and not confident_joint(wide, targs)[:, -1].any()
    assert np.array_equal(confident_joint(wide, targs)[:4, :4], confident_joint(probs, targs))
    assert np.isnan(noise_rates(confident_joint(wide, targs))[-1])


def test_lists_and_tensors_do_too():
    probs, targs, _ = problem(1)
    assert np.array_equal(label_issues(torch.tensor(probs), torch.tensor(targs)), label_issues(probs, targs))
    assert np.array_equal(label_issues(probs.tolist(), targs.tolist()), label_issues(probs, targs))


def test_arguments_are_not_changed():
    probs, targs, _ = problem(2)
    before = probs.copy(), targs.copy()
    for f in (normalized_margin, label_issues, confident_joint): f(probs, targs)
    assert np.array_equal(probs, before[0]) and np.array_equal(targs, before[1])


def test_planted_mistakes_are_found():
    probs, targs, true = problem(1, n=600, flipped=.1, sharp=8)
    wrong, found = targs != true, label_issues(probs, targs)
    assert (found & wrong).sum() > .8*wrong.sum()
    assert wrong[self_confidence(probs, targs).argsort()[:wrong.sum()]].mean() > .7


@pytest.mark.parametrize(('probs', 'targs', 'why'), [
    ([[.5, .5]], [0, 1], 'shape'), ([.5, .5], [0, 1], 'shape'), ([[1.], [1.]], [0, 0], 'only one class'),
    ([[1.5, -.5]], [0], '1.5'), ([[.5, -.5]], [0], '-0.5'), ([[np.inf, 0]], [0], 'inf'), ([[3., 9.]], [0], 'softmax'),
    ([[.5, .5]], [2], '0 to 1'), ([[.5, .5]], [-1], '-1'), ([[.5, .5]], [.5], '0.5'), ([[.5, .5]], [None], 'nan'),
    ([[.5, .5]], ['cat'], 'numbers'), ([['a', 'b']], [0], 'numbers'), ([[.5, .5], [1]], [0, 1], 'numbers'),
])
@pytest.mark.parametrize('f', [self_confidence, normalized_margin, class_thresholds, confident_joint, label_issues])
def test_bad_input_is_named(f, probs, targs, why):
    with pytest.raises(ValueError, match=why): f(probs, targs)


def random_slips(rng, sizes, n):
    "A table (given, real) of n mistakes by chance, and how many items were then given each label."
    given = np.array(sizes)
    table = np.zeros((len(sizes), len(sizes)), int)
    for real in rng.permutation(np.repeat(np.arange(len(sizes)), sizes))[:n]:
        label = rng.choice([c for c in range(len(sizes)) if c != real])
        table[label, real] += 1
        given[real] -= 1
        given[label] += 1
    return table, given


def test_chance_is_called_biased_about_one_time_in_twenty(monkeypatch):
    monkeypatch.setattr(noise, 'SIMULATIONS', 499)
    rng = np.random.default_rng(0)
    ps = np.array([looks_biased(*random_slips(rng, [150, 100, 50], 24))[0] for _ in range(200)])
    assert (ps < .05).mean() < .1 and .4 < ps.mean() < .6


def test_a_habit_is_noticed():
    rng, found = np.random.default_rng(1), 0
    for _ in range(20):
        table, given = random_slips(rng, [100, 100, 100], 10)
        table[0, 1] += 14
        p, text = looks_biased(table, given + [14, -14, 0], ['black', 'grizzly', 'teddy'])
        found += p < .05 and f'grizzly was called black {table[0, 1]} times' in text
    assert found >= 19


def test_expected_is_in_proportion_to_the_real_sizes():
    table = np.array([[7, 3, 1], [2, 7, 0], [0, 0, 7]])  # the diagonal is no mistake
    expected = expected_changes(table, [20, 10, 30])
    real = np.array([20 - 4 + 2, 10 - 2 + 3, 30 - 0 + 1])
    assert np.isclose(expected.sum(), 6) and not np.diag(expected).any()
    assert np.allclose(expected[0, 1:]/real[1:], expected[2, 0]/real[0])


def test_two_classes_and_their_one_question():
    assert looks_biased([[0, 12], [1, 0]], [50, 50])[0] < .05 < looks_biased([[0, 7], [6, 0]], [50, 50])[0]


@pytest.mark.parametrize('table', [np.zeros((3, 3)), [[0, 1, 1], [1, 0, 1], [0, 0, 0]], np.diag([9, 9, 9])])
def test_few_changes_tell_nothing(table):
    p, text = looks_biased(table, [40, 40, 40])
    assert p is None and text.endswith('too few to tell whether they are random or biased.')


def test_all_moved_out_of_the_only_other_class():
    assert looks_biased([[0, 0], [9, 0]], [50, 9])[0] is None  # then there was one class, and nothing to compare


def test_new_classes_are_left_out():
    table = np.zeros((4, 4), int)
    table[:3, :3] = [[0, 4, 3], [3, 0, 4], [4, 3, 0]]
    sizes = [100, 100, 100, 0]
    alone = looks_biased(table, sizes, list('abcd'))
    table[0, 3] = 60
    assert looks_biased(table, sizes, list('abcd'))[0] > .5 and alone[0] > .5
    assert '21 wrong labels' in looks_biased(table, sizes, list('abcd'))[1]


def test_many_classes():
    rng, n = np.random.default_rng(0), 120
    table = np.zeros((n, n), int)
    np.add.at(table, (rng.integers(n, size=60), rng.integers(n, size=60)), 1)
    p, _ = looks_biased(table, np.full(n, 50))
    table[3, 4] += 9
    assert looks_biased(table, np.full(n, 50))[0] < .001 < .01 < p


@pytest.mark.parametrize(('table', 'sizes', 'why'), [
    ([[0, 1]], [1, 1], 'row and a column'), ([[0, 1], [1, 0]], [1], 'sizes has shape'),
    ([[0, 5], [1, 0]], [3, 9], 'sizes has 3 items of class 0'), ([[0, -1], [1, 0]], [9, 9], 'no count'),
    ([[0, .5], [1, 0]], [9, 9], 'no count'), ([[0, 1], [1, 0]], [9, np.nan], 'class 1'),
])
def test_bad_tables_are_named(table, sizes, why):
    with pytest.raises(ValueError, match=why): looks_biased(table, sizes)
