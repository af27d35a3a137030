import os
import shutil

from genre import index

import pytest
from conftest import call, one_line_error


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
    assert "on no list and left out: 9; listed but without a picture: 0" in done.stdout
    assert tracks_of(data / "images" / "mel")["validation"] == [f"{g}/{g}.00001" for g in ("high", "low", "noise")]


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
        (["--data=nowhere"], 2, "make it with: python create_spectrograms.py"),
    ],
)
def test_a_wrong_call_is_one_line(data, options, code, message):
    assert message in one_line_error("split_dataset.py", f"--data={data}", *options, code=code)
    assert not (data / "images").exists()


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
