"""Frequency CNN: four convolutions along time in each frequency bin, whose pools leave one column of a picture.

Source: yijerjer, "Music genre classification", 2020, https://github.com/yijerjer/music_genre_classification; blocks
    after He et al., "Deep residual learning", https://arxiv.org/abs/1512.03385, and Huang et al., "Densely connected
    convolutional networks", https://arxiv.org/abs/1608.06993.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reads raw constant-Q magnitudes, not decibels. Its pictures have 640 frames, 46 ms each, which the
    pools leave one column of, so larger ones are reduced to that. The last pool takes 6 of the 10 columns that come to
    it, as in the source; --pool_frames=4,4,4,10 takes all.

    python frequency_cnn_model.py --features=mel --epochs=30
    python frequency_cnn_model.py --features=cqt --block=densenet --block_at=all --epochs=30
"""

from genre.layers import blocks, dense_logits, max_pool
from genre.training import main

import keras
from keras import layers


def columns(x, filters, pool_frames, block, block_at):
    """What the convolutions leave of (bins, frames, channels): (bins * filters,) of 640 frames."""
    for convolve, count, frames in zip(blocks(len(filters), block, block_at), filters, pool_frames, strict=True):
        x = convolve(x, count, (1, 5))
        x = max_pool(x, (1, frames))  # (bins, frames / 4, filters) ...
    return layers.Flatten()(x)


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(16, 16, 32, 32),
    pool_frames=(4, 4, 4, 6),
    block="plain",
    block_at="second",
    units=(512, 128, 32),
    chroma_units=(256, 32),
    dropout=0.5,
):
    """Args: filters: filters of each 1 x 5 convolution. pool_frames: its pool along time, in columns.
    block: plain, resnet or densenet: what a convolution is. block_at: second or all: which are such blocks.
    units: sizes of the dense layers. chroma_units: the same where a picture has 12 bins or fewer.
    dropout: share dropped before each dense layer.
    """
    inputs = keras.Input(input_shape)
    x = columns(inputs, filters, pool_frames, block, block_at)
    units = chroma_units if input_shape[0] <= 12 else units
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
