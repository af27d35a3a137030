from collections import Counter

from genre import voting
from genre.command_line import DataError

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def shares(*labels, of=4, sure=0.7):
    """(tracks, classes), a run that gives these labels."""
    found = np.full((len(labels), of), (1 - sure) / (of - 1))
    found[np.arange(len(labels)), labels] = sure
    return found


def test_the_majority_wins_and_of_tied_labels_the_one_of_the_run_named_first():
    runs = [shares(3, 3, 3, 2, 0), shares(1, 1, 3, 1, 1), shares(1, 2, 3, 1, 0), shares(3, 0, 3, 2, 1)]
    found = voting.vote("majority", np.stack(runs))
    assert found.argmax(axis=1).tolist() == [3, 3, 3, 2, 0]
    np.testing.assert_allclose(found[2], [0, 0, 0, 1])
    np.testing.assert_allclose(found[0], [0, 0.5, 0, 0.5], atol=2e-5)


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 7])
def test_any_majority_is_that_of_a_counter_even_as_written_in_six_decimals(runs, rng):
    members = rng.dirichlet(np.ones(5), (runs, 500))
    found = voting.vote("majority", members)
    labels = [Counter(track).most_common(1)[0][0] for track in members.argmax(axis=2).T.tolist()]  # first seen wins
    assert found.argmax(axis=1).tolist() == labels
    assert found.round(6).argmax(axis=1).tolist() == labels
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_the_surest_run_gives_its_label_and_its_probabilities():
    runs = np.stack([shares(0, 0, 2, sure=0.6), shares(1, 1, 1, sure=0.6), shares(2, 3, 3, sure=0.6)])
    runs[2, 0] = [0.1, 0.1, 0.7, 0.1]
    found = voting.vote("confidence", runs)
    assert found.argmax(axis=1).tolist() == [2, 0, 2]  # of equally sure ones the first named
    np.testing.assert_array_equal(found, [runs[2, 0], runs[0, 1], runs[0, 2]])


def test_the_mean_is_the_average_of_the_probabilities(rng):
    members = rng.dirichlet(np.ones(5), (3, 20))
    np.testing.assert_allclose(voting.vote("mean", members), (members[0] + members[1] + members[2]) / 3)


def judges(rng, tracks=120):
    """Three runs of 4 classes, of which the second says nothing and the third swaps two classes. Returns members, y."""
    y = np.arange(tracks) % 4
    noise = rng.dirichlet(np.ones(4), (3, tracks))
    labels = [y, rng.permutation(y), np.array([0, 1, 3, 2])[y]]
    return 0.5 * noise + 0.5 * np.stack([shares(*label, sure=0.55) for label in labels]), y


def test_stacking_learns_whom_to_trust_and_what_they_mean(rng):
    members, y = judges(rng)
    machine, held_out, folds = voting.stack(members, y, np.arange(len(y)).astype(str), seed=0)
    best = max((own.argmax(axis=1) == y).mean() for own in members)
    assert folds == 5
    assert best < (held_out.argmax(axis=1) == y).mean()
    found = voting.vote("stacking", members, machine)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert best < (found.argmax(axis=1) == y).mean()


def test_what_stacking_says_of_validation_is_by_machines_that_never_saw_the_group(rng):
    groups = np.arange(30).repeat(4)
    members = rng.dirichlet(np.ones(8), (3, 30)).repeat(4, axis=1)  # the tracks of a group are alike,
    y = rng.permutation(np.arange(30) % 4)[groups]  # and say nothing of their genre
    machine, held_out, _ = voting.stack(members, y, groups.astype(str), seed=0)
    assert (held_out.argmax(axis=1) == y).mean() < 0.4
    assert (voting.vote("stacking", members, machine)[:, :4].argmax(axis=1) == y).mean() > 0.6


def test_a_genre_without_validation_tracks_gets_no_probability_from_a_machine(rng):
    members, y = judges(rng)
    machine, held_out, _ = voting.stack(members[:, y != 2], y[y != 2], np.arange((y != 2).sum()).astype(str), seed=0)
    assert (held_out[:, 2] == 0).all()
    found = voting.vote("stacking", members, machine)
    assert found.shape == (len(y), 4) and (found[:, 2] == 0).all()


def test_too_few_tracks_to_stack_are_an_error_that_says_so(rng):
    members, y = judges(rng)
    for labels in ([0, 0, 0], [0, 0, 1]):
        with pytest.raises(DataError, match="use another --method"):
            voting.stack(members[:, :3], np.array(labels), np.array(list("abc")), seed=0)
