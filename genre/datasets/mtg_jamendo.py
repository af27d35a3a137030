"""MTG-Jamendo, its genre part: 55,094 full tracks with 87 genre tags, several a track, in five official splits.

Source: Bogdanov, Won, Tovstogan, Porter & Serra, "The MTG-Jamendo dataset for automatic music tagging", ICML 2019
    workshop, http://hdl.handle.net/10230/42015; https://github.com/MTG/mtg-jamendo-dataset.
Licence: metadata CC BY-NC-SA 4.0; each track its artist's own Creative Commons licence.

`mtg_jamendo` is split 0, `mtg_jamendo_split1` to `_split4` the others; the tracks are the same, only the splits differ.
`mtg_jamendo_11` is the subset of an earlier project: tracks with one genre tag, 328 each of its eleven classes.
"""

import collections
import csv

from genre.command_line import CallError, DataError
from genre.datasets import Track
from genre.dumps import SUFFIX
from genre.index import SUBSETS

FOLDERS = {"mtg_jamendo": "mtg_jamendo", "mtg_jamendo_11": "mtg_jamendo"}
FOLDERS |= {f"mtg_jamendo_split{number}": "mtg_jamendo" for number in range(1, 5)}
FETCH = "the repository's scripts/download/download.py; its folder data/splits goes beside the tracks' folders"
LICENCE = (
    "Of MTG-Jamendo's tracks each has the Creative Commons licence that its artist chose. The metadata are "
    "CC BY-NC-SA 4.0."
)
ELEVEN = "ambient classical electronic hiphop jazz metal pop poprock reggae rock soundtrack"  # the earlier project's
PREFIX = "genre---"


def tracks(root, name):
    """The tracks that <root>/splits/split-N/autotagging_genre-*.tsv list.

    Each is <root>/NN/ID.mp3, or ID.low.mp3, or the mel dump ID.npy, of which `--preset=jamendo` makes pictures.

    Raises:
        CallError: the lists are not there. DataError: they are damaged, or not one track is there.
    """
    number = int(name.removeprefix("mtg_jamendo_split")) if name.startswith("mtg_jamendo_split") else 0
    listed = [row for subset in SUBSETS for row in _rows(root, number, subset)]
    if name == "mtg_jamendo_11":
        listed = single_tag_balanced(listed)
    found = []
    for row in listed:
        audio = root / row["path"]
        candidates = (audio, audio.with_suffix(".low.mp3"), audio.with_suffix(SUFFIX))
        if path := next((path for path in candidates if path.is_file()), None):
            found.append(Track(path, row["id"], row["labels"], row["artist"], row["album"], row["subset"]))
    if not found:
        raise DataError(
            f"{root} holds none of the {len(listed)} tracks, such as {listed[0]['path']}; fetch them with {FETCH}"
        )
    return sorted(found, key=lambda track: track.id)


def left_out(root, found):
    return []


def single_tag_balanced(rows):
    """Rows with exactly one genre tag, one of `ELEVEN`: of each as many as the rarest has, the first by number."""
    of_class = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row["id"]):
        if len(row["labels"]) == 1 and row["labels"][0] in ELEVEN.split():
            of_class[row["labels"][0]].append(row)
    smallest = min((len(found) for found in of_class.values()), default=0)
    return [row for found in of_class.values() for row in found[:smallest]]


def _rows(root, number, subset):
    """The rows of one list: {"id", "path", "artist", "album", "labels", "subset"}"""
    path = root / "splits" / f"split-{number}" / f"autotagging_genre-{subset}.tsv"
    if not path.is_file():
        raise CallError(f"no list {path}; fetch MTG-Jamendo with {FETCH}")
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(lines, None)
        for cells in lines:
            labels = tuple(tag.removeprefix(PREFIX) for tag in cells[5:] if tag.startswith(PREFIX))
            if len(cells) < 6 or not labels:
                raise DataError(f"{path}, line {lines.line_num}: expected five columns and genre tags; fetch it again")
            track, artist, album, audio = cells[:4]
            row = {"id": track.removeprefix("track_"), "path": audio, "artist": artist, "album": album}
            yield row | {"labels": labels, "subset": subset}
