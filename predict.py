"""Label songs with a finished run.

    python predict.py song.mp3 --run=models/time_model/mel
    python predict.py my_music/ --run=models/time_model/mel --csv=genres.csv
    python predict.py song.mp3 --run=models/time_model/mel/model.onnx

Every song is rendered by the recipe that the run was trained with, in pieces whose probabilities are averaged.
"""

import os
from pathlib import Path
from typing import NamedTuple

from genre import audio, files, runs
from genre.command_line import BAD_DATA, CallError, DataError, Parser, positive, run
from genre.datasets.folder import audio_files

import numpy as np
from tqdm import tqdm


class Prediction(NamedTuple):
    """What is said of one song. `probabilities` is (classes,), or None with the reason in `note`."""

    path: Path
    pieces: int
    probabilities: np.ndarray | None
    note: str


def main():
    args = _parser().parse_args()
    trained = runs.read(args.run)
    songs = find_songs(args.songs)
    if args.csv and not os.access(Path(args.csv).resolve().parent, os.W_OK):
        raise CallError(f"no folder that can be written for --csv={args.csv}")
    if args.csv and (Path(args.csv).suffix.lower() in audio.EXTENSIONS or Path(args.csv).is_dir()):
        raise CallError(f"--csv={args.csv} should be a file such as genres.csv, not a song or a folder")
    hears = trained.hears  # before TensorFlow is loaded: a run of unknown recipe is refused at once
    print(f"{trained.name}: {len(trained.classes)} genres, {hears}")
    width = max(len(str(song)) for song in songs)
    predictions = []
    try:
        for song in tqdm(songs, disable=None if len(songs) > 1 else True, unit="song"):
            predictions.append(predict_song(trained, song))
            tqdm.write(_line(predictions[-1], trained.classes, args.top, width))
    finally:  # what was predicted before Ctrl-C is kept
        if args.csv:
            _write_csv(args.csv, predictions, trained)
            print("wrote", args.csv)
    failed = sum(p.probabilities is None for p in predictions)
    if failed == len(predictions):
        raise DataError(f"none of {len(predictions)} songs could be used; the reasons stand above")
    return BAD_DATA if args.strict and failed else None


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("songs", nargs="+", metavar="SONG", help="audio files, or folders that are searched for them")
    parser.add_argument("--run", required=True, help="folder of a finished run, e.g. models/time_model/mel, or .onnx")
    parser.add_argument("--top", type=positive, default=3, help="genres shown for each song")
    parser.add_argument("--csv", metavar="FILE", help="also write every song's probabilities to this file")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any song could not be used")
    return parser


def find_songs(paths):
    """The audio files among paths and below folders, each once.

    Raises:
        CallError: a path does not exist, or there is no audio file.
    """
    songs = []
    for path in map(Path, paths):
        if not path.exists():
            raise CallError(f"no file or folder {path}")
        songs += audio_files(path) if path.is_dir() else [path]
    if not songs:
        raise CallError(f"no audio file in {', '.join(paths)}")
    return list(dict.fromkeys(songs))


def predict_song(trained, song):
    """What the run says of a song, or why it says nothing."""
    try:
        found = trained.label(song)
    except (CallError, DataError) as error:
        if not isinstance(error, audio.AudioError):
            raise  # the run lacks what it needs, such as weights: no song would fare better
        return Prediction(song, 0, None, audio.reason(error))
    except Exception as error:  # whatever one song does to a decoder or a transform, the others go on
        return Prediction(song, 0, None, audio.reason(error))
    return Prediction(song, found.pieces, found.probabilities, found.note)


def _line(prediction, classes, top, width):
    if prediction.probabilities is None:
        return f"{prediction.path!s:{width}}  not used: {prediction.note}"
    best = np.argsort(-prediction.probabilities, kind="stable")[:top]
    shares = "  ".join(f"{classes[i]} {100 * prediction.probabilities[i]:.1f} %" for i in best)
    return f"{prediction.path!s:{width}}  {shares}" + (f"  ({prediction.note})" if prediction.note else "")


def _write_csv(path, predictions, trained):
    classes = trained.classes
    lines = [["file", "prediction", "pieces", "note", *classes]]
    for p in predictions:
        used = p.probabilities is not None
        shares = [f"{share:.6f}" for share in p.probabilities] if used else [""] * len(classes)
        lines.append([p.path, trained.says(p.probabilities) if used else "", p.pieces, p.note, *shares])
    files.write_csv(path, lines)


if __name__ == "__main__":
    run(main)
