"""Short-chunk ResNet: residual blocks on random chunks of a spectrogram, with a recipe against overfitting.

Source: Won, Ferraro, Bogdanov & Serra, "Evaluation of CNN-based automatic music tagging models", 2020,
    https://arxiv.org/abs/2006.00751.
Input: (bins, frames, channels), a chunk of a piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the paper has seven blocks of 128 to 512 filters on chunks of 3.7 s, 12 million parameters, each halving both
    sides, and a dense layer behind them. Here pictures are reduced to at most 128 x 400, 75 ms a column for 30 s, and
    chunks are a third of them; one convolution, then three blocks of 64 to 256 filters, before which pools leave 16, 4
    and at last 1 of 128 bins, but an eighth of the frames; of these the paper takes the maximum, this the mean. The
    paper's shortcuts are convolutions of 3 x 3, these of 1 x 1.

    python short_chunk_resnet_model.py --features=mel
"""

from genre.layers import convolution, max_pool, pools_to_one, residual_block, sequence
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=(32, 64, 128, 256), dropout=0.5):
    """Args: filters: filters of the first convolution and of each residual block.
    dropout: share dropped before the last layer.
    """
    inputs = keras.Input(input_shape)
    x = convolution(inputs, filters[0], (5, 5))
    for pool, count in zip(pools_to_one(input_shape[0], len(filters) - 1), filters[1:], strict=True):
        x = residual_block(max_pool(x, (pool, 2)), count, (3, 3), normalised_shortcut=True)
    x = layers.GlobalAveragePooling1D()(sequence(x))
    return keras.Model(inputs, layers.Dense(num_classes)(layers.Dropout(dropout)(x)))


if __name__ == "__main__":
    main(build_model, recipe="strong", epochs=30, largest_size="128x400")
