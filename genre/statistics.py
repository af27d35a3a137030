"""74 series of a track -> the 518 statistics of FMA's features.csv, and that table on disk.

Source: Defferrard, Benzi, Vandergheynst & Bresson, "FMA: A dataset for music analysis", ISMIR 2017,
    https://arxiv.org/abs/1612.01840: the series, the statistics, their names and their order.
Differs: FMA took frequencies as if all audio had 22050 Hz: at 44.1 kHz its centroids, bandwidths and rolloffs are half
    of those here, and its contrasts are of bands an octave higher. Its rmse is some 45 times today's librosa's, which
    is the rms of the samples. What was trained on one of the two tables knows nothing about the other.
"""

import csv
import hashlib
import itertools
import json
import warnings
from pathlib import Path

from genre import audio
from genre.command_line import DataError
from genre.constant_q import FRAMES_AT_ONCE
from genre.features import C1, Sound, one_thread
from genre.files import write_csv, write_text
from genre.index import RECIPE, Row

import numpy as np
import soxr

# name: rows, each a series of one number a frame
SERIES = {
    "chroma_stft": 12,
    "chroma_cqt": 12,
    "chroma_cens": 12,
    "tonnetz": 6,
    "mfcc": 20,
    "rmse": 1,
    "zcr": 1,
    "spectral_centroid": 1,
    "spectral_bandwidth": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
}
STATISTICS = ("mean", "std", "skew", "kurtosis", "median", "min", "max")
LEVELS = ("feature", "statistics", "number")  # the three lines of column names in the file
COLUMNS = sorted(
    (name, what, f"{i + 1:02d}") for name, rows in SERIES.items() for i in range(rows) for what in STATISTICS
)
TABLE = "features.csv"
AUDIO = "audio"  # the origin of what is computed here; that of numbers from elsewhere is the name of their table

N_FFT, HOP = 2048, 512  # samples
LOWEST_SR, HIGHEST_SR = 22050, 48000  # Hz; below, the highest bands are above half the rate; above, mel bands are empty
STRETCH = 120  # s of a track that are in memory at a time
REST = 10  # s; a last stretch of less goes with the one before it, so that no frame lacks its neighbours
SHORTEST = 1.1  # s; of less, a frame of the constant-Q transform may be longer than the audio, at some rates


def of_track(track, known=None):
    """The statistics of one track, unless they are known.

    Args:
        known: the index row of an earlier run, whose statistics still hold if the audio is the same.

    Returns:
        (row, float32 (518,), None); or (row, None, None) if they are known; or (None, None, why there are none).
    """
    values = None
    try:
        audio_hash = audio.content_hash(track.path)
        if known and known.audio_hash == audio_hash:
            seconds = known.seconds
        else:
            values, seconds = of_file(track.path)
    except Exception as error:  # whatever one song does to a decoder or to librosa, the run goes on
        return None, None, audio.reason(error)
    about = {"artist": track.artist, "album": track.album, "subset": track.subset, "audio_hash": audio_hash}
    return Row(track.id, track.id, track.labels, seconds=round(seconds, 3), **about), values, None


def of_table(path, tracks):
    """The statistics of tracks from somebody else's table, such as FMA's own; no audio is needed.

    Args:
        tracks: each is looked for by its id, its name if no other has it, and its number where it is one: 000002 as 2.

    Returns:
        {track: (row, float32 (518,))} of those that have all numbers; [(track, why it has not)].
        As hash of the audio a row gets one of its numbers: the same audio has the same.
    """
    names = {}
    for track in tracks:
        for name in {track.id, track.name, str(int(track.name)) if track.name.isdecimal() else track.name}:
            names.setdefault(name, []).append(track)
    found, unused = {}, []
    for name, numbers in zip(*read(path, names), strict=True):
        if len(names[name]) > 1:
            raise DataError(f"{path} names a row {name}; that may be {' or '.join(t.id for t in names[name][:2])}")
        track = names[name][0]
        if track.id in found:
            raise DataError(f"{path} has two rows of {track.id}")
        digest = hashlib.sha256(numbers.tobytes()).hexdigest()
        about = {"artist": track.artist, "album": track.album, "subset": track.subset, "audio_hash": digest}
        found[track.id] = Row(track.id, track.id, track.labels, **about), numbers
    for track in tracks:
        if track.id not in found:
            unused.append((track, f"not in {path}"))
        elif len(lacking := np.flatnonzero(~np.isfinite(found[track.id][1]))):
            unused.append((track, f"lacks {len(lacking)} numbers, such as {' '.join(COLUMNS[lacking[0]])}"))
            del found[track.id]
    return found, unused


def of_file(path):
    """The statistics of an audio file at its own rate, a stretch at a time.

    A file below 130 s is one stretch. In a longer one, what librosa takes from all it is given is not taken from the
    whole file: the tuning is that of the first stretch, and mfcc and contrast end 80 dB below the loudest of each.

    Returns:
        float32 (518,) in the order of COLUMNS, all finite; and the length of the file in s.

    Raises:
        AudioError: it cannot be decoded, is shorter than 1.1 s, or silent.
    """
    found, tunings, seconds, silent = {name: [] for name in SERIES}, None, 0.0, True
    for sr, samples in _stretches(path):
        seconds += len(samples) / sr
        silent = silent and audio.is_silent(samples)
        if len(samples) < SHORTEST * sr:
            raise audio.AudioError(f"{seconds:.2g} s long; statistics need {SHORTEST:g} s")
        with one_thread():
            of_stretch, tunings = series(samples, sr, tunings)
        for name, values in of_stretch.items():
            found[name].append(np.asarray(values, np.float32))
    if silent:
        raise audio.AudioError("silent from its beginning to its end")
    return summarise({name: np.concatenate(parts, axis=1) for name, parts in found.items()}), seconds


def _stretches(path):
    """(rate in Hz, samples) of a file; each is followed by at least REST s, or the last."""
    before = None
    for sr, samples in audio.stretches(path, STRETCH):
        if before is None:
            before = samples
        elif len(samples) < REST * sr:
            before = np.concatenate([before, samples])
        else:
            yield sr, before
            before = samples
    yield sr, before


def series(samples, sr, tunings=None):
    """What FMA looks at in a sound, frame by frame, each as librosa computes it.

    Args:
        samples: float32 (samples,), mono, of at least 1.1 s.
        sr: their rate in Hz; below 22050 Hz they are brought to that, above 48000 Hz to 44100, and else left.
        tunings: what this returned for another stretch of the same track.

    Returns:
        {name: (rows, frames)} for each of SERIES; and the tunings of the magnitude and of the power, in semitones
    """
    from librosa import feature, power_to_db

    if not LOWEST_SR <= sr <= HIGHEST_SR:
        native, sr = sr, LOWEST_SR if sr < LOWEST_SR else 2 * LOWEST_SR
        samples = soxr.resample(samples, native, sr)
    sound = Sound(samples, sr)
    power = sound.power(N_FFT, HOP, "hann").T
    magnitude = np.sqrt(power)
    tunings = tunings or tuple(sound.tuning(12, N_FFT, HOP, "hann", exponent) for exponent in (1, 2))
    semitones = sound.cqt(HOP, C1, 84, 12, tunings[0])
    cens = feature.chroma_cens(C=semitones, bins_per_octave=12)
    found = {
        "chroma_stft": feature.chroma_stft(S=power, sr=sr, tuning=tunings[1]),
        "chroma_cqt": feature.chroma_cqt(C=semitones, bins_per_octave=12),
        "chroma_cens": cens,
        "tonnetz": feature.tonnetz(chroma=cens),
        "mfcc": feature.mfcc(S=power_to_db(sound.mel(N_FFT, HOP, "hann", 128, 0.0, 0.0)), n_mfcc=20),
        "zcr": feature.zero_crossing_rate(samples, frame_length=N_FFT, hop_length=HOP),
        "spectral_contrast": feature.spectral_contrast(S=magnitude, sr=sr),
    }
    return found | _of_each_frame(magnitude, sr), tunings


def _of_each_frame(magnitude, sr):
    """The series of which no frame depends on others, computed of a few at a time: {name: (1, frames)}."""
    from librosa import feature

    found = {"rmse": [], "spectral_centroid": [], "spectral_bandwidth": [], "spectral_rolloff": []}
    for start in range(0, magnitude.shape[1], FRAMES_AT_ONCE):
        chunk = magnitude[:, start : start + FRAMES_AT_ONCE]
        centroid = feature.spectral_centroid(S=chunk, sr=sr)
        found["rmse"].append(feature.rms(S=chunk))
        found["spectral_centroid"].append(centroid)
        found["spectral_bandwidth"].append(feature.spectral_bandwidth(S=chunk, sr=sr, centroid=centroid))
        found["spectral_rolloff"].append(feature.spectral_rolloff(S=chunk, sr=sr))
    return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}


def summarise(found):
    """{name: (rows, frames)} -> float32 (518,) in the order of COLUMNS.

    A series that never changes has no skew and no kurtosis; both are 0 then.
    """
    from scipy import stats

    values = {}
    for name, rows in found.items():
        rows = np.asarray(rows, np.float64)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # of a series that never changes
            shape = {"skew": stats.skew(rows, axis=1), "kurtosis": stats.kurtosis(rows, axis=1)}
        simple = {what: getattr(np, what)(rows, axis=1) for what in STATISTICS if what not in shape}
        for what, numbers in (simple | {what: np.nan_to_num(numbers) for what, numbers in shape.items()}).items():
            values |= {(name, what, f"{i + 1:02d}"): number for i, number in enumerate(numbers)}
    return np.array([values[column] for column in COLUMNS], np.float32)


def write(path, tracks, values):
    """Write a table in the form of FMA's features.csv, whole or not at all; nine digits, as float32 needs them.

    Args:
        tracks: names of the rows. values: float32 (tracks, 518) in the order of COLUMNS.
    """
    header = [[level, *cells] for level, cells in zip(LEVELS, zip(*COLUMNS, strict=True), strict=True)]
    rows = ([track, *map("%.8e".__mod__, row.tolist())] for track, row in zip(tracks, values, strict=True))
    write_csv(path, [*header, ["track_id"] + [""] * len(COLUMNS), *rows])


def read(path, only=None):
    """A table that `write` wrote, or FMA's own.

    Args:
        only: the names of the rows to read, where not all are.

    Returns:
        names of the rows, list of str; float32 (rows, 518) in the order of COLUMNS, NaN where a cell is empty

    Raises:
        DataError: there is no such file, a column is missing or unknown, or a cell is no number.
    """
    tracks, values = [], []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, strict=True)
            order = _order(path, [next(reader, [])[1:] for _ in LEVELS])
            for number, row in enumerate(reader):
                first = number == 0 and not any(row[1:])  # the line after the column names has but a name of its own
                if row and not first and (only is None or row[0] in only):
                    tracks.append(row[0])
                    values.append(_numbers(row[1:], f"line {reader.line_num} of {path}"))
    except FileNotFoundError:
        raise DataError(f"no table of statistics at {path}; make it with: python create_statistics.py") from None
    except csv.Error as error:
        raise DataError(f"{path} is no table of statistics ({error})") from None
    return tracks, np.array(values, np.float32).reshape(-1, len(COLUMNS))[:, order]


def write_recipe(folder, origin):
    """Write recipe.json: what the statistics of a folder were made from. Args: origin: AUDIO, or a table's name."""
    write_text(Path(folder) / RECIPE, json.dumps({"feature": "statistics", "origin": origin}, indent=2) + "\n")


def read_recipe(folder):
    """{"feature": "statistics", "origin": AUDIO, or a table's name} of a folder, or None where there is none.

    Raises:
        DataError: the file is damaged or of something else.
    """
    path = Path(folder) / RECIPE
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
        return {"feature": {"statistics": "statistics"}[recipe["feature"]], "origin": str(recipe["origin"])}
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{path} is damaged; make the statistics again with --overwrite") from None


def _order(path, header):
    """Where the file has each of COLUMNS."""
    there = list(itertools.zip_longest(*header, fillvalue=""))
    if sorted(there) != COLUMNS:
        missing, unknown = sorted(set(COLUMNS) - set(there)), sorted(set(there) - set(COLUMNS))
        parts = [
            f"{len(names)} {what} such as {' '.join(names[0])}"
            for names, what in ((missing, "missing"), (unknown, "unknown"))
            if names
        ]
        raise DataError(
            f"{path} has other columns than FMA's features.csv: "
            f"{', '.join(parts) or f'{len(there)} instead of {len(COLUMNS)}'}; is it a table of create_statistics.py?"
        )
    return [there.index(column) for column in COLUMNS]


def _numbers(cells, where):
    if len(cells) != len(COLUMNS):
        raise DataError(f"{where} has {len(cells)} numbers instead of {len(COLUMNS)}")
    try:
        return np.fromiter(map(float, cells), np.float32, len(cells))
    except ValueError:
        pass
    try:
        return np.array([float(cell or "nan") for cell in cells], np.float32)
    except ValueError as error:
        raise DataError(f"{where} cannot be read ({error})") from None
