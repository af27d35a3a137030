"""Runs beside each other: run folders made by hand, of known scores."""

import csv
import json
import re

import compare_models
from genre import comparison, evaluation, files, multi_label

import numpy as np
import pytest
from conftest import call, in_process, one_line_error

CLASSES = ["a", "b", "c"]
SETTINGS = {"script": "made_up_model", "feature": "mel", "classes": CLASSES, "inputs": [], "index_fingerprint": "f"}
TRACKS = {"validation": [f"v{i:02d}" for i in range(30)], "test": [f"t{i:02d}" for i in range(12)]}


def make_run(folder, right=20, tracks=TRACKS, classes=CLASSES, history=(0.2, 0.6, 0.5), **info):
    """A folder as training leaves it: the first `right` tracks of each subset are named rightly, the others wrongly."""
    folder.mkdir(parents=True, exist_ok=True)
    scores, lines = {}, [["track", "subset", "truth", "prediction", *classes]]
    for subset, names in tracks.items():
        y = np.arange(len(names)) % len(classes)
        said = np.where(np.arange(len(names)) < right, y, (y + 1) % len(classes))
        scores[subset] = evaluation.scores(y, np.eye(len(classes))[said], classes)
        shares = np.eye(len(classes))[said]
        lines += [[n, subset, classes[t], classes[s], *p] for n, t, s, p in zip(names, y, said, shares, strict=True)]
    about = SETTINGS | {"classes": classes, "images_path": f"data/images/{info.get('feature', 'mel')}"}
    about |= {"parameters": 1000, "seconds": 12.5, "epochs": len(history), "best_epoch": 2}
    return fill(folder, scores, lines, [["epoch", "val_accuracy"], *enumerate(history, 1)], about | info)


def make_tags_run(folder, shift):
    """Likewise of a run that gives each track several tags, and is the worse the larger the shift."""
    folder.mkdir(parents=True, exist_ok=True)
    y = np.array([[i % 2, i % 3 == 0] for i in range(30)], int)
    p = np.abs(y - shift * np.linspace(0, 1, 60).reshape(30, 2))
    said = [[multi_label.said_tags(of, ["x", "y"]) for of in pair] for pair in zip(y, p, strict=True)]
    lines = [[name, "validation", *words, *of] for name, words, of in zip(TRACKS["validation"], said, p, strict=True)]
    lines = [["track", "subset", "truth", "prediction", "x", "y"], *lines]
    about = SETTINGS | {"classes": ["x", "y"], "multi_label": True}
    scores = {"validation": multi_label.scores(y, p, ["x", "y"])}
    return fill(folder, scores, lines, [["epoch", "val_roc_auc"], [1, 0.5]], about)


def fill(folder, scores, lines, history, info):
    (folder / "metrics.json").write_text(json.dumps(scores))
    (folder / "run.json").write_text(json.dumps(info))
    files.write_csv(folder / "predictions.csv", lines)
    files.write_csv(folder / "history.csv", history)
    return folder


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


def compare(monkeypatch, *options):
    assert not in_process(monkeypatch, compare_models, *options)


def tables(models):
    """The lines of each table of comparison.md as dicts of cells."""
    parts = (models / "comparison" / "comparison.md").read_text(encoding="utf-8").split("## Data ")[1:]
    found = []
    for part in parts:
        rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in part.splitlines() if line[:1] == "|"]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def test_runs_are_ranked_by_validation_never_by_test_below_them_the_largest_class(models, monkeypatch, capsys):
    make_run(models / "made_up_model" / "mel" / "worse", 15)
    make_run(models / "made_up_model" / "mel", 21)
    make_run(models / "other_model" / "mel", 18, script="other_model", parameters=None, seconds=0.042)
    scores = json.loads((models / "made_up_model/mel/metrics.json").read_text())
    assert scores["test"]["accuracy"] == 1
    lost = make_run(models / "made_up_model" / "mel" / "lost", 21)
    scores["test"] |= {"accuracy": 0.25, "interval": [0.1, 0.5]}
    scores["validation"]["accuracy"] = 0.75
    (lost / "metrics.json").write_text(json.dumps(scores))
    compare(monkeypatch, f"--models={models}")
    (rows,) = tables(models)
    names = ["made_up_model/mel/lost", "made_up_model/mel", "other_model/mel", "made_up_model/mel/worse"]
    assert [row["run"] for row in rows] == [*names, "always the largest class"]
    assert [row["#"] for row in rows] == ["1", "2", "3", "4", ""]
    low, high = evaluation.accuracy_interval(21, 30)
    assert rows[1]["accuracy, % (95 % interval)"] == f"70.0 ({100 * low:.1f} to {100 * high:.1f})"
    assert rows[0]["test accuracy, % (95 % interval)"] == "25.0 (10.0 to 50.0)"
    assert [rows[1][name] for name in ("seeds", "parameters", "seconds", "epochs")] == ["1", "1,000", "12", "2 of 3"]
    assert [rows[2][name] for name in ("parameters", "seconds")] == ["-", "0.042"]
    assert rows[-1]["accuracy, % (95 % interval)"].startswith("33.3 ")
    assert rows[-1]["balanced, %"] == "33.3"
    assert "made_up_model/mel/worse" in capsys.readouterr().out


def test_what_was_written_is_printed_and_is_there(models, monkeypatch, capsys):
    make_run(models / "made_up_model" / "mel", 20)
    make_run(models / "made_up_model" / "mfcc", 18, feature="mfcc", index_fingerprint="g")
    compare(monkeypatch, f"--models={models}")
    (written,) = re.findall("^wrote (.*)", capsys.readouterr().out, re.MULTILINE)
    names = ["comparison.csv", "comparison.md", "costs_1.png", "curves_1.png", "tracks_1.csv"]
    assert sorted(written.split(", ")) == [str(models / "comparison" / name) for name in names]
    assert sorted(path.name for path in (models / "comparison").iterdir()) == names
    with open(models / "comparison" / "comparison.csv", newline="") as file:
        first, second, last = csv.DictReader(file)
    assert first["run"] == "made_up_model/mel" and float(first["validation_accuracy"]) == pytest.approx(20 / 30)
    assert (second["number"], second["best_epoch"], second["validation_accuracy_deviation"]) == ("2", "2", "")
    assert (last["run"], last["seeds"]) == ("always the largest class", "")
    assert "costs_1.png" in (models / "comparison" / "comparison.md").read_text()


def test_what_the_errors_share_is_said_and_the_hardest_tracks_come_first(models, monkeypatch, capsys):
    for name, right in (("best", 24), ("middle", 20), ("worst", 18)):
        make_run(models / "made_up_model" / "mel" / name, right)
    compare(monkeypatch, f"--models={models}")
    said = "Of 30 validation tracks all 3 runs are right on 18, none on 6, most often a taken for b (2)"
    assert said in capsys.readouterr().out
    with open(models / "comparison" / "tracks_1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"track": "v24", "truth": "a", "runs_right": "0", "most_say": "b"}
    assert [row["runs_right"] for row in rows] == ["0"] * 6 + ["1"] * 4 + ["2"] * 2 + ["3"] * 18


def test_votes_which_have_no_parameters_seconds_or_epochs_are_in_the_table_alone(models, monkeypatch):
    unknown = dict.fromkeys(("parameters", "seconds", "epochs", "best_epoch"))
    for method in ("mean", "majority"):
        vote = make_run(models / "ensemble" / "mel" / method, script="ensemble", **unknown)
        (vote / "history.csv").unlink()
    compare(monkeypatch, f"--models={models}")
    assert [row["run"] for row in tables(models)[0]][:2] == ["ensemble/mel/majority", "ensemble/mel/mean"]
    assert not list((models / "comparison").glob("*.png"))
    make_run(models / "made_up_model" / "mel", 10)
    compare(monkeypatch, f"--models={models}")
    assert tables(models)[0][0]["parameters"] == "-"
    assert len(list((models / "comparison").glob("*.png"))) == 2


def test_pictures_of_other_features_are_the_same_data_other_tracks_truths_or_classes_are_not(models):
    same = [make_run(models / f"run{i}", index_fingerprint=str(i), feature=f"feature{i}") for i in range(3)]
    fewer = {"validation": TRACKS["validation"][:29]}
    others = [make_run(models / "fewer", tracks=fewer), make_run(models / "named", classes=["a", "b", "d"])]
    shifted = {"validation": [*TRACKS["validation"][1:], TRACKS["validation"][0]]}
    others += [make_run(models / "truths", tracks=shifted), make_run(models / "more")]
    (others[-1] / "run.json").write_text(json.dumps(SETTINGS | {"classes": [*CLASSES, "d"]}))  # of which no track is
    groups = comparison.group([comparison.read(folder) for folder in [*same, *others]])
    assert [sorted(row.name for row in group.rows) for group in groups][0] == sorted(path.as_posix() for path in same)
    assert sorted(row.name for group in groups[1:] for row in group.rows) == sorted(path.as_posix() for path in others)
    assert [len(group.rows) for group in groups] == [3, 1, 1, 1, 1]
    assert groups[0].title == "30 validation tracks of data/images, 3 classes"


def test_the_same_validation_with_other_test_tracks_is_ranked_but_warned_of(models):
    other = TRACKS | {"test": ["t99"]}
    found = [make_run(models / "a"), make_run(models / "b", tracks=other), make_run(models / "c")]
    (group,) = comparison.group(map(comparison.read, found))
    assert any("test tracks differ" in note for note in group.notes())


def test_repeats_are_one_row_of_mean_deviation_and_number(models, monkeypatch):
    for seed, right in enumerate((18, 21, 24)):
        make_run(models / "made_up_model" / "mel" / "repeated" / f"seed{seed}", right, seed=seed, seconds=10.0 + seed)
    make_run(models / "made_up_model" / "mel", 20)
    compare(monkeypatch, f"--models={models}")
    ((best, second, _),) = tables(models)
    bounds = np.mean([evaluation.accuracy_interval(right, 30) for right in (18, 21, 24)], axis=0)
    assert best["run"] == "made_up_model/mel/repeated/seed*"
    assert best["accuracy, % (95 % interval)"] == "70.0 +- 10.0 ({:.1f} to {:.1f})".format(*100 * bounds)
    assert (best["seeds"], best["seconds"], second["seeds"]) == ("3", "11", "1")


def test_the_interval_of_folds_is_that_of_the_tracks_of_all(models):
    names = [f"v{i:02d}" for i in range(30)]
    folds = [(7, names[:10]), (9, names[10:20]), (5, names[20:])]
    found = [
        comparison.read(make_run(models / f"fold{n}", right, {"validation": tracks}))
        for n, (right, tracks) in enumerate(folds)
    ]
    row = comparison.Row("a", found, [judged.scores for judged in found])
    assert row.interval("validation") == pytest.approx(evaluation.accuracy_interval(21, 30))
    assert row.interval("test") is None
    one = comparison.Row("a", found[:1], [found[0].scores])
    assert one.interval("validation") == pytest.approx(evaluation.accuracy_interval(7, 10))


@pytest.mark.parametrize("key", ["training", "inputs", "runs"])
def test_seeds_of_other_settings_are_not_repeats(models, key):
    settings = {
        "training": lambda seed: {"epochs": 1 + seed},
        "inputs": lambda seed: [{"recipes": {"mel": {"n_mels": 64 * (1 + seed)}}}],
        "runs": lambda seed: [{"run": ("time_model/mel", "fcn_model/mel")[seed], "weights": "0"}],
    }
    found = [make_run(models / f"seed{seed}", **{key: settings[key](seed)}) for seed in range(2)]
    (group,) = comparison.group(map(comparison.read, found))
    assert [row.name for row in group.rows] == [folder.as_posix() for folder in found]


def test_runs_of_several_tags_are_apart_and_ranked_by_roc_auc(models, monkeypatch):
    make_tags_run(models / "made_up_model" / "mel" / "worse", 1.4)
    make_tags_run(models / "made_up_model" / "mel" / "tags", 0.2)
    make_run(models / "made_up_model" / "mel")
    compare(monkeypatch, f"--models={models}")
    tags, single = tables(models)
    assert [row["run"] for row in tags] == ["made_up_model/mel/tags", "made_up_model/mel/worse", "chance"]
    assert tags[0]["macro ROC-AUC (95 % interval)"].startswith("1.000 (")
    assert tags[-1]["macro ROC-AUC (95 % interval)"] == "0.500"
    assert [row["run"] for row in single] == ["made_up_model/mel", "always the largest class"]


def test_hidden_folders_unfinished_runs_and_members_are_left_out(models):
    kept = [make_run(models / "made_up_model" / "mel"), make_run(models / "ensemble" / "mel" / "mean")]
    make_run(models / "made_up_model" / ".mel.unfinished" / "run")
    make_run(models / "ensemble" / "mel" / "mean" / "members" / "0")
    (models / "made_up_model" / "mfcc").mkdir()
    assert comparison.find(models) == sorted(kept)
    assert comparison.find(kept[1]) == [kept[1]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.json", "{"),
        ("run.json", json.dumps({**SETTINGS, "seconds": "long"})),
        ("metrics.json", "[]"),
        ("metrics.json", '{"validation": {"accuracy": "high"}}'),
        ("predictions.csv", "track,subset\nv00,validation\n"),
        ("predictions.csv", "track,subset,truth,prediction\nv00,validation,a,nothing\n"),
        ("predictions.csv", "track,subset,truth,prediction\nv00,validation,a,b\n"),
        ("predictions.csv", None),
        ("history.csv", "epoch,val_accuracy\n1,good\n"),
        ("history.csv", "epoch\n1\n"),
    ],
)
def test_a_damaged_run_is_a_line_of_warning_and_not_the_end(models, monkeypatch, capsys, name, text):
    damaged, whole = make_run(models / "damaged"), make_run(models / "whole")
    (damaged / name).unlink()
    if text is not None:
        (damaged / name).write_text(text)
    compare(monkeypatch, f"--models={models}")
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith(f"warning: left out: {damaged / name}")
    assert printed.out.count("warning") == 1 and not printed.err
    assert [row["run"] for row in tables(models)[0]] == [whole.as_posix(), "always the largest class"]
    (whole / "run.json").write_text("")
    assert "is damaged" in one_line_error("compare_models.py", f"--models={models}", code=1)


def test_two_runs_are_tested_on_the_tracks_that_only_one_has_right(models, monkeypatch, capsys):
    ours, theirs = make_run(models / "ours", 20), make_run(models / "theirs", 26)
    compare(monkeypatch, ours, theirs, f"--models={models}")
    printed = capsys.readouterr().out
    expected = f"only {ours} is right on 0, only {theirs} on 6; exact McNemar p = 0.031"  # 2 / 2 ** 6
    assert f"validation, 30 tracks: {expected}" in printed
    assert f"test, 12 tracks: only {ours} is right on 0, only {theirs} on 0; exact McNemar p = 1\n" in printed
    assert expected in (models / "comparison" / "comparison.md").read_text()
    assert [row["run"] for row in tables(models)[0]] == [theirs.as_posix(), ours.as_posix(), "always the largest class"]


def test_the_repeats_of_two_are_tested_over_all_their_seeds(models, monkeypatch, capsys):
    for name, rights in (("ours", (24, 26)), ("theirs", (18, 18, 21))):
        for seed, right in enumerate(rights):
            make_run(models / name / "made_up_model" / "mel" / f"seed{seed}", right, seed=seed)
    compare(monkeypatch, models / "ours", models / "theirs", f"--models={models}")
    printed = capsys.readouterr().out
    ours, theirs = ((models / name / "made_up_model/mel/seed*").as_posix() for name in ("ours", "theirs"))
    expected = f"validation, 30 tracks: mean accuracy of {ours} (2) less that of {theirs} (3): +20.0 points (+"
    (line,) = [line for line in printed.splitlines() if line.startswith(expected)]
    p_value = float(line.partition("; paired permutation test over tracks p = ")[2])
    assert p_value == pytest.approx(2 / 2**8, abs=0.003)  # eight tracks differ
    assert line in (models / "comparison" / "comparison.md").read_text()
    compare(monkeypatch, models / "ours", models / "theirs/made_up_model/mel/seed0", f"--models={models}")
    assert "seed0 (1): +23.3 points" in capsys.readouterr().out
    several = models / "more"
    make_run(several / "a"), make_run(several / "b")
    compare(monkeypatch, models / "ours", several, f"--models={models}")
    printed = capsys.readouterr().out
    assert "paired" not in printed and "not tested, as one of them holds more than a run and its repeats" in printed


def test_what_an_earlier_comparison_of_more_groups_drew_is_removed(models, monkeypatch):
    other = {"validation": TRACKS["validation"][:20]}
    named = [make_run(models / f"{i}", tracks=t) for i, t in enumerate((TRACKS, TRACKS, TRACKS, other, other, other))]
    compare(monkeypatch, *named, f"--models={models}")
    folder = models / "comparison"
    (folder / "costs_2_mine.png").touch()
    assert {"costs_1.png", "costs_2.png", "curves_2.png", "tracks_2.csv"} <= {path.name for path in folder.iterdir()}
    compare(monkeypatch, *named[:3], f"--models={models}")
    left = ["comparison.csv", "comparison.md", "costs_1.png", "costs_2_mine.png", "curves_1.png", "tracks_1.csv"]
    assert sorted(path.name for path in folder.iterdir()) == left


def test_two_runs_of_other_tracks_are_refused_in_one_line_that_names_both(models):
    ours = make_run(models / "ours")
    theirs = make_run(models / "theirs", tracks={"validation": TRACKS["validation"][:20]})
    line = one_line_error("compare_models.py", ours, theirs, f"--models={models}", code=2)
    assert str(ours) in line and str(theirs) in line and "30 tracks of 3 classes against 20 tracks" in line
    assert not (models / "comparison").exists()


def test_a_run_is_not_tested_against_itself_nor_runs_of_several_tags(models):
    ours, tags = make_run(models / "ours"), [make_tags_run(models / f"tags{i}", i) for i in range(2)]
    assert "same run" in one_line_error("compare_models.py", ours, ours, code=2)
    assert "same run" in one_line_error("compare_models.py", make_run(models / "mel/seed0"), models / "mel", code=2)
    assert "different validation tracks" in one_line_error("compare_models.py", tags[0], ours, code=2)
    done = call("compare_models.py", *tags, f"--models={models}")
    assert "not tested" in done.stdout and "macro ROC-AUC" in done.stdout


def test_named_folders_may_hold_runs_and_a_run_that_is_named_twice_counts_once(models, tmp_path):
    for name in ("a", "b"):
        make_run(models / "made_up_model" / "mel" / name)
    make_run(tmp_path / "more" / "made_up_model" / "mel" / "b")
    named = (models, models / "made_up_model" / "mel" / "a", tmp_path / "more")
    call("compare_models.py", *named, f"--models={models}", cwd=tmp_path)
    assert [row["run"] for row in tables(models)[0]][:3] == sorted(
        [
            (models / "made_up_model/mel/b").as_posix(),
            "made_up_model/mel/a",
            (tmp_path / "more" / "made_up_model/mel/b").as_posix(),
        ]
    )


def test_a_folder_without_runs_is_one_line_that_says_what_to_do(tmp_path):
    line = one_line_error("compare_models.py", f"--models={tmp_path / 'models'}", code=2)
    assert "no finished run in" in line and "python time_model.py" in line
