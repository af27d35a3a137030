import csv
import json
import os
import shutil

from genre import images, runs
from genre.features import Sound

import numpy as np
import pytest
import soundfile
from conftest import SR, call, one_line_error, sine


def test_songs_of_any_length_and_broken_ones_are_rows(tmp_path, trained_run):
    for name, seconds in (("short", 0.3), ("whole", 1.0), ("long", 2.5)):
        soundfile.write(tmp_path / f"{name}.wav", sine(2000, seconds), SR)
    (tmp_path / "broken.mp3").write_text("no audio")
    soundfile.write(tmp_path / "silent.wav", np.zeros(SR), SR)
    done = call("predict.py", tmp_path, f"--run={trained_run}", f"--csv={tmp_path / 'out.csv'}", "--top=2")
    assert "padded from 0.3 s to 1 s" in done.stdout
    assert "broken.mp3  not used: cannot be decoded" in done.stdout
    with open(tmp_path / "out.csv", newline="") as file:
        rows = {row["file"].rpartition("/")[2].rpartition("\\")[2]: row for row in csv.DictReader(file)}
    assert {name: row["pieces"] for name, row in rows.items()} == {
        "broken.mp3": "0",
        "long.wav": "2",
        "short.wav": "1",
        "silent.wav": "0",
        "whole.wav": "1",
    }
    classes = runs.read(trained_run).classes
    for name in ("long.wav", "short.wav", "whole.wav"):
        shares = [float(rows[name][c]) for c in classes]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert rows[name]["prediction"] == classes[int(np.argmax(shares))]
    call("predict.py", tmp_path, f"--run={trained_run}", "--strict", code=1)


def test_the_pieces_of_a_song_are_averaged(tmp_path, trained_run):
    from predict import predict_song

    halves = [sine(2000), sine(200)]
    for name, samples in (("a", halves[0]), ("b", halves[1]), ("both", np.concatenate(halves))):
        soundfile.write(tmp_path / f"{name}.wav", samples, SR)
    run = runs.read(trained_run)
    a, b, both = (predict_song(run, tmp_path / f"{name}.wav").probabilities for name in ("a", "b", "both"))
    np.testing.assert_allclose(both, (a + b) / 2, atol=1e-6)


def test_songs_predicted_before_ctrl_c_are_in_the_csv(tmp_path, trained_run, monkeypatch):
    import predict

    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", sine(440), SR)
    original, stop = predict.predict_song, iter([False, True])

    def stopped(*arguments):
        if next(stop):
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(predict, "predict_song", stopped)
    monkeypatch.setattr(
        "sys.argv", ["predict.py", str(tmp_path), f"--run={trained_run}", f"--csv={tmp_path / 'o.csv'}"]
    )
    with pytest.raises(KeyboardInterrupt):
        predict.main()
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 2


def test_a_timeline_is_of_the_pieces_that_hold_each_step(tmp_path, trained_run):
    """Of a song that is high, then low, then silent, in pieces of 1 s: of each step, and drawn and written."""
    parts = [sine(2000, 2), sine(200, 2), np.zeros(2 * SR, np.float32)]
    soundfile.write(tmp_path / "song.wav", np.concatenate(parts), SR)
    run = runs.read(trained_run)
    whole, half, long = (run.timeline(tmp_path / "song.wav", step).said for step in (1, 0.5, 2))
    assert whole.shape == (6, 3) and half.shape == (12, 3) and long.shape == (3, 3)
    pieces = [
        None if p.silent else run.predict([x[None] for x in run.render(p)])[0]
        for p in run.pieces(tmp_path / "song.wav")
    ]
    np.testing.assert_allclose(whole[:4], pieces[:4], atol=1e-6)
    assert np.isnan(whole[4:]).all() and np.isnan(half[9:]).all() and np.isnan(long[2]).all()
    np.testing.assert_allclose(long[:2], [(whole[0] + whole[1]) / 2, (whole[2] + whole[3]) / 2], atol=1e-6)
    overlapping = [p for p in run.pieces(tmp_path / "song.wav", overlap=0.5)][:2]
    of_pieces = [run.predict([x[None] for x in run.render(p)])[0] for p in overlapping]
    np.testing.assert_allclose(half[:2], [of_pieces[0], np.mean(of_pieces, axis=0)], atol=1e-6)
    out = (f"--timeline={tmp_path / 'pictures'}", "--step=1", f"--json={tmp_path / 'out.json'}")
    done = call("predict.py", tmp_path / "song.wav", f"--run={trained_run}", *out)
    assert "0:04 to 0:06  silence" in done.stdout
    (found,) = json.loads((tmp_path / "out.json").read_text())
    assert [step["start"] for step in found["timeline"]] == [0, 1, 2, 3, 4, 5]
    assert found["timeline"][5]["probabilities"] is None
    assert list(found["timeline"][0]["probabilities"].values()) == pytest.approx(whole[0], abs=1e-5)
    assert images.read(tmp_path / "pictures" / "song.png").shape[1] == 1500


def test_a_timeline_reaches_the_end_whatever_the_step(tmp_path, trained_run):
    """Of a song of 2.4 s that is high and, from 1.5 s on, low, in pieces of 1 s, one of which ends with the song."""
    song = np.concatenate([sine(2000, 1.5), sine(200, 0.9)])
    soundfile.write(tmp_path / "song.wav", song, SR)
    run = runs.read(trained_run)
    *_, last = run.pieces(tmp_path / "song.wav", to_end=True)
    assert (last.start, last.seconds) == (pytest.approx(1.4), 1)
    np.testing.assert_allclose(last.samples[SR], song[-SR:], atol=1e-4)
    soundfile.write(tmp_path / "even.wav", song[: 2 * SR], SR)
    assert [(p.start, p.seconds) for p in run.pieces(tmp_path / "even.wav", 0.96, to_end=True)][-1] == (1, 1)
    of_last = run.predict([x[None] for x in run.render(last)])[0]
    for step, steps, end in ((1, 3, 2.4), (0.8, 3, 2.4), (0.7, 4, 2.4), (0.3, 8, 2.4), (2.38, 1, 2.38)):
        found = run.timeline(tmp_path / "song.wav", step)
        bounds = [(start, stop) for start, stop, _ in found.steps(step)]
        assert len(found.said) == steps and bounds[-1][1] == pytest.approx(end)
        assert [stop for _, stop in bounds[:-1]] == [start for start, _ in bounds[1:]]
        if step in (0.8, 0.7):  # no other piece holds the last of these
            np.testing.assert_allclose(found.said[-1], of_last, atol=1e-6)
    picture, seconds = run.spectrogram(tmp_path / "song.wav", 1000)
    assert seconds == pytest.approx(2.4)
    np.testing.assert_array_equal(picture[:, -1], images.render(Sound(last.samples[SR], SR), run.recipes[0][0])[:, -1])
    done = call("predict.py", tmp_path / "song.wav", f"--run={trained_run}", f"--timeline={tmp_path}", "--step=0.7")
    assert "to 0:02.40  " in done.stdout


@pytest.mark.parametrize(
    ("seconds", "shown"), [(5, "0:05"), (60.0, "1:00"), (3.5, "0:03.50"), (59.9999, "1:00"), (0.3 * 7, "0:02.10")]
)
def test_fractions_of_a_second_are_shown_where_there_are_any(seconds, shown):
    import predict

    assert predict._clock(seconds) == shown


def test_a_song_shorter_than_a_piece_has_a_timeline_too(tmp_path, trained_run):
    soundfile.write(tmp_path / "short.wav", sine(2000, 0.3), SR)
    run = runs.read(trained_run)
    for step, steps in ((0.1, 3), (0.25, 2), (5, 1)):
        said = run.timeline(tmp_path / "short.wav", step).said
        np.testing.assert_allclose(said, [run.label(tmp_path / "short.wav").probabilities] * steps, atol=1e-6)


def test_a_timeline_of_endless_steps_is_refused(tmp_path, trained_run):
    soundfile.write(tmp_path / "song.wav", sine(2000, 1), SR)
    options = (f"--run={trained_run}", f"--timeline={tmp_path}", "--step=1e-300")
    assert "is too short; take at least 0.01 s" in one_line_error("predict.py", tmp_path / "song.wav", *options, code=2)


def test_several_runs_vote(tmp_path, trained_run, split_data):
    other = tmp_path / "frequency_model" / "mel"
    common = (f"--data={split_data}", f"--models={tmp_path}", "--epochs=1", "--filter_bins=4")
    call("frequency_model.py", *common)
    song = split_data / "genres" / "low" / "low.00000.wav"
    call(
        "predict.py", song, f"--run={trained_run},{other}", f"--json={tmp_path / 'out.json'}", f"--timeline={tmp_path}"
    )
    (found,) = json.loads((tmp_path / "out.json").read_text())
    each = [runs.read(folder).label(song).probabilities for folder in (trained_run, other)]
    for said in (found, found["timeline"][0]):  # of one step
        assert list(said["probabilities"].values()) == pytest.approx(np.mean(each, axis=0), abs=1e-5)
    call("frequency_model.py", *common, "--multi_label", "--run_name=tags")
    error = one_line_error("predict.py", song, f"--run={other},{other / 'tags'}", code=2)
    assert "one gives a track one label, the other several" in error
    assert "for one label a song" in one_line_error(
        "predict.py", song, f"--run={other / 'tags'}", "--threshold=0.5", code=2
    )
    changed = shutil.copytree(other, tmp_path / "changed")
    info = json.loads((changed / runs.RUN).read_text())
    (changed / runs.RUN).write_text(json.dumps(info | {"classes": ["high", "low", "pop"]}))
    error = one_line_error("predict.py", song, f"--run={trained_run},{changed}", code=2)
    assert "know other classes: high low noise; high low pop" in error


def test_below_the_threshold_nothing_is_said_and_probabilities_are_calibrated(tmp_path, trained_run, split_data):
    copy = shutil.copytree(trained_run, tmp_path / "run")
    info = json.loads((copy / runs.RUN).read_text())
    assert info["temperature"] == json.loads((copy / "metrics.json").read_text())["validation"]["temperature"] > 0
    (copy / runs.RUN).write_text(json.dumps(info | {"temperature": 2.0}))
    song = split_data / "genres" / "low" / "low.00000.wav"
    plain = runs.read(copy).label(song).probabilities
    expected = np.sqrt(plain) / np.sqrt(plain).sum()
    for threshold, said in (
        (expected.max() + 0.01, "none of these"),
        (expected.max() - 0.01, runs.read(copy).says(plain)),
    ):
        out = tmp_path / "out.csv"
        done = call("predict.py", song, f"--run={copy}", f"--threshold={threshold}", f"--csv={out}")
        (row,) = csv.DictReader(out.read_text().splitlines())
        assert row["prediction"] == said
        assert [float(row[name]) for name in runs.read(copy).classes] == pytest.approx(expected, abs=1e-4)
        assert ("none of these: " in done.stdout) == (said == "none of these")
    (copy / runs.RUN).write_text(json.dumps(info | {"temperature": None}))
    error = one_line_error("predict.py", song, f"--run={copy}", "--threshold=0.5", code=1)
    assert "run has no temperature; train it again" in error


def test_many_songs_are_predicted_as_each_alone_in_their_order(tmp_path, trained_run, split_data):
    import predict

    run, songs = runs.read(trained_run), predict.find_songs([split_data / "genres"])
    (tmp_path / "broken.mp3").write_text("no audio")
    songs.insert(3, tmp_path / "broken.mp3")
    together = [predict.predict_song(run, song, heard) for song, heard in predict.hear_all(run, songs)]
    assert [of.path for of in together] == songs and "cannot be decoded" in together.pop(3).note
    alone = [predict.predict_song(run, of.path) for of in together]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a.probabilities, b.probabilities)


def test_as_many_genres_are_said_as_asked_for(trained_run, split_data):
    song = next((split_data / "genres" / "low").iterdir())
    for top in (1, 2):
        done = call("predict.py", song, f"--run={trained_run}", f"--top={top}")
        assert done.stdout.splitlines()[-1].count(" %") == top
    error = one_line_error("predict.py", song, f"--run={trained_run}", "--step=2", code=2)
    assert "--step is of the timeline; add --timeline=FOLDER" in error


def test_pieces_overlap_in_prediction_as_they_did_in_training(tmp_path, trained_run):
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    info = json.loads((copy / runs.RUN).read_text())
    for of in info["inputs"]:
        of["recipes"]["mel"]["overlap"] = 0.5
    (copy / runs.RUN).write_text(json.dumps(info))
    soundfile.write(tmp_path / "song.wav", sine(440, 2.5), SR)
    assert [runs.read(run).label(tmp_path / "song.wav").pieces for run in (trained_run, copy)] == [2, 4]


def test_more_songs_than_are_heard_at_once_stay_in_order(monkeypatch):
    import predict

    monkeypatch.setattr(predict, "AHEAD", 1)
    monkeypatch.setattr(predict.joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(predict, "_hear", lambda trained, song: f"heard {song}")
    assert list(predict.hear_all(None, list("abcde"))) == [(song, f"heard {song}") for song in "abcde"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_folder_that_is_not_searched_is_named(tmp_path, trained_run, split_data):
    shutil.copytree(split_data / "genres" / "low", tmp_path / "songs" / "low")
    (tmp_path / "songs" / "more").symlink_to(split_data / "genres")
    done = call("predict.py", tmp_path / "songs", f"--run={trained_run}", "--strict", code=1)
    assert f"left out: 1 links to folders, such as {tmp_path / 'songs' / 'more'}" in done.stdout


def test_what_an_earlier_call_wrote_is_kept_where_no_song_is_labelled(tmp_path, trained_run, split_data):
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    (copy / runs.MODEL).write_bytes(b"damaged")
    (tmp_path / "genres.csv").write_text("yesterday")
    options = (f"--run={copy}", f"--csv={tmp_path / 'genres.csv'}")
    one_line_error("predict.py", split_data / "genres", *options, code=1)
    assert (tmp_path / "genres.csv").read_text() == "yesterday"


def test_songs_of_several_disks_have_a_picture_each(tmp_path, monkeypatch):
    import predict

    def refuse(paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", refuse)
    found = predict._pictures(tmp_path / "out", [tmp_path / "a" / "song.mp3", tmp_path / "b" / "song.mp3"])
    assert len(set(found.values())) == 2


def test_a_wrong_call_is_one_line(tmp_path, trained_run):
    assert "no file or folder" in one_line_error("predict.py", tmp_path / "none.wav", f"--run={trained_run}", code=2)
    assert "no audio file in" in one_line_error("predict.py", tmp_path, f"--run={trained_run}", code=2)
    assert "no run at" in one_line_error("predict.py", tmp_path, f"--run={tmp_path}", code=2)
    (tmp_path / "a.wav").touch()
    song = f"--csv={tmp_path / 'a.wav'}"
    assert "not a song" in one_line_error("predict.py", tmp_path, f"--run={trained_run}", song, code=2)
    nowhere = f"--csv={tmp_path / 'none' / 'o.csv'}"
    error = one_line_error("predict.py", tmp_path, f"--run={trained_run}", nowhere, code=2)
    assert "no folder that can be written for --csv" in error
    assert "none of 1 songs could be used" in one_line_error(
        "predict.py", tmp_path / "a.wav", f"--run={trained_run}", code=1
    )
