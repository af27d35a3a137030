"""Picture folders -> arrays in memory -> batches, in an order that depends on the seed and the epoch alone."""

import math
from pathlib import Path
from typing import NamedTuple

from genre import images, index
from genre.command_line import CallError, DataError
from genre.index import SUBSETS

import joblib
import numpy as np
from tqdm import tqdm

NAMED = 3  # pictures an error names


class Pictures(NamedTuple):
    """One subset. `y` is int32 (pieces,), or with several labels a piece float32 (pieces, classes); `rows` are theirs.

    `x` is what the network takes, first of all uint8 (pieces, bins, frames, channels); for several inputs a list.
    """

    x: np.ndarray | list
    y: np.ndarray
    rows: list


def feature_folder(images_path, feature):
    """The folder <images_path>/<feature>, checked to hold train and validation."""
    folder = Path(images_path, feature)
    if not Path(images_path).is_dir():
        raise CallError(
            f"no folder {images_path}; make it with: python create_spectrograms.py, python split_dataset.py, --data as "
            "here (for --fold with --folds), or name another with --images_path"
        )
    if not folder.is_dir() or Path(feature).name != feature:
        there = ", ".join(f for f in index.class_names(images_path)) or "nothing"
        raise CallError(f"no pictures of {feature!r} in {images_path}; there is {there}")
    for subset in SUBSETS[:2]:
        if not index.class_names(folder / subset):
            raise CallError(
                f"{folder} has no {subset}/<genre> folders; python split_dataset.py makes them of pictures by "
                "create_spectrograms.py, others must be sorted into train/<genre> and validation/<genre>"
            )
    return folder


def class_list(folder):
    """The classes of a picture folder, sorted: its train folders.

    Raises:
        DataError: a single class, a class without training pictures, or one that only another subset has.
    """
    classes = index.class_names(folder / "train")
    pictured = {row.labels[0] for row in index.subset_rows(folder, "train")}
    if empty := [name for name in classes if name not in pictured]:
        raise DataError(
            f"{folder / 'train'} has no pictures of {', '.join(empty)}; "
            "add some, or remove those classes from every subset"
        )
    if len(classes) < 2:
        raise DataError(f"{folder / 'train'} has one class, {classes[0]}; at least two are needed")
    for subset in SUBSETS[1:]:
        if unknown := sorted(set(index.class_names(folder / subset)) - set(classes)):
            raise DataError(
                f"{folder / subset} has {', '.join(unknown)}, which train lacks; split again, or sort "
                f"some into {folder / 'train'}"
            )
    return classes


def tag_list(folder):
    """All labels of a folder's training pictures, sorted.

    Raises:
        DataError: train has no pictures.
    """
    tags = sorted({label for row in index.subset_rows(folder, "train") for label in row.labels})
    if not tags:
        raise DataError(f"{folder / 'train'} has no pictures; split again")
    return tags


def targets(rows, classes, multi_label=False):
    """What a network should say of each row: int32 (rows,), the number of its label, or float32 (rows, classes), 0, 1.

    Of several labels those that are no class are left out.

    Raises:
        DataError: the label of a row is no class.
    """
    number = {name: i for i, name in enumerate(classes)}
    if not multi_label:
        for row in rows:
            if row.labels[0] not in number:
                what = f"{index.INDEX} says that {row.file} is {row.labels[0]}"
                raise DataError(f"{what}, which train lacks; correct it, or split again")
        return np.array([number[row.labels[0]] for row in rows], np.int32)
    y = np.zeros((len(rows), len(classes)), np.float32)
    for i, row in enumerate(rows):
        y[i, [number[label] for label in row.labels if label in number]] = 1
    return y


def first_shape(folder):
    """(bins, frames, channels) of the first training picture.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not (rows := index.subset_rows(folder, "train")):
        raise DataError(f"{folder / 'train'} has no pictures ({index.FORMATS}) in its genre folders; put some there")
    return images.read(folder / rows[0].file).shape


def load(folder, subset, classes, image_size=(None, None), like=None, alike=None, multi_label=False):
    """Decode a subset's pictures once, all of them into memory.

    Args:
        folder: <images_path>/<feature>. classes: names in the order of the labels.
        image_size: (bins, frames) that pictures are resized to, None to keep an axis.
        like: (bins, frames, channels) that the pictures must have when read; by default that of the first.
        alike: (bins, frames, channels) that their files must have; by default any.
        multi_label: whether all labels of a picture count, or the first.

    Returns:
        Pictures, or None if the subset has no pictures.

    Raises:
        DataError: a picture is damaged or made by another recipe than its folder's, or they differ in size.
    """
    rows = index.subset_rows(folder, subset)
    if not rows:
        return None
    paths = [folder / row.file for row in rows]
    recipe = index.read_recipe(folder)
    like = like or images.resize(images.read(paths[0]), image_size).shape
    try:
        x = np.empty((len(rows), *like), np.uint8)
    except (MemoryError, ValueError):  # the latter where the size is no number of bytes any more
        raise DataError(
            f"{len(rows)} pictures of {like[0]} x {like[1]} do not fit in memory; try --image_size"
        ) from None
    jobs = (joblib.delayed(_load_one)(path, recipe, image_size, alike, x, i) for i, path in enumerate(paths))
    reading = joblib.Parallel(n_jobs=joblib.cpu_count(), prefer="threads", return_as="generator")(jobs)
    faults = [fault for fault in tqdm(reading, subset, len(paths), disable=None, unit="picture", leave=False) if fault]
    if faults:
        raise DataError(f"{len(faults)} of {len(paths)} pictures cannot be used: {'; '.join(faults[:NAMED])}")
    return Pictures(x, targets(rows, classes, multi_label), rows)


def _load_one(path, recipe, image_size, alike, x, i):
    """Read one picture into x[i]. Returns what is wrong with it, or None."""
    try:
        original = images.read(path, recipe)
        picture = images.resize(original, image_size)
    except DataError as error:
        return str(error)
    for shape, expected in ((original.shape, alike or original.shape), (picture.shape, x.shape[1:])):
        if shape[2] != expected[2]:
            return f"{path} has {shape[2]} channels, others have {expected[2]}; save all as grey or all as colour"
        if shape != expected:
            sizes = f"{shape[0]} x {shape[1]}, others are {expected[0]} x {expected[1]}"
            return f"{path} is {sizes} (--image_size=BINSxFRAMES makes sizes alike)"
    x[i] = picture
    return None


def alone(items):
    """What a network takes or gives: of several inputs or outputs the list, of one no list."""
    return items if len(items) > 1 else items[0]


def align(parts):
    """Several kinds of pictures of one subset, brought to the order of the first.

    Args:
        parts: {name: Pictures or None}.

    Returns:
        Pictures whose `x` is the list of theirs, with the rows of the first, or None if the subset has no pictures.

    Raises:
        DataError: a piece has a picture of one and none of another.
    """
    if not all(parts.values()):
        return None
    numbers = {f: {(r.track, r.start, r.variant): i for i, r in enumerate(p.rows)} for f, p in parts.items()}
    (first, keys), *others = numbers.items()
    for feature, found in others:
        if lone := sorted(keys.keys() ^ found.keys()):
            without = feature if lone[0] in keys else first
            raise DataError(
                f"{len(lone)} pieces are not in both {first} and {feature}, such as {lone[0][0]} at {lone[0][1]:g} s, "
                f"which {without} lacks; make them in one call of create_spectrograms.py and split them in one"
            )
    x = [parts[first].x, *(parts[name].x[[found[key] for key in keys]] for name, found in others)]
    return parts[first]._replace(x=x)


def by_track(part, rows):
    """What `part` has of each track, for each of the pieces that `rows` are of.

    Raises:
        DataError: it lacks a track.
    """
    number = {row.track: i for i, row in enumerate(part.rows)}
    if lost := sorted({row.track for row in rows} - number.keys()):
        raise DataError(f"{len(lost)} tracks with pictures have no statistics, such as {lost[0]}; make and split both")
    return part.x[[number[row.track] for row in rows]]


def stack(parts):
    """{feature: Pictures} of one subset -> Pictures whose channels are those of the features, in their order."""
    aligned = align(parts)
    return aligned and aligned._replace(x=aligned.x[0] if len(parts) == 1 else np.concatenate(aligned.x, axis=-1))


def training_batches(pictures, batch_size, seed, first_epoch, epochs, augment=lambda x, y, seed: (x, y), draws=1):
    """A tf.data.Dataset of all epochs' batches from `first_epoch` (from 0) on, one after the other.

    Each epoch is a fresh permutation of all pieces that depends on the seed and the epoch's number alone, so that a
    resumed training sees what an unbroken one would have seen. Pictures stay uint8 in memory until they are batched.

    Args:
        augment: what is done to a batch, such as an `augmentation.Augmentation`. draws: of each piece in an epoch.
    """
    from genre.backend import tf

    count = draws * len(pictures.y)
    steps = math.ceil(count / batch_size)

    def epoch_of(epoch):
        of_epoch = tf.stack([tf.cast(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=of_epoch) % len(pictures.y)
        numbers = tf.data.Dataset.range(epoch * steps, (epoch + 1) * steps)
        return tf.data.Dataset.zip(numbers, tf.data.Dataset.from_tensor_slices(order).batch(batch_size))

    gather = _gatherer(pictures)

    def batch(step, i):
        x, y = gather(i)
        return augment(x, y, tf.stack([tf.cast(seed, tf.int64), step]))

    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_of)
    return batches.map(batch, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(pictures, batch_size):
    """A tf.data.Dataset of the pieces in the order of their rows."""
    from genre.backend import tf

    order = tf.data.Dataset.range(len(pictures.y)).batch(batch_size)
    return order.map(_gatherer(pictures), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _gatherer(pictures):
    """A function: numbers of pieces, (batch,) -> float32 pictures and what is said of them."""
    from genre.backend import tf

    with tf.device("cpu"):  # identity: the constant keeps two copies
        x = tf.nest.map_structure(lambda array: tf.identity(tf.constant(array)), _tuple(pictures.x))
        y = tf.constant(pictures.y)

    def gather(i):
        return tf.nest.map_structure(lambda array: tf.cast(tf.gather(array, i), tf.float32), x), tf.gather(y, i)

    return gather


def _tuple(x):
    return tuple(x) if isinstance(x, list) else x  # tf.data makes one tensor of a list
