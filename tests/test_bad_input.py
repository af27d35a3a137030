"""One folder of everything that a music library may hold: what is used, what is skipped, and the reason given."""

import csv
import json
import os
import re
import subprocess
import sys

from genre import index

import numpy as np
import pytest
import soundfile
from conftest import QUICK, ROOT, SR, call, run_here, sine

TONE = sine(440, 2.0)  # two pieces of 1 s
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 9 * SR).astype(np.float32)


def sound(samples=TONE, sr=SR, **options):
    return lambda path: soundfile.write(path, samples, sr, **options)


def bytes_of(content):
    return lambda path: path.write_bytes(content)


def cut(share, samples=NOISE, **options):
    """A sound of which only the first share of the bytes is there."""

    def write(path):
        soundfile.write(path, samples, SR, **options)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return write


# name: (how to write it, the reason for which it is skipped)
SKIPPED = {
    "empty.wav": (bytes_of(b""), "an empty file"),
    "empty.mp3": (bytes_of(b""), "an empty file"),
    "text.wav": (bytes_of(b"not found\n" * 200), "cannot be decoded"),
    "page.mp3": (bytes_of(b"<html><body>404</body></html>" * 99), "cannot be decoded"),
    "picture.flac": (bytes_of(b"\x89PNG\r\n\x1a\n" + bytes(999)), "cannot be decoded"),
    "film.m4a": (bytes_of(b"\0\0\0 ftypM4A " + bytes(99)), "cannot be decoded .*convert it to WAV or FLAC"),
    "jazz.00054.wav": (bytes_of(b"RIFF" + NOISE.tobytes()[:4096]), "cannot be decoded"),  # Kaggle's has no header
    "header_only.wav": (sound(TONE[:0]), "holds no audio"),
    "cut.wav": (cut(0.5), "cut short: 4 s of 9 s|cut short: 5 s of 9 s"),
    "cut.flac": (cut(0.5), "cut short|cannot be decoded"),
    "cut.mp3": (cut(0.5), "cut short"),
    "cut.au": (cut(0.5), "cut short"),
    "cut.ogg": (cut(0.05), "cannot be decoded|shorter than 95%"),
    "silent.wav": (sound(np.zeros(SR)), "silent"),
    "constant.wav": (sound(np.full(SR, 0.5)), "silent"),
    "dither.wav": (sound(np.random.default_rng(0).choice([0, 2.0**-15], SR), subtype="PCM_16"), "silent"),
    "nan.wav": (sound(np.where(np.arange(SR) == 99, np.nan, 0.1), subtype="FLOAT"), "not numbers"),
    "infinity.wav": (sound(np.where(np.arange(SR) == 99, -np.inf, 0.1), subtype="DOUBLE"), "not numbers"),
    "loud.wav": (sound(1e25 * TONE, subtype="FLOAT"), "samples of .e.24, where full scale is 1"),
    "louder.wav": (sound((3.3e38 * np.ones((SR, 2))).astype(np.float32), subtype="FLOAT"), "where full scale is 1"),
    "short.wav": (sound(sine(440, 0.05)), r"0\.05 s long, shorter than 95% of a piece"),
    "shorter_than_a_frame.wav": (sound(sine(440, 0.01)), r"0\.01 s long"),
    "one_sample.wav": (sound(TONE[5:6]), "s long"),
}
# name: (how to write it, pictures it gives)
USED = {
    "plain.wav": (sound(), 2),
    "plain.flac": (sound(), 2),
    "plain.ogg": (sound(), 2),
    "plain.au": (sound(), 2),
    "8_bit.wav": (sound(subtype="PCM_U8"), 2),
    "24_bit.aiff": (sound(subtype="PCM_24"), 2),
    "ulaw.au": (sound(subtype="ULAW"), 2),
    "64_bit.wav": (sound(subtype="DOUBLE"), 2),
    "over_full_scale.wav": (sound(100 * TONE, subtype="FLOAT"), 2),
    "192_khz_6_channels.wav": (sound(sine(440, 2.0, 192000).repeat(6).reshape(-1, 6), 192000), 2),
    "96_percent.wav": (sound(sine(440, 0.96)), 1),
    "UPPER.WAV": (sound(), 2),
    "upper.wav": (sound(), 2),
    "track.mix.final.wav": (sound(), 2),
    "träck ñ 音楽 \N{MUSICAL NOTE}.wav": (sound(), 2),
    'it\'s "quoted"; $(touch evil) `touch evil` & more.wav': (sound(), 2),
    "two\nlines.wav": (sound(), 2),
    "carriage\rreturn.wav": (sound(), 2),
    "-rf.wav": (sound(), 2),
    "--strict.wav": (sound(), 2),
    "%s%d{}.wav": (sound(), 2),
    "comma, tab\t and |.wav": (sound(), 2),
    "n" * 251 + ".wav": (sound(), 2),
    "ü" * 125 + ".wav": (sound(), 2),
    "song.wav": (sound(), 2),
    "song.000.wav": (sound(), 2),  # as a piece of song is called
    "song.000.pitch+1.wav": (sound(), 2),
    "dup.wav": (sound(), 2),
    "dup.flac": (sound(), 2),
}
IGNORED = (".DS_Store", "Thumbs.db", "desktop.ini", "._plain.wav", "cover.jpg", "playlist.m3u", ".hidden.mp3")
if os.name == "nt":
    USED = {name: made for name, made in USED.items() if not re.search(r'[\n\r\t"|]', name) and len(name) < 200}
else:
    USED |= {os.fsdecode(b"caf\xe9.wav"): (lambda path: soundfile.write(os.fsencode(path), TONE, SR), 2)}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """(the data folder, what a run over all of it printed)."""
    data = tmp_path_factory.mktemp("data")
    for genre in ("good", "bad"):
        (data / "genres" / genre).mkdir(parents=True)
    for name, (write, _) in SKIPPED.items():
        write(data / "genres" / "bad" / name)
    for name, (write, _) in USED.items():
        write(data / "genres" / "good" / name)
    for name in IGNORED:
        (data / "genres" / name).write_bytes(b"x")
        (data / "genres" / "good" / name).write_bytes(b"x")
    done = call("create_spectrograms.py", f"--data={data}", *QUICK, cwd=data)
    return data, done.stdout


@pytest.fixture(scope="module")
def reasons(library):
    with open(library[0] / "dataset" / "mel" / "skipped.csv", newline="", errors="surrogateescape") as file:
        return {os.path.basename(row["file"]): row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", SKIPPED)
def test_what_cannot_be_used_is_skipped_with_its_reason(library, reasons, name):
    assert re.search(SKIPPED[name][1], reasons[name])
    assert not list((library[0] / "dataset" / "mel" / "bad").glob(f"{name.rsplit('.', 1)[0]}*"))


def test_nothing_else_is_skipped_and_all_of_it_is_counted(library, reasons):
    assert sorted(reasons) == sorted(SKIPPED)
    total = len(SKIPPED) + len(USED)
    assert f"skipped {len(SKIPPED)} of {total} tracks" in library[1]
    pieces = sum(count for _, count in USED.values())
    assert f"mel: {pieces} pictures of {len(USED)} tracks in 1 genres" in library[1]
    assert "empty: bad" in library[1]


def test_every_name_gives_pictures_of_its_own_and_survives_the_split(library):
    data = library[0]
    rows = index.read(data / "dataset" / "mel")
    assert len({row.track for row in rows}) == len(USED)
    assert len({row.file.casefold() for row in rows}) == len(rows)
    for row in rows:
        assert (data / "dataset" / "mel" / row.file).is_file()
    assert not list(data.rglob("evil"))
    call("split_dataset.py", f"--data={data}", cwd=data)
    split = index.read(data / "images" / "mel")
    assert len(split) == len(rows)
    for row in split:
        assert (data / "images" / "mel" / row.file).is_file()


def test_byte_identical_audio_is_reported_and_kept_in_one_subset(library):
    data, output = library
    copies = {row.track for row in index.read(data / "dataset" / "mel")}
    assert re.search(r"\d+ tracks are byte-identical copies of others, such as good/", output)
    call("split_dataset.py", f"--data={data}", cwd=data)
    subsets = {}
    for row in index.read(data / "images" / "mel"):
        subsets.setdefault(row.audio_hash, set()).add(row.subset)
    assert all(len(found) == 1 for found in subsets.values())
    assert len(copies) > len(subsets)


def test_files_that_are_no_music_are_ignored(library):
    data, output = library
    assert not any(name in output for name in IGNORED)
    assert index.class_names(data / "dataset" / "mel") == ["bad", "good"]


def test_strict_makes_any_skipped_file_a_failure(library):
    call("create_spectrograms.py", f"--data={library[0]}", *QUICK, "--strict", code=1)


def test_a_song_that_is_silent_in_part_is_a_failure_each_time(tmp_path):
    (tmp_path / "genres" / "rock").mkdir(parents=True)
    sound(np.concatenate([TONE, np.zeros(SR), TONE]))(tmp_path / "genres" / "rock" / "song.wav")
    for _ in range(2):
        done = call("create_spectrograms.py", f"--data={tmp_path}", *QUICK, "--strict", code=1)
        assert "silent for a piece from 2 s on" in done.stdout
        assert "silent" in (tmp_path / "dataset" / "mel" / "skipped.csv").read_text()
    (tmp_path / "again.csv").write_text("path,genre,artist\ngenres/rock/song.wav,rock,someone\n")
    done = call("create_spectrograms.py", f"--data={tmp_path}", *QUICK, f"--dataset={tmp_path / 'again.csv'}")
    assert "silent for a piece from 2 s on" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_are_followed_to_files_and_genres_but_never_round_in_circles(tmp_path):
    genres, elsewhere = tmp_path / "genres", tmp_path / "elsewhere" / "live"
    (genres / "rock").mkdir(parents=True)
    elsewhere.mkdir(parents=True)
    sound()(genres / "rock" / "song.wav")
    sound(sine(300, 2.0))(elsewhere / "far.wav")
    (genres / "rock" / "link.wav").symlink_to(elsewhere / "far.wav")
    os.link(genres / "rock" / "song.wav", genres / "rock" / "hard.wav")
    (genres / "rock" / "broken.wav").symlink_to("nowhere.wav")
    (genres / "rock" / "itself.wav").symlink_to("itself.wav")
    os.mkfifo(tmp_path / "pipe")
    (genres / "rock" / "pipe.wav").symlink_to(tmp_path / "pipe")
    (genres / "rock" / "folder").symlink_to(elsewhere)
    (genres / "rock" / "loop").symlink_to(genres)
    (genres / "pop").symlink_to(elsewhere)
    (genres / "loop").symlink_to(genres)
    (genres / "up").symlink_to(tmp_path)
    (genres / "again").symlink_to(genres / "rock")
    done = call("create_spectrograms.py", f"--data={tmp_path}", *QUICK)
    assert "mel: 8 pictures of 4 tracks in 2 genres" in done.stdout
    assert re.search(r"left out: 5 links to folders, such as .*again", done.stdout)
    assert "skipped 2 of 6 tracks" in done.stdout
    assert re.search(r"rock/broken\.wav +cannot be read \(No such file or directory\)", done.stdout)
    assert re.search(r"rock/itself\.wav +cannot be read \(Too many levels of symbolic links\)", done.stdout)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda genres: None, "no folder"),
        (lambda genres: genres.mkdir(), "put one folder per genre there"),
        (lambda genres: (genres / "rock").mkdir(parents=True), "put one folder per genre there"),
        (lambda genres: genres.write_text("x"), "no folder"),
        (lambda genres: [genres.mkdir(), sound()(genres / "loose.wav")], "put one folder per genre there"),
        (lambda genres: [(genres / "a|b").mkdir(parents=True), sound()(genres / "a|b" / "x.wav")], "rename it"),
    ],
)
def test_a_folder_without_genres_is_one_line(tmp_path, build, message):
    if os.name == "nt" and message == "rename it":
        pytest.skip("no such names there")
    build(tmp_path / "genres")
    done = run_here("create_spectrograms.py", [f"--data={tmp_path}", *QUICK], None)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


MEMORY = """
import json, pathlib, resource, sys
from genre import audio, rendering
from genre.datasets import Track
from genre.recipe import Recipe
from genre.variants import ORIGINAL
path, target = map(pathlib.Path, sys.argv[1:])
recipes = {feature: Recipe.of(feature) for feature in ("mel", "whisper_mel")}
for feature in recipes:
    (target / feature / "genre").mkdir(parents=True)
rows, reasons = rendering.make_pictures(Track(path, path.stem, ("genre",)), {}, recipes, [ORIGINAL], target)
print(json.dumps([len(rows["mel"]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


@pytest.mark.skipif(os.name == "nt", reason="no resource module there")
def test_an_hour_takes_the_memory_of_ten_minutes(tmp_path):
    """From file to pictures, at two rates. Most of it is silence, which is decoded and cut like all else."""
    found = []
    for minutes in (10, 60):
        path = tmp_path / f"{minutes}.au"
        samples = np.zeros(minutes * 60 * SR, np.int16)
        samples[: 60 * SR] = np.random.default_rng(0).integers(-9999, 9999, 60 * SR)
        samples[-120 * SR :] = np.random.default_rng(1).integers(-9999, 9999, 120 * SR)
        soundfile.write(path, samples, SR, subtype="PCM_16")
        command = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / f"pictures{minutes}")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    (few, little), (many, much) = found
    assert few == many == 8  # of 30 s, with sound in them; the resampler rings into the silence beside
    assert much < little + 20  # MB


@pytest.mark.skipif(os.name == "nt", reason="no resource module there")
def test_ten_hours_are_decoded_in_the_memory_of_one_minute(tmp_path):
    code = (
        "import resource, sys; from genre import audio\n"
        "print(sum(1 for _ in audio.pieces(sys.argv[1], [22050], 30.0)))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    found = []
    for seconds in (60, 36000):
        path = tmp_path / f"{seconds}.au"
        with open(path, "wb") as file:
            file.write(b".snd" + b"".join(n.to_bytes(4, "big") for n in (24, seconds * 8000, 1, 8000, 1)))
            file.truncate(24 + seconds * 8000)  # a hole that takes no room on the disk
        done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True)
        found.append([float(number) for number in done.stdout.split()])
    (few, little), (many, much) = found
    assert (few, many) == (2, 1200)
    assert much < little + 20  # MB
