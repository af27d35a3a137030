"""The same work on many tracks: in processes of this machine, or on the machines of a Dask cluster."""

import contextlib
import functools
import os
import signal
import threading
import time

from genre.command_line import CallError, DataError, one_of, positive

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

# For the worker processes, where they run on glibc: it would give every track's arrays back to the system and take them
# again for the next, which costs a sixth of the time of mel.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 256 * 2**20}  # bytes
PATIENCE = 10  # s to wait for a scheduler
DIED = "the process that worked on it died: a damaged file, or not enough memory"
SAVE_EVERY = 10  # s between two savings of what is finished; with the tracks under way, what a kill loses at most
SAVE_SHARE = 20  # and saving takes at most a twentieth of the time, however much there is


def add_options(parser):
    """Add the options that say where the work is done."""
    few = max(2, joblib.cpu_count())  # even on one core: over a file that crashes a process, the run goes on
    text = "processes of this machine, if not of Dask; 1: this process, which a crash ends"
    parser.add_argument("--workers", type=positive, default=few, help=text)
    parser.add_argument("--backend", type=one_of(["loky", "dask"]), default="loky", help="loky is this machine")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, e.g. tcp://192.168.0.2:8786")


def check_options(args):
    if bool(args.scheduler) != (args.backend == "dask"):
        raise CallError("--backend=dask and --scheduler=ADDRESS belong together")


def now_and_then(save):
    """A function that calls `save()`, but not each time it is called: see SAVE_EVERY and SAVE_SHARE."""
    last, cost = time.monotonic(), 0.0

    def perhaps():
        nonlocal last, cost
        if (started := time.monotonic()) - last > max(SAVE_EVERY, SAVE_SHARE * cost):
            save()
            last = time.monotonic()
            cost = last - started

    return perhaps


def each(function, jobs, workers, scheduler=None, folders=()):
    """Call `function(*job)` for each job, with a progress bar.

    A job over which its process dies, as a decoder may over a damaged file, does not end the run: those that may have
    done it are tried again one by one, and the one that does it again has no result.

    Args:
        function: of a module, not of a script, so that other processes can import it.
        jobs: tuples of arguments. workers: processes; with 1, the work is done in this one, which a crash ends.
        scheduler: address of a Dask scheduler, whose workers are then used instead.
        folders: what each of those must see under the same path.

    Yields:
        (job, result), as they are done; the result is None where the process died.

    Raises:
        DataError, CallError: no Dask, no such scheduler, or workers that lack this program or the folders. And whatever
            the function raises.
    """
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, str(value))
    waiting = dict(enumerate(jobs))
    with _backend(scheduler, folders), tqdm(total=len(jobs), unit="track", disable=None, smoothing=0.05) as progress:
        n_jobs, main = (-1, None) if scheduler else (workers, os.getpid())
        while waiting:
            try:
                for number, result in _parallel(function, waiting, n_jobs, main):
                    yield waiting.pop(number), result
                    progress.update()
            except Exception as error:
                if not _is_death(error):
                    raise
                for number in list(waiting)[: 4 * workers]:  # among them, mostly, what was under way
                    yield waiting[number], _alone(function, waiting.pop(number))
                    progress.update()


def _parallel(function, waiting, n_jobs, main):
    jobs = (joblib.delayed(_numbered)(number, function, job, main) for number, job in list(waiting.items()))
    with _deaf_to_ctrl_c():
        results = joblib.Parallel(return_as="generator_unordered", batch_size=1, n_jobs=n_jobs)(jobs)
    yield from results


@contextlib.contextmanager
def _deaf_to_ctrl_c():
    """Processes started meanwhile never see Ctrl-C: the main process does, and ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _numbered(number, function, job, main):
    _end_with(main)
    return number, function(*job)


@functools.cache
def _end_with(main):
    """Let a worker process end when its main process has: nothing may write a folder whose lock is free."""

    def watch():
        while os.getppid() == main:
            time.sleep(0.2)
        os._exit(1)

    if main not in (None, os.getpid()):
        threading.Thread(target=watch, daemon=True).start()


def _alone(function, job):
    """The result of a job in a process of its own, None if it dies there."""
    try:
        (result,) = joblib.Parallel(n_jobs=2)([joblib.delayed(function)(*job)])
        return result
    except Exception as error:
        if not _is_death(error):
            raise
        return None


def _is_death(error):
    return isinstance(error, TerminatedWorkerError) or type(error).__name__ == "KilledWorker"  # joblib's, Dask's


@contextlib.contextmanager
def _backend(scheduler, folders):
    """joblib.Parallel uses worker processes here, or those of a Dask cluster."""
    if not scheduler:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise CallError("--backend=dask needs Dask: pip install -r requirements-optional.txt") from None
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no Dask scheduler answers at {scheduler} ({error}); start one with: python -m dask scheduler"
        ) from None
    with client, joblib.parallel_config("dask", client=client):
        if not client.scheduler_info()["workers"]:
            raise DataError(
                f"the Dask scheduler at {scheduler} has no workers; start some: python -m dask worker {scheduler}"
            )
        _check_workers(client, folders)
        yield


def _check_workers(client, folders):
    """Raise if a worker cannot do its part: it would only say so in its own log, on its own machine."""
    look = "__import__('importlib.util').util.find_spec('genre') is not None"
    knows = client.run(eval, look) | {"scheduler": client.run_on_scheduler(eval, look)}
    if strangers := sorted(name for name, there in knows.items() if not there):
        raise DataError(f"Dask's {strangers[0]} does not know this program; start it in a copy of the repository")
    for worker, missing in client.run(_unseen, sorted(str(folder.absolute()) for folder in folders)).items():
        if missing:
            raise DataError(f"the Dask worker {worker} does not see {missing[0]}; it must have it under the same path")


def _unseen(folders):
    return [folder for folder in folders if not os.path.isdir(folder)]
