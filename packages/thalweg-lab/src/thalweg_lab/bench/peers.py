"""The peers of thalweg, and the settings that are tried for each.

A peer races twice: with the best settings of its grid, found for each problem from a start that is
not in the race, and with the defaults of its library. Where the defaults differ from the best only
in when they stop, both runs would follow the same trajectory, so the peer races once.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg.solvers import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = "thalweg"
OUR_MAKER: Mapping[str, Any] = {"name": "auto"}  # nothing tuned


@dataclasses.dataclass(frozen=True)
class Peer:
    """A method of another library.

    Attributes:
        label: What tables and charts call it.
        name: What `thalweg.methods()` calls it.
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
    """The peers of these names whose methods this version of thalweg has."""
    return tuple(PEERS[name] for name in names if name in REGISTRY)
