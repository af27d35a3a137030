"""Samples -> (bins, frames), and the recipe: every number that shapes a picture."""

import dataclasses
import functools
import json
import warnings

from genre.command_line import CallError, DataError, parameters

import numpy as np
import scipy.fft
import scipy.sparse

FRAMES_AT_ONCE = 256  # a chunk of frames that stays in the processor's cache


def mel(y, sr, *, n_fft=2048, hop_length=512, n_mels=128, fmin=0.0, fmax=0.0):
    """Mel spectrogram, power. y: (samples,) -> (n_mels, frames), equal to `librosa.feature.melspectrogram`.

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames. n_mels: number of mel bands.
        fmin: lowest frequency in Hz. fmax: highest frequency in Hz, 0 for half the rate.
    """
    filters = _mel_filters(sr, n_fft, n_mels, fmin, fmax or sr / 2)
    return _power_stft(y, n_fft, hop_length, filters).T


def chroma_stft(y, sr, *, n_fft=2048, hop_length=512, n_chroma=12):
    """Energy of each pitch class, 1 for the strongest of a frame. y: (samples,) -> (n_chroma, frames).

    Args:
        n_fft: length of a frame in samples. hop_length: samples between frames. n_chroma: pitch classes an octave.
    """
    import librosa  # here, not above: loading it takes a second, and 15 s the first time after installation

    power = _power_stft(y, n_fft, hop_length).T
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Trying to estimate tuning", UserWarning)  # of noise: 0 is right
        return librosa.feature.chroma_stft(S=power, sr=sr, n_fft=n_fft, hop_length=hop_length, n_chroma=n_chroma)


@dataclasses.dataclass(frozen=True)
class Feature:
    """A transform and its fixed scale: `low`..`high` fill the 256 levels of a picture."""

    transform: callable
    low: float
    high: float
    unit: str


DECIBEL = "dB below the maximum of the piece"
FEATURES = {
    "mel": Feature(mel, -80.0, 0.0, DECIBEL),
    "chroma_stft": Feature(chroma_stft, 0.0, 1.0, "share of the frame's strongest pitch class"),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that shapes a picture. `transform` holds the keyword arguments of the feature's function."""

    feature: str
    sr: int  # Hz
    seconds: float  # length of a piece
    transform: dict
    low: float  # the value drawn as level 0, in `unit`
    high: float  # the value drawn as level 255
    unit: str

    @classmethod
    def of(cls, feature, sr=22050, seconds=30.0, **transform):
        """The recipe of a feature; `transform` overrides its defaults.

        Raises:
            CallError: no such feature, no such parameter, or a piece shorter than one frame.
        """
        if feature not in FEATURES:
            raise CallError(f"no feature {feature!r}; there are {', '.join(FEATURES)}")
        known = transform_defaults(feature)
        if unknown := sorted(set(transform) - set(known)):
            raise CallError(f"{feature} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
        settings = known | transform
        if seconds * sr < settings["n_fft"]:
            raise CallError(f"a piece of {seconds:g} s is shorter than one frame of {settings['n_fft']} samples")
        scale = FEATURES[feature]
        return cls(feature, int(sr), float(seconds), settings, scale.low, scale.high, scale.unit)

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text, where):
        """The recipe in `text`; `where` names the file in an error."""
        try:
            recipe = cls(**json.loads(text))
            if recipe.feature not in FEATURES:
                raise ValueError(f"no feature {recipe.feature!r}")
            return recipe
        except (ValueError, TypeError) as error:
            raise DataError(f"{where} is not a recipe of this version ({error}); make its folder again") from None

    def differences(self, other):
        """What differs between two recipes, in words; '' if nothing."""
        mine, theirs = ({**vars(r), **r.transform, "transform": None} for r in (self, other))
        keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
        return ", ".join(f"{key} {mine.get(key)} against {theirs.get(key)}" for key in keys)


def transform_defaults(feature):
    """{parameter: default} of a feature's transform, from its signature."""
    return {name: default for name, (default, _) in parameters(FEATURES[feature].transform).items()}


def compute(samples, recipe):
    """A piece's spectrogram in the recipe's unit.

    Args:
        samples: float32 (samples,) in -1..1.

    Returns:
        float32 (bins, frames), lowest frequency first.
    """
    values = FEATURES[recipe.feature].transform(samples, recipe.sr, **recipe.transform)
    if recipe.unit == DECIBEL:
        loudest = max(float(values.max()), np.finfo(np.float32).tiny)
        values = 10 * np.log10(np.maximum(values / loudest, 10 ** (recipe.low / 10)))
    return values.astype(np.float32, copy=False)


def _power_stft(y, n_fft, hop_length, filters=None):
    """Power of the short-time Fourier transform, centred frames, periodic Hann window, as librosa's defaults have it.

    Args:
        y: float32 (samples,).
        filters: sparse (bands, n_fft // 2 + 1) that sums every frame into bands.

    Returns:
        float32 (frames, n_fft // 2 + 1), or (frames, bands).
    """
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(y, n_fft // 2), n_fft)[::hop_length]
    window = _hann(n_fft)
    power = np.empty((len(framed), n_fft // 2 + 1 if filters is None else filters.shape[0]), np.float32)
    for start in range(0, len(framed), FRAMES_AT_ONCE):
        chunk = slice(start, start + FRAMES_AT_ONCE)
        spectrum = scipy.fft.rfft(framed[chunk] * window, axis=1)
        energy = spectrum.real**2 + spectrum.imag**2
        power[chunk] = energy if filters is None else (filters @ energy.T).T
    return power


@functools.lru_cache(maxsize=8)
def _hann(n_fft):
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _mel_filters(sr, n_fft, n_mels, fmin, fmax):
    """Sparse, as few weights are not 0; a dense product would spread over the cores that other workers need."""
    import librosa.filters

    return scipy.sparse.csr_array(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax))
