"""What is wrong with the audio of one track."""

from typing import NamedTuple

from genre import audio, fingerprint

import numpy as np

STRETCH = 60  # s looked at together
NEAR_PEAK = 0.999  # share of the peak from which on a sample counts as cut off
RUN = 3  # samples in a row at the peak: clipping, and not the top of one wave
CLIPPED = 1e-4  # share of samples in such runs that is worth a word


class Finding(NamedTuple):
    """Of one track. `faults` is [(kind, detail)]; `bits` is its fingerprint, without frames where it has none."""

    audio_hash: str
    seconds: float
    faults: list
    bits: np.ndarray


def unusable(reason, audio_hash="", known=()):
    """The Finding of a track that gives no sound."""
    return Finding(audio_hash, 0.0, [*known, ("undecodable", reason)], np.zeros(0, np.uint32))


def of_track(track, seconds):
    """Decode a track and look at all of it.

    Args:
        seconds: length of a piece; a track without a whole one is too short.

    Returns:
        Finding. A track that cannot be read or decoded has that as its fault.
    """
    audio_hash, known = "", [("known fault", track.fault)] if track.fault else []
    try:
        audio_hash = audio.content_hash(track.path)
        if is_text(track.path):
            raise audio.AudioError("is text, such as a web page saved under the name of a song")
        length, faults = _faults(track.path, seconds)
        return Finding(audio_hash, length, known + faults, fingerprint.of_file(track.path))
    except Exception as error:  # whatever one song does to a decoder, the audit goes on
        return unusable(audio.reason(error), audio_hash, known)


def is_text(path):
    """Whether a file begins like text, which no audio format does."""
    with open(path, "rb") as file:
        start = file.read(512)
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4 or not error.start:  # not a letter that the 512 bytes cut in two
            return False
        text = start[: error.start].decode("utf-8")
    return bool(text) and all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def _faults(path, seconds):
    """(length in s, [(kind, detail)]) of audio that can be decoded."""
    length, low, high, count, cut = 0.0, np.inf, -np.inf, 0, []
    for sr, samples in audio.stretches(path, STRETCH):
        length += len(samples) / sr
        low, high, count = min(low, samples.min()), max(high, samples.max()), count + len(samples)
        cut.append((float(np.abs(samples).max()), _in_runs(np.abs(samples))))
    faults, peak = [], max(high, -low)
    if length < audio.WHOLE * seconds:
        faults.append(("too short", f"{length:.2f} s of {seconds:g} s"))
    if high - low < audio.SILENCE:
        constant = peak >= audio.SILENCE
        faults.append(("constant", f"all samples near {high:.3g}") if constant else ("silent", f"peak {peak:.2g}"))
        return length, faults
    share = sum(runs for top, runs in cut if top >= NEAR_PEAK * peak) / count
    if share > CLIPPED:
        faults.append(("clipped", f"{share:.2%} of the samples at the peak, {peak:.3g}"))
    return length, faults


def _in_runs(level):
    """How many samples stand in runs of at least `RUN` at the peak; level: (samples,)"""
    at_peak = np.concatenate([[False], level >= NEAR_PEAK * level.max(), [False]])
    edges = np.flatnonzero(np.diff(at_peak.astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= RUN].sum())
