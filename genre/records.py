"""The end of every training: what it learned is judged, and its run is written, whole or not at all."""

import json
import shutil

from genre import cards, evaluation, files, index, multi_label, provenance, runs


def write(plan, pictures, unfinished, write_own, predict, info, device="CPU"):
    """Evaluate on validation and, now and only now, on test; write the run.

    Args:
        unfinished: a folder beside the run, removed at the end. write_own: folder -> None, writes the model itself.
        predict: (subset, Pictures) -> probabilities (pieces, classes), and (pieces, columns) that they were decided on,
            for a map of the tracks, or None. info: what run.json holds beside what all hold.
        device: that it was trained on, in words.

    Returns:
        {subset: its scores}
    """
    beside = unfinished / "run"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    judged = {"validation": pictures["validation"], "test": plan.test}
    predicted = {}
    for subset, part in judged.items():
        if part:
            probabilities, embeddings = predict(subset, part)
            predicted[subset] = part.rows, part.y, probabilities
    scores = judge(plan).write(beside, predicted, plan.settings["classes"], plan.title, embeddings)
    write_own(beside)
    info = _info(plan, pictures, info, device) | {"temperature": scores["validation"].get("temperature")}
    files.write_text(beside / runs.RUN, json.dumps(info, indent=2) + "\n")
    said = {subset: judge(plan).in_words(of) for subset, of in scores.items()}
    cards.write(beside, info, {subset: part.rows for subset, part in pictures.items()}, said)
    files.replace_folder(beside, plan.target, keep=is_other)
    shutil.rmtree(unfinished)
    return scores


def is_other(path):
    """Whether something in a run's folder is not of that run: other runs, their summary, what a user put there."""
    return path.name not in runs.OWN or not (path.parent / runs.RUN).is_file()


def _info(plan, pictures, info, device):
    """run.json: what was asked for, on what, with what, and what it took."""
    return (
        plan.settings
        | {
            "command": provenance.command(),
            "images_path": str(next(iter(plan.folders.values()))),
            "dataset": index.read_dataset(next(iter(plan.folders.values()))),
            "tracks": {subset: len({row.track for row in p.rows}) for subset, p in pictures.items()},
        }
        | info
        | provenance.made_with(device)
    )


def judge(plan):
    """The module that scores what a plan's run says, with `write` and `show`."""
    return multi_label if plan.multi_label else evaluation
