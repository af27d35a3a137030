"""What a training will do: its settings, which make two runs the same run, and its data, checked beforehand."""

import contextlib
import dataclasses
import functools
import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

from genre import evaluation, files, images, index, inputs, metadata, runs, splits, tables
from genre.command_line import CallError, DataError, natural, parameters

import numpy as np


class Source(NamedTuple):
    """The pictures of one input of a network, of one feature or of several as channels: {feature: ...} each."""

    folders: dict
    image_size: tuple  # (bins, frames) that pictures are resized to, None to keep an axis
    shapes: dict  # (bins, frames, channels) after that
    alike: dict  # the shape that picture files must have, None for any
    per_track = False  # but one of each piece

    @property
    def shape(self):
        """(bins, frames, channels) of all features together."""
        shapes = list(self.shapes.values())
        return (*shapes[0][:2], sum(shape[2] for shape in shapes))

    @property
    def words(self):
        return f"pictures of {' x '.join(map(str, self.shape))}"

    def levels(self, x):
        """Mean and variance of each channel's levels; x: uint8 (pieces, bins, frames, channels)."""
        levels, counts = np.arange(256), np.zeros((x.shape[-1], 256), np.int64)
        for picture in x:  # one at a time: bincount makes 64-bit copies
            for channel, count in enumerate(counts):
                count += np.bincount(picture[..., channel].ravel(), minlength=256)
        mean = [float(np.average(levels, weights=count)) for count in counts]
        variance = [float(np.average((levels - m) ** 2, weights=count)) for m, count in zip(mean, counts, strict=True)]
        return mean, [max(v, 1.0) for v in variance]  # constant pictures must not divide by 0

    def load(self, subset, classes, multi_label):
        """As `inputs.load`. The files of pictures that are only tested on may be of any size where they are resized."""
        alike = self.alike if subset != "test" else dict.fromkeys(self.alike)
        return inputs.stack(
            {
                f: inputs.load(folder, subset, classes, self.image_size, self.shapes[f], alike[f], multi_label)
                for f, folder in self.folders.items()
            }
        )


@dataclasses.dataclass
class Plan:
    """One training. `settings` is what makes two runs the same run."""

    build_model: callable
    args: object
    settings: dict
    sources: list  # of the network's inputs, each a Source or a tables.Table
    folders: dict  # {feature: folder} of all sources
    rows: list  # (folder, index row) of all their pictures
    bases: list  # the runs whose embeddings it takes, [] where it takes pictures
    target: Path  # of the run
    chunk_frames: int  # length of the chunks of pictures that it trains on, 0 for whole ones

    @property
    def title(self):
        return ", ".join(filter(None, (self.settings["script"], self.settings["feature"], self.args.member)))

    @property
    def multi_label(self):
        return self.settings["multi_label"]

    @property
    def input_shape(self):
        """What `build_model` is told: the shape of its one input, or {feature or run: shape} of several.

        Where it trains on chunks, pictures are as long as these.
        """
        if self.bases:
            return {str(base.folder): base.embedding.output_shape[1:] for base in self.bases}
        if self.args.inputs == "features":
            taken = self.settings["inputs"]
            return {s["feature"]: self._taken(source) for s, source in zip(taken, self.sources, strict=True)}
        return self._taken(self.sources[0])

    def _taken(self, source):
        if not (self.chunk_frames and not source.per_track):
            return source.shape
        return (source.shape[0], self.chunk_frames, source.shape[2])

    @property
    def hyperparameters(self):
        return _hyperparameters(self.build_model, self.args)

    @functools.cached_property
    def test(self):
        """The pictures of test, None where it has none; kept, as another split may be there when the training ends."""
        return self.load("test")

    def load(self, subset):
        """Pictures of one subset, None where it has none."""
        parts = [source.load(subset, self.settings["classes"], self.multi_label) for source in self.sources]
        if not all(parts):
            return None
        pieces = {n: p for n, (p, s) in enumerate(zip(parts, self.sources, strict=True)) if not s.per_track}
        aligned = inputs.align(pieces or dict(enumerate(parts)))
        x = dict(zip(pieces or range(len(parts)), aligned.x, strict=True))
        x |= {n: inputs.by_track(part, aligned.rows) for n, part in enumerate(parts) if n not in x}
        return aligned._replace(x=inputs.alone([x[n] for n in range(len(parts))]))


def add_data_options(parser):
    """--data, --images_path and --fold. Returns their group, for what else names the data."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", default="data", help="folder that holds images/")
    group.add_argument("--images_path", metavar="FOLDER", help="folder of <feature>/train/, if not <data>/images")
    text = "train on fold K of split_dataset.py --folds, into the run's folder foldK/"
    group.add_argument("--fold", type=natural, metavar="K", help=text)
    return group


def add_run_options(parser):
    """--models and --run_name. Returns their group, for what else is said of the run."""
    group = parser.add_argument_group("run")
    group.add_argument("--models", default="models", help="folder that runs go to, as <script>/<feature>/")
    group.add_argument("--run_name", type=runs.run_name, default="", help="puts the run one level deeper, for variants")
    return group


def of_pictures(build_model, features, args, training):
    """The plan to train on one feature or on several, stacked as channels or, for a script that fuses, an input each.

    Args:
        training: {option: value} of the settings that steer the training.
    """
    if args.inputs == "features":
        return _of_branches(build_model, features, args, training)
    source, settings = _of_input(features, args)
    return _plan(build_model, args, [source], [], {"inputs": [settings], "training": training})


def _of_branches(build_model, features, args, training):
    """Each feature an input of its own, of which some may be the statistics, the artist and the album of the track."""
    pictured = [feature for feature in features if feature not in metadata.PER_TRACK]
    if not pictured:
        raise CallError(f"--features={'+'.join(features)} has no pictures; add a feature, such as mel")
    found = {feature: _of_input([feature], args) for feature in pictured}
    for feature in features:
        if feature == tables.FEATURE:
            source = tables.of_split(_images_path(args), [])
        elif feature in metadata.FIELDS:
            source = metadata.of_split(feature, _folders(pictured[:1], args)[pictured[0]])
        else:
            continue
        found[feature] = source, source.settings
    sources, settings = zip(*(found[feature] for feature in features), strict=True)
    return _plan(build_model, args, list(sources), [], {"inputs": list(settings), "training": training})


def _of_input(features, args):
    """The source of one input and what run.json says of it."""
    folders = _folders(features, args)
    native = {feature: inputs.first_shape(folder) for feature, folder in folders.items()}
    image_size = args.image_size or _reduced(native[features[0]], args.largest_size)
    if len(features) > 1:  # of one size, so that they can be stacked
        image_size = tuple(side or first for side, first in zip(image_size, native[features[0]][:2], strict=True))
    exact = args.image_size or len(features) > 1
    alike = dict.fromkeys(features) if exact else native  # pictures that nobody asked to resize must be of one size
    source = _source(folders, native, image_size, alike)
    return source, {
        "feature": "+".join(features),
        "image_size": images.size_text(image_size),
        "input_shape": source.shape,
        "feature_weights": _channel_weights(args.feature_weights, native),
        "recipes": {feature: _as_dict(index.read_recipe(folder)) for feature, folder in folders.items()},
    }


def of_statistics(build_model, series, args, training):
    """The plan to train on the statistics of songs. Args: series: those whose statistics are taken, [] for all."""
    table = tables.of_split(_images_path(args), series)
    return _plan(build_model, args, [table], [], {"inputs": [table.settings], "training": training})


def of_runs(build_model, paths, args, training):
    """The plan to train on the embeddings of finished runs, of the very pictures and the split they were trained on.

    Raises:
        CallError: a run is of other pictures or another split; what it learned would leak.
    """
    bases, sources = [runs.read(path) for path in paths], []
    if len({base.folder.resolve() for base in bases}) < len(bases):
        raise CallError(f"--run names one run twice: {', '.join(str(base.folder) for base in bases)}")
    for base in bases:
        if isinstance(base, runs.Ensemble):
            raise CallError(f"{base.folder} is a vote of runs, which has no embedding; name its runs instead")
        if base.folder.is_file():
            raise CallError(f"{base.folder} is an export, which has no embedding; name the run that it was made of")
        base.must_have_network()
        own = [_source_of(base, settings, args) for settings in base.info["inputs"]]
        if base.info["index_fingerprint"] != index.fingerprint(_rows(own)):
            raise CallError(
                f"{base.folder} was trained on other pictures or another split than those in {_images_path(args)}; "
                f"train it on these, or name its own ({Path(base.info['images_path']).parent}) with --images_path"
            )
        sources += own
    settings = {"inputs": [settings for base in bases for settings in base.info["inputs"]], "training": training}
    settings["runs"] = [{"run": base.system, "weights": weights_hash(base.folder)} for base in bases]
    return _plan(build_model, args, sources, bases, settings)


def _plan(build_model, args, sources, bases, settings):
    folders = {feature: folder for source in sources for feature, folder in source.folders.items()}
    if pictured := [feature for feature in folders if feature != tables.FEATURE]:
        _same({feature: _pieces(folders[feature]) for feature in pictured}, "pieces")
    rows = _rows(sources)
    script = Path(sys.modules[build_model.__module__].__file__).stem
    feature = "+".join(dict.fromkeys(name for taken in settings["inputs"] for name in taken["feature"].split("+")))
    settings = {
        "script": script,
        "feature": feature,
        "hyperparameters": _hyperparameters(build_model, args),
        "seed": args.seed,
        "multi_label": args.multi_label,
        "classes": _classes(folders, args),
        "index_fingerprint": index.fingerprint(rows),
    } | settings
    settings = json.loads(json.dumps(settings))  # as they come back from a file: lists, not tuples
    where, frames = target(args, script, feature), _chunk_frames(sources, args)
    return Plan(build_model, args, settings, sources, folders, rows, bases, where, frames)


def _chunk_frames(sources, args):
    """The length of the chunks that a training takes, 0 for whole pictures.

    Raises:
        CallError: its pictures are of several lengths.
    """
    lengths = sorted({source.shape[1] for source in sources if not source.per_track})
    if not lengths or args.chunks == 1:
        return 0
    if len(lengths) > 1:
        raise CallError(f"--chunks needs pictures of one length, not {lengths}; --image_size makes them alike")
    return math.ceil(lengths[0] / args.chunks)


def target(args, script, feature):
    """The folder of a run; where one call trains several, of one seed or one tag each, it is below theirs."""
    return Path(args.models, script, feature, args.run_name, fold(args), args.member)


def _classes(folders, args):
    """The genres or, where each picture may have several, the tags that are learned."""
    if not args.multi_label:
        return _same({feature: inputs.class_list(folder) for feature, folder in folders.items()}, "classes")
    found = _same({feature: inputs.tag_list(folder) for feature, folder in folders.items()}, "tags")
    if unknown := [tag for tag in args.tags if tag not in found]:
        raise CallError(f"train has no tracks with the tag {unknown[0]}; it has {', '.join(found)}")
    return [tag for tag in found if not args.tags or tag in args.tags]


def _hyperparameters(build_model, args):
    return {name: getattr(args, name) for name in parameters(build_model)}


def _images_path(args):
    return Path(args.images_path or Path(args.data, "images"), fold(args))


def fold(args):
    """The folder of --fold below images/ and below the run's, '' without it."""
    return "" if args.fold is None else f"fold{args.fold}"


def _folders(features, args):
    if tables.FEATURE in features:
        raise CallError("statistics are no pictures; train on them with: python mlp_model.py")
    return {feature: inputs.feature_folder(_images_path(args), feature) for feature in features}


def _source(folders, native, image_size, alike):
    shapes = {f: (image_size[0] or shape[0], image_size[1] or shape[1], shape[2]) for f, shape in native.items()}
    return Source(folders, image_size, shapes, alike)


def _source_of(base, settings, args):
    """The source that a finished run's input was trained on, from its settings.

    Raises:
        CallError: the pictures that are there now are of another recipe, or not all grey or all colour as they were.
    """
    if settings["feature"] == tables.FEATURE:
        return tables.of_split(_images_path(args), settings["columns"])
    if settings["feature"] in metadata.FIELDS:
        folder, *_ = _folders(base.pictured[0]["recipes"], args).values()
        return metadata.Names(settings["feature"], folder, settings["vocabulary"])
    folders = _folders(settings["recipes"], args)
    bins, frames, channels = settings["input_shape"]
    for feature, folder in folders.items():
        then, now = settings["recipes"][feature], json.loads(json.dumps(_as_dict(index.read_recipe(folder))))
        if then != now:
            raise CallError(
                f"{base.folder} was trained on another recipe than that of {folder} ({_difference(then, now)}); "
                "train it on these pictures, or name its own with --images_path"
            )
    native = {feature: (bins, frames, inputs.first_shape(folder)[2]) for feature, folder in folders.items()}
    if channels != sum(shape[2] for shape in native.values()):
        raise CallError(f"{base.folder} was trained on pictures of {channels} channels; those in {folder} are others")
    return _source(folders, native, images.parse_size(settings["image_size"]), dict.fromkeys(folders))


def _as_dict(recipe):
    return recipe and dataclasses.asdict(recipe)


def _pieces(folder):
    recipe = index.read_recipe(folder)
    return recipe and (recipe.seconds, recipe.overlap)


def _same(of_feature, what):
    """The value that all features share. Raises: DataError: they differ."""
    (first, value), *others = of_feature.items()
    for feature, other in others:
        if other != value:
            raise DataError(f"the {what} of {first} and {feature} differ, {value} and {other}; make both in one call")
    return value


def _rows(sources):
    folders = dict.fromkeys(folder for source in sources for folder in source.folders.values())
    return [(f, row) for f in folders for subset in index.SUBSETS for row in index.subset_rows(f, subset)]


def weights_hash(folder):
    """A short hash of a run's network. Raises: DataError: it has none."""
    try:
        return files.sha256(folder / runs.MODEL)[:16]
    except OSError as error:
        raise DataError(f"{folder / runs.MODEL} cannot be read ({error.strerror}); train the run again") from None


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


def warn_of_leaks(plan):
    """One line if the split puts apart what belongs together, by the index or by split_dataset.py --check."""
    pairs = set()
    for folder in plan.folders.values():
        rows = [row for of, row in plan.rows if of == folder]
        subset_of = {row.track: row.file.partition("/")[0] for row in rows}
        pairs |= {pair for found in splits.straddling(rows, subset_of).values() for pair in found}
        pairs |= {pair for pair in splits.read_near(folder.parent / splits.LEAKS) if pair[0] in subset_of}
    if pairs:
        first, second = min(pairs)
        print(
            f"warning: {len(pairs)} pairs of tracks in two subsets share an artist or audio, such as {first} and "
            f"{second}; the scores flatter (python split_dataset.py --check says more)"
        )


def warn_of_left_out(plan):
    """One line on what stands among pictures that somebody sorted into folders, and is none."""
    for folder in plan.folders.values():
        if found := index.left_out(folder):
            print(
                f"left out: {len(found)} files and folders in {folder} that are no pictures ({index.FORMATS}) right in "
                f"a class folder, such as {found[0]}"
            )


def warn_of_labels(plan, pictures):
    """A line on labels that do not count, and on those that a subset lacks. Args: pictures: {subset: Pictures}."""
    several = len({row.track for part in pictures.values() for row in part.rows if len(row.labels) > 1})
    if several and not plan.multi_label:
        print(
            f"warning: {several} tracks have several genres; only the first of each counts here, all with --multi_label"
        )
    classes = set(plan.settings["classes"])
    for subset, part in pictures.items():
        labels = {label for row in part.rows for label in (row.labels if plan.multi_label else row.labels[:1])}
        if missing := sorted(classes - labels):
            print(f"warning: {subset} has no pictures of {', '.join(missing)}")
        if plan.multi_label and not plan.args.tags and (unknown := sorted(labels - classes)):
            print(f"warning: {subset} has {', '.join(unknown)}, which train lacks; left out")


def warn_of_another_split(plan, source):
    """One line if a run that layers start from may have learned what is judged here. Args: source: a Run."""
    ours, held_out = {row.track for _, row in plan.rows}, set()
    judged = {row.track for _, row in plan.rows if not row.file.startswith("train/")}
    path = source.folder / "predictions.csv"
    with contextlib.suppress(FileNotFoundError, DataError), files.read_csv(path) as rows:
        held_out = {row.get("track") for row in rows}
    if ours & held_out and (others := judged - held_out):
        print(
            f"warning: {source.folder} did not hold out {len(others)} of the {len(judged)} validation and test tracks, "
            f"such as {min(others)}; if it was trained on them, the scores flatter"
        )


def finished(settings, target):
    """Whether `target` is a finished run of these very settings.

    Raises:
        CallError: it is a run of other settings, or holds other things.
    """
    if (target / runs.RUN).is_file():
        refuse_other(settings, runs.read(target).info, target)
        return True
    if any(path.is_file() and path.name != evaluation.SUMMARY for path in target.glob("[!.]*")):
        raise CallError(
            f"{target} holds files but no {runs.RUN}; move them away, or add --overwrite to write among them"
        )
    return False


def refuse_other(wanted, there, where):
    """Raise if two settings differ, naming both sides."""
    if shown := _difference({key: there.get(key) for key in wanted}, wanted):
        raise CallError(f"{where} has other settings ({shown}); --overwrite replaces it, --run_name=NAME keeps both")


def _difference(there, now):
    """The first of the settings that differ, in words; '' if none does."""
    flat, other = _flat(now or {"recipe": None}), _flat(there or {"recipe": None})
    changed = [key for key in flat.keys() | other.keys() if flat.get(key) != other.get(key)]
    return ", ".join(f"{key[-1]} {other.get(key)} there, {flat.get(key)} now" for key in sorted(changed)[:4])


def _flat(settings, path=()):
    """{("training", "epochs"): 30} of {"training": {"epochs": 30}}; of a list of dicts its numbers are in the path"""
    flat = {}
    for key, value in settings.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(number): part for number, part in enumerate(value)}
        flat |= _flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return flat
