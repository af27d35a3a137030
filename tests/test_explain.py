"""What a run looks at: of every architecture, of networks whose answer is known, and a refusal of what has no map."""

import itertools
import json
import shutil
from types import SimpleNamespace

import explain
import time_frequency_model
from genre import audio, explanation, exports, features, images, networks, runs, song_plots
from genre.augmentation import Augmentation
from genre.backend import keras
from genre.command_line import CallError
from genre.recipe import Recipe

import numpy as np
import pytest
import soundfile
from conftest import ON_PICTURES, SR, call, one_line_error, sine
from keras import layers
from test_architectures import build

SHAPE = (24, 64, 1)


@pytest.fixture(autouse=True)
def memory():
    """What a test built, freed after it."""
    keras.utils.set_random_seed(0)
    yield
    keras.backend.clear_session()


def of_core(core, name="a_model", multi_label=False):
    """A run of a network, without a folder."""
    core.name = name
    levels = [([100.0] * x.shape[-1], [900.0] * x.shape[-1]) for x in core.inputs]
    whole = networks.of_pictures(core, levels, [[]] * len(core.inputs), 0, multi_label).whole
    return SimpleNamespace(model=whole, info={"script": name}, folder="models/a")


def noise(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (1, *shape)).astype(np.uint8)


@pytest.mark.parametrize("name", ON_PICTURES)
def test_every_architecture_with_convolutions_has_maps_and_filters(name):
    run = of_core(build(name, SHAPE, 3), name)
    convolutions = [layer for layer in run.model.get_layer(name).layers if "conv" in type(layer).__name__.lower()]
    if not convolutions:
        with pytest.raises(CallError, match="models/a has no convolution .*, so there is no map; name a run that has"):
            explanation.grad_cam(run, [noise(SHAPE)], [0])
        return
    maps, _ = explanation.grad_cam(run, [noise(SHAPE)], [2, 0])
    for found in maps:
        assert found.evidence.shape[0] == 2 and np.isfinite(found.evidence).all() and found.evidence.min() >= 0
        assert found.evidence.shape[2] >= 4, found.name  # it says when
        for grid, cells, whole in zip((found.bins, found.frames), found.evidence.shape[1:], SHAPE, strict=False):
            first, last = grid.first, grid.first + (cells - 1) * grid.step
            assert -2 <= first <= last <= whole + 2, found.name  # with padding, a little outside
    for found in explanation.filters(run):
        assert found.weights.shape[1] == 1 and found.bins <= 24 and found.frames <= 64
        (kernel,) = [of.get_weights()[0] for of in convolutions if of.name == found.name]
        assert len(found.weights) == kernel.shape[-1]
        of_filters = kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)  # however they are turned into pictures
        np.testing.assert_allclose(found.weights.sum(axis=(1, 2, 3)), of_filters, atol=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_network_that_looks_at_one_corner_is_seen_to(multi_label):
    """Everything but the highest bins at the end is lost before the last convolution; the picture is noise."""
    mask = np.zeros((16, 24, 1), np.float32)
    mask[:6, 16:] = 1
    inputs = keras.Input((16, 24, 1))
    x = layers.Conv2D(2, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(layers.Rescaling(mask)(x))
    x = layers.Conv2D(3, (1, 3), use_bias=False, activation="relu", kernel_initializer="ones")(x)
    core = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(layers.GlobalAveragePooling2D()(x)))
    (found,), more = explanation.grad_cam(of_core(core, multi_label=multi_label), [noise((16, 24, 1))], [1])
    assert not more and found.evidence.shape == (1, 8, 10)
    assert (found.bins, found.frames) == ((2, 0.5), (2, 2.5))
    in_corner = np.outer(found.bins.first + np.arange(8) * 2 < 6, found.frames.first + np.arange(10) * 2 >= 16)
    evidence = found.evidence[0]
    assert evidence[in_corner].min() > 0
    assert evidence[in_corner].mean() > 5 * evidence[~in_corner].mean()
    assert not evidence[3:].any() and not evidence[:, :6].any()  # cells that see nothing of the corner


@pytest.mark.parametrize("frame", [0, 17, 33, 41, 63])
def test_maps_of_chunks_lie_side_by_side(frame):
    """A bright spot is where it is in the whole picture, whichever chunks it falls into."""
    inputs = keras.Input((16, 20, 1))
    x = layers.Conv2D(1, 3, 2, padding="same", kernel_initializer="ones")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    core = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x), name="a")
    chunked = Augmentation(chunk_frames=20)
    whole = networks.of_pictures(core, None, [[]], 0, augment=chunked, shapes=[(16, 64, 1)]).whole
    run = SimpleNamespace(model=whole, info={"script": "a", "inputs": [{"input_shape": [16, 64, 1]}]}, folder="a")
    picture = np.zeros((1, 16, 64, 1), np.uint8)
    picture[0, 8, frame] = 200
    (found,), past = explanation.grad_cam(run, [picture], [0])
    assert found.evidence.shape == (1, 16 // 2, 32) and not past
    _, column = np.unravel_index(found.evidence[0].argmax(), found.evidence[0].shape)
    assert abs(found.frames.first + column * found.frames.step - frame) <= 2


def test_before_a_global_average_it_is_the_dense_weights_times_the_maps():
    inputs = keras.Input((6, 8, 1))
    maps = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    dense = layers.Dense(3)
    core = keras.Model(inputs, dense(layers.GlobalAveragePooling2D()(maps)))
    run = of_core(core)
    (found,), _ = explanation.grad_cam(run, [noise((6, 8, 1))], [0, 2])
    seen = keras.Model(inputs, maps)((noise((6, 8, 1)) - 100.0) / 30.0).numpy()[0]
    for evidence, number in zip(found.evidence, (0, 2), strict=True):
        expected = np.maximum(seen @ dense.get_weights()[0][:, number], 0) / 48
        np.testing.assert_allclose(evidence, expected, atol=1e-5)


def convolved(x, *sizes, **options):
    for size in sizes:
        x = layers.Conv2D(2, size, **options)(x)
    return x


PLACES = {  # layers on (16, 24, 1), and step and first of the bins, of the frames: cell n is around first + n * step
    "valid": (lambda x: convolved(x, (1, 5)), (1, 0), (1, 2)),
    "same": (lambda x: convolved(x, 3, 3, padding="same"), (1, 0), (1, 0)),
    "strided": (lambda x: convolved(x, (1, 3), (1, 3), strides=(1, 2)), (1, 0), (4, 3)),
    "dilated": (lambda x: convolved(x, 3, dilation_rate=(1, 4)), (1, 1), (1, 4)),
    "pooled": (lambda x: convolved(layers.AveragePooling2D((2, 4))(x), 3, padding="same"), (2, 0.5), (4, 1.5)),
    "padded": (lambda x: convolved(layers.ZeroPadding2D((0, 2))(x), (1, 3)), (1, 0), (1, -1)),
    "resized": (lambda x: convolved(layers.Resizing(32, 48)(x), 3, padding="same"), (0.5, -0.25), (0.5, -0.25)),
    "along time": (
        lambda x: layers.Conv1D(2, 3, padding="causal")(layers.Reshape((24, 16))(layers.Permute((2, 1, 3))(x))),
        (16, 7.5),
        (1, -1),
    ),
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_cell_of_a_map_is_drawn_where_it_looks(kind):
    built, bins, frames = PLACES[kind]
    inputs = keras.Input((16, 24, 1))
    core = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(built(inputs))))
    (found,), _ = explanation.grad_cam(of_core(core), [noise((16, 24, 1))], [0])
    assert (found.bins, found.frames) == (bins, frames)
    assert explanation.Grid(2, 2.5).ends(10) == (2, 22)


def test_maps_too_coarse_to_say_where_are_passed_over_and_what_goes_past_is_told():
    inputs = keras.Input((16, 24, 1))
    x = layers.MaxPooling2D((8, 2))(convolved(inputs, 3, padding="same"))
    x = layers.ReLU()(layers.BatchNormalization()(convolved(x, 3, padding="same")))  # (2, 12)
    for joined, expected in (((x,), False), ((x, inputs), True)):
        flat = [layers.Flatten()(each) for each in joined]
        core = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(flat) if len(flat) > 1 else flat[0]))
        (found,), more = explanation.grad_cam(of_core(core), [noise((16, 24, 1))], [0])
        assert found.name.startswith("convolution 1 of 2 (") and found.name.endswith("), 16 x 24 cells")
        assert more == expected


def test_filters_of_several_channels_of_copies_and_along_time_are_pictures():
    inputs = keras.Input((5, 7, 2))
    first = layers.Conv2D(3, (2, 3), name="first")
    core = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(first(inputs))))
    (found,) = explanation.filters(of_core(core))
    np.testing.assert_array_equal(found.weights, first.get_weights()[0].transpose(3, 2, 0, 1))
    assert (found.bins, found.frames, found.name) == (2, 3, "first")
    inputs = keras.Input((5, 7, 1))
    copies = layers.Conv2D(3, 3)
    core = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(copies(layers.Concatenate()([inputs] * 3)))))
    (found,) = explanation.filters(of_core(core))
    np.testing.assert_allclose(found.weights[:, 0], copies.get_weights()[0].sum(axis=2).transpose(2, 0, 1), rtol=1e-6)
    inputs = keras.Input((5, 7, 2))
    along = layers.Conv1D(3, 2, dilation_rate=3)
    x = layers.Reshape((7, 10))(layers.Permute((2, 1, 3))(inputs))
    core = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(along(x))))
    (found,) = explanation.filters(of_core(core))
    assert (found.weights.shape, found.bins, found.frames) == ((3, 2, 5, 2), 5, 4)
    assert found.weights[2, 1, 4, 0] == along.get_weights()[0][0, 4 * 2 + 1, 2]  # frame 0, bin 4, channel 1, filter 2


@pytest.mark.parametrize("feature", ["stft", "chroma_stft"])
def test_no_label_of_a_map_overlaps_another_and_hertz_stand_where_they_are(tmp_path, figures, feature):
    recipe = Recipe.of(feature)
    picture = noise((128, 40, 1))[0, ..., 0]
    hertz = features.frequencies(recipe, 128)
    maps = [np.eye(8), np.zeros((8, 8))]
    seen = [
        song_plots.Seen(feature, picture, (-80, 0, recipe.unit), hertz, maps, (12, 14, 20, 128), "convolution 1")
    ] * 2
    song_plots.evidence(seen, ["$a$ 50.0 %", "x" * 40], 12.0, 3.0, "title", tmp_path / "a.png")
    panels = [axes for axes in figures[0].axes if axes.get_label() != "<colorbar>"]
    assert len(panels) == 6
    page = figures[0].bbox
    for axes in panels:
        boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert len(boxes) >= 4 and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        titles = [text.get_window_extent() for text in (axes.title, axes._left_title) if text.get_text()]
        assert all(page.x0 <= box.x0 < box.x1 <= page.x1 for box in (*boxes, *titles))
        assert axes.get_xlim() == (12, 15)
    said = [axes._left_title.get_text() for axes in panels]
    assert [text.endswith(": nothing speaks for it") for text in said] == [False] * 4 + [True] * 2
    if hertz is not None:
        numbers = {"k": 1000.0, "": 1.0}
        for tick, label in zip(panels[0].get_yticks(), panels[0].get_yticklabels(), strict=True):
            text = label.get_text()
            value = float(text.rstrip("k")) * numbers["k" * text.endswith("k")]
            assert value == pytest.approx(np.interp(tick - 0.5, np.arange(128), hertz), rel=1e-6)


def test_the_dots_of_a_timeline_are_at_the_likeliest_of_many_genres(tmp_path, figures):
    p = np.zeros((13, 12))
    p[:12] = 0.3 * np.eye(12)[np.minimum(np.arange(12), 1)] + 0.05
    p[2, 2:] = 0.34  # likelier at their peak than what is likeliest elsewhere, and never the likeliest
    p[2, 1] = 0.36
    p[12] = np.nan
    found = runs.Timeline(p, 63.0)
    heard = np.zeros((4, 9), np.uint8), 63.0
    song_plots.timeline(found, 5.0, list("abcdefghijkl"), *heard, "x " * 99, tmp_path / "a.png")
    above = figures[0].axes[0]
    assert above.get_xlim() == (0, 63)
    rows = [label.get_text() for label in above.get_yticklabels()]
    dots = above.lines[0].get_xydata()
    assert len(rows) == song_plots.MOST_ROWS and len(dots) == 12
    assert [rows[int(row)] for _, row in dots] == ["a"] + ["b"] * 11
    title = figures[0]._suptitle.get_window_extent()
    assert figures[0].bbox.x0 <= title.x0 < title.x1 <= figures[0].bbox.x1


def test_a_440_hz_sine_is_brightest_in_the_row_of_440_hz():
    for feature in ("mel", "stft", "cqt", "whisper_mel"):
        recipe = Recipe.of(feature, seconds=3)
        picture = images.render(sine(440, 3, recipe.sr), recipe)
        for bins in (len(picture), len(picture) // 2):
            small = images.resize(picture[..., None], (bins, None))[::-1, :, 0]
            hertz = features.frequencies(recipe, bins)
            assert len(hertz) == bins
            nearest = np.abs(hertz - 440).argmin()
            assert abs(int(small.mean(axis=1).argmax()) - nearest) <= 1, feature


def test_filters_are_drawn_with_a_scale_around_0_and_each_weight_is_there(tmp_path, figures):
    for shape in ((7, 1, 60), (32, 32, 1), (130, 3, 3), (1, 1, 1)):
        weights = np.random.default_rng(0).normal(0.1, 1, shape)
        song_plots.filters({"caption": weights}, "title", tmp_path / "a.png")
        picture = figures[-1].axes[0].images[0]
        low, high = picture.get_clim()
        assert -low == high == np.abs(weights).max()
        drawn = picture.get_array().compressed()
        assert set(np.unique(drawn)) == set(weights.ravel())
        assert figures[-1].get_size_inches()[1] < 12


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """High, then silent, then low, a piece of 1 s each."""
    path = tmp_path_factory.mktemp("songs") / "my song.wav"
    soundfile.write(path, np.concatenate([sine(2000), np.zeros(SR, np.float32), sine(200)]), SR)
    return path


def test_the_script_says_what_the_run_says_and_writes_both_pictures(tmp_path, trained_run, song):
    run = runs.read(trained_run)
    done = call("explain.py", trained_run, song, f"--out={tmp_path / 'new'}")
    said, written = done.stdout.splitlines()
    paths = [tmp_path / "new" / name for name in ("my song.time_model.mel.png", "time_model.mel.filters.png")]
    assert written == f"wrote {paths[0]}, {paths[1]}" and not done.stderr
    whole = run.label(song).probabilities
    surest = run.predict(run.hear(song).x)[:, whole.argmax()].argmax()
    assert f"{run.classes[whole.argmax()]} {100 * whole.max():.1f} %" in said.partition("all 2 pieces: ")[2]
    assert said.startswith(f"{song}, {('0 s to 1 s', '2 s to 3 s')[surest]}: ")
    sizes = [images.read(path).shape for path in paths]
    done = call("explain.py", trained_run, song, f"--out={tmp_path / 'new'}", "--genre=noise", "--at=2.5")
    assert ", 2 s to 3 s: " in done.stdout
    assert images.read(paths[0]).shape[0] < sizes[0][0] and images.read(paths[1]).shape == sizes[1]


def test_a_run_of_tags_with_two_branches_has_a_map_of_each(tmp_path, trained_run, song, figures):
    copy = shutil.copytree(trained_run, tmp_path / "time_frequency_model" / "mel" / "tags")
    info = json.loads((copy / runs.RUN).read_text())
    core = time_frequency_model.build_model(info["inputs"][0]["input_shape"], 3, filter_frames=9)
    core.name = "time_frequency_model"
    networks.of_pictures(core, None, [[]], 0, multi_label=True).whole.save(copy / runs.MODEL)
    (copy / runs.RUN).write_text(json.dumps(info | {"script": core.name, "multi_label": True}))
    done = call("explain.py", copy, song, f"--out={tmp_path}")
    assert (tmp_path / "my song.time_frequency_model.mel.tags.png").is_file(), done.stdout
    maps, filters = figures
    titles = [axes.get_title() for axes in maps.axes]
    assert [title for title in titles if title] == [
        f"mel\nconvolution 1 of 1 ({name}), {cells} cells"
        for name, cells in (("time_filters", "16 x 55"), ("frequency_filters", "1 x 63"))
    ]
    assert "32 filters of 1 bin (" in filters.axes[0].get_title() and "9 frames (0.14 s)" in filters.axes[0].get_title()


def test_pictures_of_songs_of_any_name_are_apart(tmp_path, trained_run, song):
    for name in ("filters", "a very long name " * 14):
        shutil.copy(song, tmp_path / f"{name}.wav")
        call("explain.py", trained_run, tmp_path / f"{name}.wav", f"--out={tmp_path / 'out'}")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 3 and {"filters.time_model.mel.png", "time_model.mel.filters.png"} < set(names)


def test_what_cannot_be_explained_is_refused_in_one_line(tmp_path, trained_run, song):
    def error(run, *options, code=2):
        return one_line_error("explain.py", run, *(options or (song,)), code=code)

    def changed(name, **settings):
        copy = shutil.copytree(trained_run, tmp_path / name)
        info = json.loads((copy / runs.RUN).read_text())
        (copy / runs.RUN).write_text(json.dumps(info | settings))
        return copy, info

    copy, info = changed("estimator")
    (copy / runs.ESTIMATOR).touch()
    assert "ends in a scikit-learn estimator, which has no gradient; name another run" in error(copy)
    assert "is a vote of runs and has no network of its own; name one" in error(changed("vote", members=[info])[0])
    bases = [{"run": "time_model/mel", "weights": ""}, {"run": "fcn_model/mel", "weights": ""}]
    assert "is built on finished runs; explain one of those: time_model/mel, fcn" in error(changed("b", runs=bases)[0])
    of_table = [{"feature": "statistics", "input_shape": [3], "recipes": {}}]
    assert "takes a song as a whole, not a picture of it" in error(changed("statistics", inputs=of_table)[0])
    unknown = [info["inputs"][0] | {"recipes": {"mel": None}}]
    assert "recipe unknown" in error(changed("unknown", inputs=unknown)[0], code=1)
    assert "no run at" in error(tmp_path)
    assert "knows no 'jazz'; it knows high, low, noise" in error(trained_run, song, "--genre=jazz")
    assert "no file" in error(trained_run, tmp_path / "none.wav")
    assert "is silent there, or its last whole piece, to 3 s, is over" in error(trained_run, song, "--at=1.5")
    assert "--at=9: " in error(trained_run, song, "--at=9")
    (tmp_path / "broken.mp3").write_text("no audio")
    assert "broken.mp3 cannot be used: cannot be decoded" in error(trained_run, tmp_path / "broken.mp3", code=1)
    with pytest.raises(CallError, match="is an export, which only labels songs; name the run"):
        explanation.filters(exports.Export(tmp_path / "model.onnx", info))


def test_the_piece_is_the_one_that_speaks_most_for_the_genre(song):
    said = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    heard = runs.Heard([], 4, "", (0.0, 1.0, 2.0, 3.0))
    run = SimpleNamespace(classes=["a", "b"], seconds=1.0, hear=lambda song: heard, predict=lambda x: said)
    for genre, at, expected in ((None, None, (2, [0, 1])), ("b", None, (1, [1])), (None, 1.5, (1, [1, 0]))):
        shown = explain.choose(run, song, genre, at)
        assert (shown.piece, shown.classes) == expected

    def silent(song):
        raise audio.AudioError("silent")

    run.hear = silent
    with pytest.raises(explain.DataError, match="my song.wav cannot be used: silent"):
        explain.choose(run, song, None, None)
