"""The house rules that a machine can check."""

import ast
import importlib
import re
import subprocess
import sys

import pytest
from conftest import ARCHITECTURES, ROOT, call

HEAVY = {
    "augmentation",
    "backend",
    "epochs",
    "explanation",
    "layers",
    "logs",
    "losses",
    "networks",
    "options",
    "training",
    "vgg16",
}  # the only modules that import keras as they are imported
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
SOURCES = sorted([*ROOT.glob("*.py"), *ROOT.glob("genre/**/*.py"), *ROOT.glob("benchmarks/*.py")])


def test_only_what_trains_imports_keras_or_tensorflow():
    found = [
        path.relative_to(ROOT).with_suffix("")
        for path in SOURCES
        if path.stem != "__init__" and path.parent.name != "benchmarks"
    ]
    light = [".".join(path.parts) for path in found if path.stem not in HEAVY | set(ARCHITECTURES)]
    code = f"import sys, {', '.join(light)}; assert not {{'keras', 'tensorflow'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_is_no_list_of_architectures():
    for path in SOURCES:
        words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        others = sorted(words & set(ARCHITECTURES) - {path.stem})
        assert len(others) < 3, f"{path} names {others}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_and_no_function_is_longer_than_a_screen(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert path.stem not in ("utils", "helpers", "common")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_short_and_ends_with_its_main(name):
    lines = (ROOT / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert 25 <= len(lines) <= 60
    assert lines[-2] == 'if __name__ == "__main__":'
    assert lines[-1].startswith("    main(build_model")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_helps_and_shows_its_defaults(name):
    from genre.options import parser_of

    text = parser_of(importlib.import_module(name).build_model, {}).format_help()
    assert text.count("(default: ") > 10
    assert f"python {name}.py" in text


OTHERS = [script for script in SCRIPTS if script.removesuffix(".py") not in ARCHITECTURES]


@pytest.mark.parametrize("script", [*OTHERS, f"{ARCHITECTURES[0]}.py"])
def test_every_script_helps_and_shows_its_defaults(script):
    done = call(script, "--help")
    assert done.stdout.startswith("usage: " + script)
    assert "default:" in done.stdout
    assert done.stderr == ""
