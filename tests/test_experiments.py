"""run_experiments.py and its files: each is run on tiny pictures, once, by the commands that it names."""

import csv
import dataclasses
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import run_experiments
from genre import comparison_plots, experiments, index, options
from genre.command_line import BAD_DATA, CallError, DataError, parameters
from genre.recipe import Recipe
from genre.runs import RUN

import numpy as np
import pytest
from conftest import (
    ARCHITECTURES,
    ON_PICTURES,
    ON_RUNS,
    ROOT,
    call,
    in_process,
    main_keywords,
    one_line_error,
    run_here,
    write_pictures,
    write_statistics,
)
from PIL import Image

pytestmark = pytest.mark.filterwarnings("ignore:Even though")  # tf.data makes graphs even where `eager` is asked for
FILES = sorted((ROOT / "experiments").glob("*.toml"))
SYSTEM = '[[systems]]\nname = "Time"\ncommand = "time_model.py --features={feature}"\nfeatures = ["mel"]\n'
COUNTS = (("train", 3), ("validation", 2))
SHORT = 'training = "--epochs=1"\n'


@pytest.fixture(autouse=True)
def commands(monkeypatch, eager):
    """The commands that were run, which run in this process, as most take longer to start than to run."""
    ran = []

    def run(command):
        ran.append(command)
        done = run_here(command[0], command[1:], None)
        return done.stderr.strip().splitlines()[-1] if done.returncode else ""

    monkeypatch.setattr(run_experiments, "call", run)
    return ran


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """images/ with tiny pictures of every feature that an experiment names, and with statistics; and its fold0/."""
    folder = tmp_path_factory.mktemp("data") / "images"
    write_statistics(folder.with_name("statistics"), classes=("a", "b"), tracks=12)
    call("split_dataset.py", f"--statistics_path={folder.with_name('statistics')}", f"--images_path={folder}")
    found = [experiments.read(path) for path in FILES]
    for feature in sorted({one for experiment in found for one in experiment.features}):
        write_pictures(folder / feature, counts=COUNTS, shape=(16, 24))
        write_pictures(folder / "fold0" / feature, counts=COUNTS, shape=(16, 24))
    return folder


@pytest.fixture
def write(tmp_path):
    """Write an experiment file of some text. Returns its path."""

    def write(text, name="mine"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def run(monkeypatch, path, images, models, *options):
    return in_process(monkeypatch, run_experiments, path, f"--images_path={images}", f"--models={models}", *options)


def table(folder):
    """{system: {column: cell}} of a results.md."""
    lines = [line for line in (folder / "results.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def first_of_each_script(experiment):
    """The names of the first system of each script, and of those that these refer to."""
    first = {system.script: system for system in reversed(experiment.systems)}.values()
    needed = set(re.findall(r"{([^{}/]+)", " ".join(system.command for system in first)))
    return [system.name for system in experiment.systems if system in first or system.name in needed]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_experiment_runs_and_states_what_was_published(path, images, tmp_path, monkeypatch):
    chosen = first_of_each_script(experiments.read(path))
    assert run(monkeypatch, path, images, tmp_path, "--smoke", f"--systems={','.join(chosen)}") is None
    experiment = experiments.read(path).only(chosen).smoke()
    folder = tmp_path / "experiments" / f"{path.stem}_smoke"
    rows = table(folder)
    every = [(system, feature) for system in experiment.systems for feature in system.features]
    assert list(rows) == [*(system.of(feature) for system, feature in every), "always the largest class"]
    for system, feature in every:
        row = rows[system.of(feature)]
        for subset, of in system.published.items():
            assert row.get(f"published, {subset}", "") == str(of.get(feature, ""))
        for split in experiment.splits:
            head = f"validation, {split}" if len(experiment.splits) > 1 else "validation"
            assert re.match(r"[\d.]+ \([\d.]+ to [\d.]+\)$", row[head]), row
    assert (folder / "results.png").stat().st_size > 5000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_command_of_an_experiment_is_one_that_its_script_takes(path, monkeypatch):
    experiment, built = experiments.read(path), set()
    for job in experiments.jobs(experiment, Path("m"), dict.fromkeys(experiment.splits, Path("i")))[
        : len(experiment.systems)
    ]:
        module = importlib.import_module(Path(job.command[0]).stem)
        monkeypatch.setattr(sys, "argv", list(job.command))
        if module.__name__ not in ARCHITECTURES:
            module._parser().parse_args()
            continue
        args = options.parser_of(module.build_model, main_keywords(module.__name__)).parse_args()
        if module.__name__ not in ON_RUNS:
            shape = (32, 96, 1) if module.__name__ in ON_PICTURES else (140,)
            hyperparameters = {name: getattr(args, name) for name in parameters(module.build_model)}
            hyperparameters |= {"weights": "none"} if "weights" in hyperparameters else {}
            if (network := (module.__name__, repr(hyperparameters))) not in built:
                built.add(network)
                assert module.build_model(shape, 8, **hyperparameters).output_shape == (None, 8)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_experiment_says_of_its_pictures_are_commands_that_there_are(path):
    experiment = experiments.read(path)
    assert experiment.prepare
    for command in experiment.prepare:
        python, script, *options = shlex.split(command)
        there = set(re.findall(r"--\w+", call(script, "--help").stdout))
        assert python == "python"
        assert {option.partition("=")[0] for option in options} <= there, command
    asked = ",".join(
        option.partition("=")[2] for c in experiment.prepare for option in c.split() if "--features" in option
    )
    assert set(experiment.features) <= set(asked.split(","))


def test_the_pictures_of_an_experiment_are_where_its_commands_put_them():
    """Those of other data, or made otherwise, in another folder: or one experiment would train on another's."""
    of_folder = {}
    for experiment in map(experiments.read, FILES):
        for command in experiment.prepare:
            given = dict(option.partition("=")[::2] for option in shlex.split(command)[2:])
            assert given.get("--data", "data") == experiment.data, (experiment.name, command)
            for feature in filter(None, given.get("--features", "").split(",")):
                other = ("--features",) if feature == "mfcc" else ("--features", "--n_mfcc")
                settings = {name: value for name, value in given.items() if name not in other}
                assert of_folder.setdefault((experiment.data, feature), settings) == settings, experiment.name


def test_an_experiment_takes_the_pictures_of_its_own_folder_unless_another_is_given(tmp_path, monkeypatch):
    path = ROOT / "experiments" / "fma_bbnn.toml"
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data" / "images" / "cqt", counts=COUNTS, shape=(16, 24))  # GTZAN's, say
    for option, folder in (((), "data/fma_cnn/images"), (("--data=other",), "other/images")):
        with pytest.raises(
            CallError, match=f"^{re.escape(str(Path(folder)))} has no pictures of cqt; make them .*--data=data/fma_cnn"
        ):
            in_process(monkeypatch, run_experiments, path, *option)


def test_the_options_of_a_system_count_more_than_those_of_all_and_those_of_a_smoke_run_most(write):
    own = SYSTEM.replace("{feature}", "{feature} --epochs=7 --batch_size=2")
    path = write(f'title = "t"\ntraining = "--epochs=9 --mixup=0.3"\n{own}smoke = "--batch_size=4"\n')
    for experiment, epochs, batch_size in (
        (experiments.read(path), 7, 2),
        (experiments.read(path).smoke(), 1, 4),
    ):
        (job,) = experiments.jobs(experiment, Path("m"), dict.fromkeys(experiment.splits, Path("i")))
        module = importlib.import_module("time_model")
        args = options.parser_of(module.build_model, main_keywords("time_model")).parse_args(job.command[1:])
        assert (args.epochs, args.batch_size, args.mixup) == (epochs, batch_size, 0.3)


def test_every_table_of_the_earlier_projects_has_a_file():
    needed = "cbmi_2016 fma_bbnn fma_blocks fma_classifiers fma_cnn fma_crnn fma_crnn_1d fma_residual_crnn gtzan_bbnn"
    assert {path.stem for path in FILES} >= {*needed.split(), "gtzan_pictures", "jamendo_cnn_rnn"}


def test_a_finished_run_is_kept_until_its_pictures_or_its_command_change(write, tmp_path, monkeypatch, commands):
    path = write(f'title = "t"\nseeds = [3, 4]\n{SHORT}{SYSTEM}')
    data = tmp_path / "images"
    write_pictures(data / "mel")
    run(monkeypatch, path, data, tmp_path)
    assert [[o for o in command if o.startswith("--seed")] for command in commands] == [["--seed=3"], ["--seed=4"]]
    commands.clear()
    run(monkeypatch, path, data, tmp_path)
    assert commands == []
    rows = list(csv.DictReader((tmp_path / "experiments" / "mine" / "results.csv").open(encoding="utf-8")))
    assert [(row["seed"], row["system"], row["subset"]) for row in rows] == [(s, "Time", "validation") for s in "34"]
    assert table(tmp_path / "experiments" / "mine")["Time"]["seeds"] == "2"
    (data / "mel" / "train" / "a" / "train0.png").unlink()
    with pytest.raises(DataError, match="no run of mine was finished; .*index_fingerprint.*--overwrite replaces it"):
        run(monkeypatch, path, data, tmp_path)
    assert len(commands) == 2
    assert run(monkeypatch, path, data, tmp_path, "--overwrite") is None
    assert [command[-1] for command in commands[2:]] == ["--overwrite"] * 2
    assert run(monkeypatch, path, data, tmp_path) is None
    assert len(commands) == 4


def test_overwrite_trains_nothing_anew_that_is_as_it_was(write, tmp_path, monkeypatch, commands, images):
    copy = SYSTEM.replace("Time", "Copy").replace('{feature}"', '{feature} --init_from={Time}"')
    path = write(f'title = "t"\n{SHORT}{SYSTEM}{copy}')
    run(monkeypatch, path, images, tmp_path)
    (run_file,) = tmp_path.glob(f"experiments/mine/given/copy/*/mel/*/{RUN}")
    before = run_file.stat().st_mtime_ns
    run(monkeypatch, path, images, tmp_path, "--overwrite")
    assert [command[-1] for command in commands] == [
        "--run_name=seed0"
    ] * 3  # only the script knows that it is as it was
    assert run_file.stat().st_mtime_ns == before


def test_a_system_of_another_script_has_the_numbers_of_its_own_run(write, tmp_path, monkeypatch, images):
    run(monkeypatch, write(f'title = "t"\n{SHORT}{SYSTEM}'), images, tmp_path)
    path = write(f'title = "t"\n{SHORT}{SYSTEM.replace("time_model", "residual_crnn_model")}')
    run(monkeypatch, path, images, tmp_path)
    (row,) = csv.DictReader((tmp_path / "experiments" / "mine" / "results.csv").open(encoding="utf-8"))
    assert row["command"].startswith("python residual_crnn_model.py")


@pytest.mark.parametrize("name", [RUN, "predictions.csv"])
def test_a_damaged_run_is_named_in_the_table_and_trained_anew_when_asked(write, tmp_path, monkeypatch, images, name):
    path = write(f'title = "t"\n{SHORT}{SYSTEM}{SYSTEM.replace("Time", "Other")}')
    run(monkeypatch, path, images, tmp_path)
    (damaged,) = tmp_path.glob(f"experiments/mine/given/time/*/mel/seed0/{name}")
    damaged.write_text("{")
    assert run(monkeypatch, path, images, tmp_path) == BAD_DATA
    found = table(tmp_path / "experiments" / "mine")
    assert found["Time"]["seeds"] == "0" and found["Other"]["seeds"] == "1"
    assert "is damaged" in (tmp_path / "experiments" / "mine" / "results.md").read_text()
    assert run(monkeypatch, path, images, tmp_path, "--overwrite") is None
    assert table(tmp_path / "experiments" / "mine")["Time"]["seeds"] == "1"


def test_pictures_of_another_recipe_are_other_pictures(write, tmp_path, monkeypatch, commands):
    path, folder = write(f'title = "t"\n{SHORT}{SYSTEM}'), write_pictures(tmp_path / "images" / "mel")
    for n_mels in (128, 96):
        (folder / "recipe.json").write_text(Recipe.of("mel", n_mels=n_mels).to_json())
        assert run(monkeypatch, path, tmp_path / "images", tmp_path, *["--overwrite"] * (n_mels == 96)) is None
    assert [command[-1] for command in commands] == ["--run_name=seed0", "--overwrite"]


def test_what_a_system_builds_on_is_trained_with_it(write):
    fusion = SYSTEM.replace("Time", "Fusion").replace("features={feature}", "run={Time}")
    again = SYSTEM.replace("Time", "Again").replace("features={feature}", "run={Fusion}")
    other = SYSTEM.replace("Time", "Other")
    found = experiments.read(write(f'title = "t"\n{SYSTEM}{other}{fusion}{again}'))
    assert [system.name for system in found.only(["Again"]).systems] == ["Time", "Fusion", "Again"]


def test_names_of_artists_need_no_pictures(write):
    assert experiments.read(write(f'title = "t"\n{SYSTEM.replace("mel", "mel+artist+album")}')).features == ["mel"]


def test_a_stopped_training_goes_on(write, tmp_path, monkeypatch, commands, images):
    path = write(f'title = "t"\n{SHORT}{SYSTEM}')
    unfinished = tmp_path / "experiments/mine/given/time/time_model/mel/.seed0.unfinished"
    unfinished.mkdir(parents=True)
    (job,) = experiments.jobs(experiments.read(path), tmp_path / "experiments" / "mine", {"given": images})
    assert not job.unfinished  # it has no epoch to go on from, and a script without epochs has no --resume
    (unfinished / "history.csv").write_text("epoch\n")
    run(monkeypatch, path, images, tmp_path)
    run(monkeypatch, path, images, tmp_path / "other")
    assert [command[-1] for command in commands] == ["--resume", "--run_name=seed0"]


def test_a_stopped_training_of_another_command_can_be_started_anew(write, tmp_path, monkeypatch, commands, images):
    unfinished = tmp_path / "experiments/mine/given/time/time_model/mel/.seed0.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "history.csv").write_text("epoch,loss,val_accuracy,val_loss\n1,1,1,1\n")
    (unfinished / "settings.json").write_text("{}")
    path = write(f'title = "t"\n{SHORT}{SYSTEM}')
    with pytest.raises(DataError, match="other settings .*--overwrite"):
        run(monkeypatch, path, images, tmp_path)
    assert run(monkeypatch, path, images, tmp_path, "--overwrite") is None
    assert commands[0][-1] == "--resume" and commands[1][-2:] == ["--resume", "--overwrite"]
    assert len(commands) == 2


def test_a_stopped_training_that_is_damaged_can_be_started_anew(write, tmp_path, monkeypatch, commands, images):
    path = write(f'title = "t"\n{SHORT}{SYSTEM}')
    run(monkeypatch, path, images, tmp_path)
    folder = tmp_path / "experiments/mine/given/time/time_model/mel"
    unfinished = folder / ".seed0.unfinished"
    unfinished.mkdir()
    (unfinished / "history.csv").write_text("epoch,loss,val_accuracy,val_loss\nx,1,1,1\n")
    shutil.rmtree(folder / "seed0")
    with pytest.raises(DataError, match="is damaged"):
        run(monkeypatch, path, images, tmp_path)
    assert run(monkeypatch, path, images, tmp_path, "--overwrite") is None
    assert (folder / "seed0" / "run.json").is_file()


def test_a_run_is_not_that_of_another_feature_whatever_the_folders_around_it_are_called(write, tmp_path):
    path = write(SYSTEM.replace("Time", "Mel").replace('["mel"]', '["stft", "mel"]'), "stft")
    path.write_text(f'title = "t"\n{path.read_text()}')
    stft, mel = experiments.jobs(experiments.read(path), tmp_path / "mel" / "seed0", {"given": Path("i")})
    stft.target.mkdir(parents=True)
    (stft.target / RUN).write_text("{}")
    assert stft.run() == stft.target and mel.run() is None


def test_the_baseline_of_folds_is_the_mean_of_theirs(write, tmp_path, monkeypatch):
    for number, counts in enumerate(([("train", 8), ("validation", 4)], [("train", 8), ("validation", 2)])):
        folder = write_pictures(tmp_path / "images" / f"fold{number}" / "mel", counts=counts)
        for i in range(number * 2):  # of 4 tracks in the first fold 2 are of one class, of 2 in the second 2
            (folder / "validation" / "b" / f"validation{i}.png").unlink()
    path = write(f'title = "t"\nfolds = 2\n{SHORT}{SYSTEM}')
    run(monkeypatch, path, tmp_path / "images", tmp_path)
    rows = table(tmp_path / "experiments" / "mine")
    assert rows["always the largest class"]["validation"] == "75.0 +- 35.4"


def test_a_system_that_fails_is_named_and_does_not_end_the_others(write, tmp_path, monkeypatch, images, capsys):
    bad = SYSTEM.replace("Time", "Bad").replace("{feature}", "{feature} --dropout=nonsense")
    path = write(f'title = "t"\n{SHORT}{bad}{SYSTEM}')
    assert run(monkeypatch, path, images, tmp_path) == 1
    rows = table(tmp_path / "experiments" / "mine")
    assert rows["Bad"]["validation"] == "-"
    assert rows["Time"]["validation"] != "-"
    assert re.search("Bad: .*nonsense", capsys.readouterr().out)


def test_a_command_refers_to_the_run_of_another_system_of_its_feature_split_and_seed(write, tmp_path):
    first = SYSTEM.replace('["mel"]', '["mel", "stft"]')
    second = '[[systems]]\nname = "B"\ncommand = "pca_hybrid_model.py --run={Time},{Time/stft}"\nfeatures = ["mel"]\n'
    path = write(f'title = "t"\nseeds = [0, 1]\n[splits]\nrandom = ""\n{first}{second}')
    found = experiments.read(path)
    *_, last = experiments.jobs(found, Path("m"), {"random": Path("i")})
    base = "m/random/time/time_model/{}/seed1"
    assert last.command[:2] == ("pca_hybrid_model.py", f"--run={base.format('mel')},{base.format('stft')}")
    assert last.command[2:] == ("--seed=1", "--images_path=i", "--models=m/random/b", "--run_name=seed1")


def test_a_folder_with_a_space_in_its_name_stays_whole_in_a_command(write):
    second = '[[systems]]\nname = "B"\ncommand = "pca_hybrid_model.py --run={Time},{Time}"\nfeatures = ["mel"]\n'
    found = experiments.read(write(f'title = "t"\n{SYSTEM}{second}'))
    *_, last = experiments.jobs(found, Path("my models"), {"given": Path("my images")})
    base = "my models/given/time/time_model/mel/seed0"
    assert last.command[1] == f"--run={base},{base}"
    assert "--images_path=my images" in last.command


def test_each_fold_is_trained_on(write):
    found = experiments.read(write(f'title = "t"\nfolds = 3\n{SYSTEM}'))
    jobs = experiments.jobs(found, Path("m"), {"given": Path("i")})
    assert [job.command[-3] for job in jobs] == ["--fold=0", "--fold=1", "--fold=2"]
    assert jobs[2].target == Path("m/given/time/time_model/mel/seed0/fold2")


def test_the_runs_of_each_fold_vote(write, tmp_path, monkeypatch, commands):
    vote = '[[systems]]\nname = "Vote"\ncommand = "ensemble.py --run={Time/mel},{Time/stft}"\ntraining = ""\n'
    both = SYSTEM.replace('["mel"]', '["mel", "stft"]')
    path = write(f'title = "t"\nfolds = 2\n{SHORT}{both}{vote}')
    for fold in ("fold0", "fold1"):
        for feature in ("mel", "stft"):
            write_pictures(tmp_path / "images" / fold / feature, counts=COUNTS)
    assert run(monkeypatch, path, tmp_path / "images", tmp_path) is None
    assert table(tmp_path / "experiments" / "mine")["Vote"]["folds"] == "2"
    votes = [command for command in commands if command[0] == "ensemble.py"]
    for fold, command in zip(("fold0", "fold1"), votes, strict=True):
        members = command[1].removeprefix("--run=").split(",")
        assert [Path(member).name for member in members] == [fold, fold]
    assert len(list((tmp_path / "experiments" / "mine").glob("given/vote/fold[01]/ensemble/mel+stft/mean/seed0"))) == 2


@pytest.mark.parametrize("folds", [True, False])
def test_the_picture_is_of_validation_but_of_folds_of_test(folds, write, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(comparison_plots, "reproduced", lambda *args: drawn.append(args))
    for fold in ("fold0", "fold1") if folds else ("",):
        write_pictures(tmp_path / "images" / fold / "mel", counts=(*COUNTS, ("test", 5)))
    path = write(f'title = "t"\n{"folds = 2" if folds else ""}\n{SHORT}{SYSTEM}')
    assert run(monkeypatch, path, tmp_path / "images", tmp_path) is None
    ((rows, _, _, _, metric, *_),) = drawn
    subset = "test" if folds else "validation"
    assert metric.startswith(f"{subset} accuracy")
    with open(tmp_path / "experiments" / "mine" / "results.csv", encoding="utf-8", newline="") as file:
        scores = [100 * float(row["score"]) for row in csv.DictReader(file) if row["subset"] == subset]
    assert rows["Time"][0]["given"][2] == pytest.approx(scores) and len(scores) == (2 if folds else 1)


def test_the_random_split_has_the_same_tracks_and_sizes_and_is_repeatable(tmp_path):
    given = write_pictures(
        tmp_path / "given" / "mel", classes=("a", "b", "c"), counts=(("train", 9), ("validation", 5))
    )
    for name in ("one", "two"):
        experiments.share_out_anew(given.parent, ["mel"], tmp_path / name)
    of = {
        name: {s: index.subset_rows(tmp_path / name / "mel", s) for s in ("train", "validation")}
        for name in ("given", "one", "two")
    }
    assert of["one"] == of["two"]
    for subset in ("train", "validation"):
        assert [row.labels for row in of["one"][subset]] == [row.labels for row in of["given"][subset]]
        assert {row.track for row in of["one"][subset]} != {row.track for row in of["given"][subset]}
    for row in of["one"]["train"]:
        source = next(given.glob(f"*/{row.track}.png"))
        assert np.array_equal(Image.open(tmp_path / "one" / "mel" / row.file), Image.open(source))


def test_the_random_split_of_an_indexed_folder_keeps_its_index_and_trains_on_variants_alone(tmp_path):
    folder = write_pictures(tmp_path / "given" / "mel", counts=(("train", 4), ("validation", 4)))
    rows = [row for s in ("train", "validation") for row in index.subset_rows(folder, s)]
    rows = [dataclasses.replace(row, artist=f"by {row.track[-1]}") for row in rows]
    shifted = [dataclasses.replace(row, file=row.file.replace(".png", ".up.png"), variant="up") for row in rows[:8]]
    for row, variant in zip(rows, shifted, strict=False):
        (folder / variant.file).write_bytes((folder / row.file).read_bytes())
    index.write(folder, rows + shifted)
    experiments.share_out_anew(folder.parent, ["mel"], tmp_path / "random")
    found = index.read(tmp_path / "random" / "mel")
    assert {row.track for row in found} == {row.track for row in rows}
    assert {row.subset for row in found if row.variant} == {"train"}
    assert len([row for row in found if row.subset == "validation" and not row.variant]) == 8
    torn = {row.artist for row in found if row.subset == "train"} & {
        row.artist for row in found if row.subset == "validation"
    }
    assert torn
    assert index.read_dataset(tmp_path / "random" / "mel")["split"] == experiments.AT_RANDOM


def test_a_track_in_two_subsets_cannot_be_shared_out(tmp_path):
    folder = write_pictures(tmp_path / "given" / "mel")
    (folder / "validation/a/validation0.png").rename(folder / "validation/a/train0.png")
    with pytest.raises(DataError, match="has a/train0 in two subsets"):
        experiments.share_out_anew(folder.parent, ["mel"], tmp_path / "random")


def test_the_gap_is_what_the_random_split_is_better_by(write, tmp_path, monkeypatch, images):
    path = write(f'title = "t"\n{SHORT}[splits]\ngiven = "g"\nrandom = "r"\n{SYSTEM}')
    run(monkeypatch, path, images, tmp_path)
    row = table(tmp_path / "experiments" / "mine")["Time"]
    given, random = (float(row[f"validation, {split}"].split()[0]) for split in ("given", "random"))
    assert float(row["gap"]) == pytest.approx(random - given, abs=0.11)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = [", "mine.toml is no TOML"),
        ('title = "t"', r"has no \[\[systems\]\]"),
        (SYSTEM, "mine.toml lacks title"),
        (f'title = "t"\nsedes = [1]\n{SYSTEM}', "sedes is unknown; expected some of title,"),
        (f'title = "t"\nseeds = 1\n{SYSTEM}', "seeds should be a list"),
        (f'title = "t"\nprepare = [1]\n{SYSTEM}', "prepare should be commands"),
        (f'title = "t"\nfolds = -1\n{SYSTEM}', "folds should be 0 or more"),
        (f'title = "t"\n[splits]\n{SYSTEM}', "splits name given, random or both"),
        ('title = "t"\n[[systems]]\nname = "A"\ncommand = ""\n', "mine.toml, A: command, .* are no command"),
        (f'title = "t"\n{SYSTEM}smoke = "--run_name=\'x"\n', "are no command .No closing quotation"),
        (f'title = "t"\n{SYSTEM.replace("[", "[1, ").replace("[1, [1, ", "[[")}', "features should be names"),
        (f'title = "t"\n{SYSTEM}published.test.mel = "~45"\n', "published has '~45'; expected a number in %"),
        (f'title = "t"\nseeds = []\n{SYSTEM}', "at least one"),
        (f'title = "t"\nfolds = 3\nseeds = [1, 2]\n{SYSTEM}', "folds are with one seed"),
        (f'title = "t"\n[splits]\nbest = "x"\n{SYSTEM}', "splits.best is unknown; expected given or random"),
        (
            f'title = "t"\n[splits]\nrandom = ""\n{SYSTEM.replace("mel", "mel+statistics")}',
            "random is of pictures alone",
        ),
        (f'title = "t"\n{SYSTEM}{SYSTEM}', "2 systems are called 'time'"),
        (f'title = "t"\n{SYSTEM}epochs = 3', "Time: epochs is unknown"),
        (f'title = "t"\n{SYSTEM.replace("Time", "A, B")}', "a name should be without , /"),
        (f'title = "t"\n{SYSTEM.replace("time_model", "tim_model")}', "there is no script tim_model.py"),
        (f'title = "t"\n{SYSTEM}published.test = {{ cqt = 4 }}', "published names 'cqt'"),
        (f'title = "t"\n{SYSTEM}published.train = {{ mel = 4 }}', "published.train is unknown"),
        (f'title = "t"\n{SYSTEM.replace("{feature}", "{Nobody}")}', "{Nobody} is no system before it"),
        (f'title = "t"\n{SYSTEM.replace("[", "[", 1).replace(chr(34) + "mel" + chr(34), "")}', "features is empty"),
    ],
)
def test_a_damaged_file_is_refused_in_a_line_that_names_the_key(write, text, says):
    with pytest.raises(DataError, match=says):
        experiments.read(write(text))


def test_what_is_not_there_is_named(tmp_path, write):
    with pytest.raises(CallError, match="no experiment .*fma.toml; there are: .*fma_cnn.toml"):
        experiments.read(ROOT / "experiments" / "fma.toml")
    path = ROOT / "experiments" / "fma_cnn.toml"
    line = one_line_error("run_experiments.py", path, f"--images_path={tmp_path}", code=2)
    assert (
        "no pictures of chroma_cens, chroma_cqt, chroma_stft, cqt, mel; make them with: python create_spectrograms.py"
        in line
    )
    line = one_line_error("run_experiments.py", path, "--systems=Time", code=2)
    assert line.endswith("fma_cnn has no system 'Time'; it has: Frequency CNN, Temporal CNN, Square CNN")


def test_only_the_systems_asked_for_are_trained(tmp_path, monkeypatch, images, commands):
    path = ROOT / "experiments" / "musically_motivated_fma.toml"
    run(monkeypatch, path, images, tmp_path, "--smoke", "--systems=Time")
    assert [command[0] for command in commands] == ["time_model.py"]


def test_a_script_runs_in_a_process_of_its_own_and_its_last_line_says_why_it_failed(monkeypatch, tmp_path):
    monkeypatch.undo()
    assert run_experiments.call(["split_dataset.py", "--help"]) == ""
    assert "no <feature>/index.csv in" in run_experiments.call(["split_dataset.py", f"--data={tmp_path}/none"])
    stopped = subprocess.CompletedProcess([], 130, stderr="stopped")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: stopped)
    with pytest.raises(KeyboardInterrupt):
        run_experiments.call(["time_model.py"])


def test_runs_are_found_again_by_compare_models(write, tmp_path, monkeypatch, images):
    run(monkeypatch, write(f'title = "t"\nseeds = [0, 1]\n{SHORT}{SYSTEM}'), images, tmp_path)
    folder = tmp_path / "experiments" / "mine"
    assert len(list(folder.glob(f"given/time/time_model/mel/seed*/{RUN}"))) == 2
    assert "time_model/mel/seed*" in call("compare_models.py", folder, f"--out={tmp_path / 'compared'}").stdout
