"""Show what a finished run looks at: where in a song it sees a genre, and the filters of its first convolutions.

    python explain.py models/time_model/mel song.mp3
    python explain.py models/time_model/mel song.mp3 --genre=jazz --at=75

Where is by Grad-CAM: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", 2017, https://arxiv.org/abs/1610.02391.
"""

from pathlib import Path
from typing import NamedTuple

from genre import audio, runs
from genre.command_line import AT_ITS_END, CallError, DataError, Parser, natural_float, run
from genre.datasets.folder import shorten
from genre.features import frequencies

import numpy as np

MOST = 64  # filters of a layer that are drawn


class Shown(NamedTuple):
    """The piece of a song that is explained, its number among those heard, and for which classes.

    `said` is (pieces, classes).
    """

    song: Path
    heard: runs.Heard
    said: np.ndarray
    piece: int
    classes: list


def main():
    args = _parser().parse_args()
    trained = runs.read(args.run)
    check(trained, args.genre)
    if not Path(args.song).is_file():
        raise CallError(f"no file {args.song}")
    from genre import explanation  # TensorFlow, which no refusal above needs

    first = explanation.filters(trained)
    shown = choose(trained, Path(args.song), args.genre, args.at)
    maps, more = explanation.grad_cam(trained, [x[shown.piece][None] for x in shown.heard.x], shown.classes)
    print(_line(trained, shown))
    name = trained.name.replace("/", ".")
    paths = [Path(args.out, f"{stem}.png") for stem in (f"{shorten(shown.song.stem)}.{name}", f"{name}.filters")]
    Path(args.out).mkdir(parents=True, exist_ok=True)
    _draw_maps(trained, shown, maps, more, paths[0])
    _draw_filters(trained, first, paths[1])
    print(f"wrote {paths[0]}, {paths[1]}")


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a finished run, e.g. models/time_model/mel")
    parser.add_argument("song", metavar="SONG", help="an audio file")
    text = "what to look for (default: the likeliest two of the piece)"
    parser.add_argument("--genre", metavar="GENRE", help=text)
    text = "explain the piece at this second (default: the one that speaks most for the song's genre, or for --genre)"
    parser.add_argument("--at", type=natural_float, metavar="SECONDS", help=text)
    text = "folder for the pictures, <song>.<run>.png and <run>.filters.png, which replace what has that name there"
    parser.add_argument("--out", metavar="FOLDER", default="explained", help=text)
    return parser


def check(trained, genre):
    """Raises: CallError: no gradient leads to a picture of a song, or there is no such genre. DataError: no recipe."""
    if isinstance(trained, runs.Ensemble):
        _ = trained.model  # which it has not, and says so
    if bases := trained.info.get("runs"):
        names = ", ".join(base["run"] for base in bases)
        raise CallError(f"{trained.folder} is built on finished runs; explain one of those: {names}")
    if (trained.folder / runs.ESTIMATOR).is_file():
        raise CallError(f"{trained.folder} ends in a scikit-learn estimator, which has no gradient; name another run")
    if trained.on_statistics:
        raise CallError(f"{trained.folder} takes a song as a whole, not a picture of it; name a run of pictures")
    _ = trained.hears  # that its recipe is known
    if genre not in (None, *trained.classes):
        raise CallError(f"{trained.folder} knows no {genre!r}; it knows {', '.join(trained.classes)}")


def choose(trained, song, genre, at):
    """Listen to a song, and choose of what piece and of which classes to say where they are: Shown.

    Args:
        genre: that one, or None for the likeliest two of the piece. at: s, in the piece, or None for the piece that is
            likeliest of the genre, which is by default the song's.

    Raises:
        CallError: no piece is heard at that second. DataError: the song cannot be used.
    """
    try:
        heard = trained.hear(song)
    except audio.AudioError as error:
        raise DataError(f"{song} cannot be used: {error}") from None
    said = trained.predict(heard.x)
    wanted = trained.classes.index(genre) if genre else said.mean(axis=0).argmax()
    piece = int(said[:, wanted].argmax())
    if at is not None:
        found = [n for n, start in enumerate(heard.starts) if start <= at < start + trained.seconds]
        if not found:
            last = heard.starts[-1] + trained.seconds
            raise CallError(f"--at={at:g}: {song} is silent there, or its last whole piece, to {last:g} s, is over")
        piece = found[0]
    likeliest = np.argsort(-said[piece], kind="stable")[:2]
    return Shown(song, heard, said, piece, [int(wanted)] if genre else likeliest.tolist())


def _line(trained, shown):
    """What the run says of the piece and of the song."""
    notes = [shown.heard.note] if shown.heard.note else []
    if shown.heard.pieces > 1:
        notes.append(f"all {shown.heard.pieces} pieces: {_shares(trained, shown.said.mean(axis=0))}")
    line = f"{shown.song}, {_clock(trained, shown)}: {_shares(trained, shown.said[shown.piece])}"
    return line + (f" ({'; '.join(notes)})" if notes else "")


def _shares(trained, probabilities):
    best = np.argsort(-probabilities, kind="stable")[:2]
    return ", ".join(f"{trained.classes[i]} {100 * probabilities[i]:.1f} %" for i in best)


def _clock(trained, shown):
    start = shown.heard.starts[shown.piece]
    return f"{start:.4g} s to {start + trained.seconds:.4g} s"


def _pictured(trained):
    """{number of an input: the recipes of the channels of its pictures}"""
    numbers = [n for n, taken in enumerate(trained.info["inputs"]) if taken in trained.pictured]
    return dict(zip(numbers, trained.recipes, strict=True))


def _draw_maps(trained, shown, maps, more, path):
    from genre import song_plots

    seen, start = [], shown.heard.starts[shown.piece]
    for found in maps:
        recipe, *others = _pictured(trained)[found.source]
        picture = shown.heard.x[found.source][shown.piece, ..., 0]
        bins, frames = picture.shape
        levels = None if isinstance(recipe.low, tuple) else (recipe.low, recipe.high, recipe.unit)
        feature = f"{recipe.feature}, the first of {1 + len(others)} channels" if others else recipe.feature
        left, right = (start + side * trained.seconds / frames for side in found.frames.ends(found.evidence.shape[2]))
        top, bottom = (bins - side for side in found.bins.ends(found.evidence.shape[1]))
        extent = (left, right, bottom, top)
        hertz, found_in = frequencies(recipe, bins), list(found.evidence)
        seen.append(song_plots.Seen(feature, picture, levels, hertz, found_in, extent, found.name))
    classes = [f"{trained.classes[i]} {100 * shown.said[shown.piece, i]:.1f} %" for i in shown.classes]
    title = f"Grad-CAM of {trained.name}: {shown.song.name}, {_clock(trained, shown)}"
    if more:
        title += "\nThe network decides on more than these maps: on what goes past the convolutions, too"
    song_plots.evidence(seen, classes, start, trained.seconds, title, path)


def _draw_filters(trained, first, path):
    from genre import song_plots

    groups = {}
    for of in [of for of in first if of.weights.shape[2:] != (1, 1)] or first:  # one weight alone is no picture
        recipes = _pictured(trained)[of.source]
        bins, frames, _ = trained.info["inputs"][of.source]["input_shape"]
        largest = np.sort(np.argsort(-np.abs(of.weights).max(axis=(1, 2, 3)), kind="stable")[:MOST])
        count = f"{len(of.weights)} filters" if len(of.weights) <= MOST else f"the largest {MOST} of {len(of.weights)}"
        length = f"{_of(of.frames, 'frame')} ({of.frames * trained.seconds / frames:.2g} s)"
        channels = of.weights.shape[1]
        for channel, recipe in enumerate(recipes if channels == len(recipes) else [None] * channels):
            size = f"{_of(of.bins, 'bin')}{_width(recipe, bins, of.bins)} x {length}"
            name = recipe.feature if recipe else f"channel {channel + 1}"  # of what the layers in front made of it
            groups[f"{of.name}: {count} of {size}, on {name}"] = of.weights[largest, channel]
    song_plots.filters(groups, f"First convolutions of {trained.name}", path)


def _of(count, what):
    return f"{count:.4g} {what}{'s' if count != 1 else ''}"


def _width(recipe, bins, height):
    """In words, the Hz that a filter of `height` of a picture's bins spans, from the lowest place to the highest."""
    hertz = frequencies(recipe, bins) if recipe else None
    if hertz is None:
        return ""
    edges = np.interp(np.arange(bins + 1) - 0.5, np.arange(bins), hertz)
    tall = min(max(1, round(height)), bins)
    widths = dict.fromkeys(float(f"{width:.2g}") for width in np.sort(edges[tall:] - edges[:-tall]))
    low, *_, high = [*widths, *widths]
    return f" ({low:g} Hz)" if low == high else f" ({low:g} to {high:g} Hz)"


if __name__ == "__main__":
    run(main, stopped=AT_ITS_END)
