"""One command-line style for every script: options, one-line errors, exit codes."""

import argparse
import errno
import inspect
import os
import re
import signal
import sys

DONE, BAD_DATA, BAD_CALL = 0, 1, 2  # the exit codes of every script


class DataError(Exception):
    """The data was bad (exit code 1). The message says what was expected, what came and what to do."""


class CallError(Exception):
    """The call was wrong (exit code 2). The message says what was expected, what came and what to do."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose help shows every default and whose errors are one line."""

    def __init__(self, doc):
        commands = re.search(r"^ *python .*", doc, re.DOTALL | re.MULTILINE)
        super().__init__(
            description=doc.strip().splitlines()[0],
            epilog=commands and commands[0].rstrip(),  # and what stands behind them
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message):
        raise CallError(f"{message} (see --help)")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action):
        silent = action.default is None or action.default is False or action.default in ("", ())
        return action.help if silent or "(default: " in action.help else super()._get_help_string(action)


def parameters(function):
    """A function's keyword-only parameters, which become options: {name: (default, help)}, help from `Args:`."""
    found = inspect.signature(function).parameters.values()
    defaults = {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}
    arguments = (inspect.getdoc(function) or "").partition("Args:")[2]
    any_name = "|".join(inspect.signature(function).parameters)
    texts = re.findall(rf"\b(\w+): (.+?)(?=\s+(?:{any_name}|Returns|Raises):|\Z)", arguments, re.DOTALL)
    helps = {name: " ".join(text.split()).rstrip(".") for name, text in texts}
    return {name: (default, helps.get(name, "")) for name, default in defaults.items()}


def add_option(parser, name, default, text):
    """Add `--name` of the default's type: a bool as --name/--no-name, a tuple as a comma list."""
    if isinstance(default, bool):
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=default, help=text)
    elif isinstance(default, tuple):
        parse = _comma_list(type(default[0]) if default else str)
        shown = f" (default: {','.join(map(str, default))})" if default else ""
        parser.add_argument(f"--{name}", type=parse, default=default, metavar="A,B", help=text + shown)
    else:
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)


def _comma_list(kind):
    def comma_list(text):
        return tuple(kind(part) for part in text.split(",") if part)

    return comma_list


def names(text, separator=","):
    """The names in a comma list, in order and without repeats: 'mel,chroma_stft' -> ['mel', 'chroma_stft']."""
    return list(dict.fromkeys(name.strip() for name in text.split(separator) if name.strip()))


def _value(kind, allowed, expected):
    """A function for argparse's `type`: text -> an allowed value, or an error that says what was expected."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not allowed(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, not {text!r}")
        return value

    return parse


positive = _value(int, lambda number: 1 <= number < 2**31, "a whole number from 1 to 2147483647")
natural = _value(int, lambda number: 0 <= number < 2**31, "a whole number from 0 to 2147483647")
natural_float = _value(float, lambda number: 0 <= number < float("inf"), "a number of at least 0")
share = _value(float, lambda number: 0 <= number < 1, "a number from 0 to below 1")
positive_float = _value(float, lambda number: 0 < number < float("inf"), "a number above 0")

plain_name = _value(
    str, lambda name: os.path.basename(name) == name and not name.startswith("."), "a plain name without slashes"
)


def one_of(choices):
    """A function for argparse's `type`: the text, if it is one of the choices."""
    return _value(str, choices.__contains__, f"one of {', '.join(choices)}")


def first_line(error):
    """The first line of an exception's message, or its type's name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


AT_ITS_END = "it writes at its end: nothing is kept, call again"
ONE_BY_ONE = "what was finished is kept: call again, without --overwrite, to go on"


def run(main, stopped="what was finished is kept: call again to go on"):
    """Run a script's `main()` and exit with its code; an expected error is one line on standard error.

    Args:
        stopped: what to say of its work where it is stopped by Ctrl-C or SIGTERM.
    """
    script = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was finished is saved
    for stream in (sys.stdout, sys.stderr):  # file names may hold what the terminal's encoding does not
        stream.reconfigure(errors="backslashreplace")
    try:
        code = main() or DONE
        sys.stdout.flush()
    except (DataError, CallError) as error:
        code = BAD_CALL if isinstance(error, CallError) else BAD_DATA
        print(f"{script}: {' '.join(str(error).split())}", file=sys.stderr)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output, `head` say, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + getattr(signal, "SIGPIPE", 13))
        if error.errno is None:  # not the system's word but a library's: a defect of ours
            raise
        code = BAD_DATA
        where = f": {error.filename}" if error.filename else ""
        why = os.strerror(error.errno) if error.errno in errno.errorcode else error.strerror  # HDF5's is of many lines
        print(f"{script}: {why}{where}", file=sys.stderr)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        print(f"{script}: stopped; {stopped}", file=sys.stderr)
    sys.exit(code)
