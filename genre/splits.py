"""Tracks -> train, validation or test, by a list or stratified and seeded, whole groups of tracks at a time."""

import collections
import math
from pathlib import Path, PurePosixPath

from genre.audio import EXTENSIONS
from genre.command_line import CallError, DataError
from genre.files import read_csv
from genre.index import SUBSETS

import numpy as np
from scipy.cluster.hierarchy import DisjointSet
from sklearn.model_selection import StratifiedGroupKFold

LEAKS = "leaks.csv"  # beside the features of a split: what it puts apart, as split_dataset.py --check found


def parse_fractions(text):
    """'0.7,0.1,0.2' -> (0.7, 0.1, 0.2). Only the last, test, may be 0.

    Raises:
        CallError: not three numbers from 0 to 1 with the sum 1, or nothing to train or validate on.
    """
    try:
        fractions = tuple(float(part) for part in text.split(","))
    except ValueError:
        fractions = ()
    sound = len(fractions) == len(SUBSETS) and all(0 <= f < 1 for f in fractions) and fractions[0] and fractions[1]
    if not sound or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise CallError(f"--fractions={text}: expected train,validation,test that add up to 1, such as 0.7,0.1,0.2")
    return fractions


def official(rows):
    """{track: subset} of those tracks that an official list puts somewhere; {} where there is none."""
    return {row.track: row.subset for row in rows if row.subset}


def stratified(rows, fractions, seed, near=()):
    """Split tracks so that every class is shared out alike and no group straddles two subsets.

    A group is what shares an artist, byte-identical or nearly identical audio. Groups are dealt, largest first and in
    seeded order, each to the subset that still lacks most of its classes. scikit-learn's StratifiedGroupKFold deals
    equal folds only.

    Args:
        rows: index rows, any number per track. fractions: shares of `SUBSETS`. near: pairs of tracks that sound alike.

    Returns:
        {track: subset}

    Raises:
        DataError: a genre (first label) has fewer tracks than there are subsets; or each is a single group.
    """
    tracks = {row.track: row for row in rows}
    classes = collections.Counter(label for row in tracks.values() for label in row.labels)
    first, wanted = collections.Counter(row.labels[0] for row in tracks.values()), np.flatnonzero(fractions)
    if small := sorted(label for label, count in first.items() if count < len(wanted)):
        counts = ", ".join(f"{label} ({first[label]})" for label in small)
        raise DataError(f"a class needs at least {len(wanted)} tracks, one for each subset; too small: {counts}")
    lacking = {label: _targets(count, fractions) for label, count in classes.items()}
    empty = {label: list(wanted) for label in classes}  # subsets without any of its tracks
    groups = _groups(tracks, near)
    labels_of = [collections.Counter(label for track in group for label in tracks[track].labels) for group in groups]
    left = collections.Counter(label for labels in labels_of for label in labels)  # groups to deal
    order = np.random.default_rng(seed).permutation(len(groups))
    subset_of = {}
    for i in sorted(order, key=lambda i: -len(groups[i])):
        labels = labels_of[i]
        need = sum(count * lacking[label] / classes[label] for label, count in labels.items())
        # Groups of a class that are no more than the subsets without any go to those, train first.
        last = {n for label in labels if left[label] <= len(empty[label]) for n in empty[label][: left[label]]}
        chosen = max(last or range(len(SUBSETS)), key=lambda n: (need[n], -n))
        for label, count in labels.items():
            lacking[label][chosen] -= count
            left[label] -= 1
            empty[label] = [n for n in empty[label] if n != chosen]
        subset_of |= dict.fromkeys(groups[i], SUBSETS[chosen])
    if "validation" not in subset_of.values():
        raise DataError(
            "nothing is left for validation: the tracks of each class are by one artist, or copies; add other artists, "
            "or share them out yourself with --split_file"
        )
    return subset_of


def _targets(count, fractions):
    """Whole numbers near count * fractions that add up to count, 1 or more where the fraction is not 0, train first."""
    if count < np.count_nonzero(fractions):
        targets = np.zeros(len(fractions))
        targets[np.flatnonzero(fractions)[:count]] = 1
        return targets
    exact = np.array(fractions) * count
    targets = np.maximum(np.floor(exact + 1e-9), np.array(fractions) > 0)
    while targets.sum() < count:
        targets[np.argmax(exact - targets)] += 1
    while targets.sum() > count:
        targets[np.argmax(np.where(targets > 1, targets - exact, -np.inf))] -= 1
    return targets


def folds(rows, count, seed, near=()):
    """Cross-validation: in fold k the k-th part of the tracks is test, the next one validation, the others train.

    Args:
        rows, seed, near: as for `stratified`. count: of folds.

    Returns:
        [{track: subset}]

    Raises:
        DataError: a class has fewer groups of tracks (by artist, where known) than there are folds.
    """
    tracks = {row.track: row for row in rows}
    number = {track: n for n, group in enumerate(_groups(tracks, near)) for track in group}
    names = sorted(tracks)
    labels, groups = np.array([tracks[name].labels[0] for name in names]), np.array([number[name] for name in names])
    held = {label: len(set(groups[labels == label])) for label in sorted(set(labels))}
    if few := [f"{label} ({found})" for label, found in held.items() if found < count]:
        raise DataError(
            f"{count} folds need as many groups of tracks (artists) in every class; too few: {', '.join(few)}"
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    part = np.empty(len(names), int)
    for fold, (_, held_out) in enumerate(splitter.split(names, labels, groups)):
        part[held_out] = fold
    subset = {0: "test", 1: "validation"}
    return [
        {name: subset.get((own - fold) % count, "train") for name, own in zip(names, part, strict=True)}
        for fold in range(count)
    ]


def _groups(tracks, near=()):
    """Lists of tracks that must stay together, sorted: connected by an artist, by identical or near-identical audio."""
    pairs = [*near, *((track, track) for track in tracks)]
    pairs += [(track, ("artist", row.artist)) for track, row in tracks.items() if row.artist]
    pairs += [(track, ("audio", row.audio_hash)) for track, row in tracks.items() if row.audio_hash]
    return sorted(sorted(group & tracks.keys()) for group in _connected(pairs) if group & tracks.keys())


def _connected(pairs):
    """Sets of what pairs connect, those through one that is in no split as well."""
    joined = DisjointSet()
    for pair in pairs:
        for one in pair:
            joined.add(one)
        joined.merge(*pair)
    return joined.subsets()


def at_random(found, seed):
    """Share out anew the tracks of a split; every subset keeps its number of tracks of each class.

    Args:
        found: {track: (subset, class)}.

    Returns:
        {track: subset}
    """
    rng, subset_of = np.random.default_rng(seed), {}
    for label in sorted({label for _, label in found.values()}):
        tracks = sorted(track for track, (_, of) in found.items() if of == label)
        subset_of |= zip(tracks, rng.permutation([found[track][0] for track in tracks]).tolist(), strict=True)
    return subset_of


def read_lists(path):
    """{track as listed: subset} from a CSV with the columns track (or file, or path) and subset, or a folder of lists.

    A folder holds text files whose names contain train, valid and (perhaps) test, one track a line.

    Raises:
        CallError: no such file or folder. DataError: it does not hold that, or lists a track in two subsets.
    """
    path = Path(path)
    if path.is_dir():
        pairs = _pairs_of_folder(path)
    elif path.is_file():
        pairs = _pairs_of_csv(path)
    else:
        raise CallError(f"no split file or folder {path}")
    listed = {}
    for track, subset in pairs:
        key = str(PurePosixPath(track.replace("\\", "/")))
        if listed.setdefault(key, subset) != subset:
            raise DataError(f"{path} lists {track} both in {listed[key]} and in {subset}")
    return listed


def _pairs_of_folder(folder):
    lists = {}
    for subset, part in zip(SUBSETS, ("train", "val", "test"), strict=True):
        found = sorted(
            file for file in folder.iterdir() if part in file.name.lower() and file.suffix in (".txt", ".csv")
        )
        if len(found) > 1 or (not found and subset != "test"):
            names = ", ".join(file.name for file in found) or "none"
            raise DataError(f"{folder} should hold one .txt list with {part!r} in its name; found {names}")
        if found:
            lists[subset] = found[0]
    for subset, file in lists.items():
        for line in file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines():
            if line.strip():
                yield line.strip(), subset


def _pairs_of_csv(file):
    with read_csv(file) as reader:
        columns = reader.fieldnames or []
        track = next((name for name in ("track", "file", "path") if name in columns), None)
        if track is None or "subset" not in columns:
            raise DataError(f"{file} should have the columns track and subset; it has {', '.join(columns) or 'none'}")
        for cells in reader:
            subset = {"val": "validation", "valid": "validation", "training": "train"}.get(
                cells["subset"], cells["subset"]
            )
            if subset not in SUBSETS or not cells[track]:
                raise DataError(f"{file} puts {cells[track]!r} into {subset!r}; expected one of {', '.join(SUBSETS)}")
            yield cells[track], subset


def by_lists(rows, listed):
    """Match tracks with the entries of `read_lists`: by <genre>/<name>, else by a name that only one of each has.

    An entry's other folders and its extension do not count.

    Returns:
        ({track: subset}, how many tracks are on no list, how many entries have no track)

    Raises:
        DataError: nothing matches, or entries of one track are in two subsets.
    """
    by_path, by_name = collections.defaultdict(set), collections.defaultdict(set)
    for entry in listed:
        path = PurePosixPath(entry)
        name = path.stem if path.suffix.lower() in EXTENSIONS else path.name
        by_path["/".join((*path.parts[-2:-1], name))].add(entry)
        by_name[name].add(entry)
    tracks = sorted({row.track for row in rows})
    count = collections.Counter(PurePosixPath(track).name for track in tracks)
    subset_of, used = {}, set()
    for track in tracks:
        name = PurePosixPath(track).name
        entries = by_path.get(track) or (by_name[name] if len(by_name[name]) == count[name] == 1 else ())
        subsets = {listed[entry] for entry in entries}
        if len(subsets) > 1:
            raise DataError(f"{' and '.join(sorted(entries))} are one track, listed in {' and '.join(sorted(subsets))}")
        used |= set(entries)
        for subset in subsets:
            subset_of[track] = subset
    if not subset_of:
        raise DataError(
            f"none of {len(tracks)} tracks is on the list; it names {next(iter(listed), 'nothing')} and so on"
        )
    return subset_of, len(tracks) - len(subset_of), len(listed) - len(used)


def straddling(rows, subset_of, near=()):
    """What a split puts into two subsets although it belongs together.

    Args:
        rows: index rows. subset_of: {track: subset}. near: pairs of tracks that sound alike.

    Returns:
        {"artist": pairs of tracks, sorted, "identical audio": ..., "nearly identical audio": ...}
    """
    direct = [pair for pair in near if subset_of.keys() >= set(pair)]
    others = _connected(set(near).difference(direct))  # through tracks that are not split
    alike = {track: min(group) for group in others for track in group}
    first, found = {}, {"artist": set(), "identical audio": set(), "nearly identical audio": set()}
    for row in sorted(rows, key=lambda row: row.track):
        for kind, value in zip(found, (row.artist, row.audio_hash, alike.get(row.track)), strict=True):
            if value and row.track in subset_of:
                other = first.setdefault((kind, value), row.track)
                if subset_of[other] != subset_of[row.track]:
                    found[kind].add((other, row.track))
    found["nearly identical audio"] |= {tuple(sorted((a, b))) for a, b in direct if subset_of[a] != subset_of[b]}
    return {kind: sorted(pairs) for kind, pairs in found.items()}


def copies(rows):
    """Groups of tracks with identical audio: [{track: its first label}], tracks and groups sorted."""
    groups = collections.defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.track):
        groups[row.audio_hash][row.track] = row.labels[0]
    return [group for group in groups.values() if len(group) > 1]


def torn(groups):
    """Those groups of `copies` that are in two classes at once."""
    return [group for group in groups if len(set(group.values())) > 1]


def read_near(path):
    """The pairs of tracks in a CSV with the columns track and other, as audit_dataset.py writes it; [] without one.

    Raises:
        DataError: the file is damaged.
    """
    if not Path(path).is_file():
        return []
    with read_csv(path) as reader:
        if not {"track", "other"} <= set(reader.fieldnames or []):
            raise DataError(f"{path} lacks the columns track and other; write it again with: python audit_dataset.py")
        return [(cells["track"], cells["other"]) for cells in reader]
