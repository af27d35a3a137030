import csv
import os
import shutil

import audit_dataset
import create_spectrograms
import create_statistics
from genre import audio, images, index, rendering, workers
from genre.datasets import folder
from genre.recipe import Recipe
from genre.variants import ORIGINAL

import numpy as np
import pytest
import soundfile
from conftest import QUICK, SR, call, in_process, one_line_error, sine, write_songs
from PIL import Image


def make(data, *options, code=0):
    return call("create_spectrograms.py", f"--data={data}", *QUICK, *options, code=code)


def pictures(data, feature="mel"):
    return sorted(
        path.relative_to(data / "dataset" / feature).as_posix() for path in (data / "dataset" / feature).glob("*/*")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder with pictures of one song."""
    data = tmp_path_factory.mktemp("made")
    write_songs(data / "genres", ("high",), tracks=1)
    make(data)
    return data


def test_bad_files_are_named_and_skipped_and_the_rest_is_made(tmp_path):
    songs = write_songs(tmp_path / "genres", tracks=2)
    (songs / "high" / "empty.wav").touch()
    (songs / "high" / "page.mp3").write_text("<html>" * 99)
    soundfile.write(songs / "low" / "short.wav", sine(440, 0.2), SR)
    soundfile.write(songs / "low" / "silent.wav", sine(0, 1.0), SR)
    (songs / "low" / "film.m4a").write_bytes(b"\0" * 99)
    (songs / "empty").mkdir()
    soundfile.write(songs / "loose.wav", sine(440), SR)
    done = make(tmp_path)
    assert "left out: 1 songs that lie in" in done.stdout
    assert "left out: genre folders without songs: empty" in done.stdout
    assert "mel: 6 pictures of 6 tracks in 3 genres" in done.stdout
    assert "skipped 5 of 11 tracks" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == f"wrote {tmp_path / 'dataset' / 'mel'}"
    with open(tmp_path / "dataset" / "mel" / "skipped.csv", newline="") as file:
        reasons = {os.path.basename(row["file"]): row["reason"] for row in csv.DictReader(file)}
    assert sorted(reasons) == ["empty.wav", "film.m4a", "page.mp3", "short.wav", "silent.wav"]
    assert reasons["empty.wav"] == "an empty file"
    assert reasons["short.wav"] == "0.2 s long, shorter than 95% of a piece (--seconds=1)"
    assert reasons["silent.wav"] == "silent for a piece from 0 s on"
    make(tmp_path, "--strict", code=1)


def test_a_long_track_gives_numbered_pieces_with_their_times(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1, seconds=3.5)
    make(tmp_path)
    assert pictures(tmp_path) == [f"high/high.00000.00{i}.png" for i in range(3)]
    rows = index.read(tmp_path / "dataset" / "mel")
    assert [(row.track, row.start, row.seconds) for row in rows] == [("high/high.00000", i, 1.0) for i in range(3)]


def test_a_second_run_keeps_what_is_there_and_follows_the_songs(tmp_path):
    songs = write_songs(tmp_path / "genres", ("high", "low"), tracks=3)
    make(tmp_path)
    folder = tmp_path / "dataset" / "mel"
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.png")}
    (songs / "high" / "high.00000.wav").unlink()
    soundfile.write(songs / "low" / "low.00001.wav", sine(300, 2.0), SR)
    broken = folder / "low" / "low.00002.png"
    content = broken.read_bytes()
    broken.unlink()  # not through a hard link
    broken.write_bytes(content[:-20])
    make(tmp_path)
    assert pictures(tmp_path) == [
        "high/high.00001.png",
        "high/high.00002.png",
        "low/low.00000.png",
        "low/low.00001.000.png",
        "low/low.00001.001.png",
        "low/low.00002.png",
    ]
    kept = [path for path, stamp in stamps.items() if path.exists() and path.stat().st_mtime_ns == stamp]
    assert sorted(path.name for path in kept) == ["high.00001.png", "high.00002.png", "low.00000.png"]
    assert [row.file for row in index.read(folder)] == pictures(tmp_path)


def test_another_recipe_or_other_music_needs_overwrite(tmp_path):
    write_songs(tmp_path / "genres", ("high", "low"), tracks=1)
    make(tmp_path)
    options = ("--features=mel", f"--data={tmp_path}", *QUICK, "--n_mels=20")
    assert "n_mels 16 against 20" in one_line_error("create_spectrograms.py", *options, code=1)
    make(tmp_path, "--n_mels=20", "--overwrite")
    assert index.read_recipe(tmp_path / "dataset" / "mel").transform["n_mels"] == 20
    (tmp_path / "dataset" / "mel" / "recipe.json").write_bytes(b"\xff{")
    assert "recipe.json is not a recipe" in one_line_error("create_spectrograms.py", *options, code=1)
    make(tmp_path, "--n_mels=20", "--overwrite")
    write_songs(tmp_path / "other", ("noise",), tracks=1)
    options = (*options, f"--audio_files_path={tmp_path / 'other'}")
    assert "was made of other music" in one_line_error("create_spectrograms.py", *options, code=1)


def test_a_preset_sets_what_single_options_do_not(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1, seconds=2.0)
    options = ("--preset=pons", "--n_mels=20", "--workers=1")
    call("create_spectrograms.py", f"--data={tmp_path}", *options)
    recipe = index.read_recipe(tmp_path / "dataset" / "mel")
    assert (recipe.sr, recipe.transform["n_mels"], recipe.transform["hop_length"]) == (44100, 20, 1024)
    assert images.read(tmp_path / "dataset" / "mel" / "high" / "high.00000.png").shape == (20, 80, 1)


def test_overlapping_pieces_are_of_one_recipe_and_predicted_alike(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1, seconds=2.0)
    make(tmp_path, "--overlap=0.75")
    rows = index.read(tmp_path / "dataset" / "mel")
    assert [row.start for row in rows] == [0, 0.25, 0.5, 0.75, 1.0]
    assert index.read_recipe(tmp_path / "dataset" / "mel").overlap == 0.75
    options = (f"--data={tmp_path}", *QUICK)
    assert "overlap 0.75 against 0.0" in one_line_error("create_spectrograms.py", *options, code=1)


@pytest.mark.parametrize("option", ["--features=cqt", "--features=mel,chroma_cqt"])
def test_a_transform_that_needs_a_higher_rate_is_refused_before_anything_is_written(tmp_path, option):
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    options = (f"--data={tmp_path}", "--sr=8000", "--seconds=1", option)
    assert "need a rate above" in one_line_error("create_spectrograms.py", *options, code=2)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize(
    "option",
    ["--colormap=magna", "--hop_length=0", "--hop_length=-512", "--n_mels=0", "--fmin=9000", "--fmax=nan"]
    + ["--top_db=0", "--top_db=-5", "--top_db=nan", "--top_db=500", "--window=boxcar9", "--n_mels=4000"]
    + ["--seconds=100000", "--sr=2000000000"],
)
def test_options_that_cannot_work_are_refused_before_anything_is_removed(made, option):
    before = pictures(made)
    one_line_error("create_spectrograms.py", f"--data={made}", *QUICK, option, "--overwrite", code=2)
    assert pictures(made) == before != []


def test_a_refused_feature_leaves_the_other_of_the_call_untouched(tmp_path):
    write_songs(tmp_path / "genres", ("high", "low", "noise"), tracks=3)
    make(tmp_path, "--features=mfcc", "--n_mfcc=8")
    options = (f"--data={tmp_path}", *QUICK, "--features=mel,mfcc", "--n_mfcc=9")
    error = one_line_error("create_spectrograms.py", *options, code=1)
    assert "another recipe (n_mfcc 8 against 9); --overwrite" in error
    assert not (tmp_path / "dataset" / "mel" / index.RECIPE).exists()
    call("split_dataset.py", f"--data={tmp_path}")


def test_a_feature_without_pictures_is_left_out_of_a_split(tmp_path):
    write_songs(tmp_path / "genres", tracks=3)
    make(tmp_path)
    (tmp_path / "dataset" / "cqt").mkdir()
    index.write(tmp_path / "dataset" / "cqt", [])
    done = call("split_dataset.py", f"--data={tmp_path}")
    assert "left out" in done.stdout
    assert not (tmp_path / "images" / "cqt").exists()


def test_our_pictures_that_no_row_names_are_removed_and_others_are_not(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    make(tmp_path)
    folder = tmp_path / "dataset" / "mel" / "high"
    shutil.copy(folder / "high.00000.png", folder / "left_over.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "not_ours.png")
    make(tmp_path)
    assert pictures(tmp_path) == ["high/high.00000.png", "high/not_ours.png"]


def test_a_picture_is_kept_in_a_folder_of_another_case(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    make(tmp_path)
    folder = tmp_path / "dataset" / "mel"
    (folder / "high").rename(folder / "High")  # as a file system that ignores case would have kept it
    create_spectrograms._remove_strays(folder, index.read(folder))
    assert pictures(tmp_path) == ["High/high.00000.png"]


def test_a_floor_that_nothing_has_is_refused_and_a_colormap_gives_palettes(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    options = (f"--data={tmp_path}", "--compression=log", "--top_db=60")
    assert "--top_db changes nothing" in one_line_error("create_spectrograms.py", *options, code=2)
    make(tmp_path, "--colormap=magma")
    assert Image.open(tmp_path / "dataset" / "mel" / "high" / "high.00000.png").mode == "P"


def test_what_is_left_out_is_a_failure_with_strict(tmp_path):
    songs = write_songs(tmp_path / "genres", ("high",), tracks=1)
    make(tmp_path, "--strict")
    soundfile.write(songs / "loose.wav", sine(440), SR)
    assert "left out: 1 songs" in make(tmp_path, "--strict", code=1).stdout


def test_a_song_that_may_not_be_looked_at_is_skipped(tmp_path, monkeypatch):
    songs, stat = write_songs(tmp_path / "genres", ("high",), tracks=2), os.stat

    def refuse(path, *args, **kwargs):
        if str(path).endswith("high.00001.wav"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    found = folder.songs(songs)
    assert [track.path.name for track in found] == ["high.00000.wav", "high.00001.wav"]
    monkeypatch.setattr(audio, "sha256", lambda path: refuse(path) and "")
    made, reasons = rendering.make_pictures(found[1], {"mel": ()}, {"mel": Recipe.of("mel")}, [ORIGINAL], tmp_path)
    assert made == {"mel": []} and reasons == ["cannot be read (Permission denied)"]


def test_what_was_said_before_a_stop_is_said_after_it(tmp_path, monkeypatch):
    songs = write_songs(tmp_path / "genres", ("high",), tracks=2)
    soundfile.write(songs / "high" / "a.wav", np.concatenate([sine(440), np.zeros(SR)]), SR)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(create_spectrograms, "_report", stop)
        in_process(patch, create_spectrograms, f"--data={tmp_path}", *QUICK, "--workers=1")
    assert "silent for a piece from 1 s on" in make(tmp_path, "--strict", code=1).stdout


@pytest.mark.parametrize(
    ("script", "options", "named_in"),
    [
        (create_spectrograms, QUICK, "dataset/mel/skipped.csv"),
        (create_statistics, ("--workers=1",), "statistics/skipped.csv"),
        (audit_dataset, ("--seconds=1", "--workers=1"), "audit/faults.csv"),
    ],
)
def test_a_song_over_which_the_decoder_crashes_is_named_and_does_not_end_the_run(
    tmp_path, monkeypatch, script, options, named_in
):
    write_songs(tmp_path / "genres", ("high",), tracks=3, seconds=2)
    each = workers.each

    def deadly(function, jobs, *others):
        for job, result in each(function, jobs, *others):
            yield job, None if job[0].id.endswith("00001") else result

    monkeypatch.setattr(workers, "each", deadly)
    assert in_process(monkeypatch, script, f"--data={tmp_path}", *options, "--strict") == 1
    (line,) = [line for line in (tmp_path / named_in).read_text().splitlines() if "high.00001" in line]
    assert workers.DIED in line


def test_a_song_that_went_bad_leaves_no_picture_behind(tmp_path):
    songs = write_songs(tmp_path / "genres", ("high",), tracks=2)
    make(tmp_path)
    (songs / "high" / "high.00000.wav").write_bytes(b"")
    make(tmp_path)
    assert pictures(tmp_path) == ["high/high.00001.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--features=mels"], "no feature 'mels'; there are mel, stft"),
        (["--features="], "--features is empty"),
        (["--features=chroma_stft", "--n_mels=20"], "--n_mels changes nothing"),
        (["--seconds=-1"], "--seconds"),
        (["--overlap=1"], "--overlap"),
        (["--preset=choy"], "expected one of fma_cnn, choi"),
        (["--preset=choi", "--features=cqt"], "the preset choi has mel, not cqt"),
        (["--features=mel,whisper_mel", "--sr=22050"], "whisper_mel is defined at 16000 Hz"),
        (["--compression=decibel"], "mel knows no 'decibel'"),
        (["--audio_files_path=nowhere"], "no folder nowhere"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, options, message):
    assert message in one_line_error("create_spectrograms.py", *options, cwd=tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_song_that_breaks_a_transform_is_skipped_and_a_full_disk_is_not(tmp_path, monkeypatch):
    (song, *_) = folder.tracks(write_songs(tmp_path / "genres", ("high",), tracks=1))
    recipes = {"mel": Recipe.of("mel", SR, 1.0, n_fft=512)}
    (tmp_path / "mel" / "high").mkdir(parents=True)
    monkeypatch.setattr(images, "render", lambda *_: 1 / 0)
    made, reasons = rendering.make_pictures(song, {}, recipes, [ORIGINAL], tmp_path)
    assert (made, reasons) == ({"mel": []}, ["ZeroDivisionError: division by zero"])
    monkeypatch.setattr(images, "render", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        rendering.make_pictures(song, {}, recipes, [ORIGINAL], tmp_path)


def test_a_folder_without_songs_or_only_bad_ones_is_one_line(tmp_path):
    (tmp_path / "genres" / "rock").mkdir(parents=True)
    assert "put one folder per genre there" in one_line_error("create_spectrograms.py", f"--data={tmp_path}", code=1)
    (tmp_path / "genres" / "rock" / "a.wav").touch()
    assert "not one of 1 files" in one_line_error("create_spectrograms.py", f"--data={tmp_path}", *QUICK, code=1)


def test_a_picture_does_not_depend_on_the_other_features_of_the_call(tmp_path, split_data):
    call("create_spectrograms.py", f"--data={split_data}", f"--dataset_path={tmp_path}", *QUICK)
    assert len(list(tmp_path.glob("mel/*/*.png"))) == 18
    for path in tmp_path.glob("mel/*/*.png"):
        assert path.read_bytes() == (split_data / "dataset" / path.relative_to(tmp_path)).read_bytes()
