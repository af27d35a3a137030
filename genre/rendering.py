"""One track -> its pictures, of every feature, piece and variant, from one decoding."""

import collections
import dataclasses
from pathlib import Path

from genre import audio, dumps, images, index
from genre.command_line import CallError
from genre.features import Sound
from genre.variants import ORIGINAL

SHOWN = 5  # silent pieces named


def make_pictures(track, known, recipes, variants, dataset_path, colormap=None):
    """Make the pictures of one track that are missing or out of date, and remove those it should not have.

    Args:
        known: {feature: its rows of an earlier run, perhaps none}.
        recipes: {feature: recipe}, alike in seconds and overlap.
        variants: the original and those to train on; only the original of a track that is not for training.
        dataset_path: the folder of the features' folders, which have the folder of the track's label.

    Returns:
        ({feature: rows}, reasons why the track, or a piece of it, has no picture)

    Raises:
        OSError: the pictures cannot be written. CallError: a feature lacks what it needs, not this track.
    """
    dataset_path = Path(dataset_path)
    if track.subset not in ("", "train"):
        variants = [ORIGINAL]
    rows, silent = {feature: [] for feature in recipes}, []
    try:
        audio_hash = audio.content_hash(track.path)
        for feature in recipes:
            kept = _up_to_date(known.get(feature, ()), audio_hash, dataset_path / feature, variants)
            rows[feature] = [dataclasses.replace(row, **_said_of(track)) for row in kept]
        missing = {feature: _missing(rows[feature], variants) for feature in recipes}
        if any(missing.values()):
            _render(track, audio_hash, recipes, missing, dataset_path, colormap, rows, silent)
    except (OSError, CallError):
        raise  # no space, no permission, no weights: the next song would fare no better
    except Exception as error:  # whatever one song does to a decoder or a transform, the run goes on
        _remove_others(dataset_path, {f: [*known.get(f, ()), *rows[f]] for f in recipes}, {f: [] for f in recipes})
        return {feature: [] for feature in recipes}, [audio.reason(error)]
    _remove_others(dataset_path, known, rows)
    more = f" and {len(silent) - SHOWN} more" if len(silent) > SHOWN else ""
    return rows, [f"silent for a piece from {', '.join(silent[:SHOWN])} s on{more}"] if silent else []


def _up_to_date(rows, audio_hash, folder, variants):
    """The rows whose pictures are whole and of this audio: all pieces of the original, and of a variant, or none."""
    of_variant = collections.defaultdict(list)
    for row in rows:
        of_variant[row.variant].append(row)
    names = {variant.name for variant in variants}
    whole = {
        name: found
        for name, found in of_variant.items()
        if name in names and all(row.audio_hash == audio_hash and images.is_whole(folder / row.file) for row in found)
    }
    return [row for found in whole.values() for row in found] if "" in whole else []


def _missing(rows, variants):
    there = {row.variant for row in rows}
    return [variant for variant in variants if variant.name not in there]


def _render(track, audio_hash, recipes, missing, dataset_path, colormap, rows, silent):
    """Decode a track and save the missing variants of each feature; adds to `rows` and `silent`."""
    if track.path.suffix == dumps.SUFFIX:
        return _render_dump(track, audio_hash, recipes, missing, dataset_path, colormap, rows)
    a_recipe = next(iter(recipes.values()))
    rates = sorted({recipes[feature].sr for feature, variants in missing.items() if variants})
    wanted = dict.fromkeys(variant for variants in missing.values() for variant in variants)
    pieces = audio.pieces(track.path, rates, a_recipe.seconds, a_recipe.overlap)
    for number, piece, is_only in _numbered(pieces):
        if piece.silent:
            silent.append(f"{piece.start:g}")
            continue
        for variant in wanted:
            file = _file(track, number, is_only, variant)
            changed = {sr: variant.apply(samples, sr) for sr, samples in piece.samples.items()}
            if any(audio.is_silent(samples) for samples, _ in changed.values()):
                continue  # shifted beyond what the rate can hold: only rounding errors would be drawn
            sounds = {sr: Sound(samples, sr) for sr, (samples, _) in changed.items()}
            held = piece.seconds * next(iter(changed.values()))[1]
            for feature, recipe in recipes.items():
                if variant in missing[feature]:
                    picture = images.render(sounds[recipe.sr], recipe)
                    images.save(dataset_path / feature / file, picture, recipe, colormap)
                    rows[feature].append(_row(track, file, piece.start, held, variant, audio_hash))


def _render_dump(track, audio_hash, recipes, missing, dataset_path, colormap, rows):
    """Save the picture of a spectrogram that was published instead of its audio."""
    for feature, recipe in recipes.items():
        if any(variant != ORIGINAL for variant in missing[feature]):
            raise CallError(f"{track.path} is a mel dump, which can be neither shifted nor stretched")
        if missing[feature]:
            spectrogram, seconds = dumps.spectrogram(track.path, recipe)
            file = _file(track, 0, True, ORIGINAL)
            images.save(dataset_path / feature / file, images.draw(spectrogram, recipe), recipe, colormap)
            rows[feature].append(_row(track, file, 0.0, seconds, ORIGINAL, audio_hash))


def _numbered(pieces):
    """(number, piece, whether it is the only one), looking one piece ahead."""
    pieces = enumerate(pieces)
    number, piece = next(pieces)
    following = next(pieces, None)
    yield number, piece, following is None
    while following is not None:
        yield *following, False
        following = next(pieces, None)


def _file(track, number, is_only, variant):
    if variant != ORIGINAL:
        return f"{track.id}.{number:03d}.{variant.name}.png"
    return f"{track.id}.png" if is_only else f"{track.id}.{number:03d}.png"


def _row(track, file, start, seconds, variant, audio_hash):
    return index.Row(
        file=file,
        track=track.id,
        start=round(start, 3),
        seconds=round(seconds, 3),
        variant=variant.name,
        audio_hash=audio_hash,
        **_said_of(track),
    )


def _said_of(track):
    """What the data set says of a track; another list may say something else of the same pictures."""
    return {name: getattr(track, name) for name in ("labels", "artist", "album", "subset")}


def _remove_others(dataset_path, known, rows):
    """Remove the known pictures that `rows` does not name: the track, or what was asked for, has changed."""
    for feature, before in known.items():
        kept = {row.file for row in rows[feature]}
        for row in before:
            if row.file not in kept:
                (dataset_path / feature / row.file).unlink(missing_ok=True)
