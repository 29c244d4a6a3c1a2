"Data blocks: the published lines, ten thousand files, and everything a learner's folder can get wrong."
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, RegexLabeller, parent_label, using_attr
from course_lib.data.images import get_image_files
from course_lib.data.split import GrandparentSplitter, RandomSplitter
from course_lib.data.transforms import RandomResizedCrop, Resize, aug_transforms


def photo(path, size=(40, 30), value=0):
    "A small photo of one grey at `path`, whose folders are made."
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def path(tmp_path):
    "Thirty photos of three kinds."
    for i in range(30): photo(tmp_path/'bears'/('black', 'grizzly', 'teddy')[i % 3]/f'{i}.jpg', (40 + i, 60 - i), 8*i)
    return tmp_path/'bears'


@pytest.fixture
def bears():
    return DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files,
                     splitter=RandomSplitter(valid_pct=0.2, seed=42), get_y=parent_label, item_tfms=Resize(32))


def test_the_published_lines(path, bears):
    dls = bears.dataloaders(path)
    dls.valid.show_batch(max_n=4, nrows=1)
    bears = bears.new(item_tfms=RandomResizedCrop(32, min_scale=0.3))
    dls = bears.dataloaders(path)
    dls.train.show_batch(max_n=4, nrows=1, unique=True)
    bears = bears.new(item_tfms=Resize(32), batch_tfms=aug_transforms(mult=2))
    dls = bears.dataloaders(path)
    dls.train.show_batch(max_n=8, nrows=2, unique=True)
    dls.show_batch()
    assert dls.vocab == ['black', 'grizzly', 'teddy'] and len(dls.train) == 1 and len(dls.train_ds) == 24
    xb, yb = dls.train.one_batch()
    assert xb.shape == (24, 3, 32, 32) and yb.shape == (24,) and 0 <= xb.min() and xb.max() <= 1
    x, y = dls.train_ds[0]
    assert x.dtype == torch.uint8 and dls.vocab[y] == dls.train_ds.items[0].parent.name
    assert len(dls.valid_ds) == 6 and dls[1] is dls.valid and dls.n_out == 3


def test_bs_workers_and_device_come_from_the_settings(path, bears, monkeypatch):
    monkeypatch.setenv('COURSE_BATCH_SIZE', '7')
    monkeypatch.setenv('COURSE_DEVICE', 'cpu')
    monkeypatch.setenv('COURSE_WORKERS', '1')
    dls = bears.dataloaders(path)
    assert dls.bs == 7 and str(dls.device) == 'cpu' and dls.train.num_workers == dls.valid.num_workers == 1
    assert [len(xb) for xb, _ in dls.train] == [7, 7, 7]
    assert bears.dataloaders(path, bs=5, num_workers=0).bs == 5


def test_the_split_is_that_of_the_published_lessons(path, bears):
    files = get_image_files(path)
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(42))
    assert bears.dataloaders(path).valid_ds.items == [files[i] for i in order[:6]]


def test_one_block_for_two_folders(tmp_path, bears):
    for i in range(12):
        photo(tmp_path/'one'/'ab'[i % 2]/f'{i}.png')
        photo(tmp_path/'two'/'cd'[i % 2]/f'{i}.png')
    assert bears.dataloaders(tmp_path/'one').vocab == ['a', 'b']
    assert bears.dataloaders(tmp_path/'two').vocab == ['c', 'd']
    block = CategoryBlock()
    DataBlock((ImageBlock, block), get_items=get_image_files, get_y=parent_label).datasets(tmp_path/'one')
    assert block.vocab is None


def test_ten_thousand_files_in_two_seconds(tmp_path, bears):
    content = photo(tmp_path/'x.jpg').read_bytes()
    for kind in 'ab':
        (tmp_path/'many'/kind).mkdir(parents=True)
        for i in range(5000): (tmp_path/'many'/kind/f'{i}.jpg').write_bytes(content)
    took = []
    for _ in range(2):
        start = time.perf_counter()
        dls = bears.dataloaders(tmp_path/'many', device='cpu')
        took.append(time.perf_counter() - start)
    assert min(took) < 2 and len(dls.train_ds) == 8000 and len(dls.train_ds.cache) == 0


def test_a_large_photo_is_read_small_and_upright(tmp_path):
    wide = np.zeros((2000, 4000, 3), dtype=np.uint8)
    wide[:, :2000] = 255
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees: what is left becomes the top
    Image.fromarray(wide).save(tmp_path/'phone.jpg', exif=exif)
    block = ImageBlock()
    assert block.encode(tmp_path/'phone.jpg').shape == (3, 4000, 2000)
    small = block.encode(tmp_path/'phone.jpg', min_size=64)
    assert 64 <= small.shape[2] <= 512 and small.shape[1] == 2*small.shape[2]
    assert small[:, :20].float().mean() > 250 and small[:, -20:].float().mean() < 5


def test_folders_train_and_valid(tmp_path):
    for i in range(12): photo(tmp_path/('train' if i < 8 else 'valid')/'ab'[i % 2]/f'{i}.png')
    block = DataBlock(get_items=get_image_files, get_y=parent_label, splitter=GrandparentSplitter(),
                      item_tfms=Resize(16))
    dls = block.dataloaders(tmp_path)
    assert dls.train.n == 8 and dls.valid.n == 4 and len(dls.valid.one_batch()[0]) == 4


def test_labels_from_names(tmp_path):
    files = [photo(tmp_path/f'{breed}_{i}.jpg') for breed in ('great_pyrenees', 'beagle') for i in range(4)]
    block = DataBlock(get_y=using_attr(RegexLabeller(r'(.+)_\d+.jpg$'), 'name'), splitter=RandomSplitter(.25, seed=1))
    assert block.datasets(files).vocab == ['beagle', 'great_pyrenees']
    photo(tmp_path/'nonumber.jpg')
    with pytest.raises(ValueError, match=r'nonumber\.jpg.*does not match'): block.datasets(get_image_files(tmp_path))


def test_get_x_and_items_that_are_no_paths(path):
    rows = [{'file': str(f), 'kind': f.parent.name} for f in get_image_files(path)]
    block = DataBlock(get_x=lambda o: o['file'], get_y=lambda o: o['kind'], splitter=RandomSplitter(seed=42),
                      item_tfms=Resize(16))
    dls = block.dataloaders(rows, bs=8)
    xb, yb = dls.valid.one_batch()
    assert xb.shape == (6, 3, 16, 16) and [dls.vocab[y] for y in yb] == [o['kind'] for o in dls.valid_ds.items]


@pytest.mark.parametrize('wrong, message', [
    (dict(item_tfms=Resize), 'item_tfms=Resize is the class: write Resize(128)'),
    (dict(batch_tfms=aug_transforms), 'batch_tfms=aug_transforms is the function: write aug_transforms()'),
    (dict(item_tfms=[Resize(8), 'flip']), "item_tfms='flip' is no transform"),
    (dict(batch_tfms=3), 'batch_tfms=3 is no transform'), (dict(batch_tfms=[aug_transforms()]), 'a list in a list'),
])
def test_transforms_that_are_none(bears, wrong, message):
    for make in (DataBlock, bears.new):
        with pytest.raises(ValueError) as e: make(**wrong)
        assert message in str(e.value)


@pytest.mark.parametrize('wrong, message', [
    (dict(blocks=(ImageBlock, 'cat')), "blocks=(ImageBlock, 'cat')"),
    (dict(get_items=Path('bears')), "Path('bears') is no function"),
    (dict(get_y='parent'), "get_y='parent' is no function: give one, such as get_y=parent_label"),
    (dict(get_x=3), 'get_x=3 '), (dict(splitter=.2), 'splitter=0.2 '),
    (dict(splitter=RandomSplitter), 'splitter=RandomSplitter is the class'),
])
def test_arguments_of_the_wrong_kind(wrong, message):
    with pytest.raises(ValueError) as e: DataBlock(**wrong)
    assert message in str(e.value)


def test_a_folder_without_get_items(path):
    for source in (path, str(path)):
        with pytest.raises(ValueError, match='get_items is missing.*get_image_files'):
            DataBlock(get_y=parent_label).datasets(source)


def test_messages_say_where_was_looked(tmp_path, bears, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path/'empty').mkdir()
    for source in ('empty', 'nowhere'):
        with pytest.raises((ValueError, OSError)) as e: bears.dataloaders(source)
        assert str(tmp_path.resolve()/source) in str(e.value)


def test_one_class_says_where(path, tmp_path, bears, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='all below /.*bears/teddy; the pictures lie directly in it'):
        bears.dataloaders(Path('bears/teddy'))
    for i in range(6): photo(path/'only'/'black'/f'{i}.png')
    with pytest.raises(ValueError, match='all below .*only') as e: bears.dataloaders(path/'only')
    assert 'directly' not in str(e.value)


def test_a_stray_picture_is_said_once(path, bears, capsys):
    photo(path/'stray.jpg')
    bears.splitter = lambda items: ([i for i in range(len(items)) if i % 5], range(0, len(items), 5))
    try: bears.dataloaders(path)
    except ValueError: pass
    out = capsys.readouterr().out
    assert out.count("class 'bears' has 1 item, bears/stray.jpg: is it in the wrong folder?") == 1
    photo(path/'stray2.jpg')
    bears.new().datasets(path)
    assert 'has 1 item' not in capsys.readouterr().out


def test_what_is_no_fault_of_the_picture(path, bears):
    with pytest.raises(ValueError, match='could not apply .*ZeroDivisionError') as e:
        x = DataBlock(get_items=get_image_files, get_y=parent_label, get_x=lambda o: 1/0)
        x.dataloaders(path).one_batch()
    assert 'verify_images' not in str(e.value)
    bad = Resize(8)
    bears.item_tfms = [type(bad)]
    with pytest.raises(ValueError, match='could not read') as e: bears.dataloaders(path).one_batch()
    assert 'verify_images' not in str(e.value) and 'damaged' not in str(e.value)


def test_an_empty_folder(tmp_path, bears):
    (tmp_path/'empty').mkdir()
    with pytest.raises(ValueError, match='empty'): bears.dataloaders(tmp_path/'empty')


def test_a_missing_folder(tmp_path, bears):
    with pytest.raises((ValueError, OSError), match='nowhere'): bears.dataloaders(tmp_path/'nowhere')


def test_a_folder_of_no_images(tmp_path, bears):
    for i in range(6): (tmp_path/f'{i}.jpg').write_text('<html>gone</html>')
    with pytest.raises(ValueError, match=r'0\.jpg.*6 files'): bears.dataloaders(tmp_path)


def test_one_class_only(path, bears):
    with pytest.raises(ValueError, match="'teddy'.*two"): bears.dataloaders(path/'teddy')


def test_a_class_that_only_validation_has(tmp_path, bears):
    for i in range(8): photo(tmp_path/('train' if i < 4 else 'valid')/'ab'[i % 2]/f'{i}.png')
    photo(tmp_path/'valid'/'panda'/'0.png')
    bears.splitter = GrandparentSplitter()
    with pytest.raises(ValueError, match="'panda' \\(1 of 9 items\\)"): bears.dataloaders(tmp_path)


@pytest.mark.parametrize('wrong', [lambda o: {}[o.name], lambda o: None, lambda o: o.nothing])
def test_labels_that_fail(path, wrong):
    first = get_image_files(path)[0].name
    with pytest.raises(ValueError, match=f'could not label .*{first}'):
        DataBlock(get_items=get_image_files, get_y=wrong).datasets(path)


def test_labels_that_are_no_labels(path):
    for wrong in (float('nan'), ['a'], {'a': 1}):
        with pytest.raises(ValueError, match='label'):
            DataBlock(get_items=get_image_files, get_y=lambda o, wrong=wrong: wrong).datasets(path)


@pytest.mark.parametrize('bs', [0, -1, 2.5, '64', True])
def test_a_batch_size_that_is_none(path, bears, bs):
    with pytest.raises(ValueError, match=f'bs={bs!r}'): bears.dataloaders(path, bs=bs)


def test_a_size_of_zero(path, bears):
    with pytest.raises(ValueError, match='0'): bears.new(item_tfms=Resize(0)).dataloaders(path).one_batch()


def test_no_resize(path, bears):
    dls = bears.new(item_tfms=[]).dataloaders(path, device='cpu')
    with pytest.raises(ValueError, match=r'different sizes.*item_tfms=Resize'): dls.one_batch()
    with pytest.raises(ValueError, match=r'different sizes.*item_tfms=Resize'): next(iter(dls.valid))


def test_a_file_that_breaks_later_is_named(path, bears):
    dls = bears.dataloaders(path)
    broken = dls.train_ds.items[3]
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(ValueError, match=f'could not read .*{broken.name}.*verify_images') as e: list(dls.train)
    assert str(e.value).count(broken.name) == 1
    Path(dls.train_ds.items[4]).unlink()
    with pytest.raises(ValueError, match=f'could not read .*{dls.train_ds.items[4].name}'): dls.train_ds[4]


def test_a_transform_that_fails_is_named(path, bears):
    def tilt_too_far(x): raise RuntimeError('fell over')
    dls = bears.new(item_tfms=[Resize(16), tilt_too_far]).dataloaders(path)
    with pytest.raises(ValueError, match='could not apply tilt_too_far to .*fell over'): dls.one_batch()


def test_nothing_is_written(path, bears):
    before = sorted(path.rglob('*'))
    dls = bears.dataloaders(path)
    list(dls.train), list(dls.valid), bears.summary(path)
    assert sorted(path.rglob('*')) == before


def test_summary_of_what_works(path, bears, capsys):
    bears.new(batch_tfms=aug_transforms()).summary(path)
    out = capsys.readouterr().out
    for word in ('30 items', '24 for training, 6 for validation', "'black'", 'uint8 (3, 32, 32)',
                 'float32 (4, 3, 32, 32)', 'Every step works'):
        assert word in out, word


@pytest.mark.parametrize('change, where, why', [
    (dict(get_y=lambda o: 1/0), 'get_y', 'ZeroDivisionError'), (dict(get_y=lambda o: 'a'), 'classes', 'two classes'),
    (dict(splitter=lambda o: ([], [0])), 'splitter', 'for training'),
    (dict(get_items=lambda o: []), 'get_items', 'no items'),
    (dict(get_x=lambda o: o.parent), 'read', 'black'), (dict(item_tfms=[]), 'collate', 'Resize'),
    (dict(item_tfms=[lambda x: x/0*'a']), 'item_tfms', 'TypeError'),
    (dict(batch_tfms=[lambda x: x @ x[0, 0, 0, 0]]), 'batch_tfms', 'RuntimeError'),
])
def test_summary_says_where_it_breaks(path, bears, capsys, change, where, why):
    for k, v in change.items(): setattr(bears, k, v)
    bears.summary(path)
    out = capsys.readouterr().out
    failed = next(line for line in out.splitlines() if 'FAILED' in line)
    assert why in out and 'Every step works' not in out and failed.startswith(where), out
