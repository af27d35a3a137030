"""What is done to training pictures: known answers for each way, and the same numbers for the same seed."""

import json

import time_model
from genre import augmentation, epochs, evaluation, layers, networks, options, runs
from genre.augmentation import Augmentation
from genre.backend import keras, tf
from genre.command_line import CallError
from genre.options import RECIPES, parser_of

import numpy as np
import pytest
from conftest import ON_PICTURES, one_line_error, write_pictures
from test_architectures import build
from test_explain import SHAPE
from test_training import arguments, train

SEED = tf.constant([3, 4], tf.int64)
STRONG = Augmentation(8, freq_shift=0.2, equalise=0.1, freq_mask=0.5, time_mask=0.5, mixup=0.3, label_smoothing=0.1)


def ramp(rows, bins=6, frames=20):
    """Pictures (rows, bins, frames, 1) whose level is the number of the frame."""
    return tf.constant(np.tile(np.arange(frames, dtype=np.float32)[None, None, :, None], (rows, bins, 1, 1)))


def labels(rows, classes=4):
    return tf.constant(np.eye(classes, dtype=np.float32)[np.arange(rows) % classes])


def test_the_same_seed_does_the_same_and_another_step_something_else():
    x, y = ramp(5), labels(5)
    first, again, other = STRONG(x, y, SEED), STRONG(x, y, SEED), STRONG(x, y, SEED + [0, 1])
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_nothing_asked_for_changes_nothing():
    x, y = ramp(3), labels(3)
    for a, b in zip(augmentation.NONE(x, y, SEED), (x, y), strict=True):
        np.testing.assert_array_equal(a, b)


def test_chunks_are_of_one_piece_and_begin_anywhere():
    x, _ = Augmentation(chunk_frames=5)(ramp(2000), labels(2000), SEED)
    assert x.shape == (2000, 6, 5, 1)
    first = x.numpy()[:, 0, 0, 0]
    np.testing.assert_array_equal(x, np.broadcast_to((first[:, None] + np.arange(5))[:, None, :, None], x.shape))
    counts = np.bincount(first.astype(int))
    assert len(counts) == 16 and counts.min() > 60  # of 125 expected at each of 16 places


def test_mixtures_mix_labels_as_they_mix_pictures():
    rows = np.arange(4, dtype=np.float32)
    x = tf.constant(np.broadcast_to(rows[:, None, None, None], (4, 3, 5, 1)))
    columns = tf.constant(rows[:, None])
    (mixed, mixed_columns), y = Augmentation(mixup=1.0)((x, columns), labels(4), SEED)
    np.testing.assert_allclose(y.numpy().sum(axis=1), 1, rtol=1e-6)
    assert ((y.numpy() > 0.01).sum(axis=1) == 2).any()
    np.testing.assert_allclose(mixed.numpy()[:, 0, 0, 0], y.numpy() @ rows, atol=1e-5)
    np.testing.assert_allclose(mixed_columns.numpy()[:, 0], y.numpy() @ rows, atol=1e-5)


def test_a_shift_moves_whole_pictures_by_whole_bins_and_repeats_the_edge():
    bins = np.arange(40, dtype=np.float32)
    x = tf.constant(np.broadcast_to(bins[None, :, None, None], (200, 40, 3, 1)))
    moved, _ = Augmentation(freq_shift=0.1)(x, labels(200), SEED)
    by = (moved.numpy()[:, 20] - 20).astype(int)
    assert set(by.ravel()) == set(range(-4, 5)) and (by == by[:, :1]).all()
    np.testing.assert_array_equal(moved.numpy()[..., 0, 0], (bins + by[:, 0]).clip(0, 39))


def test_a_gain_is_a_smooth_curve_over_the_bins_alike_in_all_frames():
    x = tf.zeros((500, 64, 3, 2))
    gains = Augmentation(equalise=0.1)(x, labels(500), SEED)[0].numpy()
    assert (gains == gains[:, :, :1, :1]).all()
    assert gains[:, [0, -1]].std() == pytest.approx(25.5, rel=0.1)  # at a knot
    assert np.abs(np.diff(gains[..., 0, 0], axis=1)).max() < 15 and abs(gains.mean()) < 2


@pytest.mark.parametrize(("option", "axis"), [("freq_mask", 1), ("time_mask", 2)])
def test_a_mask_is_one_stripe_at_the_pictures_mean_of_up_to_its_width(option, axis):
    x = tf.random.stateless_normal((300, 20, 30, 1), [0, 1])
    masked, _ = Augmentation(**{option: 0.4})(x, labels(300), SEED)
    changed = (masked.numpy() != x.numpy()).all(axis=(3 - axis, 3))  # (pictures, bins or frames)
    assert ((masked.numpy() != x.numpy()).any(axis=(3 - axis, 3)) == changed).all()
    assert (np.diff(changed.astype(int), axis=1) == 1).sum(axis=1).max() == 1  # one stripe
    widths = changed.sum(axis=1)
    size = changed.shape[1]
    assert widths.max() <= 0.4 * size + 1 and widths.max() >= 0.3 * size and widths.min() == 0
    picture = int(widths.argmax())
    of_mask = masked.numpy()[picture][changed[picture] if axis == 1 else slice(None)]
    of_mask = of_mask if axis == 1 else of_mask[:, changed[picture]]
    np.testing.assert_allclose(of_mask, x.numpy()[picture].mean(), atol=1e-5)


def test_label_smoothing_leaves_a_distribution():
    _, y = Augmentation(label_smoothing=0.2)(ramp(4), labels(4), SEED)
    np.testing.assert_allclose(y, np.eye(4) * 0.8 + 0.05, rtol=1e-6)


def test_chunks_hold_every_frame_and_their_mean_is_of_probabilities():
    assert layers.Chunks(5).starts(5) == [0]
    assert layers.Chunks(5).starts(12) == [0, 4, 7]
    x = ramp(2, bins=1, frames=12)
    cut = layers.Chunks(5)(x)
    assert cut.shape == (6, 1, 5, 1)
    assert set(cut.numpy()[:3].ravel()) == set(range(12))
    logits = tf.random.stateless_normal((6, 3), [0, 1]) * 4
    for kind, probabilities in (("softmax", keras.ops.softmax), ("sigmoid", keras.ops.sigmoid)):
        of_pieces = probabilities(layers.OverChunks(kind)(logits, x))
        expected = probabilities(logits).numpy().reshape(2, 3, 3).mean(axis=1)
        np.testing.assert_allclose(of_pieces, expected, atol=1e-5)


@pytest.mark.parametrize("name", ON_PICTURES)
def test_every_architecture_may_train_on_chunks_and_says_the_mean_over_a_picture(name):
    bins, frames, channels = SHAPE
    core = build(name, (bins, 30, channels), 3)
    core.name = name
    network = networks.of_pictures(core, None, [[]], 0, augment=Augmentation(chunk_frames=30), shapes=[SHAPE])
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    chunks = np.stack([x[:, :, start : start + 30] for start in (0, 17, 34)], axis=1).reshape(6, bins, 30, channels)
    expected = keras.ops.softmax(core(chunks, training=False)).numpy().reshape(2, 3, 3).mean(axis=1)
    np.testing.assert_allclose(runs.predict(network.whole, x), expected, atol=1e-5)
    both = networks.with_embedding(network.whole, name)
    probabilities, embedding = runs.predict(both, x)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(embedding, runs.predict(networks.embedding(network.whole, name), x), atol=1e-5)
    one_each = keras.ops.softmax(core(chunks[::3], training=False))
    np.testing.assert_allclose(keras.ops.softmax(network.rest(chunks[::3], training=False)), one_each, atol=1e-5)


def test_a_strong_training_that_was_killed_resumes_as_if_it_had_not_been(tmp_path, monkeypatch):
    strong = ("--recipe=strong", "--mixup=0.3", "--label_smoothing=0.1", "--ema=0.9", "--epochs=3")
    whole = runs.read(train(tmp_path, *strong, "--run_name=whole")).model.get_weights()

    class Killed(Exception):
        pass

    def stop(self, epoch, logs=None):
        self.started = 0
        if epoch == 1:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(epochs.KeepEpochs, "on_epoch_begin", stop)
        train(tmp_path, *strong, "--run_name=killed")
    resumed = runs.read(train(tmp_path, *strong, "--run_name=killed", "--resume")).model.get_weights()
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_average_of_the_weights_is_what_is_evaluated_and_kept(tmp_path):
    options = ("--epochs=3", "--checkpoint_every=1", "--batch_size=16")  # one step an epoch
    run = runs.read(train(tmp_path, *options, "--ema=0.5", "--run_name=average"))
    plain = runs.read(train(tmp_path, *options, "--run_name=plain"))
    steps = [[keras.ops.convert_to_numpy(w) for w in at(plain, epoch).trainable_variables] for epoch in (1, 2, 3)]
    expected = steps[0]
    for epoch in (1, 2, 3):
        expected = [(old + new) / 2 for old, new in zip(expected, steps[epoch - 1], strict=True)]
        for w, e in zip(at(run, epoch).trainable_variables, expected, strict=True):
            np.testing.assert_allclose(w, e, atol=1e-6)
    best = epochs.read_history(run.folder)[run.info["best_epoch"] - 1]
    scores = json.loads((run.folder / evaluation.METRICS).read_text())["validation"]
    assert best["val_loss"] == pytest.approx(scores["log_loss"], abs=1e-5)


def at(run, epoch):
    """The model of a run as it was after an epoch."""
    run.model.load_weights(run.folder / epochs.CHECKPOINTS / epochs.CHECKPOINT.format(epoch))
    return run.model


def test_the_recipe_gives_defaults_that_options_and_scripts_overrule(tmp_path):
    strong = arguments(tmp_path, "--recipe=strong", "--freq_shift=0")
    assert strong.freq_shift == 0 and strong.chunks == RECIPES["strong"]["chunks"] and strong.schedule == "cosine"
    plain = arguments(tmp_path)
    assert (plain.chunks, plain.freq_shift, plain.schedule) == (1, 0, "constant")
    parser = parser_of(time_model.build_model, {"recipe": "strong", "learning_rate": 0.5})
    assert parser.parse_args([]).chunks == 3 and parser.parse_args([]).learning_rate == 0.5
    assert parser.parse_args(["--recipe=plain"]).chunks == 1


def test_run_json_names_only_what_is_not_off(tmp_path):
    plain = json.loads((train(tmp_path, "--epochs=1") / runs.RUN).read_text())["training"]
    assert not {"mixup", "chunks", "schedule", "ema"} & set(plain)
    strong = json.loads((train(tmp_path, "--epochs=1", "--recipe=strong", "--run_name=s") / runs.RUN).read_text())
    expected = {name: RECIPES["strong"][name] for name in ("freq_shift", "chunks", "schedule")}
    assert expected.items() <= strong["training"].items()


def test_what_is_per_track_goes_with_each_chunk(tmp_path):
    """Statistics and names beside pictures, cut into chunks."""
    shapes = {"statistics": (7,), "mel": (12, 10, 1), "artist": (1,)}
    core = build("metadata_fusion_model", shapes, 3)
    core.name = "metadata_fusion_model"
    whole = {"statistics": (7,), "mel": (12, 20, 1), "artist": (1,)}
    network = networks.of_pictures(core, None, [[]] * 3, 0, False, Augmentation(10), list(whole.values()))
    rng = np.random.default_rng(0)
    x = [np.zeros((2, 1), np.float32) if n == "artist" else rng.normal(size=(2, *s)) for n, s in whole.items()]
    halves = [[part[:, :, at : at + 10] if part.ndim == 4 else part for part in x] for at in (0, 10)]
    of_halves = [keras.ops.softmax(runs.predict(core, half)) for half in halves]
    np.testing.assert_allclose(runs.predict(network.whole, x), np.mean(of_halves, axis=0), atol=1e-5)


def test_tags_train_with_the_strong_recipe_and_mixtures_but_not_with_smoothed_labels(tmp_path):
    run = train(tmp_path, "--recipe=strong", "--mixup=0.3", "--multi_label", "--epochs=2")
    row = epochs.read_history(run)[-1]
    assert 0.3 < row["roc_auc"] <= 1  # of the tags that are more than half of a mixture
    with pytest.raises(CallError, match="with --multi_label leave it at 0"):
        options.check(arguments(tmp_path, "--multi_label", "--label_smoothing=0.1"))


def test_small_mixtures_are_small():
    x = tf.constant(np.arange(4000, dtype=np.float32).reshape(-1, 1, 1, 1))
    for alpha, expected in ((0.3, 0.43), (0.05, 0.1), (0.01, 0.02)):
        _, y = Augmentation(mixup=alpha)(x, labels(4000, 4000), SEED)
        lesser = np.sort(y.numpy(), axis=1)[:, -2]
        assert (lesser > 0.1).mean() == pytest.approx(expected, abs=0.03)  # of Beta's distribution


def test_chunks_of_inputs_of_several_lengths_are_refused_in_one_line(tmp_path):
    write_pictures(tmp_path / "images" / "mel", counts=[("train", 4), ("validation", 2)], shape=(12, 20))
    write_pictures(tmp_path / "images" / "cqt", counts=[("train", 4), ("validation", 2)], shape=(12, 30))
    paths = (f"--images_path={tmp_path / 'images'}", f"--models={tmp_path / 'models'}")
    error = one_line_error("fusion_model.py", *paths, "--features=mel+cqt", "--recipe=strong", code=2)
    assert "--chunks needs pictures of one length" in error and not (tmp_path / "models").exists()
