"""What the fingerprint of genre/fingerprint.py finds, whom it accuses, and what it costs: Markdown tables.

python experiments/fingerprint.py --audio_files_path=DATA/gtzan_audio 2>/dev/null

(libmpg123 complains on standard error of where libsndfile's MP3 files end.)
"""

import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import demo
from genre import fingerprint
from genre.command_line import Parser, names, natural, run
from genre.fingerprint import STEP

import librosa
import numpy as np
import scipy.fft
import scipy.signal
import soundfile
import soxr

MP3 = {"suffix": ".mp3", "bitrate_mode": "CONSTANT"}
KBITS = {128: 0.2, 64: 0.63, 32: 0.85, 16: 0.95}  # libsndfile's compression level at 22,050 Hz mono: measured
SPEEDS = np.geomspace(0.5, 2, 81)  # 1.75 % apart; the fast, short ones are partly found as one recording


def main():
    parser = Parser(__doc__)
    parser.add_argument("--audio_files_path", required=True, help="folder of tracks of about 30 s, in any subfolders")
    parser.add_argument("--parts", default="honest,copies,crowd,composed,huge", help="what to measure")
    parser.add_argument("--crowd", type=natural, default=2000, help="tracks made by playing those at other speeds")
    parser.add_argument("--huge", type=natural, default=25000, help="random fingerprints of 30 s, to search only")
    args = parser.parse_args()
    paths = sorted(path for path in Path(args.audio_files_path).rglob("*") if path.suffix in (".flac", ".wav", ".au"))
    songs = [_read(path) for path in paths]
    parts = {
        "honest": lambda: honest(paths),
        "copies": lambda: copies(songs),
        "crowd": lambda: crowd(songs, args.crowd),
        "composed": composed,
        "huge": lambda: huge(args.huge),
    }
    for part in names(args.parts):
        parts[part]()


def _read(path):
    samples, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), sr


def honest(paths):
    """Every pair of different tracks at every offset, without the search."""
    started = time.perf_counter()
    prints = [fingerprint.of_file(path) for path in paths]
    each = 1000 * (time.perf_counter() - started) / len(paths)
    print(f"{len(paths)} tracks, {each:.0f} ms each to decode and fingerprint\n")
    size = scipy.fft.next_fast_len(2 * max(map(len, prints)))
    spectra = [_spectra(bits, size) for bits in prints]
    alike = []
    for one, other in itertools.combinations(spectra, 2):
        agree, both = (scipy.fft.irfft((a.conj() * b).sum(axis=1), size) for a, b in zip(one, other, strict=True))
        alike.append([np.max((0.5 + agree / 64 / np.maximum(both, 1))[both > s / STEP]) for s in (5, 10)])
    best = np.array(alike).max(axis=0)
    matches = fingerprint.near(prints)
    print(
        f"{len(alike)} pairs of different tracks: the most alike at any offset share {best[0]:.3f} of their bits over"
    )
    print(f"5 s, {best[1]:.3f} over 10 s; the threshold is {fingerprint.ALIKE}. Accused: {len(matches)}\n")
    for match in matches:
        print(paths[match.i].name, paths[match.j].name, match)


def _spectra(bits, size):
    """Of the bits as -1 and 1, complex (size // 2 + 1, 32), and of where there are any, (size // 2 + 1, 1)."""
    told = (bits != 0)[:, None]
    signs = (2.0 * (bits[:, None] >> np.arange(32, dtype=np.uint32) & 1) - 1) * told
    return scipy.fft.rfft(signs, size, axis=0), scipy.fft.rfft(told.astype(float), size, axis=0)


def crowd(songs, tracks):
    """Many tracks with the bits of real music: the songs at many speeds. Two of one song are no false accusation."""
    chosen = itertools.islice(itertools.product(SPEEDS, songs), tracks)
    prints = [fingerprint.fingerprint(samples, sr * speed) for speed, (samples, sr) in chosen]
    for part in (len(prints) // 4, len(prints) // 2, len(prints)):
        _search("real tracks at other speeds", prints[:part], songs=len(songs))


def composed(tracks=20, seconds=15.0):
    rng = np.random.default_rng(0)
    songs = [demo.compose(style, rng, seconds) for style in demo.STYLES for _ in range(tracks)]
    _search("tracks composed by demo.py, 15 s", [fingerprint.fingerprint(samples, demo.SR) for samples in songs])


def huge(tracks, frames=2551):
    """Bits of smoothed noise: as slow as those of overlapping frames, but evenly spread."""
    rng = np.random.default_rng(0)
    window = np.hanning(16)[:, None]
    prints = []
    for _ in range(tracks):
        noise = rng.standard_normal((frames // 4 + 8, 32), dtype=np.float32)
        smooth = scipy.signal.resample_poly(noise, 4, 1, axis=0, window=window[:, 0])[:frames]
        prints.append(np.packbits(smooth > 0, axis=1).view("<u4")[:, 0])
    _search("random fingerprints", prints)


def _search(name, prints, songs=None):
    before = _peak()
    started = time.perf_counter()
    matches = fingerprint.near(prints)
    seconds = time.perf_counter() - started
    if songs:
        ours = [match for match in matches if (match.j - match.i) % songs == 0]
        matches = [match for match in matches if match not in ours]
        print(f"(pairs of one song at two speeds found: {len(ours)})")
    count = f"{len(prints) * (len(prints) - 1) // 2:,} pairs, {sum(map(len, prints)):,} sub-fingerprints"
    print(f"{len(prints):,} {name} ({count}): accused {len(matches)};")
    print(f"{seconds:.1f} s to search, memory at its peak {_peak():.2f} GB, {before:.2f} before\n")
    for match in matches[:20]:
        print(match)


def _peak():
    """Memory of this process at its peak so far in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def copies(songs):
    """One row a kind: of how many tracks the copy is found among all tracks, at the right offset."""
    print("| copy | found | at its offset | others accused | least and median share of equal bits |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, how, shift, end) in kinds().items():
            first = [fingerprint.fingerprint(samples[: round(end * sr)], sr) for samples, sr in songs]
            later = [(samples[round(shift * sr) :], sr) for samples, sr in songs]
            second = [_through_a_file(make(samples, sr), sr, Path(folder), how) for samples, sr in later]
            _row(name, fingerprint.near([*first, *second]), len(songs), shift)


def _row(name, matches, tracks, shift):
    pairs = {match.i: match for match in matches if match.j == match.i + tracks}
    right = sum(abs(match.offset + shift) < 0.15 for match in pairs.values())  # an encoder adds up to 0.1 s
    alike = sorted(match.similarity for match in pairs.values())
    spread = f"{alike[0]:.3f}, {np.median(alike):.3f}" if alike else ""
    print(f"| {name} | {len(pairs)} | {right} | {len(matches) - len(pairs)} | {spread} |", flush=True)


def _through_a_file(samples, sr, folder, how):
    how = {"suffix": ".wav", "samplerate": sr, **how}
    path = folder / f"copy{how.pop('suffix')}"
    soundfile.write(path, samples, **how)
    return fingerprint.of_file(path)


def kinds():
    """{kind: (function of samples and rate, how to write the file, s cut from the copy's start, s that are kept of the
    original)}"""
    changed = _encodings() | _changes() | _out_of_scope()
    kinds = {name: (*kind, 0, 30) for name, kind in changed.items()}
    kinds |= {f"{shift:g} s later": (_same, {}, shift, 30) for shift in (0.1, 1, 3, 7.3, 15, 20, 24, 26)}
    for shift, end, rate in ((3, 30, 64), (15, 30, 64), (7, 23, 64), (10, 20, 64), (10, 20, 32)):
        how = {**MP3, "compression_level": KBITS[rate]}
        kinds[f"{end - shift} s shared, {shift} s later, -6 dB, MP3 {rate} kbit/s"] = (_quieter, how, shift, end)
    return kinds


def _encodings():
    ogg = {"suffix": ".ogg", "subtype": "VORBIS"}
    mp3 = {f"MP3, {rate} kbit/s": (_same, {**MP3, "compression_level": level}) for rate, level in KBITS.items()}
    return mp3 | {
        "Ogg Vorbis": (_same, ogg),
        "Ogg Vorbis, lowest quality": (_same, {**ogg, "compression_level": 1.0}),
        "FLAC": (_same, {"suffix": ".flac"}),
        "8-bit WAV": (_same, {"subtype": "PCM_U8"}),
    }


def _changes():
    return {
        "+6 dB, clipped": (lambda x, sr: np.clip(2 * x, -1, 1), {}),
        "+12 dB, clipped": (lambda x, sr: np.clip(4 * x, -1, 1), {}),
        "-12 dB": (lambda x, sr: x / 4, {}),
        "22,050 -> 16,000 -> 22,050 Hz": (_back_and_forth(16000), {}),
        "22,050 -> 8,000 -> 22,050 Hz": (_back_and_forth(8000), {}),
        "44,100 Hz stereo, right 6 dB lower": (_stereo(0.5), {"samplerate": 44100}),
        "stereo, right upside down and 2 dB lower": (_stereo(-0.8), {"samplerate": 44100}),
        "noise 20 dB below": (_noise(20), {}),
        "noise 10 dB below": (_noise(10), {}),
        "bass +12 dB below 500 Hz": (_bass, {}),
    }


def _out_of_scope():
    speeds = {f"{percent:g} % faster (speed and pitch)": (_speed(percent), {}) for percent in (0.2, 0.5, 1, 2, 5)}
    tempi = {f"{percent:g} % faster (tempo only)": (_tempo(percent), {}) for percent in (0.2, 1, 2, 5)}
    return speeds | tempi | {f"pitch +{steps:g} semitones": (_pitch(steps), {}) for steps in (0.1, 0.5, 1)}


def _quieter(samples, sr):
    return samples / 2


def _same(samples, sr):
    return samples


def _back_and_forth(rate):
    return lambda x, sr: soxr.resample(soxr.resample(x, sr, rate), rate, sr)


def _stereo(right):
    def stereo(samples, sr):
        samples = soxr.resample(samples, sr, 44100)
        return np.stack([samples, right * samples], axis=1)

    return stereo


def _noise(below):
    """White noise `below` dB below the song."""
    return lambda x, sr: x + np.random.default_rng(0).normal(0, x.std() * 10 ** (-below / 20), len(x))


def _bass(samples, sr):
    low = scipy.signal.sosfilt(scipy.signal.butter(2, 500, fs=sr, output="sos"), samples)
    return 0.25 * (samples + 3 * low)


def _speed(percent):
    return lambda x, sr: soxr.resample(x, sr * (1 + percent / 100), sr)


def _tempo(percent):
    return lambda x, sr: librosa.effects.time_stretch(x, rate=1 + percent / 100)


def _pitch(steps):
    return lambda x, sr: librosa.effects.pitch_shift(x, sr=sr, n_steps=steps)


if __name__ == "__main__":
    run(main)
