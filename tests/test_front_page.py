"""The README's picture of a result and the sentence below it are those of the committed record."""

import copy
import json

import numpy as np
import pytest

SCRIPT = "front_page"


@pytest.fixture
def record(script) -> dict:
    """The committed record."""
    return json.loads(script.RECORD.read_text("utf-8"))


def test_the_readme_is_the_one_that_the_record_makes(script, record):
    """Nobody edited a number; both pictures are there."""
    page = script.README.read_text("utf-8")
    assert script.filled(page, record) == page
    for name in ("result.png", "result-dark.png"):
        assert f"docs/images/{name}" in page
        assert (script.IMAGE.parent / name).is_file()


def test_the_record_is_of_one_start_and_one_budget(record):
    """No fit was given longer, and what was learned is compared with the exact function."""
    from scipy.special import j0

    assert list(record["fits"]) == ["auto", "l-bfgs", "adam"]
    assert np.allclose(record["exact"], j0(20 * np.array(record["x"])))
    for fit in record["fits"].values():
        assert fit["seconds"] <= record["seconds"] * 1.2
        assert len(fit["values"]) == len(record["x"])


def test_another_record_makes_another_sentence_and_other_curves(script, record):
    """The figures are not the script's."""
    worse = copy.deepcopy(record)
    worse["fits"]["auto"]["values"] = (np.array(record["exact"]) + 0.25).tolist()
    assert "thalweg 0.25" in script.caption(worse)
    curves = script.drawn(worse, "dark").axes[1].lines
    drawn = next(line for line in curves if line.get_label() == "thalweg")
    assert np.allclose(drawn.get_ydata(), 0.25)


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (0.0123, "0.012"), (3.4e-7, "3·10⁻⁷"), (9.6e-3, "1·10⁻²")]
)
def test_an_error_is_written_as_people_do(script, value, text):
    """Plain from a hundredth, a digit and a power below."""
    assert script._power(value) == text  # noqa: SLF001 - what the caption is made of
