"""Turn a folder of genre folders with songs into a table of 518 statistics a song, like FMA's features.csv.

    python create_statistics.py
    python create_statistics.py --audio_files_path=my_music --statistics_path=data/statistics
    python create_statistics.py --table=data/fma_metadata/features.csv --dataset=fma_small

A file that cannot be used is skipped and named at the end. Run again after adding songs: finished rows are kept. With
--table the rows of the data set's tracks are taken from a table of FMA's form, and FMA's audio is not needed.
"""

import time
from pathlib import Path

from genre import datasets, dumps, files, index, skipped, statistics, workers
from genre.command_line import BAD_DATA, ONE_BY_ONE, CallError, DataError, Parser, run
from genre.datasets import fma

import numpy as np


def main():
    args = _parser().parse_args()
    workers.check_options(args)
    target = Path(args.statistics_path or Path(args.data, "statistics"))
    if args.table and not Path(args.table).is_file():
        raise CallError(f"no table {args.table}; FMA's own comes with {fma.FETCH}")
    tracks, audio_path, left_out = datasets.chosen(args, audio=not args.table)
    if not args.table:
        dumps.refuse(tracks)
    started = time.monotonic()
    taken = statistics.of_table(args.table, tracks) if args.table else None
    with files.alone_in(target):
        known = _prepare(target, tracks, Path(args.table).name if args.table else statistics.AUDIO, args.overwrite)
        index.write_dataset(target, datasets.about(args.dataset))
        for line in left_out:
            print("left out:", line)
        if taken:
            (made, unused), how = taken, f"all of them from {args.table}"
            _save(target, made)
        else:
            made, computed, unused = _make_all(tracks, known, target, args)
            how = f"{computed} of them computed now"
        genres = len({row.labels[0] for row, _ in made.values()})
        print(f"statistics: {len(made)} tracks in {genres} genres, {how}, {time.monotonic() - started:.0f} s")
        skipped.write(target, unused)
    skipped.show(unused, len(tracks), target)
    if not made:
        found = f"tracks is in {args.table}" if taken else f"files in {audio_path} gave a row"
        raise DataError(f"not one of {len(tracks)} {found}; the reasons stand above")
    print("wrote", ", ".join(str(target / name) for name in (statistics.TABLE, index.INDEX)))
    return BAD_DATA if args.strict and (unused or left_out) else None


def _parser():
    parser = Parser(__doc__)
    datasets.add_options(parser)
    parser.add_argument("--table", metavar="FILE", help="take the rows from this table of FMA's form; compute nothing")
    parser.add_argument("--statistics_path", metavar="FOLDER", help="where it goes, if not <data>/statistics")
    workers.add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="compute everything anew")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything was skipped or left out")
    return parser


def _prepare(target, tracks, origin, overwrite):
    """Check the folder, and drop the rows of songs that are gone. Returns {track: (row, values)} of the others."""
    try:
        known = _read(target)
        there = (statistics.read_recipe(target) or {"origin": statistics.AUDIO})["origin"]
        if known and there != origin:
            raise DataError(f"{target} was made from {there}, not from {origin}")
    except DataError as error:
        if not overwrite:
            raise DataError(f"{error}; give another --statistics_path, or --overwrite to make it anew") from None
        known = {}
    gone = set(known) - {track.id for track in tracks}
    if known and len(gone) == len(known) and not overwrite:
        raise DataError(
            f"{target} was made of other music ({min(gone)} ...); give another --statistics_path or --overwrite"
        )
    if gone and not overwrite:
        print(f"{target}: removed the rows of {len(gone)} tracks that are no longer there, such as {min(gone)}")
    kept = {} if overwrite else {track: pair for track, pair in known.items() if track not in gone}
    statistics.write_recipe(target, origin)
    _save(target, kept)
    return kept


def _read(target):
    """{track: (row, values)} of what the index and the table both have: one may have been written without the other."""
    table, rows = target / statistics.TABLE, index.read(target)
    if rows is None and table.exists():
        raise DataError(f"{table} has no {index.INDEX} beside it, so it was not made here")
    values = dict(zip(*statistics.read(table), strict=True)) if table.exists() else {}
    return {row.track: (row, values[row.track]) for row in rows or [] if row.track in values}


def _make_all(tracks, known, target, args):
    """Compute what is not known, in worker processes.

    Returns:
        ({track: (row, values)}, how many of them were computed, [(track, reason)])
    """
    jobs = [(track, known[track.id][0] if track.id in known else None) for track in tracks]
    folders = {track.path.parent for track in tracks} if args.scheduler else ()
    made, waiting, computed, unused = {}, dict(known), 0, []
    perhaps_save = workers.now_and_then(lambda: _save(target, made | waiting))
    try:
        for (track, _), result in workers.each(statistics.of_track, jobs, args.workers, args.scheduler, folders):
            row, values, reason = result or (None, None, workers.DIED)
            before = waiting.pop(track.id, None)
            if reason:
                unused.append((track, reason))
            else:
                made[track.id] = (row, before[1] if values is None else values)
                computed += values is not None
            perhaps_save()
    finally:
        _save(target, made | waiting)
    return made, computed, unused


def _save(target, found):
    """Write both files; the index last, as its hashes say which audio the values are of."""
    tracks = sorted(found)
    values = np.array([found[track][1] for track in tracks], np.float32).reshape(-1, len(statistics.COLUMNS))
    if tracks or (target / statistics.TABLE).exists():
        statistics.write(target / statistics.TABLE, tracks, values)
    index.write(target, [found[track][0] for track in tracks])


if __name__ == "__main__":
    run(main, stopped=ONE_BY_ONE)
