"""Export a finished run for other programs: its network, recipe and classes together, as ONNX, LiteRT or SavedModel.

    python export.py models/time_model/mel --format=onnx
    python predict.py song.mp3 --run=models/time_model/mel/model.onnx

What was exported gives the same probabilities, and is only written if it does. The second line needs no TensorFlow.
"""

from pathlib import Path

from genre import exports, runs
from genre.command_line import AT_ITS_END, CallError, Parser, one_of, run


def main():
    args = _parser().parse_args()
    trained = runs.read(args.run)
    path = Path(args.out or trained.folder / exports.FORMATS[args.format].name)
    check(path, args)
    exports.write(trained, args.format, path)
    taken = " and ".join(" x ".join(map(str, taken["input_shape"])) for taken in trained.info["inputs"])
    print(f"{trained.name}: takes {taken}, gives the probabilities of {len(trained.classes)} genres")
    print("wrote", path)


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a finished run, e.g. models/time_model/mel")
    parser.add_argument("--format", type=one_of(exports.FORMATS), default="onnx", help=", ".join(exports.FORMATS))
    own = ", ".join(format.name for format in exports.FORMATS.values())
    parser.add_argument("--out", metavar="PATH", help=f"what to write (default: in the run's folder, {own})")
    parser.add_argument("--overwrite", action="store_true", help="replace an export that is there")
    return parser


def check(path, args):
    """Raises: CallError: `path` is not named as the format is, or is there already."""
    suffix = Path(exports.FORMATS[args.format].name).suffix
    if suffix and path.suffix != suffix:
        raise CallError(f"--out={args.out} should end in {suffix}, as --format={args.format} does")
    replaced = path.is_file() if suffix else (path / "saved_model.pb").is_file()
    if path.exists() and not replaced:
        raise CallError(f"{path} is there and no export; name another with --out")
    if replaced and not args.overwrite:
        raise CallError(f"{path} is there already; --overwrite replaces it, --out=PATH keeps both")


if __name__ == "__main__":
    run(main, stopped=AT_ITS_END)
