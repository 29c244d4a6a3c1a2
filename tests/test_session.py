"Cleaning sessions: one folder opened in several ways, tables, steps that are taken back, names of classes."
import csv
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from test_cleaning import NAMES, PNG, csv_root, files, fill, numbers, opened, quiet_disk, root, table_set

from course_lib.cleaning.folder import ReadOnly
from course_lib.cleaning.imageset import ImageSet
from course_lib.cleaning.session import CleaningSession, check_class

assert all((csv_root, quiet_disk, root))  # fixtures

HOLD = ('import sys; from pathlib import Path; from course_lib.cleaning.journal import FolderLock\n'
        'lock = FolderLock(Path(sys.argv[1])/"lock"); print(lock.take(), flush=True); sys.stdin.read()')


def part(root, name='black'):
    "A session about one class folder only."
    paths = sorted(root/p for p in files(root) if p.startswith(f'{name}/'))
    return CleaningSession(ImageSet(paths, [name]*len(paths), root=root/name))


def table(root, *rows, header='name,label', end='\n', **kw):
    "A session about a CSV file with these rows."
    (root/'l.csv').write_bytes(''.join(f'{r}{end}' for r in (header, *rows)).encode())
    return CleaningSession.open(root/'l.csv', **kw)


def text(root): return (root/'l.csv').read_bytes().decode()


# Folders in folders

@pytest.mark.parametrize('inner', [True, False])
def test_of_two_notebooks_on_a_folder_and_a_part_of_it_one_can_only_look(root, inner):
    opened(root).close(), part(root).close()
    held, other = (root, part) if inner else (root/'black', opened)
    with subprocess.Popen([sys.executable, '-c', HOLD, held/'.cleaning'], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout.readline() == '\n'
        s = other(root)
        assert s.read_only and f'process {child.pid}, is cleaning the folder {held.name} since' in s.notes[0]
        with pytest.raises(ReadOnly, match=f'process {child.pid}'): s.delete([0])
        child.kill()
    s = other(root)
    assert not s.read_only and s.delete([0]) == [0]


def test_in_one_notebook_the_newer_of_two_sessions_on_a_folder_and_its_part_goes_on(root):
    whole, inner = opened(root), part(root)
    with pytest.raises(ReadOnly, match='black, which shares files with it, was opened again'): whole.keep(0)
    assert inner.keep(0) == [0]
    whole = opened(root)
    with pytest.raises(ReadOnly, match='newer one'): inner.keep(1)
    beside, other = part(root, 'grizzly'), part(root, 'teddy')
    assert beside.keep(0) == other.keep(0) == [0]  # they have nothing in common


def test_a_journal_above_or_below_that_nobody_holds_is_mentioned(root, tmp_path):
    def noted(s): return [n for n in s.notes if 'of its own' in n]
    opened(root).close()
    assert not noted(part(root))  # nothing was ever decided there
    with opened(root) as s: s.keep(0)
    with part(root) as s: assert 'folder photos has a journal' in noted(s)[0] and s.keep(0) == [0]
    with opened(root) as s: assert 'folder black has a journal' in noted(s)[0] and not s.read_only
    with opened(root, home=tmp_path/'home') as s: assert len(noted(s)) == 2  # one in black, one in photos itself


# Folders and tables

def test_what_was_decided_for_a_table_is_not_done_to_the_folders(root):
    with table(root, 'black/1.jpg,black', 'black/2.jpg,black') as s: s.relabel(0, 'zzz'), s.delete(1)
    before = files(root)
    with opened(root) as s:
        assert s.plan().problem.tolist() == ['this was decided for l.csv: open that to do it, or decide again here']*2
        assert len(s.apply()) == 0 and files(root) == before
        i, = numbers(s, 'black/1.jpg')
        assert s.relabel(i, 'zzz') == [i] and s.plan().problem[0] == '' and s.undo() == [i] and s.plan().problem[0]
        s.delete(numbers(s, 'teddy/1.jpg'))
    with CleaningSession.open(root/'l.csv') as s:
        assert len(s.plan()) == 2 and len(s.apply()) == 2 and text(root) == 'name,label\nblack/1.jpg,zzz\n'
    with opened(root) as s: assert len(s.apply()) == 1 and s.trash().file.tolist() == ['black/2.jpg', 'teddy/1.jpg']


def test_what_was_decided_for_the_folders_is_not_done_to_a_table(root):
    with opened(root) as s: s.relabel(numbers(s, 'black/1.jpg'), 'teddy')
    with table(root, 'black/1.jpg,x', 'black/2.jpg,y') as s:
        assert 'where folders tell the class: open the folder' in s.plan().problem[0] and len(s.apply()) == 0
        assert s.relabel(0, 'teddy') == [0] and len(s.apply()) == 1 and 'black/1.jpg,teddy' in text(root)


def test_a_table_under_another_name_is_the_same_table(root):
    rows = ['black/1.jpg,x', 'black/2.jpg,y']
    with table(root, *rows) as s: s.relabel(0, 'z')
    (root/'l.csv').rename(root/'m.csv')
    with CleaningSession.open(root/'m.csv') as s: assert s.plan().problem.tolist() == [''] and len(s.apply()) == 1
    (root/'m.csv').unlink()
    df = pd.DataFrame({'name': ['black/1.jpg'], 'label': ['x']})
    with CleaningSession.open(df, path=root) as s: s.relabel(0, 'w')
    with table(root, *rows) as s: assert s.plan().problem.tolist() == [''] and len(s.apply()) == 1


def test_a_job_of_a_table_is_ended_by_the_table(root, monkeypatch):
    s = table(root, 'black/1.jpg,x', 'black/2.jpg,y')
    s.delete(0)
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as m:
        def interrupt(*args, **kw): raise KeyboardInterrupt
        m.setattr('course_lib.cleaning.rows.write_records', interrupt)
        s.apply()
    s.close()
    with opened(root) as s:
        assert [n for n in s.notes if 'the labels are in l.csv' in n] and s.keep(0) == [0]
        assert 'black/1.jpg,x' in text(root)
    other = 'name,label\nblack/1.jpg,x\nteddy/1.jpg,z\n'
    (root/'m.csv').write_text(other)
    with CleaningSession.open(root/'m.csv') as s: assert s.keep(1) == [1] and (root/'m.csv').read_text() == other
    with CleaningSession.open(root/'l.csv') as s:
        assert text(root) == 'name,label\nblack/2.jpg,y\n' and not s.history.open


def test_one_file_in_rows_that_contradict_each_other(root):
    rows = 'black/1.jpg,black', 'black/1.jpg,teddy', 'teddy/1.jpg,teddy'
    s = table(root, *rows)
    was = text(root)
    assert s.relabel(0, 'black') == [0, 1] and s.decision(0).act == 'relabel'  # one of them says so, not both
    assert len(s.apply()) == 1 and text(root) == was.replace('black/1.jpg,teddy', 'black/1.jpg,black')
    assert s.label(1) == 'black' and len(s.restore()) == 1 and text(root) == was
    assert [s.label(i) for i in range(3)] == ['black', 'teddy', 'teddy']
    s.relabel(0, 'grizzly'), s.apply(), s.delete(0), s.apply()
    assert text(root) == 'name,label\nteddy/1.jpg,teddy\n'
    s.close()
    with CleaningSession.open(root/'l.csv') as s: assert len(s.restore()) == 1 and text(root) == was
    s = table(root, *rows)
    s.relabel(0, 'grizzly')
    (root/'l.csv').write_text(was.replace('jpg,black', 'jpg,polar'))
    assert "calls it 'polar' by now" in s.plan().problem[0]


@pytest.mark.parametrize('end', ['\n', '\r\n'])
@pytest.mark.parametrize('last', [True, False])
def test_rows_come_back_in_their_old_order(root, end, last):
    rows = [f'{n},x{k}' for k, n in enumerate(p for p in sorted(files(root)) if '"' not in p)]
    s = table(root, *rows, 'black/2.jpg,twice', end=end)  # a file in two rows, with another between them
    if not last: (root/'l.csv').write_bytes(text(root).removesuffix(end).encode())
    was = text(root)
    for idxs in ([0], [2], [1, 5, 7], [len(rows) - 1, 3]): assert s.delete(idxs) and s.apply().problems == []
    s.close()
    with CleaningSession.open(root/'l.csv') as s:
        assert len(s.restore()) == 7 and text(root) == was


def test_a_table_without_a_last_line_end_gets_its_own_kind(root):
    s = table(root, 'black/1.jpg,x', 'black/2.jpg,y', 'teddy/1.jpg,z', end='\r\n')
    (root/'l.csv').write_bytes(text(root).removesuffix('\r\n').encode())
    s.delete(2), s.apply(), s.close()
    (root/'l.csv').write_bytes((text(root) + 'teddy/2.jpg,new\r\nteddy/no ending,new').encode())
    with CleaningSession.open(root/'l.csv') as s:
        s.restore()
        assert text(root).count('\r\n') == text(root).count('\n') == 5 and text(root).endswith('no ending,new')


def test_a_table_that_was_thrown_away(root):
    s = table(root, 'black/1.jpg,x', 'black/2.jpg,y')
    s.delete(0), s.apply()
    (root/'l.csv').unlink()
    report = s.restore()
    assert len(report) == 1 and 'l.csv.1' in repr(report) and 'the table is missing' in repr(report)
    for _ in range(3): assert s.keep([1]) or s.clear([1])
    assert not any('broke off' in n for n in s.notes) and sum('the table is missing' in n for n in s.notes) == 1
    s.relabel(1, 'z')
    assert 'put a file called l.csv there' in s.plan().problem[0]
    (root/'l.csv.1').rename(root/'l.csv')
    assert len(s.apply()) == 1 and not s.history.open and text(root) == 'name,label\nblack/1.jpg,x\nblack/2.jpg,z\n'


# Places

def test_files_behind_a_link_to_another_folder_are_left_alone(root, tmp_path):
    outside = fill(tmp_path, ['ext'])/'ext'
    (root/'linked').symlink_to(outside)
    (tmp_path/'alias').symlink_to(root)
    paths = [root/'linked'/'1.jpg', root/'black'/'1.jpg', root/'black'/'2.jpg', root/'teddy'/'1.jpg']
    s = CleaningSession(ImageSet(paths, ['linked', 'black', 'black', 'teddy'], root=root))
    s.delete([0, 3]), s.relabel(1, 'linked'), s.relabel(2, 'teddy')
    why = 'linked is a link to a folder in another place, and is left alone'
    assert s.plan().problem.tolist() == [why, why, '', ''] and len(s.apply()) == 2
    assert sorted(p.name for p in outside.iterdir()) == sorted(NAMES)
    s = opened(tmp_path/'alias')  # a link to the whole folder is another matter
    s.delete(0)
    assert len(s.apply()) == 1


def test_a_file_that_comes_back_to_its_class_has_its_old_name(root):
    before, n = files(root), 0
    for c in ('teddy', 'grizzly', 'black'):
        with opened(root) as s:
            i = s.images.paths.index(root/['black/1.jpg', 'teddy/1-2.jpg', 'grizzly/1-2.jpg'][n])
            assert s.relabel(i, c) == [i] and len(s.apply()) == 1
            n += 1
    assert files(root) == before
    with opened(root) as s:
        i, = numbers(s, 'black/1.jpg')
        assert (s.status(i), s.label(i), s.decision(i).act) == ('here', 'black', 'keep') and len(s.restore()) == 0
    (root/'teddy'/'1-3.jpg').write_bytes(PNG + b'own number')
    with opened(root) as s:
        s.relabel(numbers(s, 'teddy/1-3.jpg'), 'polar'), s.apply()
        assert (root/'polar'/'1-3.jpg').is_file()  # a name that was not given by us stays


def test_a_label_that_comes_back_to_what_it_was(root):
    s = table(root, 'black/1.jpg,x', 'black/2.jpg,y')
    for c in 'zx': s.relabel(0, c), s.apply()
    assert s.status(0) == 'here' and s.label(0) == 'x' and s.decision(0).act == 'keep' and len(s.restore()) == 0


# Taking back

def test_an_undo_of_what_is_not_in_this_set_says_so(root):
    with opened(root) as s: s.keep(numbers(s, 'teddy/1.jpg', 'teddy/2.jpg'))
    paths = sorted((root/'black').iterdir())
    with CleaningSession(ImageSet(paths, ['black']*len(paths), root=root)) as s:
        assert s.undo() == [] and s.message == 'teddy/1.jpg, teddy/2.jpg: not in this set, but undone'
        assert s.redo() == [] and s.message == 'teddy/1.jpg, teddy/2.jpg: not in this set, but redone'
        assert s.keep(0) == s.undo() == [0] and s.message == ''


def test_steps_about_other_files_can_be_undone_after_files_have_moved(root):
    s = opened(root)
    s.keep(0), s.delete(1), s.delete([2, 3]), s.clear(3), s.keep(5), s.undo()
    assert len(s.apply()) == 2 and s.can_undo and s.can_redo
    for again in (False, True):  # a new session comes to the same
        if again: s = opened(root)
        paths = s.images.paths
        def at(k, paths=paths): return paths.index(root/'black'/sorted(NAMES)[k])
        assert s.can_redo and s.redo() == [at(5)] and s.undo() == [at(5)]
    assert s.undo() == [at(3)] and s.decision(at(3)).act == 'delete'  # of two, the one that is still here
    assert s.undo() == [at(3)] and s.decision(at(3)) is None
    assert s.undo() == [at(0)] and s.undo() == [] and 'restore()' in s.message and not s.can_undo
    assert s.redo() == [at(0)]
    s.restore()
    assert s.can_undo and s.undo() == [at(0)] and not s.can_undo


def test_a_failed_move_can_still_be_undone(root):
    s = opened(root)
    s.delete([0, 1])
    (root/'black'/'1.jpg').write_bytes(PNG + b'edited')
    assert len(s.apply()) == 1 and s.undo() == [0] and s.decision(0) is None and s.status(1) == 'trash'


def test_one_of_two_is_kept_in_one_step(root):
    s = opened(root)
    assert s.keep_one(3, 1, 'the same as 3') == [1, 3] and len(s.history.done) == 1
    assert s.decision(3).act == 'keep' and s.decision(1).act == 'delete' and s.decision(1).reason == 'the same as 3'
    assert s.keep_one(3, 1) == [] and s.undo() == [1, 3] and s.decision(1) is s.decision(3) is None
    for pair, word in (((2, 2), 'two different'), ((0, 99), 'no image 99'), (('a', 1), 'number')):
        with pytest.raises(ValueError, match=word): s.keep_one(*pair)
    (root/'black'/'1.jpg').unlink()
    assert s.keep_one(0, 1) == s.keep_one(1, 0) == [] and 'is gone' in s.message and s.decision(1) is None
    twice = CleaningSession(ImageSet([root/'teddy'/'1.jpg']*2, ['teddy']*2, root=root))
    with pytest.raises(ValueError, match='two different'): twice.keep_one(0, 1)
    assert twice.counts()['reviewed'] == 0


# Names of classes

def test_names_that_a_class_may_not_have():
    for bad, word in (('CON', 'Windows'), ('nul', 'Windows'), ('Lpt1.x', 'Windows'), ('com¹', 'Windows'),
                      ('\u202eabc', 'see'), ('a\u200b', 'see'), ('a\x00b', 'see'), ('a\u2028b', 'see'),
                      ('\ufeffa', 'see')):
        with pytest.raises(ValueError, match=word): check_class(bad)
    for good in ('console', 'a.con', 'com', 'com10', 'نمی\u200cخواهم', '👩\u200d🔬', 'polar bear'):
        assert check_class(good) == good


def test_in_a_table_a_class_needs_no_folder(csv_root):
    root, text = csv_root
    with table_set(root, text, fn_col='file', label_col='animal') as s:
        assert s.relabel(0, 'a/b: "c"?') == [0] and s.relabel(1, 'Cat') == [1] and s.relabel(2, 'con') == [2]
        for bad in ('', 'x\u200b', 'y\nz', 'x'*101):
            with pytest.raises(ValueError, match='name for a class|name of a class'): s.relabel(3, bad)
        assert len(s.apply()) == 3
    with open(root/'labels.csv', newline='', encoding='utf-8-sig') as f:
        assert [r[2] for r in csv.reader(f)][1:4] == ['a/b: "c"?', 'Cat', 'con']
    paths = [root/'pics'/p for p in os.listdir(root/'pics')]
    with CleaningSession(ImageSet(paths, ['pics']*len(paths), root=root)) as s:
        with pytest.raises(ValueError, match='leave out'): s.relabel(0, 'a/c')
    shutil.rmtree(root)
