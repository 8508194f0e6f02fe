"""The report: self-contained, readable without colour or sight, and honest about who was first."""

import dataclasses
import datetime as dt
import math
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_demo import small_demo
from thalweg._util.machine import this_machine
from thalweg._util.record import KEPT_COLUMNS, FirstBelow, RunRecord
from thalweg.report.looks import COLOURS, Looks, label_of
from thalweg.report.scale import fitting
from thalweg_lab import problems
from thalweg_lab.demo import METHODS
from thalweg_lab.pages import Report, Section, render
from thalweg_lab.pages.pictures import draw_picture
from thalweg_lab.pages.words import standing
from thalweg_lab.problems.base import Maps, Sheet, TrainingProblem


@pytest.fixture(scope="module")
def page() -> str:
    """The report of a demo with tiny budgets."""
    folder = small_demo().folder
    assert folder is not None
    return (folder / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one tag."""
        self.found.append((tag, dict(attrs)))


def run_of(method: str, times: list[float | None], **changes: object) -> RunRecord:
    """A record that reached the targets of Poisson's problem at these times."""
    targets = problems.load("poisson").targets
    record = RunRecord(
        problem="poisson",
        method=method,
        settings="as usual",
        seed=0,
        budget=2.0,
        ran=method,
        reason="",
        outcome="budget spent",
        message="",
        loss=1e-3,
        measure=1e-2,
        seconds=2.0,
        compile_seconds=0.5,
        steps=10,
        work={"gradients": 11},
        ladder=tuple(
            FirstBelow(target, time, None if time is None else 7)
            for target, time in zip(targets, times, strict=True)
        ),
        history={name: np.arange(1.0, 5.0) for name in KEPT_COLUMNS},
    )
    return dataclasses.replace(record, **changes)


def report_of(*records: RunRecord, note: str = "") -> str:
    """A page about some runs on Poisson's problem."""
    section = Section(problems.load("poisson"), records, ())
    return render(
        Report(
            title="A title",
            machine=this_machine(),
            began=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
            seconds=12.0,
            sections=(section,),
            note=note,
        )
    )


# ------------------------------------------------------------------------------- self-contained


def test_nothing_is_loaded_from_anywhere(page: str):
    """Every address is on the page itself; neither style nor script names another."""
    addresses = [
        value
        for _, attributes in Tags(page).found
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
    ]
    assert addresses
    assert {a for a in addresses if a != "data:," and not str(a).startswith("#")} == set()
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", page)


def test_links_on_the_page_lead_somewhere(page: str):
    """Each `#name` is the id of something, each id is there once, and labels are found."""
    found = Tags(page).found
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for _, a in found if str(a.get("href", "")).startswith("#")}
    labels = {word for _, a in found for word in str(a.get("aria-labelledby") or "").split()}
    assert links | labels <= set(ids)


def test_what_stands_in_records_cannot_break_the_page():
    """Markup in a text is shown as text."""
    page = report_of(run_of("auto", [0.1] * 5, settings="<script>alert(1)</script>"), note="a <b>")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "a &lt;b&gt;" in page


# ------------------------------------------------------------------------- readable for everyone


def test_every_drawing_has_a_text_alternative(page: str):
    """An SVG is an image with a title, or decoration beside a text that says the same."""
    drawings = [attributes for tag, attributes in Tags(page).found if tag == "svg"]
    named = [d for d in drawings if d.get("role") == "img" and d.get("aria-labelledby")]
    hidden = [d for d in drawings if d.get("aria-hidden") == "true"]
    assert len(named) >= 4 * 3 + 2 + 6  # four charts a problem, two curves, five maps and a key
    assert len(named) + len(hidden) == len(drawings)


def test_every_chart_has_its_numbers_as_a_table(page: str):
    """Each line chart and each set of maps is followed by a table; a sheet is text itself."""
    figures = re.findall(r'<figure id="([\w-]+)".*?</figure>', page, re.DOTALL)
    bodies = re.findall(r"<figure .*?</figure>", page, re.DOTALL)
    assert len(figures) >= 4 * 3 + 1 + 2 + 1
    for name, body in zip(figures, bodies, strict=True):
        assert "<table" in body or 'class="sheet"' in body, name


def test_no_two_methods_look_alike():
    """Colours and markers of the demo's methods all differ, so that neither is needed alone."""
    looks = list(map(Looks(METHODS), METHODS))
    assert len({look.css for look in looks}) == len({look.marker for look in looks}) == len(METHODS)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, WCAG 2.2."""
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2: from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lines_and_letters_stand_out_from_their_ground(scheme: int):
    """Letters by 4.5 to 1, lines of methods by 3 to 1, on paper and on panels, light and dark."""
    style = files("thalweg.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", block))
    for ground in (colours["paper"], colours["panel"]):
        for name in ("ink", "soft", "accent", "bad"):
            assert contrast(colours[name], ground) >= 4.5, name
        for colour in COLOURS:
            assert contrast(colour[scheme], ground) >= 3, colour
    assert contrast(colours["accent"], colours["won"]) >= 4.5


# ---------------------------------------------------------------------------------- honest words


@pytest.fixture(scope="module")
def poisson() -> TrainingProblem:
    """The problem that the sentences are about."""
    return problems.load("poisson")


def test_the_first_to_each_target_is_the_quickest(poisson: TrainingProblem):
    """Also where that is not our own method; and the table marks the same cells."""
    records = (
        run_of("auto", [0.4, 0.5, 0.6, None, None]),
        run_of("l-bfgs", [0.1, 0.8, None, None, None]),
    )
    words = " ".join(standing(poisson, records))
    assert "L-BFGS to 0.01; thalweg (auto) to 10⁻⁴ and 10⁻⁶" in words
    assert "No method reached 10⁻⁸ and 10⁻¹⁰" in words
    assert "4 times the time of L-BFGS to 0.01" in words
    assert "Only thalweg (auto) reached 10⁻⁶, in 0.6 s" in words
    cells = re.findall(r'<td class="won">([\d.]+ m?s) <b>first</b>', report_of(*records))
    assert cells == ["0.5 s", "0.6 s", "0.1 s"]


def test_our_own_method_losing_everywhere_is_said(poisson: TrainingProblem):
    """Missed targets are named, and nothing is claimed."""
    words = " ".join(
        standing(
            poisson,
            (
                run_of("auto", [None] * 5, loss=1.0, measure=1.0),
                run_of("adam", [0.1, 0.2, None, None, None], loss=1e-5, measure=1e-3),
            ),
        )
    )
    assert "thalweg (auto) did not reach 0.01 and 10⁻⁴" in words
    assert "lowest loss at the end is that of Adam" in words
    assert "smallest error against the exact solution (RMS) is that of Adam" in words
    assert "Only thalweg" not in words


def test_how_far_ahead_our_method_is_comes_from_the_times(poisson: TrainingProblem):
    """To its deepest target: its time, and the ratio of the next."""
    records = (run_of("auto", [0.1] * 5), run_of("l-bfgs", [0.25] * 5))
    words = " ".join(standing(poisson, records))
    assert "To 10⁻¹⁰ thalweg (auto) took 0.1 s; the next, L-BFGS, took 2.5 times that" in words
    assert "longer" not in words


def test_a_run_without_any_number_can_be_shown(poisson: TrainingProblem):
    """An empty history and a loss that is not finite leave a page that says so."""
    empty = {name: np.empty(0) for name in KEPT_COLUMNS}
    record = run_of("auto", [None] * 5, history=empty, loss=math.inf, measure=math.nan)
    page = report_of(record)
    assert "infinite" in page
    assert "unknown" in page
    assert standing(poisson, [])


def test_the_page_says_what_was_run_on_what_machine(page: str):
    """Processor, cores, budget and method names stand in the opening."""
    opening = page.partition("</header>")[0]
    machine = this_machine()
    assert machine.processor in opening
    assert f"{machine.cores} cores" in opening or "one core" in opening
    assert "0.3 seconds, not counting compilation" in opening
    assert all(label_of(method) in opening for method in METHODS)


# --------------------------------------------------------------------------------- true drawings

spans = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))


@given(spans, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_linear_scale_shows_every_value_in_its_place(
    span: tuple[float, float], shares: list[float]
):
    """Values lie between the ends, in proportion, and ticks are within and not too many."""
    values = span[0] + span[1] * np.array([0.0, *shares, 1.0])
    scale = fitting([values], start=10, end=110, log=False)
    assert scale.low <= values.min() + 1e-9 * span[1]
    assert scale.high >= values.max() - 1e-9 * span[1]
    expected = 10 + 100 * (values - scale.low) / (scale.high - scale.low)
    assert np.allclose(scale.place(values), expected, atol=1e-6)
    ticks = [tick for tick, _ in scale.ticks()]
    assert 2 <= len(ticks) <= 12
    assert min(scale.place(np.array(ticks))) >= 10 - 1e-6
    assert max(scale.place(np.array(ticks))) <= 110 + 1e-6


@given(st.floats(-20, 10), st.floats(0.1, 15))
def test_a_logarithmic_scale_gives_each_decade_the_same_width(bottom: float, decades: float):
    """A factor of ten is the same distance everywhere, and ticks are powers of ten."""
    values = 10.0 ** np.array([bottom, bottom + decades])
    scale = fitting([values], start=0, end=100, log=True)
    assert scale.low <= values[0] * (1 + 1e-6)
    assert scale.high >= values[1] * (1 - 1e-6)
    places = scale.place(np.array([scale.low, 10 * scale.low]))
    assert places[1] - places[0] == pytest.approx(100 / math.log10(scale.high / scale.low))
    ticks = [math.log10(tick) for tick, _ in scale.ticks()]
    assert ticks
    assert np.allclose(ticks, np.round(ticks))


def test_an_error_map_is_drawn_upright():
    """A large error near the lower left corner is yellow there, and the rest is dark."""
    values = np.full((10, 10), 1e-8)
    values[0, 0] = 1.0  # row 0 is the lower edge
    drawn = draw_picture(Maps("", "", values={"auto": values}), key="map", looks=Looks())
    assert '<path fill="#fde725" d="M0 9h1v1h-1z"/>' in drawn


@given(st.lists(st.lists(st.integers(0, 4), min_size=8, max_size=8), min_size=8, max_size=8))
def test_a_digit_is_drawn_pixel_by_pixel(levels: list[list[int]]):
    """The rectangles of the drawing, painted again, give the image."""
    image = np.array(levels) / 5
    one = Sheet("", "", images=image[None], labels=np.array([3]), predicted=np.array([3]))
    painted = np.zeros((8, 8))
    for ink, path in re.findall(
        r'fill-opacity="([\d.]+)" d="([^"]+)"', draw_picture(one, key="d", looks=Looks())
    ):
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
            painted[int(y), int(x) : int(x) + int(width)] = float(ink)
    assert np.allclose(painted, image)


def test_misread_digits_are_marked_with_the_truth():
    """A wrong one is framed and its true label follows; a right one is not."""
    labels, predicted = np.array([3, 4]), np.array([3, 9])
    two = Sheet("", "", images=np.zeros((2, 8, 8)), labels=labels, predicted=predicted)
    right, wrong = re.findall(r"<li.*?</li>", draw_picture(two, key="d", looks=Looks()))
    assert 'class="wrong"' in wrong
    assert "(4)" in wrong
    assert "misread" in wrong
    assert "wrong" not in right
