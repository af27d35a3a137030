"""Two-layer CNN: two square convolutions and two dense layers, the plain image classifier.

Source: Intelligent Systems MSc, "Music genre classification", 2021,
    https://github.com/Intelligent-Systems-MSc/Music-genre-classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reads 217 x 334 and 288 x 432 colour pictures, whose first dense layer has 35 and 61 million
    weights, and steps by 1e-5. Here pictures are reduced to 128 x 200: 12 million.

    python two_layer_cnn_model.py --features=mel --epochs=30
"""

from genre.layers import clipped, max_pool
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=(64, 32), units=(256, 124), dropout=0.5):
    """Args: filters: filters of each convolution. units: sizes of the dense layers.
    dropout: share dropped after the first dense layer.
    """
    inputs = x = keras.Input(input_shape)
    for count in filters:
        x = layers.Conv2D(count, clipped((3, 3), x), activation="relu")(x)
        x = max_pool(x, (2, 2))  # (bins / 2, frames / 2, count)
    x = layers.Flatten()(x)
    x = layers.Dense(units[0], activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    for size in units[1:]:
        x = layers.Dense(size, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="128x200")
