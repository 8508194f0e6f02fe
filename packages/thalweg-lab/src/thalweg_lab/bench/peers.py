"""The peers of thalweg, and the settings that are tried for each.

A peer races twice: with the best settings of its grid, found for each problem from a start that is
not in the race, and with the defaults of its library. Where the defaults differ from the best only
in when they stop, both runs would follow the same trajectory, so the peer races once.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg_lab.peers import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = "thalweg"
OUR_MAKER: Mapping[str, Any] = {"name": "auto"}  # nothing tuned


@dataclasses.dataclass(frozen=True)
class Peer:
    """A method of another library, or of a paper as `thalweg_lab.peers` has it.

    Attributes:
        label: What tables and charts call it.
        name: What `thalweg.methods()` or `thalweg_lab.peers` calls it.
        grid: The settings that are tried; the one with the lowest final loss from the tuning start
            races. Never empty; a single one needs no tuning.
        defaults: The library's own settings; None where they follow the same trajectory.
        is_jax: Whether JAX compiles its loop, as it does thalweg's; only such peers are compared
            by the time to the first step.
    """

    label: str
    name: str
    grid: tuple[Mapping[str, Any], ...] = ({},)
    defaults: Mapping[str, Any] | None = None
    is_jax: bool = False

    def makers(self) -> tuple[dict[str, Any], ...]:
        """The settings of the grid as a study has them."""
        return tuple({"name": self.name, **options} for options in self.grid)

    @property
    def default_maker(self) -> dict[str, Any] | None:
        """The defaults as a study has them."""
        return None if self.defaults is None else {"name": self.name, **self.defaults}


# The authors of ENGD-W try every power of ten of the damping from 1e-12 to 1e-8, and 0.
ENGD_DAMPINGS = (1e-12, 1e-10, 1e-8)
ENGD_MOMENTA = (0.0, 0.9, 0.99, 0.999)  # theirs, and 0 for ENGD-W itself
# Those of NNCG try powers of ten from 1e-5 to 1e-1. They let each solution take 1,000 products and
# L-BFGS 40,000 steps, for which the budgets here are too short: so fewer are tried too.
NNCG_DAMPINGS = (1e-5, 1e-3, 1e-1)
NNCG_STAGES = (
    {"adam_steps": 200, "learning_rate": 1e-2, "lbfgs_steps": 300, "most_products": 100},
    {"adam_steps": 1000, "learning_rate": 1e-3, "lbfgs_steps": 1000, "most_products": 1000},
)
SOAP_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
ADAM_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)

_ALL = (
    Peer(
        "Adam",
        "adam",
        grid=tuple({"learning_rate": rate} for rate in ADAM_RATES),
        defaults={"learning_rate": 1e-3},
        is_jax=True,
    ),
    Peer(
        "L-BFGS (SciPy)",
        "l-bfgs",
        grid=({"maxcor": 10}, {"maxcor": 50}),
        # By default SciPy stops when a step lowers the loss by less than 1e7 machine epsilons.
        defaults={"maxcor": 10, "ftol": 2.220446049250313e-09, "gtol": 1e-5},
    ),
    Peer(
        "L-BFGS (Optax)",
        "optax-l-bfgs",
        grid=({"memory_size": 10}, {"memory_size": 50}),
        defaults={"memory_size": 10},
        is_jax=True,
    ),
    Peer("BFGS (SciPy)", "bfgs"),
    Peer("LM (SciPy)", "scipy-lm"),
    Peer("TRF (SciPy)", "scipy-trf"),
    Peer("LM (Optimistix)", "optimistix-lm", is_jax=True),
    Peer(
        "Adam, then L-BFGS",
        "adam-l-bfgs",
        grid=(
            {"steps": 200, "learning_rate": 1e-2},
            {"steps": 1000, "learning_rate": 1e-3},
            {"steps": 1000, "learning_rate": 1e-2},
        ),
        defaults={"steps": 1000, "learning_rate": 1e-3},
    ),
    Peer("SS-Broyden", "ss-broyden"),
    Peer(
        "SS-Broyden (JAX)",
        "ss-broyden-jax",
        grid=({"initial_scale": False}, {"initial_scale": True}),
        defaults={"initial_scale": False},
        is_jax=True,
    ),
    Peer(
        "ENGD-W, SPRING",
        "engd-w",
        grid=tuple(
            {"damping": damping, "momentum": momentum}
            for momentum in ENGD_MOMENTA
            for damping in ENGD_DAMPINGS
        ),
        defaults={"damping": 1e-8, "momentum": 0.0},
        is_jax=True,
    ),
    Peer(
        "SOAP",
        "soap",
        # Weight decay is not part of the loss; without it the loss falls further.
        grid=tuple({"learning_rate": rate, "weight_decay": 0.0} for rate in SOAP_RATES),
        defaults={"learning_rate": 3e-3},
        is_jax=True,
    ),
    Peer(
        "NNCG",
        "adam-lbfgs-nncg",
        grid=tuple(
            {**stages, "damping": damping} for stages in NNCG_STAGES for damping in NNCG_DAMPINGS
        ),
        is_jax=True,
    ),
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _ALL}

# Libraries that are not in the race, and why.
LEFT_OUT: Mapping[str, str] = {
    "torch-levenberg-marquardt": "PyTorch is not an extra of thalweg; its method, "
    "Levenberg-Marquardt, is in the race as implemented by SciPy and Optimistix",
    "scikit-learn's MLP": "its solvers are SciPy's L-BFGS, which is in the race, and minibatch "
    "Adam, which does not minimise the loss over all data",
}


def known(names: tuple[str, ...]) -> tuple[Peer, ...]:
    """The peers of these names whose methods this version has."""
    return tuple(PEERS[name] for name in names if name in METHODS)
