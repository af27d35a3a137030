"""Milliseconds of a training step of the short-chunk ResNet: batch normalisation by Keras's layer, and by ours.

    python benchmarks/batch_normalisation.py
    python benchmarks/batch_normalisation.py --precision=mixed_bfloat16 --steps=50

The ways take turns in one process, on noise. "None" is the network without any, the least a step could take.
"""

import contextlib
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import short_chunk_resnet_model
from genre import layers, options
from genre.backend import keras
from genre.command_line import Parser, one_of, positive, run

import numpy as np

WAYS = {  # within what the first step is made
    "Keras's": contextlib.nullcontext,
    "ours": layers.fused_batch_normalisation,
    "none": contextlib.nullcontext,
}


def main():
    parser = Parser(__doc__)
    parser.add_argument("--precision", type=one_of(options.PRECISIONS[:2]), default="float32", help="of the training")
    parser.add_argument("--batch_size", type=positive, default=32, help="chunks a step")
    parser.add_argument("--steps", type=positive, default=30, help="steps of each way")
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.precision)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(args.batch_size, 128, 43, 1)).astype(np.float32)
    y = rng.integers(0, 10, args.batch_size)
    networks = {}
    for name, way in WAYS.items():
        normalised = layers.normalised if name != "none" else lambda x: x
        with mock.patch.object(layers, "normalised", normalised):
            networks[name] = short_chunk_resnet_model.build_model((128, 43, 1), 10)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        networks[name].compile(keras.optimizers.AdamW(1e-3), loss)
        with way():
            networks[name].train_on_batch(x, y)
    milliseconds = of_steps(networks, x, y, args.steps)
    print(f"{args.batch_size} chunks of 128 x 43, {args.precision}")
    print(f"{'batch normalisation':20}{'ms a step':>10}{'min..max':>14}{'ratio':>7}")
    for name, of_way in milliseconds.items():
        ratio = np.median(milliseconds["Keras's"]) / np.median(of_way)
        print(f"{name:20}{np.median(of_way):>10.0f}{f'{min(of_way):.0f}..{max(of_way):.0f}':>14}{ratio:7.2f}")


def of_steps(networks, x, y, steps):
    """Milliseconds of so many training steps of each network, {name: [ms]}; the networks take turns."""
    milliseconds = {name: [] for name in networks}
    for _ in range(steps):
        for name, network in networks.items():
            started = time.perf_counter()
            network.train_on_batch(x, y)
            milliseconds[name].append(1000 * (time.perf_counter() - started))
    return milliseconds


if __name__ == "__main__":
    run(main)
