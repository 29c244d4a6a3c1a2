"Out-of-sample scores: no item is scored by a model that trained on it, and the given learner is left alone."

import random

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.cleaning import folds as folds_module
from course_lib.cleaning.folds import fold_numbers, fresh_learner, fresh_model, out_of_sample, part_loaders, same_again
from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.samples import draw_bears
from course_lib.data.split import RandomSplitter
from course_lib.data.transforms import RandomResizedCrop, aug_transforms
from course_lib.training.callbacks import Callback
from course_lib.training.learner import Learner
from course_lib.training.metrics import error_rate
from course_lib.training.vision import vision_learner


@pytest.fixture(scope='module')
def bears(tmp_path_factory):
    path = tmp_path_factory.mktemp('bears')
    draw_bears(path, n=8, size=64)
    return path


def loaders(path, **kwargs):
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                      splitter=RandomSplitter(.25, seed=42), item_tfms=RandomResizedCrop(32, min_scale=.5),
                      batch_tfms=aug_transforms())
    return block.dataloaders(path, bs=6, device='cpu', **kwargs)


def named(path, **kwargs):
    "A learner whose architecture has a name, for a 32 px picture."
    return vision_learner(loaders(path), 'squeezenet1_1', pretrained=False, lin_ftrs=[], metrics=error_rate, **kwargs)


class Tell(nn.Module):
    "Gives each picture probabilities of its own, whatever it has learnt."
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
    def forward(self, x): return x.mean((2, 3))*40*self.scale


def told(dls): return Learner(dls, Tell(), cbs=Remember())


class Remember(Callback):
    "Which items a learner trained on, of all in the test."
    seen = []
    def before_fit(self, learn): self.seen.append(list(learn.dls.train_ds.items))


def once(learn): learn.fit(1, 1e-12)


def test_each_item_is_scored_by_a_model_that_never_saw_it(bears):
    learn, asked = told(loaders(bears)), []
    Remember.seen.clear()
    real = folds_module.score_fold
    def watched(make, train, dls, held, line):
        asked.append(list(held.dataset.items))
        return real(make, train, dls, held, line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds_module, 'score_fold', watched)
        probs = out_of_sample(learn, 3, once, told)
    items = list(learn.dls.train_ds.items)
    assert len(Remember.seen) == len(asked) == 3 and sorted(sum(asked, [])) == sorted(items)
    for trained, held in zip(Remember.seen, asked, strict=True):
        assert not set(trained) & set(held) and set(trained) | set(held) == set(items)
        assert not set(trained) & set(learn.dls.valid_ds.items)
    assert np.allclose(probs, learn.get_preds(0)[0], atol=1e-5)  # and each answer stands at its own item


def state(learn):
    rec = learn.recorder
    return [t.clone() for t in learn.model.state_dict().values()], [
        list(rec.values), list(rec.losses), list(learn.cbs), learn.opt, list(vars(learn)), learn.dls, learn.dls.train,
        learn.dls.valid, learn.loss_func, [p.requires_grad for p in learn.model.parameters()],
        [m.training for m in learn.model.modules()], torch.get_rng_state().tolist(), random.getstate(),
        np.random.get_state()[1].tolist(), list(learn.dls.train_ds.items), learn.dls.train_ds.targs.tolist(),
        list(learn.dls.train_ds.item_tfms), list(learn.dls.batch_tfms)]


def test_the_learner_is_left_alone(bears):
    learn = named(bears)
    with learn.no_bar(): learn.fit_one_cycle(1, 1e-3)
    learn.freeze()
    tensors, rest = state(learn)
    first = out_of_sample(learn, 2)
    after = state(learn)
    assert all(map(torch.equal, tensors, after[0])) and rest == after[1]
    assert first.dtype == np.float32 and np.allclose(first.sum(1), 1, atol=1e-3)
    torch.rand(5)  # wherever the random numbers stand, the answer is the same
    assert np.array_equal(first, out_of_sample(learn, 2))


def test_the_fresh_learner_is_set_up_alike(bears):
    loss, opt = nn.CrossEntropyLoss(label_smoothing=.1), torch.optim.SGD
    learn = named(bears, loss_func=loss, opt_func=opt, wd=.03, wd_bn_bias=True, train_bn=False, moms=(.8, .7, .8))
    learn.to_fp32()
    dls = part_loaders(learn.dls, [0, 1, 2, 5, 6, 7, 8])
    new = fresh_learner(learn, dls)
    for name in ('loss_func', 'opt_func', 'lr', 'splitter', 'wd', 'wd_bn_bias', 'train_bn', 'moms', 'arch_config'):
        assert getattr(new, name) == getattr(learn, name), name
    assert new.precision.name == 'fp32' and new.precision is not learn.precision and new.pretrained is False
    assert [type(c) for c in new.cbs] == [type(c) for c in learn.cbs]
    assert dls.item_tfms == learn.dls.item_tfms and dls.batch_tfms == learn.dls.batch_tfms and dls.bs == 6
    assert dls.train_ds.split == 'train' and list(dls.train_ds.items) == [learn.dls.train_ds.items[i] for i in
                                                                         (0, 1, 2, 5, 6, 7, 8)]
    assert dls.train_ds.targs.tolist() == [learn.dls.train_ds.targs[i] for i in (0, 1, 2, 5, 6, 7, 8)]


def test_pretrained_starts_from_the_same_weights(bears, tmp_path, monkeypatch):
    from course_lib.training.models import squeezenet1_1
    torch.save(squeezenet1_1().state_dict(), tmp_path/'squeezenet1_1.pth')
    monkeypatch.setenv('COURSE_WEIGHTS_PATH', str(tmp_path))
    monkeypatch.setenv('COURSE_OFFLINE', 'yes')
    learn = vision_learner(loaders(bears), 'squeezenet1_1', lin_ftrs=[])
    assert learn.pretrained
    new = fresh_learner(learn, learn.dls)
    body = [k for k in learn.model.state_dict() if k.startswith('body')]
    assert new.pretrained and all(torch.equal(new.model.state_dict()[k], learn.model.state_dict()[k]) for k in body)
    assert not any(p.requires_grad for p in new.groups()[0])
    with learn.no_bar(): learn.fine_tune(2, 1e-3)
    train, epochs = same_again(learn)
    rates = []
    new.fine_tune = lambda n, lr: rates.append((n, lr))
    train(new)
    assert epochs == 3 and rates[0][0] == 2 and 6e-4 < rates[0][1] <= 1e-3
    (tmp_path/'squeezenet1_1.pth').unlink()
    with pytest.raises(ValueError, match='squeezenet1_1 are not found now'): out_of_sample(learn)


def test_trained_as_long_as_before(bears):
    learn = named(bears)
    with learn.no_bar(): learn.fit_one_cycle(3, 4e-3)
    fits, train = [], same_again(learn)[0]
    new = fresh_learner(learn, learn.dls)
    new.fit_one_cycle = lambda n, lr: fits.append((n, lr))
    train(new)
    assert fits[0][0] == 3 and 3e-3 < fits[0][1] <= 4e-3


def test_a_vanished_or_damaged_file_gets_no_score(bears, tmp_path, capsys):
    import shutil
    path = tmp_path/'bears'
    shutil.copytree(bears, path)
    learn = told(loaders(path))
    gone, html = (learn.dls.train_ds.items[i] for i in (2, 11))
    learn.dls.train_ds[2:12]  # they had been read, and were in memory
    gone.unlink()
    html.write_text('<html>not found</html>')
    probs = out_of_sample(learn, 3, once, told)
    assert np.isnan(probs).all(1).nonzero()[0].tolist() == [2, 11] and np.isnan(probs).sum() == 6
    assert f'No score for 2 unreadable items, such as {gone}' in capsys.readouterr().out


def test_classes_with_few_items(bears, capsys):
    learn = told(loaders(bears))
    learn.dls.train_ds.targs[:] = torch.tensor([0]*15 + [1]*2 + [2])
    Remember.seen.clear()
    probs = out_of_sample(learn, 3, once, told)
    assert np.isnan(probs).all(1).nonzero()[0].tolist() == [17]
    assert all(learn.dls.train_ds.items[17] in seen for seen in Remember.seen)  # there is something to learn it from
    assert not any({*learn.dls.train_ds.items[15:17]} <= {*seen} for seen in Remember.seen[:2])
    out = capsys.readouterr().out
    assert "the only item of 'teddy'." in out and "next to nothing: 'grizzly' (2)." in out


@pytest.mark.parametrize('folds', [2, 3, 7])
def test_folds_are_even(folds):
    targs = np.random.default_rng(0).integers(5, size=103)
    which = fold_numbers(targs, folds)
    sizes = np.bincount(which, minlength=folds)
    assert sizes.max() - sizes.min() <= 1 and len(sizes) == folds
    for c in range(5):
        counts = np.bincount(which[targs == c], minlength=folds)
        assert counts.max() - counts.min() <= 1


class StopIn(Callback):
    "Ctrl-C in a batch of training."
    def after_step(self, learn): raise KeyboardInterrupt


@pytest.mark.parametrize('when', ['training', 'scoring'])
def test_an_interrupt_ends_everything_cleanly(bears, when, monkeypatch):
    learn, trained = named(bears), []
    def train(new):
        trained.append(new)
        new.fit(1, cbs=StopIn if when == 'training' else None)
        new.fit(1)
    def stop(*args, **kwargs): raise KeyboardInterrupt
    if when == 'scoring': monkeypatch.setattr(Learner, 'get_preds', stop)
    tensors, rest = state(learn)
    with pytest.raises(KeyboardInterrupt): out_of_sample(learn, 2, train)
    after = state(learn)
    assert len(trained) == 1 and all(map(torch.equal, tensors, after[0])) and rest == after[1]


def test_an_error_in_training_comes_through(bears):
    learn = named(bears)
    state_before = torch.get_rng_state()
    def train(new): raise RuntimeError('my own')
    with pytest.raises(RuntimeError, match='my own'): out_of_sample(learn, 2, train)
    assert torch.equal(torch.get_rng_state(), state_before)


def test_quiet_but_for_its_own_line(bears, capsys):
    learn = named(bears)
    out_of_sample(learn, 2, lambda new: new.fine_tune(1))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith('fold 1 of 2 done, about 0:')
    assert lines[1].startswith('2 models, each trained without the items it scored: 0:')


def test_no_architecture_no_training_no_labels(bears):
    learn = told(loaders(bears))
    with pytest.raises(ValueError, match='fresh=lambda'): out_of_sample(learn, 2, once)
    with pytest.raises(ValueError, match='has not been trained here'): out_of_sample(named(bears))
    with pytest.raises(ValueError, match='are needed'):
        out_of_sample(learn, 2, once, lambda dls: Learner(dls, nn.Sequential(Tell(), nn.Linear(3, 4))))
    learn.dls.train_ds.targs = None
    with pytest.raises(ValueError, match='no labelled'): out_of_sample(learn, 2, once, told)
    with pytest.raises(ValueError, match='known by no name'): fresh_model(learn)
