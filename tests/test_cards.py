"""The model card: what it says of the data, its split and its licence, and what it does not know."""

import shutil

from genre import cards, datasets, index

import pytest
from conftest import call

INFO = {
    "script": "a_model",
    "feature": "mel",
    "command": "python a_model.py",
    "seed": 0,
    "git_commit": None,
    "images_path": "data/images/mel",
    "index_fingerprint": "f",
    "classes": ["high", "low"],
    "multi_label": False,
    "inputs": [],
}
ROWS = {"train": [index.Row("a.png", "a", ("low",), artist="x"), index.Row("b.png", "b", ("low",), artist="x")]}


def card(folder, **dataset):
    cards.write(folder, INFO | {"dataset": dataset}, ROWS, {"validation": "accuracy 50.0 %"})
    return (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*datasets.modules(), "mine.csv", None])
def test_a_card_has_the_licence_of_each_data_set_that_has_one(tmp_path, name):
    said = card(tmp_path, **({"dataset": name} if name else {}))
    assert f"- data set: {name or 'not recorded'};" in said
    licence = datasets.licence(name)
    assert (licence in said) if licence else ("That of the data was not recorded" in said)
    assert ("was not recorded" in said) == (name in ("folder", "mine.csv", None))


def test_licences_are_those_that_the_sources_state():
    assert "without a licence statement" in datasets.licence("gtzan")
    for name, metadata in (("fma_small", "CC BY 4.0"), ("fma_medium", "CC BY 4.0"), ("mtg_jamendo_11", "CC BY-NC-SA")):
        assert "artist chose" in datasets.licence(name) and metadata in datasets.licence(name)
    assert datasets.licence("folder") == datasets.licence("nobody's") == ""


def test_a_card_counts_tracks_artists_and_classes(tmp_path):
    said = card(tmp_path, split="the data set's official list")
    for line in ("split: the data set's official list", "train: 2 tracks, artists: 1", "high 0, low 2"):
        assert f"- {line}" in said or line in said
    assert "validation: accuracy 50.0 %" in said


def test_a_card_counts_the_labels_that_were_trained_on(tmp_path):
    rows = {"train": [index.Row("a.png", "a", ("low", "high"))]}
    for multi_label, counted in ((False, "high 0, low 1"), (True, "high 1, low 1")):
        cards.write(tmp_path, INFO | {"dataset": {}, "multi_label": multi_label}, rows, {})
        assert counted in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_card_says_where_names_of_artists_are(tmp_path):
    assert "artists or albums, in run.json" not in card(tmp_path)
    taken = {"feature": "artist", "input_shape": [2], "recipes": {}, "vocabulary": ["somebody"]}
    cards.write(tmp_path, INFO | {"dataset": {}, "inputs": [taken]}, ROWS, {})
    said = " ".join((tmp_path / "README.md").read_text(encoding="utf-8").split())
    assert "in predictions.csv, and those of the training tracks' artists or albums, in run.json." in said


def test_the_data_sets_name_and_its_split_come_with_the_pictures_into_the_run_and_its_votes(split_data, tmp_path):
    assert index.read_dataset(split_data / "dataset" / "mel") == {"dataset": "folder"}
    shutil.copytree(split_data / "dataset", tmp_path / "dataset")
    shutil.copytree(split_data / "images", tmp_path / "old")
    index.write_dataset(tmp_path / "dataset" / "mel", {"dataset": "gtzan"})
    for damaged in (tmp_path / "old" / "mel", tmp_path / "dataset" / "chroma_stft"):
        (damaged / index.DATASET).write_text("[damaged")
    call("split_dataset.py", f"--data={tmp_path}", "--fractions=0.5,0.25,0.25")
    how = "0.5 / 0.25 / 0.25 of each genre, by artist where known, seed 0"
    assert index.read_dataset(tmp_path / "images" / "chroma_stft") == {"split": how}
    options = (f"--models={tmp_path}", "--epochs=1", "--filter_frames=4")
    for seed in (0, 1):
        call("time_model.py", f"--data={tmp_path}", *options, f"--seed={seed}", f"--run_name={seed}")
    run = tmp_path / "time_model" / "mel"
    call("ensemble.py", f"--run={run / '0'},{run / '1'}", f"--models={tmp_path}")
    for folder in (run / "0", tmp_path / "ensemble" / "mel" / "mean"):
        said = (folder / "README.md").read_text(encoding="utf-8")
        assert "- data set: gtzan;" in said and f"- split: {how}" in said and datasets.licence("gtzan") in said
        assert "mel, read at 16 x 63 x 1: sr 8000" in said and "always the largest class" in said
    assert "- a vote, mean, of time_model/mel, time_model/mel" in said
    call("time_model.py", f"--images_path={tmp_path / 'old'}", *options, "--run_name=old")
    said = (run / "old" / "README.md").read_text(encoding="utf-8")
    assert "- data set: not recorded;" in said and "- split: not recorded" in said
