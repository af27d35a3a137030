"""Decode any audio file, at any length, into mono float32 pieces at the recipe's rate."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from genre.command_line import DataError

import numpy as np
import soundfile
import soxr

# What a music library holds. The second line libsndfile does not read: it is reported, not passed over in silence.
DECODABLE = {".wav", ".au", ".snd", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".caf", ".w64"}
EXTENSIONS = DECODABLE | {
    ".m4a",
    ".aac",
    ".wma",
    ".mp4",
    ".ape",
    ".wv",
    ".mka",
    ".webm",
    ".ac3",
    ".amr",
    ".mpc",
    ".dsf",
}
WHOLE = 0.95  # share of a piece that must be there; the rest is padded
SILENCE = 2.0**-15  # peak to peak, full scale 1: one step of 16-bit audio


class AudioError(DataError):
    """A file that cannot be used; the message is the reason, without the file's name."""


def reason(error):
    """In one line, why a song could not be used, whatever was raised over it."""
    return str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"


class Piece(NamedTuple):
    """`samples` is float32 (round(seconds * sr),) in -1..1; `start` and `seconds` say what of the file it holds."""

    start: float
    seconds: float
    samples: np.ndarray
    silent: bool


def pieces(path, sr, seconds, pad_short=False):
    """Yield the pieces of a file, decoding no more than it needs at a time.

    At least 95 % of a piece is padded with zeros at its end; a shorter remainder is dropped.

    Args:
        path: an audio file that libsndfile reads: WAV, FLAC, MP3, Ogg, AU, AIFF ...
        sr: rate of the samples in Hz.
        seconds: length of a piece in s.
        pad_short: pad a file that has no whole piece, however short.

    Raises:
        AudioError: the file cannot be decoded, or holds no whole piece and `pad_short` is not set.
    """
    length = round(seconds * sr)
    pending, start, total = np.zeros(0, np.float32), 0, 0
    for block in _blocks(path, sr):
        total += len(block)
        pending = np.concatenate([pending, block])
        while len(pending) >= length:
            yield Piece(start / sr, seconds, pending[:length], _is_silent(pending[:length]))
            pending, start = pending[length:], start + length
    if total == 0:
        raise AudioError("holds no audio")
    if len(pending) >= WHOLE * length or (start == 0 and pad_short):
        padded = np.pad(pending, (0, length - len(pending)))
        yield Piece(start / sr, len(pending) / sr, padded, _is_silent(pending))
    elif start == 0:
        raise AudioError(f"{total / sr:.2g} s long, shorter than {WHOLE:.0%} of a piece (--seconds={seconds:g})")


def _is_silent(samples):
    return float(np.ptp(samples)) < SILENCE


def _blocks(path, sr):
    """Yield float32 (samples,) of a file, mixed to mono and resampled to `sr` Hz, about ten seconds at a time."""
    name = path if os.name == "nt" else os.fsencode(path)  # bytes: a name need not be valid in the locale's encoding
    try:
        with soundfile.SoundFile(name) as file:
            resampler = None if file.samplerate == sr else soxr.ResampleStream(file.samplerate, sr, 1, dtype="float32")
            heard = 0
            # not file.blocks(): where a file ends before its header says, that goes on with what memory holds
            while len(block := file.read(10 * file.samplerate, dtype="float32", always_2d=True)):
                if not np.isfinite(block).all():
                    raise AudioError("holds samples that are not numbers (NaN or infinity)")
                heard += len(block)
                mono = block.mean(axis=1, dtype=np.float32)
                yield resampler.resample_chunk(mono) if resampler else mono
            if heard < file.frames - max(file.samplerate, 0.01 * file.frames):
                there, promised = (f"{frames / file.samplerate:.0f} s" for frames in (heard, file.frames))
                raise AudioError(f"cut short: {there} of {promised} are there; fetch it anew, or convert it to WAV")
            if resampler:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
    except soundfile.LibsndfileError as error:
        with contextlib.suppress(OSError):
            if Path(path).stat().st_size == 0:
                raise AudioError("an empty file") from None
        said = error.error_string.strip().rstrip(".")
        raise AudioError(f"cannot be decoded ({said}); if it plays elsewhere, convert it to WAV or FLAC") from None


def content_hash(path):
    """sha256 of a file's bytes, the same for byte-identical files."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"cannot be read ({error.strerror})") from None
