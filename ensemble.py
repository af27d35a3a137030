"""Let finished runs vote: by majority, by the surest, by their mean, or by a machine that is fitted on what they say.

    python ensemble.py --run=models/time_model/mel,models/frequency_model/mel
    python ensemble.py --run=models/time_model/mel,models/frequency_model/mel --method=majority,confidence,mean,stacking

Each method is a run of its own, models/ensemble/<feature>/<method>/, that labels songs with predict.py as any other and
needs the runs it is of no more. The runs must have the same validation and test tracks.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from genre import cards, estimators, evaluation, files, index, plans, provenance, records, runs, voting
from genre.command_line import CallError, DataError, Parser, names, natural, run

import numpy as np

GAIN = ("gain", "won", "lost", "p_value")


class Vote(NamedTuple):
    """What runs say together. `predicted` is {subset: (tracks, y (tracks,), probabilities (tracks, classes))}."""

    predicted: dict
    machine: object = None  # of stacking
    scored: str = ""  # in words, how the machine's predictions of validation were made

    def table(self, method, members, judged):
        """A row for each member and the vote on each subset: its accuracy, and what the vote gains over that member."""
        rows = []
        for subset, (_, y, said) in judged.items():
            voted = self.predicted[subset][2].argmax(axis=1)
            labels = [(str(member.folder), own.argmax(axis=1)) for member, own in zip(members, said, strict=True)]
            for name, own in [*labels, (method, voted)]:
                correct = int((own == y).sum())
                low, high = evaluation.accuracy_interval(correct, len(y))
                row = {"run": name, "subset": subset, "tracks": len(y), "accuracy": correct / len(y)}
                gain = dict.fromkeys(GAIN, "") if own is voted else evaluation.compare(y, voted, own)
                rows.append(row | {"low": low, "high": high} | gain)
        return rows


def main():
    args = _parser().parse_args()
    methods = names(args.method)
    if not methods or set(methods) - set(voting.METHODS):
        raise CallError(f"--method={args.method}: expected some of {', '.join(voting.METHODS)}")
    members = read_members(names(args.run))
    judged = align(members)
    settings = {method: _settings(members, method, args.seed) for method in methods}
    targets = {m: Path(args.models, s["script"], s["feature"], m, args.run_name) for m, s in settings.items()}

    def is_finished(method):
        return not args.overwrite and plans.finished(settings[method], targets[method])

    for method in methods:
        is_finished(method)  # a run of other settings is refused before any work
    votes = {method: vote(method, members, judged, args.seed) for method in methods}
    tables = {method: voted.table(method, members, judged) for method, voted in votes.items()}
    show(members, judged, votes, tables)
    for method, target in targets.items():
        with files.only_writer(target):
            if is_finished(method):
                print(f"{target} is finished already, with these very settings; --overwrite makes it anew")
                continue
            with files.whole_folder(target, keep=records.is_other) as folder:
                write(folder, members, settings[method], votes[method], tables[method])
        print("wrote", target)


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--run", required=True, metavar="RUN,RUN", help="comma list of finished runs, of any script")
    text = f"comma list of {', '.join(voting.METHODS)}: a run for each"
    parser.add_argument("--method", default="mean", help=text)
    parser.add_argument("--seed", type=natural, default=0, help="of the folds by which stacking is scored")
    parser.add_argument("--models", default="models", help="folder that runs go to, as ensemble/<feature>/<method>/")
    parser.add_argument(
        "--run_name", type=runs.run_name, default="", help="puts the run one level deeper, for variants"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is there")
    return parser


def read_members(paths):
    """The runs of the folders.

    Raises:
        CallError: they are not different runs of the same classes and, where of the same feature, the same pictures.
    """
    members = [runs.read(path) for path in paths]
    if len({member.folder.resolve() for member in members}) < max(2, len(members)):
        raise CallError(f"--run={','.join(paths)}: expected at least two runs, and each once")
    for number, member in enumerate(members):
        if isinstance(member, runs.Ensemble):
            raise CallError(f"{member.folder} is a vote itself; name its runs instead")
        if member.folder.is_file():
            raise CallError(f"{member.folder} is an export, without predictions to compare; name its run instead")
        if member.info.get("multi_label"):
            raise CallError(f"{member.folder} gives a track several labels; a vote is on one")
        if "validation" in member.info.get("fitted_on", ()) and member.info.get("validation_scored_on") != ["train"]:
            raise CallError(f"{member.folder} knows the validation tracks that it is scored on, the others do not")
        for other in members[:number]:
            both = f"{other.folder} and {member.folder}"
            if other.classes != member.classes:
                raise CallError(f"{both} know other classes: {' '.join(other.classes)}; {' '.join(member.classes)}")
            alike = other.info["feature"] == member.info["feature"]
            if alike and other.info["index_fingerprint"] != member.info["index_fingerprint"]:
                raise CallError(f"{both} were trained on other pictures or another split; train both on the same")
    return members


def align(members):
    """What the runs say of the tracks that all have.

    Returns:
        {subset: (tracks, y (tracks,), probabilities (runs, tracks, classes))}

    Raises:
        CallError: two runs have other tracks; what one was trained on another would be judged by.
    """
    found = [evaluation.read_predictions(member.folder, member.classes) for member in members]
    truths = [{(s, track): y for s, part in of.items() for track, y in zip(*part[:2], strict=True)} for of in found]
    for member, truth in zip(members, truths, strict=True):
        if differing := sorted({key for key, _ in truths[0].items() ^ truth.items()}):
            subset, track = differing[0]
            raise CallError(
                f"{members[0].folder} and {member.folder} differ in {len(differing)} validation and test tracks or "
                f"their genres, such as {track} of {subset}; train both on the same split"
            )
    aligned = {}
    for subset, (tracks, y, _) in found[0].items():
        rows = [{track: i for i, track in enumerate(of[subset][0])} for of in found]
        own = [of[subset][2][[row[track] for track in tracks]] for of, row in zip(found, rows, strict=True)]
        aligned[subset] = tracks, y, np.stack(own)
    return aligned


def vote(method, members, judged, seed):
    """The vote of the runs by one method."""
    machine = None
    if method == "stacking":
        tracks, y, said = judged["validation"]
        groups, by = _groups(members, tracks, y)
        machine, held_out, folds = voting.stack(said, y, groups, seed)
    predicted = {subset: (*part[:2], voting.vote(method, part[2], machine)) for subset, part in judged.items()}
    if not machine:
        return Vote(predicted)
    predicted["validation"] = (tracks, y, held_out)
    return Vote(predicted, machine, f"held out in {folds} folds by {by}")


def _groups(members, tracks, y):
    """What must not straddle folds, and its name: artists, from the index of a member's pictures; else tracks."""
    classes = members[0].classes
    for member in members:
        rows = index.read(member.info["images_path"]) or [] if member.info.get("images_path") else []
        of_track = {row.track: row for row in rows if row.file.startswith("validation/") and row.labels[0] in classes}
        known = [of_track.get(track) for track in tracks]
        if all(known) and [classes.index(row.labels[0]) for row in known] == list(y) and any(r.artist for r in known):
            return np.array([row.artist or row.track for row in known]), "artist"
    return np.array(tracks), "track; artists unknown, so it flatters"


def show(members, judged, votes, tables):
    """Print the accuracy of each member and each vote, and what each vote gains over the best member."""
    rows = {(row["run"], row["subset"]): row for table in tables.values() for row in table}
    shown = [*(str(member.folder) for member in members), *votes]
    width = max(map(len, shown))
    print(f"{'':{width}}", *(f"{f'{subset}, {len(part[1])} tracks':24}" for subset, part in judged.items()), sep="  ")
    for name in shown:
        cells = (rows[name, subset] for subset in judged)
        print(f"{name:{width}}", *(f"{_accuracy(row):24}" for row in cells), sep="  ")
    best = max(members, key=lambda member: rows[str(member.folder), "validation"]["accuracy"])
    for method, voted in votes.items():
        gains = [row for row in tables[method] if row["run"] == str(best.folder)]
        print(f"{method} over {best.folder}, the best on validation:", "; ".join(map(_gain, gains)))
        if voted.scored:
            print(f"{method} on validation: {voted.scored}")


def _accuracy(row):
    return f"{evaluation.percent(row['accuracy'])} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _gain(row):
    tracks = f"{row['won']} tracks won, {row['lost']} lost"
    return f"{row['subset']} {100 * row['gain']:+.1f} points ({tracks}, exact McNemar p = {row['p_value']:.2g})"


def _settings(members, method, seed):
    """What makes two votes the same."""
    said = [files.sha256(member.folder / "predictions.csv")[:16] for member in members]
    features = "+".join(member.info["feature"] for member in members).split("+")
    return {
        "script": Path(__file__).stem,
        "feature": "+".join(dict.fromkeys(features)),
        "hyperparameters": {"method": method},
        "seed": seed,
        "classes": members[0].classes,
        "index_fingerprint": members[0].info["index_fingerprint"],
        "runs": [{"run": m.system, "predictions": text} for m, text in zip(members, said, strict=True)],
    }


def write(folder, members, settings, voted, table):
    """Write the run of a vote into a folder."""
    parts = {s: ([index.Row("", t, ()) for t in tracks], y, p) for s, (tracks, y, p) in voted.predicted.items()}
    title = f"ensemble, {settings['feature']}: {settings['hyperparameters']['method']} of {len(members)} runs"
    if voted.scored and list(parts) == ["validation"]:  # of which the picture is
        title += f"\n{voted.scored}"
    results = evaluation.write(folder, parts, settings["classes"], title)
    results = {subset: {k: v for k, v in of.items() if "piece" not in k} for subset, of in results.items()}
    info = {
        "command": provenance.command(),
        "images_path": members[0].info.get("images_path"),
        "dataset": members[0].info.get("dataset", {}),
        "tracks": {subset: len(part[1]) for subset, part in parts.items()},
        "inputs": [pictures for member in members for pictures in member.info["inputs"]],
        "members": [member.info for member in members],
        "temperature": results["validation"]["temperature"],
    }
    if voted.machine:
        results["validation"]["scored"] = voted.scored
        info |= {"fitted_on": ["validation"], "validation_scored_on": voted.scored}
        estimators.save(voted.machine, folder / runs.ESTIMATOR)
    for number, member in enumerate(members):
        _copy_model(member.folder, folder / runs.MEMBERS / str(number))
    files.write_text(folder / "metrics.json", json.dumps(results, indent=2) + "\n")
    files.write_csv(folder / "members.csv", [list(table[0]), *(list(row.values()) for row in table)])
    info = settings | info | provenance.made_with("CPU")
    files.write_text(folder / runs.RUN, json.dumps(info, indent=2) + "\n")
    said = {subset: evaluation.in_words(of) for subset, of in results.items()}
    cards.write(folder, info, {}, said)


def _copy_model(source, target):
    target.mkdir(parents=True)
    found = [source / name for name in (runs.MODEL, runs.ESTIMATOR) if (source / name).is_file()]
    if not found:
        raise DataError(f"{source} has neither {runs.MODEL} nor {runs.ESTIMATOR}; train it again with --overwrite")
    for path in found:
        shutil.copy2(path, target)


if __name__ == "__main__":
    run(main)
