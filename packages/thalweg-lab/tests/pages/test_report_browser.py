"""The report in a real browser: every chart is drawn, nothing is asked of the network.

Skipped where no Chromium is found. The first test shows that a request would be noticed.
"""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Page, find_browser, open_browser
from small_demo import small_demo

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium was found; on Debian: apt-get install chromium"
)

# For each figure: what is drawn in it, how large it is, and whether its lines have a length.
CHARTS = """
[...document.querySelectorAll("figure.chart")].map((figure) => {
  const frame = figure.getBoundingClientRect();
  const drawings = [...figure.querySelectorAll("svg:not(.swatch)")];
  return {
    id: figure.id,
    width: frame.width,
    height: frame.height,
    drawings: drawings.map((svg) => {
      const box = svg.getBBox();
      return Math.min(box.width, box.height);
    }),
    lines: [...figure.querySelectorAll("polyline")].map((line) => line.getTotalLength()),
  };
})
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page of a browser that all tests share."""
    path = find_browser()
    assert path is not None
    with open_browser(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def report(browser: Page) -> Page:
    """The report of a small demo, freshly opened."""
    folder = small_demo().folder
    assert folder is not None
    browser.requests.clear()
    browser.complaints.clear()
    browser.look(width=1280)
    browser.open((folder / "report.html").resolve().as_uri())
    return browser


class _Counting(http.server.BaseHTTPRequestHandler):
    """Answers everything with an empty page, and notes what was asked for."""

    asked: list[str] = []  # noqa: RUF012 - shared by all requests on purpose

    def do_GET(self) -> None:
        """Note the path and answer."""
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


def test_a_request_would_be_noticed(browser: Page, tmp_path: Path):
    """A page that loads an image, a style and a script from a server is caught at each of them."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        page = tmp_path / "talkative.html"
        page.write_text(
            f'<link rel="stylesheet" href="{address}/style"><img src="{address}/image">'
            f'<script>fetch("{address}/data", {{mode: "no-cors"}})</script>'
        )
        browser.requests.clear()
        browser.complaints.clear()
        browser.open(page.as_uri())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    expected = {"/style", "/image", "/data"}
    assert {f"{address}{path}" for path in expected} <= set(browser.requests)
    assert expected <= set(_Counting.asked)


def test_an_error_on_the_page_would_be_noticed(browser: Page, tmp_path: Path):
    """An exception in a script and a message on the console are both caught."""
    page = tmp_path / "broken.html"
    page.write_text("<script>console.error('a word'); nothing.there()</script>")
    browser.complaints.clear()
    browser.open(page.as_uri())
    assert any("a word" in complaint for complaint in browser.complaints)
    assert any("nothing is not defined" in complaint for complaint in browser.complaints)


def test_the_report_asks_for_nothing_but_itself(report: Page):
    """One request, for the file; and no complaint on the console."""
    folder = small_demo().folder
    assert folder is not None
    own = (folder / "report.html").resolve().as_uri()
    assert {url for url in report.requests if not url.startswith("data:")} == {own}
    assert report.complaints == []


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_there_and_drawn(report: Page, width: int, scheme: str):
    """Four charts a problem and its pictures, each with a size, and lines that have a length."""
    report.look(width=width, scheme=scheme)
    charts = {chart["id"]: chart for chart in report.evaluate(CHARTS)}
    for section in small_demo().sections:
        name = section.task.name
        for kind in ("time", "work", "step", "rejected"):
            chart = charts[f"{name}-{kind}"]
            expected = 2 if kind == "step" else len(section.records)
            assert len(chart["lines"]) >= expected, chart
        for place, _ in enumerate(section.pictures):
            assert f"{name}-picture-{place}" in charts
        assert max(charts[f"{name}-time"]["lines"]) > 50
    for chart in charts.values():
        assert min(chart["width"], chart["height"]) > 60, chart
        assert chart["drawings"], chart
    digits = charts["digits-picture-0"]
    assert len(digits["drawings"]) == 60
    assert min(digits["drawings"]) > 1
    assert len(charts["poisson-picture-0"]["drawings"]) == 6  # five maps and the key
    assert min(charts["poisson-picture-0"]["drawings"]) > 10


def test_the_page_follows_the_colour_scheme(report: Page):
    """Dark letters on a light ground, and the other way round."""
    ground = "getComputedStyle(document.body).backgroundColor"
    report.look(width=1280, scheme="light")
    assert report.evaluate(ground) == "rgb(255, 255, 255)"
    report.look(width=1280, scheme="dark")
    assert report.evaluate(ground) == "rgb(18, 22, 28)"


def test_a_phone_need_not_scroll_sideways(report: Page):
    """At 390 pixels nothing but the tables, which scroll by themselves, is wider than the page."""
    report.look(width=390)
    assert report.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_chart_reads_off_its_values_by_keyboard(report: Page):
    """Arrow keys move a cursor that names every method there; Escape puts it away."""
    report.evaluate("document.querySelector('#bessel-work svg').focus()")
    tip = "document.querySelector('#bessel-work .tip.shown')?.textContent ?? ''"
    assert report.evaluate(tip) == ""
    report.press("ArrowRight")
    first = report.evaluate(tip)
    assert first.startswith("gradients ")
    assert "Adam" in first
    report.press("ArrowLeft")
    assert report.evaluate(tip) != first
    report.press("Escape")
    assert report.evaluate(tip) == ""
    assert report.complaints == []


def test_a_box_hides_its_method_from_all_charts(report: Page):
    """One click in one legend: its lines are gone everywhere, and all its boxes agree."""
    shown = """[...document.querySelectorAll('.series[data-method="adam"]')]
        .filter((group) => group.getClientRects().length).length"""
    before = report.evaluate(shown)
    assert before >= 12
    report.evaluate("document.querySelector('[data-toggle=adam]').click()")
    assert report.evaluate(shown) == 0
    boxes = "[...document.querySelectorAll('[data-toggle=adam]')].map((box) => box.checked)"
    assert report.evaluate(boxes) == [False] * 4  # over the races, and one a problem
    report.evaluate("document.querySelector('[data-toggle=adam]').click()")
    assert report.evaluate(shown) == before


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_on_the_page_can_be_seen(report: Page, width: int, scheme: str):
    """No box, label or table is cut off without a cue, and a chart is on the first two screens."""
    report.look(width=width, scheme=scheme)
    assert report.layout_faults() == []


def test_what_cannot_be_seen_would_be_noticed(browser: Page, tmp_path: Path):
    """A wide box, a clipped label, a table that is cut off, and a late chart are each named."""
    page = tmp_path / "wide.html"
    page.write_text(
        "<style>.scroll { overflow-x: auto } table, p { width: 3000px }</style>"
        '<p>wide</p><div class="scroll" aria-label="cut"><table><tr><td>x</td></tr></table></div>'
        '<div style="height: 3000px"></div><figure class="chart" style="width: 90px">'
        '<svg viewBox="0 0 90 9" overflow="visible"><text x="80">a long label</text></svg></figure>'
    )
    browser.look(width=1280)
    browser.open(page.as_uri())
    found = " ".join(browser.layout_faults())
    for fault in ("off the page: P", "clipped: text", "cut off without a cue: cut", "first chart"):
        assert fault in found
