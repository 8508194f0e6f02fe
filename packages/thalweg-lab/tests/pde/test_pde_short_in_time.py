"""Short runs of the scripts with a time reach an error.

Each runs as it stands, with fewer weights, points and steps. Its error lies a few times below the
limit, so another machine's rounding does not decide.
"""

import dataclasses

import numpy as np
import pytest

from thalweg import pde
from thalweg.pde import MLP
from thalweg_lab.pde import load

SHORT = {
    "convection": ({"network": MLP(10, 2), "points": 300, "steps": 160}, 3e-2),
    "reaction": ({"network": MLP(10, 2), "points": 300, "edge_points": 50, "steps": 160}, 1e-3),
    "wave": ({"network": MLP(12, 2), "points": 400, "steps": 400}, 1e-3),
    "burgers": ({"network": MLP(10, 3), "points": 700, "steps": 300}, 1e-2),
    "allen-cahn": (
        {"network": MLP(12, 2, waves=3), "points": 400, "windows": 2, "steps": 200},
        3e-3,
    ),
    "korteweg-de-vries": (
        {"network": MLP(12, 2, waves=4), "points": 400, "windows": 3, "steps": 300},
        0.3,
    ),
    "heat-inverse": ({"points": 300, "steps": 160}, 1e-2),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_reaches_its_error(name):
    """Counted in steps, so it does the same on any machine."""
    options, limit = SHORT[name]
    script = load(name)
    result = script.solve(**options, seconds=300)
    assert script.error(result) < limit


def test_a_short_run_follows_kuramoto_and_sivashinsky_for_a_fifth_of_the_time():
    """Later the equation multiplies errors a thousandfold, which takes more than a short run."""
    whole = load("kuramoto-sivashinsky").problem()
    early = whole.reference.points[:, 1] <= 0.2
    table = pde.Table(whole.reference.points[early], whole.reference.values[early])
    result = pde.solve(
        dataclasses.replace(whole, time=(0, 0.2), reference=table),
        network=MLP(14, 2, waves=4),
        points=500,
        windows=2,
        steps=100,
        seconds=300,
    )
    assert result.error is not None
    assert np.linalg.norm(table.values) > 10
    assert result.error.relative_l2 < 2e-2
