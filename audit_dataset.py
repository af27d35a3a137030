"""Look for everything that is wrong with a data set: broken, short, silent and clipped files, copies, imbalance.

    python audit_dataset.py
    python audit_dataset.py --dataset=gtzan
    python audit_dataset.py --audio_files_path=my_music --strict

split_dataset.py keeps what is found to be nearly identical in one subset.
"""

import collections
import time
from pathlib import Path

from genre import audio, datasets, dumps, files, fingerprint, images, plots, song_plots, workers
from genre.audit import of_track, unusable
from genre.command_line import AT_ITS_END, BAD_DATA, Parser, positive_float, run
from genre.features import Sound
from genre.recipe import SECONDS, Recipe

SHOWN = 5  # tracks that are named for each fault
UNEVEN = 3  # times as many tracks in the largest genre as in the smallest
FAULTS, NEAR, TABLE = "faults.csv", "near_duplicates.csv", "genres.csv"
COUNTS, EXAMPLES = "genres.png", "examples.png"


def main():
    args = _parser().parse_args()
    workers.check_options(args)
    recipe = Recipe.of("mel", seconds=args.seconds)
    tracks, audio_path, left_out = datasets.chosen(args)
    dumps.refuse(tracks)
    target = Path(args.audit_path or Path(args.data, "audit"))
    for line in left_out:
        print("left out:", line)
    started = time.monotonic()
    findings = _look(tracks, args)
    pairs = _alike(tracks, findings)
    found = zip(tracks, findings, strict=True)
    faults = [(track, kind, detail) for track, finding in found for kind, detail in finding.faults]
    faults += [(first, _kind(first, second, same), f"{second.id}, {words}") for first, second, same, words in pairs]
    with files.alone_in(target):
        lines = [(track.id, track.path, kind, detail) for track, kind, detail in faults]
        files.write_csv(target / FAULTS, [("track", "file", "fault", "detail"), *lines])
        lines = [(first.id, second.id, "yes" if same else "no", words) for first, second, same, words in pairs]
        files.write_csv(target / NEAR, [("track", "other", "identical", "detail"), *lines])
        counts = _genres(tracks)
        lines = [(label, *of_label) for label, of_label in counts.items()]
        files.write_csv(target / TABLE, [("genre", "tracks", "artists", "most_of_one_artist"), *lines])
        drawn = {label: of_label[:2] for label, of_label in counts.items()}
        plots.class_counts(drawn, f"{audio_path}: {len(tracks)} tracks", target / COUNTS)
        examples = [EXAMPLES] * _draw_examples(tracks, findings, recipe, target / EXAMPLES)
    print(f"{len(tracks)} tracks in {len(counts)} genres, {time.monotonic() - started:.0f} s")
    _print_counts(counts)
    _print_faults(faults)
    print("wrote", ", ".join(str(target / name) for name in (FAULTS, NEAR, TABLE, COUNTS, *examples)))
    return BAD_DATA if args.strict and (faults or left_out) else None


def _parser():
    parser = Parser(__doc__)
    datasets.add_options(parser)
    parser.add_argument("--audit_path", metavar="FOLDER", help="where the tables and pictures go, if not <data>/audit")
    parser.add_argument("--seconds", type=positive_float, default=SECONDS, help="length of a piece in s")
    workers.add_options(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 if there is any fault, or anything left out")
    return parser


def _look(tracks, args):
    """A Finding for each track, in their order."""
    jobs = [(track, args.seconds) for track in tracks]
    folders = {track.path.parent for track in tracks} if args.scheduler else ()
    looked_at = workers.each(of_track, jobs, args.workers, args.scheduler, folders)
    findings = {track.id: found or unusable(workers.DIED) for (track, _), found in looked_at}
    return [findings[track.id] for track in tracks]


def _alike(tracks, findings):
    """[(track, other, whether byte-identical, in words)] of all pairs that are the same recording, sorted."""
    first, pairs = {}, {}
    for i, found in enumerate(findings):
        if found.audio_hash and (j := first.setdefault(found.audio_hash, i)) != i:
            pairs[j, i] = (True, "byte-identical")
    alone = sorted(set(first.values()))  # of byte-identical files the first stands for all
    for match in fingerprint.near([findings[i].bits for i in alone]):
        words = f"{match.similarity:.0%} of the bits of its fingerprint equal, shifted by {match.offset:.1f} s"
        pairs[alone[match.i], alone[match.j]] = (False, words)
    return [(tracks[i], tracks[j], same, words) for (i, j), (same, words) in sorted(pairs.items())]


def _kind(first, second, same):
    where = "in one genre" if first.labels == second.labels else "in two genres"
    return f"{'byte-identical' if same else 'nearly identical'} {where}"


def _genres(tracks):
    """{genre: (tracks, artists known, the most tracks of one of them)}, the largest first."""
    artists, count = collections.defaultdict(collections.Counter), collections.Counter()
    for track in tracks:
        for label in track.labels:
            count[label] += 1
            artists[label].update([track.artist] if track.artist else [])
    ordered = sorted(count, key=lambda label: (-count[label], label))
    return {label: (count[label], len(artists[label]), max(artists[label].values(), default=0)) for label in ordered}


def _draw_examples(tracks, findings, recipe, path):
    """A mel spectrogram of the first faultless track of each genre. Returns whether there is any."""
    pictures = {}
    for track, found in zip(tracks, findings, strict=True):
        if track.labels[0] not in pictures and not found.faults:
            piece = next(audio.pieces(track.path, [recipe.sr], recipe.seconds))
            if not piece.silent:
                pictures[track.labels[0]] = images.render(Sound(piece.samples[recipe.sr], recipe.sr), recipe)
    if not pictures:
        return False
    title = "the first faultless track of each genre, mel spectrograms"
    song_plots.contact_sheet(pictures, recipe.seconds, title, path)
    return True


def _print_counts(counts):
    width = max(len(label) for label in counts)
    for label, (tracks, artists, of_one) in counts.items():
        known = f", {artists} artists, at most {of_one} tracks of one" if artists else ""
        print(f"  {label:{width}} {tracks:6} tracks{known}")
    most, fewest = (list(counts.values())[end][0] for end in (0, -1))
    if most >= UNEVEN * fewest:
        print(f"uneven: the largest genre has {most / fewest:.1f} times the tracks of the smallest")
    if not any(artists for _, artists, _ in counts.values()):
        print("artists unknown: a split cannot keep them apart (give them in tags or in a CSV file)")


def _print_faults(faults):
    of_kind = collections.defaultdict(list)
    for track, kind, detail in faults:
        of_kind[kind].append((track, detail))
    print(f"faults: {len(faults)}" if faults else "no faults")
    for kind, found in sorted(of_kind.items()):
        print(f"{kind}: {len(found)}")
        for track, detail in found[:SHOWN]:
            print(f"  {track.id}: {detail}")
        if len(found) > SHOWN:
            print(f"  ... and {len(found) - SHOWN} more")


if __name__ == "__main__":
    run(main, stopped=AT_ITS_END)
