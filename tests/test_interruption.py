"""Whatever ends a run of create_spectrograms.py, what stands under a final name is whole, and the next run goes on."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from genre import files, images, index

import pytest
from conftest import QUICK, ROOT, call, write_songs

TRACKS = 60
TIMEOUT = 60  # s
STOPPED = "create_spectrograms.py: stopped; what was finished is kept: call again, without --overwrite, to go on"
PIECES = 21  # of a song of 5 s, so that no run ends before it is interrupted
OPTIONS = [*(option for option in QUICK if not option.startswith("--workers")), "--overlap=0.8"]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return write_songs(tmp_path_factory.mktemp("songs"), ("high", "low"), TRACKS // 2, seconds=5.0)


@pytest.fixture(scope="module")
def undisturbed(songs, tmp_path_factory):
    """{file: bytes} of an undisturbed run with one worker."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make(songs, folder, "--workers=1")
    return content(folder)


def command(songs, folder, *options):
    script = str(ROOT / "create_spectrograms.py")
    return [sys.executable, script, f"--audio_files_path={songs}", f"--dataset_path={folder}", *OPTIONS, *options]


def make(songs, folder, *options):
    return call("create_spectrograms.py", *command(songs, folder, *options)[2:])


def start(songs, folder, *options):
    return subprocess.Popen(
        command(songs, folder, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell starts what is to run in the background with SIGINT ignored, and its children inherit that
        preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def content(folder):
    """{file: bytes} below the feature's folder, but the lock."""
    files = [path for path in (folder / "mel").rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder / "mel").as_posix(): path.read_bytes() for path in files}


def wait_for_pictures(folder, run, count=10):
    deadline = time.monotonic() + TIMEOUT
    while len(list(folder.glob("mel/*/[!.]*.png"))) < count:
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_all_whole(folder):
    pictures = list(folder.glob("mel/*/[!.]*.png"))
    for path in pictures:
        assert images.is_whole(path)
        assert images.read(path, index.read_recipe(folder / "mel")).size
    return len(pictures)


def test_three_workers_make_the_same_bytes_as_one(songs, undisturbed, tmp_path):
    make(songs, tmp_path, "--workers=3")
    assert content(tmp_path) == undisturbed


@posix
def test_after_a_kill_every_picture_is_whole_and_the_next_run_goes_on(songs, undisturbed, tmp_path):
    run = start(songs, tmp_path, "--workers=2")
    wait_for_pictures(tmp_path, run)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert 10 <= assert_all_whole(tmp_path) < len(undisturbed)
    (tmp_path / "mel" / "high" / ".4711.high.00000.000.png").write_bytes(b"half a pic")  # as a kill may leave it
    make(songs, tmp_path, "--workers=2")
    assert content(tmp_path) == undisturbed


@posix
def test_when_only_the_main_process_is_killed_its_workers_end_with_it(songs, tmp_path):
    run = start(songs, tmp_path, "--workers=2", "--overlap=0.999")  # 4,001 pieces a song: the workers are in one
    wait_for_pictures(tmp_path, run)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline, there = time.monotonic() + TIMEOUT, None
    while there != (there := sorted(tmp_path.glob("mel/*/*"))):  # the workers have ended when nothing comes any more
        assert time.monotonic() < deadline
        time.sleep(1)
    assert len(there) < 4001  # neither has made its own to the end


@posix
def test_sigterm_is_ctrl_c(songs, tmp_path):
    run = start(songs, tmp_path, "--workers=2")
    wait_for_pictures(tmp_path, run, count=8 * PIECES)
    run.terminate()
    _, errors = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 130
    assert errors.splitlines()[0] == STOPPED  # loky's resource tracker may add a note of its own
    assert "Traceback" not in errors
    assert len(index.read(tmp_path / "mel")) >= 5


@posix
def test_ctrl_c_is_one_line_keeps_what_is_done_and_lists_it(songs, undisturbed, tmp_path):
    run = start(songs, tmp_path, "--workers=2")
    wait_for_pictures(tmp_path, run, count=8 * PIECES)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 130
    assert errors.splitlines()[0] == STOPPED
    assert "Traceback" not in errors
    listed = {row.file for row in index.read(tmp_path / "mel")}
    assert len(listed) >= 5
    assert listed <= content(tmp_path).keys()
    stamps = {file: (tmp_path / "mel" / file).stat().st_mtime_ns for file in listed}
    make(songs, tmp_path, "--workers=2")
    assert content(tmp_path) == undisturbed
    assert stamps == {file: (tmp_path / "mel" / file).stat().st_mtime_ns for file in listed}


def test_two_processes_on_one_folder_make_it_whole(songs, undisturbed, tmp_path):
    runs = [start(songs, tmp_path, "--workers=1") for _ in range(2)]
    outputs = [run.communicate(timeout=TIMEOUT) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert content(tmp_path) == undisturbed


def test_a_process_waits_for_the_one_that_writes_the_folder(songs, undisturbed, tmp_path):
    with files.alone_in(tmp_path / "mel"):
        run = start(songs, tmp_path, "--workers=1")
        assert "waiting until it is done" in run.stdout.readline()
        assert run.poll() is None
    run.communicate(timeout=TIMEOUT)
    assert run.returncode == 0
    assert content(tmp_path) == undisturbed


def test_two_processes_that_want_different_pictures_do_not_mix_them(songs, tmp_path):
    runs = [start(songs, tmp_path, "--workers=1", f"--n_mels={n}") for n in (8, 12)]
    outputs = [run.communicate(timeout=TIMEOUT) for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1], outputs
    assert any(re.search("has another recipe .n_mels", err) and err.count("\n") == 1 for _, err in outputs)
    assert assert_all_whole(tmp_path) == PIECES * TRACKS


def in_small_file_system(folder, script, size="1m"):
    """Run a shell script in which `folder` is a file system of its own, or skip the test where that is not allowed."""
    mount = f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder))}"
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no file systems of its own for a process here")
    return subprocess.run([unshare, "-rm", "sh", "-c", f"{mount} && {script}"], capture_output=True, text=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_one_line_and_leaves_only_whole_pictures(songs, tmp_path, workers):
    target, saved = tmp_path / "disk", tmp_path / "saved"
    target.mkdir()
    run = shlex.join(command(songs, target, f"--workers={workers}"))
    done = in_small_file_system(target, f"{run}; code=$?; cp -r {target} {saved}; exit $code", size="200k")
    assert done.returncode == 1, done.stderr
    ours = [line for line in done.stderr.splitlines() if line.startswith("create_spectrograms.py: ")]
    assert len(ours) == 1 and "No space left on device" in ours[0], done.stderr
    assert "Traceback" not in done.stderr
    assert assert_all_whole(saved) > 0
    assert workers > 1 or not list(saved.rglob(".*.png"))  # another worker may be stopped in mid-picture
    assert index.read(saved / "mel") is not None


def test_a_folder_that_cannot_be_written_is_one_line(songs, tmp_path):
    target = tmp_path / "disk"
    target.mkdir()
    run = shlex.join(command(songs, target, "--workers=1"))
    done = in_small_file_system(target, f"mount -o remount,ro {shlex.quote(str(target))} && {run}")
    assert done.returncode == 1, done.stderr
    assert re.fullmatch("create_spectrograms.py: Read-only file system: .*disk.*\n", done.stderr), done.stderr
    (tmp_path / "file").write_text("")
    done = subprocess.run(command(songs, tmp_path / "file"), capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch("create_spectrograms.py: (Not a directory|File exists): .*file.*\n", done.stderr), done.stderr
