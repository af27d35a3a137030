"""A run: the folder models/<name>/<feature>/ with a trained model and all that is needed to repeat or use it."""

import dataclasses
import functools
import json
from pathlib import Path

from genre import audio, images
from genre.command_line import CallError, DataError
from genre.features import Sound
from genre.recipe import Recipe

import numpy as np

RUN, MODEL, WEIGHTS = "run.json", "model.keras", "model.weights.h5"
BATCH = 32  # pieces a forward pass


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run. `info` is its run.json."""

    folder: Path
    info: dict

    @property
    def name(self):
        return f"{self.info['script']}/{self.info['feature']}"

    @property
    def classes(self):
        return self.info["classes"]

    @functools.cached_property
    def recipes(self):
        """The recipes its pictures were made by, one for each feature, alike in seconds and overlap.

        Raises:
            DataError: the run was trained on pictures of unknown recipe.
        """
        if None in self.info["recipes"].values():
            raise DataError(
                f"{self.folder} was trained on pictures without a recipe.json (recipe unknown), so no song can be "
                "rendered for it; train on pictures made with create_spectrograms.py"
            )
        return [Recipe.from_json(json.dumps(recipe), self.folder / RUN) for recipe in self.info["recipes"].values()]

    def pieces(self, song):
        """The pieces of a song that this run's pictures are of; a song shorter than a piece is padded."""
        first = self.recipes[0]
        rates = sorted({recipe.sr for recipe in self.recipes})
        return audio.pieces(song, rates, first.seconds, first.overlap, pad_short=True)

    @functools.cached_property
    def model(self):
        """The Keras model: pictures, float32 0..255 (pieces, bins, frames, channels) -> probabilities."""
        from genre.backend import keras

        path = self.folder / MODEL
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # whatever Keras raises for a file that is damaged or no model
            raise DataError(f"{path} cannot be loaded ({str(error).splitlines()[0]}); train the run again") from None

    def predict(self, pictures):
        """Probabilities, float32 (pieces, classes), of pictures, uint8 (pieces, bins, frames, channels)."""
        return predict(self.model, pictures)

    def render(self, piece):
        """A piece of a song as the picture that this run's model takes, uint8 (bins, frames, channels)."""
        sounds = {sr: Sound(samples, sr) for sr, samples in piece.samples.items()}
        size = images.parse_size(self.info["image_size"])
        channels = [images.resize(images.render(sounds[r.sr], r)[..., None], size) for r in self.recipes]
        return np.concatenate(channels, axis=-1)


def predict(model, pictures):
    """Probabilities, float32 (pieces, classes). Calls the model itself: its `predict` costs 60 ms more a call."""
    from genre.backend import keras

    batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    return np.concatenate(
        [keras.ops.convert_to_numpy(model(batch.astype(np.float32), training=False)) for batch in batches]
    )


def read(folder):
    """The run in a folder; TensorFlow is not needed until its model is.

    Raises:
        CallError: no run there. DataError: its run.json is damaged.
    """
    folder = Path(folder)
    path = folder / RUN
    if not path.is_file():
        below = sorted(found.relative_to(folder).parent for found in folder.glob(f"**/{RUN}"))
        there = [str(folder / path) for path in below if not any(part.startswith(".") for part in path.parts)]
        hint = f"; below it there is {', '.join(there[:5])}" if there else "; train one with: python time_model.py"
        raise CallError(f"no run at {folder}{hint}")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        if not {"script", "feature", "classes", "recipes", "image_size", "input_shape"} <= set(info):
            raise ValueError
        return Run(folder, info)
    except (ValueError, TypeError):
        raise DataError(f"{path} is damaged; train the run again with --overwrite") from None
