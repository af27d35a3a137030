"""Fusion: a convolutional branch for each feature, trained together, joined by a dense layer.

Source: yijerjer, "Music genre classification", 2020, https://github.com/yijerjer/music_genre_classification, which
    names the combination of its features as further work; the branches are its square CNN.
Input: {feature: (bins, frames, channels)}, one piece of each spectrogram.
Output: (num_classes,) logits.
Differs: the source never built it. Features may differ in size, as each has filters of its own.

    python fusion_model.py --features=mel+chroma_stft --epochs=30
"""

from genre.layers import dense_logits
from genre.training import main
from square_cnn_model import point

import keras
from keras import layers


def build_model(
    input_shape, num_classes, *, filters=(8, 32, 128, 256), pool_frames=(4, 4, 4, 6), units=(256, 32), dropout=0.5
):
    """Args: filters: filters of each 3 x 3 convolution of a branch. pool_frames: its pool along time, in frames.
    units: sizes of the dense layers on all branches. dropout: share dropped before each dense layer.
    """
    inputs = [keras.Input(shape) for shape in input_shape.values()]
    branches = [point(x, filters, pool_frames) for x in inputs]  # (256,) each of 640 frames
    x = layers.Concatenate()(branches) if len(branches) > 1 else branches[0]
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, inputs="features", features="mel+chroma_stft", largest_size="nativex640")
