"""Turn a folder of genre folders with songs, or a published data set, into spectrogram PNG folders.

    python create_spectrograms.py --features=mel,chroma_stft
    python create_spectrograms.py --audio_files_path=my_music --dataset_path=data/dataset --seconds=10 --overlap=0.5
    python create_spectrograms.py --preset=fma_cnn --features=cqt,mel
    python create_spectrograms.py --dataset=gtzan

A file that cannot be used is skipped and named at the end. Run again after adding songs: finished pictures are kept.
"""

import collections
import contextlib
import time
import warnings
from pathlib import Path

from genre import datasets, features, files, images, index, skipped, splits, variants, workers
from genre.command_line import (
    BAD_DATA,
    ONE_BY_ONE,
    CallError,
    DataError,
    Parser,
    names,
    natural_float,
    one_of,
    parameters,
    positive,
    positive_float,
    run,
    share,
)
from genre.recipe import PRESETS, SECONDS, Recipe, transform_defaults
from genre.rendering import make_pictures

import numpy as np

TRIED = 60  # s of noise that settings are tried on, at most
ODD_RESULTS = "Empty filters|n_fft="  # of librosa's warnings, those of settings that make no sense


def main():
    args = _parser().parse_args()
    workers.check_options(args)
    recipes = _recipes(args)
    wanted = variants.parse(args.pitch_shift, args.time_stretch)
    dataset_path = Path(args.dataset_path or Path(args.data, "dataset"))
    tracks, audio_path, left_out = datasets.chosen(args)
    _try(recipes, args.colormap)
    with contextlib.ExitStack() as locks:
        for feature in sorted(recipes):
            locks.enter_context(files.alone_in(dataset_path / feature))
        known = {f: _known(dataset_path / f, recipe, tracks, args.overwrite) for f, recipe in recipes.items()}
        for feature, recipe in recipes.items():  # only now: all features can be made, or none is touched
            known[feature] = _prepare(dataset_path / feature, recipe, tracks, known[feature], args.overwrite)
            index.write_dataset(dataset_path / feature, datasets.about(args.dataset))
        wanted = _with_those_there(wanted, known)
        if args.colormap and any(known.values()):
            print(f"pictures that are there already keep their colours; --overwrite draws them in {args.colormap}")
        for line in left_out:
            print("left out:", line)
        started = time.monotonic()
        rows, unused = _make_all(tracks, recipes, wanted, dataset_path, known, args)
        for feature in recipes:
            _report(dataset_path / feature, rows[feature], time.monotonic() - started)
    _report_copies(rows)
    skipped.show(unused, len(tracks), dataset_path / next(iter(recipes)))
    if not any(rows.values()):
        raise DataError(f"not one of {len(tracks)} files in {audio_path} gave a picture; the reasons stand above")
    print("wrote", ", ".join(str(dataset_path / feature) for feature in recipes))
    return BAD_DATA if args.strict and (unused or left_out) else None


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--features", default="mel", help=f"comma list of {', '.join(features.FEATURES)}")
    datasets.add_options(parser)
    parser.add_argument("--dataset_path", metavar="FOLDER", help="where <feature>/<genre>/ goes, if not <data>/dataset")
    parser.add_argument("--preset", type=one_of(PRESETS), help=f"settings of an earlier project: {', '.join(PRESETS)}")
    parser.add_argument(
        "--seconds", type=positive_float, help=f"length of a piece in s (default: the preset's, or {SECONDS:g})"
    )
    parser.add_argument("--overlap", type=share, default=0.0, help="share of a piece that the next one repeats")
    sr = ", ".join(f"{name} {feature.sr}" for name, feature in features.FEATURES.items() if not feature.any_sr)
    parser.add_argument(
        "--sr",
        type=positive,
        help=f"sampling rate in Hz that audio is brought to (default: the preset's, or 22050, {sr})",
    )
    group = parser.add_argument_group("parameters of the transforms, by librosa's names")
    for name, (kind, text) in _parameters().items():
        group.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument(
        "--pitch_shift", default="", metavar="A,B", help="extra training pictures, shifted by semitones"
    )
    parser.add_argument("--time_stretch", default="", metavar="A,B", help="factors of speed: extra training pictures")
    parser.add_argument("--colormap", help="write palette PNGs for people to look at, e.g. magma (grey if not given)")
    workers.add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="make everything anew, also with another recipe")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything was skipped or left out")
    return parser


def _parameters():
    """{parameter: (type, help)} of all transforms; one parameter means the same in each."""
    types = {int: positive, float: natural_float, str: str}
    found = {}
    for name, feature in features.FEATURES.items():
        for parameter, (default, text) in parameters(feature.transform).items():
            kind, text, defaults = found.get(parameter, (type(default), text, []))
            found[parameter] = (kind, text, [*defaults, (name, default if kind is str else f"{default:g}")])
    return {name: (types[kind], f"{text} (default: {_default(d)})") for name, (kind, text, d) in found.items()}


def _default(of_features):
    values = {value for _, value in of_features}
    return values.pop() if len(values) == 1 else ", ".join(f"{name} {value}" for name, value in of_features)


def _recipes(args):
    """{feature: recipe}; a parameter goes to every feature that has it, and counts more than the preset's."""
    wanted = names(args.features)
    if not wanted:
        raise CallError(f"--features is empty; there are {', '.join(features.FEATURES)}")
    transform = {name: value for name in _parameters() if (value := getattr(args, name)) is not None}
    preset = PRESETS[args.preset] if args.preset else dict.fromkeys(features.FEATURES, {})
    sr, seconds = args.sr or preset.get("sr"), args.seconds or preset.get("seconds", SECONDS)
    recipes = {}
    for feature in wanted:
        if feature in features.FEATURES and feature not in preset:
            has = ", ".join(name for name in preset if name in features.FEATURES)
            raise CallError(f"the preset {args.preset} has {has}, not {feature}")
        known = transform_defaults(feature) if feature in features.FEATURES else {}
        own = {name: value for name, value in transform.items() if name in known}
        recipes[feature] = Recipe.of(feature, sr, seconds, args.overlap, **preset.get(feature, {}) | own)
    used = {name for recipe in recipes.values() for name in recipe.transform}
    if unused := sorted(set(transform) - used):
        raise CallError(f"--{unused[0]} changes nothing: {', '.join(wanted)} has no such parameter")
    floors = [recipe for recipe in recipes.values() if "top_db" in recipe.transform]
    if "top_db" in transform and all(recipe.transform["compression"] != "db" for recipe in floors):
        raise CallError("--top_db changes nothing: it is of --compression=db")
    return recipes


def _try(recipes, colormap):
    """Refuse parameters that no song can be rendered with, before anything is written or removed."""
    seconds = min(TRIED, next(iter(recipes.values())).seconds)
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * max(r.sr for r in recipes.values())))
    noise = noise.astype(np.float32)
    for feature, recipe in recipes.items():
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", ODD_RESULTS, UserWarning)
                warnings.simplefilter("error", RuntimeWarning)
                picture = images.render(noise[: round(seconds * recipe.sr)], recipe)
            bins, frames = len(picture), round(picture.shape[1] * recipe.seconds / seconds)
            if not 0 < bins * frames <= images.LARGEST:
                raise ValueError(f"a picture would have {bins} x {frames} cells, and {images.LARGEST} are the most")
        except CallError:
            raise
        except Exception as error:  # whatever numpy or librosa raise for them
            settings = ", ".join(f"{name}={value}" for name, value in recipe.transform.items())
            settings = f"{recipe.seconds:g} s at {recipe.sr} Hz, {settings}"
            raise CallError(f"{feature} cannot be computed of {settings}: {error}") from None
    if colormap:
        images.palette(colormap)


def _known(target, recipe, tracks, overwrite):
    """{track: its rows} of what a feature's folder has.

    Raises:
        DataError: it is damaged, or of another recipe or other music, and `overwrite` is not set.
    """
    known = collections.defaultdict(list)
    try:
        for row in index.read(target) or []:
            known[row.track].append(row)
        there = index.read_recipe(target)
    except DataError as error:
        if not overwrite:
            raise DataError(f"{error}, with --overwrite") from None
        return known
    if there and there != recipe and known and not overwrite:
        raise DataError(f"{target} has another recipe ({there.differences(recipe)}); --overwrite makes it anew")
    if known and not overwrite and not set(known) & {track.id for track in tracks}:
        raise DataError(
            f"{target} was made of other music ({min(known)} ...); give another --dataset_path or --overwrite"
        )
    return known


def _prepare(target, recipe, tracks, known, overwrite):
    """Remove the pictures that are to go, and write the recipe. Returns {track: its rows} of those that stay."""
    gone = set(known) if overwrite else set(known) - {track.id for track in tracks}
    for track in gone:
        for row in known[track]:
            (target / row.file).unlink(missing_ok=True)
    if gone and not overwrite:
        print(f"{target}: removed the pictures of {len(gone)} tracks that are no longer there, such as {min(gone)}")
    kept = {track: rows for track, rows in known.items() if track not in gone}
    index.write(target, [row for rows in kept.values() for row in rows])
    files.write_text(target / index.RECIPE, recipe.to_json())
    return kept


def _with_those_there(wanted, known):
    """The variants of this call and those that the folders have: leaving an option out removes nothing."""
    there = {row.variant for tracks in known.values() for rows in tracks.values() for row in rows}
    if more := sorted(there - {variant.name for variant in wanted}):
        print(f"also {', '.join(more)}, as before; --overwrite without them removes them")
    return [*wanted, *map(variants.of_name, more)]


def _make_all(tracks, recipes, wanted, dataset_path, known, args):
    """Make every track's pictures in worker processes. Returns ({feature: rows}, [(track, reason)])."""
    rows, unused = {feature: [] for feature in recipes}, []
    said = skipped.read(dataset_path / next(iter(recipes)))
    for feature in recipes:
        for label in sorted({track.labels[0] for track in tracks}):
            (dataset_path / feature / label).mkdir(parents=True, exist_ok=True)
    jobs = [
        (
            track,
            {f: known[f].get(track.id, []) for f in recipes},
            recipes,
            wanted,
            dataset_path.resolve(),
            args.colormap,
        )
        for track in tracks
    ]
    folders = {dataset_path, *(track.path.parent for track in tracks)} if args.scheduler else ()
    done = set()

    def save():
        waiting = [(track, reason) for track in tracks if track.id not in done for reason in said.get(track.id, [])]
        for feature in recipes:  # before the indexes: what has a row is not looked at again
            skipped.write(dataset_path / feature, unused + waiting)
        _save_indexes(dataset_path, rows, known, done)

    perhaps_save = workers.now_and_then(save)
    try:
        for (track, *_), result in workers.each(make_pictures, jobs, args.workers, args.scheduler, folders):
            made, reasons = result or ({feature: [] for feature in recipes}, [workers.DIED])
            before = {feature: known[feature].get(track.id, []) for feature in recipes}
            if not reasons and _pictured(made) == _pictured(before):  # nothing was done: what was said still holds
                reasons = said.get(track.id, [])
            done.add(track.id)
            fault = f"; known: {track.fault}" if track.fault else ""
            unused += [(track, reason.removesuffix(fault) + fault) for reason in reasons]
            for feature in recipes:
                rows[feature] += made[feature]
            perhaps_save()
    finally:
        save()
    return rows, unused


def _pictured(rows_of):
    """What rows say of the pictures, not of their track."""
    return {feature: [(row.file, row.audio_hash) for row in rows] for feature, rows in rows_of.items()}


def _save_indexes(dataset_path, rows, known, done):
    """What is made now, and what was there before and has not had its turn yet."""
    for feature, made in rows.items():
        waiting = [row for track, before in known[feature].items() if track not in done for row in before]
        index.write(dataset_path / feature, made + waiting)


def _report(target, rows, seconds):
    """One line of what a feature's folder holds now. Removes what is in no row."""
    _remove_strays(target, rows)
    counts = collections.Counter(row.labels[0] for row in rows)
    empty = [name for name in index.class_names(target) if name not in counts]
    print(
        f"{target.name}: {len(rows)} pictures of {len({row.track for row in rows})} tracks "
        f"in {len(counts)} genres, {seconds:.0f} s" + (f"; empty: {', '.join(empty)}" if empty else "")
    )


def _remove_strays(target, rows):
    """Remove our own pictures that no row names: of a run that was killed, or of a song whose process died."""
    listed = {row.file.casefold() for row in rows}  # a file system may keep the case of a folder that was there
    for path in target.glob("*/*.png"):
        if path.relative_to(target).as_posix().casefold() not in listed and images.is_ours(path):
            path.unlink()


def _report_copies(rows):
    """A line on byte-identical audio: a copy tells nothing new, and two genres of it contradict each other."""
    if groups := splits.copies(next(iter(rows.values()))):
        count = sum(len(group) - 1 for group in groups)
        first, second = list(groups[0])[:2]
        print(f"{count} tracks are byte-identical copies of others, such as {second} of {first}")
        if torn := splits.torn(groups):
            print(f"warning: {len(torn)} of these are in two genres at once, such as {' and '.join(list(torn[0])[:2])}")


if __name__ == "__main__":
    run(main, stopped=ONE_BY_ONE)
