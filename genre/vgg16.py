"""VGG16's preprocessing and convolutions, with weights from ImageNet, from a file, or random."""

import os
import sys
import warnings
from pathlib import Path

from genre.backend import keras
from genre.command_line import CallError, first_line

import pooch

ADDRESS = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
BYTES, MD5 = 58_889_256, "6d6bbae143d832006294945121d1f1fc"
KEPT_IN = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"  # where Keras itself looks


def convolutions(x, weights, trainable_layers):
    """
    Args:
        x: red, green and blue, 0 to 255, (bins, frames, 3), no side below 32. weights: imagenet, none or a file.
        trainable_layers: of VGG16's 19 layers without its top, the number, from the last, that train.

    Returns:
        (bins / 32, frames / 32, 512)
    """
    if not 0 <= trainable_layers <= 19:
        raise CallError(f"--trainable_layers should be a whole number from 0 to 19, not {trainable_layers}")
    path = None if weights == "none" else _fetched() if weights == "imagenet" else Path(weights)
    if path and not path.is_file():
        raise CallError(f"no file {path} for --weights; give imagenet, none or a file of VGG16 weights")
    published = path and _published(path)
    # As keras.applications.vgg16.preprocess_input, whose constant ONNX would take for another input.
    x = keras.layers.Rescaling(1.0, [-103.939, -116.779, -123.68])(x[..., ::-1])
    model = keras.applications.VGG16(include_top=False, weights=None, input_tensor=x)
    for layer in published.layers[1:] if path else ():
        model.get_layer(layer.name).set_weights(layer.get_weights())
    for layer in model.layers[: len(model.layers) - trainable_layers]:
        if layer.name.startswith("block"):
            layer.trainable = False
    return model.output


def _published(path):
    """VGG16 as Keras has it, with the weights of a file."""
    bare = keras.applications.VGG16(include_top=False, weights=None)
    try:
        with warnings.catch_warnings(action="ignore"):  # what does not fit is an error as well
            bare.load_weights(path)
    except Exception as error:  # whatever h5py or Keras raises for a file that is damaged or of another network
        reason = first_line(error)
        raise CallError(f"{path} does not hold VGG16 without its top ({reason}); {_how_to_fetch()}") from None
    return bare


def _fetched():
    """The file of ImageNet weights, fetched to where Keras keeps such files unless it is there."""
    pooch.get_logger().setLevel("WARNING")
    name = ADDRESS.rpartition("/")[2]
    try:
        found = pooch.retrieve(ADDRESS, f"md5:{MD5}", name, KEPT_IN, progressbar=sys.stderr.isatty())
    except Exception as error:  # whatever the network, the server or the disk does
        reason = first_line(error)
        raise CallError(f"the ImageNet weights cannot be fetched ({reason}); {_how_to_fetch()}") from None
    return Path(found)


def _how_to_fetch():
    return (
        f"fetch {ADDRESS} ({BYTES:,} bytes, md5 {MD5}) where there is a network and either put it into "
        f"{KEPT_IN} or give it as --weights=FILE; --weights=none starts at random"
    )
