import os

from genre.command_line import CallError, DataError
from genre.datasets import folder

import pytest


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_tracks_are_sorted_and_the_folder_is_the_genre(tmp_path):
    make(tmp_path, "rock/b.mp3", "rock/a.wav", "jazz/album/c.flac", "jazz/x.y.wav")
    assert [track.id for track in folder.tracks(tmp_path)] == ["jazz/c", "jazz/x.y", "rock/a", "rock/b"]


def test_what_is_no_song_is_no_track_and_no_class(tmp_path):
    make(
        tmp_path,
        "rock/a.wav",
        "rock/.DS_Store",
        "rock/Thumbs.db",
        "rock/._a.wav",
        "loose.wav",
        ".git/b.wav",
        "rock/x.mf",
    )
    assert [track.id for track in folder.tracks(tmp_path)] == ["rock/a"]


def test_songs_of_one_stem_have_names_of_their_own(tmp_path):
    make(tmp_path, "rock/a.wav", "rock/a.mp3", "rock/A.flac", "rock/live/a.wav", "rock/b.wav")
    names = [track.name for track in folder.tracks(tmp_path)]
    assert len({name.casefold() for name in names}) == 5
    assert "b" in names


@pytest.mark.parametrize(
    "names",
    [
        ["rock/a.wav", "rock/x/a.wav", "rock/x_a.wav", "rock/y/x_a.wav", "rock/x_a.wav.mp3"],
        ["rock/song.wav", "rock/song.000.wav", "rock/song.001.flac"],
    ],
)
def test_no_two_songs_can_share_a_picture(tmp_path, names):
    tracks = folder.tracks(make(tmp_path, *names))
    pictures = {f"{track.name}{piece}".casefold() for track in tracks for piece in ("", ".000", ".001")}
    assert len(pictures) == 3 * len(names)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_genre_that_the_index_could_not_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="rename it"):
        folder.tracks(make(tmp_path, "high|low/a.wav"))


def test_hidden_folders_are_left_out_but_not_the_one_that_was_named(tmp_path):
    make(tmp_path, ".music/rock/a.wav", ".music/rock/.cache/sub/b.wav")
    assert [path.name for path in folder.audio_files(tmp_path / ".music")] == ["a.wav"]
    assert [path.name for path in folder.audio_files(tmp_path / ".music" / "rock" / ".cache" / "..")] == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="paths are shorter on Windows")
def test_a_very_long_name_is_cut_and_stays_unique(tmp_path):
    make(tmp_path, f"rock/{'a' * 240}1.wav", f"rock/{'a' * 240}2.wav", f"rock/{'é' * 120}.wav")
    names = [track.name for track in folder.tracks(tmp_path)]
    assert len(set(names)) == 3
    assert all(len(os.fsencode(name)) < 200 for name in names)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_linked_loops_end(tmp_path):
    make(tmp_path, "rock/a.wav")
    (tmp_path / "rock" / "loop").symlink_to(tmp_path)
    assert [track.id for track in folder.tracks(tmp_path)] == ["rock/a"]


def test_no_folder_and_no_songs_are_errors(tmp_path):
    with pytest.raises(CallError, match="no folder"):
        folder.tracks(tmp_path / "none")
    make(tmp_path, "rock/readme.txt")
    with pytest.raises(DataError, match="put one folder per genre there"):
        folder.tracks(tmp_path)
