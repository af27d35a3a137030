"""The end of every training: what it learned is judged, and its run is written, whole or not at all."""

import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from genre import evaluation, files, runs

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "librosa", "soundfile", "soxr", "pillow", "scikit-learn")


def write(plan, pictures, unfinished, write_own, predict, info, device="CPU"):
    """Evaluate on validation and, now and only now, on test; write the run.

    Args:
        unfinished: a folder beside the run, removed at the end. write_own: folder -> None, writes the model itself.
        predict: (subset, Pictures) -> probabilities (pieces, classes). info: what run.json holds beside what all hold.
        device: that it was trained on, in words.

    Returns:
        {subset: its scores}
    """
    beside = unfinished / "run"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    judged = {"validation": pictures["validation"], "test": plan.load("test")}
    predicted = {subset: (p.rows, p.y, predict(subset, p)) for subset, p in judged.items() if p}
    scores = evaluation.write(beside, predicted, plan.settings["classes"], plan.title)
    write_own(beside)
    files.write_text(beside / runs.RUN, json.dumps(_info(plan, pictures, info, device), indent=2) + "\n")
    files.replace_folder(beside, plan.target, keep_others=True)
    shutil.rmtree(unfinished)
    return scores


def _info(plan, pictures, info, device):
    """run.json: what was asked for, on what, with what, and what it took."""
    return (
        plan.settings
        | {
            "command": shlex.join(["python", os.path.basename(sys.argv[0]), *sys.argv[1:]]),
            "images_path": str(next(iter(plan.folders.values()))),
            "tracks": {subset: len({row.track for row in p.rows}) for subset, p in pictures.items()},
        }
        | info
        | {
            "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
            "machine": {
                "system": platform.platform(),
                "processors": os.cpu_count(),
                "device": device,
            },
            "git_commit": _git_commit(),
        }
    )


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # tensorflow may have come as tensorflow-cpu
        return sys.modules[package].__version__ if package in sys.modules else None


def _git_commit():
    """The commit of this code, '+' behind it where files were changed since; None outside git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        described = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return described.stdout.strip() or None
