"""FEATURES: samples -> (bins, frames), and the fixed range of each that fills a picture."""

import dataclasses
import functools
import warnings

from genre import constant_q
from genre.command_line import CallError
from genre.constant_q import FRAMES_AT_ONCE, centred_frames

import numpy as np
import scipy.fft
import scipy.sparse
import threadpoolctl

HIGHEST_PITCH = 4000.0  # Hz, where librosa's piptrack ends
C1 = 32.70319566257483  # Hz, as librosa.note_to_hz has it
MOST_DB = 300.0  # that float32 can tell from silence
QUIETEST = 1e-10  # power that stands for silence in a logarithm, as in librosa and in Whisper
WHISPER_SR, WHISPER_FFT, WHISPER_HOP = 16000, 400, 160  # Hz, samples, samples
BLACKMAN_HARRIS_62 = ("general_cosine", (0.44959, 0.49364, 0.05677))  # three terms, side lobes 62 dB down: Harris 1978


def _once(method):
    """Keep what a method of a `Sound` returns, for the same arguments."""

    @functools.wraps(method)
    def kept(self, *arguments):
        key = (method.__name__, *arguments)
        if key not in self._made:
            self._made[key] = method(self, *arguments)
        return self._made[key]

    return kept


class Sound:
    """One piece of audio, and the spectrograms of it that several features share, each computed once.

    Args:
        samples: float32 (samples,) in -1..1. sr: their rate in Hz.
    """

    def __init__(self, samples, sr):
        self.samples, self.sr, self._made = samples, sr, {}

    @_once
    def power(self, n_fft, hop_length, window):
        """Power of the short-time Fourier transform with centred frames, float32 (frames, n_fft // 2 + 1)."""
        return _power_stft(self.samples, n_fft, hop_length, window)

    @_once
    def mel(self, n_fft, hop_length, window, n_mels, fmin, fmax):
        """Power in mel bands, float32 (n_mels, frames). fmax: 0 for half the rate."""
        filters = _mel_filters(self.sr, n_fft, n_mels, fmin, fmax or self.sr / 2)
        return _bands(self.power(n_fft, hop_length, window), filters)

    @_once
    def cqt(self, hop_length, fmin, n_bins, bins_per_octave, tuning):
        """Magnitude of the constant-Q transform, float32 (n_bins, frames). tuning: in shares of a bin."""
        return constant_q.magnitude(self.samples, self.sr, hop_length, fmin, n_bins, bins_per_octave, tuning)

    @_once
    def tuning(self, bins_per_octave, n_fft, hop_length, window, exponent):
        """librosa's estimate of how far the piece is off 440 Hz, in shares of a bin.

        It is of the spectrum's bins up to 4 kHz alone, which is where librosa looks for pitches, and so a third of the
        work. exponent: 1 for the magnitude, as librosa's chroma_cqt takes it, 2 for the power, as its chroma_stft.
        """
        import librosa

        power = self.power(n_fft, hop_length, window)
        bins = min(power.shape[1] - 1, int(np.ceil(HIGHEST_PITCH * n_fft / self.sr)) + 2)
        spectrum, loudest = (part ** (exponent / 2) for part in (power[:, : bins + 1].T, power.max(axis=1)))
        sr = self.sr * 2 * bins / n_fft
        with warnings.catch_warnings():  # of noise, which has no tuning: it takes 0 then, which is right
            warnings.filterwarnings("ignore", "Trying to estimate tuning", UserWarning)
            return float(
                librosa.estimate_tuning(
                    S=spectrum, sr=sr, n_fft=2 * bins, bins_per_octave=bins_per_octave, ref=lambda S, axis: loudest
                )
            )


def one_thread():
    """A context in which matrix products run on one thread: their last bit depends on how many share the work."""
    return _blas().limit(limits=1)


@functools.cache
def _blas():
    import scipy.linalg  # noqa: F401, it brings a BLAS of its own

    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def mel(
    sound,
    *,
    n_fft=2048,
    hop_length=512,
    window="hann",
    n_mels=128,
    fmin=0.0,
    fmax=0.0,
    compression="db",
    top_db=80.0,
):
    """Mel spectrogram. Returns (n_mels, frames); in power it equals `librosa.feature.melspectrogram`.

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames.
        window: hann, blackman, blackmanharris62 (Pons 2016's) or another window of scipy.signal.
        n_mels: number of mel bands. fmin: lowest frequency in Hz. fmax: highest frequency in Hz, 0 for half the rate.
        compression: of the power, whose maximum in the piece is 1: db, log for log10(1 + 10000 x), or none.
        top_db: of db: what is quieter than the maximum by more dB is drawn as silence.
    """
    return _compress(sound.mel(n_fft, hop_length, window, n_mels, fmin, fmax), compression, top_db)


def stft(sound, *, n_fft=2048, hop_length=512, window="hann", compression="db", top_db=80.0):
    """Power spectrogram of the short-time Fourier transform. Returns (n_fft // 2 + 1, frames).

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames. window: see mel.
        compression: see mel. top_db: see mel.
    """
    return _compress(sound.power(n_fft, hop_length, window).T, compression, top_db)


def cqt(sound, *, hop_length=512, fmin=C1, n_bins=84, bins_per_octave=12, compression="db", top_db=80.0):
    """Constant-Q transform: bins that are semitones. Returns (n_bins, frames), of librosa's magnitude squared.

    Args:
        hop_length: samples between frames. fmin: lowest frequency in Hz (32.7 is C1). n_bins: number of bins.
        bins_per_octave: bins an octave. compression: see mel. top_db: see mel.
    """
    return _compress(sound.cqt(hop_length, fmin, n_bins, bins_per_octave, 0.0) ** 2, compression, top_db)


def mfcc(sound, *, n_mfcc=20, n_fft=2048, hop_length=512, n_mels=128, fmin=0.0, fmax=0.0):
    """Mel-frequency cepstral coefficients, librosa's. Returns (n_mfcc, frames); row 0 goes with loudness.

    Args:
        n_mfcc: number of coefficients. n_fft: length of a frame in samples. hop_length: samples between frames.
        n_mels: number of mel bands. fmin: lowest frequency in Hz. fmax: highest frequency in Hz, 0 for half the rate.
    """
    import librosa

    if n_mfcc > n_mels:
        raise ValueError(f"n_mfcc={n_mfcc} coefficients cannot be had of n_mels={n_mels} bands")
    decibel = librosa.power_to_db(sound.mel(n_fft, hop_length, "hann", n_mels, fmin, fmax))
    return librosa.feature.mfcc(S=decibel, n_mfcc=n_mfcc)


def chroma_stft(sound, *, n_fft=2048, hop_length=512, window="hann", n_chroma=12):
    """Energy of each pitch class, 1 for the strongest of a frame, librosa's. Returns (n_chroma, frames).

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames. window: see mel.
        n_chroma: pitch classes an octave.
    """
    import librosa

    power, tuning = sound.power(n_fft, hop_length, window).T, sound.tuning(n_chroma, n_fft, hop_length, window, 2)
    return librosa.feature.chroma_stft(
        S=power, sr=sound.sr, n_fft=n_fft, hop_length=hop_length, n_chroma=n_chroma, tuning=tuning
    )


def chroma_cqt(sound, *, hop_length=512, fmin=C1, n_chroma=12, n_octaves=7, bins_per_octave=36):
    """Energy of each pitch class by the constant-Q transform, librosa's. Returns (n_chroma, frames).

    Args:
        hop_length: samples between frames. fmin: lowest frequency in Hz (32.7 is C1).
        n_chroma: pitch classes an octave. n_octaves: octaves above fmin. bins_per_octave: bins an octave.
    """
    import librosa

    c = _tuned_cqt(sound, hop_length, fmin, n_octaves, bins_per_octave)
    return librosa.feature.chroma_cqt(C=c, fmin=fmin, n_chroma=n_chroma, bins_per_octave=bins_per_octave)


def chroma_cens(sound, *, hop_length=512, fmin=C1, n_chroma=12, n_octaves=7, bins_per_octave=36, win_len_smooth=41):
    """Chroma energy normalised statistics, librosa's: smooth, robust to dynamics. Returns (n_chroma, frames).

    Args:
        hop_length: samples between frames. fmin: lowest frequency in Hz (32.7 is C1).
        n_chroma: pitch classes an octave. n_octaves: octaves above fmin. bins_per_octave: bins an octave.
        win_len_smooth: frames that are averaged.
    """
    import librosa

    c = _tuned_cqt(sound, hop_length, fmin, n_octaves, bins_per_octave)
    return librosa.feature.chroma_cens(
        C=c, fmin=fmin, n_chroma=n_chroma, bins_per_octave=bins_per_octave, win_len_smooth=win_len_smooth
    )


def _tuned_cqt(sound, hop_length, fmin, n_octaves, bins_per_octave):
    tuning = sound.tuning(bins_per_octave, 2048, 512, "hann", 1)
    return sound.cqt(hop_length, fmin, n_octaves * bins_per_octave, bins_per_octave, tuning)


def tempogram(sound, *, n_fft=2048, hop_length=512, win_length=384):
    """Local autocorrelation of the onset strength, librosa's. Returns (win_length, frames): row k is a lag of k hops.

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames.
        win_length: longest lag, in frames; 384 of 512 samples at 22050 Hz are 8.9 s.
    """
    import librosa

    decibel = librosa.power_to_db(sound.mel(n_fft, hop_length, "hann", 128, 0.0, 0.0))
    onsets = librosa.onset.onset_strength(S=decibel, sr=sound.sr, n_fft=n_fft, hop_length=hop_length)
    return librosa.feature.tempogram(onset_envelope=onsets, sr=sound.sr, hop_length=hop_length, win_length=win_length)


def whisper_mel(sound):
    """What Whisper hears (Radford et al. 2022): log-mel, 80 bands, 100 frames/s. Returns (80, frames)."""
    power = _power_stft(sound.samples, WHISPER_FFT, WHISPER_HOP, "hann", pad_mode="reflect")[:-1]
    if not len(power):
        raise ValueError(f"a piece shorter than one frame of {WHISPER_FFT} samples")
    energy = _bands(power, _mel_filters(sound.sr, WHISPER_FFT, 80, 0.0, sound.sr / 2))
    exponent = np.log10(np.maximum(energy, QUIETEST))
    return (np.maximum(exponent, exponent.max() - 8) + 4) / 4


def whisper(sound, *, whisper_weights="whisper_tiny_multi"):
    """The output of Whisper's encoder (Radford et al. 2022), 50 frames/s. Returns (width of the encoder, frames).

    Args:
        whisper_weights: a preset of KerasHub, fetched once, or a folder that its save_to_preset wrote.
    """
    from genre.whisper import encode

    return encode(whisper_mel(sound), whisper_weights)


def _whisper_weights(settings):
    from genre.whisper import identify

    return settings | {"whisper_weights": identify(settings["whisper_weights"])}


def _power_range(settings):
    if not 0 < settings["top_db"] <= MOST_DB:
        raise CallError(f"expected --top_db above 0 and up to {MOST_DB:g}, not {settings['top_db']:g}")
    return {
        "db": (-settings["top_db"], 0.0, "dB below the maximum of the piece"),
        "log": (0.0, 4.0, "log10(1 + 10000 x), x the share of the maximum of the piece"),
        "none": (0.0, 1.0, "share of the maximum of the piece"),
    }[settings["compression"]]


def _mfcc_range(settings):
    """Per coefficient. Of 50 GTZAN tracks, all cells lie inside; that music of other rates fits, too, it is wide."""
    size = (settings["n_mels"] / 128) ** 0.5  # of an orthonormal cosine transform
    high = [300.0, *(60 + 240 / k for k in range(1, settings["n_mfcc"]))]
    low = [-800.0, *(-value for value in high[1:])]
    return *(tuple(round(size * value, 3) for value in values) for values in (low, high)), "coefficient of dB"


def _fixed(low, high, unit):
    return lambda settings: (low, high, unit)


@dataclasses.dataclass(frozen=True)
class Feature:
    """A transform, `(sound, *, parameters) -> (bins, frames)`, and the range that fills the 256 levels of a picture.

    `range` is a function of the parameters that returns (low, high, unit), a number for all bins or one for each;
    `hertz`, where bins are frequencies, one of the parameters and the rate that returns that of each, the lowest first.
    """

    transform: callable
    range: callable
    sr: int = 22050  # Hz
    settle: callable = dict  # settings -> settings, with what they leave open
    any_sr: bool = True  # whether it makes sense at another rate
    needs: str | None = None  # the parameter that names what is not there by itself, such as weights
    hertz: callable = None


def _mel_hertz(settings, sr):
    import librosa

    return librosa.mel_frequencies(settings["n_mels"] + 2, fmin=settings["fmin"], fmax=settings["fmax"] or sr / 2)[1:-1]


def _stft_hertz(settings, sr):
    return np.arange(settings["n_fft"] // 2 + 1) * (sr / settings["n_fft"])


def _cqt_hertz(settings, sr):
    return settings["fmin"] * 2 ** (np.arange(settings["n_bins"]) / settings["bins_per_octave"])


def _whisper_hertz(settings, sr):
    return _mel_hertz({"n_mels": 80, "fmin": 0.0, "fmax": 0.0}, sr)


PITCH_CLASS = _fixed(0.0, 1.0, "share of the frame's strongest pitch class")
FEATURES = {
    "mel": Feature(mel, _power_range, hertz=_mel_hertz),
    "stft": Feature(stft, _power_range, hertz=_stft_hertz),
    "cqt": Feature(cqt, _power_range, hertz=_cqt_hertz),
    "mfcc": Feature(mfcc, _mfcc_range),
    "chroma_stft": Feature(chroma_stft, PITCH_CLASS),
    "chroma_cqt": Feature(chroma_cqt, PITCH_CLASS),
    "chroma_cens": Feature(chroma_cens, _fixed(0.0, 1.0, "share of the frame's length as a vector")),
    "tempogram": Feature(tempogram, _fixed(0.0, 1.0, "share of the frame's highest autocorrelation")),
    "whisper_mel": Feature(
        whisper_mel, _fixed(-1.5, 1.7, "(log10 of power + 4) / 4"), WHISPER_SR, any_sr=False, hertz=_whisper_hertz
    ),
    # The standard deviation is 1.2 in whisper-tiny on speech, says ktomanek/huggingface_whisper_to_hailo_conversion;
    # a few rows lie far outside and are clipped. No weights were at hand to see what music does.
    "whisper": Feature(
        whisper, _fixed(-5.0, 5.0, "output"), WHISPER_SR, _whisper_weights, any_sr=False, needs="whisper_weights"
    ),
}


def compute(sound, recipe):
    """A piece's spectrogram in the recipe's unit.

    Args:
        sound: float32 (samples,) in -1..1 at the recipe's rate, or a `Sound` that other features share.

    Returns:
        float32 (bins, frames), lowest frequency first.
    """
    sound = sound if isinstance(sound, Sound) else Sound(sound, recipe.sr)
    with one_thread():
        return FEATURES[recipe.feature].transform(sound, **recipe.transform).astype(np.float32, copy=False)


def frequencies(recipe, bins):
    """The frequency in Hz of each row of a picture of `bins` rows, float (bins,), the lowest first.

    None of a feature whose rows are no frequencies.
    """
    if not (hertz := FEATURES[recipe.feature].hertz):
        return None
    native = hertz(recipe.transform, recipe.sr)
    rows = (np.arange(bins) + 0.5) * len(native) / bins - 0.5  # of a picture that was resized, if it was
    return np.interp(rows, np.arange(len(native)), native)


def _compress(power, compression, top_db):
    """Power (bins, frames) -> dB, logarithm or share of its maximum, float32."""
    share = power / max(float(power.max()), np.finfo(np.float32).tiny)
    if compression == "db":
        return 10 * np.log10(np.maximum(share, np.float32(10 ** (-top_db / 10))))
    if compression == "log":
        return np.log10(1 + 10000 * share)
    if compression == "none":
        return share
    raise ValueError(f"compression={compression} is none of db, log, none")


def _power_stft(y, n_fft, hop_length, window, pad_mode="constant"):
    """As librosa's stft with its defaults, squared, in chunks: float32 (frames, n_fft // 2 + 1)."""
    framed = centred_frames(y, n_fft, hop_length, pad_mode)
    weights = _window(window, n_fft)
    power = np.empty((len(framed), n_fft // 2 + 1), np.float32)
    for start in range(0, len(framed), FRAMES_AT_ONCE):
        chunk = slice(start, start + FRAMES_AT_ONCE)
        spectrum = scipy.fft.rfft(framed[chunk] * weights, axis=1)
        power[chunk] = spectrum.real**2 + spectrum.imag**2
    return power


def _bands(power, filters):
    """Sum the bins of every frame, (frames, bins), into bands by a sparse (bands, bins) -> (bands, frames)."""
    energy = np.empty((filters.shape[0], len(power)), np.float32)
    for start in range(0, len(power), FRAMES_AT_ONCE):
        chunk = slice(start, start + FRAMES_AT_ONCE)
        energy[:, chunk] = filters @ power[chunk].T
    return energy


@functools.lru_cache(maxsize=8)
def _window(name, n_fft):
    import scipy.signal  # half a second, which scripts that only read a recipe need not wait

    window = BLACKMAN_HARRIS_62 if name == "blackmanharris62" else name
    return scipy.signal.get_window(window, n_fft).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _mel_filters(sr, n_fft, n_mels, fmin, fmax):
    """Sparse, as few weights are not 0; a dense product would spread over the cores that other workers need."""
    import librosa.filters

    return scipy.sparse.csr_array(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax))
