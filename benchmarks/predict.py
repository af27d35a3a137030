"""Milliseconds to label a song of 3 minutes: ours, its decoding and transform alone, and the plain way by matplotlib.

    python benchmarks/predict.py
    python benchmarks/predict.py --run=models/time_model/mel --song=song.mp3

The ways take turns in one warm process, because a machine's speed drifts. The cold start is `python predict.py` as a
user types it.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import predict
from genre import runs
from genre.command_line import CallError, DataError, Parser, positive, run

import librosa
import librosa.display
import numpy as np
import soundfile
from matplotlib import pyplot as plt
from PIL import Image

SR = 22050  # Hz, of the synthetic songs
SECONDS, PIECE = 180, 30


def main():
    parser = Parser(__doc__)
    parser.add_argument("--run", metavar="FOLDER", help="a finished run of mel pictures, else a tiny one is trained")
    parser.add_argument("--song", metavar="FILE", help="else a seeded tone with noise, of 3 minutes")
    parser.add_argument("--repeats", type=positive, default=20, help="turns of each way")
    args = parser.parse_args()
    plt.switch_backend("Agg")
    with tempfile.TemporaryDirectory() as temporary:
        trained = runs.read(args.run or train_tiny_run(Path(temporary)))
        song = Path(args.song) if args.song else write_song(Path(temporary, "song.wav"), 440, seed=0)
        compare(trained, song, args.repeats, Path(temporary, "plain.png"))


def write_song(path, frequency, seed, seconds=SECONDS):
    """A tone with noise, 16-bit WAV. Returns `path`."""
    noise = np.random.default_rng(seed).normal(0, 0.1, SR * seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * frequency * np.arange(SR * seconds) / SR) + noise, SR)
    return path


def train_tiny_run(folder):
    """One epoch of time_model on eight synthetic songs, by the public commands. Returns the run's folder."""
    for genre, frequency in (("high", 2000), ("low", 200)):
        for i in range(4):
            write_song(folder / "genres" / genre / f"{genre}.{i}.wav", frequency, i, PIECE)
    call("create_spectrograms.py", "--features=mel", f"--data={folder}", "--workers=1")
    call("split_dataset.py", f"--data={folder}", "--fractions=0.5,0.25,0.25")
    call("time_model.py", f"--data={folder}", f"--models={folder / 'models'}", "--epochs=1", "--batch_size=4")
    return folder / "models" / "time_model" / "mel"


def call(script, *options):
    done = subprocess.run(
        [sys.executable, Path(predict.__file__).with_name(script), *options], capture_output=True, text=True
    )
    if done.returncode:
        raise DataError(f"{script} failed: {done.stderr.strip()}")


def compare(trained, song, repeats, picture):
    ((recipe,),) = trained.recipes
    if recipe.feature != "mel":
        raise CallError(f"the plain way here draws mel; {trained.folder} was trained on {recipe.feature}")
    pieces = predict.predict_song(trained, song).pieces

    def decode_and_render():
        return [trained.render(piece) for piece in trained.pieces(song)]

    ways = {
        "ours": lambda: predict.predict_song(trained, song),
        "decoding and transform alone": decode_and_render,
        "plain": lambda: plain(trained.model, recipe, song, picture),
    }
    milliseconds = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:  # the first warms up
                milliseconds[name].append(1000 * (time.perf_counter() - started))
    print(f"{trained.name}, pictures of {' x '.join(map(str, trained.model.input_shape[1:]))}, {pieces} of the song")
    print(f"{'way':30}{'median ms':>10}{'min..max':>16}{'to ours':>9}")
    for name, values in milliseconds.items():
        between, ratio = f"{min(values):.1f}..{max(values):.1f}", np.median(values) / np.median(milliseconds["ours"])
        print(f"{name:30}{np.median(values):10.1f}{between:>16}{ratio:9.2f}")
    started = time.perf_counter()
    call("predict.py", song, f"--run={trained.folder}")
    print(f"cold start of python predict.py: {time.perf_counter() - started:.1f} s")


def plain(model, recipe, song, picture):
    """Draw each spectrogram with matplotlib, read the picture back, ask `model.predict`: what tutorials do."""
    y, sr = librosa.load(song, sr=recipe.sr)
    length = round(recipe.seconds * sr)
    for start in range(0, len(y) - length + 1, length):
        plain_piece(model, recipe, y[start : start + length], sr, picture)


def plain_piece(model, recipe, y, sr, picture):
    bins, frames, channels = model.input_shape[1:]
    transform = {name: recipe.transform[name] for name in ("n_fft", "hop_length", "window", "n_mels")}
    spectrogram = librosa.feature.melspectrogram(y=y, sr=sr, **transform)
    plt.figure(figsize=(10, 4))
    librosa.display.specshow(librosa.power_to_db(spectrogram, ref=np.max), sr=sr)
    plt.axis("off")
    plt.savefig(picture, bbox_inches="tight", pad_inches=0)
    plt.close()
    with Image.open(picture) as image:
        levels = np.asarray(image.convert("L" if channels == 1 else "RGB").resize((frames, bins)), np.float32)
    return model.predict(levels.reshape(1, bins, frames, channels), verbose=0)


if __name__ == "__main__":
    run(main)
