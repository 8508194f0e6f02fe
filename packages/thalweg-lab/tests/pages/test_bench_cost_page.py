"""What `thalweg bench --cost` shows follows from the steps that were measured."""

import json
import math

from command import run
from thalweg._util.machine import this_machine
from thalweg_lab.bench.cost import GRADIENT, Costs, Step
from thalweg_lab.bench.memory import MIB, Peak
from thalweg_lab.pages.cost_page import cost_json, render_cost, rows, sentences

STEPS = tuple(
    Step(
        method,
        "weights",
        n,
        100,
        2,
        seconds=factor * n / 1e6,
        flops=1e3 * n,
        bytes=8.0 * n,
        held=n**2 * MIB // 100,
    )
    for n in (10, 100)
    for method, factor in ((GRADIENT, 1.0), ("<own>", 20.0))
)
COSTS = Costs(product_rate=1e10, steps=STEPS)
PEAKS = [Peak("krylov", 10, 100, 8000, 16 * MIB, 100 * MIB, 3 * MIB)]


def test_the_rows_are_those_of_the_largest_network():
    """Twenty gradients, a tenth of 5e8 operations a second, and a power of 1."""
    gradient, own = rows(COSTS)
    assert gradient[0] == GRADIENT
    assert own[:3] == ("<own>", "2 ms", "20")
    # 5e7 of 1e10; time as n, memory as n²; the other axes have no sizes
    assert own[-5:] == ("0 %", "100", "1.0 / 2.0", "- / -", "- / -")
    assert gradient[-5] == "10 %"


def test_a_sentence_a_method_says_which_share_of_the_machine_a_step_reaches():
    """1e5 operations in 2 ms, at a twentieth of the gradient's rate."""
    _, own = sentences(COSTS)
    assert own == (
        "<own>: a step does 10⁵ operations in 2 ms, 0 % of what a plain product of matrices "
        "does in that time, at 0.05 times the rate of a plain gradient, and holds 100 MiB."
    )


def test_the_json_holds_exponents_and_shares():
    """What is unknown is null."""
    found = json.loads(json.dumps(cost_json(COSTS, PEAKS, this_machine()), allow_nan=False))
    assert math.isclose(found["exponents"]["seconds"]["weights"]["<own>"], 1.0)
    assert math.isclose(found["exponents"]["held"]["weights"]["<own>"], 2.0)
    assert found["exponents"]["seconds"]["depth"]["<own>"] is None
    assert found["steps"][1]["plain_gradients"] == 20.0
    assert found["peaks"][0]["taken"] == 3 * MIB


def test_the_page_has_charts_of_time_and_memory_for_each_axis_that_was_measured():
    """With words beside them; names are text, not HTML."""
    page = render_cost(COSTS, PEAKS, this_machine())
    assert page.count('<figure id="growth-seconds-weights"') == 1
    assert page.count('<figure id="growth-held-weights"') == 1
    assert page.count("<desc") == 2
    assert "<own>" not in page
    assert "3 MiB" in page


def test_cost_refuses_what_belongs_to_the_race():
    """Status 2, with the options named."""
    done = run("bench", "--cost", "--starts", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--starts" in done.stderr
