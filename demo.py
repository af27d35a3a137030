"""Show the whole way, from audio to a labelled song, on music that this script composes itself.

    python demo.py
    python demo.py --epochs=40 --seed=1 --data=data/demo1 --models=models/demo1

Styles are numbers: what rhythm, harmony and timbre may be. Each track draws its own tempo, key, patterns, instruments
and mix from them, and now and then borrows from another style, so that telling the styles apart is not trivial.
"""

import shlex
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

from genre import runs
from genre.command_line import CallError, Parser, natural, positive, run

import numpy as np
import soundfile

SR = 22050  # Hz
TRACK_SECONDS = 6  # one piece, and so one picture, per track
SONG_SECONDS = 20
BORROWED = 0.05  # chance that a track draws its rhythm from any style, not its own; likewise harmony and timbre

MAJOR, MINOR, DORIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10)  # semitones above the key

# Harmonics 1, 1/2, 1/3, ... through a low-pass filter: cutoff in Hz, attack and decay in s, strength of the even
# harmonics (0 sounds hollow). FM: a sine at fm_ratio times the pitch shakes the phase by fm_index radians, then decays.
Instrument = namedtuple("Instrument", "cutoff attack decay even fm_ratio fm_index", defaults=(1.0, 0.0, 0.0))
INSTRUMENTS = {
    "accordion": Instrument(cutoff=3500, attack=0.04, decay=9.0, even=0.8),
    "bell": Instrument(cutoff=100, attack=0.003, decay=0.4, fm_ratio=3.5, fm_index=2.5),
    "clarinet": Instrument(cutoff=1800, attack=0.05, decay=5.0, even=0.05),
    "electric piano": Instrument(cutoff=100, attack=0.004, decay=0.8, fm_ratio=2.0, fm_index=1.2),
    "flute": Instrument(cutoff=700, attack=0.08, decay=5.0),
    "guitar": Instrument(cutoff=2500, attack=0.003, decay=0.2),
    "organ": Instrument(cutoff=2000, attack=0.01, decay=9.0, even=0.4),
    "piano": Instrument(cutoff=1200, attack=0.004, decay=0.5),
    "saw": Instrument(cutoff=8000, attack=0.005, decay=2.0),
    "strings": Instrument(cutoff=1500, attack=0.2, decay=9.0),
    "synth bass": Instrument(cutoff=1500, attack=0.004, decay=0.3),
    "upright bass": Instrument(cutoff=250, attack=0.01, decay=0.35),
}

# Tempo in beats per minute and swing (0 straight, 1 a full triplet), from and to; then choices of one-bar patterns:
# a character per sixteenth note, 1 to 9 for loudness, 0 to stop the note before.
Rhythm = namedtuple("Rhythm", "tempo swing kick snare hat chords bass lead")
# Choices: modes, progressions (a scale degree per bar), notes in a chord, which of them the bass plays in turn.
Harmony = namedtuple("Harmony", "modes progressions voices walks")
# Choices of instruments; then the levels of drums, bass, chords and lead in dB, each give or take 3.
Timbre = namedtuple("Timbre", "chords bass lead levels")

STYLES = {
    "ballad": (
        Rhythm(
            tempo=(62, 88),
            swing=(0.0, 0.2),
            kick=("9.......6.......", "9.........6....."),
            snare=("........6.......", "....4.......5..."),
            hat=("4.......4.......", "3...2...3...2..."),
            chords=("9...............", "9.......7......."),
            bass=("9...............", "9.......6......."),
            lead=("8.....6.7.......", "....7...6.5.8..."),
        ),
        Harmony((MAJOR, MINOR), ("1645", "1564", "1465"), voices=(3, 4), walks=("0", "02")),
        Timbre(("strings", "electric piano"), ("upright bass", "synth bass"), ("flute", "clarinet"), (-10, -2, 0, -3)),
    ),
    "dance": (
        Rhythm(
            tempo=(116, 136),
            swing=(0.0, 0.15),
            kick=("9...9...9...9...",),
            snare=("....8.......8...", "............8..."),
            hat=("..8...8...8...8.", "4.8.4.8.4.8.4.8.", "3373337333733373"),
            chords=("9.09.09.0.9.09.0", "0.8.0.8.0.8.0.8.", "9..............."),
            bass=("..9...9...9...9.", "9.9.9.9.9.9.9.9.", "9..9..9.9..9..9."),
            lead=("9.7.8.7.9.7.8.7.", "9..7..8..7..8.7."),
        ),
        Harmony((MINOR, DORIAN), ("1675", "1476", "1111"), voices=(3,), walks=("0",)),
        Timbre(("saw", "organ"), ("synth bass", "saw"), ("saw", "bell"), (0, -1, -5, -7)),
    ),
    "shuffle": (
        Rhythm(
            tempo=(88, 124),
            swing=(0.7, 1.0),
            kick=("9.......9.......", "9.....5.9......."),
            snare=("....9.......9...", "....7.......7.3."),
            hat=("6.4.6.4.6.4.6.4.", "6...7.4.6...7.4."),
            chords=("0.8.0.8.0.8.0.8.", "0...8.0.0...8.0.", "9.0...7.0......."),
            bass=("9...8...9...8...", "9.5.8.5.9.5.8.5."),
            lead=("8.6.7.......6.7.", "..7.8.6.7......."),
        ),
        Harmony((DORIAN, MAJOR), ("1415", "1144", "2511"), voices=(3, 4), walks=("0123", "0212")),
        Timbre(("organ", "guitar"), ("upright bass", "synth bass"), ("organ", "clarinet"), (-3, -1, -3, -5)),
    ),
    "waltz": (
        Rhythm(
            tempo=(120, 168),
            swing=(0.0, 0.3),
            kick=("9...........", "8.........3."),
            snare=("....5...5...", "........4..."),
            hat=("....5...5...", "3.2.4.2.4.2."),
            chords=("0...8.0.7.0.", "0...8.0.8.5."),
            bass=("9...........", "9.......5..."),
            lead=("8...6...7...", "9.......6.7.", "8.6.7.6.7.6."),
        ),
        Harmony((MAJOR, MINOR), ("1155", "1425", "1645"), voices=(3,), walks=("02", "0")),
        Timbre(("accordion", "piano"), ("upright bass",), ("accordion", "bell", "flute"), (-8, -1, -2, -2)),
    ),
}


def main():
    args = _parser().parse_args()
    data, run_path = Path(args.data).as_posix(), Path(args.models, "time_model", "mel").as_posix()
    refuse_foreign_run(Path(run_path), Path(data))
    write_corpus(Path(data, "genres"), args.tracks, args.seed)
    call("create_spectrograms.py", "--features=mel", f"--seconds={TRACK_SECONDS}", f"--data={data}")
    call("split_dataset.py", f"--data={data}")
    folders = (f"--data={data}", f"--models={Path(args.models).as_posix()}")
    call("time_model.py", "--features=mel", f"--epochs={args.epochs}", *folders, "--overwrite")
    rng = np.random.default_rng([args.seed, len(STYLES), 0])  # a style number that no track of the corpus has
    style = pick(rng, list(STYLES))
    soundfile.write(f"{data}/new_song.wav", compose(style, rng, SONG_SECONDS), SR, subtype="PCM_16")
    print(f"\n{data}/new_song.wav: {SONG_SECONDS} s that the model has never heard, composed as {style}")
    call("predict.py", f"{data}/new_song.wav", f"--run={run_path}")
    print(f"\nThe song was composed as {style}; compare that with the prediction above.")
    print("Accuracy on this made-up music says nothing about real music: the styles are a few lines of numbers.")
    print("Pictures to look at:")
    print(f"  {data}/dataset/mel/{style}/{style}.00000.png")
    print(f"  {run_path}/history.png")
    print(f"  {run_path}/confusion_matrix.png")


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("--data", default="data/demo", help="folder for the music and its pictures")
    parser.add_argument("--models", default="models/demo", help="folder for the run")
    parser.add_argument("--tracks", type=positive, default=30, help="tracks per style")
    parser.add_argument("--epochs", type=positive, default=20, help="passes over the training pictures")
    parser.add_argument("--seed", type=natural, default=0, help="another seed is other music")
    return parser


def call(script, *options):
    """Run a script that lies beside this one as a user would; if it fails, so does the demo, with the same code."""
    print("\n$", shlex.join(["python", script, *options]), flush=True)
    code = subprocess.run([sys.executable, str(Path(__file__).with_name(script)), *options], check=False).returncode
    if code:
        sys.exit(code)


def refuse_foreign_run(run_path, data):
    """Raises: CallError: there is a run there of other data, which the demo's training would replace."""
    if not (run_path / runs.RUN).is_file():
        return
    if Path(runs.read(run_path).info["images_path"]).resolve() != (data / "images" / "mel").resolve():
        raise CallError(f"{run_path} is not a run of the demo; give another --models")


def write_corpus(genres_path, tracks, seed):
    """Write <style>/<style>.NNNNN.wav, and remove such files of an earlier demo with more tracks.

    Raises:
        CallError: the folder holds anything else, which training would mistake for part of the demo.
    """
    there = {path for path in genres_path.glob("*/*") if not path.name.startswith(".")}
    ours = {path for style in STYLES for path in genres_path.glob(f"{style}/{style}.[0-9][0-9][0-9][0-9][0-9].wav")}
    if there - ours:
        raise CallError(
            f"expected only the demo's music in {genres_path}, not {min(there - ours)}; give another --data"
        )
    for number, style in enumerate(STYLES):
        genres_path.joinpath(style).mkdir(parents=True, exist_ok=True)
        for track in range(tracks):
            path = genres_path / style / f"{style}.{track:05d}.wav"
            samples = compose(style, np.random.default_rng([seed, number, track]), TRACK_SECONDS)
            soundfile.write(path, samples, SR, subtype="PCM_16")
            ours.discard(path)
    for path in ours:
        path.unlink()
    print(f"composed {tracks} tracks of {TRACK_SECONDS} s in each of {', '.join(STYLES)}: {genres_path}")


def compose(style, rng, seconds=6.0, sr=SR):
    """Compose and play a track. Args: style: a name in STYLES. Returns: float32 (samples,) within (-1, 1)."""
    lenders = [pick(rng, list(STYLES)) if rng.random() < BORROWED else style for _ in range(3)]
    rhythm, harmony, timbre = (STYLES[lender][aspect] for aspect, lender in enumerate(lenders))
    beat, swing = 60 / rng.uniform(*rhythm.tempo), rng.uniform(*rhythm.swing)
    clock = (beat, swing, -4 * beat * rng.random(), seconds)  # starts before 0: an excerpt begins anywhere in a bar
    parts = {part: np.zeros(round(seconds * sr)) for part in ("drums", "bass", "chords", "lead")}
    for drum, sound in drum_kit(rng, sr).items():
        for _, onset, _, loudness in strokes(pick(rng, getattr(rhythm, drum)), *clock):
            add(parts["drums"], loudness * sound, onset, sr)
    pitches = harmonise(harmony, rng)
    for part in ("bass", "chords", "lead"):
        instrument, pattern = INSTRUMENTS[pick(rng, getattr(timbre, part))], pick(rng, getattr(rhythm, part))
        brightness, legato = rng.uniform(0.7, 1.4), rng.uniform(0.5, 1.0)
        for count, (bar, onset, length, loudness) in enumerate(strokes(pattern, *clock)):
            for pitch in pitches(part, bar, count):
                add(parts[part], loudness * tone(instrument, pitch, legato * length, brightness, sr), onset, sr)
    return mix(parts.values(), timbre.levels, rng)


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


def strokes(pattern, beat, swing, start, seconds):
    """Repeat a pattern from `start` on. Returns: a list of (bar, onset in s, length in s, loudness from 0 to 1)."""
    per_bar, bars = len(pattern), int(np.ceil((seconds - start) / beat / len(pattern) * 4))
    steps = np.array([step for step in range(bars * per_bar) if pattern[step % per_bar] != "."])
    within = np.interp(steps % 4 / 4, (0, 0.5, 1), (0, 0.5 + swing / 6, 1))  # swing delays the second half of a beat
    onsets = start + beat * (steps // 4 + within)
    lengths = np.diff(onsets, append=start + beat * bars * per_bar / 4)
    loudness = [int(pattern[step % per_bar]) / 9 for step in steps]
    return list(zip(steps // per_bar, onsets, lengths, loudness, strict=True))


def harmonise(harmony, rng):
    """Draw key, chords and melody. Returns: a function (part, bar, count of strokes) -> MIDI numbers to play there."""
    key = rng.integers(12)
    mode, progression, voices, walk = (pick(rng, choices) for choices in harmony)
    motif = np.cumsum(rng.integers(-2, 3, size=rng.integers(4, 9)))  # steps of the scale, from the root of the chord

    def pitches(part, bar, count):
        root = int(progression[bar % len(progression)]) - 1
        chord = [root + 2 * voice for voice in range(voices)]
        bass, lead = chord[int(walk[count % len(walk)]) % voices], root + motif[count % len(motif)]
        lowest, degrees = {"bass": (33, [bass]), "chords": (52, chord), "lead": (67, [lead])}[part]
        return [lowest + (key + mode[degree % 7] - lowest) % 12 for degree in degrees]  # one octave each: chords invert

    return pitches


def tone(instrument, pitch, seconds, brightness, sr):
    """One note. Args: pitch: MIDI number. brightness: factor on the cutoff. Returns: (samples,)."""
    time = np.arange(int(seconds * sr)) / sr
    frequency = 440 * 2 ** ((pitch - 69) / 12)  # Hz
    harmonic = np.arange(1, int(0.5 * sr / frequency))
    lowpass = 1 / (1 + (harmonic * frequency / instrument.cutoff / brightness) ** 2)
    spectrum = np.zeros(4097, complex)
    spectrum[harmonic] = -1j * lowpass / harmonic * np.where(harmonic % 2, 1, instrument.even)
    cycle = np.fft.irfft(spectrum)  # (8192,), one period; a note reads it again and again, much cheaper than sines
    decay = np.exp(-time / instrument.decay)
    phase = frequency * time  # periods
    if instrument.fm_index:
        phase += instrument.fm_index * decay * np.sin(2 * np.pi * instrument.fm_ratio * phase) / (2 * np.pi)
    wave = cycle[(phase * len(cycle)).astype(int) % len(cycle)]
    return wave * decay * np.clip(time / instrument.attack, 0, 1) * np.clip((seconds - time) / 0.03, 0, 1)


def drum_kit(rng, sr):
    """Kick, snare and hat, tuned anew for every track: a falling sine, noise over a sine, high-passed noise."""
    time = np.arange(int(0.3 * sr)) / sr
    noise, hiss = rng.standard_normal(len(time)), np.diff(rng.standard_normal(len(time) + 2), n=2)
    low, fall, body = rng.uniform((42, 80, 160), (60, 220, 240))  # Hz
    kick = np.sin(2 * np.pi * (low * time - 0.03 * fall * np.exp(-time / 0.03)))
    snare = 0.4 * noise + rng.uniform(0.2, 0.6) * np.sin(2 * np.pi * body * time)
    decays = rng.uniform((0.06, 0.03, 0.01), (0.12, 0.09, 0.05))  # s
    sounds = zip((kick, snare, 0.15 * hiss), decays, strict=True)
    return dict(zip(("kick", "snare", "hat"), (sound * np.exp(-time / decay) for sound, decay in sounds), strict=True))


def add(track, sound, onset, sr):
    """Add a sound to a track from `onset` (s) on, cut at both ends of the track."""
    start = int(onset * sr)
    sound = sound[max(-start, 0) : max(len(track) - start, 0)]
    track[max(start, 0) :][: len(sound)] += sound


def mix(parts, levels, rng):
    """Sum the parts at their levels (dB, give or take 3) over a little noise; the peak stays below full scale."""
    mixed = 0
    for samples, level in zip(parts, levels, strict=True):
        loudness = np.sqrt(np.mean(samples**2)) or 1  # a part may be silent
        mixed = mixed + samples / loudness * 10 ** (rng.uniform(level - 3, level + 3) / 20)
    mixed = mixed + rng.standard_normal(len(mixed)) * 10 ** (rng.uniform(-60, -40) / 20)
    return (mixed / np.max(np.abs(mixed)) * rng.uniform(0.5, 0.95)).astype(np.float32)


if __name__ == "__main__":
    run(main)
