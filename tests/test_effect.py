"What a cleaning came to: before and after apply, in another session, for tables, and for a learner trained again."

import math

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.cleaning.effect import Score, decided_label, effect, given_label, wilson
from course_lib.cleaning.imageset import ImageSet, image_set
from course_lib.cleaning.session import CleaningSession
from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.samples import draw_bears
from course_lib.data.split import FuncSplitter
from course_lib.data.transforms import Resize
from course_lib.training.learner import Learner

VOCAB = ['black', 'grizzly', 'teddy']


@pytest.fixture
def bears(tmp_path):
    draw_bears(tmp_path/'bears', n=8, size=40)
    return tmp_path/'bears'


def image_list(path): return sorted(get_image_files(path))


def scored(path, wrong=(), holes=()):
    "A set with made-up scores: sure of the folder, but for some it says the next class; some have none."
    files = image_list(path)
    labels = [f.parent.name for f in files]
    probs = np.array([[.8 if c == label else .1 for c in VOCAB] for label in labels])
    probs[list(wrong)] = np.roll(probs[list(wrong)], 1, axis=1)
    probs[list(holes)] = np.nan
    splits = ['valid' if f.stem in ('000', '001') else 'train' for f in files]
    how = ['held out' if s == 'valid' else 'k-fold' for s in splits]
    return ImageSet(files, labels, splits, probs, how, VOCAB, path)


def by_hand(images, labels):
    "The mistakes of validation and training set, counted one by one."
    out = {}
    for split, name in (('valid', 'validation set'), ('train', 'training set')):
        rows = [i for i, s in enumerate(images.splits) if s == split and labels[i] in VOCAB]
        rows = [i for i in rows if not np.isnan(images.probs[i]).any()]
        out[name] = sum(VOCAB[int(images.probs[i].argmax())] != labels[i] for i in rows), len(rows)
    return out


def decide(session):
    "Two wrong labels, one new class, two deleted, two kept. The labels then."
    session.relabel([0, 5], 'grizzly'), session.relabel(9, 'polar'), session.delete([16, 17]), session.keep([1, 20])
    labels = list(session.images.labels)
    labels[0] = labels[5] = 'grizzly'
    labels[9], labels[16], labels[17] = 'polar', None, None
    return labels


def test_errors_are_those_counted_by_hand(bears):
    images = scored(bears, wrong=[0, 5, 9, 12, 17, 23], holes=[3, 8])
    session = CleaningSession(images)
    labels = decide(session)
    found = session.effect().errors
    before, after = by_hand(images, images.labels), by_hand(images, labels)
    assert {k: v[0] for k, v in found.items()} == before and {k: v[1] for k, v in found.items()} == after
    assert before != after and found['validation set'][0].n == 5  # two of three classes have all, one has a hole


def test_applying_changes_nothing_about_the_effect(bears):
    session = CleaningSession(scored(bears, wrong=[0, 5, 9, 12]))
    decide(session)
    before = effect(session)
    assert len(session.apply()) == 5
    after = session.effect()
    for name in ('errors', 'noise', 'vocab', 'p_value', 'verdict'): assert getattr(after, name) == getattr(before, name)
    assert (after.changes == before.changes).all() and repr(after) == repr(before)


def test_undo_takes_the_effect_back(bears):
    session = CleaningSession(scored(bears, wrong=[0, 5, 9, 12]))
    nothing = session.effect()
    assert nothing.changes.sum() == 0 and all(a == b for a, b in nothing.errors.values()) and not nothing.notes
    session.relabel([0, 5], 'grizzly')
    assert session.effect().changes[0, 1] == 2
    session.undo()
    assert repr(session.effect()) == repr(nothing)


def test_after_apply_another_session_still_knows_what_was_wrong(bears):
    session = CleaningSession(scored(bears))
    decide(session)
    session.apply()
    new = CleaningSession.open(bears)
    assert len(new.images) == 22
    found = new.effect()
    black, grizzly = found.noise[:2]
    assert (black.label, black.n, black.wrong) == ('black', 8, 2) and (grizzly.n, grizzly.wrong) == (8, 1)
    moved = [i for i in range(22) if new.status(i) == 'moved']
    assert sorted(given_label(new, i) for i in moved) == ['black', 'black', 'grizzly']
    assert sorted(decided_label(new, i) for i in moved) == ['grizzly', 'grizzly', 'polar']


class Colour(nn.Module):
    "Says teddy where a picture is light, else black."
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        light = (x.mean((1, 2, 3)) > .5).float() + self.weight
        return torch.stack([1 - light, torch.zeros_like(light) - 9, light], 1)


def learner(path, splitter=None):
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=image_list, get_y=parent_label,
                      splitter=splitter or FuncSplitter(lambda f: f.stem[:3] in ('003', '004')), item_tfms=Resize(32))
    return Learner(block.dataloaders(path, bs=8, device='cpu'), Colour())


def test_deleted_images_of_an_earlier_session_are_spoken_of(bears):
    with CleaningSession(scored(bears)) as s:
        s.delete([16, 17]), s.apply()
        assert not any('not in this set' in o for o in s.effect().notes)
    with CleaningSession(scored(bears)) as s: assert any(o.startswith('2 deleted images') for o in s.effect().notes)


def test_trained_again_is_judged_by_the_decided_labels(bears):
    images = scored(bears, wrong=[3, 12], holes=[4])
    session = CleaningSession(images)
    session.relabel(3, 'grizzly'), session.delete(11)
    session.apply()
    learn = learner(bears)  # 003 of the blacks is a grizzly with another name by now
    new, old = session.effect(learn).retrained
    said, number = {}, {session.path(i): i for i in range(24)}
    for p, q in zip(learn.dls.valid_ds.items, learn.get_preds()[0], strict=True):
        said[number[p]] = learn.dls.vocab[int(q.argmax())]
    assert new.n == len(said) == 5 and session.path(3).parent.name == 'grizzly' and 3 in said
    assert new.wrong == sum(said[i] != decided_label(session, i) for i in said)
    honest = [i for i in said if not np.isnan(images.probs[i]).any()]
    assert old == (sum(VOCAB[images.probs[i].argmax()] != decided_label(session, i) for i in honest), len(honest))
    assert old.n == new.n - 1 and not session.effect(learn).notes[1:]


def test_a_function_that_trains_and_pending_decisions(bears):
    session, asked = CleaningSession(scored(bears)), []
    session.delete([3, 4])
    def train():
        asked.append(1)
        return learner(bears)
    found = session.effect(retrain=train)
    assert len(asked) == 1 and found.retrained[0].n == 4  # deleted ones are not counted, applied or not
    assert '2 decisions are not applied' in found.notes[-1]


def test_a_learner_of_other_pictures_is_refused(bears, tmp_path):
    draw_bears(tmp_path/'more', n=8, size=40)
    session = CleaningSession(scored(bears))
    with pytest.raises(ValueError, match='another folder'): session.effect(learner(tmp_path/'more'))
    with pytest.raises(ValueError, match=r'\(0 images\)'): session.effect(learner(bears, lambda items: (range(24), [])))
    with pytest.raises(TypeError, match='given str'): session.effect('resnet18')
    with pytest.raises(TypeError, match='given int'): session.effect(retrain=lambda: 3)


def test_a_habit_and_its_name(tmp_path):
    draw_bears(tmp_path/'bears', n=20, size=32)
    session = CleaningSession(image_set(tmp_path/'bears'))
    session.relabel(range(12), 'grizzly'), session.relabel(25, 'teddy')
    found = session.effect()
    assert found.p_value < .01 and 'grizzly was called black 12 times' in found.verdict and found.verdict in repr(found)
    assert found.changes[0, 1] == 12 and found.noise[0].share == .6
    low, high = found.noise[0].interval
    assert low < .6 < high and '60.0%' in repr(found)


def test_a_table(bears):
    import pandas as pd
    files = image_list(bears)
    pd.DataFrame({'name': [f.relative_to(bears).as_posix() for f in files],
                  'label': [f.parent.name for f in files]}).to_csv(bears/'labels.csv', index=False)
    session = CleaningSession.open(bears/'labels.csv')
    session.relabel(2, 'teddy'), session.delete(3)
    pending = repr(session.effect())
    assert session.effect().noise[0][1:] == (8, 2, 1, 1) and len(session.apply()) == 2
    assert repr(session.effect()) == pending


def test_no_scores_at_all(bears):
    session = CleaningSession.open(bears)
    session.delete(0)
    found = session.effect()
    assert list(found.errors) == ['all images'] and found.errors['all images'] == (Score(0, 0), Score(0, 0))
    assert 'no honest scores' in repr(found) and 'session with a learner' in found.notes[0]
    assert math.isnan(found.errors['all images'][0].error)


def test_a_validation_set_gone_through_by_eye_is_not_warned_about(bears):
    session = CleaningSession(scored(bears, wrong=[0]))
    session.relabel(0, 'grizzly')
    assert 'by eye' in session.effect().notes[0] and '5 of the 6 validation' in session.effect().notes[0]
    session.keep([i for i, s in enumerate(session.images.splits) if s == 'valid' and i])
    assert not session.effect().notes


@pytest.mark.parametrize(('k', 'n'), [(0, 5), (1, 5), (5, 5), (7, 91), (450, 1000)])
def test_wilson_is_that_of_scipy(k, n):
    from scipy.stats import binomtest
    want = binomtest(k, n).proportion_ci(.95, 'wilson')
    assert np.allclose(wilson(k, n), (want.low, want.high), atol=1e-6)
