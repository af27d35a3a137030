"""index.csv beside the pictures of a folder: what each picture shows. The truth that later steps read."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from genre.command_line import DataError
from genre.files import read_csv, write_csv, write_text
from genre.recipe import Recipe

INDEX, RECIPE, DATASET = "index.csv", "recipe.json", "dataset.json"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
FORMATS = ", ".join(sorted(PICTURES))  # in words
SUBSETS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Row:
    """One picture. `file` is relative to the folder, with forward slashes; the first label is the class folder."""

    file: str
    track: str
    labels: tuple
    start: float = 0.0  # of the piece in the track, s
    seconds: float = 0.0  # of audio in the piece, s
    variant: str = ""
    artist: str = ""
    album: str = ""
    subset: str = ""
    audio_hash: str = ""  # sha256 of the audio file


COLUMNS = [field.name for field in dataclasses.fields(Row)]


def write(folder, rows):
    """Write index.csv, sorted by file, whole or not at all."""
    rows = sorted(rows, key=lambda row: row.file)
    cells = (vars(row) | {"labels": "|".join(row.labels)} for row in rows)
    write_csv(Path(folder) / INDEX, [COLUMNS, *([row[column] for column in COLUMNS] for row in cells)])


def read(folder):
    """The rows of a folder's index.csv, or None where there is no index.

    Raises:
        DataError: a column is missing, a number is none, or a picture lies outside the folder.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        return None
    with read_csv(path) as reader:
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or [])]:
            raise DataError(f"{path} lacks the columns {', '.join(missing)}; make the folder again")
        try:
            rows = [_row(cells) for cells in reader]
        except (ValueError, AttributeError, TypeError) as error:
            raise DataError(f"{path} cannot be read ({error}); make the folder again") from None
    return rows


def _row(cells):
    labels = tuple(cells["labels"].split("|"))
    if Path(cells["file"]).is_absolute() or ".." in Path(cells["file"]).parts:
        raise ValueError(f"{cells['file']} lies outside the folder")
    numbers = {name: float(cells[name]) for name in ("start", "seconds")}
    return Row(**{column: cells[column] for column in COLUMNS} | numbers | {"labels": labels})


def read_recipe(folder):
    """The recipe of a picture folder, or None where there is none."""
    path = Path(folder) / RECIPE
    return Recipe.from_json(path.read_text(encoding="utf-8", errors="replace"), path) if path.is_file() else None


def write_dataset(folder, about):
    """Write dataset.json. Args: about: {"dataset": its name, and of a split "split": how it was made, in words}."""
    write_text(Path(folder) / DATASET, json.dumps(about, indent=2) + "\n")


def read_dataset(folder):
    """As `write_dataset` wrote it; {} where it is not known: nothing but a run's model card needs it."""
    try:
        about = json.loads((Path(folder) / DATASET).read_text(encoding="utf-8"))
        return {key: str(about[key]) for key in ("dataset", "split") if key in about}
    except (OSError, ValueError, TypeError):
        return {}


def subset_rows(folder, subset):
    """The rows of one subset of a split picture folder: from its index, or from its class folders where it has none.

    Without an index the folder is the label and the file's stem the track.

    Returns:
        rows, sorted by file; [] if the subset has no folder.

    Raises:
        DataError: an indexed picture is missing.
    """
    folder = Path(folder)
    rows = read(folder)
    if rows is None:
        return _rows_of_class_folders(folder, subset)
    rows = sorted((row for row in rows if row.file.startswith(f"{subset}/")), key=lambda row: row.file)
    if missing := [row.file for row in rows if not (folder / row.file).is_file()]:
        raise DataError(
            f"{folder / INDEX} names {len(missing)} pictures that are gone, first {missing[0]}; split again"
        )
    return rows


def _rows_of_class_folders(folder, subset):
    return [
        Row(f"{subset}/{label}/{name}", f"{label}/{Path(name).stem}", (label,), subset=subset)
        for label in class_names(folder / subset)
        for name in sorted(os.listdir(folder / subset / label))
        if _is_picture(name) and not name.startswith(".")
    ]


def _is_picture(name):
    return name.lower().endswith(PICTURES)


def left_out(folder):
    """The paths below the subsets of a folder without an index that are no pictures of a class, sorted."""
    if (Path(folder) / INDEX).is_file():
        return []
    found = []
    for subset in SUBSETS:
        found += [path for path in Path(folder, subset).glob("[!.]*") if not path.is_dir()]
        inside = Path(folder, subset).glob("[!.]*/[!.]*")
        found += [path for path in inside if path.is_dir() or not _is_picture(path.name)]
    return sorted(found)


def class_names(folder):
    """The names of the class folders in a folder, sorted; hidden ones and loose files are none."""
    if not Path(folder).is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def fingerprint(rows):
    """A short hash of what rows, [(folder, row)], say and, where no audio hash is known, of the pictures' sizes."""
    digest = hashlib.sha256()
    for folder, row in rows:
        cells = dataclasses.astuple(row)
        size = "" if row.audio_hash else (Path(folder) / row.file).stat().st_size
        digest.update(repr((cells, size)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
