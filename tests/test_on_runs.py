"""Scripts that build on finished runs: VGG16 + SVM and the PCA hybrid, through the public commands."""

import argparse
import csv
import importlib
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

from genre import inputs, metadata, plans, runs, training
from genre.command_line import CallError
from genre.options import parser_of

import numpy as np
import pytest
from conftest import QUICK, ROOT, call, main_keywords, one_line_error, write_pictures

SVM = ("vgg16_svm_model.py", "--C=1,10", "--gamma=0.001,0.01")


@pytest.fixture(scope="module")
def models(split_data, tmp_path_factory):
    """A folder with finished runs: time, frequency, an SVM on frequency and a hybrid of both."""
    models = tmp_path_factory.mktemp("models")
    common = (f"--data={split_data}", f"--models={models}")
    call("time_model.py", *common, "--epochs=1", "--filter_frames=4", "--image_size=16x40")
    call("frequency_model.py", *common, "--epochs=4", "--filter_bins=4", "--learning_rate=0.01")
    call(*SVM, *common, f"--run={models / 'frequency_model' / 'mel'}")
    call("pca_hybrid_model.py", *common, "--epochs=3", "--components=5,700")
    return models


@pytest.mark.parametrize("name", ["vgg16_svm_model", "pca_hybrid_model"])
def test_a_run_on_runs_predicts_songs_like_any_run_without_the_runs_it_was_built_on(models, split_data, tmp_path, name):
    shutil.copytree(models / name, tmp_path / name)  # alone
    songs = split_data / "genres" / "low"
    done = call("predict.py", songs, f"--run={tmp_path / name / 'mel'}", f"--csv={tmp_path / 'out.csv'}")
    assert done.stdout.count(".wav") == 6
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(float(rows[0][genre]) for genre in ("high", "low", "noise")) == pytest.approx(1, abs=1e-5)
    assert sum(row["prediction"] == "low" for row in rows) > 3


@pytest.mark.parametrize("name", ["vgg16_svm_model", "pca_hybrid_model"])
def test_its_predictions_are_repeated_in_a_fresh_process(models, split_data, tmp_path, name):
    run = runs.read(models / name / "mel")
    pictures = inputs.load(split_data / "images" / "mel", "test", run.classes)
    sizes = [settings["input_shape"] for settings in run.info["inputs"]]
    rendered = [run.render(next(run.pieces(split_data / "genres" / f"{row.track}.wav"))) for row in pictures.rows]
    of_inputs = [np.stack(of_input) for of_input in zip(*rendered, strict=True)]
    assert [list(of_input.shape[1:]) for of_input in of_inputs] == sizes
    np.savez(tmp_path / "pictures.npz", *of_inputs)
    code = (
        "import json, sys; import numpy as np; from genre import runs; found = np.load(sys.argv[2]);"
        "print(json.dumps(runs.read(sys.argv[1]).predict([found[name] for name in found]).tolist()))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code, run.folder, tmp_path / "pictures.npz"], cwd=ROOT, capture_output=True, check=True
    )
    with open(run.folder / "predictions.csv", newline="") as file:
        written = {row["track"]: [float(row[c]) for c in run.classes] for row in csv.DictReader(file)}
    np.testing.assert_allclose(json.loads(fresh.stdout), [written[row.track] for row in pictures.rows], atol=2e-6)


def test_the_search_is_written_and_validation_is_scored_by_a_machine_that_never_saw_it(models):
    run = models / "vgg16_svm_model" / "mel"
    with open(run / "search.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert [float(row["accuracy"]) for row in rows] == sorted((float(row["accuracy"]) for row in rows), reverse=True)
    info = runs.read(run).info
    assert info["chosen"] == {"svc__C": float(rows[0]["C"]), "svc__gamma": float(rows[0]["gamma"])}
    assert (info["fitted_on"], info["validation_scored_on"]) == (["train", "validation"], ["train"])
    assert [base["run"] for base in info["runs"]] == ["frequency_model/mel"]
    assert sorted(path.name for path in run.iterdir()) == [
        "README.md",
        "confusion_matrix.csv",
        "metrics.json",
        "model.keras",
        "model.skops",
        "model.weights.h5",
        "predictions.csv",
        "run.json",
        "search.csv",
    ]


def test_what_it_was_built_on_is_part_of_its_settings(models, split_data, tmp_path):
    shutil.copytree(models / "frequency_model", tmp_path / "frequency_model")
    common = (f"--data={split_data}", f"--models={tmp_path}", f"--run={tmp_path / 'frequency_model' / 'mel'}")
    call(*SVM, *common)
    assert "is finished already" in call(*SVM, *common).stdout
    call("frequency_model.py", *common[:2], "--epochs=1", "--filter_bins=4", "--overwrite")
    assert "vgg16_svm_model/mel has other settings" in one_line_error(*SVM, *common, code=2).replace("\\", "/")


def test_a_run_of_another_split_is_refused_as_its_training_tracks_would_leak(models, split_data, tmp_path):
    shutil.copytree(split_data / "dataset", tmp_path / "dataset")
    call("split_dataset.py", f"--data={tmp_path}", "--fractions=0.5,0.25,0.25", "--seed=1")
    for script in ("vgg16_svm_model.py", "pca_hybrid_model.py"):
        options = (f"--data={tmp_path}", f"--models={tmp_path}", f"--run={models / 'frequency_model' / 'mel'}")
        error = one_line_error(script, *options, code=2)
        assert "was trained on other pictures or another split than those in" in error


def test_a_missing_run_is_one_line_that_says_so(split_data, tmp_path):
    for script, needed in (("pca_hybrid_model.py", "time_model"), ("vgg16_svm_model.py", "vgg16_model")):
        error = one_line_error(script, f"--data={split_data}", f"--models={tmp_path}", "--features=mel", code=2)
        assert f"train it with: python {needed}.py --features=mel" in error


def test_features_together_are_a_picture_of_all_or_a_branch_of_each(tmp_path):
    def chosen(name, features):
        build_model = importlib.import_module(name).build_model
        options = [f"--models={tmp_path}", f"--features={features}"]
        args = parser_of(build_model, main_keywords(name)).parse_args(options)
        return [[path.relative_to(tmp_path).as_posix() for path in paths] for paths in training._runs(args)]

    for run in ("vgg16_model/mel+mfcc", "residual_crnn_model/mel", "residual_crnn_model/mfcc"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "run.json").touch()
    both = ["residual_crnn_model/mel", "residual_crnn_model/mfcc"]
    assert chosen("vgg16_svm_model", "mel+mfcc") == [["vgg16_model/mel+mfcc"]]
    assert chosen("embedding_fusion_model", "mel+mfcc") == [both]
    assert chosen("embedding_fusion_model", "mfcc,mel+mfcc") == [both[1:], both]
    with pytest.raises(CallError, match="python residual_crnn_model.py --features=stft"):
        chosen("embedding_fusion_model", "mel+stft")
    with pytest.raises(CallError, match="is empty"):
        chosen("embedding_fusion_model", "mel,+")


def test_a_run_of_pictures_of_another_recipe_is_refused_by_name(models, split_data, tmp_path):
    shutil.copytree(split_data / "genres", tmp_path / "genres")
    options = [option for option in QUICK if not option.startswith("--n_fft")]
    call("create_spectrograms.py", f"--data={tmp_path}", "--n_fft=1024", "--features=mel,chroma_stft", *options)
    call("split_dataset.py", f"--data={tmp_path}", "--fractions=0.5,0.25,0.25")
    options = (f"--data={tmp_path}", f"--models={tmp_path}", f"--run={models / 'frequency_model' / 'mel'}")
    error = one_line_error("vgg16_svm_model.py", *options, code=2)
    assert "n_fft 512 there, 1024 now" in error and "frequency_model" in error


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vgg16_svm_model", ["--run=,"], "--run or --features is empty"),
        ("vgg16_svm_model", ["--run=RUN", "--C=0"], "every C and gamma should be a number above 0"),
        ("vgg16_svm_model", ["--run=RUN", "--features=chroma_stft"], "not allowed with argument"),
        ("pca_hybrid_model", ["--run=RUN,RUN/../mel"], "names one run twice"),
        ("pca_hybrid_model", ["--run=RUN"], "one number of --components for each of 1 runs"),
        ("pca_hybrid_model", ["--run=RUN", "--components=0"], "at least 1 component"),
        ("time_model", ["--init_from=SVM"], "has no layers to start from"),
    ],
)
def test_a_wrong_call_is_one_line(models, split_data, tmp_path, monkeypatch, capsys, name, options, message):
    runs_there = {"RUN": models / "frequency_model" / "mel", "SVM": models / "vgg16_svm_model" / "mel"}
    for short, folder in runs_there.items():
        options = [option.replace(short, str(folder)) for option in options]
    monkeypatch.setattr("sys.argv", [f"{name}.py", f"--data={split_data}", f"--models={tmp_path}", *options])
    with pytest.raises(SystemExit) as stopped:
        training.main(importlib.import_module(name).build_model, **main_keywords(name))
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.glob("*/*")) == []


def test_runs_of_different_features_and_runs_on_runs_can_be_built_on(models, split_data, tmp_path):
    common = (f"--data={split_data}", f"--models={tmp_path}")
    call("time_model.py", *common, "--features=chroma_stft", "--epochs=1", "--filter_frames=4")
    both = f"{models / 'frequency_model' / 'mel'},{tmp_path / 'time_model' / 'chroma_stft'}"
    call("pca_hybrid_model.py", *common, f"--run={both}", "--epochs=1", "--precision=mixed_bfloat16")
    hybrid = tmp_path / "pca_hybrid_model" / "mel+chroma_stft"
    call("embedding_fusion_model.py", *common, f"--run={both}", "--epochs=1", "--precision=mixed_bfloat16")
    call(*SVM, *common, f"--run={hybrid}")
    call("predict.py", split_data / "genres" / "low", f"--run={tmp_path / 'vgg16_svm_model' / 'mel+chroma_stft'}")


def test_names_beside_stacked_features_are_those_of_the_first(tmp_path):
    for feature in ("mel", "chroma_stft"):
        write_pictures(tmp_path / feature)
    base = SimpleNamespace(pictured=[{"recipes": {"mel": None, "chroma_stft": None}}])
    args = argparse.Namespace(images_path=tmp_path, fold=None)
    names = plans._source_of(base, {"feature": "artist", "vocabulary": ["somebody"]}, args)
    assert names == metadata.Names("artist", tmp_path / "mel", ["somebody"])


def test_a_network_on_a_chunked_run_is_saved_in_float32_whatever_it_was_trained_in(split_data, tmp_path):
    from genre import runs

    common = (f"--data={split_data}", f"--models={tmp_path}", "--epochs=1")
    call("time_model.py", *common, "--filter_frames=4", "--chunks=2")
    options = (f"--run={tmp_path / 'time_model' / 'mel'}", "--precision=mixed_bfloat16")
    call("embedding_fusion_model.py", *common, *options)
    model = runs.read(tmp_path / "embedding_fusion_model" / "mel").model
    layers = model._flatten_layers(recursive=True)
    assert {layer.compute_dtype for layer in layers} == {"float32"}


def test_a_model_file_that_holds_anything_else_is_not_loaded(models, split_data, tmp_path):
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    run = shutil.copytree(models / "vgg16_svm_model" / "mel", tmp_path / "run")
    skops.io.dump(FunctionTransformer(subprocess.getoutput), run / "model.skops")
    song = split_data / "genres" / "low" / "low.00000.wav"
    error = one_line_error("predict.py", song, f"--run={run}", code=1)
    assert "model.skops cannot be loaded" in error and "getoutput" in error
    (run / "model.skops").write_bytes(b"damaged")
    assert "model.skops cannot be loaded" in one_line_error("predict.py", song, f"--run={run}", code=1)
