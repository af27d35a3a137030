import json

from genre import evaluation
from genre.index import Row

import numpy as np
import pytest
from sklearn import metrics

CLASSES = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),  # from published accuracies: 83.45, 77.58 and 54.14 % of 290; 83 % of 100
    [(242, 290, 78.7, 87.3), (225, 290, 72.4, 82.0), (157, 290, 48.4, 59.8), (83, 100, 74.5, 89.1)],
)
def test_intervals_are_wilsons(correct, total, low, high):
    assert np.round(100 * np.array(evaluation.accuracy_interval(correct, total)), 1).tolist() == [low, high]


def test_the_pieces_of_a_track_are_averaged():
    rows = [Row(f"{i}.png", track, ("a",)) for i, track in enumerate(["y", "x", "y", "x"])]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    tracks, y, averaged = evaluation.average_tracks(rows, np.array([0, 1, 0, 1]), probabilities)
    assert tracks == ["x", "y"]
    assert y.tolist() == [1, 0]
    np.testing.assert_allclose(averaged, [[0.3, 0.7], [0.6, 0.4]])


def test_scores_of_a_known_case():
    y = np.array([0, 0, 0, 1, 1])
    probabilities = np.eye(3)[[0, 0, 1, 1, 2]]
    scores = evaluation.scores(y, probabilities, CLASSES)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["majority_accuracy"] == pytest.approx(3 / 5)
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 1 / 2) / 2)  # c has no track
    assert scores["per_class"]["a"] == {
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
        "tracks": 3,
    }
    assert np.isfinite(scores["log_loss"])
    assert scores["calibration_error"] == pytest.approx(2 / 5)  # sure of all, right on 3 of 5


def test_confidence_is_compared_with_accuracy_and_a_near_miss_counts():
    y = np.array([0, 1, 2, 2])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    scores = evaluation.scores(y, probabilities, CLASSES)
    assert scores["top2_accuracy"] == 3 / 4
    # of 0.7 one of two is right, of 0.5 one of two
    assert scores["calibration_error"] == pytest.approx((2 * 0.2 + 2 * 0) / 4)
    aucs = [metrics.roc_auc_score(y == k, probabilities[:, k]) for k in range(3)]
    assert scores["roc_auc"] == pytest.approx(np.mean(aucs))
    assert evaluation.scores(np.zeros(4, int), probabilities, CLASSES)["roc_auc"] is None


def test_repeats_are_compared_by_how_many_have_each_track_right():
    right = np.arange(40) < np.array([[30], [34]])
    single = evaluation.compare_repeats(right[1:], right[:1])
    exact = evaluation.compare(np.ones(40), right[1], right[0])
    assert exact["p_value"] == 0.125
    assert single["p_value"] == pytest.approx(exact["p_value"], abs=0.01)  # McNemar's is the case of one run each
    both = evaluation.compare_repeats(right, np.zeros((3, 40), bool))
    assert both["gain"] == pytest.approx(0.8) and both["p_value"] < 0.001
    low, high = both["interval"]
    error = 1.96 * right.mean(axis=0).std() / 40**0.5  # of a mean of 40
    assert (low, high) == (pytest.approx(0.8 - error, abs=0.03), pytest.approx(0.8 + error, abs=0.03))
    alike = evaluation.compare_repeats(right, right[::-1])
    assert (alike["gain"], alike["interval"], alike["p_value"]) == (0, (0, 0), 1)
    back = evaluation.compare_repeats(np.zeros((3, 40), bool), right)
    assert (back["gain"], back["p_value"]) == (pytest.approx(-0.8), pytest.approx(both["p_value"], abs=0.001))


def test_a_run_gets_its_files_for_every_subset(tmp_path):
    rows = [Row(f"{i}.png", f"g/{i}", ("a",)) for i in range(3)]
    predicted = {s: (rows, np.array([0, 1, 2]), np.eye(3)[[0, 1, k]]) for s, k in (("validation", 1), ("test", 2))}
    results = evaluation.write(tmp_path, predicted, CLASSES, "title")
    assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(results))
    assert (tmp_path / "predictions.csv").read_text().splitlines()[:4] == [
        "track,subset,truth,prediction,a,b,c",
        "g/0,validation,a,a,1.000000,0.000000,0.000000",
        "g/1,validation,b,b,0.000000,1.000000,0.000000",
        "g/2,validation,c,b,0.000000,1.000000,0.000000",
    ]
    confusion = (tmp_path / "confusion_matrix.csv").read_text().splitlines()
    assert confusion == ["true \\ predicted,a,b,c", "a,1,0,0", "b,0,1,0", "c,0,0,1"]  # of test, where there is one
    assert results["test"]["accuracy"] == 1.0
    assert results["validation"]["accuracy"] == pytest.approx(2 / 3)


def test_pieces_are_scored_as_tracks_are(tmp_path):
    rows = [Row(f"{i}.png", f"g/{i // 2}", ("a",)) for i in range(4)]
    y, probabilities = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.2, 0.8]])
    of = evaluation.write(tmp_path, {"validation": (rows, y, probabilities)}, ["a", "b"], "title")["validation"]
    assert (of["tracks"], of["pieces"], of["accuracy"], of["per_piece"]["accuracy"]) == (2, 4, 1.0, 0.75)
    assert of["per_piece"].keys() == evaluation.scores(y, probabilities, ["a", "b"]).keys() - {"tracks"}
    assert of["per_piece"]["per_class"]["a"]["recall"] == 0.5


def test_bins_hold_confidence_accuracy_and_wilsons_interval():
    confidence = np.array([0.5, 0.52, 0.52, 1.0 + 1e-12, 1.0])
    found = evaluation.reliability(confidence, np.array([True, False, False, True, True]))
    assert found.counts.tolist() == [3, 2]
    np.testing.assert_allclose(found.confidence, [1.54 / 3, 1])
    np.testing.assert_allclose(found.accuracy, [1 / 3, 1])
    for bin_, correct, total in ((0, 1, 3), (1, 2, 2)):
        assert (found.low[bin_], found.high[bin_]) == evaluation.accuracy_interval(correct, total)
    assert found.error == pytest.approx(0.54 / 5)
    assert len(found.edges) == 16


def test_roc_curves_of_tags_are_those_of_single_classes_where_each_track_has_one():
    rng = np.random.default_rng(0)
    y, scores = np.arange(30) % 3, rng.random((30, 3))
    one, several = evaluation.roc_curves(y, scores), evaluation.roc_curves(y[:, None] == np.arange(3), scores)
    assert [area for *_, area in one[0].values()] == [area for *_, area in several[0].values()]


def test_a_map_puts_what_is_alike_beside_each_other_and_is_the_same_again():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4
    x = rng.normal(size=(40, 20)).astype(np.float32) + 5 * np.eye(4, 20)[y]
    xy = evaluation.tsne(x)
    apart = np.linalg.norm(xy[:, None] - xy, axis=-1) + 1e9 * np.eye(40)
    assert (y[apart.argmin(axis=1)] == y).mean() > 0.9
    np.testing.assert_array_equal(evaluation.tsne(x), xy)


@pytest.mark.parametrize("tracks", [4, 7])
@pytest.mark.parametrize("columns", [1, 300])
def test_a_map_is_drawn_of_few_tracks_and_few_columns_but_not_of_tracks_all_alike(tracks, columns):
    xy = evaluation.tsne(np.random.default_rng(0).normal(size=(tracks, columns)).astype(np.float32))
    assert xy.shape == (tracks, 2) and np.isfinite(xy).all()
    assert evaluation.tsne(np.ones((tracks, columns), np.float32)) is None
    assert evaluation.tsne(np.eye(3, columns)) is None


def test_pictures_are_of_the_last_subset_and_a_map_only_where_there_are_embeddings(tmp_path, pictures, capsys):
    rows = [Row(f"{i}.png", f"g/{i // 2}", ("a",)) for i in range(18)]
    predicted = {s: (rows, np.arange(18) // 2 % 3, np.full((18, 3), 1 / 3)) for s in ("validation", "test")}
    evaluation.write(tmp_path, predicted, CLASSES, "title")
    drawn = {"confusion_matrix.png", "roc.png", "genres.png", "reliability.png"}
    assert {path.name for path in tmp_path.glob("*.png")} == drawn
    evaluation.write(tmp_path, predicted, CLASSES, "title", np.ones((18, 5)))
    assert "no tsne.png: too few tracks, or all look alike" in capsys.readouterr().out
    evaluation.write(tmp_path, predicted, CLASSES, "title", np.random.default_rng(0).random((18, 5)))
    assert {path.name for path in tmp_path.glob("*.png")} == drawn | {"tsne.png"}


def test_a_map_is_of_some_of_many_tracks_and_says_so(tmp_path, pictures, figures, monkeypatch):
    monkeypatch.setattr(evaluation, "MOST_POINTS", 8)
    x = np.random.default_rng(0).random((9, 5))
    evaluation.draw_map(tmp_path, np.arange(9) % 3, x, CLASSES, "title")
    assert "5 numbers a track, 8 of 9 tracks" in figures[0]._suptitle.get_text()


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 4.0])
def test_the_temperature_undoes_too_much_and_too_little_confidence(too_sure):
    rng = np.random.default_rng(0)
    logarithms = np.log(rng.dirichlet(np.ones(4), 5000))
    y = np.array([rng.choice(4, p=np.exp(row)) for row in logarithms])
    said = np.exp(too_sure * logarithms)
    assert evaluation.temperature(y, said / said.sum(axis=1, keepdims=True)) == pytest.approx(too_sure, rel=0.06)
