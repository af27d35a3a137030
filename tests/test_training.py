import csv
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time

import time_model
from genre import epochs, evaluation, files, index, inputs, plans, runs, training
from genre.backend import keras
from genre.command_line import CallError, DataError
from genre.options import parser_of

import numpy as np
import pytest
from conftest import ROOT, call, one_line_error, write_pictures
from PIL import Image

pytestmark = pytest.mark.filterwarnings("ignore:Even though")  # tf.data makes graphs even where `eager` is asked for
IN_GRAPHS = {  # compared number by number, or long: as users train
    "test_the_same_seed_gives_the_same_weights_and_another_others",
    "test_patience_stops_early",
    "test_a_killed_training_resumes_as_if_it_had_not_been",
    "test_training_is_in_the_precision_asked_for_and_the_saved_model_is_float32",
}


@pytest.fixture(autouse=True)
def mostly_eager(request):
    if request.node.originalname not in IN_GRAPHS:
        request.getfixturevalue("eager")


def arguments(folder, *options):
    images_path = folder / "images"
    if not images_path.is_dir():
        write_pictures(images_path / "mel", counts=[("train", 8), ("validation", 4), ("test", 4)])
    common = [f"--images_path={images_path}", f"--models={folder / 'models'}", "--batch_size=5", "--filter_frames=4"]
    return parser_of(time_model.build_model, {}).parse_args([*common, *options])


def train(folder, *options):
    return training.train(time_model.build_model, ["mel"], arguments(folder, *options))


def weights(run):
    return runs.read(run).model.get_weights()


def history(run):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in epochs.read_history(run)]


@pytest.fixture
def killed_after_2_epochs(tmp_path, monkeypatch):
    """A folder in which a training of 5 epochs was stopped when its third began."""

    def stop(self, epoch, logs=None):
        self.started = time.monotonic()
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(epochs.KeepEpochs, "on_epoch_begin", stop)
        train(tmp_path, "--epochs=5")
    return tmp_path


def test_a_run_holds_all_that_the_contract_names(tmp_path, pictures):
    run = train(tmp_path, "--epochs=2")
    assert run == tmp_path / "models" / "time_model" / "mel"
    assert sorted(path.name for path in run.iterdir()) == [
        "README.md",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "genres.png",
        "history.csv",
        "history.png",
        "metrics.json",
        "model.keras",
        "model.weights.h5",
        "predictions.csv",
        "reliability.png",
        "roc.png",
        "run.json",
        "tsne.png",
    ]
    assert {path.name for path in run.iterdir()} <= runs.OWN
    assert [path.name for path in run.parent.iterdir()] == ["mel"]  # nothing unfinished is left
    info = json.loads((run / "run.json").read_text())
    card = (run / "README.md").read_text()
    for said in ("validation: accuracy", "train: 16 tracks", "a 8, b 8", "recipe unknown", info["index_fingerprint"]):
        assert said in card
    assert info["classes"] == ["a", "b"]
    assert info["tracks"] == {"train": 16, "validation": 8}
    assert info["hyperparameters"] == {"filters": 32, "filter_frames": 4, "dropout": 0.5}
    with open(run / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subset"] for row in rows] == ["validation"] * 8 + ["test"] * 8
    assert all(float(row["a"]) + float(row["b"]) == pytest.approx(1, abs=1e-5) for row in rows)


def test_the_map_is_of_what_the_last_layer_decides_on_of_the_last_subsets_tracks(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(training.evaluation, "draw_map", lambda *args: drawn.append(args))
    run = runs.read(train(tmp_path, "--epochs=1"))
    (folder, y, embeddings, classes, title), *others = drawn
    assert not others and (classes, title) == (["a", "b"], "time_model, mel, test")
    test = inputs.load(tmp_path / "images" / "mel", "test", classes)
    found = runs.predict(run.embedding, test.x)
    assert embeddings.shape == found.shape == (8, run.embedding.output_shape[1])
    np.testing.assert_allclose(embeddings, found, atol=1e-5)
    assert y.tolist() == test.y.tolist()


def test_a_run_that_is_trained_anew_keeps_the_runs_below_it_and_nothing_of_the_old_one(tmp_path):
    run = train(tmp_path, "--epochs=2", "--checkpoint_every=1")
    for own in ("summary.csv", "notes.md"):
        (run / own).touch()
    for stale in (evaluation.MAP, "tags.csv", "model.onnx", "saved_model/saved_model.pb"):
        (run / stale).parent.mkdir(exist_ok=True)
        (run / stale).touch()
    below = train(tmp_path, "--epochs=1", "--run_name=below")
    names = {path.name for path in below.iterdir()}
    train(tmp_path, "--epochs=1", "--overwrite")
    assert {path.name for path in run.iterdir()} == names | {"below", "summary.csv", "notes.md"}
    assert {path.name for path in below.iterdir()} == names


def test_what_is_left_out_of_sorted_pictures_is_said(tmp_path, capsys):
    arguments(tmp_path)
    (tmp_path / "images" / "mel" / "train" / "a" / "more.webp").touch()
    train(tmp_path, "--epochs=1")
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: 1 files"))
    assert line.endswith("more.webp")


def test_a_run_cannot_have_the_name_of_what_a_run_holds(tmp_path):
    with pytest.raises(CallError, match="--run_name: checkpoints is what a run calls something of its own"):
        train(tmp_path, "--run_name=checkpoints")


def test_its_two_weight_files_hold_the_same(tmp_path):
    run = train(tmp_path, "--epochs=1")
    model = runs.read(run).model
    before = model.get_weights()
    model.load_weights(run / runs.WEIGHTS)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_seed_gives_the_same_weights_and_another_others(tmp_path):
    first, again, other = (
        train(tmp_path, "--epochs=3", f"--run_name={name}", f"--seed={seed}")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert history(first) == history(again)
    assert all((a == b).all() for a, b in zip(weights(first), weights(again), strict=True))
    assert any((a != b).any() for a, b in zip(weights(first), weights(other), strict=True))


def test_the_best_validation_epoch_is_kept(tmp_path):
    rows = [(0.5, 1.0), (0.7, 0.9), (0.7, 0.8), (0.6, 0.1)]
    made = [{"epoch": i + 1, "val_accuracy": a, "val_loss": loss} for i, (a, loss) in enumerate(rows)]
    assert epochs.best_epoch(made) == 3
    assert not epochs.out_of_patience(made, 2)
    assert epochs.out_of_patience(made, 1)
    run = train(tmp_path, "--epochs=6", "--learning_rate=0.01")
    info, metrics = json.loads((run / "run.json").read_text()), json.loads((run / "metrics.json").read_text())
    assert metrics["validation"]["per_piece"]["accuracy"] == pytest.approx(
        max(row["val_accuracy"] for row in history(run))
    )
    best = epochs.best_epoch(epochs.read_history(run))
    assert info["best_epoch"] == best < 6  # or it may be the last one's weights that are kept
    assert metrics["validation"]["per_piece"]["log_loss"] == pytest.approx(history(run)[best - 1]["val_loss"], abs=1e-4)


def test_patience_stops_early(tmp_path):
    run = train(tmp_path, "--epochs=50", "--patience=2", "--learning_rate=0.01")
    assert len(history(run)) == epochs.best_epoch(epochs.read_history(run)) + 2 < 50


def test_a_killed_training_resumes_as_if_it_had_not_been(killed_after_2_epochs):
    unbroken = train(killed_after_2_epochs, "--epochs=5", "--run_name=unbroken")
    resumed = train(killed_after_2_epochs, "--epochs=5", "--resume")
    assert len(history(resumed)) == 5
    assert history(resumed) == history(unbroken)
    for a, b in zip(weights(resumed), weights(unbroken), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_unfinished_training_is_neither_lost_nor_mixed_with_another(killed_after_2_epochs):
    with pytest.raises(CallError, match="unfinished training of 2 epochs; --resume"):
        train(killed_after_2_epochs, "--epochs=5")
    with pytest.raises(CallError, match=r"learning_rate 0\.001 there, 0\.01 now"):
        train(killed_after_2_epochs, "--epochs=5", "--resume", "--learning_rate=0.01")
    assert len(history(train(killed_after_2_epochs, "--epochs=3", "--overwrite"))) == 3


def test_a_killed_replacement_of_a_finished_run_can_be_resumed(killed_after_2_epochs):
    unfinished = killed_after_2_epochs / "models" / "time_model" / ".mel.unfinished"
    aside = unfinished.rename(killed_after_2_epochs / "aside")
    train(killed_after_2_epochs, "--epochs=1")
    aside.rename(unfinished)
    assert len(history(train(killed_after_2_epochs, "--epochs=5", "--resume"))) == 5


def test_a_stopped_replacement_of_several_runs_goes_on(tmp_path, monkeypatch, capsys):
    def of_seeds(*options):
        args = arguments(tmp_path, "--repeats=2", *options)
        return training._train_all(time_model.build_model, ["mel"], args)

    def stop(self, epoch, logs=None):
        self.started = time.monotonic()
        if epoch == 1 and "seed1" in str(self.folder):
            raise KeyboardInterrupt

    folder = tmp_path / "models" / "time_model" / "mel"
    of_seeds("--epochs=1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(epochs.KeepEpochs, "on_epoch_begin", stop)
        of_seeds("--epochs=2", "--overwrite")
    assert [len(history(folder / seed)) for seed in ("seed0", "seed1")] == [2, 1]
    with pytest.raises(CallError, match="seed0 has other settings"):
        of_seeds("--epochs=2", "--resume", "--learning_rate=0.01")
    first = (folder / "seed0" / runs.RUN).stat().st_mtime_ns
    capsys.readouterr()
    of_seeds("--epochs=2", "--resume", "--overwrite")
    assert "resumed after epoch 1" in capsys.readouterr().out
    assert (folder / "seed0" / runs.RUN).stat().st_mtime_ns == first
    assert [len(history(folder / seed)) for seed in ("seed0", "seed1")] == [2, 2]
    of_seeds("--epochs=1", "--resume", "--overwrite")
    assert [len(history(folder / seed)) for seed in ("seed0", "seed1")] == [1, 1]


def test_a_damaged_state_is_one_line(killed_after_2_epochs):
    state = killed_after_2_epochs / "models" / "time_model" / ".mel.unfinished" / epochs.STATE.format(2)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(DataError, match="is damaged.*--overwrite without --resume starts the training anew"):
        train(killed_after_2_epochs, "--epochs=5", "--resume")


def test_sigkill_in_mid_run_loses_no_finished_epoch(tmp_path):
    arguments(tmp_path)
    options = [
        f"--images_path={tmp_path / 'images'}",
        f"--models={tmp_path / 'models'}",
        "--epochs=500",
        "--patience=500",
    ]
    running = subprocess.Popen([sys.executable, ROOT / "time_model.py", *options], stdout=subprocess.DEVNULL)
    unfinished = tmp_path / "models" / "time_model" / ".mel.unfinished"
    while len(epochs.read_history(unfinished)) < 3:
        time.sleep(0.05)
        assert running.poll() is None
    running.kill()
    assert running.wait() == -signal.SIGKILL if sys.platform != "win32" else running.wait()
    kept = epochs.read_history(unfinished)
    assert len(kept) >= 3
    assert not (tmp_path / "models" / "time_model" / "mel").exists()
    resumed = subprocess.Popen(
        [sys.executable, ROOT / "time_model.py", *options, "--resume"], stdout=subprocess.PIPE, text=True
    )
    while len(epochs.read_history(unfinished)) <= len(kept):
        time.sleep(0.05)
        assert resumed.poll() is None
    resumed.kill()
    resumed.wait()
    assert epochs.read_history(unfinished)[: len(kept)] == kept


def test_a_finished_run_is_kept_unless_overwritten(tmp_path, capsys):
    run = train(tmp_path, "--epochs=1")
    stamp = (run / "run.json").stat().st_mtime_ns
    assert train(tmp_path, "--epochs=1") == run
    assert "is finished already" in capsys.readouterr().out
    assert (run / "run.json").stat().st_mtime_ns == stamp
    with pytest.raises(CallError, match=r"other settings \(epochs 1 there, 2 now\); --overwrite"):
        train(tmp_path, "--epochs=2")
    nested = train(tmp_path, "--epochs=2", "--run_name=variant")
    assert nested == run / "variant"
    assert len(history(train(tmp_path, "--epochs=2", "--overwrite"))) == 2
    assert (nested / "run.json").is_file()  # replacing a run leaves the runs below it


def test_what_another_process_finished_meanwhile_is_not_trained_anew_by_resume(killed_after_2_epochs, monkeypatch):
    stamps, load = [], plans.Plan.load

    def load_meanwhile(plan, subset):
        if not stamps:
            stamps.append(0)
            run = train(killed_after_2_epochs, "--epochs=5", "--resume")
            stamps.append((run / runs.RUN).stat().st_mtime_ns)
        return load(plan, subset)

    monkeypatch.setattr(plans.Plan, "load", load_meanwhile)
    run = train(killed_after_2_epochs, "--epochs=5", "--resume")
    assert (run / runs.RUN).stat().st_mtime_ns == stamps[1]


def test_a_default_of_no_option_is_an_error_in_the_script():
    with pytest.raises(TypeError, match="default of --epoch, which is no option"):
        parser_of(time_model.build_model, {"epoch": 30})


def test_damaged_scores_of_a_finished_seed_are_one_line(tmp_path):
    args = arguments(tmp_path, "--repeats=2", "--epochs=1")
    training._train_all(time_model.build_model, ["mel"], args)
    (tmp_path / "models" / "time_model" / "mel" / "seed0" / evaluation.METRICS).write_text("{")
    with pytest.raises(DataError, match=r"metrics\.json is damaged .*; train the run again with --overwrite"):
        training._train_all(time_model.build_model, ["mel"], args)


def test_files_that_training_did_not_write_are_kept(tmp_path):
    folder = tmp_path / "models" / "time_model" / "mel"
    folder.mkdir(parents=True)
    for name in ("notes.txt", "checkpoints/mine.txt"):  # the latter is called as a run calls something of its own
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    with pytest.raises(CallError, match=r"holds files but no run\.json; move them away"):
        train(tmp_path, "--epochs=1")
    train(tmp_path, "--epochs=1", "--overwrite")
    assert (folder / "notes.txt").read_text() == (folder / "checkpoints" / "mine.txt").read_text() == "mine"
    assert (folder / "run.json").is_file()


def test_other_pictures_are_another_run(tmp_path):
    train(tmp_path, "--epochs=1")
    (tmp_path / "images" / "mel" / "train" / "a" / "train0.png").unlink()
    with pytest.raises(CallError, match="index_fingerprint"):
        train(tmp_path, "--epochs=1")


@pytest.mark.parametrize(
    "option",
    [
        *("--batch_size=3", "--optimizer=sgd", "--weight_decay=0.5", "--schedule=cosine", "--chunks=2"),
        *("--label_smoothing=0.4", "--mixup=1", "--freq_shift=0.4", "--equalise=0.3"),
        *("--freq_mask=0.8", "--time_mask=0.8"),
    ],
)
def test_every_option_of_the_training_changes_what_is_learned(tmp_path_factory, option):
    folder = tmp_path_factory.getbasetemp() / "options"  # whose plain run is trained once
    plain = train(folder, "--epochs=2", "--run_name=plain")
    other = train(folder, "--epochs=2", f"--run_name={option.strip('-').replace('=', '_')}", option)
    pairs = zip(weights(plain), weights(other), strict=True)
    assert any(a.shape != b.shape or not np.allclose(a, b, atol=1e-4) for a, b in pairs)


def test_weight_decay_is_that_of_all_of_muons_weights(tmp_path):
    for decay in (0.0, 0.5):
        args = arguments(tmp_path, "--optimizer=muon", f"--weight_decay={decay}")
        assert training._optimizer(args, 10).adam_weight_decay == decay


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "float32"])
def test_training_is_in_the_precision_asked_for_and_the_saved_model_is_float32(tmp_path, monkeypatch, precision):
    fitted, seen = training._fit, []

    def fit(plan, model, *args):
        history = fitted(plan, model, *args)
        core = next(layer for layer in model.layers if layer.name == "time_model")
        seen.append((core.get_layer("time_filters").compute_dtype, type(model.optimizer).__name__, model.output.dtype))
        return history

    monkeypatch.setattr(training, "_fit", fit)
    run = train(tmp_path, "--epochs=1", f"--precision={precision}")
    optimizer = "LossScaleOptimizer" if precision == "mixed_float16" else "Adam"
    assert seen == [(precision.removeprefix("mixed_"), optimizer, "float32")]
    model = runs.read(run).model
    assert {layer.compute_dtype for layer in model.get_layer("time_model").layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("avx512_bf16 amx_bf16 amx_tile", "mixed_bfloat16"), ("avx512f avx512_bf16", "float32"), (None, "float32")],
)
def test_auto_is_bfloat16_on_processors_with_amx_alone(tmp_path, monkeypatch, flags, precision):
    monkeypatch.setattr(training.tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(training, "CPU_INFO", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    assert training.precision_of("auto") == precision
    assert training.precision_of("mixed_float16") == "mixed_float16"


@pytest.mark.parametrize(
    ("capability", "precision"), [((8, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")]
)
def test_auto_follows_the_gpus_compute_capability(monkeypatch, capability, precision):
    monkeypatch.setattr(training.tf.config, "list_physical_devices", lambda kind: ["GPU"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(training.tf.config.experimental, "get_device_details", lambda gpu: details)
    assert training.precision_of("auto") == precision


def test_init_from_copies_layers_of_one_name_and_shape(tmp_path, capsys):
    source = train(tmp_path, "--epochs=1")
    args = arguments(tmp_path, f"--init_from={source}", "--run_name=warm", "--epochs=1", "--learning_rate=1e-30")
    run = training.train(time_model.build_model, ["mel"], args)
    assert f" started from {source} (mel at 12 x 20 x 1)" in capsys.readouterr().out
    warm, cold = (
        runs.read(r).model.get_layer("time_model").get_layer("time_filters").get_weights()[0] for r in (run, source)
    )
    np.testing.assert_array_equal(warm, cold)
    other = arguments(tmp_path, f"--init_from={source}", "--run_name=other", "--filters=7", "--epochs=1")
    with pytest.raises(CallError, match="no layer of .* has the name and shape of one here"):
        training.train(time_model.build_model, ["mel"], other)
    train(tmp_path, "--epochs=1", "--seed=1", "--overwrite")
    with pytest.raises(CallError, match="init_from_weights"):
        training.train(time_model.build_model, ["mel"], args)


def test_starting_from_a_run_of_another_split_of_the_same_tracks_is_warned_of(tmp_path, capsys):
    folder = write_pictures(tmp_path / "images" / "mel", counts=[("train", 8), ("validation", 4), ("test", 4)])
    source = train(tmp_path, "--epochs=1")
    train(tmp_path, "--epochs=1", f"--init_from={source}", "--run_name=same")
    assert "hold out" not in capsys.readouterr().out
    for name in ("train7.png", "validation3.png"):  # change places
        subset, other = ("train", "validation") if name < "v" else ("validation", "train")
        (folder / subset / "a" / name).rename(folder / other / "a" / name)
    train(tmp_path, "--epochs=1", f"--init_from={source}", "--run_name=other")
    assert "did not hold out 1 of the 16 validation and test tracks, such as a/train7;" in capsys.readouterr().out


def test_pictures_are_reduced_to_the_scripts_largest_size_but_never_enlarged(tmp_path):
    assert plans._reduced((128, 1292, 1), (40, 80)) == (40, 80)
    assert plans._reduced((12, 60, 1), (40, 80)) == (None, None)
    assert plans._reduced((128, 1292, 1), (None, 400)) == (None, 400)
    args = arguments(tmp_path, "--epochs=1")
    args.largest_size = (6, 50)
    info = runs.read(training.train(time_model.build_model, ["mel"], args)).info["inputs"][0]
    assert (info["image_size"], info["input_shape"]) == ("6xnative", [6, 20, 1])
    exact = runs.read(train(tmp_path, "--epochs=1", "--image_size=24x30", "--run_name=exact")).info["inputs"][0]
    assert (exact["image_size"], exact["input_shape"]) == ("24x30", [24, 30, 1])


def test_repeats_keep_each_seeds_run_and_say_the_mean(tmp_path, monkeypatch, capsys):
    arguments(tmp_path)
    command = [f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--filter_frames=4", "--epochs=2"]
    monkeypatch.setattr("sys.argv", ["time_model.py", *command, "--repeats=3", "--seed=5"])
    with pytest.raises(SystemExit) as done:
        training.main(time_model.build_model)
    assert not done.value.code
    group = tmp_path / "time_model" / "mel"
    assert sorted(path.name for path in group.iterdir()) == ["seed5", "seed6", "seed7", "summary.csv"]
    found = [runs.read(group / f"seed{seed}") for seed in (5, 6, 7)]
    assert [run.info["seed"] for run in found] == [5, 6, 7]
    assert any((a != b).any() for a, b in zip(found[0].model.get_weights(), found[1].model.get_weights(), strict=True))
    accuracies = [json.loads((run.folder / "metrics.json").read_text())["test"]["accuracy"] for run in found]
    with open(group / "summary.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subset"] == "test"]
    assert [row["seed"] for row in rows] == ["seed5", "seed6", "seed7", "mean", "standard deviation"]
    expected = [*accuracies, np.mean(accuracies), np.std(accuracies, ddof=1)]
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(expected, abs=1e-6)
    assert "test, mean +- standard deviation of 3 seeds: accuracy" in capsys.readouterr().out
    train(tmp_path, f"--models={tmp_path}", "--epochs=1")  # a run of its own fits beside the summary


def test_weights_are_kept_on_the_way_and_after_a_kill(tmp_path, killed_after_2_epochs):
    run = runs.read(train(tmp_path, "--epochs=5", "--resume", "--checkpoint_every=2"))
    kept = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert kept == ["epoch-00004.weights.h5"]  # epoch 2 was before the option
    before = run.model.get_weights()
    run.model.load_weights(run.folder / "checkpoints" / kept[0])
    assert any((a != b).any() for a, b in zip(before, run.model.get_weights(), strict=True))
    whole = runs.read(train(tmp_path, "--epochs=5", "--run_name=five", "--patience=9", "--checkpoint_every=1"))
    assert len(list((whole.folder / "checkpoints").iterdir())) == 5
    third, fourth = (_kept(whole, epoch) for epoch in (3, 4))
    for a, b in zip(fourth, _kept(run, 4), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(third, fourth, strict=True))


def _kept(run, epoch):
    run.model.load_weights(run.folder / epochs.CHECKPOINTS / epochs.CHECKPOINT.format(epoch))
    return run.model.get_weights()


def test_weights_kept_on_the_way_survive_a_run_that_could_not_be_written(tmp_path, monkeypatch):
    options = ("--epochs=2", "--checkpoint_every=1")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(training.records.cards, "write", lambda *args: (_ for _ in ()).throw(OSError("disk full")))
        train(tmp_path, *options)
    run = train(tmp_path, *options, "--resume")
    assert len(list((run / "checkpoints").iterdir())) == 2


def test_levels_are_standardised_by_the_training_pictures_channel_by_channel():
    x = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    x[..., 1] = 9
    mean, variance = plans.Source.levels(None, x)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(variance, np.maximum(x.var(axis=(0, 1, 2)), 1))


def test_colour_pictures_train(tmp_path):
    folder = write_pictures(tmp_path / "images" / "mel", counts=[("train", 8), ("validation", 4)])
    for path in folder.glob("*/*/*.png"):
        Image.open(path).convert("RGB").save(path)
    assert runs.read(train(tmp_path, "--epochs=1")).info["inputs"][0]["input_shape"] == [12, 20, 3]


@pytest.mark.parametrize("damage", ["history.csv", "settings.json"])
def test_a_damaged_unfinished_folder_is_one_line(killed_after_2_epochs, damage):
    path = killed_after_2_epochs / "models" / "time_model" / ".mel.unfinished" / damage
    path.write_text("epoch,loss\nx,y\n")
    with pytest.raises(DataError, match="is damaged.*--overwrite"):
        train(killed_after_2_epochs, "--epochs=5", "--resume")
    assert len(history(train(killed_after_2_epochs, "--epochs=1", "--overwrite"))) == 1


def test_a_loss_that_is_no_number_stops_the_training_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match="the loss is nan in epoch .*smaller --learning_rate"):
        train(tmp_path, "--epochs=20", "--learning_rate=1e30", "--optimizer=sgd")


def test_pictures_without_a_recipe_train_and_predict_refuses_audio(tmp_path, capsys):
    run = train(tmp_path, "--epochs=1")
    assert "recipe unknown" in capsys.readouterr().out
    (tmp_path / "song.wav").touch()
    error = one_line_error("predict.py", tmp_path / "song.wav", f"--run={run}", code=1)
    assert "trained on pictures without a recipe.json (recipe unknown)" in error


def test_test_pictures_are_read_before_training_and_judged_after_it_whatever_is_there_then(tmp_path, monkeypatch):
    read = []
    original = training.inputs.load
    monkeypatch.setattr(
        training.inputs, "load", lambda f, subset, *a, **k: read.append(subset) or original(f, subset, *a, **k)
    )
    fitted, broken = training._fit, tmp_path / "images" / "mel" / "test" / "a" / "test1.png"
    monkeypatch.setattr(training, "_fit", lambda *a: broken.write_bytes(b"broken") and fitted(*a))
    run = train(tmp_path, "--epochs=1")
    assert read == ["test", "train", "validation"]
    assert json.loads((run / evaluation.METRICS).read_text(encoding="utf-8")).keys() == {"validation", "test"}
    with pytest.raises(DataError, match=r"test1\.png is not a readable picture"):
        train(tmp_path, "--epochs=1", "--run_name=another")
    assert read[3:] == ["test"]


def test_of_two_trainings_of_one_run_the_second_is_refused(tmp_path):
    args = arguments(tmp_path, "--epochs=1")
    with files.only_writer(tmp_path / "models" / "time_model" / "mel"):
        with pytest.raises(CallError, match="another process is writing .*mel; wait"):
            training.train(time_model.build_model, ["mel"], args)
        assert not (tmp_path / "models" / "time_model" / ".mel.unfinished").exists()
    assert (training.train(time_model.build_model, ["mel"], args) / runs.RUN).is_file()


def test_bad_folders_are_refused_before_anything_is_written(tmp_path):
    args = arguments(tmp_path)
    train_folder = tmp_path / "images" / "mel" / "train"
    with pytest.raises(CallError, match="no pictures of 'cqt'"):
        training.train(time_model.build_model, ["cqt"], args)
    (train_folder / "a" / "train1.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"train1\.png is not a readable picture"):
        training.train(time_model.build_model, ["mel"], args)
    shutil.rmtree(train_folder / "a")
    (train_folder / "a").mkdir()
    with pytest.raises(DataError, match="has no pictures of a"):
        training.train(time_model.build_model, ["mel"], args)
    for path in train_folder.glob("*/*.png"):
        path.rename(path.with_suffix(".webp"))
    with pytest.raises(DataError, match=r"has no pictures \(.*\.png\) in its genre folders"):
        training.train(time_model.build_model, ["mel"], args)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--optimizer=adma", "Keras has no optimizer 'adma'"),
        ("--seed=-1", "expected a whole number from 0 to 2147483647, not '-1'"),
        ("--optimizer=LossScaleOptimizer", "Keras has no optimizer"),
        ("--precision=float16", "expected one of float32, mixed_bfloat16"),
        ("--run_name=../../elsewhere", "expected a plain name"),
        ("--pos_weight=3", "--pos_weight is for data with several labels a track; add --multi_label"),
        ("--epoch=1", "unrecognized arguments: --epoch=1"),
        ("--image_size=40", "--image_size"),
        ("--data=nowhere", "no folder nowhere/images"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, monkeypatch, capsys, option, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["time_model.py", option])
    with pytest.raises(SystemExit) as stopped:
        training.main(time_model.build_model)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line.replace("\\", "/")
    assert list(tmp_path.iterdir()) == []


def test_hyperparameters_that_cannot_be_built_are_one_line(tmp_path):
    with pytest.raises(CallError, match="time_model cannot be built with .*'filters': 0"):
        train(tmp_path, "--filters=0")


def test_several_features_train_one_after_the_other(split_data, tmp_path):
    call("time_model.py", "--features=mel,chroma_stft", f"--data={split_data}", f"--models={tmp_path}", "--epochs=1")
    assert sorted(path.name for path in (tmp_path / "time_model").iterdir()) == ["chroma_stft", "mel"]


def test_several_features_are_stacked_and_a_song_is_rendered_as_its_stacked_picture(split_data, tmp_path):
    options = ("--features=mel+chroma_stft", "--feature_weights=1,0.2", "--filter_frames=4", "--batch_size=4")
    call("time_model.py", f"--data={split_data}", f"--models={tmp_path}", "--epochs=1", *options)
    run = runs.read(tmp_path / "time_model" / "mel+chroma_stft")
    (settings,) = run.info["inputs"]
    assert settings["input_shape"] == [16, 63, 2]
    assert list(settings["recipes"]) == ["mel", "chroma_stft"]
    folders = {feature: split_data / "images" / feature for feature in settings["recipes"]}
    parts = {f: inputs.load(folder, "test", run.classes, (16, 63)) for f, folder in folders.items()}
    pictures = inputs.stack(parts)
    for picture, row in zip(pictures.x, pictures.rows, strict=True):
        (piece,) = run.pieces(split_data / "genres" / f"{row.track}.wav")
        np.testing.assert_array_equal(run.render(piece)[0], picture)
    done = call("predict.py", split_data / "genres" / "low" / "low.00000.wav", f"--run={run.folder}")
    assert "low.00000.wav" in done.stdout


def test_features_that_do_not_fit_each_other_are_refused(split_data, tmp_path):
    options = (f"--data={split_data}", f"--models={tmp_path}", "--features=mel+chroma_stft")
    assert "2 features" in one_line_error("time_model.py", *options, "--feature_weights=1,2,3", code=2)
    shutil.copytree(split_data / "images", tmp_path / "images")
    chroma = tmp_path / "images" / "chroma_stft"
    rows = index.read(chroma)
    index.write(chroma, rows[1:])
    options = (f"--images_path={tmp_path / 'images'}", f"--models={tmp_path}", "--features=mel+chroma_stft")
    error = one_line_error("time_model.py", *options, code=1)
    assert "1 pieces are not in both mel and chroma_stft" in error
    recipe = index.read_recipe(chroma)
    (chroma / index.RECIPE).write_text(dataclasses.replace(recipe, seconds=2.0).to_json())
    assert "the pieces of mel and chroma_stft differ" in one_line_error("time_model.py", *options, code=1)
