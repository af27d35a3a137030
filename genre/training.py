"""From a script's `build_model` to a finished run: command line, fit, evaluate, save."""

import argparse
import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from genre import epochs, evaluation, files, images, index, inputs, plots, runs
from genre.backend import keras, tf
from genre.command_line import (
    CallError,
    DataError,
    Parser,
    add_option,
    names,
    natural,
    natural_float,
    one_of,
    parameters,
    positive,
    positive_float,
    run,
)

import numpy as np

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "auto")
TRAINING = {  # option: (type, default, help)
    "epochs": (positive, 100, "passes over the training pictures, at most"),
    "patience": (positive, 20, "epochs without a better validation accuracy to stop after"),
    "batch_size": (positive, 32, "pictures a step"),
    "optimizer": (str, "adam", "a Keras optimizer"),
    "learning_rate": (positive_float, 1e-3, "of the optimizer"),
    "weight_decay": (natural_float, 0.0, "decoupled, of the optimizer"),
    "precision": (one_of(PRECISIONS), "float32", f"{', '.join(PRECISIONS)}: the fastest this machine is made for"),
    "init_from": (str, "", "comma list of runs whose layers of the same name and shape to start from"),
}
SETTINGS = "settings.json"
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "librosa", "soundfile", "soxr", "pillow", "scikit-learn")


def main(build_model, **defaults):
    """Train the model of an architecture script as its command line says.

    Args:
        build_model: (input_shape, num_classes, *, hyperparameters=defaults) -> uncompiled keras.Model that ends in
            num_classes logits. Its keyword-only parameters become options.
        defaults: this script's own defaults of the common options, e.g. learning_rate=1e-4, and `largest_size`, such
            as "40x80": what larger pictures are reduced to where --image_size does not say otherwise.
    """

    def train_each_feature():
        args = _parser(build_model, defaults).parse_args()
        if not names(args.features):
            raise CallError("--features is empty; name at least one, such as mel")
        for together in names(args.features):
            train(build_model, names(together, "+"), args)

    run(train_each_feature)


def _parser(build_model, defaults):
    defaults = dict(defaults)
    parser = Parser(sys.modules[build_model.__module__].__doc__)
    own = parser.add_argument_group("this architecture")
    for name, (default, text) in parameters(build_model).items():
        add_option(own, name, default, text)
    data = parser.add_argument_group("data")
    data.add_argument("--features", default="mel", help="comma list, a run for each; a+b stacks two as channels")
    data.add_argument("--data", default="data", help="folder that holds images/")
    data.add_argument("--images_path", metavar="FOLDER", help="folder of <feature>/train/, if not <data>/images")
    data.add_argument("--feature_weights", type=_weights, default=(), metavar="A,B", help="factors of stacked features")
    largest = defaults.pop("largest_size", "native")
    text = "exact size that pictures are resized to, 'native' to keep a side or both "
    text += f"(default: as they are, but at most {largest})" if largest != "native" else "(default: as they are)"
    data.add_argument("--image_size", type=images.parse_size, metavar="BINSxFRAMES", help=text)
    parser.set_defaults(largest_size=images.parse_size(largest))
    fit = parser.add_argument_group("training")
    for name, (kind, default, text) in TRAINING.items():
        fit.add_argument(f"--{name}", type=kind, default=default, help=text)
    fit.add_argument("--seed", type=natural, default=0, help="of initial weights, shuffling and dropout")
    out = parser.add_argument_group("run")
    out.add_argument("--models", default="models", help="folder that runs go to, as <script>/<feature>/")
    out.add_argument("--run_name", type=_plain_name, default="", help="puts the run one level deeper, for variants")
    again = out.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="continue a training that was killed")
    again.add_argument("--overwrite", action="store_true", help="replace a run that is there")
    parser.set_defaults(**defaults)
    return parser


def _weights(text):
    return tuple(positive_float(part) for part in text.split(","))


def _plain_name(text):
    if Path(text).name != text or text.startswith("."):
        raise argparse.ArgumentTypeError(f"expected a plain name without slashes, not {text!r}")
    return text


@dataclasses.dataclass
class Plan:
    """One training, checked before any time is spent. `settings` is what makes two runs the same run."""

    build_model: callable
    args: object
    settings: dict
    folders: dict  # {feature: folder of its pictures}
    target: Path  # of the run
    pictures: dict  # {subset: Pictures}, without test
    levels: tuple  # mean and variance of the training pictures, per channel


def train(build_model, features, args):
    """Train on one feature, or on several that are stacked as channels, and write the run. Returns its folder."""
    plan = _plan(build_model, features, args)
    target, unfinished = plan.target, plan.target.with_name(f".{plan.target.name}.unfinished")
    goes_on = args.resume and epochs.read_history(unfinished)
    if (target / runs.RUN).is_file() and not args.overwrite and not goes_on:
        _refuse_other(plan.settings, runs.read(target).info, target)
        print(f"{target} is finished already, with these very settings; --overwrite trains it anew")
        return target
    if not args.overwrite and not (target / runs.RUN).exists() and any(map(Path.is_file, target.glob("[!.]*"))):
        raise CallError(
            f"{target} holds files but no {runs.RUN}; move them away, or add --overwrite to write among them"
        )
    history = _prepare_unfinished(plan, unfinished)
    keras.backend.clear_session()  # layers are named alike in every run, whatever this process trained before
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(plan.settings["training"]["precision"])
    try:
        logits, model = _assemble(plan)
        copied = _init_from(model, names(args.init_from))
        _print_plan(plan, model, copied)
        history = _fit(plan, logits, unfinished, history)
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise DataError("out of memory; try a smaller --batch_size or --image_size") from None
    finally:
        keras.config.set_dtype_policy("float32")
    best = epochs.best_epoch(history)
    epochs.restore_state(logits, unfinished / epochs.STATE.format(best))
    keras.backend.clear_session()
    _, final = _assemble(plan)  # float32, whatever the training was
    final.set_weights(model.get_weights())
    _write(plan, final, history, unfinished)
    return target


def _plan(build_model, features, args):
    _optimizer(args)  # a wrong name is known before any picture is read
    images_path = args.images_path or Path(args.data, "images")
    folders = {feature: inputs.feature_folder(images_path, feature) for feature in features}
    classes = _same({feature: inputs.class_list(folder) for feature, folder in folders.items()}, "classes")
    recipes = {feature: index.read_recipe(folder) for feature, folder in folders.items()}
    _same({feature: recipe and (recipe.seconds, recipe.overlap) for feature, recipe in recipes.items()}, "pieces")
    native = {feature: inputs.first_shape(folder) for feature, folder in folders.items()}
    image_size = args.image_size or _reduced(native[features[0]], args.largest_size)
    if len(features) > 1:  # of one size, so that they can be stacked
        image_size = tuple(side or first for side, first in zip(image_size, native[features[0]], strict=False))
    exact = args.image_size or len(features) > 1
    alike = dict.fromkeys(features) if exact else native  # pictures that nobody asked to resize must be of one size
    pictures = {s: _load(folders, s, classes, image_size, alike) for s in ("train", "validation")}
    if pictures["validation"] is None:
        raise DataError(f"{folders[features[0]] / 'validation'} has no pictures; the best epoch is chosen on them")
    script = Path(sys.modules[build_model.__module__].__file__).stem
    rows = [(f, row) for f in folders.values() for subset in index.SUBSETS for row in index.subset_rows(f, subset)]
    settings = {
        "script": script,
        "feature": "+".join(features),
        "hyperparameters": {name: getattr(args, name) for name in parameters(build_model)},
        "training": {name: getattr(args, name) for name in TRAINING} | {"precision": _precision(args.precision)},
        "seed": args.seed,
        "image_size": images.size_text(image_size),
        "input_shape": pictures["train"].x.shape[1:],
        "feature_weights": _channel_weights(args.feature_weights, native),
        "classes": classes,
        "recipes": {feature: recipe and dataclasses.asdict(recipe) for feature, recipe in recipes.items()},
        "index_fingerprint": index.fingerprint(rows),
    }
    settings = json.loads(json.dumps(settings))  # as they come back from a file: lists, not tuples
    target = Path(args.models, script, settings["feature"], args.run_name)
    return Plan(build_model, args, settings, folders, target, pictures, _level_statistics(pictures["train"].x))


def _same(of_feature, what):
    """The value that all features share. Raises: DataError: they differ."""
    (first, value), *others = of_feature.items()
    for feature, other in others:
        if other != value:
            raise DataError(f"the {what} of {first} and {feature} differ, {value} and {other}; make both in one call")
    return value


def _load(folders, subset, classes, image_size, alike, like=None):
    return inputs.stack(
        {f: inputs.load(folder, subset, classes, image_size, like, alike[f]) for f, folder in folders.items()}
    )


def _channel_weights(of_features, shapes):
    """A factor for each channel of the stacked features; [] where all are 1."""
    if not of_features:
        return []
    if len(of_features) != len(shapes):
        raise CallError(f"--feature_weights has {len(of_features)} numbers for {len(shapes)} features")
    return [weight for weight, shape in zip(of_features, shapes.values(), strict=True) for _ in range(shape[2])]


def _reduced(shape, largest):
    """The size of pictures that are kept as they are up to the `largest` size."""
    return tuple(most if most and side > most else None for side, most in zip(shape[:2], largest, strict=True))


def _refuse_other(wanted, there, where):
    """Raise if two settings differ, naming both sides."""
    flat, other = _flat(wanted), _flat({key: there.get(key) for key in wanted})
    changed = [key for key in flat.keys() | other.keys() if flat.get(key) != other.get(key)]
    if changed:
        shown = ", ".join(f"{key[-1]} {other.get(key)} there, {flat.get(key)} now" for key in sorted(changed)[:4])
        raise CallError(f"{where} has other settings ({shown}); --overwrite replaces it, --run_name=NAME keeps both")


def _flat(settings, path=()):
    """{("training", "epochs"): 30} of {"training": {"epochs": 30}}"""
    flat = {}
    for key, value in settings.items():
        flat |= _flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return flat


def _prepare_unfinished(plan, unfinished):
    """The folder that keeps every finished epoch until the run is whole. Returns the history in it."""
    history = epochs.read_history(unfinished)
    if history and not plan.args.overwrite:
        if not plan.args.resume:
            raise CallError(
                f"{plan.target} has an unfinished training of {len(history)} epochs, if it is not still running; "
                "--resume goes on with it, --overwrite starts anew"
            )
        try:
            settings = json.loads((unfinished / SETTINGS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{unfinished / SETTINGS} is damaged ({error}); --overwrite starts anew") from None
        _refuse_other(plan.settings, settings, unfinished)
        return history
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    files.write_text(unfinished / SETTINGS, json.dumps(plan.settings, indent=2))
    return []


def _precision(wanted):
    """The Keras dtype policy for --precision."""
    if wanted != "auto":
        return wanted
    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16" if capability >= (7, 0) else "float32"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    return "mixed_bfloat16" if "amx_bf16" in flags or "avx512_bf16" in flags else "float32"


def _assemble(plan):
    """The two ends of one network: float32 logits for the loss, and the model that is saved, which gives probabilities.

    Between the pictures, 0..255, and the script's network the levels are brought to mean 0 and variance 1 over the
    training pictures, one mean and variance per channel, and then weighed as --feature_weights says.
    """
    shape, classes = tuple(plan.settings["input_shape"]), plan.settings["classes"]
    try:
        core = plan.build_model(shape, len(classes), **_keywords(plan))
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:  # what Keras raises for odd numbers
        reason = str(error).splitlines()[0]
        raise CallError(f"{plan.settings['script']} cannot be built with {_keywords(plan)}: {reason}") from None
    if core.output_shape != (None, len(classes)):
        raise CallError(f"build_model should end in {len(classes)} logits; it ends in {core.output_shape}")
    core.name = plan.settings["script"]
    mean, variance = plan.levels
    pictures = keras.Input(shape, name="pictures")
    x = keras.layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32", name="standardise")(pictures)
    if weights := plan.settings["feature_weights"]:
        x = keras.layers.Rescaling(weights, dtype="float32", name="weigh")(x)
    x = keras.layers.Activation("linear", dtype="float32", name="logits")(core(x))
    return keras.Model(pictures, x), keras.Model(
        pictures, keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    )


def _keywords(plan):
    return {name: getattr(plan.args, name) for name in parameters(plan.build_model)}


def _level_statistics(x):
    """Mean and variance of each channel's levels; x: uint8 (pieces, bins, frames, channels)."""
    levels, counts = np.arange(256), np.zeros((x.shape[-1], 256), np.int64)
    for picture in x:  # one at a time: bincount makes 64-bit copies
        for channel, count in enumerate(counts):
            count += np.bincount(picture[..., channel].ravel(), minlength=256)
    mean = [float(np.average(levels, weights=count)) for count in counts]
    variance = [float(np.average((levels - m) ** 2, weights=count)) for m, count in zip(mean, counts, strict=True)]
    return mean, [max(v, 1.0) for v in variance]  # constant pictures must not divide by 0


def _init_from(model, sources):
    """Copy the weights of layers of the same name and shape from finished runs. Returns the names, per run."""
    copied = {}
    mine = {layer.name: layer for part in model.layers for layer in getattr(part, "layers", []) if layer.weights}
    for source in sources:
        found = runs.read(source)
        theirs = [layer for layer in found.model.get_layer(found.info["script"]).layers if layer.weights]
        fitting = [layer for layer in theirs if _shapes(layer) == _shapes(mine.get(layer.name))]
        if not fitting:
            has = ", ".join(f"{layer.name} {_shapes(layer)[0]}" for layer in theirs)
            raise CallError(f"no layer of {source} has the name and shape of one here; it has {has}")
        for layer in fitting:
            mine[layer.name].set_weights(layer.get_weights())
        copied[f"{source} ({found.info['feature']} at {found.info['image_size']})"] = [layer.name for layer in fitting]
    return copied


def _shapes(layer):
    return layer and [tuple(weight.shape) for weight in layer.weights]


def _print_plan(plan, model, copied):
    bins, frames, channels = plan.settings["input_shape"]
    counts = " and ".join(f"{len({r.track for r in p.rows})} {subset}" for subset, p in plan.pictures.items())
    weights = model.get_layer(plan.settings["script"]).count_params()
    for feature, folder in plan.folders.items():
        if plan.settings["recipes"][feature] is None:
            print(f"{folder} has no recipe.json: recipe unknown, so this run cannot predict audio files")
            continue
        made = folder.parent.parent / "dataset" / feature  # where the default paths have it
        if index.read_recipe(made) not in (None, index.read_recipe(folder)):
            print(f"warning: {made} has another recipe since it was split; split it again to train on that")
    for subset, pictures in plan.pictures.items():
        if missing := sorted(set(plan.settings["classes"]) - {row.labels[0] for row in pictures.rows}):
            print(f"warning: {subset} has no pictures of {', '.join(missing)}")
    for source, layer_names in copied.items():
        print(f"{', '.join(layer_names)} started from {source}")
    print(
        f"{plan.settings['script']}, {plan.settings['feature']}: {counts} tracks, "
        f"{len(plan.settings['classes'])} classes, pictures of {bins} x {frames} x {channels}, "
        f"{weights:,} parameters, {plan.settings['training']['precision']}, {_device()}"
    )


def _device():
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return ", ".join(gpu.get("device_name", "GPU") for gpu in gpus) or "CPU"


def _fit(plan, model, unfinished, history):
    """Fit until the epochs or the patience run out. Returns the history."""
    args, train_set = plan.args, plan.pictures["train"]
    model.compile(_optimizer(args), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    if history:
        epochs.restore_state(model, unfinished / epochs.STATE.format(len(history)))
        print(f"resumed after epoch {len(history)}, best so far epoch {epochs.best_epoch(history)}")
    if len(history) >= args.epochs or epochs.out_of_patience(history, args.patience):
        return history
    keeper = epochs.KeepEpochs(unfinished, history, args.patience)
    model.fit(
        inputs.training_batches(train_set, args.batch_size, args.seed, len(history), args.epochs),
        validation_data=inputs.evaluation_batches(plan.pictures["validation"], args.batch_size),
        initial_epoch=len(history),
        epochs=args.epochs,
        steps_per_epoch=math.ceil(len(train_set.x) / args.batch_size),
        shuffle=False,  # the batches are shuffled already
        callbacks=[keeper],
        verbose=1 if sys.stdout.isatty() else 0,
    )
    return keeper.history


def _optimizer(args):
    config = {"learning_rate": args.learning_rate} | ({"weight_decay": args.weight_decay} if args.weight_decay else {})
    try:
        return keras.optimizers.get({"class_name": args.optimizer, "config": config})
    except (ValueError, TypeError, KeyError):
        raise CallError(f"Keras has no optimizer {args.optimizer!r}; try adam, adamw, sgd or rmsprop") from None


def _write(plan, model, history, unfinished):
    """Evaluate on validation and, now and only now, on test; write the run; print its scores."""
    beside = unfinished / "run"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    settings, best = plan.settings, epochs.best_epoch(history)
    train_shape = tuple(settings["input_shape"])
    image_size = images.parse_size(settings["image_size"])
    like = train_shape if len(plan.folders) == 1 else None
    test = _load(plan.folders, "test", settings["classes"], image_size, dict.fromkeys(plan.folders), like)
    judged = {subset: p for subset, p in {**plan.pictures, "test": test}.items() if p and subset != "train"}
    predicted = {subset: (p.rows, p.y, runs.predict(model, p.x)) for subset, p in judged.items()}
    title = f"{settings['script']}, {settings['feature']}"
    scores = evaluation.write(beside, predicted, settings["classes"], title)
    epochs.write_history(beside, history)
    plots.history(history, best, title, beside / "history.png")
    model.save(beside / runs.MODEL)
    model.save_weights(beside / runs.WEIGHTS)
    files.write_text(beside / runs.RUN, json.dumps(_info(plan, model, history), indent=2) + "\n")
    files.replace_folder(beside, plan.target, keep_others=True)
    shutil.rmtree(unfinished)
    print(f"kept epoch {best} of {len(history)}, {sum(row['seconds'] for row in history):.0f} s")
    evaluation.show(scores)
    print("wrote", plan.target)


def _info(plan, model, history):
    """run.json: what was asked for, on what, with what, and what it took."""
    return plan.settings | {
        "command": shlex.join(["python", os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        "images_path": str(next(iter(plan.folders.values()))),
        "tracks": {subset: len({row.track for row in p.rows}) for subset, p in plan.pictures.items()},
        "parameters": model.get_layer(plan.settings["script"]).count_params(),
        "precision": plan.settings["training"]["precision"],
        "epochs": len(history),
        "best_epoch": epochs.best_epoch(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "device": _device(),
        },
        "git_commit": _git_commit(),
    }


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # tensorflow may have come as tensorflow-cpu
        return sys.modules[package].__version__ if package in sys.modules else None


def _git_commit():
    """The commit of this code, '+' behind it where files were changed since; None outside git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        described = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return described.stdout.strip() or None
