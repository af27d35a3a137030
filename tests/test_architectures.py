"""Promises that every `*_model.py` keeps, whatever it is called: a new one is tested by existing."""

import functools
import importlib
import inspect
import itertools
import json
import subprocess
import sys
import types

from genre import estimators, images, layers, metadata, networks, plans, statistics, tables
from genre.backend import keras
from genre.command_line import parameters
from genre.index import Row
from genre.recipe import Recipe

import numpy as np
import pytest
from conftest import ARCHITECTURES, ON_PICTURES, ON_RUNS, ON_STATISTICS, ROOT, SELF_SUFFICIENT, main_keywords

SHAPES = [(12, 130, 1), (128, 130, 1), (400, 130, 1), (12, 20, 3), (5, 3, 1), (1, 1, 1)]
COLUMNS = (1, 7, 140, 518)  # of statistics
LARGEST = 30_000_000  # parameters that a default may have


@pytest.fixture(autouse=True)
def memory():
    """What a test built, freed after it."""
    yield
    keras.backend.clear_session()


def build(name, shape, classes, **hyperparameters):
    """Build with defaults but for published weights, which no test has; a script that fuses with one branch."""
    build_model = importlib.import_module(name).build_model
    offline = {"weights": "none"} if "weights" in parameters(build_model) else {}
    if main_keywords(name).get("inputs") != "features" or isinstance(shape, dict):
        return build_model(shape, classes, **offline | hyperparameters)
    core = build_model({"mel": shape}, classes, **hyperparameters)
    return keras.Model(core.inputs[0], core.output)


def without_dropout(name):
    found = parameters(importlib.import_module(name).build_model)
    return {p: (0.0,) * len(d) if isinstance(d, tuple) else 0.0 for p, (d, _) in found.items() if "dropout" in p}


def trained_parameters(core):
    return sum(int(np.prod(weight.shape)) for weight in core.trainable_weights)


def classifier(core):
    return keras.Model(core.input, keras.layers.Softmax(dtype="float32")(core.output))


@functools.cache
def native_shape(feature):
    """(bins, frames) of 30 s."""
    recipe = Recipe.of(feature)
    return images.render(np.zeros(round(recipe.seconds * recipe.sr), np.float32), recipe).shape


def default_shape(name, feature):
    """(bins, frames, 1) of the pictures of 30 s that a script trains on unless told otherwise."""
    native = native_shape(feature)
    reduced = plans._reduced(native, images.parse_size(main_keywords(name).get("largest_size", "native")))
    return (*(side or whole for side, whole in zip(reduced, native, strict=True)), 1)


def default_shapes(name):
    """{feature: the shape of it} of what a script trains on unless told otherwise, without a single known name."""
    of_tracks = {"statistics": (len(statistics.COLUMNS),)} | dict.fromkeys(metadata.FIELDS, (1,))
    default = "statistics" if name in ON_STATISTICS else main_keywords(name).get("features", "mel")
    return {f: of_tracks[f] if f in of_tracks else default_shape(name, f) for f in default.split("+")}


@pytest.mark.parametrize("name", ON_PICTURES)
def test_it_builds_for_any_shape_and_number_of_classes_and_ends_in_logits(name):
    """Pictures of a few seconds, in colour, and far too small ones."""
    for shape, classes in zip(SHAPES, itertools.cycle((2, 11, 1)), strict=False):
        core = build(name, shape, classes)
        assert core.output_shape == (None, classes), shape
        assert getattr(core.layers[-1], "activation", None) in (None, keras.activations.linear)


INPUTS = {  # that together every parameter of an architecture counts for
    "runs": ({"a": (40,), "b": (7,)},),
    "statistics": ((7,),),
    "features": ({"mel": (40, 80, 1), "statistics": (7,), "artist": (5,)},),
    "pictures": ((40, 80, 1),),
}
WORDS = {
    "stem_padding": "valid",
    "steps": "last",
    "block": "resnet",
    "block_at": "all",
    "variant": {"fma_cnn": "choi", "square": "dwivedi"},
    "cell": {"gru": "lstm", "lstm": "gru"},
}


def described(name, **hyperparameters):
    """All that there is to a network, but its weights."""
    keras.backend.clear_session()
    shapes = INPUTS[main_keywords(name).get("inputs", "pictures")]
    if name == "fusion_model":
        shapes = ({"mel": (40, 80, 1), "chroma_stft": (12, 80, 1)},)
    if "chroma_units" in parameters(importlib.import_module(name).build_model):
        shapes += ((12, 80, 1),)
    return [build(name, shape, 3, **hyperparameters).to_json() for shape in shapes]


def another(name, value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (another(name, value[0]), *value[1:])
    if isinstance(value, str):
        return WORDS[name].get(value) if isinstance(WORDS[name], dict) else WORDS[name]
    return value + (1 if isinstance(value, int) else 0.1)


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if not main_keywords(n).get("estimator")])
def test_every_parameter_changes_the_network(name):
    found = parameters(importlib.import_module(name).build_model)
    plain = described(name)
    for parameter, (default, _) in found.items():
        if parameter != "weights":  # test_vgg16.py
            beside = {"block": "resnet"} if parameter == "block_at" else {}
            changed = described(name, **beside, **{parameter: another(parameter, default)})
            assert changed != (described(name, **beside) if beside else plain), parameter


WITH_BLOCKS = [n for n in ON_PICTURES if "block" in parameters(importlib.import_module(n).build_model)]


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_its_blocks_are_where_they_are_said_to_be(name):
    counts = {}
    for block, block_at in itertools.product(layers.BLOCKS, ("second", "all")):
        core = build(name, (12, 80, 1), 3, block=block, block_at=block_at)
        kinds = {keras.layers.Add: "resnet", keras.layers.Concatenate: "densenet"}
        found = [kinds[type(layer)] for layer in core.layers if type(layer) in kinds]
        counts[block, block_at] = found.count(block) // (2 if block == "densenet" else 1)
        assert set(found) <= {block}
    assert counts == {(b, at): 0 if b == "plain" else 1 if at == "second" else 4 for b, at in counts}


@pytest.mark.parametrize("name", ON_STATISTICS)
@pytest.mark.parametrize("columns", COLUMNS)
def test_on_statistics_it_builds_for_any_number_of_columns_and_classes(name, columns):
    for classes in (2, 11, 161):
        core = build(name, (columns,), classes)
        assert core.output_shape == (None, classes)
        assert core.count_params() < LARGEST


@pytest.mark.parametrize("name", ON_PICTURES)
def test_its_defaults_stay_buildable_for_real_pictures(name):
    for shape in sorted({default_shape(name, feature) for feature in SELF_SUFFICIENT}):
        assert build(name, shape, 10).count_params() < LARGEST, shape


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_says_what_it_is_and_every_parameter_what_it_does(name):
    module = importlib.import_module(name)
    command = f"    python {name}.py" + ("" if name in ON_STATISTICS else " --features=mel")
    for part in ("Source:", "Input:", "Output:", "Differs:", command):
        assert part in module.__doc__, part
    assert "https://" in module.__doc__
    for parameter, (default, text) in parameters(module.build_model).items():
        assert text, f"no help for --{parameter}"
        assert default is not inspect.Parameter.empty


def test_all_train_a_step_are_saved_and_predict_the_same_in_a_fresh_process(tmp_path):
    rng = np.random.default_rng(0)
    expected = {}
    for name in ON_PICTURES + ON_STATISTICS:
        shape = SHAPES[0] if name in ON_PICTURES else (7,)
        keras.utils.set_random_seed(0)
        core = build(name, shape, 3)
        core.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        x, y = rng.normal(size=(4, *shape)).astype(np.float32), np.array([0, 1, 2, 0])
        before = [w.numpy().copy() for w in core.trainable_variables]
        core.train_on_batch(x, y)
        assert all(np.isfinite(w.numpy()).all() for w in core.trainable_variables)
        assert any((w.numpy() != b).any() for w, b in zip(core.trainable_variables, before, strict=True))
        model = classifier(core)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", x)
        expected[name] = model(x, training=False).numpy().tolist()
    fresh = subprocess.run([sys.executable, "-c", RELOAD, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert fresh.returncode == 0, fresh.stderr
    for name, probabilities in json.loads(fresh.stdout).items():
        np.testing.assert_allclose(probabilities, expected.pop(name), atol=1e-5, err_msg=name)
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


def test_all_give_the_same_in_onnx_in_a_fresh_process_without_keras(tmp_path, monkeypatch):
    monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "0")  # or it copies the graph before each optimisation
    expected, rng = {}, np.random.default_rng(0)
    for name in ARCHITECTURES:
        shapes = [(40,), (7,)] if name in ON_RUNS else [(12, 20, 1) if name in ON_PICTURES else (7,)]
        core = build(name, {"a": shapes[0], "b": shapes[1]} if name in ON_RUNS else shapes[0], 3)
        if not isinstance(core, keras.Model):
            continue
        if name not in ON_RUNS:
            levels = [100.0] * shapes[0][-1], [900.0] * shapes[0][-1]
            model = networks.of_pictures(core, [levels], [[0.5]], pieces=0).whole
        else:
            model = classifier(core)
        x = [rng.integers(0, 256, (2, *shape)).astype(np.float32) for shape in shapes]
        expected[name] = model(x if len(x) > 1 else x[0], training=False).numpy().tolist()
        model.export(tmp_path / f"{name}.onnx", format="onnx", verbose=False)
        np.savez(tmp_path / f"{name}.npz", *x)
    fresh = subprocess.run([sys.executable, "-c", RUN_ONNX, str(tmp_path)], capture_output=True, text=True)
    assert fresh.returncode == 0, fresh.stderr
    found = json.loads(fresh.stdout)
    assert found.keys() == expected.keys()
    for name, probabilities in found.items():
        np.testing.assert_allclose(probabilities, expected[name], atol=1e-4, err_msg=name)


RUN_ONNX = """
import json, pathlib, sys
import numpy as np, onnxruntime
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    session, x = onnxruntime.InferenceSession(path), np.load(path.with_suffix(".npz"))
    names = [value.name for value in session.get_inputs()]
    found[path.stem] = session.run(None, dict(zip(names, x.values(), strict=True)))[0].tolist()
assert "keras" not in sys.modules
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", ON_PICTURES)
def test_it_overfits_16_pictures_with_structure(name):
    """Each class has a tone of its own height and a beat of its own tempo, at random places, in noise."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 0.3, (16, 28, 48, 1)).astype(np.float32), np.arange(16) % 4
    for picture, label in zip(x, y, strict=True):
        picture[4 + 7 * label + rng.integers(3)] += 2
        picture[:, rng.integers(4) :: 4 + 3 * label] += 2
    if not main_keywords(name).get("standardise", True):
        x = np.clip(60 + 60 * x, 0, 255)
    core = build(name, x.shape[1:], 4, **without_dropout(name))
    steps = keras.optimizers.Adam(3 * main_keywords(name).get("learning_rate", 1e-3))
    core.compile(steps, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(20):
        with layers.fused_batch_normalisation():  # as in a training
            core.fit(np.tile(x, (5, 1, 1, 1)), np.tile(y, 5), batch_size=16, verbose=0)  # quicker than 5 epochs
        accuracy = (core(x, training=False).numpy().argmax(axis=1) == y).mean()
        if accuracy > 0.95:
            break
    assert accuracy > 0.95


@pytest.mark.parametrize("name", ON_PICTURES)
def test_a_run_can_start_the_next_of_its_kind_layer_by_layer(name):
    def core():
        keras.backend.clear_session()
        made = build(name, (12, 20, 1), 3)
        made.name = name
        return made

    first = networks.of_pictures(core(), None, [[]], pieces=0).whole
    there = {"script": name, "feature": "mel", "inputs": [{"input_shape": [12, 20, 1]}]}
    source = types.SimpleNamespace(estimator=None, model=first, info=there, folder="run")
    second = core()
    (copied,) = networks.init_from(second, [source]).values()
    assert copied == [layer.name for layer in second.layers if layer.weights]
    for a, b in zip(second.get_weights(), first.get_layer(name).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ON_STATISTICS)
def test_on_statistics_it_overfits_a_tiny_table_whatever_its_columns_are_of(name):
    """Columns of all orders of magnitude, one of them constant, of which a few say what the class is."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y, columns = np.arange(24) % 4, 20
    scale, centre = 10.0 ** rng.integers(-3, 5, columns), 10.0 ** rng.integers(-3, 5, columns)
    x = (centre + scale * (rng.normal(size=(24, columns)) + 2 * np.eye(4, columns)[y])).astype(np.float32)
    x[:, -1] = 0.1
    network = networks.of_pictures(
        build(name, (columns,), 4, **without_dropout(name)), [tables.Table.levels(None, x)], [[]], 0
    )
    steps = keras.optimizers.Adam(main_keywords(name).get("learning_rate", 1e-3))
    network.rest.compile(steps, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.rest.fit(np.tile(x, (20, 1)), np.tile(y, 20), batch_size=24, epochs=10, verbose=0)
    probabilities = network.whole(x, training=False).numpy()
    assert np.isfinite(probabilities).all()
    assert (probabilities.argmax(axis=1) == y).mean() > 0.95


@pytest.mark.parametrize("name", ON_RUNS)
def test_on_runs_it_learns_and_keeps_the_number_of_classes(name):
    rng = np.random.default_rng(0)
    y = np.arange(48) % 4
    x = [rng.normal(size=(48, columns)).astype(np.float32) + 3 * np.eye(4, columns)[y] for columns in (40, 7)]
    model = build(name, {"a": (40,), "b": (7,)}, 4, **without_dropout(name))
    if isinstance(model, keras.Model):
        layers.adapt(model, x)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, y, epochs=60, verbose=0)
        assert model.output_shape == (None, 4)
        predicted = model(x, training=False).numpy()
    else:
        rows, x = [Row("", str(i), ("",)) for i in range(48)], np.concatenate(x, axis=1)
        predicted = estimators.fit(model, x, y, rows, np.arange(48) >= 24, seed=0)[0].predict_proba(x)
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)
    assert predicted.shape == (48, 4)
    assert (predicted.argmax(axis=1) == y).mean() > 0.95


# Networks that another one's script builds.
CNN1D = {"filters": (128, 128, 128), "kernel_size": 4, "pools": (4, 4, 2), "batch_norm": True, "units": ()}
SIMPLE = {"filters": (64, 16), "units": (512, 64)}
DWIVEDI = {"filters": (56, 56, 56), "kernel_size": 5, "lstm_units": 96, "bidirectional": False, "steps": "last"}
DWIVEDI |= {"units": (64,), "linear": True}
TAGS = {"filters": (8, 16), "pools": (2, 2), "batch_norm": False, "lstm_units": (16, 16, 16), "units": 32}


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
        ("vgg16_model", (217, 334, 3), 10, {}, 30_510_794),
        ("vgg16_model", (288, 432, 3), 10, {}, 45_453_002),
        ("vgg16_model", (271, 781, 3), 10, {}, 65_113_802),
        # without the 110 of its sigmoid layer, with the 4 of batch normalisation for each filter
        ("fcn_model", (96, 1366, 1), 10, {}, 17_277_432 - 110 + 4 * (128 + 384 + 768 + 2048)),
        ("bbnn_model", (128, 647, 1), 10, {}, 190_826),
        # counted from the layers of the source, whose GRUs have one bias, of 3 a unit; the other one is added
        ("sequential_crnn_model", (96, 1366, 1), 50, {"variant": "choi"}, 395_186 + 2 * 3 * 32),
        # with the moving mean and variance of batch normalisation, which PyTorch does not count as parameters, and
        # without the second bias of its LSTMs, 4 for each unit and direction
        ("cnn_1d_model", (640, 128, 1), 8, {}, 296_760 + 2 * (512 + 64)),  # on the source's axes
        ("cnn_1d_model", (128, 640, 1), 8, {}, 722_744 + 2 * (512 + 64)),  # on ours
        ("cnn_1d_model", (128, 1216, 1), 8, CNN1D, 236_680 + 2 * 3 * 128),  # 38 steps, as its 1291 without padding
        # on the source's axes, but 16 or 32 steps of 64 or 16 channels where its LSTM took channels for steps
        ("crnn_1d_model", (640, 128, 1), 8, {}, 980_232 + 512 * (64 - 16 - 1) + (16 - 64) * 128 * 64 + 2 * 768),
        ("crnn_1d_model", (640, 128, 1), 8, SIMPLE, 1_259_960 + 512 * (16 - 32 - 1) + (32 - 16) * 128 * 512 + 2 * 656),
        ("crnn_1d_model", (128, 640, 1), 8, {}, 938_760 + 2 * 768),
        ("crnn_1d_model", (128, 640, 1), 8, SIMPLE, 10_590_136 + 2 * 656),
        ("crnn_1d_model", (128, 640, 1), 8, DWIVEDI, 133_520),
        ("rnn_model", (128, 640, 1), 8, {"steps": "all"}, 84_842_696 - 2 * 4 * 256 + 2 * (512 + 64)),
        ("rnn_model", (128, 640, 1), 8, {}, 1_085_640 + 2 * (512 + 64)),
        ("residual_crnn_model", (128, 1291, 1), 8, {}, 438_808 - 4 * 128 + 2 * 3 * 240),
        ("residual_crnn_model", (80, 3000, 1), 8, {}, 438_808 - 4 * 128 + 2 * 3 * 240),
        ("residual_crnn_model", (13, 2581, 1), 8, {}, 438_808 - 4 * 128 + 2 * 3 * 240),
        ("residual_crnn_model", (12, 1291, 1), 8, {}, 438_808 - 4 * 128 + 2 * 3 * 240),
        ("lenet_model", (128, 1291, 1), 8, {}, 37_912_576 + 2 * (6 + 16 + 256 + 64)),
        ("dilated_cnn_model", (13, 2581, 1), 8, {}, 125_256),
        ("dilated_cnn_model", (80, 3000, 1), 8, {}, 129_544),
        ("cnn_rnn_model", (96, 1400, 1), 11, {}, 47_659 + 2 * (32 + 64 + 64)),
        # 33,107 where its LSTM of 16 reads 350 frames rather than 16 channels, and with two biases
        ("cnn_rnn_model", (96, 1400, 1), 59, TAGS, 33_107 - 4 * 16 * (350 - 16) - 3 * 4 * 16),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, classes, hyperparameters, parameters):
    assert build(name, shape, classes, **hyperparameters).count_params() == parameters


@pytest.mark.parametrize(
    ("name", "shape", "classes", "hyperparameters", "expected"),
    [
        ("frequency_cnn_model", (12, 640, 1), 8, {}, 116_376),
        ("frequency_cnn_model", (84, 640, 1), 8, {}, 1_456_152),
        ("frequency_cnn_model", (128, 640, 1), 8, {}, 2_177_048),
        ("frequency_cnn_model", (84, 640, 1), 8, {"block": "resnet"}, 1_457_752),
        ("frequency_cnn_model", (84, 640, 1), 8, {"block": "densenet"}, 1_462_440),
        ("frequency_cnn_model", (84, 640, 1), 8, {"block": "resnet", "block_at": "all"}, 1_471_144),
        ("frequency_cnn_model", (84, 640, 1), 8, {"block": "densenet", "block_at": "all"}, 1_504_224),
        ("temporal_cnn_model", (12, 640, 1), 8, {}, 1_006_696),
        ("temporal_cnn_model", (84, 640, 1), 8, {}, 1_029_736),
        ("temporal_cnn_model", (128, 640, 1), 8, {}, 1_043_816),
        ("square_cnn_model", (12, 640, 1), 8, {}, 241_640),
        ("square_cnn_model", (84, 640, 1), 8, {}, 372_712),
        ("square_cnn_model", (128, 640, 1), 8, {}, 372_712),
        ("bbnn_model", (128, 647, 1), 10, {}, 185_642),
        ("bbnn_model", (84, 640, 1), 8, {"width": 16, "stem_padding": "valid", "dropout": 0.5}, 51_496),
        # PyTorch's LSTM has a second bias, of 4 a unit and direction; of its GRU Keras has both
        ("sequential_crnn_model", (84, 640, 1), 8, {"cell": "lstm"}, 553_960 - 4 * 128),
        ("sequential_crnn_model", (84, 640, 1), 8, {"cell": "lstm", "bidirectional": True}, 767_976 - 2 * 4 * 128),
        ("sequential_crnn_model", (84, 640, 1), 8, {"cell": "gru"}, 504_552),
        ("sequential_crnn_model", (84, 640, 1), 8, {"cell": "gru", "bidirectional": True}, 669_160),
        ("parallel_crnn_model", (84, 640, 1), 8, {"cell": "lstm", "bidirectional": False}, 552_040 - 4 * 128),
        ("parallel_crnn_model", (84, 640, 1), 8, {"cell": "lstm"}, 694_376 - 2 * 4 * 128),
        ("parallel_crnn_model", (84, 640, 1), 8, {"cell": "gru", "bidirectional": False}, 524_648),
        ("parallel_crnn_model", (84, 640, 1), 8, {"cell": "gru"}, 639_592),
        # the Keras 2 of the source has GRUs with one bias, of 3 a unit and direction; the other one is added
        ("parallel_crnn_model", (128, 640, 1), 8, {"variant": "dwivedi", "cell": "gru"}, 85_160 + 2 * 3 * 64),
    ],
)
def test_trained_parameters_are_the_published_ones(name, shape, classes, hyperparameters, expected):
    assert trained_parameters(build(name, shape, classes, **hyperparameters)) == expected


def test_the_trained_parameters_of_the_hybrid_are_the_published_ones():
    maps = {"time": (10_592,), "frequency": (6_848,)}
    for shapes, pca, expected in (
        (maps, True, 245_574),
        ({"time": (3_531,), "frequency": (3_424,)}, False, 1_821_254),  # every third and every second map
        ({"time": (13_728,), "frequency": (9_120,)}, False, 5_889_862),
    ):
        model = build("pca_hybrid_model", shapes, 10, pca=pca)
        assert trained_parameters(model) == expected


def test_the_trained_parameters_of_the_embedding_fusion_are_the_published_ones():
    model = build("embedding_fusion_model", {feature: (128,) for feature in ("mel", "mfcc", "chroma", "whisper")}, 8)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 133_384


def test_the_trained_parameters_of_the_mlps_are_the_published_ones():
    columns = len(tables.positions(["mfcc"]))
    assert columns == 140
    for expected, hyperparameters in (
        (318_152, {}),
        (9_544, {"units": (64,), "dropout": 0.0, "batch_norm": False}),
    ):
        core = build("mlp_model", (columns,), 8, **hyperparameters)
        whole = networks.of_pictures(core, [([0.0] * columns, [1.0] * columns)], [[]], pieces=0).whole
        assert trained_parameters(core) == trained_parameters(whole) == expected


@pytest.mark.parametrize(("trainable_layers", "expected"), [(8, 43_717_514), (4, 37_817_738)])
def test_vgg16_trains_its_last_layers(trainable_layers, expected):
    model = build("vgg16_model", (288, 432, 3), 10, trainable_layers=trainable_layers)
    assert trained_parameters(model) == expected


@pytest.mark.parametrize("count", range(1, 6))
def test_pools_to_one_leave_one_of_any_number_of_bins_and_differ_by_one_halving_at_most(count):
    for bins in range(1, 1100):
        pools = layers.pools_to_one(bins, count)
        assert len(pools) == count and functools.reduce(lambda left, pool: left // pool, pools, bins) == 1
        assert pools == sorted(pools, reverse=True) and pools[0] <= 2 * pools[-1]


@pytest.mark.parametrize(
    ("shape", "stages"),
    [
        ((128, 1291, 1), [(16, 645), (4, 322), (1, 161)]),
        ((13, 2581, 1), [(6, 1290), (3, 645), (1, 322)]),
        ((12, 1291, 1), [(6, 645), (3, 322), (1, 161)]),
        ((80, 3000, 1), [(20, 1500), (5, 750), (1, 375)]),
    ],
)
def test_the_pools_of_the_residual_crnn_leave_the_published_maps(shape, stages):
    pools = [layer for layer in build("residual_crnn_model", shape, 8).layers if "pool" in layer.name]
    assert [pool.output.shape[1:3] for pool in pools] == stages
