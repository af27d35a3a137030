"""Temporal CNN: four convolutions along time, the first as tall as the picture.

Source: yijerjer, "Music genre classification", 2020, https://github.com/yijerjer/music_genre_classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reads raw constant-Q magnitudes, not decibels. Its pictures have 640 frames, 46 ms each, which the
    pools leave one of, so larger ones are reduced to that. The last pool takes 6 of the 10 columns that come to it, as
    in the source; --pool_frames=4,4,4,10 takes all. The source has blocks in its frequency CNN alone.

    python temporal_cnn_model.py --features=mel --epochs=30
"""

from genre.layers import blocks, dense_logits, max_pool, sequence
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(64, 128, 256, 512),
    pool_frames=(4, 4, 4, 6),
    block="plain",
    block_at="second",
    units=(256, 32),
    dropout=0.5,
):
    """Args: filters: filters of each convolution of 5 frames. pool_frames: its pool along time, in columns.
    block: plain, resnet or densenet: what a convolution is. block_at: second or all: which are such blocks.
    units: sizes of the dense layers. dropout: share dropped before each dense layer.
    """
    bins, frames, channels = input_shape
    inputs = keras.Input(input_shape)
    x = layers.Reshape((1, frames, bins * channels))(sequence(inputs))  # a filter as tall as the picture sees them all
    for convolve, count, pool in zip(blocks(len(filters), block, block_at), filters, pool_frames, strict=True):
        x = convolve(x, count, (1, 5))
        x = max_pool(x, (1, pool))  # (1, frames / 4, filters) ...
    x = layers.Flatten()(x)  # (512,) of 640 frames
    return keras.Model(inputs, dense_logits(x, units, num_classes, dropout))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
