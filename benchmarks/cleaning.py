"""What a cleaning queue finds on drawn bears with planted dirt; prints one line of JSON.

    python benchmarks/cleaning.py --seed 0

A tenth of the labels is wrong; near-duplicates, blurred and dark pictures, and files that are no pictures are planted
besides. One model is trained on all that can be opened, from scratch, as in lesson 2. Then all rank the same files:

- `queue`: `find_suspects`, with the training half scored by three folds;
- `loss`: by the loss of the trained model alone, the way the published cleaner does (it shows nothing unreadable);
- `folds`: by the loss of the same out-of-sample probabilities as the queue has;
- `cleanlab`: its label issues first, by self-confidence, then all others by it, from those same probabilities;
- `cleanvision`: what it finds fault with first, by its lowest score, then all others by theirs. It stops at a file that
  is no picture, so those are taken out for it.

Counted is how much of what was planted lies in the first fifth of each ranking. Of a near-duplicate and its original
either one will do: both are what a person would look at.
"""
import argparse
import contextlib
import io
import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np

DIRT = {'mislabelled': 45, 'near-duplicate': 5, 'blurred': 5, 'dark': 5, 'not-an-image': 5}
FIRST = .2
LABELS, FILES = ('mislabelled',), ('near-duplicate', 'blurred', 'dark', 'not-an-image')


def dirty_bears(folder, seed):
    "Bears with planted dirt; what was planted, as path to kind, and for near-duplicates their originals."
    from course_lib.data.samples import draw_bears
    planted = draw_bears(folder, seed=42 + seed, dirt=DIRT)
    twins = {p.path: folder/p.detail for p in planted if p.kind == 'near-duplicate'}
    return {p.path: p.kind for p in planted}, twins


def trained(folder, seed, size, epochs):
    "A model trained on the dirty set, but for what cannot be opened."
    from course_lib.vision import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        RandomResizedCrop,
        RandomSplitter,
        aug_transforms,
        error_rate,
        get_image_files,
        parent_label,
        resnet18,
        set_seed,
        verify_images,
        vision_learner,
    )
    set_seed(seed)
    files = get_image_files(folder)
    bad = set(verify_images(files))
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=lambda _: [f for f in files if f not in bad],
                      get_y=parent_label, splitter=RandomSplitter(.2, seed=seed),
                      item_tfms=RandomResizedCrop(size, min_scale=.5), batch_tfms=aug_transforms())
    learn = vision_learner(block.dataloaders(folder, bs=32), resnet18, pretrained=False, metrics=error_rate)
    learn.fit_one_cycle(epochs, .004)
    return learn


def by_loss(images, learn):
    "Numbers of the images by the loss of the model that was trained on most of them; those without one left out."
    from course_lib.vision import Interpretation
    losses = np.concatenate([Interpretation.from_learner(learn, ds_idx=k).losses.float().numpy() for k in (0, 1)])
    return np.argsort(-losses)


def by_folds(images):
    "The same by out-of-sample loss."
    known = np.flatnonzero(images.has_probs)
    return known[np.argsort(-images.losses[known])]


def by_cleanlab(images):
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label
    known = np.flatnonzero(images.has_probs)
    labels, probs = images.targs[known], images.probs[known].astype(float)
    probs /= probs.sum(1, keepdims=True)
    first = find_label_issues(labels, probs, return_indices_ranked_by='self_confidence', n_jobs=1)
    rest = [i for i in np.argsort(get_self_confidence_for_each_label(labels, probs)) if i not in set(first)]
    return known[[*first, *rest]]


def by_cleanvision(images, looks):
    logging.disable(logging.WARNING)
    from cleanvision import Imagelab
    number = {str(p): i for i, p in enumerate(images.paths)}
    lab = Imagelab(filepaths=[str(p) for p, look in zip(images.paths, looks, strict=True) if not look.fault])
    lab.find_issues(n_jobs=1)
    found = lab.issues
    flags = found[[c for c in found.columns if c.startswith('is_')]].any(axis=1)
    low = found[[c for c in found.columns if c.endswith('_score')]].min(axis=1)
    order = np.lexsort((low.to_numpy(), ~flags.to_numpy()))
    return [number[p] for p in found.index[order] if p in number]


def share(order, images, planted, twins, kinds=tuple(DIRT), first=FIRST):
    "The share of what was planted that lies in the first part of a ranking."
    seen = {images.paths[i] for i in order[:int(first*len(images))]}
    wanted = [p for p, kind in planted.items() if kind in kinds]
    return sum(p in seen or twins.get(p) in seen for p in wanted)/len(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--size', type=int, default=64)
    parser.add_argument('--epochs', type=int, default=9)
    args = parser.parse_args()
    from course_lib.cleaning.imageset import image_set
    from course_lib.cleaning.looks import LookBook
    from course_lib.cleaning.suspects import find_suspects
    with tempfile.TemporaryDirectory() as tmp, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(tmp).resolve()/'bears'
        planted, twins = dirty_bears(folder, args.seed)
        learn = trained(folder, args.seed, args.size, args.epochs)
        start = time.perf_counter()
        images = image_set(learn, folds=3)
        folds = time.perf_counter() - start
        looks = LookBook().fill(images.paths)
        queue = find_suspects(images, looks)
        orders = {'queue': queue.order, 'loss': by_loss(images, learn), 'folds': by_folds(images),
                  'cleanlab': by_cleanlab(images), 'cleanvision': by_cleanvision(images, looks)}
        out = {name: {kind: share(order, images, planted, twins, kinds) for kind, kinds in
                      {'all': tuple(DIRT), 'labels': LABELS, 'files': FILES, **{k: (k,) for k in DIRT}}.items()}
               for name, order in orders.items()}
    print(json.dumps({'seed': args.seed, 'images': len(images), 'folds_seconds': folds, 'shares': out}))


if __name__ == '__main__':
    main()
