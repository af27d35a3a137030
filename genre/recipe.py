"""The recipe: every number that shapes a picture. It travels with the pictures and with the weights."""

import dataclasses
import json

from genre.command_line import CallError, DataError, parameters
from genre.features import FEATURES

SECONDS = 30.0
HIGHEST_SR = 768_000  # Hz

# Transforms and shapes of earlier projects and papers. What a preset does not say is the feature's default.
PRESETS = {
    # yijerjer 2020, music_genre_classification, on FMA: 640 frames, 84 bins of CQT, 128 of mel. Ours are in dB.
    "fma_cnn": {
        "seconds": 639 * 1024 / 22050,
        "cqt": {"hop_length": 1024},
        "mel": {"n_fft": 1024, "hop_length": 1024},
        "chroma_stft": {"n_fft": 1024, "hop_length": 1024},
        "chroma_cqt": {"hop_length": 1024, "bins_per_octave": 12},
        "chroma_cens": {"hop_length": 1024, "bins_per_octave": 12},
    },
    # Choi, Fazekas & Sandler 2016, https://arxiv.org/abs/1606.00298: 96 bins, 1,366 frames
    "choi": {"sr": 12000, "seconds": 1365 * 256 / 12000, "mel": {"n_fft": 512, "hop_length": 256, "n_mels": 96}},
    # Pons, Lidy & Serra 2016, https://doi.org/10.1109/CBMI.2016.7500246: patches of 40 bins and 80 frames
    "pons": {
        "sr": 44100,
        "seconds": 79 * 1024 / 44100,
        "mel": {"hop_length": 1024, "window": "blackmanharris62", "n_mels": 40, "compression": "log"},
    },
    # Bogdanov et al. 2019, MTG-Jamendo's mel dumps: 96 bins, here their first 1,400 frames
    "jamendo": {"sr": 12000, "seconds": 1399 * 256 / 12000, "mel": {"n_fft": 512, "hop_length": 256, "n_mels": 96}},
    # Intelligent-Systems-MSc 2021, Music-genre-classification, on GTZAN
    "gtzan_pictures": {
        "mel": {"hop_length": 1024, "window": "blackman"},
        "mfcc": {"n_mfcc": 13},
        "cqt": {"n_bins": 60},
        "chroma_stft": {"hop_length": 1024, "window": "blackman"},
        "chroma_cqt": {"hop_length": 1024},
        "chroma_cens": {"hop_length": 1024},
    },
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that shapes a picture. `transform` holds the keyword arguments of the feature's function."""

    feature: str
    sr: int  # Hz
    seconds: float  # length of a piece
    overlap: float  # share of a piece that the next one repeats
    transform: dict
    low: float | tuple  # the value drawn as level 0, in `unit`; or one for each bin
    high: float | tuple  # the value drawn as level 255
    unit: str

    @classmethod
    def of(cls, feature, sr=None, seconds=SECONDS, overlap=0.0, **transform):
        """The recipe of a feature; `sr` and `transform` override its defaults.

        Raises:
            CallError: no such feature, no such parameter or value, or a piece shorter than one frame.
        """
        if feature not in FEATURES:
            raise CallError(f"no feature {feature!r}; there are {', '.join(FEATURES)}")
        definition, known = FEATURES[feature], transform_defaults(feature)
        if unknown := sorted(set(transform) - set(known)):
            raise CallError(f"{feature} has no parameter {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
        if sr not in (None, definition.sr) and not definition.any_sr:
            raise CallError(f"{feature} is defined at {definition.sr} Hz, not at --sr={sr}")
        sr, settings = int(sr or definition.sr), definition.settle(known | transform)
        if sr > HIGHEST_SR:
            raise CallError(f"--sr={sr} is more than the {HIGHEST_SR} Hz that any recorder has")
        if seconds * sr < settings.get("n_fft", 1):
            raise CallError(f"a piece of {seconds:g} s is shorter than one frame of {settings['n_fft']} samples")
        try:
            low, high, unit = definition.range(settings)
        except KeyError as error:
            raise CallError(f"{feature} knows no {error}; see --help") from None
        return cls(feature, sr, float(seconds), float(overlap), settings, low, high, unit)

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text, where):
        """The recipe in `text`; `where` names the file in an error."""
        try:
            values = json.loads(text)
            for side in ("low", "high"):
                if isinstance(values[side], list):
                    values[side] = tuple(values[side])
            recipe = cls(**values)
            if recipe.feature not in FEATURES:
                raise ValueError(f"it has the feature {recipe.feature!r}; there are {', '.join(FEATURES)}")
            known = transform_defaults(recipe.feature)
            if unknown := sorted(set(recipe.transform) - set(known)):
                has = f"{recipe.feature} with {', '.join(unknown)}"
                raise ValueError(f"it has {has}; {recipe.feature} takes {', '.join(known) or 'nothing'}")
            return recipe
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{where} is not a recipe of this version ({error}); make its folder again") from None

    def differences(self, other):
        """What differs between two recipes, in words; '' if nothing."""
        mine, theirs = ({**vars(r), **r.transform, "transform": None} for r in (self, other))
        keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
        if self.transform != other.transform:  # of which the range follows
            keys = [key for key in keys if key not in ("low", "high", "unit")]
        return ", ".join(f"{key} {mine.get(key)} against {theirs.get(key)}" for key in keys)


def transform_defaults(feature):
    """{parameter: default} of a feature's transform, from its signature."""
    return {name: default for name, (default, _) in parameters(FEATURES[feature].transform).items()}
