"""Variants of a piece, shifted in pitch or stretched in time: extra pictures to train on."""

import dataclasses

from genre.command_line import CallError

import numpy as np

SEMITONES, RATES = 24, (0.25, 4.0)  # furthest shift; slowest and fastest stretch


@dataclasses.dataclass(frozen=True)
class Variant:
    """`pitch_shift` in semitones, up or down; `time_stretch` is a factor of speed, above 1 faster."""

    pitch_shift: float = 0.0
    time_stretch: float = 1.0

    @property
    def name(self):
        """'' for the original, else such as pitch+1 or stretch0.9."""
        if self == ORIGINAL:
            return ""
        return f"pitch{self.pitch_shift:+g}" if self.pitch_shift else f"stretch{self.time_stretch:g}"

    def apply(self, samples, sr):
        """Change a piece, float32 (samples,), by librosa's phase vocoder.

        Returns:
            (float32 (samples,), the share that holds audio): what got longer is cut, what got shorter starts again.
        """
        if self == ORIGINAL:
            return samples, 1.0
        import librosa

        if self.pitch_shift:
            return librosa.effects.pitch_shift(samples, sr=sr, n_steps=self.pitch_shift), 1.0
        changed = librosa.effects.time_stretch(samples, rate=self.time_stretch)[: len(samples)]
        return np.pad(changed, (0, len(samples) - len(changed)), mode="wrap"), min(1.0, 1 / self.time_stretch)


ORIGINAL = Variant()


def parse(pitch_shift, time_stretch):
    """The original and its variants, of comma lists such as '-1,1' (semitones) and '0.9,1.1' (factors).

    Raises:
        CallError: not a number, out of range, or no change.
    """
    shifts = _numbers("pitch_shift", pitch_shift, lambda n: 0 < abs(n) <= SEMITONES, f"semitones up to {SEMITONES}")
    lowest, highest = RATES
    rates = _numbers(
        "time_stretch", time_stretch, lambda n: n != 1 and lowest <= n <= highest, f"factors {lowest} to {highest}"
    )
    found = [Variant(pitch_shift=shift) for shift in shifts] + [Variant(time_stretch=rate) for rate in rates]
    return [ORIGINAL, *dict.fromkeys(found)]


def of_name(name):
    """The variant of a name in an index, such as pitch+1."""
    kind = "pitch" if name.startswith("pitch") else "stretch"
    amount = float(name.removeprefix(kind))
    return Variant(pitch_shift=amount) if kind == "pitch" else Variant(time_stretch=amount)


def _numbers(option, text, allowed, expected):
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
        if not all(map(allowed, numbers)):
            raise ValueError
    except ValueError:
        raise CallError(f"--{option}={text}: expected a comma list of {expected} that change something") from None
    return numbers
