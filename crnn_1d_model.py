"""1-D CRNN: convolutions along time, for which the mel bins are channels, then an LSTM over what they leave.

Source: DCC-UAB, IA group 8, "Music-Genre-Recognition", 2024, https://github.com/martaa-llen/Music-Genre-Recognition:
    its GenreClassifier, or its SimpleClassifier; with the last command below the CRNN of Dwivedi,
    "Music_Genre_Classification", 2018, https://github.com/priya-dwivedi/Music_Genre_Classification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the first source takes the frames for channels and slides along the bins, then its LSTM takes the filters for
    steps; with the axes set right both networks have other numbers of parameters. The L2 of both sources' losses
    is left out.

    python crnn_1d_model.py --features=mel --epochs=30
    python crnn_1d_model.py --filters=64,16 --units=512,64 --dense_dropout=0.5 --run_name=simple
    python crnn_1d_model.py --filters=56,56,56 --kernel_size=5 --lstm_units=96 --no-bidirectional --steps=last \\
        --units=64 --linear --dropout=0.4 --dense_dropout=0.4 --run_name=dwivedi
"""

from genre.layers import convolve_over_time, dense_layers, recurrent, sequence
from genre.training import main

import keras
from keras import layers


def build_model(
    input_shape,
    num_classes,
    *,
    filters=(128, 256, 64),
    kernel_size=3,
    lstm_units=64,
    bidirectional=True,
    steps="all",
    units=(64, 256),
    linear=False,
    dropout=0.3,
    dense_dropout=0.3,
):
    """Args: filters: filters of each convolution. kernel_size: their length in frames.
    lstm_units: units of the LSTM, in each direction. bidirectional: let it read backwards too.
    steps: what the dense layers see of its output: the last step, the mean of all, or all.
    units: sizes of the dense layers. linear: those without normalisation and ReLU, with dropout behind the last too.
    dropout: share dropped after each convolution's pool. dense_dropout: share dropped before each dense layer.
    """
    inputs = keras.Input(input_shape)
    x = sequence(inputs)  # (frames, bins * channels)
    for count in filters:
        x = convolve_over_time(x, count, kernel_size, 2, dropout)  # (frames / 2, 128) ...
    x = recurrent(x, (lstm_units,), bidirectional=bidirectional, steps=steps)
    x = dense_layers(x, units, dense_dropout, linear=linear)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, largest_size="nativex640")
