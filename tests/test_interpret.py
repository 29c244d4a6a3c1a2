"Interpretation: against scikit-learn where it is installed, and what is drawn."

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.samples import draw_bears
from course_lib.data.split import RandomSplitter
from course_lib.data.transforms import Normalize, RandomResizedCrop, aug_transforms, imagenet_stats
from course_lib.explain import interpret
from course_lib.explain.interpret import (
    ClassificationInterpretation,
    Interpretation,
    classification_report,
    confusion_matrix,
    draw_matrix,
    most_confused,
    still_loader,
)
from course_lib.serving.bundle import load_learner
from course_lib.training.learner import Learner


class MeanColour(torch.nn.Module):
    "A model whose answer depends on the mean colour only, so that every item has its own, and order matters."
    def __init__(self):
        super().__init__()
        self.head, self.asked = torch.nn.Linear(3, 3), 0
        torch.nn.init.eye_(self.head.weight)

    def forward(self, x):
        self.asked += len(x)
        return self.head(x.float().mean((2, 3))*20)


@pytest.fixture(scope='module')
def learn(tmp_path_factory):
    path = tmp_path_factory.mktemp('bears')
    draw_bears(path, n=7, size=80)
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                      splitter=RandomSplitter(.4, seed=42), item_tfms=RandomResizedCrop(48, min_scale=.2),
                      batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)])
    return Learner(block.dataloaders(path, bs=4, device='cpu'), MeanColour())


@pytest.fixture
def shown(monkeypatch):
    "What was shown: a list of (figure, alt text)."
    seen = []
    def show(fig, alt, photos=False):
        fig.canvas.draw()
        seen.append((fig, alt))
        plt.close(fig)
    monkeypatch.setattr(interpret, 'show_figure', show)
    return seen


def test_against_scikit_learn():
    sk = pytest.importorskip('sklearn.metrics')
    rng = np.random.default_rng(0)
    for n in (2, 3, 10):
        targs, preds = rng.integers(0, n, 200), rng.integers(0, n - 1, 200)
        cm = confusion_matrix(targs, preds, n)
        assert (cm == sk.confusion_matrix(targs, preds, labels=range(n))).all()
        theirs = sk.classification_report(targs, preds, labels=range(n), digits=3, zero_division=0)
        ours = classification_report(cm, range(n))
        assert [o.split() for o in ours.splitlines()[2:] if o] == [o.split() for o in theirs.splitlines()[2:] if o]


@pytest.mark.parametrize('ds_idx', [0, 1])
def test_items_and_predictions_belong_together(learn, ds_idx):
    interp = Interpretation.from_learner(learn, ds_idx=ds_idx)
    dl = still_loader(learn.dls[ds_idx])
    assert list(interp.items) == list(learn.dls[ds_idx].dataset.items) and len(interp) == len(learn.dls[ds_idx].dataset)
    for i in range(len(interp)):
        xb, yb = dl.read([i])
        logits = learn.model(xb)
        assert torch.allclose(logits.softmax(-1)[0], interp.probs[i], atol=1e-4) and yb[0] == interp.targs[i]
        assert torch.allclose(torch.nn.functional.cross_entropy(logits, yb), interp.losses[i], atol=1e-4)


def test_a_shuffled_loader_is_read_in_order(learn):
    a, b = (Interpretation.from_learner(learn, dl=learn.dls.train) for _ in range(2))
    assert torch.equal(a.probs, b.probs) and torch.equal(a.targs, learn.dls.train_ds.targs)


def test_predictions_are_computed_once(learn, shown):
    interp = ClassificationInterpretation.from_learner(learn)
    asked = learn.model.asked
    interp.confusion_matrix(), interp.most_confused(), interp.top_losses(), interp.print_classification_report()
    interp.plot_confusion_matrix(), interp.plot_top_losses(3)
    assert learn.model.asked == asked


def test_top_losses_are_all_shown(learn, shown, capsys):
    interp = Interpretation.from_learner(learn)
    for k, nrows in ((1, None), (5, 1), (5, 2), (7, None)):
        interp.plot_top_losses(k, nrows=nrows)
        fig, alt = shown[-1]
        drawn = [ax for ax in fig.axes if ax.images]
        assert len(drawn) == k and alt.startswith(f'{k} item')
    interp.plot_top_losses(1000)
    assert len([ax for ax in shown[-1][0].axes if ax.images]) == len(interp)
    assert f'All {len(interp)} items' in capsys.readouterr().out


def test_what_the_titles_say(learn, shown):
    interp = Interpretation.from_learner(learn)
    losses, idxs = interp.top_losses(2)
    interp.plot_top_losses(2)
    title = [ax.get_title() for ax in shown[-1][0].axes if ax.images][0]
    i = int(idxs[0])
    p, q = interp.probs[i, interp.decoded[i]], interp.probs[i, interp.targs[i]]
    names = interp.vocab[interp.targs[i]], interp.vocab[interp.decoded[i]]
    assert all(part in title for part in (*names, f'{losses[0]:.2f}', f'{p:.2f}', f'{q:.2f}'))
    assert title.startswith('✗')


def test_pictures_are_as_the_model_saw_them(learn, shown):
    interp = Interpretation.from_learner(learn)
    interp.plot_top_losses([2])
    image = shown[-1][0].axes[0].images[0].get_array()
    x = learn.dls.valid_ds[2][0].permute(1, 2, 0)/255
    assert image.shape == (48, 48, 3) and np.allclose(image, x, atol=1e-4)


def test_smallest_losses(learn, shown):
    interp = Interpretation.from_learner(learn)
    losses, idxs = interp.top_losses(3, largest=False)
    assert losses.tolist() == sorted(interp.losses.tolist())[:3] and torch.equal(losses, interp.losses[idxs])
    interp.plot_top_losses(2, largest=False)
    assert f'{losses[0]:.2f}' in shown[-1][0].axes[0].get_title()


def test_the_matrix_has_an_alt_text(learn, shown):
    interp = ClassificationInterpretation.from_learner(learn)
    interp.plot_confusion_matrix()
    interp.plot_confusion_matrix(normalize=True, norm_dec=1, cmap='viridis', figsize=(3, 3), title='Bears')
    assert all('confusion matrix' in alt for _, alt in shown) and shown[1][0].axes[0].get_title() == 'Bears'
    assert not plt.get_fignums()


@pytest.mark.parametrize('cmap', ['Blues', 'viridis', 'Greys_r', 'coolwarm'])
def test_every_number_can_be_read_on_its_cell(cmap):
    "Contrast of at least 4.5, after the Web Content Accessibility Guidelines."
    cm = np.arange(49).reshape(7, 7)
    ax = draw_matrix(cm, range(7), cmap=cmap).axes[0]
    def linear(c): return c/12.92 if c <= .04 else ((c + .055)/1.055)**2.4
    def light(rgb): return np.dot(list(map(linear, rgb)), (.2126, .7152, .0722))
    for text, value in zip(ax.texts, cm.ravel(), strict=True):
        a, b = sorted([light(ax.images[0].to_rgba(value)[:3]), 0. if text.get_color() == 'black' else 1.])
        assert (b + .05)/(a + .05) > 4.5
    plt.close('all')


def test_many_classes():
    cm = np.diag(np.full(60, 5))
    cm[3, 7] = 2
    names = [f'a rather long name of class {i}' for i in range(60)]
    fig = draw_matrix(cm, names)
    fig.canvas.draw()
    assert most_confused(cm, names) == [(names[3], names[7], 2)] and max(fig.get_size_inches()) < 30
    assert len(interpret._matrix_alt(cm, names)) < 200
    plt.close('all')


def test_show_results(learn, shown):
    state, mode = torch.get_rng_state(), learn.model.training
    learn.show_results(max_n=4)
    learn.show_results(ds_idx=0, max_n=100, shuffle=False)
    assert torch.equal(state, torch.get_rng_state()) and learn.model.training == mode
    few, alls = shown
    assert len([a for a in few[0].axes if a.images]) == 4
    titles = [a.get_title() for a in alls[0].axes if a.images]
    assert len(titles) == len(learn.dls.train_ds) and all(t[0] in '✓✗' for t in titles)
    right = [len(set(t[1:].split())) == 1 for t in titles]
    assert right == [t[0] == '✓' for t in titles] and f'{sum(right)} right' in alls[1]


def test_nothing_to_interpret(learn):
    with pytest.raises(ValueError, match='with_labels=True'):
        Interpretation.from_learner(learn, dl=learn.dls.test_dl(learn.dls.valid_ds.items[:2]))
    for k in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match='whole number'): Interpretation.from_learner(learn).top_losses(k)
    with pytest.raises(TypeError, match='takes a trained Learner, and was given DataLoaders'):
        Interpretation.from_learner(learn.dls)


def test_a_loaded_learner_is_given_pictures(learn, shown, tmp_path, monkeypatch):
    "What the message tells to do works, and comes to the same numbers as in the learner that was exported."
    monkeypatch.setenv('COURSE_MODELS_PATH', str(tmp_path))
    there, files = load_learner(learn.export('colour'), model=MeanColour()), list(learn.dls.valid_ds.items)
    for f in (there.show_results, lambda: ClassificationInterpretation.from_learner(there)):
        with pytest.raises(ValueError, match='came from load_learner and holds no pictures.*get_y = parent_label'): f()
    there.dls.get_y = parent_label
    dl = there.dls.test_dl(files, with_labels=True)
    interp = ClassificationInterpretation.from_learner(there, dl=dl)
    here = ClassificationInterpretation.from_learner(learn)
    assert torch.allclose(interp.probs, here.probs, atol=1e-5) and torch.equal(interp.targs, here.targs)
    there.show_results(dl=dl, max_n=2)
    interp.plot_top_losses(2)
    assert len(shown) == 2
