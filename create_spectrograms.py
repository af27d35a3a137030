"""Turn a folder of genre folders with songs into spectrogram PNG folders.

    python create_spectrograms.py --features=mel,chroma_stft
    python create_spectrograms.py --audio_files_path=my_music --dataset_path=data/dataset --seconds=10

A file that cannot be used is skipped and named at the end. Run again after adding songs: finished pictures are kept.
"""

import collections
import time
import warnings
from pathlib import Path

from genre import audio, features, files, images, index
from genre.command_line import BAD_DATA, CallError, DataError, Parser, names, parameters, positive, positive_float, run
from genre.datasets import folder

import joblib
import numpy as np
from tqdm import tqdm

SAVE_EVERY = 10  # s between two writes of the index; what a killed run loses at most
SKIPPED = "skipped.csv"
SHOWN = 20  # lines of the table of skipped files


def main():
    args = _parser().parse_args()
    transform = {name: value for name in _parameters() if (value := getattr(args, name)) is not None}
    recipes = _recipes(names(args.features), args.sr, args.seconds, transform)
    audio_path = Path(args.audio_files_path or Path(args.data, "genres"))
    dataset_path = Path(args.dataset_path or Path(args.data, "dataset"))
    tracks = folder.tracks(audio_path)
    _try(recipes, args.colormap)
    known = {f: _prepare(dataset_path / f, recipe, tracks, args.overwrite) for f, recipe in recipes.items()}
    if args.colormap and any(known.values()):
        print(f"pictures that are there already keep their colours; --overwrite draws them in {args.colormap}")
    _report_left_out(audio_path, tracks)
    started = time.monotonic()
    rows, skipped = _make_all(tracks, recipes, dataset_path, known, args.colormap, args.workers)
    for feature in recipes:
        _report(dataset_path / feature, rows[feature], skipped, time.monotonic() - started)
    _report_skipped(skipped, len(tracks), dataset_path / next(iter(recipes)) / SKIPPED)
    if not any(rows.values()):
        raise DataError(f"not one of {len(tracks)} files in {audio_path} gave a picture; the reasons stand above")
    print("wrote", ", ".join(str(dataset_path / feature) for feature in recipes))
    return BAD_DATA if args.strict and skipped else None


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--features", default="mel", help=f"comma list of {', '.join(features.FEATURES)}")
    parser.add_argument("--data", default="data", help="folder that holds genres/, dataset/ and images/")
    parser.add_argument("--audio_files_path", metavar="FOLDER", help="folder of genre folders, if not <data>/genres")
    parser.add_argument("--dataset_path", metavar="FOLDER", help="where <feature>/<genre>/ goes, if not <data>/dataset")
    parser.add_argument("--seconds", type=positive_float, default=30.0, help="length of a piece in s")
    parser.add_argument("--sr", type=positive, default=22050, help="sampling rate in Hz that audio is brought to")
    for name, (kind, text) in _parameters().items():
        parser.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument("--colormap", help="write palette PNGs for people to look at, e.g. magma (grey if not given)")
    parser.add_argument("--workers", type=positive, default=joblib.cpu_count(), help="processes")
    parser.add_argument("--overwrite", action="store_true", help="make everything anew, also with another recipe")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any file was skipped")
    return parser


def _parameters():
    """{parameter: (type, help)} of all transforms; one parameter means the same in each."""
    found = {}
    for name, feature in features.FEATURES.items():
        for parameter, (default, text) in parameters(feature.transform).items():
            _, _, defaults = found.get(parameter, (None, None, []))
            found[parameter] = (type(default), text, [*defaults, f"{name} {default:g}"])
    return {name: (kind, f"{text} (default: {', '.join(d)})") for name, (kind, text, d) in found.items()}


def _recipes(wanted, sr, seconds, transform):
    """{feature: recipe}; a parameter goes to every feature that has it."""
    if not wanted:
        raise CallError(f"--features is empty; there are {', '.join(features.FEATURES)}")
    recipes = {}
    for feature in wanted:
        has = features.transform_defaults(feature) if feature in features.FEATURES else {}
        own = {name: value for name, value in transform.items() if name in has}
        recipes[feature] = features.Recipe.of(feature, sr, seconds, **own)
    used = {name for recipe in recipes.values() for name in recipe.transform}
    if unused := sorted(set(transform) - used):
        raise CallError(f"--{unused[0]} changes nothing: {', '.join(wanted)} has no such parameter")
    return recipes


def _try(recipes, colormap):
    """Refuse parameters that no song can be rendered with, before anything is written or removed."""
    for feature, recipe in recipes.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # librosa's, of mel filters that are empty
                images.render(np.zeros(round(recipe.seconds * recipe.sr), np.float32), recipe)
        except Exception as error:  # whatever numpy or librosa raise for them
            settings = ", ".join(f"{name}={value}" for name, value in recipe.transform.items())
            raise CallError(f"{feature} cannot be computed with {settings}: {error}") from None
    if colormap:
        images.palette(colormap)


def _prepare(target, recipe, tracks, overwrite):
    """Check a feature's folder and write its recipe. Returns {track: its rows} of what is there already."""
    known = collections.defaultdict(list)
    try:
        there = index.read_recipe(target)
        for row in index.read(target) or []:
            known[row.track].append(row)
    except DataError as error:
        if not overwrite:
            raise DataError(f"{error}, with --overwrite") from None
        there = None
    if there and there != recipe and known and not overwrite:
        raise DataError(f"{target} has another recipe ({there.differences(recipe)}); --overwrite makes it anew")
    gone = set(known) - {track.id for track in tracks}
    if known and len(gone) == len(known) and not overwrite:
        raise DataError(
            f"{target} was made of other music ({min(gone)} ...); give another --dataset_path or --overwrite"
        )
    target.mkdir(parents=True, exist_ok=True)
    for track in known if overwrite else gone:
        _remove(target, known[track])
    if gone and not overwrite:
        print(f"{target}: removed the pictures of {len(gone)} tracks that are no longer there, such as {min(gone)}")
    kept = {} if overwrite else {track: rows for track, rows in known.items() if track not in gone}
    index.write(target, [row for rows in kept.values() for row in rows])
    files.write_text(target / index.RECIPE, recipe.to_json())
    return kept


def _remove(target, rows):
    for row in rows:
        (target / row.file).unlink(missing_ok=True)


def _make_all(tracks, recipes, dataset_path, known, colormap, workers):
    """Make every track's pictures in worker processes. Returns ({feature: rows}, [(track, reason)])."""
    rows, skipped = {feature: [] for feature in recipes}, []
    for feature in recipes:
        for label in sorted({track.labels[0] for track in tracks}):
            (dataset_path / feature / label).mkdir(parents=True, exist_ok=True)
    jobs = (
        joblib.delayed(make_pictures)(
            track, recipes, dataset_path, {f: known[f].get(track.id) for f in recipes}, colormap
        )
        for track in tracks
    )
    done, saved = set(), time.monotonic()
    progress = tqdm(total=len(tracks), unit="track", disable=None, smoothing=0.05)
    parallel = joblib.Parallel(n_jobs=min(workers, len(tracks)), return_as="generator_unordered", batch_size=1)
    try:
        for track, made, reasons in parallel(jobs):
            done.add(track.id)
            skipped += [(track, reason) for reason in reasons]
            for feature in recipes:
                rows[feature] += made[feature]
            progress.update()
            if time.monotonic() - saved > SAVE_EVERY:
                _save_indexes(dataset_path, rows, known, done)
                saved = time.monotonic()
    except joblib.externals.loky.process_executor.TerminatedWorkerError:
        raise DataError(
            "a worker process died, perhaps for lack of memory; what was finished is kept: call again to go on, "
            "with --workers=1 if it dies again"
        ) from None
    finally:
        progress.close()
        _save_indexes(dataset_path, rows, known, done)
    return rows, sorted(skipped, key=lambda pair: (str(pair[0].path), pair[1]))


def _save_indexes(dataset_path, rows, known, done):
    """What is made now, and what was there before and has not had its turn yet."""
    for feature, made in rows.items():
        waiting = [row for track, before in known[feature].items() if track not in done for row in before]
        index.write(dataset_path / feature, made + waiting)


def make_pictures(track, recipes, dataset_path, known, colormap=None):
    """The pictures of one track, for every feature, from one decoding.

    Args:
        recipes: {feature: recipe}, alike in rate and seconds. known: {feature: rows of an earlier run, or None}.

    Returns:
        (track, {feature: rows}, reasons why the track, or a piece of it, has no picture)
    """
    made, silent, missing = {feature: [] for feature in recipes}, [], dict(recipes)
    try:
        audio_hash = audio.content_hash(track.path)
        for feature, before in known.items():
            if before and _up_to_date(before, audio_hash, dataset_path / feature):
                made[feature] = before
                del missing[feature]
        if missing:
            for number, piece, is_only in _numbered_pieces(track.path, next(iter(missing.values()))):
                if piece.silent:
                    silent.append(f"{piece.start:g}")
                    continue
                file = f"{track.id}.png" if is_only else f"{track.id}.{number:03d}.png"
                for feature, recipe in missing.items():
                    images.save(dataset_path / feature / file, images.render(piece.samples, recipe), recipe, colormap)
                    made[feature].append(_row(track, file, piece, audio_hash))
    except (OSError, CallError):
        raise  # no space, no permission: the next song would fare no better
    except Exception as error:  # whatever one song does to a decoder or a transform, the run goes on
        for feature in missing:
            _remove(dataset_path / feature, [*made[feature], *(known[feature] or [])])
            made[feature] = []
        return track, made, [audio.reason(error)]
    for feature, before in known.items():  # the track has changed and has fewer pieces now
        kept = {row.file for row in made[feature]}
        _remove(dataset_path / feature, [row for row in before or [] if row.file not in kept])
    more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
    return track, made, [f"silent for a piece from {', '.join(silent[:5])} s on{more}"] if silent else []


def _up_to_date(rows, audio_hash, target):
    return all(row.audio_hash == audio_hash and images.is_whole(target / row.file) for row in rows)


def _numbered_pieces(path, recipe):
    """(number, piece, whether it is the only one), looking one piece ahead."""
    pieces = enumerate(audio.pieces(path, recipe.sr, recipe.seconds))
    number, piece = next(pieces)
    following = next(pieces, None)
    yield number, piece, following is None
    while following is not None:
        yield *following, False
        following = next(pieces, None)


def _row(track, file, piece, audio_hash):
    return index.Row(
        file=file,
        track=track.id,
        labels=track.labels,
        start=round(piece.start, 3),
        seconds=round(piece.seconds, 3),
        artist=track.artist,
        album=track.album,
        subset=track.subset,
        audio_hash=audio_hash,
    )


def _report_left_out(root, tracks):
    """Songs that lie beside the genre folders, and genre folders without songs."""
    if loose := sum(path.suffix.lower() in audio.EXTENSIONS for path in root.iterdir() if path.is_file()):
        print(f"left out: {loose} songs that lie in {root} itself and not in a genre's folder")
    if empty := sorted(set(index.class_names(root)) - {track.labels[0] for track in tracks}):
        print(f"left out: genre folders without songs: {', '.join(empty)}")


def _report(target, rows, skipped, seconds):
    """One line of what a feature's folder holds now, and its table of skipped files."""
    counts = collections.Counter(row.labels[0] for row in rows)
    empty = [name for name in index.class_names(target) if name not in counts]
    print(
        f"{target.name}: {len(rows)} pictures of {len({row.track for row in rows})} tracks "
        f"in {len(counts)} genres, {seconds:.0f} s" + (f"; empty: {', '.join(empty)}" if empty else "")
    )
    if not skipped:
        (target / SKIPPED).unlink(missing_ok=True)
        return
    files.write_csv(target / SKIPPED, [("file", "reason"), *((t.path, reason) for t, reason in skipped)])


def _report_skipped(skipped, total, path):
    if not skipped:
        return
    lines = [(f"{track.labels[0]}/{track.path.name}", reason) for track, reason in skipped]
    print(
        f"skipped {len({track for track, _ in skipped})} of {total} tracks, whole or in part (all of them in {path}):"
    )
    width = max(len(name) for name, _ in lines[:SHOWN])
    for name, reason in lines[:SHOWN]:
        print(f"  {name:{width}}  {reason}")
    if len(lines) > SHOWN:
        print(f"  ... and {len(lines) - SHOWN} more")


if __name__ == "__main__":
    run(main)
