"""Find the same recording in other files: in another format or rate, at another level, starting at another moment.

Source: Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002,
    https://archives.ismir.net/ismir2002/paper/000015.pdf; its frames, bands, bits and threshold.
Differs: an exact sub-fingerprint alone makes no candidate, two at one offset do; bits are compared over the whole
    overlap, not over 3 s; frames that tell nothing are left out.
Libraries: pyacoustid and pychromaprint need the system's Chromaprint (their wheels hold none), and Essentia is AGPL and
    has no wheel for Windows; the method is one page of NumPy.

Not found by design: another take or mix of a song, and a copy played faster or slower, or shifted in pitch.
"""

import itertools
from typing import NamedTuple

from genre import audio

import numpy as np
import scipy.fft
import scipy.signal
import soxr

SR = 5512  # Hz; the paper's 5 kHz, as an eighth of 44.1 kHz
N_FFT = 2048  # samples; the paper's frames of 0.37 s
HOP_LENGTH = 64  # samples; the paper's 11.6 ms
STEP = HOP_LENGTH / SR  # s between two sub-fingerprints
FRAMES_AT_ONCE = 512  # not all: 30 s would take 40 MB
EDGES = np.round(np.geomspace(300, 2000, 34) * N_FFT / SR).astype(int)  # bins; the paper's 33 bands, 300 to 2000 Hz
ALIKE = 0.65  # share of equal bits; the paper's bit error rate of 0.35. experiments/fingerprint.py measures both sides
QUIET = 1e-9  # power in the bands, full scale 1: below, there is dither
STEADY = 1e-9  # of that power: a smaller change is rounding, as under a pure tone without noise
SHORTEST = 5.0  # s that two tracks must share
DISTINCT = 100  # different sub-fingerprints in what is shared: 1.2 s of sound that does not repeat
VOTES = 2  # equal sub-fingerprints at one offset that make a candidate
SLACK = 4  # frames: as far apart offsets may be and still be one
CROWD = 64  # neighbours with an equal sub-fingerprint that one is paired with: bounds the work over many copies
BLOCK = 2**21  # entries of the index looked at together: bounds the memory


class Match(NamedTuple):
    """Tracks `i` < `j`, the share of equal bits, and the `offset` in s: what i plays at t, j plays at t + offset."""

    i: int
    j: int
    similarity: float
    offset: float


def of_file(path, longest=600.0):
    """The fingerprint of an audio file: of its first `longest` s, less a last second that is not whole.

    Raises:
        audio.AudioError: the file cannot be decoded.
    """
    pieces = audio.pieces(path, [SR], seconds=1.0, pad_short=True)
    return fingerprint(np.concatenate([p.samples[SR] for p in itertools.islice(pieces, round(longest))]))


def fingerprint(samples, sr=SR):
    """A sub-fingerprint each 11.6 ms: how the energy difference of neighbouring bands changes from frame to frame.

    Args:
        samples: mono, float32 (samples,), full scale 1. sr: their rate in Hz.

    Returns:
        uint32 (frames,), 86 a second and 10 kB for 30 s; 0 where a frame tells nothing: silence, or a steady tone.
    """
    samples = np.asarray(samples, np.float32)
    power = _bands(samples if sr == SR else soxr.resample(samples, sr, SR))  # (frames + 1, 33)
    change = np.diff(np.diff(power, axis=1), axis=0)  # (frames, 32)
    loudness = power[1:].sum(axis=1, keepdims=True)
    tells = (loudness[:, 0] > QUIET) & (np.median(np.abs(change), axis=1) > STEADY * loudness[:, 0])
    bits = np.packbits(change < 0, axis=1).view(">u4")[:, 0]
    return np.where(tells, bits, 0).astype(np.uint32)


def _bands(samples):
    """float32 (samples,) at SR -> power in each band, float32 (frames, 33); one frame where not even one fits."""
    samples = np.pad(samples, (0, max(0, N_FFT - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_LENGTH]
    window = scipy.signal.get_window("hann", N_FFT).astype(np.float32)
    window /= window.sum()
    bands = []
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        spectrum = scipy.fft.rfft(frames[start : start + FRAMES_AT_ONCE] * window, axis=1)[:, : EDGES[-1]]
        bands.append(np.add.reduceat(spectrum.real**2 + spectrum.imag**2, EDGES[:-1], axis=1))
    return np.concatenate(bands)


def near(fingerprints):
    """Pairs of tracks that share at least 5 s of one recording, all they overlap in.

    Of more than 64 copies of one recording, each is paired with some of the others only.

    Args:
        fingerprints: one uint32 (frames,) a track.

    Returns:
        [Match], sorted.
    """
    matches = []
    for i, j, offset in _candidates(fingerprints):
        similarity, offset = max(
            (_similarity(fingerprints[i], fingerprints[j], shift), shift)
            for shift in range(offset - SLACK, offset + 2 * SLACK + 1)
        )
        distinct = [len(np.unique(bits)) for bits in _shared(fingerprints[i], fingerprints[j], offset)]
        if similarity >= ALIKE and min(distinct) >= DISTINCT:
            matches.append(Match(int(i), int(j), similarity, offset * STEP))
    return matches


def _shared(a, b, offset):
    """Where frame t of `a` meets frame t + offset of `b` and both tell something: two uint32 (shared frames,)."""
    a, b = (a, b[offset:]) if offset >= 0 else (a[-offset:], b)
    length = min(len(a), len(b))
    both = (a[:length] != 0) & (b[:length] != 0)
    return a[:length][both], b[:length][both]


def _similarity(a, b, offset):
    """Share of equal bits at an offset in frames; 0 where the overlap is too short to tell."""
    a, b = _shared(a, b, offset)
    return 1 - float(np.bitwise_count(a ^ b).mean()) / 32 if len(a) >= SHORTEST / STEP else 0.0


def _candidates(fingerprints):
    """Pairs of tracks with equal sub-fingerprints at one offset.

    Returns:
        int64 (pairs, 3): track i, track j > i, and the offset in frames from which on, in SLACK, most are equal.
    """
    lengths = [len(bits) for bits in fingerprints]
    span = 2 * max(lengths, default=0) + SLACK  # of keys for a pair; SLACK keeps windows from reaching the next pair
    keys, counts = _merge(list(_collisions(fingerprints, lengths, span)))
    total = np.concatenate([[0], np.cumsum(counts)])
    votes = total[np.searchsorted(keys, keys + SLACK, side="right")] - total[:-1]
    keys, votes = keys[votes >= VOTES], votes[votes >= VOTES]
    order = np.lexsort((-votes, keys // span))
    pairs, first = np.unique(keys[order] // span, return_index=True)
    offsets = keys[order][first] % span - max(lengths, default=0)
    return np.stack([pairs // max(1, len(lengths)), pairs % max(1, len(lengths)), offsets], axis=1)


def _collisions(fingerprints, lengths, span):
    """Yield (keys, how often each) of equal sub-fingerprints; a key is (i * tracks + j) * span + longest + offset."""
    values, places = _index(fingerprints)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    here, lag = np.flatnonzero(values[1:] == values[:-1]), 1
    while len(here) and lag <= CROWD:
        for part in np.array_split(here, len(here) // BLOCK + 1):
            a, b = places[part].astype(np.int64), places[part + lag].astype(np.int64)
            i, j = (np.searchsorted(starts, place, side="right") - 1 for place in (a, b))
            offset = (b - starts[j]) - (a - starts[i])
            keys = (i * len(lengths) + j) * span + max(lengths) + offset
            yield np.unique(keys[i != j], return_counts=True)
        lag += 1
        here = here[here + lag < len(values)]
        here = here[values[here + lag] == values[here]]


def _index(fingerprints):
    """Sub-fingerprints, sorted, and their places in all fingerprints end to end: uint32 (entries,) each."""
    bits = np.concatenate([np.zeros(0, np.uint32), *fingerprints])
    assert len(bits) < 2**32, "places are 32 bits"
    first = np.diff(bits, prepend=0) != 0  # of a run: overlapping frames repeat a value
    entries = bits.astype(np.uint64)
    entries <<= 32
    entries |= np.arange(len(bits), dtype=np.uint32)
    entries = entries[first & (bits != 0)]
    entries.sort()
    return (entries >> 32).astype(np.uint32), entries.astype(np.uint32)


def _merge(parts):
    """[(keys, counts)] -> (keys, counts), sorted, each key once."""
    keys = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    counts = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, np.bincount(inverse, weights=counts, minlength=len(unique)).astype(np.int64)
