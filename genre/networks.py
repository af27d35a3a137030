"""The network around a script's `build_model`: from pictures to probabilities, with what never changes set apart."""

import zipfile
from pathlib import Path
from typing import NamedTuple

from genre import layers, runs
from genre.augmentation import NONE
from genre.backend import keras
from genre.command_line import CallError
from genre.inputs import alone

import numpy as np

MOST_KEPT = 2**31  # bytes that are kept in memory of a frozen front's outputs, else computed every step, or embeddings


class Network(NamedTuple):
    """One network in the two halves that training sees, and whole; all share their layers."""

    front: keras.Model | None  # pictures -> what `rest` takes; no training changes it; None where there is no such part
    rest: keras.Model  # what `front` gives, or pictures -> float32 logits, for the loss
    whole: keras.Model  # pictures -> probabilities, as it is saved


def save(model, folder):
    """Write a model as model.keras, and the weights in that, too, as model.weights.h5."""
    model.save(Path(folder, runs.MODEL))
    with zipfile.ZipFile(Path(folder, runs.MODEL)) as archive:  # HDF5 itself, on a full disk, may end the process
        archive.extract(runs.WEIGHTS, folder)


def of_pictures(core, levels, weights, pieces, multi_label=False, augment=NONE, shapes=None):
    """
    Args:
        core: a script's network, pictures -> logits, or chunks of pictures -> logits.
        pieces: how many pictures it will be trained on.
        levels: for each input (mean, variance) of each channel, brought to 0 and 1 before the core; None for a core
            that takes 0..255.
        weights: for each input factors of the channels after that, [] for none.
        multi_label: whether each class has a probability of its own, or all together have one.
        augment: of training. shapes: of the pictures, one for each input, if it takes chunks of them.
    """
    shapes = shapes or [x.shape[1:] for x in core.inputs]
    several = not isinstance(core, keras.Sequential) and isinstance(core.input, list)
    names = [f"pictures_{i}" for i in range(len(shapes))] if several else ["pictures"]
    logits, probabilities = _ends(multi_label)

    def standardised(pictures):
        each = zip(pictures, levels or [None] * len(pictures), weights, strict=True)
        return alone([_standardised(*one) for one in each])

    def decided(pictures):
        x = standardised(pictures)
        if not augment.chunk_frames:
            return logits(core(x))
        cut = layers.Chunks(augment.chunk_frames, name="chunks")(x)
        mean = layers.OverChunks("sigmoid" if multi_label else "softmax", dtype="float32", name="over_chunks")
        return logits(mean(core(cut), pictures[0]))

    pictures = [keras.Input(shape, name=name) for shape, name in zip(shapes, names, strict=True)]
    y = decided(pictures)
    whole = keras.Model(alone(pictures), probabilities(y))
    if augment.chunk_frames:
        free = [keras.Input((s[0], None, s[2]) if len(s) == 3 else s) for s in shapes]  # chunks, or whole pictures
        return Network(None, keras.Model(alone(free), decided(free)), whole)
    front, rest = (None, core) if several or augment.changes_pictures else _split(core)
    if front is None or 4 * pieces * np.prod(front.output_shape[1:]) > MOST_KEPT:
        return Network(None, keras.Model(alone(pictures), y), whole)
    kept = keras.Input(front.output_shape[1:], name="kept")
    front = keras.Model(alone(pictures), front(standardised(pictures)))
    return Network(front, keras.Model(kept, logits(rest(kept))), whole)


def _ends(multi_label):
    """The layers behind a core, in float32 whatever the training: for the loss, and behind that for a saved model."""
    return (
        keras.layers.Activation("linear", dtype="float32", name="logits"),
        keras.layers.Activation("sigmoid" if multi_label else "softmax", dtype="float32", name="probabilities"),
    )


def _standardised(pictures, levels, weights):
    scale, offset = _scale(levels, weights)
    if not scale:
        return pictures
    name = pictures.name.replace("pictures", "standardise")
    return keras.layers.Rescaling(scale, offset, dtype="float32", name=name)(pictures)


def _scale(levels, weights):
    """(factors, summands) of the channels; ([], []) where they stay as they are."""
    if not levels:
        return weights, [0.0] * len(weights)
    mean, variance = (np.array(part) for part in levels)
    factors = np.array(weights or [1.0]) / np.sqrt(variance)
    return factors.tolist(), (-mean * factors).tolist()


def of_runs(core, embeddings, multi_label=False):
    """
    Args:
        core: a script's network, embeddings -> logits. embeddings: those of its runs, pictures -> (columns,).
        multi_label: as for `of_pictures`.
    """
    pictures, found = _frozen(embeddings)
    logits, probabilities = _ends(multi_label)
    kept = [keras.Input(x.shape[1:]) for x in found]
    return Network(
        keras.Model(pictures, alone(found)),
        keras.Model(alone(kept), logits(core(kept))),
        keras.Model(pictures, probabilities(logits(core(found)))),
    )


def joined(embeddings):
    """One network from the pictures of all runs to their embeddings side by side, (columns,)."""
    pictures, found = _frozen(embeddings)
    return keras.Model(pictures, keras.layers.Concatenate()(found) if len(found) > 1 else found[0])


def _frozen(embeddings):
    """Inputs for the pictures of all runs, and the embeddings of those, each network under a name of its own."""
    pictures, found = [], []
    for number, network in enumerate(embeddings):
        network.name, network.trainable = f"run_{number}", False
        own = [keras.Input(x.shape[1:]) for x in network.inputs]
        pictures += own
        found.append(network(alone(own)))
    return alone(pictures), found


def embedding(model, script):
    """The network from a run's pictures to the input of its last layer, the logits: (columns,).

    Args:
        model: as it was saved by the run of `script`.
    """
    return within(model, script, model.get_layer(script).layers[-1].input)


def within(model, script, tensor, of_chunks=False):
    """The network from a run's pictures to a tensor of its core, where that takes chunks to the mean of theirs.

    Args:
        model: as it was saved by the run of `script`. of_chunks: each chunk's own instead, (pieces * chunks, ...).
    """
    core = model.get_layer(script)
    until = keras.Model(core.input, tensor)

    def call(layer, *args, **kwargs):
        if layer.name in ("logits", "probabilities") or (of_chunks and layer.name == "over_chunks"):
            return args[0]
        if layer.name == "over_chunks":
            return _mean_over_chunks(*args)
        return until(*args) if layer is core else layer(*args, **kwargs)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def with_embedding(model, script):
    """The same network with two outputs: its probabilities, and what its last layer decides on, (columns,).

    Args:
        model, script: as for `embedding`.
    """
    last = model.get_layer(script).layers[-1]
    found = within(model, script, last.input, of_chunks=True)
    x, y = found.output, last(found.output)
    if cuts_chunks(model):
        pieces = found.inputs[0]
        x, y = _mean_over_chunks(x, pieces), model.get_layer("over_chunks")(y, pieces)
    return keras.Model(found.input, [model.get_layer("probabilities")(model.get_layer("logits")(y)), x])


def _mean_over_chunks(x, pieces):
    return layers.OverChunks("values", name="mean_over_chunks")(x, pieces)


def cuts_chunks(model):
    """Whether a saved model cuts its pictures into chunks."""
    return any(layer.name == "over_chunks" for layer in model.layers)


def _split(core):
    """(front, rest) of a network that begins with weights that no training changes; (None, core) of any other."""
    front = []
    for layer in core.layers:
        random = len(layer.variables) > len(layer.weights)
        if layer.trainable_variables or random or (layer.trainable and layer.weights):  # the last: moving statistics
            break
        front.append(layer)
    if not any(layer.weights for layer in front):
        return None, core
    try:
        return keras.Model(core.input, front[-1].output), keras.Model(front[-1].output, core.output)
    except ValueError:  # the rest needs more than that layer's output
        return None, core


def init_from(core, sources):
    """Copy the weights of layers of the same name and shape from finished runs.

    Args:
        sources: [Run].

    Returns:
        {the run, in words: names of the layers copied}

    Raises:
        CallError: a run has no such layer.
    """
    copied, mine = {}, {n.name: n for n in core.layers if n.weights and not hasattr(n, "adapt")}
    for source in sources:
        if source.estimator:
            raise CallError(f"{source.folder} ends in a scikit-learn estimator, which has no layers to start from")
        theirs = [layer for layer in source.model.get_layer(source.info["script"]).layers if layer.weights]
        fitting = [layer for layer in theirs if _shapes(layer) == _shapes(mine.get(layer.name))]
        if not fitting:
            has = ", ".join(f"{layer.name} {_shapes(layer)[0]}" for layer in theirs)
            raise CallError(f"no layer of {source.folder} has the name and shape of one here; it has {has}")
        for layer in fitting:
            mine[layer.name].set_weights(layer.get_weights())
        shapes = [" x ".join(map(str, taken["input_shape"])) for taken in source.info["inputs"]]
        sizes = " and ".join(dict.fromkeys(shapes))
        copied[f"{source.folder} ({source.info['feature']} at {sizes})"] = [layer.name for layer in fitting]
    return copied


def _shapes(layer):
    return layer and [tuple(weight.shape) for weight in layer.weights]
