"""Sequential CRNN: four convolutions shrink a spectrogram to a short sequence, which a recurrent layer reads.

Source: Choi, Fazekas, Sandler & Cho, "Convolutional recurrent neural networks for music classification", ICASSP 2017,
    https://arxiv.org/abs/1609.04243; fma_cnn is that of yijerjer, "Music genre classification", 2020,
    https://github.com/yijerjer/music_genre_classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: any number of frames is padded to whole steps, as the paper's 1366 to 1440; bins that the pools leave are
    joined in a step. The default has the 2020 project's 640 frames, 46 ms each; the second command is the paper's.

    python sequential_crnn_model.py --features=mel --epochs=30
    python sequential_crnn_model.py --features=mel --variant=choi --conv_dropout=0.1 --dropout=0.3 --image_size=96x1366
"""

import math

from genre.layers import convolution, dense_logits, max_pool, normalised, one_of, recurrent, sequence
from genre.training import main

import keras
from keras import layers

VARIANTS = {  # bins normalised; convolutions: filters, pool (bins, frames); activation; recurrent units; dense units
    "fma_cnn": (False, ((8, (2, 2)), (32, (2, 2)), (128, (3, 2)), (256, (4, 4))), "relu", (128,), (128, 32)),
    "choi": (True, ((64, (2, 2)), (128, (3, 3)), (128, (4, 4)), (128, (4, 4))), "elu", (32, 32), ()),
}


def build_model(
    input_shape, num_classes, *, variant="fma_cnn", cell="gru", bidirectional=False, conv_dropout=0.0, dropout=0.5
):
    """Args: variant: fma_cnn or choi: whose sizes of layers. cell: gru or lstm, the recurrent layer.
    bidirectional: whether it reads the sequence backwards, too. conv_dropout: share dropped after each pool.
    dropout: share dropped before each dense layer.
    """
    bins_normalised, convolutions, activation, recurrent_units, units = one_of(VARIANTS, variant)
    inputs = x = keras.Input(input_shape)
    if bins_normalised:
        x = normalised(x, axis=1)
    padding = -input_shape[1] % math.prod(frames for _, (_, frames) in convolutions)
    x = layers.ZeroPadding2D(((0, 0), (padding // 2, padding - padding // 2)))(x)
    for filters, pool in convolutions:
        x = convolution(x, filters, (3, 3), activation=activation)
        x = max_pool(x, pool)  # (bins / 2, frames / 2, filters) ...
        x = layers.Dropout(conv_dropout)(x)
    x = sequence(x)  # (20, 256) of 84 x 640 in fma_cnn, (15, 128) of 96 x 1366 in choi
    x = recurrent(x, recurrent_units, cell, bidirectional)
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
