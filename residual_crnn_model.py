"""Residual CRNN: residual blocks whose pools shrink the bins to one, then an LSTM over time.

Source: Ortiz et al., "Music genre classification", 2024,
    https://github.com/arnauortiz/music_genre_classification, after Seminario, "MusicGenreClassification", 2023,
    https://github.com/XavierSeminario/MusicGenreClassification.
Input: (bins, frames, channels), one piece of a spectrogram.
Output: (num_classes,) logits.
Differs: the source reshapes its maps into steps, which mixes channels and time; here each step is a frame. Its pools
    are written down for 128, 80 and 12 or 13 bins; here they follow from the bins, and are the same there.
    At most 128 bins x 640 frames: half the source's frames, for half its time.

    python residual_crnn_model.py --features=mel --epochs=30
"""

from genre.layers import pools_to_one, recurrent, residual_block, sequence
from genre.training import main

import keras
from keras import layers


def build_model(input_shape, num_classes, *, filters=(16, 32, 64, 128), lstm_units=128, dropout=0.5):
    """Args: filters: filters of each residual block, all but the last of which are pooled.
    lstm_units: units of the LSTM, whose last step is passed on. dropout: share dropped before the classifier.
    """
    inputs = x = keras.Input(input_shape)
    x = residual_block(x, filters[0], (3, 3), normalised_shortcut=True)
    for stride, count in zip(pools_to_one(input_shape[0], len(filters) - 1), filters[1:], strict=True):
        x = residual_block(shrink(x, stride), count, (3, 3), normalised_shortcut=True)
    x = recurrent(sequence(x), (lstm_units,))  # from (frames / 8, 128)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


def shrink(x, stride):
    """Pool the bins by `stride`, the frames by 2. A stride of 2 has windows of 4 bins, half of them the neighbours'."""
    if stride == 2:
        x = layers.ZeroPadding2D((1, 0))(x)  # no smaller than what a ReLU gives
    window = 4 if stride == 2 else stride
    return layers.MaxPooling2D((window, min(2, x.shape[2])), strides=(stride, min(2, x.shape[2])))(x)


if __name__ == "__main__":
    main(build_model, largest_size="128x640")
