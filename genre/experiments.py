"""An experiment file: systems, features, splits and seeds to train, and the published figures to put beside them."""

import collections
import dataclasses
import itertools
import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path

from genre import comparison, files, index, inputs, metadata, runs, splits, tables
from genre.command_line import CallError, DataError, first_line

ROOT = Path(__file__).parent.parent  # of the scripts
GIVEN, RANDOM = "given", "random"  # the split of images/; its tracks shared out anew, artists or not
AT_RANDOM = "at random, artists and copies torn apart"
SUBSETS = ("validation", "test")  # that figures are published of
FIGURE = r"\d+(\.\d+)?"  # how a published one begins
WITHOUT_PICTURES = ("ensemble.py",)  # scripts that take no --images_path and no --fold
KEYS = {"title": str, "about": str, "source": str, "data": str, "prepare": list, "seeds": list}
KEYS |= {"folds": int, "training": str, "splits": dict}
SYSTEM_KEYS = {"command": str, "features": list, "training": str, "smoke": str, "published": dict, "note": str}
SMOKE, RESUME, OVERWRITE = "--epochs=1", "--resume", "--overwrite"


@dataclasses.dataclass(frozen=True)
class System:
    """What an experiment trains: a command, for each of its features.

    In `command`, {feature} is the feature, {Name} the finished run of another system of the same feature, split and
    seed, {Name/mel} that of its feature mel. `published` is {subset: {feature: what was published, in %}}.
    """

    name: str
    command: str
    features: tuple = ("",)
    training: str = ""  # options; those of the command count more
    smoke: str = ""  # options of a smoke run, beside SMOKE where there is anything to train
    published: dict = dataclasses.field(default_factory=dict)
    note: str = ""

    @property
    def slug(self):
        """Its name as that of a folder."""
        return re.sub(r"\W+", "_", self.name.lower()).strip("_")

    @property
    def script(self):
        return shlex.split(self.command)[0]

    @property
    def bases(self):
        """The names of the systems whose runs it builds on."""
        return set(re.findall(r"{([^{}/]+)", self.command)) - {"feature"}

    @property
    def whole_command(self):
        """Its command with its training options."""
        script, *own = self.command.split(maxsplit=1)
        return " ".join([script, self.training, *own])

    def of(self, feature):
        """Its name in a table."""
        return f"{self.name}, {feature}" if len(self.features) > 1 else self.name


@dataclasses.dataclass(frozen=True)
class Experiment:
    """An experiment file. `splits` is {GIVEN or RANDOM: in words}, `prepare` the commands that make its pictures.

    They are in `data`/images: what differs in data set or settings has a folder of its own.

    It trains once for each of its seeds or, with the first of them, for each of its `folds` if these are not 0.
    """

    name: str
    title: str
    systems: list
    about: str = ""
    source: str = ""
    data: str = "data"
    prepare: tuple = ()
    seeds: tuple = (0,)
    folds: int = 0
    splits: dict = dataclasses.field(default_factory=lambda: {GIVEN: ""})

    @property
    def each(self):
        """What each run of a system is of, in words."""
        return "fold" if self.folds else "seed"

    @property
    def features(self):
        """The features of which it takes pictures, sorted."""
        of_systems = [feature for system in self.systems for feature in system.features]
        return sorted({one for feature in of_systems for one in feature.split("+") if one} - {*metadata.FIELDS})

    def smoke(self):
        """The same with one seed, one split, one feature of each system and one epoch: whether all of it works."""
        needed = {(n, f) for system in self.systems for n, f in re.findall(r"{([^{}/]+)/([^{}]+)}", system.command)}
        short = []
        for system in self.systems:
            features = tuple(f for n, f in enumerate(system.features) if n == 0 or (system.name, f) in needed)
            command = f"{system.command} {SMOKE if system.training else ''} {system.smoke}"
            short.append(dataclasses.replace(system, features=features, command=command))
        name = f"{self.name}_smoke"
        last = list(self.splits)[-1]
        once = {"seeds": self.seeds[:1], "folds": min(1, self.folds), "splits": {last: self.splits[last]}}
        return dataclasses.replace(self, name=name, title=f"{self.title}: smoke", systems=short, **once)

    def only(self, systems):
        """The same with those systems and what they build on. Raises: CallError: it has no such system."""
        there = {system.name: system for system in self.systems}
        if unknown := [name for name in systems if name not in there]:
            raise CallError(f"{self.name} has no system {unknown[0]!r}; it has: {', '.join(there)}")
        kept, waiting = set(), list(systems)
        while waiting:
            kept.add(name := waiting.pop())
            waiting += there[name].bases - kept
        return dataclasses.replace(self, systems=[system for system in self.systems if system.name in kept])


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of an experiment: a system, trained on a feature of a split with a seed, below a folder of runs."""

    system: System
    feature: str
    split: str
    seed: int
    fold: str  # folder of its fold, "" where it has none
    models: Path
    command: tuple  # without `python`

    @property
    def target(self):
        """The folder of its run, of a script that trains on a feature."""
        return self.models / Path(self.system.script).stem / self.feature / f"seed{self.seed}" / self.fold

    def run(self):
        """The folder of its finished run, None where there is none."""
        there = runs.below(self.models) if self.models.is_dir() else []
        fold = "" if self.fold == self.models.name else self.fold  # of a script that takes no --fold
        own = {Path(self.system.script).stem, f"seed{self.seed}", self.feature, fold} - {""}
        found = [folder for folder in there if own <= set(folder.relative_to(self.models).parts)]
        return next(filter(self._made, found), found[0] if found else None)

    def _made(self, folder):
        """Whether a run was made by this very command."""
        try:
            command = runs.read(folder).info.get("command", "")
        except DataError:
            return False
        return set(shlex.split(command)) - {"python", RESUME, OVERWRITE} == set(self.command)

    def judged(self):
        """Its finished run, `comparison.Judged`, None where there is none. Raises: DataError: it is damaged."""
        folder = self.run()
        return folder and comparison.read(folder)

    @property
    def is_damaged(self):
        try:
            self.judged()
        except DataError:
            return True
        return False

    @property
    def unfinished(self):
        """Whether a training of it was stopped after its first epoch."""
        last = f"seed{self.seed}/.{self.fold}" if self.fold else f".seed{self.seed}"
        return any(self.models.glob(f"*/{self.feature or '*'}/{last}.unfinished/{comparison.HISTORY}"))

    def is_done(self, images_path):
        """Whether its run was made by this very command of the pictures that are in `images_path` now.

        Only its script can tell where the command builds on other runs: then False.
        """
        try:
            judged = None if self.system.bases else self.judged()
        except DataError:
            return False
        if not judged or not self._made(judged.run.folder):
            return False
        info = judged.run.info
        recipes = {feature: recipe for of in info["inputs"] for feature, recipe in of["recipes"].items()}
        taken = {images_path / self.fold / feature: recipe for feature, recipe in recipes.items()}
        if any(_recipe(folder) != recipe for folder, recipe in taken.items()):
            return False
        rows = [(folder, row) for folder in taken for s in index.SUBSETS for row in index.subset_rows(folder, s)]
        return index.fingerprint(rows) == info["index_fingerprint"]


def _recipe(folder):
    """What a folder's recipe.json holds, None where there is none or it is damaged."""
    try:
        return json.loads((folder / index.RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read(path):
    """The experiment in a TOML file.

    Raises:
        CallError: there is none. DataError: it is damaged, or names what there is not; the message names the key.
    """
    path = Path(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(str(p) for p in sorted(path.parent.glob("*.toml"))) or "none beside it"
        raise CallError(f"no experiment {path}; there are: {there}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is no TOML: {first_line(error)}") from None
    systems = found.pop("systems", [])
    _check(found, KEYS, ("title",), path)
    if not isinstance(systems, list) or not systems or not all(isinstance(system, dict) for system in systems):
        raise DataError(f"{path} has no [[systems]]")
    if not all(isinstance(command, str) for command in found.get("prepare", ())):
        raise DataError(f"{path}: prepare should be commands, such as ['python split_dataset.py']")
    if found.get("folds", 0) < 0 or found.get("splits") == {}:
        raise DataError(f"{path}: folds should be 0 or more, and splits name {GIVEN}, {RANDOM} or both")
    if unknown := set(found.get("splits", {})) - {GIVEN, RANDOM}:
        raise DataError(f"{path}: splits.{min(unknown)} is unknown; expected {GIVEN} or {RANDOM}")
    if not all(isinstance(seed, int) for seed in found.get("seeds", ())) or found.get("seeds") == []:
        raise DataError(f"{path}: seeds should be whole numbers, at least one")
    if found.get("folds") and (len(found.get("seeds", ())) > 1 or RANDOM in found.get("splits", {})):
        raise DataError(f"{path}: folds are with one seed, and of the given split alone")
    training = found.pop("training", "")
    experiment = Experiment(path.stem, systems=[_system(system, training, path) for system in systems], **found)
    if RANDOM in experiment.splits and tables.FEATURE in experiment.features:
        raise DataError(f"{path}: splits.{RANDOM} is of pictures alone; leave it out, or the statistics")
    for name, count in collections.Counter(system.slug for system in experiment.systems).items():
        if count > 1:
            raise DataError(f"{path}: {count} systems are called {name!r}")
    jobs(experiment, Path(), dict.fromkeys(experiment.splits, Path()))  # whether every reference has its run
    return experiment


def _system(found, training, path):
    _check(found, {"name": str} | SYSTEM_KEYS, ("name", "command"), path)
    where = f"{path}, {found['name']}"
    if set(found["name"]) & set(",/{}"):
        raise DataError(f"{where}: a name should be without , / {{ and }}")
    if not all(isinstance(feature, str) for feature in found.get("features", ())):
        raise DataError(f"{where}: features should be names, such as ['mel']")
    system = System(**{"training": training} | found | {"features": tuple(found.get("features", ("",)))})
    try:
        script = shlex.split(f"{system.command} {system.smoke}")[0]
        shlex.split(system.whole_command)
    except (ValueError, IndexError) as error:
        raise DataError(f"{where}: command, training and smoke are no command ({error})") from None
    if not (ROOT / script).is_file():
        raise DataError(f"{where}: there is no script {script}")
    if not system.features:
        raise DataError(f"{where}: features is empty; leave it out where the command names them")
    published = {
        subset: figures if isinstance(figures, dict) else {"": figures} for subset, figures in system.published.items()
    }
    if unknown := set(published) - set(SUBSETS):
        raise DataError(f"{where}: published.{min(unknown)} is unknown; expected {' or '.join(SUBSETS)}")
    if foreign := [feature for of in published.values() for feature in of if feature not in system.features]:
        raise DataError(f"{where}: published names {foreign[0]!r}, which is not among its features")
    for figure in (figure for of in published.values() for figure in of.values()):
        if not re.match(FIGURE, str(figure)):
            raise DataError(f"{where}: published has {figure!r}; expected a number in %, such as 45.5 or '45.5 +- 0.4'")
    return dataclasses.replace(system, published=published)


def _check(found, kinds, needed, path):
    where = f"{path}, {found['name']}" if "name" in found else path
    if missing := [key for key in needed if key not in found]:
        raise DataError(f"{where} lacks {missing[0]}")
    for key, value in found.items():
        if key not in kinds:
            raise DataError(f"{where}: {key} is unknown; expected some of {', '.join(kinds)}")
        if not isinstance(value, kinds[key]):
            raise DataError(f"{where}: {key} should be a {kinds[key].__name__}")


def jobs(experiment, folder, images_of):
    """All runs of an experiment, in the order to train them: all systems with the first seed, then with the next.

    Args:
        folder: of the experiment's runs. images_of: {split: its images/}.

    Returns:
        list of Job

    Raises:
        DataError: a command refers to a system that is not before it, or that lacks the feature.
    """
    found = []
    folds = [f"fold{number}" for number in range(experiment.folds)] or [""]
    for seed, fold, split in itertools.product(experiment.seeds, folds, experiment.splits):
        before = {}
        for system in experiment.systems:
            for feature in system.features:
                job = _job(system, feature, split, seed, fold, folder / split, images_of[split], before)
                before[system.name, feature] = job
        found += before.values()
    return found


def _job(system, feature, split, seed, fold, folder, images_path, before):
    def fill(match):
        name, _, other = match[1].partition("/")
        if name == "feature":
            return feature
        if not (base := before.get((name, other or feature))) or not base.feature:
            raise DataError(f"{system.name}: {match[0]} is no system before it of the feature {other or feature!r}")
        return shlex.quote(base.target.as_posix())

    models = folder / system.slug
    own = shlex.split(re.sub(r"{([^{}]+)}", fill, system.whole_command))
    if system.script in WITHOUT_PICTURES:
        data, models = [], models / fold
    else:
        data = [f"--images_path={images_path.as_posix()}"] + ([fold.replace("fold", "--fold=")] if fold else [])
    common = [f"--seed={seed}", *data, f"--models={models.as_posix()}", f"--run_name=seed{seed}"]
    return Job(system, feature, split, seed, fold, models, (*own, *common))


def share_out_anew(images_path, features, target):
    """The pictures of a split, its tracks shared out at random: every subset keeps its number of tracks of each genre.

    Artists and copies of one recording may be torn apart, as in the random splits of many papers.

    Args:
        features: of which pictures are taken. target: a folder as `images_path`, replaced.

    Raises:
        DataError: a track is in two subsets, or of other subsets in another feature.
    """
    rows_of, found = {}, {}
    for feature in features:
        folder = inputs.feature_folder(images_path, feature)
        rows_of[feature] = [(s, row) for s in index.SUBSETS for row in index.subset_rows(folder, s)]
        for subset, row in rows_of[feature]:
            if found.setdefault(row.track, (subset, row.labels[0])) != (subset, row.labels[0]):
                raise DataError(f"{images_path} has {row.track} in two subsets or genres; split it again")
    subset_of = splits.at_random(found, seed=0)
    with files.only_writer(target), files.whole_folder(target) as folder:
        for feature, rows in rows_of.items():
            _share_out(images_path / feature, rows, subset_of, folder / feature)


def _share_out(folder, rows, subset_of, target):
    placed = []
    for _, row in rows:
        subset = subset_of[row.track]
        if row.variant and subset != "train":
            continue
        file = "/".join((subset, *row.file.split("/")[1:]))
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        files.link(folder / row.file, target / file)
        placed.append(dataclasses.replace(row, file=file, subset=subset))
    index.write_dataset(target, index.read_dataset(folder) | {"split": AT_RANDOM})
    if (folder / index.INDEX).is_file():
        index.write(target, placed)
    if (folder / index.RECIPE).is_file():
        shutil.copyfile(folder / index.RECIPE, target / index.RECIPE)


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """A row of an experiment's table: a system on a feature. `of_split` is {split: comparison.Row of its seeds}."""

    system: System
    feature: str
    of_split: dict
    why: str  # it has fewer runs than it should, "" where it has all

    @property
    def name(self):
        return self.system.of(self.feature)

    def published(self, subset):
        """In words, "" where nothing confirmed was."""
        return str(self.system.published.get(subset, {}).get(self.feature, ""))

    @property
    def gap(self):
        """What the random split gives more than the given one; None where one of them is missing."""
        means = [self.of_split[s].mean("validation", self.metric) for s in (GIVEN, RANDOM) if s in self.of_split]
        return None if len(means) < 2 or None in means else means[1] - means[0]

    @property
    def runs(self):
        return [judged for row in self.of_split.values() for judged in row.repeats]

    @property
    def metric(self):
        return comparison.RANKED_BY[bool(self.runs) and self.runs[0].multi_label]


def results(experiment, all_jobs, failed):
    """What the finished runs of an experiment say.

    Args:
        all_jobs: list of Job. failed: {command of a Job: why}, in words.

    Returns:
        list of Result, in the order of the file
    """
    of, judged_of, failed = collections.defaultdict(list), {}, dict(failed)
    for job in all_jobs:
        of[job.system.name, job.feature].append(job)
        try:
            if (judged := job.judged()) and job.command not in failed:
                judged_of[job.command] = judged
        except DataError as error:
            failed.setdefault(job.command, str(error))
    found = []
    for (name, feature), own in of.items():
        of_split = {}
        for split in experiment.splits:
            judged = [judged_of[job.command] for job in own if job.split == split and job.command in judged_of]
            of_split[split] = comparison.Row(name, judged, [one.scores for one in judged])
        missing = sum(job.command not in judged_of for job in own)
        why = "; ".join(dict.fromkeys(failed[job.command] for job in own if job.command in failed))
        why = why or (f"{missing} of {len(own)} runs are missing" if missing else "")
        found.append(Result(own[0].system, feature, of_split, why))
    return found


def table(experiment, found):
    """The lines of a table for people, the first of them the names of the columns. Args: found: list of Result."""
    published = [s for s in SUBSETS if any(result.published(s) for result in found)]
    tested = has_test(found)
    metric = metric_of(found)
    scale = 100 if comparison.WORDS[metric].endswith("%") else 1
    own = [(split, subset) for split in experiment.splits for subset in SUBSETS[: 1 + tested]]
    several = len(experiment.splits) > 1
    heads = [f"{subset}, {split}" if several else subset for split, subset in own]
    lines = [
        ["system", f"{experiment.each}s", "parameters", "s a run", *(f"published, {s}" for s in published), *heads]
    ]
    lines[0] += ["gap"] * several
    for result in found:
        first = next(iter(result.of_split.values()))
        seeds = "/".join(str(len(row.repeats)) for row in result.of_split.values())
        cells = [
            result.name,
            seeds,
            comparison.whole(first.info("parameters")),
            comparison.whole(first.info("seconds")),
        ]
        cells += [result.published(s) for s in published]
        cells += [comparison.cell(result.of_split[split], subset, metric, True) for split, subset in own]
        lines.append(cells + (["-" if result.gap is None else f"{result.gap * scale:+.1f}"] if several else []))
    baselines = {split: baseline(found, split) for split in experiment.splits}
    if any(baselines.values()):
        name = next(row.name for row in baselines.values() if row)
        cells = [comparison.cell(baselines[s], subset, metric, False) if baselines[s] else "-" for s, subset in own]
        lines.append([name, "", "-", "-", *("" for _ in published), *cells, *([""] * several)])
    return lines


def metric_of(found):
    """The name of the metric that an experiment is judged by. Args: found: list of Result."""
    return next((result.metric for result in found if result.runs), "accuracy")


def has_test(found):
    """Whether any run was judged on test tracks, too. Args: found: list of Result."""
    return any("test" in judged.scores for result in found for judged in result.runs)


def baseline(found, split):
    """What needs no training on a split, comparison.Row; None without a run. Args: found: list of Result."""
    of_data = collections.defaultdict(list)  # in folds the runs are judged on other tracks in each
    for one in (one for result in found for one in result.of_split[split].repeats):
        of_data[one.data].append(one)
    rows = [comparison.baseline(judged) for judged in of_data.values()]
    return comparison.Row(rows[0].name, [], [of for row in rows for of in row.scores]) if rows else None


def notes(experiment, found):
    """What a reader of the table must know, a line each."""
    metric = metric_of(found)
    lines = [f"Scores: {comparison.WORDS[metric]}, with its 95 % interval over tracks."]
    lines += [f"{split}: {words}." for split, words in experiment.splits.items() if words]
    lines += [f"Published: {experiment.source}"] if experiment.source else []
    for split in experiment.splits:
        judged = [one for result in found for one in result.of_split[split].repeats]
        if len({one.data for one in judged}) > 1 and not experiment.folds:
            lines.append(f"WARNING: not all runs of the {split} split were judged on the same tracks; do not compare.")
        if judged:
            counts = " and ".join(f"{len(one)} {subset}" for subset, one in judged[0].said.items())
            part = "first fold" if experiment.folds else f"{split} split"
            lines.append(f"Of the {part}: {counts} tracks, {len(judged[0].run.classes)} classes.")
    if any(len(row.repeats) > 1 for result in found for row in result.of_split.values()):
        lines.append(comparison.OF_SEVERAL[experiment.each])
    if any(judged.run.info.get("best_epoch") for result in found for judged in result.runs):
        lines.append("The epoch is chosen on the validation tracks, so that their scores flatter a little.")
    return lines + [f"{result.name}: {text}" for result in found for text in (result.system.note, result.why) if text]


def numbers(experiment, found):
    """The lines of a CSV table in full precision: a line for each run and each of its subsets."""
    lines = [["system", "feature", "split", "seed", "subset", "published", "score", "low", "high", "tracks"]]
    lines[0] += ["parameters", "seconds", "command"]
    for result in found:
        for split, row in result.of_split.items():
            for judged in row.repeats:
                info = judged.run.info
                for subset, scores in judged.scores.items():
                    lines.append(
                        [
                            result.system.name,
                            result.feature,
                            split,
                            info.get("seed", ""),
                            subset,
                            result.published(subset),
                            scores[result.metric],
                            *(scores["interval"] or ("", "")),
                            scores["tracks"],
                            info.get("parameters", ""),
                            info.get("seconds", ""),
                            info.get("command", ""),
                        ]
                    )
    return lines
