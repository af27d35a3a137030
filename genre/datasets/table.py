"""Any data set that a CSV file lists: path,genre and, where known, artist, album and subset. See `listed`."""

import collections
import os
from pathlib import Path

from genre.command_line import CallError, DataError
from genre.datasets import Track
from genre.datasets.folder import an_artist, one_case, unique_names, with_names
from genre.files import read_csv
from genre.index import SUBSETS

FOLDERS = {}  # a file, not a name
SUBSET_NAMES = {"training": "train", "val": "validation", "valid": "validation"}


def tracks_and_left_out(path, root):
    """
    Args:
        path: CSV with the columns path and genre (several genres of a track separated by |), perhaps artist, album and
            subset (train, validation, test). Paths are relative to `root`.

    Returns:
        tracks, sorted, and sentences on what is left out.

    Raises:
        CallError: no such file. DataError: a column is missing, a row is odd, or not one path exists.
    """
    if not path.is_file():
        raise CallError(f"no file {path}")
    rows = []
    with read_csv(path) as reader:
        if missing := {"path", "genre"} - set(reader.fieldnames or []):
            has = ", ".join(reader.fieldnames or []) or "none"
            raise DataError(f"{path} lacks the columns {' and '.join(sorted(missing))}; it has {has}")
        for number, cells in enumerate(reader, 2):
            rows.append(_row(cells, f"line {number} of {path}"))
    count = collections.Counter(Path(row["path"]) for row in rows)  # ./a.wav is a.wav
    if twice := sorted(listed for listed in count if count[listed] > 1):
        raise DataError(f"{path} lists {twice[0]} twice; separate the genres of one track by |")
    there = [row for row in rows if os.path.isfile(root / row["path"])]
    if not there:
        raise DataError(f"not one of the {len(rows)} paths in {path} is in {root}; --audio_files_path names another")
    sentences = []
    if gone := sorted({row["path"] for row in rows} - {row["path"] for row in there}):
        sentences.append(f"{len(gone)} paths without a file that may be read, such as {root / gone[0]}")
    names = _names(there)
    tracks = [
        Track(root / row["path"], names[row["path"]], row["labels"], row["artist"], row["album"], row["subset"])
        for row in there
    ]
    return sorted(with_names(tracks), key=lambda track: track.id), sentences


def _row(cells, where):
    labels = tuple(label.strip() for label in (cells["genre"] or "").split("|") if label.strip())
    subset = (cells.get("subset") or "").strip()
    subset = SUBSET_NAMES.get(subset, subset)
    if not cells["path"] or not labels:
        raise DataError(f"{where} has no {'genre' if cells['path'] else 'path'}")
    if bad := [label for label in labels if "/" in label or "\\" in label or label.startswith(".")]:
        raise DataError(f"{where}: the genre {bad[0]!r} cannot name a folder; write it without / and leading dot")
    if subset not in ("", *SUBSETS):
        raise DataError(f"{where}: the subset is {subset!r}, not one of {', '.join(SUBSETS)}")
    names = {"artist": an_artist(cells.get("artist") or ""), "album": one_case(cells.get("album") or "")}  # as of tags
    return {"path": cells["path"], "labels": labels, "subset": subset} | names


def _names(rows):
    """{path: a name unique among the tracks of its first genre}"""
    names = {}
    for label in sorted({row["labels"][0] for row in rows}):
        paths = sorted(row["path"] for row in rows if row["labels"][0] == label)
        names |= dict(zip(paths, unique_names([Path(path) for path in paths]), strict=True))
    return names
