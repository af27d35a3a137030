"""Fusion: a convolutional branch for each feature, trained together, joined by a dense layer.

Source: yijerjer, "Music genre classification", 2020, https://github.com/yijerjer/music_genre_classification, which
    names the combination of its features as further work; the branches are its square CNN.
Input: {feature: (bins, frames, channels)}, one piece of each spectrogram.
Output: (num_classes,) logits.
Differs: the source never built it. Pools are cut to what is left of an axis, so that every feature fits; features may
    differ in size, as each has filters of its own.

    python fusion_model.py --features=mel+chroma_stft --epochs=30
"""

from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(8, 32, 128, 256),
    pool_bins=(2, 2, 3, 6),
    pool_frames=(4, 4, 4, 6),
    units=(256, 32),
    dropout=0.5,
):
    """Args: filters: filters of each 3 x 3 convolution of a branch. pool_bins: its pool along frequency, in cells.
    pool_frames: its pool along time. units: sizes of the dense layers on all branches.
    dropout: share dropped before each dense layer.
    """
    inputs = [keras.Input(shape) for shape in input_shape.values()]
    branches = []
    for x in inputs:
        for count, bins, frames in zip(filters, pool_bins, pool_frames, strict=True):
            x = layers.Conv2D(count, 3, padding="same")(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
            x = layers.MaxPooling2D((min(bins, x.shape[1]), min(frames, x.shape[2])))(x)  # (bins / 2, frames / 4, 8)
        branches.append(layers.GlobalAveragePooling2D()(x))  # (1, 1, 256) where the input is 84 or 128 x 640
    x = layers.Concatenate()(branches) if len(branches) > 1 else branches[0]
    for size in units:
        x = layers.Dense(size, activation="relu")(layers.Dropout(dropout)(x))
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, inputs="features", features="mel+chroma_stft", largest_size="nativex640")
