"""One side of the bear benchmark, in a process of its own; prints one line of JSON.

    python benchmarks/bears.py course_lib|fastai|bare DATA WEIGHTS --size 128 --epochs 3 --seed 0

All sides get the same photos, split, network (torchvision's MobileNetV2), weights, size, batch and epochs.
"""
import argparse
import json
import os
import random
import resource
import sys
import time
from pathlib import Path

BATCH = 64


def photos(data):
    return sorted(p for p in Path(data).glob('*/*') if not p.name.startswith('.'))


def split(files, seed=42, part=.2):
    "Which files are kept for validation: the same for every side and every run."
    order = list(range(len(files)))
    random.Random(seed).shuffle(order)
    return sorted(order[:int(part*len(files))])


def course_lib_side(data, weights, size, epochs):
    from course_lib.vision import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        IndexSplitter,
        Resize,
        error_rate,
        mobilenet_v2,
        parent_label,
        set_seed,
        vision_learner,
    )
    set_seed(args.seed)
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=photos, get_y=parent_label,
                      splitter=IndexSplitter(split(photos(data))), item_tfms=Resize(size))
    learn = vision_learner(block.dataloaders(data, bs=BATCH), mobilenet_v2, weights=weights, metrics=error_rate)
    return timed(learn, epochs)


def fastai_side(data, weights, size, epochs):
    import torch
    from fastai.vision.all import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        IndexSplitter,
        Resize,
        error_rate,
        imagenet_stats,
        parent_label,
        set_seed,
        vision_learner,
    )
    from fastai.vision.learner import default_split, model_meta
    from torchvision.models import mobilenet_v2

    def arch(pretrained):
        net = mobilenet_v2()
        net.load_state_dict(torch.load(weights, weights_only=True))
        return net
    set_seed(args.seed)
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=photos, get_y=parent_label,
                      splitter=IndexSplitter(split(photos(data))), item_tfms=Resize(size))
    # fastai knows neither where to cut this network nor its statistics
    model_meta[arch] = {'cut': -1, 'split': default_split, 'stats': imagenet_stats}
    learn = vision_learner(block.dataloaders(data, bs=BATCH), arch, metrics=error_rate)
    return timed(learn, epochs)


def timed(learn, epochs):
    "Seconds of `fine_tune`, and the error on the validation photos afterwards."
    with learn.no_bar():
        start = time.perf_counter()
        learn.fine_tune(epochs)
        seconds = time.perf_counter() - start
        error = float(learn.validate()[1])
    return dict(seconds=seconds, error=error)


def bare_side(data, weights, size, epochs):
    "Forward, backward and step in bfloat16, channels last, and nothing else: what no training helper can beat."
    import torch
    from torchvision.models import mobilenet_v2
    n_valid = len(split(photos(data)))
    n_train = len(photos(data)) - n_valid
    net = mobilenet_v2(num_classes=3).to(memory_format=torch.channels_last)
    x = torch.randn(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    y = torch.randint(0, 3, (BATCH,))
    opt = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    start = time.perf_counter()
    for _ in range(epochs + 1):
        for _ in range(n_train//BATCH):
            with torch.autocast('cpu', torch.bfloat16):
                loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
            for i in range(0, n_valid, BATCH):
                net.eval()(x[:min(BATCH, n_valid - i)])
            net.train()
    return dict(seconds=time.perf_counter() - start, error=None)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('side', choices=['course_lib', 'fastai', 'bare'])
    parser.add_argument('data')
    parser.add_argument('weights')
    parser.add_argument('--size', type=int, default=128)
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    side = {'course_lib': course_lib_side, 'fastai': fastai_side, 'bare': bare_side}[args.side]
    os.environ.setdefault('TQDM_DISABLE', '1')
    out = side(args.data, args.weights, args.size, args.epochs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/(2**20 if sys.platform == 'darwin' else 2**10)
    print(json.dumps(out | dict(side=args.side, peak_mb=peak)))
