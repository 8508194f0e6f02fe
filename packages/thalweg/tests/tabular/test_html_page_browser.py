"""The report of a trained model in a real browser: all charts drawn, nothing asked of the network.

Skipped where no Chromium is found. That a request would be noticed is shown for the demo's report.
"""

from collections.abc import Iterator

import pytest

from browser import Page, find_browser, open_browser
from tables import model_folder, table, trained

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium was found; on Debian: apt-get install chromium"
)

TABLES = ("diabetes", "german")  # one with residuals, one with a confusion matrix


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page of a browser that all tests share."""
    path = find_browser()
    assert path is not None
    with open_browser(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(params=TABLES)
def report(browser: Page, request: pytest.FixtureRequest) -> tuple[str, Page]:
    """The name of a table and the report of its model, freshly opened."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.look(width=1280)
    browser.open((model_folder(request.param) / "report.html").resolve().as_uri())
    return request.param, browser


def test_the_report_asks_for_nothing_but_itself(report: tuple[str, Page]):
    """One request, for the file; and no complaint on the console."""
    name, page = report
    own = (model_folder(name) / "report.html").resolve().as_uri()
    assert {url for url in page.requests if not url.startswith("data:")} == {own}
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_and_fits_the_page(report: tuple[str, Page], width: int, scheme: str):
    """Two lines of two colours, a point a test row or a cell a pair of classes, a bar a column."""
    name, page = report
    result = trained(name)
    page.look(width=width, scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 28)"}[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.layout_faults() == []
    lines = page.evaluate(
        """[...document.querySelectorAll('#loss .series .line')].map((line) =>
        [line.getTotalLength() > 50, getComputedStyle(line).stroke])"""
    )
    assert [is_long for is_long, _ in lines] == [True, True]
    assert len({colour for _, colour in lines}) == 2
    bars = page.evaluate(
        """[...document.querySelectorAll('#importance .bar')].map((bar) => bar.getBBox().width)"""
    )
    assert len(bars) == min(len(result.model.schema.columns), 20)
    assert max(bars) > 50
    assert bars[0] == max(bars)
    if name == "diabetes":
        assert page.evaluate("document.querySelectorAll('#residuals .dot').length") == len(
            result.truth
        )
    else:
        cells = page.evaluate(
            "[...document.querySelectorAll('#confusion td[class]')].map((c) => Number(c.innerText))"
        )
        assert len(cells) == 4
        assert sum(cells) == len(result.truth)
        shades = page.evaluate(
            """[...document.querySelectorAll('#confusion td[class]')].map((cell) =>
            getComputedStyle(cell).backgroundColor)"""
        )
        assert len(set(shades)) > 1


def test_the_page_says_what_the_scores_are(report: tuple[str, Page]):
    """Every model and score of the run is in the table, and the command that made it."""
    name, page = report
    rows = page.evaluate(
        """[...document.querySelectorAll('.scores tbody tr')].map((row) =>
        row.innerText.split('\\t'))"""
    )
    scores = trained(name).scores
    assert [row[0] for row in rows] == list(scores)
    for row, values in zip(rows, scores.values(), strict=True):
        shown = [float(cell) for cell in row[1:]]
        assert shown == pytest.approx(list(values.values()), rel=1e-3, abs=1e-3)
    text = page.evaluate("document.body.innerText")
    assert f"thalweg train {table(name)}" in text
    assert trained(name).found.outcome in text
