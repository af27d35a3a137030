"""Where a run comes from: the command, the code, the packages and the machine."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "librosa", "soundfile", "soxr", "pillow", "scikit-learn")


def command():
    """The command line of this process, as one would type it."""
    return shlex.join(["python", os.path.basename(sys.argv[0]), *sys.argv[1:]])


def made_with(device):
    """For run.json. Args: device: in words, what the numbers were computed on."""
    return {
        "versions": {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES},
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "device": device},
        "git_commit": _git_commit(),
    }


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
