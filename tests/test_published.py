"""The lines of the published lesson, typed as they stand there but for the import."""
from pathlib import Path

import matplotlib
import pytest

matplotlib.use('agg')
PUBLISHED = '''
bears = DataBlock(
    blocks=(ImageBlock, CategoryBlock),
    get_items=get_image_files,
    splitter=RandomSplitter(valid_pct=0.2, seed=42),
    get_y=parent_label,
    item_tfms=Resize(128))
fns = get_image_files(path)
failed = verify_images(fns)
failed.map(Path.unlink)
dls = bears.dataloaders(path)
dls.valid.show_batch(max_n=4, nrows=1)
bears = bears.new(item_tfms=Resize(128, ResizeMethod.Squish))
dls = bears.dataloaders(path)
dls.valid.show_batch(max_n=4, nrows=1)
bears = bears.new(item_tfms=Resize(128, ResizeMethod.Pad, pad_mode='zeros'))
dls = bears.dataloaders(path)
dls.valid.show_batch(max_n=4, nrows=1)
bears = bears.new(item_tfms=RandomResizedCrop(128, min_scale=0.3))
dls = bears.dataloaders(path)
dls.train.show_batch(max_n=4, nrows=1, unique=True)
bears = bears.new(item_tfms=Resize(128), batch_tfms=aug_transforms(mult=2))
dls = bears.dataloaders(path)
dls.train.show_batch(max_n=8, nrows=2, unique=True)
bears = bears.new(
    item_tfms=RandomResizedCrop(128, min_scale=0.5),
    batch_tfms=aug_transforms())
dls = bears.dataloaders(path)
learn = vision_learner(dls, resnet18, metrics=error_rate)
learn.fine_tune(4)
interp = ClassificationInterpretation.from_learner(learn)
interp.plot_confusion_matrix()
interp.plot_top_losses(5, nrows=1)
learn.show_results()
learn.export()
learn_inf = load_learner('export.pkl')
pred, pred_idx, probs = learn_inf.predict(fns[0])
vocab = learn_inf.dls.vocab
learn = vision_learner(dls, resnet18, metrics=[error_rate, accuracy])
lr_min, lr_steep = learn.lr_find(suggest_funcs=(minimum, steep))
learn.fit_one_cycle(1, 3e-3)
learn.unfreeze()
learn.fit_one_cycle(1, lr_max=slice(1e-6, 1e-4))
'''


@pytest.fixture(scope='module')
def typed(tmp_path_factory):
    "The names that are left when every line has run, on a small set with broken files in it."
    from course_lib.data.samples import draw_bears
    folder, names = tmp_path_factory.mktemp('published'), {}
    draw_bears(folder/'bears', n=20, size=96, dirt=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('COURSE_OFFLINE', 'yes')
        patch.setenv('COURSE_MODELS_PATH', str(folder/'models'))
        exec('from course_lib.vision import *', names)
        names['path'] = folder/'bears'
        exec(PUBLISHED, names)
    return names


def test_every_line_runs(typed):
    assert typed['vocab'] == ['black', 'grizzly', 'teddy'] and typed['pred'] in typed['vocab']
    assert int(typed['probs'].argmax()) == int(typed['pred_idx']) and abs(float(typed['probs'].sum()) - 1) < 1e-5


def test_broken_files_were_found(typed):
    assert len(typed['failed']) == 1 and not any(Path(f).exists() for f in typed['failed'])


def test_training_left_its_record(typed):
    assert len(typed['learn'].recorder.values) == 1 and 0 < typed['lr_min'] and 0 < typed['lr_steep']
    assert typed['interp'].confusion_matrix().sum() == len(typed['dls'].valid_ds)
