"""Milliseconds a track from audio to picture: the command, the plain way through matplotlib, and the least it can cost.

    python benchmarks/spectrograms.py
    python benchmarks/spectrograms.py --features=mel --audio_files_path=data/genres --rounds=5
    python benchmarks/spectrograms.py --features=mel --counts=10,100,1000 --rounds=1

The ways take turns in one process, because a machine's speed drifts. Ours is the whole command as a user types it: its
time for many tracks less its time for few, by the difference in tracks.
"""

import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import demo
from benchmarks.features import LIBROSA
from genre import audio, images
from genre.command_line import CallError, DataError, Parser, names, positive, run
from genre.datasets import folder
from genre.recipe import Recipe

import librosa
import librosa.display
import matplotlib
import numpy as np
import scipy.fft
import soundfile
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 30
COMPOSED = 10  # songs, where no others are given
SMALL = (2.0, 1.2)  # inches, of 100 pixels each
# A small process between: what the system reports as a command's memory begins with that of the process it came from.
LAUNCH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
SEVEN = ("mel", "stft", "cqt", "mfcc", "chroma_stft", "chroma_cqt", "chroma_cens")


def main():
    parser = Parser(__doc__)
    parser.add_argument("--features", default=",".join(LIBROSA), help="comma list")
    parser.add_argument("--audio_files_path", metavar="FOLDER", help="tracks of 30 s, else ten composed ones")
    parser.add_argument("--counts", default="10,160", help="numbers of tracks that ours renders; copies fill them up")
    parser.add_argument("--rounds", type=positive, default=3, help="turns of each way")
    parser.add_argument("--plain_tracks", type=positive, default=5, help="tracks that the plain ways render each turn")
    parser.add_argument("--workers", type=positive, default=2, help="processes of ours")
    args = parser.parse_args()
    features, counts = names(args.features), sorted({positive(count) for count in args.counts.split(",")})
    if len(counts) < 2:
        raise CallError(f"--counts={args.counts}: expected two or more different numbers of tracks")
    if unknown := set(features) - set(LIBROSA):
        raise CallError(f"there is no plain way for {', '.join(unknown)}; there is for {', '.join(LIBROSA)}")
    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        songs = [track.path for track in folder.tracks(args.audio_files_path)] if args.audio_files_path else []
        songs = songs or compose(temporary / "composed")
        for count in counts:
            fill(temporary / str(count) / "music", songs, count)
        compare(features, songs[:: -(-len(songs) // args.plain_tracks)], counts, temporary, args)


def compose(target):
    """Ten songs of 30 s, in the styles of the demo."""
    target.mkdir()
    for i in range(COMPOSED):
        rng = np.random.default_rng(i)
        song = demo.compose(demo.pick(rng, list(demo.STYLES)), rng, SECONDS)
        soundfile.write(target / f"{i}.wav", song, demo.SR, subtype="PCM_16")
    return sorted(target.iterdir())


def fill(target, songs, count):
    """A genre folder of `count` tracks, copies of the songs in turn."""
    target.mkdir(parents=True)
    for i in range(count):
        song = songs[i % len(songs)]
        (target / f"{i:06d}{song.suffix}").write_bytes(song.read_bytes())


def compare(features, songs, counts, temporary, args):
    together = [feature for feature in SEVEN if feature in features]
    calls = [*features, *([",".join(together)] if len(together) > 1 else [])]
    found = {name: {way: [] for way in ("plain", "plain-small", "ours", "floor")} for name in calls}
    for turn in range(args.rounds):
        for name in calls:
            runs = [ours(name, count, temporary, args.workers) for count in counts]
            found[name]["ours"].append(1000 * (runs[-1][0] - runs[0][0]) / (counts[-1] - counts[0]))
            shown = (f"{n} tracks {s:.1f} s {mb:.0f} MB" for n, (s, mb) in zip(counts, runs, strict=True))
            print(f"turn {turn + 1}, {name}: {', '.join(shown)}", flush=True)
            if name in features:
                pictures = {song: picture_bytes(song, name) for song in songs}
                ways = {
                    "plain": lambda song, name=name: plain(song, name, None, temporary),
                    "plain-small": lambda song, name=name: plain(song, name, SMALL, temporary),
                    "floor": lambda song, name=name, pictures=pictures: floor(song, name, pictures[song]),
                }
                for way, function in ways.items():
                    found[name][way].append(median_ms(function, songs))
    report(found, features, args.workers)
    if len(together) > 1:
        whole, apart = np.median(found[calls[-1]]["ours"]), sum(np.median(found[f]["ours"]) for f in together)
        print(f"{len(together)} features in one call: {whole:.1f} ms a track, {whole / apart:.2f} of {apart:.1f} apart")


def ours(names, count, temporary, workers):
    """(seconds, MB of its largest process) of the command on `count` tracks."""
    with tempfile.TemporaryDirectory(dir=temporary) as target:
        command = [sys.executable, str(ROOT / "create_spectrograms.py"), f"--features={names}", f"--workers={workers}"]
        command += [f"--audio_files_path={temporary / str(count)}", f"--dataset_path={target}"]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", LAUNCH, *command], capture_output=True, text=True)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise DataError(done.stderr.strip())
    return seconds, int(done.stdout.split()[-1]) / 1024


def median_ms(way, songs):
    milliseconds = []
    for song in songs:
        started = time.perf_counter()
        way(song)
        milliseconds.append(1000 * (time.perf_counter() - started))
    return float(np.median(milliseconds))


def plain(path, feature, size, temporary):
    """What tutorials do: librosa, a figure without axes, savefig. size: of the figure in inches, or the default."""
    recipe = Recipe.of(feature)
    y, sr = librosa.load(path, sr=recipe.sr, duration=SECONDS)
    values = LIBROSA[feature](y, sr)
    plt.figure(figsize=size, dpi=100)
    librosa.display.specshow(values, sr=sr)
    plt.axis("off")
    plt.savefig(temporary / "plain.png", bbox_inches="tight", pad_inches=0)
    plt.close()


def floor(path, feature, picture):
    """Reading the file, the bare FFTs and zlib over the picture: what no way can go far below."""
    samples, sr = soundfile.read(path, dtype="float32")
    length = round(len(samples) * Recipe.of(feature).sr / sr)
    n_fft, hop_length = frame(feature, length)
    count = 1 + length // hop_length
    frames = np.ones((min(64, count), scipy.fft.next_fast_len(n_fft)), np.float32)
    for start in range(0, count, len(frames)):
        scipy.fft.rfft(frames[: count - start], axis=1)
    zlib.compress(picture, 1)


def frame(feature, length):
    """(n_fft, hop_length) of the bare FFTs; the constant-Q transform needs one of the whole clip at the least."""
    if feature == "whisper_mel":
        return 400, 160
    transform = Recipe.of(feature).transform
    return transform.get("n_fft", length), transform["hop_length"] if "n_fft" in transform else length + 1


def picture_bytes(path, feature):
    recipe = Recipe.of(feature)
    piece = next(audio.pieces(path, [recipe.sr], SECONDS))
    return images.render(piece.samples[recipe.sr], recipe).tobytes()


def report(found, features, workers):
    print(f"\nmedian ms a track (min..max of the turns); ours with {workers} workers, the others in one process")
    ways = ("plain", "plain-small", "ours", "floor")
    print(f"{'feature':12}" + "".join(f"{way:>22}" for way in ways) + f"{'plain / ours':>14}{'above the floor':>17}")
    for name in features:
        values = {way: np.array(found[name][way]) for way in ways}
        median = {way: np.median(turns) for way, turns in values.items()}
        cells = [f"{median[way]:.1f} ({values[way].min():.1f}..{values[way].max():.1f})" for way in ways]
        above = 1 - median["floor"] / (workers * median["ours"])
        ratio = median["plain"] / median["ours"]
        print(f"{name:12}" + "".join(f"{cell:>22}" for cell in cells) + f"{ratio:14.1f}{above:17.0%}")


if __name__ == "__main__":
    run(main)
