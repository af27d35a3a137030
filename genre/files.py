"""Files and folders that appear whole under their name or not at all."""

import contextlib
import csv
import hashlib
import os
import re
import shutil
import time
from pathlib import Path

from genre.command_line import CallError, DataError

import filelock


@contextlib.contextmanager
def whole_file(path):
    """A path beside `path` to write to; it takes the name `path` when the block ends well, and is removed otherwise.

    The path ends as `path` does, so that writers that look at the extension still work.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{os.getpid()}.{name}")
    try:
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        if error.filename == temporary:  # a name that the user does not know
            error.filename = os.fspath(path)
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


@contextlib.contextmanager
def alone_in(folder):
    """Make a folder and hold its lock, waiting for another process that has it; ends with that process at the latest.

    What a killed process, or worker, left half-written in it and in the folders right below is removed, before and
    after.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"another process is writing {folder}; waiting until it is done", flush=True)
        lock.acquire()
        time.sleep(1)  # if it was killed, its workers notice within half of that
    try:
        _remove_half_written(folder)
        yield
        _remove_half_written(folder)
    finally:
        lock.release()


@contextlib.contextmanager
def only_writer(path):
    """Hold the lock of what is written at `path`, a hidden file beside it; ends with this process at the latest.

    Raises:
        CallError: another process holds it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise CallError(f"another process is writing {path}; wait until it is done, or name another") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # while it is held; Windows removes it when it is released
            os.remove(lock.lock_file)
        lock.release()


@contextlib.contextmanager
def whole_folder(path, keep=None):
    """A folder beside `path` to fill; it takes the name `path` when the block ends well, and is removed otherwise.

    Args:
        path: whose lock, `only_writer`, the caller holds. keep: as in `replace_folder`.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
    beside.mkdir()
    try:
        yield beside
        replace_folder(beside, path, keep)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _remove_half_written(folder):
    for path in [*folder.glob(".*"), *folder.glob("*/.*")]:
        if re.fullmatch(r"\.\d+\..+", path.name, re.DOTALL):
            path.unlink(missing_ok=True)


def _replace(source, target):
    """`os.replace`, which Windows refuses while another program has the target open, tried for a second."""
    for attempt in range(20):
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt" or attempt == 19:
                raise
            time.sleep(0.05)


def write_text(path, text):
    """Write UTF-8 text to `path`, whole or not at all."""
    with whole_file(path) as temporary, _open_text(temporary) as file:
        file.write(text)


def link(source, target):
    """Give a file a second name, or copy it where the file system cannot: to another disk, or without links.

    Raises:
        FileNotFoundError: there is no such file. FileExistsError: there is something at `target`.
    """
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        shutil.copyfile(source, target)


def sha256(path):
    """Of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_csv(path, lines):
    """Write lines, the first of them the column names, as CSV, whole or not at all."""
    with whole_file(path) as temporary, _open_text(temporary) as file:
        plain = csv.writer(file, lineterminator="\n")
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)  # before Python 3.13, \r went unquoted
        for line in lines:
            (quoted if any("\r" in str(cell) for cell in line) else plain).writerow(line)


@contextlib.contextmanager
def read_csv(path):
    """The rows of a CSV file whose first line has the column names, as csv.DictReader gives them.

    Raises:
        DataError: it is no CSV: a quote that nothing closes would swallow all rows after it.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            yield reader
        except csv.Error as error:
            what = f"{path} is no CSV from line {reader.line_num + 1} on ({error})"
            raise DataError(f'{what}; look for a quote (") that is not closed or not doubled') from None


def _open_text(path):
    # surrogateescape: a file name that is not valid UTF-8 goes out, and comes back in, as it was.
    return open(path, "w", encoding="utf-8", errors="surrogateescape", newline="")


def replace_folder(new, final, keep=None):
    """Give the folder `new` the name `final`; what stood there before is removed once `final` is complete.

    Args:
        keep: whether to move a path of the old folder into the new one, if that lacks it; by default none.
    """
    new, final = Path(new), Path(final)
    recover_folder(final, keep)
    if final.exists():
        final.rename(_old(final))
    new.rename(final)
    recover_folder(final, keep)


def recover_folder(final, keep=None):
    """Finish, or undo, a `replace_folder` that was killed."""
    final = Path(final)
    old = _old(final)
    if not old.is_dir():
        return
    if not final.exists():
        old.rename(final)
        return
    for path in [path for path in sorted(old.iterdir()) if keep and keep(path)]:
        if not (final / path.name).exists():
            path.rename(final / path.name)
    if old.is_symlink():  # what it leads to stays as it is
        old.unlink()
    shutil.rmtree(old, ignore_errors=True)


def _old(final):
    return final.with_name(f".{final.name}.old")
