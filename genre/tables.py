"""Tables of statistics of a split: a table for each genre of each subset, and rows of it as a network's input.

<images>/statistics/{train,validation,test}/<genre>/features.csv, with an index.csv and a recipe.json as pictures have:
the `file` of an index row is the table that it stands in.
"""

import dataclasses
from typing import NamedTuple

from genre import index, inputs, statistics
from genre.command_line import CallError, DataError, names

import numpy as np

FEATURE = "statistics"
MAKE = "python create_statistics.py"


class Table(NamedTuple):
    """The statistics that a network takes: those of some series, of the tracks of a split."""

    folders: dict  # {"statistics": folder}
    series: list  # names of `statistics.SERIES`
    per_track = True

    @property
    def shape(self):
        """(columns,)"""
        return (len(positions(self.series)),)

    @property
    def words(self):
        return f"{self.shape[0]} statistics"

    @property
    def settings(self):
        """What of it makes two runs the same run."""
        return {
            "feature": FEATURE,
            "columns": self.series,
            "input_shape": self.shape,
            "feature_weights": [],
            "recipes": {FEATURE: statistics.read_recipe(self.folders[FEATURE])},
        }

    def load(self, subset, classes, multi_label):
        """As `load`."""
        return load(self.folders[FEATURE], subset, classes, self.series, multi_label)

    def levels(self, x):
        """Mean and variance of each column, float (columns,); 1 where it never changes: that must not be divided by.

        Args:
            x: float32 (rows, columns).
        """
        x = np.asarray(x, np.float64)
        mean, variance = x.mean(axis=0), x.var(axis=0)
        constant = variance <= (1e-5 * np.abs(mean)) ** 2  # nearer to what float32 tells apart is only noise
        return mean.tolist(), np.where(constant, 1.0, variance).tolist()


def add_options(group):
    """--columns, for `of_split`."""
    text = f"comma list of series whose statistics are taken: {', '.join(statistics.SERIES)} (default: all)"
    group.add_argument("--columns", type=names, default=[], metavar="A,B", help=text)


def of_split(images_path, series):
    """
    Args:
        images_path: as split_dataset.py wrote it. series: names of `statistics.SERIES`, [] for all.

    Raises:
        CallError: there are no statistics, or no such series. DataError: they are not from a split.
    """
    series = series or list(statistics.SERIES)
    if unknown := [name for name in series if name not in statistics.SERIES]:
        raise CallError(f"no series {', '.join(unknown)}; --columns takes {', '.join(statistics.SERIES)}")
    folder = images_path / FEATURE
    if not folder.is_dir():
        raise CallError(
            f"no statistics at {folder}; make them with: {MAKE}, python split_dataset.py, both with --data as here"
        )
    if index.read(folder) is None or statistics.read_recipe(folder) is None:
        lacks = index.RECIPE if index.read(folder) else index.INDEX
        raise DataError(f"{folder} has no {lacks}; make it again with: {MAKE}, python split_dataset.py")
    inputs.feature_folder(images_path, FEATURE)
    return Table({FEATURE: folder}, [name for name in statistics.SERIES if name in series])


def warn_of_origin(folder):
    """Say it if a run on this folder's statistics will not label songs."""
    origin = statistics.read_recipe(folder)["origin"]
    if origin != statistics.AUDIO:
        print(f"{folder} holds the numbers of {origin}, not such as are computed here: this run cannot predict songs")


def positions(series):
    """Where in `statistics.COLUMNS` the statistics of some series are, (columns,)."""
    return np.array([i for i, (name, _, _) in enumerate(statistics.COLUMNS) if name in series], int)


def load(folder, subset, classes, series=tuple(statistics.SERIES), multi_label=False):
    """The statistics of a subset.

    Args:
        multi_label: whether all labels of a track count, or the first.

    Returns:
        inputs.Pictures, whose `x` is float32 (tracks, columns), the columns in the order of `statistics.COLUMNS`; or
        None if the subset has no tracks.

    Raises:
        DataError: a table is damaged, or a track has no row in it or one that lacks numbers.
    """
    rows = index.subset_rows(folder, subset)
    if not rows:
        return None
    x = np.empty((len(rows), len(statistics.COLUMNS)), np.float32)
    for file in sorted({row.file for row in rows}):
        mine = [i for i, row in enumerate(rows) if row.file == file]
        x[mine] = _values(folder / file, [rows[i] for i in mine])
    x = x[:, positions(series)]
    if len(bad := np.argwhere(~np.isfinite(x))):
        row, name = rows[bad[0][0]], " ".join(statistics.COLUMNS[positions(series)[bad[0][1]]])
        raise DataError(
            f"{len(set(bad[:, 0]))} tracks lack numbers in {folder / row.file}, first {row.track} in {name}; "
            f"make it again with: {MAKE} --overwrite, python split_dataset.py"
        )
    return inputs.Pictures(x, inputs.targets(rows, classes, multi_label), rows)


def _values(path, rows):
    """What a table has of the tracks of index rows, float32 (rows, 518)."""
    found = dict(zip(*statistics.read(path), strict=True))
    if lost := [row.track for row in rows if row.track not in found]:
        raise DataError(f"{path} lacks {len(lost)} tracks that its index names, such as {lost[0]}; run {MAKE} again")
    return np.array([found[row.track] for row in rows], np.float32)


def share_out(folder, rows, subset_of, target):
    """Write the tables of a split.

    Args:
        folder: with a whole table, as create_statistics.py makes it. rows: index rows of what is shared out.
        subset_of: {track: subset}. target: has the folders <subset>/<genre>.

    Returns:
        the rows there
    """
    values = _values(folder / statistics.TABLE, rows)
    placed = {}
    for row, numbers in zip(rows, values, strict=True):
        subset = subset_of[row.track]
        file = f"{subset}/{row.labels[0]}/{statistics.TABLE}"
        placed.setdefault(file, []).append((dataclasses.replace(row, file=file, subset=subset), numbers))
    for file, found in placed.items():
        statistics.write(target / file, [row.track for row, _ in found], [numbers for _, numbers in found])
    return [row for found in placed.values() for row, _ in found]
