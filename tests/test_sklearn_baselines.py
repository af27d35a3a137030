"""The twelve classifiers: fitted on train alone, each a run, a failure a row; and what is drawn of them."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import warnings

import sklearn_baselines
from genre import estimators, evaluation, files, index, runs, tables
from genre.command_line import CallError, DataError
from genre.index import Row
from sklearn_baselines import CLASSIFIERS

import numpy as np
import pytest
from conftest import ROOT, in_process, write_songs, write_statistics
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from test_tables import split

PICTURES = ("roc.png", "confusion_matrices.png", "tsne.png")


def baselines(monkeypatch, data, *options):
    """The exit code, with the fits of so few songs not warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return in_process(
            monkeypatch, sklearn_baselines, f"--data={data}", f"--models={data / 'models'}", "--columns=zcr", *options
        )


def folder(data):
    return data / "models" / "sklearn_baselines" / "statistics"


def table(data):
    with open(folder(data) / "classifiers.csv", newline="") as file:
        return {row["classifier"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table of songs that was split, with the runs of all twelve classifiers."""
    data = tmp_path_factory.mktemp("songs")
    write_statistics(data / "statistics", tracks=20)
    with pytest.MonkeyPatch.context() as monkeypatch:
        split(monkeypatch, data)
        baselines(monkeypatch, data)
    return data


def test_each_is_a_run_that_says_what_its_predictions_say(data):
    songs = tables.load(data / "images" / "statistics", "validation", ["a", "b", "c"], ["zcr"])
    assert len(CLASSIFIERS) == 12 and table(data).keys() == CLASSIFIERS.keys()
    for name in CLASSIFIERS:
        found = runs.read(folder(data) / name)
        assert not (found.folder / runs.MODEL).exists()
        tracks, said = evaluation.read_predictions(found.folder, found.classes)["validation"][::2]
        expected = found.predict([songs.x])[[[row.track for row in songs.rows].index(track) for track in tracks]]
        np.testing.assert_allclose(said, expected, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6, err_msg=name)
        assert found.info["hyperparameters"] == {"classifier": name}


def test_the_table_is_sorted_by_validation_and_says_what_metrics_json_says(data):
    rows = list(table(data).values())
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > 0.8
    for row in rows:
        scores = json.loads((folder(data) / row["classifier"] / "metrics.json").read_text())
        for subset in ("validation", "test"):
            assert float(row[f"{subset}_accuracy"]) == pytest.approx(scores[subset]["accuracy"], abs=1e-6)
            interval = [float(row[f"{subset}_low"]), float(row[f"{subset}_high"])]
            assert interval == pytest.approx(scores[subset]["interval"], abs=1e-6)


def test_all_are_drawn_together(data):
    for name in PICTURES:
        assert min(Image.open(folder(data) / name).size) > 800


def test_songs_are_standardised_by_train_alone(data):
    train = tables.load(data / "images" / "statistics", "train", ["a", "b", "c"], ["zcr"]).x.astype(np.float64)
    for name in ("lda", "svm"):  # one with probabilities of its own, one without
        model = runs.read(folder(data) / name).estimator
        if isinstance(model, CalibratedClassifierCV):
            (model,) = [one.estimator for one in model.calibrated_classifiers_]
        np.testing.assert_allclose(model[0].mean_, train.mean(axis=0))
        np.testing.assert_allclose(model[0].scale_, train.std(axis=0))


def test_the_same_seed_gives_the_same_probabilities_and_another_call_trains_nothing(data, monkeypatch, capsys):
    before = {name: (folder(data) / name / "predictions.csv").read_text() for name in ("rfc", "mlp", "lsvm")}
    baselines(monkeypatch, data)
    assert not re.search(f"^({'|'.join(CLASSIFIERS)}): ", capsys.readouterr().out, re.MULTILINE)
    baselines(monkeypatch, data, "--classifier=rfc,mlp,lsvm", "--overwrite")
    assert re.findall("^(rfc|mlp|lsvm): ", capsys.readouterr().out, re.MULTILINE) == ["lsvm", "rfc", "mlp"]
    assert before == {name: (folder(data) / name / "predictions.csv").read_text() for name in before}
    assert table(data).keys() == CLASSIFIERS.keys()


def test_a_damaged_run_is_left_out_of_the_table_unless_it_is_asked_for(data, tmp_path, monkeypatch, capsys):
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    (folder(tmp_path) / "rfc" / "predictions.csv").unlink()
    with (
        files.only_writer(folder(tmp_path) / "gnb"),
        pytest.raises(CallError, match="another process is writing .*gnb"),
    ):
        baselines(monkeypatch, tmp_path, "--classifier=gnb", "--overwrite")
    baselines(monkeypatch, tmp_path, "--classifier=gnb", "--overwrite")
    assert "warning: left out: " in capsys.readouterr().out
    assert table(tmp_path).keys() == CLASSIFIERS.keys() - {"rfc"}
    with pytest.raises(DataError, match=r"predictions\.csv is not there; train the run again with --overwrite"):
        baselines(monkeypatch, tmp_path, "--classifier=rfc")


def test_one_that_fails_is_the_last_row_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    write_statistics(tmp_path / "statistics", tracks=8)
    split(monkeypatch, tmp_path)
    baselines(monkeypatch, tmp_path, "--classifier=qda,gnb,rc", "--columns=mfcc")
    assert "qda: failed: The covariance matrix of class 0 is not full rank" in capsys.readouterr().out
    *_, last = table(tmp_path).items()
    assert last[0] == "qda" and last[1]["validation_accuracy"] == "" and "not full rank" in last[1]["note"]
    assert not (folder(tmp_path) / "qda").exists()
    assert len(table(tmp_path)) == 3
    with pytest.raises(DataError, match="no classifier could be fitted; .*classifiers.csv says why"):
        baselines(monkeypatch, tmp_path, "--classifier=qda", "--columns=mfcc", "--run_name=alone")


def test_labels_that_do_not_count_are_said(tmp_path, monkeypatch, capsys):
    folder = write_statistics(tmp_path / "statistics")
    index.write(folder, [dataclasses.replace(row, labels=(*row.labels, "loud")) for row in index.read(folder)])
    split(monkeypatch, tmp_path)
    baselines(monkeypatch, tmp_path, "--classifier=gnb")
    assert "tracks have several genres; only the first of each counts here" in capsys.readouterr().out


def test_what_does_not_fit_is_refused(data, monkeypatch):
    with pytest.raises(CallError, match="--classifier=svm,tree: expected some of lr, rc, lsvm"):
        baselines(monkeypatch, data, "--classifier=svm,tree")
    with pytest.raises(CallError, match="svm has other settings .*--overwrite replaces it"):
        baselines(monkeypatch, data, "--classifier=svm", "--columns=rmse")


@pytest.mark.parametrize("name", ["rc", "lsvm", "svm"])
@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_change_no_decision_and_are_fitted_on_songs_held_out(name, classes):
    rng = np.random.default_rng(0)
    y = np.arange(600) % classes
    x = rng.normal(size=(600, 5)) + 1.5 * np.eye(classes, 5)[y]
    rows = [Row("", str(i), ("a",), artist=str(i // 4)) for i in range(600)]
    plain = sklearn_baselines.build_model((5,), classes, classifier=name).fit(x, y)
    model = estimators.with_probabilities(sklearn_baselines.build_model((5,), classes, classifier=name), y, rows, 0)
    model.fit(x, y)
    new = rng.normal(size=(500, 5))
    probabilities = model.predict_proba(new)
    agreed = (probabilities.argmax(axis=1) == plain.predict(new)).mean()
    assert agreed > 0.98 if name == "svm" else agreed == 1  # where SVC's pairwise votes tie
    np.testing.assert_allclose(estimators.decisions(model, new).argmax(axis=1), probabilities.argmax(axis=1))
    for fitted, held in model.cv:
        assert not {rows[i].artist for i in fitted} & {rows[i].artist for i in held}
    # as sure as it is right, on songs of the same kind that it has not seen
    truth = np.arange(4000) % classes
    sure = model.predict_proba(rng.normal(size=(4000, 5)) + 1.5 * np.eye(classes, 5)[truth])
    assert sure.max(axis=1).mean() == pytest.approx((sure.argmax(axis=1) == truth).mean(), abs=0.05)


def test_a_song_is_predicted_without_tensorflow(tmp_path):
    write_songs(tmp_path / "data" / "genres", ("high", "low"), tracks=6, seconds=2)
    for name, options in (
        ("create_statistics", ["--workers=1"]),
        ("split_dataset", []),
        ("sklearn_baselines", ["--classifier=rfc"]),
        ("predict", ["data/genres/high/high.00000.wav", "--run=models/sklearn_baselines/statistics/rfc"]),
    ):
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = {options}; import {name}; {name}.main(); "
        )
        code += "assert 'tensorflow' not in sys.modules"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "high.00000.wav  high " in done.stdout


def test_roc_curves_are_of_the_classes_that_some_tracks_are_of():
    y = np.array([0, 0, 1, 1])
    scores = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.6, 0.4, 0], [0.1, 0.9, 0]])
    of_class, (false, true, area) = evaluation.roc_curves(y, scores)
    assert sorted(of_class) == [0, 1]
    assert area == pytest.approx(0.75)
    assert np.trapezoid(true, false) == pytest.approx(area, abs=0.01)
    assert np.isnan(evaluation.roc_curves(np.zeros(4, int), scores)[1][2])
