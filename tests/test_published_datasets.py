"""GTZAN, FMA and MTG-Jamendo from files that the tests make in the documented format, and any set from a CSV file."""

import csv

from genre import datasets, index
from genre.command_line import CallError, DataError
from genre.datasets import fma, gtzan, mtg_jamendo

import pytest
from conftest import QUICK, call, one_line_error, write_songs

CLASSES = {  # tracks with a single genre tag in MTG-Jamendo's split 0
    "electronic": 2365, "classical": 1747, "pop": 896, "soundtrack": 781, "rock": 685, "reggae": 579, "ambient": 474,
    "hiphop": 448, "metal": 404, "jazz": 376, "poprock": 328,
}  # fmt: skip


NO_ALBUM_OF = 155320  # a clip that is of no album, -1 in FMA's table


def write_fma(data, rows):
    """<data>/fma_metadata/tracks.csv with the columns that count and some others, and an empty file for each clip."""
    columns = [("album", "id"), ("artist", "bio"), ("artist", "id"), ("set", "split"), ("set", "subset")]
    columns += [("track", "genre_top"), ("track", "title")]
    (data / "fma_metadata").mkdir(parents=True)
    with open(data / "fma_metadata" / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["", *(group for group, _ in columns)])
        lines.writerow(["", *(name for _, name in columns)])
        lines.writerow(["track_id", *[""] * len(columns)])
        for number, artist, split, subset, genre in rows:
            album = -1 if number == NO_ALBUM_OF else 7
            lines.writerow([number, album, "a, \n long \u2013 life", artist, split, subset, genre, "x,y"])
            clip = data / "fma_small" / f"{number:06d}"[:3] / f"{number:06d}.mp3"
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.touch()


def write_jamendo(root, split, lists):
    """<root>/splits/split-N/autotagging_genre-<subset>.tsv; lists: {subset: [(number, artist, [tags])]}"""
    folder = root / "splits" / f"split-{split}"
    folder.mkdir(parents=True)
    for subset in index.SUBSETS:
        lines = ["TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"]
        for number, artist, tags in lists.get(subset, []):
            name = f"{number % 100:02d}/{number}.mp3"
            fields = (f"track_{number:07d}", f"artist_{artist:06d}", "album_000001", name, "180.5", *tags)
            lines.append("\t".join(fields))
        (folder / f"autotagging_genre-{subset}.tsv").write_bytes("\r\n".join([*lines, ""]).encode())


def test_a_jamendo_list_that_is_no_utf_8_is_one_line(tmp_path):
    write_jamendo(tmp_path, 0, {"train": [(1, 1, ["genre---rock"])]})
    (path,) = tmp_path.glob("splits/*/*train.tsv")
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    with pytest.raises(DataError, match="train.tsv, line 2: expected five columns and genre tags; fetch it again"):
        list(mtg_jamendo._rows(tmp_path, 0, "train"))


def test_gtzans_fault_filtered_split_has_its_published_size_and_no_clip_twice():
    lists = gtzan.lists()
    assert {subset: len(clips) for subset, clips in lists.items()} == {"train": 443, "validation": 197, "test": 290}
    clips = [clip for found in lists.values() for clip in found]
    assert len(set(clips)) == len(clips) == 930
    assert all(clip.split("/")[1] < f"{clip.split('/')[0]}.00100" for clip in clips)
    assert "blues/blues.00029" in lists["train"] and "rock/rock.00090" in lists["test"]


@pytest.mark.parametrize("suffix", [".wav", ".au"])
def test_gtzan_is_read_with_its_split_and_its_known_fault(tmp_path, suffix):
    for name in ("blues/blues.00000", "blues/blues.00029", "jazz/jazz.00054", "jazz/jazz.00099", "jazz/jazz.00045"):
        (tmp_path / "genres" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "genres" / f"{name}{suffix}").touch()
    (tmp_path / "genres" / "blues" / "bextract_single.mf").touch()
    tracks, root, _ = datasets.listed("gtzan", None, tmp_path)
    assert root == tmp_path / "genres"
    assert {track.id: track.subset for track in tracks} == {
        "blues/blues.00000": "validation",
        "blues/blues.00029": "train",
        "jazz/jazz.00045": "",
        "jazz/jazz.00054": "train",
        "jazz/jazz.00099": "test",
    }
    assert [track.id for track in tracks if "Kaggle" in track.fault] == ["jazz/jazz.00054"]
    (tmp_path / "genres" / "techno").mkdir()
    (tmp_path / "genres" / "techno" / "a.wav").touch()
    with pytest.raises(DataError, match="techno, which GTZAN does not have"):
        datasets.listed("gtzan", None, tmp_path)
    with pytest.raises(CallError, match=r"no GTZAN at .*; fetch it with: bash download_gtzan\.sh"):
        datasets.listed("gtzan", None, tmp_path / "none")


def test_fma_is_read_with_its_official_split_artists_and_known_faults(tmp_path):
    rows = [
        (2, 11, "training", "small", "Hip-Hop"),
        (98565, 12, "training", "small", "Folk"),
        (4000, 13, "validation", "medium", "Old-Time / Historic"),
        (155320, 14, "test", "small", "Rock"),
        (5, 15, "training", "large", "Rock"),
        (6, 16, "training", "medium", ""),
    ]
    write_fma(tmp_path, rows)
    tracks, _, left_out = datasets.listed("fma_small", None, tmp_path)
    assert {track.id: (track.artist, track.subset) for track in tracks} == {
        "Folk/098565": ("12", "train"),
        "Hip-Hop/000002": ("11", "train"),
        "Rock/155320": ("14", "test"),
    }
    assert [track.id for track in tracks if track.fault] == ["Folk/098565"]
    assert "3 clips that are not in the set" in left_out[0]
    assert [track.album for track in tracks] == ["7", "7", ""]  # that of none is no album that tracks share
    medium, _, _ = datasets.listed("fma_medium", tmp_path / "fma_small", tmp_path)
    assert "Old-Time-Historic/004000" in [track.id for track in medium]
    assert len(medium) == 4


def test_fmas_official_counts_come_out_of_metadata_in_its_format(tmp_path):
    genres = ["Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock"]
    shares = [("training", 800), ("validation", 100), ("test", 100)]
    names = [(genre, split) for genre in genres for split, count in shares for _ in range(count)]
    write_fma(tmp_path, [(i + 1, i // 3, split, "small", genre) for i, (genre, split) in enumerate(names)])
    tracks, _, _ = datasets.listed("fma_small", None, tmp_path)
    counts = [sum(track.subset == subset for track in tracks) for subset in index.SUBSETS]
    assert counts == [6400, 800, 800]
    assert len(fma.SHORT) == 6


def test_damaged_or_missing_metadata_is_one_line_that_says_how_to_fetch_it(tmp_path):
    with pytest.raises(CallError, match=r"no fma_small at .*fetch it with: bash download_fma\.sh"):
        datasets.listed("fma_small", None, tmp_path)
    write_fma(tmp_path, [(2, 11, "training", "small", "Hip-Hop")])
    (tmp_path / "fma_metadata" / "tracks.csv").write_text("<html>\nno\n1,2\n")
    with pytest.raises(DataError, match="is not FMA's tracks.csv"):
        datasets.listed("fma_small", None, tmp_path)


def test_jamendo_is_read_with_all_its_genres_artists_and_splits(tmp_path):
    root = tmp_path / "mtg_jamendo"
    write_jamendo(
        root, 0, {"train": [(948, 87, ["genre---metal", "genre---rock"])], "test": [(1005, 88, ["genre---pop"])]}
    )
    write_jamendo(root, 3, {"validation": [(948, 87, ["genre---metal"])]})
    with pytest.raises(DataError, match="holds none of the 2 tracks"):
        datasets.listed("mtg_jamendo", None, tmp_path)
    for name in ("48/948.mp3", "05/1005.low.mp3"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    tracks, _, _ = datasets.listed("mtg_jamendo", None, tmp_path)
    assert [(track.id, track.labels, track.artist, track.subset) for track in tracks] == [
        ("metal/0000948", ("metal", "rock"), "artist_000087", "train"),
        ("pop/0001005", ("pop",), "artist_000088", "test"),
    ]
    (other,) = datasets.listed("mtg_jamendo_split3", None, tmp_path)[0]
    assert other.subset == "validation"
    with pytest.raises(CallError, match="no list .*split-1"):
        datasets.listed("mtg_jamendo_split1", None, tmp_path)


def test_the_eleven_class_subset_has_3608_tracks(tmp_path):
    names = [name for name, count in CLASSES.items() for _ in range(count)]
    rows = [(i + 1, i // 4, [f"genre---{name}"]) for i, name in enumerate(names)]
    rows += [(20_000 + i, i, ["genre---folk"]) for i in range(50)]
    rows += [(30_000 + i, i, ["genre---rock", "genre---pop"]) for i in range(50)]
    write_jamendo(tmp_path, 0, {"train": rows[::2], "validation": rows[1::4], "test": rows[3::4]})
    listed = [row for subset in index.SUBSETS for row in mtg_jamendo._rows(tmp_path, 0, subset)]
    chosen = mtg_jamendo.single_tag_balanced(listed)
    assert len(chosen) == 3608
    assert {name: sum(row["labels"] == (name,) for row in chosen) for name in CLASSES} == dict.fromkeys(CLASSES, 328)


def test_a_csv_file_is_a_data_set(tmp_path):
    write_songs(tmp_path / "songs", ("high", "low"), tracks=3)
    lines = ["path,genre,artist,subset"]
    lines += [
        f"songs/{g}/{g}.{i:05d}.wav,{g}|tone,Artist {i},{s}"
        for g in ("high", "low")
        for i, s in enumerate(("train", "valid", "test"))
    ]
    (tmp_path / "mine.csv").write_text("\n".join([*lines, "songs/gone.wav,high,,"]))
    done = call("create_spectrograms.py", f"--dataset={tmp_path / 'mine.csv'}", f"--data={tmp_path}", *QUICK)
    assert "left out: 1 paths without a file that may be read" in done.stdout
    rows = index.read(tmp_path / "dataset" / "mel")
    assert [(row.track, row.labels, row.artist, row.subset) for row in rows[:2]] == [
        ("high/high.00000", ("high", "tone"), "artist 0", "train"),
        ("high/high.00001", ("high", "tone"), "artist 1", "validation"),
    ]
    (tmp_path / "mine.csv").write_text("\n".join(lines).replace("Artist 1", "Another"))
    call("create_spectrograms.py", f"--dataset={tmp_path / 'mine.csv'}", f"--data={tmp_path}", *QUICK)
    assert index.read_dataset(tmp_path / "dataset" / "mel") == {"dataset": "mine.csv"}
    again = index.read(tmp_path / "dataset" / "mel")
    assert again[1].artist == "another"  # what is said of a track is brought up to date; its pictures stay
    call("split_dataset.py", f"--data={tmp_path}")
    trained = call("time_model.py", f"--data={tmp_path}", f"--models={tmp_path}", "--epochs=1", "--filter_frames=4")
    assert "warning: 4 tracks have several genres; only the first of each counts here" in trained.stdout


def test_songs_of_one_stem_and_absolute_paths_keep_their_pictures(tmp_path):
    for album in ("x", "y"):
        write_songs(tmp_path / album, ("high",), tracks=1)
    paths = sorted(tmp_path.glob("*/high/*.wav"))
    (tmp_path / "mine.csv").write_text("path,genre\n" + "".join(f"{path.absolute()},high\n" for path in paths))
    call("create_spectrograms.py", f"--dataset={tmp_path / 'mine.csv'}", f"--data={tmp_path}", *QUICK)
    rows = index.read(tmp_path / "dataset" / "mel")
    assert len(rows) == 2 and all((tmp_path / "dataset" / "mel" / row.file).is_file() for row in rows)
    assert {row.file.count("/") for row in rows} == {1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('path,genre,artist\na.wav,x,"Weird Al\nb.wav,x,\n', "is no CSV .*quote"),
        ("file,genre\na.wav,x\n", "lacks the columns path; it has file, genre"),
        ("", "lacks the columns genre and path; it has none"),
        ("path,genre\na.wav,\n", "line 2 of .* has no genre"),
        ("path,genre\na.wav,AC/DC\n", "'AC/DC' cannot name a folder"),
        ("path,genre,subset\na.wav,x,training2\n", "the subset is 'training2'"),
        ("path,genre\na.wav,x\na.wav,y\n", "lists a.wav twice"),
        ("path,genre\na.wav,x\n./a.wav,y\n", "lists a.wav twice"),
        ("path,genre\ngone.wav,x\n", "not one of the 1 paths"),
    ],
)
def test_an_odd_csv_file_is_one_line(tmp_path, text, message):
    (tmp_path / "a.wav").touch()
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        datasets.listed(str(tmp_path / "mine.csv"), None, tmp_path)


def test_an_unknown_data_set_is_named_with_those_there_are(tmp_path):
    error = one_line_error("create_spectrograms.py", "--dataset=gtzam", f"--data={tmp_path}", code=2)
    assert "no data set 'gtzam'; there are fma_small, fma_medium, folder, gtzan" in error


def test_artists_come_from_the_tags_of_any_format(tmp_path):
    import mutagen
    import soundfile
    from conftest import SR, sine

    for name, artist in (("a.mp3", "The  Tones "), ("b.flac", "Various Artists"), ("c.ogg", None)):
        path = tmp_path / "rock" / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, sine(440, sr=SR), SR)
        if artist:
            tags = mutagen.File(path, easy=True)
            if tags.tags is None:
                tags.add_tags()
            tags["artist"] = artist
            tags.save()
    (tmp_path / "rock" / "d.mp3").write_bytes(b"damaged")
    for name in ("e.wav", "f.aiff"):
        soundfile.write(tmp_path / "rock" / name, sine(440, sr=SR), SR)
        tags = mutagen.File(tmp_path / "rock" / name)
        tags.add_tags()
        tags.tags.add(mutagen.id3.TPE1(encoding=3, text="The Tones"))
        tags.tags.add(mutagen.id3.TALB(encoding=3, text="Album"))
        tags.save()
    tracks, _, _ = datasets.listed("folder", tmp_path, tmp_path)
    assert [track.artist for track in tracks] == ["the tones", "", "", "", "the tones", "the tones"]
    assert [track.album for track in tracks[4:]] == ["album", "album"]


def test_artists_of_a_csv_file_are_spelled_as_those_of_tags(tmp_path):
    write_songs(tmp_path / "songs", ("high",), tracks=3)
    names = ("QUEEN ", "queen", "Various Artists")
    lines = [f"songs/high/high.0000{i}.wav,high,{name}" for i, name in enumerate(names)]
    (tmp_path / "mine.csv").write_text("\n".join(["path,genre,artist", *lines]))
    tracks, _, _ = datasets.listed(str(tmp_path / "mine.csv"), None, tmp_path)
    assert [track.artist for track in tracks] == ["queen", "queen", ""]
