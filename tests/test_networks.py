"""Networks in two halves, one of them frozen, and the layers that Keras lacks."""

import contextlib

import embedding_fusion_model
import pca_hybrid_model
import time_model
import vgg16_model
from genre import layers, networks, runs, training
from genre.backend import keras, tf
from genre.options import parser_of

import numpy as np
import pytest
from conftest import write_pictures
from sklearn.decomposition import PCA


def frozen(input_shape, num_classes, *, units=8):
    """A network whose first layers do not train. Args: units: of the dense layer."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu", trainable=False)(inputs))
    x = keras.layers.Dropout(0.2)(keras.layers.Dense(units, activation="elu")(x))
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))


def classifier(trainable_layers=0):
    keras.utils.set_random_seed(0)
    return vgg16_model.build_model((32, 40, 1), 3, weights="none", trainable_layers=trainable_layers, units=(4,))


def test_what_no_training_changes_is_set_apart_and_the_halves_are_the_whole():
    x = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 1)).astype(np.uint8)
    for trainable_layers, kept in ((0, (None, 512)), (8, (None, 4, 5, 256))):
        network = networks.of_pictures(classifier(trainable_layers), None, [[]], pieces=3)
        assert network.front.output_shape == kept
        assert network.front.trainable_weights == []
        halves = keras.ops.softmax(runs.predict(network.rest, runs.predict(network.front, x)))
        np.testing.assert_allclose(halves, runs.predict(network.whole, x), atol=1e-5)
        assert len(network.rest.trainable_weights) == len(network.whole.trainable_weights)


def test_a_network_that_trains_from_its_first_weights_has_no_front():
    core = time_model.build_model((32, 40, 1), 3)
    assert networks.of_pictures(core, [([1.0], [2.0])], [[]], pieces=3).front is None
    assert networks.of_pictures(classifier(19), None, [[]], pieces=3).front is None


def test_channels_are_standardised_and_then_weighed():
    core = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten()])
    for levels, weights, expected in (
        (([10, 20], [4, 9]), [], [[1, 2]]),
        (([10, 20], [4, 9]), [1, 0.5], [[1, 1]]),
        (None, [1, 0.5], [[12, 13]]),
        (None, [], [[12, 26]]),
    ):
        network = networks.of_pictures(core, levels and [levels], [weights], pieces=1)
        np.testing.assert_allclose(network.rest(np.float32([[[[12, 26]]]])), expected, rtol=1e-6)


def test_what_would_fill_the_memory_is_not_kept():
    most = networks.MOST_KEPT // 4 // 512
    assert networks.of_pictures(classifier(), None, [[]], pieces=most).front is not None
    assert networks.of_pictures(classifier(), None, [[]], pieces=most + 1).front is None


def test_an_embedding_is_what_the_last_layer_decides_on():
    core = classifier()
    core.name = "vgg16_model"
    whole = networks.of_pictures(core, [([100.0], [50.0])], [[0.5]], pieces=3).whole
    embedding = networks.embedding(whole, "vgg16_model")
    x = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 1)).astype(np.float32)
    kernel, bias = core.layers[-1].get_weights()
    assert embedding.output_shape == (None, 4)
    np.testing.assert_allclose(keras.ops.softmax(embedding(x) @ kernel + bias), whole(x), atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_training_behind_a_kept_front_is_training_of_the_whole(tmp_path, monkeypatch, precision):
    """The same weights to the last few digits, whether the front's outputs are kept or computed every step."""
    write_pictures(tmp_path / "images" / "mel")
    common = [f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--epochs=2"]
    common += ["--learning_rate=0.01", f"--precision={precision}"]
    found = {}
    for name, most in (("kept", networks.MOST_KEPT), ("computed", 0)):
        monkeypatch.setattr(networks, "MOST_KEPT", most)
        args = parser_of(frozen, {}).parse_args([*common, f"--run_name={name}"])
        found[name] = runs.read(training.train(frozen, ["mel"], args)).model.get_weights()
    for a, b in zip(*found.values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 if precision == "float32" else 2e-3)


def test_a_frozen_training_resumes_as_if_it_had_not_been_stopped(tmp_path, monkeypatch):
    write_pictures(tmp_path / "images" / "mel")
    options = [f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--epochs=3"]
    parser = parser_of(frozen, {})
    unbroken = training.train(frozen, ["mel"], parser.parse_args([*options, "--run_name=unbroken"]))

    def stop(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    begin = training.epochs.KeepEpochs.on_epoch_begin
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.epochs.KeepEpochs, "on_epoch_begin", stop)
        training.train(frozen, ["mel"], parser.parse_args(options))
    resumed = training.train(frozen, ["mel"], parser.parse_args([*options, "--resume"]))
    for a, b in zip(runs.read(unbroken).model.get_weights(), runs.read(resumed).model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_pca_layer_is_scikit_learns_on_a_common_scale_and_is_saved(tmp_path):
    rows = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32) @ np.diag([9, 5, 3, 1, 1, 1]).astype("f")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.PCA(4)(inputs))
    layers.adapt(model, rows)
    expected = PCA(4).fit_transform(rows)
    found = model(rows).numpy()
    assert found.var(axis=0, ddof=1).mean() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(found * (expected.std() / found.std()), expected, atol=1e-4)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "model.keras")(rows), found, atol=1e-6)


@pytest.mark.parametrize("script", [embedding_fusion_model, pca_hybrid_model])
def test_columns_that_vary_little_count_in_any_precision(script):
    rows = [10 + 0.01 * np.random.default_rng(i).normal(size=(64, 8)).astype(np.float32) for i in range(2)]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        core = script.build_model({"a": (8,), "b": (8,)}, 3)
    finally:
        keras.config.set_dtype_policy("float32")
    layers.adapt(core, rows)
    found = [layer for layer in core.layers if hasattr(layer, "adapt")]
    given = keras.Model(core.inputs, [layer.output for layer in found])(rows)
    for values in given if isinstance(given, list) else [given]:
        values = np.asarray(values, np.float32)
        assert values[:, values.any(axis=0)].std() == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_batch_normalisation_is_keras_own(policy):
    x = tf.random.stateless_normal((5, 7, 6, 3), [0, 1]) * 3 + 1
    found = []
    for ours in (True, False):
        layer = keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-3, dtype=policy)
        layer.build(x.shape)
        layer.gamma.assign([1, 2, 3])
        layer.beta.assign([3, 2, 1])
        with tf.GradientTape() as tape, layers.fused_batch_normalisation() if ours else contextlib.nullcontext():
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 3)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        weights = [weight.numpy() for weight in layer.weights]
        found.append([y, *gradients, *weights, layer(x, training=False)])
    for mine, its in zip(*found, strict=True):
        assert mine.dtype == its.dtype
        mine, its = (np.asarray(tf.cast(part, tf.float32)) for part in (mine, its))
        np.testing.assert_allclose(mine, its, rtol=1e-3, atol=1e-4 if policy == "float32" else 0.02 * np.abs(its).max())


def test_components_beyond_the_rows_are_zero():
    rows = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.PCA(5)(inputs))
    layers.adapt(model, rows)
    found = model(np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)).numpy()
    assert np.abs(found[:, 2:]).max() < 1e-6 < np.abs(found[:, :2]).min()


def test_standardised_columns_have_mean_0_and_variance_1_and_a_constant_one_is_0_for_every_row(tmp_path):
    rows = np.random.default_rng(0).normal((3, -200, 0), (2, 1e-2, 50), (200, 3)).astype(np.float32)
    rows = np.concatenate([rows, np.full((200, 1), 0.1), np.zeros((200, 1))], axis=1).astype(np.float32)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Standardise()(inputs))
    layers.adapt(model, rows)
    found = model(rows).numpy()
    np.testing.assert_allclose(found.mean(axis=0), [0, 0, 0, 0, 0], atol=0.02)  # -200 in float32
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 1, 0, 0], atol=0.02)
    new = model(rows[:2] + 1).numpy()
    assert (new[:, 3:] == 0).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(rows[:2] + 1).numpy(), new)
