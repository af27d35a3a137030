"""1-D CNN: convolutions along time, for which the mel bins are channels.

Source: DCC-UAB, IA group 8, "Music-Genre-Recognition", 2024, https://github.com/martaa-llen/Music-Genre-Recognition;
    with the last command below the CNN1D of Seminario, "MusicGenreClassification", 2023,
    https://github.com/XavierSeminario/MusicGenreClassification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the first source takes the frames for channels and slides along the bins, and its convolutions lose the ends
    that its dense layer counts on; here they are padded. The second has a dropout before and a batch normalisation
    behind its leaky ReLU, no padding, and a ReLU and dropout on its logits.

    python cnn_1d_model.py --features=mel --epochs=30
    python cnn_1d_model.py --filters=128,128,128 --kernel_size=4 --pools=4,4,2 --batch_norm --units= --run_name=cnn1d
"""

from genre.layers import convolve_over_time, dense_layers, sequence
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(64, 32, 16),
    kernel_size=3,
    pools=(2, 2, 2),
    batch_norm=False,
    units=(512, 64),
    dropout=0.3,
    dense_dropout=0.5,
):
    """Args: filters: filters of each convolution. kernel_size: their length in frames.
    pools: the pool behind each, in frames. batch_norm: normalise what they give.
    units: sizes of the dense layers, if any.
    dropout: share dropped after each pool. dense_dropout: share dropped before each dense layer.
    """
    inputs = keras.Input(input_shape)
    x = sequence(inputs)  # (frames, bins * channels)
    for count, pool in zip(filters, pools, strict=True):
        x = convolve_over_time(x, count, kernel_size, pool, dropout, batch_norm=batch_norm)  # (frames / 2, 64) ...
    x = layers.Flatten()(x)
    x = dense_layers(x, units, dense_dropout)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
