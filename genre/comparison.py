"""Finished runs beside each other: which were judged on the same tracks, and which of those are the better ones."""

import csv
import dataclasses
import functools
import json
import math
import re
from collections import Counter
from pathlib import Path

from genre import evaluation, runs
from genre.command_line import DataError

import numpy as np

HISTORY, PREDICTIONS = "history.csv", "predictions.csv"
RANKED_BY = {False: "accuracy", True: "roc_auc"}  # of one label a track, of several
SCORES = {False: ("accuracy", "balanced_accuracy", "macro_f1"), True: ("roc_auc", "pr_auc", "macro_f1")}
WORDS = {
    "accuracy": "accuracy, %",
    "balanced_accuracy": "balanced, %",
    "macro_f1": "macro F1",
    "roc_auc": "macro ROC-AUC",
    "pr_auc": "PR-AUC",
}
NUMBERS = ("parameters", "seconds", "epochs", "best_epoch")  # of run.json
OF_SEVERAL = {
    "seed": "Of several seeds: mean +- standard deviation, and the mean of the intervals over tracks.",
    "fold": "Of several folds: mean +- standard deviation, and the interval over the tracks of all.",
}
LEFT = ("run", "system")  # columns of names
MOST_CLASSES = 12  # named in a heading


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """A finished run and how it did.

    `scores` is its metrics.json, `said` is {subset: {track: (truth, prediction)}}, `curve` its validation metric, piece
    by piece, after each epoch; [] without history.
    """

    run: runs.Run
    scores: dict
    said: dict
    curve: list

    @property
    def name(self):
        """Its folder from the script's name on: time_model/mel."""
        return "/".join(self.run.place) or self.run.folder.as_posix()

    @property
    def multi_label(self):
        return bool(self.run.info.get("multi_label"))

    def truth(self, subset):
        """{(track, truth)} of a subset."""
        return frozenset((track, truth) for track, (truth, _) in self.said.get(subset, {}).items())

    @property
    def data(self):
        """Equal in runs that were judged on the same data, whatever their pictures show of it."""
        return self.multi_label, tuple(sorted(self.run.classes)), self.truth("validation")


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A row of a table: a run, its repeats with several seeds, or what needs no run. `scores` has one for each."""

    name: str
    repeats: list
    scores: list

    @property
    def folder(self):
        """Where its run is, of repeats with seed* for seed0, seed1 and so on."""
        return _of_all(self.repeats, self.repeats[0].run.folder.as_posix())

    def values(self, subset, what):
        """The scores of that name that there are, a float each."""
        found = [of[subset].get(what) for of in self.scores if subset in of]
        return [value for value in found if value is not None]

    def mean(self, subset, what):
        """The mean of them, None without any."""
        values = self.values(subset, what)
        return float(np.mean(values)) if values else None

    def spread(self, subset, what):
        """Their standard deviation, None of fewer than two."""
        values = self.values(subset, what)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def interval(self, subset):
        """The 95 % interval over tracks, (low, high); None where there is none.

        Of folds, which share no track, it is that of the tracks of all; of other repeats, and of tags, the mean of
        theirs.
        """
        found = self.values(subset, "interval")
        tracks = [track for judged in self.repeats for track in judged.said.get(subset, {})]
        if len(found) > 1 and tracks and len(set(tracks)) == len(tracks) and not self.repeats[0].multi_label:
            correct = sum(of[subset]["accuracy"] * of[subset]["tracks"] for of in self.scores if subset in of)
            return evaluation.accuracy_interval(round(correct), len(tracks))
        return tuple(np.mean(found, axis=0).tolist()) if found else None

    def info(self, name):
        """The mean of a number in run.json, such as "seconds"; None where the run has none."""
        found = [judged.run.info[name] for judged in self.repeats if judged.run.info.get(name) is not None]
        return float(np.mean(found)) if found else None


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Rows of runs that were judged on the same data, the best on validation first, and what to measure them by."""

    rows: list
    baseline: Row

    @property
    def runs(self):
        return [judged for row in self.rows for judged in row.repeats]

    @property
    def multi_label(self):
        return self.runs[0].multi_label

    @property
    def metric(self):
        return RANKED_BY[self.multi_label]

    @property
    def has_test(self):
        return any("test" in judged.scores for judged in self.runs)

    @property
    def title(self):
        """In words, what data the runs were judged on."""
        tracks, classes = len(self.runs[0].said["validation"]), len(self.runs[0].run.classes)
        counted = "classes" if not self.multi_label else "tags" if classes > 1 else "tag"
        paths = {Path(one.run.info["images_path"]).parent for one in self.runs if one.run.info.get("images_path")}
        where = f" of {' and '.join(path.as_posix() for path in sorted(paths))}" if paths else ""
        return f"{tracks} validation tracks{where}, {classes} {counted}"

    def notes(self):
        """What a reader of the table must know, a line each."""
        infos = [judged.run.info for judged in self.runs]
        classes = infos[0]["classes"]
        more = f" and {len(classes) - MOST_CLASSES} more" if len(classes) > MOST_CLASSES else ""
        lines = [f"{'Tags' if self.multi_label else 'Classes'}: {', '.join(classes[:MOST_CLASSES])}{more}."]
        lines.append(f"Features: {', '.join(sorted({info['feature'] for info in infos}))}.")
        if devices := sorted({_device(info) for info in infos} - {""}):
            apart = "; seconds on different ones do not compare" if len(devices) > 1 else ""
            lines.append(f"Trained on: {', '.join(devices)}{apart}.")
        if len(tests := {judged.truth("test") for judged in self.runs} - {frozenset()}) > 1:
            lines.append("The runs' test tracks differ: do not compare their test scores.")
        elif tests:
            lines.append(f"Test tracks: {len(next(iter(tests)))}. Test decides nothing here.")
        if any(len(row.repeats) > 1 for row in self.rows):
            lines.append(OF_SEVERAL["seed"])
        for row in self.rows:
            if how := next((of["validation"]["scored"] for of in row.scores if "scored" in of["validation"]), ""):
                lines.append(f"{row.name} is scored on validation {how}.")
        return lines + self._errors_shared()

    @functools.cached_property
    def tracks(self):
        """What the runs say of each validation track, the hardest first; [] of one run, or of several tags a track.

        Returns:
            list of (track, truth, how many runs are right, the genre most say)
        """
        if self.multi_label or len(self.runs) < 2:
            return []
        said = [judged.said["validation"] for judged in self.runs]
        found = []
        for track, (truth, _) in said[0].items():
            guesses = Counter(of[track][1] for of in said)
            found.append((track, truth, guesses[truth], guesses.most_common(1)[0][0]))
        return sorted(found, key=lambda row: (row[2], row[1], row[0]))

    def _errors_shared(self):
        if not self.tracks:
            return []
        of_all = sum(right == len(self.runs) for _, _, right, _ in self.tracks)
        missed = Counter((truth, most) for _, truth, right, most in self.tracks if not right)
        line = f"Of {len(self.tracks)} validation tracks all {len(self.runs)} runs are right on {of_all}, "
        line += f"none on {missed.total()}"
        pairs = [f"{truth} taken for {most} ({count})" for (truth, most), count in missed.most_common(3)]
        return [f"{line}, most often {', '.join(pairs)}." if pairs else f"{line}."]


def _device(info):
    return info.get("machine", {}).get("device", "")


def find(folder):
    """The folders of the finished runs below a folder, sorted; of the folder of a run, that one alone."""
    folder = Path(folder)
    return [folder] if (folder / runs.RUN).is_file() else runs.below(folder)


def read(folder):
    """A finished run with its scores and predictions.

    Returns:
        Judged

    Raises:
        CallError: no run there. DataError: a file of it is missing or damaged.
    """
    run = runs.read(folder)
    if not all(isinstance(run.info.get(name) or 0, int | float) for name in NUMBERS):
        raise DataError(f"{run.folder / runs.RUN} is damaged; train the run again with --overwrite")
    scores = _parse(run.folder / evaluation.METRICS, _scores, run)
    said = _parse(run.folder / PREDICTIONS, _said, run, scores)
    there = (run.folder / HISTORY).is_file()
    return Judged(run, scores, said, _parse(run.folder / HISTORY, _curve, run) if there else [])


def _parse(path, parse, *args):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return parse(file, *args)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; train the run again with --overwrite") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(f"{path} is damaged ({error}); train the run again with --overwrite") from None


def _scores(file, run):
    scores = json.load(file)
    for subset in {"validation", *scores}:
        of = scores[subset]
        numbers = [of[what] for what in SCORES[bool(run.info.get("multi_label"))]] + list(of["interval"] or ())
        if not all(number is None or math.isfinite(number) for number in numbers):
            raise ValueError("a score is no number")
    return scores


def _said(file, run, scores):
    found = {subset: {} for subset in scores}
    for row in csv.DictReader(file, strict=True):
        found[row["subset"]][row["track"]] = row["truth"], row["prediction"]
        if {*_labels(row["truth"], run), *_labels(row["prediction"], run)} - set(run.classes):
            raise ValueError(f"{row['track']} is of no class of the run")
    for subset, tracks in found.items():
        if len(tracks) != scores[subset]["tracks"]:
            raise ValueError(f"{len(tracks)} {subset} tracks, {scores[subset]['tracks']} were scored")
    return found


def _labels(text, run):
    return filter(None, text.split("|")) if run.info.get("multi_label") else [text]


def _curve(file, run):
    column = f"val_{RANKED_BY[bool(run.info.get('multi_label'))]}"
    return [float(row[column]) for row in csv.DictReader(file, strict=True)]


def group(judged):
    """Runs by the data that they were judged on, the repeats of one in a row; the largest group first.

    Args:
        judged: list of Judged.

    Returns:
        list of Group
    """
    of_data = {}
    for one in judged:
        of_data.setdefault(one.data, {}).setdefault(_repeated(one), []).append(one)
    names = [_name(repeats) for rows in of_data.values() for repeats in rows.values()]
    found = []
    for rows in of_data.values():
        ranked = sorted((_row(repeats, names) for repeats in rows.values()), key=_rank)
        found.append(Group(ranked, baseline([one for row in ranked for one in row.repeats])))
    return sorted(found, key=lambda one: (-len(one.rows), one.title, one.rows[0].name))


def _repeated(judged):
    """Equal in runs that differ in their seed alone, as --repeats makes them."""
    folder, info = judged.run.folder, judged.run.info
    if not re.fullmatch(r"seed\d+", folder.name):
        return folder
    settings = [info.get(name) for name in ("inputs", "hyperparameters", "training", "index_fingerprint")]
    bases = [base["run"] for base in info.get("runs", [])]  # their weights are of their own seeds
    return folder.parent, json.dumps([*settings, bases])


def _name(repeats):
    return _of_all(repeats, repeats[0].name)


def _of_all(repeats, path):
    """time_model/mel/seed0 of repeats is time_model/mel/seed*."""
    return re.sub(r"seed\d+$", "seed*", path) if len(repeats) > 1 else path


def _row(repeats, names):
    row = Row(_name(repeats), repeats, [one.scores for one in repeats])
    return row if names.count(row.name) == 1 else dataclasses.replace(row, name=row.folder)  # in another folder of runs


def _rank(row):
    return -(row.mean("validation", RANKED_BY[row.repeats[0].multi_label]) or 0), row.name


def baseline(judged):
    """What needs no training, of runs on one split, list of Judged: always the largest class or, of tags, chance."""
    found = {}
    for one in judged:
        for subset in one.scores.keys() - found.keys():
            found[subset] = _chance(one.scores[subset]) if one.multi_label else _majority(one, subset)
    return Row("chance" if judged[0].multi_label else "always the largest class", [], [found])


def _chance(scores):
    return {"roc_auc": 0.5, "pr_auc": scores.get("chance_pr_auc")}


def _majority(judged, subset):
    classes = judged.run.classes
    y = np.array([classes.index(truth) for truth, _ in judged.said[subset].values()])
    always = np.bincount(y, minlength=len(classes)).argmax()
    return evaluation.scores(y, np.tile(np.eye(len(classes))[always], (len(y), 1)), classes)


def table(of):
    """The lines of a group's table for people, the first of them the names of the columns. Args: of: Group."""
    scores = SCORES[of.multi_label]
    columns = ["#", "run", "seeds", "parameters", "seconds", "epochs"]
    columns += [f"{WORDS[what]} (95 % interval)" if what == of.metric else WORDS[what] for what in scores]
    lines = [columns + [f"test {columns[6]}"] * of.has_test]
    for number, row in enumerate([*of.rows, of.baseline], 1):
        about = [
            str(number),
            row.name,
            str(len(row.repeats)),
            *(whole(row.info(n)) for n in ("parameters", "seconds")),
        ]
        about += [f"{whole(row.info('best_epoch'))} of {whole(row.info('epochs'))}"] if row.info("epochs") else ["-"]
        about = about if row.repeats else ["", row.name, "", "-", "-", "-"]
        cells = [cell(row, "validation", what, what == of.metric) for what in scores]
        lines.append(about + cells + [cell(row, "test", of.metric, True)] * of.has_test)
    return lines


def whole(number):
    """A number for a table: whole, if it is not small."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2g}"


def cell(row, subset, what, with_interval):
    """A score for a table, "-" where there is none: its mean, its deviation and, if asked for, its interval."""
    mean, spread, interval = row.mean(subset, what), row.spread(subset, what), row.interval(subset)
    if mean is None:
        return "-"
    scale, digits = (100, 1) if WORDS[what].endswith("%") else (1, 3)
    text = f"{scale * mean:.{digits}f}" + (f" +- {scale * spread:.{digits}f}" if spread is not None else "")
    if with_interval and interval:
        text += f" ({scale * interval[0]:.{digits}f} to {scale * interval[1]:.{digits}f})"
    return text


def markdown(lines):
    """A table in Markdown whose columns line up, numbers to the right."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    left = [name in LEFT for name in lines[0]]
    rule = ["-" * w if is_left else "-" * (w - 1) + ":" for w, is_left in zip(widths, left, strict=True)]
    shown = [
        [c.ljust(w) if is_left else c.rjust(w) for c, w, is_left in zip(line, widths, left, strict=True)]
        for line in [lines[0], rule, *lines[1:]]
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def numbers(groups):
    """The lines of one CSV table of all groups, in full precision, the first of them the names of the columns."""
    whats = list(dict.fromkeys(what for of in groups for what in SCORES[of.multi_label]))
    scores = [(subset, what) for subset in ("validation", "test") for what in whats]
    columns = [f"{subset}_{what}{end}" for subset, what in scores for end in ("", "_deviation")]
    bounds = [f"{subset}_{end}" for subset in ("validation", "test") for end in ("low", "high")]
    lines = [["data", "number", "run", "seeds", *NUMBERS, *columns, *bounds, "device"]]
    for data, of in enumerate(groups, 1):
        for number, row in enumerate([*of.rows, of.baseline], 1):
            line = [data, number if row.repeats else "", row.name, len(row.repeats) or "", *map(row.info, NUMBERS)]
            for subset, what in scores:
                line += [row.mean(subset, what), row.spread(subset, what)]
            for subset in ("validation", "test"):
                line += row.interval(subset) or (None, None)
            device = ", ".join(sorted({_device(judged.run.info) for judged in row.repeats}))
            lines.append([_digits(cell) for cell in line] + [device])
    return lines


def _digits(cell):
    return "" if cell is None else f"{cell:.6f}".rstrip("0").rstrip(".") if isinstance(cell, float) else str(cell)
