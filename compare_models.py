"""Put finished runs into one table and one picture, those judged on the same tracks beside each other.

    python compare_models.py
    python compare_models.py models/time_model/mel models/frequency_model/mel

Runs of other validation tracks, other truths or other classes are in a table of their own. Within a table they are
ranked by validation; repeats with several seeds are one row. Of two runs it says, too, if their difference is luck.
"""

from pathlib import Path

from genre import comparison, comparison_plots, evaluation, files, provenance, runs
from genre.command_line import CallError, DataError, Parser, run

import numpy as np

LABELS = {"accuracy": "accuracy", "roc_auc": "macro ROC-AUC"}


def main():
    args = _parser().parse_args()
    if len(args.runs) == 2 and all((Path(folder) / runs.RUN).is_file() for folder in args.runs):
        judged = [comparison.read(folder) for folder in args.runs]
        tested = compare(*judged)
    else:
        judged, tested = read_all(args.runs or [args.models]), []
    groups = comparison.group(judged)
    written = write(Path(args.out or Path(args.models, "comparison")), groups, tested)
    print("wrote", ", ".join(map(str, written)))


def _parser():
    parser = Parser(__doc__)
    text = "folders of finished runs, or folders that hold such; two runs are tested against each other (default: all)"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=text)
    parser.add_argument("--models", default="models", help="folder whose runs are compared where none is named")
    text = "folder for the table and the pictures (default: <models>/comparison)"
    parser.add_argument("--out", metavar="FOLDER", help=text)
    return parser


def read_all(folders):
    """The runs in and below folders; one that is damaged is a warning.

    Raises:
        CallError: one of the folders holds none. DataError: every run is damaged.
    """
    found = {}
    for folder in folders:
        below = comparison.find(folder)
        if not below:
            raise CallError(f"no finished run in {folder}; train one with: python time_model.py")
        found |= {path.resolve(): path for path in below}
    judged = []
    for path in found.values():
        try:
            judged.append(comparison.read(path))
        except DataError as error:
            print(f"warning: left out: {error}")
    if not judged:
        raise DataError(f"every run in {', '.join(map(str, folders))} is damaged; train them again with --overwrite")
    return judged


def compare(ours, theirs):
    """In words, on each subset that two runs share, what only one of them has right, and whether that is luck.

    Raises:
        CallError: they are one run, or were judged on different tracks.
    """
    both = f"{ours.run.folder} and {theirs.run.folder}"
    if ours.run.folder.resolve() == theirs.run.folder.resolve():
        raise CallError(f"{both} are the same run; name two")
    if ours.data != theirs.data:
        counts = " against ".join(
            f"{len(one.said['validation'])} tracks of {len(one.run.classes)} classes" for one in (ours, theirs)
        )
        raise CallError(
            f"{both} were judged on different validation tracks or genres ({counts}); train both on one split"
        )
    if ours.multi_label:
        return [f"{both}: not tested, as McNemar's test is for one genre a track, not for several tags"]
    lines = []
    for subset in ours.said:
        if ours.truth(subset) != theirs.truth(subset):
            continue
        tracks = list(ours.said[subset])
        y, own = np.array([ours.said[subset][track] for track in tracks]).T
        other = np.array([theirs.said[subset][track][1] for track in tracks])
        found = evaluation.compare(y, own, other)
        lines.append(
            f"{subset}, {len(tracks)} tracks: only {ours.run.folder} is right on {found['won']}, only "
            f"{theirs.run.folder} on {found['lost']}; exact McNemar p = {found['p_value']:.2g}"
        )
    return lines


def write(folder, groups, tested):
    """Write comparison.md, comparison.csv and, of groups of several rows, tracks and pictures; print the tables.

    Args:
        groups: list of `comparison.Group`. tested: lines on two runs.

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
    run(main)
