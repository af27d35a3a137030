"""Material that the tests make themselves: tiny songs, tiny picture folders, and a way to call the scripts."""

import ast
import contextlib
import importlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

from genre import evaluation, index, multi_label, plots, statistics
from genre.features import FEATURES

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from PIL import Image

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # before TensorFlow is imported: tests and the scripts they call share no GPU
ROOT = Path(__file__).parent.parent
ARCHITECTURES = sorted(path.stem for path in ROOT.glob("*_model.py"))


def main_keywords(name):
    """The keyword arguments of `main(build_model, ...)` in the last line of an architecture script."""
    tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in tree.body[-1].body[0].value.keywords}


ON_RUNS = [name for name in ARCHITECTURES if main_keywords(name).get("inputs") == "runs"]
ON_STATISTICS = [name for name in ARCHITECTURES if main_keywords(name).get("inputs") == "statistics"]
ON_PICTURES = [name for name in ARCHITECTURES if name not in ON_RUNS + ON_STATISTICS]
SELF_SUFFICIENT = [name for name, feature in FEATURES.items() if feature.needs is None]  # features without weights
WITH_PROCESSES = ("create_spectrograms.py", "create_statistics.py", "audit_dataset.py", "demo.py")  # of their own
SR = 8000  # Hz; low, so that the tests are fast
QUICK = ("--seconds=1", f"--sr={SR}", "--n_fft=512", "--hop_length=128", "--n_mels=16", "--workers=1")


DRAWING = [(evaluation, "draw"), (evaluation, "draw_map"), (multi_label, "draw"), (plots, "history")]
DRAWN = [getattr(*function) for function in DRAWING]


@pytest.fixture(scope="session", autouse=True)
def no_pictures():
    """Results are drawn only for tests that ask for `pictures`: it takes longer than to train."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in DRAWING:
            patch.setattr(module, name, lambda *args: None)
        yield


@pytest.fixture
def pictures(monkeypatch):
    for (module, name), function in zip(DRAWING, DRAWN, strict=True):
        monkeypatch.setattr(module, name, function)


def sine(frequency, seconds=1.0, sr=SR, amplitude=0.5):
    """float32 (samples,)"""
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sr)) / sr)).astype(np.float32)


def write_songs(root, genres=("high", "low", "noise"), tracks=6, seconds=1.0):
    """<root>/<genre>/<genre>.NNNNN.wav, of the genres "high", "low" (tones) and anything else (noise)."""
    rng = np.random.default_rng(0)
    for genre in genres:
        (root / genre).mkdir(parents=True, exist_ok=True)
        for track in range(tracks):
            tone = sine({"high": 2000, "low": 200}.get(genre, 0) * rng.uniform(0.9, 1.1), seconds)
            noise = rng.normal(0, 0.01 if genre in ("high", "low") else 0.2, len(tone))
            soundfile.write(root / genre / f"{genre}.{track:05d}.wav", tone + noise, SR)
    return root


def write_pictures(folder, classes=("a", "b"), counts=(("train", 8), ("validation", 4)), shape=(12, 20)):
    """<folder>/<subset>/<class>/<n>.png without recipe or index; class k has its bright band in another place."""
    rng = np.random.default_rng(0)
    for subset, count in counts:
        for number, name in enumerate(classes):
            (folder / subset / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                picture = rng.integers(0, 60, shape)
                start = number * shape[0] // len(classes)
                picture[start : start + shape[0] // len(classes)] += 150
                Image.fromarray(picture.astype(np.uint8)).save(folder / subset / name / f"{subset}{i}.png")
    return folder


def write_statistics(folder, classes=("a", "b", "c"), tracks=6, artist=lambda label, track: ""):
    """A table as create_statistics.py writes it, without audio: each class has other high columns."""
    rng = np.random.default_rng(0)
    rows, values = [], rng.normal(5, 1, (len(classes) * tracks, len(statistics.COLUMNS)))
    for number, label in enumerate(classes):
        for track in range(tracks):
            values[len(rows), number :: len(classes)] += 4
            name = f"{label}/{label}{track}"
            about = {"artist": artist(label, track), "audio_hash": f"hash of {name}"}
            rows.append(index.Row(name, name, (label,), seconds=30.0, **about))
    folder.mkdir(parents=True)
    statistics.write(folder / statistics.TABLE, [row.track for row in rows], values)
    statistics.write_recipe(folder, statistics.AUDIO)
    index.write(folder, rows)
    return folder


def in_process(monkeypatch, module, *options):
    """Call the `main()` of an imported script, without the start of another process. Returns its exit code."""
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, options)])
    return module.main()


def train(monkeypatch, name, *options):
    """Call an architecture script likewise. Returns its exit code."""
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, options)])
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module("genre.training").main(module.build_model, **main_keywords(name))
    return stopped.value.code


def call(*command, cwd=None, code=0):
    """Run `python <script> ...` as a user would, in this process, as most take longer to start than to run.

    Returns:
        what has `returncode`, which must be `code`, `stdout` and `stderr`.
    """
    script, *options = map(str, command)
    done = (_run if _starts_others(script, options, code) else run_here)(script, options, cwd)
    assert done.returncode == code, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _starts_others(script, options, code):
    """Whether a script has processes of its own: not with one worker, the last one named, nor if refused at once."""
    workers = [option for option in options if option.startswith("--workers=")][-1:]
    return script in WITH_PROCESSES and code != 2 and (workers != ["--workers=1"] or "--backend=dask" in options)


def _run(script, options, cwd):
    captured = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.run([sys.executable, str(ROOT / script), *options], cwd=cwd, **captured)


def run_here(script, options, cwd):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [script, *options])
        if cwd:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    for stream in (out, err):
        stream.seek(0)
    return subprocess.CompletedProcess(script, stopped.value.code, out.read(), err.read())


def one_line_error(*command, code, cwd=None):
    """Call a script that must fail with `code` and one line on standard error. Returns that line."""
    lines = call(*command, cwd=cwd, code=code).stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="session")
def split_data(tmp_path_factory):
    """A data folder in which songs were rendered (mel, chroma_stft) and split, by the public commands."""
    data = tmp_path_factory.mktemp("data")
    write_songs(data / "genres")
    made = _run("create_spectrograms.py", ["--features=mel,chroma_stft", f"--data={data}", *QUICK], None)
    assert made.returncode == 0, made.stderr  # by another process than those that compare
    call("split_dataset.py", f"--data={data}", "--fractions=0.5,0.25,0.25")
    return data


@pytest.fixture(scope="session")
def trained_run(split_data, tmp_path_factory):
    """A finished run of time_model on `split_data`'s mel pictures."""
    models = tmp_path_factory.mktemp("models")
    call("time_model.py", f"--data={split_data}", f"--models={models}", "--epochs=2", "--batch_size=4")
    return models / "time_model" / "mel"


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved."""
    saved = []
    original = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: saved.append(self) or original(self, *a, **k))
    return saved


@pytest.fixture
def eager():
    """TensorFlow without graphs: to make them of a network takes longer than to train a step without."""
    from genre.backend import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def pytest_addoption(parser):
    parser.addoption("--fuzz", type=int, default=200, help="number of damaged audio files that test_fuzz.py makes")
    parser.addoption("--fuzz_seed", type=int, default=0, help="another seed is other damage")
