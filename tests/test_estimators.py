import vgg16_svm_model
from genre import estimators
from genre.command_line import DataError

import numpy as np
import pytest
from sklearn.pipeline import Pipeline


def rows(count=60, classes=3, columns=6):
    y = np.arange(count) % classes
    x = np.random.default_rng(0).normal(size=(count, columns)).astype(np.float32) + 4 * np.eye(classes, columns)[y]
    return x, y, np.array([f"track{i // 2 // classes * classes + i % classes}" for i in range(count)])


def test_folds_hold_out_each_scored_row_once_and_never_split_a_group():
    _, y, groups = rows()
    scored = np.isin(groups, sorted(set(groups))[::2])
    found = estimators.folds(y, groups, scored, seed=0)
    assert sorted(np.concatenate([held for _, held in found])) == sorted(np.flatnonzero(scored))
    for fitted, held in found:
        assert not set(groups[fitted]) & set(groups[held])
        assert set(np.flatnonzero(~scored)) <= set(fitted)
    again = estimators.folds(y, groups, scored, seed=0)
    assert all((a[1] == b[1]).all() for a, b in zip(found, again, strict=True))


def test_one_validation_track_a_genre_is_enough():
    found = estimators.folds(
        np.array([0, 1, 0, 1]), np.array(list("abcd")), np.array([False, False, True, True]), seed=0
    )
    assert sorted(held.tolist() for _, held in found) == [[2], [3]]


def test_too_few_tracks_are_an_error_that_says_so():
    with pytest.raises(DataError, match="needs two validation tracks"):
        estimators.folds(np.array([0, 1, 0]), np.array(["a", "b", "a"]), np.array([True, False, True]), seed=0)
    with pytest.raises(DataError, match="needs two training tracks of two genres"):
        estimators.folds(np.array([0, 1]), np.array(["a", "b"]), np.ones(2, bool), seed=0)


def test_the_scaler_is_fitted_inside_and_validation_is_scored_without_having_been_seen(monkeypatch):
    x, y, groups = rows()
    validation = np.isin(groups, sorted(set(groups))[-9:])
    seen = []
    original = Pipeline.fit
    monkeypatch.setattr(Pipeline, "fit", lambda self, x, *a, **k: seen.append(len(x)) or original(self, x, *a, **k))
    search = vgg16_svm_model.build_model({"run": (6,)}, 3, C=(1.0,), gamma=(0.1,))
    estimator, probabilities, search = estimators.fit(search, x, y, groups, validation, seed=0)
    assert max(seen) < len(x)  # not one machine, its scaler included, is fitted on the rows that calibrate it
    assert probabilities.shape == (validation.sum(), 3)
    shuffled = y.copy()
    shuffled[validation] = np.roll(y[validation], 1)
    _, again, _ = estimators.fit(search, x, shuffled, groups, validation, seed=0)
    np.testing.assert_array_equal(probabilities, again)  # the labels of validation play no part
    assert (estimator.predict(x) == y).mean() > 0.9


def test_what_is_saved_predicts_the_same(tmp_path):
    x, y, groups = rows()
    validation = np.arange(60) >= 30
    search = vgg16_svm_model.build_model({"run": (6,)}, 3)
    estimator, _, search = estimators.fit(search, x, y, groups, validation, seed=0)
    estimators.save(estimator, tmp_path / "model.skops")
    np.testing.assert_array_equal(
        estimators.load(tmp_path / "model.skops").predict_proba(x), estimator.predict_proba(x)
    )
