"""The model card of a run: its README.md, for whoever gets the folder.

After Mitchell et al., "Model cards for model reporting", 2019, https://arxiv.org/abs/1810.03993.
"""

import collections

from genre import datasets, files

CARD = "README.md"
TEXT = """\
# {script}, {feature}

Made by `{command}`, seed {seed}, commit {git_commit}.

## Scores

{scores}

## Data

{data}

## Recipe

{recipes}

## Use

For learning, for comparing methods, and for sorting music by these {kind}. Not for decisions about people, such as
whose music is shown, bought or paid for. Music of another kind is labelled with these {kind}, too.

## Limits

Genre is a matter of culture and dispute: the labels are what somebody once wrote, partly wrong, of the music that the
data set happens to hold. The scores belong to this data and this split. What was chosen, as a rule the epoch, was
chosen on the validation tracks, so that their scores flatter a little. Of other artists and recordings expect less.

## Licence

{licence}
This folder holds neither audio nor spectrograms, but the names of tracks, in predictions.csv{names}.
"""
UNKNOWN = """\
That of the data was not recorded; the rights in the recordings are their holders'. Ask where the data comes from before
you pass the run on.\
"""


def write(folder, info, rows, scores):
    """Write a run's card.

    Args:
        info: its run.json. rows: {subset: index rows of its pieces}, of those it was trained and chosen on; {} for a
            vote, of which the cards of its runs say it.
        scores: {subset: its scores in words}.
    """
    kind, dataset = "tags" if info.get("multi_label") else "genres", info["dataset"]
    parts = {
        "scores": [f"{subset}: {text}" for subset, text in scores.items()],
        "data": [
            f"data set: {dataset.get('dataset', 'not recorded')}; {info['images_path']}, index "
            f"{info['index_fingerprint']}",
            f"split: {dataset.get('split', 'not recorded')}",
            *_tracks(info, rows),
            _classes(info, rows, kind),
        ],
        "recipes": dict.fromkeys(text for taken in info["inputs"] for text in _recipes(taken)),
    }
    lists = {name: "\n".join(f"- {line}" for line in lines) for name, lines in parts.items()}
    licence = datasets.licence(dataset.get("dataset")) or UNKNOWN
    knows_names = any("vocabulary" in taken for taken in info["inputs"])  # of genre.metadata
    names = ", and those of the training tracks' artists or albums, in run.json" if knows_names else ""
    files.write_text(folder / CARD, TEXT.format(**info | lists | {"kind": kind, "licence": licence, "names": names}))


def _tracks(info, rows):
    if "members" in info:
        yield f"a vote, {info['hyperparameters']['method']}, of {', '.join(run['run'] for run in info['runs'])}"
    for subset, of_subset in rows.items():
        artists = len({row.artist for row in of_subset if row.artist}) or "unknown"
        yield f"{subset}: {len({row.track for row in of_subset})} tracks, artists: {artists}"


def _classes(info, rows, kind):
    if not rows:
        return f"{kind}: {', '.join(info['classes'])}"
    trained_on = None if info.get("multi_label") else 1  # the labels of a track
    of_tracks = {row.track: row.labels[:trained_on] for row in rows["train"]}
    count = collections.Counter(label for labels in of_tracks.values() for label in labels)
    return f"{kind}, with their training tracks: {', '.join(f'{name} {count[name]}' for name in info['classes'])}"


def _recipes(taken):
    """What is said of one of a run's inputs, a line for each feature in it."""
    shape = " x ".join(map(str, taken["input_shape"]))
    if not taken["recipes"]:
        return [f"{taken['feature']}, {shape} columns"]
    return [f"{feature}, read at {shape}: {_words(recipe)}" for feature, recipe in taken["recipes"].items()]


def _words(recipe):
    if recipe is None:
        return "recipe unknown, so that no song can be predicted"
    return ", ".join(f"{name} {value}" for name, value in recipe.items() if name not in ("feature", "low", "high"))
