import functools
import json
import re
import shutil
import subprocess
import sys

from genre import images, inputs, runs
from genre.command_line import CallError, DataError

import numpy as np
import pytest
from conftest import ROOT, one_line_error


def test_a_song_is_rendered_as_its_training_picture_was(split_data, trained_run):
    """The cause of "always says classical" elsewhere: another rendering in prediction than in training."""
    from genre import index

    run = runs.read(trained_run)
    folder = split_data / "images" / "mel"
    for row in index.subset_rows(folder, "test"):
        (piece,) = run.pieces(split_data / "genres" / f"{row.track}.wav")
        np.testing.assert_array_equal(run.render(piece)[0], images.read(folder / row.file))


def test_a_loaded_run_repeats_the_predictions_it_was_written_with(split_data, trained_run):
    run = runs.read(trained_run)
    pictures = inputs.load(split_data / "images" / "mel", "test", run.classes)
    lines = [line.split(",") for line in (trained_run / "predictions.csv").read_text().splitlines()]
    written = {line[0]: [float(cell) for cell in line[4:]] for line in lines if line[1] == "test"}
    predicted = run.predict([pictures.x])
    np.testing.assert_allclose(predicted, [written[row.track] for row in pictures.rows], atol=2e-6)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)


def test_a_run_is_read_without_tensorflow(trained_run):
    code = "import sys; from genre import runs; runs.read(sys.argv[1]).recipes; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, trained_run], cwd=ROOT, check=True, capture_output=True)


def test_what_is_no_run_is_refused_with_what_there_is(tmp_path, trained_run):
    with pytest.raises(CallError, match="no run at .*; train one with: python time_model"):
        runs.read(tmp_path)
    with pytest.raises(CallError, match="below it there is .*mel"):
        runs.read(trained_run.parent)
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    (copy / runs.MODEL).write_bytes(b"no model")
    with pytest.raises(DataError, match=r"model\.keras cannot be loaded"):
        _ = runs.read(copy).model
    (copy / runs.RUN).write_text("{")
    with pytest.raises(DataError, match=r"run\.json is damaged"):
        runs.read(copy)


RECIPE = ("inputs", 0, "recipes", "mel")


@pytest.mark.parametrize(
    ("key", "value", "both"),
    [
        ((*RECIPE, "feature"), "mels", "it has the feature 'mels'; there are mel, stft"),
        ((*RECIPE, "transform", "n_bands"), 16, "it has mel with n_bands; mel takes n_fft, .*n_mels"),
        ((*RECIPE, "seconds"), 0.5, r"songs are rendered to 16 x 32 x 1, its run\.json says 16 x 63 x 1"),
        (("inputs", 0, "image_size"), "9x63", r"songs are rendered to 9 x 63 x 1, its run\.json says 16 x 63 x 1"),
        (("inputs", 0), {"image_size": "9x63", "input_shape": [9, 63, 1]}, "network takes 16 x 63 x 1, .* 9 x 63 x 1"),
        (("classes",), ["high", "low"], r"it gives 3 probabilities, its run\.json names 2 classes \(high, low\)"),
    ],
)
def test_a_run_whose_parts_do_not_fit_is_refused_by_naming_both(tmp_path, split_data, trained_run, key, value, both):
    """As where a model was copied beside the run.json of another run, or the run is of another version."""
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    info = json.loads((copy / runs.RUN).read_text())
    part = functools.reduce(lambda part, name: part[name], key[:-1], info)
    part[key[-1]] = part[key[-1]] | value if isinstance(value, dict) else value
    (copy / runs.RUN).write_text(json.dumps(info))
    error = one_line_error("predict.py", split_data / "genres" / "low", f"--run={copy}", code=1)
    assert re.search(both, error), error


def test_a_run_records_how_to_repeat_it(trained_run):
    info = json.loads((trained_run / runs.RUN).read_text())
    assert info["command"].startswith("python time_model.py --data=")
    for key in ("seed", "versions", "git_commit", "index_fingerprint", "inputs", "seconds", "training", "images_path"):
        assert key in info
    assert info["seed"] == 0 and info["versions"]["numpy"] == np.__version__
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert head.returncode or info["git_commit"].startswith(head.stdout.strip())
    assert info["inputs"][0]["recipes"]["mel"]["transform"]["n_mels"] == 16
