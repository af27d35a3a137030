"""Train what an experiment file names, and put what comes out beside what was published.

    python run_experiments.py experiments/musically_motivated_gtzan.toml
    python run_experiments.py experiments/fma_cnn.toml --systems="Frequency CNN,Square CNN"
    python run_experiments.py experiments/fma_cnn.toml --smoke

Runs that are finished, by the same command on the same pictures, are kept; those by another command or on other
pictures are refused without --overwrite; a training that was stopped goes on where it was; a run that fails is named
in the table and does not end the others. Everything is below models/experiments/NAME/: the runs, and results.md,
results.csv and results.png. A file's tracks can be judged in two splits, the given one and a random one of the same
tracks: what the second is better by is mostly what it leaks.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from genre import comparison, comparison_plots, experiments, files, index, provenance
from genre.command_line import BAD_DATA, CallError, DataError, Parser, names, run


def main():
    args = _parser().parse_args()
    experiment = experiments.read(args.experiment)
    experiment = experiment.only(names(args.systems)) if args.systems else experiment
    experiment = experiment.smoke() if args.smoke else experiment
    given = Path(args.images_path or Path(args.data or experiment.data, "images"))
    folder = Path(args.models, "experiments", experiment.name)
    images_of = {experiments.GIVEN: given, experiments.RANDOM: folder / "images" / experiments.RANDOM}
    _check_pictures(experiment, given / "fold0" if experiment.folds else given)
    if experiments.RANDOM in experiment.splits:
        experiments.share_out_anew(given, experiment.features, images_of[experiments.RANDOM])
    jobs = experiments.jobs(experiment, folder, images_of)
    failed = {}
    for number, job in enumerate(jobs, 1):
        if job.is_done(images_of[job.split]):
            continue
        for options in _ways(job, args.overwrite):
            command = [*job.command, *options]
            print(f"[{number} of {len(jobs)}] {shlex.join(['python', *command])}", flush=True)
            started = time.monotonic()
            if not (why := call(command)):
                break
            print(f"failed after {time.monotonic() - started:.0f} s: {why}", flush=True)
        if why:
            failed[job.command] = why
    found = experiments.results(experiment, jobs, failed)
    write(experiment, found, folder)
    return BAD_DATA if any(result.why for result in found) else None


def _ways(job, overwrite):
    """The options to call a job with, one list after the other until one succeeds."""
    if job.unfinished:  # perhaps of another command, which is refused
        again = [experiments.OVERWRITE]
        return [[experiments.RESUME, *again], again] if overwrite else [[experiments.RESUME]]
    if not overwrite or job.run() is None:
        return [[]]
    changed = not job.system.bases or job.is_damaged  # as `is_done` has found; of the others the script itself must say
    return [[experiments.OVERWRITE]] if changed else [[], [experiments.OVERWRITE]]


def _parser():
    parser = Parser(__doc__)
    parser.add_argument("experiment", metavar="FILE", help="such as experiments/fma_cnn.toml")
    parser.add_argument("--data", metavar="FOLDER", help="folder that holds images/ (default: the file's own)")
    parser.add_argument("--images_path", metavar="FOLDER", help="folder of <feature>/train/, if not <data>/images")
    parser.add_argument("--models", default="models", help="folder that runs go to, as experiments/<name>/")
    parser.add_argument("--systems", default="", metavar="A,B", help="only these and what they build on (default: all)")
    text = "one seed, split, feature and epoch of each system: whether all of it works, in runs of their own"
    parser.add_argument("--smoke", action="store_true", help=text)
    text = "train anew the runs that another command or other pictures made, which are refused otherwise"
    parser.add_argument("--overwrite", action="store_true", help=text)
    return parser


def _check_pictures(experiment, images_path):
    """Raises: CallError: a feature has no pictures; it names the commands that make them."""
    if missing := [feature for feature in experiment.features if feature not in index.class_names(images_path)]:
        made = f"; make them with: {'; '.join(experiment.prepare)}" if experiment.prepare else ""
        raise CallError(f"{images_path} has no pictures of {', '.join(missing)}{made}")


def call(command):
    """Run a script as a process of its own, so that nothing of one run reaches the next. Returns why it failed, or "".

    Args:
        command: without `python`.
    """
    script, *options = command
    done = subprocess.run(
        [sys.executable, experiments.ROOT / script, *options], stderr=subprocess.PIPE, text=True, errors="replace"
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode in (130, -2):  # Ctrl-C
        raise KeyboardInterrupt
    return "" if not done.returncode else lines[-1] if lines else f"exit code {done.returncode}"


def write(experiment, found, folder):
    """Write results.md, results.csv and results.png into the experiment's folder, and print the table."""
    lines = comparison.markdown(experiments.table(experiment, found))
    notes = "\n".join(f"- {note}" for note in experiments.notes(experiment, found))
    print(f"\n{experiment.title}", lines, notes, sep="\n\n", end="\n\n")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"results.{kind}" for kind in ("md", "csv", "png")]
    if not any(result.runs for result in found):
        raise DataError(f"no run of {experiment.name} was finished; the first: {found[0].why}")
    draw(experiment, found, paths[2])
    commands = [f"- {one.name}: `python {' '.join(one.whole_command.split())}`" for one in experiment.systems]
    parts = [f"# {experiment.title}", experiment.about.strip(), f"By `{provenance.command()}`.", lines, notes]
    parts += ["![reproduced beside published](results.png)", "## Commands", "\n".join(commands)]
    files.write_csv(paths[1], experiments.numbers(experiment, found))
    files.write_text(paths[0], "\n\n".join(filter(None, parts)) + "\n")
    print("wrote", ", ".join(map(str, paths)))


def draw(experiment, found, path):
    """The picture of an experiment: of validation or, of folds, of test, where each track has its turn."""
    rows, metric = {}, experiments.metric_of(found)
    shown = "test" if experiment.folds and experiments.has_test(found) else "validation"
    for result in found:
        of_split = {}
        for split, row in result.of_split.items():
            if (mean := row.mean(shown, metric)) is not None:
                interval = [100 * end for end in row.interval(shown) or (mean, mean)]
                of_split[split] = 100 * mean, interval, [100 * value for value in row.values(shown, metric)]
        figures = {subset: result.published(subset) for subset in experiments.SUBSETS}
        rows[result.name] = of_split, {subset: _number(text) for subset, text in figures.items() if text}
    splits = {split: f"{split}: {words}" if words else split for split, words in experiment.splits.items()}
    published = {
        subset: f"published, {subset}"
        for subset in experiments.SUBSETS
        if any(subset in figures for _, figures in rows.values())
    }
    baselines = {split: experiments.baseline(found, split) for split in splits}
    baselines = {s: 100 * row.mean(shown, metric) for s, row in baselines.items() if row}
    metric = f"{shown} {metric.replace('_', ' ')}, %; bars: 95 % intervals over tracks"
    comparison_plots.reproduced(rows, splits, published, baselines, metric, experiment.each, experiment.title, path)


def _number(text):
    """The number at the start of a published figure, such as "45.5 +- 0.4"."""
    return float(re.match(experiments.FIGURE, text)[0])


if __name__ == "__main__":
    run(main)
