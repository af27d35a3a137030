"""Square CNN: four 3 x 3 convolutions whose pools shrink a spectrogram to a point.

Source: yijerjer, "Music genre classification", 2020, https://github.com/yijerjer/music_genre_classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reads raw constant-Q magnitudes, not decibels. Its pictures have 640 frames, 46 ms each, and 12, 84
    or 128 bins, which the pools leave one point of. Larger ones are reduced to 640 frames, and the pools along
    frequency are those of the source's picture with the nearest number of bins. As in the source, the last pool leaves
    out some of what comes to it, at 640 frames 4 of 10 columns; --pool_frames=4,4,4,10 takes all. The source
    has blocks in its frequency CNN alone.

    python square_cnn_model.py --features=mel --epochs=30
"""

from genre.layers import blocks, dense_logits, max_pool
from genre.training import main

import keras
from keras import layers

POOL_BINS = {12: (2, 2, 2, 1), 84: (2, 2, 3, 5), 128: (2, 2, 3, 6)}  # by the bins of a picture


def point(x, filters, pool_frames, block="plain", block_at="second"):
    """What the convolutions leave of (bins, frames, channels): (filters,) of the source's pictures."""
    pool_bins = POOL_BINS[min(POOL_BINS, key=lambda bins: abs(bins - x.shape[1]))]
    convolutions = blocks(len(filters), block, block_at)
    for convolve, count, *pool in zip(convolutions, filters, pool_bins, pool_frames, strict=True):
        x = convolve(x, count, (3, 3) if x.shape[1] > 1 else (1, 5))
        x = max_pool(x, pool)  # (bins / 2, frames / 4, filters) ...
    return layers.Flatten()(x)


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(8, 32, 128, 256),
    pool_frames=(4, 4, 4, 6),
    block="plain",
    block_at="second",
    units=(128, 32),
    dropout=0.5,
):
    """Args: filters: filters of each convolution. pool_frames: its pool along time, in columns.
    block: plain, resnet or densenet: what a convolution is. block_at: second or all: which are such blocks.
    units: sizes of the dense layers. dropout: share dropped before each dense layer.
    """
    inputs = keras.Input(input_shape)
    x = point(inputs, filters, pool_frames, block, block_at)
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
