"""Short-chunk ResNet: residual blocks on random chunks of a spectrogram, with a recipe against overfitting.

Source: Won, Ferraro, Bogdanov & Serra, "Evaluation of CNN-based automatic music tagging models", 2020,
    https://arxiv.org/abs/2006.00751.
Input: (bins, frames, channels), a chunk of a piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper has seven blocks of 128 to 512 filters on every cell of chunks of 3.7 s, 12 million parameters. Here
    pictures are reduced to at most 128 x 130, 0.23 s a column for 30 s, and chunks are a third of them; the first
    convolution halves both sides, and there are four blocks of 32 to 256 filters.

    python short_chunk_resnet_model.py --features=mel
"""

from genre.layers import normalised
from genre.training import main

import keras
from keras import layers


def residual(x, filters, stride):
    """Two 3 x 3 convolutions and a shortcut: (bins, frames, channels) -> (bins / stride, frames / stride, filters)."""
    y = layers.ReLU()(normalised(layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)))
    y = normalised(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    if y.shape != x.shape:
        x = layers.AveragePooling2D(stride, padding="same")(x)
        x = normalised(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([y, x]))


def build_model(input_shape, num_classes, *, filters=(32, 64, 128, 256), blocks=1, dropout=0.3):
    """Args: filters: filters of each stage, half as fine as the one before. blocks: residual blocks of each stage.
    dropout: share dropped before the last layer.
    """
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(normalised(layers.Conv2D(filters[0], 5, 2, padding="same", use_bias=False)(inputs)))
    for stage, count in enumerate(filters):
        for block in range(blocks):
            x = residual(x, count, 2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(layers.Dropout(dropout)(x)))


if __name__ == "__main__":
    main(build_model, recipe="strong", epochs=30, largest_size="128x130")
