import csv

from genre import runs

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
    original = predict.predict_song
    stop = iter([False, True])
    monkeypatch.setattr(
        predict, "predict_song", lambda *a: original(*a) if not next(stop) else (_ for _ in ()).throw(KeyboardInterrupt)
    )
    monkeypatch.setattr(
        "sys.argv", ["predict.py", str(tmp_path), f"--run={trained_run}", f"--csv={tmp_path / 'o.csv'}"]
    )
    with pytest.raises(KeyboardInterrupt):
        predict.main()
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 2


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
