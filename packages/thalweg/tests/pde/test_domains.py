"""Regions of space: points inside, points and normals on named edges."""

import numpy as np
import pytest

from thalweg import pde
from thalweg.errors import ConfigError

SQUARE = pde.Box((-1, -1), (1, 1))
HOLED = SQUARE - pde.Disk((0.2, 0), 0.4, name="hole")
JOINED = pde.Box((0, 0), (1, 1)) + pde.Box((0.5, 0.5), (2, 2))
REGIONS = {
    "interval": (pde.Interval(-1, 3), 4.0),
    "box": (pde.Box((0, 0, 0), (1, 2, 3)), 6.0),
    "ball": (pde.Ball((1, 0, 0), 2.0), 32 / 3 * np.pi),
    "ball of four": (pde.Ball((0, 0, 0, 0), 1.0), np.pi**2 / 2),
    "disk": (pde.Disk((1, 1), 0.5), np.pi / 4),
    "triangle": (pde.Polygon([(0, 0), (0, 1), (1, 0)]), 0.5),
    "L": (pde.LShape(), 3.0),
    "holed": (HOLED, 4 - 0.16 * np.pi),
    "joined": (JOINED, 3.0),
}


@pytest.mark.parametrize("name", REGIONS)
def test_points_fill_the_region_evenly(name: str):
    """The share of a box that lies inside is the measure of the region over that of the box."""
    region, measure = REGIONS[name]
    random = np.random.default_rng(0)
    width = region.high - region.low
    tried = region.low + width * random.random((40_000, region.dimension))
    share = np.prod(width) * np.mean(region.contains(tried))
    assert share == pytest.approx(measure, rel=0.03)
    points = region.points(2000, seed=3)
    assert points.shape == (2000, region.dimension)
    assert region.contains(points).all()
    # Half of the region, by a plane through the middle of the points inside, has half of them.
    inside = tried[region.contains(tried)]
    for axis in range(region.dimension):
        middle = np.median(inside[:, axis])
        assert np.mean(points[:, axis] < middle) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", REGIONS)
def test_normals_point_out_of_the_region(name: str):
    """A small step against a normal leads inside, one along it outside; normals have length 1."""
    region, _ = REGIONS[name]
    points, normals = region.edge_points(512)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(np.ones(len(normals)))
    step = 1e-5 * normals
    assert region.contains(points - step).all()
    assert not region.contains(points + step).any()


def test_edges_are_found_by_name_and_in_proportion_to_their_length():
    """A name in both parts of a union means both; a hole has its own name."""
    left, _ = HOLED.edge_points(50, on="left")
    assert np.all(left[:, 0] == -1)
    hole, normals = HOLED.edge_points(50, on="hole")
    assert np.hypot(hole[:, 0] - 0.2, hole[:, 1]) == pytest.approx(np.full(50, 0.4))
    assert normals == pytest.approx((np.array([0.2, 0]) - hole) / 0.4)
    everywhere, _ = HOLED.edge_points(4000)
    on_hole = np.isclose(np.hypot(everywhere[:, 0] - 0.2, everywhere[:, 1]), 0.4)
    around = 0.8 * np.pi
    assert np.mean(on_hole) == pytest.approx(around / (8 + around), abs=0.02)
    both, _ = JOINED.edge_points(200, on="left")
    assert set(np.unique(both[:, 0])) == {0.0, 0.5}
    named = pde.Polygon([(0, 0), (1, 0), (0, 1)], names=["floor", "slope", "wall"])
    assert named.edge_points(9, on=("floor",))[0][:, 1] == pytest.approx(np.zeros(9))


def test_an_interval_has_two_ends():
    """One row for each end, whatever is asked for."""
    points, normals = pde.Interval(0, 2).edge_points(99)
    assert points.tolist() == [[0.0], [2.0]]
    assert normals.tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pde.Interval(1, 0), "below its upper one"),
        (lambda: pde.Box((0, 0), (1, np.inf)), "cut it to finite ends"),
        (lambda: pde.Disk((0, 0), -1), "a radius above 0"),
        (lambda: pde.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "side 1 and side 3"),
        (lambda: pde.Polygon([(0, 0), (1, 1)]), "at least three corners"),
        (lambda: SQUARE.edge_points(3, on="roof"), "there is no edge 'roof'; this domain has"),
        (lambda: (SQUARE - SQUARE).points(10), "holds hardly any point"),
        (lambda: SQUARE + pde.Interval(0, 1), "regions of 2 and 1 coordinates"),
        (lambda: pde.TimeInterval(1, 1), "a finite start before"),
    ],
)
def test_what_is_no_region_is_refused(make, words: str):
    """One sentence: what was found and what to do."""
    with pytest.raises(ConfigError, match=words):
        make()
