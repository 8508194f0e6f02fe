"""A study's page in a real browser: charts drawn, links that work, nothing asked of the network.

Skipped where no Chromium is found. `test_report_browser.py` shows that a request and a complaint
would be noticed.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from browser import Page, find_browser, open_browser
from small_study import failed, made_up, small_study
from thalweg_lab import problems
from thalweg_lab.pages.study_page import StudyPage, render_study
from thalweg_lab.study import Answer, Chart, Table

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium was found; on Debian: apt-get install chromium"
)

METHODS = {
    "ours": {"name": "auto"},
    **{f"LSODA, tolerance 1e-{n}, order {n}": {"name": "lsoda"} for n in range(1, 10)},
}
STUDY = small_study(starts=5, methods=METHODS, watch=("measure",))
CHARTS = """
[...document.querySelectorAll("figure.chart")].map((figure) => ({
  id: figure.id,
  width: figure.getBoundingClientRect().width,
  lines: [...figure.querySelectorAll("polyline")].map((line) => line.getTotalLength()),
  words: figure.querySelector("desc").textContent,
  rows: figure.querySelectorAll("tbody tr").length,
}))
"""

BROKEN_LINKS = """
[...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1))
    .filter((id) => !document.getElementById(id))
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of a hundred made-up runs, one of them failed, and an answer."""
    specs = STUDY.specs()
    runs = [
        made_up(
            spec,
            tuple(0.5 ** ((1 + spec.start) * k) for k in range(12)),
            measures=tuple(1 / (1 + k) for k in range(12)),
        )
        for spec in specs[1:]
    ]
    runs.insert(0, failed(specs[0], f"ConfigError: {'a long word ' * 20}"))
    ids = tuple(run.id for run in runs[:9])
    answer = Answer(
        question="Do the methods end in the same minimum?",
        verdict="From 4 of 5 starts they do; the barrier is at most 3e-7.",
        numbers={"same": [True, False], "barrier": 3e-7},
        tables=(Table("By start", ("start", "minima"), ((0, 1), (1, 2)), (ids, ids[:2])),),
        charts=(
            Chart(
                title="Barrier",
                caption="Along the line.",
                x_label="share of the way",
                y_label="loss",
                lines={"ours": (np.linspace(0, 1, 9), np.linspace(1, 2, 9))},
                run_ids=ids,
                x_log=False,
                y_log=False,
            ),
        ),
    )
    text = render_study(
        StudyPage(
            study=STUDY,
            runs=runs,
            total=len(specs) + 1,
            answers={"same_minimum": answer},
            tasks={name: problems.load(name) for name in ("xor", "sine")},
        )
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page of a browser that all tests share."""
    path = find_browser()
    assert path is not None
    with open_browser(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, address: str) -> Page:
    """The page, freshly opened."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.look(width=1280)
    browser.open(address, settle=0.2)
    return browser


def test_the_page_asks_for_nothing_but_itself(page: Page, address: str):
    """One request, for the file; and no complaint on the console."""
    assert {url for url in page.requests if not url.startswith("data:")} == {address}
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
def test_every_chart_is_drawn_and_told(page: Page, width: int):
    """Each has lines of some length, its ends in words, and its numbers as a table."""
    page.look(width=width)
    charts = {chart["id"]: chart for chart in page.evaluate(CHARTS)}
    kinds = ("work", "time", "measure")
    names = {f"{problem}-{kind}" for problem in ("xor", "sine") for kind in kinds}
    assert set(charts) == {*names, "answer-same_minimum-chart-0"}
    for chart in charts.values():
        methods = 1 if chart["id"].startswith("answer") else len(METHODS)
        assert len(chart["lines"]) == methods
        assert min(chart["lines"]) > 20, chart
        assert min(250, width - 80) < chart["width"] <= width
        assert "from" in chart["words"]
        assert chart["rows"] >= 5


def test_a_phone_need_not_scroll_sideways(page: Page):
    """At 390 pixels nothing but the tables, which scroll by themselves, is wider than the page."""
    page.look(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_number_leads_to_its_run(page: Page):
    """A link of the summary puts the run's row in sight; all links have a target."""
    link = "document.querySelector('#answer-same_minimum a[href^=\"#run-\"]')"
    wanted = page.evaluate(f"{link}.getAttribute('href').slice(1)")
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.evaluate(f"{link}.click()")
    top = page.evaluate("document.querySelector(':target')?.id")
    assert top == wanted
    place = "Math.round(document.querySelector(':target').getBoundingClientRect().top)"
    assert 0 <= page.evaluate(place) < 900
    assert page.evaluate(BROKEN_LINKS) == []


def test_a_chart_reads_off_its_values_by_keyboard(page: Page):
    """Arrow keys move a cursor that names every method there; Escape puts it away."""
    page.evaluate("document.querySelector('#sine-work svg').focus()")
    tip = "document.querySelector('#sine-work .tip.shown')?.textContent ?? ''"
    page.press("ArrowRight")
    assert page.evaluate(tip).startswith("gradients ")
    assert "ours" in page.evaluate(tip)
    page.press("Escape")
    assert page.evaluate(tip) == ""


def test_a_box_hides_its_method_from_all_charts(page: Page):
    """Labels with commas and blanks are found by their boxes too."""
    label = "LSODA, tolerance 1e-3, order 3"
    shown = f"""[...document.querySelectorAll('.series')]
        .filter((g) => g.dataset.method === {label!r} && g.getClientRects().length).length"""
    assert page.evaluate(shown) == 6
    boxes = "[...document.querySelectorAll('[data-toggle]')]"
    page.evaluate(f"{boxes}.find((box) => box.dataset.toggle === {label!r}).click()")
    assert page.evaluate(shown) == 0


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_on_the_page_can_be_seen(page: Page, width: int, scheme: str):
    """No box, label or table is cut off without a cue, and a chart is on the first two screens."""
    page.look(width=width, scheme=scheme)
    assert page.layout_faults() == []
