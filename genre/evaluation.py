"""Numbers from predictions: pieces averaged into tracks, accuracy with its interval, per-class scores, their files."""

import csv
import json
from typing import NamedTuple

from genre import files, plots
from genre.command_line import DataError
from genre.runs import SMALLEST, tempered

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binned_statistic, binomtest, bootstrap, permutation_test
from sklearn import metrics

CONFIDENCE = 0.95
BINS = 15
METRICS, SUMMARY, MAP = "metrics.json", "summary.csv", "tsne.png"
PERPLEXITY = 30  # of t-SNE, at most
MOST_POINTS = 1000  # tracks on a map: more take minutes, and hide each other
SUMMED_UP = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "pr_auc", "recall", "precision")


class Bins(NamedTuple):
    """What is said with about the same confidence, and how often that is right; arrays without the empty bins.

    `low` and `high` are the 95 % Wilson interval of `accuracy`.
    """

    confidence: np.ndarray  # mean of the bin
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    edges: np.ndarray  # of all bins

    @property
    def error(self):
        """The expected calibration error."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.counts))


def write(folder, predicted, classes, title, embeddings=None):
    """Write metrics.json, predictions.csv and, of the last subset, confusion_matrix.csv and pictures into a run.

    Args:
        folder: of the run.
        predicted: {subset: (index row of each piece, class number of each, probabilities (pieces, classes))}.
        title: of the pictures; the subset and its accuracy are added.
        embeddings: (pieces, columns) of the last subset, for a map; None for no map.

    Returns:
        {subset: its scores}
    """
    results, lines = {}, [["track", "subset", "truth", "prediction", *classes]]
    for subset, (rows, y, per_piece) in predicted.items():
        tracks, truth, probabilities = average_tracks(rows, y, per_piece)
        said = probabilities.argmax(axis=1)
        results[subset] = scores(truth, probabilities, classes)
        results[subset] |= {"pieces": len(y), "per_piece": scores(y, per_piece, classes)}
        results[subset]["per_piece"].pop("tracks")
        for track, t, s, shares in zip(tracks, truth, said, probabilities, strict=True):
            lines.append([track, subset, classes[t], classes[s], *(f"{share:.6f}" for share in shares)])
        if subset == "validation":
            results[subset]["temperature"] = temperature(truth, probabilities)
    counts = confusion_counts(truth, said, len(classes))
    named = [[name, *row] for name, row in zip(classes, counts.tolist(), strict=True)]
    files.write_csv(folder / "predictions.csv", lines)
    files.write_csv(folder / "confusion_matrix.csv", [["true \\ predicted", *classes], *named])
    files.write_text(folder / METRICS, json.dumps(results, indent=2) + "\n")
    draw(folder, truth, probabilities, results[subset], results["validation"]["temperature"], f"{title}, {subset}")
    if embeddings is not None:
        _, _, of_tracks = average_tracks(rows, y, embeddings)
        draw_map(folder, truth, of_tracks, classes, f"{title}, {subset}")
    return results


def draw(folder, y, probabilities, scores, temperature, title):
    """Draw confusion_matrix.png, roc.png, genres.png and reliability.png.

    Args:
        y: (tracks,) class numbers. probabilities: (tracks, classes). scores: of these. temperature: of validation.
    """
    of_class, names = scores["per_class"], list(scores["per_class"])
    words = f"{title}\n{summary(scores)}"
    counts = confusion_counts(y, probabilities.argmax(axis=1), len(names))
    plots.confusion_matrix(counts, names, words, folder / "confusion_matrix.png")
    plots.roc(*roc_curves(y, probabilities), names, words, folder / "roc.png")
    rows = []
    for name, recall, tracks in ((name, of["recall"], of["tracks"]) for name, of in of_class.items() if of["tracks"]):
        rows.append((name, tracks, recall, *accuracy_interval(round(recall * tracks), tracks)))
    lines = {"all tracks": scores["accuracy"], "always the largest genre": scores["majority_accuracy"]}
    plots.genres(rows, lines, words, folder / "genres.png")
    found = {
        "as it says": probabilities,
        f"at temperature {temperature:.2f}, fitted on validation": tempered(probabilities, temperature),
    }
    bins = {label: reliability(said.max(axis=1), said.argmax(axis=1) == y) for label, said in found.items()}
    axes = ("confidence: probability of the likeliest genre", "accuracy", "tracks")
    plots.reliability(bins, axes, words, folder / "reliability.png")


def draw_map(folder, y, embeddings, classes, title):
    """Draw tsne.png, or say why not. Args: y: (tracks,) class numbers. embeddings: (tracks, columns)."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:MOST_POINTS])
    if (xy := tsne(embeddings[chosen])) is None:
        print("no tsne.png: too few tracks, or all look alike to the last layer")
        return
    some = f"{len(chosen)} of {len(y)}" if len(chosen) < len(y) else len(y)
    columns = f"{embeddings.shape[1]} numbers a track"
    words = f"{title}\nt-SNE of what the last layer decides on ({columns}, {some} tracks)"
    plots.points(xy, y[chosen], classes, words, folder / MAP)


def perplexity(tracks):
    """Of t-SNE, as large as so many tracks allow."""
    return min(PERPLEXITY, (tracks - 1) / 3)


def tsne(x, seed=0):
    """A map: (tracks, columns) -> (tracks, 2), those alike beside each other; None if too few, or all alike.

    Source: van der Maaten & Hinton, "Visualizing data using t-SNE", 2008,
        https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    import threadpoolctl
    from sklearn.manifold import TSNE  # slow to import

    if len(x) < 4 or not (x != x[0]).any():
        return None
    x = np.pad(x, ((0, 0), (0, max(0, 2 - x.shape[1]))))  # it starts from two principal components
    with threadpoolctl.threadpool_limits(1):  # the same on every machine, and quicker where others work, too
        return TSNE(perplexity=perplexity(len(x)), random_state=seed, n_jobs=1).fit_transform(x)


def read_predictions(folder, classes):
    """What a run's predictions.csv says.

    Returns:
        {subset: (tracks, y (tracks,), probabilities (tracks, classes))}; the largest probability is the prediction's.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path, found = folder / "predictions.csv", {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                truth, said = classes.index(row["truth"]), classes.index(row["prediction"])
                found.setdefault(row["subset"], []).append((row["track"], truth, _shares(row, said, classes)))
        if "validation" not in found:
            raise ValueError("no validation tracks")
    except FileNotFoundError:
        raise DataError(f"{path} is not there; train the run again with --overwrite") from None
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path} is damaged ({error}); train the run again with --overwrite") from None
    columns = {subset: list(zip(*rows, strict=True)) for subset, rows in found.items()}
    return {subset: (list(tracks), np.array(y), np.array(p)) for subset, (tracks, y, p) in columns.items()}


def _shares(row, said, classes):
    shares = [float(row[name]) for name in classes]
    if not max(shares) - shares[said] < 2e-6:  # also where one is not a number
        raise ValueError(f"{row['prediction']} is not the likeliest for {row['track']}")
    shares[said] = np.nextafter(max(shares), 2)  # six decimals may tie where the run did not
    return shares


def compare(y, ours, theirs):
    """Two lists of predictions for the same tracks.

    Args:
        y, ours, theirs: (tracks,) class numbers.

    Returns:
        {"gain": in accuracy, "won": tracks that only ours has right, "lost": only theirs,
        "p_value": of McNemar's exact test, that both are equally good}
    """
    won, lost = int(((ours == y) & (theirs != y)).sum()), int(((ours != y) & (theirs == y)).sum())
    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return {"gain": (won - lost) / len(y), "won": won, "lost": lost, "p_value": p_value}


def compare_repeats(ours, theirs):
    """Two ways of training, each with several seeds, judged on the same tracks.

    Each track counts with the share of the runs that have it right, and the tracks are what is drawn by chance, not the
    seeds: it is of these runs on other tracks like these.

    Args:
        ours: (runs, tracks) bool, right or not. theirs: (other runs, tracks).

    Returns:
        {"gain": in mean accuracy, "interval": its 95 % bootstrap interval over tracks, (low, high),
        "p_value": of the paired permutation test, which swaps the two on tracks at random}
    """
    shares = ours.mean(axis=0), theirs.mean(axis=0)
    chance = {"vectorized": True, "n_resamples": 9999, "batch": 1000, "random_state": 0}
    tested = permutation_test(shares, _mean_gain, permutation_type="samples", **chance)
    around = bootstrap(shares, _mean_gain, paired=True, method="percentile", confidence_level=CONFIDENCE, **chance)
    interval = tuple(map(float, around.confidence_interval))
    return {"gain": float(_mean_gain(*shares)), "interval": interval, "p_value": float(tested.pvalue)}


def _mean_gain(ours, theirs, axis=-1):
    return (ours - theirs).mean(axis=axis)


def show(results):
    """Print the scores of each subset, and the table per class of the last."""
    for subset, s in results.items():
        print(f"{subset}: {in_words(s)}")
    roc_auc = "" if s["roc_auc"] is None else f"ROC-AUC {s['roc_auc']:.3f}, "
    right = f"{subset}: among the two likeliest {percent(s['top2_accuracy'])}, {roc_auc}log loss {s['log_loss']:.3f}"
    print(f"{right}, expected calibration error {percent(s['calibration_error'])}")
    width = max(len(name) for name in [*s["per_class"], "class"])
    print(f"{'class':{width}}  precision  recall     F1  {subset} tracks")
    for name, c in s["per_class"].items():
        print(f"{name:{width}}  {c['precision']:9.2f}  {c['recall']:6.2f}  {c['f1']:5.2f}  {c['tracks']:6}")


def confusion_counts(y, said, classes):
    """(classes, classes), true class by predicted class. Args: classes: how many."""
    return metrics.confusion_matrix(y, said, labels=np.arange(classes))


def roc_curves(y, scores):
    """Each class against the others, wherever the line between them is drawn.

    Args:
        y: (tracks,) class numbers, or bool (tracks, classes) where a track may be of several.
        scores: (tracks, classes), the higher the likelier.

    Returns:
        {class number: (false positive rates, true positive rates, area)} of those that some tracks are of and others
        are not; and the same of their mean curve, with the mean of their areas
    """
    found = {}
    for number in range(scores.shape[1]):
        of_it = y[:, number] if y.ndim == 2 else y == number
        if 0 < of_it.sum() < len(y):
            false, true, _ = metrics.roc_curve(of_it, scores[:, number])
            found[number] = false, true, float(metrics.auc(false, true))
    grid = np.linspace(0, 1, 201)
    if not found:
        return {}, (grid, grid, float("nan"))
    curves = [np.interp(grid, false, true) for false, true, _ in found.values()]  # where one jumps, its upper end
    mean = np.concatenate([[0], np.mean(curves, axis=0)])
    return found, (np.concatenate([[0], grid]), mean, float(np.mean([area for *_, area in found.values()])))


def average_tracks(rows, y, probabilities):
    """Average the pieces of each track.

    Args:
        rows: index row of each piece. y: (pieces,) class numbers. probabilities: (pieces, classes).

    Returns:
        tracks (names, sorted), y (tracks,), probabilities (tracks, classes)
    """
    names, first, member = np.unique([row.track for row in rows], return_index=True, return_inverse=True)
    total = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(total, member, probabilities)
    return list(names), y[first], total / np.bincount(member)[:, None]


def accuracy_interval(correct, total):
    """The 95 % Wilson interval of an accuracy, as (low, high)."""
    interval = binomtest(int(correct), int(total)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def scores(y, probabilities, classes):
    """The metrics of one subset.

    Args:
        y: (tracks,) class numbers. probabilities: (tracks, classes). classes: names.

    Returns:
        {"tracks", "accuracy", "interval", "balanced_accuracy", "macro_f1", "top2_accuracy", "roc_auc" (the mean of each
        class against the others, None where all tracks are of one), "log_loss", "calibration_error",
        "majority_accuracy" (of always saying the largest class), "per_class": {class: {"precision", "recall", "f1",
        "tracks"}}}
    """
    labels = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == y).sum())
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        y, predicted, labels=labels, zero_division=0
    )
    there = support > 0
    bounded = np.clip(probabilities, SMALLEST, 1)
    roc_auc = roc_curves(y, probabilities)[1][2]
    top2 = 1.0 if len(classes) < 3 else float(metrics.top_k_accuracy_score(y, probabilities, k=2, labels=labels))
    return {
        "tracks": len(y),
        "accuracy": correct / len(y),
        "interval": accuracy_interval(correct, len(y)),
        "balanced_accuracy": float(recall[there].mean()),
        "macro_f1": float(f1[there].mean()),
        "top2_accuracy": top2,
        "roc_auc": None if np.isnan(roc_auc) else roc_auc,
        "calibration_error": calibration_error(y, probabilities),
        "log_loss": float(metrics.log_loss(y, bounded / bounded.sum(axis=1, keepdims=True), labels=labels)),
        "majority_accuracy": float(support.max() / len(y)),
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "tracks": int(n)}
            for name, p, r, f, n in zip(classes, precision, recall, f1, support, strict=True)
        },
    }


def calibration_error(y, probabilities):
    """Expected calibration error: how far confidence, the largest probability, is from accuracy, on average.

    Source: Guo et al., as `temperature`, with 15 bins.

    Args:
        y: (tracks,) class numbers. probabilities: (tracks, classes).
    """
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == y).error


def reliability(confidence, correct):
    """Confidence beside accuracy, in 15 bins from 0 to 1.

    Args:
        confidence: (n,), 0..1. correct: bool (n,).

    Returns:
        Bins
    """
    confidence = np.clip(confidence, 0, 1)  # a mean may be above by its rounding
    sums, edges, _ = binned_statistic(confidence, [np.ones(len(correct)), confidence, correct], "sum", BINS, (0, 1))
    counts, total, right = sums[:, sums[0] > 0]
    low, high = np.transpose([accuracy_interval(*pair) for pair in zip(right, counts, strict=True)])
    return Bins(total / counts, right / counts, low, high, counts.astype(int), edges)


def temperature(y, probabilities):
    """What the logarithms of probabilities are divided by so that they are the likeliest; above 1 if they are too sure.

    Source: Guo et al., "On calibration of modern neural networks", 2017, https://arxiv.org/abs/1706.04599.

    Args:
        y: (tracks,) class numbers. probabilities: (tracks, classes).
    """
    logarithms = np.log(np.maximum(probabilities, SMALLEST))

    def loss(log_temperature):
        return -log_softmax(logarithms / np.exp(log_temperature), axis=1)[np.arange(len(y)), y].mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log((0.05, 20)), method="bounded").x))


def write_summary(folder, of, results):
    """The scores of several runs, their mean and standard deviation, as summary.csv; print the latter.

    Args:
        of: what tells the runs apart, such as "seed". results: {name: {subset: its scores}}.
    """
    columns = [c for c in SUMMED_UP if any(c in scores for found in results.values() for scores in found.values())]
    lines = [[of, "subset", *columns]]
    for subset in next(iter(results.values())):
        table = np.array([[found[subset][c] for c in columns] for found in results.values()], float)  # None -> nan
        numbers = {c: values[~np.isnan(values)] for c, values in zip(columns, table.T, strict=True)}
        mean = {c: values.mean() if len(values) else np.nan for c, values in numbers.items()}
        spread = {c: values.std(ddof=1) if len(values) > 1 else np.nan for c, values in numbers.items()}
        lines += [[name, subset, *_digits(row)] for name, row in zip(results, table, strict=True)]
        lines += [["mean", subset, *_digits(mean.values())]]
        lines += [["standard deviation", subset, *_digits(spread.values())]]
        shown = ", ".join(f"{c.replace('_', ' ')} {mean[c]:.3f} +- {spread[c]:.3f}" for c in columns)
        print(f"{subset}, mean +- standard deviation of {len(results)} {of}s: {shown}")
    files.write_csv(folder / SUMMARY, lines)
    print("wrote", folder / SUMMARY)


def _digits(values):
    return [f"{value:.6f}" if np.isfinite(value) else "" for value in values]


def percent(share):
    return f"{100 * share:.1f} %"


def in_words(scores):
    """The scores of a subset, and what no training gets."""
    return (
        f"{summary(scores)}, balanced {percent(scores['balanced_accuracy'])}, macro F1 {scores['macro_f1']:.3f}; "
        f"always the largest class: {percent(scores['majority_accuracy'])}"
    )


def summary(scores):
    """Accuracy with its interval, in words."""
    low, high = scores["interval"]
    interval = f"95 % interval {100 * low:.1f} to {percent(high)}"
    return f"accuracy {percent(scores['accuracy'])} ({interval}, {scores['tracks']} tracks)"
