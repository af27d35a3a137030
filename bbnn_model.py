"""BBNN: three inception blocks, each of which hands everything below it on to the blocks above.

Source: Liu, Feng, Liu, Wang & Liu, "Bottom-up broadcast neural network for music genre classification", 2019,
    https://arxiv.org/abs/1901.08928.
Input: (bins, frames, channels), one piece of a spectrogram; the paper's is 128 x 647.
Output: (num_classes,) logits.
Differs: the rate of learning stays the paper's first one; the paper halves it where the training loss stalls. The
    second command is the network of yijerjer, "Music genre classification", 2020,
    https://github.com/yijerjer/music_genre_classification, trained as there.

    python bbnn_model.py --features=mel --epochs=30
    python bbnn_model.py --width=16 --stem_padding=valid --dropout=0.5 --learning_rate=1e-3 --batch_size=32
"""

from genre.layers import clipped, convolution, max_pool, normalised
from genre.training import main

import keras
from keras import layers


def activated(x, filters, kernel_size):
    """Batch normalisation, ReLU, convolution: (bins, frames, channels) -> (bins, frames, filters)."""
    return layers.Conv2D(filters, kernel_size, padding="same")(layers.ReLU()(normalised(x)))


def inception(x, width):
    """Four branches and their input: (bins, frames, channels) -> (bins, frames, channels + 4 * width)."""
    small = activated(activated(x, width, 1), width, 3)
    large = activated(activated(x, width, 1), width, 5)
    pooled = activated(layers.MaxPooling2D(3, 1, padding="same")(x), width, 1)
    return layers.Concatenate()([x, activated(x, width, 1), small, large, pooled])


def build_model(input_shape, num_classes, *, width=32, transition=32, stem_padding="same", dropout=0.0):
    """Args: width: filters of the first convolution and of each branch. transition: filters of the last convolution.
    stem_padding: same or valid: whether the first convolution keeps the border. dropout: share dropped at the end.
    """
    inputs = keras.Input(input_shape)
    x = convolution(inputs, width, (3, 3), stem_padding)
    x = max_pool(x, (1, 4))  # (bins, frames / 4, width)
    for _ in range(3):
        x = inception(x, width)  # (bins, frames / 4, 5 * width), 9, 13
    x = activated(x, transition, 1)
    x = layers.AveragePooling2D(clipped((2, 2), x))(x)  # (bins / 2, frames / 8, transition)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(normalised(x)))
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="128x647", learning_rate=1e-2, batch_size=8)
