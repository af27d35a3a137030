from genre import features, images
from genre.command_line import CallError, DataError
from genre.features import FEATURES, Recipe

import librosa
import numpy as np
import pytest
from conftest import sine

SR = 22050


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_fills_its_scale_and_nothing_else(feature):
    recipe = Recipe.of(feature, seconds=2.0)
    spectrogram = features.compute(np.random.default_rng(0).normal(0, 0.1, 2 * SR).astype(np.float32), recipe)
    assert spectrogram.dtype == np.float32
    assert spectrogram.shape[1] == 1 + 2 * SR // recipe.transform["hop_length"]
    assert np.isfinite(spectrogram).all()
    assert recipe.low <= spectrogram.min() <= spectrogram.max() <= recipe.high


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_survives_silence(feature):
    picture = images.render(np.zeros(SR, np.float32), Recipe.of(feature, seconds=1.0))
    assert picture.min() == picture.max()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_louder_song_has_the_same_picture(feature):
    samples = np.random.default_rng(0).normal(0, 0.1, SR).astype(np.float32)
    recipe = Recipe.of(feature, seconds=1.0)
    difference = images.render(samples, recipe).astype(int) - images.render(samples * 0.01, recipe)
    assert np.abs(difference).max() <= 1


def test_mel_is_librosas_within_half_a_grey_level():
    samples = np.random.default_rng(0).normal(0, 0.1, 5 * SR).astype(np.float32) * np.linspace(
        0, 1, 5 * SR, dtype=np.float32
    )
    theirs = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=SR), ref=np.max, top_db=80)
    ours = features.compute(samples, Recipe.of("mel", seconds=5.0))
    assert np.abs(ours - theirs).max() < 0.5 * 80 / 255


def test_chroma_stft_is_librosas_within_half_a_grey_level():
    samples = sine(440, 3.0, SR) + sine(660, 3.0, SR)
    theirs = librosa.feature.chroma_stft(y=samples, sr=SR)
    ours = features.compute(samples, Recipe.of("chroma_stft", seconds=3.0))
    assert np.abs(ours - theirs).max() < 0.5 / 255


def test_a_440_hz_sine_peaks_at_chroma_a_and_at_the_mel_band_of_440_hz():
    samples = sine(440, 1.0, SR)
    chroma = features.compute(samples, Recipe.of("chroma_stft", seconds=1.0))
    assert chroma.mean(axis=1).argmax() == 9  # C is 0, A is 9
    mel = features.compute(samples, Recipe.of("mel", seconds=1.0))
    bands = librosa.mel_frequencies(130, fmin=0, fmax=SR / 2)[1:-1]  # centres of the 128 bands
    assert mel[:, mel.shape[1] // 2].argmax() == np.abs(bands - 440).argmin()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_recipe_comes_back_from_json_as_it_was(feature):
    recipe = Recipe.of(feature, sr=16000, seconds=3.0, hop_length=256)
    assert Recipe.from_json(recipe.to_json(), "here") == recipe


def test_a_wrong_recipe_is_refused_with_what_there_is():
    with pytest.raises(CallError, match="no feature 'mels'; there are mel"):
        Recipe.of("mels")
    with pytest.raises(CallError, match="chroma_stft has no parameter n_mels"):
        Recipe.of("chroma_stft", n_mels=40)
    with pytest.raises(CallError, match="shorter than one frame"):
        Recipe.of("mel", seconds=0.01)
    with pytest.raises(DataError, match="recipe.json is not a recipe"):
        Recipe.from_json('{"feature": "mel"}', "recipe.json")


def test_differences_between_recipes_are_named():
    assert (
        Recipe.of("mel").differences(Recipe.of("mel", n_mels=40, seconds=10))
        == "n_mels 128 against 40, seconds 30.0 against 10.0"
    )
    assert Recipe.of("mel").differences(Recipe.of("mel")) == ""
