"""RNN: two LSTM layers that read a spectrogram frame by frame.

Source: DCC-UAB, IA group 8, "Music-Genre-Recognition", 2024, https://github.com/martaa-llen/Music-Genre-Recognition.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source's dense layer sees every step of 640, which makes 84.8 million parameters for 128 bins and 8
    genres; here it sees their mean (--steps=all is the source's). At most 320 frames, 94 ms each for 30 s: a step of
    training takes less than half as long as with 640.

    python rnn_model.py --features=mel --epochs=30
"""

from genre.layers import dense_layers, recurrent, sequence
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    lstm_units=(256, 256),
    steps="mean",
    units=(512, 64),
    dropout=0.5,
):
    """Args: lstm_units: units of each LSTM layer.
    steps: what the dense layers see of the last one's output: the last step, the mean of all, or all.
    units: sizes of the dense layers. dropout: share dropped before each.
    """
    inputs = keras.Input(input_shape)
    x = sequence(inputs)  # (frames, bins * channels)
    x = recurrent(x, lstm_units, steps=steps)  # (256,)
    x = dense_layers(x, units, dropout)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex320")
