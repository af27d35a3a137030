"""Any folder of genre folders: <root>/<genre>/**/<track>.wav, .mp3, .flac ... The folder is the genre."""

import collections
import hashlib
import os
from pathlib import Path

from genre.audio import EXTENSIONS
from genre.command_line import CallError, DataError
from genre.datasets import Track
from genre.index import class_names

LONGEST_NAME = 180  # bytes; file systems allow 255, and a piece number and a temporary name come on top


def tracks(root):
    """The audio files of every genre folder, sorted.

    Folders inside a genre folder are searched too; hidden files and linked folders inside it are left out.

    Raises:
        CallError: no such folder. DataError: no audio in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise CallError(f"no folder {root}; expected one folder per genre in it, or name yours with --audio_files_path")
    found = []
    for genre in class_names(root):
        files = audio_files(root / genre)
        for path, name in zip(files, _unique_names([file.relative_to(root / genre) for file in files]), strict=True):
            found.append(Track(path, name, (genre,)))
    if not found:
        raise DataError(f"{root} holds no <genre>/<song>.wav, .mp3, .flac ...; put one folder per genre there")
    return found


def audio_files(folder):
    """Every audio file below a folder, sorted; hidden ones (macOS's ._song.wav) and linked folders are left out."""
    return sorted(
        Path(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in EXTENSIONS and not any(p.startswith(".") for p in (name, Path(parent).name))
    )


def _unique_names(paths):
    """Picture names for the paths of one genre: the stem, or the whole path where two stems are alike."""
    stems = collections.Counter(path.stem.casefold() for path in paths)
    return [_shorten(path.stem if stems[path.stem.casefold()] == 1 else "_".join(path.parts)) for path in paths]


def _shorten(name):
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST_NAME:
        return name
    return encoded[:LONGEST_NAME].decode(errors="ignore") + "~" + hashlib.sha256(encoded).hexdigest()[:8]
