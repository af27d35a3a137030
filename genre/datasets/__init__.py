"""Data sets: one module each. Its `FOLDERS` names its sets and where they lie; its `tracks(root, name)` lists them.

Its `left_out(root, tracks)` says in sentences what of the folder is in none of them. Its `LICENCE` says what is known
of the data's licence, "" for nothing: for the model cards of runs.

A new data set is a new file here: nothing else names them. One whose metadata name its tracks may also have
`catalogue(root, name)`, which lists them all, whether their audio is there or not.
"""

import dataclasses
import importlib
import pkgutil
from pathlib import Path

from genre.command_line import CallError


@dataclasses.dataclass(frozen=True)
class Track:
    """One audio file. `name` is unique among the tracks of its first label, and names its pictures."""

    path: Path
    name: str
    labels: tuple
    artist: str = ""
    album: str = ""
    subset: str = ""  # where an official list gives one
    fault: str = ""  # what is known to be wrong with it

    @property
    def id(self):
        return f"{self.labels[0]}/{self.name}"


def modules():
    """{name of a data set: the module that lists it}"""
    found = {}
    for entry in sorted(pkgutil.iter_modules(__path__), key=lambda entry: entry.name):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        found |= dict.fromkeys(module.FOLDERS, module)
    return found


def listed(name, root, data, absolute=False, audio=True):
    """A data set as --dataset names it.

    Args:
        name: of a data set, or of a CSV file that lists one. root: its folder, or None for its own below `data`.
        absolute: whether paths must hold in another folder than this, too.
        audio: whether it is needed; tracks that only the metadata know are listed, too, if it is not.

    Returns:
        tracks, sorted; the folder they lie in; sentences on what in it is left out.

    Raises:
        CallError: no such data set or folder. DataError: nothing usable in it.
    """
    known = modules()
    if name in known:
        root = Path(root or Path(data, known[name].FOLDERS[name]))
        root = root.absolute() if absolute else root
        if not audio and hasattr(known[name], "catalogue"):
            return known[name].catalogue(root, name), root, []
        tracks = known[name].tracks(root, name)
        return tracks, root, known[name].left_out(root, tracks)
    if name.lower().endswith(".csv"):
        table = importlib.import_module(f"{__name__}.table")
        root = Path(root or Path(name).parent)
        root = root.absolute() if absolute else root
        tracks, sentences = table.tracks_and_left_out(Path(name), root)
        return tracks, root, sentences
    raise CallError(f"no data set {name!r}; there are {', '.join(known)}, or a CSV file that lists one")


def about(name):
    """What dataset.json keeps of a data set. Args: name: as --dataset has it; of a CSV file without its folder."""
    return {"dataset": Path(name).name}


def licence(name):
    """What is known of a data set's licence, in sentences; "" for nothing. Args: name: in dataset.json, or None."""
    known = modules()
    return known[name].LICENCE if name in known else ""


def chosen(args, audio=True):
    """As `listed`, of the options that `add_options` adds; paths are absolute where other machines take part."""
    return listed(args.dataset, args.audio_files_path, args.data, bool(args.scheduler), audio)


def add_options(parser):
    """--dataset, --data and --audio_files_path, for `chosen`."""
    names = ", ".join(modules())
    parser.add_argument("--dataset", default="folder", help=f"{names}, or a FILE.csv with the columns path and genre")
    parser.add_argument("--data", default="data", help="folder that holds genres/ and all that is made of it")
    parser.add_argument(
        "--audio_files_path",
        metavar="FOLDER",
        help="where the songs are (default: <data>/genres, or the set's own; of a CSV file its folder)",
    )
