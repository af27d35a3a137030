import os
import subprocess
import sys
import time

from genre import index, workers
from genre.command_line import CallError, DataError

import pytest
from conftest import QUICK, ROOT, call, one_line_error, write_songs
from jobs import double_or_die

TIMEOUT = 60  # s


@pytest.mark.parametrize("count", [1, 2])
def test_every_job_gives_its_result(count):
    results = dict(workers.each(double_or_die, [(n, None) for n in range(20)], workers=count))
    assert results == {(n, None): 2 * n for n in range(20)}


def test_a_job_that_kills_its_process_has_no_result_and_all_others_have_theirs():
    jobs = [(n, 7) for n in range(30)]
    results = dict(workers.each(double_or_die, jobs, workers=2))
    assert results == {(n, 7): None if n == 7 else 2 * n for n in range(30)}


def test_what_a_job_raises_ends_the_run():
    with pytest.raises(TypeError):
        list(workers.each(double_or_die, [("a", None), (None, 1), (1, 2)], workers=2))


def test_without_dask_or_a_scheduler_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with pytest.raises(DataError, match="no Dask scheduler answers at tcp://127.0.0.1:1"):
        list(workers.each(double_or_die, [(1, 2)], workers=1, scheduler="tcp://127.0.0.1:1"))
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(CallError, match=r"pip install -r requirements-optional\.txt"):
        list(workers.each(double_or_die, [(1, 2)], workers=1, scheduler="tcp://127.0.0.1:1"))
    assert "belong together" in one_line_error("create_spectrograms.py", "--backend=dask", code=2)


def start(*command):
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """(address of a scheduler on loopback, its two worker processes)."""
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path / "dask"))
    file = tmp_path / "scheduler.json"
    options = ("--scheduler-file", str(file), "--host", "127.0.0.1")
    processes = [start("scheduler", *options, "--port", "0", "--no-dashboard")]
    try:
        wait_until(file.exists)
        worker = ("worker", *options, "--nthreads=1", "--no-nanny", "--no-dashboard")
        processes += [start(*worker), start(*worker)]
        from dask.distributed import Client

        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=TIMEOUT)
            yield client.scheduler.address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_worker_that_lacks_the_program_or_a_folder_is_named_at_once(tmp_path, cluster):
    address, _ = cluster
    write_songs(tmp_path / "genres", ("high",), tracks=1)
    with pytest.raises(DataError, match=f"{address.rsplit(':', 1)[0]}.* does not see .*nowhere"):
        list(workers.each(double_or_die, [(1, 2)], workers=1, scheduler=address, folders=[tmp_path / "nowhere"]))
    call("create_spectrograms.py", "--data=.", *QUICK, "--backend=dask", f"--scheduler={address}", cwd=tmp_path)
    assert len(index.read(tmp_path / "dataset" / "mel")) == 1
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    command = [sys.executable, "-m", "dask", "worker", address, "--no-nanny", "--no-dashboard"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    worker = subprocess.Popen(command, cwd=stranger, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        from dask.distributed import Client

        with Client(address) as client:
            client.wait_for_workers(3, timeout=TIMEOUT)
        with pytest.raises(DataError, match="does not know this program; start it in a copy of the repository"):
            list(workers.each(double_or_die, [(1, 2)], workers=1, scheduler=address))
    finally:
        worker.kill()
        worker.communicate()


def test_a_dask_cluster_that_loses_a_worker_in_mid_run_makes_every_picture(tmp_path, cluster):
    address, (first, _) = cluster
    write_songs(tmp_path / "genres", ("high", "low"), tracks=30, seconds=4.0)
    pictures = tmp_path / "far" / "mel"
    options = (f"--data={tmp_path}", *QUICK, f"--dataset_path={tmp_path / 'far'}")
    command = [sys.executable, str(ROOT / "create_spectrograms.py"), *options, "--backend=dask"]
    run = subprocess.Popen([*command, f"--scheduler={address}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: len(list(pictures.glob("*/*.png"))) > 5)
        assert run.poll() is None
        first.kill()
        output, _ = run.communicate(timeout=TIMEOUT)
    finally:
        run.kill()
    assert run.returncode == 0, output
    assert b"Traceback" not in output
    rows = index.read(pictures)
    assert len(rows) == len(list(pictures.glob("*/*.png"))) == 240
    call("create_spectrograms.py", f"--data={tmp_path}", *QUICK)
    for row in rows:
        assert (pictures / row.file).read_bytes() == (tmp_path / "dataset" / "mel" / row.file).read_bytes()
