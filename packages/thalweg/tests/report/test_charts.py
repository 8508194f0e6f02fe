"""The one way in which axes, legends, lines and tables are drawn."""

import re

import numpy as np
import pytest

pytest.importorskip("jinja2")

from thalweg.report.charts import BOTTOM, LEFT, RIGHT, TOP, axis, legend
from thalweg.report.html import part, with_code
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.looks import Looks
from thalweg.report.scale import fitting
from thalweg.report.tables import Cell, Row, Table

NASTY = '<script>alert("x")</script>'


def chart(**changes) -> str:
    """A chart of two entrants, one of which has no value to show."""
    values = {
        "key": "a-chart",
        "title": "A title",
        "caption": "A caption.",
        "x_label": "seconds",
        "y_label": "loss",
        "lines": {
            "adam": (np.array([1.0, 10.0, 100.0]), np.array([1.0, 0.1, 0.01])),
            "zvode": (np.array([1.0]), np.array([np.nan])),
        },
        "look": Looks(),
    }
    return draw_lines(LineChart(**{**values, **changes}))


def test_an_axis_has_a_tick_and_a_label_at_each_of_its_values():
    """Ticks lie where the scale has their values, and the label names the axis once."""
    x = axis(fitting([np.array([1.0, 100.0])], start=LEFT, end=RIGHT, log=True), "seconds")
    y = axis(fitting([np.array([0.0, 1.0])], start=BOTTOM, end=TOP, log=False), "loss")
    drawn = part("chart.html", "axes", x, y)
    ticks = re.findall(r'<text class="tick middle" x="([\d.]+)" y="\d+">([^<]+)</text>', drawn)
    assert ticks == [("60", "1"), ("255", "10"), ("450", "100")]
    ups = re.findall(r'<text class="tick end" x="54" y="([\d.]+)" dy=".35em">([^<]+)<', drawn)
    assert (ups[0], ups[-1]) == (("258", "0"), ("30", "1"))
    assert drawn.count('class="grid"') == len(ticks) + len(ups)
    assert drawn.count(">seconds</text>") == drawn.count(">loss</text>") == 1


def test_a_legend_names_each_entrant_with_its_look_and_a_box():
    """By its name for people; the box has the entrant's own name."""
    looks = Looks(["auto", NASTY])
    drawn = legend([looks("auto"), looks(NASTY)])
    assert drawn.count('type="checkbox" checked') == 2
    assert 'data-toggle="auto"' in drawn
    assert "thalweg (auto)" in drawn
    assert looks("auto").marker.path in drawn
    assert "<script" not in drawn


def test_a_line_passes_through_its_points_and_ends_in_a_marker():
    """Equal decades have equal widths; the end of the line is marked."""
    drawn = chart()
    (points,) = re.findall(r'<polyline class="line" points="([^"]+)"/>', drawn)
    assert points == "60,30 255,144 450,258"
    assert 'transform="translate(450 258)"' in drawn
    assert drawn.count('class="series') == 1
    assert "Not shown, as it has no such value: zvode." in drawn


def test_the_numbers_of_a_chart_are_those_of_its_lines():
    """First and last row of the table are the ends of the line."""
    body = chart().partition("<tbody>")[2]
    rows = re.findall(r'<th scope="row">([^<]+)</th><td>([^<]+)</td>', body)
    assert len(rows) == 8
    assert rows[0] == ("1", "1")
    assert rows[-1] == ("100", "0.01")


def test_text_with_markup_stays_text():
    """In titles, labels, names and cells; backticks make code of it."""
    drawn = chart(title=NASTY, caption=NASTY, y_label=NASTY, look=lambda _: Looks()(NASTY))
    table = Table(NASTY, [NASTY], [Row([Cell(NASTY, note=NASTY, mark=NASTY, href=NASTY)])])
    drawn += part("parts.html", "table", table)
    assert "<script" not in drawn
    assert 'alert("' not in drawn
    assert with_code("a `<b>` c") == "a <code>&lt;b&gt;</code> c"


def test_a_table_has_a_head_a_row_and_classes():
    """The first cell of a row is its head; columns of words are aligned left."""
    rows = [Row(["one", "1", Cell("word", css="won", links=("a", "b"))], key="first")]
    drawn = part("parts.html", "table", Table("Title", ["what", "n", "words"], rows, left=(2,)))
    assert '<tr id="first" tabindex="-1"><th scope="row">one</th><td>1</td>' in drawn
    assert '<td class="won left">word' in drawn
    assert '<th scope="col" class="left">words</th>' in drawn
    assert "2 runs" in drawn
    assert drawn.count('href="#run-') == 2
