"""The errors are those that the definition of a ULP gives, and the true values are true."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libufunc.audit import FUNCTIONS, MissingExtraError, OracleError
from libufunc.audit.oracle import Format, Truth, needed, second_opinion, truth
from libufunc.audit.points import Beside, Even, Floats, Keeping, Together

DOUBLE, SINGLE, LONG = (Format(name) for name in ("float64", "float32", "longdouble"))
positive = st.floats(min_value=5e-324, max_value=1.7e308)


def test_formats_are_the_ieee_ones():
    """Digits and exponents of binary32 and binary64 are those of the standard."""
    assert (SINGLE.digits, SINGLE.top, SINGLE.bottom) == (24, 128, -149)
    assert (DOUBLE.digits, DOUBLE.top, DOUBLE.bottom) == (53, 1024, -1074)


@given(positive)
def test_the_nearest_number_is_the_rounded_one(x: float):
    """The square root, which IEEE arithmetic rounds correctly, is `nearest`, subnormals too."""
    true = truth(FUNCTIONS["sqrt"].arb, [np.array([x])], DOUBLE)
    assert true.nearest[0] == math.sqrt(x)
    assert abs(true.rest[0]) <= 0.5
    assert abs(true.errors(np.array([math.sqrt(x)]), DOUBLE)[0]) <= 0.5


@given(st.floats(min_value=-700, max_value=700), st.integers(min_value=-50, max_value=50))
def test_each_step_to_a_neighbour_is_one_ulp(x: float, steps: int):
    """Within a power of two, `steps` neighbours further the error is `steps` larger."""
    true = truth(FUNCTIONS["exp"].arb, [np.array([x])], DOUBLE)
    near = true.nearest
    moved = near + np.ldexp(float(steps), true.ulp)
    assume(np.frexp(moved)[1] == np.frexp(near)[1] == true.ulp[0] + 53)
    there = true.errors(moved, DOUBLE)[0]
    assert there == pytest.approx(true.errors(near, DOUBLE)[0] + steps, abs=1e-9)


@pytest.mark.parametrize("kind", [SINGLE, DOUBLE, LONG], ids=lambda kind: kind.dtype)
def test_the_rest_is_what_long_arithmetic_says(kind):
    """`nearest + rest ulp` is erf to far more digits than the format has, by mpmath."""
    points = np.linspace(0.1, 3, 20).astype(kind.type)
    true = truth(FUNCTIONS["erf"].arb, [points], kind)
    with mpmath.workprec(300):
        for x, near, rest, ulp in zip(points, true.nearest, true.rest, true.ulp, strict=True):
            value = mpmath.mpf(kind.exact(near)) + mpmath.ldexp(mpmath.mpf(rest), int(ulp))
            exact = mpmath.erf(mpmath.mpf(kind.exact(x)))
            assert abs(value - exact) < mpmath.ldexp(1, int(ulp) - 28)


def test_large_angles_are_reduced_with_enough_digits():
    """J0(1e300) needs a thousand bits of pi, and Arb is given them."""
    true = truth(FUNCTIONS["j0"].arb, [np.array([1e300])], DOUBLE)
    with mpmath.workprec(1300):
        assert true.nearest[0] == float(mpmath.besselj(0, mpmath.mpf(1e300)))


def test_beyond_the_largest_number_infinity_is_right():
    """exp(710) is infinite in double; a finite value there is far off, and vice versa."""
    true = truth(FUNCTIONS["exp"].arb, [np.array([710.0, 1.0])], DOUBLE)
    assert true.nearest[0] == np.inf
    assert list(true.errors(np.array([np.inf, np.inf]), DOUBLE)) == [0.0, np.inf]
    largest = np.finfo(np.float64).max
    assert true.errors(np.array([largest, math.e]), DOUBLE)[0] == -1.0


def test_exact_values_beyond_the_digits_have_no_rest():
    """2**100 is its own rounded value."""
    true = truth(FUNCTIONS["exp2"].arb, [np.array([100.0])], DOUBLE)
    assert (true.nearest[0], true.rest[0]) == (2.0**100, 0.0)


def test_nan_is_right_only_where_nan_is_due():
    """A NaN for a number, or a number for a NaN, is infinitely wrong."""
    true = Truth(np.array([np.nan, np.nan, 1.0]), np.zeros(3), np.zeros(3, np.int64))
    errors = true.errors(np.array([np.nan, 1.0, np.nan]), DOUBLE)
    assert list(errors) == [0.0, np.inf, np.inf]


def test_where_a_function_is_undefined_no_error_is_stated():
    """The logarithm of -1 raises and says where."""
    with pytest.raises(OracleError, match=r"-1\.0.*wider"):
        truth(FUNCTIONS["log"].arb, [np.array([-1.0])], DOUBLE)


@pytest.mark.parametrize("name", ["erf", "y1", "lgamma", "pow", "cbrt"])
def test_mpmath_confirms_arb(name: str):
    """Two oracles without common code agree."""
    subject = FUNCTIONS[name]
    points = [np.array([0.7, 2.5, 11.0])] * subject.arguments
    second_opinion(subject.arb, subject.mpmath, points, DOUBLE)


def test_oracles_that_disagree_are_reported():
    """A formula that is wrong by 1e-15 in one oracle is noticed."""
    with pytest.raises(OracleError, match="one oracle is wrong"):
        second_opinion(
            FUNCTIONS["erf"].arb, lambda mp, x: mp.erf(x) * (1 + 1e-15), [np.ones(1)], DOUBLE
        )


def test_a_missing_package_names_the_extra(monkeypatch):
    """What to install is in the message."""
    monkeypatch.setitem(__import__("sys").modules, "flint", None)
    with pytest.raises(MissingExtraError, match=r"`flint`.*libufunc\[audit\]"):
        needed("flint")


@pytest.mark.parametrize("kind", [SINGLE, DOUBLE, LONG], ids=lambda kind: kind.dtype)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_interval_gives_finite_points_of_the_format(name: str, kind: Format):
    """As many arrays as arguments, in the right dtype, at most as many points as asked."""
    for interval in FUNCTIONS[name].intervals(kind):
        sample = interval.sample(np.random.default_rng(1), 40, kind)
        assert len(sample) == FUNCTIONS[name].arguments
        for points in sample:
            assert points.dtype == kind.type
            assert np.isfinite(points).all()
            assert 1 <= len(points) <= 40


@given(st.integers(0, 2**32), st.sampled_from([SINGLE, DOUBLE, LONG]))
def test_floats_fill_every_power_of_two(seed: int, kind: Format):
    """From the least to the largest number: each quarter of the exponents has its share."""
    generator = np.random.default_rng(seed)
    (points,) = Floats("all", 0.0, np.inf, (-1, 1)).sample(generator, 400, kind)
    share, _ = np.histogram(np.frexp(points)[1], 4, (kind.bottom, kind.top))
    assert share.min() > 50
    assert 100 < (points < 0).sum() < 300


@given(st.floats(0.001, 1e6), st.floats(1.001, 1e3), st.integers(0, 2**32))
def test_intervals_keep_their_ends(low: float, ratio: float, seed: int):
    """No point lies outside, whatever way it is drawn."""
    for interval in (Even("", low, low * ratio), Floats("", low, low * ratio)):
        (points,) = interval.sample(np.random.default_rng(seed), 50, DOUBLE)
        assert points.min() >= low * (1 - 1e-15)
        assert points.max() <= low * ratio * (1 + 1e-15)


def test_beside_a_zero_are_its_neighbours():
    """The nine doubles around pi: the nearest, and four on each side."""
    (points,) = Beside("", lambda mp: [+mp.pi]).sample(np.random.default_rng(0), 20, DOUBLE)
    steps = np.round((np.sort(points) - math.pi) / np.spacing(math.pi))
    assert list(steps) == [-4, -3, -2, -1, 0, 1, 2, 3, 4]


def test_conditions_and_pairs():
    """`Keeping` drops what its condition refuses; `Together` draws the arguments apart."""
    generator = np.random.default_rng(0)
    (kept,) = Keeping("", Even("", 0.0, 1.0), lambda x: x > 0.5).sample(generator, 100, DOUBLE)
    assert 20 < len(kept) < 80
    assert kept.min() > 0.5
    first, second = Together("", (Even("", 0.0, 1.0), Even("", 2.0, 3.0))).sample(
        generator, 10, DOUBLE
    )
    assert first.max() <= 1
    assert second.min() >= 2


@pytest.mark.parametrize("name", ["j0", "j1", "y0", "y1"])
def test_points_away_from_zeros_are_not_near_one(name: str):
    """Away from zeros the function is not small; beside them it is."""
    subject = FUNCTIONS[name]
    parts = {interval.label: interval for interval in subject.intervals(DOUBLE)}
    generator = np.random.default_rng(3)
    for label in ("0 to 20, away from zeros", "20 to 1e4, away from zeros"):
        (points,) = parts[label].sample(generator, 300, DOUBLE)
        points = points[points > 0.5]  # J1 is small at 0 as well
        values = truth(subject.arb, [points], DOUBLE).nearest
        assert (np.abs(values) * np.sqrt(points)).min() > 0.007
    (points,) = parts["beside zeros"].sample(generator, 300, DOUBLE)
    values = truth(subject.arb, [points], DOUBLE).nearest
    assert (np.abs(values) < 5 * np.spacing(points)).all()
