"""GTZAN: 1,000 clips of 30 s in ten genres, with the fault-filtered split.

Source: Tzanetakis & Cook, "Musical genre classification of audio signals", IEEE Transactions on Speech and Audio
    Processing 10(5), 2002, https://doi.org/10.1109/TSA.2002.800560. Its faults: Sturm, "The GTZAN dataset: its
    contents, its faults, ...", 2013, https://arxiv.org/abs/1306.1461. The split, 443 / 197 / 290 of the 1,000:
    Kereliuk, Sturm & Larsen, "Deep learning and music adversaries", IEEE Transactions on Multimedia 17(11), 2015,
    https://doi.org/10.1109/TMM.2015.2478068; lists at https://github.com/boblsturm/GTZAN.
Licence: none stated.
"""

import dataclasses
import re

from genre.command_line import CallError, DataError
from genre.datasets import folder

FOLDERS = {"gtzan": "genres"}
FETCH = "bash download_gtzan.sh (Windows: download_gtzan.ps1)"
LICENCE = "GTZAN comes without a licence statement; by custom it is used for research."
FAULTS = {"jazz/jazz.00054": "broken in the copy on Kaggle, whole in the original archive"}

# Numbers of the clips of each genre in train, validation and test; the others repeat one of these, are by an artist of
# another subset, or are distorted.
FAULT_FILTERED = {
    "blues": ("29-49 73-97", "0-11 50-60", "12-28 61-72 98-99"),
    "classical": ("30-33 43-48 50-67 80-99", "0-10 68-76", "11-29 34-41 49 77-79"),
    "country": ("19-26 28-29 65-99", "0-7 9-18 27 41-42 45 49", "30-40 43-44 46-48 50-51 53-64"),
    "disco": (
        "5 15-20 22-37 39-45 47 49 53-54 56-57 59 61 70 73-74 89",
        "0 2-4 6-14 46 48 52 67-68 72 75 90 95",
        "1 21 58 62-66 69 76-88 91-94 96-97 99",
    ),
    "hiphop": ("2-25 28-29 31-38 41-42 55-61 77-80", "81-98", "0 26-27 30 40 43-45 51-54 62-75 99"),
    "jazz": ("0-1 11-24 41 47-72", "2-10 25-32", "73-99"),
    "metal": (
        "2-3 5 21 24 35 46-57 59-66 69 71-72 79-80 84 86 89-99",
        "0-1 6-11 16-20 36-37 68 76-77 81-82",
        "12-15 22-23 25-33 38-39 67 70 73-75 78 83 85 87-88",
    ),
    "pop": (
        "2-9 11-12 16-20 23-29 31-36 38-42 44 46 49-50 80 97-99",
        "10 53 55 58-62 81 83-86",
        "0-1 13-14 43 63-66 69-79 82 88-96",
    ),
    "reggae": (
        "0-2 4 6 9 11-12 14-32 42-45 49-51 54-60 63 69",
        "61-62 70 72 74 76-78 85 92-99",
        "34-40 46-48 52-53 64-68 71 79 82-84 87-90",
    ),
    "rock": ("0-9 16-26 57-70 91-99", "38 49-56 71-85", "10-15 27-37 39-48 86-90"),
}


def tracks(root, name="gtzan"):
    """The clips, .wav or .au, each with its subset in the fault-filtered split.

    Raises:
        CallError: no such folder. DataError: it holds other genres than GTZAN's.
    """
    if not root.is_dir():
        raise CallError(f"no GTZAN at {root}; fetch it with: {FETCH}")
    found = folder.songs(root)
    if others := sorted({track.labels[0] for track in found} - set(FAULT_FILTERED)):
        raise DataError(
            f"{root} holds {', '.join(others)}, which GTZAN does not have; --dataset=folder takes any genres"
        )
    subset_of = {track: subset for subset, numbers in lists().items() for track in numbers}
    return [
        dataclasses.replace(track, subset=subset_of.get(_id(track), ""), fault=FAULTS.get(_id(track), ""))
        for track in found
    ]


def left_out(root, found):
    return folder.left_out(root, found)


def lists():
    """{subset: ids of its clips, such as blues/blues.00029}"""
    ids = {"train": [], "validation": [], "test": []}
    for genre, ranges in FAULT_FILTERED.items():
        for subset, text in zip(ids, ranges, strict=True):
            for part in text.split():
                first, _, last = part.partition("-")
                ids[subset] += [f"{genre}/{genre}.{n:05d}" for n in range(int(first), int(last or first) + 1)]
    return ids


def _id(track):
    """The clip's own name, whatever its file's is made unique with."""
    found = re.match(r"[a-z]+\.\d{5}(?!\d)", track.path.name)
    return f"{track.labels[0]}/{found[0]}" if found else track.id
