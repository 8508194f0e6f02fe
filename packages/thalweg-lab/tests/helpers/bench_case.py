"""A race that is made up, small enough to work out by hand."""

import math
from collections.abc import Mapping, Sequence

from small_study import MACHINE, failed, made_up
from thalweg_lab.bench.new_process import COLD, WARM, Launch, NewProcess
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.plan import label_of
from thalweg_lab.bench.running import Race
from thalweg_lab.bench.suite import Entry
from thalweg_lab.study import Run, RunSpec

ENTRY = Entry("xor", "least squares", ("l-bfgs", "adam"), seconds=4.0, starts=3, floor=1e-9)
NEVER = math.inf
LBFGS, ADAM, BAD = "L-BFGS (SciPy)", "Adam", "SS-Broyden"
MAKERS = {
    OURS: {"name": "auto"},
    LBFGS: {"name": "l-bfgs", "maxcor": 10},
    ADAM: {"name": "adam", "learning_rate": 0.01},
    BAD: {"name": "ss-broyden"},
}
# A row takes a tenth of a second and a gradient; the first is the start.
LOSSES: Mapping[str, Sequence[Sequence[float]]] = {
    OURS: (
        (2.0, 0.5, 0.05, 0.005, 0.0005),
        (3.0, 0.5, 0.5, 0.05, 0.005, 0.0005),
        (2.0, 0.05, 0.005, 0.0005),
    ),
    LBFGS: (
        (2.0, 1.5, 0.9, 0.09, 0.05),
        (3.0, 0.9, 0.09, 0.009),
        (2.0, 1.5, 1.5, 1.5, 1.5),
    ),
    ADAM: (
        (2.0, 0.7, 0.6),
        (3.0, 0.7, 0.6),
        (2.0, 0.7, 0.6),
    ),
}


def spec(label: str, start: int) -> RunSpec:
    """A run of the race."""
    maker = MAKERS[label]
    return RunSpec(
        problem="xor", method=label_of(maker), maker=maker, start=start, stop={"seconds": 4.0}
    )


def runs() -> list[Run]:
    """All runs; those of one entrant raised."""
    made = [
        made_up(spec(label, start), losses, ran=MAKERS[label]["name"])
        for label, runs in LOSSES.items()
        for start, losses in enumerate(runs)
    ]
    return [*made, *(failed(spec(BAD, start), "ValueError: <b>no</b>") for start in range(3))]


def first_steps() -> list[Run]:
    """One step each, twice: two seconds of compilation for thalweg, one for the others."""
    return [
        made_up(
            RunSpec("xor", label_of(maker), maker, start, {"steps": 1}),
            (2.0, 1.0),
            compile_seconds=(2.0 if label == OURS else 1.0) + start,
        )
        for start in range(2)
        for label, maker in MAKERS.items()
        if label != BAD
    ]


def race() -> Race:
    """The race."""
    return Race(
        entry=ENTRY,
        entrants=MAKERS,
        runs=runs(),
        first=first_steps(),
        title="A <small> problem",
        measure="error",
        network="2-2-1 tanh",
        source="Nobody & Nowhere (2026).",
    )


def launched() -> NewProcess:
    """On the made-up race: thalweg takes 4, 5 and 9 seconds, a tenth of it with programs kept.

    The peer takes 2 seconds, 1 with programs kept, and misses the target from one start.
    """
    ours = [
        Launch(OURS, start, cache, seconds * share, 2 * seconds * share, 0.05)
        for start, seconds in enumerate((4.0, 5.0, 9.0))
        for cache, share in ((COLD, 1.0), (WARM, 0.1))
    ]
    peers = [
        Launch(LBFGS, start, cache, seconds, seconds, 0.09)
        for start in range(2)
        for cache, seconds in ((COLD, 2.0), (WARM, 1.0))
    ]
    missed = [Launch(LBFGS, 2, cache, NEVER, NEVER, 1.5) for cache in (COLD, WARM)]
    return new_process(*ours, *peers, *missed)


def new_process(*launches: Launch) -> NewProcess:
    """These launches on the made-up race, within a second each."""
    return NewProcess(
        problem="xor",
        target=0.1,
        peer=LBFGS,
        launches=launches,
        budget=1.0,
        machine=MACHINE,
        commit="abc",
    )
