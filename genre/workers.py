"""The same work on many tracks: in processes of this machine, or on the machines of a Dask cluster."""

import contextlib
import os

from genre.command_line import CallError, DataError

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

# For the worker processes, where they run on glibc: it would give every track's arrays back to the system and take them
# again for the next, which costs a sixth of the time of mel.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 256 * 2**20}  # bytes
PATIENCE = 10  # s to wait for a scheduler
DIED = "the process that worked on it died: a damaged file, or not enough memory; try --workers=1, or remove it"


def each(function, jobs, workers, scheduler=None):
    """Call `function(*job)` for each job, with a progress bar.

    A job over which its process dies, as a decoder may over a damaged file, does not end the run: those that may have
    done it are tried again one by one, and the one that does it again has no result.

    Args:
        function: of a module, not of a script, so that other processes can import it.
        jobs: tuples of arguments. workers: processes; with 1, the work is done in this one.
        scheduler: address of a Dask scheduler, whose workers are then used instead.

    Yields:
        (job, result), as they are done; the result is None where the process died.

    Raises:
        DataError, CallError: no such scheduler, or no Dask. And whatever the function raises.
    """
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, str(value))
    waiting = dict(enumerate(jobs))
    with _backend(scheduler), tqdm(total=len(jobs), unit="track", disable=None, smoothing=0.05) as progress:
        n_jobs = -1 if scheduler else min(workers, max(1, len(jobs)))
        while waiting:
            try:
                for number, result in _parallel(function, waiting, n_jobs):
                    yield waiting.pop(number), result
                    progress.update()
            except Exception as error:
                if not _is_death(error):
                    raise
                for number in list(waiting)[: 4 * workers]:  # more than can have been under way
                    yield waiting[number], _alone(function, waiting.pop(number))
                    progress.update()


def _parallel(function, waiting, n_jobs):
    jobs = (joblib.delayed(_numbered)(number, function, job) for number, job in list(waiting.items()))
    yield from joblib.Parallel(return_as="generator_unordered", batch_size=1, n_jobs=n_jobs)(jobs)


def _numbered(number, function, job):
    return number, function(*job)


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
def _backend(scheduler):
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
        raise DataError(f"no Dask scheduler answers at {scheduler} ({error}); start one with: dask scheduler") from None
    with client, joblib.parallel_config("dask", client=client):
        if not client.scheduler_info()["workers"]:
            raise DataError(f"the Dask scheduler at {scheduler} has no workers; start some: python -m dask worker")
        yield
