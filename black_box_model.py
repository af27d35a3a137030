"""Black box: one layer of square-ish filters and a dense layer, with no musical idea behind it.

Source: Pons, Lidy & Serra, "Experimenting with musically motivated convolutional neural networks", CBMI 2016,
    https://doi.org/10.1109/CBMI.2016.7500246.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper's input is 40 mel bands x 80 frames of 23 ms at 44.1 kHz. Here a whole piece is reduced to
    that size: unreduced, 128 x 1292, the dense layer would have 238 million weights.

    python black_box_model.py --features=mel --epochs=30
"""

from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape, num_classes, *, filters=32, filter_bins=12, filter_frames=8, pool_bins=4, units=200, dropout=0.5
):
    """Args: filters: number of filters. filter_bins: height of a filter in bins. filter_frames: its length in frames.
    pool_bins: bins pooled into one. units: size of the dense layer. dropout: share dropped before each dense layer.
    """
    bins, frames, _ = input_shape
    kernel = (min(filter_bins, bins), min(filter_frames, frames))
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(filters, kernel, activation="relu", name="filters")(inputs)  # (bins', frames', filters)
    x = layers.MaxPooling2D((min(pool_bins, x.shape[1]), 1))(x)  # (bins' / pool_bins, frames', filters)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(units, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="40x80")
