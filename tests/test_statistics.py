import warnings

from genre import audio, statistics
from genre.command_line import DataError
from genre.datasets import Track
from genre.statistics import COLUMNS, SERIES

import librosa
import numpy as np
import pytest
import soundfile
import threadpoolctl
from conftest import sine

SR = 22050


def tone(frequency, seconds):
    return sine(frequency, seconds, SR)


def music(sr=SR, seconds=3.0):
    """Three notes that fade, with clicks and noise, a little off 440 Hz."""
    notes = sum(sine(frequency, seconds, sr, 0.2) for frequency in (223, 280.9, 446))
    clicks = np.zeros_like(notes)
    clicks[:: sr // 2] = 0.8
    noise = np.random.default_rng(0).normal(0, 0.01, len(notes))
    return (notes * np.linspace(1, 0.1, len(notes)) + clicks + noise).astype(np.float32)


def write_song(path, samples, sr=SR):
    soundfile.write(path, samples, sr, subtype="FLOAT")
    return path


def at(values, name, what, number=1):
    return values[COLUMNS.index((name, what, f"{number:02d}"))]


def of_series(name, what):
    return [(name, what, number) for number in range(1, 1 + SERIES[name])]


def test_the_columns_are_fmas_and_in_its_order():
    assert sum(SERIES.values()) == 74
    assert len(set(COLUMNS)) == len(COLUMNS) == 518
    assert COLUMNS[0] == ("chroma_cens", "kurtosis", "01")
    assert COLUMNS[12] == ("chroma_cens", "max", "01")
    assert COLUMNS[84] == ("chroma_cqt", "kurtosis", "01")
    assert COLUMNS[-1] == ("zcr", "std", "01")
    assert ("mfcc", "skew", "20") in COLUMNS and ("mfcc", "skew", "21") not in COLUMNS
    assert list(dict.fromkeys(name for name, _, _ in COLUMNS)) == [
        "chroma_cens",
        "chroma_cqt",
        "chroma_stft",
        "mfcc",
        "rmse",
        "spectral_bandwidth",
        "spectral_centroid",
        "spectral_contrast",
        "spectral_rolloff",
        "tonnetz",
        "zcr",
    ]
    assert list(dict.fromkeys(what for _, what, _ in COLUMNS)) == sorted(statistics.STATISTICS)


@pytest.mark.parametrize("sr", [8000, SR, 44100])
def test_a_440_hz_sine_has_the_statistics_it_should(tmp_path, sr):
    values, seconds = statistics.of_file(write_song(tmp_path / "a.wav", sine(440, 5.0, sr), sr))
    assert seconds == 5.0
    assert at(values, "spectral_centroid", "median") == pytest.approx(440, abs=1)
    assert at(values, "spectral_rolloff", "median") == pytest.approx(440, abs=2 * max(sr, SR) / 2048)
    assert at(values, "zcr", "mean") == pytest.approx(2 * 440 / max(sr, SR), rel=0.02)
    assert at(values, "rmse", "median") == pytest.approx(0.5 * (3 / 16) ** 0.5, rel=0.01)  # a Hann window: 3/8 of it
    for name in ("chroma_stft", "chroma_cqt", "chroma_cens"):
        assert np.argmax([at(values, name, "mean", k) for k in range(1, 13)]) == 9, name  # C is 0, A is 9


def test_the_statistics_of_a_series_are_those_it_should_have():
    series = {name: np.zeros((rows, 4)) for name, rows in SERIES.items()}
    series["zcr"] = np.array([[0.0, 0.0, 0.0, 4.0]])
    series["mfcc"][19] = [1, 2, 3, 6]
    values = statistics.summarise(series)
    assert values.dtype == np.float32
    found = {what: at(values, "zcr", what) for what in statistics.STATISTICS}
    expected = {"mean": 1, "std": 3**0.5, "skew": 6 / 3**1.5, "kurtosis": 21 / 9 - 3, "median": 0, "min": 0, "max": 4}
    assert found == pytest.approx(expected)
    assert [at(values, "mfcc", what, 20) for what in ("mean", "median", "max")] == [3, 2.5, 6]
    assert at(values, "mfcc", "max", 19) == 0


def librosas(y, sr):
    """The series, each by librosa's own function and with nothing shared but the spectra, as FMA took them."""
    feature = librosa.feature
    magnitude = np.abs(librosa.stft(y, n_fft=2048, hop_length=512))
    semitones = np.abs(librosa.cqt(y, sr=sr, hop_length=512, n_bins=84, bins_per_octave=12, tuning=None))
    cens = feature.chroma_cens(C=semitones, n_chroma=12, bins_per_octave=12)
    return {
        "chroma_stft": feature.chroma_stft(S=magnitude**2, sr=sr),
        "chroma_cqt": feature.chroma_cqt(C=semitones, n_chroma=12, bins_per_octave=12),
        "chroma_cens": cens,
        "tonnetz": feature.tonnetz(chroma=cens),
        "mfcc": feature.mfcc(S=librosa.power_to_db(feature.melspectrogram(S=magnitude**2, sr=sr)), n_mfcc=20),
        "rmse": feature.rms(S=magnitude),
        "zcr": feature.zero_crossing_rate(y, frame_length=2048, hop_length=512),
        "spectral_centroid": feature.spectral_centroid(S=magnitude, sr=sr),
        "spectral_bandwidth": feature.spectral_bandwidth(S=magnitude, sr=sr),
        "spectral_contrast": feature.spectral_contrast(S=magnitude, sr=sr, n_bands=6),
        "spectral_rolloff": feature.spectral_rolloff(S=magnitude, sr=sr),
    }


@pytest.fixture(scope="module", params=[SR, 44100])
def ours_and_librosas(request):
    samples = music(request.param)
    return statistics.series(samples, request.param)[0], librosas(samples, request.param), request.param


@pytest.mark.parametrize("name", SERIES)
def test_every_series_is_librosas(ours_and_librosas, name):
    *both, sr = ours_and_librosas
    ours, theirs = (found[name] for found in both)
    assert ours.shape == theirs.shape == (SERIES[name], theirs.shape[1])
    difference = np.abs(ours - theirs)
    if name == "spectral_rolloff":  # a whole number of bins, here and there rounded to the other side
        assert difference.max() < 1.01 * sr / 2048
        assert (difference > 0).mean() < 0.02
    else:
        assert difference.max() < (1e-3 if name == "spectral_contrast" else 1e-5) * np.ptp(theirs)


def test_a_long_file_in_stretches_has_nearly_the_statistics_of_the_whole(tmp_path, monkeypatch):
    path = write_song(tmp_path / "long.wav", np.tile(music(), 4))
    whole, _ = statistics.of_file(path)
    monkeypatch.setattr(statistics, "STRETCH", 4)
    monkeypatch.setattr(statistics, "REST", 1)
    assert [len(samples) / SR for _, samples in statistics._stretches(path)] == [4, 4, 4]
    parts, seconds = statistics.of_file(path)
    assert seconds == 12
    for name in SERIES:
        low, high = (of([at(whole, *column) for column in of_series(name, of.__name__)]) for of in (min, max))
        ours, expected = ([at(values, *column) for column in of_series(name, "mean")] for values in (parts, whole))
        np.testing.assert_allclose(ours, expected, atol=0.02 * (high - low), err_msg=name)
    assert not np.array_equal(whole, parts)


def test_the_statistics_do_not_depend_on_the_number_of_threads(tmp_path):
    path = write_song(tmp_path / "a.wav", music())
    found = []
    for threads in (1, 2, 4):
        with threadpoolctl.threadpool_limits(threads):
            found.append(statistics.of_file(path)[0])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_short_rest_goes_with_the_stretch_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "STRETCH", 4)
    monkeypatch.setattr(statistics, "REST", 2)
    for seconds, expected in [(3, [3]), (9, [4, 5]), (10, [4, 4, 2]), (5, [5])]:
        path = write_song(tmp_path / "a.wav", tone(440, seconds))
        found = list(statistics._stretches(path))
        np.testing.assert_array_equal(np.concatenate([samples for _, samples in found]), tone(440, seconds))
        assert [len(samples) / SR for _, samples in found] == expected


@pytest.mark.parametrize("sr", [100, 8000, 30000, SR, 192000])
@pytest.mark.parametrize("kind", ["noise", "half silent", "no change"])
def test_all_is_finite_and_nothing_warns_at_any_rate(tmp_path, sr, kind):
    samples = np.random.default_rng(0).normal(0, 0.1, round(1.2 * sr)).astype(np.float32)
    if kind == "half silent":
        samples[: len(samples) // 2] = 0
    if kind == "no change":
        samples[1:] = samples[0]
        samples[0] += 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, _ = statistics.of_file(write_song(tmp_path / "a.wav", samples, sr))
    assert values.dtype == np.float32 and np.isfinite(values).all()


def test_a_silent_stretch_of_a_track_is_part_of_its_statistics(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "STRETCH", 2)
    monkeypatch.setattr(statistics, "REST", 1)
    values, _ = statistics.of_file(write_song(tmp_path / "a.wav", np.concatenate([tone(440, 2), tone(0, 2)])))
    assert np.isfinite(values).all()
    assert at(values, "rmse", "min") == 0 < at(values, "rmse", "max")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(tone(440, 0.5), "0.5 s long; statistics need 1.1 s"), (tone(0, 3), "silent"), (tone(0, 0), "holds no audio")],
)
def test_a_file_without_statistics_says_why(tmp_path, samples, reason):
    path = write_song(tmp_path / "a.wav", samples)
    with pytest.raises(audio.AudioError, match=reason):
        statistics.of_file(path)
    row, values, found = statistics.of_track(Track(path, "a", ("rock",)))
    assert (row, values) == (None, None)
    assert reason in found


def test_a_known_track_is_computed_again_only_if_its_audio_changed(tmp_path):
    path = write_song(tmp_path / "a.wav", tone(440, 2))
    row, values, reason = statistics.of_track(Track(path, "a", ("rock",)))
    assert (row.file, row.track, row.labels, row.seconds, reason) == ("rock/a", "rock/a", ("rock",), 2.0, None)
    relabelled = Track(path, "a", ("rock", "pop"), artist="B", subset="test")
    again, nothing, reason = statistics.of_track(relabelled, row)
    assert (nothing, reason) == (None, None)
    assert (again.labels, again.artist, again.subset, again.seconds) == (("rock", "pop"), "B", "test", 2.0)
    write_song(path, tone(880, 2))
    changed, others, _ = statistics.of_track(relabelled, again)
    assert changed.audio_hash != row.audio_hash
    assert at(others, "spectral_centroid", "mean") > 1.9 * at(values, "spectral_centroid", "mean")


def table(rows=3):
    values = np.random.default_rng(0).normal(size=(rows, 518)).astype(np.float32)
    values[0, :3] = 0, 1e-30, -123456.789
    return values


def test_a_table_comes_back_as_it_went(tmp_path):
    tracks = ["rock/a, b#1", 'rock/"c"\nd', "rock/\udcff"]
    statistics.write(tmp_path / "t.csv", tracks, table())
    found, values = statistics.read(tmp_path / "t.csv")
    assert found == tracks
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, table())
    statistics.write(tmp_path / "t.csv", [], np.zeros((0, 518)))
    found, values = statistics.read(tmp_path / "t.csv")
    assert found == [] and values.shape == (0, 518)


def test_a_table_has_the_four_lines_that_fmas_has_and_no_whole_numbers(tmp_path):
    statistics.write(tmp_path / "t.csv", ["2"], table(1))
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0].startswith("feature,chroma_cens,chroma_cens,")
    assert lines[1].startswith("statistics,kurtosis,kurtosis,")
    assert lines[2].startswith("number,01,02,03,04,05,06,07,08,09,10,11,12,01,02,")
    assert lines[3] == "track_id" + 518 * ","
    assert lines[4].startswith("2,0.00000000e+00,1.00000000e-30,-1.23456789e+05,")
    assert len(lines) == 5


def test_fmas_own_table_is_read_whatever_the_order_of_its_columns(tmp_path):
    order = np.random.default_rng(0).permutation(518)
    lines = [[level, *(COLUMNS[i][k] for i in order)] for k, level in enumerate(statistics.LEVELS)]
    lines.append(["track_id"] + [""] * 518)
    lines += [[str(name), *(f"{row[i]:.10e}" for i in order)] for name, row in zip((2, 3, 5), table(), strict=True)]
    lines[5][1 + int(np.argmin(order))] = ""  # the first of COLUMNS could not be computed
    (tmp_path / "t.csv").write_text("".join(",".join(line) + "\r\n" for line in lines), newline="")
    tracks, values = statistics.read(tmp_path / "t.csv")
    assert tracks == ["2", "3", "5"]
    expected = table()
    expected[1, 0] = np.nan
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "feature,chroma_cens,",
            "feature,chroma_sens,",
            "1 missing .* chroma_cens kurtosis 01, 1 unknown .* chroma_sens",
        ),
        (",01\n", ",01,02\n", "1 unknown .* is it a table of create_statistics.py"),
        ("number,01", "number,02", "1 missing such as chroma_cens kurtosis 01;"),
        ("rock/b,", "rock/b,0,", "line 6 of .* has 519 numbers instead of 518"),
        ("rock/b,", "rock/b,x", "line 6 of .* cannot be read"),
        ("\nstatistics,", "\n\nstatistics,", "518 missing"),
        (None, "", "518 missing"),
        (None, "\0\n" * 9, "518 missing"),
    ],
)
def test_a_wrong_table_is_one_error_that_names_what_differs(tmp_path, old, new, message):
    path = tmp_path / "t.csv"
    statistics.write(path, ["rock/a", "rock/b"], table(2))
    path.write_text(new if old is None else path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        statistics.read(path)


def test_a_missing_table_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(DataError, match="make it with: python create_statistics.py"):
        statistics.read(tmp_path / "t.csv")
