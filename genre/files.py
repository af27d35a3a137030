"""Files and folders that appear whole under their name or not at all."""

import contextlib
import csv
import io
import os
import shutil


@contextlib.contextmanager
def whole_file(path):
    """A path beside `path` to write to; it takes the name `path` when the block ends well, and is removed otherwise.

    The path ends as `path` does, so that writers that look at the extension still work.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{os.getpid()}.{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def write_text(path, text):
    """Write UTF-8 text to `path`, whole or not at all."""
    # surrogateescape: a file name that is not valid UTF-8 goes out, and comes back in, as it was.
    with (
        whole_file(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as f,
    ):
        f.write(text)


def write_csv(path, lines):
    """Write lines, the first of them the column names, as CSV, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(path, text.getvalue())


def replace_folder(new, final, keep_subfolders=False):
    """Give the folder `new` the name `final`; what stood there before is removed once `final` is complete.

    Args:
        keep_subfolders: move the old folder's subfolders that `new` lacks into it.
    """
    new, final = str(new), str(final)
    old = os.path.join(os.path.dirname(final), f".{os.path.basename(final)}.old")
    recover_folder(final)
    if os.path.lexists(final):
        os.rename(final, old)
    os.rename(new, final)
    if keep_subfolders and os.path.isdir(old):
        for entry in sorted(os.scandir(old), key=lambda entry: entry.name):
            if entry.is_dir() and not os.path.lexists(os.path.join(final, entry.name)):
                os.rename(entry.path, os.path.join(final, entry.name))
    shutil.rmtree(old, ignore_errors=True)


def recover_folder(final):
    """Undo a `replace_folder` that was killed between its two renames."""
    old = os.path.join(os.path.dirname(str(final)), f".{os.path.basename(str(final))}.old")
    if os.path.isdir(old):
        if os.path.lexists(final):
            shutil.rmtree(old)
        else:
            os.rename(old, final)
