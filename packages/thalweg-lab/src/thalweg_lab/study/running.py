"""Making the runs of a study that are not there yet: here, in processes beside, or on a cluster.

Whoever makes a run, its record is written by the process that was asked for the study, at once when
the run is finished. So an interrupt, a worker that dies or a power cut costs the runs that were
going on, and the same call again makes what is missing.

Runs side by side share the machine's caches and memory, so their times are longer and less even
than alone: `jobs=1` is for timing. Each worker gets its share of the cores, for XLA and for BLAS.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

from thalweg._util.files import whole_file
from thalweg.errors import ConfigError, MissingExtraError, PrecisionError, ThalwegError
from thalweg_lab.study.definition import read_study, write_study
from thalweg_lab.study.run import Run, execute
from thalweg_lab.study.store import STUDY, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from thalweg_lab.study.plan import Study
    from thalweg_lab.study.spec import RunSpec

CONNECT_SECONDS = 10  # to a Dask scheduler
LIVES = 2  # of a run on a cluster; each is several workers that died while they made it
XLA_THREADS = "NPROC"  # the variable that XLA takes the size of its thread pool from


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        total: How many runs it has.
        there: How many of them were there before.
        run: The run that was finished last; None at the beginning.
        done: How many were finished since.
    """

    total: int
    there: int
    run: Run | None = None
    done: int = 0


def run_study(
    study: Study,
    folder: Path | str,
    *,
    jobs: int = 1,
    dask: str | None = None,
    show: Callable[[Progress], None] = lambda _: None,
) -> Store:
    """Make all runs of a study that are not in its folder yet.

    With one job and no cluster the runs are made in this process, where JAX's x64 flag must be
    on; workers switch it on for themselves.

    Args:
        study: What to run.
        folder: Where its records are kept; made where it does not exist.
        jobs: Processes of this machine that make runs side by side.
        dask: The address of a Dask scheduler whose workers make the runs instead. One thread a
            worker is used, as a run is timed.
        show: Told of the progress, at the beginning and after each run.

    Returns:
        The folder, complete.

    Raises:
        ConfigError: The study holds mistakes, the folder holds another study or is in use, or
            the cluster is not reached. What was finished stays in the folder.
        MissingExtraError: `dask` was asked for and is not installed.
        ThalwegError: A worker process died.
        KeyboardInterrupt: Ctrl-C; what was finished stays in the folder.
    """
    if jobs < 1:
        raise ConfigError(f"`jobs` is {jobs}, but at least 1 was expected")
    store = Store(folder)
    with store.locked():
        adopt(store, study)
        specs = study.specs()
        missing = store.missing(specs)
        progress = Progress(total=len(specs), there=len(specs) - len(missing))
        show(progress)
        with contextlib.closing(_made(missing, jobs=jobs, dask=dask)) as runs:
            for done, run in enumerate(runs, 1):
                store.save(run)
                show(dataclasses.replace(progress, run=run, done=done))
    lost = len(store.missing(specs))
    if lost:
        raise ThalwegError(
            f"{lost} of {len(specs)} runs are missing, as the workers that made them died several "
            "times; see why in the cluster's log, and start the study again"
        )
    return store


def adopt(store: Store, study: Study) -> None:
    """Write a study's definition into its folder, or see that it is the one that is there.

    Raises:
        ConfigError: The definition holds mistakes, or another study is in the folder.
    """
    text = write_study(study)
    same = read_study(text, source=study.name)  # which names every mistake
    path = store.folder / STUDY
    if path.exists():
        if definition(store) != same:
            raise ConfigError(
                f"`{store.folder}` holds another study, or this one in another version or size; "
                "name another folder by `--out`"
            )
        return
    if store.ids():
        raise ConfigError(
            f"`{store.folder}` holds runs without a `{STUDY}`; name another folder by `--out`"
        )
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be written ({error.strerror or error}); name another folder by "
            "`--out`"
        ) from error


def definition(store: Store) -> Study:
    """The study in a folder.

    Raises:
        ConfigError: There is none, or it holds mistakes.
    """
    path = store.folder / STUDY
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{store.folder}` is no study: `{STUDY}` cannot be read ({error}); name a folder that "
            "`thalweg study` has made"
        ) from error
    return read_study(text, source=str(path))


# ------------------------------------------------------------------------------------- the workers


def _made(specs: Sequence[RunSpec], *, jobs: int, dask: str | None) -> Generator[Run]:
    """The runs, each when it is finished."""
    if not specs:
        return
    if dask is not None:
        yield from _on_cluster(specs, dask)
    elif jobs == 1:
        yield from _here(specs)
    else:
        yield from _beside(specs, jobs)


def _here(specs: Sequence[RunSpec]) -> Iterator[Run]:
    import jax

    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise PrecisionError(
            "the problems of a study are in float64, but JAX's x64 flag is off; call "
            '`jax.config.update("jax_enable_x64", True)` first'
        )
    return map(execute, specs)


def _beside(specs: Sequence[RunSpec], jobs: int) -> Generator[Run]:
    """Runs in processes of joblib's."""
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    threads = max(joblib.cpu_count() // jobs, 1)
    parallel: Any = joblib.Parallel(
        n_jobs=jobs,
        return_as="generator_unordered",
        batch_size=1,  # pyright: ignore[reportArgumentType] - a number or "auto"
    )
    tasks = (joblib.delayed(in_worker)(spec, threads=threads) for spec in specs)
    runs: Generator[Run] = parallel(tasks)
    try:
        for run in runs:  # noqa: UP028 - `yield from` would close them first, with a warning
            yield run
    except TerminatedWorkerError as error:
        raise ThalwegError(
            "a worker process was killed, most likely for want of memory; what was finished stays, "
            "so start the study again, with fewer `--jobs`"
        ) from error
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* tasks ", UserWarning)  # that runs are cut short
            runs.close()


def _on_cluster(specs: Sequence[RunSpec], address: str) -> Generator[Run]:
    """Runs on the workers of a Dask cluster; the run of a worker that dies is made by another."""
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "distributed", extra="dask", needed_by="--dask", package="thalweg-lab"
        ) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigError(
            f"no Dask scheduler was reached at `{address}` ({error}); start one with `dask "
            "scheduler` and name the address that it prints"
        ) from error
    with client:

        def submit(spec: RunSpec) -> Any:
            return client.submit(in_worker, spec, threads=None, pure=False)

        asked = {submit(spec): spec for spec in specs}
        finished = distributed.as_completed(
            asked, with_results=True, raise_errors=False, loop=client.loop
        )
        lives = dict.fromkeys(specs, LIVES)
        for future, result in finished:
            spec = asked.pop(future)
            if isinstance(result, Run):  # whatever became of the worker since
                yield result
                continue
            _refuse_unable(result)
            lives[spec] -= 1
            if lives[spec]:
                again = submit(spec)
                asked[again] = spec
                finished.add(again)


def _refuse_unable(result: Any) -> None:
    """Refuse a cluster that cannot make runs, from what came in the place of a run.

    Raises:
        ThalwegError: It is an error, and not that of a worker that died.
    """
    from distributed import KilledWorker

    error = result[1] if isinstance(result, tuple) else result
    if isinstance(error, Exception) and not isinstance(error, KilledWorker):
        raise ThalwegError(
            f"the workers of the cluster cannot make runs ({type(error).__name__}: {error}); "
            "install the same thalweg there as here"
        ) from error


_one_run = threading.Lock()


def in_worker(spec: RunSpec, *, threads: int | None) -> Run:
    """Make a run in a worker process; one at a time, as it is timed.

    Args:
        spec: What to run.
        threads: What XLA and BLAS are held to; None for as many as the worker has.
    """
    with _one_run:
        _prepare(threads)
        return execute(spec, threads=threads)


@functools.cache
def _prepare(threads: int | None) -> Any:
    """Set up a worker process, once; XLA reads its limit when JAX is first used.

    Returns:
        The limit of BLAS, which must be kept.
    """
    limit = None
    if threads is not None:
        os.environ[XLA_THREADS] = str(threads)
        import threadpoolctl

        limit = threadpoolctl.threadpool_limits(limits=threads)
    import jax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    return limit
