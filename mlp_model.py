"""MLP: dense layers on the statistics of a whole song, of its cepstral coefficients alone or of all series.

Source: DCC-UAB, IA group 8, "Music-Genre-Recognition", 2024, https://github.com/martaa-llen/Music-Genre-Recognition.
Input: (columns,), statistics of create_statistics.py; 140 of them with --columns=mfcc, as in the source.
Output: (num_classes,) logits.
Differs: every subset is standardised by the training songs; the source's test songs are not standardised at all. The
    epoch is chosen on validation; the source keeps its 100th, after Adam with L2 in batches of 256 and with learning
    rates of 5e-5 and, for its simple network, 1e-4.

    python mlp_model.py --columns=mfcc
    python mlp_model.py --columns=mfcc --units=64 --dropout=0 --no-batch_norm --run_name=simple
"""

from genre.layers import normalised
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, units=(256, 512, 256, 64), dropout=0.25, batch_norm=True):
    """Args: units: sizes of the hidden layers. dropout: share dropped in each of them.
    batch_norm: normalise in each of them, before the dropout.
    """
    inputs = x = keras.Input(input_shape)
    for size in units:
        x = layers.Dense(size)(x)
        x = normalised(x) if batch_norm else x
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, inputs="statistics")
