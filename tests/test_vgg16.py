"""Where VGG16's weights come from: a file, a server, here on loopback, or, offline, one line that says what to do."""

import hashlib
import http.server
import threading

from genre import vgg16
from genre.backend import keras
from genre.command_line import CallError

import h5py
import numpy as np
import pytest
from conftest import one_line_error, write_pictures
from keras.src.legacy.saving import legacy_h5_format


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file in the form that Keras publishes, of random weights, and those of its first layer."""
    keras.utils.set_random_seed(5)
    model = keras.applications.VGG16(include_top=False, weights=None)
    path = tmp_path_factory.mktemp("weights") / "vgg16_notop.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path, model.get_layer("block1_conv1").get_weights()[0]


@pytest.fixture
def server(weights, monkeypatch, tmp_path):
    """Serve the weights on loopback, as the address and the hash that are published. Returns the requests."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=weights[0].parent)

        def log_message(self, *arguments):
            requests.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(vgg16, "ADDRESS", f"http://127.0.0.1:{server.server_port}/{weights[0].name}")
    monkeypatch.setattr(vgg16, "MD5", hashlib.md5(weights[0].read_bytes()).hexdigest())
    monkeypatch.setattr(vgg16, "KEPT_IN", tmp_path)
    yield requests
    server.shutdown()
    server.server_close()


def first_kernel(source, trainable_layers=8):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, vgg16.convolutions(inputs, str(source), trainable_layers))
    return model.get_layer("block1_conv1").get_weights()[0]


def test_weights_come_from_a_file(weights):
    path, expected = weights
    np.testing.assert_array_equal(first_kernel(path), expected)
    assert (first_kernel("none") != expected).any()


def test_imagenet_weights_are_fetched_once_and_checked(weights, server, tmp_path):
    for _ in range(2):
        np.testing.assert_array_equal(first_kernel("imagenet"), weights[1])
    assert len(server) == 1
    assert [path.name for path in tmp_path.iterdir()] == [weights[0].name]


def test_a_damaged_download_is_not_kept(weights, server, tmp_path, monkeypatch):
    monkeypatch.setattr(vgg16, "MD5", "0" * 32)
    with pytest.raises(CallError, match="cannot be fetched.*md5 0000"):
        first_kernel("imagenet")
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_one_line_names_the_file_its_size_its_hash_and_its_place(server, monkeypatch):
    monkeypatch.setattr(vgg16, "ADDRESS", "http://127.0.0.1:9/" + vgg16.ADDRESS.rpartition("/")[2])
    with pytest.raises(CallError) as error:
        first_kernel("imagenet")
    for part in (vgg16.ADDRESS, "58,889,256 bytes", vgg16.MD5, str(vgg16.KEPT_IN), "--weights=none"):
        assert part in str(error.value)


def test_files_that_do_not_fit_are_one_line(tmp_path, weights):
    write_pictures(tmp_path / "images" / "mel")
    (tmp_path / "damaged.h5").write_bytes(weights[0].read_bytes()[:5000])
    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, keras.layers.Conv2D(3, 3)(inputs)).save_weights(tmp_path / "other.weights.h5")
    for name, message in (
        ("damaged.h5", "does not hold VGG16"),
        ("other.weights.h5", "does not hold VGG16"),
        ("missing.h5", "no file"),
    ):
        options = (f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", f"--weights={tmp_path / name}")
        assert message in one_line_error("vgg16_model.py", *options, code=2)
    options = (f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--weights=none")
    assert "from 0 to 19, not 20" in one_line_error("vgg16_model.py", *options, "--trainable_layers=20", code=2)


def test_grey_colour_and_stacked_pictures_reach_vgg16_as_its_own_preprocessing_makes_them():
    import vgg16_model

    x = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 1)).astype(np.float32)
    grey, colour = (
        vgg16_model.build_model((40, 50, channels), 2, weights="none", units=(), trainable_layers=0)
        for channels in (1, 3)
    )
    colour.set_weights(grey.get_weights())
    np.testing.assert_allclose(grey(x), colour(np.repeat(x, 3, axis=-1)), atol=1e-4)
    before = keras.Model(grey.input, grey.get_layer("block1_conv1").input)
    expected = keras.applications.vgg16.preprocess_input(np.repeat(x, 3, axis=-1).copy())
    np.testing.assert_allclose(before(x), expected, atol=1e-4)
    mixed = vgg16_model.build_model((40, 50, 2), 2, weights="none", units=(), trainable_layers=0)
    assert mixed.get_layer("mix").trainable_weights
