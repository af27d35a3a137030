"""Tables of statistics, from the split to the labels of songs."""

import csv
import dataclasses
import shutil
from pathlib import Path

import create_statistics
import predict
import split_dataset
from genre import index, runs, splits, statistics, tables, training
from genre.command_line import CallError, DataError

import numpy as np
import pytest
from conftest import in_process, main_keywords, train, write_songs, write_statistics
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

QUICK = ("--units=16", "--epochs=20", "--learning_rate=0.01")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with a table that was split."""
    write_statistics(tmp_path / "statistics")
    split(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def models(data):
    return data / "models"


def split(monkeypatch, data, *options):
    other = ("--folds", "--split_file", "--check")
    fractions = [] if any(option.startswith(other) for option in options) else ["--fractions=0.5,0.25,0.25"]
    return in_process(monkeypatch, split_dataset, f"--data={data}", *fractions, *options)


def mlp(monkeypatch, data, *options):
    return train(monkeypatch, "mlp_model", f"--data={data}", f"--models={data / 'models'}", *QUICK, *options)


def subset_of(folder):
    return {row.track: row.file.partition("/")[0] for row in index.read(folder)}


def test_a_table_is_shared_out_track_by_track_and_no_number_changes(data):
    folder = data / "images" / "statistics"
    whole = dict(zip(*statistics.read(data / "statistics" / "features.csv"), strict=True))
    parts = {subset: tables.load(folder, subset, ["a", "b", "c"]) for subset in index.SUBSETS}
    tracks = [row.track for part in parts.values() for row in part.rows]
    assert sorted(tracks) == sorted(whole)
    assert [len(part.y) for part in parts.values()] == [9, 6, 3]
    for part in parts.values():
        assert part.x.dtype == np.float32
        np.testing.assert_array_equal(part.x, [whole[row.track] for row in part.rows])
        assert [row.labels[0] for row in part.rows] == ["abc"[y] for y in part.y]
    assert statistics.read_recipe(folder) == {"feature": "statistics", "origin": "audio"}
    assert not (folder / "features.csv").exists()


def test_beside_pictures_a_table_is_split_as_they_are(split_data, tmp_path, monkeypatch, capsys):
    shutil.copytree(split_data / "dataset", tmp_path / "dataset")
    rows = [row for row in index.read(tmp_path / "dataset" / "mel") if not row.track.endswith("high.00000")]
    write_statistics(tmp_path / "statistics", ("high", "low", "noise"))
    values = [index.Row(row.track, row.track, row.labels, audio_hash=row.audio_hash) for row in rows]
    statistics.write(tmp_path / "statistics" / "features.csv", [row.track for row in rows], np.zeros((17, 518)))
    index.write(tmp_path / "statistics", values)
    split(monkeypatch, tmp_path, "--seed=3")
    assert (
        "warning: statistics has 17 of 18 tracks; create_statistics.py completes it, where" in capsys.readouterr().out
    )
    mel, table = (subset_of(tmp_path / "images" / feature) for feature in ("mel", "statistics"))
    assert table == {track: subset for track, subset in mel.items() if track in table}
    split(monkeypatch, tmp_path, f"--dataset_path={tmp_path / 'dataset'}", f"--images_path={tmp_path / 'mel_only'}")
    assert not (tmp_path / "mel_only" / "statistics").exists()


def test_tracks_of_an_artist_and_equal_audio_stay_together_in_folds_too(tmp_path, monkeypatch, capsys):
    write_statistics(tmp_path / "statistics", tracks=12, artist=lambda label, track: f"{label} {track // 3}")
    rows = index.read(tmp_path / "statistics")
    twin = [row.track for row in rows].index("b/b0")
    rows[twin] = dataclasses.replace(rows[twin], audio_hash="hash of a/a0")
    index.write(tmp_path / "statistics", rows)
    for seed in range(3):
        split(monkeypatch, tmp_path, f"--seed={seed}")
        assert not any(splits.straddling(rows, subset_of(tmp_path / "images" / "statistics")).values())
    split(monkeypatch, tmp_path, "--folds=3")
    tested = []
    for k in range(3):
        found = subset_of(tmp_path / "images" / f"fold{k}" / "statistics")
        assert not any(splits.straddling(rows, found).values())
        tested += [track for track, subset in found.items() if subset == "test"]
    assert sorted(tested) == sorted(row.track for row in rows)
    assert split(monkeypatch, tmp_path, "--check", "--strict") is None
    assert capsys.readouterr().out.count("12 validation, 12 test tracks, 12 artists; in two subsets: artist 0") == 3


def test_a_list_that_tears_an_artist_apart_is_warned_of_in_training(data, monkeypatch, capsys):
    write_statistics(data / "torn" / "statistics", artist=lambda label, track: f"{label} {track // 2}")
    lists = [f"{label}/{label}{i},{index.SUBSETS[i % 3]}" for label in "abc" for i in range(6)]
    (data / "lists.csv").write_text("\n".join(["track,subset", *lists]))
    split(monkeypatch, data / "torn", f"--split_file={data / 'lists.csv'}")
    assert "9 pairs of one artist are put apart" in capsys.readouterr().out
    assert split(monkeypatch, data / "torn", "--check", "--strict") == 1
    assert mlp(monkeypatch, data / "torn") == 0
    assert "warning: 9 pairs of tracks in two subsets share an artist" in capsys.readouterr().out


def test_a_new_split_replaces_the_tables_but_never_what_it_did_not_make(data, monkeypatch):
    before = subset_of(data / "images" / "statistics")
    split(monkeypatch, data, "--seed=1", "--npz")
    assert subset_of(data / "images" / "statistics") != before
    with np.load(data / "images" / "statistics" / "train.npz", allow_pickle=False) as arrays:
        assert arrays["x"].shape == (9, 518) and len(arrays["tracks"]) == 9
    split(monkeypatch, data)
    mine = data / "images" / "statistics" / "train" / "a" / "mine.csv"
    mine.touch()
    with pytest.raises(DataError, match=r"mine\.csv is not from a split"):
        split(monkeypatch, data)
    assert mine.is_file()


def test_columns_come_in_the_order_of_the_table_whatever_order_they_are_named_in(data):
    folder = data / "images"
    assert tables.of_split(folder, ["rmse", "mfcc"]).series == tables.of_split(folder, ["mfcc", "rmse"]).series
    assert tables.of_split(folder, ["mfcc", "rmse"]).shape == (147,)
    assert tables.of_split(folder, []).shape == (518,)
    chosen = [statistics.COLUMNS[i] for i in tables.positions(["zcr"])]
    assert chosen == [("zcr", what, "01") for what in sorted(statistics.STATISTICS)]


def test_a_column_that_never_changes_is_not_divided_by():
    x = np.random.default_rng(0).normal(1000, 0.1, (50, 4)).astype(np.float32)
    x[:, 0], x[:, 1], x[0, 2] = 0.1, 0, 1000.5
    mean, variance = tables.Table.levels(None, x)
    assert variance[:2] == [1, 1]
    scaled = (x - np.array(mean)) / np.sqrt(variance)
    np.testing.assert_allclose(scaled[:, 3].std(), 1, atol=1e-6)
    assert np.abs(scaled[:, :2]).max() < 1e-6


def test_a_network_on_statistics_is_a_run_like_any_other(data, models, monkeypatch, capsys):
    assert mlp(monkeypatch, data, "--columns=mfcc,zcr") == 0
    assert "9 train and 6 validation tracks, 3 classes, 147 statistics" in capsys.readouterr().out
    run = runs.read(models / "mlp_model" / "statistics")
    assert run.name == "mlp_model/statistics"
    assert run.info["inputs"][0]["columns"] == ["mfcc", "zcr"]
    assert run.info["parameters"] == (147 + 1 + 4) * 16 + 17 * 3
    part = tables.load(data / "images" / "statistics", "test", run.classes, ["mfcc", "zcr"])
    with open(run.folder / "predictions.csv", newline="") as file:
        written = {row["track"]: [float(row[c]) for c in run.classes] for row in csv.DictReader(file)}
    np.testing.assert_allclose(run.predict([part.x]), [written[row.track] for row in part.rows], atol=2e-6)
    assert mlp(monkeypatch, data, "--columns=zcr,mfcc") == 0
    assert "is finished already" in capsys.readouterr().out
    assert mlp(monkeypatch, data, "--columns=mfcc") == 2
    assert "has other settings" in capsys.readouterr().err
    (data / "images" / "statistics").rename(data / "gone")
    write_statistics(data / "other" / "statistics")
    split(monkeypatch, data / "other", "--seed=4")
    shutil.move(data / "other" / "images" / "statistics", data / "images" / "statistics")
    assert mlp(monkeypatch, data, "--columns=mfcc,zcr") == 2
    assert "index_fingerprint" in capsys.readouterr().err


def test_it_can_be_built_on_and_started_from(data, models, monkeypatch, capsys):
    assert mlp(monkeypatch, data, "--columns=mfcc") == 0
    run = models / "mlp_model" / "statistics"
    assert mlp(monkeypatch, data, "--columns=mfcc", f"--init_from={run}", "--run_name=more") == 0
    assert "started from" in capsys.readouterr().out
    common = (f"--data={data}", f"--models={models}", "--C=1", "--gamma=0.01")
    assert train(monkeypatch, "vgg16_svm_model", *common, f"--run={run}") == 0
    labelled = runs.read(models / "vgg16_svm_model" / "statistics").predict([np.zeros((2, 140), np.float32)])
    assert labelled.shape == (2, 3)


def test_all_labels_of_a_track_can_be_learned(tmp_path, monkeypatch):
    rows = index.read(write_statistics(tmp_path / "statistics"))
    loud = [dataclasses.replace(row, labels=(*row.labels, "loud")) for row in rows if row.track[-1] in "135"]
    several = [row for row in rows if row.track[-1] not in "135"] + loud
    index.write(tmp_path / "statistics", several)
    split(monkeypatch, tmp_path)
    assert mlp(monkeypatch, tmp_path, "--multi_label") == 0
    run = runs.read(tmp_path / "models" / "mlp_model" / "statistics")
    assert run.classes == ["a", "b", "c", "loud"]
    part = tables.load(tmp_path / "images" / "statistics", "test", run.classes, multi_label=True)
    assert part.y.shape == run.predict([part.x]).shape == (len(part.rows), 4)


def test_an_estimator_on_statistics_needs_no_network(data, models, monkeypatch):
    def build_model(input_shape, num_classes, *, neighbours=(1, 3)):
        """Args: neighbours: how many to try."""
        assert (input_shape, num_classes) == ((140,), 3)
        return GridSearchCV(KNeighborsClassifier(), {"n_neighbors": list(neighbours)})

    options = (f"--data={data}", f"--models={models}", "--columns=mfcc")
    monkeypatch.setattr("sys.argv", ["test_tables.py", *options])
    with pytest.raises(SystemExit) as stopped:
        training.main(build_model, inputs="statistics", estimator=True)
    assert stopped.value.code == 0
    run = runs.read(models / "test_tables" / "statistics")
    assert run.model is None and not (run.folder / "model.keras").exists()
    part = tables.load(data / "images" / "statistics", "test", run.classes, ["mfcc"])
    np.testing.assert_array_equal(run.predict([part.x]).argmax(axis=1), part.y)
    with pytest.raises(CallError, match="has no network to build on"):
        _ = run.embedding


def test_a_run_labels_songs_by_their_statistics(tmp_path, monkeypatch, capsys):
    write_songs(tmp_path / "genres", tracks=4, seconds=1.2)
    in_process(monkeypatch, create_statistics, f"--data={tmp_path}", "--workers=1")
    assert index.read_dataset(tmp_path / "statistics") == {"dataset": "folder"}
    split(monkeypatch, tmp_path)
    assert mlp(monkeypatch, tmp_path, "--columns=mfcc,chroma_stft") == 0
    folder = tmp_path / "models" / "mlp_model" / "statistics"
    (tmp_path / "genres" / "broken.mp3").write_text("no audio")
    capsys.readouterr()
    in_process(monkeypatch, predict, tmp_path / "genres", f"--run={folder}", f"--csv={tmp_path / 'out.csv'}")
    said = capsys.readouterr().out
    assert "mlp_model/statistics: 3 genres, 224 statistics of each song as a whole" in said
    assert "broken.mp3" in said and "not used: cannot be decoded" in said
    with open(folder / "predictions.csv", newline="") as file:
        written = {row["track"]: row for row in csv.DictReader(file)}
    with open(tmp_path / "out.csv", newline="") as file:
        of_songs = {"/".join(Path(row["file"]).with_suffix("").parts[-2:]): row for row in csv.DictReader(file)}
    for track, row in written.items():
        shares = [[float(where[track][genre]) for genre in ("high", "low", "noise")] for where in (written, of_songs)]
        np.testing.assert_allclose(*shares, atol=1e-5)
        assert of_songs[track]["prediction"] == row["prediction"]


@pytest.mark.parametrize(
    ("script", "options", "code", "message"),
    [
        ("mlp_model", ["--columns=mfcc,melody"], 2, "no series melody; --columns takes chroma_stft, "),
        (
            "mlp_model",
            ["--images_path=nowhere"],
            2,
            "make them with: python create_statistics.py, python split_",
        ),
        ("mlp_model", ["--units=0"], 2, "mlp_model cannot be built with"),
        ("mlp_model", ["--fold=0"], 2, "no statistics at"),
        ("time_model", ["--features=statistics"], 2, "statistics are no pictures; train on them with: python mlp_mod"),
    ],
)
def test_a_wrong_call_is_one_line(data, models, monkeypatch, capsys, script, options, code, message):
    assert train(monkeypatch, script, f"--data={data}", f"--models={models}", *options) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert main_keywords(script) and not list(models.glob("*/*"))


def spoil(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_damaged_split_is_one_line_that_names_what_to_do(data, models, monkeypatch, capsys):
    folder = data / "images" / "statistics"
    table = next(folder.glob("train/a/*.csv"))
    tracks, values = statistics.read(table)
    intact = table.read_bytes()

    def said():
        assert mlp(monkeypatch, data) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert not list(models.glob("*/*"))
        return line

    values[0, 3] = np.nan
    statistics.write(table, tracks, values)
    name = " ".join(statistics.COLUMNS[3])
    assert f"1 tracks lack numbers in {table}, first {tracks[0]} in {name}; make it again with" in said()
    statistics.write(table, tracks[1:], values[1:])
    assert f"{table} lacks 1 tracks that its index names, such as {tracks[0]}" in said()
    table.write_text("no,table\n")
    assert f"{table} has other columns than FMA's features.csv" in said()
    table.unlink()
    assert "that are gone, first train/a/features.csv; split again" in said()
    table.write_bytes(intact)
    (folder / "recipe.json").write_text("{}")
    assert "recipe.json is damaged" in said()
    (folder / "index.csv").unlink()
    assert "has no index.csv; make it again with: python create_statistics.py" in said()


def test_a_table_that_was_not_made_here_is_not_split(data, monkeypatch):
    for name in ("recipe.json", "index.csv"):
        (data / "statistics" / name).unlink()
        with pytest.raises(DataError, match=f"has no {name}; write it with: python create_statistics.py"):
            split(monkeypatch, data)
    with pytest.raises(DataError, match=r"has no features\.csv"):
        split(monkeypatch, data, f"--statistics_path={data}")
