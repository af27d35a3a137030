"""CNN-RNN: two convolutions along time, for which the mel bins are channels, then three LSTM layers.

Source: Cieslak et al., "music-recognition", 2023, https://github.com/TomaszCieslak4/music-recognition; with the last
    command below its earlier network, of tags, without normalisation and dropout.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source's LSTM recurs over the tracks of a batch, so that each is judged by its neighbours, and its last
    dropout drops whole tracks; here it recurs over time, and units are dropped. It trains at 1e-4, with batches of
    512, for 1000 epochs. At most 640 frames, of its 1400, for half the time.

    python cnn_rnn_model.py --features=mel --epochs=30
    python cnn_rnn_model.py --filters=8,16 --pools=2,2 --no-batch_norm --lstm_units=16,16,16 --units=32 --dropout=0
"""

from genre.layers import convolve_over_time, normalised, recurrent, sequence
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(32, 64),
    kernel_size=3,
    pools=(2, 1),
    batch_norm=True,
    lstm_units=(32, 32, 32),
    units=64,
    dropout=0.5,
):
    """Args: filters: filters of each convolution. kernel_size: their length in frames.
    pools: the pool behind each, in frames. batch_norm: normalise what convolutions and the dense layer give.
    lstm_units: units of each LSTM layer, of the last of which the last step is passed on.
    units: size of the dense layer. dropout: share of channels, and of the dense layer's units, dropped.
    """
    inputs = keras.Input(input_shape)
    x = sequence(inputs)  # (frames, bins * channels)
    for count, pool in zip(filters, pools, strict=True):  # (frames / 2, 32), (frames / 2, 64)
        x = convolve_over_time(x, count, kernel_size, pool, dropout, batch_norm=batch_norm, whole_channels=True)
    x = recurrent(x, lstm_units)  # (32,)
    x = layers.Dense(units)(x)
    x = layers.ReLU()(normalised(x) if batch_norm else x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
