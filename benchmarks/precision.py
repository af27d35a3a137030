"""Milliseconds of a training step in float32 and in mixed_bfloat16: which one --precision=auto should take here.

    python benchmarks/precision.py
    python benchmarks/precision.py --scripts=frequency_model --frames=129

The ways take turns in one process, on noise.
"""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

from genre import layers, options, training
from genre.backend import keras
from genre.command_line import CallError, Parser, names, positive, run

import numpy as np
from batch_normalisation import of_steps

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
        networks = {way: _network(build_model, way, x, y) for way in WAYS}
        milliseconds = of_steps(networks, x, y, args.steps)
        each = [f"{np.median(of):.0f} ({min(of):.0f}..{max(of):.0f})" for of in milliseconds.values()]
        ratio = np.median(milliseconds["float32"]) / np.median(milliseconds["mixed_bfloat16"])
        print(f"{script:30}{each[0]:>24}{each[1]:>24}{ratio:20.2f}")


def _network(build_model, precision, x, y):
    """A network that has been trained for one step."""
    keras.config.set_dtype_policy(precision)
    network = build_model(x.shape[1:], CLASSES)
    keras.config.set_dtype_policy("float32")
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with layers.fused_batch_normalisation():
        network.train_on_batch(x, y)
    return network


if __name__ == "__main__":
    run(main)
