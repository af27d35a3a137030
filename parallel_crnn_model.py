"""Parallel CRNN: convolutions and a recurrent layer look at the same spectrogram, dense layers at what both saw.

Source: Feng, Liu & Yao, "Music genre classification with paralleling recurrent convolutional neural network", 2017,
    https://arxiv.org/abs/1712.08370; square and densenet are those of yijerjer, "Music genre classification", 2020,
    https://github.com/yijerjer/music_genre_classification, dwivedi is https://github.com/priya-dwivedi's
    Music_Genre_Classification, 2018.
Input: (bins, frames, channels), one piece of a spectrogram, at 640 frames as in both projects.
Output: (num_classes,) logits.
Differs: square and densenet have the branches of the square and the frequency CNN; what they differ in stands there.
    The paper's own sizes are unknown here; the last command is Dwivedi's version of it.

    python parallel_crnn_model.py --features=mel --epochs=30
    python parallel_crnn_model.py --features=mel --variant=densenet --epochs=30
    python parallel_crnn_model.py --features=mel --variant=dwivedi --cell=gru --dropout=0 --optimizer=rmsprop
"""

from frequency_cnn_model import columns
from genre.layers import clipped, dense_logits, max_pool, one_of, recurrent, sequence
from genre.training import main
from square_cnn_model import point

import keras
from keras import layers


def square(x):
    return point(x, (8, 32, 128, 256), (4, 4, 4, 6))  # (256,) of 84 or 128 x 640


def densenet(x):
    return layers.Dense(512, activation="relu")(columns(x, (16, 16, 32, 32), (4, 4, 4, 6), "densenet", "all"))


def dwivedi(x):
    for filters, pool in ((16, 2), (32, 2), (64, 2), (64, 4), (64, 4)):
        x = layers.Conv2D(filters, clipped((1, 3), x), activation="relu")(x)
        x = max_pool(x, (pool, pool))
    return layers.Flatten()(x)  # (256,) of 128 x 640


VARIANTS = {  # branch of convolutions; pool (bins, frames) of the recurrent branch; its units; dense units
    "square": (square, layers.AveragePooling2D, (1, 20), 128, (256, 32)),
    "densenet": (densenet, layers.AveragePooling2D, (1, 20), 128, (256, 32)),
    "dwivedi": (dwivedi, layers.MaxPooling2D, (2, 4), 64, ()),
}


def build_model(input_shape, num_classes, *, variant="square", cell="lstm", bidirectional=True, dropout=0.5):
    """Args: variant: square, densenet or dwivedi: convolutions, and sizes of layers. cell: lstm or gru, the recurrent
    layer. bidirectional: whether it reads backwards, too. dropout: share dropped before the dense layers behind both.
    """
    branch, pool, size, recurrent_units, units = one_of(VARIANTS, variant)
    inputs = keras.Input(input_shape)
    frames = sequence(pool(clipped(size, inputs))(inputs))  # (32, bins) of 640 frames, (160, bins / 2) in dwivedi
    x = layers.Concatenate()([branch(inputs), recurrent(frames, (recurrent_units,), cell, bidirectional)])
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
