"""Decode any audio file, at any length, into mono float32 pieces at the recipe's rate."""

import itertools
import os
import re
from pathlib import Path
from typing import NamedTuple

from genre.command_line import DataError
from genre.files import sha256

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
SILENCE = 2.0**-13  # peak to peak, full scale 1: four steps of 16-bit audio, such as dither
LOUDEST = 1e10  # full scale 1; integers stored as floats come to 2e9, and more is no sound but a damaged file
BLOCK = 10  # s decoded at a time
UNKNOWN = 0x7FFF0000  # bytes; from here on a header's length means: not known when it was written
FIRST_FRAME = 4096  # bytes, more than one of an MP3


class AudioError(DataError):
    """A file that cannot be used; the message is the reason, without the file's name."""


def reason(error):
    """In one line, why a song could not be used, whatever was raised over it."""
    return str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"


class Piece(NamedTuple):
    """`samples` is {rate in Hz: float32 (round(seconds * rate),) in -1..1}; `start` and `seconds` are what it holds."""

    start: float
    seconds: float
    samples: dict
    silent: bool


def pieces(path, rates, seconds, overlap=0.0, pad_short=False, to_end=False):
    """Yield the pieces of a file, decoding it once, no more than is needed at a time.

    At least 95 % of a piece is padded with zeros at its end; a shorter remainder is dropped.

    Args:
        path: an audio file that libsndfile reads: WAV, FLAC, MP3, Ogg, AU, AIFF ...
        rates: rates of the samples in Hz, at least one.
        seconds: length of a piece in s.
        overlap: share of a piece that the next one repeats.
        pad_short: pad a file that has no whole piece, however short.
        to_end: where a remainder is left, end with the piece that ends with the file, whatever it repeats.

    Raises:
        AudioError: the file cannot be decoded, or holds no whole piece and `pad_short` is not set.
    """
    native, blocks = _decode(path)
    streams = itertools.tee(blocks, len(rates))
    cut = [
        _cut(_resample(stream, native, sr), sr, seconds, overlap, pad_short, to_end=to_end)
        for stream, sr in zip(streams, rates, strict=True)
    ]
    for at_rates in zip(*cut, strict=False):  # a remainder may be 95 % of a piece at one rate and just not at another
        start, held, _, silent = at_rates[0]
        yield Piece(start, held, {sr: samples for sr, (_, _, samples, _) in zip(rates, at_rates, strict=True)}, silent)


def stretches(path, seconds):
    """Yield (native rate in Hz, float32 (samples,)) of a whole file, mono, at most `seconds` at a time."""
    native, blocks = _decode(path)
    for _, _, samples, _ in _cut(blocks, native, seconds, 0.0, pad_short=False, keep_rest=True):
        yield native, samples


def _cut(blocks, sr, seconds, overlap, pad_short, keep_rest=False, to_end=False):
    """Yield (start in s, seconds held, samples, whether silent) of each piece of a stream of blocks."""
    length, step = round(seconds * sr), max(1, round(seconds * (1 - overlap) * sr))
    waiting, start, total = [], 0, 0  # total: samples from the first to the last that was read
    for block in blocks:
        total += len(block)
        waiting.append(block)
        if total - start >= length:
            pending = np.concatenate(waiting)
            while len(pending) >= length:
                last = pending[:length]
                yield start / sr, seconds, last, is_silent(last)
                pending, start = pending[step:], start + step
            waiting = [pending]
    if total == 0:
        raise AudioError("holds no audio")
    pending = np.concatenate(waiting)
    if to_end and start:
        if len(pending) > length - step:
            last = np.concatenate([last[:step], pending])[-length:]
            yield (total - length) / sr, seconds, last, is_silent(last)
    elif keep_rest and len(pending):
        yield start / sr, len(pending) / sr, pending, is_silent(pending)
    elif len(pending) >= WHOLE * length or (start == 0 and pad_short):
        yield start / sr, len(pending) / sr, np.pad(pending, (0, length - len(pending))), is_silent(pending)
    elif start == 0 and not keep_rest:
        raise AudioError(f"{total / sr:.2g} s long, shorter than {WHOLE:.0%} of a piece (--seconds={seconds:g})")


def is_silent(samples):
    return float(np.ptp(samples)) < SILENCE


def _resample(blocks, native, sr):
    """The stream of blocks at `sr` Hz."""
    if sr == native:
        yield from blocks
        return
    resampler = soxr.ResampleStream(native, sr, 1, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _decode(path):
    """(rate in Hz, generator of float32 (samples,)) of a file, mixed to mono."""
    name = path if os.name == "nt" else os.fsencode(path)  # bytes: a name need not be valid in the locale's encoding
    try:
        file = soundfile.SoundFile(name)
    except soundfile.LibsndfileError as error:
        raise _not_decodable(path, error) from None
    return file.samplerate, _blocks(path, file)


def _blocks(path, file):
    heard, promised = 0, _promised(path, file)
    with file:
        try:
            # not file.blocks(): where a file ends before its header says, that goes on with what memory holds
            while len(block := file.read(BLOCK * file.samplerate, dtype="float32", always_2d=True)):
                peak = max(float(block.max()), -float(block.min()))  # NaN, where there is one
                if not np.isfinite(peak):
                    raise AudioError("holds samples that are not numbers (NaN or infinity)")
                if peak > LOUDEST:
                    raise AudioError(f"holds samples of {peak:.0e}, where full scale is 1")
                heard += len(block)
                yield block[:, 0] if file.channels == 1 else block.mean(axis=1, dtype=np.float32)
        except soundfile.LibsndfileError as error:
            raise _not_decodable(path, error) from None
        if heard < promised - max(file.samplerate, 0.01 * promised):
            there, whole = (f"{frames / file.samplerate:.0f} s" for frames in (heard, promised))
            raise AudioError(f"cut short: {there} of {whole} are there; fetch it anew, or convert it to WAV")


def _promised(path, file):
    """Samples a channel that the header promises, 0 where it says nothing.

    libsndfile counts what is there and notes the difference.
    """
    if file.format == "MP3" and not _tells_its_length(path):
        return 0
    pairs = re.findall(r"^(?!\s*Bytes/sec).*: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    shares = [int(said) / int(there) for said, there in pairs if int(said) < UNKNOWN and int(there)]
    return round(file.frames * max([1.0, *shares]))


def _tells_its_length(path):
    """Whether an MP3's first frame says how many there are; else libsndfile goes by the file's size, cover and all."""
    with open(path, "rb") as file:
        head = file.read(10)
        tag = sum((byte & 127) << 7 * (9 - place) for place, byte in enumerate(head[6:], 6))  # ID3v2's length
        file.seek(10 + tag if head[:3] == b"ID3" else 0)
        first = file.read(FIRST_FRAME)
    return any(name in first for name in (b"Xing", b"Info", b"VBRI"))


def _not_decodable(path, error):
    try:
        if Path(path).stat().st_size == 0:
            return AudioError("an empty file")
    except OSError as fault:
        return AudioError(f"cannot be read ({fault.strerror})")
    said = error.error_string.strip().rstrip(".")
    if "does not exist" in said:  # what libsndfile says of an MP3 without a single frame
        said = "no audio found in it"
    return AudioError(f"cannot be decoded ({said}); if it plays elsewhere, convert it to WAV or FLAC")


def content_hash(path):
    """sha256 of a file's bytes, the same for byte-identical files."""
    try:
        return sha256(path)
    except OSError as error:
        raise AudioError(f"cannot be read ({error.strerror})") from None
