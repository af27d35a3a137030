"""The README's commands do what it says, in its order, on tiny data; all that are shown are ones; and its table."""

import ast
import importlib
import re
import shlex
import shutil

from genre import images, options
from genre.command_line import parameters
from genre.features import FEATURES
from genre.recipe import Recipe

import numpy as np
import pytest
import soundfile
from conftest import (
    ARCHITECTURES,
    ON_PICTURES,
    ON_RUNS,
    ROOT,
    SELF_SUFFICIENT,
    WITH_PROCESSES,
    call,
    main_keywords,
    sine,
    write_pictures,
    write_songs,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def workspace(tmp_path):
    """What the README's reader has: songs by genre, songs without, pictures, and the experiments."""
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("*.p*", "*.md"))
    write_songs(tmp_path / "data" / "genres", tracks=4, seconds=30)
    write_songs(tmp_path / "my_music", tracks=3, seconds=21)
    write_songs(tmp_path / "unsorted_songs", ("noise",), tracks=2, seconds=12)
    write_pictures(tmp_path / "my_pictures" / "scans", counts=[("train", 3), ("validation", 2)], shape=(64, 96))
    soundfile.write(tmp_path / "song.mp3", sine(440, 5.0, 44100), 44100)
    songs = [path.relative_to(tmp_path / "my_music").as_posix() for path in (tmp_path / "my_music").rglob("*.wav")]
    tags = [f"{song},{song.partition('/')[0]}|{'calm' if song.endswith('1.wav') else 'loud'}\n" for song in songs]
    (tmp_path / "my_tags.csv").write_text("path,genre\n" + "".join(tags))
    return tmp_path


def quick(script):
    """Options that make a training short and need no network."""
    options = {"weights": "--weights=none", "C": "--C=1,10", "gamma": "--gamma=0.001,0.01"}
    own = parameters(importlib.import_module(script).build_model)
    trained = [] if main_keywords(script).get("estimator") else ["--epochs=1"]
    trained += ["--image_size=16x24"] * (script in ON_PICTURES)
    return trained + [option for name, option in options.items() if name in own]


@pytest.mark.filterwarnings("ignore:Even though")  # tf.data makes graphs even so
def test_every_command_of_the_readme_does_what_it_says(workspace, eager):
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        python, *words = shlex.split(command)
        assert python == "python"
        words = [re.sub("--epochs=.*", "--epochs=1", word) for word in words]
        script = words[0].removesuffix(".py")
        if script in ARCHITECTURES:
            words += [option for option in quick(script) if option not in words]
        elif words[0] in WITH_PROCESSES and command != COMMANDS[0]:
            words.append("--workers=1")  # the first shows what processes do
        written = re.findall(r"^wrote (.*)", call(*words, cwd=workspace).stdout, re.MULTILINE)
        assert written or "song.mp3" in words, command  # every command but a prediction without --csv writes
        for name in written:
            assert all((workspace / path).exists() for path in name.split(", ")), command
    assert (workspace / "models" / "time_frequency_model" / "mel" / "initialised" / "run.json").is_file()
    assert len((workspace / "genres.csv").read_text().splitlines()) == 4  # of the last command that writes it
    assert images.read(workspace / "timelines" / "song.png").size


DOCS = [README, *(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in ROOT.glob("*.py"))]
SHOWN = re.findall(r"^(?: {4})?python (\w+\.py(?:[^\n\\]|\\\n)*)", "\n".join(DOCS), re.MULTILINE)


@pytest.mark.parametrize("command", sorted({command.replace("\\\n", " ") for command in SHOWN}))
def test_every_command_that_is_shown_is_one_that_its_script_takes(command):
    script, *words = shlex.split(command)
    module = importlib.import_module(script.removesuffix(".py"))
    if module.__name__ in ARCHITECTURES:
        options.check(options.parser_of(module.build_model, main_keywords(module.__name__)).parse_args(words))
    else:
        module._parser().parse_args(words)


def test_the_demo_goes_the_whole_way_and_names_its_pictures(tmp_path):
    done = call("demo.py", "--data=demo", "--models=runs", "--tracks=3", "--epochs=1", cwd=tmp_path)
    assert "says nothing about real music" in done.stdout
    pictures = [line.strip() for line in done.stdout.splitlines() if line.endswith(".png")]
    assert len(pictures) == 3
    for path in pictures:
        assert images.read(tmp_path / path).size


def test_the_readme_names_every_feature_with_its_size():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) x (\d+) \|$", README, re.MULTILINE)
    sizes = {name: (int(bins), int(frames)) for name, bins, frames in rows}
    assert sizes.keys() == FEATURES.keys()
    for name in SELF_SUFFICIENT:
        recipe = Recipe.of(name)
        silence = np.zeros(round(recipe.seconds * recipe.sr), np.float32)
        assert images.render(silence, recipe).shape == sizes[name], name


def test_the_readme_names_every_architecture_with_its_size_and_parameters():
    from test_architectures import build, default_shapes

    lines = [line.strip("|").split("|") for line in README.splitlines() if re.match(r"\| `\w+_model\.py`", line)]
    rows = {cells[0].strip(" `").removesuffix(".py"): [cell.strip() for cell in cells[-2:]] for cells in lines}
    assert sorted(rows) == ARCHITECTURES
    for name, (size, count) in rows.items():
        if name in ON_RUNS:
            assert "finished run" in size and not count
            continue
        shapes = default_shapes(name)
        assert size == ", ".join(map(_words, shapes.values())).replace("names, names", "names"), name
        core = build(name, shapes if len(shapes) > 1 else next(iter(shapes.values())), 10)
        of_names = sum(layer.count_params() for layer in core.layers if layer.name.endswith("_embedding"))
        assert count.partition(" + ")[0] == f"{core.count_params() - of_names:,}", name


def _words(shape):
    return (
        " x ".join(map(str, shape[:2])) if len(shape) == 3 else "names" if shape == (1,) else f"{shape[0]} statistics"
    )
