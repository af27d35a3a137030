"""(bins, frames) <-> 8-bit PNG, by the recipe's fixed scale. A picture has its highest frequency in row 0."""

import argparse
import hashlib
import math
import warnings
import zlib

from genre.command_line import CallError, DataError
from genre.features import compute
from genre.files import whole_file
from genre.recipe import Recipe

import numpy as np
from PIL import Image, PngImagePlugin

GREY_LEVELS = 255
LARGEST = Image.MAX_IMAGE_PIXELS  # cells; Pillow takes a larger picture for an attack
RECIPE_KEY = "recipe"  # of the PNG's text chunk
warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `read` refuses such a picture


def render(sound, recipe):
    """The one way from samples to a picture, for training and for prediction.

    Args:
        sound: float32 (samples,), one piece at the recipe's rate, or a `Sound` that other features share.

    Returns:
        uint8 (bins, frames), highest frequency in row 0.
    """
    return draw(compute(sound, recipe), recipe)


def draw(spectrogram, recipe):
    """Float (bins, frames) in the recipe's unit, lowest frequency first, -> uint8 (bins, frames), highest in row 0."""
    low, high = (np.reshape(np.float32(side), (-1, 1)) for side in (recipe.low, recipe.high))
    levels = (spectrogram - low) * (GREY_LEVELS / (high - low))
    return np.rint(np.clip(levels, 0, GREY_LEVELS, out=levels), out=levels).astype(np.uint8)[::-1]


def save(path, picture, recipe, colormap=None):
    """Write a picture (uint8 (bins, frames)) as PNG, whole or not at all, its recipe in the text chunk.

    Args:
        colormap: a matplotlib colour map for people to look at; the file stays 8 bits a cell.
    """
    image = Image.fromarray(np.ascontiguousarray(picture))
    if colormap:
        image.putpalette(palette(colormap))
    text = PngImagePlugin.PngInfo()
    text.add_text(RECIPE_KEY, recipe.to_json())
    with whole_file(path) as temporary:
        image.save(temporary, format="PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=text)


def palette(colormap):
    """The 256 colours of a matplotlib colour map, as bytes. Raises: CallError: there is no such map."""
    import matplotlib

    try:
        colours = matplotlib.colormaps[colormap](np.arange(256), bytes=True)
    except KeyError:
        raise CallError(f"matplotlib has no colour map {colormap!r}; try magma, viridis or gray_r") from None
    return colours[:, :3].tobytes()


def content_hash(path):
    """sha256 of what a picture shows, however its file is packed."""
    picture = read(path)
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()


def read(path, recipe=None):
    """A picture file as uint8 (bins, frames, channels), 1 channel for grey and for our own palette files, else 3.

    Args:
        recipe: the one that the picture, if it names any, must have been made by.

    Raises:
        DataError: not a picture, damaged, of more than 8 bits a channel, or made by another recipe.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width} x {image.height} pixels")
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a readable picture ({error}); remove it or make it again") from None
    if recipe and image.info.get(RECIPE_KEY, recipe.to_json()) != recipe.to_json():
        difference = recipe.differences(Recipe.from_json(image.info[RECIPE_KEY], path))
        raise DataError(f"{path} was made by another recipe than its folder's ({difference}, folder first)")
    if image.mode.startswith(("I", "F")):
        raise DataError(f"{path} has more than 8 bits a channel ({image.mode}); save it as 8-bit grey or RGB")
    if image.mode == "P" and RECIPE_KEY in image.info:
        return np.asarray(image)[..., None]  # the palette's numbers are the levels
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    picture = np.asarray(image)
    return picture if picture.ndim == 3 else picture[..., None]


def is_ours(path):
    """Whether a file is a picture that names the recipe it was made by."""
    try:
        with Image.open(path) as image:
            return RECIPE_KEY in image.info
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def is_whole(path):
    """Whether a file is there and ends as a PNG does."""
    try:
        with open(path, "rb") as file:
            file.seek(-8, 2)
            return file.read() == b"IEND\xaeB`\x82"
    except OSError:
        return False


def resize(picture, image_size):
    """A picture (uint8 (bins, frames, channels)) at another size, by Pillow's bilinear filter.

    Where it shrinks, the filter widens with it: every old cell counts, those near the new cell's centre most.

    Args:
        image_size: (bins, frames); None in either place, or None itself, keeps that axis.
    """
    bins, frames = image_size or (None, None)
    size = (frames or picture.shape[1], bins or picture.shape[0])
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    channels = [Image.fromarray(np.ascontiguousarray(c)) for c in np.moveaxis(picture, -1, 0)]
    return np.stack([np.asarray(c.resize(size, Image.Resampling.BILINEAR)) for c in channels], axis=-1)


def parse_size(text):
    """'40x80' -> (40, 80), '40xnative' -> (40, None), 'native' -> (None, None), for argparse's `type`."""
    sides = text.lower().split("x") if text != "native" else ["native", "native"]
    try:
        size = tuple(None if side == "native" else int(side) for side in sides)
    except ValueError:
        size = ()
    sides = [side for side in size if side is not None]
    if len(size) != 2 or min(sides, default=1) < 1 or math.prod(sides) > LARGEST:
        raise argparse.ArgumentTypeError(f"expected BINSxFRAMES such as 128x400, nativex400 or native, not {text!r}")
    return size


def size_text(image_size):
    """(40, None) -> '40xnative', (None, None) -> 'native'."""
    if tuple(image_size) == (None, None):
        return "native"
    return "x".join("native" if side is None else str(side) for side in image_size)
