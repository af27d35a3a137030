"""Share spectrogram folders out into train, validation and test, the same way for every feature.

    python split_dataset.py
    python split_dataset.py --fractions=0.8,0.1,0.1 --seed=1
    python split_dataset.py --split_file=my_lists

All pictures of a track stay together, as do tracks of byte-identical audio; shifted and stretched variants are trained
on, not tested on, so only those of training tracks are shared out. Pictures are linked, not copied, where the
file system can.
"""

import collections
import dataclasses
import os
import shutil
from pathlib import Path

from genre import files, index, splits
from genre.command_line import CallError, DataError, Parser, natural, run
from genre.index import SUBSETS

MAKE_PICTURES = "python create_spectrograms.py --features=mel"


def main():
    args = _parser().parse_args()
    fractions = splits.parse_fractions(args.fractions)
    dataset_path = Path(args.dataset_path or Path(args.data, "dataset"))
    images_path = Path(args.images_path or Path(args.data, "images"))
    if images_path.resolve() == dataset_path.resolve():
        raise CallError(f"--images_path and --dataset_path are both {images_path}; the split needs a folder of its own")
    rows_of = {f: index.read(f) for f in index.feature_folders(dataset_path, "spectrograms", MAKE_PICTURES)}
    for folder in [folder for folder, rows in rows_of.items() if not rows and any(rows_of.values())]:
        print(f"left out: {folder} has no pictures")
        del rows_of[folder]
    rows = _consistent([row for rows in rows_of.values() for row in rows], dataset_path)
    if args.split_file:
        subset_of, unlisted, unmatched = splits.by_lists(rows, splits.read_lists(args.split_file))
        print(
            f"{len(subset_of)} tracks by {args.split_file}; on no list and left out: {unlisted}; "
            f"listed but without a picture: {unmatched}"
        )
        for first, second in splits.straddling(rows, subset_of):
            print(f"warning: {first} and {second} are one artist or the same audio, and the list puts them apart")
    else:
        subset_of = splits.stratified(rows, fractions, args.seed)
    _print_counts(rows, subset_of)
    _warn_of_missing(rows_of)
    files.recover_folder(images_path)
    _refuse_foreign(images_path, {folder.name for folder in rows_of})
    _build(rows_of, subset_of, images_path)
    print("wrote", ", ".join(str(images_path / folder.name) for folder in rows_of))


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--data", default="data", help="folder that holds dataset/ and images/")
    parser.add_argument("--dataset_path", metavar="FOLDER", help="folder of <feature>/<genre>/, if not <data>/dataset")
    parser.add_argument("--images_path", metavar="FOLDER", help="where <feature>/train/ goes, if not <data>/images")
    parser.add_argument("--fractions", default="0.7,0.1,0.2", help="shares of train, validation and test")
    parser.add_argument("--split_file", metavar="PATH", help="a CSV (track, subset) or a folder of three lists instead")
    parser.add_argument("--seed", type=natural, default=0, help="another seed is another split")
    return parser


def _consistent(rows, dataset_path):
    """The rows, checked: at least one, and every track with the same labels in every feature."""
    if not rows:
        raise DataError(f"{dataset_path} holds no pictures; make some with: {MAKE_PICTURES}")
    labels = {}
    for row in rows:
        if row.file.count("/") != 1:
            raise CallError(f"{dataset_path} is a split already ({row.file}); split the folder that it was made from")
        if labels.setdefault(row.track, row.labels) != row.labels:
            raise DataError(
                f"{row.track} is {labels[row.track]} in one feature and {row.labels} in another; make both again"
            )
    return rows


def _print_counts(rows, subset_of):
    """A table of tracks per class and subset, with a warning for every empty cell that matters."""
    counts = collections.Counter(
        (row.labels[0], subset_of[row.track]) for row in {r.track: r for r in rows}.values() if row.track in subset_of
    )
    labels = sorted({row.labels[0] for row in rows})
    width = max(len(label) for label in [*labels, "tracks"])
    print(f"{'tracks':{width}} " + "".join(f"{subset:>11}" for subset in SUBSETS))
    for label in labels:
        print(f"{label:{width}} " + "".join(f"{counts[label, subset]:11}" for subset in SUBSETS))
    print(f"{'all':{width}} " + "".join(f"{sum(counts[label, s] for label in labels):11}" for s in SUBSETS))
    for subset in sorted({subset for _, subset in counts}):
        if missing := [label for label in labels if not counts[label, subset]]:
            print(f"warning: {subset} has no {', '.join(missing)}")


def _warn_of_missing(rows_of):
    """Warn of a feature that lacks tracks which another has: perhaps its making was stopped."""
    tracks = {folder.name: {row.track for row in rows} for folder, rows in rows_of.items()}
    every = set().union(*tracks.values())
    for feature, found in tracks.items():
        if len(found) < len(every):
            print(f"warning: {feature} has {len(found)} of {len(every)} tracks; create_spectrograms.py completes it")


def _refuse_foreign(images_path, features):
    """Refuse to replace a folder that this script did not make."""
    if not os.path.lexists(images_path):
        return
    if not images_path.is_dir():
        raise DataError(f"{images_path} is a file; give another --images_path")
    for feature in features:
        folder = images_path / feature
        ours = {row.file for row in index.read(folder) or []} | {index.INDEX, index.RECIPE}
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if strangers := sorted(name for name in there - ours if not Path(name).name.startswith(".")):
            raise DataError(f"{folder / strangers[0]} is not from a split; move it away, or it would be lost")
    for entry in sorted(os.scandir(images_path), key=lambda entry: entry.name):
        ours = (
            entry.name in features
            and Path(entry.path, index.INDEX).is_file()
            and Path(entry.path, index.RECIPE).is_file()
        )
        if not ours and not entry.name.startswith("."):
            raise DataError(
                f"{entry.path} is not from a split of {', '.join(sorted(features))}; "
                "move it away, or give another --images_path"
            )


def _build(rows_of, subset_of, images_path):
    """Build the whole tree beside `images_path`, then swap it in."""
    beside = images_path.with_name(f".{images_path.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        for folder, rows in rows_of.items():
            target = beside / folder.name
            for subset in sorted(set(subset_of.values())):
                for label in sorted({row.labels[0] for row in rows}):
                    (target / subset / label).mkdir(parents=True)
            placed = [
                _place(folder, target, row, subset_of[row.track])
                for row in rows
                if subset_of.get(row.track) == "train" or (row.track in subset_of and not row.variant)
            ]
            index.write(target, placed)
            shutil.copyfile(folder / index.RECIPE, target / index.RECIPE)
        files.replace_folder(beside, images_path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _place(folder, target, row, subset):
    """Link or copy a row's picture into its subset. Returns its row there."""
    source, file = folder / row.file, f"{subset}/{row.file}"
    try:
        os.link(source, target / file)
    except OSError as error:  # another disk, or a file system without links
        if not source.exists():
            raise DataError(f"{source} is gone; run {MAKE_PICTURES} again") from None
        if isinstance(error, FileExistsError):
            raise DataError(
                f"{source} stands twice in its {index.INDEX}; make {folder} anew with --overwrite"
            ) from None
        shutil.copyfile(source, target / file)
    return dataclasses.replace(row, file=file, subset=subset)


if __name__ == "__main__":
    run(main)
