import argparse
import json

from genre import images
from genre.command_line import CallError, DataError
from genre.recipe import Recipe

import numpy as np
import pytest
from conftest import SELF_SUFFICIENT, sine
from PIL import Image

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 24)).astype(np.uint8)


def test_low_frequencies_are_at_the_bottom():
    low = images.render(sine(100, 1.0, 22050), Recipe.of("mel", seconds=1.0))
    assert low[-20:].mean() > low[:20].mean() + 50


@pytest.mark.parametrize("feature", SELF_SUFFICIENT)
def test_a_picture_is_read_back_as_it_was_made_with_its_recipe(tmp_path, feature):
    recipe = Recipe.of(feature, seconds=3.0)
    picture = images.render(np.random.default_rng(0).normal(0, 0.1, 3 * recipe.sr).astype(np.float32), recipe)
    images.save(tmp_path / "a.png", picture, recipe)
    np.testing.assert_array_equal(images.read(tmp_path / "a.png")[..., 0], picture)
    with Image.open(tmp_path / "a.png") as image:
        assert Recipe.from_json(image.text["recipe"], "a.png") == recipe
        assert image.mode == "L"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_colour_map_is_for_people_the_levels_stay(tmp_path):
    images.save(tmp_path / "a.png", PICTURE, Recipe.of("mel"), colormap="magma")
    np.testing.assert_array_equal(images.read(tmp_path / "a.png")[..., 0], PICTURE)
    with Image.open(tmp_path / "a.png") as image:
        assert image.convert("RGB").getpixel((0, 0)) != (PICTURE[0, 0],) * 3
    with pytest.raises(CallError, match="no colour map 'magna'"):
        images.save(tmp_path / "a.png", PICTURE, Recipe.of("mel"), colormap="magna")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("1", 1), ("LA", 1)])
def test_pictures_of_other_programs_are_read(tmp_path, mode, channels):
    Image.fromarray(PICTURE).convert(mode).save(tmp_path / "a.png")
    assert images.read(tmp_path / "a.png").shape == (16, 24, channels)


def test_what_is_no_8_bit_picture_is_refused_by_name(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"not a picture", _png_bytes(tmp_path)[:60]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png is not a readable picture"):
            images.read(path)
    Image.fromarray(PICTURE.astype(np.uint16) * 256).save(path)
    with pytest.raises(DataError, match=r"a\.png has more than 8 bits"):
        images.read(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(_png_bytes(tmp_path))
    for limit in (300, 100):  # pixels; the picture has 384: over the warning, over twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        monkeypatch.setattr(images, "LARGEST", limit)
        with pytest.raises(DataError, match="not a readable picture"):
            images.read(tmp_path / "a.png")


def _png_bytes(folder):
    Image.fromarray(PICTURE).save(folder / "whole.png")
    return (folder / "whole.png").read_bytes()


def test_resizing_counts_every_cell_and_keeps_channels_and_order():
    step = np.repeat([0, 200], 8).astype(np.uint8) * np.ones((8, 1), np.uint8)
    small = images.resize(np.stack([step, 200 - step, step], axis=-1), (2, 4))
    assert small.shape == (2, 4, 3)
    np.testing.assert_array_equal(small[0, :, 0], small[1, :, 2])
    np.testing.assert_allclose(small[..., 0] + small[..., 1].astype(int), 200, atol=1)
    assert small[0, :, 0].tolist() == sorted(small[0, :, 0])
    assert small[0, :, 0].mean() == pytest.approx(100, abs=1)


def test_a_picture_of_another_recipe_than_its_folders_is_refused_by_what_differs(tmp_path):
    images.save(tmp_path / "a.png", PICTURE, Recipe.of("mel", fmin=500.0))
    images.read(tmp_path / "a.png", Recipe.of("mel", fmin=500.0))
    with pytest.raises(DataError, match=r"a\.png was made by another recipe .*fmin 0\.0 against 500\.0, folder first"):
        images.read(tmp_path / "a.png", Recipe.of("mel"))
    Image.fromarray(PICTURE).save(tmp_path / "b.png")
    images.read(tmp_path / "b.png", Recipe.of("mel"))  # a picture that names no recipe may be anyone's


@pytest.mark.parametrize(("text", "size"), [("40x80", (40, 80)), ("40xnative", (40, None)), ("native", (None, None))])
def test_sizes_are_read_and_written_alike(text, size):
    assert images.parse_size(text) == size
    assert images.size_text(size) == text
    assert images.parse_size(json.loads(json.dumps(images.size_text(size)))) == size


@pytest.mark.parametrize("text", ["", "40", "0x80", "-1x80", "40x80x1", "axb", "40*80"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected BINSxFRAMES"):
        images.parse_size(text)
