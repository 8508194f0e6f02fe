"""The report of a device in a real browser: drawn, readable, and made of nothing but itself."""

import re
from collections.abc import Iterator

import pytest

from bootwatch.findings import find
from bootwatch.report_page import make_report
from browser import Page, find_browser, open_browser
from played import DAY, play, run

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium was found; on Debian: apt-get install chromium"
)
# Texts of drawings: those that leave their drawing, those that cover each other, and small ones.
TEXTS = """
[...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect(), seen = [], faults = [];
  for (const text of svg.querySelectorAll("text")) {
    const box = text.getBoundingClientRect();
    if (box.left < frame.left - 1 || box.right > frame.right + 1 ||
        box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
      faults.push(`cut off: ${text.textContent}`);
    if (box.height < 9) faults.push(`too small: ${text.textContent} ${box.height}`);
    for (const other of seen)
      if (box.left < other.right && other.left < box.right &&
          box.top < other.bottom - 4 && other.top < box.bottom - 4)
        faults.push(`covered: ${text.textContent}`);
    seen.push(box);
  }
  return faults;
})
"""
CONTRAST = """
(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const ratio = (colour) => {
    const pair = [light(colour), ground].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  };
  const style = (name, key) => getComputedStyle(document.querySelector(name))[key];
  return {
    text: ratio(style("body", "color")), note: ratio(style(".note", "color")),
    label: ratio(style("svg text", "fill")), bad: ratio(style(".bad", "fill")),
    restart: ratio(style(".restart", "fill")), curve: ratio(style(".curve", "stroke")),
  };
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A report of weeks, with a long name and with failures of all kinds, in a browser."""
    path = find_browser()
    assert path is not None
    runs, attempts = play(wears_out=True)
    late = 1.7e9 + 30 * DAY + 7200
    runs += [run(kind, late, late + 300, ok=False) for kind in ("register", "web", "command")]
    text = make_report("telephone_system_of_the_first_floor", find(runs, attempts, now=late))
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(text, encoding="utf-8")
    with open_browser(path, tmp_path_factory.mktemp("profile")) as opened:
        opened.look(width=1280)
        opened.open(file.as_uri(), settle=0.2)
        yield opened


def test_it_loads_nothing_and_complains_of_nothing(page: Page):
    """One request, for the file, and an empty console."""
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file:")
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
def test_nothing_is_cut_off_and_all_can_be_read(page: Page, width: int, scheme: str):
    """Three drawings within the page, no text over another, contrasts as WCAG 2.2 asks for them."""
    page.look(width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.layout_faults() == []
    assert page.evaluate(TEXTS) == []
    boxes = page.evaluate(
        "[...document.querySelectorAll('svg')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 3
    assert all(box["width"] > 0.85 * min(width, 960) and box["height"] > 60 for box in boxes)
    counts = {
        name: page.evaluate(f"document.querySelectorAll('svg .{name}').length")
        for name in ("good", "bad", "restart", "curve", "band")
    }
    assert counts["curve"] == counts["band"] == 1
    assert counts["good"] >= 9, "one for each week at least"
    assert min(counts["bad"], counts["restart"]) > 50
    contrast = page.evaluate(CONTRAST)
    assert min(contrast[name] for name in ("text", "note", "label")) >= 4.5
    assert min(contrast[name] for name in ("bad", "restart", "curve")) >= 3


def test_dark_and_light_are_two_grounds(page: Page):
    """The page follows what the reader prefers."""
    grounds = []
    for scheme in ("light", "dark"):
        page.look(width=1280, scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    first, second = (sum(map(int, re.findall(r"\d+", one))) for one in grounds)
    assert first == 3 * 255
    assert second < 100
