"""The problems of the benchmark, and for each the budget, the starts and the peers.

`thalweg_lab.problems` cites the source of each problem.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = ("adam", "l-bfgs", "optax-l-bfgs", "bfgs", "soap", "ss-broyden-jax")
# MINPACK wants as many residuals as weights.
FEW_RESIDUALS = (*SMALL, "scipy-trf", "optimistix-lm", "engd-w")
RESIDUALS = (*FEW_RESIDUALS, "scipy-lm")
PHYSICS = (
    "adam",
    "l-bfgs",
    "optax-l-bfgs",
    "adam-l-bfgs",
    "ss-broyden",
    "ss-broyden-jax",
    "engd-w",
    "soap",
    "adam-lbfgs-nncg",
)
BOTH = tuple(dict.fromkeys(PHYSICS + RESIDUALS))
LARGE = ("adam", "l-bfgs", "optax-l-bfgs", "soap")
WIDE = (*LARGE, "adam-l-bfgs")  # a network of papers, at 1.3 s a gradient on two cores
QUICK, FULL, PUBLISHED = "quick", "full", "published"
QUICK_STARTS = 3
ERRORS = tuple(10.0**-k for k in range(1, 7))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A problem in the benchmark.

    Attributes:
        problem: A name that `thalweg_lab.problems.load` knows.
        kind: Its kind, one of `thalweg_lab.problems.KINDS`.
        peers: Names of the peers that suit its structure and size.
        seconds: The budget of a run, without compilation.
        starts: How many starts the full suite takes.
        floor: The loss at which a run ends. None where the loss has a minimum above zero: then a
            run ends by itself or at its budget, and targets are set by the excess over the minimum.
        outputs: Residuals per example, q: the cost of a Jacobian in gradients.
        is_quick: Whether the quick suite has it.
        errors: The relative errors to which the time is read off. Where there are some, it is in
            the suite `published` and not in the full one, and the problem's measure is taken along
            each run of the race.
    """

    problem: str
    kind: str
    peers: tuple[str, ...]
    seconds: float
    starts: int = 10
    floor: float | None = None
    outputs: int = 1
    is_quick: bool = False
    errors: tuple[float, ...] = ()


ENTRIES = (
    Entry("bessel", "least squares", FEW_RESIDUALS, 6.0, floor=1e-12, is_quick=True),
    Entry("sine", "least squares", RESIDUALS, 1.0, floor=1e-10),
    Entry("parity3", "least squares", FEW_RESIDUALS, 1.0, floor=1e-9),
    Entry("cancer", "least squares", RESIDUALS, 5.0, starts=3, outputs=2),
    Entry("diabetes", "least squares", RESIDUALS, 2.0, outputs=2),
    Entry("sinc", "least squares", RESIDUALS, 6.0, starts=3, floor=1e-8),
    Entry("lotka-volterra", "least squares", RESIDUALS, 4.0, starts=5, floor=1e-10, outputs=62),
    Entry("poisson", "physics", BOTH, 2.5, starts=5, floor=1e-12, is_quick=True),
    Entry("burgers", "physics", PHYSICS, 20.0, starts=3, floor=1e-9),
    Entry("allen-cahn", "physics", PHYSICS, 16.0, starts=3, floor=1e-9),
    Entry("convection-5", "physics", PHYSICS, 12.0, starts=3, floor=1e-8),
    Entry("convection-30", "physics", PHYSICS, 4.0, starts=3, floor=1e-8),
    Entry("iris", "classification", SMALL, 1.0, floor=1e-6, is_quick=True),
    Entry("wine", "classification", SMALL, 0.5),
    Entry("breast-cancer", "classification", SMALL, 0.5),
    Entry("digits", "classification", LARGE, 1.5, is_quick=True),
    Entry("digits-without-decay", "classification", LARGE, 2.0, floor=1e-6),
    Entry("mnist-cnn", "classification", LARGE, 4.0, starts=3),
    Entry("convection-large", "large", LARGE, 10.0, starts=3, floor=1e-7),
    Entry("franke", "large", LARGE, 8.0, starts=3, floor=1e-7),
    Entry("convection-40", "physics", PHYSICS, 40.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("reaction", "physics", PHYSICS, 40.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("wave", "physics", PHYSICS, 40.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("helmholtz", "physics", PHYSICS, 30.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("poisson-5d", "physics", PHYSICS, 20.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("kuramoto-sivashinsky", "physics", PHYSICS, 30.0, starts=3, floor=1e-9, errors=ERRORS),
    Entry("convection-40-wide", "large", WIDE, 120.0, starts=1, floor=1e-9, errors=ERRORS),
)


def entries(
    suite: str,
    *,
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    starts: int | None = None,
    seconds: float | None = None,
) -> tuple[Entry, ...]:
    """The entries of a suite.

    Args:
        suite: `quick`, `full` or `published`.
        only: Names of problems, of either suite; all of the suite where it is empty.
        peers: Names of peers that race, of those that suit a problem; all where it is empty.
        starts: How many starts instead of the suite's own.
        seconds: The budget of a run instead of each problem's own.

    Raises:
        ConfigError: A problem or a peer is not in the benchmark.
    """
    _refuse_unknown(only, [entry.problem for entry in ENTRIES], what="problem")
    racing = dict.fromkeys(name for entry in ENTRIES for name in entry.peers)
    _refuse_unknown(peers, list(racing), what="peer")
    suites = {
        QUICK: [e for e in ENTRIES if e.is_quick],
        FULL: [e for e in ENTRIES if not e.errors],
        PUBLISHED: [e for e in ENTRIES if e.errors],
    }
    chosen = [e for e in ENTRIES if e.problem in only] if only else suites[suite]
    return tuple(
        dataclasses.replace(
            entry,
            peers=tuple(name for name in entry.peers if not peers or name in peers),
            starts=starts or (min(entry.starts, QUICK_STARTS) if suite == QUICK else entry.starts),
            seconds=seconds or entry.seconds,
        )
        for entry in chosen
    )


def _refuse_unknown(given: Sequence[str], known: Sequence[str], *, what: str) -> None:
    """Refuse a name that the benchmark does not have.

    Raises:
        ConfigError: Naming it, and those to choose from.
    """
    for name in given:
        if name not in known:
            raise ConfigError(
                f"`{name}` is not a {what} of the benchmark; choose from "
                f"{', '.join(f'`{each}`' for each in known)}"
            )
