from genre import files
from genre.command_line import CallError, DataError

import pytest


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), files.whole_file(tmp_path / "a.txt") as temporary:
        with open(temporary, "w") as file:
            file.write("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_swapped_in_whole_and_keeps_the_rest_when_asked(tmp_path):
    for name in ("final", "final/nested", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "final" / "old.txt").touch()
    (tmp_path / "new" / "new.txt").touch()
    files.replace_folder(tmp_path / "new", tmp_path / "final", keep=lambda path: True)
    assert sorted(path.name for path in (tmp_path / "final").iterdir()) == ["nested", "new.txt", "old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with files.whole_folder(tmp_path / "a") as folder:
        (folder / "old.txt").touch()
    (tmp_path / ".a.unfinished").mkdir()
    (tmp_path / ".a.unfinished" / "of a killed process.txt").touch()
    with pytest.raises(RuntimeError), files.whole_folder(tmp_path / "a") as folder:
        (folder / "half.txt").touch()
        assert [path.name for path in folder.iterdir()] == ["half.txt"]
        raise RuntimeError
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["a", "a/old.txt"]


def test_of_two_writers_the_second_is_refused_and_no_lock_is_left(tmp_path):
    refused = pytest.raises(CallError, match="another process is writing .*a; wait")
    with files.only_writer(tmp_path / "new" / "a"), refused, files.only_writer(tmp_path / "new" / "a"):
        pass
    assert list((tmp_path / "new").iterdir()) == []


def test_a_csv_with_an_open_quote_is_an_error_that_names_it_and_not_a_short_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufefftrack,genre\n1,rock\n2,pop\n", encoding="utf-8")
    with files.read_csv(path) as rows:
        assert list(rows) == [{"track": "1", "genre": "rock"}, {"track": "2", "genre": "pop"}]
    path.write_text('track,genre\n1,rock\n2,"pop\n' + "3,pop\n" * 3, encoding="utf-8")
    message = r"a\.csv is no CSV from line 3 on .*; look for a quote"
    with pytest.raises(DataError, match=message), files.read_csv(path) as rows:
        list(rows)


def test_a_swap_killed_between_its_two_renames_is_undone(tmp_path):
    (tmp_path / ".final.old").mkdir()
    (tmp_path / ".final.old" / "kept.txt").touch()
    files.recover_folder(tmp_path / "final")
    assert (tmp_path / "final" / "kept.txt").is_file()
    files.recover_folder(tmp_path / "final")
    assert (tmp_path / "final" / "kept.txt").is_file()


def test_nested_folders_survive_a_swap_killed_before_they_were_moved(tmp_path):
    for name in (".final.old/nested", "final", "new"):
        (tmp_path / name).mkdir(parents=True)
    files.replace_folder(tmp_path / "new", tmp_path / "final", keep=lambda path: True)
    assert [path.name for path in tmp_path.glob("*/*")] == ["nested"]


def test_what_a_killed_worker_left_half_written_is_gone_after(tmp_path):
    with files.alone_in(tmp_path / "mel"):
        (tmp_path / "mel" / "rock").mkdir()
        for name in (".123.a.png", "b.png", ".keep"):
            (tmp_path / "mel" / "rock" / name).touch()
    assert {path.name for path in (tmp_path / "mel" / "rock").iterdir()} == {"b.png", ".keep"}
