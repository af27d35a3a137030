"""Time: one layer of temporal filters, for tempo and rhythm.

Source: Pons, Lidy & Serra, "Experimenting with musically motivated convolutional neural networks", CBMI 2016,
    https://doi.org/10.1109/CBMI.2016.7500246.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper's input is 40 mel bands x 80 frames of 23 ms at 44.1 kHz. Here it is a whole piece at no more than
    400 frames, 75 ms each for 30 s: a third of the time that all 1292 would take.

    python time_model.py --features=mel --epochs=30
"""

from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=32, filter_frames=60, dropout=0.5):
    """Args: filters: number of filters. filter_frames: length of a filter in frames. dropout: share dropped."""
    bins, frames, _ = input_shape
    kernel = (1, min(filter_frames, frames))
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(filters, kernel, activation="relu", name="time_filters")(inputs)  # (bins, frames', filters)
    x = layers.MaxPooling2D((bins, 1))(x)  # (1, frames', filters)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex400")
