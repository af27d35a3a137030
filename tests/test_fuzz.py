"""Damaged audio of any kind: no crash, no hang, nothing half-made, and every file either has pictures or a reason."""

import csv
import os
import random
import subprocess
import sys

from genre import images, index

import pytest
import soundfile
from conftest import QUICK, ROOT, SR, sine

FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": None, "ogg": None, "au": "ULAW"}
SECONDS_A_FILE = 0.5  # what it may take at most, on average


def test_damaged_audio_never_stops_a_run(tmp_path, request):
    count, seed = request.config.getoption("fuzz"), request.config.getoption("fuzz_seed")
    originals = write_originals(tmp_path)
    rng = random.Random(seed)
    folder = tmp_path / "genres" / "damaged"
    folder.mkdir(parents=True)
    for i in range(count):
        extension, content = rng.choice(originals)
        (folder / f"{i:06d}.{extension}").write_bytes(damage(content, rng))
    (folder / "sound.wav").write_bytes(originals[0][1])
    make(tmp_path, timeout=60 + SECONDS_A_FILE * count)
    made = index.read(tmp_path / "dataset" / "mel")
    with open(tmp_path / "dataset" / "mel" / "skipped.csv", newline="") as file:
        skipped = {os.path.basename(row["file"]): row["reason"] for row in csv.DictReader(file)}
    assert all(0 < len(reason) < 300 for reason in skipped.values())
    pictured = {row.track.removeprefix("damaged/") for row in made}
    assert "sound" in pictured
    for path in folder.iterdir():
        assert path.stem in pictured or path.name in skipped, path.name
    files = {path.relative_to(tmp_path / "dataset" / "mel").as_posix() for path in tmp_path.glob("dataset/mel/*/*")}
    assert files == {row.file for row in made}
    for row in made:
        assert images.read(tmp_path / "dataset" / "mel" / row.file).size
    print(f"seed {seed}: {count} damaged files, {len(skipped)} skipped, {len(pictured) - 1} still gave pictures")


def write_originals(folder):
    """[(extension, bytes)] of a sound in every format, some with two channels or a rate that must be changed."""
    originals = []
    for extension, subtype in FORMATS.items():
        for sr, channels in ((SR, 1), (44100, 2)):
            path = folder / f"original.{extension}"
            sound = sine(440, 2.5, sr) + sine(1000, 2.5, sr, 0.1)
            soundfile.write(path, sound.repeat(channels).reshape(-1, channels), sr, subtype=subtype)
            originals.append((extension, path.read_bytes()))
            path.unlink()
    return originals


def damage(content, rng):
    """A copy with a few places of it changed, cut out, doubled or blanked, more often near the start, or cut short."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.randrange(min(len(content), rng.choice((16, 64, 512, len(content)))))
        length = rng.choice((1, 1, 2, 4, 64, 1024))
        kind = rng.randrange(5)
        if kind == 0:
            content[place : place + length] = rng.randbytes(len(content[place : place + length]))
        elif kind == 1:
            content[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            content[place : place + length] = rng.choice((b"\0", b"\xff")) * len(content[place : place + length])
        elif kind == 3:
            del content[place : place + length]
        else:
            content[place:place] = content[place : place + length]
        if len(content) < 20:
            break
    return bytes(content[: rng.randrange(len(content) + 1)] if rng.random() < 0.2 else content)


def make(data, timeout):
    """Run create_spectrograms.py with two workers; it must end in time, with 0 and without a traceback."""
    command = [sys.executable, str(ROOT / "create_spectrograms.py"), f"--data={data}", *QUICK, "--workers=2"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs over one of the files in {data}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
