import os

from genre import audio

import numpy as np
import pytest
import soundfile
import soxr
from conftest import SR, sine


def heard(path, seconds=1.0, **options):
    return list(audio.pieces(path, SR, seconds, **options))


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "au"])
def test_every_common_format_is_decoded(tmp_path, extension):
    soundfile.write(tmp_path / f"song.{extension}", sine(440, 2.0), SR)
    pieces = heard(tmp_path / f"song.{extension}")
    spectrum = np.abs(np.fft.rfft(pieces[0].samples))
    assert len(pieces) == 2
    assert spectrum.argmax() == 440


def test_streaming_gives_the_samples_of_resampling_the_whole_file(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 25 * 44100).astype(np.float32)  # s; more than one block
    soundfile.write(tmp_path / "song.wav", samples, 44100, subtype="FLOAT")
    streamed = np.concatenate([piece.samples for piece in heard(tmp_path / "song.wav")])
    np.testing.assert_array_equal(streamed, soxr.resample(samples, 44100, SR)[: len(streamed)])
    assert len(streamed) == 25 * SR


def test_channels_are_averaged_at_any_rate_and_width(tmp_path):
    channels = np.stack([sine(440, 1.0, 192000), *[np.zeros(192000, np.float32)] * 5], axis=1)
    soundfile.write(tmp_path / "song.wav", channels, 192000, subtype="PCM_U8")
    (piece,) = heard(tmp_path / "song.wav")
    assert np.abs(piece.samples).max() == pytest.approx(0.5 / 6, abs=0.02)


@pytest.mark.parametrize(("seconds", "count"), [(0.96, 1), (1.0, 1), (1.5, 1), (1.94, 1), (1.96, 2), (3.0, 3)])
def test_a_remainder_is_padded_from_95_percent_on_and_else_dropped(tmp_path, seconds, count):
    soundfile.write(tmp_path / "song.wav", sine(440, seconds), SR)
    pieces = heard(tmp_path / "song.wav")
    assert [piece.start for piece in pieces] == list(range(count))
    assert all(len(piece.samples) == SR for piece in pieces)


def test_a_track_without_a_whole_piece_is_refused_or_padded_as_asked(tmp_path):
    soundfile.write(tmp_path / "song.wav", sine(440, 0.05), SR)
    with pytest.raises(audio.AudioError, match="0.05 s long, shorter than 95%"):
        heard(tmp_path / "song.wav")
    (piece,) = heard(tmp_path / "song.wav", pad_short=True)
    assert piece.seconds == pytest.approx(0.05)
    assert not piece.samples[round(0.05 * SR) :].any()


def test_what_cannot_be_decoded_gives_its_reason(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(b"")
    with pytest.raises(audio.AudioError, match="an empty file"):
        heard(path)
    path.write_text("<html>404 not found</html>" * 100)
    with pytest.raises(audio.AudioError, match="cannot be decoded"):
        heard(path)
    with pytest.raises(audio.AudioError, match="cannot be decoded"):
        heard(tmp_path / "missing.wav")
    soundfile.write(path, np.array([0.1, np.nan] * SR), SR, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match="not numbers"):
        heard(path)
    soundfile.write(path, np.zeros(0), SR)
    with pytest.raises(audio.AudioError, match="no audio"):
        heard(path)


@pytest.mark.parametrize("extension", ["flac", "mp3"])
@pytest.mark.parametrize("seconds", [9, 40])
def test_a_file_cut_short_is_refused_and_never_filled_with_what_memory_holds(tmp_path, extension, seconds):
    path = tmp_path / f"song.{extension}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, seconds * SR), SR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(audio.AudioError, match="cut short|cannot be decoded"):
        heard(path)


@pytest.mark.parametrize("extension", ["wav", "au", "aiff"])
def test_a_file_cut_short_without_saying_so_is_as_long_as_what_is_there(tmp_path, extension):
    path = tmp_path / f"song.{extension}"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 9 * SR).astype(np.float32)
    soundfile.write(path, samples, SR, subtype="FLOAT")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pieces = heard(path)
    assert len(pieces) == 4
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), samples[: 4 * SR])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_text_is_no_hindrance(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(os.fsencode(path), sine(440), SR)
    assert len(heard(path)) == 1


def test_silence_and_a_constant_are_recognised(tmp_path):
    for level, seconds in ((0.0, 1.0), (0.3, 1.0), (0.3, 0.97)):
        soundfile.write(tmp_path / "song.wav", np.full(round(seconds * SR), level), SR)
        (piece,) = heard(tmp_path / "song.wav")
        assert piece.silent
    soundfile.write(tmp_path / "song.wav", sine(440, 1.0, amplitude=0.001), SR)
    (piece,) = heard(tmp_path / "song.wav")
    assert not piece.silent
