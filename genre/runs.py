"""A run: the folder models/<name>/<feature>/ with a trained model and all that is needed to repeat or use it."""

import argparse
import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import NamedTuple

from genre import audio, images, inputs, metadata, statistics, tables, voting
from genre.command_line import CallError, DataError, first_line, plain_name
from genre.features import Sound
from genre.recipe import Recipe

import numpy as np
import scipy.special

RUN, MODEL, WEIGHTS, ESTIMATOR = "run.json", "model.keras", "model.weights.h5", "model.skops"
MEMBERS = "members"  # folder of an ensemble: what each of its runs needs to label songs
OWN = {RUN, MODEL, WEIGHTS, ESTIMATOR, MEMBERS, "checkpoints", "saved_model", "model.onnx", "model.tflite", "README.md"}
OWN |= {f"{name}.csv" for name in ("confusion_matrix", "history", "members", "predictions", "search", "tags")}
OWN |= {f"{name}.png" for name in ("confusion_matrix", "genres", "history", "reliability", "roc", "tags", "tsne")}
OWN |= {"metrics.json"}  # all that a run may write into its folder; what else is there is of other runs, or the user's
BATCH = 8  # pieces a forward pass: the widest network here takes 0.65 GB for each
SMALLEST = 1e-7  # probability, for its logarithm
NO_STEP = 1 / 20  # of a step of a timeline, by which a song may be longer without another; rounding is less


def run_name(text):
    """For argparse's `type`: a plain name that is not one of OWN, as runs lie below each other."""
    if plain_name(text) in OWN:
        raise argparse.ArgumentTypeError(f"{text} is what a run calls something of its own; give another name")
    return text


class Heard(NamedTuple):
    """What a run takes of one song: `x` has for each input an array of `pieces` rows; `note` is for people.

    `starts` are those of the pieces, in s; none where it takes the song as a whole.
    """

    x: list
    pieces: int
    note: str
    starts: tuple = ()


class Timeline(NamedTuple):
    """What a run says of a song over time: `said` is float32 (steps, classes), NaN in silence; `seconds` the song's."""

    said: np.ndarray
    seconds: float

    def steps(self, step):
        """[(start, end in s, probabilities (classes,))], `step` seconds each but for the last."""
        return [(n * step, min((n + 1) * step, self.seconds), p) for n, p in enumerate(self.said)]


class Labelled(NamedTuple):
    """What a run says of one song: `probabilities` is float32 (classes,), of `pieces` pieces; `note` is for people."""

    probabilities: np.ndarray
    pieces: int
    note: str


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run. `info` is its run.json."""

    folder: Path
    info: dict
    calibrated: bool = False  # whether its probabilities are right as often as they say

    @property
    def system(self):
        """What was trained, and on what: time_model/mel."""
        return f"{self.info['script']}/{self.info['feature']}"

    @property
    def name(self):
        """Its system, and what tells it from other runs of that: time_model/mel/seed0."""
        return "/".join(self.place) or self.system

    @property
    def place(self):
        """The end of its folder's path, from the script's name on: ("time_model", "mel", "seed0"); () without it."""
        parts, start = self.folder.absolute().parts, (self.info["script"], self.info["feature"])
        found = [i for i in range(len(parts)) if parts[i : i + 2] == start]
        return parts[found[-1] :] if found else ()

    @property
    def classes(self):
        return self.info["classes"]

    def says(self, probabilities):
        """The genre that probabilities, (classes,), are for, or "pop|rock", the tags that are more likely than not."""
        if self.info.get("multi_label"):
            return "|".join(c for c, p in zip(self.classes, probabilities, strict=True) if p >= 0.5)
        return self.classes[int(probabilities.argmax())]

    @functools.cached_property
    def recipes(self):
        """For each input of its network the recipes of the channels of its pictures; all are alike in their pieces.

        Raises:
            DataError: the run was trained on pictures of unknown recipe.
        """
        recipes = [list(pictures["recipes"].values()) for pictures in self.pictured]
        if None in sum(recipes, []):
            raise DataError(
                f"{self.folder} was trained on pictures without a recipe.json (recipe unknown), so no song can be "
                "rendered for it; train on pictures made with create_spectrograms.py"
            )
        return [[Recipe.from_json(json.dumps(r), self.folder / RUN) for r in channels] for channels in recipes]

    @property
    def seconds(self):
        """Length of a piece."""
        return self.recipes[0][0].seconds

    @property
    def hears(self):
        """In words, what of a song the run takes. Raises: DataError: it takes no songs."""
        self._must_be_of_audio()
        if self.on_statistics:
            columns = sum(settings["input_shape"][0] for settings in self.info["inputs"])
            return f"{columns} statistics of each song as a whole"
        return f"pieces of {self.seconds:g} s"

    @property
    def on_statistics(self):
        """Whether it takes statistics of songs, not pictures."""
        return not self.pictured

    @property
    def pictured(self):
        """The settings of those of its inputs that are pictures."""
        return [taken for taken in self.info["inputs"] if taken["feature"] not in metadata.PER_TRACK]

    def _must_be_of_audio(self):
        """Raises: DataError: its statistics, if any, were not computed here; those of a song would be unlike them."""
        recipes = [taken["recipes"] for taken in self.info["inputs"]]
        origins = {of[tables.FEATURE]["origin"] for of in recipes if tables.FEATURE in of}
        if foreign := sorted(origins - {statistics.AUDIO}):
            raise DataError(
                f"{self.folder} was trained on the numbers of {foreign[0]}, made under another convention of sampling "
                "rates than a song's are here, so it would label songs wrongly; make the table from audio "
                f"({tables.MAKE} without --table), split and train again"
            )

    def pieces(self, song, overlap=None, to_end=False):
        """The pieces of a song that this run's pictures are of; a song shorter than a piece is padded.

        Args:
            overlap: share of a piece that the next one repeats, if not the recipe's. to_end: as `audio.pieces` has it.
        """
        rates = sorted({recipe.sr for channels in self.recipes for recipe in channels})
        overlap = self.recipes[0][0].overlap if overlap is None else overlap
        return audio.pieces(song, rates, self.seconds, overlap, pad_short=True, to_end=to_end)

    def spectrogram(self, song, most):
        """What the run's first input is made of, of a whole song, piece after piece.

        Args:
            most: frames, to which it is reduced.

        Returns:
            uint8 (bins, frames), seconds of it
        """
        recipe = self.recipes[0][0]
        parts, end = [], 0
        for piece in audio.pieces(song, [recipe.sr], self.seconds, pad_short=True, to_end=True):
            picture = images.render(Sound(piece.samples[recipe.sr], recipe.sr), recipe)
            parts.append(picture[:, round((end - piece.start) / self.seconds * picture.shape[1]) :])
            end = piece.start + self.seconds
        whole = np.concatenate(parts, axis=1)
        return images.resize(whole[..., None], (None, min(most, whole.shape[1])))[..., 0], end

    def render(self, piece):
        """A piece of a song as the pictures that this run takes: for each input uint8 (bins, frames, channels)."""
        sounds = {sr: Sound(samples, sr) for sr, samples in piece.samples.items()}
        pictures = []
        for recipes, settings in zip(self.recipes, self.pictured, strict=True):
            size = images.parse_size(settings["image_size"])
            channels = [images.resize(images.render(sounds[r.sr], r)[..., None], size) for r in recipes]
            pictures.append(np.concatenate(channels, axis=-1))
        return pictures

    @functools.cached_property
    def model(self):
        """The Keras model. It takes pictures, float32 0..255 (pieces, bins, frames, channels), one array an input.

        It gives probabilities or, in a run with an estimator, the (pieces, columns) that the estimator takes. None in
        a run whose estimator takes statistics as they are.
        """
        path = self.folder / MODEL
        if not self._has_network:
            return None
        from genre import layers  # noqa: F401, so that Keras knows them
        from genre.backend import keras

        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # whatever Keras raises for a file that is damaged or no model
            raise DataError(f"{path} cannot be loaded ({first_line(error)}); train the run again") from None
        self.must_take([x.shape[1:] for x in model.inputs], "its network takes")
        return model

    @functools.cached_property
    def estimator(self):
        """The fitted scikit-learn estimator behind the model, or None."""
        from genre import estimators

        return estimators.load(self.folder / ESTIMATOR) if (self.folder / ESTIMATOR).is_file() else None

    @functools.cached_property
    def embedding(self):
        """The Keras model from pictures to (pieces, columns): what the last layer, or the estimator, decides on.

        Raises:
            CallError: the run has no network.
        """
        from genre import networks

        self.must_have_network()
        return self.model if self.estimator else networks.embedding(self.model, self.info["script"])

    def must_have_network(self):
        """Raises: CallError: the run has none, but an estimator that takes statistics as they are."""
        if not self._has_network:
            raise CallError(f"{self.folder} has no network to build on, only {ESTIMATOR}; name another run")

    @property
    def _has_network(self):
        alone = self.on_statistics and (self.folder / ESTIMATOR).is_file()  # an estimator needs none there
        return not alone or (self.folder / MODEL).is_file()

    def label(self, song):
        """What the run says of a song: the average over its pieces; a song shorter than a piece is padded with silence.

        Returns:
            Labelled

        Raises:
            AudioError: it cannot be decoded, or is silent. CallError: the run lacks what it needs, such as weights.
        """
        return self.say(self.hear(song))

    def hear(self, song):
        """The first half of `label`, without the model: what the run takes of a song, `Heard`."""
        if self.on_statistics:
            return Heard(self._of_whole_song(song), 1, "")
        pictures, starts, note = [], [], ""
        for piece in self.pieces(song):
            if piece.silent:
                continue
            if piece.seconds < self.seconds:
                note = f"padded from {piece.seconds:.2g} s to {self.seconds:g} s"
            pictures.append(self.render(piece))
            starts.append(piece.start)
        if not pictures:
            raise audio.AudioError("silent")
        return Heard(self._beside(self._of_whole_song(song), pictures), len(pictures), note, tuple(starts))

    def say(self, heard):
        """The second half of `label`."""
        return Labelled(self.settle(self.predict(heard.x).mean(axis=0)), heard.pieces, heard.note)

    def timeline(self, song, step):
        """What the run says of every `step` seconds of a song: the average over all pieces that hold them.

        Returns:
            Timeline

        Raises:
            CallError: the run takes a song as a whole. And as `label`.
        """
        if self.on_statistics:
            raise CallError(f"{self.folder} takes a song as a whole and has no timeline; name a run of pictures")
        hops = max(1, math.ceil(step / self.seconds))  # in a step, where that is longer than a piece
        hop, whole, found, starts, ends = step / hops, self._of_whole_song(song), [], [], []
        for piece in self.pieces(song, 1 - hop / self.seconds, to_end=True):
            starts.append(piece.start)
            ends.append(piece.start + piece.seconds)
            if piece.silent:
                found.append(np.full(len(self.classes), np.nan, np.float32))
            else:
                found.append(self.predict(self._beside(whole, [self.render(piece)]))[0])
        begins = hop * np.arange(max(1, math.ceil(ends[-1] / hop - NO_STEP)))
        first = np.searchsorted(ends, np.minimum(begins + hop, ends[-1]) - NO_STEP * hop)
        behind = np.searchsorted(starts, begins + NO_STEP * hop, side="right")
        said = [_mean(found[min(a, b - 1) : b]) for a, b in zip(first, behind, strict=True)]
        said = [_mean(said[n : n + hops]) for n in range(0, len(said), hops)]
        return Timeline(self.settle(np.array(said)), ends[-1])

    @property
    def temperature(self):
        """What the logarithms of probabilities are divided by, for as much confidence as is right on validation.

        Raises:
            DataError: it is not known.
        """
        if not (known := self.info.get("temperature")):
            raise DataError(f"{self.folder} has no temperature; train it again with --overwrite")
        return known

    def settle(self, probabilities):
        """Probabilities (..., classes) as the run gives them; if it is `calibrated`, right as often as they say."""
        return tempered(probabilities, self.temperature) if self.calibrated else probabilities

    def _beside(self, whole, pictures):
        """For each input its rows: those of pictures, [of a piece [of an input]], or what is of the song as a whole."""
        of_pictures = iter([np.stack(of_input) for of_input in zip(*pictures, strict=True)])
        return [next(of_pictures) if x is None else np.repeat(x, len(pictures), axis=0) for x in whole]

    def _of_whole_song(self, song):
        """For each input what it takes of a song as a whole, (1, columns); None for pictures."""
        self._must_be_of_audio()
        found = []
        for settings in self.info["inputs"]:
            if settings["feature"] == tables.FEATURE:
                found.append(statistics.of_file(song)[0][None, tables.positions(settings["columns"])])
            else:
                found.append(metadata.of_song(song, settings) if settings["feature"] in metadata.FIELDS else None)
        return found

    def predict(self, pictures):
        """Probabilities, float32 (pieces, classes).

        Args:
            pictures: for each input of the model uint8 (pieces, bins, frames, channels), in the order of `render`; or
                float32 (songs, columns), of their statistics.

        Raises:
            DataError: they, or what is said of them, do not fit the run.json.
        """
        self.must_take([x.shape[1:] for x in pictures], "songs are rendered to")
        probabilities = self._ask(pictures)
        if probabilities.shape[1] != len(self.classes):
            classes = f"{len(self.classes)} classes ({', '.join(self.classes)})"
            raise DataError(
                f"{self.folder}: it gives {probabilities.shape[1]} probabilities, its {RUN} names {classes}; "
                "they are of different runs: copy the run whole, or train it again"
            )
        return probabilities

    def _ask(self, pictures):
        """As `predict`."""
        if self.model is None:
            output = inputs.alone(pictures).astype(np.float64)  # as it was fitted
        else:
            output = predict(self.model, inputs.alone(pictures))
        return self.estimator.predict_proba(output).astype(np.float32) if self.estimator else output

    def must_take(self, shapes, whose):
        """
        Args:
            shapes: of what goes in, without the pieces: one for each input. whose: they are, in words.

        Raises:
            DataError: run.json says others.
        """
        expected = [taken["input_shape"] for taken in self.info["inputs"]]
        if [list(shape) for shape in shapes] != expected:
            raise DataError(
                f"{self.folder}: {whose} {_words(shapes)}, its {RUN} says {_words(expected)}; they are of different "
                "runs or versions: copy the run whole, or train it again"
            )


class Ensemble(Run):
    """A vote of finished runs, by `ensemble.py`. It keeps their models, and needs those runs no more."""

    @functools.cached_property
    def members(self):
        folders = (self.folder / MEMBERS / str(number) for number in range(len(self.info["members"])))
        return [_run(folder, info) for folder, info in zip(folders, self.info["members"], strict=True)]

    @property
    def hears(self):
        return " and ".join(dict.fromkeys(member.hears for member in self.members))

    @property
    def model(self):
        raise CallError(f"{self.folder} is a vote of runs and has no network of its own; name one of its runs")

    def hear(self, song):
        """As `Run.hear`, of each member."""
        heard = [member.hear(song) for member in self.members]
        notes = dict.fromkeys(of.note for of in heard if of.note)
        return Heard(heard, max(of.pieces for of in heard), "; ".join(notes))

    def say(self, heard):
        """As `Run.say`; each member says what it says of the whole song, then they vote."""
        said = [member.say(of).probabilities for member, of in zip(self.members, heard.x, strict=True)]
        return Labelled(self._vote(np.stack(said)[:, None])[0], heard.pieces, heard.note)

    def spectrogram(self, song, most):
        """As `Run.spectrogram`, of the first member."""
        return self.members[0].spectrogram(song, most)

    def timeline(self, song, step):
        """As `Run.timeline`; the members vote on each step that all of them hear."""
        each = [member.timeline(song, step) for member in self.members]
        steps = min(len(one.said) for one in each)
        return Timeline(self._vote(np.stack([one.said[:steps] for one in each])), min(one.seconds for one in each))

    def _vote(self, said):
        """The vote of members, (members, rows, classes) -> (rows, classes); NaN where one says nothing."""
        heard = ~np.isnan(said).any(axis=(0, 2))
        probabilities = np.full(said.shape[1:], np.nan, np.float32)
        if heard.any():
            probabilities[heard] = voting.vote(self.info["hyperparameters"]["method"], said[:, heard], self.estimator)
        return self.settle(probabilities)


@dataclasses.dataclass(frozen=True)
class Together(Ensemble):
    """Finished runs that vote by the mean of their probabilities, without a folder of their own."""

    members: list = ()
    estimator = None

    @property
    def name(self):
        return " and ".join(member.name for member in self.members)


def together(found):
    """Several runs as one, whose probabilities are the mean of theirs.

    Raises:
        CallError: they know other classes, or some give a track one label and some several.
    """
    first, *others = found
    for other in others:
        if first.classes != other.classes:
            mine, its = (" ".join(run.classes) for run in (first, other))
            raise CallError(f"{first.folder} and {other.folder} know other classes: {mine}; {its}")
        if bool(first.info.get("multi_label")) != bool(other.info.get("multi_label")):
            raise CallError(f"of {first.folder} and {other.folder} one gives a track one label, the other several")
    return (
        Together(first.folder, first.info | {"hyperparameters": {"method": "mean"}}, members=found) if others else first
    )


def tempered(probabilities, temperature):
    """Probabilities (..., classes) with their logarithms divided by a temperature: above 1 makes them less sure."""
    return scipy.special.softmax(np.log(np.maximum(probabilities, SMALLEST)) / temperature, axis=-1)


def _mean(rows):
    """The mean of those rows (classes,) that are not NaN, of which there may be none."""
    said = [row for row in rows if not np.isnan(row).any()]
    return np.mean(said, axis=0) if said else rows[0]


def _run(folder, info):
    return (Ensemble if "members" in info else Run)(folder, info)


def _words(shapes):
    return " and ".join(" x ".join(map(str, shape)) for shape in shapes)


def predict(model, x):
    """A model's output for all pieces. Calls the model itself: its `predict` costs 60 ms more a call.

    Args:
        x: an array for each input, in a list where there are several; any type, given to the model as float32.

    Returns:
        an array for each output, likewise.
    """
    from genre.backend import keras

    outputs, count = [], len(x[0] if isinstance(x, list) else x)
    for part in (slice(start, start + BATCH) for start in range(0, count, BATCH)):
        batch = [array[part].astype(np.float32) for array in x] if isinstance(x, list) else x[part].astype(np.float32)
        outputs.append(keras.tree.map_structure(keras.ops.convert_to_numpy, model(batch, training=False)))
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *outputs)


def read(folder):
    """The run in a folder, or in an ONNX file that export.py wrote; TensorFlow is not needed until its model is.

    Raises:
        CallError: no run there. DataError: its run.json is damaged.
    """
    folder = Path(folder)
    if folder.suffix == ".onnx":
        from genre import exports

        return exports.read(folder)
    path = folder / RUN
    if folder.suffix == ".tflite" or (folder / "saved_model.pb").is_file():
        raise CallError(f"{folder} is for other programs; name the run it was made of, or export that as .onnx")
    if not path.is_file():
        there = [str(found) for found in below(folder)]
        hint = f"; below it there is {', '.join(there[:5])}" if there else "; train one with: python time_model.py"
        raise CallError(f"no run at {folder}{hint}")
    return _run(folder, parse(path.read_bytes(), path))


def below(folder):
    """The folders of the finished runs below a folder, sorted; not hidden ones, nor what a vote keeps of its runs."""
    found = sorted(path.relative_to(folder).parent for path in folder.glob(f"**/{RUN}"))
    return [folder / path for path in found if not any(part.startswith(".") or part == MEMBERS for part in path.parts)]


def parse(text, where):
    """What a run.json says.

    Args:
        text: of it, str or UTF-8 bytes. where: it comes from, for an error.

    Raises:
        DataError: it is damaged.
    """
    try:
        info = json.loads(text)
        if missing := {"script", "feature", "classes", "inputs", "index_fingerprint"} - set(info):
            raise DataError(f"{where} lacks {', '.join(sorted(missing))}; train the run again with --overwrite")
        return info
    except (ValueError, TypeError):
        raise DataError(f"{where} is damaged; train the run again with --overwrite") from None
