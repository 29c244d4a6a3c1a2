"Bundles: what a notebook cell cannot show. Faults of the disk, damaged and hostile files, another process."
import errno
import json
import os
import pickle
import random
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load, save

from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.samples import draw_bears
from course_lib.data.split import RandomSplitter
from course_lib.data.transforms import RandomResizedCrop, Resize, aug_transforms
from course_lib.serving import bundle
from course_lib.serving.bundle import BundleError, BundleNotFound, load_learner
from course_lib.training.learner import Learner
from course_lib.training.models import create_vision_model
from course_lib.training.vision import vision_learner


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    path = tmp_path_factory.mktemp('bears')
    draw_bears(path, n=6, size=80)
    return path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COURSE_MODELS_PATH', 'models')
    return tmp_path


def loaders(photos, **kwargs):
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                      splitter=RandomSplitter(.4, seed=42), **{'item_tfms': Resize(48), **kwargs})
    return block.dataloaders(photos, bs=8, device='cpu')


@pytest.fixture(scope='module')
def learn(photos):
    torch.manual_seed(1)
    learn = vision_learner(loaders(photos, batch_tfms=aug_transforms()), 'squeezenet1_1', pretrained=False)
    learn.fit(1, 1e-3)
    return learn


@pytest.fixture(scope='module')
def exported(learn, tmp_path_factory):
    return learn.export(tmp_path_factory.mktemp('first')/'bears.safetensors').read_bytes()


@pytest.fixture
def file(exported, here):
    file = here/'models'/'bears.safetensors'
    file.parent.mkdir()
    file.write_bytes(exported)
    return file


def rewrite(file, about=None, tensors=None):
    "The file with another description, or other tensors, and a checksum that fits."
    file.write_bytes(bundle._signed(tensors or load(file.read_bytes()), about or described(file)))


def metadata_of(file):
    data = file.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], 'little')])['__metadata__']


def described(file): return json.loads(metadata_of(file)[bundle.KEY])


def refused(file, **kwargs):
    with pytest.raises(BundleError) as e: load_learner(file, **kwargs)
    assert file.name in str(e.value)
    return str(e.value)


# ---- writing

def test_same_bytes_every_time_and_after_loading(learn, file):
    assert learn.export('again').read_bytes() == file.read_bytes()
    assert load_learner(file).export('third').read_bytes() == file.read_bytes()


def test_in_another_process(learn, file, photos):
    photo = get_image_files(photos)[0]
    code = ('import sys, torch; from course_lib.serving.bundle import load_learner; '
            'print(load_learner(sys.argv[1]).predict(sys.argv[2])[2].tolist())')
    out = subprocess.run([sys.executable, '-c', code, file, photo], capture_output=True, text=True, check=True).stdout
    assert torch.allclose(torch.tensor(json.loads(out.splitlines()[-1])), learn.predict(photo)[2], atol=1e-6)


@pytest.mark.parametrize('step', ['open', 'fsync', 'replace'])
@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_disk_faults_leave_the_old_file(learn, file, monkeypatch, step, code):
    def fail(*_args, **_kwargs): raise OSError(code, os.strerror(code))
    before = file.read_bytes()
    if step == 'open': monkeypatch.setattr('builtins.open', fail)
    else: monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match=os.strerror(code)): learn.export(file)
    monkeypatch.undo()
    assert file.read_bytes() == before and [f.name for f in file.parent.iterdir()] == [file.name]


def test_interrupted_while_writing(learn, file, monkeypatch):
    def fail(*_): raise KeyboardInterrupt
    before = file.read_bytes()
    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(KeyboardInterrupt): learn.export(file)
    assert file.read_bytes() == before and len(list(file.parent.iterdir())) == 1


def test_full_disk_for_real(file):
    "A limit on the size of a file, in a process of its own, stops the writing half-way."
    resource = pytest.importorskip('resource')
    code = ('import resource, sys; from course_lib.serving.bundle import load_learner; '
            'learn = load_learner(sys.argv[1]); '
            'resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000)); learn.export("x.safetensors")')
    out = subprocess.run([sys.executable, '-c', code, file], capture_output=True, text=True)
    assert resource and 'x.safetensors could not be written' in out.stderr
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write anywhere')
def test_no_permission(learn, here):
    (here/'models').mkdir(mode=0o500)
    with pytest.raises(OSError, match='models'): learn.export('x')


def test_the_file_can_be_read_by_others(file):
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_random_numbers_are_left_alone(learn):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_learner(learn.export('x')).predict(torch.zeros(3, 60, 60, dtype=torch.uint8))
    assert torch.equal(torch.rand(1), expected)


def test_own_code_is_refused_before_anything_is_written(photos, here):
    def shrink(x): return x[:, :32, :32]
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3*32*32, 3))
    mine = Learner(loaders(photos, item_tfms=[Resize(48), shrink]), model)
    mine.predict(get_image_files(photos)[0])
    with pytest.raises(BundleError, match='shrink'): mine.export('x')
    assert not (here/'models').exists()


def test_a_batch_transform_that_predicting_needs(photos, here):
    from torchvision.transforms import v2

    class Darker:
        def __call__(self, x): return x/2
        valid = __call__
    for tfm, name in ((v2.Normalize([.5]*3, [.2]*3), 'Normalize'), (Darker(), 'Darker')):
        mine = vision_learner(loaders(photos, batch_tfms=[tfm]), 'squeezenet1_1', pretrained=False, normalize=False)
        with pytest.raises(BundleError, match=f'batch_tfms holds {name}, which is applied when predicting'):
            mine.export('x')
    assert not (here/'models').exists()


def test_a_batch_transform_of_training_only(photos, capsys):
    def darker(x): return x/2
    mine = vision_learner(loaders(photos, batch_tfms=[darker]), 'squeezenet1_1', pretrained=False)
    there, photo = load_learner(mine.export('x')), get_image_files(photos)[0]
    assert 'only training uses it: darker' in capsys.readouterr().out
    assert torch.allclose(mine.predict(photo)[2], there.predict(photo)[2], atol=1e-6)


def test_a_model_changed_since(photos, capsys):
    learn = vision_learner(loaders(photos), 'squeezenet1_1', pretrained=False)
    learn.model.head[-1] = torch.nn.Linear(learn.model.head[-1].in_features, 3, bias=True)
    file = learn.export('changed')
    assert 'changed after it was made' in capsys.readouterr().out
    assert 'model=' in refused(file)
    assert load_learner(file, model=learn.model).predict(get_image_files(photos)[0])[0] in learn.dls.vocab


# ---- the same predictions

def test_every_transform_comes_along(photos):
    for tfm in (Resize(40, 'squish'), Resize(40, 'pad', pad_mode='zeros'), RandomResizedCrop(40, min_scale=.5)):
        learn = vision_learner(loaders(photos, item_tfms=tfm), 'squeezenet1_1', pretrained=False)
        there = load_learner(learn.export('t'))
        for f in get_image_files(photos)[:4]: assert torch.allclose(learn.predict(f)[2], there.predict(f)[2], atol=1e-6)


def test_get_preds_of_new_files(learn, file, photos):
    there, files = load_learner(file), get_image_files(photos)
    probs, _ = there.get_preds(dl=there.dls.test_dl(files))
    alone = torch.stack([p for *_, p in there.predict_batch(files)])
    assert probs.shape == (len(files), 3) and torch.allclose(probs, alone, atol=.05)


def test_predict_agrees_with_predict_batch(learn, photos):
    files = get_image_files(photos)[:7]
    for bs in (1, 5, 64):
        for f, (label, i, probs) in zip(files, learn.predict_batch(files, bs=bs), strict=True):
            one = learn.predict(f)
            assert (label, int(i)) == (one[0], int(one[1])) and torch.allclose(probs, one[2], atol=1e-5)


def test_no_output_while_predicting(learn, photos, capsys):
    learn.predict_batch(get_image_files(photos))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ''


def test_an_address_is_no_file(learn, photos):
    for url in ('https://example.org/bear.jpg', 'http://x'):
        with pytest.raises(ValueError, match=f'{url} cannot be predicted: it is an address.*the bytes'):
            learn.predict(url)
        with pytest.raises(ValueError, match='item 1 .*it is an address'):
            learn.predict_batch([get_image_files(photos)[0], url])


# ---- where to

def test_names_go_below_the_models_folder(learn, here, photos):
    for name in ('a', 'sub/b.safetensors', 'sub/deep/c'):
        path = learn.export(name)
        assert path.resolve() == here/'models'/f'{name.removesuffix(".safetensors")}.safetensors'
        assert load_learner(name).dls.vocab == learn.dls.vocab
    assert [o.name for o in here.iterdir()] == ['models']
    assert learn.export(here/'d').parent == here and learn.export(here/'models'/'new'/'e').is_file()


def test_a_name_as_given_comes_first(learn, here):
    (here/'sub').mkdir()
    first, second = learn.export(here/'sub'/'x'), learn.export('sub/x')
    assert bundle.find_bundle('sub/x').resolve() == first
    first.unlink()
    assert bundle.find_bundle('sub/x').resolve() == second.resolve()


@pytest.mark.parametrize('name', ['b', 'models/', '', '.', '..', None, 3, 'new/', 'full.safetensors'])
def test_no_name_of_a_file(learn, here, name):
    (here/'b').mkdir()
    (here/'models'/'full.safetensors').mkdir(parents=True)
    before = sorted(here.rglob('*'))
    with pytest.raises(BundleError, match="export takes the name of a file, such as 'bears.safetensors'"):
        learn.export(name)
    assert sorted(here.rglob('*')) == before


def test_a_folder_that_is_not_there(learn, here):
    with pytest.raises(BundleError, match='there is no folder .*nowhere: make it first'):
        learn.export(here/'nowhere'/'x.safetensors')
    assert not (here/'nowhere').exists()


# ---- finding

def test_a_missing_file(file):
    with pytest.raises(BundleNotFound, match='Did you mean bears.safetensors'): load_learner('bear.safetensors')
    with pytest.raises(FileNotFoundError, match='There is no bundle at all'): load_learner('/nowhere/x.safetensors')
    with pytest.raises(BundleNotFound, match='is a folder.*bears.safetensors'): load_learner('models')
    with pytest.raises(BundleNotFound, match='is a folder'): load_learner('')
    with pytest.raises(BundleError, match='load_learner takes the name of a file.*None'): load_learner(None)


def test_the_name_of_a_pickle(learn, file, capsys):
    assert learn.export('export.pkl').name == 'export.safetensors'
    assert 'any code' in capsys.readouterr().out
    assert load_learner('export.pkl').dls.vocab == learn.dls.vocab
    assert 'export.safetensors instead' in capsys.readouterr().out


# ---- foreign and damaged files

class Trap:
    def __reduce__(self): return open, ('trapped', 'w')


def test_pickles_stay_shut(here):
    for name, content in {'a.safetensors': pickle.dumps(Trap()), 'b.pkl': pickle.dumps(Trap(), protocol=2),
                          'c.safetensors': pickle.dumps(Trap(), protocol=0)}.items():
        (here/name).write_bytes(content)
        refused(here/name)
    torch.save(Trap(), here/'d.safetensors')
    assert 'pickle' in refused(here/'d.safetensors')
    assert not (here/'trapped').exists()


@pytest.mark.parametrize('content, reason', [
    (b'', 'empty'), (b'hello', 'not a safetensors file'), (b'<html><body>404</body></html>', 'web page'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'), (b'\xff'*7 + b'\x7f{"a":1}', 'damaged'),
    ((4).to_bytes(8, 'little') + b'{"a"}', 'not JSON'), ((2*10**5).to_bytes(8, 'little') + b'{"a":'*40000, 'not JSON'),
    ((2).to_bytes(8, 'little') + b'{}', 'course_lib did not make it'),
    ((500).to_bytes(8, 'little') + b'{"a":', 'cut short')])
def test_not_a_bundle(here, content, reason):
    (here/'x.safetensors').write_bytes(content)
    assert reason in refused(here/'x.safetensors')


def test_cut_short_anywhere(file):
    data = file.read_bytes()
    for n in (8, 9, 500, len(data)//2, len(data) - 1):
        file.write_bytes(data[:n])
        refused(file)
    file.write_bytes(data + b'more')
    assert 'damaged' in refused(file)


def test_a_foreign_safetensors_file(here):
    (here/'x.safetensors').write_bytes(save({'w': torch.ones(2)}))
    assert 'weights=' in refused(here/'x.safetensors')


def test_from_a_newer_version(file):
    about = described(file)
    rewrite(file, {**about, 'format': 2, 'versions': {'course_lib': '9.1'}})
    assert '9.1' in refused(file) and 'update' in refused(file)


def _changes(about):
    arch, head = about['arch'], about['arch']['head']
    yield from ({k: wrong} for k in about for wrong in (None, 'x', [[]], {'a': 1})
                if k not in ('library', 'loss', 'model', 'sha256', 'versions') and not (k == 'arch' and wrong is None))
    yield from ({'arch': {**arch, k: v}} for k, v in (
        ('name', 'os.system'), ('name', '../x'), ('name', 'hf-hub:a/b'), ('name', 'local-dir:/'), ('library', 'os'),
        ('n_out', 10**9), ('n_out', 2**20), ('n_in', 2**20), ('head', {**head, 'lin_ftrs': [2**20, 2**20]}),
        ('head', {'x': 1}), ('head', []), ('spatial', 'no')))
    yield from ({k: v} for k in ('item_tfms', 'batch_tfms') for v in (
        [{'name': 'os.system', 'args': {}}], ['eval'], [None], [{'name': 'Resize', 'args': {'size': 'x'}}],
        [{'name': 'Resize', 'args': {'__class__': 'x'}}]))
    yield from ({'y_block': {'name': 'CategoryBlock', 'vocab': v}}
                for v in (['a'], 'abc', [['a'], ['b'], ['c']], ['a']*3, None))


def test_every_part_of_the_description_is_checked(file):
    about, original = described(file), file.read_bytes()
    for change in _changes(about):
        file.write_bytes(original)
        rewrite(file, {**about, **change})
        assert refused(file), change
    for words in ('', '[]', '{', '3', '['*50000, 'null'):
        file.write_bytes(save(load(original), metadata={bundle.KEY: words}))
        assert 'damaged' in refused(file)


@pytest.mark.parametrize('change', [
    {'spatial': False}, {'spatial': True}, {'spatial': False, 'head': {'ps': [.1]*9}},
    {'spatial': False, 'head': {'lin_ftrs': [3]*50}}])
def test_a_huge_model_is_only_planned(file, monkeypatch, change):
    built, build = [], torch.nn.Linear.__init__

    def watched(self, *args, **kwargs):
        build(self, *args, **kwargs)
        built.append(self.weight.device.type)
    monkeypatch.setattr(torch.nn.Linear, '__init__', watched)
    about = described(file)
    arch = {**about['arch'], 'library': 'timm', 'name': 'vit_large_patch16_224', **change}
    rewrite(file, {**about, 'arch': {**arch, 'head': {**about['arch']['head'], **change.get('head', {})}}})
    assert refused(file) and set(built) == {'meta'}


@pytest.mark.parametrize('name', ['torchvision:densenet121', 'torchvision:swin_t', 'timm:vit_tiny_patch16_224'])
def test_the_plan_is_the_model(name):
    model = create_vision_model(name, 3, pretrained=False)
    assert bundle._shapes(bundle._plan(model.arch_config)) == bundle._shapes(model)


def test_a_model_without_a_plan(photos):
    learn = vision_learner(loaders(photos), 'regnet_y_400mf', pretrained=False)
    assert bundle._plan(learn.arch_config) is None
    there, photo = load_learner(learn.export('x')), get_image_files(photos)[0]
    assert torch.allclose(learn.predict(photo)[2], there.predict(photo)[2], atol=1e-6)


def test_other_tensors(file):
    tensors = load(file.read_bytes())
    name = 'head.' + next(k for k in tensors if k.startswith('head.'))[5:]
    for wrong, reason in (({k: v for k, v in tensors.items() if k != name}, 'lacks 1 of'),
                          ({**tensors, 'extra': torch.ones(1)}, 'extra'),
                          ({**tensors, name: torch.ones(3, 3, 3)}, name)):
        rewrite(file, tensors=wrong)
        assert reason in refused(file)


def test_damage_anywhere_is_refused(file):
    "Bytes changed at random, in the header and in the weights."
    rng, data = random.Random(0), file.read_bytes()
    n = 8 + int.from_bytes(data[:8], 'little')
    for i in [*(rng.randrange(n) for _ in range(40)), *(rng.randrange(n, len(data)) for _ in range(20))]:
        file.write_bytes(data[:i] + bytes([data[i] ^ 1 << rng.randrange(8)]) + data[i + 1:])
        assert file.name in refused(file)


def test_zeroed_weights_are_refused(file):
    data = file.read_bytes()
    n = 8 + int.from_bytes(data[:8], 'little')
    for first, last in ((n, len(data)), (len(data)//2, len(data)//2 + 10**6), (len(data) - 1000, len(data))):
        file.write_bytes(data[:first] + bytes(last - first) + data[last:])
        said = f'{file} cannot be loaded: its contents are damaged (the checksum differs). Get it again'
        assert refused(file).startswith(said)


def test_a_file_without_a_checksum(file):
    about = described(file)
    for wrong in ({}, {'sha256': None}, {'sha256': ''}, {'sha256': '0'*64}, {'sha256': '\ud800'}):
        words = json.dumps({**{k: v for k, v in about.items() if k != 'sha256'}, **wrong})
        file.write_bytes(save(load(file.read_bytes()), metadata={bundle.KEY: words}))
        assert file.name in refused(file)
