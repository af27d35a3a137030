"""Data sets: one module each, whose `tracks(root)` lists what there is."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Track:
    """One audio file. `name` is unique among the tracks of its first label, and names its pictures."""

    path: Path
    name: str
    labels: tuple
    artist: str = ""
    album: str = ""
    subset: str = ""  # where an official list gives one

    @property
    def id(self):
        return f"{self.labels[0]}/{self.name}"
