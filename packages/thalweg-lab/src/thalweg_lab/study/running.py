"""Makes the missing runs of a study: in this process, in several processes, or on a cluster.

The calling process writes each record as soon as its run is finished. An interrupt, a dead worker
or a power cut therefore costs only the runs in progress, and the same call makes what is missing.

Runs side by side share the machine's caches and memory, so their times are longer and vary more:
use `jobs=1` for timing. Each worker gets its share of the cores, for XLA and for BLAS.
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
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from thalweg_lab.study.plan import Study
    from thalweg_lab.study.spec import RunSpec

CONNECT_SECONDS = 10  # to a Dask scheduler
ATTEMPTS = 2  # at a run on a cluster; Dask gives up each only after several workers died
XLA_THREADS = "NPROC"  # the variable that XLA takes the size of its thread pool from


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        total: How many runs the study has.
        there: How many of them existed before.
        run: The run that finished last; None at the beginning.
        done: How many have finished since.
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
    """Make all runs of a study that are missing from its folder.

    With one job and no cluster, the runs are made in this process, where JAX's x64 flag must be
    on; workers switch it on themselves.

    Args:
        study: What to run.
        folder: Where its records are kept; created where it does not exist.
        jobs: How many processes of this machine make runs side by side.
        dask: The address of a Dask scheduler whose workers make the runs instead. Each worker
            makes one run at a time, since runs are timed.
        show: Called with the progress, at the beginning and after each run.

    Returns:
        The folder, complete.

    Raises:
        ConfigError: The study holds mistakes, the folder holds another study or is in use, or
            the cluster cannot be reached. Finished runs stay in the folder.
        MissingExtraError: `dask` is given, but Dask is not installed.
        ThalwegError: A worker process died.
        KeyboardInterrupt: Ctrl-C; finished runs stay in the folder.
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
            f"{lost} of {len(specs)} runs are missing, because the workers that made them died "
            "several times; look for the reason in the cluster's log, and start the study again"
        )
    return store


def adopt(store: Store, study: Study) -> None:
    """Write a study's definition into its folder, or check that the folder holds the same one.

    Raises:
        ConfigError: The definition holds mistakes, or the folder holds another study.
    """
    text = write_study(study)
    same = read_study(text, source=study.name)  # which reports every mistake
    path = store.folder / STUDY
    if path.exists():
        if _without_texts(definition(store)) != _without_texts(same):
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


def _without_texts(study: Study) -> Study:
    """The study without its title and description, which may change from version to version."""
    return dataclasses.replace(study, title="", about="")


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
            f"`{store.folder}` is not a study: `{STUDY}` cannot be read ({error}); name a folder "
            "that `thalweg study` wrote"
        ) from error
    return read_study(text, source=str(path))


# ------------------------------------------------------------------------------------- the workers


def _made(specs: Sequence[RunSpec], *, jobs: int, dask: str | None) -> Generator[Run]:
    """The runs, each as soon as it is finished."""
    if not specs:
        return
    if dask is not None:
        yield from _on_cluster(specs, dask)
    elif jobs == 1:
        yield from _here(specs)
    else:
        yield from _in_processes(specs, jobs)


def _here(specs: Sequence[RunSpec]) -> Iterator[Run]:
    import jax

    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise PrecisionError(
            "the problems of a study are in float64, but JAX's x64 flag is off; call "
            '`jax.config.update("jax_enable_x64", True)` first'
        )
    return map(execute, specs)


def _in_processes(specs: Sequence[RunSpec], jobs: int) -> Generator[Run]:
    """Runs in joblib's processes."""
    return side_by_side(in_worker, specs, jobs=jobs)


def side_by_side(
    function: Callable[..., Any], items: Iterable[Any], *, jobs: int, **settings: Any
) -> Generator[Any]:
    """Results of `function(item, threads=..., **settings)`, in any order, from several processes.

    Args:
        function: Importable; `threads` is what it may use of the cores.
        items: What it is called with, one item a call.
        jobs: The number of processes.
        **settings: Further arguments, the same for all.

    Raises:
        ThalwegError: A worker process died.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    threads = max(joblib.cpu_count() // jobs, 1)
    parallel: Any = joblib.Parallel(
        n_jobs=jobs,
        return_as="generator_unordered",
        batch_size=1,  # pyright: ignore[reportArgumentType] - a number or "auto"
    )
    tasks = (joblib.delayed(function)(item, threads=threads, **settings) for item in items)
    results: Generator[Any] = parallel(tasks)
    try:
        for result in results:  # noqa: UP028 - `yield from` would close them first, with a warning
            yield result
    except TerminatedWorkerError as error:
        raise ThalwegError(
            "a worker process was killed, most likely because memory ran out; finished runs are "
            "kept, so start the study again with fewer `--jobs`"
        ) from error
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* tasks ", UserWarning)  # about cancelled runs
            results.close()


def _on_cluster(specs: Sequence[RunSpec], address: str) -> Generator[Run]:
    """Runs on the workers of a Dask cluster; where a worker dies, another repeats its run."""
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
        attempts_left = dict.fromkeys(specs, ATTEMPTS)
        for future, result in finished:
            spec = asked.pop(future)
            if isinstance(result, Run):  # even if the worker has died since
                yield result
                continue
            _refuse_unable(result)
            attempts_left[spec] -= 1
            if attempts_left[spec]:
                again = submit(spec)
                asked[again] = spec
                finished.add(again)


def _refuse_unable(result: Any) -> None:
    """Refuse a cluster that cannot make runs, judging by a result that is not a run.

    Raises:
        ThalwegError: The result is an error other than the death of a worker.
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
    """Make a run in a worker process; one at a time, since runs are timed.

    Args:
        spec: What to run.
        threads: Limit on the threads of XLA and BLAS; None for no limit.
    """
    with _one_run:
        prepare(threads)
        return execute(spec, threads=threads)


@functools.cache
def prepare(threads: int | None) -> Any:
    """Set up a worker process once; XLA reads its limit when JAX is first used.

    Returns:
        The limit on BLAS, which holds while this object exists.
    """
    limit = None
    if threads is not None:
        os.environ[XLA_THREADS] = str(threads)
        import threadpoolctl

        limit = threadpoolctl.threadpool_limits(limits=threads)
    import jax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    return limit
