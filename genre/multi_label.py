"""What `evaluation` is for one genre a track, for several: tags that are each there or not."""

import json

from genre import evaluation, files, plots
from genre.evaluation import percent

import numpy as np
from scipy.stats import bootstrap
from sklearn import metrics

THRESHOLD = 0.5  # probability from which on a tag is said
RESAMPLES = 200  # of the tracks, for the interval


def write(folder, predicted, tags, title, embeddings=None):
    """Write metrics.json, predictions.csv and, of the last subset, tags.csv and pictures into a run's folder.

    Args:
        predicted: {subset: (index row of each piece, float32 (pieces, tags) 0 or 1, probabilities (pieces, tags))}.
        embeddings: not drawn, as a track of several tags has no one colour.

    Returns:
        {subset: its scores}
    """
    results, lines = {}, [["track", "subset", "truth", "prediction", *tags]]
    for subset, (rows, y, per_piece) in predicted.items():
        tracks, truth, probabilities = evaluation.average_tracks(rows, y, per_piece)
        results[subset] = scores(truth, probabilities, tags) | {"pieces": len(y)}
        results[subset]["per_piece"] = scores(y, per_piece, tags, interval=False)
        results[subset]["per_piece"].pop("tracks")
        for track, t, shares in zip(tracks, truth, probabilities, strict=True):
            said = (said_tags(of, tags) for of in (t, shares))
            lines.append([track, subset, *said, *(f"{share:.6f}" for share in shares)])
    per_tag = results[subset]["per_tag"]
    columns = list(next(iter(per_tag.values())))
    files.write_csv(folder / "predictions.csv", lines)
    files.write_csv(
        folder / "tags.csv", [["tag", *columns], *([tag, *of_tag.values()] for tag, of_tag in per_tag.items())]
    )
    files.write_text(folder / evaluation.METRICS, json.dumps(results, indent=2) + "\n")
    draw(folder, truth.astype(bool), probabilities, results[subset], f"{title}, {subset}")
    return results


def draw(folder, y, probabilities, scores, title):
    """Draw tags.png, roc.png and reliability.png. Args: y: bool (tracks, tags). scores: of it and `probabilities`."""
    tags, title = list(scores["per_tag"]), f"{title}\n{summary(scores)}"
    plots.tags(scores["per_tag"], title, folder / "tags.png")
    plots.roc(*evaluation.roc_curves(y, probabilities), tags, title, folder / "roc.png")
    bins = {"all tags": evaluation.reliability(probabilities.ravel(), y.ravel())}
    axes = ("probability of a tag", "share that has the tag", "tracks x tags")
    plots.reliability(bins, axes, title, folder / "reliability.png")


def said_tags(probabilities, tags):
    """The tags from the threshold on: "pop|rock"."""
    return "|".join(tag for tag, p in zip(tags, probabilities, strict=True) if p >= THRESHOLD)


def scores(y, probabilities, tags, interval=True):
    """The metrics of one subset.

    Args:
        y: (tracks, tags), 0 or 1. probabilities: (tracks, tags). interval: whether it is computed, which is slow.

    Returns:
        {"tracks", "recall" (of all that is tagged, the share said), "precision", "macro_recall", "macro_f1", "roc_auc",
        "pr_auc" (means over the tags that some tracks have and others have not; None without any), "interval" (95 %, of
        roc_auc, over tracks), "chance_pr_auc", "calibration_error" (of all tags together), "per_tag": {tag:
        {"tracks", "recall", "precision", "f1", "roc_auc", "pr_auc"}}}
    """
    y = y.astype(bool)
    said = probabilities >= THRESHOLD
    hits, support, count = (of.sum(axis=0) for of in (y & said, y, said))  # scikit-learn's would take one tag for two
    precision, recall = hits / np.maximum(count, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + count, 1)
    judged = y.min(axis=0) != y.max(axis=0)
    roc, pr = ([None] * len(tags) for _ in range(2))
    for tag in np.flatnonzero(judged):
        roc[tag] = float(metrics.roc_auc_score(y[:, tag], probabilities[:, tag]))
        pr[tag] = float(metrics.average_precision_score(y[:, tag], probabilities[:, tag]))
    there = support > 0
    return {
        "tracks": len(y),
        "recall": float((y & said).sum() / max(y.sum(), 1)),
        "precision": float((y & said).sum() / max(said.sum(), 1)),
        "macro_recall": float(recall[there].mean()) if there.any() else None,
        "macro_f1": float(f1[there].mean()) if there.any() else None,
        "roc_auc": float(np.mean([roc[tag] for tag in np.flatnonzero(judged)])) if judged.any() else None,
        "pr_auc": float(np.mean([pr[tag] for tag in np.flatnonzero(judged)])) if judged.any() else None,
        "interval": _interval(y[:, judged], probabilities[:, judged]) if interval and judged.any() else None,
        "chance_pr_auc": float(y[:, judged].mean()) if judged.any() else None,
        "calibration_error": evaluation.reliability(probabilities.ravel(), y.ravel()).error,
        "per_tag": {
            name: {
                "tracks": int(support[i]),
                "recall": float(recall[i]),
                "precision": float(precision[i]),
                "f1": float(f1[i]),
                "roc_auc": roc[i],
                "pr_auc": pr[i],
            }
            for i, name in enumerate(tags)
        },
    }


def _interval(y, probabilities):
    """The 95 % percentile bootstrap interval of the macro ROC-AUC, as (low, high)."""

    def macro(chosen):
        told = y[chosen]
        found = [tag for tag in range(y.shape[1]) if 0 < told[:, tag].sum() < len(told)]
        aucs = [metrics.roc_auc_score(told[:, tag], probabilities[chosen, tag]) for tag in found]
        return np.mean(aucs) if aucs else 0.5

    if len(y) < 2:
        return None
    found = bootstrap(
        (np.arange(len(y)),),
        macro,
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=evaluation.CONFIDENCE,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def show(results):
    """Print the scores of each subset, and the table per tag of the last."""
    for subset, s in results.items():
        print(f"{subset}: {in_words(s)}")
    width = max(len(name) for name in [*s["per_tag"], "tag"])
    print(f"{'tag':{width}}  ROC-AUC  PR-AUC  recall  precision  {subset} tracks")
    for name, t in s["per_tag"].items():
        roc, pr = (f"{t[key]:.3f}" if t[key] is not None else "-" for key in ("roc_auc", "pr_auc"))
        print(f"{name:{width}}  {roc:>7}  {pr:>6}  {t['recall']:6.2f}  {t['precision']:9.2f}  {t['tracks']:6}")


def in_words(scores):
    """The scores of a subset."""
    shares = f"recall {percent(scores['recall'])} and precision {percent(scores['precision'])} of all tags"
    return f"{summary(scores)}, {shares}, said from {THRESHOLD} on"


def summary(scores):
    """ROC-AUC with its interval, and PR-AUC, in words."""
    if scores["roc_auc"] is None:
        return f"no tag that some tracks have and others have not ({scores['tracks']} tracks)"
    low, high = scores["interval"] or (0, 1)
    return (
        f"macro ROC-AUC {scores['roc_auc']:.3f} (95 % interval {low:.3f} to {high:.3f}, {scores['tracks']} tracks), "
        f"PR-AUC {scores['pr_auc']:.3f} (chance {scores['chance_pr_auc']:.3f})"
    )
