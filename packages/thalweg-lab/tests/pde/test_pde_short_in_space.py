"""Short runs of the scripts without a time reach an error.

Each runs as it stands, with fewer weights, points and steps. Its error lies a few times below the
limit, so another machine's rounding does not decide.
"""

import pytest

from thalweg.pde import MLP
from thalweg_lab.pde import cavity, l_shape, load

SHORT = {
    "helmholtz": (
        {"network": MLP(12, 2, fourier=10, fourier_scale=5.0), "points": 800, "steps": 160},
        3e-3,
    ),
    "poisson-5d": ({"network": MLP(24, 1), "points": 400, "edge_points": 200, "steps": 120}, 2e-3),
    "l-shape": (
        {
            "network": l_shape.WithCorners(MLP(8, 2)),
            "points": 250,
            "edge_points": 100,
            "steps": 120,
        },
        3e-4,
    ),
    "kovasznay": ({"network": MLP(10, 2), "points": 250, "edge_points": 100, "steps": 160}, 5e-3),
    "cavity": (
        {
            "network": cavity.WithScrapers(MLP(10, 2)),
            "points": 300,
            "edge_points": 150,
            "steps": 120,
        },
        0.25,
    ),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_reaches_its_error(name):
    """Counted in steps, so it does the same on any machine."""
    options, limit = SHORT[name]
    script = load(name)
    result = script.solve(**options, seconds=300)
    assert script.error(result) < limit
