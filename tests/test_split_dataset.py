import dataclasses
import os
import shutil

import split_dataset
from genre import files, index, inputs

import numpy as np
import pytest
from conftest import call, one_line_error, write_pictures
from PIL import Image


@pytest.fixture
def data(split_data, tmp_path):
    shutil.copytree(split_data / "dataset", tmp_path / "dataset")
    return tmp_path


def tracks_of(folder):
    return {subset: [row.track for row in index.subset_rows(folder, subset)] for subset in index.SUBSETS}


def test_every_feature_is_split_the_same_and_whole(data):
    done = call("split_dataset.py", f"--data={data}", "--fractions=0.5,0.25,0.25")
    mel, chroma = (tracks_of(data / "images" / feature) for feature in ("mel", "chroma_stft"))
    assert mel == chroma
    assert sorted(track for tracks in mel.values() for track in tracks) == [
        r.track for r in index.read(data / "dataset" / "mel")
    ]
    assert {subset: len(tracks) for subset, tracks in mel.items()} == {"train": 9, "validation": 6, "test": 3}
    assert index.read_recipe(data / "images" / "mel") == index.read_recipe(data / "dataset" / "mel")
    assert done.stdout.strip().splitlines()[-1].startswith("wrote ")
    assert sorted(path.name for path in data.iterdir()) == ["dataset", "images"]


def test_pictures_are_linked_where_the_file_system_can(data):
    call("split_dataset.py", f"--data={data}")
    for row in index.read(data / "images" / "mel"):
        source = data / "dataset" / "mel" / row.file.partition("/")[2]
        assert os.path.samefile(data / "images" / "mel" / row.file, source)


def test_pictures_are_copied_where_links_are_not_possible(data, monkeypatch):
    import split_dataset

    def no_links(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr("sys.argv", ["split_dataset.py", f"--data={data}"])
    split_dataset.main()
    for row in index.read(data / "images" / "mel"):
        source = data / "dataset" / "mel" / row.file.partition("/")[2]
        assert (data / "images" / "mel" / row.file).read_bytes() == source.read_bytes()


def test_a_new_split_replaces_the_old_one_whole_and_a_failed_one_leaves_it(data):
    call("split_dataset.py", f"--data={data}", "--seed=0")
    first = tracks_of(data / "images" / "mel")
    call("split_dataset.py", f"--data={data}", "--seed=1")
    second = tracks_of(data / "images" / "mel")
    assert first != second
    (data / "dataset" / "mel" / index.read(data / "dataset" / "mel")[-1].file).unlink()
    assert "is gone" in one_line_error("split_dataset.py", f"--data={data}", "--seed=2", code=1)
    assert tracks_of(data / "images" / "mel") == second
    assert sorted(path.name for path in data.iterdir()) == ["dataset", "images"]


def test_a_list_decides_and_what_is_on_none_is_counted(data):
    lists = data / "lists"
    lists.mkdir()
    for subset, number in (("train", 0), ("valid", 1), ("test", 2)):
        entries = [f"{genre}/{genre}.0000{number}.wav" for genre in ("high", "low", "noise")]
        (lists / f"{subset}_filtered.txt").write_text("\n".join(entries) + "\n")
    done = call("split_dataset.py", f"--data={data}", f"--split_file={lists}")
    assert "9 tracks by" in done.stdout
    assert index.read_dataset(data / "images" / "mel")["split"] == "the user's lists, lists"
    assert "on no list and left out: 9; listed but without a picture: 0" in done.stdout
    assert tracks_of(data / "images" / "mel")["validation"] == [f"{g}/{g}.00001" for g in ("high", "low", "noise")]


def test_genres_of_which_no_track_is_listed_are_left_out(data):
    lines = [f"{genre}/{genre}.0000{i},{s}" for genre in ("high", "low") for i, s in enumerate(index.SUBSETS)]
    (data / "list.csv").write_text("\n".join(["track,subset", *lines]) + "\n")
    done = call("split_dataset.py", f"--data={data}", f"--split_file={data / 'list.csv'}")
    assert "left out, as none of their tracks is listed: noise" in done.stdout and "warning" not in done.stdout
    assert inputs.class_list(data / "images" / "mel") == ["high", "low"]


def test_of_two_splits_of_one_folder_the_second_is_refused(data):
    with files.only_writer(data / "images"):
        assert "another process is writing" in one_line_error("split_dataset.py", f"--data={data}", code=2)
    assert not (data / "images").exists()


def test_what_the_split_did_not_make_is_never_replaced(data):
    (data / "images" / "my_own" / "train").mkdir(parents=True)
    assert "my_own is not from a split" in one_line_error("split_dataset.py", f"--data={data}", code=1)
    assert (data / "images" / "my_own" / "train").is_dir()
    (data / "images" / "my_own" / "train").rmdir()
    (data / "images" / "my_own").rmdir()
    call("split_dataset.py", f"--data={data}")
    mine = data / "images" / "mel" / "train" / "high" / "mine.png"
    mine.touch()
    assert "mine.png is not from a split" in one_line_error("split_dataset.py", f"--data={data}", code=1)
    assert mine.is_file()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--fractions=0.9,0.2,0.1"], 2, "add up to 1"),
        (["--split_file=nowhere"], 2, "no split file or folder nowhere"),
        (["--data=nowhere"], 2, "dataset; make it with: python create_spectrograms.py"),
        (["--near_duplicates=nowhere.csv"], 2, "no file nowhere.csv; write one with: python audit_dataset.py"),
    ],
)
def test_a_wrong_call_is_one_line(data, options, code, message):
    assert message in one_line_error("split_dataset.py", f"--data={data}", *options, code=code)
    assert not (data / "images").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_another_disk_stays_one(data):
    (data / "disk").mkdir()
    (data / "images").symlink_to(data / "disk")
    for _ in range(2):
        call("split_dataset.py", f"--data={data}")
        assert (data / "images").is_symlink() and index.read(data / "disk" / "mel")
        assert not [path for path in data.iterdir() if path.name.startswith(".")]


def test_the_folder_of_the_call_itself_is_never_replaced(data):
    (data / "here").mkdir()
    for path in (".", ".."):
        options = (f"--dataset_path={data / 'dataset'}", f"--images_path={path}")
        assert "is where you are" in one_line_error("split_dataset.py", *options, cwd=data / "here", code=2)


def test_the_data_set_itself_is_never_replaced_nor_split_twice(data):
    before = sorted(path.relative_to(data) for path in data.rglob("*"))
    same = f"--images_path={data / 'x' / '..' / 'dataset'}"
    assert "needs a folder of its own" in one_line_error("split_dataset.py", f"--data={data}", same, code=2)
    assert sorted(path.relative_to(data) for path in data.rglob("*")) == before
    call("split_dataset.py", f"--data={data}")
    options = (f"--dataset_path={data / 'images'}", f"--images_path={data / 'again'}")
    assert "is a split already" in one_line_error("split_dataset.py", *options, code=2)


def test_a_class_of_two_tracks_is_refused(data):
    folder = data / "dataset" / "mel"
    rows = [row for row in index.read(folder) if not row.track.startswith("low/") or row.track.endswith(("0", "1"))]
    index.write(folder, rows)
    shutil.rmtree(data / "dataset" / "chroma_stft")
    assert "too small: low (2)" in one_line_error("split_dataset.py", f"--data={data}", code=1)


def rewritten(data, **cells):
    """Give the rows of both features other cells: {column: function of the row}."""
    for feature in ("mel", "chroma_stft"):
        rows = index.read(data / "dataset" / feature)
        values = [{column: value(row) for column, value in cells.items()} for row in rows]
        changed = [dataclasses.replace(row, **value) for row, value in zip(rows, values, strict=True)]
        index.write(data / "dataset" / feature, changed)


def number(row):
    return int(row.track[-1])


def test_a_seed_that_changes_nothing_is_refused(data):
    rewritten(data, subset=lambda row: index.SUBSETS[number(row) % 3])
    error = one_line_error("split_dataset.py", f"--data={data}", "--seed=1", code=2)
    assert "--seed changes nothing: the split is the data set's official list; --fractions=" in error
    call("split_dataset.py", f"--data={data}", "--seed=1", "--fractions=0.5,0.25,0.25")


def test_pairs_of_a_file_stay_together(data):
    options = (f"--data={data}", "--fractions=0.5,0.25,0.25")
    call("split_dataset.py", *options)
    train, _, test = tracks_of(data / "images" / "mel").values()
    (data / "pairs.csv").write_text(f"track,other\n{train[0]},{test[0]}\n")
    call("split_dataset.py", *options, f"--near_duplicates={data / 'pairs.csv'}")
    (together,) = [found for found in tracks_of(data / "images" / "mel").values() if train[0] in found]
    assert test[0] in together


def test_features_that_say_different_things_of_a_track_are_refused(data):
    folder = data / "dataset" / "mel"
    index.write(folder, [dataclasses.replace(row, artist=f"by {row.track}") for row in index.read(folder)])
    call("split_dataset.py", f"--data={data}")  # what another knows nothing of is no contradiction
    rows = split_dataset._consistent([*index.read(folder), *index.read(folder.with_name("chroma_stft"))], data)
    assert {row.artist for row in rows} == {f"by {row.track}" for row in rows}  # nor does it hide the artist
    other = folder.with_name("chroma_stft")
    index.write(other, [dataclasses.replace(row, artist="else") for row in index.read(other)])
    error = one_line_error("split_dataset.py", f"--data={data}", code=1)
    assert "is else in one feature and by high/high.00000 in another; make both again with one --dataset" in error


def test_an_official_list_is_followed_unless_fractions_are_given(data):
    rewritten(data, subset=lambda row: ("train", "train", "validation", "test", "test", "")[number(row)])
    done = call("split_dataset.py", f"--data={data}")
    assert "15 tracks by the official list; on none of its parts and left out: 3" in done.stdout
    assert index.read_dataset(data / "images" / "mel")["split"] == "the data set's official list"
    found = tracks_of(data / "images" / "mel")
    assert found["validation"] == [f"{genre}/{genre}.00002" for genre in ("high", "low", "noise")]
    assert [len(tracks) for tracks in found.values()] == [6, 3, 6]
    call("split_dataset.py", f"--data={data}", "--fractions=0.5,0.25,0.25")
    assert [len(tracks) for tracks in tracks_of(data / "images" / "mel").values()] == [9, 6, 3]


def test_what_a_feature_lacks_was_skipped_or_can_be_made(data, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["split_dataset.py", f"--data={data}"])
    mel = data / "dataset" / "mel"
    rows = index.read(mel)
    index.write(mel, [row for row in rows if row.track != rows[0].track])
    split_dataset.main()
    assert "warning: mel has 17 of 18 tracks; create_spectrograms.py completes it, where" in capsys.readouterr().out
    files.write_csv(mel / "skipped.csv", [("file", "reason", "track"), ("a.wav", "silent", rows[0].track)])
    split_dataset.main()
    assert f"warning: mel has 17 of 18 tracks; {mel / 'skipped.csv'} says why" in capsys.readouterr().out


def test_a_genre_renamed_in_an_index_is_one_line(data):
    rewritten(data, labels=lambda row: ("loud" if row.labels == ("low",) else row.labels[0],))
    said = one_line_error("split_dataset.py", f"--data={data}", code=1)
    assert "is loud by its index.csv, which is not its folder; rename the genre's folder of songs instead" in said


def test_an_artist_and_what_sounds_alike_stay_together_and_check_finds_what_does_not(data):
    rewritten(data, artist=lambda row: f"artist {row.track.split('/')[0]} {number(row) // 2}")
    (data / "audit").mkdir()
    near = [["track", "other"], ["low/low.00000", "high/high.00000"], ["low/low.00002", "noise/noise.00003"]]
    (data / "audit" / "near_duplicates.csv").write_text("\n".join(map(",".join, near)))
    call("split_dataset.py", f"--data={data}", "--seed=3")
    subset_of = {track: subset for subset, found in tracks_of(data / "images" / "mel").items() for track in found}
    for genre in ("high", "low", "noise"):
        assert all(
            subset_of[f"{genre}/{genre}.0000{i}"] == subset_of[f"{genre}/{genre}.0000{i + 1}"] for i in (0, 2, 4)
        )
    assert all(subset_of[first] == subset_of[second] for first, second in near[1:])
    clean = call("split_dataset.py", f"--data={data}", "--check", "--strict")
    assert "9 artists; in two subsets: artist 0, identical audio 0, nearly identical audio 0, track 0" in clean.stdout

    lists = {
        "low/low.00000": "train",
        "low/low.00001": "test",
        "high/high.00000": "validation",
        "noise/noise.00000": "train",
    }
    lists |= {"high/high.00002": "train", "noise/noise.00002": "validation", "low/low.00005": "validation"}
    (data / "mine.csv").write_text("\n".join(["track,subset", *map(",".join, lists.items())]))
    done = call("split_dataset.py", f"--data={data}", f"--split_file={data / 'mine.csv'}")
    assert "1 pairs of one artist are put apart: low/low.00000 and low/low.00001" in done.stdout
    found = call("split_dataset.py", f"--data={data}", "--check", "--strict", code=1).stdout
    assert "in two subsets: artist 1, identical audio 0, nearly identical audio 1, track 0" in found
    warned = call("time_model.py", f"--data={data}", f"--models={data / 'models'}", "--epochs=1", "--filter_frames=4")
    assert "warning: 2 pairs of tracks in two subsets share an artist or audio, such as" in warned.stdout


def test_identical_pictures_without_an_index_are_found_too(tmp_path):
    folder = write_pictures(tmp_path / "images" / "scans")
    Image.open(folder / "train" / "a" / "train0.png").save(folder / "validation" / "b" / "again.png", compress_level=0)
    done = call("split_dataset.py", f"--data={tmp_path}", "--check")
    assert (
        "scans: 16 train, 9 validation, 0 test tracks, artists unknown; in two subsets: artist 0, identical audio 1"
        in done.stdout
    )
    assert (
        "1 groups of identical audio or pictures, 1 of them in two genres, such as a/train0 and b/again" in done.stdout
    )
    assert "nearly identical audio is not known; python audit_dataset.py finds it" in done.stdout


def test_folds_test_every_track_once_keep_artists_together_and_can_be_trained_on(data):
    rewritten(data, artist=lambda row: f"{row.track.split('/')[0]} {number(row) // 2}")
    call("split_dataset.py", f"--data={data}", "--folds=3")
    found = [tracks_of(data / "images" / f"fold{k}" / "mel") for k in range(3)]
    tracks = sorted(row.track for row in index.read(data / "dataset" / "mel"))
    for subset in ("test", "validation"):
        assert sorted(track for fold in found for track in fold[subset]) == tracks
    for fold in found:
        assert [len(fold[subset]) for subset in index.SUBSETS] == [6, 6, 6]
        artists = [{(t.split("/")[0], int(t[-1]) // 2) for t in fold[subset]} for subset in index.SUBSETS]
        assert not artists[0] & artists[1] and not artists[1] & artists[2] and not artists[0] & artists[2]
    again = [tracks_of(data / "images" / f"fold{k}" / "mel") for k in range(3)]
    assert again == found
    assert index.read_dataset(data / "images" / "fold2" / "mel") == {
        "dataset": "folder",
        "split": "fold2 of 3 folds, by artist where known, seed 0",
    }
    models = data / "models"
    call("time_model.py", f"--data={data}", f"--models={models}", "--fold=1", "--epochs=1", "--filter_frames=4")
    assert (models / "time_model" / "mel" / "fold1" / "run.json").is_file()
    checked = call("split_dataset.py", f"--data={data}", "--check", "--strict").stdout
    assert checked.count("artist 0, identical audio 0") == 6
    assert (data / "images" / "fold2" / "leaks.csv").is_file()
    call("split_dataset.py", f"--data={data}")  # a plain split takes the folds' place
    assert sorted(path.name for path in (data / "images").iterdir()) == ["chroma_stft", "mel"]
    assert "10 folds need as many" in one_line_error("split_dataset.py", f"--data={data}", "--folds=10", code=1)
    assert "at least 3" in one_line_error("split_dataset.py", f"--data={data}", "--folds=2", code=2)


def test_the_subsets_are_written_as_arrays_too(data):
    call("split_dataset.py", f"--data={data}", "--npz")
    folder = data / "images" / "mel"
    with np.load(folder / "train.npz", allow_pickle=False) as arrays:
        assert arrays["x"].shape == (len(arrays["y"]), 16, 63, 1) and arrays["x"].dtype == np.uint8
        assert arrays["classes"].tolist() == ["high", "low", "noise"]
        assert [arrays["classes"][y] for y in arrays["y"]] == [track.split("/")[0] for track in arrays["tracks"]]
    call("split_dataset.py", f"--data={data}")  # is replaced like everything a split wrote
    assert not (folder / "train.npz").exists()


def test_several_labels_a_track_are_written_as_arrays_with_a_column_each(data):
    rewritten(data, labels=lambda row: (row.labels[0], "loud") if number(row) % 2 else row.labels)
    call("split_dataset.py", f"--data={data}", "--npz")
    rows = index.subset_rows(data / "images" / "mel", "train")
    with np.load(data / "images" / "mel" / "train.npz", allow_pickle=False) as arrays:
        assert arrays["classes"].tolist() == ["high", "loud", "low", "noise"]
        found = [tuple(sorted(arrays["classes"][np.flatnonzero(y)])) for y in arrays["y"]]
        assert found == [tuple(sorted(row.labels)) for row in rows]
