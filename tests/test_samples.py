"The drawn bears: whole or not at all, the same in every process, and dirt that is what it says."
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib.data import samples
from course_lib.data.samples import KINDS, WAYS, draw_bears


def digest(folder):
    return sha256(b''.join(o.read_bytes() for o in sorted(folder.glob('*/*.jpg')))).hexdigest()

def fails_at(k, error):
    "Stands in for the function that draws one bear, and fails at the `k`-th."
    left, real = [k], samples._bear
    def draw(*args):
        left[0] -= 1
        if not left[0]: raise error
        return real(*args)
    return draw

@pytest.mark.parametrize('error', [KeyboardInterrupt(), OSError(28, 'No space left on device'), MemoryError()])
def test_an_interrupted_set_leaves_nothing(tmp_path, monkeypatch, error):
    monkeypatch.setattr(samples, '_bear', fails_at(7, error))
    with pytest.raises(type(error)): draw_bears(tmp_path/'bears', n=4, size=48)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    draw_bears(tmp_path/'bears', n=4, size=48)
    assert len(list(tmp_path.glob('bears/*/*.jpg'))) == 12

def test_no_permission_names_the_folder(tmp_path, monkeypatch):
    def refuse(*args, **kwargs): raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr(samples.tempfile, 'TemporaryDirectory', refuse)
    with pytest.raises(PermissionError, match=f'Cannot write to .*{tmp_path.name}.*Permission denied'):
        draw_bears(tmp_path/'bears', n=1, size=48)

def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path/'photo.jpg').write_text('mine')
    with pytest.raises(FileExistsError, match='photo.jpg is a file'): draw_bears(tmp_path/'photo.jpg', n=1, size=48)
    with pytest.raises(OSError, match='Cannot write to .*photo.jpg'):
        draw_bears(tmp_path/'photo.jpg'/'bears', n=1, size=48)
    assert (tmp_path/'photo.jpg').read_text() == 'mine'

def test_what_a_learner_keeps_there_is_safe(tmp_path):
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine'/'cat.jpg').write_text('a cat')
    with pytest.raises(FileExistsError, match='cat.jpg'): draw_bears(tmp_path/'mine', n=1, size=48)
    assert [o.name for o in tmp_path.rglob('*')] == ['mine', 'cat.jpg']

def test_an_empty_folder_is_filled_and_a_cleaned_set_stays_clean(tmp_path):
    planted = draw_bears(tmp_path, n=2, size=48, dirt=1)
    for o in planted: o.path.unlink()
    assert draw_bears(tmp_path, n=2, size=48, dirt=1) == planted
    assert len(list(tmp_path.glob('*/*.jpg'))) == 6

def test_the_same_bytes_in_another_process_and_two_at_once(tmp_path):
    code = 'import sys; from course_lib.data.samples import draw_bears; draw_bears(sys.argv[1], n=3, size=48, dirt=2)'
    both = [subprocess.Popen([sys.executable, '-c', code, str(tmp_path/'one')]) for _ in range(2)]
    assert [o.wait(120) for o in both] == [0, 0]
    draw_bears(tmp_path/'two', n=3, size=48, dirt=2)
    assert digest(tmp_path/'one') == digest(tmp_path/'two')
    assert sorted(o.name for o in tmp_path.iterdir()) == ['one', 'two']

def small(path): return np.asarray(Image.open(path).convert('L').resize((16, 16)), float)

def nearest(path, others): return min(others, key=lambda o: abs(small(o) - small(path)).mean())

@pytest.mark.parametrize('size', [32, 128])
def test_dirt_is_what_it_says(tmp_path, size):
    planted = draw_bears(tmp_path, n=np.int64(4), size=size, dirt=6)
    good = sorted({*tmp_path.glob('*/*.jpg')} - {o.path for o in planted})
    assert len(planted) == 30 and [o.parent.name for o in good] == [k for k in KINDS for _ in range(4)]
    for path, kind, detail in planted:
        if kind == 'not-an-image':
            with pytest.raises(OSError): Image.open(path).load()
        if kind == 'mislabelled': assert detail in KINDS and path.parent.name != detail
        if kind == 'dark': assert small(path).mean() < 20
        if kind == 'near-duplicate': assert nearest(path, good) == tmp_path/detail
    copies = [o for o in planted if o.kind == 'near-duplicate']
    assert {o.path.parent.name == Path(o.detail).parts[0] for o in copies} == {True, False}

def contents(folder): return Counter((o.parent.name, o.read_bytes()) for o in folder.glob('*/*.jpg'))

def test_without_dirt_the_numbers_count_and_with_it_they_tell_nothing(tmp_path):
    draw_bears(tmp_path/'clean', n=12, size=32)
    assert sorted(o.name for o in (tmp_path/'clean/teddy').iterdir()) == [f'{i:03d}.jpg' for i in range(12)]
    planted = draw_bears(tmp_path/'dirty', n=12, size=32, dirt=6)
    assert contents(tmp_path/'clean') < contents(tmp_path/'dirty')
    for kind in KINDS:
        names = sorted(o.name for o in (tmp_path/'dirty'/kind).iterdir())
        assert names == [f'{i:03d}.jpg' for i in range(len(names))]
        places = [names.index(o.path.name) for o in planted if o.path.parent.name == kind]
        assert min(places) < 12 and places != sorted(places)

def test_dirt_by_kind(tmp_path):
    planted = draw_bears(tmp_path/'some', n=4, size=32, dirt={'mislabelled': 5, 'dark': np.int64(1)})
    assert Counter(o.kind for o in planted) == {'mislabelled': 5, 'dark': 1}
    assert draw_bears(tmp_path/'some', n=4, size=32, dirt={'dark': 1, 'mislabelled': 5, 'blurred': 0}) == planted
    with pytest.raises(FileExistsError, match='you asked for'): draw_bears(tmp_path/'some', n=4, size=32, dirt=1)
    draw_bears(tmp_path/'all', n=4, size=32, dirt=dict.fromkeys(WAYS, 2))
    draw_bears(tmp_path/'all', n=4, size=32, dirt=2)
    assert draw_bears(tmp_path/'none', n=4, size=32, dirt={}) == draw_bears(tmp_path/'none', n=4, size=32) == []

def test_the_note_of_a_set_drawn_before_is_believed(tmp_path):
    planted = draw_bears(tmp_path, n=2, size=32, dirt={'dark': 1})
    assert '"planted": [["' in (note := (tmp_path/samples.NOTE)).read_text()
    note.write_text(note.read_text().replace(planted[0].path.name, '999.jpg'))
    assert draw_bears(tmp_path, n=2, size=32, dirt={'dark': 1})[0].path.name == '999.jpg'

@pytest.mark.parametrize('dirt, word', [({'mislabeled': 3}, "mean 'mislabelled'"), ({'mud': 1}, "'near-duplicate'"),
                                        ({'dark': -1}, r"dirt\['dark'\]=-1"), ({'dark': True}, 'True'), ({3: 1}, '3'),
                                        ('dark', "dirt='dark'"), ([3], r'dirt=\[3\]'), (1001, 'dirt=1001')])
def test_dirt_that_cannot_be_planted_is_named(tmp_path, dirt, word):
    with pytest.raises(ValueError, match=word): draw_bears(tmp_path/'bears', dirt=dirt)
    assert list(tmp_path.iterdir()) == []

@pytest.mark.parametrize('bad', [dict(n=0), dict(n=1.5), dict(n=True), dict(size=1701), dict(seed=-1), dict(dirt=-1)])
def test_a_wrong_number_is_named_before_anything_is_written(tmp_path, bad):
    (name, value), = bad.items()
    with pytest.raises(ValueError, match=f'{name}={value}'): draw_bears(tmp_path/'bears', **bad)
    assert list(tmp_path.iterdir()) == []
