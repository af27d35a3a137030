"""LeNet: the layout of LeNet-5, two 5 x 5 convolutions and two dense layers, with batch normalisation.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998,
    https://doi.org/10.1109/5.726791; for spectrograms as CNN64 in Ortiz et al., "Music genre classification", 2024,
    https://github.com/arnauortiz/music_genre_classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source's 128 bins x 1291 frames make 37.9 million parameters, all but 20,000 of them in one dense layer.
    Here pictures are reduced to at most 128 x 400.

    python lenet_model.py --features=mel --epochs=30
"""

from genre.layers import clipped, max_pool, normalised
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=(6, 16), units=(256, 64), dropout=0.5):
    """Args: filters: filters of each 5 x 5 convolution. units: sizes of the dense layers.
    dropout: share dropped after all of them but the last.
    """
    inputs = x = keras.Input(input_shape)
    for count in filters:
        x = layers.Conv2D(count, clipped((5, 5), x))(x)
        x = layers.ReLU()(normalised(x))
        x = max_pool(x, (2, 2))  # half of each side
    x = layers.Flatten()(x)
    for number, size in enumerate(units, 1):
        x = layers.ReLU()(normalised(layers.Dense(size)(x)))
        x = layers.Dropout(dropout if number < len(units) else 0)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="128x400")
