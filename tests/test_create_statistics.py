import csv
import os
import shutil

import create_statistics
import predict
import split_dataset
from genre import index, runs, statistics, workers
from genre.command_line import CallError, DataError

import conftest
import numpy as np
import pytest
import soundfile
from conftest import SR, call, one_line_error, sine, write_songs
from test_published_datasets import write_fma


def make(data, *options, code=0):
    return call("create_statistics.py", f"--data={data}", "--workers=1", *options, code=code)


def in_process(monkeypatch, data, *options):
    """The same without another process, and its start."""
    return conftest.in_process(monkeypatch, create_statistics, f"--data={data}", "--workers=1", *options)


def rows(data):
    """[(track, its row of the index, its statistics)]; the two files must name the same tracks."""
    tracks, values = statistics.read(data / "statistics" / "features.csv")
    found = index.read(data / "statistics")
    assert [row.track for row in found] == [row.file for row in found] == tracks
    return list(zip(tracks, found, values, strict=True))


def test_every_song_gives_a_row_and_bad_files_are_named_and_skipped(tmp_path):
    songs = write_songs(tmp_path / "genres", tracks=2, seconds=1.2)
    (songs / "high" / "empty.wav").touch()
    (songs / "high" / "page.mp3").write_text("<html>" * 99)
    soundfile.write(songs / "low" / "short.wav", sine(440, 0.2), SR)
    soundfile.write(songs / "low" / "silent.wav", sine(0, 2.0), SR)
    (songs / "empty").mkdir()
    done = make(tmp_path, "--workers=2", "--strict", code=1)
    target = tmp_path / "statistics"
    assert "left out: genre folders without songs: empty" in done.stdout
    assert "statistics: 6 tracks in 3 genres, 6 of them computed now" in done.stdout
    assert "skipped 4 of 10 tracks" in done.stdout
    assert done.stdout.splitlines()[-1] == f"wrote {target / 'features.csv'}, {target / 'index.csv'}"
    assert "Warning" not in done.stderr
    with open(target / "skipped.csv", newline="") as file:
        reasons = {os.path.basename(row["file"]): row["reason"] for row in csv.DictReader(file)}
    assert sorted(reasons) == ["empty.wav", "page.mp3", "short.wav", "silent.wav"]
    assert reasons["short.wav"] == "0.2 s long; statistics need 1.1 s"
    assert reasons["silent.wav"] == "silent from its beginning to its end"
    assert [track for track, _, _ in rows(tmp_path)] == sorted(
        f"{genre}/{genre}.0000{i}" for genre in ("high", "low", "noise") for i in range(2)
    )
    for track, row, values in rows(tmp_path):
        assert (row.labels, row.seconds, len(row.audio_hash)) == ((track.split("/")[0],), 1.2, 64)
        assert np.isfinite(values).all()


def test_a_second_run_keeps_what_is_there_and_follows_the_songs(tmp_path, monkeypatch, capsys):
    songs = write_songs(tmp_path / "genres", ("high", "low"), tracks=3, seconds=1.2)
    in_process(monkeypatch, tmp_path)
    before = {track: values for track, _, values in rows(tmp_path)}
    content = (tmp_path / "statistics" / "features.csv").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(statistics, "of_file", None)  # it would break every song it is called for
    assert in_process(monkeypatch, tmp_path, "--strict") is None
    assert "6 tracks in 2 genres, 0 of them computed now" in capsys.readouterr().out
    assert (tmp_path / "statistics" / "features.csv").read_bytes() == content
    monkeypatch.undo()

    (songs / "high" / "high.00000.wav").unlink()
    (songs / "high" / "high.00001.wav").write_bytes(b"")
    soundfile.write(songs / "low" / "low.00001.wav", sine(300, 2.0), SR)
    soundfile.write(songs / "low" / "new.wav", sine(300, 1.5), SR)
    in_process(monkeypatch, tmp_path)
    said = capsys.readouterr().out
    assert "removed the rows of 1 tracks that are no longer there, such as high/high.00000" in said
    assert "5 tracks in 2 genres, 2 of them computed now" in said
    assert "skipped 1 of 6 tracks" in said
    after = {track: values for track, _, values in rows(tmp_path)}
    assert sorted(after) == ["high/high.00002", "low/low.00000", "low/low.00001", "low/low.00002", "low/new"]
    same = [track for track in after if track in before and np.array_equal(after[track], before[track])]
    assert same == ["high/high.00002", "low/low.00000", "low/low.00002"]


def test_what_was_finished_before_ctrl_c_is_kept_and_the_rest_of_an_earlier_run_too(tmp_path, monkeypatch, capsys):
    songs = write_songs(tmp_path / "genres", ("high",), tracks=4, seconds=1.2)
    (songs / "high" / "high.00003.wav").rename(tmp_path / "high.00003.wav")
    each = workers.each

    def until_ctrl_c(function, jobs, *others):
        for number, done in enumerate(each(function, jobs, *others)):
            if number == 2:
                raise KeyboardInterrupt
            yield done

    monkeypatch.setattr(workers, "each", until_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        in_process(monkeypatch, tmp_path)
    assert [track for track, _, _ in rows(tmp_path)] == ["high/high.00000", "high/high.00001"]
    (tmp_path / "high.00003.wav").rename(songs / "high" / "high.00003.wav")
    monkeypatch.setattr(workers, "each", lambda function, jobs, *others: each(function, jobs[:1] + jobs[3:], *others))
    in_process(monkeypatch, tmp_path)
    assert "1 of them computed now" in capsys.readouterr().out


def test_a_table_that_was_not_made_here_or_of_other_music_needs_overwrite(tmp_path):
    songs = write_songs(tmp_path / "genres", ("high",), tracks=1, seconds=1.2)
    target = tmp_path / "statistics"
    target.mkdir()
    statistics.write(target / "features.csv", ["2"], np.zeros((1, 518)))
    content = (target / "features.csv").read_bytes()
    options = ("create_statistics.py", f"--data={tmp_path}", "--workers=1")
    assert "was not made here" in one_line_error(*options, code=1)
    assert (target / "features.csv").read_bytes() == content
    make(tmp_path, "--overwrite")
    assert [track for track, _, _ in rows(tmp_path)] == ["high/high.00000"]
    (songs / "high").rename(songs / "other")
    assert "was made of other music (high/high.00000 ...)" in one_line_error(*options, code=1)
    (target / "features.csv").write_text("feature,a\nstatistics,b\nnumber,c\ntrack_id,\n")
    assert "518 missing such as chroma_cens kurtosis 01, 1 unknown such as a b c" in one_line_error(*options, code=1)


@pytest.mark.parametrize(
    ("option", "message"),
    [("--audio_files_path=nowhere", "no folder nowhere"), ("--scheduler=tcp://localhost:1", "belong together")],
)
def test_a_wrong_call_is_one_line(tmp_path, option, message):
    assert message in one_line_error("create_statistics.py", option, cwd=tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_only_bad_songs_is_one_line_and_leaves_no_table(tmp_path):
    (tmp_path / "genres" / "rock").mkdir(parents=True)
    (tmp_path / "genres" / "rock" / "a.wav").touch()
    assert "not one of 1 files" in one_line_error("create_statistics.py", f"--data={tmp_path}", code=1)
    assert not (tmp_path / "statistics" / "features.csv").exists()


def fma(data, values, names=None):
    """FMA's metadata, its own table among them, in the documented format; and no audio. Returns the table."""
    splits = ("training", "validation", "test")
    rows = [(i + 2, i // 2, splits[i % 3], "small", "RF"[i % 2]) for i in range(len(values))]
    write_fma(data, [*rows, (900, 9, "training", "large", "R")])
    shutil.rmtree(data / "fma_small")
    table = data / "fma_metadata" / "features.csv"
    statistics.write(table, names or [str(number) for number, *_ in rows], values)
    return table


def test_fmas_own_table_is_taken_for_the_tracks_of_its_metadata_without_any_audio(tmp_path, monkeypatch, capsys):
    values = np.random.default_rng(0).normal(size=(12, 518)).astype(np.float32)
    table = fma(tmp_path, values, [*map(str, range(2, 13)), "900"])  # 13 is not in it, 900 not in the set
    text = table.read_text().splitlines()
    text[5] = text[5].rpartition(",")[0] + ","  # the second track lacks its last number
    table.write_text("\n".join(text))
    options = (f"--table={table}", "--dataset=fma_small")
    assert in_process(monkeypatch, tmp_path, *options, "--strict") == 1
    said = capsys.readouterr().out
    assert f"10 tracks in 2 genres, all of them from {table}" in said
    assert "lacks 1 numbers, such as zcr std 01" in said and f"not in {table}" in said
    found = rows(tmp_path)
    assert [track for track, _, _ in found] == sorted(f"{'RF'[n % 2]}/{n:06d}" for n in range(2, 13) if n != 3)
    for track, row, numbers in found:
        number = int(track[-6:])
        np.testing.assert_array_equal(numbers, values[number - 2])
        assert (row.artist, row.subset) == (str((number - 2) // 2), index.SUBSETS[(number - 2) % 3])
    assert len({row.audio_hash for _, row, _ in found}) == 10
    assert statistics.read_recipe(tmp_path / "statistics") == {"feature": "statistics", "origin": "features.csv"}
    in_process(monkeypatch, tmp_path, *options)  # again: the same
    with pytest.raises(DataError, match=r"made from features\.csv, not from audio; give another --statistics_path"):
        write_songs(tmp_path / "genres", ("high",), tracks=1, seconds=1.2)
        in_process(monkeypatch, tmp_path)


def test_a_run_on_fmas_own_numbers_follows_its_split_and_refuses_songs(tmp_path, monkeypatch, capsys):
    table = fma(tmp_path, np.random.default_rng(0).normal(size=(18, 518)))
    in_process(monkeypatch, tmp_path, f"--table={table}", "--dataset=fma_small")
    assert conftest.in_process(monkeypatch, split_dataset, f"--data={tmp_path}") is None
    said = capsys.readouterr().out
    assert "18 tracks by the official list" in said and "pairs of one artist are put apart" in said
    options = (f"--data={tmp_path}", f"--models={tmp_path}", "--units=8", "--epochs=1")
    assert conftest.train(monkeypatch, "mlp_model", *options) == 0
    assert "holds the numbers of features.csv, not such as are computed here" in capsys.readouterr().out
    soundfile.write(tmp_path / "song.wav", sine(440, 2.0), SR)
    folder = tmp_path / "mlp_model" / "statistics"
    with pytest.raises(DataError, match="another convention of sampling rates.*; make the table from audio"):
        conftest.in_process(monkeypatch, predict, tmp_path / "song.wav", f"--run={folder}")
    with pytest.raises(DataError, match="another convention of sampling rates"):
        runs.read(folder).label(tmp_path / "song.wav")


def test_a_table_that_cannot_be_taken_is_one_line(tmp_path, monkeypatch):
    table = fma(tmp_path, np.zeros((3, 518)), ["2", "2", "4"])
    with pytest.raises(DataError, match="has two rows of R/000002"):
        in_process(monkeypatch, tmp_path, f"--table={table}", "--dataset=fma_small")
    statistics.write(table, ["x", "y", "z"], np.zeros((3, 518)))
    with pytest.raises(DataError, match=r"not one of 3 tracks is in .*features\.csv"):
        in_process(monkeypatch, tmp_path, f"--table={table}", "--dataset=fma_small")
    with pytest.raises(CallError, match="no table nowhere.csv; FMA's own comes with bash download_fma.sh"):
        in_process(monkeypatch, tmp_path, "--table=nowhere.csv", "--dataset=fma_small")
    (tmp_path / "fma_metadata" / "tracks.csv").unlink()
    with pytest.raises(CallError, match=r"no fma_small at .*tracks\.csv; fetch it with"):
        in_process(monkeypatch, tmp_path, f"--table={table}", "--dataset=fma_small")
