import itertools

from genre import index, inputs
from genre.command_line import CallError, DataError

import numpy as np
import pytest
from conftest import write_pictures
from PIL import Image

NATIVE = (None, None)


def batches_of(pictures, *arguments):
    return [y.numpy() for _, y in inputs.training_batches(pictures, *arguments)]


@pytest.fixture
def numbered(tmp_path):
    """Pictures whose label is their own number, so that an order can be read off the labels."""
    pictures = inputs.load(write_pictures(tmp_path / "a"), "train", ["a", "b"])
    return pictures._replace(y=np.arange(len(pictures.x), dtype=np.int32))


def test_an_epoch_holds_every_picture_once_in_an_order_of_its_own(numbered):
    epochs = batches_of(numbered, 5, 0, 0, 3)
    assert [len(batch) for batch in epochs] == [5, 5, 5, 1] * 3
    orders = [tuple(np.concatenate(epochs[i : i + 4])) for i in (0, 4, 8)]
    assert all(sorted(order) == list(range(16)) for order in orders)
    assert len(set(orders)) == 3


def test_the_order_depends_on_the_seed_and_the_epoch_alone(numbered):
    unbroken, resumed = batches_of(numbered, 5, 7, 0, 3), batches_of(numbered, 5, 7, 2, 3)
    np.testing.assert_array_equal(np.concatenate(unbroken[8:]), np.concatenate(resumed))
    assert not np.array_equal(np.concatenate(unbroken), np.concatenate(batches_of(numbered, 5, 8, 0, 3)))


def test_a_picture_meets_its_own_label(tmp_path):
    pictures = inputs.load(write_pictures(tmp_path / "a"), "train", ["a", "b"])
    for x, y in [*inputs.training_batches(pictures, 5, 0, 0, 1), *inputs.evaluation_batches(pictures, 5)]:
        upper = x.numpy()[:, :6].mean(axis=(1, 2, 3)) > x.numpy()[:, 6:].mean(axis=(1, 2, 3))
        np.testing.assert_array_equal(y.numpy(), np.where(upper, 0, 1))


def test_pictures_are_cached_as_uint8_at_the_size_asked_for(tmp_path):
    folder = write_pictures(tmp_path / "a", shape=(12, 20))
    assert inputs.load(folder, "train", ["a", "b"]).x.dtype == np.uint8
    assert inputs.load(folder, "train", ["a", "b"], (6, None)).x.shape == (16, 6, 20, 1)
    assert inputs.load(folder, "test", ["a", "b"]) is None


def test_pictures_may_be_jpegs_and_bitmaps(tmp_path):
    folder = write_pictures(tmp_path / "mel")
    expected = inputs.load(folder, "train", ["a", "b"])
    for path, suffix in zip(sorted(folder.rglob("*.png")), itertools.cycle([".jpg", ".JPEG", ".bmp", ".png"])):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(suffix))
        if suffix != ".png":
            path.unlink()
    found = inputs.load(folder, "train", ["a", "b"])
    assert found.x.shape == expected.x.shape == (16, 12, 20, 1) and (found.y == expected.y).all()
    assert np.abs(found.x.astype(int) - expected.x).mean() < 20  # JPEG's noise is that of noise


def test_every_damaged_picture_is_named_and_counted(tmp_path):
    folder = write_pictures(tmp_path / "a")
    for name in ("train3.png", "train5.png"):
        (folder / "train" / "b" / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2 of 16 pictures cannot be used: .*b/train3\.png .*b/train5\.png"):
        inputs.load(folder, "train", ["a", "b"])


def test_pictures_of_two_sizes_are_refused_by_name_unless_resized(tmp_path):
    folder = write_pictures(tmp_path / "a", shape=(12, 20))
    Image.new("L", (30, 12)).save(folder / "train" / "b" / "train7.png")
    with pytest.raises(DataError, match=r"train7\.png is 12 x 30, others are 12 x 20.*--image_size"):
        inputs.load(folder, "train", ["a", "b"])
    assert inputs.load(folder, "train", ["a", "b"], (6, 10)).x.shape == (16, 6, 10, 1)
    with pytest.raises(DataError, match=r"train7\.png is 12 x 30, others are 12 x 20"):
        inputs.load(folder, "train", ["a", "b"], (6, 10), alike=(12, 20, 1))
    Image.new("RGB", (20, 12)).save(folder / "train" / "b" / "train7.png")
    with pytest.raises(DataError, match=r"train7\.png has 3 channels, others have 1"):
        inputs.load(folder, "train", ["a", "b"])


def test_class_folders_that_cannot_be_learned_are_refused_before_training(tmp_path):
    folder = write_pictures(tmp_path / "a", classes=("a", "b", "c"))
    assert inputs.class_list(folder) == ["a", "b", "c"]
    (folder / "validation" / "d").mkdir()
    with pytest.raises(DataError, match="has d, which train lacks"):
        inputs.class_list(folder)
    (folder / "train" / "d").mkdir()
    with pytest.raises(DataError, match="has no pictures of d"):
        inputs.class_list(folder)
    with pytest.raises(DataError, match="has one class, a; at least two"):
        inputs.class_list(write_pictures(tmp_path / "one", classes=("a",)))


def test_a_missing_folder_is_named_with_what_there_is_and_what_makes_it(tmp_path):
    with pytest.raises(CallError, match=r"no folder .*create_spectrograms\.py"):
        inputs.feature_folder(tmp_path / "none", "mel")
    write_pictures(tmp_path / "mel", counts=[("train", 2)])
    with pytest.raises(CallError, match="no pictures of 'cqt' in .*; there is mel"):
        inputs.feature_folder(tmp_path, "cqt")
    with pytest.raises(CallError, match=r"no pictures of '\.\./"):
        inputs.feature_folder(tmp_path / "mel", "../mel")
    with pytest.raises(CallError, match=r"has no validation/<genre> folders.*split_dataset\.py"):
        inputs.feature_folder(tmp_path, "mel")


def test_a_mistyped_genre_in_an_index_is_one_line():
    rows = [index.Row("train/a/1.png", "a/1", ("a",)), index.Row("train/b/1.png", "b/1", ("bb", "b"))]
    with pytest.raises(DataError, match=r"index\.csv says that train/b/1\.png is bb, which train lacks; correct it"):
        inputs.targets(rows, ["a", "b"])


def test_what_is_no_picture_of_a_class_is_known(tmp_path, split_data):
    assert index.left_out(split_data / "images" / "mel") == []  # has an index
    folder = write_pictures(tmp_path / "mel")
    (folder / "train" / "a" / "album").mkdir()
    others = ["test.png", "train/a/1.webp", "train/loose.png", "validation/b/.hidden", "validation/b/notes.txt"]
    for other in others:
        (folder / other).touch()
    found = [path.relative_to(folder).as_posix() for path in index.left_out(folder)]
    assert found == ["train/a/1.webp", "train/a/album", "train/loose.png", "validation/b/notes.txt"]


def test_keras_reads_our_folders_with_the_right_labels(split_data):
    """By name: `image_dataset_from_directory`, and the legacy `ImageDataGenerator.flow_from_directory`."""
    from genre.backend import keras

    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    folder = split_data / "images" / "mel"
    classes = inputs.class_list(folder)
    ours = inputs.load(folder, "train", classes)
    size = ours.x.shape[1:3]
    theirs = keras.utils.image_dataset_from_directory(
        folder / "train", color_mode="grayscale", image_size=size, shuffle=False, verbose=0
    )
    assert theirs.class_names == classes
    x, y = (np.concatenate([batch[part].numpy() for batch in theirs]) for part in (0, 1))
    np.testing.assert_array_equal(y, ours.y)
    np.testing.assert_array_equal(x, ours.x)
    legacy = ImageDataGenerator().flow_from_directory(
        folder / "train", target_size=size, color_mode="grayscale", class_mode="sparse", shuffle=False, batch_size=99
    )
    assert list(legacy.class_indices) == classes
    np.testing.assert_array_equal(legacy.classes, ours.y)
    np.testing.assert_array_equal(next(legacy)[0], ours.x)
