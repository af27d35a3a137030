"""Artist and album as a network's input: a column for each name that train knows, the first for all others."""

from typing import NamedTuple

from genre import index, inputs, tables
from genre.datasets import folder as music

import numpy as np

FIELDS = ("artist", "album")  # columns of index.csv
PER_TRACK = (tables.FEATURE, *FIELDS)  # inputs that are no pictures: one of a track, not of each piece


class Names(NamedTuple):
    """The artists or the albums of tracks. `vocabulary` are those of train, sorted; `folder` has their index."""

    field: str
    folder: object
    vocabulary: list
    per_track = True
    folders = {}  # of its own: its rows are those of the pictures beside it

    @property
    def shape(self):
        """(columns,)"""
        return (1 + len(self.vocabulary),)

    @property
    def words(self):
        return f"{len(self.vocabulary)} {self.field}s"

    @property
    def settings(self):
        """What of it makes two runs the same run."""
        return {
            "feature": self.field,
            "vocabulary": self.vocabulary,
            "input_shape": self.shape,
            "feature_weights": [],
            "recipes": {},
        }

    def load(self, subset, classes, multi_label):
        """inputs.Pictures whose `x` is uint8 (pieces, columns), one column of each row 1; None without pieces."""
        rows = index.subset_rows(self.folder, subset)
        if not rows:
            return None
        x = one_hot([getattr(row, self.field) for row in rows], self.vocabulary)
        return inputs.Pictures(x, inputs.targets(rows, classes, multi_label), rows)

    def levels(self, x):
        """None: there is nothing to standardise."""


def of_split(field, folder):
    """The names that the training tracks of a picture folder have."""
    found = {music.one_case(getattr(row, field)) for row in index.subset_rows(folder, "train")}
    return Names(field, folder, sorted(found - {""}))


def one_hot(names, vocabulary):
    """uint8 (names, 1 + vocabulary): column 0 is 1 where a name, in lower case, is not in the vocabulary."""
    number = {name: i for i, name in enumerate(vocabulary, 1)}
    x = np.zeros((len(names), 1 + len(vocabulary)), np.uint8)
    x[np.arange(len(names)), [number.get(music.one_case(name), 0) for name in names]] = 1
    return x


def unknown(x):
    """As if none of the names in `x`, of `one_hot`, were known."""
    hidden = np.zeros_like(x)
    hidden[:, 0] = 1
    return hidden


def of_song(path, settings):
    """The name in a song's own tags, as a row of `one_hot`: uint8 (1, columns).

    FMA's and MTG-Jamendo's artists and albums are numbers, which no tag holds: runs on them know no song's.
    """
    return one_hot([music.read_names(path)[FIELDS.index(settings["feature"])]], settings["vocabulary"])
