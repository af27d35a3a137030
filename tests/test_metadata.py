"""Spectrogram, statistics, artist and album together: joined by track, unknown names, what the names were worth."""

import csv
import json
from types import SimpleNamespace

from genre import inputs, metadata, runs, training
from genre.backend import keras
from genre.index import Row
from genre.layers import Forget

import numpy as np
import pytest
from conftest import QUICK, call, train, write_songs

pytestmark = [pytest.mark.usefixtures("eager"), pytest.mark.filterwarnings("ignore:Even though")]
FEATURES = "mel+statistics+artist+album"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Songs by artists that each have one genre, listed twice: artists kept apart, and not."""
    data = tmp_path_factory.mktemp("songs")
    write_songs(data / "music", tracks=6, seconds=1.5)
    splits = {"apart": "train train train train validation validation", "torn": "train validation " * 3}
    for name, subsets in splits.items():
        lines = [["path", "genre", "artist", "album", "subset"]]
        for genre in ("high", "low", "noise"):
            for track, subset in enumerate(subsets.split()):
                artist = f"{genre.title()}  {track // 2}"
                lines.append([f"music/{genre}/{genre}.{track:05d}.wav", genre, artist, f"{artist} live", subset])
        with open(data / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows(lines)
    for name in splits:
        common = (f"--dataset={data / name}.csv", f"--data={data / name}", f"--audio_files_path={data}", "--workers=1")
        call("create_spectrograms.py", *common, *QUICK[:-1])
        call("create_statistics.py", *common)
        call("split_dataset.py", f"--data={data / name}")
    return data


def fuse(monkeypatch, data, name, *options):
    models = data / name / "models"
    common = (f"--data={data / name}", f"--models={models}", "--epochs=2", "--learning_rate=0.01", "--batch_size=6")
    assert train(monkeypatch, "metadata_fusion_model", *common, *options) == 0
    return models / "metadata_fusion_model"


def test_what_names_were_worth_is_said_and_is_nothing_where_artists_are_kept_apart(data, monkeypatch, capsys):
    apart = runs.read(fuse(monkeypatch, data, "apart") / FEATURES)
    shown = capsys.readouterr().out
    assert "train has an artist or album of 0 of 6 validation tracks" in shown and "worth +0.0 points" in shown
    assert apart.info["names"] == {"known": 0.0, "worth": 0.0}
    torn = runs.read(fuse(monkeypatch, data, "torn", "--forgotten=0.1") / FEATURES)
    assert torn.info["names"]["known"] == 1.0
    assert "train has an artist or album of 9 of 9 validation tracks" in capsys.readouterr().out
    assert [taken["feature"] for taken in torn.info["inputs"]] == FEATURES.split("+")
    artists = sorted(f"{genre} {number}" for genre in ("high", "low", "noise") for number in range(3))
    assert torn.info["inputs"][2]["vocabulary"] == artists


def test_what_names_are_worth_is_the_accuracy_that_goes_without_them(monkeypatch):
    x = [np.zeros((4, 2)), metadata.one_hot(["b", "a", "nobody", "b"], ["a", "b"])]
    part = inputs.Pictures(x, np.array([1, 0, 0, 1]), [Row("", track, ("g",)) for track in "wxyz"])
    monkeypatch.setattr(runs, "predict", lambda network, x: np.eye(2)[x[1][:, 2]])  # class 1 for the name b alone
    found = training._worth_of_names(SimpleNamespace(multi_label=False), None, part, [1])
    assert found == {"known": 0.75, "worth": 0.5}


def test_a_song_is_predicted_by_all_branches_and_its_own_tags(data, monkeypatch):
    folder = fuse(monkeypatch, data, "torn", "--run_name=song", "--forgotten=0") / FEATURES / "song"
    song = data / "music" / "low" / "low.00001.wav"
    out = data / "genres.csv"
    call("predict.py", song, f"--run={folder}", f"--csv={out}")
    with open(out, newline="") as file:
        (row,) = csv.DictReader(file)
    run = runs.read(folder)
    monkeypatch.setattr(metadata.music, "read_names", lambda path: ("low 0", "low 0 live"))
    with_tags = run.label(song).probabilities
    monkeypatch.undo()
    without = run.label(song).probabilities
    np.testing.assert_allclose(without, [float(row[name]) for name in run.classes], atol=1e-5)  # the file has no tags
    assert np.abs(with_tags - without).max() > 1e-4
    with open(folder / "predictions.csv", newline="") as file:
        expected = next(r for r in csv.DictReader(file) if r["track"].endswith("low.00001"))
    np.testing.assert_allclose(with_tags, [float(expected[name]) for name in run.classes], atol=1e-3)


def test_fewer_branches_train_and_none_of_pictures_is_refused(data, monkeypatch, capsys):
    folder = fuse(monkeypatch, data, "apart", "--features=mel+statistics")
    assert "names" not in json.loads((folder / "mel+statistics" / "run.json").read_text())
    options = (f"--data={data / 'apart'}", "--features=artist+statistics")
    assert train(monkeypatch, "metadata_fusion_model", *options) == 2
    assert "has no pictures; add a feature, such as mel" in capsys.readouterr().err


def test_a_name_that_train_lacks_is_the_unknown_one():
    x = metadata.one_hot(["B", "", "z", "a"], ["a", "b"])
    assert x.tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert metadata.unknown(x).tolist() == [[1, 0, 0]] * 4


def test_a_share_of_names_is_forgotten_in_training_only():
    x = np.tile(np.float32([[0, 0, 1]]), (2000, 1))
    layer = Forget(0.3, seed=0)
    np.testing.assert_array_equal(layer(x, training=False), x)
    shown = keras.ops.convert_to_numpy(layer(x, training=True))
    assert np.unique(shown, axis=0).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert shown[:, 0].mean() == pytest.approx(0.3, abs=0.04)


def test_statistics_are_joined_to_every_piece_of_their_track():
    part = inputs.Pictures(np.float32([[1], [2]]), np.array([0, 1]), [Row("", "x", ("a",)), Row("", "y", ("b",))])
    rows = [Row("", track, ("a",), start=start) for track, start in (("y", 0), ("x", 0), ("y", 30))]
    assert inputs.by_track(part, rows).tolist() == [[2], [1], [2]]
    with pytest.raises(inputs.DataError, match="1 tracks with pictures have no statistics, such as z"):
        inputs.by_track(part, [Row("", "z", ("a",))])
