"""The controls refuse values out of range, and a schedule of tolerances falls as it should."""

import pytest

import thalweg as tw


def test_the_factor_of_a_schedule_falls_with_the_root_of_the_loss():
    """From loosest / rtol at the start to 1, and it stays within."""
    rule = tw.Accuracy(rtol=1e-6, atol=1e-8, loosest=1e-2)
    factors = [float(rule.factor(loss, 4.0)) for loss in (40.0, 4.0, 4e-4, 4e-8, 1e-12, 0.0)]
    assert factors == pytest.approx([1e4, 1e4, 1e2, 1, 1, 1])
    assert float(tw.Accuracy().factor(1.0, 4.0)) == 1.0


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"rtol": -1.0}, "`rtol` is -1.0"),
        ({"rtol": float("nan")}, "`rtol` is nan"),
        ({"atol": 0.0}, "`atol` is 0.0"),
        ({"rtol": 1e-3, "loosest": 1e-4}, "`loosest` is 0.0001"),
        ({"rtol": 0.0, "loosest": 1e-4}, "`loosest` is 0.0001"),
    ],
)
def test_tolerances_out_of_range_are_refused(options, found):
    """In one sentence, before anything runs."""
    with pytest.raises(tw.ThalwegError, match=found):
        tw.Accuracy(**options)
