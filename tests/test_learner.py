"""Faults in training: interrupts, losses that are no numbers, tiny sets, folders that may not be written to."""
import contextlib
import io
import math
import signal
import threading
import time
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.training.callbacks import STEPS, Callback, CancelBatchException
from course_lib.training.guards import LossIsNaN, OutOfMemory, TargetError
from course_lib.training.learner import Learner
from course_lib.training.loop import Loop
from course_lib.training.metrics import accuracy
from course_lib.training.optimiser import NORMS
from course_lib.training.recorder import Recorder


def heaps(n=192, bs=32, seed=0):
    "Batches of points around three centres, and the number of the centre."
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = torch.tensor([[0., 2.], [2., -1.], [-2., -1.]])[y] + torch.randn(n, 2, generator=g)
    return list(zip(x.split(bs), y.split(bs), strict=True))


def net(n_out=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(.2), nn.Linear(16, n_out))


@pytest.fixture
def dls(): return SimpleNamespace(train=heaps(), valid=heaps(96, seed=1), vocab=['top', 'right', 'left'], device='cpu')


@pytest.fixture
def learn(dls, tmp_path):
    return Learner(dls, net(), F.cross_entropy, metrics=accuracy, path=tmp_path, splitter=lambda m: [m[:2], m[4]])


def weights(learn): return torch.cat([t.flatten().float() for t in learn.model.state_dict().values()])


def quiet(learn, *args, **kwargs):
    with learn.no_bar(): learn.fit(*args, **kwargs)
    return learn


class At(Callback):
    "Raises `error` at `event` of the batch `k` of an epoch."
    order = 100
    def __init__(self, error, k=2, event='after_step', epoch=0):
        self.error, self.k, self.at = error, k, epoch
        setattr(self, event, self.go)

    def go(self, learn):
        if learn.training and learn.epoch == self.at and learn.iter == self.k: raise self.error


@pytest.mark.parametrize('precision', ['auto', 'fp32', 'fp16'])
@pytest.mark.parametrize('event', ['before_batch', *STEPS, 'after_batch'])
def test_interrupt_at_any_moment(learn, event, precision, capsys):
    start = weights(learn.to_precision(precision))
    learn.fit(3, 1e-2, cbs=At(KeyboardInterrupt, 2, event, epoch=1))
    assert learn.interrupted and 'Stopped in epoch 1 (number 2 of 3), after 2 of 6 batches;' in capsys.readouterr().out
    assert len(learn.recorder.values) == 2 and math.isnan(learn.recorder.values[1][1])
    assert not torch.equal(start, weights(learn)) and torch.isfinite(weights(learn)).all()
    assert not any(isinstance(cb, At) for cb in learn.cbs)
    learn.get_preds()
    learn.fit(1, 1e-2)
    assert not learn.interrupted and len(learn.recorder.values) == 1


@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
def test_interrupt_in_the_middle_of_a_step(learn, precision):
    learn.to_precision(precision)
    quiet(learn, 1)
    with mock.patch.object(type(learn.opt), 'step', side_effect=KeyboardInterrupt): quiet(learn, 1)
    assert learn.interrupted
    before = weights(learn)
    quiet(learn, 1)
    assert not learn.interrupted and not torch.equal(before, weights(learn)) and torch.isfinite(weights(learn)).all()


@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
def test_batch_left_between_backward_and_step_keeps_its_gradients(dls, precision):
    "As gradient accumulation does: a step in every second batch only."
    class Skip(Callback):
        def after_backward(self, learn):
            if learn.iter % 2 == 0: raise CancelBatchException()
    halved = SimpleNamespace(train=[(o[i:i + 16], t[i:i + 16]) for o, t in dls.train for i in (0, 16)], valid=None)
    def loss(pred, targ): return F.cross_entropy(pred, targ, reduction='sum')/320
    ends = []
    for data, cbs in ((dls, None), (halved, Skip)):
        torch.manual_seed(0)
        learn = Learner(data, nn.Linear(2, 3), loss, opt_func=torch.optim.SGD).to_precision(precision)
        ends.append(weights(quiet(learn, 2, .3, cbs=cbs)))
    assert torch.allclose(*ends, atol=1e-3 if precision == 'fp16' else 1e-5)
    quiet(learn, 1, 1e-3)


def test_interrupt_in_validation_and_before_the_first_batch(learn, capsys):
    class InValidation(Callback):
        def before_validate(self, learn): raise KeyboardInterrupt
    quiet(learn, 2, cbs=InValidation)
    assert learn.interrupted and len(learn.recorder.losses) == 6
    learn.fit(2, cbs=At(KeyboardInterrupt, 0, 'before_batch'))
    assert learn.recorder.values == [] and 'after 0 of 6' in capsys.readouterr().out


@pytest.fixture
def stoppable():
    "Ctrl+C as in a terminal: what a shell starts in the background is born with that signal ignored."
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_stop_button(dls, stoppable):
    "A real signal, wherever it happens to arrive."
    class Press(Callback):
        "The button is pressed when the training is under way."
        def after_epoch(self, learn):
            if learn.epoch == 0: threading.Timer(.3, lambda: signal.raise_signal(signal.SIGINT)).start()
    learn = Learner(dls, net(), F.cross_entropy)
    start = time.monotonic()
    quiet(learn, 10**6, cbs=Press)
    assert learn.interrupted and time.monotonic() - start < 30 and torch.isfinite(weights(learn)).all()


def test_other_errors_pass_and_leave_a_usable_learner(learn):
    with pytest.raises(ZeroDivisionError): quiet(learn, 1, cbs=At(ZeroDivisionError))
    assert len(learn.cbs) == 4
    quiet(learn, 1)


def test_after_interrupted_frozen_epoch_no_second_phase(learn):
    learn.pretrained = True
    with learn.no_bar(), learn.changed_cbs(At(KeyboardInterrupt)): learn.fine_tune(3)
    assert not learn.model[0].weight.requires_grad and len(learn.recorder.losses) == 2


def test_nan_stops_with_advice(dls):
    learn = Learner(dls, net(), F.cross_entropy, opt_func=torch.optim.SGD)
    class Spoil(Callback):
        def before_batch(self, learn):
            if learn.iter == 1: learn.xb = (learn.xb[0]*math.nan,)
    with pytest.raises(LossIsNaN, match='batch 1.*batch itself holds nan'): quiet(learn, 1, cbs=Spoil)
    flat = SimpleNamespace(train=[(x, x) for x, _ in dls.train], valid=None)
    wild = Learner(flat, nn.Linear(2, 2), F.mse_loss, opt_func=torch.optim.SGD)
    with pytest.raises(LossIsNaN, match=r'1e\+30 here: try 0.01,.*lr_find'): quiet(wild, 5, 1e30)


def test_nan_between_two_looks_shows_at_the_end_of_the_epoch(learn):
    class Spoil(Callback):
        "As on a graphics card, where the guard does not look at the last batch."
        def after_step(self, learn):
            if learn.epoch == 1 and learn.iter == 5: learn.loss = learn.loss*math.nan
    with pytest.raises(LossIsNaN, match='mean training loss of epoch 1 is nan.*lr_find'): quiet(learn, 3, cbs=Spoil)


def test_numpy_numbers_of_epochs(learn):
    quiet(learn, np.int64(2))
    assert len(learn.recorder.values) == 2


def test_nothing_to_predict(learn):
    for kwargs in ({}, dict(with_decoded=True), dict(with_loss=True, with_input=True)):
        with pytest.raises(ValueError, match='no items to predict: this loader'): learn.get_preds(dl=[], **kwargs)


def test_tiny_training_set():
    learn = Learner(SimpleNamespace(train=heaps(2), valid=[], device='cpu'), net(), F.cross_entropy)
    quiet(learn, 3, 1e-2)
    assert len(learn.recorder.losses) == 3 and all(math.isnan(v[1]) for v in learn.recorder.values)
    with learn.no_bar(): assert learn.lr_find(num_it=20, show_plot=False)


def test_out_of_memory_names_the_batch_size(learn):
    for error in (torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'), MemoryError()):
        with pytest.raises(OutOfMemory, match='32 items.*bs=16') as e: quiet(learn, 1, cbs=At(error, 1, 'after_pred'))
        assert e.value.__cause__ is error and learn.xb is None
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with mock.patch.object(learn.model, 'forward', side_effect=error):
        with pytest.raises(OutOfMemory): learn.get_preds()
    quiet(learn, 1)


@pytest.mark.parametrize('n_out, words', [(2, 'A label is 2, but the model has 2 outputs.*3 classes: top, right, left'),
                                          (1, 'A label is 2, but the model has 1 output')])
def test_too_few_outputs(dls, n_out, words):
    with pytest.raises(TargetError, match=words): quiet(Learner(dls, net(n_out), F.cross_entropy), 1)


def test_regression_shapes_are_not_stretched(dls):
    flat = SimpleNamespace(train=[(x, x.sum(1)) for x, _ in dls.train], valid=None)
    with pytest.raises(TargetError, match=r'\(32, 1\), targets \(32,\)'): quiet(Learner(flat, net(1), nn.MSELoss()), 1)


def test_later_label_out_of_range(dls):
    dls.train = [*dls.train, (torch.zeros(3, 2), torch.tensor([0, 1, 7]))]
    with pytest.raises(TargetError, match='A label is 7'): quiet(Learner(dls, net(), F.cross_entropy), 1)


def test_save_and_load(learn, dls, tmp_path):
    quiet(learn, 2, 1e-2)
    file = learn.save('stage-1')
    assert file == tmp_path/'models'/'stage-1.pth' and [f.name for f in file.parent.iterdir()] == ['stage-1.pth']
    other = Learner(dls, net(), F.cross_entropy, path=tmp_path, splitter=learn.splitter).load('stage-1')
    assert torch.equal(weights(learn), weights(other))
    for o in (learn, other):
        torch.manual_seed(3)
        quiet(o, 1, 1e-3)
    assert torch.equal(weights(learn), weights(other))


def test_read_only_folder(learn, tmp_path):
    quiet(learn, 1)
    learn.save('kept')
    kept = (tmp_path/'models'/'kept.pth').read_bytes()
    with mock.patch('os.replace', side_effect=PermissionError(13, 'Permission denied')):
        with pytest.raises(OSError, match='kept.pth could not be written .Permission denied.*nothing was saved'):
            learn.save('kept')
    with mock.patch('torch.save', side_effect=RuntimeError('Parent directory models does not exist')):
        with pytest.raises(OSError, match='could not be written'): learn.save('kept')
    with mock.patch('pathlib.Path.mkdir', side_effect=PermissionError(13, 'Permission denied')):
        with pytest.raises(OSError, match='Permission denied'): learn.save('kept')
    assert [f.name for f in (tmp_path/'models').iterdir()] == ['kept.pth']
    assert (tmp_path/'models'/'kept.pth').read_bytes() == kept


def test_unwritable_place_without_torch_internals(learn, tmp_path):
    with pytest.raises(OSError, match='could not be written .File name too long., and') as e: learn.save('x'*300)
    assert 'enforce' not in str(e.value)
    (tmp_path/'file').touch()
    with pytest.raises(OSError, match='could not be written'): learn.save(tmp_path/'file'/'x')
    with mock.patch('torch.save', side_effect=RuntimeError('[enforce fail at inline_container.cc:1] . x')):
        with pytest.raises(OSError, match='is the disk full') as e: learn.save('kept')
    assert 'enforce' not in str(e.value) and not list((tmp_path/'models').iterdir())


@pytest.mark.parametrize('pretrained', [True, False, None])
@pytest.mark.parametrize('args, words', [((0,), 'epochs=0'), ((-1,), 'epochs=-1'), (('3',), "epochs='3'"),
                                         ((1.5,), 'epochs=1.5: a whole number, 1 or more'), ((1, 0), 'base_lr=0'),
                                         ((1, math.nan), 'base_lr=nan'), ((1, 1e-3, -1), 'freeze_epochs=-1')])
def test_fine_tune_refuses_at_once(learn, capsys, pretrained, args, words):
    learn.pretrained, start = pretrained, weights(learn)
    with pytest.raises(ValueError, match=words): learn.fine_tune(*args)
    assert torch.equal(start, weights(learn)) and not capsys.readouterr().out


def test_fine_tune_skips_the_frozen_epoch_only_without_pretrained_weights(learn, capsys):
    class Frozen(Callback):
        def before_fit(self, learn): seen.append(not learn.model[0].weight.requires_grad)
    for pretrained, phases in ((None, [True, False]), (True, [True, False]), (False, [False])):
        learn.pretrained, seen = pretrained, []
        with learn.no_bar(), learn.changed_cbs(Frozen): learn.fine_tune(1, pct_start=.5)
        assert seen == phases and ('no pretrained weights' in capsys.readouterr().out) == (pretrained is False)


def test_nothing_to_train_on_is_said_first(learn, dls, capsys):
    learn.dls = SimpleNamespace(train=[], valid=[])
    for train in (learn.fit, learn.fit_one_cycle, learn.fine_tune):
        with pytest.raises(ValueError, match='nothing to train on.*same labels and.*learn.dls = dls'): train(1)
    assert not capsys.readouterr().out


def test_one_enormous_validation_loss_does_not_flatten_the_plot():
    rec, shown = Recorder(), []
    for i in range(60): rec._losses.add(torch.tensor(2 - i/40))
    rec.iters, rec.values = [30, 60], [[1.6, 33.5], [.8, 1.1]]
    with mock.patch('course_lib.training.recorder.show_figure', lambda fig, alt: shown.append((fig.axes[0], alt))):
        rec.plot_loss()
        rec.plot_loss(with_valid=False)
    (ax, alt), (_, without) = shown
    assert ax.get_ylim()[1] == pytest.approx(4) and 'reached 33.5' in ax.texts[0].get_text() and 'reached 33.5' in alt
    assert ax.get_legend().get_texts()[0].get_text() == 'training, smoothed' and 'reached' not in without


def test_finder_writes_nothing(learn, tmp_path):
    def no(*args, **kwargs): raise PermissionError(13, 'Permission denied')
    with mock.patch('builtins.open', no), mock.patch('os.replace', no), mock.patch('torch.save', no), \
            mock.patch('pathlib.Path.mkdir', no), learn.no_bar():
        found = learn.lr_find(show_plot=False)
    assert 1e-6 < found.valley < 10 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('opt_func', [None, torch.optim.SGD])
def test_finder_leaves_no_trace(dls, opt_func):
    ends = []
    for find in (False, True):
        learn = Learner(dls, net(), F.cross_entropy, opt_func=opt_func)
        torch.manual_seed(1)
        for _ in range(2):
            with learn.no_bar():
                if find: learn.lr_find(show_plot=False, suggest_funcs=None)
                learn.fit_one_cycle(2, 1e-2)
        ends.append((weights(learn), learn.recorder.values, torch.rand(1)))
    assert torch.equal(ends[0][0], ends[1][0]) and ends[0][1] == ends[1][1] and torch.equal(ends[0][2], ends[1][2])


def test_finder_between_thawing_and_training(learn):
    for p in learn.model[0].parameters(): p.requires_grad_(False)
    quiet(learn, 1)
    for p in learn.model[0].parameters(): p.requires_grad_(True)
    with learn.no_bar(): learn.lr_find(show_plot=False, suggest_funcs=None)
    before = learn.model[0].weight.clone()
    quiet(learn, 1)
    assert not torch.equal(before, learn.model[0].weight)


def test_lone_values_in_a_terminal(learn):
    with contextlib.redirect_stdout(io.StringIO()) as out: learn.fit(2)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ['epoch', 'train_loss', 'valid_loss', 'accuracy', 'time']
    assert [line.split()[0] for line in lines[1:]] == ['0', '1'] and '<' not in out.getvalue()
    with contextlib.redirect_stdout(io.StringIO()) as out, learn.no_bar(): learn.fit(1)
    assert out.getvalue() == ''


def test_empty_record_can_be_drawn():
    shown = []
    with mock.patch('course_lib.training.recorder.show_figure', lambda fig, alt: shown.append(alt)):
        Recorder().plot_loss()
        Recorder().plot_lr()
    assert shown[0] == 'No losses yet.' and shown[1].startswith('Learning rate and momentum of 0 batches')


def test_frozen_norm_layers(dls):
    for train_bn in (True, False):
        learn = Learner(dls, net(), F.cross_entropy, splitter=lambda m: [m[:2], m[4]], train_bn=train_bn)
        learn.freeze()
        norm = next(m for m in learn.model if isinstance(m, NORMS))
        before = norm.running_mean.clone(), norm.weight.clone(), learn.model[0].weight.clone()
        quiet(learn, 1, 1e-2)
        after = norm.running_mean, norm.weight, learn.model[0].weight
        assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [not train_bn, not train_bn, True]


def test_frozen_norm_layers_without_weights(dls):
    model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16, affine=False), nn.ReLU(),
                          nn.BatchNorm1d(16, affine=False), nn.Linear(16, 3))
    learn = Learner(dls, model, F.cross_entropy, splitter=lambda m: [m[:2], m[3:]], train_bn=False)
    learn.freeze()
    quiet(learn, 1)
    assert not model[1].running_mean.any() and model[3].running_mean.any()
    learn.unfreeze()
    quiet(learn, 1)
    assert model[1].running_mean.any()


def test_optimiser_follows_what_may_change(learn):
    quiet(learn, 1)
    opt = learn.opt
    quiet(learn, 1)
    assert learn.opt is opt
    learn.model[4].weight.requires_grad_(False)
    quiet(learn, 1)
    live = [p for g in learn.opt.param_groups for p in g['params']]
    assert learn.opt is not opt and len(live) == 5 and all(p is not learn.model[4].weight for p in live)
    for p in learn.model.parameters(): p.requires_grad_(False)
    with pytest.raises(ValueError, match='every weight of the model is frozen'): quiet(learn, 1)


def test_several_inputs_and_own_loss():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(4, 1)
        def forward(self, a, b): return self.lin(torch.cat([a, b], 1))
    batches = [(x, x, x.sum(1, keepdim=True)) for x, _ in heaps()]
    loop = Loop(SimpleNamespace(train=batches, valid=batches[:2]), Two(), lambda p, t: (p - t).abs().mean(), lr=.1)
    quiet(loop, 5)
    assert loop.recorder.values[-1][0] < loop.recorder.values[0][0]


@pytest.mark.parametrize('precision', ['fp32', 'bf16', 'fp16'])
def test_every_precision_learns(dls, precision):
    learn = Learner(dls, net(), F.cross_entropy).to_precision(precision)
    quiet(learn, 8, 1e-2)
    probs, targs = learn.get_preds()
    assert probs.dtype is torch.float32 and accuracy(probs, targs) > .85
