"""Label songs with a finished run, or with several that vote.

    python predict.py song.mp3 --run=models/time_model/mel
    python predict.py my_music/ --run=models/time_model/mel,models/frequency_model/mel --csv=genres.csv --threshold=0.5
    python predict.py song.mp3 --run=models/time_model/mel --timeline=timelines
    python predict.py song.mp3 --run=models/time_model/mel/model.onnx

Every song is rendered by the recipe that the run was trained with, in pieces whose probabilities are averaged.
"""

import contextlib
import dataclasses
import json
import os
import warnings
from pathlib import Path
from typing import NamedTuple

from genre import audio, files, runs, workers
from genre.command_line import BAD_DATA, CallError, DataError, Parser, names, positive, positive_float, run, share
from genre.datasets.folder import audio_files, passed_over, unique_names

import joblib
import numpy as np
import threadpoolctl
from tqdm import tqdm

NONE = "none of these"
FRAMES = 3000  # of the picture of a whole song, at most
STEP, SHORTEST_STEP = 5.0, 0.01  # s, of a timeline
AHEAD = 8  # songs a core that are heard before what was heard is said


class Prediction(NamedTuple):
    """What is said of one song. `probabilities` is (classes,), or None with the reason in `note`."""

    path: Path
    pieces: int
    probabilities: np.ndarray | None
    note: str
    timeline: runs.Timeline | None = None


def main():
    args = _parser().parse_args()
    trained = read_runs(names(args.run), args.threshold)
    songs = find_songs(args.songs)
    if args.step and not args.timeline:
        raise CallError("--step is of the timeline; add --timeline=FOLDER")
    args.step = args.step or STEP
    if args.step < SHORTEST_STEP:
        raise CallError(f"--step={args.step:g} is too short; take at least {SHORTEST_STEP:g} s")
    _check_files(args)
    left_out = passed_over([path for path in args.songs if Path(path).is_dir()])
    hears = trained.hears  # before TensorFlow is loaded: a run of unknown recipe is refused at once
    print(f"{trained.name}: {len(trained.classes)} genres, {hears}")
    for line in left_out:
        print("left out:", line)
    pictures = _pictures(args.timeline, songs)
    width = max(len(str(song)) for song in songs)
    predictions = []
    perhaps_save = workers.now_and_then(lambda: _write(predictions, trained, args))
    try:
        for song, heard in tqdm(hear_all(trained, songs), disable=None if len(songs) > 1 else True, total=len(songs)):
            prediction = predict_song(trained, song, heard, args.step if args.timeline else None)
            predictions.append(prediction)
            tqdm.write(_line(prediction, trained, args, width))
            if prediction.timeline is not None:
                _draw(trained, prediction, args, pictures[song])
            perhaps_save()
    finally:  # what was predicted before Ctrl-C is kept; before the first song, what an earlier call wrote
        for path in _write(predictions, trained, args) if predictions else ():
            print("wrote", path)
    failed = sum(p.probabilities is None for p in predictions)
    if failed == len(predictions):
        raise DataError(f"none of {len(predictions)} songs could be used; the reasons stand above")
    return BAD_DATA if args.strict and (failed or left_out) else None


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("songs", nargs="+", metavar="SONG", help="audio files, or folders that are searched for them")
    text = "folder of a finished run, e.g. models/time_model/mel, or its .onnx; the mean of several, a comma list"
    parser.add_argument("--run", required=True, metavar="RUN,RUN", help=text)
    parser.add_argument("--top", type=positive, default=3, help="genres shown for each song")
    text = f"say {NONE} of a song whose likeliest genre is less likely than this; probabilities are then calibrated"
    parser.add_argument("--threshold", type=share, metavar="P", help=text)
    parser.add_argument("--csv", metavar="FILE", help="also write every song's probabilities to this file")
    parser.add_argument("--json", metavar="FILE", help="likewise, and what --timeline says")
    text = "draw the genres of each song over time above its spectrogram, as a picture in this folder, and say them"
    parser.add_argument("--timeline", metavar="FOLDER", help=text)
    parser.add_argument("--step", type=positive_float, help=f"of --timeline, in seconds (default: {STEP:g})")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any song was not used or left out")
    return parser


def read_runs(folders, threshold=None):
    """The run or, of several folders, their vote; calibrated where there is a threshold.

    Raises:
        CallError: no run there, or runs that cannot vote together. DataError: one cannot be calibrated.
    """
    found = [runs.read(folder) for folder in folders]
    if not found:
        raise CallError("--run is empty; name a finished run, e.g. models/time_model/mel")
    if threshold is not None:
        found = [dataclasses.replace(one, calibrated=True) for one in found]
        for one in found:
            if one.info.get("multi_label"):
                raise CallError(f"--threshold is for one label a song; {one.folder} gives several, or none")
            _ = one.temperature  # known before any song is heard
    return runs.together(found)


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


def _check_files(args):
    """Raises: CallError: what is to be written cannot be."""
    for option, given in (("csv", args.csv), ("json", args.json)):
        if given and not os.access(Path(given).resolve().parent, os.W_OK):
            raise CallError(f"no folder that can be written for --{option}={given}")
        if given and (Path(given).suffix.lower() in audio.EXTENSIONS or Path(given).is_dir()):
            raise CallError(f"--{option}={given} should be a file such as genres.{option}, not a song or a folder")
    if args.timeline and Path(args.timeline).is_file():
        raise CallError(f"--timeline={args.timeline} should be a folder, for a picture of each song")


def _pictures(folder, songs):
    """{song: the path of the picture of its timeline}"""
    if not folder:
        return {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [song.absolute() for song in songs]
    with contextlib.suppress(ValueError):  # on several disks of Windows
        root = Path(os.path.commonpath([path.parent for path in paths]))
        paths = [path.relative_to(root) for path in paths]
    found = unique_names(paths)
    return {song: Path(folder, f"{name}.png") for song, name in zip(songs, found, strict=True)}


def hear_all(trained, songs):
    """Yield (song, what the run hears of it or the error), while the caller works on those before."""
    if len(songs) == 1:
        yield songs[0], _hear(trained, songs[0])
        return
    stopped = ".*(executed +but not used|have been cancelled)"  # where the caller stops early
    warnings.filterwarnings("ignore", stopped, module="joblib")
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as each transform has it, by itself
        cores = joblib.cpu_count()
        for first in range(0, len(songs), AHEAD * cores):  # joblib itself would hear all, however slowly they are said
            part = songs[first : first + AHEAD * cores]
            parallel = joblib.Parallel(cores, prefer="threads", return_as="generator")
            yield from zip(part, parallel(joblib.delayed(_hear)(trained, song) for song in part), strict=True)


def _hear(trained, song):
    try:
        return trained.hear(song)
    except Exception as error:  # whatever one song does to a decoder or a transform, the others go on
        return error


def predict_song(trained, song, heard=None, step=None):
    """What the run says of a song, or why it says nothing.

    Args:
        heard: of `hear_all`, if it was heard already. step: of its timeline in s, None for none.
    """
    heard = heard or _hear(trained, song)
    try:
        if isinstance(heard, Exception):
            raise heard
        said = trained.say(heard)
        timeline = trained.timeline(song, step) if step else None
    except (CallError, DataError) as error:
        if not isinstance(error, audio.AudioError):
            raise  # the run lacks what it needs, such as weights: no song would fare better
        return Prediction(song, 0, None, audio.reason(error))
    except Exception as error:
        return Prediction(song, 0, None, audio.reason(error))
    return Prediction(song, said.pieces, said.probabilities, said.note, timeline)


def says(trained, probabilities, threshold):
    """The genre or the tags that probabilities (classes,) are for; NONE if none is as likely as the threshold."""
    return NONE if threshold and probabilities.max() < threshold else trained.says(probabilities)


def _line(prediction, trained, args, width):
    """What is printed of a song."""
    p, classes = prediction.probabilities, trained.classes
    if p is None:
        return f"{prediction.path!s:{width}}  not used: {prediction.note}"
    best = np.argsort(-p, kind="stable")[: args.top]
    shares = "  ".join(f"{classes[i]} {100 * p[i]:.1f} %" for i in best)
    shares = f"{NONE}: {shares}" if says(trained, p, args.threshold) == NONE else shares
    line = f"{prediction.path!s:{width}}  {shares}" + (f"  ({prediction.note})" if prediction.note else "")
    for start, end, said in stretches(trained, prediction.timeline, args.step, args.threshold):
        line += f"\n{_clock(start):>8} to {_clock(end)}  {said}"
    return line


def stretches(trained, timeline, step, threshold):
    """[(start, end in s, what is said)] of a timeline, neighbours of which the same is said together."""
    found = []
    for start, end, p in timeline.steps(step) if timeline else ():
        said = "silence" if np.isnan(p).any() else says(trained, p, threshold)
        start = found.pop()[0] if found and found[-1][2] == said else start
        found.append((start, end, said))
    return found


def _clock(seconds):
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{minutes:.0f}:{rest:05.2f}".removesuffix(".00")


def _draw(trained, prediction, args, path):
    from genre import song_plots  # matplotlib, which no other prediction needs

    title = f"{prediction.path.name}: {says(trained, prediction.probabilities, args.threshold)}\n{trained.name}"
    spectrogram, seconds = trained.spectrogram(prediction.path, FRAMES)
    song_plots.timeline(prediction.timeline, args.step, trained.classes, spectrogram, seconds, title, path)
    tqdm.write(f"wrote {path}")


def _write(predictions, trained, args):
    """Write what --csv and --json ask for. Returns their paths."""
    if args.csv:
        _write_csv(args.csv, predictions, trained, args.threshold)
    if args.json:
        content = [_as_dict(prediction, trained, args) for prediction in predictions]
        files.write_text(Path(args.json), json.dumps(content, indent=2) + "\n")
    return [path for path in (args.csv, args.json) if path]


def _write_csv(path, predictions, trained, threshold):
    classes = trained.classes
    lines = [["file", "prediction", "pieces", "note", *classes]]
    for p in predictions:
        used = p.probabilities is not None
        shares = [f"{of:.6f}" for of in p.probabilities] if used else [""] * len(classes)
        lines.append([p.path, says(trained, p.probabilities, threshold) if used else "", p.pieces, p.note, *shares])
    files.write_csv(path, lines)


def _as_dict(prediction, trained, args):
    """What --json says of a song."""
    p = prediction.probabilities
    found = {"file": str(prediction.path), "pieces": prediction.pieces, "note": prediction.note}
    found |= {"prediction": None if p is None else says(trained, p, args.threshold)}
    found |= {"probabilities": _shares(trained, p)}
    if prediction.timeline is not None:
        steps = prediction.timeline.steps(args.step)
        found["timeline"] = [{"start": a, "end": b, "probabilities": _shares(trained, p)} for a, b, p in steps]
    return found


def _shares(trained, probabilities):
    """{class: its probability}, or None where nothing is said."""
    if probabilities is None or np.isnan(probabilities).any():
        return None
    return {name: round(float(p), 6) for name, p in zip(trained.classes, probabilities, strict=True)}


if __name__ == "__main__":
    run(main, stopped="the songs above stand in --csv or --json, where asked for; another call hears all again")
