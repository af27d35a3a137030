"""Put finished runs into tables and pictures, those judged on the same tracks beside each other.

    python compare_models.py
    python compare_models.py models/time_model/mel models/frequency_model/mel

Runs of other validation tracks, other truths or other classes are in a table of their own. Within a table they are
ranked by validation; repeats with several seeds are one row. Of two runs, or two folders of repeats, it says, too, if
their difference is luck.
"""

import re
from pathlib import Path

from genre import comparison, comparison_plots, evaluation, files, provenance
from genre.command_line import AT_ITS_END, CallError, DataError, Parser, run

import numpy as np

DRAWN = r"(costs|curves)_\d+\.png|tracks_\d+\.csv"
LABELS = {"accuracy": "accuracy", "roc_auc": "macro ROC-AUC"}


def main():
    args = _parser().parse_args()
    folders = args.runs or [args.models]
    sides = [read_below(folder) for folder in folders]
    judged = {one.run.folder.resolve(): one for side in sides for one in side}
    if not judged:
        raise DataError(f"every run in {', '.join(map(str, folders))} is damaged; train them again with --overwrite")
    groups = comparison.group(judged.values())
    rows = [[row for of in comparison.group(side) for row in of.rows] for side in sides]
    tested = compare(*(found[0] for found in rows)) if list(map(len, rows)) == [1, 1] else []
    if len(folders) == 2 and not tested:
        tested = [
            f"{' and '.join(map(str, folders))}: not tested, as one of them holds more than a run and its repeats"
        ]
    written = write(Path(args.out or Path(args.models, "comparison")), groups, tested)
    print("wrote", ", ".join(map(str, written)))


def _parser():
    parser = Parser(__doc__)
    text = (
        "folders of finished runs, or that hold such; two, each with one run or its repeats, are tested (default: all)"
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help=text)
    parser.add_argument("--models", default="models", help="folder whose runs are compared where none is named")
    text = "folder for the table and the pictures (default: <models>/comparison)"
    parser.add_argument("--out", metavar="FOLDER", help=text)
    return parser


def read_below(folder):
    """The runs in and below a folder, list of `comparison.Judged`; one that is damaged is a warning.

    Raises:
        CallError: the folder holds none.
    """
    found = comparison.find(folder)
    if not found:
        raise CallError(f"no finished run in {folder}; train one with: python time_model.py")
    judged = []
    for path in found:
        try:
            judged.append(comparison.read(path))
        except DataError as error:
            print(f"warning: left out: {error}")
    return judged


def compare(ours, theirs):
    """In words, how two runs or the repeats of two differ on each subset that they share, and whether that is luck.

    Args:
        ours, theirs: `comparison.Row`.

    Raises:
        CallError: they have a run in common, or were judged on different tracks.
    """
    both, repeats = f"{ours.folder} and {theirs.folder}", [*ours.repeats, *theirs.repeats]
    if len({one.run.folder.resolve() for one in repeats}) < len(repeats):
        raise CallError(f"{both} hold the same run; name two that share none")
    if len({one.data for one in repeats}) > 1:
        counts = " against ".join(
            f"{len(row.repeats[0].said['validation'])} tracks of {len(row.repeats[0].run.classes)} classes"
            for row in (ours, theirs)
        )
        raise CallError(
            f"{both} were judged on different validation tracks or genres ({counts}); train both on one split"
        )
    if repeats[0].multi_label:
        return [f"{both}: not tested, as both tests are for one genre a track, not for several tags"]
    shared = {s: len(said) for s, said in repeats[0].said.items() if len({one.truth(s) for one in repeats}) == 1}
    return [f"{subset}, {tracks} tracks: {_tested(ours, theirs, subset)}" for subset, tracks in shared.items()]


def _tested(ours, theirs, subset):
    y = np.array([truth for truth, _ in ours.repeats[0].said[subset].values()])
    own, other = (
        np.array([[one.said[subset][track][1] for track in ours.repeats[0].said[subset]] for one in row.repeats])
        for row in (ours, theirs)
    )
    if len(own) == len(other) == 1:
        found = evaluation.compare(y, own[0], other[0])
        return (
            f"only {ours.folder} is right on {found['won']}, only {theirs.folder} on {found['lost']}; "
            f"exact McNemar p = {found['p_value']:.2g}"
        )
    found = evaluation.compare_repeats(own == y, other == y)
    gain, low, high = (f"{100 * share:+.1f}" for share in (found["gain"], *found["interval"]))
    return (
        f"mean accuracy of {ours.folder} ({len(own)}) less that of {theirs.folder} ({len(other)}): {gain} points "
        f"({low} to {high}); paired permutation test over tracks p = {found['p_value']:.2g}"
    )


def write(folder, groups, tested):
    """Write comparison.md, comparison.csv and, of groups of several rows, tracks and pictures; print the tables.

    Args:
        groups: list of `comparison.Group`. tested: lines on two runs or their repeats.

    Returns:
        their paths
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, numbers = folder / "comparison.md", folder / "comparison.csv"
    written = [table, numbers]
    parts = [f"# Runs compared\n\nBy `{provenance.command()}`, ranked by validation."]
    for number, group in enumerate(groups, 1):
        heading = f"## Data {number}: {group.title}"
        lines = comparison.markdown(comparison.table(group))
        notes = "\n".join(f"- {note}" for note in group.notes())
        print(heading, lines, notes, sep="\n\n", end="\n\n")
        if group.tracks:
            written.append(folder / f"tracks_{number}.csv")
            files.write_csv(written[-1], [("track", "truth", "runs_right", "most_say"), *group.tracks])
        drawn = draw(group, folder, number) if len(group.rows) > 1 else []
        shown = [f"![{path.stem.replace('_', ' ')}]({path.name})" for path in drawn]
        parts += [heading, lines, notes, *shown]
        written += drawn
    for path in set(folder.iterdir()) - set(written) if table.is_file() else ():  # of more groups than there are now
        if re.fullmatch(DRAWN, path.name):
            path.unlink()
    if tested:
        print("\n".join(tested))
        parts += ["## Is it luck?", "\n".join(f"- {line}" for line in tested)]
    files.write_csv(numbers, comparison.numbers(groups))
    files.write_text(table, "\n\n".join(parts) + "\n")
    return written


def draw(group, folder, number):
    """The pictures of a group. Returns their paths."""
    label = LABELS[group.metric]
    rows = [_compared(rank, row, group.metric) for rank, row in enumerate(group.rows, 1)]
    baseline = _compared(0, group.baseline, group.metric)
    shown = []
    if costly := [row for row in rows if row.parameters is not None or row.seconds is not None]:
        shown.append(folder / f"costs_{number}.png")
        title = f"{group.title}; bars: 95 % intervals over tracks"
        comparison_plots.costs(costly, baseline, f"validation {label}", title, shown[-1])
    if trained := [row for row in rows if row.curves]:
        shown.append(folder / f"curves_{number}.png")
        comparison_plots.curves(trained, f"validation {label}, piece by piece", group.title, shown[-1])
    return shown


def _compared(number, row, metric):
    trained = [judged for judged in row.repeats if judged.curve]
    return comparison_plots.Compared(
        number,
        row.name,
        row.mean("validation", metric),
        row.interval("validation"),
        row.info("parameters"),
        row.info("seconds"),
        [judged.curve for judged in trained],
        [judged.run.info.get("best_epoch") for judged in trained],
    )


if __name__ == "__main__":
    run(main, stopped=AT_ITS_END)
