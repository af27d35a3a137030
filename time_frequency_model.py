"""Time-frequency: the time and the frequency model side by side, joined by a dense layer.

Source: Pons, Lidy & Serra, "Experimenting with musically motivated convolutional neural networks", CBMI 2016,
    https://doi.org/10.1109/CBMI.2016.7500246.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper's input is 40 mel bands x 80 frames of 23 ms at 44.1 kHz. Here it is a whole piece at no more than
    400 frames, 75 ms each for 30 s, as in the two models it is made of, so that the paper's initialised variant, the
    second command, starts from filters of the same scale. Adam steps by 3e-4: at 1e-3 it stays near the floor on GTZAN
    (27 % validation accuracy after 66 epochs, 51 % at 3e-4).

    python time_frequency_model.py --features=mel --epochs=30
    python time_frequency_model.py --init_from=models/time_model/mel,models/frequency_model/mel --run_name=initialised
"""

from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=32, filter_frames=60, filter_bins=32, units=200, dropout=0.5):
    """Args: filters: number of filters of each branch. filter_frames: length of a time filter in frames.
    filter_bins: height of a frequency filter in bins. units: size of the dense layer.
    dropout: share dropped before each dense layer.
    """
    bins, frames, _ = input_shape
    inputs = keras.Input(input_shape)
    kernel = (1, min(filter_frames, frames))
    time = layers.Conv2D(filters, kernel, activation="relu", name="time_filters")(inputs)  # (bins, frames', filters)
    time = layers.MaxPooling2D((bins, 1))(time)  # (1, frames', filters)
    kernel = (min(filter_bins, bins), 1)
    frequency = layers.Conv2D(filters, kernel, activation="relu", name="frequency_filters")(inputs)
    frequency = layers.MaxPooling2D((1, frames))(frequency)  # (bins', 1, filters)
    x = layers.Concatenate()([layers.Flatten()(time), layers.Flatten()(frequency)])
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(units, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex400", learning_rate=3e-4)
