import csv

from genre import audit, images, index, splits
from genre.datasets import Track

import numpy as np
import pytest
import soundfile
from conftest import QUICK, SR, call, one_line_error, sine, write_songs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Songs with every fault: <data>/genres/<genre>/."""
    data = tmp_path_factory.mktemp("audit")
    rng = np.random.default_rng(0)
    write_songs(data / "genres", ("high", "low"), tracks=3, seconds=3)
    low = data / "genres" / "low"
    (low / "page.wav").write_text("<!DOCTYPE html>\n<html>g\u00fcltig</html>\n" * 20, encoding="utf-8")
    (low / "broken.mp3").write_bytes(rng.bytes(3000))
    (low / "empty.wav").touch()
    soundfile.write(low / "silent.wav", np.zeros(3 * SR), SR)
    soundfile.write(low / "constant.wav", np.full(3 * SR, 0.25), SR)
    soundfile.write(low / "short.wav", sine(300, 0.5), SR)
    soundfile.write(low / "clipped.wav", np.clip(3 * sine(300, 3.0), -1, 1), SR)
    (data / "genres" / "high" / "copy.wav").write_bytes((low / "low.00000.wav").read_bytes())
    notes = np.concatenate([sine(f, 0.25) + sine(1.5 * f, 0.25) for f in rng.uniform(150, 900, 48)])
    notes = notes / 2 + rng.normal(0, 0.01, len(notes))
    soundfile.write(low / "song.wav", notes, SR)
    soundfile.write(data / "genres" / "high" / "again.mp3", 0.4 * notes[SR:], SR)
    return data


@pytest.fixture(scope="module")
def audited(data):
    done = call("audit_dataset.py", f"--data={data}", "--seconds=3", "--workers=1")
    with open(data / "audit" / "faults.csv", newline="") as file:
        return done.stdout, list(csv.DictReader(file))


def test_every_fault_is_found_and_no_other_accused(audited):
    found = {(row["track"], row["fault"]) for row in audited[1]}
    assert found == {
        ("low/page", "undecodable"),
        ("low/broken", "undecodable"),
        ("low/empty", "undecodable"),
        ("low/silent", "silent"),
        ("low/constant", "constant"),
        ("low/short", "too short"),
        ("low/clipped", "clipped"),
        ("high/copy", "byte-identical in two genres"),
        ("high/again", "nearly identical in two genres"),
    }
    details = {row["track"]: row["detail"] for row in audited[1]}
    assert "web page" in details["low/page"]
    assert "low/low.00000" in details["high/copy"]
    assert "low/song" in details["high/again"] and "shifted by 1.0 s" in details["high/again"].replace("-", "")


def test_it_counts_genres_names_faults_and_draws_them(audited, data):
    said, _ = audited
    assert "  low      11 tracks" in said and "  high      5 tracks" in said
    assert "artists unknown" in said and "faults: 9" in said
    assert "  low/short: 0.50 s of 3 s" in said
    table = (data / "audit" / "genres.csv").read_text().splitlines()
    assert table[:2] == ["genre,tracks,artists,most_of_one_artist", "low,11,0,0"]
    for name in ("genres.png", "examples.png"):
        assert images.read(data / "audit" / name).size


def test_what_sounds_alike_is_split_together(audited, data):
    near = (data / "audit" / "near_duplicates.csv").read_text().splitlines()
    assert near[0] == "track,other,identical,detail"
    assert sorted(line.split(",")[2] for line in near[1:]) == ["no", "yes"]
    pairs = splits.read_near(data / "audit" / "near_duplicates.csv")
    call("create_spectrograms.py", f"--data={data}", *QUICK)
    call("split_dataset.py", f"--data={data}")
    subset_of = {row.track: row.subset for row in index.read(data / "images" / "mel")}
    assert all(subset_of[a] == subset_of[b] for a, b in pairs) and ("high/again", "low/song") in pairs
    alone = splits.stratified(index.read(data / "dataset" / "mel"), (0.7, 0.1, 0.2), 0)
    assert alone["high/again"] != alone["low/song"]  # what the audit was needed for


def test_strict_fails_on_faults_and_on_none_without(data, tmp_path):
    call(
        "audit_dataset.py",
        f"--data={data}",
        "--seconds=3",
        f"--audit_path={tmp_path / 'a'}",
        "--strict",
        "--workers=1",
        code=1,
    )
    write_songs(tmp_path / "genres", ("noise", "other"), tracks=2, seconds=6)
    options = (f"--data={tmp_path}", f"--audit_path={tmp_path / 'b'}", "--seconds=3", "--strict", "--workers=1")
    assert "no faults" in call("audit_dataset.py", *options).stdout


def test_an_imbalance_is_said(tmp_path):
    write_songs(tmp_path / "genres", ("many",), tracks=6, seconds=1)
    write_songs(tmp_path / "genres", ("few",), tracks=2, seconds=1)
    said = call("audit_dataset.py", f"--data={tmp_path}", "--seconds=1", "--workers=1").stdout
    assert "uneven: the largest genre has 3.0 times the tracks of the smallest" in said


def test_a_loud_song_is_not_called_clipped_and_a_square_wave_at_full_scale_is(tmp_path):
    for name, samples, expected in (
        ("loud", sine(440, 2.0, amplitude=1.0), []),
        ("square", np.sign(sine(100, 2.0)), ["clipped"]),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples, SR)
        finding = audit.of_track(Track(tmp_path / f"{name}.wav", name, ("a",)), seconds=2.0)
        assert [kind for kind, _ in finding.faults] == expected, name


def test_a_known_fault_is_named_beside_what_was_found(tmp_path):
    (tmp_path / "jazz.00054.wav").write_bytes(b"\x00" * 100)
    track = Track(tmp_path / "jazz.00054.wav", "jazz.00054", ("jazz",), fault="broken in one copy")
    assert [kind for kind, _ in audit.of_track(track, 30.0).faults] == ["known fault", "undecodable"]


def test_a_wrong_call_is_one_line(tmp_path):
    assert "no folder" in one_line_error("audit_dataset.py", f"--data={tmp_path / 'none'}", code=2)
    error = one_line_error("audit_dataset.py", f"--data={tmp_path / 'none'}", "--seconds=0.01", code=2)
    assert "shorter than one frame" in error  # at once, not after a night's look at the songs
