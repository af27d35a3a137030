"""From a script's `build_model` to a finished run: data, fit, evaluate, save."""

import argparse
import json
import math
import shutil
import sys
import time
from pathlib import Path

from genre import (
    comparison,
    epochs,
    evaluation,
    files,
    index,
    inputs,
    layers,
    logs,
    losses,
    metadata,
    networks,
    options,
    plans,
    plots,
    records,
    runs,
    tables,
)
from genre.augmentation import Augmentation
from genre.backend import keras, tf
from genre.command_line import CallError, DataError, first_line, names, run

import numpy as np

SETTINGS = "settings.json"
STOPPED = "finished epochs are kept: go on with --resume, beside --overwrite where that was given"
CPU_INFO = Path("/proc/cpuinfo")  # Linux's
WARM_UP = 1 / 20  # share of all steps in which --schedule=cosine lets the learning rate rise


def main(build_model, **defaults):
    """Train the model of an architecture script as its command line says.

    Args:
        build_model: (input_shape, num_classes, *, hyperparameters=defaults) -> uncompiled keras.Model that ends in
            num_classes logits, or unfitted scikit-learn GridSearchCV. Its keyword-only parameters become options.
        defaults: this script's own defaults of the common options, e.g. learning_rate=1e-4, and what `options.Script`
            has, e.g. largest_size="40x80".
    """

    def train_each():
        args = options.parser_of(build_model, defaults).parse_args()
        options.check(args)
        for sources in _sources(args):
            _train_all(build_model, sources, args)

    words = {} if defaults.get("estimator") else {"stopped": STOPPED}  # scikit-learn's have no epochs
    run(train_each, **words)


def _sources(args):
    """What each training takes: a list of features, of series, or of the folders of finished runs."""
    if args.inputs == "runs":
        return _runs(args)
    if args.inputs == "statistics":
        return [args.columns]
    if not names(args.features):
        raise CallError("--features is empty; name at least one, such as mel")
    return [names(together, "+") for together in names(args.features)]


def _train_all(build_model, sources, args):
    """Train once; or with each of several seeds, or each tag alone, in folders below the run's, and sum that up."""
    if args.one_per_tag:
        tags = _plan(build_model, sources, args, {}).settings["classes"]
        of, each = "tag", {tag: {"tags": (tag,)} for tag in tags}
    else:
        of, each = "seed", {f"seed{seed}": {"seed": seed} for seed in range(args.seed, args.seed + args.repeats)}
    if len(each) == 1:
        train(build_model, sources, args)
        return
    results = {}
    for name, changes in each.items():
        run = train(build_model, sources, argparse.Namespace(**vars(args) | changes | {"member": name}))
        results[name] = comparison.read(run).scores
    evaluation.write_summary(run.parent, of, results)


def _runs(args):
    """For each training the folders of the runs that it builds on.

    Raises:
        CallError: one of them is not there.
    """
    if args.run is not None:
        found = [[Path(run) for run in names(args.run)]]
    else:
        fold = plans.fold(args)
        each = [names(together, "+") if args.branches else [together] for together in names(args.features)]
        found = [[Path(args.models, script, f, fold) for script in args.run_scripts for f in of] for of in each]
    if not found or not all(found):
        raise CallError("--run or --features is empty; name a finished run, or a feature such as mel")
    for path in [path for paths in found for path in paths]:
        if args.run is None and not (path / runs.RUN).is_file():
            script, feature = path.relative_to(args.models).parts[:2]
            command = f"python {script}.py --features={feature}" + (f" --fold={args.fold}" if fold else "")
            command += ", with --data or --images_path and --models as here"
            raise CallError(f"no run at {path}; train it with: {command}, or name another with --run")
    return found


def train(build_model, sources, args):
    """Train and write the run. Returns its folder.

    Args:
        sources: a feature, or several that are stacked as channels; for a script on statistics, their series, [] for
            all; for a script on runs, their folders.
    """
    training = {} if args.estimator else {name: getattr(args, name) for name in options.TRAINING}
    if training:
        asked = {name: getattr(args, name) for name in options.OFF}
        training |= {name: value for name, value in asked.items() if value != options.OFF[name]}
        _optimizer(args, 1)  # a wrong name is known before any picture is read
        if args.log:
            logs.check(args.log)
        if args.init_from:
            there = [runs.read(path).folder for path in names(args.init_from)]
            weights = [plans.weights_hash(folder) for folder in there if (folder / runs.MODEL).is_file()]
            training["init_from_weights"] = weights  # of the others `networks.init_from` says what they lack
        training["precision"] = precision_of(args.precision)
        training |= {"pos_weight": args.pos_weight} if args.multi_label else {}
    plan = _plan(build_model, sources, args, training)
    target, unfinished = plan.target, plan.target.with_name(f".{plan.target.name}.unfinished")

    def is_finished():
        if args.overwrite and not args.resume:
            return False
        try:
            goes_on = args.resume and epochs.read_history(unfinished)
            return not goes_on and plans.finished(plan.settings, target)
        except (CallError, DataError):
            if not args.overwrite:
                raise
            return False

    if is_finished():
        how = "--overwrite without --resume" if args.overwrite else "--overwrite"
        print(f"{target} is finished already, with these very settings; {how} trains it anew")
        return target
    _ = plan.test  # read now: a picture to be mended would make these other data after the training
    pictures = {subset: plan.load(subset) for subset in ("train", "validation")}
    if pictures["validation"] is None:
        raise DataError(
            f"{next(iter(plan.folders.values())) / 'validation'} is empty; the best epoch is chosen on what it holds"
        )
    try:
        with files.only_writer(target):
            if is_finished():
                return target  # by another process, meanwhile
            (_train_estimator if args.estimator else _train_network)(plan, pictures, unfinished)
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise DataError("out of memory; try a smaller --batch_size or --image_size") from None
    return target


def _plan(build_model, sources, args, training):
    of = {"runs": plans.of_runs, "statistics": plans.of_statistics}.get(args.inputs, plans.of_pictures)
    return of(build_model, sources, args, training)


def _train_network(plan, pictures, unfinished):
    levels = None
    if plan.args.standardise and not plan.bases:
        x = pictures["train"].x
        of_inputs = x if isinstance(x, list) else [x]
        levels = [source.levels(part) for source, part in zip(plan.sources, of_inputs, strict=True)]
    precision = plan.settings["training"]["precision"]
    try:
        network = _assemble(plan, levels, sum(len(part.y) for part in pictures.values()), precision)
        copied = networks.init_from(_core(plan, network), [runs.read(path) for path in names(plan.args.init_from)])
        history = _prepare_unfinished(plan, unfinished)
        _print_plan(plan, pictures, f"{_core(plan, network).count_params():,} parameters")
        for source, layer_names in copied.items():
            print(f"{', '.join(layer_names)} started from {source}")
        kept = {subset: _through(network.front, p) for subset, p in pictures.items()}
        if network.front:
            pictures["train"] = pictures["train"]._replace(x=None)  # memory
        if plan.bases:
            layers.adapt(_core(plan, network), kept["train"].x)
        log = logs.Log(plan) if plan.args.log else None
        callbacks = [log.callback] if log else []
        if plan.args.checkpoint_every:
            callbacks.append(epochs.checkpoints(network.rest, network.whole, unfinished, plan.args.checkpoint_every))
        history = _fit(plan, network.rest, kept, unfinished, history, callbacks)
    finally:
        keras.config.set_dtype_policy("float32")
    best = epochs.best_epoch(history)
    epochs.restore_state(network.rest, unfinished / epochs.STATE.format(best))
    epochs.average_weights(network.rest)
    final = network
    if precision != "float32":  # what is saved is
        final = _assemble(plan, levels, 0)
        final.whole.set_weights(network.whole.get_weights())

    def write(folder):
        epochs.write_history(folder, history)
        plots.history(history, best, epochs.metric_of(history), plan.title, folder / "history.png")
        kept_on_the_way = unfinished / epochs.CHECKPOINTS
        if kept_on_the_way.is_dir():  # they stay there, too, until the run is whole
            shutil.copytree(kept_on_the_way, folder / epochs.CHECKPOINTS, copy_function=files.link)
        networks.save(final.whole, folder)

    def predict(subset, part):
        if plan.multi_label:  # a track of several tags has no one colour on a map
            return runs.predict(final.whole, part.x), None
        both = networks.with_embedding(final.whole, plan.settings["script"])
        if 4 * len(part.y) * both.output_shape[1][1] > networks.MOST_KEPT:
            print(f"no tsne.png: what the last layer decides on in {subset} takes more than 2 GB")
            return runs.predict(final.whole, part.x), None
        return runs.predict(both, part.x)

    seconds = sum(row["seconds"] for row in history)
    print(f"kept epoch {best} of {len(history)}, {seconds:.0f} s")
    info = {"parameters": _core(plan, final).count_params(), "epochs": len(history), "best_epoch": best}
    if names_at := [n for n, source in enumerate(plan.sources) if isinstance(source, metadata.Names)]:
        info |= {"names": _worth_of_names(plan, final.whole, pictures["validation"], names_at)}
    scores = _write(plan, pictures, unfinished, write, predict, info | {"seconds": round(seconds, 1)})
    if log:
        log.finish(scores)


def _worth_of_names(plan, network, validation, names_at):
    """What knowing the artists and albums was worth, on validation; {"known": share of tracks, "worth": accuracy}."""
    hidden = [metadata.unknown(x) if n in names_at else x for n, x in enumerate(validation.x)]
    right, known = {}, set()
    for n in names_at:
        known |= {row.track for row, of_piece in zip(validation.rows, validation.x[n], strict=True) if not of_piece[0]}
    for kind, x in (("known", validation.x), ("unknown", hidden)):
        _, y, said = evaluation.average_tracks(validation.rows, validation.y, runs.predict(network, x))
        right[kind] = float(((said >= 0.5) == y).mean() if plan.multi_label else (said.argmax(axis=1) == y).mean())
    tracks = len({row.track for row in validation.rows})
    worth = right["known"] - right["unknown"]
    print(
        f"names: train has an artist or album of {len(known)} of {tracks} validation tracks; accuracy "
        f"{evaluation.percent(right['known'])}, with all unknown {evaluation.percent(right['unknown'])}: worth "
        f"{100 * worth:+.1f} points"
    )
    return {"known": len(known) / tracks, "worth": worth}


def _train_estimator(plan, pictures, unfinished):
    """Fit on train and validation together; what is said of validation is by the same fitted on train alone."""
    from genre import estimators

    started = time.monotonic()
    network = networks.joined([base.embedding for base in plan.bases]) if plan.bases else None
    search = _build(plan)
    _prepare_unfinished(plan, unfinished)
    _print_plan(plan, pictures, f"{network.output_shape[1]} columns" if network else "")

    def columns(part):
        return runs.predict(network, part.x) if network else part.x.astype(np.float64)

    x = np.concatenate([columns(part) for part in pictures.values()])
    y = np.concatenate([part.y for part in pictures.values()])
    rows = [row for part in pictures.values() for row in part.rows]
    validation = np.arange(len(y)) >= len(pictures["train"].y)
    estimator, probabilities, search = estimators.fit(search, x, y, rows, validation, plan.args.seed)
    chosen = ", ".join(f"{name.rpartition('__')[2]} {value:g}" for name, value in search.best_params_.items())
    print(f"chose {chosen}; fitted on train and validation; validation is scored by the same fitted on train alone")

    def write(folder):
        if network:
            networks.save(network, folder)
        estimators.save(estimator, folder / runs.ESTIMATOR)
        estimators.write_search(search, folder / "search.csv")

    def predict(subset, part):
        x = columns(part)
        return probabilities if subset == "validation" else estimator.predict_proba(x), x

    seconds = time.monotonic() - started
    info = {
        "chosen": search.best_params_,
        "fitted_on": ["train", "validation"],
        "validation_scored_on": ["train"],
        "seconds": round(seconds, 1),
    }
    _write(plan, pictures, unfinished, write, predict, info)


def _prepare_unfinished(plan, unfinished):
    """The folder that keeps every finished epoch until the run is whole. Returns the history in it."""
    try:
        if history := _unfinished_history(plan, unfinished):
            return history
    except (CallError, DataError):
        if not plan.args.overwrite:
            raise
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    files.write_text(unfinished / SETTINGS, json.dumps(plan.settings, indent=2))
    return []


def _unfinished_history(plan, unfinished):
    """Raises: CallError: it is not to go on, or is of other settings. DataError: it is damaged."""
    history = epochs.read_history(unfinished)
    if not history:
        return []
    if not plan.args.resume:
        raise CallError(
            f"{plan.target} has an unfinished training of {len(history)} epochs; "
            "--resume goes on with it, --overwrite starts anew"
        )
    try:
        settings = json.loads((unfinished / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{unfinished / SETTINGS} is damaged ({error}); --overwrite starts anew") from None
    plans.refuse_other(plan.settings, settings, unfinished)
    return history


def precision_of(wanted):
    """The Keras dtype policy for --precision; auto: of a processor mixed_bfloat16 if it has AMX.

    With AVX-512's bfloat16 alone, convolutions take longer than in float32 (benchmarks/README.md).
    """
    if wanted != "auto":
        return wanted
    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16" if capability >= (7, 0) else "float32"
    return "mixed_bfloat16" if CPU_INFO.is_file() and "amx_bf16" in CPU_INFO.read_text() else "float32"


def _build(plan):
    """What the script's `build_model` makes of the shape of its inputs."""
    shape = plan.input_shape
    try:
        return plan.build_model(shape, len(plan.settings["classes"]), **plan.hyperparameters)
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:  # what Keras raises for odd numbers
        reason = first_line(error)
        raise CallError(f"{plan.settings['script']} cannot be built with {plan.hyperparameters}: {reason}") from None


def _assemble(plan, levels, pieces, precision="float32"):
    """The script's network, `networks.Network`, for its pictures or its runs."""
    keras.backend.clear_session()  # layers are named alike in every run, whatever this process trained before
    embeddings = [base.embedding for base in plan.bases]  # in float32, whatever is trained on them
    keras.config.set_dtype_policy(precision)  # only now: a cleared session has none
    keras.utils.set_random_seed(plan.args.seed)
    core = _build(plan)
    classes = len(plan.settings["classes"])
    if core.output_shape != (None, classes):
        raise CallError(f"build_model should end in {classes} logits; it ends in {core.output_shape}")
    core.name = plan.settings["script"]
    if plan.bases:
        return networks.of_runs(core, embeddings, plan.multi_label)
    weights = [pictures["feature_weights"] for pictures in plan.settings["inputs"]]
    shapes = [source.shape for source in plan.sources]
    return networks.of_pictures(core, levels, weights, pieces, plan.multi_label, _augmentation(plan), shapes)


def _core(plan, network):
    return network.whole.get_layer(plan.settings["script"])


def _through(front, pictures):
    """What the frozen front of a network makes of pictures, computed once, in their place."""
    return pictures._replace(x=runs.predict(front, pictures.x)) if front else pictures


def _print_plan(plan, pictures, size):
    for feature, folder in plan.folders.items():
        if feature == tables.FEATURE:
            tables.warn_of_origin(folder)
            continue
        if index.read_recipe(folder) is None:
            print(f"{folder} has no recipe.json: recipe unknown, so this run cannot predict audio files")
            continue
        images_path = folder.parent.parent if plans.fold(plan.args) else folder.parent
        made = images_path.parent / "dataset" / feature  # where the default paths have it
        if index.read_recipe(made) not in (None, index.read_recipe(folder)):
            print(f"warning: {made} has another recipe since it was split; split it again to train on that")
    plans.warn_of_left_out(plan)
    plans.warn_of_labels(plan, pictures)
    plans.warn_of_leaks(plan)
    for path in names(getattr(plan.args, "init_from", "")):
        plans.warn_of_another_split(plan, runs.read(path))
    counts = " and ".join(f"{len({r.track for r in p.rows})} {subset}" for subset, p in pictures.items())
    taken = dict.fromkeys(source.words for source in plan.sources)
    of_runs = "".join(f", embeddings of {base.folder}" for base in plan.bases)
    print(
        f"{plan.title}: {counts} tracks, {len(plan.settings['classes'])} classes, {' and '.join(taken)}"
        f"{of_runs}, {', '.join(filter(None, [size, plan.settings['training'].get('precision'), _device()]))}"
    )


def _device():
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return ", ".join(gpu.get("device_name", "GPU") for gpu in gpus) or "CPU"


def _fit(plan, model, pictures, unfinished, history, callbacks):
    """Fit until the epochs or the patience run out. Returns the history."""
    args, train_set, validation = plan.args, pictures["train"], pictures["validation"]
    augment = _augmentation(plan)
    if plan.multi_label:
        loss = losses.WeightedBinaryCrossentropy(losses.pos_weights(train_set.y, args.pos_weight))
        metric = losses.macro_roc_auc(validation.y)
    elif augment.softens:
        train_set, validation = (part._replace(y=_shares(part.y, plan)) for part in (train_set, validation))
        loss, metric = keras.losses.CategoricalCrossentropy(from_logits=True), "accuracy"
    else:
        loss, metric = keras.losses.SparseCategoricalCrossentropy(from_logits=True), "accuracy"
    steps = math.ceil(args.chunks * len(train_set.y) / args.batch_size)
    model.compile(_optimizer(args, args.epochs * steps), loss, metrics=[metric])
    model.optimizer.build(model.trainable_variables)
    if history:
        epochs.restore_state(model, unfinished / epochs.STATE.format(len(history)))
        print(f"resumed after epoch {len(history)}, best so far epoch {epochs.best_epoch(history)}")
    if len(history) >= args.epochs or epochs.out_of_patience(history, args.patience):
        return history
    averaged = [keras.callbacks.SwapEMAWeights()] if args.ema else []  # while it evaluates
    keeper = epochs.KeepEpochs(unfinished, history, args.patience)
    batches = inputs.training_batches(
        train_set, args.batch_size, args.seed, len(history), args.epochs, augment, args.chunks
    )
    with layers.fused_batch_normalisation():
        model.fit(
            batches,
            validation_data=inputs.evaluation_batches(validation, args.batch_size),
            initial_epoch=len(history),
            epochs=args.epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the batches are shuffled already
            callbacks=[*averaged, *callbacks, keeper],
            verbose=1 if sys.stdout.isatty() else 0,
        )
    return keeper.history


def _augmentation(plan):
    """What the options of the training ask for."""
    of_options = {name: getattr(plan.args, name) for name in Augmentation._fields if name != "chunk_frames"}
    return Augmentation(plan.chunk_frames, **of_options)


def _shares(y, plan):
    """Class numbers (pieces,) -> float32 (pieces, classes), 1 of each piece's class."""
    return np.eye(len(plan.settings["classes"]), dtype=np.float32)[y]


def _optimizer(args, steps):
    """Args: steps: of the whole training."""
    rate = args.learning_rate
    if args.schedule == "cosine":
        rising = math.ceil(WARM_UP * steps)
        falling = max(1, steps - rising)
        rate = keras.optimizers.schedules.CosineDecay(rate / rising, falling, warmup_target=rate, warmup_steps=rising)
    config = {"learning_rate": rate, "weight_decay": args.weight_decay}
    if args.ema:
        config |= {"use_ema": True, "ema_momentum": args.ema}
    if args.optimizer.lower() == "muon":  # of what it leaves to Adam: all but matrices
        config |= {"adam_weight_decay": args.weight_decay}
    try:
        return keras.optimizers.get({"class_name": args.optimizer, "config": config})
    except (ValueError, TypeError, KeyError):
        raise CallError(f"Keras has no optimizer {args.optimizer!r}; try adam, adamw, sgd or rmsprop") from None


def _write(plan, pictures, unfinished, write, predict, info):
    """As `records.write`; and print the scores. Returns them."""
    scores = records.write(plan, pictures, unfinished, write, predict, info, _device())
    records.judge(plan).show(scores)
    print("wrote", plan.target)
    return scores
