"""Promises that every `*_model.py` keeps, whatever it is called: a new one is tested by existing."""

import importlib
import inspect
import json
import re
import subprocess
import sys

from genre import images, training
from genre.backend import keras
from genre.command_line import parameters
from genre.recipe import Recipe

import numpy as np
import pytest
from conftest import ARCHITECTURES, ROOT, SELF_SUFFICIENT

SHORT = 3.0  # s; the bins of a real picture, fewer frames
MOST_BINS = 400  # of the 1025 of stft, on which a dense layer behind a convolution takes gigabytes
NATIVE = [
    images.render(np.zeros(round(SHORT * recipe.sr), np.float32), recipe).shape
    for recipe in (Recipe.of(feature, seconds=SHORT) for feature in SELF_SUFFICIENT)
]
SHAPES = {(min(MOST_BINS, bins), frames, 1) for bins, frames in NATIVE}
LARGEST = 30_000_000  # parameters that a default may have


def build(name, *arguments, **hyperparameters):
    return importlib.import_module(name).build_model(*arguments, **hyperparameters)


def without_dropout(name):
    found = parameters(importlib.import_module(name).build_model)
    return {p: (0.0,) * len(d) if isinstance(d, tuple) else 0.0 for p, (d, _) in found.items() if "dropout" in p}


def classifier(core):
    return keras.Model(core.input, keras.layers.Softmax(dtype="float32")(core.output))


def default_shape(name, feature):
    """(bins, frames, 1) of the pictures of 30 s that a script trains on unless told otherwise."""
    recipe = Recipe.of(feature)
    native = images.render(np.zeros(round(recipe.seconds * recipe.sr), np.float32), recipe).shape
    last = (ROOT / f"{name}.py").read_text(encoding="utf-8").rstrip().splitlines()[-1]
    largest = re.search('largest_size="(.*?)"', last)
    reduced = training._reduced(native, images.parse_size(largest[1] if largest else "native"))
    return (*(side or whole for side, whole in zip(reduced, native, strict=True)), 1)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("shape", [*sorted(SHAPES), (12, 20, 3), (5, 3, 1), (1, 1, 1)], ids=str)
def test_it_builds_for_any_shape_and_number_of_classes_and_ends_in_logits(name, shape):
    for classes in (2, 11):
        core = build(name, shape, classes)
        assert core.output_shape == (None, classes)
        assert (
            not getattr(core.layers[-1], "activation", None) or core.layers[-1].activation is keras.activations.linear
        )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_its_defaults_stay_buildable_for_real_pictures(name):
    for feature in SELF_SUFFICIENT:
        assert build(name, default_shape(name, feature), 10).count_params() < LARGEST, feature


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_says_what_it_is_and_every_parameter_what_it_does(name):
    module = importlib.import_module(name)
    for part in ("Source:", "Input:", "Output:", "Differs:", f"    python {name}.py --features=mel"):
        assert part in module.__doc__, part
    assert "https://" in module.__doc__
    for parameter, (default, text) in parameters(module.build_model).items():
        assert text, f"no help for --{parameter}"
        assert default is not inspect.Parameter.empty


def test_all_train_a_step_are_saved_and_predict_the_same_in_a_fresh_process(tmp_path):
    rng = np.random.default_rng(0)
    expected = {}
    for name in ARCHITECTURES:
        for shape in (min(SHAPES), (128, 130, 1), max(SHAPES)):
            keras.utils.set_random_seed(0)
            core = build(name, shape, 3)
            core.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            x, y = rng.normal(size=(4, *shape)).astype(np.float32), np.array([0, 1, 2, 0])
            before = [w.numpy().copy() for w in core.trainable_variables]
            core.train_on_batch(x, y)
            assert all(np.isfinite(w.numpy()).all() for w in core.trainable_variables)
            assert any((w.numpy() != b).any() for w, b in zip(core.trainable_variables, before, strict=True))
            stem = f"{name}_{shape[0]}"
            model = classifier(core)
            model.save(tmp_path / f"{stem}.keras")
            np.save(tmp_path / f"{stem}.npy", x)
            expected[stem] = model(x, training=False).numpy().tolist()
    fresh = subprocess.run([sys.executable, "-c", RELOAD, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert fresh.returncode == 0, fresh.stderr
    for stem, probabilities in json.loads(fresh.stdout).items():
        np.testing.assert_allclose(probabilities, expected.pop(stem), atol=1e-5, err_msg=stem)
    assert not expected


RELOAD = """
import json, pathlib, sys
from genre.backend import keras
import numpy as np
paths = sorted(pathlib.Path(sys.argv[1]).glob("*.keras"))
models = {p: keras.saving.load_model(p, safe_mode=True) for p in paths}
predicted = {p.stem: m(np.load(p.with_suffix(".npy")), training=False) for p, m in models.items()}
print(json.dumps({stem: probabilities.numpy().tolist() for stem, probabilities in predicted.items()}))
"""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_overfits_16_pictures_with_structure(name):
    """Each class has a tone of its own height and a beat of its own tempo, at random places, in noise."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 0.3, (16, 32, 64, 1)).astype(np.float32), np.arange(16) % 4
    for picture, label in zip(x, y, strict=True):
        picture[4 + 7 * label + rng.integers(3)] += 2
        picture[:, rng.integers(4) :: 4 + 3 * label] += 2
    core = build(name, x.shape[1:], 4, **without_dropout(name))
    core.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(10):
        core.fit(x, y, batch_size=16, epochs=10, verbose=0)
        accuracy = (core(x, training=False).numpy().argmax(axis=1) == y).mean()
        if accuracy > 0.95:
            break
    assert accuracy > 0.95


@pytest.mark.parametrize(
    ("name", "shape", "classes", "hyperparameters", "parameters"),
    [  # the paper's input, then those of the earlier project's pictures
        ("black_box_model", (40, 80, 1), 8, {}, 3_275_312),
        ("black_box_model", (40, 80, 1), 10, {}, 3_275_714),
        ("black_box_model", (120, 200, 1), 10, {}, 33_355_714),
        ("black_box_model", (120, 200, 3), 10, {}, 33_361_858),
        ("time_model", (40, 80, 1), 8, {}, 7_336),
        ("time_model", (120, 200, 3), 10, {"filter_frames": 4}, 63_466),
        ("time_model", (217, 334, 3), 10, {"filter_frames": 8}, 105_450),
        ("time_model", (217, 334, 3), 10, {"filter_frames": 4}, 106_346),
        ("time_model", (288, 432, 3), 10, {"filter_frames": 4}, 137_706),
        ("frequency_model", (40, 80, 1), 8, {}, 3_368),
        ("frequency_model", (120, 200, 3), 10, {"filter_bins": 60}, 25_322),
        ("frequency_model", (120, 200, 3), 10, {"filter_bins": 12}, 36_074),
        ("frequency_model", (120, 200, 3), 10, {"filter_bins": 4}, 37_866),
        ("frequency_model", (217, 334, 3), 10, {"filter_bins": 4}, 68_906),
        ("frequency_model", (288, 432, 3), 10, {"filter_bins": 4}, 91_626),
        ("time_frequency_model", (40, 80, 1), 8, {}, 196_816),
        ("time_frequency_model", (120, 200, 3), 10, {"filter_frames": 4, "filter_bins": 60}, 1_659_618),
        ("two_layer_cnn_model", (217, 334, 3), 10, {}, 34_984_318),
        ("two_layer_cnn_model", (288, 432, 3), 10, {}, 60_838_270),
        ("two_layer_cnn_model", (224, 224, 3), 10, {}, 23_941_502),
        ("three_layer_cnn_model", (217, 334, 3), 10, {}, 947_614),
        ("three_layer_cnn_model", (288, 432, 3), 10, {}, 1_627_550),
        ("four_layer_cnn_model", (271, 781, 3), 10, {}, 21_946_186),
        # without the 110 of its sigmoid layer, with the 4 of batch normalisation for each filter
        ("fcn_model", (96, 1366, 1), 10, {}, 17_277_432 - 110 + 4 * (128 + 384 + 768 + 2048)),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, classes, hyperparameters, parameters):
    assert build(name, shape, classes, **hyperparameters).count_params() == parameters
