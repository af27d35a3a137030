import shutil
import socket
import subprocess
import sys

import genre.whisper
from genre import images, index
from genre.backend import keras
from genre.command_line import CallError
from genre.features import compute
from genre.recipe import Recipe
from genre.whisper import encode

import joblib
import numpy as np
import pytest
from conftest import ROOT, call, one_line_error, write_songs

FRAMES = 200  # of the tiny encoder: 2 s
WIDTH = 12


def save(folder, num_mels=80):
    """Save a tiny Whisper with random weights. Returns it."""
    import keras_hub

    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.WhisperBackbone(
        vocabulary_size=10,
        num_layers=2,
        num_heads=2,
        hidden_dim=WIDTH,
        intermediate_dim=24,
        num_mels=num_mels,
        max_encoder_sequence_length=FRAMES,
        max_decoder_sequence_length=6,
    )
    for weight in backbone.weights:  # else the random ones are too small, and the biases zero, to tell layers apart
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.3, seed=1))
    backbone.save_to_preset(str(folder))
    return backbone


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("whisper")


@pytest.fixture(scope="module")
def backbone(folder):
    return save(folder)


@pytest.fixture
def weights(folder, backbone):
    return str(folder)


@pytest.fixture(autouse=True)
def nothing_loaded():
    genre.whisper._load.cache_clear()


def log_mel(frames=FRAMES, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 1.5, (80, frames)).astype(np.float32)


def call_error(weights, frames=FRAMES):
    """The message of the CallError that `encode` must raise: one line."""
    with pytest.raises(CallError) as caught:
        encode(log_mel(frames), weights)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("frames", [FRAMES, 101, 2, 1])
def test_there_is_one_column_for_two_frames(weights, frames):
    output = encode(log_mel(frames), weights)
    assert output.shape == (WIDTH, (frames + 1) // 2)
    assert output.dtype == np.float32
    assert np.isfinite(output).all()


def test_the_output_is_that_of_the_whole_backbone(weights, backbone):
    features = log_mel()
    tokens = np.ones((1, 6), dtype=np.int32)
    inputs = {"encoder_features": features.T[None], "decoder_token_ids": tokens, "decoder_padding_mask": tokens}
    expected = backbone(inputs, training=False)["encoder_sequence_output"][0]
    np.testing.assert_allclose(encode(features, weights).T, expected, atol=1e-4)


def test_the_decoder_is_not_run(weights):
    encoder, _ = genre.whisper._load(weights)
    assert not [layer.name for layer in encoder.layers if "decoder" in layer.name]


def test_two_loads_give_the_same_values(weights):
    first = encode(log_mel(), weights)
    genre.whisper._load.cache_clear()
    np.testing.assert_array_equal(encode(log_mel(), weights), first)


def test_the_encoder_is_loaded_once_by_threads_too(weights):
    joblib.Parallel(3, prefer="threads")(joblib.delayed(encode)(log_mel(seed=seed), weights) for seed in range(3))
    assert genre.whisper._load.cache_info().misses == 1


@pytest.mark.parametrize("amplitude", [0.5, 1e-4, 0.0])
def test_a_short_piece_is_followed_by_silence_as_in_whisper(weights, amplitude):
    """KerasHub's own features of 1 s of noise, which it pads to 2 s with zeros before it takes the logarithm."""
    from keras_hub.layers import WhisperAudioConverter

    noise = np.random.default_rng(0).uniform(-amplitude, amplitude, 16000).astype(np.float32)
    padded = np.asarray(WhisperAudioConverter(max_audio_length=2)(noise)).T
    assert padded.shape == (80, FRAMES)
    heard = 102  # frames with at least one sample of the noise
    np.testing.assert_allclose(padded[:, heard:], genre.whisper._silence(padded[:, :heard]), atol=1e-5)
    np.testing.assert_allclose(encode(padded[:, :heard], weights), encode(padded, weights)[:, : heard // 2], atol=1e-4)


def test_more_frames_than_the_encoder_takes_are_refused(weights):
    assert f"takes {FRAMES} frames, not {FRAMES + 1}" in call_error(weights, FRAMES + 1)


def test_an_encoder_of_other_bands_is_refused(tmp_path):
    save(tmp_path, num_mels=128)
    assert "128 mel bands, not 80" in call_error(str(tmp_path))


def test_a_folder_that_is_no_preset_is_refused(tmp_path):
    assert "save_to_preset" in call_error(str(tmp_path))


@pytest.mark.parametrize(
    "name, text",
    [
        ("config.json", "{"),
        ("config.json", '{"registered_name": "keras_hub>WhisperBackbone"}'),
        ("config.json", '{"registered_name": "keras_hub>BertBackbone", "config": {}}'),
        ("config.json", '{"model_type": "whisper"}'),  # of Hugging Face
        ("model.weights.h5", "damaged"),
        ("model.weights.h5", None),
    ],
)
def test_a_damaged_preset_is_refused(tmp_path, name, text):
    save(tmp_path)
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert "save_to_preset" in call_error(str(tmp_path))


@pytest.mark.parametrize("name", ["whisper_gigantic", "missing/folder", "bert_base_en", "hf://openai/whisper-tiny", ""])
def test_an_unknown_preset_is_refused_with_the_known_ones(name):
    assert "whisper_tiny_multi" in call_error(name)


def test_a_folder_comes_before_a_preset_of_the_same_name(tmp_path, monkeypatch):
    save(tmp_path / "whisper_tiny_multi")
    monkeypatch.chdir(tmp_path)
    assert encode(log_mel(), "whisper_tiny_multi").shape == (WIDTH, FRAMES // 2)


def test_offline_it_says_how_to_bring_the_weights(monkeypatch, tmp_path):
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "KAGGLE_API_ENVIRONMENT"):
            monkeypatch.delenv(name, raising=False)
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
        message = call_error("whisper_tiny_multi")
    assert 'from_preset("whisper_tiny_multi").save_to_preset("FOLDER")' in message
    assert "--whisper_weights=FOLDER" in message


def test_what_the_system_says_of_the_disk_is_not_taken_for_the_network(monkeypatch):
    import keras_hub

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras_hub.models.WhisperBackbone, "from_preset", full)
    with pytest.raises(OSError, match="No space left"):
        encode(log_mel(), "whisper_tiny_multi")


def test_without_kerashub_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    assert "pip install -r requirements-optional.txt" in call_error("whisper_tiny_multi")


def test_the_feature_is_the_encoder_of_whispers_own_mel(weights):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * 16000).astype(np.float32)
    log_mel = compute(noise, Recipe.of("whisper_mel", seconds=2.0))
    picture = compute(noise, Recipe.of("whisper", seconds=2.0, whisper_weights=weights))
    np.testing.assert_array_equal(picture, encode(log_mel, weights))


def test_pictures_of_it_are_made_beside_others_of_another_rate_and_train(weights, tmp_path):
    write_songs(tmp_path / "genres", ("high", "low"), tracks=4, seconds=2.0)
    options = (f"--data={tmp_path}", "--seconds=2", "--workers=1", f"--whisper_weights={weights}")
    call("create_spectrograms.py", "--features=whisper,mel", "--n_mels=16", *options)
    assert images.read(tmp_path / "dataset" / "whisper" / "low" / "low.00000.png").shape == (WIDTH, 100, 1)
    assert index.read_recipe(tmp_path / "dataset" / "whisper").sr == 16000
    assert index.read_recipe(tmp_path / "dataset" / "mel").sr == 22050
    call("split_dataset.py", f"--data={tmp_path}", "--fractions=0.5,0.25,0.25")
    models = tmp_path / "models"
    call("time_model.py", "--features=whisper", f"--data={tmp_path}", f"--models={models}", "--epochs=1")
    done = call(
        "predict.py", tmp_path / "genres" / "low" / "low.00000.wav", f"--run={models / 'time_model' / 'whisper'}"
    )
    assert "low.00000.wav" in done.stdout


def test_other_weights_in_the_same_folder_are_not_taken_for_the_recipes(folder, weights, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    recipe = Recipe.of("whisper", whisper_weights=str(copy))
    assert Recipe.of("whisper", whisper_weights=f"{copy}/.") == recipe
    assert Recipe.of("whisper", **recipe.transform) == recipe
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    compute(noise, recipe)
    genre.whisper._load.cache_clear()
    (copy / "model.weights.h5").write_bytes(b"others")
    assert Recipe.of("whisper", whisper_weights=str(copy)) != recipe
    with pytest.raises(CallError, match="others are there, or none: put them back"):
        compute(noise, recipe)


def test_without_weights_nothing_is_written_and_one_line_says_what_to_do(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    options = (f"--data={tmp_path}", "--features=whisper", f"--whisper_weights={tmp_path / 'nowhere'}")
    assert "expected a folder or one of" in one_line_error("create_spectrograms.py", *options, code=2)
    assert not (tmp_path / "dataset").exists()


def test_the_module_is_light():
    code = "import sys, genre.whisper; assert not {'keras', 'keras_hub', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
