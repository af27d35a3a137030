"""Dilated CNN: short convolutions along time at ever wider spacing, as in WaveNet.

Source: Ortiz et al., "Music genre classification", 2024,
    https://github.com/arnauortiz/music_genre_classification, after van den Oord et al., "WaveNet: a generative
    model for raw audio", 2016, https://arxiv.org/abs/1609.03499.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: from WaveNet, as the source: no gates, residuals or skips, and it hears what comes after as well as before.
    The source pads each convolution on both sides by its dilation, so that sequences grow; here they keep their length.

    python dilated_cnn_model.py --features=mel --epochs=30
"""

from genre.layers import sequence
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=64, kernel_size=2, dilations=(1, 2, 4, 8, 16), cycles=3):
    """Args: filters: filters of each convolution. kernel_size: their length in frames.
    dilations: the spacing of a filter's frames, of one convolution after the other. cycles: how often these repeat.
    """
    inputs = keras.Input(input_shape)
    x = sequence(inputs)  # (frames, bins * channels)
    x = layers.Conv1D(filters, 1)(x)  # (frames, 64)
    for dilation in dilations * cycles:
        x = layers.Conv1D(
            filters,
            kernel_size,
            dilation_rate=dilation,
            padding="same",
            activation="relu",
            kernel_initializer="he_uniform",  # as the source; Glorot's fades over fifteen layers without normalisation
        )(x)
    x = layers.GlobalAveragePooling1D()(x)  # (64,)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model)
