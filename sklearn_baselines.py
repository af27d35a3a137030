"""Twelve scikit-learn classifiers on the statistics of songs, each a run of its own, and all in one table.

Source: yijerjer, "music_genre_classification", 2020, https://github.com/yijerjer/music_genre_classification: the
    twelve, with their defaults.
Differs: the source standardises by all songs, the test songs among them, and names the accuracy on test alone. Here the
    scaler and the classifier are fitted on train, the table is sorted by validation, and every draw has a seed.
    AdaBoost is SAMME, the only one that scikit-learn still has; the source's was SAMME.R, so that its numbers shift.
    The nearest neighbours are compared one by one, which finds the same ones as any tree.
Probabilities: the ridge classifier and the support vector machines have none. Theirs are the softmax of the decision
    function divided by a temperature, fitted on songs of train that were held out in turn (by artist, where known).
    That changes no decision; only where SVC's pairwise votes tie, the decision function settles it.

    python sklearn_baselines.py
    python sklearn_baselines.py --classifier=svm,lda --columns=mfcc --run_name=mfcc
"""

import argparse
import dataclasses
import shutil
import time
import warnings
from typing import NamedTuple

from genre import comparison, estimators, evaluation, files, plans, plots, records, runs, tables
from genre.command_line import CallError, DataError, Parser, first_line, names, natural, run

import numpy as np
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

CLASSIFIERS = {
    "lr": LogisticRegression(),
    "rc": RidgeClassifier(),
    "lsvm": LinearSVC(),
    "svm": SVC(),
    "rfc": RandomForestClassifier(),
    "abc": AdaBoostClassifier(),
    "gnb": GaussianNB(),
    "lda": LinearDiscriminantAnalysis(),
    "qda": QuadraticDiscriminantAnalysis(),
    "ovrc": OneVsRestClassifier(LogisticRegression()),
    "knc": KNeighborsClassifier(algorithm="brute"),
    "mlp": MLPClassifier(),
}
TABLE = "classifiers.csv"


class Result(NamedTuple):
    """What became of one classifier: `model` is None where it failed, and `note` says why."""

    model: object
    scores: dict  # {subset: its scores}
    seconds: float  # to fit
    note: str


def build_model(input_shape, num_classes, *, classifier):
    """An unfitted pipeline. Args: classifier: one of CLASSIFIERS."""
    return make_pipeline(StandardScaler(), clone(CLASSIFIERS[classifier]))


def main():
    args = _parser().parse_args()
    asked = names(args.classifier)
    if not asked or set(asked) - set(CLASSIFIERS):
        raise CallError(f"--classifier={args.classifier}: expected some of {', '.join(CLASSIFIERS)}")
    plan_of = _plans(args)
    again = asked if args.overwrite else []
    finished = {n for n, p in plan_of.items() if n not in again and _is_finished(p, strict=n in asked)}
    plan = plan_of[asked[0]]
    test, songs = plan.test, {subset: plan.load(subset) for subset in ("train", "validation")}
    for own in plan_of.values():
        own.test = test  # read once, and now
    if songs["validation"] is None:
        raise DataError(f"{plan.folders[tables.FEATURE]} has no validation songs; the table is sorted by them")
    plans.warn_of_labels(plan, songs)
    plans.warn_of_leaks(plan)
    tables.warn_of_origin(plan.folders[tables.FEATURE])
    counts = " and ".join(f"{len(part.y)} {subset}" for subset, part in songs.items())
    print(f"{counts} tracks, {len(plan.settings['classes'])} classes, {plan.sources[0].words}")
    results = {}
    for name in [name for name in CLASSIFIERS if name in finished | set(asked)]:
        try:
            results[name] = _read(plan_of[name]) if name in finished else _train(plan_of[name], songs, name)
        except DataError as error:
            if name in asked:
                raise
            print(f"warning: left out: {error}")
    folder = plan.target.parent
    _write_table(folder, results)
    if not any(result.model for result in results.values()):
        raise DataError(f"no classifier could be fitted; {folder / TABLE} says why")
    _draw(plan, songs, results, folder)
    drawn = [name for name in ("roc.png", "confusion_matrices.png", "tsne.png") if (folder / name).is_file()]
    print("wrote", ", ".join(str(folder / name) for name in (TABLE, *drawn)))


def _parser():
    parser = Parser(__doc__)
    text = f"comma list of {', '.join(f'{name} ({type(c).__name__})' for name, c in CLASSIFIERS.items())}"
    parser.add_argument("--classifier", default=",".join(CLASSIFIERS), metavar="A,B", help=text)
    tables.add_options(plans.add_data_options(parser))
    text = "of what a classifier draws at random, of the folds that give probabilities, of the map"
    parser.add_argument("--seed", type=natural, default=0, help=text)
    out = plans.add_run_options(parser)
    out.add_argument("--overwrite", action="store_true", help="replace runs that are there")
    return parser


def _plans(args):
    """{name of a classifier: its plan}, of the same songs."""
    settings = {"inputs": "statistics", "multi_label": False, "classifier": next(iter(CLASSIFIERS))}
    args_of = {n: argparse.Namespace(**vars(args) | settings | {"classifier": n, "member": n}) for n in CLASSIFIERS}
    first, *others = args_of
    plan = plans.of_statistics(build_model, args.columns, args_of[first], {})
    found = {first: plan}
    for name in others:
        settings = plan.settings | {"hyperparameters": {"classifier": name}}
        target = plan.target.with_name(name)
        found[name] = dataclasses.replace(plan, args=args_of[name], settings=settings, target=target)
    return found


def _is_finished(plan, strict):
    """Whether there is a run of these settings.

    Args:
        strict: whether one of other settings is an error, as it was asked for, or is left out of the table.
    """
    try:
        return plans.finished(plan.settings, plan.target)
    except CallError:
        if strict:
            raise
        return False


def _read(plan):
    found = comparison.read(plan.target)
    return Result(found.run.estimator, found.scores, found.run.info["seconds"], found.run.info["note"])


def _train(plan, songs, name):
    """Fit one classifier and write its run."""
    started = time.monotonic()
    train = songs["train"]
    shape, classes = (train.x.shape[1],), len(plan.settings["classes"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)  # of convergence, of columns that say the same
        try:
            model = build_model(shape, classes, **plan.hyperparameters)
            model.set_params(**{key: plan.args.seed for key in model.get_params() if key.endswith("random_state")})
            model = estimators.with_probabilities(model, train.y, train.rows, plan.args.seed)
            model.fit(train.x.astype(np.float64), train.y)
            model.predict_proba(songs["validation"].x.astype(np.float64))
        except Exception as error:  # whatever one classifier raises for these songs, the others go on
            print(f"{name}: failed: {first_line(error)}")
            return Result(None, {}, time.monotonic() - started, first_line(error))
    seconds = round(time.monotonic() - started, 2)
    note = "; ".join(dict.fromkeys(first_line(w.message) for w in caught if issubclass(w.category, UserWarning)))
    scores = _write(plan, songs, model, {"seconds": seconds, "fitted_on": ["train"], "note": note})
    print(f"{name}: {_said(scores)}, {seconds:.1f} s" + (f" ({note})" if note else ""))
    return Result(model, scores, seconds, note)


def _write(plan, songs, model, info):
    def write(folder):
        estimators.save(model, folder / runs.ESTIMATOR)

    def predict(subset, part):
        return model.predict_proba(part.x.astype(np.float64)), None

    unfinished = plan.target.with_name(f".{plan.target.name}.unfinished")
    with files.only_writer(plan.target):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        return records.write(plan, songs, unfinished, write, predict, info)


def _said(scores):
    return ", ".join(f"{subset} {evaluation.percent(of['accuracy'])}" for subset, of in scores.items())


def _write_table(folder, results):
    """Write classifiers.csv, the best on validation first, those that failed last."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [f"{subset}_{what}" for subset in ("validation", "test") for what in ("accuracy", "low", "high")]
    lines = [["classifier", "estimator", *columns, "seconds", "note"]]
    for name in sorted(results, key=lambda n: -_validation(results[n])):
        scores, numbers = results[name].scores, []
        for subset in ("validation", "test"):
            of = scores.get(subset)
            numbers += [f"{number:.6f}" for number in (of["accuracy"], *of["interval"])] if of else [""] * 3
        estimator = type(CLASSIFIERS[name]).__name__
        lines.append([name, estimator, *numbers, f"{results[name].seconds:.2f}", results[name].note])
    files.write_csv(folder / TABLE, lines)


def _validation(result):
    return result.scores["validation"]["accuracy"] if result.scores else -1


def _draw(plan, songs, results, folder):
    """The three pictures, of the last subset and of all songs."""
    classes, test = plan.settings["classes"], plan.test
    parts = songs | ({"test": test} if test else {})
    subset, last = list(parts.items())[-1]
    x, curves, counts = last.x.astype(np.float64), {}, {}
    for name, result in results.items():
        if result.model:
            said = result.model.predict_proba(x).argmax(axis=1)
            accuracy = evaluation.percent((said == last.y).mean())
            of_class, macro = evaluation.roc_curves(last.y, estimators.decisions(result.model, x))
            estimator = type(CLASSIFIERS[name]).__name__
            curves[f"{estimator}\naccuracy {accuracy}, macro AUC {macro[2]:.2f}"] = of_class, macro
            counts[f"{estimator}\naccuracy {accuracy}"] = evaluation.confusion_counts(last.y, said, len(classes))
    words = f"{plan.sources[0].words}, {len(last.y)} {subset} tracks"
    plots.roc_curves(curves, classes, f"One genre against the others, {words}", folder / "roc.png")
    plots.confusion_matrices(counts, classes, f"Confusion matrices, {words}", folder / "confusion_matrices.png")
    mean, variance = map(np.array, plan.sources[0].levels(songs["train"].x))
    x, y = (np.concatenate([getattr(part, what) for part in parts.values()]) for what in "xy")
    perplexity = evaluation.perplexity(len(y))
    title = f"t-SNE of {plan.sources[0].words}, standardised by train\n{len(y)} tracks, perplexity {perplexity:.3g}"
    if (xy := evaluation.tsne((x - mean) / np.sqrt(variance), plan.args.seed)) is not None:
        plots.points(xy, y, classes, title, folder / "tsne.png")


if __name__ == "__main__":
    run(main)
