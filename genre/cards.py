"""The model card of a run: its README.md, for whoever gets the folder.

After Mitchell et al., "Model cards for model reporting", 2019, https://arxiv.org/abs/1810.03993.
"""

import collections

from genre import files

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
whose music is shown, bought or paid for. Music of another kind is given one of these {kind}, too.

## Limits

Genre is a matter of culture and dispute: the labels are what somebody once wrote, partly wrong, of the music that the
data set happens to hold. The scores belong to this data and this split. The epoch was chosen on the validation tracks,
so that their scores flatter a little. Of other artists and other recordings expect less.

## Licence

That of the data was not recorded; the rights in the recordings are their holders'. This folder holds neither audio nor
pictures, but the names of tracks, in predictions.csv. Ask where the data comes from before you pass the run on.
"""


def write(folder, info, rows, scores):
    """Write a run's card.

    Args:
        info: its run.json. rows: {subset: index rows of its pieces}, of those it was trained and chosen on.
        scores: {subset: its scores in words}.
    """
    kind = "tags" if info["multi_label"] else "genres"
    parts = {
        "scores": [f"{subset}: {text}" for subset, text in scores.items()],
        "data": [
            f"{info['images_path']}, index {info['index_fingerprint']}",
            *_tracks(rows),
            _classes(info, rows, kind),
        ],
        "recipes": [text for taken in info["inputs"] for text in _recipes(taken)],
    }
    lists = {name: "\n".join(f"- {line}" for line in lines) for name, lines in parts.items()}
    files.write_text(folder / CARD, TEXT.format(**info | lists | {"kind": kind}))


def _tracks(rows):
    for subset, of_subset in rows.items():
        artists = len({row.artist for row in of_subset if row.artist}) or "unknown"
        yield f"{subset}: {len({row.track for row in of_subset})} tracks, artists: {artists}"


def _classes(info, rows, kind):
    of_tracks = {row.track: row.labels for row in rows["train"]}
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
