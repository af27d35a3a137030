"""Seconds of training VGG16 with frozen layers: their outputs computed once and kept, and computed in every step.

    python benchmarks/frozen_front.py
    python benchmarks/frozen_front.py --images_path=data/images --feature=mel --epochs=10

The ways take turns in one process. "Kept" includes the one pass through the frozen layers. Weights are random, which
costs what ImageNet's cost.
"""

import math
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import vgg16_model
from genre import inputs, networks, runs
from genre.backend import keras
from genre.command_line import Parser, run

import numpy as np
from training_input import add_options, write_noise


def main():
    parser = Parser(__doc__)
    add_options(parser, image_size="128x400", epochs=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if not args.images_path:
            write_noise(Path(temporary, args.feature), count=64)
        folder = inputs.feature_folder(args.images_path or temporary, args.feature)
        pictures = inputs.load(folder, "train", inputs.class_list(folder), args.image_size)
    print(f"{len(pictures.y)} pictures of {' x '.join(map(str, pictures.x.shape[1:]))}, {args.epochs} epochs")
    print(f"{'layers that train':20}{'kept s':>8}{'min..max':>14}{'computed s':>12}{'min..max':>14}{'ratio':>7}")
    for trainable_layers in (0, 8):
        compare(pictures, trainable_layers, args)


def compare(pictures, trainable_layers, args):
    shape, classes = pictures.x.shape[1:], int(pictures.y.max()) + 1
    core = vgg16_model.build_model(shape, classes, weights="none", trainable_layers=trainable_layers)
    network = networks.of_pictures(core, None, [[]], pieces=0)  # kept, whatever memory that takes
    whole = keras.Model(network.whole.input, network.whole.get_layer("logits").output)

    def kept():
        front = pictures._replace(x=runs.predict(network.front, pictures.x))
        fit(network.rest, front, args)

    seconds = {"kept": [], "computed": []}
    for _ in range(args.rounds):
        for name, way in (("kept", kept), ("computed", lambda: fit(whole, pictures, args))):
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    shown = [f"{np.median(s):.1f}" for s in seconds.values()], [f"{min(s):.1f}..{max(s):.1f}" for s in seconds.values()]
    ratio = np.median(seconds["computed"]) / np.median(seconds["kept"])
    print(f"{trainable_layers:<20}{shown[0][0]:>8}{shown[1][0]:>14}{shown[0][1]:>12}{shown[1][1]:>14}{ratio:7.1f}")


def fit(model, pictures, args):
    model.compile(keras.optimizers.Adam(1e-5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    steps = math.ceil(len(pictures.y) / args.batch_size)
    batches = inputs.training_batches(pictures, args.batch_size, 0, 0, args.epochs)
    model.fit(batches, epochs=args.epochs, steps_per_epoch=steps, shuffle=False, verbose=0)


if __name__ == "__main__":
    run(main)
