"""FMA small and medium: clips of 30 s with Creative Commons licences, and the official artist-disjoint split.

Source: Defferrard, Benzi, Vandergheynst & Bresson, "FMA: a dataset for music analysis", ISMIR 2017,
    https://arxiv.org/abs/1612.01840; https://github.com/mdeff/fma.
Licence: metadata CC BY 4.0; each clip its artist's own, in tracks.csv.
"""

import csv

from genre.command_line import CallError, DataError
from genre.datasets import Track

NO_ALBUM = "-1"  # its number where a track is of none
FOLDERS = {"fma_small": "fma_small", "fma_medium": "fma_medium"}
FETCH = "bash download_fma.sh (Windows: download_fma.ps1)"
LICENCE = (
    "Of FMA's clips each has the Creative Commons licence that its artist chose; tracks.csv names it. The "
    "metadata are CC BY 4.0."
)
SUBSET_NAMES = {"training": "train", "validation": "validation", "test": "test"}
SHORT = {98565: 1.6, 98567: 0.5, 98569: 1.5, 99134: 0, 108925: 0, 133297: 0}  # seconds of audio, all in training


def tracks(root, name):
    """The clips of <root>/NNN/NNNNNN.mp3 that the metadata beside it, fma_metadata/tracks.csv, puts into this set.

    Raises:
        CallError: the clips or the metadata are not there. DataError: the metadata is damaged.
    """
    _need(root, name)
    found = [track for track in catalogue(root, name) if track.path.is_file()]
    if not found:
        where = _metadata_path(root)
        raise DataError(f"{root} holds none of the clips that {where} puts into {name}; fetch them with: {FETCH}")
    return found


def catalogue(root, name):
    """As `tracks`, but also what has no clip there: the metadata are enough."""
    path = _metadata_path(root)
    _need(path, name)
    sets = ("small",) if name == "fma_small" else ("small", "medium")
    found = []
    for number, cells in _metadata(path):
        if cells["set", "subset"] not in sets or not cells["track", "genre_top"]:
            continue
        clip = root / f"{number:06d}"[:3] / f"{number:06d}.mp3"
        label = cells["track", "genre_top"].replace(" / ", "-").replace("/", "-")  # Old-Time / Historic
        artist, album, subset = (cells[column] for column in (("artist", "id"), ("album", "id"), ("set", "split")))
        fault = f"{SHORT[number]} s of audio in the archive itself" if number in SHORT else ""
        album = "" if album == NO_ALBUM else album
        found.append(Track(clip, clip.stem, (label,), artist, album, SUBSET_NAMES.get(subset, ""), fault))
    return sorted(found, key=lambda track: track.id)


def _metadata_path(root):
    return root.parent / "fma_metadata" / "tracks.csv"


def _need(path, name):
    if not path.exists():
        raise CallError(f"no {name} at {path}; fetch it with: {FETCH}")


def left_out(root, found):
    """Sentences on what of the folder is in none of the tracks found."""
    known = {track.path for track in found}
    others = [path for path in sorted(root.glob("[0-9][0-9][0-9]/*.mp3")) if path not in known]
    return [f"{len(others)} clips that are not in the set or have no genre, such as {others[0]}"] if others else []


def _metadata(path):
    """(track number, {(group, column): cell}) of every row of tracks.csv, which has two rows of names and one more."""
    csv.field_size_limit(2**24)  # artists' biographies
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)
            names = list(zip(next(lines), next(lines), strict=True))
            for cells in lines:
                if cells and cells[0].isdigit():
                    row = dict(zip(names, cells, strict=True))
                    yield int(cells[0]), {key: row[key] for key in _COLUMNS}
    except (StopIteration, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path} is not FMA's tracks.csv ({error or 'empty'}); fetch it again with: {FETCH}") from None


_COLUMNS = (("set", "split"), ("set", "subset"), ("track", "genre_top"), ("artist", "id"), ("album", "id"))
