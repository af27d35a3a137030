import io

from genre import fingerprint
from genre.audio import AudioError
from genre.fingerprint import SR, near

import numpy as np
import pytest
import soundfile
import soxr

RATE = 22050  # Hz, of the songs


def song(seed, seconds=12.0):
    """Random notes of four voices with decaying partials, and a little hiss: float32 (samples,)."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.002, round(seconds * RATE))
    for onset in np.arange(0, seconds, 0.15):
        start = round((onset + rng.uniform(0, 0.05)) * RATE)
        t = np.arange(min(len(samples) - start, round(rng.uniform(0.2, 0.8) * RATE))) / RATE
        pitch = 220 * 2 ** (rng.integers(0, 30) / 12)
        for partial in (1, 2, 3):
            samples[start : start + len(t)] += 0.1 / partial * np.sin(2 * np.pi * pitch * partial * t) * np.exp(-4 * t)
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def songs():
    return [song(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def prints(songs):
    return [fingerprint.fingerprint(samples, RATE) for samples in songs]


def encoded(samples, **how):
    """Through an encoder and back."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, **how)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


COPIES = {
    "as it is": lambda x: x,
    "MP3, 64 kbit/s": lambda x: encoded(x, format="MP3", bitrate_mode="CONSTANT", compression_level=0.63),
    "Ogg": lambda x: encoded(x, format="OGG", subtype="VORBIS"),
    "6 dB louder and clipped": lambda x: np.clip(2 * x, -0.5, 0.5),
    "12 dB quieter": lambda x: x / 4,
    "upside down": lambda x: -x,
    "16 kHz": lambda x: soxr.resample(soxr.resample(x, RATE, 16000), 16000, RATE),
    "with noise": lambda x: x + np.random.default_rng(9).normal(0, 0.1 * x.std(), len(x)).astype(np.float32),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_and_nothing_else(name, songs, prints):
    copy = fingerprint.fingerprint(COPIES[name](songs[3]), RATE)
    (match,) = near([*prints, copy])
    assert (match.i, match.j) == (3, len(prints))
    assert match.offset == pytest.approx(0, abs=0.06)
    assert match.similarity > 0.7


@pytest.mark.parametrize("shift", [0.1, 1.003, 5.0])
def test_an_excerpt_is_found_with_its_offset(shift, songs, prints):
    excerpt = fingerprint.fingerprint(songs[3][round(shift * RATE) :], RATE)
    (match,) = near([*prints, excerpt])
    assert match[:2] == (3, len(prints))
    assert match.offset == pytest.approx(-shift, abs=fingerprint.STEP)
    (match,) = near([excerpt, prints[3]])
    assert match.offset == pytest.approx(shift, abs=fingerprint.STEP)


def test_an_overlap_of_less_than_5_seconds_is_no_match(songs):
    start, end = (fingerprint.fingerprint(part, RATE) for part in (songs[3][: 8 * RATE], songs[3][4 * RATE :]))
    assert near([start, end]) == []


def test_the_same_file_in_two_formats_is_found(songs, tmp_path):
    stereo = np.stack([songs[0], 0.5 * songs[0]], axis=1)
    soundfile.write(tmp_path / "a.wav", songs[0], RATE)
    soundfile.write(tmp_path / "b.mp3", stereo, RATE)
    soundfile.write(tmp_path / "c.flac", soxr.resample(songs[0], RATE, 44100), 44100)
    soundfile.write(tmp_path / "d.wav", songs[1], RATE)
    matches = near([fingerprint.of_file(tmp_path / name) for name in ("a.wav", "b.mp3", "c.flac", "d.wav")])
    assert [match[:2] for match in matches] == [(0, 1), (0, 2), (1, 2)]


def test_a_fingerprint_holds_one_number_each_11_6_ms_and_stops_where_it_is_told(songs, tmp_path):
    soundfile.write(tmp_path / "a.wav", songs[0], RATE)
    bits = fingerprint.of_file(tmp_path / "a.wav")
    assert bits.dtype == np.uint32
    assert len(bits) == (12 * SR - fingerprint.N_FFT) // fingerprint.HOP_LENGTH
    np.testing.assert_array_equal(fingerprint.of_file(tmp_path / "a.wav", longest=6.0), bits[: 6 * SR // 64 - 32])


def test_a_bit_says_that_the_lower_band_of_two_gained_on_the_higher():
    edges = fingerprint.EDGES * SR / fingerprint.N_FFT  # Hz
    t = np.arange(2 * SR) / SR
    levels = np.linspace(0.1, 1.0, len(t))
    for band in (1, 16, 31):
        rising = levels * np.sin(2 * np.pi * (edges[band] + edges[band + 1]) / 2 * t)
        noise = np.random.default_rng(0).normal(0, 1e-3, len(t))
        bits = fingerprint.fingerprint(rising + noise)
        assert np.all(bits >> (31 - band) & 1 == 1)  # against the band above it
        assert np.all(bits >> (31 - (band - 1)) & 1 == 0)  # and of the band below against it


T = np.arange(12 * RATE) / RATE
HISS = np.random.default_rng(1).normal(0, 1, (2, len(T)))
EMPTY = {
    "silence": [0 * T, 0 * T],
    "a constant": [0 * T + 0.5, 0 * T + 0.5],
    "dither": [np.round(HISS[0]) / 32768, np.round(HISS[0]) / 32768],
    "one pure tone": [np.sin(2 * np.pi * 440 * T), np.sin(2 * np.pi * 440 * T)],
    "two pure tones": [np.sin(2 * np.pi * 440 * T), np.sin(2 * np.pi * 450 * T)],
    "two tones in hiss": [np.sin(2 * np.pi * f * T) + 0.01 * hiss for f, hiss in zip((440, 450), HISS, strict=True)],
    "one tone in two hisses": [np.sin(2 * np.pi * 440 * T) + 0.01 * hiss for hiss in HISS],
    "two noises": list(HISS),
    "one beep over and over": [np.sin(2 * np.pi * 440 * T) * (T % 0.5 < 0.25)] * 2,
    "two beeps in one rhythm": [np.sin(2 * np.pi * f * T) * (T % 0.5 < 0.25) for f in (440, 450)],
    "less than a second": [song(3, 0.8), song(3, 0.8)],
    "less than a frame": [song(3, 0.1), song(3, 0.1)],
    "nothing": [np.zeros(0), np.zeros(0)],
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_tells_too_little_matches_nothing(name):
    assert near([fingerprint.fingerprint(0.5 * samples, RATE) for samples in EMPTY[name]]) == []


def test_silence_around_two_songs_does_not_make_them_one(songs):
    silence = np.zeros(20 * RATE, np.float32)
    padded = [np.concatenate([silence, samples, silence]) for samples in (songs[0], songs[1], songs[0])]
    matches = near([fingerprint.fingerprint(samples, RATE) for samples in padded])
    assert [match[:2] for match in matches] == [(0, 2)]


def test_no_fingerprints_have_no_pairs(prints):
    assert near([]) == near(prints[:1]) == near(prints) == []


def test_every_pair_of_a_few_copies_is_found_and_many_copies_stay_connected(prints, monkeypatch):
    few = near([prints[0]] * 5 + [prints[1]])
    assert [match[:2] for match in few] == [(i, j) for i in range(5) for j in range(i + 1, 5)]
    monkeypatch.setattr(fingerprint, "CROWD", 3)
    many = near([prints[0]] * 30)
    assert {match.i for match in many} | {match.j for match in many} == set(range(30))
    assert len(many) <= 30 * 3


def test_the_search_finds_what_comparing_everything_finds(prints):
    noise = np.random.default_rng(2)
    flips = [np.packbits(noise.random((len(p), 32)) < 0.1, axis=1).view("<u4")[:, 0] for p in prints]
    all_prints = [*prints, *(p ^ f for p, f in zip(prints, flips, strict=True))]  # a bit error rate of 0.1
    found = {match[:2] for match in near(all_prints)}
    every = {
        (i, j)
        for j in range(len(all_prints))
        for i in range(j)
        if fingerprint._similarity(all_prints[i], all_prints[j], 0) >= fingerprint.ALIKE
    }
    assert found == every == {(i, i + len(prints)) for i in range(len(prints))}


def test_a_file_that_is_no_audio_is_refused(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"no audio")
    with pytest.raises(AudioError):
        fingerprint.of_file(tmp_path / "a.mp3")
