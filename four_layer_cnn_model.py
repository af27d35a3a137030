"""Four-layer CNN: four small convolutions, each pooled and thinned out, and three dense layers.

Source: Intelligent Systems MSc, "Music genre classification", 2021, in its history,
    https://github.com/Intelligent-Systems-MSc/Music-genre-classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reads 271 x 781 colour pictures of the short-time Fourier transform.

    python four_layer_cnn_model.py --features=mel --epochs=30
"""

from genre.layers import clipped, max_pool
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(64, 128, 256, 512),
    units=(2048, 1024, 256),
    dropout=0.1,
    dense_dropout=(0.2, 0.5),
):
    """Args: filters: filters of each convolution. units: sizes of the dense layers.
    dropout: share dropped after each pool. dense_dropout: share dropped after the first and the second dense layer.
    """
    inputs = x = keras.Input(input_shape)
    for count, kernel in zip(filters, ((3, 2), (3, 2), (2, 2), (2, 2)), strict=True):
        x = layers.Conv2D(count, clipped(kernel, x), activation="relu")(x)
        x = max_pool(x, (3, 3))  # a third of each side
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    for size, share in zip(units, (*dense_dropout, 0), strict=True):
        x = layers.Dense(size, activation="relu")(x)
        x = layers.Dropout(share)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="128x400")
