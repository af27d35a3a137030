"""librosa's constant-Q transform, magnitude only: its steps, with filters that are kept and FFTs in float32 chunks.

Source: C. Schoerkhuber, A. Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010, as `librosa.cqt` has
it with its defaults. librosa makes the filters anew for every octave of every call, which is half of its time; they are
alike in all octaves, as the frequencies and the rate are halved together.
"""

import functools

import numpy as np
import scipy.fft

FRAMES_AT_ONCE = 64  # a chunk that stays in the processor's cache; larger arrays are mapped anew each time
SPARSITY = 0.01  # share of a filter's magnitude, in its weakest bins, that is left out


def magnitude(y, sr, hop_length, fmin, n_bins, bins_per_octave, tuning):
    """Magnitude of the constant-Q transform.

    Args:
        y: float32 (samples,). sr: their rate in Hz. hop_length: samples between frames. fmin: lowest frequency in Hz.
        n_bins: number of bins. bins_per_octave: bins an octave. tuning: shift of all bins, in shares of a bin.

    Returns:
        float32 (n_bins, frames)

    Raises:
        ValueError: the highest bin lies above half the rate, or the audio is too short.
    """
    import librosa

    octaves, filters = -(-n_bins // bins_per_octave), min(n_bins, bins_per_octave)
    frequencies = fmin * 2.0 ** ((np.arange(n_bins) + tuning) / bins_per_octave)
    width = np.full(n_bins, _relative_bandwidth(bins_per_octave))
    _, highest = librosa.filters.wavelet_lengths(freqs=frequencies, sr=sr, window="hann", gamma=0, alpha=width)
    if highest > sr / 2:
        raise ValueError(f"bins up to {highest:.0f} Hz need a rate above {2 * highest:.0f} Hz, or take fewer of them")
    factor = 2 ** _halvings(sr / 2 / highest, hop_length, octaves)
    y, sr, hop_length = _reduce(y, factor), sr / factor, hop_length // factor
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequencies, sr=sr, window="hann", gamma=0, alpha=width)
    result = np.empty((n_bins, 1 + len(y) // hop_length), np.float32)
    octave_sr = sr
    for stop in range(n_bins, 0, -bins_per_octave):
        start = max(0, stop - bins_per_octave)
        lowest = frequencies[stop - 1] * 2.0 ** ((1 - filters) / bins_per_octave)
        response = _response(y, hop_length, *_filters(round(lowest / octave_sr, 10), filters, bins_per_octave))
        scale = np.sqrt(sr / octave_sr / lengths[start:stop, np.newaxis])
        result[start:stop] = scale * response[start - stop :, : result.shape[1]]
        if hop_length % 2 == 0:
            y, octave_sr, hop_length = _reduce(y, 2), octave_sr / 2, hop_length // 2
    return result


def _relative_bandwidth(bins_per_octave):
    ratio = 2.0 ** (2 / bins_per_octave)
    return (ratio - 1) / (ratio + 1)


def _halvings(room, hop_length, octaves):
    """How often the rate can be halved before the highest octave: by the room above it, by the hop's factors of 2."""
    factors = (hop_length & -hop_length).bit_length() - 1
    return max(0, min(int(np.ceil(np.log2(room))) - 2, factors - octaves + 1))


def _reduce(y, factor):
    import librosa

    if len(y) < factor:
        raise ValueError("the audio is too short for so many octaves")
    return librosa.resample(y, orig_sr=factor, target_sr=1, res_type="soxr_hq", scale=True)


@functools.lru_cache(maxsize=128)  # a few kB each; there are as many as tunings
def _filters(lowest, count, bins_per_octave):
    """(n_fft, sparse complex64 (count, n_fft // 2 + 1)) of an octave from `lowest` on, which is in cycles a sample."""
    import librosa

    frequencies = lowest * 2.0 ** (np.arange(count) / bins_per_octave)
    width = np.full(count, _relative_bandwidth(bins_per_octave))
    wavelets, lengths = librosa.filters.wavelet(freqs=frequencies, sr=1, window="hann", gamma=0, alpha=width)
    n_fft = wavelets.shape[1]
    wavelets *= lengths[:, np.newaxis] / n_fft
    spectra = scipy.fft.fft(wavelets, axis=1)[:, : n_fft // 2 + 1]
    return n_fft, librosa.util.sparsify_rows(spectra, quantile=SPARSITY, dtype=np.complex64)


def centred_frames(y, n_fft, hop_length, pad_mode="constant"):
    """A view (frames, n_fft) of a padded copy of y; frame k has sample k * hop_length at its centre."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(y, n_fft // 2, mode=pad_mode), n_fft)[::hop_length]


def _response(y, hop_length, n_fft, filters):
    """Magnitude of the filters' output at every frame's centre, float32 (filters, frames)."""
    framed = centred_frames(y, n_fft, hop_length)
    response = np.empty((filters.shape[0], len(framed)), np.float32)
    for start in range(0, len(framed), FRAMES_AT_ONCE):
        chunk = slice(start, start + FRAMES_AT_ONCE)
        response[:, chunk] = np.abs(filters @ scipy.fft.rfft(framed[chunk], axis=1).T)
    return response
