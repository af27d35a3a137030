"""The rules by which runs vote: the probabilities of several for a track -> those of all together."""

from genre.command_line import DataError

import numpy as np

METHODS = ("majority", "confidence", "mean", "stacking")
REGULARISATION = 0.1  # C of stacking; of 0.01, 0.1 and 1 the best on three runs of GTZAN
DECIDING = 1e-5  # of a majority's probability goes to its winner alone: seen in six decimals, moves nothing else
SMALLEST = 1e-6  # a probability of 0 in six decimals, for its logarithm


def vote(method, members, machine=None):
    """
    Args:
        method: "majority": the label that most runs give, of several with as many the one of the run named first;
            "confidence": the label of the run whose largest probability is the largest, of several the first named;
            "mean": the label of the largest average probability; "stacking": what a machine makes of all.
        members: (runs, tracks, classes), the runs in the order in which they are named.
        machine: of `stack`, for "stacking".

    Returns:
        (tracks, classes), of which the largest is the label: for "majority" the shares of the votes, for "confidence"
        the probabilities of that run.
    """
    if method == "majority":
        return _majority(members)
    if method == "confidence":
        surest = members.max(axis=2).argmax(axis=0)
        return members[surest, np.arange(members.shape[1])]
    if method == "mean":
        return members.mean(axis=0)
    return _stacked(machine, members)


def _majority(members):
    votes = np.eye(members.shape[2])[members.argmax(axis=2)]  # (runs, tracks, classes)
    shares = votes.mean(axis=0)
    in_favour = (votes * shares).sum(axis=2)  # (runs, tracks), the share of all that vote as each run does
    winner = votes[in_favour.argmax(axis=0), np.arange(members.shape[1])]
    return (1 - DECIDING) * shares + DECIDING * winner


def stack(members, y, groups, seed):
    """Fit a logistic regression on the logarithms of the runs' probabilities.

    Args:
        members: (runs, tracks, classes), of tracks that the runs were not fitted on. y: (tracks,) class numbers.
        groups: (tracks,) names that never straddle folds. By track where an artist has several, what is held out is
            known by its artist, and the scores flatter, far. seed: of the folds.

    Returns:
        the machine; (tracks, classes), what machines fitted on the other folds say of each track; the number of folds

    Raises:
        DataError: there are not enough tracks.
    """
    from genre import estimators

    if len(set(y)) < 2:
        raise DataError("stacking is fitted on validation tracks, of two genres at least; use another --method")
    folds = estimators.folds(y, groups, np.ones(len(y), bool), seed)
    if sum(len(held) for _, held in folds) < len(y):
        raise DataError(f"stacking is fitted on validation tracks, and {len(y)} are too few; use another --method")
    held_out = np.zeros(members.shape[1:])
    for fitted, held in folds:
        held_out[held] = _stacked(_fit(members[:, fitted], y[fitted]), members[:, held])
    return _fit(members, y), held_out, len(folds)


def _fit(members, y):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=REGULARISATION, solver="newton-cg", max_iter=1000).fit(_columns(members), y)


def _stacked(machine, members):
    probabilities = np.zeros(members.shape[1:])
    probabilities[:, machine.classes_] = machine.predict_proba(_columns(members))  # it may not know every class
    return probabilities


def _columns(members):
    """(runs, tracks, classes) -> (tracks, runs * classes)"""
    return np.concatenate(np.log(np.clip(members, SMALLEST, 1)), axis=1)
