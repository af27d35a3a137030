import argparse

from genre import command_line
from genre.command_line import CallError, DataError

import pytest


def build(shape, *, filters=(64, 32), units=256, dropout=0.5, bidirectional=False, cell="lstm", runs=()):
    """Args: filters: of each
    convolution. units: of the dense layer.
    dropout: share dropped. bidirectional: both ways. cell: lstm or gru. runs: folders.
    """


def options(*words):
    parser = command_line.Parser("A script.\n\nMore.\n\n    python script.py\n")
    for name, (default, text) in command_line.parameters(build).items():
        command_line.add_option(parser, name, default, text)
    return parser, vars(parser.parse_args(words))


def test_keyword_only_parameters_become_options_of_their_type():
    _, values = options("--filters=8,16", "--dropout=0.1", "--bidirectional", "--cell=gru", "--runs=a,b")
    assert values == {
        "filters": (8, 16),
        "units": 256,
        "dropout": 0.1,
        "bidirectional": True,
        "cell": "gru",
        "runs": ("a", "b"),
    }


def test_help_comes_from_the_docstring_with_its_default():
    parser, _ = options()
    text = " ".join(parser.format_help().split())
    for part in (
        "of each convolution (default: 64,32)",
        "share dropped (default: 0.5)",
        "lstm or gru (default: lstm)",
    ):
        assert part in text
    assert text.endswith("python script.py")
    assert "(default: ())" not in text


def test_an_error_is_a_call_error_of_one_line():
    for word in ("--unit=3", "--units=x", "--nonsense"):
        with pytest.raises(CallError, match="see --help"):
            options(word)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("positive", "1", "0 -1 x 1.5"),
        ("natural", "0", "-1 x 99999999999"),
        ("positive_float", "0.5", "0 -1 nan inf x"),
    ],
)
def test_numbers_out_of_range_say_what_was_expected(kind, good, bad):
    assert getattr(command_line, kind)(good) == float(good)
    for text in bad.split():
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected a .*not '{text}'"):
            getattr(command_line, kind)(text)


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (DataError("bad\nmusic"), 1, "bad music"),
        (CallError("no such thing"), 2, "no such thing"),
        (FileNotFoundError(2, "No such file or directory", "x.wav"), 1, "No such file or directory: x.wav"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept: call again to go on"),
    ],
)
def test_what_is_expected_to_go_wrong_is_one_line_and_an_exit_code(monkeypatch, capsys, raised, code, line):
    def main():
        raise raised

    monkeypatch.setattr("sys.argv", ["script.py"])
    for words in ({}, {"stopped": "nothing is kept"}):
        with pytest.raises(SystemExit) as stopped:
            command_line.run(main, **words)
        assert stopped.value.code == code
        shown = "stopped; nothing is kept" if words and isinstance(raised, KeyboardInterrupt) else line
        assert capsys.readouterr().err == f"script.py: {shown}\n"


def test_help_has_the_commands_of_a_docstring_whole_and_what_stands_behind_them():
    commands = "    python a.py --one \\\n        --two\n\nWhy."
    assert command_line.Parser(f"A script.\n\nSource: a paper.\n\n{commands}\n").format_help().endswith(f"{commands}\n")


def test_a_defect_of_ours_is_not_hidden(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        command_line.run(lambda: 1 / 0)
