"""Frequency: one layer of filters along the frequency axis, for timbre and harmony.

Source: Pons, Lidy & Serra, "Experimenting with musically motivated convolutional neural networks", CBMI 2016,
    https://doi.org/10.1109/CBMI.2016.7500246.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper's input is 40 mel bands x 80 frames of 23 ms at 44.1 kHz. Here it is a whole piece at no more than
    400 frames, 75 ms each for 30 s: a third of the time that all 1292 would take.

    python frequency_model.py --features=mel --epochs=30
"""

from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=32, filter_bins=32, dropout=0.5):
    """Args: filters: number of filters. filter_bins: height of a filter in bins. dropout: share dropped."""
    bins, frames, _ = input_shape
    kernel = (min(filter_bins, bins), 1)
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(filters, kernel, activation="relu", name="frequency_filters")(inputs)  # (bins', frames, filters)
    x = layers.MaxPooling2D((1, frames))(x)  # (bins', 1, filters)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex400")
