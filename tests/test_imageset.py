"Where the images of a cleaner come from: learners with all sorts of data sets."
import numpy as np
import pytest

from course_lib.cleaning.imageset import image_set
from course_lib.cleaning.session import CleaningSession
from course_lib.data.blocks import CategoryBlock, DataBlock, ImageBlock, parent_label
from course_lib.data.images import get_image_files
from course_lib.data.samples import draw_bears
from course_lib.data.split import GrandparentSplitter, RandomSplitter
from course_lib.data.transforms import Resize
from course_lib.explain.interpret import ClassificationInterpretation
from course_lib.training.models import mobilenet_v2
from course_lib.training.vision import vision_learner


def learner(source, get_y, get_items=get_image_files, splitter=None, **block):
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_items, get_y=get_y,
                      splitter=splitter or RandomSplitter(.3, seed=1), item_tfms=Resize(32), **block)
    return vision_learner(block.dataloaders(source, bs=4), mobilenet_v2, pretrained=False)


def test_a_data_set_without_paths_says_so():
    pixels = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)
    learn = learner(None, lambda i: 'ab'[i % 2], lambda _: range(8), get_x=lambda i: pixels[i])
    with pytest.raises(ValueError, match='no files but of type ndarray'): image_set(learn)


def test_train_and_valid_folders_have_one_root_and_honest_scores_for_one_half(tmp_path):
    for half, seed in (('train', 1), ('valid', 2)): draw_bears(tmp_path/half, n=3, size=40, seed=seed)
    images = image_set(learner(tmp_path, parent_label, splitter=GrandparentSplitter()))
    assert images.root == tmp_path and images.by_folders
    by_half = {s: {p.parents[1].name for p, o in zip(images.paths, images.splits, strict=True) if o == s}
               for s in ('train', 'valid')}
    assert by_half == {'train': {'train'}, 'valid': {'valid'}}
    assert [bool(o) for o in images.scored] == images.has_probs.tolist() == [s == 'valid' for s in images.splits]
    assert 'folds=3' in images.notes[0]


def test_labels_made_from_file_names_are_not_taken_for_folders(tmp_path):
    folder = tmp_path/'cat'/'images'
    draw_bears(tmp_path/'drawn', n=3, size=40)
    folder.mkdir(parents=True)
    for k, p in enumerate(get_image_files(tmp_path/'drawn')): p.rename(folder/f'{"Xx"[k % 2]}{k}.jpg')
    images = image_set(learner(folder, lambda p: 'cat' if p.name[0].isupper() else 'dog'))
    assert images.root == folder and not images.by_folders
    with CleaningSession(images) as session:
        session.relabel([0], 'dog' if images.labels[0] == 'cat' else 'cat')
        assert 'not told by its folders' in session.plan().problem[0] and len(session.apply()) == 0


def test_other_images_of_an_interpretation(tmp_path):
    for name, seed in (('mine', 1), ('others', 2)): draw_bears(tmp_path/name, n=3, size=40, seed=seed)
    learn = learner(tmp_path/'mine', parent_label)
    dl = learn.dls.test_dl(get_image_files(tmp_path/'others'), with_labels=True)
    images = image_set(ClassificationInterpretation.from_learner(learn, dl=dl))
    assert images.root == tmp_path/'others' and images.has_probs.all() and len(images) == 9


def test_a_model_that_knows_nothing_is_spoken_of(tmp_path):
    draw_bears(tmp_path/'bears', n=4, size=40)
    learn = learner(tmp_path/'bears', parent_label)
    head = [m for m in learn.model.modules() if hasattr(m, 'out_features')][-1]
    head.weight.data.zero_()  # all scores are the same, and so is the answer
    if head.bias is not None: head.bias.data.zero_()
    assert any('no better than the same answer' in note for note in image_set(learn).notes)
