"""The options of an architecture script: its own, those of its data, of the training and of the run."""

import argparse
import sys
from typing import NamedTuple

from genre import images, logs, losses, plans, tables
from genre.command_line import (
    CallError,
    Parser,
    add_option,
    names,
    natural,
    natural_float,
    one_of,
    parameters,
    positive,
    positive_float,
    share,
)

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "auto")
TRAINING = {  # option: (type, default, help)
    "epochs": (positive, 100, "passes over the training pictures, at most"),
    "patience": (positive, 20, "epochs without a better validation accuracy to stop after"),
    "batch_size": (positive, 32, "pictures a step"),
    "optimizer": (str, "adam", "a Keras optimizer"),
    "learning_rate": (positive_float, 1e-3, "of the optimizer"),
    "weight_decay": (natural_float, 0.0, "decoupled, of the optimizer"),
    "precision": (
        one_of(PRECISIONS),
        "float32",
        f"{', '.join(PRECISIONS)}: what this machine is made for, which may cost accuracy",
    ),
    "init_from": (str, "", "comma list of runs whose layers of the same name and shape to start from"),
}
RECIPE = {  # likewise; these are off unless asked for
    "schedule": (one_of(SCHEDULES), "constant", "of the learning rate: constant; cosine: up from 0, then down to 0"),
    "label_smoothing": (share, 0.0, "share of a label's certainty that all classes get alike; not of tags"),
    "ema": (share, 0.0, "momentum of a moving average of the trained weights, which is evaluated and kept"),
    "mixup": (natural_float, 0.0, "mix each row of a batch with another, in parts that Beta(X, X) says"),
}
OF_PICTURES = {
    "freq_shift": (share, 0.0, "farthest random move of a picture up or down, as a share of the bins"),
    "equalise": (share, 0.0, "random curve of gain over the bins, its deviation as a share of the range of levels"),
    "freq_mask": (share, 0.0, "widest random mask of bins (SpecAugment), a share of them"),
    "time_mask": (share, 0.0, "widest random mask of frames (SpecAugment), a share of them"),
    "chunks": (
        positive,
        1,
        "train on random chunks, 1/N of a picture, predict by the mean of those that cover it",
    ),
}
OFF = {name: default for name, (_, default, _) in (RECIPE | OF_PICTURES).items()}
RECIPES = {  # option: value instead of its default
    "plain": {},
    "strong": {
        "patience": 1000,
        "schedule": "cosine",
        "freq_shift": 0.03,
        "equalise": 0.06,
        "freq_mask": 0.2,
        "time_mask": 0.2,
        "chunks": 3,
    },
}


class Script(NamedTuple):
    """What a script is; its other keyword arguments of `training.main` are its own defaults of common options."""

    inputs: str = "pictures"
    """What `build_model` is told the shape of: "pictures", (bins, frames, channels); "features", {feature: likewise}
    or, of what is one of a track, {feature: (columns,)}; "statistics" of a song, (columns,); "runs", the embeddings of
    finished runs, {run: (columns,)}."""
    largest_size: str = "native"
    """Such as "40x80": what larger pictures are reduced to unless --image_size says otherwise."""
    standardise: bool = True
    """False for a network that takes levels as they are, 0..255."""
    run: str = ""
    """With "runs", a comma list of the scripts whose runs of --features are taken where --run names none."""
    branches: bool = False
    """Where --features=a+b then means the runs of a and of b, not those of both as one picture."""
    estimator: bool = False
    """Where build_model gives a scikit-learn search."""


class TrainingParser(Parser):
    """A parser in which --recipe changes the defaults of other options.

    Args:
        of_recipe: {recipe: {option: default}}.
    """

    def __init__(self, doc, of_recipe):
        super().__init__(doc)
        self.of_recipe = of_recipe

    def parse_args(self, args=None, namespace=None):
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        first.error = self.error
        first.add_argument("--recipe", default=self.get_default("recipe"))
        found, _ = first.parse_known_args(args)
        self.set_defaults(**self.of_recipe.get(found.recipe, {}))
        return super().parse_args(args, namespace)


def parser_of(build_model, defaults):
    """The parser of an architecture script. Args: defaults: as those of `training.main`."""
    script = Script(**{name: value for name, value in defaults.items() if name in Script._fields})
    defaults = {name: value for name, value in defaults.items() if name not in Script._fields}
    training = {} if script.estimator else TRAINING | RECIPE
    training |= OF_PICTURES if script.inputs in ("pictures", "features") else {}
    of_recipe = {}
    for recipe, settings in RECIPES.items():
        of_recipe[recipe] = OFF | {name: settings.get(name, default) for name, (_, default, _) in training.items()}
        of_recipe[recipe] |= defaults
    parser = TrainingParser(sys.modules[build_model.__module__].__doc__, of_recipe)
    own = parser.add_argument_group("this architecture")
    for name, (default, text) in parameters(build_model).items():
        add_option(own, name, default, text)
    data = plans.add_data_options(parser)
    text = "each label of a track counts, with a probability of its own: tags"
    data.add_argument("--multi_label", action="store_true", help=text)
    data.add_argument("--tags", type=_names, default=(), metavar="A,B", help="of --multi_label: only these")
    if script.inputs == "statistics":
        tables.add_options(data)
    else:
        (_add_run_options if script.inputs == "runs" else _add_picture_options)(data, script)
    if not script.estimator:
        fit = parser.add_argument_group("training")
        text = f"{', '.join(RECIPES)}: a set of defaults for the options of training"
        fit.add_argument("--recipe", type=one_of(RECIPES), default="plain", help=text)
        for name, (value, default, text) in training.items():
            fit.add_argument(f"--{name}", type=value, default=default, help=text)
        text = "of --multi_label: what a tag's tracks count against the others; balanced: as often as they are fewer"
        fit.add_argument("--pos_weight", type=_pos_weight, default="balanced", metavar="X", help=text)
        text = "of --multi_label: a network for each tag alone, in a run of its own"
        fit.add_argument("--one_per_tag", action="store_true", help=text)
    parser.add_argument("--seed", type=natural, default=0, help="of initial weights, shuffling, dropout and folds")
    text = "train N times, with --seed and the seeds after it, each run kept, and say the mean"
    parser.add_argument("--repeats", type=positive, default=1, metavar="N", help=text)
    out = plans.add_run_options(parser)
    if not script.estimator:
        text = "continue a training that was killed; with --overwrite, what has these settings already is kept"
        out.add_argument("--resume", action="store_true", help=text)
        text = "keep the weights of every Nth epoch, too, in the run's checkpoints/"
        out.add_argument("--checkpoint_every", type=natural, default=0, metavar="N", help=text)
        text = f"{' or '.join(logs.KINDS)}: write every epoch to it, too, while it trains"
        out.add_argument("--log", type=one_of(logs.KINDS), help=text)
    out.add_argument("--overwrite", action="store_true", help="replace a run that is there")
    settings = {"run_scripts": names(script.run), "largest_size": images.parse_size(script.largest_size)}
    settings |= {name: getattr(script, name) for name in ("standardise", "inputs", "estimator", "branches")}
    settings |= {"member": "", "feature_weights": (), "one_per_tag": False, "resume": False}
    if unknown := defaults.keys() - vars(Parser.parse_args(parser, [])).keys():
        raise TypeError(f"main() has a default of --{min(unknown)}, which is no option of this script")
    parser.set_defaults(**settings | {"recipe": "plain"} | of_recipe[defaults.get("recipe", "plain")])
    return parser


def _add_picture_options(group, script):
    fuses = script.inputs == "features"
    together = "takes two together" if fuses else "stacks two as channels"
    group.add_argument("--features", default="mel", help=f"comma list, a run for each; a+b {together}")
    if not fuses:
        text = "factors of stacked features"
        group.add_argument("--feature_weights", type=_weights, default=(), metavar="A,B", help=text)
    largest = script.largest_size
    text = "exact size that pictures are resized to, 'native' to keep a side or both "
    text += f"(default: as they are, but at most {largest})" if largest != "native" else "(default: as they are)"
    group.add_argument("--image_size", type=images.parse_size, metavar="BINSxFRAMES", help=text)


def _add_run_options(group, script):
    usual = " and ".join(f"<models>/{name}/<feature>" for name in names(script.run))
    text = f"comma list of finished runs to build on, of any script (default: {usual})"
    which = group.add_mutually_exclusive_group()
    which.add_argument("--run", metavar="RUN", help=text)
    text = "comma list: on the runs of each, if --run names none"
    text += "; a+b: on the runs of a and those of b" if script.branches else ""
    which.add_argument("--features", default="mel", help=text)


def check(args):
    """Raises: CallError: options do not fit together."""
    if args.one_per_tag and args.repeats > 1:
        raise CallError("--one_per_tag trains with one seed; give --seed and --run_name instead of --repeats")
    if not args.multi_label:
        weighted = not args.estimator and args.pos_weight != losses.BALANCED
        for name, given in (("tags", args.tags), ("one_per_tag", args.one_per_tag), ("pos_weight", weighted)):
            if given:
                raise CallError(f"--{name} is for data with several labels a track; add --multi_label")
    elif args.label_smoothing:
        raise CallError("--label_smoothing is for one label a track; with --multi_label leave it at 0")
    elif args.estimator:
        raise CallError("--multi_label is for networks; a machine gives each track one label")


def _weights(text):
    return tuple(positive_float(part) for part in text.split(","))


def _names(text):
    return tuple(names(text))


def _pos_weight(text):
    return text if text == losses.BALANCED else positive_float(text)
