"""Milliseconds of a training step in float32 and in mixed_bfloat16: which one --precision=auto should take here.

    python benchmarks/precision.py
    python benchmarks/precision.py --scripts=frequency_model --frames=129

The ways take turns in one process, on noise.
"""

import importlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

from genre import layers, options, training
from genre.backend import keras
from genre.command_line import CallError, Parser, names, positive, run

import numpy as np

WAYS = options.PRECISIONS[:2]
BINS, CLASSES = 128, 10


def main():
    parser = Parser(__doc__)
    parser.add_argument("--scripts", type=names, default=["short_chunk_resnet_model"], help="comma list, on pictures")
    parser.add_argument("--frames", type=positive, default=43, help="of each picture")
    parser.add_argument("--batch_size", type=positive, default=32, help="pictures a step")
    parser.add_argument("--steps", type=positive, default=30, help="steps of each way")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(args.batch_size, BINS, args.frames, 1)).astype(np.float32)
    y = rng.integers(0, CLASSES, args.batch_size)
    print(f"{args.batch_size} pictures of {BINS} x {args.frames}; auto: {training.precision_of('auto')}")
    print(f"{'script':30}{'float32 ms a step':>24}{'mixed_bfloat16':>24}{'float32 / bfloat16':>20}")
    for script in args.scripts:
        try:
            build_model = importlib.import_module(script).build_model
        except (ImportError, AttributeError):
            raise CallError(f"no script {script}.py that has build_model") from None
        steps = {way: _step(build_model, way, x, y) for way in WAYS}
        seconds = {way: [] for way in WAYS}
        for _ in range(args.steps):
            for way, step in steps.items():
                started = time.perf_counter()
                step()
                seconds[way].append(1000 * (time.perf_counter() - started))
        each = [f"{np.median(of):.0f} ({min(of):.0f}..{max(of):.0f})" for of in seconds.values()]
        ratio = np.median(seconds["float32"]) / np.median(seconds["mixed_bfloat16"])
        print(f"{script:30}{each[0]:>24}{each[1]:>24}{ratio:20.2f}")


def _step(build_model, precision, x, y):
    """A training step of a fresh network, which has run once."""
    keras.config.set_dtype_policy(precision)
    network = build_model(x.shape[1:], CLASSES)
    keras.config.set_dtype_policy("float32")
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with layers.fused_batch_normalisation():
        network.train_on_batch(x, y)
    return lambda: network.train_on_batch(x, y)


if __name__ == "__main__":
    run(main)
