"""Seconds of a training epoch: our input, the same network fed from memory, and the legacy ImageDataGenerator.

    python benchmarks/training_input.py
    python benchmarks/training_input.py --images_path=data/images --feature=mel

The ways take turns in one process, --rounds times, because a machine's speed drifts; the first epoch of each turn does
not count as a later one.
"""

import contextlib
import math
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import time_model
from genre import images, inputs
from genre.backend import keras
from genre.command_line import CallError, Parser, positive, run

import numpy as np
from PIL import Image


def main():
    parser = Parser(__doc__)
    add_options(parser, image_size="nativex400", epochs=5)
    args = parser.parse_args()
    if args.epochs < 2:
        raise CallError("--epochs is 1, but the first epoch is told apart; give at least 2")
    with tempfile.TemporaryDirectory() as temporary:
        if not args.images_path:
            write_noise(Path(temporary, args.feature))
        compare(inputs.feature_folder(args.images_path or temporary, args.feature), args)


def add_options(parser, image_size, epochs):
    """What benchmarks of training share: the pictures, here with their default size, and how long to train on them."""
    parser.add_argument("--images_path", metavar="FOLDER", help="folder of <feature>/train/, else seeded noise is made")
    parser.add_argument("--feature", default="mel", help="the folder below --images_path")
    parser.add_argument("--image_size", type=images.parse_size, default=image_size, metavar="BINSxFRAMES",
                        help="size pictures are read at; 'native' keeps one side or both")  # fmt: skip
    parser.add_argument("--epochs", type=positive, default=epochs, help="epochs in a turn")
    parser.add_argument("--rounds", type=positive, default=3, help="turns of each way")
    parser.add_argument("--batch_size", type=positive, default=32, help="pictures a step")


def write_noise(folder, count=400, shape=(128, 387)):
    """<folder>/train/<class>/<n>.png, `count` of them, and one of each class in validation, which is not read."""
    rng = np.random.default_rng(0)
    for i in range(count + 2):
        path = folder / ("train" if i < count else "validation") / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)


def compare(folder, args):
    classes = inputs.class_list(folder)
    started = time.perf_counter()
    pictures = inputs.load(folder, "train", classes, args.image_size)
    decoding = time.perf_counter() - started
    x, y = pictures.x.astype(np.float32), pictures.y
    steps = math.ceil(len(x) / args.batch_size)

    def ours(first):  # as genre.training feeds it; a later turn goes on like a resumed training
        epochs = first + args.epochs
        batches = inputs.training_batches(pictures, args.batch_size, 0, first, epochs)
        return {"x": batches, "initial_epoch": first, "epochs": epochs, "steps_per_epoch": steps, "shuffle": False}

    def memory(first):
        return {"x": x, "y": y, "batch_size": args.batch_size, "epochs": args.epochs, "shuffle": True}

    ways = {"memory": memory, "ours": ours}  # epochs done before -> what `fit` is given
    with contextlib.suppress(ImportError):  # a leftover of Keras 2
        from tensorflow.keras.preprocessing.image import ImageDataGenerator

        keras.utils.disable_interactive_logging()  # it says how many pictures it found
        colours = "rgb" if x.shape[-1] == 3 else "grayscale"
        folder, size = folder / "train", x.shape[1:3]
        flow = ImageDataGenerator().flow_from_directory(folder, size, colours, classes, "sparse", args.batch_size)
        ways["ImageDataGenerator"] = lambda first: {"x": flow, "epochs": args.epochs}

    models = {name: network(x, len(classes)) for name in ways}
    seconds = {name: [] for name in ways}  # a list of epochs for each turn
    for turn in range(args.rounds):
        for name, way in ways.items():
            seconds[name].append(epoch_seconds(models[name], way(turn * args.epochs)))
    seconds["ours"][0][0] += decoding
    later = {name: [s for epochs in turns for s in epochs[1:]] for name, turns in seconds.items()}
    print(f"time_model, {len(x)} pictures of {' x '.join(map(str, x.shape[1:]))}, {steps} steps; seconds an epoch")
    print(f"{'input':20}{'first':>8}{'later':>8}{'min..max':>16}{'to memory':>12}")
    for name, values in later.items():
        between, ratio = f"{min(values):.3f}..{max(values):.3f}", np.median(values) / np.median(later["memory"])
        print(f"{name:20}{seconds[name][0][0]:8.2f}{np.median(values):8.3f}{between:>16}{ratio:12.2f}")
    print(f"our first epoch includes {decoding:.2f} s of decoding")


def network(x, num_classes):
    """time_model behind the normalisation that training puts before it, compiled."""
    keras.utils.set_random_seed(0)
    standardise = keras.layers.Normalization(mean=float(x.mean()), variance=float(x.var()))
    model = keras.Sequential([keras.Input(x.shape[1:]), standardise, time_model.build_model(x.shape[1:], num_classes)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def epoch_seconds(model, fit):
    """Seconds from the call of `fit` to the first epoch's end, then from end to end, all between epochs counted."""
    marks = [time.perf_counter()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))
    model.fit(**fit, verbose=0, callbacks=[clock])
    return np.diff(marks)


if __name__ == "__main__":
    run(main)
