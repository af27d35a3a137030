"""Data with several labels a track: targets, loss, scores, training, prediction."""

import csv
import json

import frequency_model
from genre import index, inputs, losses, multi_label, runs, training
from genre.backend import tf
from genre.command_line import CallError
from genre.options import parser_of

import numpy as np
import pytest
from conftest import call, one_line_error, write_pictures
from sklearn.metrics import precision_recall_fscore_support

TAGS = ["calm", "loud", "rare"]


def write_tagged(folder):
    """Pictures of two genres, a and b, all "a" also loud, every second of both also calm, one in each subset rare."""
    write_pictures(folder, counts=[("train", 8), ("validation", 4), ("test", 4)])
    rows = []
    for subset in index.SUBSETS:
        for row in index._rows_of_class_folders(folder, subset):
            number = int(row.file.rpartition(subset)[2].removesuffix(".png"))
            tags = [("loud", row.labels[0] == "a"), ("calm", number % 2), ("rare", number == 0)]
            labels = (*row.labels, *(tag for tag, there in tags if there))
            rows.append(index.Row(row.file, row.track, labels, subset=subset, audio_hash=row.file))
    index.write(folder, rows)
    return folder.parent


def arguments(folder, *options):
    images_path = folder / "images"
    if not images_path.is_dir():
        write_tagged(images_path / "mel")
    common = [f"--images_path={images_path}", f"--models={folder / 'models'}", "--batch_size=5", "--filter_bins=4"]
    return parser_of(frequency_model.build_model, {}).parse_args([*common, "--multi_label", *options])


def train(folder, *options):
    return training.train(frequency_model.build_model, ["mel"], arguments(folder, *options))


def test_all_labels_count_and_those_that_are_no_tag_are_left_out():
    rows = [index.Row("", "1", ("rock", "loud")), index.Row("", "2", ("pop",)), index.Row("", "3", ("odd",))]
    y = inputs.targets(rows, ["loud", "pop", "rock"], multi_label=True)
    assert y.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert inputs.targets(rows[:2], ["pop", "rock"]).tolist() == [1, 0]


def test_the_loss_is_tensorflows_with_a_weight_for_each_tag():
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 2, (7, 3)).astype(np.float32), rng.normal(0, 30, (7, 3)).astype(np.float32)
    weights = np.float32([0.5, 1, 20])
    loss = losses.WeightedBinaryCrossentropy(weights)(y, logits)
    expected = tf.nn.weighted_cross_entropy_with_logits(y, logits, weights)
    assert float(loss) == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)


def test_weights_let_the_tracks_with_a_tag_count_as_much_as_those_without():
    y = np.float32([[1, 0, 1], [1, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert losses.pos_weights(y, "balanced").tolist() == [0.25, 3, 3]  # of a tag that all have: not 0
    assert losses.pos_weights(y, 29.5).tolist() == [29.5] * 3


def test_the_metric_leaves_out_tags_that_validation_cannot_judge():
    y = np.float32([[1, 0, 1], [0, 0, 1], [1, 0, 1]])
    metric = losses.macro_roc_auc(y)
    metric.update_state(y, np.float32([[2, 0, 0], [-2, 0, 0], [3, 0, 0]]))
    assert float(metric.result()) == pytest.approx(1, abs=1e-3)
    metric.reset_state()  # of tags so rare that all tracks are far from them
    metric.update_state(y, np.float32([[-6, 0, 0], [-9, 0, 0], [-7, 0, 0]]))
    assert float(metric.result()) == pytest.approx(1, abs=1e-3)


def test_scores_of_a_known_case():
    y = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.1, 0.2], [0.4, 0.8, 0.2], [0.6, 0.7, 0.9], [0.1, 0.2, 0.1]])
    scores = multi_label.scores(y, probabilities, TAGS)
    assert scores["recall"] == 3 / 4  # of four labels all but the second of calm
    assert scores["precision"] == 3 / 5
    assert scores["per_tag"]["calm"]["roc_auc"] == 3 / 4  # of four pairs one is the wrong way round
    assert scores["per_tag"]["loud"]["roc_auc"] == 1
    assert scores["per_tag"]["rare"]["roc_auc"] is None  # nobody has it
    assert scores["roc_auc"] == (3 / 4 + 1) / 2
    assert scores["pr_auc"] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert scores["chance_pr_auc"] == 1 / 2
    # twelve probabilities in bins of 1/15: 0.4, 0.6, 0.7 and 0.8 alone, 0.9 two, 0.1 three, 0.2 three
    off = [0.6, 0.6, 0.3, 0.2, abs(1.8 - 1), 0.3, 0.6]
    assert scores["calibration_error"] == pytest.approx(sum(off) / 12)
    low, high = scores["interval"]
    assert 0 <= low <= scores["roc_auc"] <= high <= 1


def test_scores_of_one_tag_alone_are_of_those_that_have_it():
    y, probabilities = np.array([[1], [0], [0], [0], [0]]), np.array([[0.9], [0.8], [0.1], [0.2], [0.3]])
    scores = multi_label.scores(y, probabilities, ["rock"])
    of_tag = scores["per_tag"]["rock"]
    assert (of_tag["tracks"], of_tag["precision"], of_tag["recall"], of_tag["f1"]) == (1, 1 / 2, 1, 2 / 3)
    assert (scores["macro_recall"], scores["macro_f1"]) == (1, 2 / 3)


def test_scores_are_those_of_scikit_learn_and_0_where_nothing_is_said():
    rng = np.random.default_rng(0)
    y, probabilities = rng.integers(0, 2, (50, 4)), rng.random((50, 4))
    probabilities[:, 2] = 0.1
    y[:, 3] = 0
    of_tags = multi_label.scores(y, probabilities, list("abcd"))["per_tag"].values()
    found = [[of[what] for of in of_tags] for what in ("precision", "recall", "f1", "tracks")]
    right = precision_recall_fscore_support(y, probabilities >= 0.5, zero_division=0)
    np.testing.assert_allclose(found, right)


def test_a_run_with_tags_holds_a_table_and_pictures_of_them_and_predicts(tmp_path, capsys, pictures):
    run = runs.read(train(tmp_path, "--epochs=60", "--patience=60", "--learning_rate=0.01"))
    assert run.classes == ["a", "b", "calm", "loud", "rare"] and run.info["multi_label"]
    assert run.info["training"]["pos_weight"] == "balanced"
    names = {path.name for path in run.folder.iterdir()}
    assert {"tags.csv", "predictions.csv"} <= names
    drawn = {name for name in names if name.endswith(".png")}
    assert drawn == {"tags.png", "history.png", "roc.png", "reliability.png"}
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["test"]["per_tag"]["a"]["roc_auc"] > 0.9
    assert metrics["test"]["per_tag"]["loud"]["recall"] > 0.7
    with open(run.folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["truth"] for row in rows} >= {"a|loud|rare", "b|calm"}
    assert any(float(row["a"]) + float(row["loud"]) > 1.5 for row in rows)  # not a softmax
    for row in rows:
        assert row["prediction"] == "|".join(tag for tag in run.classes if float(row[tag]) >= 0.5)
    assert "several genres" not in capsys.readouterr().out
    assert run.says(np.array([0.9, 0.1, 0.5, 0.2, 0.3])) == "a|calm"


def test_tags_can_be_chosen_and_tags_that_train_lacks_are_left_out_with_a_warning(tmp_path, capsys):
    arguments(tmp_path)
    folder = tmp_path / "images" / "mel"
    rows = [row for row in index.read(folder) if "rare" not in row.labels or not row.file.startswith("train")]
    index.write(folder, rows)
    assert "rare" not in runs.read(train(tmp_path, "--epochs=1")).classes
    assert "validation has rare, which train lacks; left out" in capsys.readouterr().out
    chosen = runs.read(train(tmp_path, "--epochs=1", "--tags=loud,calm", "--run_name=two"))
    assert chosen.classes == ["calm", "loud"]
    with pytest.raises(CallError, match="no tracks with the tag rare; it has a, b, calm, loud"):
        train(tmp_path, "--tags=rare", "--run_name=none")


def test_one_network_for_each_tag_is_summed_up(tmp_path, monkeypatch, capsys):
    arguments(tmp_path)
    command = [f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--filter_bins=4", "--epochs=2"]
    command += ["--multi_label", "--one_per_tag", "--tags=a,loud"]
    monkeypatch.setattr("sys.argv", ["frequency_model.py", *command])
    with pytest.raises(SystemExit) as done:
        training.main(frequency_model.build_model)
    assert not done.value.code
    parent = tmp_path / "frequency_model" / "mel"
    assert sorted(path.name for path in parent.iterdir()) == ["a", "loud", "summary.csv"]
    assert runs.read(parent / "loud").model.output_shape == (None, 1)
    with open(parent / "summary.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subset"] == "test"]
    assert [row["tag"] for row in rows] == ["a", "loud", "mean", "standard deviation"]
    values = [json.loads((parent / tag / "metrics.json").read_text())["test"]["roc_auc"] for tag in ("a", "loud")]
    assert float(rows[2]["roc_auc"]) == pytest.approx(np.mean(values), abs=1e-5)


def test_options_that_make_no_sense_are_refused(tmp_path):
    assert "add --multi_label" in one_line_error("frequency_model.py", "--tags=a", code=2)
    assert "--repeats" in one_line_error("frequency_model.py", "--multi_label", "--one_per_tag", "--repeats=2", code=2)


def test_songs_get_every_tag_that_is_likely(split_data, tmp_path):
    options = (f"--data={split_data}", f"--models={tmp_path}", "--epochs=20", "--batch_size=4", "--learning_rate=0.01")
    call("frequency_model.py", *options, "--multi_label")
    run = tmp_path / "frequency_model" / "mel"
    out = tmp_path / "tags.csv"
    done = call("predict.py", split_data / "genres" / "noise", f"--run={run}", f"--csv={out}")
    assert "noise.00000.wav" in done.stdout
    with open(out, newline="") as file:
        for row in csv.DictReader(file):
            assert row["prediction"] == "|".join(t for t in ("high", "low", "noise") if float(row[t]) >= 0.5)
