"""Share pictures and statistics out into train, validation and test, the same way for every feature.

    python split_dataset.py
    python split_dataset.py --fractions=0.8,0.1,0.1 --seed=1
    python split_dataset.py --folds=10
    python split_dataset.py --split_file=my_lists
    python split_dataset.py --check

By the data set's official list where it has one; else all tracks of an artist stay together, as do byte-identical audio
and what audit_dataset.py found to be nearly identical; always all pictures of a track. Shifted and stretched variants
are trained on, not tested on. Pictures are linked, not copied, where the file system can. A table of statistics, by
create_statistics.py, becomes one for each genre of each subset.
"""

import collections
import dataclasses
import os
import shutil
from pathlib import Path

from genre import files, images, index, inputs, skipped, splits, statistics, tables
from genre.command_line import AT_ITS_END, BAD_DATA, CallError, DataError, Parser, natural, positive, run
from genre.index import SUBSETS

import numpy as np

MAKE_PICTURES = "python create_spectrograms.py --features=mel, with --data as here"
FRACTIONS = "0.7,0.1,0.2"
SHOWN = 5  # pairs that are printed


def main():
    args = _parser().parse_args()
    fractions = splits.parse_fractions(args.fractions or FRACTIONS)
    dataset_path = Path(args.dataset_path or Path(args.data, "dataset"))
    images_path = Path(args.images_path or Path(args.data, "images"))
    near_path = args.near_duplicates or Path(args.data, "audit", "near_duplicates.csv")
    if args.near_duplicates and not Path(near_path).is_file():
        raise CallError(f"no file {near_path}; write one with: python audit_dataset.py")
    near = splits.read_near(near_path)
    if args.check:
        return _check(images_path, near, near_path, args.strict)
    if Path.cwd().is_relative_to(images_path.resolve()):
        raise CallError(f"--images_path={images_path} is where you are, and it would be replaced; give another")
    if images_path.resolve() == dataset_path.resolve():
        raise CallError(f"--images_path and --dataset_path are both {images_path}; the split needs a folder of its own")
    folders = _folders(args, dataset_path)
    rows_of = {feature: index.read(folder) for feature, folder in folders.items()}
    for feature in [feature for feature, rows in rows_of.items() if not rows and any(rows_of.values())]:
        print(f"left out: {folders[feature]} has no {'rows' if feature == tables.FEATURE else 'pictures'}")
        del rows_of[feature]
    rows = _consistent([row for rows in rows_of.values() for row in rows], dataset_path)
    subsets, how = _subsets(rows, fractions, near, args)
    for name, subset_of in subsets.items():
        _print_counts(rows, subset_of, name)
    _warn_of_missing(rows_of, folders)
    there = images_path.resolve()  # a link to another disk stays one
    with files.only_writer(there):
        files.recover_folder(there)
        _refuse_foreign(images_path, set(rows_of))
        _build(folders, rows_of, subsets, how, there, args.npz)
    print("wrote", ", ".join(str(images_path / name) for name in (subsets if args.folds else rows_of)))
    return None


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--data", default="data", help="folder that holds dataset/, statistics/ and images/")
    parser.add_argument("--dataset_path", metavar="FOLDER", help="folder of <feature>/<genre>/, if not <data>/dataset")
    text = "folder of features.csv (default: <data>/statistics, if there and no --dataset_path is given)"
    parser.add_argument("--statistics_path", metavar="FOLDER", help=text)
    parser.add_argument("--images_path", metavar="FOLDER", help="where <feature>/train/ goes, if not <data>/images")
    own = parser.add_mutually_exclusive_group()
    text = f"shares of train, validation and test, even where there is an official list (default: {FRACTIONS})"
    own.add_argument("--fractions", default="", metavar="A,B,C", help=text)
    text = "cross-validation, even where there is an official list: fold0/ to fold<K-1>/, each a split"
    own.add_argument("--folds", type=positive, metavar="K", help=text)
    own.add_argument("--split_file", metavar="PATH", help="a CSV (track, subset) or a folder of three lists instead")
    text = f"split nothing, but say what the split in images/ puts apart, and write it to {splits.LEAKS} there"
    own.add_argument("--check", action="store_true", help=text)
    text = (
        "CSV of pairs that a split that is drawn keeps together (default: <data>/audit/near_duplicates.csv, if there)"
    )
    parser.add_argument("--near_duplicates", metavar="FILE", help=text)
    parser.add_argument("--npz", action="store_true", help="also write <feature>/<subset>.npz with all pictures")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if --check finds anything")
    parser.add_argument("--seed", type=natural, help="another seed is another split that is drawn (default: 0)")
    return parser


def _folders(args, dataset_path):
    """{feature: folder} of all that is to be split: pictures, a table of statistics, or both.

    Raises:
        CallError: there is neither. DataError: the table was not made by create_statistics.py.
    """
    table, found = Path(args.statistics_path or Path(args.data, "statistics")), {}
    if args.statistics_path or (not args.dataset_path and (table / statistics.TABLE).is_file()):
        for needed in (statistics.TABLE, index.INDEX, index.RECIPE):
            if not (table / needed).is_file():
                raise DataError(f"{table} has no {needed}; write it with: {tables.MAKE} (finished rows are kept)")
        found = {tables.FEATURE: table}
    pictures = sorted(path.parent for path in dataset_path.glob(f"*/{index.INDEX}"))
    if not pictures and (args.dataset_path or not found):
        raise CallError(f"no <feature>/{index.INDEX} in {dataset_path}; make it with: {MAKE_PICTURES}")
    return {folder.name: folder for folder in pictures} | found


def _subsets(rows, fractions, near, args):
    """{name of a folder below images/, "" for itself: {track: subset}}, and in words how it was made"""
    seed = args.seed or 0
    drawn = f"by artist where known, seed {seed}"
    if args.folds:
        if args.folds < 3:
            raise CallError("--folds should be at least 3: one part to test, one to validate, the others to train on")
        found = splits.folds(rows, args.folds, seed, near)
        return {f"fold{number}": subset_of for number, subset_of in enumerate(found)}, f"{args.folds} folds, {drawn}"
    if args.split_file:
        subset_of, unlisted, unmatched = splits.by_lists(rows, splits.read_lists(args.split_file))
        print(
            f"{len(subset_of)} tracks by {args.split_file}; on no list and left out: {unlisted}; "
            f"listed but without a picture: {unmatched}"
        )
        how = f"the user's lists, {Path(args.split_file).name}"
    elif not args.fractions and (subset_of := splits.official(rows)):
        unlisted = len({row.track for row in rows}) - len(subset_of)
        print(f"{len(subset_of)} tracks by the official list; on none of its parts and left out: {unlisted}")
        how = "the data set's official list"
    else:
        how = f"{' / '.join(f'{share:g}' for share in fractions)} of each genre, {drawn}"
        return {"": splits.stratified(rows, fractions, seed, near)}, how
    if args.seed is not None:
        raise CallError(f"--seed changes nothing: the split is {how}; --fractions={FRACTIONS} draws one instead")
    _print_straddling(splits.straddling(rows, subset_of, near))
    return {"": subset_of}, how


def _print_straddling(straddling):
    for kind, pairs in straddling.items():
        if pairs:
            shown = "; ".join(f"{first} and {second}" for first, second in pairs[:SHOWN])
            more = f"; and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
            print(f"warning: {len(pairs)} pairs of one {kind} are put apart: {shown}{more}")


def _check(images_path, near, near_path, strict):
    """Report what each split below `images_path` puts apart, and write it down for training. Returns the exit code."""
    if not images_path.is_dir():
        raise CallError(f"no split at {images_path}; make one without --check")
    folders = sorted(p.parent for depth in ("*", "fold*/*") for p in images_path.glob(f"{depth}/train") if p.is_dir())
    if not folders:
        raise CallError(f"{images_path} holds no <feature>/train; make a split without --check")
    if not Path(near_path).is_file():
        print(f"no {near_path}: nearly identical audio is not known; python audit_dataset.py finds it")
    lines = {folder.parent: [["feature", "kind", "track", "subset", "other", "other_subset"]] for folder in folders}
    for folder in folders:
        rows = [row for subset in SUBSETS for row in _hashed(folder, index.subset_rows(folder, subset))]
        subsets = collections.defaultdict(set)
        for row in rows:
            subsets[row.track].add(row.file.partition("/")[0])
        subset_of = {track: min(found) for track, found in subsets.items()}
        straddling = splits.straddling(rows, subset_of, near)
        straddling["track"] = sorted((track, track) for track, found in subsets.items() if len(found) > 1)
        counts = collections.Counter(subset_of.values())
        artists = len({row.artist for row in rows if row.artist})
        known = f"{artists} artists" if artists else "artists unknown"
        of_kind = ", ".join(f"{kind} {len(pairs)}" for kind, pairs in straddling.items())
        shown = ", ".join(f"{counts[subset]} {subset}" for subset in SUBSETS)
        print(f"{folder}: {shown} tracks, {known}; in two subsets: {of_kind}")
        _print_straddling(straddling)
        _print_copies(rows)
        for kind, pairs in straddling.items():
            lines[folder.parent] += [[folder.name, kind, a, subset_of[a], b, subset_of[b]] for a, b in pairs]
    for split, found in lines.items():
        files.write_csv(split / splits.LEAKS, found)
    print("wrote", ", ".join(str(split / splits.LEAKS) for split in lines))
    return BAD_DATA if strict and any(len(found) > 1 for found in lines.values()) else None


def _print_copies(rows):
    """A line on identical audio or pictures, wherever they are: a copy in two genres contradicts itself."""
    if groups := splits.copies(rows):
        torn = splits.torn(groups)
        example = f", such as {' and '.join(list(torn[0])[:2])}" if torn else ""
        print(f"  {len(groups)} groups of identical audio or pictures, {len(torn)} of them in two genres{example}")


def _hashed(folder, rows):
    """Rows, those without a hash of their audio with one of what the picture shows."""
    return [
        r if r.audio_hash else dataclasses.replace(r, audio_hash=images.content_hash(folder / r.file)) for r in rows
    ]


def _consistent(rows, dataset_path):
    """The rows, checked: at least one, and no feature says other labels, another artist or subset of a track.

    What one feature does not know of a track, such as its artist, is as another has it: the last would decide else.
    """
    if not rows:
        raise DataError(f"{dataset_path} holds no pictures, and no statistics are there; make some: {MAKE_PICTURES}")
    about = {}
    for row in rows:
        if row.file.count("/") != 1 and row.file != row.track:
            raise CallError(f"{dataset_path} is a split already ({row.file}); split the folder that it was made from")
        for what in ("labels", "artist", "subset"):
            said = getattr(row, what)
            if said and about.setdefault((row.track, what), said) != said:
                raise DataError(
                    f"the {what} of {row.track} is {about[row.track, what]} in one feature and {said} in another; make "
                    "both again with one --dataset (what is finished is kept)"
                )
    known = {track: {} for track, _ in about}
    for (track, what), said in about.items():
        known[track][what] = said
    return [dataclasses.replace(row, **known[row.track]) for row in rows]


def _print_counts(rows, subset_of, name):
    """A table of tracks per class and subset, with a warning for every empty cell that matters."""
    counts = collections.Counter(
        (row.labels[0], subset_of[row.track]) for row in {r.track: r for r in rows}.values() if row.track in subset_of
    )
    labels = sorted({label for label, _ in counts})
    width = max(len(label) for label in [*labels, name, "tracks"])
    print(f"{name or 'tracks':{width}} " + "".join(f"{subset:>11}" for subset in SUBSETS))
    for label in labels:
        print(f"{label:{width}} " + "".join(f"{counts[label, subset]:11}" for subset in SUBSETS))
    print(f"{'all':{width}} " + "".join(f"{sum(counts[label, s] for label in labels):11}" for s in SUBSETS))
    if unlisted := sorted({row.labels[0] for row in rows} - set(labels)):
        print(f"left out, as none of their tracks is listed: {', '.join(unlisted)}")
    for subset in sorted({subset for _, subset in counts}):
        if missing := [label for label in labels if not counts[label, subset]]:
            print(f"warning: {subset} has no {', '.join(missing)}")


def _warn_of_missing(rows_of, folders):
    """Warn of a feature that lacks tracks which another has: skipped, or perhaps its making was stopped."""
    tracks = {feature: {row.track for row in rows} for feature, rows in rows_of.items()}
    every = set().union(*tracks.values())
    for feature, found in tracks.items():
        if len(found) < len(every):
            script = "create_statistics.py" if feature == tables.FEATURE else "create_spectrograms.py"
            why = f"{script} completes it, where their songs are still there"
            if every - found <= skipped.read(folders[feature]).keys():
                why = f"{folders[feature] / skipped.SKIPPED} says why"
            print(f"warning: {feature} has {len(found)} of {len(every)} tracks; {why}")


def _refuse_foreign(images_path, features):
    """Refuse to replace a folder that this script did not make."""
    if not os.path.lexists(images_path):
        return
    if not images_path.is_dir():
        raise DataError(f"{images_path} is a file; give another --images_path")
    ours = {images_path / splits.LEAKS, *images_path.glob(f"fold*/{splits.LEAKS}")}
    for path in [*images_path.glob(f"*/{index.INDEX}"), *images_path.glob(f"fold*/*/{index.INDEX}")]:
        folder = path.parent
        if folder.name in features and (folder / index.RECIPE).is_file():
            ours |= {folder / row.file for row in index.read(folder)}
            ours |= {path, folder / index.RECIPE, folder / index.DATASET}
            ours |= {folder / f"{subset}.npz" for subset in SUBSETS}
    known = ours | {parent for path in ours for parent in path.parents}
    for path in sorted(images_path.rglob("*")):
        if path.name.startswith(".") or path in known:
            continue
        if path.is_file():
            raise DataError(f"{path} is not from a split; move it away, or it would be lost")
        if path.parent in (images_path, *images_path.glob("fold*")):
            raise DataError(
                f"{path} is not from a split of {', '.join(sorted(features))}; "
                "move it away, or give another --images_path"
            )


def _build(folders, rows_of, subsets, how, images_path, npz):
    """Build the whole tree, or nothing of it. Args: how: the split was made, in words."""
    with files.whole_folder(images_path) as beside:
        for name, subset_of in subsets.items():
            for feature, rows in rows_of.items():
                _build_one(feature, folders[feature], rows, subset_of, beside / name / feature)
                about = index.read_dataset(folders[feature]) | {"split": f"{name} of {how}" if name else how}
                index.write_dataset(beside / name / feature, about)
                if npz:
                    _write_arrays(feature, beside / name / feature)


def _build_one(feature, folder, rows, subset_of, target):
    rows = [row for row in rows if row.track in subset_of]
    for subset in sorted(set(subset_of.values())):
        for label in sorted({row.labels[0] for row in rows}):
            (target / subset / label).mkdir(parents=True)
    rows = [row for row in rows if subset_of[row.track] == "train" or not row.variant]
    if feature == tables.FEATURE:
        placed = tables.share_out(folder, rows, subset_of, target)
    else:
        placed = [_place(folder, target, row, subset_of[row.track]) for row in rows]
    index.write(target, placed)
    shutil.copyfile(folder / index.RECIPE, target / index.RECIPE)


def _write_arrays(feature, folder):
    """<subset>.npz: x uint8 (pieces, bins, frames, channels), y (pieces,), classes, tracks (pieces,).

    Of statistics x is float32 (tracks, columns). Where tracks have several labels y is float32 (pieces, classes), 0, 1.
    """
    load = tables.load if feature == tables.FEATURE else inputs.load
    several = any(len(row.labels) > 1 for row in index.read(folder))
    classes = (inputs.tag_list if several else inputs.class_list)(folder)
    for subset in SUBSETS:
        if part := load(folder, subset, classes, multi_label=several):
            tracks = np.array([row.track for row in part.rows])
            np.savez_compressed(folder / f"{subset}.npz", x=part.x, y=part.y, classes=np.array(classes), tracks=tracks)


def _place(folder, target, row, subset):
    """Link or copy a row's picture into its subset. Returns its row there."""
    source, file = folder / row.file, f"{subset}/{row.file}"
    try:
        files.link(source, target / file)
    except FileNotFoundError:
        if source.is_file():
            what = f"{source} is {row.labels[0]} by its {index.INDEX}, which is not its folder"
            raise DataError(f"{what}; rename the genre's folder of songs instead, and make {folder} again") from None
        raise DataError(f"{source} is gone; make it again with create_spectrograms.py") from None
    except FileExistsError:
        raise DataError(f"{source} stands twice in its {index.INDEX}; make {folder} anew with --overwrite") from None
    return dataclasses.replace(row, file=file, subset=subset)


if __name__ == "__main__":
    run(main, stopped=AT_ITS_END)
