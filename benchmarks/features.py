"""How each feature fills its fixed range on real music, what it clips, and how far it is from librosa's own function.

python benchmarks/features.py --audio_files_path=data/genres
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

from genre import audio
from genre.command_line import DataError, Parser, run
from genre.datasets import folder
from genre.features import FEATURES, Sound, compute
from genre.recipe import Recipe

import librosa
import numpy as np
from tqdm import tqdm


def main():
    parser = Parser(__doc__)
    parser.add_argument("--audio_files_path", default="data/genres", help="folder of genre folders")
    args = parser.parse_args()
    recipes = {feature: Recipe.of(feature) for feature in FEATURES if feature in LIBROSA}
    rates = sorted({recipe.sr for recipe in recipes.values()})
    found = {feature: [] for feature in recipes}
    tracks = folder.tracks(args.audio_files_path)
    for track in tqdm(tracks, unit="track", disable=None):
        try:
            piece = next(audio.pieces(track.path, rates, 30.0))
        except audio.AudioError as error:
            tqdm.write(f"left out: {track.path} {error}")
            continue
        sounds = {sr: Sound(samples, sr) for sr, samples in piece.samples.items()}
        for feature, recipe in recipes.items():
            found[feature].append(measure(sounds[recipe.sr], recipe))
    measured = len(next(iter(found.values())))
    print(f"{measured} tracks, the first 30 s of each; grey levels 0 to 255")
    if not measured:
        raise DataError(f"not one of {len(tracks)} tracks could be measured; the reasons stand above")
    columns = ("0.1 %", "median", "99.9 %", "clipped %", "at the floor %", "from librosa")
    print(f"{'feature':12}" + "".join(f"{column:>16}" for column in columns))
    for feature, rows in found.items():
        quantiles, clipped, floor, distance = (np.array(column) for column in zip(*rows, strict=True))
        numbers = [f"{abs(level):.0f}" for level in quantiles.mean(axis=0)]
        numbers += [f"{100 * clipped.mean():.4f}", f"{100 * floor.mean():.3f}", f"{distance.max():.3f}"]
        print(f"{feature:12}" + "".join(f"{number:>16}" for number in numbers))
    print("clipped: cells outside the range; at the floor: cells on its lower end, where top_db or silence puts them")


def measure(sound, recipe):
    """(three quantiles, share clipped, share at the floor, furthest from librosa), levels 0..255."""
    low, high = (np.reshape(np.float32(side), (-1, 1)) for side in (recipe.low, recipe.high))
    ours = compute(sound, recipe)
    theirs = LIBROSA[recipe.feature](sound.samples, sound.sr)
    levels, distance = 255 * (ours - low) / (high - low), 255 * np.abs(ours - theirs) / (high - low)
    outside = ((levels < -1e-3) | (levels > 255.001)).mean()
    return np.quantile(levels, [0.001, 0.5, 0.999]), outside, (np.abs(levels) <= 1e-3).mean(), distance.max()


def decibel(power):
    return librosa.power_to_db(power, ref=np.max, amin=1e-20, top_db=80)


def whisper_mel(y, sr):
    """Whisper's own steps on librosa's functions: the last frame dropped, 8 decades below the maximum, (x + 4) / 4."""
    power = np.abs(librosa.stft(y, n_fft=400, hop_length=160, pad_mode="reflect"))[:, :-1] ** 2
    exponent = np.log10(np.maximum(librosa.filters.mel(sr=sr, n_fft=400, n_mels=80) @ power, 1e-10))
    return (np.maximum(exponent, exponent.max() - 8) + 4) / 4


# Each feature the way librosa alone computes it, with its defaults.
LIBROSA = {
    "mel": lambda y, sr: decibel(librosa.feature.melspectrogram(y=y, sr=sr)),
    "stft": lambda y, sr: decibel(np.abs(librosa.stft(y)) ** 2),
    "cqt": lambda y, sr: decibel(np.abs(librosa.cqt(y, sr=sr)) ** 2),
    "mfcc": lambda y, sr: librosa.feature.mfcc(y=y, sr=sr),
    "chroma_stft": lambda y, sr: librosa.feature.chroma_stft(y=y, sr=sr),
    "chroma_cqt": lambda y, sr: librosa.feature.chroma_cqt(y=y, sr=sr),
    "chroma_cens": lambda y, sr: librosa.feature.chroma_cens(y=y, sr=sr),
    "tempogram": lambda y, sr: librosa.feature.tempogram(y=y, sr=sr),
    "whisper_mel": whisper_mel,
}


if __name__ == "__main__":
    run(main)
