"Loaders: what a notebook cell cannot show well - worker processes, counting what is read, other start methods."
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data.blocks import CategoryBlock, ImageBlock, block_from_config, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.loaders import DataLoader, DataLoaders, ItemDataset, ItemError, make_loaders
from course_lib.data.transforms import Normalize, RandomResizedCrop, Resize, aug_transforms
from course_lib.settings import set_seed


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    "Twenty-four small photos in two folders, each of one grey of its own."
    root = tmp_path_factory.mktemp('photos')
    for i in range(24):
        folder = root/'ab'[i % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 60, 3), 10*i, dtype=np.uint8)).save(folder/f'{i:02}.png')
    return get_image_files(root)


class CountingImages(ImageBlock):
    "An image block that notes what it reads."
    def __init__(self): self.read = []
    def encode(self, raw, min_size=None):
        self.read.append(raw)
        return super().encode(raw, min_size)


def dataset(files, x_block=None, **kwargs):
    y_block = CategoryBlock(['a', 'b'])
    targs = y_block.encode_all([parent_label(f) for f in files])
    return ItemDataset(files, x_block or ImageBlock(), y_block, targs, **{'item_tfms': Resize(16), **kwargs})


def same(batches, others):
    "Whether two passes gave the same batches."
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(batches, others, strict=True))


def test_each_file_is_read_once(files):
    x_block = CountingImages()
    dl = DataLoader(dataset(files, x_block), bs=8, shuffle=True, device='cpu')
    for _ in range(3): list(dl)
    assert sorted(x_block.read) == sorted(files)


def test_what_does_not_fit_is_read_again(files):
    x_block = CountingImages()
    ds = dataset(files, x_block, limit=10*16*24*3)
    dl = DataLoader(ds, bs=8, device='cpu')
    first, second = list(dl), list(dl)
    assert ds.cache.nbytes <= ds.cache.limit and 0 < len(ds.cache) < 24
    assert len(x_block.read) == 24 + 24 - len(ds.cache)
    assert len(first) == len(second) == 3


def test_one_item_many_times_is_read_once(files):
    x_block = CountingImages()
    dataset(files, x_block, limit=0).__getitems__([3]*9)
    assert x_block.read == [files[3]]


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_give_the_same_batches(files, workers):
    plain = DataLoader(dataset(files, split='valid'), bs=5, device='cpu')
    extra = DataLoader(dataset(files, split='valid'), bs=5, device='cpu', num_workers=workers)
    plain.dataset[0]  # a pool of threads that runs already must not stop a forked worker
    first, second = list(extra), list(extra)
    assert same(list(plain), first) and same(first, second)
    assert torch.equal(extra.one_batch()[0], first[0][0])
    assert same(first, list(extra))


def test_a_worker_names_the_file(files, tmp_path):
    bad = tmp_path/'broken.jpg'
    bad.write_bytes(files[0].read_bytes()[:40])
    ds = ItemDataset([*files[:3], bad], ImageBlock(), item_tfms=Resize(16))
    dl = DataLoader(ds, bs=4, num_workers=1, device='cpu')
    with pytest.raises(ItemError, match=r'could not read .*broken\.jpg.*verify_images'): list(dl)


def test_a_dataset_can_be_sent_to_another_process(files):
    ds = dataset(files, item_tfms=[RandomResizedCrop(16, min_scale=.5)])
    ds[0:4]
    other = pickle.loads(pickle.dumps(ds))
    assert len(other.cache) == 0 and len(ds.cache) == 4 and other[5][1] == ds[5][1]


def test_seed_rules_order_crop_and_augmentation(files):
    ds = dataset(files, item_tfms=RandomResizedCrop(16, min_scale=.3))
    dl = DataLoader(ds, bs=8, shuffle=True, batch_tfms=aug_transforms(), device='cpu')
    runs = []
    for _ in range(2):
        set_seed(7)
        runs.append(list(dl))
    assert same(*runs) and not same(runs[0], list(dl))


def test_validation_is_never_augmented(files):
    ds = dataset(files, split='valid', item_tfms=RandomResizedCrop(16, min_scale=.3))
    dl = DataLoader(ds, bs=8, batch_tfms=[Normalize([0, 0, 0], [1, 1, 1]), *aug_transforms()], device='cpu')
    state = torch.get_rng_state()
    first = list(dl)
    assert same(first, list(dl)) and torch.equal(torch.get_rng_state(), state)
    greys = torch.cat([xb for xb, _ in first]).mean((1, 2, 3))*255
    assert torch.allclose(greys, torch.tensor([10.*int(f.stem) for f in files]), atol=.6)


def test_normalize_is_last_and_only_once(files):
    dls = make_loaders(dataset(files), dataset(files, split='valid'), bs=8, batch_tfms=aug_transforms(), device='cpu')
    plain, dls = dls, dls.normalized([.5]*3, [.25]*3)
    norm = dls.batch_tfms[-1]
    assert dls.normalized([0.]*3, [1.]*3) is dls and not any(isinstance(t, Normalize) for t in plain.batch_tfms)
    for dl in dls: assert dl.batch_tfms[-1] is norm and sum(isinstance(t, Normalize) for t in dl.batch_tfms) == 1
    xb = dls.test_dl(files[:1]).one_batch()[0]
    grey = 10*int(files[0].stem)/255
    assert torch.allclose(xb, torch.full_like(xb, (grey - .5)/.25), atol=.01)


def test_short_training_set_is_kept_and_said(files, capsys):
    dls = make_loaders(dataset(files[:5]), dataset(files[5:9], split='valid'), bs=64, device='cpu')
    assert '5 items' in capsys.readouterr().out
    assert [len(xb) for xb, _ in dls.train] == [5]
    dls = make_loaders(dataset(files[:9]), dataset(files[9:], split='valid'), bs=4, device='cpu')
    assert capsys.readouterr().out == ''
    assert [len(xb) for xb, _ in dls.train] == [4, 4] and [len(xb) for xb, _ in dls.valid] == [4, 4, 4, 3]


def test_loaders_of_nothing_predict(files):
    full = make_loaders(dataset(files), dataset(files, split='valid'), bs=8, device='cpu')
    blocks = [block_from_config(b.config()) for b in (full.x_block, full.y_block)]
    dls = DataLoaders.empty(*blocks, item_tfms=Resize(16), batch_tfms=full.batch_tfms, device='cpu')
    assert dls.vocab == ['a', 'b'] and dls.n_out == 2 and len(dls.train) == len(dls.valid) == 0
    assert torch.equal(dls.test_dl(files[:3]).one_batch()[0], full.test_dl(files[:3]).one_batch()[0])
    assert len(dls.test_dl([])) == 0
    with pytest.raises(ValueError, match='get_y'): dls.test_dl(files[:2], with_labels=True)


def test_new_items_of_every_kind(files):
    dls = make_loaders(dataset(files), dataset(files, split='valid'), bs=8, device='cpu', get_y=parent_label)
    im = Image.open(files[4]).convert('RGB')
    kinds = [files[4], str(files[4]), Path(files[4]).read_bytes(), im, np.array(im)]
    xb, yb = dls.test_dl(kinds).one_batch()
    assert yb is None and all(torch.equal(xb[0], x) for x in xb)
    for one in kinds: assert torch.equal(dls.test_dl(one).one_batch()[0][0], xb[0])


def test_training_items_in_order_without_chance(files):
    ds = dataset(files, item_tfms=RandomResizedCrop(16, min_scale=.3))
    dl = DataLoader(ds, bs=10, shuffle=True, batch_tfms=aug_transforms(), device='cpu').plain()
    passes = list(dl), list(dl)
    assert same(*passes) and torch.equal(torch.cat([yb for _, yb in passes[0]]), ds.targs)


def test_drawing(files, monkeypatch):
    import course_lib.data.loaders as loaders
    shown = []
    monkeypatch.setattr(loaders, 'show_figure', lambda fig, alt, **k: shown.append((fig, alt)))
    dls = make_loaders(dataset(files), dataset(files, split='valid'), bs=8, device='cpu',
                       batch_tfms=Normalize([.5]*3, [.2]*3))
    dls.valid.show_batch(max_n=3, nrows=1)
    fig, alt = shown[-1]
    assert [ax.get_title() for ax in fig.axes] == ['a', 'a', 'a'] and alt == '3 items: a, a, a'
    grey = fig.axes[2].images[0].get_array()
    assert np.allclose(grey, 10*int(files[2].stem)/255, atol=.01)
    dls.show_batch(max_n=6, ncols=3, unique=True)
    assert len(shown[-1][0].axes) == 6
    dls.show_batch(nrows=1, ncols=2)
    assert len(shown[-1][0].axes) == 2
    with pytest.raises(ValueError, match='nothing to show'): dls.show_batch(max_n=0)


def test_a_function_that_writes_does_not_reach_what_is_kept(files):
    def left_half_black(x):
        x[:, :, :30] = 0
        return x
    ds = dataset(files, item_tfms=[left_half_black, Resize(16, 'squish')])
    bright = next(i for i, f in enumerate(files) if f.stem == '20')
    for _ in range(2): assert (ds[bright][0][:, :, 0] == 0).any()
    assert (ds.cache.get(bright) == 200).all()
    late = dataset(files, item_tfms=[Resize(16), left_half_black])
    assert (late[bright][0] == 0).all() and (late.cache.get(bright) == 200).all()


def test_other_transforms_forget_what_was_kept(files):
    for split in ('train', 'valid'):
        ds = dataset(files, split=split)
        before = ds[0][0].shape
        ds.item_tfms = [Resize(12, 'squish')]
        assert before != ds[0][0].shape == (3, 12, 12), split
