"""A finished run for elsewhere: its network in a format that has a runtime of its own, with its run.json inside.

ONNX, which predict.py takes in place of a run, without TensorFlow; LiteRT, for phones; SavedModel, for servers. All
take float32 inputs input_0, input_1 and so on, (pieces, *input_shape), in the order of the run.json. LiteRT takes one
piece at a time: so it holds recurrent networks, too.
"""

import contextlib
import dataclasses
import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from genre import files, inputs, runs
from genre.command_line import CallError, DataError, first_line

import numpy as np

INFO = "exported_run.json"  # in an export; not run.json, by which the folders of runs are found
ASSETS = "assets.extra"  # of a SavedModel: what TensorFlow itself does not read
INSTEAD = {"onnx": "saved_model", "litert": "onnx", "saved_model": "onnx"}  # what to try next
TOLERANCE = 1e-4  # by which an export's probabilities may differ from those of its run
OPTIONAL = "pip install -r requirements-optional.txt"


@dataclasses.dataclass(frozen=True)
class Export(runs.Run):
    """A run as one ONNX file, `folder`; onnxruntime calls its network."""

    session: object = None

    @property
    def model(self):
        raise CallError(f"{self.folder} is an export, which only labels songs; name the run that it was made of")

    def _ask(self, pictures):
        return _ask_onnx(self.session, pictures)


def read(path):
    """The run in an ONNX file that `write` wrote.

    Raises:
        CallError: no such file, or no onnxruntime.
        DataError: it is damaged, no such export, or one of an earlier run than that in whose folder it is.
    """
    if not path.is_file():
        raise CallError(f"no run at {path}; make it with: python export.py RUN --format=onnx")
    try:
        session = _session(path)
    except ImportError:
        raise CallError(f"{path} needs onnxruntime: {OPTIONAL}") from None
    except Exception as error:  # whatever onnxruntime raises for a file that is damaged or no model
        raise DataError(f"{path} cannot be loaded ({first_line(error)}); export its run again") from None
    info = session.get_modelmeta().custom_metadata_map.get(INFO)
    if info is None:
        raise DataError(f"{path} holds no recipe and no classes, only a network; make it with: python export.py")
    export, beside = Export(path, runs.parse(info, path), session=session), path.parent / runs.RUN
    if beside.is_file() and runs.parse(beside.read_bytes(), beside) != export.info:
        raise DataError(f"{path} is not of the run that {beside} is of; export that with --overwrite, or move the file")
    shapes = {value.name: value.shape[1:] for value in session.get_inputs()}
    export.must_take([shapes.get(f"input_{i}", []) for i in range(len(shapes))], "its network takes")
    return export


def _session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def write(run, kind, path):
    """Write a run's network and its run.json as `path`, whole or not at all.

    Args:
        kind: one of FORMATS.

    Raises:
        CallError: the run is more than a network, the format cannot hold that, or a package is not there.
    """
    if run.folder.is_file():
        raise CallError(f"{run.folder} is an export already; name the run that it was made of")
    if isinstance(run, runs.Ensemble):
        raise CallError(f"{run.folder} is a vote of runs, not one network; export its runs one by one")
    if (run.folder / runs.ESTIMATOR).is_file():
        raise CallError(
            f"{run.folder} ends in a scikit-learn estimator, {runs.ESTIMATOR}, which --format={kind} cannot hold; "
            "copy the run whole, predict.py takes it elsewhere, too"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind != "saved_model":
        with files.whole_file(path) as temporary:
            _write(run, kind, Path(temporary))
        return
    with files.only_writer(path), files.whole_folder(path) as folder:
        _write(run, kind, folder)


def _write(run, kind, path):
    """Convert, and ask the result: converters also write what cannot be run."""
    shapes = [taken["input_shape"] for taken in run.info["inputs"]]
    pictures = [np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32) for shape in shapes]
    expected = run.predict(pictures)
    refused = f"--format={kind} cannot hold the network of {run.folder}, {run.info['script']}"
    try:
        with _silence():
            FORMATS[kind].convert(run, path)
            difference = np.abs(FORMATS[kind].ask(path, pictures) - expected).max()
    except ImportError as error:
        what = f"the package {error.name}" if error.name else first_line(error)  # as Keras says of one it needs
        raise CallError(f"--format={kind} needs {what}: {OPTIONAL}") from None
    except OSError:  # such as a full disk
        raise
    except Exception as error:  # whatever a converter or a runtime raises for what it does not know
        raise CallError(f"{refused} ({_reason(error)}); try --format={INSTEAD[kind]}") from None
    if not difference <= TOLERANCE:
        raise CallError(f"{refused}: probabilities would be {difference:.2g} off; try --format={INSTEAD[kind]}")


def _reason(error):
    """In a few words; LiteRT's converter says it in pages."""
    lacking = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(error))))
    return f"it lacks {', '.join(lacking)}" if lacking else first_line(error)[:200]


@contextlib.contextmanager
def _silence():
    """Without what converters and runtimes write to standard error."""
    from genre.backend import captured

    with captured(show=False), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _export(run, path, kind, pieces=None, **options):
    """Keras's own export. Args: pieces: that its network takes at a time, None for any number."""
    from genre.backend import keras

    shapes = [(pieces, *taken["input_shape"]) for taken in run.info["inputs"]]
    specs = [keras.InputSpec("float32", shape, name=f"input_{i}") for i, shape in enumerate(shapes)]
    signature = [inputs.alone(specs)]
    for layer in run.model._flatten_layers():
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False  # where there is a GPU, Keras would export what only GPUs can run
    run.model.export(path, kind, verbose=False, input_signature=signature, **options)


def _to_onnx(run, path):
    import onnx

    _export(run, path, "onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {INFO: json.dumps(run.info)})
    onnx.save(model, path)


def _to_litert(run, path):
    """The file has the run.json behind it as a zip archive: the format's own way of associated files."""
    from genre.backend import tf

    builtin = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # what every runtime has
    _export(run, path, "litert", pieces=1, target_spec=builtin)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(INFO, json.dumps(run.info))


def _to_folder(run, path):
    _export(run, path, "tf_saved_model")
    (path / ASSETS).mkdir()
    files.write_text(path / ASSETS / INFO, json.dumps(run.info))


def _onnx(path, pictures):
    return _ask_onnx(_session(path), pictures)


def _ask_onnx(session, pictures):
    """As `runs.Run.predict`."""
    said = []
    for part in (slice(start, start + runs.BATCH) for start in range(0, len(pictures[0]), runs.BATCH)):
        said += session.run(None, {f"input_{i}": x[part].astype(np.float32) for i, x in enumerate(pictures)})
    return np.concatenate(said)


def _litert(path, pictures):
    from genre.backend import tf

    ask = tf.lite.Interpreter(str(path)).get_signature_runner()
    pieces = [{f"input_{i}": x[n : n + 1] for i, x in enumerate(pictures)} for n in range(len(pictures[0]))]
    return np.concatenate([next(iter(ask(**piece).values())) for piece in pieces])


def _folder(path, pictures):
    from genre.backend import tf

    loaded = tf.saved_model.load(path)
    return loaded.serve(inputs.alone(pictures)).numpy()


class Format(NamedTuple):
    """`name` is that of an export in its run's folder."""

    name: str
    convert: Callable  # (run, path) -> None
    ask: Callable  # (path, pictures) -> probabilities, as runs.Run.predict


FORMATS = {
    "onnx": Format("model.onnx", _to_onnx, _onnx),
    "litert": Format("model.tflite", _to_litert, _litert),
    "saved_model": Format("saved_model", _to_folder, _folder),
}
