"""VGG16: the network that won ImageNet's localisation task in 2014, with its last two blocks trained on spectrograms.

Source: Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    https://arxiv.org/abs/1409.1556; with this head in Intelligent Systems MSc, "Music genre classification", 2021,
    https://github.com/Intelligent-Systems-MSc/Music-genre-classification.
Input: (bins, frames, channels), one piece of a spectrogram, levels 0 to 255.
Output: (num_classes,) logits.
Differs: the source divides levels by 255; here they go through VGG16's own preprocessing, as in its training. One
    channel is repeated to three, other numbers are mixed to three by a trained 1 x 1 convolution (behind which nothing
    can be computed once and kept), sides below 32 are enlarged to it. Without units (--units=) the head is one dense
    layer, on the bare features of the base.

    python vgg16_model.py --features=mel --epochs=30
    python vgg16_model.py --features=mel --trainable_layers=0 --learning_rate=1e-3 --epochs=30 --run_name=frozen
"""

from genre.training import main
from genre.vgg16 import convolutions

import keras
from keras import layers


def build_model(input_shape, num_classes, *, weights="imagenet", trainable_layers=8, units=(512, 128), dropout=0.2):
    """Args: weights: of the convolutions at the start: imagenet, none (random) or a FILE.h5 as Keras publishes them.
    trainable_layers: how many of VGG16's 19 layers train, from the last: 4 a block with its pool; 0 freezes all.
    units: sizes of the dense layers. dropout: share dropped after the first of them.
    """
    inputs = x = keras.Input(input_shape)
    if input_shape[2] == 1:
        x = layers.Concatenate()([x, x, x])
    elif input_shape[2] != 3:
        x = layers.Conv2D(3, 1, name="mix")(x)
    if min(input_shape[:2]) < 32:
        x = layers.Resizing(max(32, input_shape[0]), max(32, input_shape[1]))(x)
    x = convolutions(x, weights, trainable_layers)  # (bins / 32, frames / 32, 512)
    x = layers.Flatten()(x)
    for number, size in enumerate(units):
        x = layers.Dense(size, activation="elu" if number else "relu")(x)
        x = layers.Dropout(0 if number else dropout)(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


if __name__ == "__main__":
    main(build_model, standardise=False, learning_rate=1e-5, largest_size="128x400")
