"Decisions about photos: nothing is lost, whatever breaks, and whenever."
import contextlib
import csv
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from course_lib.cleaning import moves
from course_lib.cleaning.folder import ReadOnly
from course_lib.cleaning.imageset import ImageSet
from course_lib.cleaning.journal import encode, read_journal
from course_lib.cleaning.moves import file_sha
from course_lib.cleaning.session import CleaningSession

PNG = b'\x89PNG\r\n\x1a\n' + b'\0'*8  # enough to be taken for an image
NAMES = ['1.jpg', '2.jpg', 'ä bär.jpg', 'emoji 🐻.jpg', 'no ending', "it's \"1\".jpg"]


@pytest.fixture(autouse=True)
def quiet_disk(monkeypatch, tmp_path):
    "No test here cuts the power, so none has to wait for the disk."
    monkeypatch.setattr(os, 'fsync', lambda fd: None)
    monkeypatch.setenv('COURSE_STORAGE_PATH', str(tmp_path/'storage'))


def fill(root, classes=('black', 'grizzly', 'teddy'), names=NAMES):
    "A folder of small files, the same names in each class."
    for c in classes:
        (root/c).mkdir(parents=True, exist_ok=True)
        for n in names: (root/c/n).write_bytes(PNG + f'{c} {n}'.encode())
    return root


def files(root):
    "The visible files below `root`: path to hash."
    found = {p.relative_to(root): p for p in Path(root).rglob('*') if p.is_file()}
    return {r.as_posix(): file_sha(p) for r, p in found.items() if not any(q.startswith('.') for q in r.parts)}


def in_trash(root): return files(root/'.cleaning'/'trash') if (root/'.cleaning'/'trash').is_dir() else {}


def every_hash(root): return Counter([*files(root).values(), *in_trash(root).values()])


def folder_set(root):
    paths = sorted(root/p for p in files(root))
    return ImageSet(paths, [p.parent.name for p in paths], root=root)


def opened(root, **kw): return CleaningSession(folder_set(root), **kw)


def numbers(session, *names):
    "The numbers of images by their path in the folder."
    by = {p.relative_to(session.images.root).as_posix(): i for i, p in enumerate(session.images.paths)}
    return [by[n] for n in names]


@pytest.fixture
def root(tmp_path): return fill(tmp_path/'photos')


# Decisions

def test_a_new_session_finds_every_decision(root):
    with opened(root) as s:
        s.delete([0, 1], 'blurry'), s.relabel([2], 'polar'), s.keep([3]), s.undo(), s.undo(), s.redo()
        was = [s.decision(i) for i in range(len(s.images))], s.can_undo, s.can_redo
    with opened(root) as s:
        assert ([s.decision(i) for i in range(len(s.images))], s.can_undo, s.can_redo) == was
        assert s.decision(0).reason == 'blurry' and s.decision(2).to == 'polar' and 'polar' in s.vocab
        assert s.redo() == [3] and s.decision(3).act == 'keep' and '3 earlier decisions' in s.notes[0]


def test_undo_and_redo_have_no_end(root):
    rng, seen = random.Random(1), [{}]
    s = opened(root)
    for _ in range(60):
        idxs = rng.sample(range(len(s.images)), rng.choice([1, 1, 5]))
        changed = rng.choice([s.keep, s.delete, s.clear, lambda o: s.relabel(o, rng.choice(['black', 'new']))])(idxs)
        if changed: seen.append({i: s.decision(i) for i in range(len(s.images)) if s.decision(i)})
    def now(): return {i: s.decision(i) for i in range(len(s.images)) if s.decision(i)}
    for state in seen[-2::-1]:
        assert s.undo() and now() == state
        if rng.random() < .2: s = opened(root)  # a kernel restarted
    assert s.undo() == [] and 'nothing to undo' in s.message and not s.can_undo
    for state in seen[1:]: assert s.redo() and now() == state
    assert s.redo() == [] and 'nothing to redo' in s.message


def test_a_step_after_an_undo_ends_the_other_way(root):
    s = opened(root)
    s.keep(0), s.delete(0), s.undo(), s.relabel(0, 'teddy')
    assert not s.can_redo and s.redo() == []
    s = opened(root)
    assert not s.can_redo and s.decision(0).to == 'teddy' and s.undo() == [0] and s.decision(0).act == 'keep'


def test_bad_calls_are_answered_in_words(root):
    s = opened(root)
    for f, args, word in ((s.keep, [99], 'no image 99'), (s.delete, [-1], 'no image -1'), (s.keep, ['a'], 'number'),
                          (s.keep, [None], 'number'), (s.relabel, [0, ''], 'class'), (s.relabel, [0, 'a/b'], 'leave'),
                          (s.relabel, [0, '.git'], 'dot'), (s.relabel, [0, 'Black'], 'one folder'),
                          (s.restore, ['no.jpg'], 'trash()'), (s.restore, [99], 'no image 99'),
                          (s.keep, [1.5], 'number'), (CleaningSession, [root], 'CleaningSession.open')):
        with pytest.raises(ValueError, match=None) as e: f(*args)
        assert word in str(e.value), (args, str(e.value))
    with pytest.raises(FileNotFoundError): s.replay(root/'no.jsonl')
    assert s.counts()['reviewed'] == 0 and not s.journal.entries


def test_the_same_picture_twice_is_marked_once(root):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'twin.jpg')
    s = opened(root)
    a, b = numbers(s, 'black/1.jpg', 'teddy/twin.jpg')
    assert s.delete(a) == [a] and s.decision(b) is None
    s = opened(root)
    assert s.decision(a).act == 'delete' and s.decision(b) is None
    s.apply()
    s = opened(root)
    b, = numbers(s, 'teddy/twin.jpg')
    assert s.decision(b) is None and s.status(b) == 'here' and (root/'teddy'/'twin.jpg').exists()


def test_one_file_in_two_rows_is_one_file(root):
    path = root/'black'/'1.jpg'
    s = CleaningSession(ImageSet([path, path, root/'teddy'/'1.jpg'], ['black', 'black', 'teddy'], root=root))
    assert s.delete(0) == [0, 1] and len(s.plan()) == 1 and len(s.apply()) == 1
    assert [s.status(i) for i in range(3)] == ['trash', 'trash', 'here']


def test_a_vanished_picture_cannot_be_decided_about(root):
    s = opened(root)
    (root/'black'/'1.jpg').unlink()
    i, = numbers(s, 'black/1.jpg')
    assert s.delete([i, i + 1]) == [i + 1] and 'is gone' in s.message
    assert s.status(i) == 'gone' and s.counts()['gone'] == 1


def test_a_picture_that_changed_is_another_picture(root):
    s = opened(root)
    i, = numbers(s, 'black/1.jpg')
    s.delete(i)
    (root/'black'/'1.jpg').write_bytes(PNG + b'edited')
    assert s.plan().problem[0].startswith('it has changed')
    report = s.apply()
    assert len(report) == 0 and 'changed' in repr(report) and (root/'black'/'1.jpg').exists()
    s = opened(root)
    assert s.decision(i) is None and s.counts()['gone'] == 0 and any('changed' in n for n in s.notes)


def test_a_change_that_length_and_time_do_not_show(root):
    s, path = opened(root), root/'black'/'1.jpg'
    s.delete(numbers(s, 'black/1.jpg'))
    t = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(t, t))
    assert s.plan().problem[0] == '' and 'changed' in s.apply().problems[0][1] and path.exists()


def test_marks_follow_files_that_were_renamed(root):
    s = opened(root)
    s.delete(numbers(s, 'black/1.jpg', 'teddy/2.jpg')), s.keep(numbers(s, 'black/2.jpg'))
    s.close()
    (root/'black').rename(root/'baribal')
    (root/'teddy'/'2.jpg').rename(root/'teddy'/'two.jpg')
    with opened(root) as s:
        i, j, k = numbers(s, 'baribal/1.jpg', 'teddy/two.jpg', 'baribal/2.jpg')
        assert [s.decision(o).act for o in (i, j, k)] == ['delete', 'delete', 'keep']
        assert any('another name' in n for n in s.notes) and s.undo() == [k] and s.undo() == sorted([i, j]) and s.redo()
    with opened(root) as s: assert s.decision(i).act == 'delete' and not any('another name' in n for n in s.notes)


def test_a_folder_that_was_moved_or_copied_goes_on(root, tmp_path):
    with opened(root) as s: s.delete([0, 1]), s.apply(), s.relabel([5], 'polar')
    shutil.copytree(root, tmp_path/'copy')
    root.rename(tmp_path/'elsewhere')
    for place in (tmp_path/'copy', tmp_path/'elsewhere'):
        with opened(place) as s:
            assert s.counts()['relabel'] == 1 and len(s.trash()) == 2 and len(s.apply()) == 1
            assert len(s.restore()) == 3 and s.check().ok
    assert files(tmp_path/'copy') == files(tmp_path/'elsewhere') == files(fill(tmp_path/'again'))


def test_a_journal_alone_is_replayed_on_a_fresh_copy(root, tmp_path):
    fresh, other = fill(tmp_path/'fresh'), fill(tmp_path/'other')
    with opened(root) as s: s.delete([0, 1], 'no bear'), s.relabel([2], 'polar'), s.apply(), s.keep([9])
    (fresh/'.cleaning').mkdir()
    shutil.copy(root/'.cleaning'/'journal.jsonl', fresh/'.cleaning')
    with opened(fresh) as s:
        assert s.counts() == dict(total=18, reviewed=4, keep=1, delete=2, relabel=1, pending=3, applied=0, gone=0)
        assert len(s.apply()) == 3 and files(fresh) == files(root)
    (other/'black'/'1.jpg').unlink()
    with opened(other) as s:
        changed = s.replay(root/'.cleaning'/'journal.jsonl')
        assert len(changed) == 3 and '3 of 4 decisions' in s.message and s.counts()['pending'] == 2
        assert s.decision(numbers(s, 'black/2.jpg')[0]).reason == 'no bear' and s.undo() == changed and not s.can_undo


def test_replay_gives_a_twin_its_own_decision(root, tmp_path):
    for place in (root, other := fill(tmp_path/'other')): shutil.copy(place/'black'/'1.jpg', place/'black'/'0.jpg')
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg')), s.keep(numbers(s, 'black/0.jpg'))
    with opened(other) as s:
        assert s.replay(root/'.cleaning'/'journal.jsonl') == sorted(numbers(s, 'black/0.jpg', 'black/1.jpg'))
        assert [s.decision(i).act for i in numbers(s, 'black/0.jpg', 'black/1.jpg')] == ['keep', 'delete']


def test_replay_tells_three_twins_apart(root, tmp_path):
    for name in ('a.jpg', 'z.jpg'): shutil.copy(root/'black'/'1.jpg', root/'black'/name)
    other, names = shutil.copytree(root, tmp_path/'other'), ['black/1.jpg', 'black/a.jpg', 'black/z.jpg']
    with opened(root) as s:
        z, one, a = numbers(s, *names[::-1])[0], *numbers(s, *names[:2])
        s.delete(z), s.relabel(one, 'teddy'), s.keep(a)
    with opened(other) as s:
        assert len(s.replay(root/'.cleaning'/'journal.jsonl')) == 3
        assert [str(s.decision(i)) for i in numbers(s, *names)] == ['relabel to teddy', 'keep', 'delete']


def test_replay_leaves_a_twin_alone_that_nothing_was_decided_about(root, tmp_path):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'zz.jpg')
    other, new = shutil.copytree(root, tmp_path/'other'), tmp_path/'new'
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg'))
    (other/'black'/'1.jpg').unlink()
    with opened(other) as s: assert s.replay(root/'.cleaning'/'journal.jsonl') == [] and '0 of 1' in s.message
    shutil.copytree(other, new, ignore=lambda *a: ['.cleaning']), (new/'teddy'/'zz.jpg').rename(new/'teddy'/'new.jpg')
    with opened(new) as s:  # this one has a name that the other folder did not have
        assert s.replay(root/'.cleaning'/'journal.jsonl') == numbers(s, 'teddy/new.jpg')
    shutil.copy(new/'teddy'/'new.jpg', new/'teddy'/'newer.jpg')
    shutil.rmtree(new/'.cleaning')
    with opened(new) as s: assert s.replay(root/'.cleaning'/'journal.jsonl') == []  # which of the two?


BAD_NAMES = '../../evil', '/abs', 'a/b', '..', '.hidden', 'x'*200, 'Black', 'a\0b', '\ud800'


def stranger(root, file, to):
    "A journal with one decision, made by hand, and a sound one beside it."
    marks = [{'sha': file_sha(root/'black'/n), 'path': f'black/{n}', 'now': {'act': 'relabel', 'to': o}}
             for n, o in (('1.jpg', to), ('2.jpg', 'polar'))]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b''.join(encode({'n': n, 'op': 'mark', 'marks': [m]}) for n, m in enumerate(marks, 1)))
    return file


@pytest.mark.parametrize('to', BAD_NAMES)
def test_replay_takes_no_class_that_nobody_could_type(root, tmp_path, to):
    s = opened(root)
    i, = numbers(s, 'black/2.jpg')
    assert s.replay(stranger(root, tmp_path/'j.jsonl', to)) == [i] and len(s.apply()) == 1 and s.path(i).name == '2.jpg'
    assert (root/'polar'/'2.jpg').exists() and (root/'black'/'1.jpg').exists() and s.check().ok
    assert s.replay(tmp_path/'j.jsonl') == [] and ('Left out' in s.message or to in ('a\0b', '\ud800'))


@pytest.mark.parametrize('to', [n for n in BAD_NAMES if n not in ('Black', 'x'*200)])
def test_a_bad_class_in_a_journal_stops_nothing_else(root, to):
    before = set(root.parent.rglob('*'))
    stranger(root, root/'.cleaning'/'journal.jsonl', to)
    with opened(root) as s:
        assert len(s.apply()) == 1 and (root/'polar'/'2.jpg').exists() and (root/'black'/'1.jpg').exists()
        assert s.delete([5]) == [5] and len(s.apply()) == 1 and s.check().ok and len(s.restore()) == 2
    assert not [p for p in set(root.parent.rglob('*')) - before if p.name in ('evil', 'b', '.hidden')]


def test_paths_that_no_disk_knows(root):
    for path in ('a\0b', '\ud800', 3, None):
        (root/'.cleaning').mkdir(exist_ok=True)
        marks = [{'sha': '0'*64, 'path': path, 'now': {'act': 'delete'}}]
        entries = {'n': 1, 'op': 'mark', 'marks': marks}, {'n': 2, 'op': 'apply', 'moves': [], 'before': {path: ''}}
        (root/'.cleaning'/'journal.jsonl').write_bytes(b''.join(map(encode, entries)))
        with opened(root) as s: assert any('no sense' in n for n in s.notes) and s.apply().problems == []




# Twins, and files that somebody moves by hand

@pytest.mark.parametrize('whole', [True, False])
def test_a_twin_does_not_inherit_a_decision(root, whole):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'zz.jpg')
    black = [p for p in folder_set(root).paths if p.parent.name == 'black']
    images = folder_set(root) if whole else ImageSet(black, ['black']*len(black), root=root)
    with CleaningSession(images) as s: s.delete(images.paths.index(root/'black'/'1.jpg'))
    (root/'black'/'1.jpg').unlink()
    with opened(root) as s:
        i, = numbers(s, 'teddy/zz.jpg')
        assert s.decision(i) is None and any('other copies of them' in n for n in s.notes)
        assert len(s.apply()) == 0 and (root/'teddy'/'zz.jpg').exists()


def test_an_emptied_trash_is_gone(root):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'zz.jpg')
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg')), s.apply()
    shutil.rmtree(root/'.cleaning'/'trash')
    (root/'teddy'/'zz.jpg').rename(root/'teddy'/'new name.jpg')
    with opened(root) as s:
        i, = numbers(s, 'teddy/new name.jpg')
        assert s.decision(i) is None and s.status(i) == 'here' and s.restore().moved == []
        assert s.restore().problems == [('.cleaning/trash/black/1.jpg', 'it has vanished')]
    assert (root/'teddy'/'new name.jpg').exists()


def test_twins_whose_folder_was_renamed(root):
    for name in ('twin.jpg', 'third.jpg'): shutil.copy(root/'black'/'1.jpg', root/'black'/name)
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg')), s.keep(numbers(s, 'black/twin.jpg'))
    (root/'black').rename(root/'baribal')
    with opened(root) as s:
        names = [f'baribal/{n}.jpg' for n in ('1', 'twin', 'third')]
        assert [str(s.decision(i)) for i in numbers(s, *names)] == ['delete', 'keep', 'None']
    for n in names: (root/n).rename(root/f'{n}.x.jpg')
    with opened(root) as s:  # who is who? nobody knows
        assert [s.decision(i) for i in numbers(s, *(f'{n}.x.jpg' for n in names))] == [None]*3
        assert '2 of them about pictures that are gone' in ''.join(s.notes) and len(s.apply()) == 0


def test_a_folder_that_is_renamed_and_gets_its_old_name_again(root):
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg'))
    for a, b in (('black', 'baribal'), ('baribal', 'black'), ('black', 'bear'), ('bear', 'baribal')):
        (root/a).rename(root/b)
        with opened(root) as s:
            i, j = numbers(s, f'{b}/1.jpg', f'{b}/2.jpg')
            assert s.decision(i).act == 'delete' and (s.keep(j) or s.clear(j))


def test_two_files_that_could_have_become_one(root):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'1.jpg')
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg')), s.keep(numbers(s, 'teddy/1.jpg'))
    (root/'black'/'1.jpg').unlink(), (root/'teddy').rename(root/'toys')
    with opened(root) as s:
        assert s.decision(numbers(s, 'toys/1.jpg')[0]) is None and any('2 of them' in n for n in s.notes)


def test_one_file_that_could_have_become_two(root):
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg'))
    shutil.copy(root/'black'/'1.jpg', root/'black'/'x.jpg'), (root/'black'/'1.jpg').rename(root/'black'/'y.jpg')
    with opened(root) as s: assert [s.decision(i) for i in numbers(s, 'black/x.jpg', 'black/y.jpg')] == [None, None]


def test_a_name_that_has_become_free_may_be_given_to_another_file(root):
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg'))
    (root/'teddy'/'2.jpg').unlink()
    with opened(root) as s: s.keep(numbers(s, 'black/2.jpg'))
    (root/'black'/'1.jpg').rename(root/'teddy'/'2.jpg')
    with opened(root) as s: assert s.decision(numbers(s, 'teddy/2.jpg')[0]).act == 'delete'


def test_a_copy_of_a_picture_that_was_edited_is_not_that_picture(root):
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg'))
    shutil.copy(root/'black'/'1.jpg', root/'black'/'original.jpg')
    (root/'black'/'1.jpg').write_bytes(PNG + b'edited')
    with opened(root) as s: assert s.counts()['reviewed'] == 0 and any('have changed' in n for n in s.notes)


def test_restore_leaves_what_a_person_has_moved(root):
    with opened(root) as s: s.keep(numbers(s, 'black/1.jpg')), s.delete(numbers(s, 'black/2.jpg'))
    (root/'black'/'1.jpg').rename(root/'teddy'/'mine.jpg'), (root/'black'/'2.jpg').rename(root/'teddy'/'yours.jpg')
    with opened(root) as s:
        i, j = numbers(s, 'teddy/mine.jpg', 'teddy/yours.jpg')
        assert [s.decision(o).act for o in (i, j)] == ['keep', 'delete'] and s.status(i) == 'here'
        assert s.restore().moved == [] and len(s.apply()) == 1
        assert s.restore().moved == [('.cleaning/trash/teddy/yours.jpg', 'teddy/yours.jpg')]


def test_what_was_applied_and_then_moved_by_hand_comes_back(root):
    with opened(root) as s: s.relabel(numbers(s, 'black/1.jpg'), 'polar'), s.apply()
    (root/'polar'/'1.jpg').rename(root/'teddy'/'odd.jpg')
    with opened(root) as s: assert s.restore().moved == [('teddy/odd.jpg', 'black/1.jpg')]
    with opened(root) as s: s.relabel(numbers(s, 'black/1.jpg'), 'polar'), s.apply(), s.clear(numbers(s, 'black/1.jpg'))
    (root/'polar'/'1.jpg').rename(root/'black'/'1.jpg')
    with opened(root) as s: assert s.status(numbers(s, 'black/1.jpg')[0]) == 'here' and s.restore().moved == []


def test_one_damaged_line_makes_no_file_unknown(root):
    def work(s):
        s.delete(numbers(s, 'black/1.jpg', 'teddy/2.jpg'), 'blurry'), s.relabel(numbers(s, 'black/2.jpg'), 'polar')
        s.apply()
    before, file = files(root), root/'.cleaning'/'journal.jsonl'
    with opened(root) as s: work(s)
    lines = file.read_bytes().splitlines()
    assert len(lines) == 7
    for k in range(1, 7):  # without the first one, the names of the folder are not known
        if k > 1:
            shutil.rmtree(root/'.cleaning')
            with opened(root) as s: work(s)
        lines = file.read_bytes().splitlines()
        file.write_bytes(b'\n'.join(o[:30 if i == k else None] for i, o in enumerate(lines)))
        with opened(root) as s:
            assert len(s.trash()) == 2 and s.status(numbers(s, 'polar/2.jpg')[0]) == 'moved' and s.check().ok, k
        with opened(root) as s: assert len(s.restore()) == 3 and s.check().ok and files(root) == before, k


def test_the_trash_tells_where_its_files_came_from(root):
    before, file = files(root), root/'.cleaning'/'journal.jsonl'
    with opened(root) as s: s.delete([0, 1]), s.apply()
    file.write_bytes(file.read_bytes().splitlines(True)[0])  # all but the decision is lost
    with opened(root) as s: assert len(s.trash()) == 2 and s.check().ok and len(s.restore()) == 2 and s.check().ok
    assert files(root) == before


def test_a_damaged_line_of_a_restore(root):
    before, file = files(root), root/'.cleaning'/'journal.jsonl'
    with opened(root) as s: s.delete([0]), s.apply(), s.restore()
    lines = file.read_bytes().splitlines()
    file.write_bytes(b'\n'.join(o[:30] if b'"op":"moved"' in o and i > 3 else o for i, o in enumerate(lines)))
    with opened(root) as s:
        assert s.decision(0) is None and len(s.trash()) == 0 and s.check().ok and files(root) == before


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork and SIGKILL')
@pytest.mark.parametrize('copy', [True, False])
def test_a_copy_that_was_made_by_hand_after_a_crash_is_not_ours(root, monkeypatch, copy):
    if copy: monkeypatch.setattr(os, 'link', no_link)
    def run(tell):
        moves.check_source = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        s = opened(root)
        s.relabel(numbers(s, 'black/2.jpg'), 'zoo'), s.apply()
    assert os.WIFSIGNALED(in_child(run)[0])
    (root/'zoo').mkdir(), shutil.copy(root/'black'/'2.jpg', root/'zoo')
    with opened(root) as s:
        assert (root/'black'/'2.jpg').exists() and (root/'zoo'/'2.jpg').exists()
        assert any('both were left' in n for n in s.notes) and s.decision(numbers(s, 'zoo/2.jpg')[0]) is None


def test_an_empty_file_of_somebody_else_is_not_ours(root):
    move = moves.Move(file_sha(root/'black'/'1.jpg'), root/'black'/'1.jpg', root/'teddy'/'new.jpg')
    for left in ((), (move.temp,), (move.proof,)):
        for p in (move.dest, *left): p.touch()
        assert moves.settle_half_done(move) == 'left' and move.dest.exists() and move.src.exists()
        assert not move.temp.exists() and not move.proof.exists()
    for p in (move.dest, move.temp, move.proof): p.touch()
    assert moves.settle_half_done(move) == 'left' and not move.dest.exists() and move.src.exists()


def test_a_file_that_waits_for_the_place_of_its_twin_gets_another_one(root):
    for c in ('teddy', 'grizzly'): (root/c/'1.jpg').unlink()
    shutil.copy(root/'black'/'1.jpg', root/'grizzly'/'1.jpg')
    with opened(root) as s: s.relabel(numbers(s, 'black/1.jpg'), 'teddy'), s.apply()
    with opened(root) as s: s.relabel(numbers(s, 'grizzly/1.jpg'), 'black'), s.apply()
    with opened(root) as s:
        moved = [('black/1.jpg', 'grizzly/1.jpg'), ('teddy/1.jpg', 'black/1-2.jpg')]
        assert (root/'black'/'1.jpg').exists() and (root/'teddy'/'1.jpg').exists() and s.restore().moved == moved


def test_a_file_of_the_same_length_is_another_file(root):
    s, path = opened(root), root/'black'/'1.jpg'
    i, = numbers(s, 'black/1.jpg')
    sha = s.fingerprint(i)
    path.write_bytes(path.read_bytes()[::-1]), os.utime(path, (10**9, 10**9))
    assert s.fingerprint(i) == file_sha(path) != sha


def test_an_accent_is_written_in_one_way(root):
    s = opened(root)
    s.relabel(0, 'Ba\u0308r'), s.apply()
    assert s.label(0) == 'B\xe4r' and s.relabel(1, 'Ba\u0308r') == [1] and s.decision(1).to == 'B\xe4r'




# The journal

def test_a_journal_that_was_cut_or_comes_from_the_future(root):
    with opened(root) as s: s.delete([0]), s.keep([1]), s.keep([2])
    file = root/'.cleaning'/'journal.jsonl'
    lines = file.read_bytes().split(b'\n')
    lines[1] = b'\0\0\0' + lines[1][3:]
    future = encode({'n': 9, 'op': 'paint', 'colour': 'blue'}) + encode({'n': 10, 'op': 'mark', 'marks': 'all'})
    file.write_bytes(b'\n'.join(lines[:3]) + b'\n' + future + lines[0][:50])
    with opened(root) as s:
        assert [s.decision(i) and s.decision(i).act for i in range(3)] == ['delete', None, 'keep']
        assert sum('Line' in n for n in s.notes) == 2 and sum('Entry' in n for n in s.notes) == 2
        s.keep([5])
    with opened(root) as s: assert s.decision(5).act == 'keep' and s.counts()['reviewed'] == 3


def test_a_decision_that_cannot_be_written_is_not_taken(root, monkeypatch):
    s = opened(root)
    s.keep([0])
    def full(*args): raise OSError(errno.ENOSPC, 'No space left on device')
    with monkeypatch.context() as m:
        m.setattr(os, 'write', full)
        for f in (lambda: s.delete([0, 1]), s.undo, s.apply):
            if f == s.apply: assert len(s.apply()) == 0  # there is nothing to do, so nothing to write
            else:
                with pytest.raises(OSError, match='No space'): f()
        assert s.decision(0).act == 'keep' and s.decision(1) is None
    assert s.delete([1]) == [1] and opened(root).counts()['reviewed'] == 2


def test_a_journal_of_a_stranger_moves_nothing_outside(root, tmp_path):
    (tmp_path/'secret').write_bytes(b'x')
    (root/'.cleaning').mkdir()
    secret = {'sha': file_sha(tmp_path/'secret'), 'to': 'black/x', 'why': 'delete'}
    entries = [{'n': 1, 'op': 'apply', 'moves': [secret | {'from': '../secret'}]},
               {'n': 2, 'op': 'mark', 'marks': [{'sha': '0'*64, 'path': '/dev/zero', 'now': {'act': 'delete'}}]},
               {'n': 3, 'op': 'apply', 'moves': [secret | {'from': str(tmp_path/'secret')}]}]
    (root/'.cleaning'/'journal.jsonl').write_bytes(b''.join(map(encode, entries)))
    s = opened(root)
    assert (tmp_path/'secret').read_bytes() == b'x' and sum('no sense' in n for n in s.notes) == 2
    assert len(s.plan()) == 0 and len(s.restore()) == 0


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux lets a name be any bytes')
def test_names_that_are_no_text(root):
    odd = os.fsencode(root/'black') + b'/caf\xe9 \\ C:x\n.jpg'
    with open(odd, 'wb') as f: f.write(PNG + b'odd')
    path = Path(os.fsdecode(odd))
    s = opened(root)
    i = s.images.paths.index(path)
    s.relabel(i, 'teddy')
    assert s.apply().problems == [] and os.path.exists(os.fsencode(root/'teddy') + b'/caf\xe9 \\ C:x\n.jpg')
    s = opened(root)
    assert s.counts()['applied'] == 1 and len(s.restore()) == 1 and path.exists()


# One at a time

def test_the_second_notebook_can_only_look(root):
    with opened(root) as s: s.keep([0])
    code = ('import sys, os; from pathlib import Path; from course_lib.cleaning.journal import FolderLock\n'
            'lock = FolderLock(Path(sys.argv[1])/"lock"); print(lock.take(), flush=True); sys.stdin.read()')
    with subprocess.Popen([sys.executable, '-c', code, root/'.cleaning'], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout.readline() == '\n'
        s = opened(root)
        assert s.read_only and f'process {child.pid}, is cleaning this folder since' in s.notes[0]
        assert 'shut down the kernel' in s.notes[0]
        assert s.decision(0).act == 'keep' and len(s.plan()) == 0 and s.check().ok
        for f in (lambda: s.keep(1), s.undo, s.apply, s.restore):
            with pytest.raises(ReadOnly, match=f'process {child.pid}'): f()
        child.kill()
    s = opened(root)
    assert not s.read_only and s.keep(1) == [1]


def test_the_same_notebook_takes_over(root):
    old, new = opened(root), opened(root)
    assert old.read_only and not new.read_only and new.keep(0) == [0]
    with pytest.raises(ReadOnly, match='newer one'): old.delete(1)
    old.close()
    assert new.keep(1) == [1]
    new.close(), new.close()
    with pytest.raises(ReadOnly, match='closed'): new.keep(2)
    assert opened(root).counts()['reviewed'] == 2


def test_where_nothing_can_be_written_decisions_are_kept_elsewhere(root, tmp_path, monkeypatch):
    real = os.access
    monkeypatch.setattr('course_lib.cleaning.folder._writable', lambda folder: root not in folder.parents)
    monkeypatch.setattr(os, 'access', lambda p, mode: not Path(p).is_relative_to(root) and real(p, mode))
    s = opened(root)
    assert s.home.is_relative_to(tmp_path/'storage') and any('are kept in' in n for n in s.notes)
    s.delete([0]), s.relabel([1], 'polar')
    assert all('nothing may be changed' in p for p in s.plan().problem) and len(s.apply()) == 0
    assert not (root/'.cleaning').exists()
    monkeypatch.undo()
    monkeypatch.setenv('COURSE_STORAGE_PATH', str(tmp_path/'storage'))
    s = opened(root)  # the folder has been unlocked
    assert s.home.is_relative_to(tmp_path/'storage') and len(s.apply()) == 2 and s.check().trash == 1
    assert len(s.restore()) == 2 and files(root) == files(fill(tmp_path/'again'))


def test_a_home_that_cannot_be_opened_lets_look(root, monkeypatch):
    with opened(root) as s: s.keep([0])
    def refused(*args, **kw): raise PermissionError(errno.EACCES, 'Permission denied')
    with monkeypatch.context() as m:
        m.setattr('course_lib.cleaning.folder.Journal', refused)
        s = opened(root)
        assert s.read_only and 'nothing can be written' in s.notes[0] and s.decision(0).act == 'keep'
    assert opened(root).keep(1) == [1]  # the lock was not kept


def test_a_journal_that_somebody_else_writes_to_is_not_written_to(root):
    s = opened(root)
    s.keep([0])
    with open(root/'.cleaning'/'journal.jsonl', 'ab') as f: f.write(encode({'n': 2, 'op': 'undo', 'of': 1}))
    with pytest.raises(OSError, match='another program'): s.keep([1])
    s = opened(root)
    assert s.counts()['reviewed'] == 0
    shutil.rmtree(root/'.cleaning')
    with pytest.raises(OSError, match='not there any more'): s.keep([1])


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')
def test_a_forked_worker_cannot_write(root):
    s = opened(root)
    if not (pid := os.fork()):
        code = 1
        with contextlib.suppress(BaseException):
            try: s.keep([0])
            except ReadOnly: code = 0
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0 and s.keep([0]) == [0]


def test_an_interrupt_in_the_middle_of_a_decision_ends_the_session(root, monkeypatch):
    s = opened(root)
    s.keep([0])
    def interrupt(entry): raise KeyboardInterrupt
    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(s.history, 'take', interrupt)
        s.delete([1])
    with pytest.raises(ReadOnly, match='interrupted'): s.keep([2])
    s = opened(root)
    assert s.decision(1).act == 'delete' and s.undo() == [1] and s.keep([2]) == [2]  # it had been written


def test_who_only_looks_puts_nothing_right(root):
    s = opened(root)
    s.delete([0, 1])
    with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as m:  # dies twice: half a move is left
        m.setattr(moves, 'sync_folder', lambda p: sys.exit())
        s.apply()
    before = every_hash(root)
    with pytest.MonkeyPatch.context() as m:
        m.setattr('course_lib.cleaning.folder.FolderLock.take', lambda self: 'another notebook has it')
        looking = opened(root)
        assert looking.read_only and every_hash(root) == before and len(looking.check().missing) == 0
    s = opened(root)
    assert not s.read_only and every_hash(root) == Counter(files(fill(root.parent/'again')).values())


# Moving

def test_names_that_are_taken_get_a_number(root):
    s = opened(root)
    s.relabel(numbers(s, 'black/1.jpg', 'grizzly/1.jpg'), 'teddy')
    before = every_hash(root)
    assert sorted(s.plan().to) == ['teddy/1-2.jpg', 'teddy/1-3.jpg'] and len(s.apply()) == 2
    assert every_hash(root) == before and {'teddy/1.jpg', 'teddy/1-2.jpg', 'teddy/1-3.jpg'} <= set(files(root))
    assert len(s.restore()) == 2 and files(root) == files(fill(root.parent/'again'))


def test_a_split_and_deep_folders_stay_as_they_are(tmp_path):
    root = tmp_path/'set'
    for p in ('train/black/zoo/1.jpg', 'valid/black/1.jpg'):
        (root/p).parent.mkdir(parents=True)
        (root/p).write_bytes(p.encode())
    paths = sorted(root/p for p in files(root))
    s = CleaningSession(ImageSet(paths, ['black', 'black'], root=root))
    s.relabel([0, 1], 'polar')
    assert s.apply().problems == [] and set(files(root)) == {'train/polar/zoo/1.jpg', 'valid/polar/1.jpg'}
    s.delete([0])
    assert s.plan().file[0] == 'train/polar/zoo/1.jpg' and len(s.apply()) == 1 and s.path(0).is_file()
    assert len(s.restore([0])) == 1 and s.label(0) == 'black'
    assert set(files(root)) == {'train/black/zoo/1.jpg', 'valid/polar/1.jpg'}


def test_without_a_class_folder_a_relabel_says_why(tmp_path):
    root = fill(tmp_path/'pets', ['all'])
    s = CleaningSession(ImageSet([root/'all'/n for n in NAMES], ['cat']*len(NAMES), root=root))
    s.relabel(0, 'dog'), s.delete(1)
    assert 'not told by its folders' in s.plan().problem[0] and s.plan().problem[1] == ''
    assert len(s.apply()) == 1 and s.counts()['pending'] == 1
    alone = CleaningSession(ImageSet([root/'all'/'1.jpg'], ['all'], root=root/'all'))
    alone.relabel(0, 'dog')
    assert 'open the one above' in alone.plan().problem[0]


def test_links_and_files_outside_are_left_alone(root, tmp_path):
    (tmp_path/'out.jpg').write_bytes(b'out')
    (root/'black'/'link.jpg').symlink_to(tmp_path/'out.jpg')
    paths = [root/'black'/'link.jpg', tmp_path/'out.jpg', root/'black'/'1.jpg']
    s = CleaningSession(ImageSet(paths, ['black']*3, root=root))
    s.delete([0, 1, 2])
    report = s.apply()
    assert [w for _, w in report.problems] == ['it is a link to a file in another place, and is left alone',
                                               'it is not in the folder photos, and is left alone'] and len(report) == 1
    assert (root/'black'/'link.jpg').is_symlink() and (tmp_path/'out.jpg').exists()


@pytest.mark.parametrize('error', [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP])
def test_disks_without_second_names(root, monkeypatch, error):
    def link(*args, **kw): raise OSError(error, 'no')
    monkeypatch.setattr(os, 'link', link)
    os.utime(root/'black'/'1.jpg', (10**9, 10**9))
    before, s = files(root), opened(root)
    s.delete([0, 1]), s.relabel([2, 3, 7], 'teddy')
    assert len(s.apply()) == 5 and s.check().ok and s.path(0).stat().st_mtime == 10**9
    assert every_hash(root) == Counter(before.values()) and len(s.restore()) == 5 and files(root) == before
    assert not [p for p in root.rglob('*') if 'moving' in p.name]


@pytest.mark.parametrize('links', [True, False])
def test_drives_that_number_their_files_anew_each_time(root, monkeypatch, links):
    if not links: monkeypatch.setattr(os, 'link', no_link)
    monkeypatch.setattr(os.path, 'samestat', lambda a, b: False)
    before, s = files(root), opened(root)
    s.delete([0, 1]), s.relabel([2, 3], 'teddy')
    assert len(s.apply()) == 4 and every_hash(root) == Counter(before.values()) and len(s.restore()) == 4
    assert files(root) == before


def broken(name, error, when, monkeypatch, module=os):
    "Let the calls of a function fail whose first argument `when` is true of."
    real = getattr(module, name)
    def f(*args, **kw):
        if when(*args): raise OSError(error, os.strerror(error))
        return real(*args, **kw)
    monkeypatch.setattr(module, name, f)


def test_one_file_that_cannot_be_moved_does_not_stop_the_others(root, monkeypatch):
    s = opened(root)
    bad = numbers(s, 'black/2.jpg')[0]
    s.delete(range(8))
    before = files(root)
    with monkeypatch.context() as m:
        broken('unlink', errno.EACCES, lambda p, *a: Path(p) == root/'black'/'2.jpg', m)
        report = s.apply()
    assert len(report) == 7 and s.status(bad) == 'here'
    assert report.problems == [('black/2.jpg', 'there is no permission to move it')]
    assert every_hash(root) == Counter(before.values()) and s.counts()['pending'] == 1 and not s.history.open
    assert len(s.apply()) == 1 and len(s.restore()) == 8 and files(root) == before


@pytest.mark.parametrize('links', [True, False])
def test_a_file_that_appears_where_another_was_to_go(root, monkeypatch, links):
    if not links: monkeypatch.setattr(os, 'link', no_link)
    s, real = opened(root), moves.carry_out
    def late(move):
        if not move.dest.exists(): move.dest.parent.mkdir(parents=True, exist_ok=True), move.dest.write_bytes(b'new')
        return real(move)
    s.relabel(0, 'polar')
    with monkeypatch.context() as m:
        m.setattr('course_lib.cleaning.jobs.carry_out', late)
        assert s.apply().problems == [('black/1.jpg', 'there is a file called 1.jpg by now')]
    assert len(s.apply()) == 1 and (root/'polar'/'1.jpg').read_bytes() == b'new' and (root/'polar'/'1-2.jpg').exists()


def test_a_class_folder_that_is_a_file(root):
    (root/'polar').write_bytes(b'')
    s = opened(root)
    s.relabel(numbers(s, 'black/1.jpg'), 'polar'), s.delete(numbers(s, 'black/2.jpg'))
    report = s.apply()
    assert len(report) == 1 and 'is no folder' in report.problems[0][1]


@pytest.mark.parametrize('links', [True, False])
@pytest.mark.parametrize('what', ['journal', 'files'])
def test_a_full_disk_stops_with_everything_in_its_place(root, monkeypatch, what, links):
    before, s = files(root), opened(root)
    s.delete(range(0, 9)), s.relabel(range(9, 15), 'polar')
    with monkeypatch.context() as m:
        if not links: broken('link', errno.EPERM, lambda *a: True, m)
        if what == 'journal': broken('write', errno.ENOSPC, lambda fd, data: b'"k":5' in data, m)
        else: broken('mkdir', errno.ENOSPC, lambda p, *a: str(p).endswith('polar'), m)
        report = s.apply()
    assert every_hash(root) == Counter(before.values()) and report.problems
    n = len(report)
    assert n + len(report.problems) == 15 + (what == 'journal') and 'the disk is full' in repr(report)
    assert n == (6 if what == 'journal' else 9) and s.counts()['applied'] == n
    second = opened(root) if links else s
    assert second.counts()['pending'] == 15 - n and len(second.apply()) == 15 - n and second.check().ok
    assert len(second.restore()) == 15 and files(root) == before


def test_what_cannot_be_announced_is_not_begun(root, monkeypatch):
    before, s = files(root), opened(root)
    s.delete(range(3))
    with monkeypatch.context() as m, pytest.raises(OSError, match='No space'):
        broken('write', errno.ENOSPC, lambda fd, data: b'"apply"' in data, m)
        s.apply()
    assert files(root) == before and s.counts()['pending'] == 3 and len(s.apply()) == 3


def test_what_could_not_be_written_is_written_later(root, monkeypatch):
    s = opened(root)
    s.delete(range(3))
    with monkeypatch.context() as m:
        broken('write', errno.ENOSPC, lambda fd, data: b'"moved"' in data or b'"applied"' in data, m)
        assert len(s.apply()) == 1
        with pytest.raises(OSError, match='No space'): s.keep([5])
    s.keep([5])
    ops = [e['op'] for e in read_journal(root/'.cleaning'/'journal.jsonl')[0]]
    assert ops == ['mark', 'apply', 'moved', 'applied', 'mark']
    assert not any('broke off' in n for n in opened(root).notes)


@pytest.mark.parametrize('times', [1, 2])
def test_an_interrupt_between_two_names(root, monkeypatch, times):
    before, s, calls, real = files(root), opened(root), [], moves.sync_folder
    s.delete(range(6))
    def interrupt(path):
        calls.append(path)
        if 3 <= len(calls) < 3 + times: raise KeyboardInterrupt
        real(path)
    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(moves, 'sync_folder', interrupt)
        s.apply()
    if times == 2: assert s.history.open and s.keep([8]) == [8]  # the next call puts it right
    assert every_hash(root) == Counter(before.values()) and not s.history.open and s.check().ok
    assert (s.counts()['applied'], s.counts()['pending']) == (3, 3)
    s.apply(), s.restore()
    assert files(root) == before


def test_restore_does_not_overwrite(root):
    s = opened(root)
    i, j = numbers(s, 'black/1.jpg', 'black/2.jpg')
    s.delete([i, j]), s.apply()
    (root/'black'/'1.jpg').write_bytes(b'new')
    report = s.restore([i])
    assert report.moved == [('.cleaning/trash/black/1.jpg', 'black/1-2.jpg')] and '1-2.jpg' in repr(report)
    assert (root/'black'/'1.jpg').read_bytes() == b'new' and s.path(i).name == '1-2.jpg' and s.decision(i) is None
    assert s.status(j) == 'trash' and s.restore([i]).moved == [] and len(s.restore()) == 1 and s.undo() == []


def test_restore_after_a_restart_by_name(root):
    with opened(root) as s: s.delete(numbers(s, 'black/1.jpg', 'teddy/1.jpg'), 'blurry'), s.apply()
    with opened(root) as s:
        assert s.trash().file.tolist() == ['black/1.jpg', 'teddy/1.jpg'] and s.trash().reason[0] == 'blurry'
        (root/'.cleaning'/'trash'/'teddy'/'1.jpg').unlink()
        report = s.restore()
        assert len(report) == 1 and report.problems == [('.cleaning/trash/teddy/1.jpg', 'it has vanished')]
    with opened(root) as s: assert any('gone' in n for n in s.notes) and 'black/1.jpg' in files(root)


def test_two_files_of_one_name_in_the_trash(root):
    s = opened(root)
    i, = numbers(s, 'black/1.jpg')
    s.delete(i), s.apply(), s.close()
    (root/'black'/'1.jpg').write_bytes(PNG + b'another')
    s = opened(root)
    s.delete(i), s.apply()
    assert sorted(in_trash(root)) == ['black/1-2.jpg', 'black/1.jpg']
    assert len(s.restore()) == 2 and {'black/1.jpg', 'black/1-2.jpg'} <= set(files(root))


def test_a_deleted_picture_put_back_by_hand(root):
    with opened(root) as s: s.delete([0, 1]), s.apply()
    (root/'.cleaning'/'trash'/'black'/'1.jpg').rename(root/'black'/'1.jpg')
    with opened(root) as s:
        i, = numbers(s, 'black/1.jpg')
        assert s.decision(i).act == 'delete' and not s.decision(i).applied
        assert s.status(i) == 'here' and s.clear(i) == [i]


def test_a_set_that_is_older_than_the_journal(root):
    images = folder_set(root)  # as a learner holds it, in a kernel that goes on
    with CleaningSession(images) as s: s.delete([0]), s.relabel([1], 'polar'), s.keep([2]), s.apply()
    with CleaningSession(images) as s:
        assert [s.status(i) for i in range(3)] == ['trash', 'moved', 'here'] and s.counts()['applied'] == 2
        assert s.label(1) == 'polar' and s.path(1).is_file() and len(s.restore([0, 1])) == 2
        assert all(s.path(i) == images.paths[i] and s.label(i) == 'black' for i in range(3))


def test_the_proof_sees_a_loss(root):
    s = opened(root)
    s.delete([0, 1]), s.keep([2]), s.apply()
    assert s.check().ok and '18 pictures before = 16 here + 2 in the trash' in repr(s.check())
    s.path(0).unlink(), s.path(2).write_bytes(b'changed'), (s.home/'trash'/'strange').write_bytes(b'')
    proof = s.check()
    assert not proof.ok and sorted(w for _, w in proof.missing) == ['it has changed', 'it has vanished']
    assert len(proof.extra) == 1 and 'vanished' in repr(proof)


def test_the_proof_remembers_what_was_there(root):
    with opened(root) as s:
        s.looks.fill(s.images.paths[:10])
        s.keep([0]), s.delete([1]), s.apply()
        assert '18 pictures before = 17 here + 1 in the trash' in repr(s.check())
        kept, untouched, known = (s.path(i).relative_to(root).as_posix() for i in (0, 12, 3))
    for p in (kept, untouched): (root/p).unlink()
    (root/known).rename(root/'teddy'/'known.jpg')  # its bytes have been seen, so that it can be found again
    with opened(root) as s:
        proof = s.check()
        assert sorted(proof.missing) == sorted((p, 'it has vanished') for p in (kept, untouched)) and proof.before == 18
        shutil.rmtree(s.home/'trash')
    with opened(root) as s:
        assert len(s.check().missing) == 3 and s.check().trash == 0 and s.check().here == 15
        for p in s.images.paths: p.write_bytes(b'') if p.parent.name == 'black' else None
        assert len(s.check().missing) == 3 + 3 and '18 pictures before' in repr(s.check())


def test_the_proof_does_not_take_a_twin_for_what_was_lost(root):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'zz.jpg')
    with opened(root) as s: s.keep(numbers(s, 'black/1.jpg'))
    (root/'black'/'1.jpg').unlink()
    with opened(root) as s: assert s.check().missing == [('black/1.jpg', 'it has vanished')]


def test_the_proof_does_not_take_a_kept_twin_for_what_was_lost(root):
    shutil.copy(root/'black'/'1.jpg', root/'teddy'/'zz.jpg')
    with opened(root) as s:
        s.looks.fill(s.images.paths), s.keep(numbers(s, 'black/1.jpg')), s.delete(numbers(s, 'black/2.jpg')), s.apply()
    (root/'teddy'/'zz.jpg').unlink()
    with opened(root) as s: assert s.check().missing == [('teddy/zz.jpg', 'it has vanished')]


def test_the_proof_reads_no_devices(root):
    (root/'.cleaning').mkdir()
    marks = [{'sha': '0'*64, 'path': '/dev/zero', 'now': {'act': 'keep'}}]
    (root/'.cleaning'/'journal.jsonl').write_bytes(encode({'n': 1, 'op': 'mark', 'marks': marks}))
    with opened(root) as s: assert [p.split('/')[-1] for p, _ in s.check().missing] == ['zero']




# Tables

def table_set(root, text, **kw):
    (root/'labels.csv').write_bytes(text.encode('utf-8', 'surrogateescape'))
    return CleaningSession.open(root/'labels.csv', **kw)


@pytest.fixture
def csv_root(tmp_path):
    root = fill(tmp_path/'photos', ['pics'], [f'{i}.png' for i in range(6)])
    rows = [f'{i},pics/{i}.png,{"cat" if i < 3 else "dog"},"free, text"\r\n' for i in range(6)]
    return root, '\ufeffid,file,animal,note\r\n' + ''.join(rows)


def test_labels_in_a_csv_are_rewritten(csv_root):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    s.relabel([0, 4], 'fish, gold'), s.delete([1, 5]), s.keep([2])
    trash = '.cleaning/trash/pics/'
    assert s.plan().to.tolist() == ['fish, gold', f'{trash}1.png', 'fish, gold', f'{trash}5.png']
    report, now = s.apply(), (root/'labels.csv').read_bytes().decode()
    lines = text.splitlines(True)
    new = [lines[0], '0,pics/0.png,"fish, gold","free, text"\r\n', lines[3], lines[4],
           '4,pics/4.png,"fish, gold","free, text"\r\n']
    assert len(report) == 4 and now == ''.join(new) and (root/'labels.csv.1').read_bytes().decode() == text
    assert s.label(0) == 'fish, gold' and s.status(0) == 'moved' and s.status(1) == 'trash'
    with CleaningSession.open(root/'labels.csv', fn_col='file', label_col='animal') as s:
        assert s.counts()['applied'] == 2 and s.label(0) == 'fish, gold' and len(s.images) == 4
        assert len(s.restore()) == 4 and s.label(0) == 'cat'
    back = list(csv.reader((root/'labels.csv').read_text('utf-8').splitlines()))
    assert back == list(csv.reader(text.splitlines())) and sorted(files(root)) == sorted([
        'labels.csv', 'labels.csv.1', 'labels.csv.2', *(f'pics/{i}.png' for i in range(6))])


def test_a_csv_that_changed_meanwhile(csv_root):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    s.relabel([0, 1, 2], 'fish'), s.delete([3])
    new = text.replace('pics/1.png,cat', 'pics/1.png,cow').replace('2,pics/2.png,cat,"free, text"\r\n', '')
    (root/'labels.csv').write_bytes((new + '6,new.png,cow,').encode())
    report = s.apply()
    assert len(report) == 2 and [w for _, w in report.problems] == [
        "labels.csv calls it 'cow' by now: open it again", 'there is no row for it in labels.csv any more']
    now = (root/'labels.csv').read_text('utf-8')
    assert 'pics/0.png,fish' in now and '6,new.png,cow' in now
    (root/'labels.csv').write_text('id,file\n0,pics/0.png\n', 'utf-8')
    assert "no column 'animal'" in s.plan().problem[0]


def test_a_csv_that_cannot_be_written_keeps_its_rows_until_it_can(csv_root, monkeypatch):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    s.relabel([0], 'fish'), s.delete([1])
    with monkeypatch.context() as m:
        broken('replace', errno.ENOSPC, lambda a, b: str(b).endswith('labels.csv'), m)
        report = s.apply()
    assert len(report) == 1 and 'the disk is full' in repr(report) and s.label(0) == 'cat' and s.status(1) == 'trash'
    assert (root/'labels.csv').read_text('utf-8-sig').count('\n') == 7
    s.keep([2])  # the first thing that is done then brings the table in line
    assert 'pics/1.png' not in (root/'labels.csv').read_text('utf-8') and s.decision(0).applied is False
    assert len(s.apply()) == 1 and 'pics/0.png,fish' in (root/'labels.csv').read_text('utf-8')


def test_labels_in_a_dataframe_have_no_file(csv_root):
    root, text = csv_root
    (root/'labels.csv').write_text(text, 'utf-8')
    df = pd.read_csv(root/'labels.csv')
    s = CleaningSession.open(df, path=root, fn_col='file', label_col='animal')
    s.relabel([0], 'fish'), s.delete([1])
    assert 'to_csv' in s.plan().problem[0] and len(s.apply()) == 1 and s.status(1) == 'trash' and len(s.restore()) == 1


def test_a_table_is_put_back_through_the_table(csv_root):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    s.relabel([0], 'fish'), s.delete([1]), s.apply(), s.close()
    paths = [root/'pics'/f'{i}.png' for i in (0, 2, 3)]
    with CleaningSession(ImageSet(paths, ['pics']*3, root=root)) as s:
        assert [w for _, w in s.restore().problems] == ['its label is in a table: open that instead']*2
    with CleaningSession.open(root/'labels.csv', fn_col='file', label_col='animal') as s: assert len(s.restore()) == 2


def test_a_label_that_changed_after_it_was_applied(csv_root):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    s.relabel([0], 'fish'), s.apply(), s.close()
    (root/'labels.csv').write_text((root/'labels.csv').read_text('utf-8').replace('fish', 'whale'), 'utf-8')
    with CleaningSession.open(root/'labels.csv', fn_col='file', label_col='animal') as s:
        assert s.label(0) == 'whale' and len(s.restore()) == 1 and s.label(0) == 'cat'
    assert 'pics/0.png,cat' in (root/'labels.csv').read_text('utf-8')


def test_a_label_that_was_changed_twice_goes_back_to_the_first(csv_root):
    root, text = csv_root
    s = table_set(root, text, fn_col='file', label_col='animal')
    for to in ('fish', 'whale'): s.relabel([0], to), s.apply()
    assert s.label(0) == 'whale' and len(s.restore()) == 1 and s.label(0) == 'cat'
    assert 'pics/0.png,cat' in (root/'labels.csv').read_text('utf-8')


def test_a_row_about_a_picture_in_another_folder(csv_root, tmp_path):
    root, text = csv_root
    shutil.copy(root/'pics'/'0.png', tmp_path/'out.png')
    s = table_set(root, text.replace('pics/0.png', '../out.png'), fn_col='file', label_col='animal')
    s.relabel([0], 'fish'), s.delete([1])
    assert len(s.apply()) == 2 and '../out.png,fish' in (root/'labels.csv').read_text('utf-8') and s.check().ok
    assert len(s.restore()) == 2 and '../out.png,cat' in (root/'labels.csv').read_text('utf-8')




# Killed

KILLABLE = 'link', 'unlink', 'write', 'fsync', 'replace', 'mkdir', 'open', 'ftruncate', 'close'


class Killer:
    "Counts what this process asks of the disk, and kills it at one such moment."
    def __init__(self, at, how): self.at, self.how, self.n = at, how, 0

    def watch(self):
        for name in KILLABLE: setattr(os, name, self.wrapped(getattr(os, name)))
        moves.open = self.opened  # the copy of a file is written by a file object

    def wrapped(self, f):
        def call(*args, **kw):
            self.n += 1
            if self.n != self.at: return f(*args, **kw)
            if self.how == 'torn' and f.__name__ == 'write': f(args[0], args[1][:len(args[1])//2])
            if self.how == 'after': f(*args, **kw)
            os.kill(os.getpid(), signal.SIGKILL)
        return call

    def opened(self, *args, **kw):
        f = open(*args, **kw)
        if 'x' in (args[1:2] or 'r')[0]: f = Torn(f, self.wrapped)
        return f


class Torn:
    "A file that is opened for writing, whose bytes go out in two halves."
    def __init__(self, f, wrapped): self.f, self.half = f, wrapped(lambda data: (f.write(data), f.flush()))
    def __enter__(self): return self
    def __exit__(self, *args): self.f.close()
    def __getattr__(self, name): return getattr(self.f, name)
    def write(self, data): self.half(data[:len(data)//2]), self.half(data[len(data)//2:])


def decide(s, seed, tell=lambda: None):
    "Decisions about files by their first place, the same for one seed, with names that collide."
    rng, names = random.Random(seed), pictures_of(START)
    for name in names:
        act, to = rng.choice(['keep', 'delete', 'relabel', 'relabel']), rng.choice(['black', 'teddy', 'new'])
        i = next((i for i, p in enumerate(s.images.paths) if p == s.images.root/name), None)
        if i is None or s.status(i) == 'gone': continue
        if act == 'relabel': s.relabel(i, to)
        else: getattr(s, act)(i)
        tell()


START = {}


def pictures_of(paths): return sorted(p for p in paths if not p.startswith('labels.csv'))


def start(root, kind):
    "A small set with everything that can be awkward."
    fill(root, names=[*NAMES, 'x'*200 + '.jpg', 'empty.jpg'])
    for c in ('black', 'grizzly'): (root/c/'empty.jpg').write_bytes(b'')
    shutil.copy(root/'black'/'1.jpg', root/'black'/'twin.jpg')
    shutil.copy(root/'black'/'2.jpg', root/'teddy'/'3.jpg')
    if kind == 'table':
        with open(root/'labels.csv', 'w', newline='', encoding='utf-8') as f:
            csv.writer(f).writerows([['file', 'label'], *([p, p.split('/')[0]] for p in pictures_of(files(root)))])
    START.clear()
    START.update(files(root))


def begin(root, kind): return CleaningSession.open(root/'labels.csv') if kind == 'table' else opened(root)


def in_child(f):
    "Run `f` in a copy of this process; its exit status, and how many bytes it told us."
    r, w = os.pipe()
    if not (pid := os.fork()):
        code = 1
        try:
            f(lambda: _write(w, b'.'))
            code = 0
        finally: os._exit(code)
    os.close(w)
    with os.fdopen(r, 'rb') as told: n = len(told.read())
    return os.waitpid(pid, 0)[1], n


_write = os.write


def work(root, kind, seed, killer, back=False):
    "What the child does: decide, apply, perhaps restore; killed somewhere on the way."
    def run(tell):
        if kind == 'copy': os.link = no_link
        killer.watch()
        s = begin(root, kind)
        decide(s, seed, tell)
        s.apply()
        if back: s.restore()
        _write(2, b'')
    return run


def no_link(*args, **kw): raise OSError(errno.EPERM, 'Operation not permitted')


def counted(root, kind, seed, back):
    "How many moments there are at which the work can be killed."
    start(root, kind)
    killer, r_w = Killer(-1, ''), os.pipe()
    run = work(root, kind, seed, killer, back)
    def f(tell):
        run(lambda: None)
        _write(r_w[1], str(killer.n).encode())
    assert in_child(f)[0] == 0
    n = int(os.read(r_w[0], 20))
    for fd in r_w: os.close(fd)
    shutil.rmtree(root)
    return n


def check_in_place(root):
    "Every file is where it was or where the journal says it goes; none twice, none lost, nothing left over."
    places = {}
    for e in read_journal(root/'.cleaning'/'journal.jsonl')[0]:
        for m in e['moves'] if e['op'] in ('apply', 'restore') else []: places.setdefault(m['from'], set()).add(m['to'])
    allowed = set(START) | {to for p in list(places) for to in places[p]}
    now = files(root) | {f'.cleaning/trash/{p}': sha for p, sha in in_trash(root).items()}
    pictures = pictures_of(now)
    assert Counter(now[p] for p in pictures) == Counter(START[p] for p in pictures_of(START))
    assert set(pictures) <= allowed
    assert not [p for p in root.rglob('*') if p.name.endswith('.moving')]


def check_table(root):
    "Each file in the folder has its row, and each row its file."
    with open(root/'labels.csv', newline='', encoding='utf-8') as f: rows = list(csv.reader(f))[1:]
    assert sorted(r[0] for r in rows) == pictures_of(files(root))
    return dict(rows)


def power_cut(root):
    "Forget the lines that nobody had waited for: when the power goes, they may not be on the disk."
    file = root/'.cleaning'/'journal.jsonl'
    lines = file.read_bytes().splitlines(True) if file.exists() else []
    while lines and re.search(rb'"op":"(moved|failed|applied|restored|found)"', lines[-1]): lines.pop()
    if file.exists(): file.write_bytes(b''.join(lines))


def check_recovery(root, kind, seed, told):
    "After a kill: nothing is lost, the work can be finished, and all of it taken back."
    with begin(root, kind) as s:
        assert not s.read_only
        check_in_place(root)
        if kind == 'table': check_table(root)
        assert sum(e['op'] == 'mark' for e in s.journal.entries) >= told  # each decision that was confirmed
        s.restore()
        check_in_place(root)
    with begin(root, kind) as s:
        decide(s, seed)
        assert s.apply().problems == [] and s.counts()['pending'] == 0 and s.check().ok
        check_in_place(root)
        if kind == 'table': check_table(root)
    with begin(root, kind) as s:
        s.restore()
        assert s.check().ok and not in_trash(root) and not any('broke off' in n for n in s.notes)
        if kind == 'table': assert check_table(root) == {p: p.split('/')[0] for p in pictures_of(START)}
        else: assert files(root) == START


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork and SIGKILL')
@pytest.mark.parametrize('kind, runs', [('link', 80), ('copy', 70), ('table', 50)])
def test_killed_at_any_moment(tmp_path, kind, runs):
    rng, killed = random.Random(kind), 0
    total = {back: counted(tmp_path/'count', kind, 1, back) for back in (False, True)}
    for run in range(runs):
        root, back = tmp_path/str(run), rng.random() < .4
        start(root, kind)
        how = rng.choice(['before', 'after', 'torn'])
        # most of the kills in the second half, where files move
        at = rng.randint(1, total[back]) if rng.random() < .3 else rng.randint(total[back]//3, total[back])
        status, told = in_child(work(root, kind, 1, Killer(at, how), back))
        killed += os.WIFSIGNALED(status)
        if rng.random() < .3: power_cut(root)
        if rng.random() < .3:  # and once more, while it is being put right
            in_child(work(root, kind, 1, Killer(rng.randint(1, 120), how)))
        check_recovery(root, kind, 1, told)
        shutil.rmtree(root)
    assert killed > .9*runs
