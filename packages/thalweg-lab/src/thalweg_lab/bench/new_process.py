"""The time to a target in a new process, compilation included: thalweg against the quickest peer.

    python -m thalweg_lab.bench.new_process '{"problem": "iris", "maker": {"name": "auto"},
                                              "start": 0, "target": 0.001, "seconds": 5.0}'

makes one run and prints its times. The clocks start when JAX is imported and the problem is loaded,
for both sides alike, and stop when `minimize` returns: what is imported for the method, tracing,
compilation and the run count. Both clocks are kept: wall time, and processor time of all threads,
which other load on the machine changes less.

Each side runs twice from a start: first with an empty cache of compiled programs, then with the
cache that the first run left. Sides take turns, start by start. The target is the
middle one of the race, and the peer is the one that the race finds quickest to it, compilation
included. Where a side misses the target, the budget stands for its time, as in the race.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._util.files import whole_file
from thalweg._util.machine import this_machine
from thalweg.errors import ConfigError, ThalwegError
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.targets import Target, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from thalweg_lab.bench.results import Raced

FILE = "new-process.json"
COLD, WARM = "none on disk", "on disk"  # compiled programs when the process begins
PAIRS = 3  # starts of each problem
LIMIT_SECONDS = 600  # of a process, beyond the budget of its run
SCHEMA_VERSION = 2  # version 1 had no budget, machine and commit


@dataclasses.dataclass(frozen=True)
class Launch:
    """A run in a process of its own.

    Attributes:
        label: The entrant.
        start: The start.
        cache: `COLD` or `WARM`.
        seconds: Wall time until the run ended; of a run that misses the target, infinite.
        cpu_seconds: Processor time of all threads; infinite likewise.
        loss: The least loss.
    """

    label: str
    start: int
    cache: str
    seconds: float
    cpu_seconds: float
    loss: float


@dataclasses.dataclass(frozen=True)
class NewProcess:
    """The launches of thalweg and of the quickest peer on one problem.

    Attributes:
        problem: Its name.
        target: The loss to be reached.
        peer: The label of the peer.
        launches: The runs, in the order in which they were made.
        budget: Seconds of each run, without compilation.
        machine: Where they were made.
        commit: The commit of thalweg that made them; None where it is unknown.
    """

    problem: str
    target: float
    peer: str
    launches: tuple[Launch, ...]
    budget: float
    machine: Mapping[str, Any]
    commit: str | None

    def median(self, label: str, cache: str, column: str = "seconds") -> float:
        """The median over the starts; infinite where half of them or more miss the target."""
        found = [
            getattr(launch, column)
            for launch in self.launches
            if (launch.label, launch.cache) == (label, cache)
        ]
        return float(np.median(found)) if found else math.nan

    def compared(self, cache: str, column: str = "seconds") -> Target:
        """Both medians and their ratio, or a bound on it."""
        ours, peers = (self.median(label, cache, column) for label in (OURS, self.peer))
        return compare(self.target, ours, {self.peer: peers}, missed=(self.budget, self.budget))

    def as_json(self) -> dict[str, Any]:
        """With medians and ratios."""
        summary = {
            cache: {
                "ours": self.median(OURS, cache),
                "peers": self.median(self.peer, cache),
                "ratio": self.compared(cache).ratio,
                "bound": self.compared(cache).bound,
                "ratio_of_processor_time": self.compared(cache, "cpu_seconds").ratio,
            }
            for cache in (COLD, WARM)
        }
        return {**dataclasses.asdict(self), "medians": summary}


def measure_new_processes(
    problems: Sequence[Raced],
    entrants: Mapping[str, Mapping[str, Mapping[str, Any]]],
    folder: Path,
    *,
    pairs: int = PAIRS,
    show: Callable[[str], None] = lambda _: None,
) -> tuple[NewProcess, ...]:
    """Measure what is missing from a folder, each problem kept as soon as it is finished.

    Args:
        problems: The tables of the race; a problem without a target or a peer is left out.
        entrants: By problem and label, the method and settings of each entrant.
        folder: Where the record is kept.
        pairs: The number of starts.
        show: Called with a line before each problem.

    Raises:
        ConfigError: The record cannot be read or written.
        ThalwegError: A process died.
    """
    from thalweg_lab.study.run import commit

    made_by = commit()  # before the record, which may lie in the repository, is written
    known = {_key(one): one for one in load_new_processes(folder)}
    for raced in problems:
        asked = middle_target(raced)
        if asked is None or (raced.problem, *asked) in known:
            continue
        target, peer = asked
        show(f"{raced.problem}: {4 * pairs} new processes, to {target:.3g}")
        makers = {label: entrants[raced.problem][label] for label in (OURS, peer)}
        launches = compare_launches(
            raced.problem, makers, target, seconds=raced.budget, pairs=pairs
        )
        found = NewProcess(
            problem=raced.problem,
            target=target,
            peer=peer,
            launches=launches,
            budget=raced.budget,
            machine=dataclasses.asdict(this_machine()),
            commit=made_by,
        )
        known[_key(found)] = found
        _save(folder, tuple(known.values()))
    return known_of(problems, known.values())


def known_of(problems: Sequence[Raced], known: Iterable[NewProcess]) -> tuple[NewProcess, ...]:
    """What is known of some problems, measured to the present middle target and peer."""
    by_key = {_key(one): one for one in known}
    asked = [(raced.problem, middle_target(raced)) for raced in problems]
    found = (by_key.get((problem, *middle)) for problem, middle in asked if middle)
    return tuple(filter(None, found))


def _key(one: NewProcess) -> tuple[str, float, str]:
    return one.problem, one.target, one.peer


def middle_target(raced: Raced) -> tuple[float, str] | None:
    """The middle target, and the peer that is quickest to it with compilation.

    None where there is no target, or no peer reaches the middle one.
    """
    if not raced.compiled:
        return None
    middle = raced.compiled[len(raced.compiled) // 2]
    return (middle.loss, middle.winner) if middle.winner else None


def compare_launches(
    problem: str,
    makers: Mapping[str, Mapping[str, Any]],
    target: float,
    *,
    seconds: float,
    pairs: int = PAIRS,
) -> tuple[Launch, ...]:
    """Every entrant from each start in new processes, first with an empty cache, then with its own.

    Args:
        problem: The problem's name.
        makers: The method and settings of each entrant by label.
        target: The loss to be reached.
        seconds: The budget of a run, without compilation.
        pairs: The number of starts.

    Raises:
        ThalwegError: A process died.
    """
    launches = []
    for start in range(pairs):
        for label, maker in makers.items():
            with tempfile.TemporaryDirectory() as caches:
                for cache in (COLD, WARM):
                    asked = {
                        "problem": problem,
                        "maker": dict(maker),
                        "start": start,
                        "target": target,
                        "seconds": seconds,
                    }
                    launches.append(Launch(label, start, cache, **_launched(asked, caches)))
    return tuple(launches)


def _launched(asked: Mapping[str, Any], caches: str) -> dict[str, float]:
    """What a new process with this folder of caches prints."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "COMPILATION_CACHE" not in name and "PERSISTENT_CACHE" not in name
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "thalweg_lab.bench.new_process", json.dumps(asked)],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS + asked["seconds"],
            env={**kept, "XDG_CACHE_HOME": caches},
        )
    except subprocess.TimeoutExpired as error:
        raise ThalwegError(
            f"a new process on `{asked['problem']}` did not end within {error.timeout:g} seconds; "
            "see whether the machine is busy, and run the command again"
        ) from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise ThalwegError(
            f"a new process on `{asked['problem']}` with {asked['maker']} died ({last[0]})"
        )
    found = json.loads(done.stdout)
    return {name: math.inf if value is None else value for name, value in found.items()}


def main(asked: str) -> None:
    """Make one run and print its times; null for those of a run that misses the target."""
    import jax

    from thalweg.compilation_cache import cache_compiled_programs
    from thalweg_lab.study.run import load_problem

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    options = json.loads(asked)
    task = load_problem(options["problem"])
    params = task.start(options["start"])
    wall, cpu = time.perf_counter(), time.process_time()
    cache_compiled_programs()
    from thalweg._minimize import minimize
    from thalweg.stop import Stop
    from thalweg_lab.study.configured import configured

    stop = Stop(loss=options["target"], seconds=options["seconds"])
    solution = minimize(task.problem, params, configured(options["maker"]), stop)
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    is_reached = solution.loss <= options["target"]
    times = {name: value if is_reached else None for name, value in spent.items()}
    sys.stdout.write(f"{json.dumps({**times, 'loss': solution.loss})}\n")


# -------------------------------------------------------------------------------------- the record


def load_new_processes(folder: Path) -> tuple[NewProcess, ...]:
    """What a folder holds; nothing where there is no record.

    Raises:
        ConfigError: The record cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        return from_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({type(error).__name__}: {error}); remove it, and the same "
            "command measures again"
        ) from error


def from_record(record: Mapping[str, Any]) -> tuple[NewProcess, ...]:
    """What a record, read from its file, holds."""
    return tuple(_from_json(one) for one in record["problems"])


def _from_json(one: Mapping[str, Any]) -> NewProcess:
    def number(value: Any) -> Any:
        return math.inf if value is None else value

    launches = tuple(
        Launch(**{name: number(value) for name, value in launch.items()})
        for launch in one["launches"]
    )
    fields = [field.name for field in dataclasses.fields(NewProcess)]
    return NewProcess(**{**{name: one[name] for name in fields}, "launches": launches})


def _save(folder: Path, found: Sequence[NewProcess]) -> None:
    from thalweg._util.record import json_values

    path = folder / FILE
    record = {"schema_version": SCHEMA_VERSION, "problems": [one.as_json() for one in found]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_text(json.dumps(json_values(record), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be written ({error.strerror or error}); make room or name another "
            "folder by `--out`"
        ) from error


if __name__ == "__main__":
    main(sys.argv[1])
