from genre import index
from genre.command_line import DataError
from genre.index import Row

import pytest
from conftest import write_pictures

STRANGE = ['a,b"c', "new\nline", "emoji 🎵", "-leading", "$(rm)", "latin-1 \udce9"]


def test_rows_come_back_as_they_were_whatever_the_names(tmp_path):
    rows = [Row(f"g/{name}.png", f"g/{name}", ("g", "h"), 1.5, 30.0, audio_hash="ff") for name in STRANGE]
    index.write(tmp_path, rows)
    assert index.read(tmp_path) == sorted(rows, key=lambda row: row.file)


def test_a_damaged_index_is_refused_by_name(tmp_path):
    assert index.read(tmp_path) is None
    (tmp_path / "index.csv").write_text("file,track\n")
    with pytest.raises(DataError, match=r"index\.csv lacks the columns labels"):
        index.read(tmp_path)
    (tmp_path / "index.csv").write_text(",".join(index.COLUMNS) + "\na.png,a,g,not a number\n")
    with pytest.raises(DataError, match=r"index\.csv cannot be read"):
        index.read(tmp_path)


def test_without_an_index_the_folder_is_the_label_and_the_stem_the_track(tmp_path):
    write_pictures(tmp_path, counts=[("train", 2)])
    (tmp_path / "train" / "a" / ".DS_Store").touch()
    (tmp_path / "train" / "a" / "notes.txt").touch()
    rows = index.subset_rows(tmp_path, "train")
    assert [(row.file, row.track, row.labels) for row in rows[:2]] == [
        ("train/a/train0.png", "a/train0", ("a",)),
        ("train/a/train1.png", "a/train1", ("a",)),
    ]
    assert len(rows) == 4
    assert index.subset_rows(tmp_path, "test") == []


def test_an_indexed_picture_that_is_gone_is_an_error(tmp_path):
    index.write(tmp_path, [Row("train/a/1.png", "a/1", ("a",), subset="train")])
    with pytest.raises(DataError, match=r"names 1 pictures that are gone, first train/a/1\.png"):
        index.subset_rows(tmp_path, "train")


def test_the_fingerprint_follows_rows_and_pictures(tmp_path):
    write_pictures(tmp_path, counts=[("train", 2)])
    rows = index.subset_rows(tmp_path, "train")
    before = index.fingerprint([(tmp_path, row) for row in rows])
    assert index.fingerprint([(tmp_path, row) for row in rows]) == before
    assert index.fingerprint([(tmp_path, row) for row in rows[1:]]) != before
    (tmp_path / rows[0].file).write_bytes(b"changed")
    assert index.fingerprint([(tmp_path, row) for row in rows]) != before
