"""Votes of finished runs: made-up runs for the rules and the files, two real ones for the songs."""

import csv
import json
import shutil
import subprocess
import sys

import ensemble
from genre import evaluation, files, index, plans, runs
from genre.command_line import CallError, DataError
from genre.index import Row

import numpy as np
import pytest
from conftest import ROOT, call, one_line_error

CLASSES = ["a", "b", "c"]
TRACKS = {"validation": [f"v{i:02d}" for i in range(24)], "test": [f"t{i:02d}" for i in range(12)]}
METHODS = "majority,confidence,mean,stacking"


def truth(track):
    return int(track[1:]) % 3


def make_run(folder, sure=0.5, seed=0, tracks=TRACKS, feature="mel", **info):
    """A folder as training leaves it, of a made-up network that is right the more often the surer."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    predicted = {}
    for subset, names in tracks.items():
        y = np.array([truth(name) for name in names])
        rows = [Row("", name, ()) for name in names]
        predicted[subset] = rows, y, sure * np.eye(3)[y] + (1 - sure) * rng.dirichlet(np.ones(3), len(y))
    evaluation.write(folder, predicted, CLASSES, "made up")
    settings = {"script": "made_up", "feature": feature, "classes": CLASSES, "inputs": [], "index_fingerprint": "f"}
    (folder / "run.json").write_text(json.dumps(settings | info))
    (folder / "model.keras").write_bytes(bytes(folder.name, "utf-8"))
    return folder


@pytest.fixture
def three(tmp_path):
    return [make_run(tmp_path / name, 0.3 - 0.05 * seed, seed) for seed, name in enumerate("xyz")]


def run_ensemble(monkeypatch, tmp_path, members, *options):
    named = ",".join(map(str, members))
    monkeypatch.setattr("sys.argv", ["ensemble.py", f"--run={named}", f"--models={tmp_path / 'models'}", *options])
    ensemble.main()
    return tmp_path / "models" / "ensemble" / "mel"


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_method_is_a_run_with_the_files_of_a_run(three, tmp_path, monkeypatch, capsys, pictures):
    made = run_ensemble(monkeypatch, tmp_path, three, f"--method={METHODS}")
    printed = capsys.readouterr().out
    assert printed.splitlines()[-4:] == [f"wrote {made / method}" for method in METHODS.split(",")]
    assert sorted(path.name for path in made.iterdir()) == sorted(METHODS.split(","))
    for method in METHODS.split(","):
        names = {path.name for path in (made / method).iterdir()}
        expected = {"confusion_matrix.csv", "members.csv", "metrics.json", "predictions.csv"}
        expected |= {"confusion_matrix.png", "genres.png", "reliability.png", "roc.png"}
        assert names == expected | {"run.json", "members", "README.md"} | (
            {"model.skops"} if method == "stacking" else set()
        )
        run = runs.read(made / method)
        assert run.name == f"ensemble/mel/{method}" and run.classes == CLASSES
        assert [member.folder.name for member in run.members] == ["0", "1", "2"]
        assert [(made / method / "members" / str(n) / "model.keras").read_text() for n in range(3)] == list("xyz")
        metrics = json.loads((made / method / "metrics.json").read_text())
        rows = read_csv(made / method / "predictions.csv")
        for subset, scores in metrics.items():
            own = [row for row in rows if row["subset"] == subset]
            assert [row["track"] for row in own] == TRACKS[subset]
            assert sum(row["truth"] == row["prediction"] for row in own) / len(own) == scores["accuracy"]
            assert all(row["prediction"] == max(CLASSES, key=lambda name: float(row[name])) for row in own)


def test_runs_are_aligned_by_track_whatever_the_order_of_their_rows(three, tmp_path, monkeypatch):
    path = three[1] / "predictions.csv"
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([head, *lines[::-1]]) + "\n")
    made = run_ensemble(monkeypatch, tmp_path, three)
    read = [evaluation.read_predictions(folder, CLASSES)["test"] for folder in (*three, made / "mean")]
    of_track = [dict(zip(tracks, shares, strict=True)) for tracks, _, shares in read]
    for track in TRACKS["test"]:
        np.testing.assert_allclose(of_track[3][track], sum(own[track] for own in of_track[:3]) / 3, atol=1e-6)


def test_the_table_says_what_the_vote_won_and_lost_against_each_run(three, tmp_path, monkeypatch, capsys):
    made = run_ensemble(monkeypatch, tmp_path, three, "--method=majority")
    said = [evaluation.read_predictions(folder, CLASSES)["test"] for folder in (*three, made / "majority")]
    right = [shares.argmax(axis=1) == y for _, y, shares in said]
    rows = [row for row in read_csv(made / "majority" / "members.csv") if row["subset"] == "test"]
    assert [row["run"] for row in rows] == [*map(str, three), "majority"]
    for row, own in zip(rows, right, strict=True):
        assert float(row["accuracy"]) == own.mean()
        assert (float(row["low"]), float(row["high"])) == evaluation.accuracy_interval(own.sum(), 12)
    for row, own in zip(rows[:3], right, strict=False):
        assert (int(row["won"]), int(row["lost"])) == ((right[3] & ~own).sum(), (~right[3] & own).sum())
        assert float(row["gain"]) == pytest.approx(right[3].mean() - own.mean())
    printed = capsys.readouterr().out
    best = max(three, key=lambda folder: json.loads((folder / "metrics.json").read_text())["validation"]["accuracy"])
    assert f"majority over {best}, the best on validation: validation " in printed
    assert "tracks won" in printed and "exact McNemar p = " in printed


def test_stacking_says_how_it_is_scored_and_keeps_artists_together(three, tmp_path, monkeypatch, capsys):
    run_ensemble(monkeypatch, tmp_path, three, "--method=stacking")
    printed = capsys.readouterr().out
    assert "stacking on validation: held out in 5 folds by track; artists unknown, so it flatters" in printed
    pictures = tmp_path / "images" / "mel"
    pictures.mkdir(parents=True)
    tracks = TRACKS["validation"]
    rows = [Row(f"validation/{t}.png", t, (CLASSES[truth(t)],), artist=f"artist {int(t[1:]) // 8}") for t in tracks]
    index.write(pictures, rows)
    info = json.loads((three[1] / "run.json").read_text())
    (three[1] / "run.json").write_text(json.dumps(info | {"images_path": str(pictures)}))
    made = run_ensemble(monkeypatch, tmp_path, three, "--method=stacking", "--run_name=by_artist")
    scored = "held out in 3 folds by artist"
    assert f"stacking on validation: {scored}\n" in capsys.readouterr().out
    metrics = json.loads((made / "stacking" / "by_artist" / "metrics.json").read_text())
    assert metrics["validation"]["scored"] == scored and "scored" not in metrics["test"]
    info = runs.read(made / "stacking" / "by_artist").info
    assert (info["fitted_on"], info["validation_scored_on"]) == (["validation"], scored)
    assert (made / "stacking" / "run.json").is_file()  # not touched by what was put below it


def test_what_it_was_made_of_is_part_of_its_settings(three, tmp_path, monkeypatch, capsys):
    made = run_ensemble(monkeypatch, tmp_path, three)
    before = (made / "mean" / "run.json").read_bytes()
    run_ensemble(monkeypatch, tmp_path, three)
    assert "is finished already" in capsys.readouterr().out
    with pytest.raises(CallError, match="mean has other settings"):
        run_ensemble(monkeypatch, tmp_path, three[:2], "--method=confidence,mean")
    assert (made / "mean" / "run.json").read_bytes() == before
    assert not (made / "confidence").exists()
    run_ensemble(monkeypatch, tmp_path, three[:2], "--overwrite")
    assert len(runs.read(made / "mean").members) == 2
    assert not (made / "mean" / "members" / "2").exists()
    shutil.rmtree(made / "mean")
    (made / "mean").mkdir()
    (made / "mean" / "notes.txt").touch()
    with pytest.raises(CallError, match=r"holds files but no run\.json"):
        run_ensemble(monkeypatch, tmp_path, three)


def test_a_vote_that_another_process_writes_is_refused(three, tmp_path, monkeypatch):
    target = tmp_path / "models" / "ensemble" / "mel" / "mean"
    with files.only_writer(target), pytest.raises(CallError, match="another process is writing .*mean; wait"):
        run_ensemble(monkeypatch, tmp_path, three)
    assert list(target.parent.iterdir()) == []


def test_a_vote_that_cannot_be_written_leaves_nothing(three, tmp_path, monkeypatch):
    (three[2] / "model.keras").unlink()
    with pytest.raises(DataError, match=r"has neither model\.keras nor model\.skops"):
        run_ensemble(monkeypatch, tmp_path, three)
    assert list((tmp_path / "models").rglob("*.*")) == []


def another(three, tmp_path, **changes):
    tracks = {"validation": TRACKS["validation"], "test": [*TRACKS["test"][:-1], "t99"]}
    return make_run(tmp_path / "other", tracks=tracks if changes.pop("tracks", None) else TRACKS, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "b", "d"]}, "know other classes: a b c; a b d"),
        ({"index_fingerprint": "g"}, "were trained on other pictures or another split"),
        ({"tracks": True}, "differ in 2 validation and test tracks or their genres, such as t11 of test"),
        ({"fitted_on": ["train", "validation"]}, "knows the validation tracks"),
        ({"multi_label": True}, "gives a track several labels"),
    ],
)
def test_runs_of_anything_else_are_refused_by_naming_both(three, tmp_path, monkeypatch, changes, message):
    other = another(three, tmp_path, **changes)
    with pytest.raises(CallError, match=message) as refused:
        run_ensemble(monkeypatch, tmp_path, [three[0], other])
    assert str(other) in str(refused.value)
    assert changes.keys() & {"fitted_on", "multi_label"} or str(three[0]) in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_runs_of_other_features_need_only_the_same_tracks(three, tmp_path, monkeypatch):
    other = another(three, tmp_path, index_fingerprint="g", feature="mel+mfcc", fitted_on=["train", "validation"],
                    validation_scored_on=["train"])  # fmt: skip
    made = run_ensemble(monkeypatch, tmp_path, [three[0], other]).parent
    assert runs.read(made / "mel+mfcc" / "mean").info["feature"] == "mel+mfcc"


def test_a_wrong_call_is_one_line(three, tmp_path, monkeypatch):
    made = run_ensemble(monkeypatch, tmp_path, three)
    x, y, z = three
    for members, options, message in (
        ([x], [], "expected at least two runs, and each once"),
        ([x, x], [], "expected at least two runs, and each once"),
        ([x, y, x / ".." / "x"], [], "expected at least two runs, and each once"),
        ([x, tmp_path / "none"], [], "no run at"),
        ([x, made / "mean"], [], "is a vote itself; name its runs instead"),
        ([x, y], ["--method=median"], "expected some of majority, confidence, mean, stacking"),
        ([x, y], ["--method=,"], "expected some of"),
    ):
        with pytest.raises(CallError, match=message):
            run_ensemble(monkeypatch, tmp_path, members, *options)
    text = (y / "predictions.csv").read_text()
    for broken, message in (
        (text.replace(",c,", ",d,"), "is damaged"),
        (text.replace("0.", "zero"), "is damaged"),
        (text.splitlines()[0], "no validation tracks"),
        ("", "no validation tracks"),
        (text.replace(",a,a,", ",a,b,"), "is damaged .*b is not the likeliest for"),
    ):
        (y / "predictions.csv").write_text(broken)
        with pytest.raises(DataError, match=message):
            run_ensemble(monkeypatch, tmp_path, [x, y])
    (y / "predictions.csv").unlink()
    with pytest.raises(DataError, match=r"predictions\.csv is not there; train the run again"):
        run_ensemble(monkeypatch, tmp_path, [x, y])
    assert "expected at least two runs" in one_line_error("ensemble.py", f"--run={x}", code=2)


def test_voting_needs_no_tensorflow(three, tmp_path):
    code = "import sys, ensemble; ensemble.main(); assert not {'keras', 'tensorflow'} & set(sys.modules)"
    options = [f"--run={three[0]},{three[1]}", f"--models={tmp_path / 'models'}", f"--method={METHODS}"]
    subprocess.run([sys.executable, "-c", code, *options], cwd=ROOT, check=True, capture_output=True)


def test_a_vote_has_no_network_to_build_on(three, tmp_path, monkeypatch):
    run = runs.read(run_ensemble(monkeypatch, tmp_path, three) / "mean")
    with pytest.raises(CallError, match="has no network of its own"):
        _ = run.embedding
    with pytest.raises(CallError, match="name its runs instead"):
        plans.of_runs(None, [run.folder], None, None)


@pytest.fixture(scope="module")
def real(split_data, trained_run, tmp_path_factory):
    """A folder with the votes of two trained runs, of which one is of two features, and without those runs."""
    models = tmp_path_factory.mktemp("models")
    script = ("frequency_model.py", f"--data={split_data}", f"--models={models}", "--features=mel+chroma_stft")
    call(*script, "--epochs=4", "--filter_bins=4", "--learning_rate=0.01")
    members = f"{trained_run},{models / 'frequency_model' / 'mel+chroma_stft'}"
    call("ensemble.py", f"--run={members}", f"--models={models}", f"--method={METHODS}")
    shutil.rmtree(models / "frequency_model")
    return models / "ensemble" / "mel+chroma_stft"


@pytest.mark.parametrize("method", METHODS.split(","))
def test_a_vote_labels_songs_as_it_was_written_without_the_runs_it_is_of(real, split_data, tmp_path, method):
    run = runs.read(real / method)
    written = {row["track"]: row for row in read_csv(real / method / "predictions.csv")}
    for row in index.subset_rows(split_data / "images" / "mel", "test"):
        said = run.label(split_data / "genres" / f"{row.track}.wav")
        expected = [float(written[row.track][name]) for name in run.classes]
        np.testing.assert_allclose(said.probabilities, expected, atol=1e-5)
        assert run.classes[said.probabilities.argmax()] == written[row.track]["prediction"]
        assert (said.pieces, said.note) == (1, "")


def test_predict_takes_a_vote_as_any_run(real, split_data, tmp_path):
    done = call(
        "predict.py", split_data / "genres" / "low", f"--run={real / 'stacking'}", f"--csv={tmp_path / 'o.csv'}"
    )
    assert done.stdout.startswith("ensemble/mel+chroma_stft/stacking: 3 genres, pieces of 1 s\n")
    assert len(read_csv(tmp_path / "o.csv")) == 6
    gone = shutil.copytree(real / "mean", tmp_path / "gone")
    (gone / "members" / "1" / "model.keras").unlink()
    error = one_line_error("predict.py", split_data / "genres" / "low", f"--run={gone}", code=1)
    assert f"{gone / 'members' / '1' / 'model.keras'} cannot be loaded" in error
