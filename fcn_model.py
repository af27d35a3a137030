"""FCN: four convolutions whose pools shrink a spectrogram to a point, after Choi's FCN-4.

Source: Choi, Fazekas & Sandler, "Automatic tagging using deep convolutional neural networks", ISMIR 2016,
    https://arxiv.org/abs/1606.00298; filters and pools as Intelligent Systems MSc, "Music genre classification", 2021.
Input: (bins, frames, channels), one piece of a spectrogram; 96 x 1366 fits the pools exactly.
Output: (num_classes,) logits.
Differs: the 2021 project had no batch normalisation, a sigmoid layer before its softmax, and 128 x 128 pictures, for
    which its pools are too large; it was never trained. Here pools are cut to what is left of an axis.

    python fcn_model.py --features=mel --epochs=30
"""

from genre.layers import max_pool
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(128, 384, 768, 2048),
    pool_bins=(2, 4, 3, 4),
    pool_frames=(4, 5, 8, 8),
    dropout=0.5,
):
    """Args: filters: filters of each 3 x 3 convolution. pool_bins: its pool along frequency, in cells.
    pool_frames: its pool along time. dropout: share dropped before the classifier.
    """
    inputs = x = keras.Input(input_shape)
    for count, bins, frames in zip(filters, pool_bins, pool_frames, strict=True):
        x = layers.Conv2D(count, 3, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = max_pool(x, (bins, frames))  # (bins / 2, frames / 4, 128) ...
    x = layers.GlobalAveragePooling2D()(x)  # (1, 1, 2048) where the input is 96 x 1366
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="96x1366")
